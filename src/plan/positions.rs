//! Where in the text an error belongs that planning found without a place: the
//! one literal, operator or call that its message names. Nothing is said where
//! the text has several. Called by `plan` for errors of the analysis alone, as
//! values of rows have no place.

use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

use crate::error::Error;

/// The place of what the message names.
pub(super) fn of(error: &Error, text: &str) -> Option<Location> {
    let named = named(error.message())?;
    let tokens: Vec<TokenWithSpan> = Tokenizer::new(&PostgreSqlDialect {}, text)
        .tokenize_with_location()
        .ok()?
        .into_iter()
        .filter(|token| !matches!(token.token, Token::Whitespace(_)))
        .collect();
    let mut places = (0..tokens.len())
        .filter(|index| is_it(&named, &tokens, *index))
        .map(|index| tokens[index].span.start);
    let only = places.next()?;
    places.next().is_none().then_some(only)
}

enum Named {
    Literal(String),
    Operator(String),
    Call(String),
}

fn named(message: &str) -> Option<Named> {
    if let Some(rest) = message
        .strip_prefix("operator does not exist: ")
        .or_else(|| message.strip_prefix("operator is not unique: "))
    {
        let symbol = rest.split(' ').find(|word| {
            !word.is_empty() && !word.starts_with(|c: char| c.is_alphanumeric() || c == '"')
        })?;
        return Some(Named::Operator(symbol.to_string()));
    }
    if let Some(rest) = message.strip_prefix("function ")
        && message.contains("(")
    {
        let name = rest.split('(').next()?;
        return Some(Named::Call(name.to_string()));
    }
    // invalid input syntax for type integer: "x"; value "9" is out of range …
    let literal = [
        "invalid input syntax for type ",
        "value \"",
        "date/time field value out of range: ",
        "invalid input value for enum ",
    ]
    .iter()
    .any(|start| message.starts_with(start))
        || message.contains("\" is out of range for type ");
    if !literal {
        return None;
    }
    let start = message.find('"')? + 1;
    let end = message.rfind('"').filter(|end| *end >= start)?;
    Some(Named::Literal(message[start..end].to_string()))
}

fn is_it(named: &Named, tokens: &[TokenWithSpan], index: usize) -> bool {
    let token = &tokens[index].token;
    match named {
        Named::Literal(text) => matches!(
            token,
            Token::SingleQuotedString(own) | Token::EscapedStringLiteral(own) if own == text
        ),
        Named::Operator(symbol) => {
            token.to_string() == *symbol && !matches!(token, Token::SingleQuotedString(_))
        }
        Named::Call(name) => {
            matches!(token, Token::Word(word) if word.value.eq_ignore_ascii_case(name))
                && matches!(
                    tokens.get(index + 1).map(|next| &next.token),
                    Some(Token::LParen)
                )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::SqlState;

    #[test]
    fn what_a_message_names_is_found_where_it_is_alone() {
        for (message, sql, column) in [
            (
                "operator does not exist: integer + text",
                "select 1 + 'a'::text",
                Some(10),
            ),
            (
                "operator does not exist: integer + text",
                "select 1 + 'a'::text + 1",
                None,
            ),
            (
                "function lower(integer) does not exist",
                "select x, LOWER (1)",
                Some(11),
            ),
            (
                "invalid input syntax for type integer: \"x\"",
                "select 'x'::int",
                Some(8),
            ),
            (
                "value \"99999\" is out of range for type smallint",
                "select int2 '99999'",
                Some(13),
            ),
            ("something else", "select 1", None),
        ] {
            let error = Error::new(SqlState::SYNTAX_ERROR, message);
            assert_eq!(
                of(&error, sql).map(|at| at.column),
                column.map(|c: u64| c),
                "{sql}"
            );
        }
    }
}
