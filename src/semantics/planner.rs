//! What the engine's SQL planner asks while it reads expressions: operators,
//! and the syntax that stands for a function call.

use datafusion::common::DFSchema;
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{Expr, Operator};
use datafusion::sql::sqlparser::ast::BinaryOperator;

use super::functions;
use super::operators;
use super::typed::Known;

#[derive(Debug)]
pub(super) struct PostgresExpressions;

impl ExprPlanner for PostgresExpressions {
    fn plan_binary_op(
        &self,
        expr: RawBinaryExpr,
        schema: &DFSchema,
    ) -> EngineResult<PlannerResult<RawBinaryExpr>> {
        if let Some(operator) = engine_operator(&expr.op) {
            let planned = operators::binary(expr.left, operator, expr.right, schema, None)?;
            // the engine plans operators of arrays
            if let Expr::BinaryExpr(binary) = &planned
                && binary.op == Operator::StringConcat
                && is_array_operation(&planned, schema)
                && let Expr::BinaryExpr(binary) = planned
            {
                return Ok(PlannerResult::Original(RawBinaryExpr {
                    op: expr.op,
                    left: *binary.left,
                    right: *binary.right,
                }));
            }
            return Ok(PlannerResult::Planned(planned));
        }
        let symbol = expr.op.to_string();
        let (left, right) = (
            operators::integer_literal(expr.left),
            operators::integer_literal(expr.right),
        );
        let known = (Known::of(&left, schema)?, Known::of(&right, schema)?);
        if functions::is_operator(&symbol) && !is_array(known.0) && !is_array(known.1) {
            let planned = operators::by_symbol(&symbol, (left, known.0), (right, known.1), None)?;
            return Ok(PlannerResult::Planned(planned));
        }
        Ok(PlannerResult::Original(RawBinaryExpr {
            op: expr.op,
            left,
            right,
        }))
    }

    fn plan_extract(&self, args: Vec<Expr>) -> EngineResult<PlannerResult<Vec<Expr>>> {
        named("extract", args)
    }

    fn plan_position(&self, args: Vec<Expr>) -> EngineResult<PlannerResult<Vec<Expr>>> {
        named("strpos", args)
    }

    fn plan_substring(&self, args: Vec<Expr>) -> EngineResult<PlannerResult<Vec<Expr>>> {
        named("substring", args)
    }

    fn plan_overlay(&self, args: Vec<Expr>) -> EngineResult<PlannerResult<Vec<Expr>>> {
        named("overlay", args)
    }
}

fn named(name: &str, args: Vec<Expr>) -> EngineResult<PlannerResult<Vec<Expr>>> {
    Ok(match functions::by_name(name) {
        Some(function) => PlannerResult::Planned(function.call(args)),
        None => PlannerResult::Original(args),
    })
}

fn is_array(known: Known) -> bool {
    known.pg_type().is_some_and(|t| t.element().is_some())
}

fn is_array_operation(expr: &Expr, schema: &DFSchema) -> bool {
    let Expr::BinaryExpr(binary) = expr else {
        return false;
    };
    [&binary.left, &binary.right]
        .into_iter()
        .any(|side| Known::of(side, schema).is_ok_and(is_array))
}

fn engine_operator(op: &BinaryOperator) -> Option<Operator> {
    Some(match op {
        BinaryOperator::Eq => Operator::Eq,
        BinaryOperator::NotEq => Operator::NotEq,
        BinaryOperator::Lt => Operator::Lt,
        BinaryOperator::LtEq => Operator::LtEq,
        BinaryOperator::Gt => Operator::Gt,
        BinaryOperator::GtEq => Operator::GtEq,
        BinaryOperator::Plus => Operator::Plus,
        BinaryOperator::Minus => Operator::Minus,
        BinaryOperator::Multiply => Operator::Multiply,
        BinaryOperator::Divide => Operator::Divide,
        BinaryOperator::Modulo => Operator::Modulo,
        BinaryOperator::StringConcat => Operator::StringConcat,
        BinaryOperator::BitwiseAnd => Operator::BitwiseAnd,
        BinaryOperator::BitwiseOr => Operator::BitwiseOr,
        BinaryOperator::PGBitwiseXor => Operator::BitwiseXor,
        BinaryOperator::PGBitwiseShiftLeft => Operator::BitwiseShiftLeft,
        BinaryOperator::PGBitwiseShiftRight => Operator::BitwiseShiftRight,
        _ => return None,
    })
}
