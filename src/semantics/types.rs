//! SQL type names → Arrow fields that remember the Postgres type they stand
//! for. Called by the engine's SQL planner for casts and typed literals.

use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::planner::TypePlanner;
use datafusion::sql::sqlparser::ast::{
    ArrayElemTypeDef, CharacterLength, DataType as SqlType, ExactNumberInfo, TimezoneInfo,
};

use crate::error::{Error, SqlState};
use crate::types::PgType;

/// Postgres's limit on a declared precision.
const MAX_NUMERIC_PRECISION: u64 = 1000;

#[derive(Debug)]
pub struct TypeNames {
    /// The session's time zone: text without an offset is read in it.
    pub time_zone: String,
}

impl TypePlanner for TypeNames {
    fn plan_type_field(&self, sql_type: &SqlType) -> EngineResult<Option<FieldRef>> {
        if let SqlType::Array(
            ArrayElemTypeDef::SquareBracket(element, _) | ArrayElemTypeDef::AngleBracket(element),
        ) = sql_type
        {
            let Some(element) = self.plan_type_field(element)? else {
                return Ok(None);
            };
            return Ok(Some(list_of(&element)));
        }
        let Some(pg_type) = pg_type(sql_type)? else {
            return Err(Error::new(
                SqlState::UNDEFINED_OBJECT,
                format!(
                    "type \"{}\" does not exist",
                    sql_type.to_string().to_lowercase()
                ),
            )
            .into());
        };
        let data_type = pg_type
            .arrow()
            .ok_or_else(|| Error::unsupported(format!("type {sql_type} is not supported here")))?;
        let field = pg_type.tag(Field::new("", data_type, true));
        // the logical plan takes NULLs from what is cast, the physical one from here too
        let nullable = field.metadata().is_empty();
        Ok(Some(field.with_nullable(nullable).into()))
    }
}

fn list_of(element: &FieldRef) -> FieldRef {
    let pg_type = PgType::of(element).array();
    let item = element
        .as_ref()
        .clone()
        .with_name(Field::LIST_FIELD_DEFAULT_NAME);
    pg_type
        .tag(Field::new("", DataType::List(item.into()), true))
        .into()
}

fn pg_type(sql_type: &SqlType) -> EngineResult<Option<PgType>> {
    Ok(Some(match sql_type {
        SqlType::Boolean | SqlType::Bool => PgType::BOOL,
        SqlType::SmallInt(_) | SqlType::Int2(_) => PgType::INT2,
        SqlType::Int(_) | SqlType::Integer(_) | SqlType::Int4(_) => PgType::INT4,
        SqlType::BigInt(_) | SqlType::Int8(_) => PgType::INT8,
        SqlType::Real | SqlType::Float4 => PgType::FLOAT4,
        SqlType::Float(ExactNumberInfo::Precision(bits)) if *bits <= 24 => PgType::FLOAT4,
        SqlType::Float(_) | SqlType::Float8 | SqlType::DoublePrecision | SqlType::Double(_) => {
            PgType::FLOAT8
        }
        SqlType::Numeric(info) | SqlType::Decimal(info) | SqlType::Dec(info) => numeric(info)?,
        SqlType::Text | SqlType::String(_) => PgType::TEXT,
        SqlType::Varchar(length)
        | SqlType::CharVarying(length)
        | SqlType::CharacterVarying(length) => {
            PgType::new(PgType::VARCHAR.oid, character_typmod(length, -1))
        }
        SqlType::Char(length) | SqlType::Character(length) => {
            PgType::new(PgType::BPCHAR.oid, character_typmod(length, 5))
        }
        SqlType::Bytea => PgType::BYTEA,
        SqlType::Date => PgType::DATE,
        SqlType::Time(_, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => PgType::TIME,
        SqlType::Timestamp(_, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => {
            PgType::TIMESTAMP
        }
        SqlType::Timestamp(..) => PgType::TIMESTAMPTZ,
        SqlType::Interval { .. } => PgType::INTERVAL,
        SqlType::Uuid => PgType::UUID,
        SqlType::JSON => PgType::JSON,
        SqlType::JSONB => PgType::JSONB,
        SqlType::Regclass => PgType::REGCLASS,
        SqlType::Custom(name, _) => {
            let Some(ident) = name.0.last().and_then(|part| part.as_ident()) else {
                return Ok(None);
            };
            let name = match ident.quote_style {
                Some(_) => ident.value.clone(),
                None => ident.value.to_lowercase(),
            };
            return Ok(PgType::by_name(&name));
        }
        _ => return Ok(None),
    }))
}

fn numeric(info: &ExactNumberInfo) -> EngineResult<PgType> {
    let (precision, scale) = match info {
        ExactNumberInfo::None => return Ok(PgType::NUMERIC),
        ExactNumberInfo::Precision(precision) => (*precision, 0),
        ExactNumberInfo::PrecisionAndScale(precision, scale) => (*precision, *scale),
    };
    if precision == 0 || precision > MAX_NUMERIC_PRECISION {
        return Err(Error::new(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("NUMERIC precision {precision} must be between 1 and {MAX_NUMERIC_PRECISION}"),
        )
        .into());
    }
    match (u8::try_from(precision), i8::try_from(scale)) {
        (Ok(precision), Ok(scale)) => Ok(PgType::numeric(precision, scale)),
        _ => Err(Error::unsupported(format!(
            "numeric({precision},{scale}) is wider than the 76 digits that are supported here"
        ))
        .into()),
    }
}

/// The modifier of a character type: its length and four bytes of header.
fn character_typmod(length: &Option<CharacterLength>, default: i32) -> i32 {
    match length {
        Some(CharacterLength::IntegerLength { length, .. }) => {
            i32::try_from(*length).map_or(-1, |length| length.saturating_add(4))
        }
        Some(CharacterLength::Max) => -1,
        None => default,
    }
}
