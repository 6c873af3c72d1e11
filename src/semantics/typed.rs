//! The type of an expression as Postgres sees it, and the relations between
//! types that its resolution rules use (chapter 10 "Type Conversion" of the
//! manual). Used by every part of this module; changes no expression.

use datafusion::arrow::datatypes::{Field, FieldRef};
use datafusion::common::metadata::FieldMetadata;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::expr::Placeholder;
use datafusion::logical_expr::{Expr, ExprSchemable};

use crate::types::{Oid, PgType};

/// What is known of an operand's type before resolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// A string literal, NULL or a parameter without a type: takes the type
    /// that its surroundings ask for.
    Unknown,
    Typed(PgType),
}

impl Known {
    pub(super) fn of(expr: &Expr, schema: &DFSchema) -> EngineResult<Known> {
        Ok(match expr {
            Expr::Alias(alias) => return Known::of(&alias.expr, schema),
            Expr::Literal(value, metadata) => Known::of_literal(value, metadata.as_ref()),
            Expr::Placeholder(Placeholder { field: None, .. }) => Known::Unknown,
            // ARRAY[], which takes the type of what it stands for
            expr if is_empty_array(expr) => Known::Unknown,
            _ => Known::of_field(expr.to_field(schema)?.1.as_ref()),
        })
    }

    /// A literal of the client's text has no metadata; one that a cast or a
    /// parameter made says which type it has.
    pub(super) fn of_literal(value: &ScalarValue, metadata: Option<&FieldMetadata>) -> Known {
        if let Some(metadata) = metadata.filter(|metadata| !metadata.is_empty()) {
            let field = Field::new("", value.data_type(), true);
            return Known::of_field(&metadata.add_to_field(field));
        }
        match value {
            ScalarValue::Null | ScalarValue::Utf8(_) => Known::Unknown,
            ScalarValue::Int64(Some(v)) if is_int4(*v) => Known::Typed(PgType::INT4),
            other => Known::Typed(PgType::nearest(&other.data_type())),
        }
    }

    pub(super) fn of_field(field: &Field) -> Known {
        match field.data_type().is_null() {
            true => Known::Unknown,
            false => Known::Typed(PgType::of(field)),
        }
    }

    pub(super) fn pg_type(self) -> Option<PgType> {
        match self {
            Known::Unknown => None,
            Known::Typed(pg_type) => Some(pg_type),
        }
    }

    pub(super) fn is(self, pg_type: PgType) -> bool {
        self.pg_type().is_some_and(|own| own.oid == pg_type.oid)
    }

    /// The name that an error gives it.
    pub(super) fn name(self) -> String {
        self.pg_type().map_or_else(|| "unknown".into(), type_name)
    }
}

/// ARRAY[] without a cast.
pub(super) fn is_empty_array(expr: &Expr) -> bool {
    matches!(expr, Expr::ScalarFunction(call)
        if call.args.is_empty() && call.func.name() == "make_array")
}

/// Is a whole number of the client's text an integer?
pub(super) fn is_int4(value: i64) -> bool {
    i32::try_from(value).is_ok()
}

/// Metadata key of a literal whose type is settled although its carrier is the
/// one that the client's own literals come in.
const SETTLED: &str = "narrows.settled";

/// A typed literal: it remembers its Postgres type.
pub(super) fn typed_literal(value: ScalarValue, pg_type: PgType) -> Expr {
    let metadata = literal_metadata(&value, pg_type);
    Expr::Literal(value, metadata)
}

/// What a typed literal remembers.
pub(super) fn literal_metadata(value: &ScalarValue, pg_type: PgType) -> Option<FieldMetadata> {
    let field = pg_type.tag(Field::new("", value.data_type(), true));
    let mut metadata = field.metadata().clone();
    if matches!(
        value,
        ScalarValue::Int64(_) | ScalarValue::Utf8(_) | ScalarValue::Null
    ) {
        metadata.insert(SETTLED.into(), String::new());
    }
    (!metadata.is_empty()).then(|| FieldMetadata::from(metadata))
}

/// The literal without the mark, which serves the analysis alone: fields that
/// differ by metadata do not combine.
pub(super) fn without_mark(metadata: Option<FieldMetadata>) -> Option<FieldMetadata> {
    let mut map = metadata?.to_hashmap();
    map.remove(SETTLED);
    (!map.is_empty()).then(|| FieldMetadata::from(map))
}

/// The field that carries a type, and what stands in where it has no carrier of its own.
pub(super) fn field_of(pg_type: PgType, name: &str) -> FieldRef {
    pg_type
        .field(name, true)
        .unwrap_or_else(|| Field::new(name, datafusion::arrow::datatypes::DataType::Utf8View, true))
        .into()
}

/// The field of a cast to the type. One that says more than its Arrow type says
/// nothing of NULLs: the physical plan would take them from it, the logical one
/// does not.
pub(super) fn cast_field(pg_type: PgType) -> FieldRef {
    let field = field_of(pg_type, "");
    match field.metadata().is_empty() {
        true => field,
        false => field.as_ref().clone().with_nullable(false).into(),
    }
}

/// Does the type need to be written down where only its Arrow type is known?
pub(super) fn needs_tag(pg_type: PgType) -> bool {
    let field = field_of(pg_type, "");
    let bare = Field::new("", field.data_type().clone(), true);
    PgType::of(&bare) != pg_type
}

/// pg_type.typcategory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Category {
    Array,
    Boolean,
    DateTime,
    Numeric,
    String,
    Timespan,
    User,
}

pub(super) fn category(pg_type: PgType) -> Category {
    match pg_type.oid {
        16 => Category::Boolean,
        20 | 21 | 23 | 24 | 26 | 700 | 701 | 1700 | 2202..=2206 | 4089 | 4096 => Category::Numeric,
        18 | 19 | 25 | 1042 | 1043 => Category::String,
        1082 | 1083 | 1114 | 1184 | 1266 => Category::DateTime,
        1186 => Category::Timespan,
        _ if pg_type.element().is_some() => Category::Array,
        _ => Category::User,
    }
}

/// pg_type.typispreferred.
pub(super) fn is_preferred(pg_type: PgType) -> bool {
    matches!(pg_type.oid, 16 | 25 | 26 | 701 | 1184 | 1186)
}

pub(super) fn is_text(pg_type: PgType) -> bool {
    matches!(pg_type.oid, 18 | 19 | 25 | 1042 | 1043)
}

pub(super) fn is_integer(pg_type: PgType) -> bool {
    matches!(pg_type.oid, 20 | 21 | 23)
}

/// Integers that name objects: they compare with integers and are carried as them.
pub(super) fn is_object_id(pg_type: PgType) -> bool {
    matches!(
        pg_type.oid,
        24 | 26 | 28 | 2202..=2206 | 3734 | 3769 | 4089 | 4096
    )
}

pub(super) fn is_float(pg_type: PgType) -> bool {
    matches!(pg_type.oid, 700 | 701)
}

pub(super) fn is_numeric(pg_type: PgType) -> bool {
    pg_type.oid == PgType::NUMERIC.oid
}

/// Casts that Postgres applies on its own in expressions (pg_cast.castcontext 'i').
pub(super) fn casts_implicitly(from: PgType, to: PgType) -> bool {
    fn rank(oid: Oid) -> Option<u8> {
        Some(match oid {
            21 => 0,
            23 => 1,
            20 => 2,
            1700 => 3,
            700 => 4,
            701 => 5,
            _ => return None,
        })
    }
    if from.oid == to.oid {
        return true;
    }
    if let (Some(from), Some(to)) = (rank(from.oid), rank(to.oid)) {
        return from < to;
    }
    if is_object_id(to) && (is_integer(from) || is_object_id(from)) {
        return true;
    }
    match (from.oid, to.oid) {
        // varchar, bpchar, name, "char" and text
        (18 | 19 | 1042 | 1043, 25) | (1042 | 19, 1043) | (25 | 1043, 1042 | 1043 | 19) => true,
        (1082, 1114 | 1184) | (1114, 1184) | (1083, 1186) => true,
        _ => false,
    }
}

/// format_type: the SQL name of a type, without its modifier.
pub(super) fn type_name(pg_type: PgType) -> String {
    let name = match pg_type.oid {
        16 => "boolean",
        18 => "\"char\"",
        20 => "bigint",
        21 => "smallint",
        23 => "integer",
        700 => "real",
        701 => "double precision",
        1042 => "character",
        1043 => "character varying",
        1083 => "time without time zone",
        1114 => "timestamp without time zone",
        1184 => "timestamp with time zone",
        1266 => "time with time zone",
        705 => "unknown",
        _ => {
            return match pg_type.element() {
                Some(element) => format!("{}[]", type_name(PgType::new(element.oid, -1))),
                None => pg_type
                    .known()
                    .map_or_else(|| pg_type.oid.to_string(), |known| known.name().to_string()),
            };
        }
    };
    name.to_string()
}

/// The type of CASE, COALESCE, UNION and the like (section 10.5 of the manual);
/// `None`: the types do not match.
pub(super) fn common_type(types: &[Known]) -> Option<PgType> {
    let mut typed = types.iter().filter_map(|known| known.pg_type());
    let Some(mut common) = typed.next() else {
        return Some(PgType::TEXT);
    };
    for next in typed {
        if next.oid == common.oid {
            common = widest(common, next);
            continue;
        }
        if category(next) != category(common) {
            return None;
        }
        if !is_preferred(common)
            && casts_implicitly(common, next)
            && !casts_implicitly(next, common)
        {
            common = widest_numeric(common, next);
        } else if casts_implicitly(next, common) {
            common = widest_numeric(next, common);
        } else {
            return None;
        }
    }
    Some(common)
}

/// Two modifiers of one type that can hold both.
fn widest(a: PgType, b: PgType) -> PgType {
    if a.typmod == b.typmod {
        return a;
    }
    match (a.numeric_precision(), b.numeric_precision()) {
        (Some((p1, s1)), Some((p2, s2))) => wide_enough((p1 - s1).max(p2 - s2), s1.max(s2)),
        _ => PgType::new(a.oid, -1),
    }
}

/// `to`, wide enough for the integers of `from` if it is a numeric.
fn widest_numeric(from: PgType, to: PgType) -> PgType {
    let digits = match from.oid {
        21 => 5,
        23 => 10,
        20 => 19,
        _ if is_numeric(to) => return to,
        _ => return PgType::new(to.oid, -1),
    };
    match to.numeric_precision() {
        Some((p, s)) => wide_enough((p - s).max(digits), s),
        None => PgType::new(to.oid, -1),
    }
}

fn wide_enough(whole: i32, scale: i32) -> PgType {
    let scale = scale.max(0);
    match (u8::try_from(whole + scale), i8::try_from(scale)) {
        (Ok(precision @ 1..=76), Ok(scale)) => PgType::numeric(precision, scale),
        _ => PgType::NUMERIC,
    }
}
