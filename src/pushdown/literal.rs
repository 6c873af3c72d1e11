//! Values as SQL text that Postgres reads as exactly the same value, whatever
//! the source's settings (section 4.1.2 of the manual).

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime};
use datafusion::scalar::ScalarValue;

use super::outcome::{Outcome, Reason};
use super::value::{Class, Value, type_sql};
use crate::types::PgType;

/// A literal that is of `pg_type` wherever it stands.
pub(super) fn typed(value: &ScalarValue, pg_type: PgType) -> Outcome<Value> {
    let (bare, class) = literal(value)?;
    let settled = match class {
        // written so that Postgres gives it its type, or with the type
        Some(Class::Bool | Class::Date | Class::Timestamp | Class::TimestampTz)
        | Some(Class::Float | Class::Interval) => true,
        Some(Class::Number) => match pg_type.oid {
            23 => true,
            1700 => bare.contains('.'),
            _ => false,
        },
        _ => false,
    };
    let sql = match (settled, type_sql(pg_type)) {
        (true, _) => bare.clone(),
        // a bare literal is text already, padded or cut by no modifier
        (false, Some(_)) if class == Some(Class::Text) => format!("{bare}::text"),
        (false, Some(name)) => format!("{bare}::{name}"),
        (false, None) => return Err(super::value::no_type(pg_type)),
    };
    let pg_type = match class {
        Some(Class::Text) => PgType::TEXT,
        _ => pg_type,
    };
    Ok(Value::literal(sql, bare, pg_type, class))
}

/// The literal and its class; NULL fits every class.
fn literal(value: &ScalarValue) -> Outcome<(String, Option<Class>)> {
    if value.is_null() {
        return Ok(("NULL".into(), None));
    }
    let pushed = |sql: String, class: Class| Ok((sql, Some(class)));
    match value {
        ScalarValue::Boolean(Some(value)) => pushed(value.to_string().to_uppercase(), Class::Bool),
        ScalarValue::Int8(Some(v)) => pushed(number(v.to_string()), Class::Number),
        ScalarValue::Int16(Some(v)) => pushed(number(v.to_string()), Class::Number),
        ScalarValue::Int32(Some(v)) => pushed(number(v.to_string()), Class::Number),
        ScalarValue::Int64(Some(v)) => pushed(number(v.to_string()), Class::Number),
        ScalarValue::UInt8(Some(v)) => pushed(number(v.to_string()), Class::Number),
        ScalarValue::UInt16(Some(v)) => pushed(number(v.to_string()), Class::Number),
        ScalarValue::UInt32(Some(v)) => pushed(number(v.to_string()), Class::Number),
        ScalarValue::UInt64(Some(v)) => pushed(number(v.to_string()), Class::Number),
        ScalarValue::Decimal128(Some(v), _, scale) => {
            pushed(number(decimal(v.to_string(), *scale)), Class::Number)
        }
        ScalarValue::Decimal256(Some(v), _, scale) => {
            pushed(number(decimal(v.to_string(), *scale)), Class::Number)
        }
        ScalarValue::Utf8(Some(v))
        | ScalarValue::Utf8View(Some(v))
        | ScalarValue::LargeUtf8(Some(v)) => text(v),
        ScalarValue::Date32(Some(days)) => date(*days),
        ScalarValue::TimestampSecond(Some(v), zone) => timestamp(v.checked_mul(1_000_000), zone),
        ScalarValue::TimestampMillisecond(Some(v), zone) => timestamp(v.checked_mul(1_000), zone),
        ScalarValue::TimestampMicrosecond(Some(v), zone) => timestamp(Some(*v), zone),
        ScalarValue::TimestampNanosecond(Some(v), zone) => {
            timestamp((v % 1_000 == 0).then_some(v / 1_000), zone)
        }
        ScalarValue::Float32(Some(v)) if v.is_finite() => {
            pushed(format!("'{v:e}'::float4"), Class::Float)
        }
        ScalarValue::Float64(Some(v)) if v.is_finite() => {
            pushed(format!("'{v:e}'::float8"), Class::Float)
        }
        ScalarValue::Float16(_) | ScalarValue::Float32(_) | ScalarValue::Float64(_) => {
            Err(Reason::Float)
        }
        ScalarValue::FixedSizeBinary(16, Some(bytes)) => uuid(bytes),
        ScalarValue::IntervalMonthDayNano(Some(v)) if v.nanoseconds % 1_000 == 0 => pushed(
            // every field has its sign, so that no setting gives it another
            format!(
                "'{:+} mons {:+} days {:+} microseconds'::interval",
                v.months,
                v.days,
                v.nanoseconds / 1_000
            ),
            Class::Interval,
        ),
        other => Err(Reason::Type {
            name: other.data_type().to_string(),
        }),
    }
}

/// Negative numbers in parentheses: `-2 ^ 2` and `a --1` read otherwise.
fn number(digits: String) -> String {
    if digits.starts_with('-') {
        format!("({digits})")
    } else {
        digits
    }
}

fn decimal(unscaled: String, scale: i8) -> String {
    let (sign, digits) = match unscaled.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", unscaled.as_str()),
    };
    match usize::try_from(scale) {
        Ok(0) => unscaled,
        Ok(scale) => {
            let digits = format!("{digits:0>width$}", width = scale + 1);
            let (whole, fraction) = digits.split_at(digits.len() - scale);
            format!("{sign}{whole}.{fraction}")
        }
        Err(_) => format!(
            "{unscaled}{}",
            "0".repeat(usize::from(scale.unsigned_abs()))
        ),
    }
}

/// Quoted so that standard_conforming_strings does not matter.
fn text(value: &str) -> Outcome<(String, Option<Class>)> {
    if value.contains('\0') {
        return Err(Reason::Literal {
            why: "contains a zero byte".into(),
        });
    }
    let doubled = value.replace('\'', "''");
    let sql = if value.contains('\\') {
        format!("E'{}'", doubled.replace('\\', "\\\\"))
    } else {
        format!("'{doubled}'")
    };
    Ok((sql, Some(Class::Text)))
}

fn uuid(bytes: &[u8]) -> Outcome<(String, Option<Class>)> {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((format!("'{digits}'::uuid"), Some(Class::Uuid)))
}

fn out_of_range() -> Outcome<(String, Option<Class>)> {
    Err(Reason::Literal {
        why: "outside Postgres's range of dates".into(),
    })
}

fn date(days: i32) -> Outcome<(String, Option<Class>)> {
    let text = match days {
        i32::MAX => "infinity".to_string(),
        i32::MIN => "-infinity".to_string(),
        _ => match NaiveDate::from_num_days_from_ce_opt(days.saturating_add(719_163)) {
            Some(date) if in_range(&date) => era(&date, ""),
            _ => return out_of_range(),
        },
    };
    Ok((format!("'{text}'::date"), Some(Class::Date)))
}

/// µs since 1970; with a zone the instant is written in UTC.
fn timestamp(
    micros: Option<i64>,
    zone: &Option<std::sync::Arc<str>>,
) -> Outcome<(String, Option<Class>)> {
    let (suffix, name, class) = match zone {
        Some(_) => ("+00", "timestamptz", Class::TimestampTz),
        None => ("", "timestamp", Class::Timestamp),
    };
    let Some(micros) = micros else {
        return Err(Reason::Literal {
            why: "finer than a microsecond".into(),
        });
    };
    let text = match micros {
        i64::MAX => "infinity".to_string(),
        i64::MIN => "-infinity".to_string(),
        _ => match DateTime::from_timestamp_micros(micros).map(|instant| instant.naive_utc()) {
            Some(instant) if in_range(&instant.date()) => {
                era(&instant.date(), &time_of(&instant, suffix))
            }
            _ => return out_of_range(),
        },
    };
    Ok((format!("'{text}'::{name}"), Some(class)))
}

fn time_of(instant: &NaiveDateTime, suffix: &str) -> String {
    format!(" {}{suffix}", instant.format("%H:%M:%S%.6f"))
}

/// Postgres writes years before 1 with BC.
fn era(date: &NaiveDate, time: &str) -> String {
    let year = date.year();
    let (year, era) = if year > 0 {
        (year, "")
    } else {
        (1 - year, " BC")
    };
    format!("{year:04}-{}{time}{era}", date.format("%m-%d"))
}

fn in_range(date: &NaiveDate) -> bool {
    (-4_711..=200_000).contains(&date.year())
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::datatypes::IntervalMonthDayNano;

    use super::*;

    fn check(value: ScalarValue, expected: &str) {
        match literal(&value) {
            Ok((sql, _)) => assert_eq!(sql, expected),
            Err(reason) => assert_eq!(reason.to_string(), expected),
        }
    }

    #[test]
    fn values_become_exact_text() {
        check(ScalarValue::Int32(Some(-7)), "(-7)");
        check(ScalarValue::Decimal128(Some(-5), 10, 2), "(-0.05)");
        check(ScalarValue::Decimal128(Some(12345), 10, 2), "123.45");
        check(ScalarValue::Utf8(Some("O'Neil\\".into())), "E'O''Neil\\\\'");
        check(
            ScalarValue::Utf8(Some("a\0".into())),
            "literal contains a zero byte",
        );
        check(ScalarValue::Date32(Some(0)), "'1970-01-01'::date");
        check(ScalarValue::Date32(Some(-719_163)), "'0001-12-31 BC'::date");
        check(
            ScalarValue::TimestampMicrosecond(Some(1), Some("UTC".into())),
            "'1970-01-01 00:00:00.000001+00'::timestamptz",
        );
        check(
            ScalarValue::TimestampNanosecond(Some(1), None),
            "literal finer than a microsecond",
        );
        check(
            ScalarValue::TimestampMicrosecond(Some(i64::MAX), None),
            "'infinity'::timestamp",
        );
        check(ScalarValue::Boolean(None), "NULL");
        check(ScalarValue::Float64(Some(0.1)), "'1e-1'::float8");
        check(ScalarValue::Float64(Some(f64::NAN)), "float comparison");
        check(
            ScalarValue::IntervalMonthDayNano(Some(IntervalMonthDayNano::new(-1, 2, 3_000))),
            "'-1 mons +2 days +3 microseconds'::interval",
        );
    }
}
