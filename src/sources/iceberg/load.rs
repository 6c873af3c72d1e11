//! Iceberg metadata → a snapshot. Called by the table's reader; knows metadata
//! and manifests, not how files are read.

use std::sync::Arc;

use datafusion::arrow::datatypes::Schema;
use datafusion::scalar::ScalarValue;
use futures::{StreamExt, TryStreamExt};
use iceberg::spec::{
    DataContentType, DataFile, DataFileFormat, Literal, Manifest, ManifestContentType,
    ManifestFile, ManifestList, PartitionSpec, TableMetadata, Transform,
};
use object_store::ObjectMeta;
use object_store::path::Path;

use super::metadata::{fetch, refused};
use super::opened::Opened;
use super::paths::Paths;
use super::schema::{IcebergColumn, columns};
use super::values::{bounds, scalar};
use super::versions::Chosen;
use crate::error::{Error, Result, SqlState};
use crate::names::RelationName;
use crate::sources::lake::{DataFormat, LakeFile, Snapshot};
use crate::sources::object_store::Location;

/// Manifests of one table read at the same time.
const CONCURRENT_MANIFESTS: usize = 8;

/// One version of a table.
pub(super) async fn snapshot(
    table: &RelationName,
    opened: &Opened,
    chosen: &Chosen,
) -> Result<Snapshot> {
    let Opened {
        location,
        metadata,
        metadata_file,
        ..
    } = opened;
    let columns = columns(metadata, &chosen.schema)?;
    let loader = Loader {
        table,
        location,
        metadata,
        chosen,
        paths: Paths::new(table, &location.store, metadata_file, metadata.location()),
        columns: &columns,
    };
    let files = loader.files().await?;
    let id = chosen.key().0;
    Ok(Snapshot {
        version: id.map_or_else(|| "empty".to_string(), |id| id.to_string()),
        schema: Arc::new(Schema::new(
            columns
                .iter()
                .map(|column| column.field.clone())
                .collect::<Vec<_>>(),
        )),
        sources: columns.iter().map(|column| column.source.clone()).collect(),
        store: location.store.clone(),
        format: DataFormat::Parquet,
        files,
        comment: metadata.properties().get("comment").cloned(),
        column_comments: columns.into_iter().map(|column| column.comment).collect(),
    })
}

struct Loader<'a> {
    table: &'a RelationName,
    location: &'a Location,
    metadata: &'a TableMetadata,
    chosen: &'a Chosen,
    paths: Paths<'a>,
    columns: &'a [IcebergColumn],
}

impl Loader<'_> {
    async fn files(&self) -> Result<Vec<LakeFile>> {
        let Some(current) = &self.chosen.snapshot else {
            return Ok(Vec::new());
        };
        if current.encryption_key_id().is_some() {
            return Err(refused(self.table, "encryption"));
        }
        let path = self.paths.object(current.manifest_list())?;
        let bytes = fetch(self.table, self.location, &path).await?;
        let list = ManifestList::parse_with_version(&bytes, self.metadata.format_version())
            .map_err(|error| self.corrupt("manifest list", &path, &error))?;
        let files: Vec<Vec<LakeFile>> = futures::stream::iter(list.entries().to_vec())
            .map(|entry| self.manifest(entry))
            .buffered(CONCURRENT_MANIFESTS)
            .try_collect()
            .await?;
        Ok(files.into_iter().flatten().collect())
    }

    async fn manifest(&self, entry: ManifestFile) -> Result<Vec<LakeFile>> {
        let gone = entry.added_files_count == Some(0) && entry.existing_files_count == Some(0);
        if gone {
            return Ok(Vec::new());
        }
        if entry
            .key_metadata
            .as_ref()
            .is_some_and(|key| !key.is_empty())
        {
            return Err(refused(self.table, "encryption"));
        }
        let path = self.paths.object(&entry.manifest_path)?;
        let bytes = fetch(self.table, self.location, &path).await?;
        let manifest = Manifest::parse_avro(&bytes)
            .map_err(|error| self.corrupt("manifest", &path, &error))?;
        let spec = self
            .metadata
            .partition_spec_by_id(entry.partition_spec_id)
            .ok_or_else(|| self.corrupt("manifest", &path, &"its partition spec is unknown"))?;
        let alive = manifest.entries().iter().filter(|entry| entry.is_alive());
        if entry.content == ManifestContentType::Deletes {
            return match alive.map(|entry| entry.data_file()).next() {
                Some(file) => Err(refused(self.table, deletes(file))),
                None => Ok(Vec::new()),
            };
        }
        alive
            .map(|entry| self.file(entry.data_file(), spec, &path))
            .collect()
    }

    fn file(&self, file: &DataFile, spec: &PartitionSpec, manifest: &Path) -> Result<LakeFile> {
        if file.content_type() != DataContentType::Data {
            return Err(refused(self.table, deletes(file)));
        }
        if file.file_format() != DataFileFormat::Parquet {
            let format = format!("data files of format \"{}\"", file.file_format());
            return Err(refused(self.table, &format));
        }
        if file.key_metadata().is_some_and(|key| !key.is_empty()) {
            return Err(refused(self.table, "encryption"));
        }
        let object = ObjectMeta {
            location: self.paths.object(file.file_path())?,
            // data files are written once, so that any instant will do
            last_modified: chrono::DateTime::UNIX_EPOCH,
            size: file.file_size_in_bytes(),
            e_tag: None,
            version: None,
        };
        let constants = self.constants(file, spec, manifest)?;
        let bounds = self
            .columns
            .iter()
            .map(|column| bounds(file, column))
            .collect();
        Ok(LakeFile::new(
            object,
            Some(file.record_count()),
            constants,
            bounds,
        ))
    }

    /// Columns that the partition gives their value: files made by Hive do not
    /// hold them at all, and where they do the values are the same.
    fn constants(
        &self,
        file: &DataFile,
        spec: &PartitionSpec,
        manifest: &Path,
    ) -> Result<Vec<(usize, ScalarValue)>> {
        let mut constants = Vec::new();
        for (field, value) in spec.fields().iter().zip(file.partition().fields()) {
            if field.transform != Transform::Identity {
                continue;
            }
            let Some(position) = self.columns.iter().position(|c| c.id == field.source_id) else {
                continue;
            };
            let Some(column) = self.chosen.schema.field_by_id(field.source_id) else {
                continue;
            };
            let data_type = self.columns[position].field.data_type();
            let value = match value.as_ref().and_then(Literal::as_primitive_literal) {
                None => ScalarValue::try_from(data_type)?,
                Some(literal) => {
                    scalar(&literal, &column.field_type, data_type).ok_or_else(|| {
                        let why = format!("partition value of \"{}\" has another type", field.name);
                        self.corrupt("manifest", manifest, &why)
                    })?
                }
            };
            constants.push((position, value));
        }
        constants.sort_by_key(|(position, _)| *position);
        constants.dedup_by_key(|(position, _)| *position);
        Ok(constants)
    }

    fn corrupt(&self, kind: &str, path: &Path, cause: &dyn std::fmt::Display) -> Error {
        Error::new(
            SqlState::DATA_CORRUPTED,
            format!(
                "the Iceberg {kind} \"{}\" of table \"{}\" cannot be read",
                self.location.store.show(path),
                self.table
            ),
        )
        .with_cause(cause.to_string())
    }
}

fn deletes(file: &DataFile) -> &'static str {
    match (file.content_type(), file.file_format()) {
        (DataContentType::EqualityDeletes, _) => "equality deletes",
        (_, DataFileFormat::Puffin) => "deletion vectors",
        _ => "position deletes",
    }
}
