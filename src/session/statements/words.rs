//! One statement's tokens, read from the left; errors as Postgres words them.

use std::ops::Range;

use crate::error::{Error, Result, SqlState};
use crate::plan::lexer::{Kind, Lexer, Token};

/// The words of one statement, read from the left.
pub struct Words<'a> {
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

    pub fn name_or_all(&mut self) -> Result<Option<String>> {
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
    pub fn dotted(&mut self) -> Result<String> {
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
    pub fn rest(&mut self) -> Result<Range<usize>> {
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
