//! SCRAM-SHA-256 as a server, with and without channel binding: RFC 5802, RFC
//! 7677 and section 55.3.1 of the Postgres manual. Pure: messages in, messages
//! out; `wire` carries them.

use std::num::NonZeroU32;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::{digest, hmac, pbkdf2};

use crate::error::{Error, Result, SqlState};

/// What Postgres uses for new passwords.
pub const ITERATIONS: u32 = 4096;

pub const PLAIN: &str = "SCRAM-SHA-256";
pub const PLUS: &str = "SCRAM-SHA-256-PLUS";

/// What a server keeps of a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Verifier {
    pub iterations: u32,
    salt: Vec<u8>,
    stored_key: [u8; 32],
    server_key: [u8; 32],
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Verifier(***)")
    }
}

impl Verifier {
    /// Keys shorter than 32 bytes are padded; the caller makes them.
    pub fn new(iterations: u32, salt: Vec<u8>, stored: &[u8], server: &[u8]) -> Self {
        let key = |bytes: &[u8]| {
            let mut key = [0; 32];
            for (to, from) in key.iter_mut().zip(bytes) {
                *to = *from;
            }
            key
        };
        Verifier {
            iterations,
            salt,
            stored_key: key(stored),
            server_key: key(server),
        }
    }

    pub fn from_password(password: &str, salt: Vec<u8>, iterations: u32) -> Self {
        // as Postgres: a password that cannot be normalized is used as it is
        let normalized = stringprep::saslprep(password).unwrap_or(password.into());
        let mut salted = [0; 32];
        pbkdf2::derive(
            pbkdf2::PBKDF2_HMAC_SHA256,
            NonZeroU32::new(iterations).unwrap_or(NonZeroU32::MIN),
            &salt,
            normalized.as_bytes(),
            &mut salted,
        );
        let client_key = sign(&salted, b"Client Key");
        let server_key = sign(&salted, b"Server Key");
        let stored_key = digest::digest(&digest::SHA256, &client_key);
        Verifier::new(iterations, salt, stored_key.as_ref(), &server_key)
    }

    /// `SCRAM-SHA-256$<iterations>:<salt>$<stored key>:<server key>`
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.trim().strip_prefix("SCRAM-SHA-256$")?;
        let (parameters, keys) = rest.split_once('$')?;
        let (iterations, salt) = parameters.split_once(':')?;
        let (stored, server) = keys.split_once(':')?;
        let iterations = iterations.parse().ok().filter(|count| *count > 0)?;
        let stored = STANDARD.decode(stored).ok().filter(|key| key.len() == 32)?;
        let server = STANDARD.decode(server).ok().filter(|key| key.len() == 32)?;
        Some(Verifier::new(
            iterations,
            STANDARD.decode(salt).ok()?,
            &stored,
            &server,
        ))
    }
}

/// What the transport can be bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Binding {
    /// No TLS, or a certificate that has no defined hash.
    Unavailable,
    /// tls-server-end-point: the hash of the server's certificate.
    EndPoint(Vec<u8>),
}

impl Binding {
    /// What AuthenticationSASL offers, best first.
    pub fn mechanisms(&self) -> &'static [&'static str] {
        match self {
            Binding::Unavailable => &[PLAIN],
            Binding::EndPoint(_) => &[PLUS, PLAIN],
        }
    }
}

/// After the server's first message, waiting for the proof.
pub struct Exchange {
    verifier: Verifier,
    nonce: String,
    /// `c=` must say this.
    expected_binding: String,
    /// The messages so far, as they are signed.
    auth_message: String,
}

/// Answers the client's first message. `server_nonce` is fresh printable text
/// without commas.
pub fn begin(
    mechanism: &str,
    client_first: &[u8],
    verifier: Verifier,
    binding: &Binding,
    server_nonce: &str,
) -> Result<(Exchange, String)> {
    let text = ascii(client_first)?;
    let (flag, rest) = text
        .split_once(',')
        .ok_or_else(|| malformed("gs2 header"))?;
    let (authzid, bare) = rest
        .split_once(',')
        .ok_or_else(|| malformed("gs2 header"))?;
    let bound = check_flag(mechanism, flag, binding)?;
    if !authzid.is_empty() {
        return Err(Error::unsupported(
            "client uses authorization identity, but it is not supported",
        ));
    }
    let mut attributes = bare.split(',');
    let user = attributes.next().unwrap_or_default();
    if user.starts_with("m=") {
        return Err(Error::unsupported(
            "client requires an unsupported SCRAM extension",
        ));
    }
    // the name is the startup packet's; Postgres ignores this one as well
    if !user.starts_with("n=") {
        return Err(malformed("user name"));
    }
    let client_nonce = attributes
        .next()
        .and_then(|attribute| attribute.strip_prefix("r="))
        .filter(|nonce| !nonce.is_empty() && nonce.bytes().all(|b| matches!(b, 0x21..=0x7e)))
        .ok_or_else(|| malformed("nonce"))?;
    let nonce = format!("{client_nonce}{server_nonce}");
    let server_first = format!(
        "r={nonce},s={},i={}",
        STANDARD.encode(&verifier.salt),
        verifier.iterations
    );
    let mut header = format!("{flag},,").into_bytes();
    if let Some(data) = bound {
        header.extend_from_slice(data);
    }
    let exchange = Exchange {
        auth_message: format!("{bare},{server_first}"),
        expected_binding: STANDARD.encode(header),
        nonce,
        verifier,
    };
    Ok((exchange, server_first))
}

/// The channel binding data that the mechanism and flag ask for.
fn check_flag<'a>(mechanism: &str, flag: &str, binding: &'a Binding) -> Result<Option<&'a [u8]>> {
    let plus = mechanism == PLUS;
    match (flag, binding) {
        ("n", _) if !plus => Ok(None),
        // the client thinks that we cannot bind: somebody took PLUS from our offer
        ("y", Binding::EndPoint(_)) if !plus => Err(Error::new(
            SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
            "SCRAM channel binding negotiation error",
        )
        .with_detail("The client supports SCRAM channel binding but thinks the server does not.")),
        ("y", Binding::Unavailable) if !plus => Ok(None),
        ("p=tls-server-end-point", Binding::EndPoint(hash)) if plus => Ok(Some(hash)),
        (other, _) if plus && other.starts_with("p=") => Err(Error::new(
            SqlState::PROTOCOL_VIOLATION,
            "unsupported SCRAM channel-binding type",
        )),
        _ => Err(malformed("channel binding flag")),
    }
}

impl Exchange {
    /// Checks the proof: `Ok(None)` is a wrong password, errors are malformed messages.
    pub fn finish(self, client_final: &[u8]) -> Result<Option<String>> {
        let text = ascii(client_final)?;
        let (without_proof, proof) = text.rsplit_once(",p=").ok_or_else(|| malformed("proof"))?;
        let mut attributes = without_proof.split(',');
        let binding = attributes
            .next()
            .and_then(|attribute| attribute.strip_prefix("c="))
            .ok_or_else(|| malformed("channel binding"))?;
        let nonce = attributes
            .next()
            .and_then(|attribute| attribute.strip_prefix("r="))
            .ok_or_else(|| malformed("nonce"))?;
        if binding != self.expected_binding {
            return Err(Error::new(
                SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
                "SCRAM channel binding check failed",
            ));
        }
        if nonce != self.nonce {
            return Err(malformed("nonce"));
        }
        let proof: [u8; 32] = STANDARD
            .decode(proof)
            .ok()
            .and_then(|proof| proof.try_into().ok())
            .ok_or_else(|| malformed("proof"))?;
        let message = format!("{},{without_proof}", self.auth_message);
        let signature = sign(&self.verifier.stored_key, message.as_bytes());
        let mut client_key = [0; 32];
        for ((key, proof), signature) in client_key.iter_mut().zip(proof).zip(signature) {
            *key = proof ^ signature;
        }
        let stored = digest::digest(&digest::SHA256, &client_key);
        let difference = stored
            .as_ref()
            .iter()
            .zip(self.verifier.stored_key)
            .fold(0, |difference, (a, b)| difference | (a ^ b));
        if std::hint::black_box(difference) != 0 {
            return Ok(None);
        }
        let server = sign(&self.verifier.server_key, message.as_bytes());
        Ok(Some(format!("v={}", STANDARD.encode(server))))
    }
}

fn sign(key: &[u8], message: &[u8]) -> [u8; 32] {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message);
    let mut out = [0; 32];
    out.copy_from_slice(tag.as_ref());
    out
}

fn ascii(message: &[u8]) -> Result<&str> {
    std::str::from_utf8(message)
        .ok()
        .filter(|text| !text.contains('\0'))
        .ok_or_else(|| malformed("text"))
}

fn malformed(what: &str) -> Error {
    Error::new(SqlState::PROTOCOL_VIOLATION, "malformed SCRAM message")
        .with_detail(format!("The {what} is not as it must be."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};

    const NONCE: &str = "3rfcNHYJY1ZVvWVs7j";

    fn verifier() -> Verifier {
        Verifier::from_password("pencil", b"0123456789abcdef".to_vec(), ITERATIONS)
    }

    fn run(
        password: &str,
        channel: ChannelBinding,
        mechanism: &str,
        binding: &Binding,
    ) -> Result<bool> {
        let mut client = ScramSha256::new(password.as_bytes(), channel);
        let (exchange, first) = begin(mechanism, client.message(), verifier(), binding, NONCE)?;
        client
            .update(first.as_bytes())
            .expect("a valid first message");
        let Some(last) = exchange.finish(client.message())? else {
            return Ok(false);
        };
        client.finish(last.as_bytes()).expect("a valid signature");
        Ok(true)
    }

    #[test]
    fn the_right_password_and_binding_log_in() {
        let bound = Binding::EndPoint(vec![7; 32]);
        let none = Binding::Unavailable;
        assert!(run("pencil", ChannelBinding::unsupported(), PLAIN, &none).expect("runs"));
        assert!(run("pencil", ChannelBinding::unrequested(), PLAIN, &none).expect("runs"));
        assert!(run("pencil", ChannelBinding::unsupported(), PLAIN, &bound).expect("runs"));
        let channel = ChannelBinding::tls_server_end_point(vec![7; 32]);
        assert!(run("pencil", channel, PLUS, &bound).expect("runs"));
        assert!(!run("pencils", ChannelBinding::unsupported(), PLAIN, &none).expect("runs"));
    }

    #[test]
    fn wrong_bindings_and_downgrades_fail() {
        let bound = Binding::EndPoint(vec![7; 32]);
        let other = ChannelBinding::tls_server_end_point(vec![8; 32]);
        assert!(run("pencil", other, PLUS, &bound).is_err());
        assert!(run("pencil", ChannelBinding::unrequested(), PLAIN, &bound).is_err());
        let right = ChannelBinding::tls_server_end_point(vec![7; 32]);
        assert!(run("pencil", right, PLAIN, &bound).is_err());
        let right = ChannelBinding::tls_server_end_point(vec![7; 32]);
        assert!(run("pencil", right, PLUS, &Binding::Unavailable).is_err());
    }

    #[test]
    fn malformed_messages_are_refused() {
        for first in [
            "",
            "n",
            "n,,",
            "n,,n=u",
            "n,,n=u,r=",
            "n,a=x,n=u,r=abc",
            "n,,m=x,n=u,r=abc",
            "x,,n=u,r=abc",
            "p=other,,n=u,r=abc",
            "n,,r=abc,n=u",
            "n,,n=u,r=a\u{7f}",
        ] {
            let result = begin(
                PLAIN,
                first.as_bytes(),
                verifier(),
                &Binding::Unavailable,
                NONCE,
            );
            assert!(result.is_err(), "{first}");
        }
        for last in [
            "",
            "c=biws",
            "c=biws,r=abc",
            "c=biws,r=abc,p=",
            "r=abc,c=biws,p=AAAA",
            "c=biws,r=wrong,p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        ] {
            let (exchange, _) = begin(
                PLAIN,
                b"n,,n=u,r=abc",
                verifier(),
                &Binding::Unavailable,
                NONCE,
            )
            .expect("valid");
            assert!(exchange.finish(last.as_bytes()).is_err(), "{last}");
        }
    }

    #[test]
    fn verifiers_are_read_as_postgres_stores_them() {
        let text = postgres_protocol::password::scram_sha_256(b"pencil");
        let stored = Verifier::parse(&text).expect("valid");
        let made = Verifier::from_password("pencil", stored.salt.clone(), stored.iterations);
        assert!(stored == made);
        for bad in [
            "",
            "md5abc",
            "SCRAM-SHA-256$0:AAAA$AAAA:AAAA",
            "SCRAM-SHA-256$4096:AAAA$AAAA:AAAA",
        ] {
            assert!(Verifier::parse(bad).is_none());
        }
    }
}
