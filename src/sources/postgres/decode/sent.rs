//! Columns that are carried as they were sent: kept as bytes on the way in, and
//! turned into what expressions compute with where one uses them.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, BinaryViewArray, BinaryViewBuilder, StringViewBuilder,
};
use tokio_postgres::types::Type;

use super::column::{Bytes, ColumnDecoder, decoder};
use super::fault::Fault;
use super::text;
use crate::error::Result;
use crate::types::PgType;
use crate::types::sent::{Form, Sent, Unwritable};
use crate::types::text::OutputStyle;

/// `None` if the source now sends another type than was found.
pub(super) fn keeper(sent: &Sent, arriving: &Type) -> Option<Box<dyn ColumnDecoder>> {
    let expected = match sent.form {
        Form::Binary => sent.pg_type.oid,
        Form::WithText => PgType::BYTEA.oid,
        Form::Text => PgType::TEXT.oid,
    };
    let keeper = || Box::new(Bytes(BinaryViewBuilder::new())) as Box<dyn ColumnDecoder>;
    (arriving.oid() == expected).then(keeper)
}

/// The values of a column as expressions compute with them. The error names the
/// column, and what its Arrow type cannot hold.
pub(in crate::sources::postgres) fn plain(
    sent: &Sent,
    values: &BinaryViewArray,
    column: &str,
) -> Result<ArrayRef> {
    let named = |fault: Fault| fault.into_error_of(&format!("column \"{column}\""));
    let native = sent
        .pg_type
        .arrow()
        .and_then(|wanted| decoder(&sent.pg_type.known()?, &wanted));
    let Some(mut native) = native else {
        return texts(sent, values).map_err(named);
    };
    for row in 0..values.len() {
        if values.is_null(row) {
            native.append_null();
            continue;
        }
        sent.binary(values.value(row))
            .map_err(fault)
            .and_then(|value| native.append(value))
            .map_err(named)?;
    }
    native.finish()
}

/// In the style that text has when a source's connections are asked for it.
fn texts(sent: &Sent, values: &BinaryViewArray) -> Result<ArrayRef, Fault> {
    let style = OutputStyle::default();
    let mut builder = StringViewBuilder::with_capacity(values.len());
    let mut written = Vec::new();
    for row in 0..values.len() {
        if values.is_null(row) {
            builder.append_null();
            continue;
        }
        written.clear();
        sent.write_text(values.value(row), &style, &mut written)
            .map_err(fault)?;
        builder.append_value(text::text(&written)?);
    }
    Ok(Arc::new(builder.finish()))
}

fn fault(unwritable: Unwritable) -> Fault {
    match unwritable {
        Unwritable::Malformed => Fault::Malformed("a value is none of its type"),
        Unwritable::NoBinaryForm => Fault::Malformed("a value has no binary form"),
    }
}
