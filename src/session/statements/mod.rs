//! Which statements a session answers itself: recognized from their words,
//! before the planner's parser sees them. Anything that is not recognized here
//! is the planner's, with its errors.

mod cursor;
mod prepare;
mod set;
mod transaction;
mod words;

use super::commands::{Command, Discard, Purpose};
use super::copy_options;
use crate::error::{Error, Result};
use crate::plan::lexer::{Kind, Lexer};

pub use words::Words;

use cursor::{declare, fetch};
use prepare::{execute, prepare};
use set::{reset, set, set_config, show};
use transaction::{begin, commit, rollback};

/// May `text` be a statement for a source? The session's own ones never are,
/// but for those that name tables.
pub fn may_be_of_a_source(text: &str) -> bool {
    const OWN: &[&str] = &[
        "set",
        "reset",
        "show",
        "begin",
        "start",
        "commit",
        "end",
        "rollback",
        "abort",
        "savepoint",
        "release",
        "prepare",
        "execute",
        "deallocate",
        "fetch",
        "move",
        "close",
        "discard",
    ];
    let mut lexer = Lexer::new(text);
    let Some(first) = lexer.next() else {
        return false;
    };
    if first.kind != Kind::Word {
        return true;
    }
    if first.is_word("select") {
        let second = lexer.next();
        let settings = second.is_some_and(|second| {
            second.is_word("set_config")
                || second.is_word("current_setting")
                || second.is_word("pg_catalog")
                || second.kind == Kind::QuotedName
        });
        return !settings || !matches!(recognize(text), Ok(Some(_)));
    }
    !OWN.iter().any(|word| first.is_word(word))
}

/// The command that `text`, one statement, is; `None`: not the session's.
pub fn recognize(text: &str) -> Result<Option<Command>> {
    // the first word decides; a long statement is not read to its end
    let first = Lexer::new(text).next();
    let Some(first) = first.filter(|token| token.kind == Kind::Word) else {
        return Ok(None);
    };
    let mut words = Words::new(text);
    words.next();
    let command = match first.text.to_ascii_lowercase().as_str() {
        "set" => set(&mut words)?,
        "reset" => reset(&mut words)?,
        "show" => show(&mut words)?,
        "begin" => begin(&mut words, "BEGIN")?,
        "start" => {
            words.expect("transaction")?;
            begin(&mut words, "START TRANSACTION")?
        }
        "commit" | "end" => commit(&mut words)?,
        "rollback" | "abort" => rollback(&mut words)?,
        "savepoint" => Command::Savepoint(words.name()?),
        "release" => {
            words.accept("savepoint");
            Command::Release(words.name()?)
        }
        "prepare" => return prepare(&mut words).map(Some),
        "execute" => execute(&mut words)?,
        "deallocate" => {
            words.accept("prepare");
            Command::Deallocate(words.name_or_all()?)
        }
        "declare" => return declare(&mut words).map(Some),
        "fetch" => fetch(&mut words, Purpose::Fetch)?,
        "move" => fetch(&mut words, Purpose::Move)?,
        "close" => Command::Close(words.name_or_all()?),
        "discard" => discard(&mut words)?,
        "listen" => {
            words.name()?;
            Command::Listen
        }
        "unlisten" => {
            if !words.symbol("*") {
                words.name()?;
            }
            Command::Unlisten
        }
        "notify" => {
            words.name()?;
            if words.symbol(",") {
                words.string()?;
            }
            Command::Notify
        }
        "copy" => return copy_options::recognize(&mut words),
        "call" => return call(&mut words),
        // what is its source's was found before
        "do" => {
            return Err(Error::unsupported("DO is not supported here").with_hint(
                "It runs on the Postgres source that search_path or narrows.source leads to.",
            ));
        }
        "select" => return Ok(set_config(&mut words)),
        _ => return Ok(None),
    };
    words.end()?;
    Ok(Some(command))
}

/// `CALL narrows.refresh('shop')`; other procedures are the sources'.
fn call(words: &mut Words<'_>) -> Result<Option<Command>> {
    if !(words.accept("narrows") && words.symbol(".") && words.accept("refresh")) {
        return Ok(None);
    }
    if !words.symbol("(") {
        return Err(words.unexpected());
    }
    let source = match words.symbol(")") {
        true => None,
        false => {
            let name = words.string()?;
            if !words.symbol(")") {
                return Err(words.unexpected());
            }
            Some(name)
        }
    };
    words.end()?;
    Ok(Some(Command::Refresh(source)))
}

fn discard(words: &mut Words<'_>) -> Result<Command> {
    let target = if words.accept("all") {
        Discard::All
    } else if words.accept("plans") {
        Discard::Plans
    } else if words.accept("sequences") {
        Discard::Sequences
    } else if words.accept_any(&["temp", "temporary"]) {
        Discard::Temp
    } else {
        return Err(words.unexpected());
    };
    Ok(Command::Discard(target))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::commands::{Chain, Direction, Hold, Modes};
    use crate::session::settings::Scope;

    fn command(text: &str) -> Command {
        recognize(text)
            .unwrap_or_else(|error| panic!("{text}: {error}"))
            .unwrap_or_else(|| panic!("{text} is not recognized"))
    }

    fn set(name: &str, value: Option<&str>, scope: Scope) -> Command {
        Command::Set {
            name: name.into(),
            value: value.map(str::to_string),
            scope,
        }
    }

    #[test]
    fn settings_are_set_in_all_spellings() {
        use Scope::{Session, Transaction};
        for (text, expected) in [
            (
                "SET extra_float_digits = 3",
                set("extra_float_digits", Some("3"), Session),
            ),
            (
                "set session x.y to 'a', b",
                set("x.y", Some("a, b"), Session),
            ),
            (
                "SET LOCAL work_mem TO DEFAULT",
                set("work_mem", None, Transaction),
            ),
            (
                "SET search_path TO \"$user\", Public",
                set("search_path", Some("\"$user\", public"), Session),
            ),
            ("SET TIME ZONE 'UTC'", set("TimeZone", Some("UTC"), Session)),
            ("SET TIME ZONE -3", set("TimeZone", Some("-3"), Session)),
            (
                "SET TIME ZONE INTERVAL '+05:30' HOUR TO MINUTE",
                set("TimeZone", Some("<+05:30>-05:30"), Session),
            ),
            (
                "SET LOCAL TIME ZONE LOCAL",
                set("TimeZone", None, Transaction),
            ),
            (
                "SET NAMES 'utf8'",
                set("client_encoding", Some("utf8"), Session),
            ),
            ("SET SCHEMA 'A'", set("search_path", Some("\"A\""), Session)),
            ("set role none", set("role", Some("none"), Session)),
            (
                "/* c */ SET /* d */ a.b = on -- e",
                set("a.b", Some("on"), Session),
            ),
            (
                "SET SESSION AUTHORIZATION DEFAULT",
                Command::SetAuthorization(None),
            ),
            ("RESET ALL", Command::Reset(None)),
            ("RESET TIME ZONE", Command::Reset(Some("TimeZone".into()))),
            (
                "SHOW TRANSACTION ISOLATION LEVEL",
                Command::Show(Some("transaction_isolation".into())),
            ),
            (
                "show transaction_isolation",
                Command::Show(Some("transaction_isolation".into())),
            ),
            ("SHOW ALL", Command::Show(None)),
        ] {
            assert_eq!(command(text), expected, "{text}");
        }
    }

    #[test]
    fn transactions_have_modes() {
        let modes = Modes {
            isolation: Some("repeatable read"),
            read_only: Some(true),
            deferrable: Some(false),
        };
        let text = "TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY NOT DEFERRABLE";
        assert_eq!(
            command(&format!("BEGIN {text}")),
            Command::Begin {
                modes: modes.clone(),
                tag: "BEGIN"
            }
        );
        assert_eq!(
            command(&format!("START {text}")),
            Command::Begin {
                modes: modes.clone(),
                tag: "START TRANSACTION"
            }
        );
        assert_eq!(
            command(&format!("SET SESSION CHARACTERISTICS AS {text}")),
            Command::SetSessionCharacteristics(modes)
        );
        assert_eq!(command("COMMIT AND CHAIN"), Command::Commit(Chain::Next));
        assert_eq!(command("END WORK"), Command::Commit(Chain::No));
        assert_eq!(
            command("ROLLBACK TO SAVEPOINT A"),
            Command::RollbackTo("a".into())
        );
        assert_eq!(command("ABORT"), Command::Rollback(Chain::No));
    }

    #[test]
    fn cursors_and_prepared_statements_are_recognized() {
        let text = "declare \"SQL_CUR1\" cursor with hold for select 1";
        let Command::Declare {
            name, hold, query, ..
        } = command(text)
        else {
            panic!("not a cursor");
        };
        assert_eq!(
            (name.as_str(), hold, &text[query]),
            ("SQL_CUR1", Hold::Session, "select 1")
        );
        for (text, direction) in [
            ("fetch 100 in c", Direction::Forward(100)),
            ("fetch c", Direction::Forward(1)),
            ("FETCH FORWARD 5 FROM c", Direction::Forward(5)),
            ("FETCH ALL c", Direction::All),
            ("FETCH FORWARD ALL FROM c", Direction::All),
            ("FETCH -1 FROM c", Direction::Backward),
            ("FETCH BACKWARD ALL IN c", Direction::Backward),
        ] {
            assert_eq!(
                command(text),
                Command::Fetch {
                    cursor: "c".into(),
                    direction,
                    purpose: Purpose::Fetch
                },
                "{text}"
            );
        }
        let text = "PREPARE p (int, numeric(10,2)) AS select $1";
        let Command::Prepare { types, query, .. } = command(text) else {
            panic!("not a PREPARE");
        };
        assert_eq!(types, ["int", "numeric(10,2)"]);
        assert_eq!(&text[query], "select $1");
        assert_eq!(
            command("EXECUTE p(1, f(2,3), 'a,b')"),
            Command::Execute {
                name: "p".into(),
                arguments: vec!["1".into(), "f(2,3)".into(), "'a,b'".into()]
            }
        );
    }

    #[test]
    fn set_config_is_recognized_alone() {
        assert!(matches!(
            command("SELECT pg_catalog.set_config('search_path', '', false)"),
            Command::SetConfig(_)
        ));
        assert!(matches!(
            command(
                "SELECT set_config('bytea_output','hex',false) FROM pg_settings WHERE name = 'bytea_output'"
            ),
            Command::SetConfig(_)
        ));
        for text in [
            "select 1",
            "select set_config('a', b, false)",
            "selectx",
            "insert into t values (1)",
        ] {
            assert_eq!(recognize(text).expect("no error"), None);
        }
    }

    #[test]
    fn wrong_statements_have_positions() {
        let error = recognize("BEGIN nonsense").expect_err("wrong");
        assert_eq!(error.message(), "syntax error at or near \"nonsense\"");
        assert_eq!(error.position(), Some(7));
        assert!(recognize("SET x").is_err());
        assert!(recognize("FETCH").is_err());
    }
}
