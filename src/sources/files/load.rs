//! The files that match a pattern → a snapshot. Called by the table's reader.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::scalar::ScalarValue;
use futures::{StreamExt, TryStreamExt};
use object_store::ObjectMeta;
use object_store::path::Path;
use parquet::file::metadata::ParquetMetaData;

use super::FilesReader;
use super::glob::Match;
use super::hive::{Partitions, partitions};
use super::merge::{Numbers, merge};
use super::text::{csv_schema, json_schema};
use crate::config::FileFormat;
use crate::error::{Error, Result, SqlState};
use crate::sources::lake::{
    ColumnBounds, ColumnSource, DataFormat, LakeFile, Snapshot, footer_bounds, read_footer,
};

/// Files of one table whose beginnings or footers are read at the same time.
const CONCURRENT_FILES: usize = 16;

#[derive(Debug)]
pub(super) struct Loaded {
    /// What was learned of each file, for the next listing.
    known: HashMap<Path, Arc<KnownFile>>,
    pub(super) snapshot: Arc<Snapshot>,
}

#[derive(Debug)]
struct KnownFile {
    object: ObjectMeta,
    schema: SchemaRef,
    /// Parquet only.
    footer: Option<Arc<ParquetMetaData>>,
}

/// Lists the pattern; reads the files that are new or changed since.
pub(super) async fn load(
    reader: &FilesReader,
    previous: Option<Arc<Loaded>>,
) -> Result<Arc<Loaded>> {
    let mut matches = reader.pattern.list(&reader.name).await?;
    if reader.format != FileFormat::Parquet && matches.iter().any(|file| file.object.size > 0) {
        // an empty text file has no columns to say
        matches.retain(|file| file.object.size > 0);
    }
    if let Some(previous) = &previous
        && unchanged(previous, &matches)
    {
        return Ok(previous.clone());
    }
    let known: Vec<Arc<KnownFile>> = futures::stream::iter(matches.clone())
        .map(|file| know(reader, file, previous.as_deref()))
        .buffered(CONCURRENT_FILES)
        .try_collect()
        .await?;
    let partitions = partitions(&reader.name, &matches)?;
    let snapshot = Arc::new(snapshot(reader, &known, partitions)?);
    Ok(Arc::new(Loaded {
        known: known
            .into_iter()
            .map(|file| (file.object.location.clone(), file))
            .collect(),
        snapshot,
    }))
}

fn unchanged(previous: &Loaded, matches: &[Match]) -> bool {
    previous.known.len() == matches.len()
        && matches
            .iter()
            .all(|file| known_as(previous, file).is_some())
}

fn known_as<'a>(previous: &'a Loaded, file: &Match) -> Option<&'a Arc<KnownFile>> {
    previous
        .known
        .get(&file.object.location)
        .filter(|known| known.object == file.object)
}

async fn know(
    reader: &FilesReader,
    file: Match,
    previous: Option<&Loaded>,
) -> Result<Arc<KnownFile>> {
    if let Some(known) = previous.and_then(|previous| known_as(previous, &file)) {
        return Ok(known.clone());
    }
    let (table, store, object) = (&reader.name, &reader.pattern.root.store, &file.object);
    let (footer, schema) = match reader.format {
        FileFormat::Parquet => {
            let (footer, schema) = read_footer(table, store, object).await?;
            (Some(footer), schema)
        }
        FileFormat::Csv => {
            let schema = csv_schema(table, store, object, &reader.csv).await?;
            (None, Arc::new(schema))
        }
        FileFormat::Json => (None, Arc::new(json_schema(table, store, object).await?)),
    };
    Ok(Arc::new(KnownFile {
        object: object.clone(),
        schema,
        footer,
    }))
}

fn snapshot(
    reader: &FilesReader,
    files: &[Arc<KnownFile>],
    partitions: Partitions,
) -> Result<Snapshot> {
    let stored = stored_fields(reader, files, &partitions)?;
    let first_partition = stored.len();
    let fields: Vec<Field> = stored.into_iter().chain(partitions.fields).collect();
    let sources = fields
        .iter()
        .map(|field| {
            let null = ScalarValue::try_from(field.data_type())?;
            Ok(ColumnSource::named(field.name(), null))
        })
        .collect::<Result<_>>()?;
    let schema = Arc::new(Schema::new(fields));
    let files = files
        .iter()
        .zip(partitions.values)
        .map(|(file, values)| {
            let constants = (first_partition..).zip(values).collect();
            lake_file(file, &schema, constants)
        })
        .collect();
    Ok(Snapshot {
        version: "now".into(),
        schema,
        sources,
        hidden: Vec::new(),
        store: reader.pattern.root.store.clone(),
        format: match reader.format {
            FileFormat::Parquet => DataFormat::Parquet,
            FileFormat::Csv => DataFormat::Csv(reader.csv.clone()),
            FileFormat::Json => DataFormat::Json,
        },
        files,
        comment: None,
        column_comments: Vec::new(),
    })
}

/// The columns that the files hold; a folder's key replaces a column of its name.
fn stored_fields(
    reader: &FilesReader,
    files: &[Arc<KnownFile>],
    partitions: &Partitions,
) -> Result<Vec<Field>> {
    if reader.format == FileFormat::Csv {
        same_headers(reader, files)?;
    }
    let show = |file: &KnownFile| reader.pattern.root.store.show(&file.object.location);
    let names: Vec<String> = files.iter().map(|file| show(file)).collect();
    let schemas = names
        .iter()
        .zip(files)
        .map(|(name, file)| (name.as_str(), file.schema.as_ref()));
    let mut fields = match reader.format {
        FileFormat::Csv => merge_csv(schemas),
        FileFormat::Parquet => merge(&reader.name, Numbers::Declared, schemas)?,
        FileFormat::Json => merge(&reader.name, Numbers::Guessed, schemas)?,
    };
    let is_partition = |field: &Field| partitions.fields.iter().any(|p| p.name() == field.name());
    if reader.format == FileFormat::Csv
        && let Some(field) = fields.iter().find(|field| is_partition(field))
    {
        return Err(Error::unsupported(format!(
            "column \"{}\" of table \"{}\" is in its files and in their folders' names, which is not supported yet",
            field.name(),
            reader.name
        )));
    }
    fields.retain(|field| !is_partition(field));
    if fields.is_empty() && partitions.fields.is_empty() {
        return Err(Error::new(
            SqlState::DATA_CORRUPTED,
            format!("the files of table \"{}\" have no columns", reader.name),
        ));
    }
    Ok(fields)
}

/// CSV is read by position: every file must have the same columns in the same order.
fn same_headers(reader: &FilesReader, files: &[Arc<KnownFile>]) -> Result<()> {
    let names = |file: &KnownFile| -> Vec<String> {
        file.schema
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .collect()
    };
    let Some((first, rest)) = files.split_first() else {
        return Ok(());
    };
    let show = |file: &KnownFile| reader.pattern.root.store.show(&file.object.location);
    match rest.iter().find(|file| names(file) != names(first)) {
        None => Ok(()),
        Some(other) => Err(Error::new(
            SqlState::DATATYPE_MISMATCH,
            format!(
                "files \"{}\" and \"{}\" of table \"{}\" have different columns",
                show(first),
                show(other),
                reader.name
            ),
        )),
    }
}

/// Types that samples disagree on are text, which CSV always is.
fn merge_csv<'a>(files: impl Iterator<Item = (&'a str, &'a Schema)>) -> Vec<Field> {
    let mut merged: Vec<Field> = Vec::new();
    for (index, (_, schema)) in files.enumerate() {
        for (position, field) in schema.fields().iter().enumerate() {
            if index == 0 {
                merged.push(field.as_ref().clone());
                continue;
            }
            let known = &merged[position];
            let data_type = match (known.data_type(), field.data_type()) {
                (a, b) if a == b => a.clone(),
                // nothing but NULL in that sample
                (DataType::Null, other) | (other, DataType::Null) => other.clone(),
                (DataType::Int64, DataType::Float64) | (DataType::Float64, DataType::Int64) => {
                    DataType::Float64
                }
                _ => DataType::Utf8,
            };
            merged[position] = known.clone().with_data_type(data_type);
        }
    }
    merged
        .iter()
        .map(crate::sources::lake::provider_field)
        .collect()
}

fn lake_file(
    file: &KnownFile,
    schema: &SchemaRef,
    constants: Vec<(usize, ScalarValue)>,
) -> LakeFile {
    let (rows, bounds) = match &file.footer {
        Some(footer) => (
            u64::try_from(footer.file_metadata().num_rows()).ok(),
            footer_bounds(footer, &file.schema, schema),
        ),
        None => (None, vec![ColumnBounds::default(); schema.fields().len()]),
    };
    LakeFile::new(file.object.clone(), rows, constants, bounds)
}
