//! The client's text as statements, each with its place in the text. Called by
//! the session for every message; knows nothing of names or types.

use std::sync::Arc;

use datafusion::common::Span;
use datafusion::error::DataFusionError;
use datafusion::sql::sqlparser::ast;
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

use super::versions::Opened;
use super::versions::clause::{self, Mistake};
use super::{depth, positions};
use crate::error::{Error, Result, SqlState};

/// The longest text that is read as SQL here, in bytes.
const MAX_TEXT: usize = 16 << 20;

/// How deep the grammar's own recursion may go: parentheses, subqueries, CASE.
const MAX_RECURSION: usize = 400;

/// One statement of a message.
#[derive(Debug, Clone)]
pub struct Statement {
    /// Its own text, without the separating semicolon.
    pub text: String,
    /// Characters of the message before it; error positions are shifted by it.
    pub offset: usize,
    pub ast: Arc<ast::Statement>,
    /// It says of a table which version it reads.
    pub(super) has_versions: bool,
    /// The tables that had to be opened first.
    pub(super) tables: Arc<Opened>,
    /// The text that was parsed, which the tree's places refer to.
    message: Arc<str>,
    /// Characters of that text before the statement.
    start: usize,
}

impl Statement {
    /// The same, to be planned with these tables.
    pub fn with_tables(&self, tables: Opened) -> Statement {
        Statement {
            tables: Arc::new(tables),
            ..self.clone()
        }
    }

    /// The error with its position in the client's message, where the engine or
    /// the text tells it.
    pub(super) fn located(&self, error: DataFusionError) -> Error {
        let start = diagnosed(&error).map(|span| Location {
            line: span.start.line,
            column: span.start.column,
        });
        self.found(Error::from(error), start)
    }

    /// The error with the position of a place, or of what its message names.
    pub(super) fn found(&self, error: Error, place: Option<Location>) -> Error {
        if error.position().is_some() {
            return error;
        }
        let before = self.offset - self.start;
        if let Some(place) = place.filter(|place| place.line > 0) {
            let places = Places::of(&self.message);
            return error.with_position(places.character(&self.message, place) + 1 + before);
        }
        match positions::of(&error, &self.text) {
            Some(place) => {
                let places = Places::of(&self.text);
                let within = places.character(&self.text, place) + 1;
                error.with_position(within + self.offset)
            }
            None => error,
        }
    }
}

/// Where the engine points at.
fn diagnosed(error: &DataFusionError) -> Option<Span> {
    match error {
        DataFusionError::Diagnostic(diagnostic, inner) => {
            diagnostic.span.or_else(|| diagnosed(inner))
        }
        DataFusionError::Context(_, inner) => diagnosed(inner),
        DataFusionError::Collection(all) => all.iter().find_map(diagnosed),
        _ => None,
    }
}

/// Statements in order; empty ones are left out, so an empty message gives none.
/// 42601 with the position for what the grammar refuses, 54000 and 54001 for
/// what is too long or too deep to plan.
pub fn parse(sql: &str) -> Result<Vec<Statement>> {
    if sql.len() > MAX_TEXT {
        return Err(Error::new(
            SqlState::PROGRAM_LIMIT_EXCEEDED,
            format!("a statement of {} bytes is too long", sql.len()),
        )
        .with_hint(format!("The limit is {MAX_TEXT} bytes.")));
    }
    depth::with_deep_stack(|| parse_deep(sql))
}

fn parse_deep(sql: &str) -> Result<Vec<Statement>> {
    let dialect = PostgreSqlDialect {};
    let places = Places::of(sql);
    let tokens = Tokenizer::new(&dialect, sql)
        .tokenize_with_location()
        .map_err(|e| {
            Error::new(SqlState::SYNTAX_ERROR, lower_first(&e.message))
                .with_position(places.character(sql, e.location) + 1)
        })?;
    depth::check_tokens(&tokens)?;
    let (tokens, mut clauses) = clause::take(tokens).map_err(|mistake| match mistake {
        Mistake::Near(token) => near(sql, &places, &token),
        Mistake::Refused(error, at) => error.with_position(places.character(sql, at) + 1),
    })?;
    let has_versions = !clauses.is_empty();
    let mut parser = Parser::new(&dialect)
        .with_recursion_limit(MAX_RECURSION)
        .with_tokens_with_locations(tokens);
    let mut statements = Vec::new();
    let message: Arc<str> = sql.into();
    loop {
        while parser.consume_token(&Token::SemiColon) {}
        let first = parser.peek_token();
        if first.token == Token::EOF {
            return match clauses.misplaced() {
                Some(place) => Err(misplaced(sql, &places, place)),
                None => Ok(statements),
            };
        }
        let mut ast = parser
            .parse_statement()
            .map_err(|e| syntax_error(sql, &places, e))?;
        let next = parser.peek_token();
        if !matches!(next.token, Token::SemiColon | Token::EOF) {
            return Err(near(sql, &places, &next));
        }
        let start = places.byte(sql, first.span.start);
        let end = match next.token {
            Token::EOF => sql.len(),
            _ => places.byte(sql, next.span.start),
        };
        clauses.place(&mut ast);
        depth::check_statement(&ast)?;
        statements.push(Statement {
            text: sql[start..end].trim_end().to_string(),
            offset: places.character(sql, first.span.start),
            start: places.character(sql, first.span.start),
            ast: Arc::new(ast),
            has_versions,
            tables: Arc::default(),
            message: message.clone(),
        });
    }
}

/// Where each line of a text starts.
pub(super) struct Places {
    /// (byte, character) of each line's first character.
    lines: Vec<(usize, usize)>,
}

impl Places {
    pub(super) fn of(sql: &str) -> Self {
        let mut lines = vec![(0, 0)];
        for (character, (byte, c)) in sql.char_indices().enumerate() {
            if c == '\n' {
                lines.push((byte + 1, character + 1));
            }
        }
        Places { lines }
    }

    /// 0-based character offset of a 1-based line and column.
    pub(super) fn character(&self, sql: &str, location: Location) -> usize {
        match self.line(location) {
            Some((_, character)) => character + location.column.saturating_sub(1) as usize,
            None => sql.chars().count(),
        }
    }

    fn byte(&self, sql: &str, location: Location) -> usize {
        let Some((line, _)) = self.line(location) else {
            return sql.len();
        };
        sql[line..]
            .char_indices()
            .nth(location.column.saturating_sub(1) as usize)
            .map_or(sql.len(), |(byte, _)| line + byte)
    }

    /// Line 0 stands for the end of the text.
    fn line(&self, location: Location) -> Option<(usize, usize)> {
        let line = (location.line as usize).checked_sub(1)?;
        self.lines.get(line).copied()
    }
}

/// Postgres's words for the token that stopped the parser.
fn near(sql: &str, places: &Places, token: &TokenWithSpan) -> Error {
    match &token.token {
        Token::EOF => Error::new(SqlState::SYNTAX_ERROR, "syntax error at end of input")
            .with_position(sql.chars().count() + 1),
        other => Error::new(
            SqlState::SYNTAX_ERROR,
            format!("syntax error at or near \"{other}\""),
        )
        .with_position(places.character(sql, token.span.start) + 1),
    }
}

/// A clause after what is no table.
fn misplaced(sql: &str, places: &Places, place: Location) -> Error {
    Error::new(SqlState::SYNTAX_ERROR, "syntax error at or near \"FOR\"")
        .with_position(places.character(sql, place) + 1)
        .with_hint("The version of a table stands right after its name.")
}

fn syntax_error(sql: &str, places: &Places, error: ParserError) -> Error {
    match error {
        ParserError::RecursionLimitExceeded => depth::too_deep(),
        ParserError::TokenizerError(text) => Error::new(SqlState::SYNTAX_ERROR, text),
        ParserError::ParserError(text) => from_parser_text(sql, places, &text),
    }
}

/// The parser says `Expected: x, found: y at Line: 1, Column: 8`.
fn from_parser_text(sql: &str, places: &Places, text: &str) -> Error {
    let (what, location) = match text.rsplit_once(" at Line: ") {
        Some((what, location)) => (what, parse_location(location)),
        None => (text, None),
    };
    let found = what.split_once("found: ").map(|(_, found)| found.trim());
    let error = match found {
        Some("EOF") => {
            return Error::new(SqlState::SYNTAX_ERROR, "syntax error at end of input")
                .with_position(sql.chars().count() + 1)
                .with_cause(text);
        }
        Some(found) => Error::new(
            SqlState::SYNTAX_ERROR,
            format!("syntax error at or near \"{found}\""),
        ),
        None => Error::new(SqlState::SYNTAX_ERROR, lower_first(what)),
    };
    match location {
        Some(location) => error.with_position(places.character(sql, location) + 1),
        None => error,
    }
    .with_cause(text)
}

fn parse_location(text: &str) -> Option<Location> {
    let (line, column) = text.split_once(", Column: ")?;
    Some(Location {
        line: line.trim().parse().ok()?,
        column: column.trim().parse().ok()?,
    })
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_lowercase().collect::<String>() + chars.as_str(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_know_their_text_and_place() {
        let parsed = parse(" select 1 ;; -- x\n  select 'ä;b' ; ").expect("two statements");
        let places: Vec<_> = parsed.iter().map(|s| (s.text.as_str(), s.offset)).collect();
        assert_eq!(places, [("select 1", 1), ("select 'ä;b'", 20)]);
        assert!(parse(" ; -- nothing\n").expect("nothing").is_empty());
    }

    #[test]
    fn syntax_errors_point_at_the_token() {
        for (sql, message, position) in [
            ("select 1 frm t", "syntax error at or near \"t\"", 14),
            ("select\n ä,", "syntax error at end of input", 11),
            ("selec 1", "syntax error at or near \"selec\"", 1),
        ] {
            let error = parse(sql).expect_err(sql);
            assert_eq!(error.state(), SqlState::SYNTAX_ERROR);
            assert_eq!(
                (error.message(), error.position()),
                (message, Some(position))
            );
        }
    }

    #[test]
    fn hostile_text_is_refused_or_read() {
        let nested = format!("select {}1{}", "(".repeat(10_000), ")".repeat(10_000));
        assert_eq!(
            parse(&nested).expect_err("too deep").state(),
            SqlState::STATEMENT_TOO_COMPLEX
        );
        let sum = format!("select 1{}", "+1".repeat(100_000));
        assert_eq!(
            parse(&sum).expect_err("too long a chain").state(),
            SqlState::STATEMENT_TOO_COMPLEX
        );
        let list = format!("select 1 where 1 in (0{})", ",1".repeat(100_000));
        parse(&list).expect("a long list is flat");
        let columns = format!("select 1{}", ",1".repeat(5_000));
        assert_eq!(
            parse(&columns).expect_err("too wide").state(),
            SqlState::TOO_MANY_COLUMNS
        );
    }
}
