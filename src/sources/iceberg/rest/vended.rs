//! The credentials that a catalog vends with a table, and the store that they
//! open. Called where a table of a REST catalog is opened; the store asks for them
//! again before they end, also amid a long scan.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use object_store::CredentialProvider;
use object_store::aws::AwsCredential;
use tokio::sync::Mutex;

use super::{LoadedTable, Namespace, RestCatalog, TableAnswer};
use crate::error::{Error, Result};
use crate::names::RelationName;
use crate::sources::object_store::{Location, Stores, VendedS3};

/// Credentials are asked for again when so much of their life is left.
const BEFORE_END: Duration = Duration::from_secs(120);

/// A table's place in the catalog, and what was vended for it last.
pub struct VendedStore {
    catalog: Arc<RestCatalog>,
    namespace: Namespace,
    table: String,
    shown: RelationName,
    held: Mutex<Option<Held>>,
}

struct Held {
    location: String,
    credential: Arc<AwsCredential>,
    /// ms since 1970; `None`: it does not say.
    until: Option<u128>,
}

impl fmt::Debug for VendedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("VendedStore").field(&self.shown).finish()
    }
}

impl VendedStore {
    pub fn new(
        catalog: Arc<RestCatalog>,
        namespace: Namespace,
        table: String,
        shown: RelationName,
    ) -> Arc<Self> {
        Arc::new(VendedStore {
            catalog,
            namespace,
            table,
            shown,
            held: Mutex::default(),
        })
    }

    pub async fn ask(&self, known: Option<&str>) -> Result<TableAnswer> {
        let (namespace, shown) = (&self.namespace, &self.shown);
        self.catalog
            .load(namespace, &self.table, shown, known)
            .await
    }

    /// Where a table's metadata is, by the credentials that came with it, else by
    /// those of `storage` or the environment. 0A000 for what is not understood.
    pub async fn locate(
        self: &Arc<Self>,
        answer: &LoadedTable,
        location: &str,
        stores: &Stores,
        storage: Option<&str>,
    ) -> Result<Location> {
        let config = answer.config_for(location);
        let property = |name: &str| config.get(name).map(String::as_str);
        if !location.starts_with("s3") {
            return stores.locate(location, storage);
        }
        let Some(held) = held(&config, location) else {
            if property("s3.remote-signing-enabled") == Some("true") {
                return Err(Error::unsupported(format!(
                    "table \"{}\" is read by signatures of its catalog, which is not supported yet",
                    self.shown
                )));
            }
            return stores.locate(location, storage);
        };
        *self.held.lock().await = Some(held);
        let vended = VendedS3 {
            owner: self.shown.to_string(),
            region: property("s3.region")
                .or(property("client.region"))
                .map(str::to_string),
            endpoint: property("s3.endpoint").map(str::to_string),
            virtual_hosts: property("s3.path-style-access") == Some("false"),
            credentials: self.clone(),
        };
        stores.locate_vended(location, storage, vended)
    }
}

#[async_trait]
impl CredentialProvider for VendedStore {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let failed = |why: Error| object_store::Error::Generic {
            store: "S3",
            source: why.log_text().into(),
        };
        let mut held = self.held.lock().await;
        let location = match held.as_ref() {
            Some(held) if !held.ends_soon() => return Ok(held.credential.clone()),
            Some(held) => held.location.clone(),
            None => return Err(failed(Error::internal("nothing was vended"))),
        };
        let answer = match (self.ask(None).await, held.as_ref()) {
            (Ok(TableAnswer::Loaded(answer)), _) => answer,
            (Ok(TableAnswer::Unchanged), _) => return Err(failed(Error::internal("no answer"))),
            // good for a little longer
            (Err(_), Some(held)) if !held.has_ended() => return Ok(held.credential.clone()),
            (Err(error), _) => return Err(failed(error)),
        };
        let fresh = self::held(&answer.config_for(&location), &location).ok_or_else(|| {
            failed(Error::internal(
                "the catalog vends no credentials any longer",
            ))
        })?;
        let credential = fresh.credential.clone();
        *held = Some(fresh);
        Ok(credential)
    }
}

impl Held {
    fn ends_soon(&self) -> bool {
        self.ends_within(BEFORE_END)
    }

    fn has_ended(&self) -> bool {
        self.ends_within(Duration::ZERO)
    }

    fn ends_within(&self, time: Duration) -> bool {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        self.until
            .is_some_and(|until| until < (now + time).as_millis())
    }
}

fn held(config: &BTreeMap<String, String>, location: &str) -> Option<Held> {
    let property = |name: &str| config.get(name).cloned();
    Some(Held {
        location: location.to_string(),
        credential: Arc::new(AwsCredential {
            key_id: property("s3.access-key-id")?,
            secret_key: property("s3.secret-access-key")?,
            token: property("s3.session-token"),
        }),
        until: property("s3.session-token-expires-at-ms").and_then(|text| text.parse().ok()),
    })
}
