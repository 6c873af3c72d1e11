//! `[storage.<name>]`: where buckets are and who may read them. Keys beyond the
//! common ones are those of the object store's own client.

use std::collections::BTreeMap;

use object_store::ClientConfigKey;
use object_store::aws::AmazonS3ConfigKey;
use object_store::azure::AzureConfigKey;
use object_store::gcp::GoogleConfigKey;
use toml::de::DeValue;

use super::item::Item;
use super::notes::suggestion;
use super::schema::{Storage, StorageKind};
use super::secret::Secret;
use super::section::Section;
use super::sources::check_http;

pub(super) fn read(root: &Section<'_>) -> BTreeMap<String, Storage> {
    let named = root.named("storage").into_iter();
    named
        .filter_map(|(name, item)| Some((name, read_one(item.section()?)?)))
        .collect()
}

fn read_one(section: Section<'_>) -> Option<Storage> {
    let kind = section.required("kind")?.text()?;
    let kind = match kind.value.as_str() {
        "s3" => StorageKind::S3,
        "gcs" => StorageKind::Gcs,
        "azure" => StorageKind::Azure,
        "http" => StorageKind::Http,
        other => {
            kind.mistake(format!(
                "unknown kind {}; {}",
                kind.shown(),
                suggestion(other, ["s3", "gcs", "azure", "http"])
            ));
            return None;
        }
    };
    let endpoint = section.item("endpoint").and_then(Item::text);
    if let Some(endpoint) = &endpoint {
        check_http(endpoint);
    }
    Some(Storage {
        kind,
        region: section.text("region"),
        endpoint: endpoint.map(|text| text.value),
        options: read_options(kind, &section),
    })
}

fn read_options(kind: StorageKind, section: &Section<'_>) -> BTreeMap<String, Secret> {
    let mut options = BTreeMap::new();
    for (key, item) in section.entries() {
        if matches!(key.as_str(), "kind" | "region" | "endpoint") {
            continue;
        }
        if !is_known(kind, &key) {
            item.mistake(format!(
                "unknown key; {}",
                suggestion(&key, common_keys(kind))
            ));
        } else if let Some(secret) = option(item) {
            options.insert(key, secret);
        }
    }
    options
}

/// Flags and numbers may be written as such; the client reads them as text.
fn option(item: Item<'_>) -> Option<Secret> {
    match item.value {
        DeValue::Boolean(value) => Some(Secret::new(value.to_string())),
        DeValue::Integer(value) if value.radix() == 10 => Some(Secret::new(value.as_str())),
        _ => item.secret(),
    }
}

fn is_known(kind: StorageKind, key: &str) -> bool {
    match kind {
        StorageKind::S3 => key.parse::<AmazonS3ConfigKey>().is_ok(),
        StorageKind::Gcs => key.parse::<GoogleConfigKey>().is_ok(),
        StorageKind::Azure => key.parse::<AzureConfigKey>().is_ok(),
        StorageKind::Http => key.parse::<ClientConfigKey>().is_ok(),
    }
}

/// The keys worth suggesting.
fn common_keys(kind: StorageKind) -> impl Iterator<Item = &'static str> {
    let own: &[&str] = match kind {
        StorageKind::S3 => &[
            "region",
            "endpoint",
            "access_key_id",
            "secret_access_key",
            "session_token",
            "skip_signature",
            "virtual_hosted_style_request",
        ],
        StorageKind::Gcs => &[
            "endpoint",
            "service_account",
            "service_account_key",
            "application_credentials",
            "skip_signature",
        ],
        StorageKind::Azure => &[
            "endpoint",
            "account_name",
            "account_key",
            "sas_token",
            "client_id",
            "client_secret",
            "tenant_id",
            "use_emulator",
        ],
        StorageKind::Http => &["endpoint", "user_agent"],
    };
    let shared = [
        "kind",
        "allow_http",
        "timeout",
        "connect_timeout",
        "proxy_url",
    ];
    own.iter().copied().chain(shared)
}
