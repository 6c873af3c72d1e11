//! From a socket to a session: the startup message, authentication, and what the
//! source tells before it is ready (section 55.2.1 "Start-up"). Called by
//! `connect`, once a connection, within its deadline.
//!
//! The server is not trusted: every length is checked, the password itself leaves
//! only as `policy` allows, and SCRAM has to end with the server's proof.

use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{
    ChannelBinding as Binding, SCRAM_SHA_256, SCRAM_SHA_256_PLUS, ScramSha256,
};
use tokio_postgres::config::ChannelBinding;

use super::super::end_point::tls_server_end_point;
use super::super::error::protocol_broken;
use super::super::policy::{AuthMethod, AuthPolicy, Channel};
use super::super::reach::Refused;
use super::connection::{Connection, TransactionStatus};
use super::frontend::{message, startup, text};
use super::inbox::{Frame, Stage};
use super::report::Report;
use crate::error::{Error, Result};

/// A server says a few dozen things before it is ready.
const MOST_MESSAGES: usize = 1000;

pub(super) struct Login<'a> {
    pub user: &'a str,
    pub password: Option<&'a [u8]>,
    /// Beside the user: database and settings.
    pub parameters: Vec<(&'a str, &'a str)>,
    pub policy: &'a AuthPolicy,
    pub channel: Channel,
    pub binding: ChannelBinding,
}

impl Login<'_> {
    pub async fn run(&self, connection: &mut Connection) -> Result<(), Refused> {
        let user = ("user", self.user);
        let parameters = std::iter::once(user).chain(self.parameters.iter().copied());
        startup(connection.out(), parameters);
        self.authenticate(connection).await?;
        self.until_ready(connection).await
    }

    async fn authenticate(&self, connection: &mut Connection) -> Result<(), Refused> {
        let (code, frame) = authentication(connection).await?;
        match code {
            0 => self.allow(connection, AuthMethod::None)?,
            3 => {
                self.allow(connection, AuthMethod::Password)?;
                let password = self.password(connection)?;
                let mut bytes = password.to_vec();
                self.send_password(connection, &mut bytes);
                succeeded(connection).await?;
            }
            5 => {
                self.allow(connection, AuthMethod::Md5)?;
                let Some(&[a, b, c, d]) = connection.body(frame).get(4..) else {
                    return Err(broken(connection, "an MD5 salt of a wrong length"));
                };
                let password = self.password(connection)?;
                let mut hash = md5_hash(self.user.as_bytes(), password, [a, b, c, d]).into_bytes();
                self.send_password(connection, &mut hash);
                succeeded(connection).await?;
            }
            10 => {
                self.allow(connection, AuthMethod::Scram)?;
                self.scram(connection, frame).await?;
                succeeded(connection).await?;
            }
            2 | 6..=9 => {
                let what = "it asks for Kerberos, GSSAPI or SSPI, which is not supported";
                return Err(Refused::Login(unreachable(connection, what)));
            }
            _ => {
                return Err(broken(
                    connection,
                    "an authentication request that is unknown",
                ));
            }
        }
        Ok(())
    }

    fn allow(&self, connection: &Connection, method: AuthMethod) -> Result<(), Refused> {
        if let Some(why) = self.policy.refusal(method, self.channel) {
            return Err(Refused::Login(unreachable(connection, why)));
        }
        if self.binding == ChannelBinding::Require && method != AuthMethod::Scram {
            let why = "it does not bind the login to the channel, which channel_binding requires";
            return Err(Refused::Login(unreachable(connection, why)));
        }
        Ok(())
    }

    fn password(&self, connection: &Connection) -> Result<&[u8], Refused> {
        self.password
            .filter(|password| !password.is_empty())
            .ok_or_else(|| {
                Refused::Login(unreachable(
                    connection,
                    "it asks for a password, and none is given",
                ))
            })
    }

    fn send_password(&self, connection: &mut Connection, password: &mut Vec<u8>) {
        password.push(0);
        message(connection.out(), b'p', |out| {
            out.extend_from_slice(password)
        });
    }

    async fn scram(&self, connection: &mut Connection, frame: Frame) -> Result<(), Refused> {
        let body = connection.body(frame).get(4..).unwrap_or_default();
        let offered: Vec<&[u8]> = body.split(|byte| *byte == 0).collect();
        let offers = |name: &str| offered.contains(&name.as_bytes());
        let certificate = match self.binding {
            ChannelBinding::Disable => None,
            _ => connection.socket.certificate(),
        };
        let end_point = certificate.and_then(tls_server_end_point);
        let (mechanism, binding) = match (offers(SCRAM_SHA_256_PLUS), end_point) {
            (true, Some(hash)) => (SCRAM_SHA_256_PLUS, Binding::tls_server_end_point(hash)),
            // "y": this side could have bound, and the server will notice if it
            // did offer that and somebody took the offer away.
            (false, Some(_)) => (SCRAM_SHA_256, Binding::unrequested()),
            (_, None) => (SCRAM_SHA_256, Binding::unsupported()),
        };
        if self.binding == ChannelBinding::Require && mechanism != SCRAM_SHA_256_PLUS {
            let why = "channel binding is not possible, which channel_binding requires";
            return Err(Refused::Login(unreachable(connection, why)));
        }
        if !offers(mechanism) {
            let what = "it offers no SASL mechanism that is supported";
            return Err(Refused::Login(unreachable(connection, what)));
        }
        let mut scram = ScramSha256::new(self.password(connection)?, binding);
        message(connection.out(), b'p', |out| {
            text(out, mechanism);
            let first = scram.message();
            let length = u32::try_from(first.len()).unwrap_or(u32::MAX);
            out.extend_from_slice(&length.to_be_bytes());
            out.extend_from_slice(first);
        });
        let challenge = sasl(connection, 11).await?;
        // Thousands of hashes, and the server says how many: not among the tasks
        // that serve others. It is capped at 100,000 by the crate.
        let answer = tokio::task::spawn_blocking(move || {
            let updated = scram.update(&challenge);
            (scram, updated)
        });
        let Ok((mut scram, updated)) = answer.await else {
            return Err(Error::internal("the proof of a password was not computed").into());
        };
        if let Err(error) = updated {
            return Err(refuse_scram(connection, error));
        }
        message(connection.out(), b'p', |out| {
            out.extend_from_slice(scram.message());
        });
        let verifier = sasl(connection, 12).await?;
        if let Err(error) = scram.finish(&verifier) {
            return Err(refuse_scram(connection, error));
        }
        Ok(())
    }

    async fn until_ready(&self, connection: &mut Connection) -> Result<(), Refused> {
        for _ in 0..MOST_MESSAGES {
            let frame = receive(connection).await?;
            let body = connection.inbox.body(frame);
            match frame.kind {
                b'S' => {
                    if connection.told.note(body).is_none() {
                        return Err(broken(connection, "a malformed parameter status"));
                    }
                }
                b'K' => {
                    let Ok(key) = <[u8; 8]>::try_from(body) else {
                        return Err(broken(connection, "a cancellation key of a wrong length"));
                    };
                    let [a, b, c, d, e, f, g, h] = key;
                    connection.key = Some((
                        u32::from_be_bytes([a, b, c, d]),
                        u32::from_be_bytes([e, f, g, h]),
                    ));
                }
                b'N' => {}
                b'Z' if body == b"I" => {
                    connection.status = TransactionStatus::Idle;
                    return Ok(());
                }
                b'E' => return Err(reported(connection, frame)),
                _ => return Err(broken(connection, "a message that has no place in a login")),
            }
        }
        Err(broken(connection, "a login without an end"))
    }
}

/// The code and frame of the next authentication request.
async fn authentication(connection: &mut Connection) -> Result<(u32, Frame), Refused> {
    for _ in 0..MOST_MESSAGES {
        let frame = receive(connection).await?;
        match frame.kind {
            b'R' => {
                let Some(&[a, b, c, d]) = connection.body(frame).get(..4) else {
                    return Err(broken(
                        connection,
                        "an authentication request without a code",
                    ));
                };
                return Ok((u32::from_be_bytes([a, b, c, d]), frame));
            }
            b'E' => return Err(reported(connection, frame)),
            b'N' => {}
            _ => return Err(broken(connection, "a message that has no place in a login")),
        }
    }
    Err(broken(connection, "a login without an end"))
}

async fn succeeded(connection: &mut Connection) -> Result<(), Refused> {
    match authentication(connection).await? {
        (0, _) => Ok(()),
        _ => Err(broken(connection, "a second authentication request")),
    }
}

/// The data of a SASL message that has to come now: a server that says that all
/// is well before it proved itself is not believed.
async fn sasl(connection: &mut Connection, expected: u32) -> Result<Vec<u8>, Refused> {
    match authentication(connection).await? {
        (code, frame) if code == expected => {
            Ok(connection.body(frame).get(4..).unwrap_or_default().to_vec())
        }
        _ => Err(broken(connection, "SCRAM was cut short")),
    }
}

async fn receive(connection: &mut Connection) -> Result<Frame, Refused> {
    loop {
        match connection.inbox.next(Stage::Login) {
            Ok(Some(frame)) => return Ok(frame),
            Ok(None) => connection.receive().await.map_err(|error| {
                let why = "it closed the connection";
                Error::unreachable(connection.source(), why).with_cause(error)
            })?,
            Err(malformed) => return Err(broken(connection, malformed)),
        }
    }
}

fn broken(connection: &Connection, what: &str) -> Refused {
    Refused::Host(protocol_broken(connection.source(), what))
}

fn unreachable(connection: &Connection, why: &str) -> Error {
    Error::unreachable(connection.source(), why)
}

/// What the crate says of a SCRAM message names no secret.
fn refuse_scram(connection: &Connection, error: std::io::Error) -> Refused {
    broken(
        connection,
        &format!("its SCRAM messages are wrong ({error})"),
    )
}

/// Class 28: the name or the password is wrong, on every host.
fn reported(connection: &Connection, frame: Frame) -> Refused {
    let report = Report::new(connection.body(frame));
    let error = unreachable(connection, report.message())
        .with_cause(report.to_error(connection.source()).log_text());
    match report.code().starts_with("28") {
        true => Refused::Login(error),
        false => Refused::Host(error),
    }
}
