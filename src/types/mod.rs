//! Postgres types and how Arrow carries them. A column's Postgres type travels
//! in its Arrow field's metadata, because Arrow has no jsonb, bpchar or oid.
//! Read by sources (to build columns), by the planner and by the wire.
//!
//! | Postgres | Arrow |
//! |---|---|
//! | bool, int2, int4, int8, float4, float8 | Boolean, Int16, Int32, Int64, Float32, Float64 |
//! | oid, xid, regclass and the like | Int64, so that every OID fits and arithmetic stays signed |
//! | numeric(p,s), p ≤ 38; p ≤ 76 | Decimal128(p,s); Decimal256(p,s) |
//! | numeric | Decimal256(76,20): exact, or an error that names the column |
//! | text, varchar, bpchar, name, "char", json, jsonb, xml | Utf8View |
//! | bytea | BinaryView |
//! | uuid | FixedSizeBinary(16) |
//! | date, time | Date32, Time64(µs) |
//! | timestamp, timestamptz | Timestamp(µs), Timestamp(µs, UTC) |
//! | interval | Interval(MonthDayNano) |
//! | one-dimensional arrays of these | List(element, nullable) |
//!
//! What has values beyond its Arrow type goes to clients as the source sent it,
//! and so does all that has none: see `sent`.
//!
//! `infinity` and `-infinity` are the largest and smallest value of Date32 and
//! Timestamp(µs), as Postgres itself stores them.

pub mod sent;
pub mod text;

use datafusion::arrow::datatypes::{DataType, Field, IntervalUnit, TimeUnit};
use postgres_types::{Kind, Type};

pub type Oid = u32;

/// Metadata key: `<oid>:<typmod>`.
const PG_TYPE_KEY: &str = "narrows.pg_type";

/// The precision and scale that carry a `numeric` without precision.
pub const UNBOUNDED_NUMERIC: (u8, i8) = (76, 20);

/// A Postgres type with its modifier (-1: none), as RowDescription sends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PgType {
    pub oid: Oid,
    pub typmod: i32,
}

macro_rules! known {
    ($($name:ident = $oid:literal;)*) => {
        impl PgType {
            $(pub const $name: PgType = PgType { oid: $oid, typmod: -1 };)*
        }
    };
}

known! {
    BOOL = 16;
    BYTEA = 17;
    CHAR = 18;
    NAME = 19;
    INT8 = 20;
    INT2 = 21;
    INT2VECTOR = 22;
    INT4 = 23;
    REGPROC = 24;
    TEXT = 25;
    OID = 26;
    XID = 28;
    OIDVECTOR = 30;
    JSON = 114;
    XML = 142;
    FLOAT4 = 700;
    FLOAT8 = 701;
    UNKNOWN = 705;
    BPCHAR = 1042;
    VARCHAR = 1043;
    DATE = 1082;
    TIME = 1083;
    TIMESTAMP = 1114;
    TIMESTAMPTZ = 1184;
    INTERVAL = 1186;
    NUMERIC = 1700;
    REGCLASS = 2205;
    REGTYPE = 2206;
    UUID = 2950;
    JSONB = 3802;
    REGNAMESPACE = 4089;
    REGROLE = 4096;
    TEXT_ARRAY = 1009;
    INT8_ARRAY = 1016;
    OID_ARRAY = 1028;
}

impl PgType {
    pub fn new(oid: Oid, typmod: i32) -> Self {
        PgType { oid, typmod }
    }

    /// numeric(precision, scale); the modifier packs both, offset by 4.
    pub fn numeric(precision: u8, scale: i8) -> Self {
        let packed = (i32::from(precision) << 16) | (i32::from(scale) & 0x7ff);
        PgType::new(PgType::NUMERIC.oid, packed + 4)
    }

    /// Precision and scale of a numeric that declares them.
    pub fn numeric_precision(&self) -> Option<(i32, i32)> {
        (self.oid == PgType::NUMERIC.oid && self.typmod >= 4).then(|| {
            let packed = self.typmod - 4;
            let scale = packed & 0x7ff;
            // eleven bits, sign extended: scales are -1000 to 1000
            (packed >> 16, (scale ^ 0x400) - 0x400)
        })
    }

    /// A built-in type by the name pg_type has for it: `int4`, `timestamptz`.
    pub fn by_name(name: &str) -> Option<PgType> {
        let known = [
            ("bool", PgType::BOOL),
            ("bytea", PgType::BYTEA),
            ("char", PgType::CHAR),
            ("name", PgType::NAME),
            ("int8", PgType::INT8),
            ("int2", PgType::INT2),
            ("int4", PgType::INT4),
            ("text", PgType::TEXT),
            ("oid", PgType::OID),
            ("xid", PgType::XID),
            ("json", PgType::JSON),
            ("xml", PgType::XML),
            ("float4", PgType::FLOAT4),
            ("float8", PgType::FLOAT8),
            ("bpchar", PgType::BPCHAR),
            ("varchar", PgType::VARCHAR),
            ("date", PgType::DATE),
            ("time", PgType::TIME),
            ("timestamp", PgType::TIMESTAMP),
            ("timestamptz", PgType::TIMESTAMPTZ),
            ("interval", PgType::INTERVAL),
            ("numeric", PgType::NUMERIC),
            ("regproc", PgType::REGPROC),
            ("regprocedure", PgType::new(2202, -1)),
            ("regoper", PgType::new(2203, -1)),
            ("regoperator", PgType::new(2204, -1)),
            ("regclass", PgType::REGCLASS),
            ("regtype", PgType::REGTYPE),
            ("regnamespace", PgType::REGNAMESPACE),
            ("regrole", PgType::REGROLE),
            ("uuid", PgType::UUID),
            ("jsonb", PgType::JSONB),
        ];
        known
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, pg_type)| *pg_type)
    }

    /// The type as Postgres's own catalogs know it; `None` for a source's own types.
    pub fn known(&self) -> Option<Type> {
        Type::from_oid(self.oid)
    }

    /// The element type of an array, modifier kept.
    pub fn element(&self) -> Option<PgType> {
        match self.known()?.kind() {
            Kind::Array(element) => Some(PgType::new(element.oid(), self.typmod)),
            _ => None,
        }
    }

    /// Bytes of a value, or -1 where they vary: pg_type.typlen.
    pub fn length(&self) -> i16 {
        match self.oid {
            16 | 18 => 1,
            21 => 2,
            23 | 24 | 26 | 28 | 29 | 700 | 1082 => 4,
            2202..=2206 | 3734 | 3769 | 4089 | 4096 | 4191 => 4,
            27 | 829 => 6,
            20 | 701 | 774 | 790 | 1083 | 1114 | 1184 | 3220 | 5069 => 8,
            1266 => 12,
            600 | 1186 | 2950 => 16,
            628 | 718 => 24,
            601 | 603 => 32,
            19 => 64,
            705 => -2,
            _ => -1,
        }
    }

    /// The Arrow type that carries it without loss; `None`: only as text.
    pub fn arrow(&self) -> Option<DataType> {
        Some(match self.oid {
            16 => DataType::Boolean,
            21 => DataType::Int16,
            23 => DataType::Int32,
            20 | 24 | 26 | 28 | 29 | 2202..=2206 | 3734 | 3769 | 4089 | 4096 => DataType::Int64,
            700 => DataType::Float32,
            701 => DataType::Float64,
            1700 => match self.numeric_precision() {
                None => DataType::Decimal256(UNBOUNDED_NUMERIC.0, UNBOUNDED_NUMERIC.1),
                Some((precision, scale)) => decimal(precision, scale)?,
            },
            18 | 19 | 25 | 114 | 142 | 705 | 1042 | 1043 | 3802 => DataType::Utf8View,
            17 => DataType::BinaryView,
            2950 => DataType::FixedSizeBinary(16),
            1082 => DataType::Date32,
            1083 => DataType::Time64(TimeUnit::Microsecond),
            1114 => DataType::Timestamp(TimeUnit::Microsecond, None),
            1184 => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            1186 => DataType::Interval(IntervalUnit::MonthDayNano),
            _ => {
                let element = self.element()?;
                let field = element.field(Field::LIST_FIELD_DEFAULT_NAME, true)?;
                DataType::List(field.into())
            }
        })
    }

    /// An Arrow field that remembers this type; `None`: only as text.
    pub fn field(&self, name: &str, nullable: bool) -> Option<Field> {
        Some(self.tag(Field::new(name, self.arrow()?, nullable)))
    }

    /// The same field, remembering this type. One that the Arrow type implies is
    /// not written down, because fields that differ by metadata alone do not
    /// combine; int8 and text are, because an Int64 or a text without it may be
    /// a literal of the statement, whose type is still open.
    pub fn tag(&self, field: Field) -> Field {
        let mut metadata = field.metadata().clone();
        let open = *self == PgType::INT8 || *self == PgType::TEXT;
        if PgType::nearest(field.data_type()) == *self && !open {
            metadata.remove(PG_TYPE_KEY);
        } else {
            metadata.insert(PG_TYPE_KEY.into(), format!("{}:{}", self.oid, self.typmod));
        }
        field.with_metadata(metadata)
    }

    /// The Postgres type of a field: the one it remembers if that still fits its
    /// Arrow type (casts keep metadata), else the nearest one.
    pub fn of(field: &Field) -> PgType {
        if let Some(sent) = sent::Sent::of(field) {
            return sent.pg_type;
        }
        remembered(field)
            .filter(|pg_type| {
                pg_type
                    .arrow()
                    .is_some_and(|arrow| same_carrier(&arrow, field.data_type()))
            })
            .unwrap_or_else(|| PgType::nearest(field.data_type()))
    }

    /// The Postgres type nearest to an Arrow type. Unsigned integers take the next wider type.
    pub fn nearest(data_type: &DataType) -> PgType {
        match data_type {
            DataType::Boolean => PgType::BOOL,
            DataType::Int8 | DataType::Int16 | DataType::UInt8 => PgType::INT2,
            DataType::Int32 | DataType::UInt16 => PgType::INT4,
            DataType::Int64 | DataType::UInt32 => PgType::INT8,
            DataType::UInt64 => PgType::numeric(20, 0),
            DataType::Float16 | DataType::Float32 => PgType::FLOAT4,
            DataType::Float64 => PgType::FLOAT8,
            DataType::Decimal32(p, s)
            | DataType::Decimal64(p, s)
            | DataType::Decimal128(p, s)
            | DataType::Decimal256(p, s) => {
                if (*p, *s) == UNBOUNDED_NUMERIC {
                    PgType::NUMERIC
                } else {
                    PgType::numeric(*p, *s)
                }
            }
            DataType::Binary
            | DataType::LargeBinary
            | DataType::BinaryView
            | DataType::FixedSizeBinary(_) => PgType::BYTEA,
            DataType::Date32 | DataType::Date64 => PgType::DATE,
            DataType::Time32(_) | DataType::Time64(_) => PgType::TIME,
            DataType::Timestamp(_, None) => PgType::TIMESTAMP,
            DataType::Timestamp(_, Some(_)) => PgType::TIMESTAMPTZ,
            DataType::Interval(_) | DataType::Duration(_) => PgType::INTERVAL,
            DataType::List(field)
            | DataType::LargeList(field)
            | DataType::ListView(field)
            | DataType::LargeListView(field)
            | DataType::FixedSizeList(field, _) => PgType::of(field).array(),
            DataType::Dictionary(_, value) => PgType::nearest(value),
            DataType::RunEndEncoded(_, value) => PgType::of(value),
            // As Postgres reports them: nested values without a declared row type are json here.
            DataType::Struct(_) | DataType::Map(_, _) | DataType::Union(_, _) => PgType::JSON,
            _ => PgType::TEXT,
        }
    }

    /// The array type over this one; text[] where Postgres has none.
    pub fn array(&self) -> PgType {
        let oid = match self.oid {
            16 => 1000,
            17 => 1001,
            18 => 1002,
            19 => 1003,
            20 => 1016,
            21 => 1005,
            23 => 1007,
            25 => 1009,
            26 => 1028,
            114 => 199,
            700 => 1021,
            701 => 1022,
            1042 => 1014,
            1043 => 1015,
            1082 => 1182,
            1083 => 1183,
            1114 => 1115,
            1184 => 1185,
            1186 => 1187,
            1700 => 1231,
            2205 => 2210,
            2206 => 2211,
            2950 => 2951,
            3802 => 3807,
            _ => return PgType::TEXT_ARRAY,
        };
        PgType::new(oid, self.typmod)
    }
}

fn decimal(precision: i32, scale: i32) -> Option<DataType> {
    // Arrow wants 0 ≤ scale ≤ precision here; Postgres allows more on both sides.
    let (precision, scale) = match scale {
        0.. => (precision.max(scale), scale),
        _ => (precision - scale, 0),
    };
    let scale = i8::try_from(scale).ok()?;
    match u8::try_from(precision).ok()? {
        p @ 1..=38 => Some(DataType::Decimal128(p, scale)),
        p @ 39..=76 => Some(DataType::Decimal256(p, scale)),
        _ => None,
    }
}

fn remembered(field: &Field) -> Option<PgType> {
    let (oid, typmod) = field.metadata().get(PG_TYPE_KEY)?.split_once(':')?;
    Some(PgType::new(oid.parse().ok()?, typmod.parse().ok()?))
}

/// Do two Arrow types carry the same values, but for layout (views, dictionaries, units)?
fn same_carrier(declared: &DataType, actual: &DataType) -> bool {
    match (declared, actual) {
        (DataType::Utf8View, DataType::Utf8 | DataType::LargeUtf8) => true,
        (DataType::BinaryView, DataType::Binary | DataType::LargeBinary) => true,
        (DataType::Timestamp(_, a), DataType::Timestamp(_, b)) => a.is_some() == b.is_some(),
        (DataType::List(a), DataType::List(b) | DataType::LargeList(b)) => {
            same_carrier(a.data_type(), b.data_type())
        }
        // a numeric without a scale of its own that has one for now
        (
            DataType::Decimal256(precision, scale),
            DataType::Decimal128(..) | DataType::Decimal256(..),
        ) if (*precision, *scale) == UNBOUNDED_NUMERIC => true,
        (declared, DataType::Dictionary(_, value)) => same_carrier(declared, value),
        _ => declared == actual,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numeric_modifiers_round_trip() {
        for (precision, scale) in [(10, 2), (38, 38), (15, 0), (5, -2)] {
            let pg_type = PgType::numeric(precision, scale);
            assert_eq!(
                pg_type.numeric_precision(),
                Some((i32::from(precision), i32::from(scale)))
            );
        }
        assert_eq!(PgType::NUMERIC.numeric_precision(), None);
    }

    #[test]
    fn fields_remember_their_type_until_a_cast_changes_the_carrier() {
        let jsonb = PgType::JSONB.field("j", true).expect("jsonb has a carrier");
        assert_eq!(PgType::of(&jsonb), PgType::JSONB);
        let cast = jsonb.with_data_type(DataType::Int32);
        assert_eq!(PgType::of(&cast), PgType::INT4);
    }

    #[test]
    fn arrays_carry_their_elements() {
        let array = PgType::INT4.array();
        assert_eq!(array.element(), Some(PgType::INT4));
        assert!(matches!(array.arrow(), Some(DataType::List(_))));
    }
}
