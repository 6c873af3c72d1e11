//! Columns that are carried as their source sends them in binary, because no
//! Arrow type has all their values (numeric with NaN, arrays of any shape) or
//! any of them (inet, ranges, a database's own types). What goes from a source
//! to a client unchanged loses nothing; the text is written here from the bytes.
//!
//! Such a column is an Arrow BinaryView whose field remembers the Postgres type
//! and, under a key of its own, what writing the text needs.

mod compound;
mod geometry;
mod network;
mod numeric;
mod order;
mod read;
mod render;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use datafusion::arrow::datatypes::{DataType, Field};

use self::read::Bytes;
use super::text::OutputStyle;
use super::{Oid, PG_TYPE_KEY, PgType};

/// Metadata key: a form, then the types of the source's own that values are made of.
const SENT_KEY: &str = "narrows.sent";

/// OIDs from here on are a database's own (FirstNormalObjectId).
pub const FIRST_OWN_OID: Oid = 16_384;

/// How a column is carried that is carried as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// What clients are told.
    pub pg_type: PgType,
    pub form: Form,
    /// The source's own types that values are made of.
    pub own: OwnTypes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The bytes of the binary form, which the text is written from.
    Binary,
    /// The length of the binary form, the binary form, the text: for types whose
    /// text only the source can write (names of objects, extensions' types).
    WithText,
    /// The text alone, for types that have no binary form.
    Text,
}

pub type OwnTypes = BTreeMap<Oid, OwnType>;

/// As much of a type as its values do not say themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnType {
    Enum,
    Composite,
    /// Over this type.
    Domain(Oid),
    /// Of this type.
    Array(Oid),
    /// Over this type, both.
    Range(Oid),
    Multirange(Oid),
}

/// Does a type need this form?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Its Arrow type has all its values.
    Never,
    /// For its extremes alone; expressions are better off with the Arrow type.
    Extremes,
    Always,
}

/// What could not be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unwritable {
    /// The bytes are no value of the type.
    Malformed,
    /// There is only text.
    NoBinaryForm,
}

/// Does a built-in type, or a source's own, need to be carried as it was sent?
pub fn need(pg_type: PgType) -> Need {
    match pg_type.oid {
        16 | 17 | 19 | 20 | 21 | 23 | 25 | 26 | 28 | 29 | 114 | 142 | 700 | 701 | 705 | 1042
        | 1043 | 1082 | 1083 | 2950 | 3802 => Need::Never,
        1114 | 1184 | 1186 => Need::Extremes,
        1700 => match pg_type.arrow() {
            Some(DataType::Decimal128(..)) => Need::Extremes,
            _ => Need::Always,
        },
        _ => Need::Always,
    }
}

/// Can the text of a built-in type be written here?
pub fn is_rendered(oid: Oid) -> bool {
    match render::element_of(oid) {
        Some(element) => is_rendered(element),
        None => render::is_known(oid),
    }
}

impl Sent {
    /// How a field's column is carried; `None`: as its Arrow type says.
    pub fn of(field: &Field) -> Option<Sent> {
        if field.data_type() != &DataType::BinaryView {
            return None;
        }
        let text = field.metadata().get(SENT_KEY)?;
        let (form, own) = text.split_once(';').unwrap_or((text, ""));
        let form = match form {
            "binary" => Form::Binary,
            "with text" => Form::WithText,
            _ => Form::Text,
        };
        Some(Sent {
            pg_type: super::remembered(field)?,
            form,
            own: own.split(';').filter_map(own_type).collect(),
        })
    }

    /// The field of a column that is carried so.
    pub fn field(&self, name: &str, nullable: bool) -> Field {
        let mut text = String::from(match self.form {
            Form::Binary => "binary",
            Form::WithText => "with text",
            Form::Text => "text",
        });
        for (oid, own) in &self.own {
            let (kind, of) = match own {
                OwnType::Enum => ('e', 0),
                OwnType::Composite => ('c', 0),
                OwnType::Domain(base) => ('d', *base),
                OwnType::Array(element) => ('a', *element),
                OwnType::Range(subtype) => ('r', *subtype),
                OwnType::Multirange(subtype) => ('m', *subtype),
            };
            // writing to a String does not fail
            let _ = write!(text, ";{oid}{kind}{of}");
        }
        let PgType { oid, typmod } = self.pg_type;
        let metadata = [
            (PG_TYPE_KEY.to_string(), format!("{oid}:{typmod}")),
            (SENT_KEY.to_string(), text),
        ];
        Field::new(name, DataType::BinaryView, nullable).with_metadata(metadata.into())
    }

    /// The field of the same column as expressions compute with it.
    pub fn plain_field(&self, name: &str, nullable: bool) -> Option<Field> {
        let native = self.pg_type.field(name, nullable);
        native.or_else(|| PgType::TEXT.field(name, nullable))
    }

    /// pg_type.typlen of the type.
    pub fn length(&self) -> i16 {
        match self.own.get(&self.pg_type.oid) {
            Some(OwnType::Enum) => 4,
            _ => self.pg_type.length(),
        }
    }

    pub fn is_composite(&self) -> bool {
        self.own.get(&self.pg_type.oid) == Some(&OwnType::Composite)
    }

    /// A value as the binary format has it.
    pub fn binary<'a>(&self, value: &'a [u8]) -> Result<&'a [u8], Unwritable> {
        match self.form {
            Form::Binary => Ok(value),
            Form::WithText => parts(value)
                .map(|(binary, _)| binary)
                .ok_or(Unwritable::Malformed),
            Form::Text => Err(Unwritable::NoBinaryForm),
        }
    }

    /// A value as the text format has it.
    pub fn write_text(
        &self,
        value: &[u8],
        style: &OutputStyle,
        out: &mut Vec<u8>,
    ) -> Result<(), Unwritable> {
        match self.form {
            Form::Binary => render::Writer::new(&self.own, style)
                .write(self.pg_type.oid, value, out)
                .ok_or(Unwritable::Malformed)?,
            Form::WithText => {
                let (_, text) = parts(value).ok_or(Unwritable::Malformed)?;
                out.extend_from_slice(text);
            }
            Form::Text => out.extend_from_slice(value),
        }
        Ok(())
    }
}

fn own_type(text: &str) -> Option<(Oid, OwnType)> {
    let at = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (oid, rest) = text.split_at(at);
    let (kind, of) = rest.split_at(1);
    let of = of.parse().ok()?;
    let own = match kind {
        "e" => OwnType::Enum,
        "c" => OwnType::Composite,
        "d" => OwnType::Domain(of),
        "a" => OwnType::Array(of),
        "r" => OwnType::Range(of),
        _ => OwnType::Multirange(of),
    };
    Some((oid.parse().ok()?, own))
}

/// The binary form and the text.
fn parts(value: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut bytes = Bytes(value);
    let binary = bytes.sized()??;
    Some((binary, bytes.0))
}
