//! Which statements a session answers itself: recognized from their words,
//! before the planner's parser sees them. Anything that is not recognized here
//! is the planner's, with its errors.

use std::ops::Range;

use super::commands::*;
use super::copy_options;
use super::lexer::{Kind, Lexer, Token};
use super::settings::{Scope, boolean};
use crate::error::{Error, Result, SqlState};
use crate::names::quote_identifier;

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
        "listen" => Command::Listen(words.name()?),
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
        "select" => return Ok(set_config(&mut words)),
        _ => return Ok(None),
    };
    words.end()?;
    Ok(Some(command))
}

/// The words of one statement, read from the left.
pub(super) struct Words<'a> {
    pub text: &'a str,
    lexer: std::iter::Peekable<Lexer<'a>>,
}

impl<'a> Words<'a> {
    pub fn new(text: &'a str) -> Self {
        Words {
            text,
            lexer: Lexer::new(text).peekable(),
        }
    }

    pub fn next(&mut self) -> Option<Token<'a>> {
        self.lexer.next()
    }

    pub fn peek(&mut self) -> Option<&Token<'a>> {
        self.lexer.peek()
    }

    pub fn accept(&mut self, word: &str) -> bool {
        self.lexer.next_if(|token| token.is_word(word)).is_some()
    }

    pub fn accept_any(&mut self, words: &[&str]) -> bool {
        words.iter().any(|word| self.accept(word))
    }

    pub fn symbol(&mut self, symbol: &str) -> bool {
        self.lexer
            .next_if(|token| token.is_symbol(symbol))
            .is_some()
    }

    pub fn expect(&mut self, word: &str) -> Result<()> {
        if self.accept(word) {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    pub fn expect_symbol(&mut self, symbol: &str) -> Result<()> {
        if self.symbol(symbol) {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    pub fn name(&mut self) -> Result<String> {
        match self.lexer.peek().and_then(Token::name) {
            Some(name) => {
                self.lexer.next();
                Ok(name)
            }
            None => Err(self.unexpected()),
        }
    }

    fn name_or_all(&mut self) -> Result<Option<String>> {
        if self.accept("all") {
            return Ok(None);
        }
        self.name().map(Some)
    }

    pub fn string(&mut self) -> Result<String> {
        match self.lexer.peek().and_then(Token::string) {
            Some(text) => {
                self.lexer.next();
                Ok(text)
            }
            None => Err(self.unexpected()),
        }
    }

    /// A name with dots: `narrows.route`.
    fn dotted(&mut self) -> Result<String> {
        let mut name = match self.lexer.peek() {
            // settings keep the case they are written in, for messages
            Some(token) if token.kind == Kind::Word => token.text.to_string(),
            _ => {
                let name = self.name()?;
                return Ok(name);
            }
        };
        self.lexer.next();
        while self.symbol(".") {
            name.push('.');
            match self.lexer.peek() {
                Some(token) if token.kind == Kind::Word => {
                    name.push_str(token.text);
                    self.lexer.next();
                }
                _ => name.push_str(&self.name()?),
            }
        }
        Ok(name)
    }

    /// Where the next token starts, or the text ends.
    pub fn position(&mut self) -> usize {
        let end = self.text.len();
        self.lexer.peek().map_or(end, |token| token.start)
    }

    /// All that is left, as a place in the text; an error if nothing is.
    fn rest(&mut self) -> Result<Range<usize>> {
        let start = self.position();
        if start == self.text.len() {
            return Err(self.unexpected());
        }
        Ok(start..self.text.len())
    }

    pub fn end(&mut self) -> Result<()> {
        match self.lexer.peek() {
            None => Ok(()),
            Some(_) => Err(self.unexpected()),
        }
    }

    /// 42601 at the next token, in Postgres's words.
    pub fn unexpected(&mut self) -> Error {
        let position = self.position();
        let characters = self.text[..position].chars().count() + 1;
        let message = match self.lexer.peek() {
            None => "syntax error at end of input".to_string(),
            Some(token) => format!("syntax error at or near \"{}\"", token.text),
        };
        Error::new(SqlState::SYNTAX_ERROR, message).with_position(characters)
    }
}

fn set(words: &mut Words<'_>) -> Result<Command> {
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
        let offset = words.string()?;
        while words.accept_any(&["hour", "to", "minute"]) {}
        let east = crate::types::text::zone::parse_offset(&offset).ok_or_else(|| {
            Error::new(
                SqlState::INVALID_PARAMETER_VALUE,
                format!("invalid value for parameter \"TimeZone\": \"{offset}\""),
            )
        })?;
        let zone = crate::types::text::Zone::fixed(east);
        return Ok(Some(zone.name().to_string()));
    }
    value(words).map(Some)
}

fn modes(words: &mut Words<'_>) -> Result<Modes> {
    let mut modes = Modes::default();
    while words.peek().is_some() {
        words.symbol(",");
        if words.accept("isolation") {
            words.expect("level")?;
            modes.isolation = Some(isolation(words)?);
        } else if words.accept("read") {
            modes.read_only = Some(if words.accept("only") {
                true
            } else {
                words.expect("write")?;
                false
            });
        } else if words.accept("not") {
            words.expect("deferrable")?;
            modes.deferrable = Some(false);
        } else {
            words.expect("deferrable")?;
            modes.deferrable = Some(true);
        }
    }
    Ok(modes)
}

fn isolation(words: &mut Words<'_>) -> Result<&'static str> {
    if words.accept("serializable") {
        return Ok("serializable");
    }
    if words.accept("repeatable") {
        words.expect("read")?;
        return Ok("repeatable read");
    }
    words.expect("read")?;
    if words.accept("uncommitted") {
        return Ok("read uncommitted");
    }
    words.expect("committed")?;
    Ok("read committed")
}

fn reset(words: &mut Words<'_>) -> Result<Command> {
    if words.accept("all") {
        return Ok(Command::Reset(None));
    }
    named_setting(words).map(|name| match name.as_str() {
        "session_authorization" => Command::SetAuthorization(None),
        _ => Command::Reset(Some(name)),
    })
}

fn show(words: &mut Words<'_>) -> Result<Command> {
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

fn begin(words: &mut Words<'_>, tag: &'static str) -> Result<Command> {
    if tag == "BEGIN" {
        words.accept_any(&["work", "transaction"]);
    }
    Ok(Command::Begin {
        modes: modes(words)?,
        tag,
    })
}

fn chain(words: &mut Words<'_>) -> Result<Chain> {
    words.accept_any(&["work", "transaction"]);
    if !words.accept("and") {
        return Ok(Chain::No);
    }
    let no = words.accept("no");
    words.expect("chain")?;
    Ok(if no { Chain::No } else { Chain::Next })
}

fn commit(words: &mut Words<'_>) -> Result<Command> {
    if words.accept("prepared") {
        return Err(two_phase());
    }
    chain(words).map(Command::Commit)
}

fn rollback(words: &mut Words<'_>) -> Result<Command> {
    if words.accept("prepared") {
        return Err(two_phase());
    }
    let chain = chain(words)?;
    if words.accept("to") {
        words.accept("savepoint");
        return words.name().map(Command::RollbackTo);
    }
    Ok(Command::Rollback(chain))
}

fn two_phase() -> Error {
    Error::new(
        SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
        "prepared transactions are disabled",
    )
    .with_hint("Set \"max_prepared_transactions\" to a nonzero value.")
}

fn prepare(words: &mut Words<'_>) -> Result<Command> {
    if words.accept("transaction") {
        return Err(two_phase());
    }
    let name = words.name()?;
    let mut types = Vec::new();
    if words.symbol("(") {
        loop {
            types.push(type_name(words)?);
            if words.symbol(")") {
                break;
            }
            words.expect_symbol(",")?;
        }
    }
    words.expect("as")?;
    Ok(Command::Prepare {
        name,
        types,
        query: words.rest()?,
    })
}

/// Up to the comma or closing parenthesis that ends it: `numeric(10,2)`.
fn type_name(words: &mut Words<'_>) -> Result<String> {
    let start = words.position();
    let mut end = start;
    let mut depth = 0;
    loop {
        let Some(token) = words.peek() else {
            return Err(words.unexpected());
        };
        if depth == 0 && (token.is_symbol(",") || token.is_symbol(")")) {
            break;
        }
        if token.is_symbol("(") {
            depth += 1;
        } else if token.is_symbol(")") {
            depth -= 1;
        }
        end = token.start + token.text.len();
        words.next();
    }
    if end == start {
        return Err(words.unexpected());
    }
    Ok(words.text[start..end].to_string())
}

fn execute(words: &mut Words<'_>) -> Result<Command> {
    let name = words.name()?;
    let mut arguments = Vec::new();
    if words.symbol("(") && !words.symbol(")") {
        loop {
            arguments.push(expression(words)?);
            if words.symbol(")") {
                break;
            }
            words.expect_symbol(",")?;
        }
    }
    Ok(Command::Execute { name, arguments })
}

/// The text of one argument: up to a comma or parenthesis of the outer level.
fn expression(words: &mut Words<'_>) -> Result<String> {
    let start = words.position();
    let mut end = start;
    let mut depth = 0usize;
    while let Some(token) = words.peek() {
        if depth == 0 && (token.is_symbol(",") || token.is_symbol(")")) {
            break;
        }
        if token.is_symbol("(") || token.is_symbol("[") {
            depth += 1;
        } else if token.is_symbol(")") || token.is_symbol("]") {
            depth = depth.saturating_sub(1);
        }
        end = token.start + token.text.len();
        words.next();
    }
    if end == start {
        return Err(words.unexpected());
    }
    Ok(words.text[start..end].to_string())
}

fn declare(words: &mut Words<'_>) -> Result<Command> {
    let name = words.name()?;
    let mut output = CursorOutput::Text;
    let mut scroll = false;
    loop {
        if words.accept("binary") {
            output = CursorOutput::Binary;
        } else if words.accept("no") {
            words.expect("scroll")?;
        } else if words.accept("scroll") {
            scroll = true;
        } else if !words.accept_any(&["insensitive", "asensitive"]) {
            break;
        }
    }
    words.expect("cursor")?;
    let mut hold = Hold::Transaction;
    if words.accept("with") {
        words.expect("hold")?;
        hold = Hold::Session;
    } else if words.accept("without") {
        words.expect("hold")?;
    }
    words.expect("for")?;
    if scroll {
        return Err(Error::unsupported("scrollable cursors are not supported")
            .with_hint("Declare the cursor without SCROLL."));
    }
    Ok(Command::Declare {
        name,
        hold,
        output,
        query: words.rest()?,
    })
}

fn fetch(words: &mut Words<'_>, purpose: Purpose) -> Result<Command> {
    let direction = direction(words)?;
    words.accept_any(&["from", "in"]);
    Ok(Command::Fetch {
        cursor: words.name()?,
        direction,
        purpose,
    })
}

fn direction(words: &mut Words<'_>) -> Result<Direction> {
    if words.accept("next") {
        return Ok(Direction::Forward(1));
    }
    if words.accept("all") {
        return Ok(Direction::All);
    }
    if words.accept_any(&["prior", "first", "last"]) {
        return Ok(Direction::Backward);
    }
    if words.accept("absolute") {
        count(words)?;
        return Ok(Direction::Backward);
    }
    if words.accept("relative") {
        // row n from here, the ones before it skipped: only the next one is a plain fetch
        return Ok(match count(words)? {
            Some(1) => Direction::Forward(1),
            _ => Direction::Backward,
        });
    }
    if words.accept("backward") {
        if !words.accept("all") {
            count(words)?;
        }
        return Ok(Direction::Backward);
    }
    if words.accept("forward") && words.accept("all") {
        return Ok(Direction::All);
    }
    Ok(match count(words)? {
        None => Direction::Forward(1),
        Some(count) => u64::try_from(count).map_or(Direction::Backward, Direction::Forward),
    })
}

fn count(words: &mut Words<'_>) -> Result<Option<i64>> {
    let negative = words.symbol("-");
    if !negative {
        words.symbol("+");
    }
    let Some(token) = words.peek().filter(|token| token.kind == Kind::Number) else {
        return match negative {
            true => Err(words.unexpected()),
            false => Ok(None),
        };
    };
    let Ok(count) = token.text.parse::<i32>() else {
        return Err(words.unexpected());
    };
    words.next();
    Ok(Some(i64::from(if negative { -count } else { count })))
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

/// `SELECT set_config('a', 'b', false) [AS x] [, …] [FROM pg_settings WHERE name = 'a']`,
/// constants only: a function cannot change the session that it runs in.
fn set_config(words: &mut Words<'_>) -> Option<Command> {
    let mut all = Vec::new();
    loop {
        if words.accept("pg_catalog") {
            words.expect_symbol(".").ok()?;
        }
        words.expect("set_config").ok()?;
        words.expect_symbol("(").ok()?;
        let name = words.string().ok()?;
        words.expect_symbol(",").ok()?;
        let value = words.string().ok()?;
        words.expect_symbol(",").ok()?;
        let local = boolean(&value_of_boolean(words)?)?;
        words.expect_symbol(")").ok()?;
        let column = if words.accept("as") {
            words.name().ok()?
        } else {
            "set_config".to_string()
        };
        all.push(SetConfig {
            name,
            value,
            scope: if local {
                Scope::Transaction
            } else {
                Scope::Session
            },
            column,
        });
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
    Some(Command::SetConfig(all))
}

fn value_of_boolean(words: &mut Words<'_>) -> Option<String> {
    let token = words.next()?;
    match token.kind {
        Kind::Word => Some(token.text.to_string()),
        _ => token.string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
