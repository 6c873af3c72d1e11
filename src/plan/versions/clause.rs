//! `FOR VERSION AS OF …` and its kin, which the parser's grammar of Postgres does
//! not have: taken out of the tokens before they are parsed, and put into the
//! tree where the table stands. Called by `parse`; knows no tables.
//!
//! ```text
//! FOR { VERSION | SYSTEM_VERSION } AS OF { number | 'tag or branch' }
//! FOR { TIMESTAMP | SYSTEM_TIME } AS OF [ type ] 'timestamp' [ :: type ]
//! FOR { TAG | BRANCH } 'name'
//! ```

use std::collections::HashMap;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    self, Expr, Ident, TableFactor, TableVersion, Value, ValueWithSpan, VisitMut, VisitorMut,
};
use datafusion::sql::sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan};

use crate::error::{Error, Result};

/// What a clause asks for, as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::plan) enum Written {
    Version(String),
    Name(String),
    Tag(String),
    Branch(String),
    Time(String),
}

/// Clauses by the place of the table's last name, and where each begins.
#[derive(Debug, Default)]
pub(in crate::plan) struct Clauses(HashMap<(u64, u64), Clause>);

#[derive(Debug)]
struct Clause {
    written: Written,
    at: Location,
}

/// Where a clause or its value is not what it must be.
#[derive(Debug)]
pub(in crate::plan) enum Mistake {
    Near(TokenWithSpan),
    Refused(Error, Location),
}

/// The tokens without their clauses.
pub(in crate::plan) fn take(
    tokens: Vec<TokenWithSpan>,
) -> Result<(Vec<TokenWithSpan>, Clauses), Mistake> {
    let mut clauses = Clauses::default();
    let begins = |token: &TokenWithSpan| is_word(&token.token, "FOR");
    if !tokens.iter().any(begins) {
        return Ok((tokens, clauses));
    }
    let visible: Vec<usize> = (0..tokens.len())
        .filter(|index| !matches!(tokens[*index].token, Token::Whitespace(_)))
        .collect();
    let mut left_out = vec![false; tokens.len()];
    let mut reader = Reader {
        tokens: &tokens,
        visible: &visible,
        end: &TokenWithSpan::new_eof(),
        at: 0,
    };
    // the calls that an open bracket belongs to: substring(x FOR tag 'y') is one
    let mut calls: Vec<bool> = Vec::new();
    while reader.at < visible.len() {
        let start = reader.at;
        match &reader.token(start).token {
            Token::LParen => calls.push(start > 0 && has_own_for(&reader.token(start - 1).token)),
            Token::RParen => {
                calls.pop();
            }
            _ => {}
        }
        let name = start.checked_sub(1).map(|before| reader.token(before));
        if let Some(name) = name.filter(|name| matches!(name.token, Token::Word(_)))
            && calls.last() != Some(&true)
            && let Some(written) = reader.clause()?
        {
            let clause = Clause {
                written,
                at: reader.token(start).span.start,
            };
            clauses.0.insert(key(name.span), clause);
            for index in &visible[start..reader.at] {
                left_out[*index] = true;
            }
        } else {
            reader.at = start + 1;
        }
    }
    let mut kept = left_out.into_iter().map(|out| !out);
    let mut tokens = tokens;
    tokens.retain(|_| kept.next().unwrap_or(true));
    Ok((tokens, clauses))
}

impl Clauses {
    pub(in crate::plan) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Puts each clause where its table stands in the statement.
    pub(in crate::plan) fn place(&mut self, statement: &mut ast::Statement) {
        if !self.is_empty() {
            let _ = statement.visit(&mut Placer(self));
        }
    }

    /// The first that stands after something else than a table.
    pub(in crate::plan) fn misplaced(&self) -> Option<Location> {
        let places = self.0.values().map(|clause| clause.at);
        places.min_by_key(|place| (place.line, place.column))
    }
}

struct Placer<'a>(&'a mut Clauses);

impl VisitorMut for Placer<'_> {
    type Break = ();

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table {
            name,
            version,
            args: None,
            ..
        } = factor
            && let Some(last) = name.0.last().and_then(ast::ObjectNamePart::as_ident)
            && let Some(clause) = self.0.0.remove(&key(last.span))
        {
            *version = Some(TableVersion::VersionAsOf(clause.in_tree()));
        }
        ControlFlow::Continue(())
    }
}

impl Clause {
    /// A word and a string: nothing that is rewritten for values has that form.
    fn in_tree(self) -> Expr {
        let (word, text) = match self.written {
            Written::Version(text) => ("version", text),
            Written::Name(text) => ("name", text),
            Written::Tag(text) => ("tag", text),
            Written::Branch(text) => ("branch", text),
            Written::Time(text) => ("time", text),
        };
        let span = Span::new(self.at, self.at);
        Expr::Prefixed {
            prefix: Ident::with_span(span, word),
            value: Box::new(Expr::Value(ValueWithSpan {
                value: Value::SingleQuotedString(text),
                span,
            })),
        }
    }
}

/// The clause of a table in a tree, and its place.
pub(in crate::plan) fn of(version: &TableVersion) -> Option<(Written, Location)> {
    let TableVersion::VersionAsOf(Expr::Prefixed { prefix, value }) = version else {
        return None;
    };
    let Expr::Value(ValueWithSpan {
        value: Value::SingleQuotedString(text),
        ..
    }) = value.as_ref()
    else {
        return None;
    };
    let text = text.clone();
    let written = match prefix.value.as_str() {
        "version" => Written::Version(text),
        "name" => Written::Name(text),
        "tag" => Written::Tag(text),
        "branch" => Written::Branch(text),
        "time" => Written::Time(text),
        _ => return None,
    };
    Some((written, prefix.span.start))
}

fn key(span: Span) -> (u64, u64) {
    (span.start.line, span.start.column)
}

fn is_word(token: &Token, word: &str) -> bool {
    matches!(token, Token::Word(found) if found.quote_style.is_none() && found.value.eq_ignore_ascii_case(word))
}

fn has_own_for(token: &Token) -> bool {
    is_word(token, "substring") || is_word(token, "overlay")
}

struct Reader<'a> {
    tokens: &'a [TokenWithSpan],
    visible: &'a [usize],
    end: &'a TokenWithSpan,
    at: usize,
}

impl<'a> Reader<'a> {
    fn token(&self, at: usize) -> &'a TokenWithSpan {
        match self.visible.get(at) {
            Some(index) => &self.tokens[*index],
            None => self.end,
        }
    }

    fn accept(&mut self, word: &str) -> bool {
        let found = is_word(&self.token(self.at).token, word);
        self.at += usize::from(found);
        found
    }

    fn words(&mut self, words: &[&str]) -> bool {
        let start = self.at;
        let found = words.iter().all(|word| self.accept(word));
        if !found {
            self.at = start;
        }
        found
    }

    /// The clause that begins here; `None`: none does.
    fn clause(&mut self) -> Result<Option<Written>, Mistake> {
        for word in ["VERSION", "SYSTEM_VERSION"] {
            if self.words(&["FOR", word, "AS", "OF"]) {
                return self.version().map(Some);
            }
        }
        for word in ["TIMESTAMP", "SYSTEM_TIME"] {
            if self.words(&["FOR", word, "AS", "OF"]) {
                return self.time().map(Some);
            }
        }
        let start = self.at;
        for (word, of) in [
            ("TAG", Written::Tag as fn(String) -> Written),
            ("BRANCH", Written::Branch),
        ] {
            if self.words(&["FOR", word])
                && let Some(name) = self.string()
            {
                return Ok(Some(of(name)));
            }
            self.at = start;
        }
        Ok(None)
    }

    fn version(&mut self) -> Result<Written, Mistake> {
        if let Token::Number(text, _) = &self.token(self.at).token
            && text.bytes().all(|byte| byte.is_ascii_digit())
        {
            self.at += 1;
            return Ok(Written::Version(text.clone()));
        }
        match self.string() {
            Some(name) => Ok(Written::Name(name)),
            None => Err(self.mistake()),
        }
    }

    fn time(&mut self) -> Result<Written, Mistake> {
        let start = self.at;
        if self.accept("TIMESTAMP") {
            let _ =
                self.words(&["WITH", "TIME", "ZONE"]) || self.words(&["WITHOUT", "TIME", "ZONE"]);
        } else {
            let _ = self.accept("TIMESTAMPTZ") || self.accept("DATE");
        }
        let Some(text) = self.string() else {
            self.at = start;
            return Err(self.mistake());
        };
        if self.token(self.at).token == Token::DoubleColon {
            self.at += 1;
            let known = ["TIMESTAMP", "TIMESTAMPTZ", "DATE"];
            if !known.iter().any(|word| self.accept(word)) {
                return Err(self.mistake());
            }
        }
        Ok(Written::Time(text))
    }

    fn string(&mut self) -> Option<String> {
        let text = match &self.token(self.at).token {
            Token::SingleQuotedString(text) | Token::EscapedStringLiteral(text) => text.clone(),
            Token::DollarQuotedString(quoted) => quoted.value.clone(),
            _ => return None,
        };
        self.at += 1;
        Some(text)
    }

    /// A value that could be one, or no value at all.
    fn mistake(&self) -> Mistake {
        let found = self.token(self.at);
        match &found.token {
            Token::Placeholder(_) | Token::Word(_) | Token::LParen => Mistake::Refused(
                Error::unsupported("the version of a table must be a constant").with_hint(
                    "The columns of the result depend on it: a parameter or an expression comes too late.",
                ),
                found.span.start,
            ),
            _ => Mistake::Near(found.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::tokenizer::Tokenizer;

    use super::*;

    /// What is left of a text, and its clauses in the order of their places.
    fn taken(sql: &str) -> (String, Vec<Written>) {
        let tokens = Tokenizer::new(&PostgreSqlDialect {}, sql)
            .tokenize_with_location()
            .expect("tokens");
        let (tokens, clauses) = take(tokens).expect(sql);
        let left: Vec<String> = tokens
            .iter()
            .filter(|token| !matches!(token.token, Token::Whitespace(_)))
            .map(|token| token.token.to_string())
            .collect();
        let mut clauses: Vec<_> = clauses.0.into_values().collect();
        clauses.sort_by_key(|clause| (clause.at.line, clause.at.column));
        let written = clauses.into_iter().map(|clause| clause.written);
        (left.join(" "), written.collect())
    }

    #[test]
    fn clauses_are_taken_out_and_nothing_else() {
        let version = |text: &str| Written::Version(text.into());
        let time = |text: &str| Written::Time(text.into());
        for (sql, left, clauses) in [
            ("a FOR VERSION AS OF 3 b", "a b", vec![version("3")]),
            (
                "a for\nsystem_version /* x */ as of 3",
                "a",
                vec![version("3")],
            ),
            (
                "a FOR VERSION AS OF 'x', b FOR TAG 'y'",
                "a , b",
                vec![Written::Name("x".into()), Written::Tag("y".into())],
            ),
            (
                "\"A\" FOR BRANCH $$x$$",
                "\"A\"",
                vec![Written::Branch("x".into())],
            ),
            ("a FOR TIMESTAMP AS OF '1'", "a", vec![time("1")]),
            (
                "a FOR SYSTEM_TIME AS OF TIMESTAMP WITH TIME ZONE '1'",
                "a",
                vec![time("1")],
            ),
            (
                "a FOR TIMESTAMP AS OF '1'::timestamptz )",
                "a )",
                vec![time("1")],
            ),
            // not theirs
            (
                "substring(a FOR tag 'x')",
                "substring ( a FOR tag 'x' )",
                vec![],
            ),
            (
                "substring(f(a) FOR 3)",
                "substring ( f ( a ) FOR 3 )",
                vec![],
            ),
            ("a FOR UPDATE", "a FOR UPDATE", vec![]),
            ("a FOR TAG", "a FOR TAG", vec![]),
            ("a 'FOR VERSION AS OF 3'", "a 'FOR VERSION AS OF 3'", vec![]),
            (") FOR VERSION AS OF 3", ") FOR VERSION AS OF 3", vec![]),
        ] {
            assert_eq!(taken(sql), (left.to_string(), clauses), "{sql}");
        }
    }
}
