//! TPC-H data at any scale, generated as it is written: lake tables as Arrow
//! batches, Postgres tables as CSV. The demo, the benchmarks and the tests call
//! it. Knows nothing of queries or of the server.
//!
//! Types follow the TPC-H specification (revision 3, section 1.4): order keys
//! are bigint, other identifiers integer, money and quantities decimal(15,2).
//! What it declares char(n) is bpchar in Postgres and a plain, unpadded string
//! in lake files, as such files are in practice.

mod delta;
mod files;
mod generate;
mod iceberg;
mod parquet_file;
mod postgres;
mod text;

pub use delta::write_delta;
pub use files::write_parquet;
pub use iceberg::write_iceberg;
pub use postgres::{LoadOptions, load_postgres};

/// A table of the TPC-H schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Table {
    Region,
    Nation,
    Supplier,
    Customer,
    Part,
    Partsupp,
    Orders,
    Lineitem,
}

impl Table {
    /// All eight, each after the tables that it references.
    pub const ALL: [Table; 8] = [
        Table::Region,
        Table::Nation,
        Table::Supplier,
        Table::Customer,
        Table::Part,
        Table::Partsupp,
        Table::Orders,
        Table::Lineitem,
    ];

    /// The five that the demo keeps in Postgres; the other three live in the lake.
    pub const OPERATIONAL: [Table; 5] = [
        Table::Region,
        Table::Nation,
        Table::Supplier,
        Table::Customer,
        Table::Orders,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Table::Region => "region",
            Table::Nation => "nation",
            Table::Supplier => "supplier",
            Table::Customer => "customer",
            Table::Part => "part",
            Table::Partsupp => "partsupp",
            Table::Orders => "orders",
            Table::Lineitem => "lineitem",
        }
    }

    /// Rows at a scale; an estimate for lineitem, exact for the rest.
    pub fn rows(self, scale: f64) -> u64 {
        let base = match self {
            Table::Region => return 5,
            Table::Nation => return 25,
            Table::Supplier => 10_000.0,
            Table::Customer => 150_000.0,
            Table::Part => 200_000.0,
            Table::Partsupp => 800_000.0,
            Table::Orders => 1_500_000.0,
            Table::Lineitem => 6_000_000.0,
        };
        (base * scale) as u64
    }
}
