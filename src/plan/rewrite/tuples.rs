//! Row comparisons (section 9.24.5 of the manual), `ANY` and `ALL` of subqueries
//! that are IN, and OVERLAPS: each in terms of plain comparisons.

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident,
    SelectItem, TableAlias, TableAliasColumnDef, TableFactor, Value,
};

use super::collections::negated;
use super::{call_with, last_part, set_returning};
use crate::error::{Error, Result, SqlState};

/// Rewrites an expression before its parts are.
pub(super) fn rewrite(expr: &mut Expr) -> Result<()> {
    match expr {
        Expr::BinaryOp { left, op, right } => {
            let (Some(left), Some(right)) = (row(left), row(right)) else {
                return Ok(());
            };
            if *op == BinaryOperator::Overlaps {
                *expr = overlaps(left, right)?;
                return Ok(());
            }
            if left.len() != right.len() {
                return Err(Error::new(
                    SqlState::SYNTAX_ERROR,
                    "unequal number of entries in row expressions",
                ));
            }
            if let Some(compared) = compared(&left, op, &right) {
                *expr = Expr::Nested(Box::new(compared));
            }
        }
        Expr::InList {
            expr: wanted,
            list,
            negated: not,
        } => {
            let Some(wanted) = row(wanted) else {
                return Ok(());
            };
            let rows: Option<Vec<Vec<Expr>>> = list.iter().map(row).collect();
            let Some(rows) = rows else { return Ok(()) };
            let any = rows
                .into_iter()
                .filter_map(|row| compared(&wanted, &BinaryOperator::Eq, &row))
                .reduce(|a, b| connected(a, BinaryOperator::Or, b));
            if let Some(any) = any {
                *expr = match *not {
                    true => negated(any),
                    false => Expr::Nested(Box::new(any)),
                };
            }
        }
        Expr::InSubquery {
            expr: wanted,
            subquery,
            negated: false,
        } => {
            let Some(wanted) = row(wanted) else {
                return Ok(());
            };
            *expr = exists(wanted, subquery.as_ref().clone());
        }
        Expr::InSubquery {
            expr: wanted,
            negated: true,
            ..
        } if row(wanted).is_some() => {
            return Err(Error::unsupported("NOT IN of rows is not supported here"));
        }
        Expr::AnyOp {
            left,
            compare_op: BinaryOperator::Eq,
            right,
            ..
        } => {
            if let Some(Expr::Subquery(subquery)) = unnested(right) {
                *expr = Expr::InSubquery {
                    expr: left.clone(),
                    subquery,
                    negated: false,
                };
            }
        }
        Expr::AllOp {
            left,
            compare_op: BinaryOperator::NotEq,
            right,
        } => {
            if let Some(Expr::Subquery(subquery)) = unnested(right) {
                *expr = Expr::InSubquery {
                    expr: left.clone(),
                    subquery,
                    negated: true,
                };
            }
        }
        Expr::AnyOp { right, .. } | Expr::AllOp { right, .. }
            if matches!(unnested(right), Some(Expr::Subquery(_))) =>
        {
            return Err(Error::unsupported(
                "ANY and ALL of a subquery are supported with = ANY and <> ALL only",
            ));
        }
        _ => {}
    }
    Ok(())
}

fn unnested(expr: &Expr) -> Option<Expr> {
    match expr {
        Expr::Nested(inner) => unnested(inner),
        other => Some(other.clone()),
    }
}

/// The values of `(a, b)` and `ROW(a, b)`.
fn row(expr: &Expr) -> Option<Vec<Expr>> {
    match expr {
        Expr::Tuple(values) => Some(values.clone()),
        Expr::Function(Function { name, args, .. }) if last_part(name)? == "row" => {
            let FunctionArguments::List(list) = args else {
                return None;
            };
            list.args
                .iter()
                .map(|arg| match arg {
                    FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
                    _ => None,
                })
                .collect()
        }
        _ => None,
    }
}

fn connected(left: Expr, op: BinaryOperator, right: Expr) -> Expr {
    Expr::BinaryOp {
        left: Box::new(Expr::Nested(Box::new(left))),
        op,
        right: Box::new(Expr::Nested(Box::new(right))),
    }
}

fn compared(left: &[Expr], op: &BinaryOperator, right: &[Expr]) -> Option<Expr> {
    let (strict, connective) = match op {
        BinaryOperator::Eq => (BinaryOperator::Eq, BinaryOperator::And),
        BinaryOperator::NotEq => (BinaryOperator::NotEq, BinaryOperator::Or),
        BinaryOperator::Lt | BinaryOperator::LtEq => return ordered(left, op, right),
        BinaryOperator::Gt | BinaryOperator::GtEq => return ordered(left, op, right),
        _ => return None,
    };
    left.iter()
        .zip(right)
        .map(|(left, right)| connected(left.clone(), strict.clone(), right.clone()))
        .reduce(|a, b| connected(a, connective.clone(), b))
}

/// The first pair that differs decides: `a < x OR (a = x AND (b < y OR …))`.
fn ordered(left: &[Expr], op: &BinaryOperator, right: &[Expr]) -> Option<Expr> {
    let ((a, rest), (x, others)) = (left.split_first()?, right.split_first()?);
    if rest.is_empty() {
        return Some(connected(a.clone(), op.clone(), x.clone()));
    }
    let strict = match op {
        BinaryOperator::Lt | BinaryOperator::LtEq => BinaryOperator::Lt,
        _ => BinaryOperator::Gt,
    };
    let equal = connected(a.clone(), BinaryOperator::Eq, x.clone());
    let first = connected(a.clone(), strict, x.clone());
    let later = connected(equal, BinaryOperator::And, ordered(rest, op, others)?);
    Some(connected(first, BinaryOperator::Or, later))
}

/// `(a, b) IN (SELECT …)` → `EXISTS (SELECT FROM (SELECT …) r (…) WHERE a = r.… AND b = r.…)`
fn exists(wanted: Vec<Expr>, subquery: datafusion::sql::sqlparser::ast::Query) -> Expr {
    let names: Vec<String> = (1..=wanted.len())
        .map(|at| format!("row column {at}"))
        .collect();
    let columns: Vec<Expr> = names
        .iter()
        .map(|name| {
            Expr::CompoundIdentifier(vec![
                Ident::with_quote('"', "rows"),
                Ident::with_quote('"', name.clone()),
            ])
        })
        .collect();
    let rows = TableFactor::Derived {
        lateral: false,
        subquery: Box::new(subquery),
        alias: Some(TableAlias {
            explicit: true,
            name: Ident::with_quote('"', "rows"),
            columns: names
                .into_iter()
                .map(|name| TableAliasColumnDef {
                    name: Ident::with_quote('"', name),
                    data_type: None,
                })
                .collect(),
            at: None,
        }),
        sample: None,
    };
    let one = Expr::value(Value::Number("1".into(), false));
    let mut query = set_returning::query_of(vec![SelectItem::UnnamedExpr(one)], Some(rows));
    if let datafusion::sql::sqlparser::ast::SetExpr::Select(select) = query.body.as_mut() {
        select.selection = compared(&wanted, &BinaryOperator::Eq, &columns);
    }
    Expr::Exists {
        subquery: Box::new(query),
        negated: false,
    }
}

/// `(start, end) OVERLAPS (start, end)`; an end may be a length.
fn overlaps(left: Vec<Expr>, right: Vec<Expr>) -> Result<Expr> {
    let ([a, b], [c, d]) = (left.as_slice(), right.as_slice()) else {
        return Err(Error::new(
            SqlState::SYNTAX_ERROR,
            "wrong number of parameters on left side of OVERLAPS expression",
        ));
    };
    let all = [a, b, c, d].map(Clone::clone).to_vec();
    Ok(call_with("overlaps", all))
}
