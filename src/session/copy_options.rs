//! COPY … TO STDOUT and its options, old spelling and new. Other directions of
//! COPY are refused. The COPY page of the Postgres manual.

use super::commands::*;
use super::settings::boolean;
use super::statements::Words;
use crate::error::{Error, Result, SqlState};
use crate::names::quote_identifier;
use crate::plan::lexer::Token;

pub(super) fn recognize(words: &mut Words<'_>) -> Result<Option<Command>> {
    let query = if words.symbol("(") {
        parenthesized(words)?
    } else {
        table(words)?
    };
    if words.accept("from") {
        return Err(Error::unsupported("COPY FROM is not supported"));
    }
    words.expect("to")?;
    if !words.accept("stdout") {
        return Err(
            Error::unsupported("COPY to a file or program is not supported")
                .with_hint("Use COPY … TO STDOUT, or psql's \\copy."),
        );
    }
    let options = options(words)?;
    words.end()?;
    Ok(Some(Command::CopyOut { query, options }))
}

fn parenthesized(words: &mut Words<'_>) -> Result<CopyQuery> {
    let start = words.position();
    let mut end = start;
    let mut depth = 0usize;
    loop {
        let Some(token) = words.peek() else {
            return Err(words.unexpected());
        };
        if token.is_symbol("(") {
            depth += 1;
        } else if token.is_symbol(")") {
            if depth == 0 {
                words.next();
                return Ok(CopyQuery::Query(start..end));
            }
            depth -= 1;
        }
        end = token.start + token.text.len();
        words.next();
    }
}

fn table(words: &mut Words<'_>) -> Result<CopyQuery> {
    let mut name = quote_identifier(&words.name()?);
    while words.symbol(".") {
        name.push('.');
        name.push_str(&quote_identifier(&words.name()?));
    }
    let mut columns = Vec::new();
    if words.symbol("(") {
        loop {
            columns.push(quote_identifier(&words.name()?));
            if words.symbol(")") {
                break;
            }
            words.expect_symbol(",")?;
        }
    }
    let list = if columns.is_empty() {
        "*".to_string()
    } else {
        columns.join(", ")
    };
    Ok(CopyQuery::Table(format!("SELECT {list} FROM {name}")))
}

/// Options as they are given; what they mean depends on the format.
#[derive(Default)]
struct Given {
    format: Option<CopyFormat>,
    delimiter: Option<String>,
    null: Option<String>,
    header: Option<bool>,
    quote: Option<String>,
    escape: Option<String>,
    force_quote: Option<ForceQuote>,
}

fn options(words: &mut Words<'_>) -> Result<CopyOptions> {
    let mut given = Given::default();
    words.accept("with");
    if words.symbol("(") {
        loop {
            one(words, &mut given)?;
            if words.symbol(")") {
                break;
            }
            words.expect_symbol(",")?;
        }
    } else {
        old_spelling(words, &mut given)?;
    }
    finish(given)
}

fn one(words: &mut Words<'_>, given: &mut Given) -> Result<()> {
    let name = words.name()?;
    match name.as_str() {
        "format" => given.format = Some(format(&word(words)?)?),
        "delimiter" => given.delimiter = Some(words.string()?),
        "null" => given.null = Some(words.string()?),
        "quote" => given.quote = Some(words.string()?),
        "escape" => given.escape = Some(words.string()?),
        "header" => given.header = Some(flag(words, "header")?),
        "encoding" => encoding(&words.string()?)?,
        "force_quote" => given.force_quote = Some(force_quote(words)?),
        _ => {
            return Err(Error::new(
                SqlState::SYNTAX_ERROR,
                format!("option \"{name}\" not recognized"),
            ));
        }
    }
    Ok(())
}

fn old_spelling(words: &mut Words<'_>, given: &mut Given) -> Result<()> {
    loop {
        if words.accept("binary") {
            given.format = Some(CopyFormat::Binary);
        } else if words.accept("csv") {
            given.format = Some(CopyFormat::Csv);
        } else if words.accept("header") {
            given.header = Some(true);
        } else if words.accept_any(&["delimiter", "delimiters"]) {
            words.accept("as");
            given.delimiter = Some(words.string()?);
        } else if words.accept("null") {
            words.accept("as");
            given.null = Some(words.string()?);
        } else if words.accept("quote") {
            words.accept("as");
            given.quote = Some(words.string()?);
        } else if words.accept("escape") {
            words.accept("as");
            given.escape = Some(words.string()?);
        } else if words.accept("encoding") {
            encoding(&words.string()?)?;
        } else if words.accept("force") {
            words.expect("quote")?;
            given.force_quote = Some(if words.symbol("*") {
                ForceQuote::All
            } else {
                let mut names = vec![words.name()?];
                while words.symbol(",") {
                    names.push(words.name()?);
                }
                ForceQuote::Columns(names)
            });
        } else {
            return Ok(());
        }
    }
}

/// A word, quoted name or string.
fn word(words: &mut Words<'_>) -> Result<String> {
    match words.peek().and_then(Token::string) {
        Some(_) => words.string(),
        None => words.name(),
    }
}

fn format(name: &str) -> Result<CopyFormat> {
    match name {
        "text" => Ok(CopyFormat::Text),
        "csv" => Ok(CopyFormat::Csv),
        "binary" => Ok(CopyFormat::Binary),
        _ => Err(Error::new(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("COPY format \"{name}\" not recognized"),
        )),
    }
}

fn flag(words: &mut Words<'_>, name: &str) -> Result<bool> {
    let next = words
        .peek()
        .is_some_and(|token| token.is_symbol(",") || token.is_symbol(")"));
    if next {
        return Ok(true);
    }
    let Some(token) = words.next() else {
        return Err(words.unexpected());
    };
    let value = token.string().unwrap_or_else(|| token.text.to_string());
    boolean(&value).ok_or_else(|| {
        Error::new(
            SqlState::SYNTAX_ERROR,
            format!("{name} requires a Boolean value or \"match\""),
        )
    })
}

fn encoding(name: &str) -> Result<()> {
    let clean = name.to_ascii_lowercase().replace(['-', '_'], "");
    match clean.as_str() {
        "utf8" | "unicode" => Ok(()),
        _ => Err(Error::unsupported(format!(
            "encoding \"{name}\" is not supported"
        ))),
    }
}

fn force_quote(words: &mut Words<'_>) -> Result<ForceQuote> {
    if words.symbol("*") {
        return Ok(ForceQuote::All);
    }
    words.expect_symbol("(")?;
    let mut names = vec![words.name()?];
    while words.symbol(",") {
        names.push(words.name()?);
    }
    words.expect_symbol(")")?;
    Ok(ForceQuote::Columns(names))
}

fn finish(given: Given) -> Result<CopyOptions> {
    let format = given.format.unwrap_or(CopyFormat::Text);
    let csv = format == CopyFormat::Csv;
    let only_csv = |what: &str| Error::unsupported(format!("COPY {what} requires CSV mode"));
    if !csv && (given.quote.is_some() || given.escape.is_some()) {
        return Err(only_csv(if given.quote.is_some() {
            "QUOTE"
        } else {
            "ESCAPE"
        }));
    }
    if !csv && given.force_quote.is_some() {
        return Err(only_csv("FORCE_QUOTE"));
    }
    if format == CopyFormat::Binary
        && (given.delimiter.is_some() || given.null.is_some() || given.header == Some(true))
    {
        return Err(Error::new(
            SqlState::SYNTAX_ERROR,
            "cannot specify DELIMITER, NULL or HEADER in BINARY mode",
        ));
    }
    let quote = one_byte("quote", given.quote.as_deref().unwrap_or("\""))?;
    let delimiter = one_byte(
        "delimiter",
        given
            .delimiter
            .as_deref()
            .unwrap_or(if csv { "," } else { "\t" }),
    )?;
    if matches!(delimiter, b'\n' | b'\r') || (csv && delimiter == quote) {
        return Err(Error::new(
            SqlState::INVALID_PARAMETER_VALUE,
            "COPY delimiter cannot be newline, carriage return or the quote character",
        ));
    }
    Ok(CopyOptions {
        format,
        delimiter,
        null: given
            .null
            .unwrap_or_else(|| if csv { "" } else { "\\N" }.to_string()),
        header: given.header.unwrap_or(false),
        quote,
        escape: match given.escape {
            Some(escape) => one_byte("escape", &escape)?,
            None => quote,
        },
        force_quote: given.force_quote.unwrap_or(ForceQuote::None),
    })
}

fn one_byte(what: &str, text: &str) -> Result<u8> {
    match text.as_bytes() {
        [byte] => Ok(*byte),
        _ => Err(Error::unsupported(format!(
            "COPY {what} must be a single one-byte character"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::statements;

    #[test]
    fn both_spellings_are_read() {
        for (text, format, delimiter) in [
            ("COPY (select (1)) TO STDOUT", CopyFormat::Text, b'\t'),
            (
                "COPY t (a, b) TO STDOUT (FORMAT csv, HEADER, DELIMITER ';')",
                CopyFormat::Csv,
                b';',
            ),
            (
                "COPY s.t TO STDOUT WITH (FORMAT \"binary\")",
                CopyFormat::Binary,
                b'\t',
            ),
            ("copy t to stdout csv header", CopyFormat::Csv, b','),
        ] {
            let Ok(Some(Command::CopyOut { options, .. })) = statements::recognize(text) else {
                panic!("{text}");
            };
            assert_eq!(
                (options.format, options.delimiter),
                (format, delimiter),
                "{text}"
            );
        }
        for text in [
            "COPY t FROM STDIN",
            "COPY t TO '/tmp/x'",
            "COPY t TO STDOUT (x 1)",
        ] {
            assert!(statements::recognize(text).is_err(), "{text}");
        }
    }
}
