//! A table as an Iceberg v2 table: Parquet files with field ids, a manifest
//! with bounds, a manifest list and the metadata file, committed as one append
//! by the `iceberg` crate. Locations are absolute `file://` URLs, as the
//! specification wants them, so the folder is not to be moved.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use iceberg::io::LocalFsStorageFactory;
use iceberg::memory::{MEMORY_CATALOG_WAREHOUSE, MemoryCatalogBuilder};
use iceberg::spec::{
    DataContentType, DataFile, DataFileBuilder, DataFileFormat, Datum, NestedField, PrimitiveType,
    Struct, Type,
};
use iceberg::transaction::{ApplyTransactionAction, Transaction};
use iceberg::{Catalog, CatalogBuilder, NamespaceIdent, TableCreation};
use parquet::arrow::PARQUET_FIELD_ID_META_KEY;
use url::Url;

use super::Table;
use super::generate::in_parallel;
use super::parquet_file::{Bound, Written, not_written, write_file};
use crate::demo::progress::Progress;
use crate::error::{Error, Result, SqlState};

/// Makes the Iceberg table in `dir`, which must not hold one yet; answers the
/// path of its current metadata file.
pub async fn write_iceberg(
    dir: &Path,
    table: Table,
    scale: f64,
    progress: &Progress,
) -> Result<String> {
    std::fs::create_dir_all(dir).map_err(|e| not_written(dir, e))?;
    let dir = dir.canonicalize().map_err(|e| not_written(dir, e))?;
    let schema = with_field_ids(&table.schema());
    let written = {
        let (data, schema, progress) = (dir.join("data"), schema.clone(), progress.clone());
        tokio::task::spawn_blocking(move || write_data(&data, table, scale, &schema, &progress))
            .await
            .map_err(|e| Error::internal(e.to_string()))??
    };
    let files = written
        .iter()
        .map(|file| data_file(file, &schema))
        .collect::<Result<Vec<_>>>()?;
    append(&dir, table, &schema, files).await
}

fn write_data(
    dir: &Path,
    table: Table,
    scale: f64,
    schema: &SchemaRef,
    progress: &Progress,
) -> Result<Vec<Written>> {
    in_parallel(&table.parts(scale), |part| {
        let path = dir.join(format!("part-{:05}.parquet", part.number));
        write_file(
            &path,
            schema,
            table.batches(*part, schema.clone()),
            progress,
        )
    })
}

/// Ids count from 1 in the order of columns, as a new table's schema numbers them.
fn with_field_ids(schema: &Schema) -> SchemaRef {
    let fields = schema
        .fields()
        .iter()
        .zip(1..)
        .map(|(field, id): (_, i32)| {
            let id = (PARQUET_FIELD_ID_META_KEY.to_string(), id.to_string());
            Field::clone(field).with_metadata(HashMap::from([id]))
        });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

async fn append(dir: &Path, table: Table, schema: &Schema, files: Vec<DataFile>) -> Result<String> {
    let location = file_url(dir)?;
    let warehouse = HashMap::from([(MEMORY_CATALOG_WAREHOUSE.to_string(), location.clone())]);
    let catalog = MemoryCatalogBuilder::default()
        .with_storage_factory(Arc::new(LocalFsStorageFactory))
        .load("demo", warehouse)
        .await
        .map_err(not_committed)?;
    let namespace = NamespaceIdent::new("demo".to_string());
    catalog
        .create_namespace(&namespace, HashMap::new())
        .await
        .map_err(not_committed)?;
    let creation = TableCreation::builder()
        .name(table.name().to_string())
        .location(location)
        .schema(iceberg_schema(schema)?)
        .build();
    let created = catalog
        .create_table(&namespace, creation)
        .await
        .map_err(not_committed)?;
    let transaction = Transaction::new(&created);
    let action = transaction.fast_append().add_data_files(files);
    let committed = action
        .apply(transaction)
        .map_err(not_committed)?
        .commit(&catalog)
        .await
        .map_err(not_committed)?;
    committed
        .metadata_location()
        .map(str::to_string)
        .ok_or_else(|| Error::internal("a committed table without a metadata file"))
}

fn iceberg_schema(schema: &Schema) -> Result<iceberg::spec::Schema> {
    let fields = schema
        .fields()
        .iter()
        .zip(1..)
        .map(|(field, id)| {
            let kind = Type::Primitive(iceberg_type(field.data_type())?);
            Ok(Arc::new(NestedField::required(id, field.name(), kind)))
        })
        .collect::<Result<Vec<_>>>()?;
    iceberg::spec::Schema::builder()
        .with_fields(fields)
        .build()
        .map_err(not_committed)
}

fn iceberg_type(data_type: &DataType) -> Result<PrimitiveType> {
    Ok(match data_type {
        DataType::Int32 => PrimitiveType::Int,
        DataType::Int64 => PrimitiveType::Long,
        DataType::Date32 => PrimitiveType::Date,
        DataType::Utf8 | DataType::Utf8View => PrimitiveType::String,
        DataType::Decimal128(precision, scale) => PrimitiveType::Decimal {
            precision: u32::from(*precision),
            scale: u32::from(scale.unsigned_abs()),
        },
        other => return Err(Error::internal(format!("no Iceberg type for {other}"))),
    })
}

fn data_file(file: &Written, schema: &Schema) -> Result<DataFile> {
    let columns = || (1..).zip(&file.columns);
    let (mut low, mut high) = (HashMap::new(), HashMap::new());
    for ((id, column), field) in columns().zip(schema.fields()) {
        if let Some((least, greatest)) = &column.bounds {
            low.insert(id, datum(least, field.data_type())?);
            high.insert(id, datum(greatest, field.data_type())?);
        }
    }
    DataFileBuilder::default()
        .content(DataContentType::Data)
        .file_path(file_url(&file.path)?)
        .file_format(DataFileFormat::Parquet)
        .partition(Struct::empty())
        .record_count(file.rows)
        .file_size_in_bytes(file.bytes)
        .column_sizes(columns().map(|(id, column)| (id, column.bytes)).collect())
        .value_counts(columns().map(|(id, _)| (id, file.rows)).collect())
        .null_value_counts(columns().map(|(id, column)| (id, column.nulls)).collect())
        .lower_bounds(low)
        .upper_bounds(high)
        .split_offsets(Some(file.row_group_offsets.clone()))
        .build()
        .map_err(|e| Error::internal(e.to_string()))
}

fn datum(bound: &Bound, data_type: &DataType) -> Result<Datum> {
    match bound {
        Bound::Int(value) => Ok(Datum::int(*value)),
        Bound::Long(value) => Ok(Datum::long(*value)),
        Bound::Date(days) => Ok(Datum::date(*days)),
        Bound::Text(text) => Ok(Datum::string(text)),
        // The specification's single-value form: big-endian, unscaled.
        Bound::Decimal(unscaled) => {
            Datum::try_from_bytes(&unscaled.to_be_bytes(), iceberg_type(data_type)?)
                .map_err(not_committed)
        }
    }
}

fn file_url(path: &Path) -> Result<String> {
    Url::from_file_path(path)
        .map(|url| url.to_string())
        .map_err(|()| Error::internal("a data folder that is not absolute"))
}

fn not_committed(error: iceberg::Error) -> Error {
    Error::new(
        SqlState::IO_ERROR,
        "the Iceberg table could not be committed",
    )
    .with_cause(error)
}
