//! The rows of a table, in parts that threads can generate side by side, with
//! the column types that both sides of a join agree on. Called by the writers
//! of this folder; writes nothing itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::arrow::error::ArrowError;
use tpchgen::generators::{
    CustomerGenerator, LineItemGenerator, NationGenerator, OrderGenerator, PartGenerator,
    PartSuppGenerator, RegionGenerator, SupplierGenerator,
};
use tpchgen_arrow::{
    CustomerArrow, LineItemArrow, NationArrow, OrderArrow, PartArrow, PartSuppArrow, RegionArrow,
    SupplierArrow,
};

use super::Table;
use crate::error::{Error, Result};

/// Rows of one part, and so of one file: small enough that a table of the
/// demo's scale is several files with different key ranges.
const PART_ROWS: u64 = 1_000_000;
const FEWEST_PART_ROWS: u64 = 10_000;
const USUAL_PARTS: u64 = 4;

/// Which share of a table: `number` counts from 1 to `of`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    pub scale: f64,
    pub number: i32,
    pub of: i32,
}

pub(super) type Batches = Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>> + Send>;

impl Table {
    /// The parts to generate a table in; their rows in order are the table.
    pub(super) fn parts(self, scale: f64) -> Vec<Part> {
        let rows = self.rows(scale);
        let large = rows.div_ceil(PART_ROWS);
        let small = (rows / FEWEST_PART_ROWS).clamp(1, USUAL_PARTS);
        let of = i32::try_from(large.max(small)).unwrap_or(i32::MAX);
        (1..=of).map(|number| Part { scale, number, of }).collect()
    }

    /// The Arrow types of the lake files.
    pub(super) fn schema(self) -> SchemaRef {
        let generated = match self {
            Table::Region => RegionArrow::schema_ref(),
            Table::Nation => NationArrow::schema_ref(),
            Table::Supplier => SupplierArrow::schema_ref(),
            Table::Customer => CustomerArrow::schema_ref(),
            Table::Part => PartArrow::schema_ref(),
            Table::Partsupp => PartSuppArrow::schema_ref(),
            Table::Orders => OrderArrow::schema_ref(),
            Table::Lineitem => LineItemArrow::schema_ref(),
        };
        let fields: Vec<Field> = generated.fields().iter().map(|f| lake_field(f)).collect();
        Arc::new(Schema::new(fields))
    }

    /// Every batch has the types of `schema`, whatever metadata its fields carry.
    pub(super) fn batches(self, part: Part, schema: SchemaRef) -> Batches {
        let Part { scale, number, of } = part;
        let generated: Batches = match self {
            Table::Region => Box::new(RegionArrow::new(RegionGenerator::new(scale, number, of))),
            Table::Nation => Box::new(NationArrow::new(NationGenerator::new(scale, number, of))),
            Table::Supplier => Box::new(SupplierArrow::new(SupplierGenerator::new(
                scale, number, of,
            ))),
            Table::Customer => Box::new(CustomerArrow::new(CustomerGenerator::new(
                scale, number, of,
            ))),
            Table::Part => Box::new(PartArrow::new(PartGenerator::new(scale, number, of))),
            Table::Partsupp => Box::new(PartSuppArrow::new(PartSuppGenerator::new(
                scale, number, of,
            ))),
            Table::Orders => Box::new(OrderArrow::new(OrderGenerator::new(scale, number, of))),
            Table::Lineitem => Box::new(LineItemArrow::new(LineItemGenerator::new(
                scale, number, of,
            ))),
        };
        Box::new(generated.map(move |batch| conform(&batch?, &schema)))
    }
}

/// The generator makes every key 64 bits wide; only order keys need it.
fn lake_field(field: &Field) -> Field {
    let wide = field.name().ends_with("_orderkey");
    match field.data_type() {
        DataType::Int64 if !wide => Field::new(field.name(), DataType::Int32, false),
        other => Field::new(field.name(), other.clone(), false),
    }
}

fn conform(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let columns = batch
        .columns()
        .iter()
        .zip(schema.fields())
        .map(|(column, field)| cast(column, field.data_type()))
        .collect::<Result<Vec<_>, _>>()?;
    RecordBatch::try_new(Arc::clone(schema), columns)
}

/// Runs `work` over `jobs` on every core; answers in the jobs' order. After
/// the first error no further job begins. Blocks: call it off the async threads.
pub(super) fn in_parallel<J: Sync, T: Send>(
    jobs: &[J],
    work: impl Fn(&J) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    let failed = AtomicBool::new(false);
    let worker = || -> Result<Vec<(usize, T)>> {
        let mut done = Vec::new();
        while !failed.load(Ordering::Relaxed) {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(job) = jobs.get(index) else { break };
            match work(job) {
                Ok(answer) => done.push((index, answer)),
                Err(error) => {
                    failed.store(true, Ordering::Relaxed);
                    return Err(error);
                }
            }
        }
        Ok(done)
    };
    let mut answers = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..cores.min(jobs.len()))
            .map(|_| scope.spawn(worker))
            .collect();
        let mut answers = Vec::with_capacity(jobs.len());
        for thread in threads {
            let part = thread
                .join()
                .map_err(|_| Error::internal("a thread that generates data panicked"))?;
            answers.extend(part?);
        }
        Ok::<_, Error>(answers)
    })?;
    answers.sort_by_key(|(index, _)| *index);
    Ok(answers.into_iter().map(|(_, answer)| answer).collect())
}
