//! TLS: what is offered, what is refused, what a proof is bound to.

use std::io::Read;
use std::net::TcpStream;
use std::sync::Arc;

use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::client::*;
use super::running::{Running, USERS, start, tls, tls_data};

fn ssl_request() -> Vec<u8> {
    untyped(&80_877_103i32.to_be_bytes())
}

fn encrypt(socket: &TcpStream, alpn: &[&str]) -> StreamOwned<ClientConnection, TcpStream> {
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_file(tls_data("ca.crt")).expect("a root");
    roots.add(root).expect("valid");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    let name = ServerName::try_from("localhost").expect("a name");
    let connection = ClientConnection::new(Arc::new(config), name).expect("a connection");
    StreamOwned::new(connection, socket.try_clone().expect("a clone"))
}

/// After SSLRequest and its answer.
fn encrypted(server: &Running) -> Client {
    let mut client = Client::connect(server.address);
    client.send(&ssl_request());
    let mut answer = [0];
    client.stream.read_exact(&mut answer).expect("an answer");
    assert_eq!(&answer, b"S");
    client.stream = Box::new(encrypt(&client.socket, &[]));
    client
}

#[test]
fn encrypted_sessions_work_also_without_the_request() {
    let server = start(&tls(false));
    let mut client = encrypted(&server);
    client.startup(0, &[("user", "u")]);
    client.until_ready();
    assert_eq!(client.value("select 1"), "1");

    let mut direct = Client::connect(server.address);
    direct.stream = Box::new(encrypt(&direct.socket, &["postgresql"]));
    direct.startup(0, &[("user", "u")]);
    direct.until_ready();
    assert_eq!(direct.value("select 1"), "1");

    for alpn in [&[][..], &["http/1.1"]] {
        let mut other = Client::connect(server.address);
        let mut stream = encrypt(&other.socket, alpn);
        use std::io::Write;
        let sent = stream.write_all(&startup(3 << 16, &[("user", "u")]));
        let mut byte = [0];
        assert!(
            sent.is_err() || !matches!(stream.read(&mut byte), Ok(1)),
            "{alpn:?}"
        );
        other.stream = Box::new(stream);
    }
    // in clear as well, where TLS is not required
    assert_eq!(server.client().value("select 1"), "1");
}

#[test]
fn bytes_in_clear_before_the_handshake_end_the_connection() {
    let server = start(&tls(false));
    let mut client = Client::connect(server.address);
    client.send(
        &[
            ssl_request(),
            startup(3 << 16, &[("user", "u")]),
            query("select 1"),
        ]
        .concat(),
    );
    let mut answer = Vec::new();
    client.stream.read_to_end(&mut answer).ok();
    assert_ne!(answer.first(), Some(&b'S'));
    assert!(!answer.contains(&b'Z'), "nothing was run");
}

#[test]
fn where_tls_is_required_nothing_is_in_clear() {
    let server = start(&tls(true));
    let mut client = Client::connect(server.address);
    client.startup(0, &[("user", "u")]);
    assert_eq!(client.until_ready()[0].code(), "28000");

    let mut client = encrypted(&server);
    client.startup(0, &[("user", "u")]);
    client.until_ready();
    client.send(&query(
        "select count(*) from generate_series(1, 100000000000)",
    ));
    std::thread::sleep(std::time::Duration::from_millis(200));
    let mut body = 80_877_102i32.to_be_bytes().to_vec();
    body.extend(client.pid.to_be_bytes());
    body.extend(&client.key);
    let mut clear = Client::connect(server.address);
    clear.send(&untyped(&body));
    clear.expect_closed();
    std::thread::sleep(std::time::Duration::from_millis(300));
    let mut cancel = encrypted(&server);
    cancel.send(&untyped(&body));
    let started = std::time::Instant::now();
    let messages = client.until_ready();
    assert!(started.elapsed() < std::time::Duration::from_secs(2));
    assert!(
        messages
            .iter()
            .any(|message| message.kind == 'E' && message.code() == "57014")
    );
}

fn bound_login(server: &Running, mechanism: &str, binding: ChannelBinding) -> Vec<Message> {
    let mut client = encrypted(server);
    client.startup(0, &[("user", "ann")]);
    let offer = client.read().expect("an offer");
    assert_eq!(&offer.body[4..], b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0");
    let mut scram = ScramSha256::new(b"pencil", binding);
    let mut body = format!("{mechanism}\0").into_bytes();
    body.extend(
        i32::try_from(scram.message().len())
            .expect("small")
            .to_be_bytes(),
    );
    body.extend_from_slice(scram.message());
    client.send(&message(b'p', &body));
    let first = client.read().expect("an answer");
    if first.kind == 'E' {
        return vec![first];
    }
    scram.update(&first.body[4..]).expect("valid");
    client.send(&message(b'p', scram.message()));
    client.until_ready()
}

#[test]
fn proofs_are_bound_to_the_certificate() {
    let server = start(&format!("{}{USERS}", tls(true)));
    let certificate = CertificateDer::from_pem_file(tls_data("server.crt")).expect("valid");
    let hash = ring::digest::digest(&ring::digest::SHA256, &certificate);
    let right = || ChannelBinding::tls_server_end_point(hash.as_ref().to_vec());
    let wrong = ChannelBinding::tls_server_end_point(vec![0; 32]);
    let (plus, plain) = ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256");
    assert_eq!(status(&bound_login(&server, plus, right())), 'I');
    assert_eq!(
        status(&bound_login(&server, plain, ChannelBinding::unsupported())),
        'I'
    );
    for (mechanism, binding) in [
        (plus, wrong),
        (plain, right()),
        (plus, ChannelBinding::unsupported()),
        // "y": the client could bind but was told that we cannot
        (plain, ChannelBinding::unrequested()),
    ] {
        assert_eq!(kinds(&bound_login(&server, mechanism, binding)), "E");
    }
}
