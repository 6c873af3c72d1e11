//! The client's text as statements, each with its place in the text.

use datafusion::sql::sqlparser::ast;
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use crate::error::{Error, Result, SqlState};

/// One statement of a message.
#[derive(Debug, Clone)]
pub struct Statement {
    /// Its own text, without the separating semicolon.
    pub text: String,
    /// Characters of the message before it; error positions are shifted by it.
    pub offset: usize,
    pub ast: Box<ast::Statement>,
}

/// Statements in order; empty ones are left out, so an empty message gives none.
pub fn parse(sql: &str) -> Result<Vec<Statement>> {
    let dialect = PostgreSqlDialect {};
    let tokens = Tokenizer::new(&dialect, sql)
        .tokenize_with_location()
        .map_err(|e| Error::new(SqlState::SYNTAX_ERROR, e.to_string()))?;
    let mut parser = Parser::new(&dialect).with_tokens_with_locations(tokens);
    let mut statements = Vec::new();
    loop {
        while parser.consume_token(&Token::SemiColon) {}
        if parser.peek_token().token == Token::EOF {
            return Ok(statements);
        }
        let ast = parser
            .parse_statement()
            .map_err(|e: ParserError| Error::new(SqlState::SYNTAX_ERROR, e.to_string()))?;
        statements.push(Statement {
            text: sql.to_string(),
            offset: 0,
            ast: Box::new(ast),
        });
    }
}
