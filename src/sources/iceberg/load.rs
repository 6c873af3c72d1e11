//! Iceberg metadata → a snapshot. Called by the table's reader; knows metadata,
//! not how files are read.

use std::sync::Arc;

use datafusion::arrow::datatypes::Schema;
use datafusion::scalar::ScalarValue;
use iceberg::spec::{DataContentType, DataFileFormat, Literal, Transform};

use super::deletes::DeleteIndex;
use super::keys::Columns;
use super::manifests::{Entry, Manifests};
use super::metadata::refused;
use super::opened::Opened;
use super::schema::columns;
use super::values::{bounds, scalar};
use super::versions::Chosen;
use crate::error::Result;
use crate::names::RelationName;
use crate::sources::lake::{DataFormat, LakeFile, Snapshot};

/// One version of a table.
pub(super) async fn snapshot(
    table: &RelationName,
    opened: &Opened,
    chosen: &Chosen,
) -> Result<Snapshot> {
    let (location, metadata) = (&opened.location, &opened.metadata);
    let manifests = Manifests::new(table, opened, chosen);
    let entries = manifests.entries().await?;
    let keys = entries
        .deletes
        .iter()
        .flat_map(|entry| entry.file().equality_ids().unwrap_or_default());
    let columns = Columns::new(table, metadata, columns(metadata, &chosen.schema)?, keys)?;
    let deletes = DeleteIndex::new(&manifests, &columns, &entries.deletes)?;
    let files = entries
        .data
        .iter()
        .map(|entry| {
            Ok(file(&manifests, &columns, entry)?.with_deletes(deletes.of(&columns, entry)))
        })
        .collect::<Result<_>>()?;
    let visible = columns.visible.iter();
    let fields: Vec<_> = visible.clone().map(|column| column.field.clone()).collect();
    let id = chosen.key().0;
    Ok(Snapshot {
        version: id.map_or_else(|| "empty".to_string(), |id| id.to_string()),
        schema: Arc::new(Schema::new(fields)),
        sources: visible
            .clone()
            .map(|column| column.source.clone())
            .collect(),
        hidden: columns.hidden(),
        store: location.store.clone(),
        format: DataFormat::Parquet,
        files,
        comment: metadata.properties().get("comment").cloned(),
        column_comments: visible.map(|column| column.comment.clone()).collect(),
    })
}

fn file(manifests: &Manifests<'_>, columns: &Columns, entry: &Entry) -> Result<LakeFile> {
    let file = entry.file();
    if file.content_type() != DataContentType::Data {
        let why = "a manifest of data files has delete files";
        return Err(manifests.corrupt("manifest", &entry.manifest, &why));
    }
    if file.file_format() != DataFileFormat::Parquet {
        let format = format!("data files of format \"{}\"", file.file_format());
        return Err(refused(manifests.table, &format));
    }
    let constants = constants(manifests, columns, entry)?;
    let bounds = columns
        .visible
        .iter()
        .map(|column| bounds(file, column))
        .collect();
    Ok(LakeFile::new(
        manifests.object(file)?,
        Some(file.record_count()),
        constants,
        bounds,
    ))
}

/// Columns that the partition gives their value: files made by Hive do not
/// hold them at all, and where they do the values are the same.
fn constants(
    manifests: &Manifests<'_>,
    columns: &Columns,
    entry: &Entry,
) -> Result<Vec<(usize, ScalarValue)>> {
    let mut constants = Vec::new();
    let partition = entry.file().partition();
    for (field, value) in entry.spec.fields().iter().zip(partition.fields()) {
        if field.transform != Transform::Identity {
            continue;
        }
        let of_field = columns.all().enumerate();
        for (position, column) in of_field.filter(|(_, column)| column.id == field.source_id) {
            let data_type = column.field.data_type();
            let value = match value.as_ref().and_then(Literal::as_primitive_literal) {
                None => ScalarValue::try_from(data_type)?,
                Some(literal) => scalar(&literal, &column.iceberg, data_type).ok_or_else(|| {
                    let why = format!("partition value of \"{}\" has another type", field.name);
                    manifests.corrupt("manifest", &entry.manifest, &why)
                })?,
            };
            constants.push((position, value));
        }
    }
    constants.sort_by_key(|(position, _)| *position);
    constants.dedup_by_key(|(position, _)| *position);
    Ok(constants)
}
