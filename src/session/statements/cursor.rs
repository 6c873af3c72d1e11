//! DECLARE, FETCH and MOVE.

use super::words::Words;
use crate::error::{Error, Result};
use crate::plan::lexer::Kind;
use crate::session::commands::{Command, CursorOutput, Direction, Hold, Purpose};

pub(super) fn declare(words: &mut Words<'_>) -> Result<Command> {
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

pub(super) fn fetch(words: &mut Words<'_>, purpose: Purpose) -> Result<Command> {
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
