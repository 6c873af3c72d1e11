//! Why one value could not be carried. Made by column decoders, which know
//! neither column nor source; `decode` adds both.

use crate::error::{Error, SqlState};
use crate::names::SourceName;

pub(super) type Result<T, E = Fault> = std::result::Result<T, E>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// The bytes are no value of the column's type.
    Malformed(&'static str),
    /// A number that the column's Arrow type cannot hold.
    OutOfRange(String),
    /// NaN or an infinity where there is no place for one.
    NotANumber(&'static str),
    /// A date, time or interval that the column's Arrow type cannot hold.
    DatetimeOverflow(&'static str),
    /// Text that is not UTF-8; the bytes that are wrong.
    NotUtf8(Vec<u8>),
    /// An array that a list cannot hold.
    ArrayShape(&'static str),
    /// NULL where the source's catalog promised none.
    UnexpectedNull,
}

const NUMERIC_HINT: &str = "Select the column unchanged, cast it to text or double precision in \
                            a view on the source, or run the statement there: SET narrows.route = 'relay'.";

impl Fault {
    pub fn into_error(self, source: &SourceName, column: &str) -> Error {
        self.into_error_of(&format!("column \"{column}\" of source \"{source}\""))
    }

    /// `of` names the column.
    pub fn into_error_of(self, of: &str) -> Error {
        match self {
            Fault::Malformed(what) => Error::new(
                SqlState::PROTOCOL_VIOLATION,
                format!("{of} arrived malformed: {what}"),
            ),
            Fault::OutOfRange(what) => Error::new(
                SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
                format!("{of}: {what}"),
            )
            .with_hint(NUMERIC_HINT),
            Fault::NotANumber(value) => Error::new(
                SqlState::DATA_EXCEPTION,
                format!("{of} holds {value}, which a decimal cannot carry"),
            )
            .with_hint(NUMERIC_HINT),
            Fault::DatetimeOverflow(what) => {
                Error::new(SqlState::DATETIME_FIELD_OVERFLOW, format!("{of}: {what}"))
                    .with_hint("Cast the column to text in a view on the source.")
            }
            Fault::NotUtf8(bytes) => {
                let hex: Vec<String> = bytes.iter().map(|b| format!("0x{b:02x}")).collect();
                Error::new(
                    SqlState::CHARACTER_NOT_IN_REPERTOIRE,
                    format!(
                        "invalid byte sequence for encoding \"UTF8\": {} in {of}",
                        hex.join(" ")
                    ),
                )
            }
            Fault::ArrayShape(what) => Error::unsupported(format!("{of} holds {what}"))
                .with_hint("Cast the column to text in a view on the source."),
            Fault::UnexpectedNull => Error::new(
                SqlState::DATA_CORRUPTED,
                format!("{of} holds NULL though the source declares it NOT NULL"),
            )
            .with_hint(
                "The table may have changed on the source: its metadata is read again soon.",
            ),
        }
    }
}

/// Exactly `N` bytes, as every fixed-size type is sent.
pub(super) fn exactly<const N: usize>(bytes: &[u8]) -> Result<[u8; N]> {
    bytes
        .try_into()
        .map_err(|_| Fault::Malformed("a value has the wrong length"))
}
