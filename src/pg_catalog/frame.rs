//! Rows of one system relation, built a column at a time. A column that is not
//! given is NULL, or false, 0 or empty where the relation says NOT NULL: what
//! Postgres itself stores for what is not used.
//!
//! Called by the builders in `tables` and by `relation` for built-in rows.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, BooleanArray, Float64Array, Int64Array, Int64Builder,
    IntervalMonthDayNanoArray, ListBuilder, RecordBatch, RecordBatchOptions, StringViewArray,
    StringViewBuilder, TimestampMicrosecondArray, new_null_array,
};
use datafusion::arrow::compute::{CastOptions, cast_with_options};
use datafusion::arrow::datatypes::{DataType, Field, IntervalMonthDayNano};

use super::builtin::{self, SystemRelation};
use super::data::{self, Rows};
use crate::error::{Error, Result};

pub struct Frame {
    relation: &'static SystemRelation,
    rows: usize,
    columns: Vec<Option<ArrayRef>>,
    /// The first mistake of a builder; `finish` reports it.
    mistake: Option<Error>,
}

impl Frame {
    pub fn of(schema: &str, relation: &str, rows: usize) -> Result<Frame> {
        let relation = builtin::system_relation(schema, relation)
            .ok_or_else(|| Error::internal(format!("no relation {schema}.{relation}")))?;
        Ok(Frame::over(relation, rows))
    }

    pub fn over(relation: &'static SystemRelation, rows: usize) -> Frame {
        Frame {
            relation,
            rows,
            columns: vec![None; relation.columns.len()],
            mistake: None,
        }
    }

    /// OIDs, integers of every width.
    pub fn int<T: Into<Option<i64>>>(
        self,
        column: &str,
        values: impl IntoIterator<Item = T>,
    ) -> Frame {
        let values: Int64Array = values.into_iter().map(Into::into).collect();
        self.set(column, Arc::new(values))
    }

    pub fn bool<T: Into<Option<bool>>>(
        self,
        column: &str,
        values: impl IntoIterator<Item = T>,
    ) -> Frame {
        let values: BooleanArray = values.into_iter().map(Into::into).collect();
        self.set(column, Arc::new(values))
    }

    pub fn float<T: Into<Option<f64>>>(
        self,
        column: &str,
        values: impl IntoIterator<Item = T>,
    ) -> Frame {
        let values: Float64Array = values.into_iter().map(Into::into).collect();
        self.set(column, Arc::new(values))
    }

    /// text, name, "char" and all that is represented as text.
    pub fn text<T: AsRef<str>>(self, column: &str, values: impl IntoIterator<Item = T>) -> Frame {
        let mut builder = StringViewBuilder::new().with_deduplicate_strings();
        values
            .into_iter()
            .for_each(|value| builder.append_value(value));
        self.set(column, Arc::new(builder.finish()))
    }

    pub fn maybe_text<T: AsRef<str>>(
        self,
        column: &str,
        values: impl IntoIterator<Item = Option<T>>,
    ) -> Frame {
        let mut builder = StringViewBuilder::new().with_deduplicate_strings();
        values
            .into_iter()
            .for_each(|value| builder.append_option(value));
        self.set(column, Arc::new(builder.finish()))
    }

    /// Microseconds since 1970, UTC.
    pub fn time<T: Into<Option<i64>>>(
        self,
        column: &str,
        values: impl IntoIterator<Item = T>,
    ) -> Frame {
        let values: TimestampMicrosecondArray = values.into_iter().map(Into::into).collect();
        self.set(column, Arc::new(values.with_timezone("UTC")))
    }

    /// Seconds.
    pub fn interval(self, column: &str, values: impl IntoIterator<Item = i64>) -> Frame {
        let nanoseconds = |seconds: i64| IntervalMonthDayNano::new(0, 0, seconds * 1_000_000_000);
        let values =
            IntervalMonthDayNanoArray::from_iter_values(values.into_iter().map(nanoseconds));
        self.set(column, Arc::new(values))
    }

    /// int2vector, oidvector, and arrays of integers and OIDs.
    pub fn ints<T: Into<Option<Vec<i64>>>>(
        self,
        column: &str,
        values: impl IntoIterator<Item = T>,
    ) -> Frame {
        let mut builder = ListBuilder::new(Int64Builder::new());
        for list in values {
            match list.into() {
                Some(list) => builder.append_value(list.into_iter().map(Some)),
                None => builder.append_null(),
            }
        }
        self.set(column, Arc::new(builder.finish()))
    }

    /// Arrays of text and of its kind.
    pub fn texts(
        self,
        column: &str,
        values: impl IntoIterator<Item = Option<Vec<Option<String>>>>,
    ) -> Frame {
        let mut builder = ListBuilder::new(StringViewBuilder::new());
        for list in values {
            match list {
                Some(list) => builder.append_value(list),
                None => builder.append_null(),
            }
        }
        self.set(column, Arc::new(builder.finish()))
    }

    /// The same value in every row.
    pub fn all_int(self, column: &str, value: i64) -> Frame {
        let rows = self.rows;
        self.int(column, std::iter::repeat_n(value, rows))
    }

    pub fn all_bool(self, column: &str, value: bool) -> Frame {
        let rows = self.rows;
        self.bool(column, std::iter::repeat_n(value, rows))
    }

    pub fn all_text(self, column: &str, value: &str) -> Frame {
        let rows = self.rows;
        self.text(column, std::iter::repeat_n(value, rows))
    }

    pub fn finish(mut self) -> Result<RecordBatch> {
        if let Some(mistake) = self.mistake.take() {
            return Err(mistake);
        }
        let relation = self.relation;
        let columns = self
            .columns
            .into_iter()
            .zip(relation.arrow.fields())
            .map(|(column, field)| match column {
                Some(column) => Ok(column),
                None if field.is_nullable() => Ok(new_null_array(field.data_type(), self.rows)),
                None => unused(field, self.rows),
            })
            .collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        RecordBatch::try_new_with_options(relation.arrow.clone(), columns, &options).map_err(
            |error| {
                Error::internal(format!(
                    "rows of {}.{}: {error}",
                    relation.schema, relation.name
                ))
            },
        )
    }

    fn set(mut self, column: &str, values: ArrayRef) -> Frame {
        let relation = self.relation;
        let Some(at) = relation
            .columns
            .iter()
            .position(|known| known.name == column)
        else {
            return self.blame(format!("no column {}.{column}", relation.name));
        };
        if values.len() != self.rows {
            return self.blame(format!(
                "{} values for {}.{column}",
                values.len(),
                relation.name
            ));
        }
        match fit(&values, relation.arrow.field(at).data_type()) {
            Ok(values) => self.columns[at] = Some(values),
            Err(error) => return self.blame(format!("{}.{column}: {error}", relation.name)),
        }
        self
    }

    fn blame(mut self, what: String) -> Frame {
        self.mistake.get_or_insert_with(|| Error::internal(what));
        self
    }
}

/// The rows that every cluster holds in this relation; no rows for most.
pub fn builtin_rows(relation: &'static SystemRelation) -> Result<RecordBatch> {
    match data::rows(&relation.name) {
        Some(rows) => read(relation, rows),
        None => Frame::over(relation, 0).finish(),
    }
}

fn read(relation: &'static SystemRelation, rows: &Rows) -> Result<RecordBatch> {
    let mut frame = Frame::over(relation, rows.len());
    for (column, field) in relation.columns.iter().zip(relation.arrow.fields()) {
        let Some(fields) = rows.column(&column.name) else {
            continue;
        };
        let texts = fields.map(data::text);
        frame = match field.data_type() {
            DataType::Boolean => frame.bool(&column.name, texts.map(|t| t.map(|t| t == "t"))),
            DataType::Utf8View => frame.maybe_text(&column.name, texts),
            DataType::List(_) => {
                frame.texts(&column.name, texts.map(|t| t.map(|t| data::elements(&t))))
            }
            // numbers go by their text, which the cast to the column's type reads
            _ => {
                let values: StringViewArray = texts.collect();
                frame.set(&column.name, Arc::new(values))
            }
        };
    }
    frame.finish()
}

/// Casts to the column's own width; a value that does not fit is a mistake.
fn fit(values: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    if values.data_type() == to {
        return Ok(values.clone());
    }
    let strict = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    Ok(cast_with_options(values, to, &strict)?)
}

/// What a NOT NULL column holds where nothing is to be said.
fn unused(field: &Field, rows: usize) -> Result<ArrayRef> {
    let empty = || -> ArrayRef {
        Arc::new(StringViewArray::from_iter_values(std::iter::repeat_n(
            "", rows,
        )))
    };
    match field.data_type() {
        DataType::Utf8View => Ok(empty()),
        DataType::Boolean => Ok(Arc::new(BooleanArray::from(vec![false; rows]))),
        DataType::List(_) => {
            let mut builder = ListBuilder::new(Int64Builder::new());
            (0..rows).for_each(|_| builder.append(true));
            let lists: ArrayRef = Arc::new(builder.finish());
            fit(&lists, field.data_type())
        }
        DataType::BinaryView => fit(&empty(), field.data_type()),
        other => {
            let zeros: ArrayRef = Arc::new(Int64Array::from(vec![0; rows]));
            fit(&zeros, other)
        }
    }
}
