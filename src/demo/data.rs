//! The folder of sample data: made once, reused while it is complete and of
//! the scale that is asked for. Called by the demo and by `demo-data`.
//!
//! ```text
//! data/demo/demo.json        what the folder holds; written last of all
//!          /lake/lineitem    Delta
//!          /ice/part         Iceberg
//!          /files/partsupp   Parquet
//!          /postgres         the embedded Postgres: orders, customer, …
//! ```

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::postgres::EmbeddedPostgres;
use super::progress::Progress;
use super::tpch::{LoadOptions, Table, load_postgres, write_delta, write_iceberg, write_parquet};
use crate::error::{Error, Result, SqlState};

const DEFAULT_FOLDER: &str = "data/demo";
const STAMP: &str = "demo.json";
/// To be raised when what is written changes.
const FORMAT: u32 = 1;
/// Connections that load a Postgres which is not the embedded one.
const LOADERS: usize = 2;

/// Data that is ready, and the Postgres that holds its operational part.
#[derive(Debug)]
pub(super) struct Prepared {
    /// Absolute.
    pub folder: PathBuf,
    pub postgres: EmbeddedPostgres,
}

#[derive(Debug, Clone)]
pub struct DataOptions {
    pub scale: f64,
    /// Below which folder to write the lake tables, if at all.
    pub lake: Option<PathBuf>,
    /// Which Postgres to load, if any.
    pub postgres: Option<String>,
    /// What to load there.
    pub tables: Vec<Table>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Stamp {
    format: u32,
    scale: f64,
    /// Iceberg records absolute paths: a folder that was moved is made anew.
    folder: PathBuf,
    holds: Holds,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Holds {
    /// Something that was begun.
    Parts,
    Lake,
    LakeAndPostgres,
}

/// Sample data without the demo.
pub async fn make_data(options: DataOptions) -> Result<()> {
    let progress = Progress::on_stderr();
    if let Some(folder) = &options.lake {
        let folder = claim(folder)?;
        let stamp = Stamp::new(&folder, options.scale, Holds::Lake);
        if stamp.is_on(&folder) {
            progress.note("The lake tables are there already.");
        } else {
            write_lake(&folder, options.scale, &progress).await?;
            stamp.write(&folder)?;
        }
    }
    if let Some(url) = &options.postgres {
        let load = LoadOptions {
            scale: options.scale,
            tables: options.tables,
            connections: LOADERS,
        };
        load_postgres(url, &load, &progress).await?;
    }
    Ok(())
}

/// The Postgres starts first: its lock on the folder keeps two demos apart.
pub(super) async fn prepare(
    folder: Option<&Path>,
    scale: f64,
    progress: &Progress,
) -> Result<Prepared> {
    let folder = claim(folder.unwrap_or(Path::new(DEFAULT_FOLDER)))?;
    let postgres = EmbeddedPostgres::start(&folder.join("postgres")).await?;
    let stamp = Stamp::new(&folder, scale, Holds::LakeAndPostgres);
    if !stamp.is_on(&folder) {
        progress.note(&format!(
            "Making the sample data (TPC-H, scale {scale}) in {}",
            folder.display()
        ));
        write_lake(&folder, scale, progress).await?;
        let load = LoadOptions {
            scale,
            tables: Table::OPERATIONAL.to_vec(),
            connections: 1,
        };
        load_postgres(&postgres.url(), &load, progress).await?;
        stamp.write(&folder)?;
    }
    Ok(Prepared { folder, postgres })
}

/// Makes the folder ours, or refuses one that holds something else: parts of
/// it are removed before they are written anew.
fn claim(folder: &Path) -> Result<PathBuf> {
    let failed = |error| {
        Error::new(
            SqlState::IO_ERROR,
            format!("\"{}\" cannot be used as the data folder", folder.display()),
        )
        .with_cause(error)
    };
    std::fs::create_dir_all(folder).map_err(failed)?;
    let folder = folder.canonicalize().map_err(failed)?;
    let empty = folder.read_dir().map_err(failed)?.next().is_none();
    if empty {
        std::fs::write(folder.join(STAMP), "{}\n").map_err(failed)?;
    } else if !folder.join(STAMP).is_file() {
        return Err(Error::new(
            SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
            format!(
                "\"{}\" is not empty and holds no sample data",
                folder.display()
            ),
        )
        .with_hint("--data DIR names another folder."));
    }
    Ok(folder)
}

async fn write_lake(folder: &Path, scale: f64, progress: &Progress) -> Result<()> {
    // From here on an interruption leaves nothing that looks complete.
    Stamp::new(folder, scale, Holds::Parts).write(folder)?;
    let lineitem = fresh(folder, "lake/lineitem")?;
    let part = fresh(folder, "ice/part")?;
    let partsupp = fresh(folder, "files/partsupp")?;

    progress.begin("Delta: lineitem", Table::Lineitem.rows(scale));
    let rows = blocking(progress, move |progress| {
        write_delta(&lineitem, Table::Lineitem, scale, &progress)
    })
    .await?;
    progress.finish(rows);

    progress.begin("Iceberg: part", Table::Part.rows(scale));
    write_iceberg(&part, Table::Part, scale, progress).await?;
    progress.finish(Table::Part.rows(scale));

    progress.begin("Parquet: partsupp", Table::Partsupp.rows(scale));
    let rows = blocking(progress, move |progress| {
        write_parquet(&partsupp, Table::Partsupp, scale, &progress)
    })
    .await?;
    progress.finish(rows);
    Ok(())
}

async fn blocking<T: Send + 'static>(
    progress: &Progress,
    work: impl FnOnce(Progress) -> Result<T> + Send + 'static,
) -> Result<T> {
    let progress = progress.clone();
    tokio::task::spawn_blocking(move || work(progress))
        .await
        .map_err(|_| Error::internal("the thread that writes sample data panicked"))?
}

/// A folder for a table, without what an earlier run left in it.
fn fresh(folder: &Path, table: &str) -> Result<PathBuf> {
    let path = folder.join(table);
    match std::fs::remove_dir_all(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::new(
            SqlState::IO_ERROR,
            format!("\"{}\" could not be removed", path.display()),
        )
        .with_cause(error)),
        _ => Ok(path),
    }
}

impl Stamp {
    fn new(folder: &Path, scale: f64, holds: Holds) -> Self {
        Stamp {
            format: FORMAT,
            scale,
            folder: folder.to_path_buf(),
            holds,
        }
    }

    fn is_on(&self, folder: &Path) -> bool {
        std::fs::read(folder.join(STAMP))
            .ok()
            .and_then(|bytes| serde_json::from_slice::<Stamp>(&bytes).ok())
            .is_some_and(|found| found == *self)
    }

    fn write(&self, folder: &Path) -> Result<()> {
        let path = folder.join(STAMP);
        let write = || -> std::io::Result<()> {
            let unfinished = folder.join("demo.json.tmp");
            std::fs::write(&unfinished, serde_json::to_vec_pretty(self)?)?;
            std::fs::rename(unfinished, &path)
        };
        write().map_err(|error| {
            Error::new(
                SqlState::IO_ERROR,
                format!("\"{}\" could not be written", path.display()),
            )
            .with_cause(error)
        })
    }
}
