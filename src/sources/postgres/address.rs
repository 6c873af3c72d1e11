//! A libpq URL or key=value string → whom to connect to and how to trust it.
//! Called once when a source is made. Does no IO and never repeats the text in
//! an error: it holds the password.
//!
//! After section 34.1.1 "Connection Strings" and 34.19 "SSL Support" of the
//! Postgres manual. The TLS options, require_auth and target_session_attrs are read
//! here because `tokio_postgres` knows none or not all of their values.

use std::path::PathBuf;
use std::time::Duration;

use tokio_postgres::config::SslMode;

use super::policy::{AuthPolicy, WantedSession};
use crate::error::{Error, Result, SqlState};
use crate::names::SourceName;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Debug is derived where it is safe: `tokio_postgres::Config` hides the password.
#[derive(Debug, Clone)]
pub(super) struct Address {
    pub config: tokio_postgres::Config,
    pub trust: Trust,
    /// From the first packet to a session that is set up; for each host of its own.
    pub connect_timeout: Duration,
    pub auth: AuthPolicy,
    pub wanted: WantedSession,
}

/// What the server's certificate has to prove.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trust {
    pub check: CertificateCheck,
    pub roots: Roots,
    pub client: Option<ClientCertificate>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CertificateCheck {
    /// Encrypted, but to whom is not known: sslmode prefer and require.
    Nothing,
    /// Signed by a trusted root: verify-ca.
    Chain,
    /// And issued to this host: verify-full.
    ChainAndName,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Roots {
    System,
    File(PathBuf),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ClientCertificate {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// The options that libpq has and `tokio_postgres` has not.
#[derive(Default)]
struct OwnOptions {
    mode: Option<String>,
    root: Option<String>,
    certificate: Option<String>,
    key: Option<String>,
    require_auth: Option<String>,
    target_session_attrs: Option<String>,
}

/// F0000 if the text is no connection string.
pub(super) fn parse(source: &SourceName, text: &str) -> Result<Address> {
    let mut options = OwnOptions::default();
    let rest = match text
        .strip_prefix("postgres://")
        .or_else(|| text.strip_prefix("postgresql://"))
    {
        Some(body) => format!("postgres://{}", without_own_of_url(body, &mut options)?),
        None => without_own_of_pairs(source, text, &mut options)?,
    };
    // The cause is left out: it may quote a piece of a password that was not percent-encoded.
    let mut config: tokio_postgres::Config = rest.parse().map_err(|_| {
        invalid(source, "its url is no valid connection string")
            .with_hint("Write postgres://user:password@host:port/database and percent-encode special characters.")
    })?;
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        return Err(invalid(source, "its url names no host"));
    }
    let auth = match &options.require_auth {
        Some(text) => AuthPolicy::parse(text).map_err(|what| invalid(source, &what))?,
        None => AuthPolicy::default(),
    };
    let wanted = match &options.target_session_attrs {
        Some(text) => WantedSession::parse(text).map_err(|what| invalid(source, &what))?,
        None => WantedSession::Any,
    };
    let (mode, trust) = options.trust(source)?;
    config.ssl_mode(mode);
    if config.get_application_name().is_none() {
        config.application_name("narrows");
    }
    let connect_timeout = config
        .get_connect_timeout()
        .copied()
        .unwrap_or(CONNECT_TIMEOUT);
    config
        .connect_timeout(connect_timeout)
        .keepalives(true)
        .keepalives_idle(Duration::from_secs(30))
        .keepalives_interval(Duration::from_secs(10))
        .keepalives_retries(3);
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(Duration::from_secs(60));
    }
    Ok(Address {
        config,
        trust,
        connect_timeout,
        auth,
        wanted,
    })
}

impl OwnOptions {
    /// True if the option is ours (and taken).
    fn take(&mut self, key: &str, value: String) -> bool {
        match key {
            "sslmode" => self.mode = Some(value),
            "sslrootcert" => self.root = Some(value),
            "sslcert" => self.certificate = Some(value),
            "sslkey" => self.key = Some(value),
            "require_auth" => self.require_auth = Some(value),
            "target_session_attrs" => self.target_session_attrs = Some(value),
            // These cannot change an answer, or are set by every connection anyway.
            "sslcompression" | "gssencmode" | "client_encoding" | "fallback_application_name" => {}
            _ => return false,
        }
        true
    }

    fn trust(self, source: &SourceName) -> Result<(SslMode, Trust)> {
        let roots = match self.root.as_deref() {
            None | Some("system") => Roots::System,
            Some(path) => Roots::File(PathBuf::from(path)),
        };
        let (mode, check) = match self.mode.as_deref() {
            Some("disable") => (SslMode::Disable, CertificateCheck::Nothing),
            None if self.root.as_deref() == Some("system") => {
                (SslMode::Require, CertificateCheck::ChainAndName)
            }
            // libpq's "allow" would try without TLS first; this order is the safer one.
            None | Some("prefer" | "allow") => (SslMode::Prefer, CertificateCheck::Nothing),
            Some("require") => match roots {
                Roots::File(_) => (SslMode::Require, CertificateCheck::Chain),
                Roots::System => (SslMode::Require, CertificateCheck::Nothing),
            },
            Some("verify-ca") => (SslMode::Require, CertificateCheck::Chain),
            Some("verify-full") => (SslMode::Require, CertificateCheck::ChainAndName),
            Some(_) => {
                return Err(invalid(source, "its sslmode is unknown").with_hint(
                    "sslmode is disable, allow, prefer, require, verify-ca or verify-full.",
                ));
            }
        };
        if self.root.as_deref() == Some("system") && check != CertificateCheck::ChainAndName {
            return Err(invalid(
                source,
                "sslrootcert=system needs sslmode=verify-full",
            ));
        }
        let client = match (self.certificate, self.key) {
            (None, None) => None,
            (Some(certificate), Some(key)) => Some(ClientCertificate {
                certificate: certificate.into(),
                key: key.into(),
            }),
            _ => return Err(invalid(source, "sslcert and sslkey go together")),
        };
        let trust = Trust {
            check,
            roots,
            client,
        };
        Ok((mode, trust))
    }
}

fn invalid(source: &SourceName, what: &str) -> Error {
    Error::new(
        SqlState::CONFIG_FILE_ERROR,
        format!("source \"{source}\": {what}"),
    )
}

/// The part after `postgres://`, less our options.
fn without_own_of_url(body: &str, options: &mut OwnOptions) -> Result<String> {
    // A '?' in the password is before the '@', as tokio_postgres reads it.
    let credentials = body.find('@').map_or(0, |at| at + 1);
    let Some(question) = body[credentials..].find('?') else {
        return Ok(body.to_string());
    };
    let (front, query) = body.split_at(credentials + question);
    let kept: Vec<&str> = query[1..]
        .split('&')
        .filter(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            !options.take(key, percent_decoded(value))
        })
        .collect();
    if kept.is_empty() {
        return Ok(front.to_string());
    }
    Ok(format!("{front}?{}", kept.join("&")))
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let hex = (first == b'%')
            .then(|| tail.get(..2))
            .flatten()
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match hex {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// `key = value` pairs, less our options; values may be quoted, `\` escapes.
fn without_own_of_pairs(
    source: &SourceName,
    text: &str,
    options: &mut OwnOptions,
) -> Result<String> {
    let mut kept = String::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (key, after) = rest
            .split_once('=')
            .ok_or_else(|| invalid(source, "its url is no valid connection string"))?;
        let (value, after) = pair_value(after.trim_start())
            .ok_or_else(|| invalid(source, "its url has an unterminated quote"))?;
        let key = key.trim();
        if !options.take(key, value.clone()) {
            let value = value.replace('\\', "\\\\").replace('\'', "\\'");
            kept.push_str(&format!("{key}='{value}' "));
        }
        rest = after.trim_start();
    }
    Ok(kept)
}

/// One value and what follows it; `None` if a quote is not closed.
fn pair_value(text: &str) -> Option<(String, &str)> {
    let quoted = text.starts_with('\'');
    let mut value = String::new();
    let mut chars = text.char_indices().skip(usize::from(quoted));
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => value.extend(chars.next().map(|(_, escaped)| escaped)),
            '\'' if quoted => return Some((value, &text[at + 1..])),
            c if !quoted && c.is_whitespace() => return Some((value, &text[at..])),
            c => value.push(c),
        }
    }
    (!quoted).then_some((value, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> (SslMode, CertificateCheck, Roots) {
        let address = parse(&SourceName::new("shop"), text).expect("a valid address");
        (
            address.config.get_ssl_mode(),
            address.trust.check,
            address.trust.roots,
        )
    }

    #[test]
    fn sslmode_is_read_as_libpq_does() {
        use CertificateCheck::{Chain, ChainAndName, Nothing};
        let file = || Roots::File("/ca.crt".into());
        for (options, expected) in [
            ("", (SslMode::Prefer, Nothing, Roots::System)),
            (
                "?sslmode=disable",
                (SslMode::Disable, Nothing, Roots::System),
            ),
            (
                "?sslmode=require",
                (SslMode::Require, Nothing, Roots::System),
            ),
            (
                "?sslmode=require&sslrootcert=%2Fca.crt",
                (SslMode::Require, Chain, file()),
            ),
            (
                "?sslrootcert=/ca.crt&sslmode=verify-full&connect_timeout=3",
                (SslMode::Require, ChainAndName, file()),
            ),
            (
                "?sslrootcert=system",
                (SslMode::Require, ChainAndName, Roots::System),
            ),
        ] {
            assert_eq!(check(&format!("postgres://u:p@h/d{options}")), expected);
        }
    }

    #[test]
    fn pairs_are_read_too() {
        let text = r"host=h password='a\'b \\c' sslmode = verify-ca  user=u sslrootcert=/ca.crt";
        let address = parse(&SourceName::new("shop"), text).expect("a valid address");
        assert_eq!(address.config.get_password(), Some(r"a'b \c".as_bytes()));
        assert_eq!(address.trust.check, CertificateCheck::Chain);
        assert_eq!(address.config.get_user(), Some("u"));
    }

    #[test]
    fn errors_and_debug_hold_no_password() {
        for text in [
            "postgres://u:hunter2@h:port/d",
            "postgres://u:x@hunter2@h/d?sslmode=none",
            "postgres://u:x@y?hunter2=3",
            "password='hunter2",
            "hunter2",
        ] {
            let error = parse(&SourceName::new("shop"), text).expect_err("invalid");
            assert!(
                !error.log_text().contains("hunter2"),
                "{}",
                error.log_text()
            );
            assert_eq!(error.state(), SqlState::CONFIG_FILE_ERROR);
        }
        let address = parse(&SourceName::new("shop"), "postgres://u:hunter2@h/d").expect("valid");
        assert!(!format!("{address:?}").contains("hunter2"));
    }
}
