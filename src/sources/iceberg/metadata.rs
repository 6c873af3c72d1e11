//! Reads an Iceberg metadata file, and refuses what would be read wrong before
//! the library sees it. Called when a table is loaded.

use std::io::Read;

use bytes::Bytes;
use iceberg::spec::TableMetadata;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use serde::Deserialize;
use serde_json::Value;

use super::versions::{Refs, refs};
use crate::error::{Error, Result, SqlState};
use crate::names::RelationName;
use crate::sources::object_store::{Location, read_error};

/// Types of version 3 that nothing here reads.
const UNKNOWN_TYPES: &[&str] = &["unknown", "variant", "geometry", "geography"];

/// Bytes of the largest metadata file, unpacked: a small packed file must not fill memory.
const LARGEST: u64 = 512 << 20;

/// An object's bytes; 58030 naming the table and the object.
pub(super) async fn fetch(table: &RelationName, location: &Location, path: &Path) -> Result<Bytes> {
    let failed = |error| read_error(location.store.show(path), table, &error);
    let found = location.store.store.get(path).await.map_err(failed)?;
    found.bytes().await.map_err(failed)
}

pub(super) async fn read_metadata(
    table: &RelationName,
    location: &Location,
    path: &Path,
) -> Result<(TableMetadata, Refs)> {
    let bytes = fetch(table, location, path).await?;
    let shown = location.store.show(path);
    let bytes = unpacked(bytes).map_err(|error| corrupt(table, &shown, &error))?;
    let json: Value =
        serde_json::from_slice(&bytes).map_err(|error| corrupt(table, &shown, &error))?;
    parse_metadata(table, &shown, &json)
}

/// What is in a metadata file, which is called `shown`.
pub(super) fn parse_metadata(
    table: &RelationName,
    shown: &str,
    json: &Value,
) -> Result<(TableMetadata, Refs)> {
    refuse_unreadable(table, json)?;
    let metadata =
        TableMetadata::deserialize(json).map_err(|error| corrupt(table, shown, &error))?;
    let refs = refs(json, &metadata);
    Ok((metadata, refs))
}

fn corrupt(table: &RelationName, shown: &str, cause: &dyn std::fmt::Display) -> Error {
    Error::new(
        SqlState::DATA_CORRUPTED,
        format!("the Iceberg metadata \"{shown}\" of table \"{table}\" cannot be read"),
    )
    .with_cause(cause.to_string())
}

/// 0A000 naming the feature.
pub(super) fn refused(table: &RelationName, feature: &str) -> Error {
    Error::unsupported(format!(
        "table \"{table}\" uses {feature}, which is not supported yet"
    ))
}

/// Some writers pack the file and say so in its name; its first bytes always say it.
fn unpacked(bytes: Bytes) -> std::io::Result<Bytes> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(bytes);
    }
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(bytes.as_ref())
        .take(LARGEST)
        .read_to_end(&mut plain)?;
    Ok(plain.into())
}

fn refuse_unreadable(table: &RelationName, json: &Value) -> Result<()> {
    let version = json["format-version"].as_i64().unwrap_or_default();
    if version > 3 {
        return Err(refused(table, &format!("Iceberg version {version}")));
    }
    if json["properties"].get("encryption.key-id").is_some() {
        return Err(refused(table, "encryption"));
    }
    for schema in json["schemas"].as_array().into_iter().flatten() {
        if let Some(name) = unknown_type(schema) {
            return Err(refused(table, &format!("the type \"{name}\"")));
        }
    }
    Ok(())
}

/// The first type below `json` that is not known, however deep.
fn unknown_type(json: &Value) -> Option<&str> {
    let names = ["type", "element", "key", "value"];
    match json {
        Value::Object(members) => members.iter().find_map(|(key, value)| {
            let named = value.as_str().filter(|text| {
                let base = text.split('(').next().unwrap_or_default();
                names.contains(&key.as_str()) && UNKNOWN_TYPES.contains(&base)
            });
            named.or_else(|| unknown_type(value))
        }),
        Value::Array(items) => items.iter().find_map(unknown_type),
        _ => None,
    }
}
