//! `[server]`, `[server.tls]`, `[limits]` and `[workers]`.

use std::path::PathBuf;
use std::time::Duration;

use super::schema::{Limits, Server, Tls};
use super::section::Section;
use super::units;

pub(super) fn read(section: Section<'_>) -> Server {
    let mut server = Server::default();
    if let Some(text) = section.item("listen").and_then(|item| item.text()) {
        match text.value.parse() {
            Ok(address) => server.listen = address,
            Err(_) => text.mistake(format!(
                "{} is not an address and a port such as \"127.0.0.1:5433\"",
                text.shown()
            )),
        }
    }
    if let Some(text) = section.item("database").and_then(|item| item.text()) {
        if text.value.is_empty() || text.value.len() > 63 {
            text.mistake("a database name has 1 to 63 bytes");
        }
        server.database = text.value;
    }
    server.tls = section.section("tls").map(read_tls);
    section.finish();
    server
}

fn read_tls(section: Section<'_>) -> Tls {
    let path = |text: String| section.notes.base.join(text);
    let tls = Tls {
        cert: path(section.required_text("cert")),
        key: path(section.required_text("key")),
        client_ca: section.text("client_ca").map(path),
        required: section.boolean("required").unwrap_or(false),
    };
    section.finish();
    tls
}

pub(super) fn read_limits(section: Section<'_>) -> Limits {
    let default = Limits::default();
    let memory = |key, default: usize| match units::size(&section, key) {
        Some(bytes) => usize::try_from(bytes).unwrap_or(usize::MAX),
        None => default,
    };
    let limits = Limits {
        max_connections: section
            .count("max_connections")
            .unwrap_or(default.max_connections),
        query_memory: memory("query_memory", default.query_memory),
        spill_dir: section
            .text("spill_dir")
            .map_or(default.spill_dir, |text| section.notes.base.join(text)),
        spill_limit: units::size(&section, "spill_limit").unwrap_or(default.spill_limit),
        statement_timeout: units::duration(&section, "statement_timeout")
            .filter(|timeout| !timeout.is_zero()),
        message_size: memory("message_size", default.message_size),
        login_timeout: units::duration(&section, "login_timeout").unwrap_or(default.login_timeout),
        metadata_ttl: units::duration(&section, "metadata_ttl").unwrap_or(default.metadata_ttl),
    };
    if limits.login_timeout.is_zero()
        && let Some(item) = section.find("login_timeout")
    {
        item.mistake("a login always has a deadline: expected a duration such as \"30s\"");
    }
    section.finish();
    limits
}

pub(super) fn read_workers(section: Section<'_>) -> Vec<String> {
    let mut nodes = Vec::new();
    for text in section.texts("nodes").unwrap_or_default() {
        let url = url::Url::parse(&text.value).ok();
        let good = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        match good {
            Some(_) if nodes.contains(&text.value) => {
                text.mistake(format!("{} is listed twice", text.shown()));
            }
            Some(_) => nodes.push(text.value),
            None => text.mistake(format!(
                "{} is not a worker's address such as \"http://10.0.0.11:7433\"",
                text.shown()
            )),
        }
    }
    section.finish();
    nodes
}

impl Default for Server {
    fn default() -> Self {
        Server {
            listen: ([127, 0, 0, 1], 5433).into(),
            database: "narrows".into(),
            tls: None,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            max_connections: 500,
            query_memory: 4 << 30,
            spill_dir: PathBuf::from("/var/tmp/narrows"),
            spill_limit: 50 << 30,
            statement_timeout: None,
            message_size: 256 << 20,
            login_timeout: Duration::from_secs(30),
            metadata_ttl: Duration::from_secs(60),
        }
    }
}
