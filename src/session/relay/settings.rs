//! What of a session's settings reaches a source: what changes answers, plans or
//! what its policies see. A client's search_path arrives as the source's own
//! schemas, and nothing else of it.

use std::sync::Arc;

use crate::catalog::Catalog;
use crate::error::Result;
use crate::names::{SourceName, always_quoted};
use crate::pg_catalog::SourceRelations;
use crate::plan::relay::{Names, Temporary, remote_search_path};
use crate::session::Session;
use crate::sources::postgres::relay::UpstreamSettings;

/// Told always: a source's own presets would make its answers look unlike ours.
const ALWAYS: &[&str] = &[
    "datestyle",
    "intervalstyle",
    "timezone",
    "extra_float_digits",
    "bytea_output",
];

/// Told when the client set them. What limits memory or time stays as the
/// source's owner has it, unless the client asks for less or more by name.
const IF_GIVEN: &[&str] = &[
    "array_nulls",
    "backslash_quote",
    "check_function_bodies",
    "client_min_messages",
    "constraint_exclusion",
    "cpu_tuple_cost",
    "cursor_tuple_fraction",
    "default_table_access_method",
    "default_tablespace",
    "default_text_search_config",
    "default_transaction_deferrable",
    "default_transaction_isolation",
    "effective_cache_size",
    "enable_hashagg",
    "enable_hashjoin",
    "enable_indexscan",
    "enable_mergejoin",
    "enable_nestloop",
    "enable_seqscan",
    "enable_sort",
    "escape_string_warning",
    "from_collapse_limit",
    "geqo",
    "gin_fuzzy_search_limit",
    "hash_mem_multiplier",
    "jit",
    "join_collapse_limit",
    "lc_messages",
    "lc_monetary",
    "lc_numeric",
    "lc_time",
    "lock_timeout",
    "maintenance_work_mem",
    "max_parallel_workers_per_gather",
    "plan_cache_mode",
    "quote_all_identifiers",
    "random_page_cost",
    "row_security",
    "statement_timeout",
    "synchronize_seqscans",
    "synchronous_commit",
    "temp_buffers",
    "timezone_abbreviations",
    "work_mem",
    "xmlbinary",
    "xmloption",
];

/// The settings made last for each source.
#[derive(Debug, Default)]
pub(super) struct Cache(Vec<Entry>);

#[derive(Debug)]
struct Entry {
    source: SourceName,
    version: u64,
    catalog: Arc<Catalog>,
    known: AtSource,
}

/// What a session tells a source, and how its answers are read.
#[derive(Debug, Clone)]
pub(super) struct AtSource {
    pub settings: Arc<UpstreamSettings>,
    pub relations: Arc<SourceRelations>,
}

impl Cache {
    pub fn get(
        &self,
        source: &SourceName,
        version: u64,
        catalog: &Arc<Catalog>,
    ) -> Option<AtSource> {
        self.0
            .iter()
            .find(|entry| {
                entry.version == version
                    && entry.source == *source
                    && Arc::ptr_eq(&entry.catalog, catalog)
            })
            .map(|entry| entry.known.clone())
    }

    pub fn put(
        &mut self,
        source: &SourceName,
        version: u64,
        catalog: &Arc<Catalog>,
        settings: Arc<UpstreamSettings>,
    ) -> AtSource {
        let of_catalog = |entry: &&Entry| Arc::ptr_eq(&entry.catalog, catalog);
        let before = self.0.iter().filter(|entry| entry.source == *source);
        let relations = match before.into_iter().find(of_catalog) {
            Some(entry) => entry.known.relations.clone(),
            None => Arc::new(SourceRelations::new(catalog.clone(), source.clone())),
        };
        let known = AtSource {
            settings,
            relations,
        };
        self.0.retain(|entry| entry.source != *source);
        self.0.push(Entry {
            source: source.clone(),
            version,
            catalog: catalog.clone(),
            known: known.clone(),
        });
        known
    }
}

impl Session {
    pub(super) fn make_upstream_settings(
        &mut self,
        name: &SourceName,
        catalog: &Catalog,
    ) -> Result<Arc<UpstreamSettings>> {
        let path = self.search_path();
        let names = Names {
            catalog,
            search_path: &path,
            database: &self.identity.database,
            temporary: Temporary::default(),
        };
        let schemas = remote_search_path(&names, name);
        let quoted: Vec<String> = schemas.iter().map(|schema| always_quoted(schema)).collect();
        let mut all = vec![
            ("search_path".to_string(), quoted.join(", ")),
            (
                "application_name".to_string(),
                // the same for all of a user's sessions: another for each would cost a
                // statement whenever a connection changes hands
                format!("narrows:{}", self.identity.user),
            ),
        ];
        for setting in ALWAYS {
            all.push((setting.to_string(), self.settings.text(setting)));
        }
        for (setting, value) in self.settings.given() {
            let custom = setting.contains('.') && !setting.starts_with("narrows.");
            if custom || IF_GIVEN.contains(&setting) {
                all.push((setting.to_string(), value.to_string()));
            }
        }
        let pairs = all
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        UpstreamSettings::new(pairs)
    }
}
