//! The command lines of `narrows demo` and of `narrows demo-data`, which
//! `main` mounts as subcommands.

use std::path::PathBuf;

use clap::Args;

use super::tpch::Table;
use super::{DataOptions, DemoOptions};

#[derive(Debug, Clone, Args)]
pub struct DemoArgs {
    /// End after the queries; the exit status says whether all of them worked
    #[arg(long)]
    check: bool,

    /// TPC-H scale factor: 1 is 6 million order lines
    #[arg(long, default_value_t = 0.1, value_parser = scale)]
    scale: f64,

    /// Folder that keeps the sample data [default: data/demo]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

impl DemoArgs {
    pub fn into_options(self, catalog: PathBuf) -> DemoOptions {
        DemoOptions {
            check: self.check,
            scale: self.scale,
            data: self.data,
            catalog,
        }
    }
}

/// For benchmarks: mount it with `hide = true`.
#[derive(Debug, Clone, Args)]
pub struct DemoDataArgs {
    /// TPC-H scale factor
    #[arg(long, default_value_t = 0.1, value_parser = scale)]
    scale: f64,

    /// Write the lake tables (Delta, Iceberg, Parquet) below this folder
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,

    /// Load tables into this Postgres, in place of those of the same names
    #[arg(long, value_name = "URL")]
    postgres: Option<String>,

    /// Load all eight tables there, not only the five of the demo
    #[arg(long, requires = "postgres")]
    all_tables: bool,
}

impl DemoDataArgs {
    pub fn into_options(self) -> DataOptions {
        DataOptions {
            scale: self.scale,
            lake: self.data,
            postgres: self.postgres,
            tables: if self.all_tables {
                Table::ALL.to_vec()
            } else {
                Table::OPERATIONAL.to_vec()
            },
        }
    }
}

/// Below this the generator has no suppliers to choose from; above it the
/// customers' and parts' keys would leave 32 bits.
fn scale(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(scale) if (0.001..=1000.0).contains(&scale) => Ok(scale),
        _ => Err("a number from 0.001 to 1000 is wanted".to_string()),
    }
}
