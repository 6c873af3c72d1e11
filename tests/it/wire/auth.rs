//! SCRAM-SHA-256 over the wire. The exchange itself is tested in `auth::scram`.

use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};

use super::client::*;
use super::running::{Running, USERS, start};

fn server() -> Running {
    start(USERS)
}

fn initial(mechanism: &str, data: &[u8]) -> Vec<u8> {
    let mut body = format!("{mechanism}\0").into_bytes();
    body.extend(i32::try_from(data.len()).expect("small").to_be_bytes());
    body.extend_from_slice(data);
    message(b'p', &body)
}

/// The server's part of an Authentication message of this code.
fn sasl(client: &mut Client, code: u8) -> Vec<u8> {
    let message = client.read().expect("a message");
    assert_eq!(
        (message.kind, &message.body[..4]),
        ('R', &[0, 0, 0, code][..]),
        "{}",
        message.text()
    );
    message.body[4..].to_vec()
}

fn log_in(client: &mut Client, user: &str, password: &str) -> Vec<Message> {
    client.startup(0, &[("user", user)]);
    assert_eq!(sasl(client, 10), b"SCRAM-SHA-256\0\0");
    let mut scram = ScramSha256::new(password.as_bytes(), ChannelBinding::unsupported());
    client.send(&initial("SCRAM-SHA-256", scram.message()));
    let first = sasl(client, 11);
    scram.update(&first).expect("valid");
    client.send(&message(b'p', scram.message()));
    client.until_ready()
}

#[test]
fn the_password_is_checked() {
    let server = server();
    let mut client = Client::connect(server.address);
    assert_eq!(status(&log_in(&mut client, "ann", "pencil")), 'I');
    assert_eq!(client.value("show session_authorization"), "ann");
    let mut client = Client::connect(server.address);
    let messages = log_in(&mut client, "ann", "pencils");
    assert_eq!(
        (kinds(&messages).as_str(), messages[0].code().as_str()),
        ("E", "28P01")
    );
}

#[test]
fn unknown_users_look_like_known_ones() {
    let server = server();
    let first = |user: &str| {
        let mut client = Client::connect(server.address);
        client.startup(0, &[("user", user), ("database", "nowhere")]);
        sasl(&mut client, 10);
        client.send(&initial("SCRAM-SHA-256", b"n,,n=,r=abc"));
        let text = String::from_utf8(sasl(&mut client, 11)).expect("text");
        let salt = text.split(',').nth(1).expect("a salt").to_string();
        let iterations = text.split(',').nth(2).expect("a count").to_string();
        (salt, iterations)
    };
    let (known, unknown, again, other) = (first("ann"), first("bob"), first("bob"), first("eve"));
    assert_eq!(unknown, again, "the salt is stable");
    assert_ne!(unknown.0, other.0);
    assert_eq!(known.1, unknown.1);
    assert_eq!(known.0.len(), unknown.0.len());
    let text = |user: &str, password: &str| {
        let mut client = Client::connect(server.address);
        let messages = log_in(&mut client, user, password);
        (
            kinds(&messages),
            messages[0].code(),
            messages[0].field('M').map(|m| m.replace(user, "")),
        )
    };
    assert_eq!(text("ann", "wrong"), text("bob", "wrong"));
}

#[test]
fn whether_a_database_exists_is_said_after_the_password() {
    let server = server();
    let mut client = Client::connect(server.address);
    client.startup(0, &[("user", "ann"), ("database", "nowhere")]);
    sasl(&mut client, 10);
    let mut scram = ScramSha256::new(b"pencil", ChannelBinding::unsupported());
    client.send(&initial("SCRAM-SHA-256", scram.message()));
    scram.update(&sasl(&mut client, 11)).expect("valid");
    client.send(&message(b'p', scram.message()));
    let messages = client.until_ready();
    assert_eq!(messages.last().map(Message::code).as_deref(), Some("3D000"));
}

#[test]
fn nothing_but_the_exchange_is_answered_before_its_end() {
    let server = server();
    for sent in [
        query("select 1"),
        parse("", "select 1", &[]),
        sync(),
        // a second startup packet in the middle
        startup(3 << 16, &[("user", "ann")]),
        untyped(&80_877_103i32.to_be_bytes()),
        message(b'X', b""),
    ] {
        // pipelined behind the startup packet
        let mut client = Client::connect(server.address);
        client.send(&[startup(3 << 16, &[("user", "ann")]), sent.clone()].concat());
        sasl(&mut client, 10);
        let messages = client.until_ready();
        assert_eq!(
            (kinds(&messages).as_str(), messages[0].code().as_str()),
            ("E", "08P01")
        );
        // and after the first answer
        let mut client = Client::connect(server.address);
        client.startup(0, &[("user", "ann")]);
        sasl(&mut client, 10);
        client.send(&initial("SCRAM-SHA-256", b"n,,n=,r=abc"));
        sasl(&mut client, 11);
        client.send(&sent);
        assert_eq!(kinds(&client.until_ready()), "E");
    }
}

#[test]
fn odd_sasl_messages_end_the_login() {
    let server = server();
    let plain = |length: i32| {
        let mut body = b"SCRAM-SHA-256\0".to_vec();
        body.extend(length.to_be_bytes());
        body.extend(b"n,,n=,r=abc");
        message(b'p', &body)
    };
    for bytes in [
        initial("SCRAM-SHA-1", b"n,,n=,r=abc"),
        initial("SCRAM-SHA-256-PLUS", b"p=tls-server-end-point,,n=,r=abc"),
        initial("SCRAM-SHA-256", b"p=tls-server-end-point,,n=,r=abc"),
        initial("SCRAM-SHA-256", b"n,a=ann,n=,r=abc"),
        initial("SCRAM-SHA-256", b""),
        plain(-1),
        plain(i32::MAX),
        plain(i32::MIN),
        plain(3),
        message(b'p', b""),
        b"p\xff\xff\xff\xff".to_vec(),
        b"p\x7f\xff\xff\xff".to_vec(),
        b"p\0\0\0\0".to_vec(),
        // more than 16 KiB
        message(b'p', &vec![b'x'; 17_000]),
    ] {
        let mut client = Client::connect(server.address);
        client.startup(0, &[("user", "ann")]);
        sasl(&mut client, 10);
        client.send(&bytes);
        let messages = client.until_ready();
        assert_eq!(kinds(&messages), "E", "{:?}", &bytes[..bytes.len().min(40)]);
    }
}

#[test]
fn foreign_nonces_and_bindings_fail() {
    let server = server();
    let proof = "p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    for change in ["c=eSws", "c=biws,x=y", "r"] {
        let mut client = Client::connect(server.address);
        client.startup(0, &[("user", "ann")]);
        sasl(&mut client, 10);
        client.send(&initial("SCRAM-SHA-256", b"n,,n=,r=abc"));
        let first = String::from_utf8(sasl(&mut client, 11)).expect("text");
        let nonce = first.split(',').next().expect("a nonce").to_string();
        let last = match change {
            "r" => format!("c=biws,{nonce}x,{proof}"),
            binding => format!("{binding},{nonce},{proof}"),
        };
        client.send(&message(b'p', last.as_bytes()));
        assert_eq!(kinds(&client.until_ready()), "E");
    }
}
