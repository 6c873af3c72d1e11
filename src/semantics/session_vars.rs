//! What functions may know of the session they run in. The session writes it
//! into the engine's configuration before it plans or runs a statement;
//! functions read it from their arguments' `config_options`.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use datafusion::common::config::{ConfigEntry, ConfigExtension, ConfigOptions, ExtensionOptions};
use datafusion::error::Result;

use crate::auth::grants::Grants;
use crate::types::text::zone::Zone;

#[derive(Debug, Clone)]
pub struct SessionVars {
    pub user: Arc<str>,
    pub database: Arc<str>,
    /// What BackendKeyData and pg_backend_pid() say.
    pub pid: i32,
    /// Schemas in the order of search_path, without pg_catalog, `"$user"` resolved away.
    pub search_path: Arc<[String]>,
    /// Every setting by its lower-case name, as SHOW prints it.
    pub settings: Arc<BTreeMap<String, String>>,
    /// now(): the start of the transaction.
    pub transaction_start: DateTime<Utc>,
    pub statement_start: DateTime<Utc>,
    pub grants: Arc<Grants>,
}

impl Default for SessionVars {
    fn default() -> Self {
        SessionVars {
            user: "".into(),
            database: "narrows".into(),
            pid: 0,
            search_path: Arc::from([]),
            settings: Arc::default(),
            transaction_start: DateTime::UNIX_EPOCH,
            statement_start: DateTime::UNIX_EPOCH,
            grants: Arc::default(),
        }
    }
}

impl SessionVars {
    /// Is it the same session with the same settings? A plan does not tell when
    /// it was made.
    pub fn plans_as(&self, other: &SessionVars) -> bool {
        self.pid == other.pid
            && self.user == other.user
            && self.database == other.database
            && self.search_path == other.search_path
            && (Arc::ptr_eq(&self.settings, &other.settings) || self.settings == other.settings)
            && Arc::ptr_eq(&self.grants, &other.grants)
    }

    /// The session of a running expression; the default one outside any session.
    pub fn of(options: &ConfigOptions) -> SessionVars {
        options
            .extensions
            .get::<SessionVars>()
            .cloned()
            .unwrap_or_default()
    }

    /// TimeZone in the form that the engine and Arrow read.
    pub fn engine_time_zone(&self) -> String {
        let zone = self.setting("timezone").unwrap_or("UTC");
        Zone::setting(zone).map_or_else(|| zone.to_string(), |zone| zone.engine_name())
    }

    pub fn setting(&self, name: &str) -> Option<&str> {
        self.settings
            .get(&name.to_ascii_lowercase())
            .map(String::as_str)
    }
}

impl ConfigExtension for SessionVars {
    const PREFIX: &'static str = "narrows_session";
}

impl ExtensionOptions for SessionVars {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn cloned(&self) -> Box<dyn ExtensionOptions> {
        Box::new(self.clone())
    }

    fn set(&mut self, key: &str, _value: &str) -> Result<()> {
        datafusion::common::config_err!("{key} is not set through the engine's options")
    }

    fn entries(&self) -> Vec<ConfigEntry> {
        Vec::new()
    }
}
