//! Cells in text format, as Postgres's output functions write them.

use super::column::{Column, Values};
use super::json;
use crate::error::Result;
use crate::types::PgType;
use crate::types::text::numeric::{self, Digits};
use crate::types::text::{Interval, array, bytea, datetime, float, interval};

/// Writes a value that is not NULL.
pub fn write(column: &Column, row: usize, out: &mut Vec<u8>) -> Result<()> {
    let style = &column.style;
    match &column.values {
        Values::Null => {}
        Values::Bool(array) => out.push(if array.value(row) { b't' } else { b'f' }),
        Values::Int16(array) => integer(out, i64::from(array.value(row))),
        Values::Int32(array) => integer(out, i64::from(array.value(row))),
        Values::Int64(array) => integer(out, array.value(row)),
        Values::Float32(array) => {
            float::write_float4(out, array.value(row), style.extra_float_digits);
        }
        Values::Float64(array) => {
            float::write_float8(out, array.value(row), style.extra_float_digits);
        }
        Values::Decimal128(array, scale, zeros) => {
            numeric::write(out, &Digits::of_i128(array.value(row)), *scale, *zeros);
        }
        Values::Decimal256(array, scale, zeros) => {
            numeric::write(out, &Digits::of_i256(array.value(row)), *scale, *zeros);
        }
        Values::Utf8(_) | Values::LargeUtf8(_) | Values::Utf8View(_) => {
            if let Some(text) = column.raw(row) {
                let text = text?;
                out.extend_from_slice(text);
                column.pad(text, out);
            }
        }
        Values::Binary(_)
        | Values::LargeBinary(_)
        | Values::BinaryView(_)
        | Values::FixedBinary(_) => {
            if let Some(bytes) = column.raw(row) {
                bytea::write(out, bytes?, style.bytea);
            }
        }
        Values::Uuid(array) => uuid(out, array.value(row)),
        Values::Date(array) => datetime::write_date(out, array.value(row), style),
        Values::Time(array) => datetime::write_time(out, array.value(row)),
        Values::Timestamp(array) => datetime::write_timestamp(out, array.value(row), style),
        Values::TimestampTz(array) => datetime::write_timestamptz(out, array.value(row), style),
        Values::Interval(array) => {
            let value = array.value(row);
            let value = Interval {
                months: value.months,
                days: value.days,
                micros: value.nanoseconds / 1000,
            };
            interval::write(out, value, style.interval);
        }
        Values::Sent(array, sent) => sent.write_text(array.value(row), style, out)?,
        Values::List(_, _) if is_vector(column.pg_type) => vector(column, row, out)?,
        Values::List(_, _) => list(column, row, out)?,
        Values::Struct(_) | Values::Map(_, _, _) => json::write(column, row, out)?,
    }
    Ok(())
}

fn integer(out: &mut Vec<u8>, value: i64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

fn uuid(out: &mut Vec<u8>, bytes: &[u8]) {
    for (position, byte) in bytes.iter().enumerate() {
        if matches!(position, 4 | 6 | 8 | 10) {
            out.push(b'-');
        }
        for nibble in [byte >> 4, byte & 15] {
            out.push(b"0123456789abcdef"[usize::from(nibble)]);
        }
    }
}

/// int2vector and oidvector have a form of their own.
pub fn is_vector(pg_type: PgType) -> bool {
    pg_type.oid == PgType::INT2VECTOR.oid || pg_type.oid == PgType::OIDVECTOR.oid
}

fn vector(column: &Column, row: usize, out: &mut Vec<u8>) -> Result<()> {
    let Values::List(array, child) = &column.values else {
        return Ok(());
    };
    for (position, element) in elements(array.value_offsets(), row).enumerate() {
        if position > 0 {
            out.push(b' ');
        }
        write(child, element, out)?;
    }
    Ok(())
}

fn list(column: &Column, row: usize, out: &mut Vec<u8>) -> Result<()> {
    let Values::List(array, child) = &column.values else {
        return Ok(());
    };
    let nested = matches!(child.values, Values::List(_, _));
    out.push(b'{');
    for (position, element) in elements(array.value_offsets(), row).enumerate() {
        if position > 0 {
            out.push(b',');
        }
        if child.is_null(element) {
            out.extend_from_slice(b"NULL");
            continue;
        }
        let start = out.len();
        write(child, element, out)?;
        if !nested {
            array::quote_from(out, start, b',');
        }
    }
    out.push(b'}');
    Ok(())
}

/// Positions in the child column of a list's elements.
pub fn elements(offsets: &[i32], row: usize) -> std::ops::Range<usize> {
    let at = |index: usize| usize::try_from(offsets[index]).unwrap_or(0);
    at(row)..at(row + 1)
}
