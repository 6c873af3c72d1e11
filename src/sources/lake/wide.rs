//! The source of files with deletes by key: it reads what was asked for and the
//! columns of keys behind it. Held beside the source that the engine sees, which
//! has what was asked for alone; what the engine tells one is told the other.

use std::sync::Arc;

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::datasource::physical_plan::FileSource;
use datafusion::error::Result;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::projection::{ProjectionExpr, ProjectionExprs};

use super::deletes::KeySets;

#[derive(Debug, Clone)]
pub(super) struct Keys {
    pub(super) sets: Arc<KeySets>,
    /// The columns of keys, as positions in the snapshot.
    pub(super) columns: Arc<[usize]>,
}

#[derive(Clone)]
pub(super) struct Wide {
    pub(super) source: Arc<dyn FileSource>,
    pub(super) keys: Keys,
}

impl Wide {
    /// `source` reads all columns of its table; `columns` are where the keys' are among them.
    pub(super) fn new(
        source: &Arc<dyn FileSource>,
        keys: Keys,
        columns: &[usize],
    ) -> Result<Option<Wide>> {
        let schema = source.table_schema().table_schema();
        let all = (0..schema.fields().len()).chain(columns.iter().copied());
        let projection = ProjectionExprs::new(all.enumerate().map(|(at, column)| {
            let name = schema.field(column).name();
            ProjectionExpr {
                expr: Arc::new(Column::new(name, column)),
                alias: match at < schema.fields().len() {
                    true => name.clone(),
                    false => key_name(at),
                },
            }
        }));
        Ok(source
            .try_pushdown_projection(&projection)?
            .map(|source| Wide { source, keys }))
    }

    /// Of what was asked for so far, which has `width` columns, only `projection`.
    pub(super) fn project(
        &self,
        projection: &ProjectionExprs,
        width: usize,
    ) -> Result<Option<Wide>> {
        let asked: Vec<ProjectionExpr> = projection.iter().cloned().collect();
        let count = asked.len();
        let keys = (0..self.keys.columns.len()).map(|key| ProjectionExpr {
            expr: Arc::new(Column::new(&key_name(width + key), width + key)),
            alias: key_name(count + key),
        });
        let projection = ProjectionExprs::new(asked.into_iter().chain(keys));
        Ok(self
            .source
            .try_pushdown_projection(&projection)?
            .map(|source| self.around(source)))
    }

    pub(super) fn around(&self, source: Arc<dyn FileSource>) -> Wide {
        Wide {
            source,
            keys: self.keys.clone(),
        }
    }
}

/// How many columns a source gives.
pub(super) fn width_of(source: &Arc<dyn FileSource>) -> usize {
    let table: &SchemaRef = source.table_schema().table_schema();
    source
        .projection()
        .map_or(table.fields().len(), |projection| projection.iter().count())
}

fn key_name(at: usize) -> String {
    format!("key {at}")
}
