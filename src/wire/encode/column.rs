//! One column of a batch, ready to write any of its cells.

use std::sync::Arc;

use datafusion::arrow::array::*;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::*;

use super::sent::SentColumn;
use super::{Format, binary, text, too_large};
use crate::error::Result;
use crate::types::sent::Sent;
use crate::types::text::OutputStyle;
use crate::types::text::numeric::Zeros;
use crate::types::{PgType, UNBOUNDED_NUMERIC};

pub struct Column {
    pub pg_type: PgType,
    pub format: Format,
    pub style: Arc<OutputStyle>,
    pub values: Values,
    nulls: Option<datafusion::arrow::buffer::NullBuffer>,
}

/// Values by how they are written; layouts that differ without meaning are gone.
pub enum Values {
    Null,
    Bool(BooleanArray),
    Int16(Int16Array),
    Int32(Int32Array),
    Int64(Int64Array),
    Float32(Float32Array),
    Float64(Float64Array),
    Decimal128(Decimal128Array, i8, Zeros),
    Decimal256(Decimal256Array, i8, Zeros),
    Utf8(StringArray),
    LargeUtf8(LargeStringArray),
    Utf8View(StringViewArray),
    Binary(BinaryArray),
    LargeBinary(LargeBinaryArray),
    BinaryView(BinaryViewArray),
    FixedBinary(FixedSizeBinaryArray),
    Uuid(FixedSizeBinaryArray),
    Date(Date32Array),
    Time(Time64MicrosecondArray),
    Timestamp(TimestampMicrosecondArray),
    TimestampTz(TimestampMicrosecondArray),
    Interval(IntervalMonthDayNanoArray),
    List(ListArray, Box<Column>),
    /// As JSON: names and columns of a struct.
    Struct(Vec<(String, Column)>),
    Map(MapArray, Box<Column>, Box<Column>),
    Sent(BinaryViewArray, SentColumn),
}

/// Larger values cannot be sent whatever their form.
const LARGEST_VALUE: usize = 0x3fff_0000;

impl Column {
    /// A column of a result; its field tells the type, and whether the values are
    /// as their source sent them.
    pub fn of_field(
        array: &ArrayRef,
        field: &Field,
        format: Format,
        style: &Arc<OutputStyle>,
    ) -> Result<Column> {
        let sent = Sent::of(field).zip(array.as_binary_view_opt().cloned());
        let Some((sent, values)) = sent else {
            return Column::new(array, PgType::of(field), format, style);
        };
        Ok(Column {
            pg_type: sent.pg_type,
            format,
            style: style.clone(),
            values: Values::Sent(values, SentColumn::new(field.name(), sent)),
            nulls: array.nulls().cloned(),
        })
    }

    pub fn new(
        array: &ArrayRef,
        pg_type: PgType,
        format: Format,
        style: &Arc<OutputStyle>,
    ) -> Result<Column> {
        if let Some(plain) = plain_layout(array.data_type()) {
            let array = cast(array, &plain)?;
            return Column::new(&array, pg_type, format, style);
        }
        let make =
            |array: &ArrayRef, field: &Field| Column::new(array, PgType::of(field), format, style);
        let values = match array.data_type() {
            DataType::Boolean => Values::Bool(array.as_boolean().clone()),
            DataType::Int16 => Values::Int16(array.as_primitive().clone()),
            DataType::Int32 => Values::Int32(array.as_primitive().clone()),
            DataType::Int64 => Values::Int64(array.as_primitive().clone()),
            DataType::Float32 => Values::Float32(array.as_primitive().clone()),
            DataType::Float64 => Values::Float64(array.as_primitive().clone()),
            DataType::Decimal128(precision, scale) => {
                let zeros = zeros(pg_type, *precision, *scale);
                Values::Decimal128(array.as_primitive().clone(), *scale, zeros)
            }
            DataType::Decimal256(precision, scale) => {
                let zeros = zeros(pg_type, *precision, *scale);
                Values::Decimal256(array.as_primitive().clone(), *scale, zeros)
            }
            DataType::Utf8 => Values::Utf8(array.as_string().clone()),
            DataType::LargeUtf8 => Values::LargeUtf8(array.as_string().clone()),
            DataType::Utf8View => Values::Utf8View(array.as_string_view().clone()),
            DataType::Binary => Values::Binary(array.as_binary().clone()),
            DataType::LargeBinary => Values::LargeBinary(array.as_binary().clone()),
            DataType::BinaryView => Values::BinaryView(array.as_binary_view().clone()),
            DataType::FixedSizeBinary(16) if pg_type.oid == PgType::UUID.oid => {
                Values::Uuid(array.as_fixed_size_binary().clone())
            }
            DataType::FixedSizeBinary(_) => {
                Values::FixedBinary(array.as_fixed_size_binary().clone())
            }
            DataType::Date32 => Values::Date(array.as_primitive().clone()),
            DataType::Time64(TimeUnit::Microsecond) => Values::Time(array.as_primitive().clone()),
            DataType::Timestamp(TimeUnit::Microsecond, zone) => {
                let array = array.as_primitive().clone();
                match zone {
                    None => Values::Timestamp(array),
                    Some(_) => Values::TimestampTz(array),
                }
            }
            DataType::Interval(IntervalUnit::MonthDayNano) => {
                Values::Interval(array.as_primitive().clone())
            }
            DataType::List(field) => {
                let list = array.as_list::<i32>().clone();
                let element = element_type(pg_type, field);
                let child = Column::new(list.values(), element, format, style)?;
                Values::List(list, Box::new(child))
            }
            DataType::Struct(fields) => {
                let structs = array.as_struct();
                let columns = fields
                    .iter()
                    .zip(structs.columns())
                    .map(|(field, array)| Ok((field.name().clone(), make(array, field)?)));
                Values::Struct(columns.collect::<Result<_>>()?)
            }
            DataType::Map(_, _) => {
                let map = array.as_map().clone();
                let (key, value) = map.entries_fields();
                let keys = make(map.keys(), key)?;
                let values = make(map.values(), value)?;
                Values::Map(map, Box::new(keys), Box::new(values))
            }
            DataType::Null => Values::Null,
            _ => {
                let array = cast(array, &DataType::Utf8View)?;
                return Column::new(&array, pg_type, format, style);
            }
        };
        Ok(Column {
            pg_type,
            format,
            style: style.clone(),
            values,
            nulls: array.nulls().cloned(),
        })
    }

    pub fn is_null(&self, row: usize) -> bool {
        match &self.nulls {
            Some(nulls) => nulls.is_null(row),
            None => matches!(self.values, Values::Null),
        }
    }

    /// A length and the value; -1 for NULL.
    #[inline]
    pub fn write_cell(&self, row: usize, out: &mut Vec<u8>) -> Result<()> {
        if self.is_null(row) {
            out.extend_from_slice(&(-1i32).to_be_bytes());
            return Ok(());
        }
        let start = out.len();
        out.extend_from_slice(&[0; 4]);
        match self.format {
            Format::Text => self.write_text(row, out)?,
            Format::Binary => binary::write(self, row, out)?,
        }
        let length = out.len() - start - 4;
        if length > LARGEST_VALUE {
            return Err(too_large());
        }
        // below 2^30
        out[start..start + 4].copy_from_slice(&(length as u32).to_be_bytes());
        Ok(())
    }

    /// The text of a value that is not NULL.
    pub fn write_text(&self, row: usize, out: &mut Vec<u8>) -> Result<()> {
        text::write(self, row, out)
    }

    /// char(n) is carried without its padding and sent with it.
    pub fn pad(&self, value: &[u8], out: &mut Vec<u8>) {
        if self.pg_type.oid != PgType::BPCHAR.oid || self.pg_type.typmod < 4 {
            return;
        }
        let width = usize::try_from(self.pg_type.typmod - 4).unwrap_or(0);
        // characters are counted by their first bytes
        let held = value.iter().filter(|byte| **byte & 0xc0 != 0x80).count();
        out.resize(out.len() + width.saturating_sub(held), b' ');
    }

    /// Text or bytes as they are, refused before they are copied.
    pub fn raw(&self, row: usize) -> Option<Result<&[u8]>> {
        let bytes: &[u8] = match &self.values {
            Values::Utf8(array) => array.value(row).as_bytes(),
            Values::LargeUtf8(array) => array.value(row).as_bytes(),
            Values::Utf8View(array) => array.value(row).as_bytes(),
            Values::Binary(array) => array.value(row),
            Values::LargeBinary(array) => array.value(row),
            Values::BinaryView(array) => array.value(row),
            Values::FixedBinary(array) | Values::Uuid(array) => array.value(row),
            _ => return None,
        };
        if bytes.len() > LARGEST_VALUE {
            return Some(Err(too_large()));
        }
        Some(Ok(bytes))
    }
}

/// The layout that carries the same values and that a writer exists for.
fn plain_layout(data_type: &DataType) -> Option<DataType> {
    Some(match data_type {
        DataType::Int8 | DataType::UInt8 => DataType::Int16,
        DataType::UInt16 => DataType::Int32,
        DataType::UInt32 => DataType::Int64,
        DataType::UInt64 => DataType::Decimal128(20, 0),
        DataType::Float16 => DataType::Float32,
        DataType::Decimal32(p, s) | DataType::Decimal64(p, s) => DataType::Decimal128(*p, *s),
        DataType::Date64 => DataType::Date32,
        DataType::Time32(_) | DataType::Time64(TimeUnit::Nanosecond) => {
            DataType::Time64(TimeUnit::Microsecond)
        }
        DataType::Timestamp(unit, zone) if *unit != TimeUnit::Microsecond => {
            DataType::Timestamp(TimeUnit::Microsecond, zone.clone())
        }
        DataType::Duration(_)
        | DataType::Interval(IntervalUnit::DayTime | IntervalUnit::YearMonth) => {
            DataType::Interval(IntervalUnit::MonthDayNano)
        }
        DataType::Dictionary(_, value) => value.as_ref().clone(),
        DataType::RunEndEncoded(_, value) => value.data_type().clone(),
        DataType::LargeList(field)
        | DataType::ListView(field)
        | DataType::LargeListView(field)
        | DataType::FixedSizeList(field, _) => DataType::List(field.clone()),
        _ => return None,
    })
}

/// The scale of a numeric that fills its carrier is the carrier's, not the
/// value's: such values are printed without needless zeros.
fn zeros(pg_type: PgType, precision: u8, scale: i8) -> Zeros {
    let fills = precision == UNBOUNDED_NUMERIC.0 && scale >= UNBOUNDED_NUMERIC.1;
    match pg_type.numeric_precision() {
        None if fills => Zeros::Trim,
        _ => Zeros::Keep,
    }
}

/// The element type that the list's type declares, where the elements' layout fits it.
fn element_type(list: PgType, field: &Field) -> PgType {
    match list.element() {
        Some(element) => PgType::of(&element.tag(field.clone())),
        None => PgType::of(field),
    }
}
