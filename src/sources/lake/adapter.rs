//! From the table's columns to one file's: by name or field id, with casts where
//! the types differ and a constant where the file has no such column. The
//! Parquet reader asks it for every file it opens, for projections and
//! predicates alike.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::Result;
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{
    BinaryExpr, CastExpr, Column, InListExpr, IsNotNullExpr, IsNullExpr, Literal,
};
use datafusion::scalar::ScalarValue;
use datafusion_physical_expr_adapter::{PhysicalExprAdapter, PhysicalExprAdapterFactory};
use parquet::arrow::PARQUET_FIELD_ID_META_KEY;

use super::fence::Fence;
use super::{ColumnKey, ColumnSource};
use crate::error::Error;

/// One for each scan.
#[derive(Debug)]
pub(super) struct LakeAdapterFactory {
    columns: HashMap<String, ColumnSource>,
}

impl LakeAdapterFactory {
    pub(super) fn new(schema: &Schema, sources: &[ColumnSource]) -> Self {
        LakeAdapterFactory {
            columns: schema
                .fields()
                .iter()
                .map(|field| field.name().clone())
                .zip(sources.iter().cloned())
                .collect(),
        }
    }
}

impl PhysicalExprAdapterFactory for LakeAdapterFactory {
    fn create(
        &self,
        logical: SchemaRef,
        physical: SchemaRef,
    ) -> Result<Arc<dyn PhysicalExprAdapter>> {
        let columns = logical
            .fields()
            .iter()
            .map(|field| {
                let read = match self.columns.get(field.name()) {
                    Some(source) => resolve(field, source, &physical),
                    None => Read::Refused(Error::internal(format!(
                        "column \"{}\" is not in the snapshot",
                        field.name()
                    ))),
                };
                (field.name().clone(), read)
            })
            .collect();
        Ok(Arc::new(LakeAdapter {
            has_floats: logical.fields().iter().any(|f| f.data_type().is_floating()),
            logical,
            columns,
        }))
    }
}

#[derive(Debug)]
struct LakeAdapter {
    logical: SchemaRef,
    columns: HashMap<String, Read>,
    has_floats: bool,
}

/// How one column is read from one file.
#[derive(Debug)]
enum Read {
    As(Arc<dyn PhysicalExpr>),
    /// The file has it in a way that cannot be read; an error only for
    /// statements that need the column.
    Refused(Error),
}

impl PhysicalExprAdapter for LakeAdapter {
    fn rewrite(&self, expr: Arc<dyn PhysicalExpr>) -> Result<Arc<dyn PhysicalExpr>> {
        let expr = if self.has_floats {
            fence_floats(expr, &self.logical)?
        } else {
            expr
        };
        let rewritten = expr.transform(|node| {
            let Some(column) = node.downcast_ref::<Column>() else {
                return Ok(Transformed::no(node));
            };
            match self.columns.get(column.name()) {
                Some(Read::As(read)) => Ok(Transformed::yes(read.clone())),
                Some(Read::Refused(error)) => Err(error.duplicate().into()),
                None => Err(
                    Error::internal(format!("column \"{}\" is in no file", column.name())).into(),
                ),
            }
        })?;
        Ok(rewritten.data)
    }
}

fn resolve(field: &Field, source: &ColumnSource, physical: &Schema) -> Read {
    let found = match &source.key {
        ColumnKey::Name(name) => physical.fields().find(name).map(|(index, _)| index),
        ColumnKey::FieldId { id, names } => {
            if physical
                .fields()
                .iter()
                .any(|field| field_id(field).is_some())
            {
                let wanted = Some(*id);
                physical
                    .fields()
                    .iter()
                    .position(|field| field_id(field) == wanted)
            } else {
                names
                    .iter()
                    .find_map(|name| physical.fields().find(name).map(|(index, _)| index))
            }
        }
    };
    let Some(index) = found else {
        return Read::As(Arc::new(Literal::new(source.missing.clone())));
    };
    let file_field = physical.field(index);
    if !same_nested_names(file_field, field) {
        return Read::Refused(Error::unsupported(format!(
            "column \"{}\" has a nested field that was renamed, which is not supported yet",
            field.name()
        )));
    }
    let column: Arc<dyn PhysicalExpr> = Arc::new(Column::new(file_field.name(), index));
    Read::As(cast(column, file_field.data_type(), field.data_type()))
}

fn cast(column: Arc<dyn PhysicalExpr>, from: &DataType, to: &DataType) -> Arc<dyn PhysicalExpr> {
    if from == to {
        return column;
    }
    let cast: Arc<dyn PhysicalExpr> = Arc::new(CastExpr::new(column, to.clone(), None));
    match (from, to) {
        // The engine moves a comparison's literal to the file's coarser unit and
        // drops what does not fit: ms < 1500 µs would become ms < 1.
        (
            DataType::Timestamp(TimeUnit::Second | TimeUnit::Millisecond, _),
            DataType::Timestamp(TimeUnit::Microsecond, _),
        ) => Fence::around(cast),
        _ => cast,
    }
}

pub(super) fn field_id(field: &Field) -> Option<i32> {
    field
        .metadata()
        .get(PARQUET_FIELD_ID_META_KEY)?
        .parse()
        .ok()
}

/// Structs are cast by name. Where both sides have ids, a name must mean the
/// same id on both, or values would land in the wrong field.
fn same_nested_names(file: &Field, table: &Field) -> bool {
    match (file.data_type(), table.data_type()) {
        (DataType::Struct(file), DataType::Struct(table)) => table.iter().all(|field| {
            let by_name = file.iter().find(|f| f.name() == field.name());
            let by_id =
                field_id(field).and_then(|id| file.iter().find(|f| field_id(f) == Some(id)));
            let ids_known = field_id(field).is_some() && file.iter().any(|f| field_id(f).is_some());
            match (by_name, by_id) {
                _ if !ids_known => by_name.is_none_or(|found| same_nested_names(found, field)),
                (Some(name), Some(id)) => Arc::ptr_eq(name, id) && same_nested_names(name, field),
                (None, None) => true,
                _ => false,
            }
        }),
        (
            DataType::List(file) | DataType::LargeList(file),
            DataType::List(table) | DataType::LargeList(table),
        )
        | (DataType::Map(file, _), DataType::Map(table, _)) => same_nested_names(file, table),
        _ => true,
    }
}

/// Parquet statistics leave NaN out, and NaN sorts above every number here as in
/// Postgres: `x > 5` must not skip a row group whose largest *number* is 3.
/// Comparisons that NaN cannot satisfy stay open to pruning, every other use of
/// a float column is fenced.
fn fence_floats(expr: Arc<dyn PhysicalExpr>, schema: &Schema) -> Result<Arc<dyn PhysicalExpr>> {
    if expr.downcast_ref::<Column>().is_some() || nan_never_satisfies(&expr) {
        return Ok(expr);
    }
    if let Some(binary) = expr.downcast_ref::<BinaryExpr>()
        && matches!(binary.op(), Operator::And | Operator::Or)
    {
        let left = fence_floats(binary.left().clone(), schema)?;
        let right = fence_floats(binary.right().clone(), schema)?;
        return Ok(Arc::new(BinaryExpr::new(left, *binary.op(), right)));
    }
    let fenced = expr.transform(|node| {
        let float = node.downcast_ref::<Column>().is_some_and(|column| {
            schema
                .field_with_name(column.name())
                .is_ok_and(|field| field.data_type().is_floating())
        });
        Ok(if float {
            Transformed::yes(Fence::around(node))
        } else {
            Transformed::no(node)
        })
    })?;
    Ok(fenced.data)
}

/// `x < 5`, `x <= 5`, `x = 5`, `x IN (1, 2)`, `x IS [NOT] NULL`: false for NaN, or
/// decided by counts of NULL alone.
fn nan_never_satisfies(expr: &Arc<dyn PhysicalExpr>) -> bool {
    if let Some(binary) = expr.downcast_ref::<BinaryExpr>() {
        let (left, right) = (binary.left(), binary.right());
        return match binary.op() {
            Operator::Eq => {
                is_column(left) && is_number(right) || is_number(left) && is_column(right)
            }
            Operator::Lt | Operator::LtEq => is_column(left) && is_number(right),
            Operator::Gt | Operator::GtEq => is_number(left) && is_column(right),
            _ => false,
        };
    }
    if let Some(list) = expr.downcast_ref::<InListExpr>() {
        return !list.negated() && is_column(list.expr()) && list.list().iter().all(is_number);
    }
    if let Some(is_null) = expr.downcast_ref::<IsNullExpr>() {
        return is_column(is_null.arg());
    }
    expr.downcast_ref::<IsNotNullExpr>()
        .is_some_and(|is_not_null| is_column(is_not_null.arg()))
}

/// A column, or a float4 column seen as float8.
fn is_column(expr: &Arc<dyn PhysicalExpr>) -> bool {
    match expr.downcast_ref::<CastExpr>() {
        Some(cast) => {
            cast.cast_type() == &DataType::Float64 && cast.expr().downcast_ref::<Column>().is_some()
        }
        None => expr.downcast_ref::<Column>().is_some(),
    }
}

fn is_number(expr: &Arc<dyn PhysicalExpr>) -> bool {
    expr.downcast_ref::<Literal>()
        .is_some_and(|literal| match literal.value() {
            ScalarValue::Float32(Some(value)) => !value.is_nan(),
            ScalarValue::Float64(Some(value)) => !value.is_nan(),
            _ => true,
        })
}
