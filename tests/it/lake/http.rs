//! A small HTTP server on loopback for what a real catalog does not do on demand:
//! tokens that end, pages, errors. Answers as a closure says, and remembers what
//! it was asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    /// With the query.
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Request {
    pub fn header(&self, name: &str) -> &str {
        let mut headers = self.headers.iter();
        headers
            .find(|(known, _)| known == name)
            .map_or("", |(_, value)| value)
    }
}

/// Status, more headers, body.
pub type Answer = (u16, Vec<(&'static str, String)>, String);

pub struct Http {
    pub address: SocketAddr,
    asked: Arc<Mutex<Vec<Request>>>,
}

impl Http {
    pub fn start(answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Http {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let asked: Arc<Mutex<Vec<Request>>> = Arc::default();
        let answer = Arc::new(answer);
        let log = asked.clone();
        // ends with the process
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (answer, log) = (answer.clone(), log.clone());
                std::thread::spawn(move || {
                    if let Some(request) = read(&stream) {
                        log.lock().expect("whole").push(request.clone());
                        write(stream, answer(&request));
                    }
                });
            }
        });
        Http { address, asked }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The requests whose path contains this.
    pub fn asked(&self, path: &str) -> Vec<Request> {
        let asked = self.asked.lock().expect("whole");
        asked
            .iter()
            .filter(|request| request.path.contains(path))
            .cloned()
            .collect()
    }
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let (method, path) = (words.next()?.to_string(), words.next()?.to_string());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        headers.push((name.to_lowercase(), value.trim().to_string()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length
        .and_then(|(_, value)| value.parse().ok())
        .unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request {
        method,
        path,
        headers,
        body: String::from_utf8_lossy(&body).into_owned(),
    })
}

fn write(mut stream: TcpStream, (status, headers, body): Answer) {
    let mut head = format!("HTTP/1.1 {status} x\r\nconnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
    stream.write_all(head.as_bytes()).ok();
    stream.write_all(body.as_bytes()).ok();
}
