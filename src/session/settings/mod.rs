//! One session's settings: defaults, what the client set, what lasts for the
//! transaction alone. Called by the session's statements; knows nothing of SQL.

mod quick;
mod table;
mod values;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, Result, SqlState};
use crate::types::text::{ByteaOutput, IntervalStyle, OutputStyle, Zone};

pub use quick::{Quick, RouteChoice};
pub use table::SERVER_VERSION;
use table::{Access, TABLE, definition};
pub use values::boolean;
use values::{Kind, canonical, date_style, path_elements, time_millis};

/// Values that differ from the defaults, by lower-case name.
type Values = BTreeMap<String, String>;

#[derive(Debug, Clone)]
pub struct Settings {
    /// What RESET goes back to: the server's defaults and the startup packet.
    boot: Values,
    /// Shared with the snapshots that transactions keep.
    session: Arc<Values>,
    /// SET LOCAL; on top until the transaction ends.
    local: Arc<Values>,
    /// Grows with every change.
    version: u64,
    /// Spellings of names that are not in the table.
    shown: Option<Arc<BTreeMap<String, String>>>,
    style: Option<Arc<OutputStyle>>,
    path: Option<Arc<[String]>>,
    /// What the client was told last, and whether anything changed since.
    reported: Vec<(&'static str, String)>,
    unreported: bool,
    quick: Quick,
}

/// How long a new value lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    Session,
    Transaction,
}

/// What a rollback restores.
#[derive(Debug, Clone)]
pub struct Snapshot {
    session: Arc<Values>,
    local: Arc<Values>,
}

impl Settings {
    /// `fixed` are values that only this server knows, such as session_authorization.
    pub fn new(fixed: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut settings = Settings {
            boot: fixed.into_iter().collect(),
            session: Arc::default(),
            local: Arc::default(),
            version: 0,
            shown: None,
            style: None,
            path: None,
            reported: Vec::new(),
            unreported: false,
            quick: Quick::default(),
        };
        settings.quick = settings.read_quick();
        settings.reported = settings.reported_values();
        settings
    }

    /// A value of the startup packet: RESET goes back to it.
    pub fn boot(&mut self, name: &str, value: &str) -> Result<()> {
        let (key, text) = self.check(name, value)?;
        self.boot.insert(key, text);
        self.changed();
        Ok(())
    }

    pub fn set(&mut self, name: &str, value: &str, scope: Scope) -> Result<()> {
        let (key, text) = self.check(name, value)?;
        match scope {
            Scope::Session => {
                Arc::make_mut(&mut self.local).remove(&key);
                Arc::make_mut(&mut self.session).insert(key, text);
            }
            Scope::Transaction => {
                Arc::make_mut(&mut self.local).insert(key, text);
            }
        }
        self.changed();
        Ok(())
    }

    pub fn reset(&mut self, name: &str, scope: Scope) -> Result<()> {
        let key = name.to_ascii_lowercase();
        match definition(name) {
            Some(definition) if definition.access == Access::Internal => {
                return Err(cannot_change(definition.name));
            }
            None if !is_custom(name) => return Err(unrecognized(name)),
            _ => {}
        }
        match scope {
            Scope::Session => {
                Arc::make_mut(&mut self.local).remove(&key);
                Arc::make_mut(&mut self.session).remove(&key);
            }
            Scope::Transaction => {
                let value = self.base(&key);
                Arc::make_mut(&mut self.local).insert(key, value);
            }
        }
        self.changed();
        Ok(())
    }

    pub fn reset_all(&mut self) {
        self.session = Arc::default();
        self.local = Arc::default();
        self.changed();
    }

    /// As SHOW prints it: 42704 for a name that nobody set.
    pub fn show(&self, name: &str) -> Result<&str> {
        let key = name.to_ascii_lowercase();
        self.value(&key)
            .or_else(|| definition(name).map(|definition| definition.default))
            .ok_or_else(|| unrecognized(name))
    }

    /// The table's spelling of a name.
    pub fn canonical_name(name: &str) -> String {
        match definition(name) {
            Some(definition) => definition.name.to_string(),
            None => name.to_string(),
        }
    }

    /// Name, value and description, sorted by name.
    pub fn show_all(&self) -> Vec<(String, String, String)> {
        let mut all: Vec<_> = TABLE
            .iter()
            .map(|definition| {
                (
                    definition.name.to_string(),
                    self.text(definition.name),
                    definition.description.to_string(),
                )
            })
            .collect();
        all.extend(self.shown_map().into_iter().filter_map(|(key, value)| {
            definition(&key)
                .is_none()
                .then(|| (key, value, String::new()))
        }));
        all.sort_by_key(|(name, _, _)| name.to_ascii_lowercase());
        all
    }

    /// Every setting by its lower-case name.
    pub fn shown(&mut self) -> Arc<BTreeMap<String, String>> {
        match &self.shown {
            Some(shown) => shown.clone(),
            None => {
                let shown = Arc::new(self.shown_map());
                self.shown = Some(shown.clone());
                shown
            }
        }
    }

    fn shown_map(&self) -> BTreeMap<String, String> {
        let mut all: BTreeMap<String, String> = TABLE
            .iter()
            .map(|definition| {
                (
                    definition.name.to_ascii_lowercase(),
                    definition.default.to_string(),
                )
            })
            .collect();
        for layer in [&self.boot, &*self.session, &*self.local] {
            all.extend(
                layer
                    .iter()
                    .map(|(key, value)| (key.clone(), value.clone())),
            );
        }
        all
    }

    pub fn style(&mut self) -> Arc<OutputStyle> {
        match &self.style {
            Some(style) => style.clone(),
            None => {
                let style = Arc::new(self.read_style());
                self.style = Some(style.clone());
                style
            }
        }
    }

    fn read_style(&self) -> OutputStyle {
        let mut style = OutputStyle::default();
        if let Some((date, order)) = date_style(&self.text("DateStyle"), "") {
            style.date = date;
            style.order = order;
        }
        style.interval = match self.text("IntervalStyle").as_str() {
            "postgres_verbose" => IntervalStyle::PostgresVerbose,
            "sql_standard" => IntervalStyle::SqlStandard,
            "iso_8601" => IntervalStyle::Iso8601,
            _ => IntervalStyle::Postgres,
        };
        style.zone = Zone::setting(&self.text("TimeZone")).unwrap_or_else(Zone::utc);
        style.extra_float_digits = self.text("extra_float_digits").parse().unwrap_or(1);
        style.bytea = match self.text("bytea_output").as_str() {
            "escape" => ByteaOutput::Escape,
            _ => ByteaOutput::Hex,
        };
        style
    }

    /// The schemas of search_path without pg_catalog, `$user` being `user`.
    pub fn search_path(&mut self, user: &str) -> Arc<[String]> {
        match &self.path {
            Some(path) => path.clone(),
            None => {
                let path: Arc<[String]> = path_elements(&self.text("search_path"))
                    .unwrap_or_default()
                    .into_iter()
                    .map(|name| {
                        if name == "$user" {
                            user.to_string()
                        } else {
                            name
                        }
                    })
                    .filter(|name| name != "pg_catalog")
                    .collect();
                self.path = Some(path.clone());
                path
            }
        }
    }

    /// None: no limit.
    pub fn duration(&self, name: &str) -> Option<Duration> {
        match time_millis(&self.text(name)) {
            0 => None,
            millis => Some(Duration::from_millis(millis)),
        }
    }

    pub fn text(&self, name: &str) -> String {
        self.show(name).unwrap_or_default().to_string()
    }

    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            session: self.session.clone(),
            local: self.local.clone(),
        }
    }

    pub fn restore(&mut self, snapshot: Snapshot) {
        if Arc::ptr_eq(&self.session, &snapshot.session)
            && Arc::ptr_eq(&self.local, &snapshot.local)
        {
            return;
        }
        self.session = snapshot.session;
        self.local = snapshot.local;
        self.changed();
    }

    /// The transaction committed: SET LOCAL ends.
    pub fn end_local(&mut self) {
        if !self.local.is_empty() {
            self.local = Arc::default();
            self.changed();
        }
    }

    /// Reported settings whose values the client does not know yet.
    pub fn take_reports(&mut self) -> Vec<(&'static str, String)> {
        if !std::mem::take(&mut self.unreported) {
            return Vec::new();
        }
        let now = self.reported_values();
        let changed = now
            .iter()
            .filter(|entry| !self.reported.contains(entry))
            .cloned()
            .collect();
        self.reported = now;
        changed
    }

    pub fn reported_values(&self) -> Vec<(&'static str, String)> {
        TABLE
            .iter()
            .filter(|definition| definition.reported)
            .map(|definition| (definition.name, self.text(definition.name)))
            .collect()
    }

    /// The same number as before: nothing changed.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// What the client or the server's file gave, by lower-case name; defaults are left out.
    pub fn given(&self) -> BTreeMap<&str, &str> {
        [&self.boot, &*self.session, &*self.local]
            .into_iter()
            .flatten()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect()
    }

    pub fn quick(&self) -> &Quick {
        &self.quick
    }

    fn changed(&mut self) {
        self.version += 1;
        self.quick = self.read_quick();
        self.shown = None;
        self.style = None;
        self.path = None;
        self.unreported = true;
    }

    fn value(&self, key: &str) -> Option<&str> {
        [&*self.local, &*self.session, &self.boot]
            .into_iter()
            .find_map(|layer| layer.get(key))
            .map(String::as_str)
    }

    /// What RESET gives.
    fn base(&self, key: &str) -> String {
        match self.boot.get(key) {
            Some(value) => value.clone(),
            None => definition(key)
                .map(|definition| definition.default.to_string())
                .unwrap_or_default(),
        }
    }

    fn check(&self, name: &str, value: &str) -> Result<(String, String)> {
        let key = name.to_ascii_lowercase();
        match definition(name) {
            Some(definition) if definition.access == Access::Internal => {
                Err(cannot_change(definition.name))
            }
            Some(definition) => {
                let present = match definition.kind {
                    Kind::Instant => self.text("TimeZone"),
                    _ => self.text(definition.name),
                };
                let text = canonical(definition.name, definition.kind, value, &present)?;
                Ok((key, text))
            }
            None if key.starts_with("narrows.") => Err(unrecognized(name)),
            None if is_custom(name) => Ok((key, value.to_string())),
            None => Err(unrecognized(name)),
        }
    }
}

/// Two or more identifiers with dots between: section 20.16 "Customized Options".
fn is_custom(name: &str) -> bool {
    name.contains('.')
        && name.split('.').all(|part| {
            part.starts_with(|c: char| c.is_alphabetic() || c == '_')
                && part
                    .chars()
                    .all(|c| c.is_alphanumeric() || matches!(c, '_' | '$'))
        })
}

fn unrecognized(name: &str) -> Error {
    Error::new(
        SqlState::UNDEFINED_OBJECT,
        format!("unrecognized configuration parameter \"{name}\""),
    )
}

fn cannot_change(name: &str) -> Error {
    Error::new(
        SqlState::CANT_CHANGE_RUNTIME_PARAM,
        format!("parameter \"{name}\" cannot be changed"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_its_defaults_are_canonical() {
        let names: Vec<String> = TABLE.iter().map(|d| d.name.to_ascii_lowercase()).collect();
        assert!(names.is_sorted());
        for definition in TABLE.iter().filter(|d| d.name != "seed") {
            let text = canonical(definition.name, definition.kind, definition.default, "")
                .expect(definition.name);
            assert_eq!(text, definition.default, "{}", definition.name);
        }
    }

    #[test]
    fn values_end_with_their_scope() {
        let mut settings = Settings::new([]);
        let before = settings.snapshot();
        settings
            .set("timezone", "Asia/Tokyo", Scope::Session)
            .expect("valid");
        settings
            .set("TIMEZONE", "Europe/Rome", Scope::Transaction)
            .expect("valid");
        assert_eq!(settings.show("TimeZone").expect("known"), "Europe/Rome");
        settings.end_local();
        assert_eq!(settings.show("timezone").expect("known"), "Asia/Tokyo");
        settings.restore(before);
        assert_eq!(settings.show("timezone").expect("known"), "UTC");
    }

    #[test]
    fn unknown_names_need_a_dot() {
        let mut settings = Settings::new([]);
        let error = settings
            .set("nonsense", "1", Scope::Session)
            .expect_err("unknown");
        assert_eq!(
            error.message(),
            "unrecognized configuration parameter \"nonsense\""
        );
        assert!(
            settings
                .set("narrows.rout", "auto", Scope::Session)
                .is_err()
        );
        assert!(settings.set("my.var", "x", Scope::Session).is_ok());
        assert_eq!(settings.show("my.var").expect("was set"), "x");
        let error = settings
            .set("server_version", "9", Scope::Session)
            .expect_err("fixed");
        assert_eq!(error.state(), SqlState::CANT_CHANGE_RUNTIME_PARAM);
    }

    #[test]
    fn changes_of_reported_settings_are_told_once() {
        let mut settings = Settings::new([]);
        assert!(settings.take_reports().is_empty());
        settings
            .set("application_name", "psql", Scope::Session)
            .expect("valid");
        settings
            .set("work_mem", "8MB", Scope::Session)
            .expect("valid");
        assert_eq!(
            settings.take_reports(),
            [("application_name", "psql".to_string())]
        );
        assert!(settings.take_reports().is_empty());
    }
}
