//! Makes the clients of object stores from `[storage.NAME]` sections. Called by
//! `Stores` alone. Everything a section does not say comes from the environment
//! variables and machine roles that the provider's own tools read.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{
    AmazonS3Builder, AmazonS3ConfigKey, AwsCredentialProvider, S3ConditionalPut,
};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::http::HttpBuilder;
use object_store::local::LocalFileSystem;
use object_store::{ClientConfigKey, ClientOptions, ObjectStore, ObjectStoreScheme, RetryConfig};
use url::Url;

use super::{config_error, scrub};
use crate::config::{Storage, StorageKind};
use crate::error::Result;

/// A section with the name it has in the file.
type Section<'a> = Option<(&'a str, &'a Storage)>;

/// F0000 naming the first key that this kind of store does not know.
pub(super) fn check_options(name: &str, storage: &Storage) -> Result<()> {
    for key in storage.options.keys() {
        let known = match storage.kind {
            StorageKind::S3 => key.parse::<AmazonS3ConfigKey>().is_ok(),
            StorageKind::Gcs => key.parse::<GoogleConfigKey>().is_ok(),
            StorageKind::Azure => key.parse::<AzureConfigKey>().is_ok(),
            StorageKind::Http => key.parse::<ClientConfigKey>().is_ok(),
        };
        if !known {
            return Err(config_error(format!(
                "[storage.{name}] has a key \"{key}\" that storage of kind \"{}\" does not know",
                kind_name(storage.kind)
            )));
        }
    }
    Ok(())
}

pub(super) fn build(
    scheme: &ObjectStoreScheme,
    url: &Url,
    section: Section<'_>,
) -> Result<Arc<dyn ObjectStore>> {
    let built = match scheme {
        ObjectStoreScheme::Local => return Ok(Arc::new(LocalFileSystem::new())),
        ObjectStoreScheme::AmazonS3 => {
            expect_kind(url, section, StorageKind::S3)?;
            s3(url, section)
        }
        ObjectStoreScheme::GoogleCloudStorage => {
            expect_kind(url, section, StorageKind::Gcs)?;
            gcs(url, section)
        }
        ObjectStoreScheme::MicrosoftAzure => {
            expect_kind(url, section, StorageKind::Azure)?;
            azure(url, section)
        }
        ObjectStoreScheme::Http => {
            expect_kind(url, section, StorageKind::Http)?;
            http(url, section)
        }
        _ => return Err(super::unknown_scheme(url.as_str())),
    };
    built.map_err(|error| {
        let place = match section {
            Some((name, _)) => format!("[storage.{name}]"),
            None => format!("\"{}\"", scrub(url.as_str())),
        };
        config_error(format!("the object store of {place} cannot be set up"))
            .with_cause(scrub(&error.to_string()))
    })
}

/// What a catalog says of the S3 store that one of its tables is in.
#[derive(Debug)]
pub struct VendedS3 {
    /// Whom the credentials are for.
    pub owner: String,
    pub region: Option<String>,
    pub endpoint: Option<String>,
    /// The bucket is part of the host's name.
    pub virtual_hosts: bool,
    pub credentials: AwsCredentialProvider,
}

/// Tells stores apart; no secret is in it.
impl fmt::Display for VendedS3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (region, endpoint) = (self.region.as_deref(), self.endpoint.as_deref());
        write!(
            f,
            "{} {} {}",
            self.owner,
            region.unwrap_or_default(),
            endpoint.unwrap_or_default()
        )
    }
}

pub(super) fn build_vended(
    url: &Url,
    section: Section<'_>,
    vended: &VendedS3,
) -> Result<Arc<dyn ObjectStore>> {
    if section.is_some() {
        expect_kind(url, section, StorageKind::S3)?;
    }
    let built = s3_builder(url, section).and_then(|mut builder| {
        if let Some(region) = &vended.region {
            builder = builder.with_region(region);
        }
        if let Some(endpoint) = &vended.endpoint {
            builder = builder
                .with_endpoint(endpoint.trim_end_matches('/'))
                .with_allow_http(endpoint.starts_with("http://"));
        }
        builder
            .with_virtual_hosted_style_request(vended.virtual_hosts)
            .with_credentials(vended.credentials.clone())
            .build()
    });
    match built {
        Ok(store) => Ok(Arc::new(store)),
        Err(error) => Err(config_error(format!(
            "the object store of table \"{}\" cannot be set up",
            vended.owner
        ))
        .with_cause(scrub(&error.to_string()))),
    }
}

fn s3(url: &Url, section: Section<'_>) -> object_store::Result<Arc<dyn ObjectStore>> {
    Ok(Arc::new(s3_builder(url, section)?.build()?))
}

fn s3_builder(url: &Url, section: Section<'_>) -> object_store::Result<AmazonS3Builder> {
    let mut builder = AmazonS3Builder::from_env()
        .with_url(url.as_str())
        .with_retry(retry())
        .with_conditional_put(S3ConditionalPut::ETagMatch);
    if let Some((_, storage)) = section {
        if let Some(region) = &storage.region {
            builder = builder.with_region(region);
        }
        if let Some(endpoint) = &storage.endpoint {
            builder = builder
                .with_endpoint(endpoint.trim_end_matches('/'))
                .with_allow_http(endpoint.starts_with("http://"));
        }
        for (key, value) in &storage.options {
            builder = builder.with_config(key.parse()?, value.reveal());
        }
    }
    Ok(builder)
}

fn gcs(url: &Url, section: Section<'_>) -> object_store::Result<Arc<dyn ObjectStore>> {
    let mut builder = GoogleCloudStorageBuilder::from_env()
        .with_url(url.as_str())
        .with_retry(retry());
    if let Some((_, storage)) = section {
        if let Some(endpoint) = &storage.endpoint {
            builder = builder
                .with_config(GoogleConfigKey::BaseUrl, endpoint.trim_end_matches('/'))
                .with_client_options(
                    ClientOptions::new().with_allow_http(endpoint.starts_with("http://")),
                );
        }
        for (key, value) in &storage.options {
            builder = builder.with_config(key.parse()?, value.reveal());
        }
    }
    Ok(Arc::new(builder.build()?))
}

fn azure(url: &Url, section: Section<'_>) -> object_store::Result<Arc<dyn ObjectStore>> {
    let mut builder = MicrosoftAzureBuilder::from_env()
        .with_url(url.as_str())
        .with_retry(retry());
    if let Some((_, storage)) = section {
        if let Some(endpoint) = &storage.endpoint {
            builder = builder
                .with_endpoint(endpoint.trim_end_matches('/').to_string())
                .with_allow_http(endpoint.starts_with("http://"));
        }
        for (key, value) in &storage.options {
            builder = builder.with_config(key.parse()?, value.reveal());
        }
    }
    Ok(Arc::new(builder.build()?))
}

fn http(url: &Url, section: Section<'_>) -> object_store::Result<Arc<dyn ObjectStore>> {
    let mut base = url.clone();
    base.set_path("");
    base.set_query(None);
    base.set_fragment(None);
    let mut options = ClientOptions::new().with_allow_http(url.scheme() == "http");
    if let Some((_, storage)) = section {
        for (key, value) in &storage.options {
            options = options.with_config(key.parse::<ClientConfigKey>()?, value.reveal());
        }
    }
    let store = HttpBuilder::new()
        .with_url(base.as_str())
        .with_client_options(options)
        .with_retry(retry())
        .build()?;
    Ok(Arc::new(store))
}

/// The library's own default keeps trying for three minutes, which is longer
/// than people wait for a source that is down.
fn retry() -> RetryConfig {
    RetryConfig {
        max_retries: 4,
        retry_timeout: Duration::from_secs(20),
        ..RetryConfig::default()
    }
}

fn expect_kind(url: &Url, section: Section<'_>, expected: StorageKind) -> Result<()> {
    match section {
        Some((name, storage)) if storage.kind != expected => Err(config_error(format!(
            "[storage.{name}] is of kind \"{}\", but \"{}://\" needs kind \"{}\"",
            kind_name(storage.kind),
            url.scheme(),
            kind_name(expected)
        ))),
        _ => Ok(()),
    }
}

fn kind_name(kind: StorageKind) -> &'static str {
    match kind {
        StorageKind::S3 => "s3",
        StorageKind::Gcs => "gcs",
        StorageKind::Azure => "azure",
        StorageKind::Http => "http",
    }
}
