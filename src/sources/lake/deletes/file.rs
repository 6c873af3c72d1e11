//! The columns of a delete file, with the types that they are wanted in. Called
//! for keys, and by the formats for positions.

use std::sync::Arc;

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::{FieldRef, Schema, SchemaRef};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{Column, Literal};
use datafusion::physical_expr::utils::{collect_columns, reassign_expr_columns};
use datafusion_physical_expr_adapter::PhysicalExprAdapterFactory;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::ObjectMeta;
use parquet::arrow::{ParquetRecordBatchStreamBuilder, ProjectionMask};

use super::super::ColumnSource;
use super::super::adapter::LakeAdapterFactory;
use super::super::footer::{parquet_failure, reader};
use super::corrupt;
use crate::error::Result;
use crate::names::RelationName;
use crate::sources::object_store::OpenStore;

/// Reads these columns of a Parquet file, batch by batch. XX001 where it lacks one.
pub async fn read_columns(
    table: &RelationName,
    store: &OpenStore,
    object: &ObjectMeta,
    columns: Vec<(FieldRef, ColumnSource)>,
) -> Result<BoxStream<'static, Result<Vec<ArrayRef>>>> {
    let failed = {
        let (table, store, object) = (table.clone(), store.clone(), object.clone());
        move |error| parquet_failure(&table, &store, &object, error)
    };
    let mut builder = ParquetRecordBatchStreamBuilder::new(reader(table, store, object))
        .await
        .map_err(&failed)?;
    let exprs = found_in(builder.schema(), columns).map_err(|error| match error {
        Missing::Column(name) => {
            let why = format!("it has no column \"{name}\"");
            corrupt(table, &store.show(&object.location), why)
        }
        Missing::Other(error) => error,
    })?;
    let roots = exprs.iter().flat_map(collect_columns);
    let mask = ProjectionMask::roots(
        builder.parquet_schema(),
        roots.map(|column| column.index()).collect::<Vec<_>>(),
    );
    builder = builder.with_projection(mask);
    let batches = builder.build().map_err(&failed)?;
    let read = batches.schema().clone();
    let exprs = exprs
        .into_iter()
        .map(|expr| reassign_expr_columns(expr, &read))
        .collect::<datafusion::error::Result<Vec<_>>>()?;
    let columns = batches.map_err(failed).map(move |batch| {
        let batch = batch?;
        let column = |expr: &Arc<dyn PhysicalExpr>| -> Result<ArrayRef> {
            Ok(expr.evaluate(&batch)?.into_array(batch.num_rows())?)
        };
        exprs.iter().map(column).collect()
    });
    Ok(columns.boxed())
}

enum Missing {
    Column(String),
    Other(crate::error::Error),
}

fn found_in(
    file: &SchemaRef,
    columns: Vec<(FieldRef, ColumnSource)>,
) -> std::result::Result<Vec<Arc<dyn PhysicalExpr>>, Missing> {
    let (fields, sources): (Vec<FieldRef>, Vec<ColumnSource>) = columns.into_iter().unzip();
    let schema = Arc::new(Schema::new(fields));
    let adapter = LakeAdapterFactory::new(&schema, &sources)
        .create(schema.clone(), file.clone())
        .map_err(|error| Missing::Other(error.into()))?;
    let found = |(at, field): (usize, &FieldRef)| {
        let expr = adapter
            .rewrite(Arc::new(Column::new(field.name(), at)))
            .map_err(|error| Missing::Other(error.into()))?;
        match expr.downcast_ref::<Literal>() {
            Some(_) => Err(Missing::Column(field.name().clone())),
            None => Ok(expr),
        }
    };
    schema.fields().iter().enumerate().map(found).collect()
}
