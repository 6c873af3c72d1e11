//! From an accepted socket to a session: TLS, startup packet, password. Nothing
//! of a client's statements is read before this ends. Section 55.2.1.

use std::net::SocketAddr;
use std::sync::Arc;

use base64::Engine as _;
use bytes::Buf;
use rand::RngCore;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::backend::Severity;
use super::cancel::{CancelHandle, LONG_KEY, SHORT_KEY};
use super::channel::{Channel, Lost};
use super::frontend::{Body, violation};
use super::startup::{self, LARGEST_STARTUP, Packet, Startup};
use super::{Admission, Service, TlsIdentity};
use crate::auth::grants::Grants;
use crate::auth::scram::{self, Binding};
use crate::error::{Error, SqlState};
use crate::session::{Identity, Session};

/// Messages before authentication, startup packets apart.
const LARGEST_MESSAGE: usize = 16 * 1024;

/// A client that is logged in and was told so.
pub struct Entered {
    pub channel: Channel,
    pub session: Session,
    pub cancel: CancelHandle,
}

/// How the client's bytes travel.
enum Security {
    Clear,
    Tls(Arc<TlsIdentity>),
}

/// `None`: it was a cancel request, or the client has been sent away.
pub async fn login(
    service: &Service,
    stream: TcpStream,
    peer: SocketAddr,
    admission: Admission,
) -> Option<Entered> {
    let (mut channel, security, first) = match open(service, stream).await {
        Ok(Some(opened)) => opened,
        _ => return None,
    };
    match enter(service, &mut channel, security, first, peer, admission).await {
        Ok(Some((session, cancel))) => Some(Entered {
            channel,
            session,
            cancel,
        }),
        Ok(None) => None,
        Err(Lost::Closed) => None,
        Err(Lost::Protocol(error)) => {
            tracing::info!(%peer, sqlstate = error.state().code(), "login refused: {}", error.log_text());
            channel.out.error(&error, Severity::Fatal);
            channel.close().await;
            None
        }
    }
}

/// Negotiates TLS; the first packet that is not about encryption comes back.
async fn open(
    service: &Service,
    stream: TcpStream,
) -> Result<Option<(Channel, Security, Result<Packet, Error>)>, Lost> {
    let mut first = [0];
    if stream.peek(&mut first).await? == 0 {
        return Ok(None);
    }
    if first[0] == 0x16 {
        return direct_tls(service, stream).await;
    }
    let mut channel = Channel::new(Box::new(stream));
    let mut asked_gss = false;
    loop {
        let packet = match read_packet(&mut channel).await {
            Ok(packet) => packet,
            Err(Lost::Protocol(error)) => return Ok(Some((channel, Security::Clear, Err(error)))),
            Err(Lost::Closed) => return Err(Lost::Closed),
        };
        match packet {
            Packet::Ssl | Packet::Gss if !channel.inbox.is_empty() => {
                // bytes that came in clear would be read as if they were encrypted
                let error = violation("received unencrypted data after SSL request");
                return Ok(Some((channel, Security::Clear, Err(error))));
            }
            Packet::Ssl => match &service.tls {
                None => answer(&mut channel, b"N").await?,
                Some(tls) => {
                    answer(&mut channel, b"S").await?;
                    let identity = tls.current.load_full();
                    let channel = handshake(channel, &identity, Alpn::Optional).await?;
                    return encrypted(channel, identity).await;
                }
            },
            Packet::Gss if !asked_gss => {
                asked_gss = true;
                answer(&mut channel, b"N").await?;
            }
            Packet::Gss => return Ok(None),
            other => return Ok(Some((channel, Security::Clear, Ok(other)))),
        }
    }
}

async fn direct_tls(
    service: &Service,
    stream: TcpStream,
) -> Result<Option<(Channel, Security, Result<Packet, Error>)>, Lost> {
    let Some(tls) = &service.tls else {
        return Ok(None);
    };
    let identity = tls.current.load_full();
    let channel = handshake(Channel::new(Box::new(stream)), &identity, Alpn::Required).await?;
    encrypted(channel, identity).await
}

async fn encrypted(
    mut channel: Channel,
    identity: Arc<TlsIdentity>,
) -> Result<Option<(Channel, Security, Result<Packet, Error>)>, Lost> {
    let first = match read_packet(&mut channel).await {
        // encryption inside encryption is no protocol version that exists
        Ok(Packet::Ssl | Packet::Gss) => Err(Error::unsupported(
            "unsupported frontend protocol 1234.5679",
        )),
        Ok(other) => Ok(other),
        Err(Lost::Protocol(error)) => Err(error),
        Err(Lost::Closed) => return Err(Lost::Closed),
    };
    Ok(Some((channel, Security::Tls(identity), first)))
}

#[derive(PartialEq, Eq)]
enum Alpn {
    Optional,
    /// Direct TLS could be any protocol's: the client must name ours.
    Required,
}

async fn handshake(channel: Channel, identity: &TlsIdentity, alpn: Alpn) -> Result<Channel, Lost> {
    let acceptor = TlsAcceptor::from(identity.config.clone());
    let stream = acceptor.accept(channel.into_stream()).await?;
    if alpn == Alpn::Required && stream.get_ref().1.alpn_protocol() != Some(b"postgresql") {
        return Err(Lost::Closed);
    }
    Ok(Channel::new(Box::new(stream)))
}

async fn answer(channel: &mut Channel, byte: &[u8]) -> Result<(), Lost> {
    channel.out.raw(byte);
    Ok(channel.flush().await?)
}

async fn read_packet(channel: &mut Channel) -> Result<Packet, Lost> {
    channel.need(4).await?;
    let header = [
        channel.inbox[0],
        channel.inbox[1],
        channel.inbox[2],
        channel.inbox[3],
    ];
    let length = usize::try_from(i32::from_be_bytes(header)).unwrap_or(0);
    if !(8..=LARGEST_STARTUP).contains(&length) {
        return Err(Lost::Protocol(violation(
            "invalid length of startup packet",
        )));
    }
    channel.need(length).await?;
    channel.inbox.advance(4);
    let body = channel.inbox.split_to(length - 4).freeze();
    startup::parse(body).map_err(Lost::Protocol)
}

async fn enter(
    service: &Service,
    channel: &mut Channel,
    security: Security,
    first: Result<Packet, Error>,
    peer: SocketAddr,
    admission: Admission,
) -> Result<Option<(Session, CancelHandle)>, Lost> {
    let clear = matches!(security, Security::Clear);
    let clear_refused = clear && service.tls.as_ref().is_some_and(|tls| tls.required);
    let startup = match first.map_err(Lost::Protocol)? {
        Packet::Startup(startup) => startup,
        Packet::Cancel { pid, key } => {
            if !clear_refused {
                service.cancels.cancel(pid, &key);
            }
            return Ok(None);
        }
        Packet::Ssl | Packet::Gss => return Ok(None),
    };
    if clear_refused {
        return Err(refused(
            SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
            "this server accepts encrypted connections only",
        ));
    }
    if admission == Admission::Full {
        return Err(refused(
            SqlState::TOO_MANY_CONNECTIONS,
            "sorry, too many clients already",
        ));
    }
    if service.shutdown.draining.is_cancelled() {
        return Err(refused(
            SqlState::CANNOT_CONNECT_NOW,
            "the database system is shutting down",
        ));
    }
    if let Some(unknown) = &startup.negotiate {
        channel
            .out
            .negotiate_protocol_version(startup.version(), unknown);
    }
    let grants = authenticate(service, channel, &security, &startup, peer).await?;
    welcome(service, channel, startup, grants).await.map(Some)
}

fn refused(state: SqlState, message: impl Into<String>) -> Lost {
    Lost::Protocol(Error::new(state, message))
}

/// What the user may do, once it is sure who it is.
async fn authenticate(
    service: &Service,
    channel: &mut Channel,
    security: &Security,
    startup: &Startup,
    peer: SocketAddr,
) -> Result<Arc<Grants>, Lost> {
    if service.users.is_empty() {
        if peer.ip().is_loopback() {
            return Ok(Arc::new(Grants::everything()));
        }
        return Err(refused(
            SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
            "this server has no users and accepts loopback connections only",
        ));
    }
    let binding = match security {
        Security::Clear => Binding::Unavailable,
        Security::Tls(identity) => identity.binding.clone(),
    };
    let mut offer = Vec::new();
    for mechanism in binding.mechanisms() {
        offer.extend_from_slice(mechanism.as_bytes());
        offer.push(0);
    }
    offer.push(0);
    channel.out.authentication(SASL, &offer);
    channel.flush().await?;

    let mut body = Body(sasl_response(channel).await?);
    let mechanism = body.text().map_err(Lost::Protocol)?;
    if !binding.mechanisms().contains(&mechanism.as_str()) {
        return Err(Lost::Protocol(violation(
            "client selected an invalid SASL authentication mechanism",
        )));
    }
    let Some(client_first) = body.sized().map_err(Lost::Protocol)? else {
        return Err(Lost::Protocol(violation("malformed SCRAM message")));
    };
    if !body.is_empty() {
        return Err(Lost::Protocol(violation("invalid message format")));
    }
    let challenge = service.users.challenge(&startup.user);
    let nonce = fresh_nonce();
    let (exchange, server_first) = scram::begin(
        &mechanism,
        &client_first,
        challenge.verifier,
        &binding,
        &nonce,
    )
    .map_err(Lost::Protocol)?;
    channel
        .out
        .authentication(SASL_CONTINUE, server_first.as_bytes());
    channel.flush().await?;

    let client_final = sasl_response(channel).await?;
    let proven = exchange.finish(&client_final).map_err(Lost::Protocol)?;
    match (proven, challenge.grants) {
        (Some(server_final), Some(grants)) => {
            channel
                .out
                .authentication(SASL_FINAL, server_final.as_bytes());
            Ok(grants)
        }
        // an unknown user hears the same
        _ => Err(refused(
            SqlState::INVALID_PASSWORD,
            format!(
                "password authentication failed for user \"{}\"",
                startup.user
            ),
        )),
    }
}

const OK: i32 = 0;
const SASL: i32 = 10;
const SASL_CONTINUE: i32 = 11;
const SASL_FINAL: i32 = 12;

/// The body of a `p` message; any other kind ends the login.
async fn sasl_response(channel: &mut Channel) -> Result<bytes::Bytes, Lost> {
    channel.need(1).await?;
    let kind = channel.inbox[0];
    if kind != b'p' {
        return Err(Lost::Protocol(violation(format!(
            "expected SASL response, got message type {kind}"
        ))));
    }
    Ok(channel.message(LARGEST_MESSAGE).await?.body)
}

/// 18 random bytes, as Postgres uses.
fn fresh_nonce() -> String {
    let mut bytes = [0; 18];
    rand::rng().fill_bytes(&mut bytes);
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// After the password: the database, settings, keys, ReadyForQuery.
async fn welcome(
    service: &Service,
    channel: &mut Channel,
    startup: Startup,
    grants: Arc<Grants>,
) -> Result<(Session, CancelHandle), Lost> {
    let database = service.config.server.database.as_str();
    let asked = startup.database.as_deref().unwrap_or(database);
    if asked != database {
        return Err(refused(
            SqlState::INVALID_CATALOG_NAME,
            format!("database \"{asked}\" does not exist"),
        ));
    }
    let length = if startup.minor >= 2 {
        LONG_KEY
    } else {
        SHORT_KEY
    };
    let cancel = service.cancels.register(length);
    let identity = Identity {
        user: startup.user.as_str().into(),
        database: database.into(),
        pid: cancel.pid,
        grants,
    };
    let mut session = Session::new(&service.engine, identity);
    for (name, value) in &startup.settings {
        session.boot_setting(name, value).map_err(Lost::Protocol)?;
    }
    session.take_reports();
    let out = &mut channel.out;
    out.authentication(OK, &[]);
    for (name, value) in session.reported_settings() {
        out.parameter_status(name, &value);
    }
    out.backend_key_data(cancel.pid, cancel.key());
    out.ready_for_query(session.status());
    channel.flush().await?;
    Ok((session, cancel))
}
