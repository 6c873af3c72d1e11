//! Structs and maps as JSON text: they have no declared row type, so clients
//! see json.

use super::column::{Column, Values};
use super::text::{self, elements};
use crate::error::Result;

/// Writes a value, NULL included.
pub fn write(column: &Column, row: usize, out: &mut Vec<u8>) -> Result<()> {
    if column.is_null(row) {
        out.extend_from_slice(b"null");
        return Ok(());
    }
    match &column.values {
        Values::Struct(fields) => {
            out.push(b'{');
            for (position, (name, field)) in fields.iter().enumerate() {
                separator(out, position);
                quoted(out, name.as_bytes());
                out.push(b':');
                write(field, row, out)?;
            }
            out.push(b'}');
        }
        Values::Map(map, keys, values) => {
            out.push(b'{');
            for (position, entry) in elements(map.value_offsets(), row).enumerate() {
                separator(out, position);
                as_string(keys, entry, out)?;
                out.push(b':');
                write(values, entry, out)?;
            }
            out.push(b'}');
        }
        Values::List(list, child) => {
            out.push(b'[');
            for (position, element) in elements(list.value_offsets(), row).enumerate() {
                separator(out, position);
                write(child, element, out)?;
            }
            out.push(b']');
        }
        Values::Bool(array) => {
            out.extend_from_slice(if array.value(row) { b"true" } else { b"false" })
        }
        Values::Float32(array) if !array.value(row).is_finite() => as_string(column, row, out)?,
        Values::Float64(array) if !array.value(row).is_finite() => as_string(column, row, out)?,
        Values::Int16(_)
        | Values::Int32(_)
        | Values::Int64(_)
        | Values::Float32(_)
        | Values::Float64(_)
        | Values::Decimal128(..)
        | Values::Decimal256(..) => text::write(column, row, out)?,
        _ => as_string(column, row, out)?,
    }
    Ok(())
}

fn separator(out: &mut Vec<u8>, position: usize) {
    if position > 0 {
        out.push(b',');
    }
}

fn as_string(column: &Column, row: usize, out: &mut Vec<u8>) -> Result<()> {
    let mut value = Vec::new();
    text::write(column, row, &mut value)?;
    quoted(out, &value);
    Ok(())
}

fn quoted(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    for &byte in text {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..=0x1f => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}
