//! What the engine's SQL planner asks while it reads expressions: operators,
//! and the syntax that stands for a function call.

use datafusion::common::DFSchema;
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::expr::{
    AggregateFunction, Cast, WindowFunction, WindowFunctionParams,
};
use datafusion::logical_expr::planner::{
    ExprPlanner, PlannerResult, RawAggregateExpr, RawBinaryExpr, RawFieldAccessExpr, RawWindowExpr,
};
use datafusion::logical_expr::{Expr, GetFieldAccess, Operator};
use datafusion::sql::sqlparser::ast::BinaryOperator;

use super::analyze::connected;
use super::functions;
use super::operators;
use super::typed::{Known, cast_field};
use crate::error::{Error, SqlState};
use crate::types::PgType;

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
            return Ok(PlannerResult::Planned(planned));
        }
        if let Some(operator) = match expr.op {
            BinaryOperator::And => Some(Operator::And),
            BinaryOperator::Or => Some(Operator::Or),
            _ => None,
        } {
            let planned = connected(expr.left, operator, expr.right, schema, None)?;
            return Ok(PlannerResult::Planned(planned));
        }
        let symbol = expr.op.to_string();
        let (left, right) = (
            operators::integer_literal(expr.left),
            operators::integer_literal(expr.right),
        );
        let known = (Known::of(&left, schema)?, Known::of(&right, schema)?);
        if symbol.ends_with(" any") || symbol.ends_with(" all") {
            let planned = operators::of_array(&symbol, (left, known.0), (right, known.1), None)?;
            return Ok(PlannerResult::Planned(planned));
        }
        if functions::is_operator(&symbol) {
            let planned = operators::by_symbol(&symbol, (left, known.0), (right, known.1), None)?;
            return Ok(PlannerResult::Planned(planned));
        }
        Ok(PlannerResult::Original(RawBinaryExpr {
            op: expr.op,
            left,
            right,
        }))
    }

    fn plan_aggregate(
        &self,
        expr: RawAggregateExpr,
    ) -> EngineResult<PlannerResult<RawAggregateExpr>> {
        // the engine's counts are unsigned
        if expr.func.name() != "regr_count" {
            return Ok(PlannerResult::Original(expr));
        }
        let call = Expr::AggregateFunction(AggregateFunction::new_udf(
            expr.func,
            expr.args,
            expr.distinct,
            expr.filter,
            expr.order_by,
            expr.null_treatment,
        ));
        let cast = Cast::new_from_field(Box::new(call), cast_field(PgType::INT8));
        Ok(PlannerResult::Planned(Expr::Cast(cast)))
    }

    fn plan_window(&self, expr: RawWindowExpr) -> EngineResult<PlannerResult<RawWindowExpr>> {
        let pg_type = match expr.func_def.name() {
            "row_number" | "rank" | "dense_rank" => PgType::INT8,
            "ntile" => PgType::INT4,
            _ => return Ok(PlannerResult::Original(expr)),
        };
        let call = Expr::from(WindowFunction {
            fun: expr.func_def,
            params: WindowFunctionParams {
                args: expr.args,
                partition_by: expr.partition_by,
                order_by: expr.order_by,
                window_frame: expr.window_frame,
                filter: expr.filter,
                null_treatment: expr.null_treatment,
                distinct: expr.distinct,
            },
        });
        let cast = Cast::new_from_field(Box::new(call), cast_field(pg_type));
        Ok(PlannerResult::Planned(Expr::Cast(cast)))
    }

    fn plan_field_access(
        &self,
        access: RawFieldAccessExpr,
        schema: &DFSchema,
    ) -> EngineResult<PlannerResult<RawFieldAccessExpr>> {
        let RawFieldAccessExpr { field_access, expr } = access;
        let own = Known::of(&expr, schema)?;
        if own.is(PgType::JSONB) {
            let (key, known) = match field_access {
                GetFieldAccess::NamedStructField { name } => {
                    (Expr::Literal(name, None), Known::Unknown)
                }
                GetFieldAccess::ListIndex { key } => {
                    let key = operators::integer_literal(*key);
                    let known = Known::of(&key, schema)?;
                    (key, known)
                }
                GetFieldAccess::ListRange { .. } => {
                    return Err(Error::new(
                        SqlState::DATATYPE_MISMATCH,
                        "jsonb subscript does not support slices",
                    )
                    .into());
                }
            };
            let planned = operators::by_symbol("->", (expr, own), (key, known), None)?;
            return Ok(PlannerResult::Planned(planned));
        }
        let array = own.pg_type().is_some_and(|t| t.element().is_some());
        let call = match field_access {
            GetFieldAccess::ListIndex { key } if array => {
                functions::by_name("array_subscript").map(|f| f.call(vec![expr, *key]))
            }
            GetFieldAccess::ListIndex { .. } if own.pg_type().is_some_and(is_scalar) => {
                return Err(Error::new(
                    SqlState::DATATYPE_MISMATCH,
                    format!(
                        "cannot subscript type {} because it does not support subscripting",
                        own.name()
                    ),
                )
                .into());
            }
            GetFieldAccess::NamedStructField { name } if own.pg_type().is_some_and(is_scalar) => {
                let column = match &expr {
                    Expr::Column(column) => column.name.as_str(),
                    _ => "?column?",
                };
                return Err(Error::new(
                    SqlState::UNDEFINED_COLUMN,
                    format!("column {column}.{name} does not exist"),
                )
                .into());
            }
            GetFieldAccess::ListRange { start, stop, .. } if array => {
                functions::by_name("array_subscript_range")
                    .map(|f| f.call(vec![expr, *start, *stop]))
            }
            field_access => {
                return Ok(PlannerResult::Original(RawFieldAccessExpr {
                    field_access,
                    expr,
                }));
            }
        };
        let call = call.ok_or_else(|| Error::internal("array subscripts are not registered"))?;
        Ok(PlannerResult::Planned(call))
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

/// Neither an array nor a nested value, which are json here.
fn is_scalar(pg_type: PgType) -> bool {
    pg_type.element().is_none() && pg_type.oid != PgType::JSON.oid
}

fn named(name: &str, args: Vec<Expr>) -> EngineResult<PlannerResult<Vec<Expr>>> {
    Ok(match functions::by_name(name) {
        Some(function) => PlannerResult::Planned(function.call(args)),
        None => PlannerResult::Original(args),
    })
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
