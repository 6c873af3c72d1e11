//! A part of a table as CSV that `COPY … FROM STDIN (FORMAT csv)` reads, in
//! chunks of whole lines. Called by the loader of Postgres.

use std::fmt::{Display, Write};

use bytes::Bytes;
use tpchgen::csv::{
    CustomerCsv, LineItemCsv, NationCsv, OrderCsv, PartCsv, PartSuppCsv, RegionCsv, SupplierCsv,
};
use tpchgen::generators::{
    CustomerGenerator, LineItemGenerator, NationGenerator, OrderGenerator, PartGenerator,
    PartSuppGenerator, RegionGenerator, SupplierGenerator,
};

use super::Table;
use super::generate::Part;

/// Bytes after which a chunk is sent.
const CHUNK: usize = 128 * 1024;

pub(super) struct Chunk {
    pub csv: Bytes,
    pub rows: u64,
}

pub(super) type Chunks = Box<dyn Iterator<Item = Chunk> + Send>;

impl Table {
    pub(super) fn csv(self, part: Part) -> Chunks {
        let Part { scale, number, of } = part;
        match self {
            Table::Region => chunks(
                RegionGenerator::new(scale, number, of)
                    .iter()
                    .map(RegionCsv::new),
            ),
            Table::Nation => chunks(
                NationGenerator::new(scale, number, of)
                    .iter()
                    .map(NationCsv::new),
            ),
            Table::Supplier => chunks(
                SupplierGenerator::new(scale, number, of)
                    .iter()
                    .map(SupplierCsv::new),
            ),
            Table::Customer => chunks(
                CustomerGenerator::new(scale, number, of)
                    .iter()
                    .map(CustomerCsv::new),
            ),
            Table::Part => chunks(
                PartGenerator::new(scale, number, of)
                    .iter()
                    .map(PartCsv::new),
            ),
            Table::Partsupp => chunks(
                PartSuppGenerator::new(scale, number, of)
                    .iter()
                    .map(PartSuppCsv::new),
            ),
            Table::Orders => chunks(
                OrderGenerator::new(scale, number, of)
                    .iter()
                    .map(OrderCsv::new),
            ),
            Table::Lineitem => chunks(
                LineItemGenerator::new(scale, number, of)
                    .iter()
                    .map(LineItemCsv::new),
            ),
        }
    }
}

fn chunks<R: Display>(mut rows: impl Iterator<Item = R> + Send + 'static) -> Chunks {
    Box::new(std::iter::from_fn(move || {
        let mut csv = String::with_capacity(CHUNK + 1024);
        let mut count = 0;
        while csv.len() < CHUNK
            && let Some(row) = rows.next()
        {
            // Writing to a String cannot fail.
            let _ = writeln!(csv, "{row}");
            count += 1;
        }
        (count > 0).then(|| Chunk {
            csv: Bytes::from(csv),
            rows: count,
        })
    }))
}
