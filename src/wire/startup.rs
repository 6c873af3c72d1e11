//! The untyped packets before login: which one it is, and what a startup packet
//! asks for. Section 55.2.1 "Start-up". Pure; `login` does the IO.

use bytes::Bytes;

use super::frontend::{Body, utf8, violation};
use crate::error::{Error, Result, SqlState};

/// Startup packets are small; more is an attack.
pub const LARGEST_STARTUP: usize = 10_000;

const SSL_REQUEST: i32 = 80_877_103;
const GSS_REQUEST: i32 = 80_877_104;
const CANCEL_REQUEST: i32 = 80_877_102;

const MAJOR: i32 = 3;
const NEWEST_MINOR: i32 = 2;

#[derive(Debug)]
pub enum Packet {
    Ssl,
    Gss,
    Cancel { pid: i32, key: Bytes },
    Startup(Startup),
}

#[derive(Debug, Default)]
pub struct Startup {
    pub user: String,
    pub database: Option<String>,
    /// Settings in the order given: those of `options` first, as Postgres applies them.
    pub settings: Vec<(String, String)>,
    pub minor: i32,
    /// What NegotiateProtocolVersion must say.
    pub negotiate: Option<Vec<String>>,
}

impl Startup {
    /// The version number that both sides speak.
    pub fn version(&self) -> i32 {
        MAJOR << 16 | self.minor
    }
}

/// `body` is the packet without its length.
pub fn parse(body: Bytes) -> Result<Packet> {
    let mut body = Body(body);
    let code = body.i32()?;
    match code {
        SSL_REQUEST => Ok(Packet::Ssl),
        GSS_REQUEST => Ok(Packet::Gss),
        CANCEL_REQUEST => {
            let pid = body.i32()?;
            let key = body.rest();
            if key.is_empty() || key.len() > 256 {
                return Err(violation("invalid length of query cancel packet"));
            }
            Ok(Packet::Cancel { pid, key })
        }
        version => startup(version, body).map(Packet::Startup),
    }
}

fn startup(version: i32, mut body: Body) -> Result<Startup> {
    let (major, minor) = (version >> 16, version & 0xffff);
    if major != MAJOR {
        return Err(Error::unsupported(format!(
            "unsupported frontend protocol {major}.{minor}: server supports 3.0 to 3.{NEWEST_MINOR}"
        )));
    }
    let mut startup = Startup {
        // 3.1 was never used: who asks for it gets 3.0
        minor: match minor {
            0 | 1 => 0,
            _ => NEWEST_MINOR,
        },
        ..Startup::default()
    };
    let mut unknown = Vec::new();
    let mut given = Vec::new();
    loop {
        let name = body.string()?;
        if name.is_empty() {
            break;
        }
        let name = utf8(&name)?.to_string();
        let value = utf8(&body.string()?)?.to_string();
        match name.as_str() {
            "user" => startup.user = value,
            "database" => startup.database = Some(value).filter(|name| !name.is_empty()),
            "options" => startup.settings.extend(options(&value)?),
            "replication" => refuse_replication(&value)?,
            _ if name.starts_with("_pq_.") => unknown.push(name),
            _ => given.push((name, value)),
        }
    }
    if !body.is_empty() {
        return Err(violation(
            "invalid startup packet layout: expected terminator as last byte",
        ));
    }
    if startup.user.is_empty() {
        return Err(Error::new(
            SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
            "no PostgreSQL user name specified in startup packet",
        ));
    }
    startup.settings.extend(given);
    if minor != startup.minor || !unknown.is_empty() {
        startup.negotiate = Some(unknown);
    }
    Ok(startup)
}

fn refuse_replication(value: &str) -> Result<()> {
    match value {
        "false" | "off" | "no" | "0" => Ok(()),
        _ => Err(Error::unsupported(
            "replication connections are not supported",
        )),
    }
}

/// `-c name=value`, `-cname=value` and `--name=value`, blanks escaped by backslashes.
fn options(text: &str) -> Result<Vec<(String, String)>> {
    let mut settings = Vec::new();
    let mut words = split(text).into_iter();
    while let Some(word) = words.next() {
        let assignment = if word == "-c" {
            words.next()
        } else {
            word.strip_prefix("--")
                .or_else(|| word.strip_prefix("-c"))
                .map(str::to_string)
        };
        let Some((name, value)) = assignment.as_deref().and_then(|a| a.split_once('=')) else {
            return Err(Error::new(
                SqlState::SYNTAX_ERROR,
                format!("invalid command-line argument for server process: {word}"),
            ));
        };
        settings.push((name.replace('-', "_"), value.to_string()));
    }
    Ok(settings)
}

fn split(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => word.get_or_insert_default().extend(chars.next()),
            _ if c.is_ascii_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(version: i32, rest: &[u8]) -> Result<Packet> {
        let mut bytes = version.to_be_bytes().to_vec();
        bytes.extend_from_slice(rest);
        parse(bytes.into())
    }

    fn started(version: i32, rest: &[u8]) -> Startup {
        match packet(version, rest) {
            Ok(Packet::Startup(startup)) => startup,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn versions_are_negotiated() {
        for (minor, spoken, negotiated) in
            [(0, 0, false), (1, 0, true), (2, 2, false), (9999, 2, true)]
        {
            let startup = started(3 << 16 | minor, b"user\0a\0\0");
            assert_eq!(startup.minor, spoken);
            assert_eq!(startup.negotiate.is_some(), negotiated, "{minor}");
        }
        let startup = started(3 << 16, b"user\0a\0_pq_.x\0y\0\0");
        assert_eq!(startup.negotiate, Some(vec!["_pq_.x".to_string()]));
        assert!(packet(2 << 16, b"user\0a\0\0").is_err());
    }

    #[test]
    fn options_are_settings() {
        let startup = started(
            3 << 16,
            b"user\0a\0options\0-c a=b\\ c --d-e=f -cg=\0x\0y\0\0",
        );
        let settings: Vec<(&str, &str)> = startup
            .settings
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_str()))
            .collect();
        assert_eq!(
            settings,
            [("a", "b c"), ("d_e", "f"), ("g", ""), ("x", "y")]
        );
        for bad in ["-c", "-x", "a", "-c a", "--"] {
            assert!(options(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn odd_packets_are_refused() {
        for rest in [
            &b"user\0a"[..],
            b"user\0a\0\0x",
            b"\0",
            b"user\0\0\0",
            b"user\0a\0replication\0database\0\0",
        ] {
            assert!(packet(3 << 16, rest).is_err(), "{rest:?}");
        }
        assert!(packet(CANCEL_REQUEST, b"\0\0\0\x01").is_err());
        assert!(parse(Bytes::from_static(b"\0\0")).is_err());
    }
}
