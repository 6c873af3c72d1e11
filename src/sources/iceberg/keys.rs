//! The columns by which rows are deleted: those of the table, or hidden ones for
//! what clients do not see as it is stored. Called when a table is loaded.

use datafusion::arrow::datatypes::FieldRef;
use iceberg::spec::{NestedFieldRef, PrimitiveType, TableMetadata, Type};

use super::metadata::refused;
use super::schema::{IcebergColumn, hidden_column};
use crate::error::Result;
use crate::names::RelationName;
use crate::sources::lake::ColumnSource;

/// The columns of a table and those hidden behind them.
#[derive(Debug)]
pub(super) struct Columns {
    pub(super) visible: Vec<IcebergColumn>,
    hidden: Vec<IcebergColumn>,
}

impl Columns {
    /// Hides one column for each of `ids` that no visible column has as it is
    /// stored. 0A000 for keys that are no columns of simple types.
    pub(super) fn new(
        table: &RelationName,
        metadata: &TableMetadata,
        visible: Vec<IcebergColumn>,
        ids: impl IntoIterator<Item = i32>,
    ) -> Result<Columns> {
        let mut columns = Columns {
            visible,
            hidden: Vec::new(),
        };
        for id in ids {
            if columns.position(id).is_some() {
                continue;
            }
            let field = latest(metadata, id)
                .filter(|field| field.field_type.is_primitive())
                .ok_or_else(|| refused(table, "equality deletes by nested columns"))?;
            let name = (0..)
                .map(|number| format!("{} {id} {number}", field.name))
                .find(|name| columns.visible.iter().all(|c| c.field.name() != name));
            let hidden = hidden_column(metadata, &field, &name.unwrap_or_default())?;
            columns.hidden.push(hidden);
        }
        Ok(columns)
    }

    /// Where keys find a column.
    pub(super) fn position(&self, id: i32) -> Option<usize> {
        let all = self.all().enumerate();
        let mut stored = all.filter(|(_, column)| column.id == id && is_whole(column));
        stored.next().map(|(position, _)| position)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &IcebergColumn> {
        self.visible.iter().chain(&self.hidden)
    }

    pub(super) fn hidden(&self) -> Vec<(FieldRef, ColumnSource)> {
        let column = |column: &IcebergColumn| (column.field.clone().into(), column.source.clone());
        self.hidden.iter().map(column).collect()
    }
}

/// Does the column have all that is stored? Of nanoseconds clients see a part.
fn is_whole(column: &IcebergColumn) -> bool {
    match &column.iceberg {
        Type::Primitive(PrimitiveType::TimestampNs | PrimitiveType::TimestamptzNs) => column.hidden,
        other => other.is_primitive(),
    }
}

/// The column of this id in the newest schema that has it.
fn latest(metadata: &TableMetadata, id: i32) -> Option<NestedFieldRef> {
    let current = metadata.current_schema();
    let mut schemas: Vec<_> = metadata.schemas_iter().collect();
    schemas.sort_by_key(|schema| std::cmp::Reverse(schema.schema_id()));
    std::iter::once(current)
        .chain(schemas)
        .flat_map(|schema| schema.as_struct().fields())
        .find(|field| field.id == id)
        .cloned()
}
