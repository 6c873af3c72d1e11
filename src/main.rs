//! The command line: `narrows serve | check | demo`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Parser, Subcommand};
use narrows::catalog::report::{self, Health};
use narrows::config::Config;
#[cfg(feature = "demo")]
use narrows::demo;
use narrows::error::{Error, Result, SqlState};
use narrows::execute::{Engine, STACK};
use narrows::metrics;
use narrows::server;

#[derive(Parser)]
#[command(version, about)]
struct Command {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Serve the Postgres protocol.
    Serve(Catalog),
    /// Check the catalog file and every source in it.
    Check(Catalog),
    /// Serve sample data from an embedded Postgres and lake tables.
    #[cfg(feature = "demo")]
    Demo {
        #[command(flatten)]
        catalog: Catalog,
        #[command(flatten)]
        options: demo::DemoArgs,
    },
    /// Write sample data: lake tables, and tables of a Postgres if one is named.
    #[cfg(feature = "demo")]
    #[command(hide = true)]
    DemoData(demo::DemoDataArgs),
}

#[derive(Args)]
struct Catalog {
    /// What lies behind the endpoint.
    #[arg(long = "catalog", value_name = "FILE", default_value = "catalog.toml")]
    file: PathBuf,
}

/// Threads that move bytes between sockets; half of the cores are the queries'.
fn wire_threads() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    cores.div_ceil(2)
}

fn main() -> ExitCode {
    let _log = metrics::log::to_stderr();
    let command = Command::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .worker_threads(wire_threads())
        .thread_stack_size(STACK)
        .build();
    let result = match runtime {
        Ok(runtime) => {
            let result = runtime.block_on(run(command.action));
            // what still runs was given its time
            runtime.shutdown_background();
            result
        }
        Err(error) => Err(Error::internal(format!("no runtime: {error}"))),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{}", error.log_text());
            if let Some(hint) = error.hint() {
                tracing::error!("hint: {hint}");
            }
            ExitCode::FAILURE
        }
    }
}

async fn run(action: Action) -> Result<()> {
    match action {
        Action::Serve(catalog) => serve(&catalog).await,
        Action::Check(catalog) => check(&catalog).await,
        #[cfg(feature = "demo")]
        Action::Demo { catalog, options } => demo::run(options.into_options(catalog.file)).await,
        #[cfg(feature = "demo")]
        Action::DemoData(options) => demo::make_data(options.into_options()).await,
    }
}

/// Prints what every source holds; an error if anything is broken.
async fn check(catalog: &Catalog) -> Result<()> {
    let config = Arc::new(Config::load(&catalog.file)?);
    let engine = Engine::start(config).await?;
    let health = report::check(&engine.catalog(), &mut std::io::stdout())
        .map_err(|error| Error::internal(format!("no output: {error}")))?;
    match health {
        Health::Whole => Ok(()),
        Health::Broken => Err(Error::new(
            SqlState::CONFIG_FILE_ERROR,
            "not everything that the catalog declares can be used",
        )),
    }
}

async fn serve(catalog: &Catalog) -> Result<()> {
    let config = Arc::new(Config::load(&catalog.file)?);
    let engine = Engine::start(config.clone()).await?;
    let server = server::serve(config, engine).await?;
    let stop = server.stop_handle();
    let signals = tokio::spawn(server::stop_on_signals(stop));
    let hangups = tokio::spawn(server::reload_on_hangup(server.reload_handle()));
    let result = server.run().await;
    signals.abort();
    hangups.abort();
    result
}
