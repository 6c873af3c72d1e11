//! Columns that arrive as their source sent them.

use crate::error::{Error, Result, SqlState};
use crate::types::sent::{Sent, Unwritable};
use crate::types::text::OutputStyle;

/// What writing a column's values needs.
pub struct SentColumn {
    name: String,
    sent: Sent,
}

impl SentColumn {
    pub fn new(name: &str, sent: Sent) -> Self {
        SentColumn {
            name: name.into(),
            sent,
        }
    }

    pub fn write_text(&self, value: &[u8], style: &OutputStyle, out: &mut Vec<u8>) -> Result<()> {
        self.sent
            .write_text(value, style, out)
            .map_err(|why| self.error(why))
    }

    pub fn write_binary(&self, value: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let value = self.sent.binary(value).map_err(|why| self.error(why))?;
        out.extend_from_slice(value);
        Ok(())
    }

    fn error(&self, why: Unwritable) -> Error {
        let (name, oid) = (&self.name, self.sent.pg_type.oid);
        match why {
            Unwritable::Malformed => Error::new(
                SqlState::PROTOCOL_VIOLATION,
                format!("column \"{name}\" arrived malformed: a value is none of type {oid}"),
            ),
            Unwritable::NoBinaryForm => Error::new(
                SqlState::UNDEFINED_FUNCTION,
                format!(
                    "no binary output function available for type {}",
                    self.type_name()
                ),
            )
            .with_detail(format!("Column \"{name}\" has a text form only.")),
        }
    }

    fn type_name(&self) -> String {
        let own = self.sent.pg_type;
        match own.element().unwrap_or(own).known() {
            Some(known) => known.name().to_string(),
            None => format!("with OID {}", self.sent.pg_type.oid),
        }
    }
}
