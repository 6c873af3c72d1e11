//! Correlated scalar subqueries in the form that the engine decorrelates: only
//! equalities between an inner and an outer column may name the outer query.
//!
//! - Where `inner.x = outer.y` holds, other conditions may say `inner.x` for `outer.y`.
//! - A condition on the outer query alone goes around the subquery:
//!   `(SELECT x … WHERE outer.p AND q)` is `CASE WHEN outer.p THEN (SELECT x … WHERE q) END`.

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CaseWhen, Expr, Query, Select, SetExpr, TableFactor, Visit, VisitMut, Visitor,
    VisitorMut,
};

use super::super::columns::folded;
use super::last_part;

/// `expr` is a scalar subquery that gives NULL for no row.
pub(super) fn simplify(expr: &mut Expr) {
    let Expr::Subquery(query) = expr else {
        return;
    };
    let SetExpr::Select(select) = query.body.as_mut() else {
        return;
    };
    let Some(inner) = names_of(select) else {
        return;
    };
    let Some(selection) = select.selection.take() else {
        return;
    };
    let mut conditions = Vec::new();
    split(selection, &mut conditions);
    substitute(&mut conditions, &inner);
    let (outer, kept): (Vec<Expr>, Vec<Expr>) = conditions
        .into_iter()
        .partition(|condition| is_outer_only(condition, &inner));
    select.selection = join(kept);
    if let Some(outer) = join(outer) {
        *expr = Expr::Case {
            case_token: AttachedToken::empty(),
            end_token: AttachedToken::empty(),
            operand: None,
            conditions: vec![CaseWhen {
                condition: outer,
                result: expr.clone(),
            }],
            else_result: None,
        };
    }
}

/// The names by which a SELECT's own tables are called; `None` where some have none.
pub(super) fn names_of(select: &Select) -> Option<HashSet<String>> {
    select
        .from
        .iter()
        .flat_map(|from| {
            std::iter::once(&from.relation).chain(from.joins.iter().map(|join| &join.relation))
        })
        .map(|factor| match factor {
            TableFactor::Table { name, alias, .. } => match alias {
                Some(alias) => Some(folded(&alias.name)),
                None => last_part(name),
            },
            TableFactor::Derived { alias, .. } => Some(folded(&alias.as_ref()?.name)),
            _ => None,
        })
        .collect()
}

pub(super) fn split(condition: Expr, conditions: &mut Vec<Expr>) {
    match condition {
        Expr::BinaryOp {
            left,
            op: BinaryOperator::And,
            right,
        } => {
            split(*left, conditions);
            split(*right, conditions);
        }
        other => conditions.push(other),
    }
}

pub(super) fn join(conditions: Vec<Expr>) -> Option<Expr> {
    conditions.into_iter().reduce(|left, right| Expr::BinaryOp {
        left: Box::new(left),
        op: BinaryOperator::And,
        right: Box::new(right),
    })
}

/// Whose column is it? `None`: unqualified, so unknown.
pub(super) fn is_inner(expr: &Expr, inner: &HashSet<String>) -> Option<bool> {
    match expr {
        Expr::CompoundIdentifier(parts) => {
            let [.., table, _] = parts.as_slice() else {
                return None;
            };
            Some(inner.contains(&folded(table)))
        }
        _ => None,
    }
}

fn substitute(conditions: &mut [Expr], inner: &HashSet<String>) {
    let equal: Vec<(Expr, Expr)> = conditions
        .iter()
        .filter_map(|condition| match condition {
            Expr::BinaryOp {
                left,
                op: BinaryOperator::Eq,
                right,
            } => match (is_inner(left, inner)?, is_inner(right, inner)?) {
                (true, false) => Some((right.as_ref().clone(), left.as_ref().clone())),
                (false, true) => Some((left.as_ref().clone(), right.as_ref().clone())),
                _ => None,
            },
            _ => None,
        })
        .collect();
    for condition in conditions {
        let is_link = matches!(
            condition,
            Expr::BinaryOp { left, op: BinaryOperator::Eq, right }
                if is_inner(left, inner).is_some() && is_inner(right, inner).is_some()
        );
        if !is_link {
            let _ = condition.visit(&mut Replacer { equal: &equal });
        }
    }
}

struct Replacer<'a> {
    equal: &'a [(Expr, Expr)],
}

impl VisitorMut for Replacer<'_> {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Some((_, replacement)) = self.equal.iter().find(|(outer, _)| outer == expr) {
            *expr = replacement.clone();
        }
        ControlFlow::Continue(())
    }
}

/// Every column is qualified by a name from outside, and there is one.
fn is_outer_only(condition: &Expr, inner: &HashSet<String>) -> bool {
    struct Search<'a> {
        inner: &'a HashSet<String>,
        outer: bool,
    }

    impl Visitor for Search<'_> {
        type Break = ();

        fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
            ControlFlow::Break(())
        }

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            match expr {
                Expr::Identifier(_) => ControlFlow::Break(()),
                Expr::CompoundIdentifier(_) => match is_inner(expr, self.inner) {
                    Some(false) => {
                        self.outer = true;
                        ControlFlow::Continue(())
                    }
                    _ => ControlFlow::Break(()),
                },
                _ => ControlFlow::Continue(()),
            }
        }
    }

    let mut search = Search {
        inner,
        outer: false,
    };
    condition.visit(&mut search).is_continue() && search.outer
}
