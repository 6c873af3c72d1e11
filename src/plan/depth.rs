//! Bounds on what is planned. The parser, the planner and the optimizer recurse
//! over expressions, so depth is measured before they run, and they run on a
//! stack with room for that depth.

use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll};

use datafusion::sql::sqlparser::ast::{self, Expr, Query, Select, Visit, Visitor};
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use crate::error::{Error, Result, SqlState};

/// Nested operators, function calls and subqueries.
const MAX_DEPTH: usize = 1_500;

/// Nested parentheses and brackets.
const MAX_BRACKETS: usize = 1_000;

/// Operators of one statement; each may deepen the tree by one.
const MAX_OPERATORS: usize = 60_000;

/// Postgres's own limit on a target list.
const MAX_COLUMNS: usize = 1_664;

/// Bytes; mapped when asked for, touched only as far as it is used.
pub const DEEP_STACK: usize = 64 << 20;

/// Runs `work` with stack for the deepest statement that is let through. Mapping
/// it takes longer than planning a short one: the engine's threads have it.
pub fn with_deep_stack<T>(work: impl FnOnce() -> T) -> T {
    stacker::maybe_grow(DEEP_STACK, DEEP_STACK, work)
}

/// The same for a future: each poll runs on a deep stack.
pub struct OnDeepStack<F>(pub Pin<Box<F>>);

impl<F: Future> OnDeepStack<F> {
    pub fn new(future: F) -> Self {
        OnDeepStack(Box::pin(future))
    }
}

impl<F: Future> Future for OnDeepStack<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        with_deep_stack(|| self.0.as_mut().poll(context))
    }
}

pub fn too_deep() -> Error {
    Error::new(
        SqlState::STATEMENT_TOO_COMPLEX,
        "stack depth limit exceeded",
    )
    .with_hint("The statement nests too deeply; use fewer operators or an IN list.")
}

/// Before parsing: what the token stream alone shows.
pub(super) fn check_tokens(tokens: &[TokenWithSpan]) -> Result<()> {
    let mut brackets = 0usize;
    let mut operators = 0usize;
    for token in tokens {
        match &token.token {
            Token::LParen | Token::LBracket => brackets += 1,
            Token::RParen | Token::RBracket => brackets = brackets.saturating_sub(1),
            Token::Plus
            | Token::Minus
            | Token::Div
            | Token::Mod
            | Token::Mul
            | Token::StringConcat
            | Token::DoubleColon
            | Token::Caret
            | Token::Arrow
            | Token::LongArrow
            | Token::ExclamationMark
            | Token::Tilde => operators += 1,
            Token::Word(word) if word.quote_style.is_none() => {
                use datafusion::sql::sqlparser::keywords::Keyword;
                if matches!(
                    word.keyword,
                    Keyword::AND | Keyword::OR | Keyword::NOT | Keyword::UNION
                ) {
                    operators += 1;
                }
            }
            _ => {}
        }
        if brackets > MAX_BRACKETS || operators > MAX_OPERATORS {
            return Err(too_deep());
        }
    }
    Ok(())
}

/// After parsing: the depth of the tree and the width of its target lists.
pub(super) fn check_statement(statement: &ast::Statement) -> Result<()> {
    let mut measure = Measure { depth: 0 };
    match statement.visit(&mut measure) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

struct Measure {
    depth: usize,
}

impl Measure {
    fn enter(&mut self) -> ControlFlow<Error> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return ControlFlow::Break(too_deep());
        }
        ControlFlow::Continue(())
    }

    fn leave(&mut self) -> ControlFlow<Error> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }
}

impl Visitor for Measure {
    type Break = Error;

    fn pre_visit_expr(&mut self, _: &Expr) -> ControlFlow<Error> {
        self.enter()
    }

    fn post_visit_expr(&mut self, _: &Expr) -> ControlFlow<Error> {
        self.leave()
    }

    fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<Error> {
        self.enter()
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<Error> {
        self.leave()
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<Error> {
        if select.projection.len() > MAX_COLUMNS {
            return ControlFlow::Break(Error::new(
                SqlState::TOO_MANY_COLUMNS,
                format!("target lists can have at most {MAX_COLUMNS} entries"),
            ));
        }
        ControlFlow::Continue(())
    }
}
