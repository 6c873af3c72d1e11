//! SET, RESET, SHOW and set_config in all their spellings.

use super::transaction::modes;
use super::words::Words;
use crate::error::{Error, Result, SqlState};
use crate::names::quote_identifier;
use crate::plan::lexer::{Kind, Token};
use crate::session::commands::{Command, SetConfig};
use crate::session::settings::{Scope, boolean};
use crate::types::text::interval::write as write_interval;
use crate::types::text::parse::interval;
use crate::types::text::zone::parse_offset;
use crate::types::text::{IntervalStyle, Zone};

pub(super) fn set(words: &mut Words<'_>) -> Result<Command> {
    let mut scope = Scope::Session;
    if words.accept("local") {
        scope = Scope::Transaction;
    } else if words.accept("session") {
        if words.accept("characteristics") {
            words.expect("as")?;
            words.expect("transaction")?;
            return modes(words).map(Command::SetSessionCharacteristics);
        }
        if words.accept("authorization") {
            return authorization(words);
        }
    }
    if words.accept("transaction") {
        if words.accept("snapshot") {
            return Err(Error::unsupported(
                "SET TRANSACTION SNAPSHOT is not supported",
            ));
        }
        return modes(words).map(Command::SetTransaction);
    }
    if words.accept("constraints") {
        while words.next().is_some() {}
        return Ok(Command::SetConstraints);
    }
    let (name, value) = if words.accept("time") {
        words.expect("zone")?;
        ("TimeZone".to_string(), zone(words)?)
    } else if words.accept("names") {
        let value = if words.accept("default") || words.peek().is_none() {
            None
        } else {
            Some(words.string()?)
        };
        ("client_encoding".to_string(), value)
    } else if words.accept("schema") {
        let path = quote_identifier(&words.string()?);
        ("search_path".to_string(), Some(path))
    } else if words.accept("role") {
        let role = match words.peek().and_then(Token::string) {
            Some(_) => words.string()?,
            None => words.name()?,
        };
        ("role".to_string(), Some(role))
    } else if words.accept("xml") {
        words.expect("option")?;
        ("xmloption".to_string(), Some(words.name()?))
    } else {
        let name = words.dotted()?;
        if !words.symbol("=") && !words.accept("to") {
            return Err(words.unexpected());
        }
        let value = values(words, &name)?;
        (name, value)
    };
    Ok(Command::Set { name, value, scope })
}

fn authorization(words: &mut Words<'_>) -> Result<Command> {
    if words.accept("default") {
        return Ok(Command::SetAuthorization(None));
    }
    let user = match words.peek().and_then(Token::string) {
        Some(_) => words.string()?,
        None => words.name()?,
    };
    Ok(Command::SetAuthorization(Some(user)))
}

/// `a, 'b', 3`, or DEFAULT, which is `None`.
fn values(words: &mut Words<'_>, name: &str) -> Result<Option<String>> {
    if words.accept("default") {
        return Ok(None);
    }
    let quoted = name.eq_ignore_ascii_case("search_path");
    let mut list = Vec::new();
    loop {
        let value = value(words)?;
        list.push(if quoted {
            quote_identifier(&value)
        } else {
            value
        });
        if !words.symbol(",") {
            return Ok(Some(list.join(", ")));
        }
    }
}

fn value(words: &mut Words<'_>) -> Result<String> {
    let sign = if words.symbol("-") {
        "-"
    } else {
        words.symbol("+");
        ""
    };
    let Some(token) = words.peek().cloned() else {
        return Err(words.unexpected());
    };
    let text = match token.kind {
        Kind::Number => format!("{sign}{}", token.text),
        _ if !sign.is_empty() => return Err(words.unexpected()),
        // a word keeps its case only where nobody looks at it
        Kind::Word => token.text.to_ascii_lowercase(),
        Kind::QuotedName => token.name().unwrap_or_default(),
        _ => match token.string() {
            Some(text) => text,
            None => return Err(words.unexpected()),
        },
    };
    words.next();
    Ok(text)
}

/// What follows TIME ZONE; `None` for LOCAL and DEFAULT.
fn zone(words: &mut Words<'_>) -> Result<Option<String>> {
    if words.accept_any(&["local", "default"]) {
        return Ok(None);
    }
    if words.accept("interval") {
        let text = words.string()?;
        while words.accept_any(&["hour", "to", "minute"]) {}
        return offset_of(&text).map(Some);
    }
    value(words).map(Some)
}

/// An interval east of Greenwich as a zone's name.
fn offset_of(text: &str) -> Result<String> {
    let invalid = |value: &str| {
        Error::new(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("invalid value for parameter \"TimeZone\": \"{value}\""),
        )
    };
    let east = match parse_offset(text) {
        Some(east) => i64::from(east),
        None => {
            let interval = interval(text).map_err(|_| invalid(text))?;
            let mut written = b"INTERVAL '".to_vec();
            write_interval(&mut written, interval, IntervalStyle::Postgres);
            written.push(b'\'');
            let written = String::from_utf8_lossy(&written).into_owned();
            if interval.months != 0 {
                return Err(
                    invalid(&written).with_detail("Cannot specify months in time zone interval.")
                );
            }
            if interval.days != 0 {
                return Err(
                    invalid(&written).with_detail("Cannot specify days in time zone interval.")
                );
            }
            interval.micros / 1_000_000
        }
    };
    match i32::try_from(east) {
        Ok(east) if east.abs() <= 167 * 3600 => Ok(Zone::fixed(east).name().to_string()),
        _ => Err(invalid(text).with_detail("UTC timezone offset is out of range.")),
    }
}

pub(super) fn reset(words: &mut Words<'_>) -> Result<Command> {
    if words.accept("all") {
        return Ok(Command::Reset(None));
    }
    named_setting(words).map(|name| match name.as_str() {
        "session_authorization" => Command::SetAuthorization(None),
        _ => Command::Reset(Some(name)),
    })
}

pub(super) fn show(words: &mut Words<'_>) -> Result<Command> {
    if words.accept("all") {
        return Ok(Command::Show(None));
    }
    named_setting(words).map(|name| Command::Show(Some(name)))
}

/// A setting by its name or by its SQL spelling.
fn named_setting(words: &mut Words<'_>) -> Result<String> {
    if words.accept("time") {
        words.expect("zone")?;
        return Ok("TimeZone".into());
    }
    if words.accept("transaction") {
        words.expect("isolation")?;
        words.expect("level")?;
        return Ok("transaction_isolation".into());
    }
    let name = words.dotted()?;
    if name.eq_ignore_ascii_case("session") && words.accept("authorization") {
        return Ok("session_authorization".into());
    }
    Ok(name)
}

/// `SELECT set_config('a', 'b', false) [AS x] [, …] [FROM pg_settings WHERE name = 'a']`,
/// constants only: a function cannot change the session that it runs in.
pub(super) fn set_config(words: &mut Words<'_>) -> Option<Command> {
    let mut all = Vec::new();
    loop {
        all.push(config_column(words)?);
        if !words.symbol(",") {
            break;
        }
    }
    if words.accept("from") {
        if words.accept("pg_catalog") {
            words.expect_symbol(".").ok()?;
        }
        words.expect("pg_settings").ok()?;
        words.expect("where").ok()?;
        words.expect("name").ok()?;
        words.expect_symbol("=").ok()?;
        let name = words.string().ok()?;
        if !all.iter().all(|one| one.name.eq_ignore_ascii_case(&name)) {
            return None;
        }
    }
    words.end().ok()?;
    // what only reads is the engine's
    all.iter()
        .any(|one| one.value.is_some())
        .then_some(Command::SetConfig(all))
}

fn config_column(words: &mut Words<'_>) -> Option<SetConfig> {
    if words.accept("pg_catalog") {
        words.expect_symbol(".").ok()?;
    }
    let reads = words.accept("current_setting");
    if !reads {
        words.expect("set_config").ok()?;
    }
    words.expect_symbol("(").ok()?;
    let name = words.string().ok()?;
    let value = if reads {
        None
    } else {
        words.expect_symbol(",").ok()?;
        let value = words.string().ok()?;
        words.expect_symbol(",").ok()?;
        let scope = match boolean(&value_of_boolean(words)?)? {
            true => Scope::Transaction,
            false => Scope::Session,
        };
        Some((value, scope))
    };
    words.expect_symbol(")").ok()?;
    let column = if words.accept("as") {
        words.name().ok()?
    } else if reads {
        "current_setting".to_string()
    } else {
        "set_config".to_string()
    };
    Some(SetConfig {
        name,
        value,
        column,
    })
}

fn value_of_boolean(words: &mut Words<'_>) -> Option<String> {
    let token = words.next()?;
    match token.kind {
        Kind::Word => Some(token.text.to_string()),
        _ => token.string(),
    }
}
