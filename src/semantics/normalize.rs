//! Syntax that the engine's planner reads otherwise than Postgres, put into a
//! form that both read alike. Called by `plan` once a statement is parsed and
//! its columns are named.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    self, BinaryOperator, DataType, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArgumentList, FunctionArguments, Ident, ObjectName, SelectItem, SetExpr, UnaryOperator,
    Value, VisitMut, VisitorMut,
};

/// Rewrites a statement in place.
pub fn normalize(statement: &mut ast::Statement) {
    let _ = statement.visit(&mut Normalizer);
}

struct Normalizer;

impl VisitorMut for Normalizer {
    type Break = ();

    fn post_visit_query(&mut self, query: &mut ast::Query) -> ControlFlow<()> {
        super::same_casts::tell_apart(query);
        if let Some(with) = &mut query.with
            && with.recursive
        {
            with.cte_tables
                .iter_mut()
                .for_each(|cte| plain_terms(cte.query.body.as_mut()));
        }
        if let SetExpr::Values(values) = query.body.as_mut() {
            let cells = values
                .rows
                .iter_mut()
                .flat_map(|row| row.content.iter_mut());
            cells.for_each(|cell| *cell = call(super::CELL, vec![cell.clone()]));
        }
        ControlFlow::Continue(())
    }

    fn post_visit_select(&mut self, select: &mut ast::Select) -> ControlFlow<()> {
        for condition in select.selection.iter_mut().chain(&mut select.having) {
            if matches!(condition, Expr::Value(value)
                if matches!(value.value, Value::SingleQuotedString(_)))
            {
                *condition = cast(condition.clone(), DataType::Boolean);
            }
        }
        for item in &mut select.projection {
            if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item {
                typed_integer(expr);
            }
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Some(rewritten) = rewritten(expr) {
            *expr = rewritten;
        }
        ControlFlow::Continue(())
    }
}

/// The engine wants both terms of a recursive query to have the same metadata,
/// but only casts leave any.
fn plain_terms(body: &mut SetExpr) {
    let SetExpr::SetOperation { left, right, .. } = body else {
        return;
    };
    for term in [left, right] {
        let SetExpr::Select(select) = term.as_mut() else {
            continue;
        };
        for item in &mut select.projection {
            if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item
                && matches!(
                    expr,
                    Expr::Cast {
                        data_type: DataType::Text
                            | DataType::Varchar(_)
                            | DataType::BigInt(_)
                            | DataType::Int8(_),
                        ..
                    }
                )
            {
                *expr = call(super::CELL, vec![expr.clone()]);
            }
        }
    }
}

/// The planner takes whole numbers for bigint, and settles the types of what
/// is built on them before they can be corrected.
fn typed_integer(expr: &mut Expr) {
    let number = match expr {
        // the least integer has a digit string of its own that is none
        Expr::UnaryOp {
            op: UnaryOperator::Minus,
            expr: digits,
        } if digits.to_string() == "2147483648" => {
            *expr = cast(Expr::Nested(Box::new(expr.clone())), DataType::Int(None));
            return;
        }
        Expr::UnaryOp {
            op: UnaryOperator::Minus,
            expr,
        } => expr,
        Expr::Nested(inner) => return typed_integer(inner),
        other => other,
    };
    if let Expr::Value(value) = number
        && let Value::Number(text, _) = &value.value
        && text.parse::<i32>().is_ok()
    {
        *number = cast(number.clone(), DataType::Int(None));
    }
}

fn cast(expr: Expr, data_type: DataType) -> Expr {
    Expr::Cast {
        kind: ast::CastKind::DoubleColon,
        expr: Box::new(expr),
        data_type,
        array: false,
        format: None,
    }
}

/// Functions of the engine whose type is that of their arguments.
const TYPED_BY_ARGUMENTS: &[&str] = &[
    "coalesce",
    "greatest",
    "least",
    "nullif",
    "sum",
    "avg",
    "min",
    "max",
    "array_agg",
];

fn typed_arguments(function: &mut Function) {
    let name = match function.name.0.last().and_then(|part| part.as_ident()) {
        Some(ident) => ident.value.to_lowercase(),
        None => return,
    };
    if !TYPED_BY_ARGUMENTS.contains(&name.as_str()) {
        return;
    }
    let FunctionArguments::List(list) = &mut function.args else {
        return;
    };
    for arg in &mut list.args {
        if let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = arg {
            typed_integer(expr);
        }
    }
}

/// Powers of ten that no decimal carrier has are floats from the start.
fn large_exponent(text: &str) -> bool {
    text.split_once(['e', 'E'])
        .and_then(|(_, exponent)| exponent.parse::<i64>().ok())
        .is_some_and(|exponent| exponent.abs() > 30)
}

fn rewritten(expr: &mut Expr) -> Option<Expr> {
    match expr {
        Expr::Case {
            conditions,
            else_result,
            ..
        } => {
            for condition in conditions {
                typed_integer(&mut condition.result);
            }
            if let Some(result) = else_result {
                typed_integer(result);
            }
            None
        }
        Expr::Array(array) => {
            array.elem.iter_mut().for_each(typed_integer);
            None
        }
        Expr::Function(function) => {
            typed_arguments(function);
            None
        }
        Expr::Value(value) => match &value.value {
            Value::Number(text, _) if large_exponent(text) => Some(cast(
                Expr::value(Value::SingleQuotedString(text.to_string())),
                DataType::DoublePrecision,
            )),
            _ => None,
        },
        Expr::UnaryOp { op, expr } => unary(*op, expr),
        Expr::AtTimeZone {
            timestamp,
            time_zone,
        } => Some(call(
            "timezone",
            vec![(**time_zone).clone(), (**timestamp).clone()],
        )),
        Expr::Interval(interval) => typed_interval(interval),
        Expr::AnyOp {
            left,
            compare_op,
            right,
            ..
        } if !is_subquery(right) => Some(of_array(left, compare_op, right, "any")),
        Expr::AllOp {
            left,
            compare_op,
            right,
        } if !is_subquery(right) => Some(of_array(left, compare_op, right, "all")),
        Expr::Trim {
            trim_where: None,
            expr,
            trim_what,
            trim_characters,
        } => Some(Expr::Trim {
            expr: expr.clone(),
            trim_where: Some(ast::TrimWhereField::Both),
            trim_what: trim_what.clone(),
            trim_characters: trim_characters.clone(),
        }),
        _ => None,
    }
}

fn is_subquery(expr: &Expr) -> bool {
    match expr {
        Expr::Nested(inner) => is_subquery(inner),
        other => matches!(other, Expr::Subquery(_)),
    }
}

/// Planned with the operators, where both types are known.
fn of_array(left: &Expr, op: &BinaryOperator, right: &Expr, quantifier: &str) -> Expr {
    let symbol = match op {
        BinaryOperator::NotEq => "<>".to_string(),
        other => other.to_string(),
    };
    Expr::BinaryOp {
        left: Box::new(left.clone()),
        op: BinaryOperator::Custom(format!("{symbol} {quantifier}")),
        right: Box::new(right.clone()),
    }
}

fn unary(op: UnaryOperator, operand: &Expr) -> Option<Expr> {
    let function = match op {
        UnaryOperator::PGSquareRoot => "sqrt",
        UnaryOperator::PGCubeRoot => "cbrt",
        UnaryOperator::PGAbs => "abs",
        UnaryOperator::BitwiseNot => "bitnot",
        // a sign binds tighter than a power: -2 ^ 2 is 4
        UnaryOperator::Minus => return unsigned(operand).or_else(|| signed_base(operand)),
        _ => return None,
    };
    Some(call(function, vec![operand.clone()]))
}

/// Two signs before a number make none.
fn unsigned(operand: &Expr) -> Option<Expr> {
    match operand {
        Expr::Nested(inner) => unsigned(inner),
        Expr::UnaryOp {
            op: UnaryOperator::Minus,
            expr,
        } => match expr.as_ref() {
            Expr::Value(value) if matches!(value.value, Value::Number(..)) => {
                Some(Expr::Value(value.clone()))
            }
            _ => None,
        },
        _ => None,
    }
}

fn signed_base(operand: &Expr) -> Option<Expr> {
    let Expr::BinaryOp {
        left,
        op: BinaryOperator::PGExp,
        right,
    } = operand
    else {
        return None;
    };
    let base = signed_base(left).unwrap_or_else(|| Expr::UnaryOp {
        op: UnaryOperator::Minus,
        expr: left.clone(),
    });
    Some(Expr::BinaryOp {
        left: Box::new(base),
        op: BinaryOperator::PGExp,
        right: right.clone(),
    })
}

/// INTERVAL '…' is a cast of its text; a field after it says what a bare number counts.
fn typed_interval(interval: &ast::Interval) -> Option<Expr> {
    let Expr::Value(value) = interval.value.as_ref() else {
        return None;
    };
    let Value::SingleQuotedString(text) = &value.value else {
        return None;
    };
    if interval.leading_precision.is_some()
        || interval.last_field.is_some()
        || interval.fractional_seconds_precision.is_some()
    {
        return None;
    }
    let text = match &interval.leading_field {
        Some(field) if text.trim().parse::<f64>().is_ok() => format!("{text} {field}"),
        Some(_) => return None,
        None => text.clone(),
    };
    Some(cast(
        Expr::value(Value::SingleQuotedString(text)),
        DataType::Interval {
            fields: None,
            precision: None,
        },
    ))
}

pub(super) fn call(name: &str, args: Vec<Expr>) -> Expr {
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: args
                .into_iter()
                .map(|arg| FunctionArg::Unnamed(FunctionArgExpr::Expr(arg)))
                .collect(),
            clauses: vec![],
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: vec![],
    })
}
