//! Syntax that the engine's planner reads otherwise than Postgres, put into a
//! form that both read alike. Called by `plan` once a statement is parsed and
//! its columns are named.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    self, BinaryOperator, DataType, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArgumentList, FunctionArguments, Ident, ObjectName, UnaryOperator, Value, VisitMut,
    VisitorMut,
};

/// Rewrites a statement in place.
pub fn normalize(statement: &mut ast::Statement) {
    let _ = statement.visit(&mut Normalizer);
}

struct Normalizer;

impl VisitorMut for Normalizer {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Some(rewritten) = rewritten(expr) {
            *expr = rewritten;
        }
        ControlFlow::Continue(())
    }
}

fn rewritten(expr: &mut Expr) -> Option<Expr> {
    match expr {
        Expr::UnaryOp { op, expr } => unary(*op, expr),
        Expr::AtTimeZone {
            timestamp,
            time_zone,
        } => Some(call(
            "timezone",
            vec![(**time_zone).clone(), (**timestamp).clone()],
        )),
        Expr::Interval(interval) => typed_interval(interval),
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

fn unary(op: UnaryOperator, operand: &Expr) -> Option<Expr> {
    let function = match op {
        UnaryOperator::PGSquareRoot => "sqrt",
        UnaryOperator::PGCubeRoot => "cbrt",
        UnaryOperator::PGAbs => "abs",
        UnaryOperator::BitwiseNot => "bitnot",
        // a sign binds tighter than a power: -2 ^ 2 is 4
        UnaryOperator::Minus => return signed_base(operand),
        _ => return None,
    };
    Some(call(function, vec![operand.clone()]))
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
    Some(Expr::Cast {
        kind: ast::CastKind::DoubleColon,
        expr: Box::new(Expr::value(Value::SingleQuotedString(text))),
        data_type: DataType::Interval {
            fields: None,
            precision: None,
        },
        array: false,
        format: None,
    })
}

fn call(name: &str, args: Vec<Expr>) -> Expr {
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
