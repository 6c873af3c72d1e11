//! Cells in binary format, as Postgres's send functions write them.

use super::column::{Column, Values};
use super::text::{elements, is_vector};
use crate::error::{Error, Result, SqlState};
use crate::types::PgType;
use crate::types::text::numeric::{self, Digits};

/// Days and microseconds from 1970-01-01 to Postgres's epoch, 2000-01-01.
const EPOCH_DAYS: i32 = 10_957;
const EPOCH_MICROS: i64 = 946_684_800_000_000;

/// Writes a value that is not NULL.
pub fn write(column: &Column, row: usize, out: &mut Vec<u8>) -> Result<()> {
    match &column.values {
        Values::Null => {}
        Values::Bool(array) => out.push(u8::from(array.value(row))),
        Values::Int16(array) => integer(out, i64::from(array.value(row)), column.pg_type)?,
        Values::Int32(array) => integer(out, i64::from(array.value(row)), column.pg_type)?,
        Values::Int64(array) => integer(out, array.value(row), column.pg_type)?,
        Values::Float32(array) => out.extend_from_slice(&array.value(row).to_be_bytes()),
        Values::Float64(array) => out.extend_from_slice(&array.value(row).to_be_bytes()),
        Values::Decimal128(array, scale, zeros) => {
            numeric::write_binary(out, &Digits::of_i128(array.value(row)), *scale, *zeros);
        }
        Values::Decimal256(array, scale, zeros) => {
            numeric::write_binary(out, &Digits::of_i256(array.value(row)), *scale, *zeros);
        }
        Values::Utf8(_)
        | Values::LargeUtf8(_)
        | Values::Utf8View(_)
        | Values::Binary(_)
        | Values::LargeBinary(_)
        | Values::BinaryView(_)
        | Values::FixedBinary(_)
        | Values::Uuid(_) => {
            if column.pg_type.oid == PgType::JSONB.oid {
                // the version of jsonb's binary form
                out.push(1);
            }
            if let Some(bytes) = column.raw(row) {
                let bytes = bytes?;
                out.extend_from_slice(bytes);
                column.pad(bytes, out);
            }
        }
        Values::Date(array) => {
            let days = match array.value(row) {
                infinite @ (i32::MIN | i32::MAX) => infinite,
                days => days.saturating_sub(EPOCH_DAYS),
            };
            out.extend_from_slice(&days.to_be_bytes());
        }
        Values::Time(array) => out.extend_from_slice(&array.value(row).to_be_bytes()),
        Values::Timestamp(array) | Values::TimestampTz(array) => {
            let micros = match array.value(row) {
                infinite @ (i64::MIN | i64::MAX) => infinite,
                micros => micros.saturating_sub(EPOCH_MICROS),
            };
            out.extend_from_slice(&micros.to_be_bytes());
        }
        Values::Interval(array) => {
            let value = array.value(row);
            out.extend_from_slice(&(value.nanoseconds / 1000).to_be_bytes());
            out.extend_from_slice(&value.days.to_be_bytes());
            out.extend_from_slice(&value.months.to_be_bytes());
        }
        Values::Sent(array, sent) => sent.write_binary(array.value(row), out)?,
        Values::List(_, _) => list(column, row, out)?,
        Values::Struct(_) | Values::Map(_, _, _) => super::json::write(column, row, out)?,
    }
    Ok(())
}

fn integer(out: &mut Vec<u8>, value: i64, pg_type: PgType) -> Result<()> {
    let out_of_range = |_| {
        Error::new(
            SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
            format!("value \"{value}\" is out of range for its type"),
        )
    };
    match (pg_type.length(), pg_type.oid) {
        (2, _) => {
            let value = i16::try_from(value).map_err(out_of_range)?;
            out.extend_from_slice(&value.to_be_bytes());
        }
        (4, 23) => {
            let value = i32::try_from(value).map_err(out_of_range)?;
            out.extend_from_slice(&value.to_be_bytes());
        }
        // oid and its aliases are unsigned
        (4, _) => {
            let value = u32::try_from(value).map_err(out_of_range)?;
            out.extend_from_slice(&value.to_be_bytes());
        }
        _ => out.extend_from_slice(&value.to_be_bytes()),
    }
    Ok(())
}

/// Dimensions, whether NULLs follow, the element type, each dimension's length
/// and lower bound, the elements: array_send.
fn list(column: &Column, row: usize, out: &mut Vec<u8>) -> Result<()> {
    let mut lengths = Vec::new();
    let leaves = flatten(column, row, 0, &mut lengths)?;
    let (leaf, positions) = match leaves {
        Some(leaves) => leaves,
        None => return Ok(()),
    };
    let word = |value: usize| i32::try_from(value).unwrap_or(i32::MAX).to_be_bytes();
    if positions.is_empty() {
        lengths.clear();
    }
    let has_null = positions.iter().any(|position| leaf.is_null(*position));
    out.extend_from_slice(&word(lengths.len()));
    out.extend_from_slice(&word(usize::from(has_null)));
    out.extend_from_slice(&leaf.pg_type.oid.to_be_bytes());
    let lower = usize::from(!is_vector(column.pg_type));
    for length in &lengths {
        out.extend_from_slice(&word(*length));
        out.extend_from_slice(&word(lower));
    }
    for position in positions {
        leaf.write_cell(position, out)?;
    }
    Ok(())
}

/// The innermost column and the positions of all elements; `lengths` gets each dimension's.
fn flatten<'a>(
    column: &'a Column,
    row: usize,
    depth: usize,
    lengths: &mut Vec<usize>,
) -> Result<Option<(&'a Column, Vec<usize>)>> {
    let Values::List(array, child) = &column.values else {
        return Ok(None);
    };
    let positions = elements(array.value_offsets(), row);
    match lengths.get(depth) {
        None => lengths.push(positions.len()),
        Some(length) if *length == positions.len() => {}
        Some(_) => {
            return Err(Error::new(
                SqlState::ARRAY_SUBSCRIPT_ERROR,
                "nested lists of different lengths are no array",
            ));
        }
    }
    if !matches!(child.values, Values::List(_, _)) {
        return Ok(Some((child, positions.collect())));
    }
    let mut leaf = None;
    let mut all = Vec::new();
    for position in positions {
        if let Some((column, positions)) = flatten(child, position, depth + 1, lengths)? {
            leaf = Some(column);
            all.extend(positions);
        }
    }
    Ok(Some((leaf.unwrap_or(child), all)))
}
