//! `narrows demo`: sample data in four kinds of source, a server in front of
//! them, and three queries that show what it does. Also the sample data and
//! the embedded Postgres by themselves, for benchmarks and tests.
//!
//! `main` calls `run` and `make_data`; nothing below the server knows of this.

mod args;
mod data;
mod guard;
mod postgres;
mod progress;
mod queries;
mod screen;
mod serve;
#[cfg(test)]
mod tests;
pub mod tpch;

use std::path::{Path, PathBuf};

pub use args::{DemoArgs, DemoDataArgs};
pub use data::{DataOptions, make_data};
pub use postgres::EmbeddedPostgres;
pub use progress::Progress;

use crate::config::Config;
use crate::error::{Error, Result, SqlState};
use data::Prepared;
use queries::QUERIES;
use screen::Screen;
use serve::Serving;

#[derive(Debug, Clone)]
pub struct DemoOptions {
    /// End after the queries, with an error where one failed or found nothing.
    pub check: bool,
    pub scale: f64,
    /// Where the data is kept; `data/demo` below the current folder by default.
    pub data: Option<PathBuf>,
    /// Used where it exists; otherwise the catalog that the program carries.
    pub catalog: PathBuf,
}

/// Returns at Ctrl-C or SIGTERM, or after the queries of a check.
pub async fn run(options: DemoOptions) -> Result<()> {
    let screen = Screen::on_stdout();
    let prepared = data::prepare(
        options.data.as_deref(),
        options.scale,
        &Progress::on_stderr(),
    )
    .await?;
    let shown = show(&options, &prepared, &screen).await;
    let stopped = prepared.postgres.shutdown().await;
    shown.and(stopped)
}

async fn show(options: &DemoOptions, prepared: &Prepared, screen: &Screen) -> Result<()> {
    let mut config = read_catalog(&options.catalog, prepared)?;
    config.server.listen.set_port(free_port(options, &config));
    let serving = Serving::start(config).await?;
    let shown = async {
        let failed = queries::show_all(&QUERIES, &serving, screen).await?;
        match (options.check, failed) {
            (true, 0) => Ok(()),
            (true, failed) => Err(Error::new(
                SqlState::DATA_EXCEPTION,
                format!("{failed} of {} demo queries failed", QUERIES.len()),
            )),
            (false, _) => {
                screen.invite(serving.address(), serving.database());
                interrupted().await;
                Ok(())
            }
        }
    }
    .await;
    serving.stop().await;
    shown
}

/// The demo's own values come first, so that its variables need not be set in
/// the environment of the process.
fn read_catalog(path: &Path, prepared: &Prepared) -> Result<Config> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            include_str!("../../catalog.toml").to_string()
        }
        Err(error) => {
            return Err(Error::new(
                SqlState::CONFIG_FILE_ERROR,
                format!("\"{}\" could not be read", path.display()),
            )
            .with_cause(error));
        }
    };
    Config::parse(&text, path, &|name| match name {
        "NARROWS_DEMO_POSTGRES" => Some(prepared.postgres.url()),
        "NARROWS_DEMO_DATA" => Some(prepared.folder.display().to_string()),
        other => std::env::var(other).ok(),
    })
}

/// A check disturbs nobody; a demo beside another server takes another port.
fn free_port(options: &DemoOptions, config: &Config) -> u16 {
    if options.check || std::net::TcpListener::bind(config.server.listen).is_err() {
        return 0;
    }
    config.server.listen.port()
}

async fn interrupted() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    // A failure to listen leaves nothing to wait for.
    let _ = tokio::signal::ctrl_c().await;
}
