//! Columns that are carried as text, or by an Arrow type that lacks values, where
//! a statement compares or sorts them: done as Postgres does it, or refused where
//! the engine would give another answer. The analyzer's first rule, while casts
//! that the statement asks for are still there.

mod origin;

use datafusion::common::ScalarValue;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::expr::{BinaryExpr, Case};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Distinct, Expr, LogicalPlan, Operator, SortExpr, lit};
use datafusion::optimizer::AnalyzerRule;

use crate::error::{Error, Result, SqlState};
use crate::sources::postgres::order_key;

use origin::{Carried, Origin, is_in, of_expr, of_output};

/// Functions of text that Postgres has for ranges, bits or tsvector as well, with
/// other answers than of their text, or that compare.
const OF_TEXT: &[&str] = &[
    "lower",
    "upper",
    "length",
    "octet_length",
    "bit_length",
    "substring",
    "substr",
    "overlay",
    "position",
    "strpos",
    "greatest",
    "least",
];

#[derive(Debug)]
pub struct Compared;

impl AnalyzerRule for Compared {
    fn name(&self) -> &str {
        "compared_columns"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> EngineResult<LogicalPlan> {
        let mut any = false;
        plan.apply_with_subqueries(|node| {
            any |= matches!(node, LogicalPlan::TableScan(scan) if is_in(scan));
            Ok(TreeNodeRecursion::Continue)
        })?;
        match any {
            true => Ok(plan.transform_up_with_subqueries(node)?.data),
            false => Ok(plan),
        }
    }
}

fn node(plan: LogicalPlan) -> EngineResult<Transformed<LogicalPlan>> {
    check_keys(&plan)?;
    if let LogicalPlan::Sort(mut sort) = plan {
        let whole = LogicalPlan::Sort(sort.clone());
        for key in &mut sort.expr {
            if let Some(origin) = of_expr(&key.expr, &whole) {
                key.expr = sort_key(std::mem::take(&mut key.expr), &origin)?;
            }
        }
        return Ok(Transformed::yes(LogicalPlan::Sort(sort)));
    }
    let whole = plan.clone();
    let names = NamePreserver::new(&plan);
    plan.map_expressions(|expr| {
        let name = names.save(&expr);
        let rewritten = expr.transform_down(|expr| Ok(comparison(expr, &whole)?))?;
        Ok(rewritten.update_data(|expr| name.restore(expr)))
    })
}

/// What a node compares for equality, or sorts by within an expression.
fn check_keys(plan: &LogicalPlan) -> Result<()> {
    let equal = |expr: &Expr| match of_expr(expr, plan) {
        Some(origin) => must_be_equal_by_text(&origin),
        None => Ok(()),
    };
    match plan {
        LogicalPlan::Distinct(Distinct::All(input)) => {
            for index in 0..input.schema().fields().len() {
                if let Some(origin) = of_output(input, index) {
                    must_be_equal_by_text(&origin)?;
                }
            }
            Ok(())
        }
        LogicalPlan::Distinct(Distinct::On(on)) => {
            on.on_expr.iter().try_for_each(equal)?;
            check_order(on.sort_expr.iter().flatten(), plan)
        }
        LogicalPlan::Aggregate(node) => node.group_expr.iter().try_for_each(equal),
        LogicalPlan::Join(node) => node
            .on
            .iter()
            .flat_map(|(left, right)| [left, right])
            .try_for_each(equal),
        _ => Ok(()),
    }
}

fn check_order<'a>(keys: impl Iterator<Item = &'a SortExpr>, plan: &LogicalPlan) -> Result<()> {
    for key in keys {
        if let Some(origin) = of_expr(&key.expr, plan)
            && origin.carried == Carried::AsText
            && !origin.sent.sorts_as_text()
        {
            return Err(refused("sorted here", &origin));
        }
    }
    Ok(())
}

/// Comparisons, and calls that compare.
fn comparison(expr: Expr, plan: &LogicalPlan) -> Result<Transformed<Expr>> {
    match &expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            let found = (of_expr(left, plan), of_expr(right, plan));
            let ((Some(origin), _) | (None, Some(origin))) = found else {
                return Ok(Transformed::no(expr));
            };
            if origin.carried == Carried::Native {
                return Ok(Transformed::no(expr));
            }
            if let Some(labels) = &origin.labels {
                check_label(left, labels, &origin)?;
                check_label(right, labels, &origin)?;
            }
            match op {
                Operator::Eq
                | Operator::NotEq
                | Operator::IsDistinctFrom
                | Operator::IsNotDistinctFrom => must_be_equal_by_text(&origin)?,
                Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq => {
                    return in_order(expr, &origin, plan);
                }
                _ => {}
            }
        }
        Expr::InList(list) => {
            if let Some(origin) = of_expr(&list.expr, plan) {
                must_be_equal_by_text(&origin)?;
                if let Some(labels) = &origin.labels {
                    for member in &list.list {
                        check_label(member, labels, &origin)?;
                    }
                }
            }
        }
        Expr::InSubquery(list) => {
            if let Some(origin) = of_expr(&list.expr, plan) {
                must_be_equal_by_text(&origin)?;
            }
        }
        // NULL in every field is NULL too: section 9.2 of the Postgres manual
        Expr::IsNull(inner) | Expr::IsNotNull(inner) => match of_expr(inner, plan) {
            Some(origin) if origin.sent.is_composite() => {
                return Err(refused("tested for NULL here", &origin));
            }
            _ => {}
        },
        Expr::ScalarFunction(call) if OF_TEXT.contains(&call.func.name()) => {
            for arg in &call.args {
                if let Some(origin) = of_expr(arg, plan)
                    && origin.carried == Carried::AsText
                {
                    let what = format!("given to {} here", call.func.name());
                    return Err(refused(&what, &origin));
                }
            }
        }
        Expr::AggregateFunction(call) => {
            check_order(call.params.order_by.iter(), plan)?;
            let first = call.params.args.first();
            if let Some(origin) = first.and_then(|first| of_expr(first, plan)) {
                let sorts = matches!(call.func.name(), "min" | "max");
                if sorts && origin.carried == Carried::AsText && !origin.sent.sorts_as_text() {
                    return Err(refused("sorted here", &origin));
                }
                if call.params.distinct {
                    must_be_equal_by_text(&origin)?;
                }
            }
        }
        Expr::WindowFunction(call) => {
            check_order(call.params.order_by.iter(), plan)?;
            for key in &call.params.partition_by {
                if let Some(origin) = of_expr(key, plan) {
                    must_be_equal_by_text(&origin)?;
                }
            }
        }
        _ => {}
    }
    Ok(Transformed::no(expr))
}

fn must_be_equal_by_text(origin: &Origin) -> Result<()> {
    match origin.carried == Carried::Native || origin.sent.is_equal_by_text() {
        true => Ok(()),
        false => Err(refused("compared here", origin)),
    }
}

/// What sorts as the source sorts the column.
fn sort_key(expr: Expr, origin: &Origin) -> Result<Expr> {
    if let Some(labels) = &origin.labels {
        return Ok(rank(expr, labels));
    }
    if origin.sent.has_order_key() {
        return Ok(order_key().call(vec![expr]));
    }
    match origin.sent.sorts_as_text() {
        true => Ok(expr),
        false => Err(refused("sorted here", origin)),
    }
}

/// `<` and its like: an enum's by its labels' order.
fn in_order(expr: Expr, origin: &Origin, plan: &LogicalPlan) -> Result<Transformed<Expr>> {
    let (Some(labels), Expr::BinaryExpr(BinaryExpr { left, op, right })) = (&origin.labels, &expr)
    else {
        return match origin.sent.sorts_as_text() {
            true => Ok(Transformed::no(expr)),
            false => Err(refused("compared here", origin)),
        };
    };
    let ranked = |side: &Expr| -> Result<Box<Expr>> {
        let is_literal = label_of(side).is_some();
        let is_same = of_expr(side, plan).is_some_and(|other| other.sent == origin.sent);
        match is_literal || is_same {
            true => Ok(Box::new(rank(side.clone(), labels))),
            false => Err(refused("compared here", origin)),
        }
    };
    let ranks = BinaryExpr::new(ranked(left)?, *op, ranked(right)?);
    Ok(Transformed::new(
        Expr::BinaryExpr(ranks),
        true,
        TreeNodeRecursion::Jump,
    ))
}

/// The place of a value among an enum's labels.
fn rank(expr: Expr, labels: &[String]) -> Expr {
    let places = labels.iter().zip(0i32..);
    if let Some(label) = label_of(&expr) {
        let place = places.clone().find(|(known, _)| *known == label);
        return lit(ScalarValue::Int32(place.map(|(_, place)| place)));
    }
    let places = places.map(|(label, place)| (Box::new(lit(label.clone())), Box::new(lit(place))));
    Expr::Case(Case {
        expr: Some(Box::new(expr)),
        when_then_expr: places.collect(),
        else_expr: None,
    })
}

fn label_of(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Literal(value, _) => value.try_as_str().flatten(),
        _ => None,
    }
}

/// 22P02, as Postgres says it of what is none of an enum's labels.
fn check_label(expr: &Expr, labels: &[String], origin: &Origin) -> Result<()> {
    match label_of(expr) {
        Some(label) if !labels.iter().any(|known| known == label) => Err(Error::new(
            SqlState::INVALID_TEXT_REPRESENTATION,
            format!(
                "invalid input value for enum {}: \"{label}\"",
                origin.type_name
            ),
        )),
        _ => Ok(()),
    }
}

/// 0A000, with what to do instead.
fn refused(what: &str, origin: &Origin) -> Error {
    refusal(what, &origin.type_name, &origin.column)
}

pub(super) fn refusal(what: &str, type_name: &str, column: &str) -> Error {
    Error::unsupported(format!(
        "values of type {type_name} cannot be {what} (column \"{column}\")"
    ))
    .with_hint(
        "Cast the column to text if its text is meant, or run the statement on its source: \
         SET narrows.route = 'relay'.",
    )
}
