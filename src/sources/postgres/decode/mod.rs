//! COPY BINARY → record batches, in one pass. Called by `scan` with bytes as
//! they arrive, cut anywhere; knows no connection and no plan.
//!
//! The format is in section "Binary Format" of the manual's page on COPY: a
//! header, then tuples of a field count and fields with a length each, then a
//! field count of -1. What does not follow it is 08P01, never a panic, and no
//! length that the source claims makes room for anything.

mod column;
mod fault;
mod list;
mod numeric;
mod scalar;
mod sent;
mod text;

use datafusion::arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use datafusion::arrow::datatypes::SchemaRef;
use tokio_postgres::types::Type;

use self::column::{ColumnDecoder, decoder};
use self::fault::Fault;
use self::sent::keeper;
pub(super) use self::sent::plain;
use super::error::protocol_broken;
use crate::error::{Error, Result, SqlState};
use crate::names::SourceName;
use crate::types::PgType;
use crate::types::sent::Sent;

const SIGNATURE: &[u8; 11] = b"PGCOPY\n\xff\r\n\0";
/// Flags, then the length of a header extension.
const HEADER: usize = SIGNATURE.len() + 8;
/// Postgres builds no larger row than this; more must be a defect.
const LARGEST_ROW: usize = 1 << 30;

/// What comes before the tuples; those of DataRow messages have no other form.
pub(super) const COPY_HEADER: [u8; HEADER] = *b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// What comes after them.
pub(super) const COPY_TRAILER: [u8; 2] = (-1i16).to_be_bytes();

pub(super) struct RowDecoder {
    source: SourceName,
    schema: SchemaRef,
    columns: Vec<Column>,
    phase: Phase,
    /// The start of what has not arrived completely.
    partial: Vec<u8>,
    rows: usize,
    bytes: usize,
}

struct Column {
    name: String,
    nullable: bool,
    decoder: Box<dyn ColumnDecoder>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Header,
    Tuples,
    Ended,
}

/// What one step over the bytes found.
enum Step {
    /// So many bytes were read.
    Took(usize),
    Incomplete,
}

impl RowDecoder {
    /// `sent` are the types of the statement's columns as the source describes
    /// them now. 42804 if one of them cannot become what `schema` promised: the
    /// table has changed since its metadata was read.
    pub fn new(source: &SourceName, schema: SchemaRef, sent: &[Type]) -> Result<Self> {
        if sent.len() != schema.fields().len() {
            return Err(changed(format!(
                "source \"{source}\" sends {} columns where {} were expected",
                sent.len(),
                schema.fields().len()
            )));
        }
        let columns = schema
            .fields()
            .iter()
            .zip(sent)
            .map(|(field, sent)| {
                let decoder = match Sent::of(field) {
                    Some(unchanged) => keeper(&unchanged, sent),
                    None => decoder(sent, field.data_type()),
                };
                let decoder = decoder.ok_or_else(|| {
                    let wanted = PgType::of(field);
                    let wanted = wanted
                        .known()
                        .map_or("unknown".into(), |t| t.name().to_string());
                    changed(format!(
                        "column \"{}\" of source \"{source}\" is of type {}, not {wanted}",
                        field.name(),
                        sent.name(),
                    ))
                })?;
                Ok(Column {
                    name: field.name().clone(),
                    nullable: field.is_nullable(),
                    decoder,
                })
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(RowDecoder {
            source: source.clone(),
            schema,
            columns,
            phase: Phase::Header,
            partial: Vec::new(),
            rows: 0,
            bytes: 0,
        })
    }

    /// Takes the next bytes of the stream.
    pub fn push(&mut self, data: &[u8]) -> Result<()> {
        if self.partial.is_empty() {
            let read = self.read(data)?;
            self.partial.extend_from_slice(&data[read..]);
        } else {
            let mut joined = std::mem::take(&mut self.partial);
            joined.extend_from_slice(data);
            let read = self.read(&joined)?;
            joined.drain(..read);
            self.partial = joined;
        }
        if self.partial.len() > LARGEST_ROW {
            return Err(self.broken("a row is larger than 1 GiB"));
        }
        Ok(())
    }

    /// Takes one tuple that came as a whole: the body of a DataRow.
    pub fn push_row(&mut self, tuple: &[u8]) -> Result<()> {
        let before = self.rows;
        self.push(tuple)?;
        match self.rows == before + 1 && self.partial.is_empty() {
            true => Ok(()),
            false => Err(self.broken("a row is longer or shorter than its message")),
        }
    }

    /// Rows since the last batch.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes of the values since the last batch.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The rows since the last batch.
    pub fn take_batch(&mut self) -> Result<RecordBatch> {
        let arrays = self
            .columns
            .iter_mut()
            .map(|column| column.decoder.finish())
            .collect::<Result<Vec<ArrayRef>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        self.rows = 0;
        self.bytes = 0;
        Ok(RecordBatch::try_new_with_options(
            self.schema.clone(),
            arrays,
            &options,
        )?)
    }

    /// Called when the source says that it sent everything.
    pub fn end(&self) -> Result<()> {
        if self.phase != Phase::Ended || !self.partial.is_empty() {
            return Err(self.broken("a result ended in the middle"));
        }
        Ok(())
    }

    /// Reads what is complete; how many bytes that was.
    fn read(&mut self, data: &[u8]) -> Result<usize> {
        let mut read = 0;
        while read < data.len() {
            let rest = &data[read..];
            let step = match self.phase {
                Phase::Header => self.header(rest)?,
                Phase::Tuples => self.tuple(rest)?,
                Phase::Ended => return Err(self.broken("a result goes on after its end")),
            };
            match step {
                Step::Took(bytes) => read += bytes,
                Step::Incomplete => break,
            }
        }
        Ok(read)
    }

    fn header(&mut self, data: &[u8]) -> Result<Step> {
        let Some((header, rest)) = data.split_at_checked(HEADER) else {
            return Ok(Step::Incomplete);
        };
        let (signature, fields) = header.split_at(SIGNATURE.len());
        // Bits 0–15 may be ignored; of the critical ones only "has OIDs" ever existed.
        if signature != SIGNATURE || fields[..2] != [0, 0] {
            return Err(self.broken("a result has an unknown header"));
        }
        let extension = fields[4..]
            .first_chunk::<4>()
            .and_then(|length| usize::try_from(i32::from_be_bytes(*length)).ok())
            .filter(|length| *length <= LARGEST_ROW)
            .ok_or_else(|| self.broken("a result has an unknown header"))?;
        if rest.len() < extension {
            return Ok(Step::Incomplete);
        }
        self.phase = Phase::Tuples;
        Ok(Step::Took(HEADER + extension))
    }

    /// A tuple is taken whole or not at all, so that columns stay of one length.
    fn tuple(&mut self, data: &[u8]) -> Result<Step> {
        let Some((count, fields)) = data.split_first_chunk::<2>() else {
            return Ok(Step::Incomplete);
        };
        match i16::from_be_bytes(*count) {
            -1 => {
                self.phase = Phase::Ended;
                return Ok(Step::Took(2));
            }
            count if usize::try_from(count) == Ok(self.columns.len()) => {}
            _ => return Err(self.broken("a row has the wrong number of columns")),
        }
        let Some(length) = self.tuple_length(fields)? else {
            return Ok(Step::Incomplete);
        };
        let mut rest = &fields[..length];
        for column in &mut self.columns {
            let (value, after) = next_field(rest);
            rest = after;
            let appended = match value {
                Some(value) => column.decoder.append(value),
                None if column.nullable => {
                    column.decoder.append_null();
                    Ok(())
                }
                None => Err(Fault::UnexpectedNull),
            };
            appended.map_err(|fault| fault.into_error(&self.source, &column.name))?;
        }
        self.rows += 1;
        self.bytes += length;
        Ok(Step::Took(2 + length))
    }

    /// The bytes of a tuple's fields; `None` if they have not all arrived.
    fn tuple_length(&self, fields: &[u8]) -> Result<Option<usize>> {
        let mut length = 0;
        for _ in &self.columns {
            let Some(size) = fields
                .get(length..)
                .and_then(|rest| rest.first_chunk::<4>())
            else {
                return Ok(None);
            };
            let size = match i32::from_be_bytes(*size) {
                -1 => 0,
                size => usize::try_from(size)
                    .map_err(|_| self.broken("a value has a negative length"))?,
            };
            length += 4 + size;
        }
        if length > LARGEST_ROW {
            return Err(self.broken("a row is larger than 1 GiB"));
        }
        Ok((length <= fields.len()).then_some(length))
    }

    fn broken(&self, what: &str) -> Error {
        protocol_broken(&self.source, what)
    }
}

/// The next value and what follows; `tuple_length` has checked that it is there.
fn next_field(fields: &[u8]) -> (Option<&[u8]>, &[u8]) {
    match fields.split_first_chunk::<4>() {
        Some((size, rest)) => match usize::try_from(i32::from_be_bytes(*size)) {
            Ok(size) => {
                let (value, rest) = rest.split_at(size.min(rest.len()));
                (Some(value), rest)
            }
            Err(_) => (None, rest),
        },
        None => (None, fields),
    }
}

#[cfg(test)]
pub(super) fn read_numeric(bytes: &[u8], scale: i8) -> Option<i128> {
    numeric::decimal128(bytes, 38, scale).ok()
}

fn changed(message: String) -> Error {
    Error::new(SqlState::DATATYPE_MISMATCH, message)
        .with_hint("The table may have changed on the source: its metadata is read again soon.")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::arrow::array::AsArray;
    use datafusion::arrow::datatypes::{DataType, Field, Int32Type, Schema};

    use super::*;

    fn rows(tuples: &[(Option<i32>, Option<&str>)]) -> Vec<u8> {
        let mut bytes = [&SIGNATURE[..], &[0; 8]].concat();
        for (int, text) in tuples {
            bytes.extend(2i16.to_be_bytes());
            field(&mut bytes, int.map(|int| int.to_be_bytes().to_vec()));
            field(&mut bytes, text.map(|text| text.as_bytes().to_vec()));
        }
        bytes.extend((-1i16).to_be_bytes());
        bytes
    }

    fn field(bytes: &mut Vec<u8>, value: Option<Vec<u8>>) {
        match value {
            None => bytes.extend((-1i32).to_be_bytes()),
            Some(value) => {
                bytes.extend((value.len() as i32).to_be_bytes());
                bytes.extend(value);
            }
        }
    }

    fn fresh() -> RowDecoder {
        let schema = Schema::new(vec![
            Field::new("i", DataType::Int32, true),
            Field::new("t", DataType::Utf8View, false),
        ]);
        let sent = [Type::INT4, Type::TEXT];
        RowDecoder::new(&SourceName::new("shop"), Arc::new(schema), &sent).expect("readable")
    }

    fn state(result: Result<()>) -> Option<SqlState> {
        result.err().map(|error| error.state())
    }

    #[test]
    fn bytes_may_be_cut_anywhere() {
        let bytes = rows(&[
            (Some(1), Some("a")),
            (None, Some("a longer text than twelve")),
        ]);
        for size in 1..=bytes.len() {
            let mut decoder = fresh();
            for piece in bytes.chunks(size) {
                decoder.push(piece).expect("valid");
            }
            decoder.end().expect("complete");
            let batch = decoder.take_batch().expect("valid");
            let ints: Vec<_> = batch.column(0).as_primitive::<Int32Type>().iter().collect();
            assert_eq!(ints, [Some(1), None]);
            assert_eq!(
                batch.column(1).as_string_view().value(1),
                "a longer text than twelve"
            );
        }
    }

    #[test]
    fn a_result_that_stops_early_is_no_result() {
        let bytes = rows(&[(Some(1), Some("a"))]);
        for end in 0..bytes.len() {
            let mut decoder = fresh();
            decoder.push(&bytes[..end]).expect("valid so far");
            assert_eq!(state(decoder.end()), Some(SqlState::PROTOCOL_VIOLATION));
        }
    }

    #[test]
    fn malformed_results_are_refused() {
        let good = rows(&[(Some(1), Some("a"))]);
        let header = &good[..HEADER];
        let oids = [&SIGNATURE[..], &[0, 1, 0, 0, 0, 0, 0, 0]].concat();
        let huge_extension = [&SIGNATURE[..], &[0, 0, 0, 0, 0xff, 0, 0, 0]].concat();
        for bytes in [
            vec![b'x'; HEADER],
            oids,
            huge_extension,
            [header, &[0, 3]].concat(),
            [header, &[0xff, 0xfe]].concat(),
            [header, &[0, 2, 0xff, 0xff, 0xff, 0xfe]].concat(),
            [header, &[0, 2, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0]].concat(),
            [header, &[0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0]].concat(),
            [&good[..], &[0]].concat(),
        ] {
            let mut decoder = fresh();
            let result = decoder.push(&bytes).and_then(|()| decoder.end());
            assert_eq!(
                state(result),
                Some(SqlState::PROTOCOL_VIOLATION),
                "{bytes:?}"
            );
        }
    }

    #[test]
    fn null_where_none_was_promised_is_an_error() {
        let result = fresh().push(&rows(&[(Some(1), None)]));
        assert_eq!(state(result), Some(SqlState::DATA_CORRUPTED));
    }

    #[test]
    fn a_changed_type_is_found_before_any_row() {
        let schema = Arc::new(Schema::new(vec![Field::new("i", DataType::Int64, true)]));
        for (sent, readable) in [
            (vec![Type::INT8], true),
            (vec![Type::INT4], true),
            (vec![Type::FLOAT8], false),
            (vec![Type::TIMESTAMP], false),
            (vec![], false),
        ] {
            let decoder = RowDecoder::new(&SourceName::new("shop"), schema.clone(), &sent);
            assert_eq!(decoder.is_ok(), readable, "{sent:?}");
        }
    }

    #[test]
    fn whole_rows_fill_their_messages() {
        let tuples = rows(&[(Some(7), Some("seven"))]);
        let (header, tuple) = tuples.split_at(HEADER);
        let tuple = &tuple[..tuple.len() - COPY_TRAILER.len()];
        let check = |tuple: &[u8]| {
            let mut decoder = fresh();
            decoder.push(header).expect("a header");
            decoder.push_row(tuple).is_ok()
        };
        assert!(check(tuple));
        for end in 0..tuple.len() {
            assert!(!check(&tuple[..end]), "{end}");
        }
        assert!(!check(&[tuple, tuple].concat()));
        assert!(!check(&[tuple, &[0]].concat()));
        assert!(!check(&COPY_TRAILER));
    }

    #[test]
    fn rows_without_columns_are_counted() {
        let mut decoder = RowDecoder::new(&SourceName::new("shop"), Arc::new(Schema::empty()), &[])
            .expect("readable");
        let tuples = [&SIGNATURE[..], &[0; 8], &[0, 0, 0, 0, 0xff, 0xff]].concat();
        decoder.push(&tuples).expect("valid");
        assert_eq!(decoder.take_batch().expect("valid").num_rows(), 2);
    }
}
