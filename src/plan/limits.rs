//! LIMIT, OFFSET and FETCH (section 7.6 of the manual) in the one form that the
//! engine reads: whole numbers of LIMIT and OFFSET.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    self, Expr, Fetch, LimitClause, Query, Spanned, Value, VisitMut, VisitorMut,
};
use datafusion::sql::sqlparser::tokenizer::Location;

use super::checks::Misplaced;
use crate::error::{Error, SqlState};

/// Rewrites every query of a statement.
pub(super) fn normalize(statement: &mut ast::Statement) -> Result<(), Misplaced> {
    match statement.visit(&mut Normalizer) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(misplaced) => Err(misplaced),
    }
}

struct Normalizer;

impl VisitorMut for Normalizer {
    type Break = Misplaced;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Misplaced> {
        fetched(query);
        let Some(LimitClause::LimitOffset { limit, offset, .. }) = &mut query.limit_clause else {
            return ControlFlow::Continue(());
        };
        if let Some(limit) = limit {
            whole(limit)?;
        }
        match offset {
            Some(offset) => whole(&mut offset.value),
            None => ControlFlow::Continue(()),
        }
    }
}

/// FETCH FIRST n ROWS ONLY is LIMIT n.
fn fetched(query: &mut Query) {
    let Some(Fetch {
        with_ties: false,
        percent: false,
        quantity,
    }) = &query.fetch
    else {
        return;
    };
    let rows = quantity
        .clone()
        .unwrap_or_else(|| Expr::value(Value::Number("1".into(), false)));
    match &mut query.limit_clause {
        Some(LimitClause::LimitOffset { limit, .. }) if limit.is_none() => *limit = Some(rows),
        None => {
            query.limit_clause = Some(LimitClause::LimitOffset {
                limit: Some(rows),
                offset: None,
                limit_by: Vec::new(),
            });
        }
        _ => return,
    }
    query.fetch = None;
}

/// A constant is cast to bigint, as Postgres does.
fn whole(count: &mut Expr) -> ControlFlow<Misplaced> {
    let at = count.span().start;
    let Expr::Value(value) = count else {
        return match names_column(count) {
            Some(at) => refuse(
                SqlState::INVALID_COLUMN_REFERENCE,
                "argument of LIMIT must not contain variables".into(),
                at,
            ),
            None => ControlFlow::Continue(()),
        };
    };
    let number = match &value.value {
        Value::SingleQuotedString(text) => match text.trim().parse::<i64>() {
            Ok(number) => number,
            Err(_) => {
                return refuse(
                    SqlState::INVALID_TEXT_REPRESENTATION,
                    format!("invalid input syntax for type bigint: \"{text}\""),
                    at,
                );
            }
        },
        Value::Number(text, _) if text.parse::<i64>().is_err() => {
            match text.parse::<f64>().map(f64::round) {
                Ok(number) if number.abs() < 9.2e18 => number as i64,
                _ => {
                    return refuse(
                        SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
                        "bigint out of range".into(),
                        Location::empty(),
                    );
                }
            }
        }
        _ => return ControlFlow::Continue(()),
    };
    *count = Expr::value(Value::Number(number.to_string(), false));
    ControlFlow::Continue(())
}

fn names_column(expr: &Expr) -> Option<Location> {
    match expr {
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => Some(expr.span().start),
        Expr::BinaryOp { left, right, .. } => names_column(left).or_else(|| names_column(right)),
        _ => None,
    }
}

fn refuse(state: SqlState, message: String, at: Location) -> ControlFlow<Misplaced> {
    ControlFlow::Break(Misplaced {
        error: Error::new(state, message),
        at: Some(at),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::parse::parse;

    #[test]
    fn limits_are_whole_numbers() {
        for (sql, expected) in [
            (
                "SELECT a FROM t FETCH FIRST 2 ROWS ONLY",
                "SELECT a FROM t LIMIT 2",
            ),
            (
                "SELECT a FROM t OFFSET 1 ROW FETCH NEXT ROW ONLY",
                "SELECT a FROM t LIMIT 1 OFFSET 1",
            ),
            (
                "SELECT a FROM t LIMIT '3' OFFSET 1.5",
                "SELECT a FROM t LIMIT 3 OFFSET 2",
            ),
        ] {
            let mut statement = parse(sql).expect(sql).remove(0);
            assert!(normalize(std::sync::Arc::make_mut(&mut statement.ast)).is_ok());
            let normal = statement
                .ast
                .to_string()
                .replace("OFFSET 1 ROW", "OFFSET 1");
            assert_eq!(normal, expected);
        }
        let mut statement = parse("SELECT 1 LIMIT 'x'").expect("parses").remove(0);
        let refused =
            normalize(std::sync::Arc::make_mut(&mut statement.ast)).expect_err("no number");
        assert_eq!(refused.error.state(), SqlState::INVALID_TEXT_REPRESENTATION);
    }
}
