//! catalog.toml: parsed, `${VAR}` and `{ file = … }` filled in, validated once.
//! Called at start, at reload and by `narrows check`. Plain data only; live
//! objects are made by `sources`, `auth` and `server`.
//!
//! Reading never stops at the first mistake: each is noted with its line, and
//! all of them are reported together.

mod check;
mod files;
mod interpolate;
mod item;
mod notes;
mod schema;
mod secret;
mod section;
mod server;
mod sources;
mod storage;
#[cfg(test)]
mod tests;
mod units;
mod users;

use std::path::{Path, PathBuf};

use toml::de::DeTable;

use crate::error::{Error, Result, SqlState};

use notes::Notes;
use section::Section;

pub use schema::*;
pub use secret::Secret;

impl Config {
    /// Reads the file, with variables from the process's environment. F0000
    /// with one line for each mistake; no line shows a secret.
    pub fn load(path: &Path) -> Result<Config> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            Error::new(
                SqlState::CONFIG_FILE_ERROR,
                format!("{} cannot be read: {error}", path.display()),
            )
            .with_hint("--catalog FILE names another file; \"narrows demo\" needs none.")
        })?;
        Config::parse(&text, path, &|name| std::env::var(name).ok())
    }

    /// `path` is shown in errors, and relative paths start from its folder.
    pub fn parse(text: &str, path: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Config> {
        let base = base_folder(path);
        let notes = Notes::new(text, &base, env);
        let (document, mistakes) = DeTable::parse_recoverable(text);
        for mistake in &mistakes {
            let at = mistake.span().map_or(0, |span| span.start);
            notes.add(at, "", mistake.message());
        }
        notes.into_result(path)?;

        let notes = Notes::new(text, &base, env);
        let config = read(&Section::root(&notes, document.get_ref()), &base);
        check::across_sections(&config, &Section::root(&notes, document.get_ref()));
        notes.into_result(path)?;
        Ok(config)
    }
}

fn read(root: &Section<'_>, base: &Path) -> Config {
    let config = Config {
        base: base.to_path_buf(),
        server: root.section("server").map(server::read).unwrap_or_default(),
        limits: root
            .section("limits")
            .map(server::read_limits)
            .unwrap_or_default(),
        users: users::read(root),
        sources: sources::read(root),
        storage: storage::read(root),
        workers: root
            .section("workers")
            .map(server::read_workers)
            .unwrap_or_default(),
    };
    root.finish();
    config
}

/// Absolute, so that paths stay right whatever the process's folder becomes.
fn base_folder(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    absolute
        .parent()
        .map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}
