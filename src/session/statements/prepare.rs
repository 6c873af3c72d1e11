//! PREPARE and EXECUTE.

use super::transaction::two_phase;
use super::words::Words;
use crate::error::Result;
use crate::session::commands::Command;

pub(super) fn prepare(words: &mut Words<'_>) -> Result<Command> {
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

pub(super) fn execute(words: &mut Words<'_>) -> Result<Command> {
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
