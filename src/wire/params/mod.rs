//! Bind's parameters as values of the types that the statement expects, from
//! text or binary format. Wrong text is 22P02 in Postgres's words, wrong binary
//! 22P03.

mod binary;
mod numeric;
mod text;

use datafusion::arrow::datatypes::DataType;
use datafusion::scalar::ScalarValue;

use super::encode::Format;
use super::frontend::utf8;
use crate::error::{Error, Result, SqlState};
use crate::types::PgType;
use crate::types::text::OutputStyle;
use binary::from_binary;
use text::from_text;

/// `number` is the parameter's: $1 is 1.
pub fn decode(
    value: Option<&[u8]>,
    pg_type: PgType,
    format: Format,
    style: &OutputStyle,
    number: usize,
) -> Result<ScalarValue> {
    let Some(bytes) = value else {
        return null(pg_type);
    };
    match format {
        Format::Text => {
            let text = utf8(bytes)?;
            if text.contains('\0') {
                return Err(Error::new(
                    SqlState::CHARACTER_NOT_IN_REPERTOIRE,
                    "invalid byte sequence for encoding \"UTF8\": 0x00",
                ));
            }
            from_text(text, pg_type, style)
        }
        Format::Binary => from_binary(bytes, pg_type, number),
    }
}

fn null(pg_type: PgType) -> Result<ScalarValue> {
    let data_type = pg_type.arrow().unwrap_or(DataType::Utf8View);
    Ok(ScalarValue::try_from(&data_type)?)
}

/// A list whose elements all have the element type's own Arrow type.
fn list(values: Vec<ScalarValue>, element: PgType) -> Result<ScalarValue> {
    let data_type = element.arrow().unwrap_or(DataType::Utf8View);
    let values = values
        .into_iter()
        .map(|value| value.cast_to(&data_type))
        .collect::<std::result::Result<Vec<_>, _>>()?;
    let array = ScalarValue::new_list_nullable(&values, &data_type);
    Ok(ScalarValue::List(array))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &str, pg_type: PgType) -> Result<ScalarValue> {
        decode(
            Some(value.as_bytes()),
            pg_type,
            Format::Text,
            &OutputStyle::default(),
            1,
        )
    }

    #[test]
    fn wrong_text_is_named_as_postgres_names_it() {
        for (value, pg_type, state, message) in [
            (
                "abc",
                PgType::INT4,
                "22P02",
                "invalid input syntax for type integer: \"abc\"",
            ),
            (
                "",
                PgType::INT8,
                "22P02",
                "invalid input syntax for type bigint: \"\"",
            ),
            (
                "99999",
                PgType::INT2,
                "22003",
                "value \"99999\" is out of range for type smallint",
            ),
            (
                "x",
                PgType::BOOL,
                "22P02",
                "invalid input syntax for type boolean: \"x\"",
            ),
            (
                "1e400",
                PgType::FLOAT8,
                "22003",
                "\"1e400\" is out of range for type double precision",
            ),
            (
                "1.2.3",
                PgType::NUMERIC,
                "22P02",
                "invalid input syntax for type numeric: \"1.2.3\"",
            ),
            (
                "zz",
                PgType::UUID,
                "22P02",
                "invalid input syntax for type uuid: \"zz\"",
            ),
            (
                "soon",
                PgType::DATE,
                "22007",
                "invalid input syntax for type date: \"soon\"",
            ),
            (
                "2023-02-30",
                PgType::DATE,
                "22008",
                "date/time field value out of range: \"2023-02-30\"",
            ),
            (
                "{1,2",
                PgType::INT4.array(),
                "22P02",
                "malformed array literal: \"{1,2\"",
            ),
            (
                "{",
                PgType::JSONB,
                "22P02",
                "invalid input syntax for type json: \"{\"",
            ),
        ] {
            let error = text(value, pg_type).expect_err(value);
            assert_eq!((error.state().code(), error.message()), (state, message));
        }
    }

    #[test]
    fn values_are_read() {
        let decimal = |value: i128, precision: u8, scale: i8| {
            ScalarValue::Decimal128(Some(value), precision, scale)
        };
        for (value, pg_type, expected) in [
            (" 42 ", PgType::INT4, ScalarValue::Int32(Some(42))),
            ("TRUE", PgType::BOOL, ScalarValue::Boolean(Some(true))),
            ("-1.50", PgType::NUMERIC, decimal(-150, 3, 2)),
            ("1e3", PgType::NUMERIC, decimal(1000, 4, 0)),
            ("1.5e-3", PgType::NUMERIC, decimal(15, 4, 4)),
            ("0", PgType::NUMERIC, decimal(0, 1, 0)),
            ("-1", PgType::OID, ScalarValue::Int64(Some(4_294_967_295))),
            ("1970-01-02", PgType::DATE, ScalarValue::Date32(Some(1))),
            ("x", PgType::TEXT, ScalarValue::Utf8View(Some("x".into()))),
            (
                "-Infinity",
                PgType::FLOAT8,
                ScalarValue::Float64(Some(f64::NEG_INFINITY)),
            ),
        ] {
            assert_eq!(text(value, pg_type).expect(value), expected, "{value}");
        }
        let list = text("{1,NULL,3}", PgType::INT4.array()).expect("an array");
        assert_eq!(list.to_string(), "[1, , 3]");
    }

    #[test]
    fn binary_values_are_checked() {
        let binary = |bytes: &[u8], pg_type| {
            decode(
                Some(bytes),
                pg_type,
                Format::Binary,
                &OutputStyle::default(),
                1,
            )
        };
        assert_eq!(
            binary(&[0, 0, 0, 7], PgType::INT4).expect("valid"),
            ScalarValue::Int32(Some(7))
        );
        assert_eq!(
            binary(
                &[0, 2, 0, 0, 0x40, 0, 0, 2, 0, 123, 0x11, 0x94],
                PgType::NUMERIC
            )
            .expect("valid"),
            ScalarValue::Decimal128(Some(-12345), 5, 2)
        );
        for (bytes, pg_type) in [
            (&[0u8, 0, 7][..], PgType::INT4),
            (&[0, 1, 0, 0], PgType::NUMERIC),
            (&[0, 0, 0, 0, 0xc0, 0, 0, 0], PgType::NUMERIC),
            (&[1; 15], PgType::UUID),
            (&[2, b'{', b'}'], PgType::JSONB),
            (
                &[
                    0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 23, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 1,
                ],
                PgType::INT4.array(),
            ),
        ] {
            let error = binary(bytes, pg_type).expect_err("malformed");
            assert_eq!(error.state(), SqlState::INVALID_BINARY_REPRESENTATION);
        }
        assert_eq!(
            binary(&[0xff], PgType::TEXT)
                .expect_err("not UTF-8")
                .state(),
            SqlState::CHARACTER_NOT_IN_REPERTOIRE
        );
    }
}
