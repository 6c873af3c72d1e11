//! What no section can see alone: schema names of all sources together, storage
//! names, and an open door without users.

use std::collections::BTreeMap;

use super::item::Item;
use super::notes::suggestion;
use super::schema::{Config, Source};
use super::section::Section;

pub(super) fn across_sections(config: &Config, root: &Section<'_>) {
    check_schemas(config, root);
    check_storage(config, root);
    check_roles(config, root);
    check_open_door(config, root);
}

fn check_schemas(config: &Config, root: &Section<'_>) {
    let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
    for (source, place, schema) in config.sources.iter().flat_map(declared_schemas) {
        let item = place
            .and_then(|(key, remote)| find(root, &["sources", source, key, remote]))
            .or_else(|| find(root, &["sources", source]));
        if let Some(item) = item {
            check_schema(&item, schema, source, &mut owners);
        }
    }
}

/// Source, the key and entry that name the schema (none: the source's own
/// name does), schema.
type DeclaredSchema<'c> = (&'c str, Option<(&'static str, &'c str)>, &'c str);

fn declared_schemas<'c>((name, source): (&'c String, &'c Source)) -> Vec<DeclaredSchema<'c>> {
    let mapped = |key, map: &'c BTreeMap<String, String>| {
        map.iter()
            .map(|(remote, schema)| (name.as_str(), Some((key, remote.as_str())), schema.as_str()))
            .collect()
    };
    match source {
        Source::Postgres(postgres) => mapped("schemas", &postgres.schemas),
        Source::Iceberg(iceberg) if iceberg.catalog.is_some() => {
            mapped("namespaces", &iceberg.namespaces)
        }
        _ => vec![(name.as_str(), None, name.as_str())],
    }
}

fn check_schema<'c>(
    item: &Item<'_>,
    schema: &'c str,
    source: &'c str,
    owners: &mut BTreeMap<&'c str, &'c str>,
) {
    if schema.starts_with("pg_") || schema == "information_schema" {
        item.mistake(format!(
            "schema name \"{schema}\" is reserved: \"information_schema\" and names with \"pg_\" are the system's"
        ));
    } else if schema.len() > 63 {
        item.mistake(format!("schema name \"{schema}\" is longer than 63 bytes"));
    } else if let Some(owner) = owners.insert(schema, source) {
        item.mistake(format!(
            "schema \"{schema}\" is taken already, by source \"{owner}\""
        ));
    }
}

fn check_storage(config: &Config, root: &Section<'_>) {
    for (name, source) in &config.sources {
        let storage = match source {
            Source::Postgres(_) => None,
            Source::Delta(delta) => delta.storage.as_deref(),
            Source::Iceberg(iceberg) => iceberg.storage.as_deref(),
            Source::Files(files) => files.storage.as_deref(),
        };
        if let Some(storage) = storage
            && find(root, &["storage", storage]).is_none()
            && let Some(item) = find(root, &["sources", name, "storage"])
        {
            let declared = config.storage.keys().map(String::as_str);
            item.mistake(format!(
                "no [storage.{storage}] is declared; {}",
                suggestion(storage, declared)
            ));
        }
    }
}

/// A role of nobody would silently never be used.
fn check_roles(config: &Config, root: &Section<'_>) {
    if root.find("users").is_none() {
        return;
    }
    for (name, source) in &config.sources {
        let Source::Postgres(postgres) = source else {
            continue;
        };
        for user in postgres.roles.keys() {
            if !config.users.iter().any(|declared| declared.name == *user)
                && let Some(item) = find(root, &["sources", name, "roles", user])
            {
                let declared = config.users.iter().map(|user| user.name.as_str());
                item.mistake(format!(
                    "no user \"{user}\" is declared; {}",
                    suggestion(user, declared)
                ));
            }
        }
    }
}

fn check_open_door(config: &Config, root: &Section<'_>) {
    // A broken user is still a user: its own mistake is noted.
    if root.find("users").is_none()
        && !config.server.listen.ip().is_loopback()
        && let Some(item) = find(root, &["server", "listen"])
    {
        item.mistake(
            "with no [[users]] anyone could connect: add users, or listen on 127.0.0.1 or [::1]",
        );
    }
}

/// The item at a path of keys, if all of it is there.
fn find<'a>(root: &Section<'a>, path: &[&str]) -> Option<Item<'a>> {
    let (last, folders) = path.split_last()?;
    let mut section: Option<Section<'a>> = None;
    for folder in folders {
        section = Some(section.as_ref().unwrap_or(root).find(folder)?.section()?);
    }
    section.as_ref().unwrap_or(root).find(last)
}
