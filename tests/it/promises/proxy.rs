//! A TCP proxy between a server under test and the Postgres behind it, which a
//! test steers: it passes on, refuses, resets, closes, falls silent, drips, and
//! spoils what the source says, message by message.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

pub type Spoiler = Arc<dyn Fn(&[u8]) -> Step + Send + Sync>;
pub type Answerer = Arc<dyn Fn(&[u8]) -> Vec<u8> + Send + Sync>;

/// What the proxy does now, with connections old and new.
#[derive(Clone)]
pub enum Mode {
    Pass,
    /// Nobody listens. Connections that there are go on.
    Refuse,
    /// New connections are reset.
    Reset,
    /// New connections are closed.
    Close,
    /// Nothing is passed on in this direction, and nothing is closed.
    Silent(Side),
    /// Some bytes at a time of what the source says, with a pause behind each.
    Drip(usize, Duration),
    /// Every message of the source's goes through this.
    Spoil(Spoiler),
    /// No source at all: what is sent for each thing that is heard.
    Answer(Answerer),
    /// TLS on this side, clear on the other.
    Encrypt(TlsAcceptor),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    ToSource,
    FromSource,
    Both,
}

/// What becomes of a message.
#[derive(Debug, Clone)]
pub enum Step {
    Send(Vec<u8>),
    /// These bytes, and then the end.
    Last(Vec<u8>, End),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Close,
    Reset,
    /// The connection stays, and says nothing more.
    Silence,
}

pub struct Proxy {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    _runtime: tokio::runtime::Runtime,
}

struct Shared {
    source: SocketAddr,
    mode: watch::Sender<Mode>,
    /// How all connections end that were open when it was said.
    ended: watch::Sender<End>,
    /// Bytes that the server under test has taken.
    taken: AtomicU64,
    /// What the server under test said, the last of it.
    heard: Mutex<Vec<u8>>,
}

impl Proxy {
    pub fn start(source: SocketAddr) -> Proxy {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let listener = runtime
            .block_on(TcpListener::bind("127.0.0.1:0"))
            .expect("a free port");
        let address = listener.local_addr().expect("bound");
        let shared = Arc::new(Shared {
            source,
            mode: watch::Sender::new(Mode::Pass),
            ended: watch::Sender::new(End::Close),
            taken: AtomicU64::new(0),
            heard: Mutex::default(),
        });
        runtime.spawn(listen(shared.clone(), listener, address));
        Proxy {
            address,
            shared,
            _runtime: runtime,
        }
    }

    pub fn set(&self, mode: Mode) {
        let refuses = matches!(mode, Mode::Refuse);
        let refused = matches!(self.shared.mode.send_replace(mode), Mode::Refuse);
        // the listener follows in its own time
        while refuses != refused && std::net::TcpStream::connect(self.address).is_err() != refuses {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Spoils every message of the source's.
    pub fn spoil(&self, spoiler: impl Fn(&[u8]) -> Step + Send + Sync + 'static) {
        self.set(Mode::Spoil(Arc::new(spoiler)));
    }

    /// Ends every connection that is open now, before it comes back.
    pub fn end(&self, how: End) {
        self.shared.ended.send_replace(how);
        let until = Instant::now() + Duration::from_secs(2);
        // each connection listens for as long as it lives
        while how != End::Silence
            && self.shared.ended.receiver_count() > 0
            && Instant::now() < until
        {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    pub fn taken(&self) -> u64 {
        self.shared.taken.load(Ordering::Relaxed)
    }

    pub fn heard(&self) -> Vec<u8> {
        self.shared.heard.lock().expect("whole").clone()
    }
}

impl Shared {
    fn hear(&self, bytes: &[u8]) {
        let mut heard = self.heard.lock().expect("whole");
        if heard.len() > 1 << 20 {
            heard.clear();
        }
        heard.extend_from_slice(bytes);
    }
}

async fn listen(shared: Arc<Shared>, listener: TcpListener, address: SocketAddr) {
    let mut mode = shared.mode.subscribe();
    let mut listener = Some(listener);
    loop {
        if matches!(*mode.borrow_and_update(), Mode::Refuse) {
            listener = None;
        }
        let Some(open) = &listener else {
            mode.changed().await.expect("the proxy lives");
            listener = TcpListener::bind(address).await.ok();
            continue;
        };
        tokio::select! {
            changed = mode.changed() => changed.expect("the proxy lives"),
            accepted = open.accept() => {
                if let Ok((socket, _)) = accepted {
                    tokio::spawn(serve(shared.clone(), socket));
                }
            }
        }
    }
}

async fn serve(shared: Arc<Shared>, socket: TcpStream) {
    let mode = shared.mode.borrow().clone();
    socket.set_nodelay(true).expect("set");
    match mode {
        Mode::Refuse | Mode::Close => {}
        Mode::Reset => reset(&socket),
        Mode::Answer(answer) => {
            answers(&shared, socket, &*answer).await.ok();
        }
        Mode::Encrypt(acceptor) => {
            encrypt(&shared, socket, acceptor).await.ok();
        }
        Mode::Pass | Mode::Silent(_) | Mode::Drip(..) | Mode::Spoil(_) => {
            pass(&shared, socket).await;
        }
    }
}

fn reset(socket: &TcpStream) {
    socket2::SockRef::from(socket)
        .set_linger(Some(Duration::ZERO))
        .expect("set");
}

async fn answers(
    shared: &Shared,
    mut socket: TcpStream,
    answer: &(dyn Fn(&[u8]) -> Vec<u8> + Send + Sync),
) -> std::io::Result<()> {
    let mut bytes = vec![0; 64 << 10];
    loop {
        let count = socket.read(&mut bytes).await?;
        if count == 0 {
            return Ok(());
        }
        let said = bytes.get(..count).unwrap_or_default();
        shared.hear(said);
        socket.write_all(&answer(said)).await?;
    }
}

async fn encrypt(
    shared: &Shared,
    mut socket: TcpStream,
    acceptor: TlsAcceptor,
) -> std::io::Result<()> {
    let mut ended = shared.ended.subscribe();
    let mut request = [0; 8];
    socket.read_exact(&mut request).await?;
    socket.write_all(b"S").await?;
    let mut socket = acceptor.accept(socket).await?;
    let mut source = TcpStream::connect(shared.source).await?;
    tokio::select! {
        copied = tokio::io::copy_bidirectional(&mut socket, &mut source) => copied.map(|_| ()),
        _ = ended.changed() => Ok(()),
    }
}

async fn pass(shared: &Shared, socket: TcpStream) {
    let mut ended = shared.ended.subscribe();
    let Ok(source) = TcpStream::connect(shared.source).await else {
        return;
    };
    source.set_nodelay(true).expect("set");
    let (mut from_client, mut to_client) = socket.into_split();
    let (from_source, to_source) = source.into_split();
    let both = async {
        let up = up(shared, &mut from_client, to_source);
        let down = down(shared, from_source, &mut to_client);
        tokio::pin!(up, down);
        tokio::select! {
            () = &mut up => down.await,
            end = &mut down => end,
        }
    };
    let end = tokio::select! {
        end = both => end,
        _ = ended.changed() => *ended.borrow(),
    };
    let socket = from_client.reunite(to_client).expect("halves of one");
    match end {
        End::Close => {}
        End::Reset => reset(&socket),
        End::Silence => std::future::pending().await,
    }
}

/// Waits while nothing is passed on in one of these directions.
async fn while_silent(shared: &Shared, side: Side) {
    let silent = |mode: &Mode| matches!(mode, Mode::Silent(s) if *s == side || *s == Side::Both);
    let mut mode = shared.mode.subscribe();
    mode.wait_for(|mode| !silent(mode)).await.ok();
}

async fn up(shared: &Shared, from: &mut OwnedReadHalf, mut to: OwnedWriteHalf) {
    let mut bytes = vec![0; 64 << 10];
    loop {
        let count = from.read(&mut bytes).await.unwrap_or(0);
        while_silent(shared, Side::ToSource).await;
        shared.hear(&bytes[..count]);
        if count == 0 {
            to.shutdown().await.ok();
            return;
        }
        if to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}

async fn down(shared: &Shared, mut from: OwnedReadHalf, to: &mut OwnedWriteHalf) -> End {
    let mut unread = Vec::new();
    let mut bytes = vec![0; 64 << 10];
    loop {
        let count = from.read(&mut bytes).await.unwrap_or(0);
        while_silent(shared, Side::FromSource).await;
        if count == 0 {
            to.shutdown().await.ok();
            return End::Close;
        }
        unread.extend_from_slice(&bytes[..count]);
        let mode = shared.mode.borrow().clone();
        let mut out = Vec::new();
        let mut end = None;
        let mut at = 0;
        while let Some(length) = message_length(&unread[at..]) {
            let message = &unread[at..at + length];
            at += length;
            match &mode {
                Mode::Spoil(spoiler) => match spoiler(message) {
                    Step::Send(bytes) => out.extend(bytes),
                    Step::Last(bytes, how) => {
                        out.extend(bytes);
                        end = Some(how);
                        break;
                    }
                },
                _ => out.extend_from_slice(message),
            }
        }
        unread.drain(..at);
        let (piece, pause) = match mode {
            Mode::Drip(piece, pause) => (piece, pause),
            _ => (out.len().max(1), Duration::ZERO),
        };
        for piece in out.chunks(piece) {
            if to.write_all(piece).await.is_err() {
                return End::Close;
            }
            shared
                .taken
                .fetch_add(piece.len() as u64, Ordering::Relaxed);
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
        }
        if let Some(end) = end {
            return end;
        }
    }
}

/// Of the whole message that these bytes begin with.
fn message_length(bytes: &[u8]) -> Option<usize> {
    let header: &[u8; 5] = bytes.first_chunk()?;
    let length = 1 + u32::from_be_bytes([header[1], header[2], header[3], header[4]]) as usize;
    (bytes.len() >= length).then_some(length)
}
