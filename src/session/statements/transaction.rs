//! BEGIN, COMMIT, ROLLBACK and transaction modes.

use super::words::Words;
use crate::error::{Error, Result, SqlState};
use crate::session::commands::{Chain, Command, Modes};

pub(super) fn begin(words: &mut Words<'_>, tag: &'static str) -> Result<Command> {
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

pub(super) fn commit(words: &mut Words<'_>) -> Result<Command> {
    if words.accept("prepared") {
        return Err(two_phase());
    }
    chain(words).map(Command::Commit)
}

pub(super) fn rollback(words: &mut Words<'_>) -> Result<Command> {
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

pub(super) fn two_phase() -> Error {
    Error::new(
        SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
        "prepared transactions are disabled",
    )
    .with_hint("Set \"max_prepared_transactions\" to a nonzero value.")
}

pub(super) fn modes(words: &mut Words<'_>) -> Result<Modes> {
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
