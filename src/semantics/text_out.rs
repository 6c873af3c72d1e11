//! Values as the text that Postgres prints (DateStyle ISO, IntervalStyle
//! postgres, extra_float_digits 1). Casts to text and text functions use it.

use std::fmt::Write;

use super::calendar::{self, SECOND, Zone};
use super::value::{Interval, Value};

/// The text of a value; NULL has none.
pub(super) fn text(value: &Value, zone: Zone) -> Option<String> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Float4(value) => float4(*value),
        Value::Float8(value) => float8(*value),
        Value::Numeric(value) => value.to_string(),
        Value::Text(value) => value.clone(),
        Value::Bytes(bytes) => hex(bytes),
        Value::Date(days) => date(*days),
        Value::Time(micros) => time(*micros),
        Value::Timestamp(micros) => timestamp(*micros),
        Value::TimestampTz(micros) => timestamptz(*micros, zone),
        Value::Interval(value) => interval(*value),
        Value::Uuid(bytes) => uuid::Uuid::from_bytes(*bytes).to_string(),
        Value::List(items) => array(items, zone),
    })
}

pub(super) fn float8(value: f64) -> String {
    float(
        value.is_nan(),
        value.is_infinite(),
        value.is_sign_negative(),
        &format!("{value:e}"),
        15,
    )
}

pub(super) fn float4(value: f32) -> String {
    float(
        value.is_nan(),
        value.is_infinite(),
        value.is_sign_negative(),
        &format!("{value:e}"),
        6,
    )
}

/// `shortest` is the shortest text that reads back, as `1.25e-7`.
fn float(nan: bool, infinite: bool, negative: bool, shortest: &str, limit: i32) -> String {
    if nan {
        return "NaN".into();
    }
    if infinite {
        return if negative {
            "-Infinity".into()
        } else {
            "Infinity".into()
        };
    }
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((shortest, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if exponent < -4 || exponent >= limit {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs());
    }
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa),
    };
    let digits: String = mantissa.chars().filter(|c| *c != '.').collect();
    let point = exponent + 1;
    if point <= 0 {
        let zeros = "0".repeat(point.unsigned_abs() as usize);
        return format!("{sign}0.{zeros}{digits}");
    }
    let point = point.unsigned_abs() as usize;
    if digits.len() <= point {
        return format!("{sign}{digits}{}", "0".repeat(point - digits.len()));
    }
    format!("{sign}{}.{}", &digits[..point], &digits[point..])
}

/// bytea_output hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 + bytes.len() * 2);
    text.push_str("\\x");
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

pub(super) fn date(days: i32) -> String {
    match days {
        i32::MAX => "infinity".into(),
        i32::MIN => "-infinity".into(),
        _ => {
            let (date, era) = date_and_era(days.into());
            format!("{date}{era}")
        }
    }
}

fn date_and_era(days: i64) -> (String, &'static str) {
    let (year, month, day) = calendar::civil(days);
    let (year, era) = if year > 0 {
        (year, "")
    } else {
        (1 - year, " BC")
    };
    (format!("{year:04}-{month:02}-{day:02}"), era)
}

pub(super) fn time(micros: i64) -> String {
    let (seconds, fraction) = (micros / SECOND, micros % SECOND);
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!(
        "{hours:02}:{minutes:02}:{seconds:02}{}",
        fraction_text(fraction)
    )
}

/// `.25`, or nothing.
fn fraction_text(micros: i64) -> String {
    if micros == 0 {
        return String::new();
    }
    let text = format!(".{micros:06}");
    text.trim_end_matches('0').to_string()
}

pub(super) fn timestamp(micros: i64) -> String {
    match infinite(micros) {
        Some(text) => text,
        None => {
            let (days, time_of_day) = calendar::split(micros);
            let (date, era) = date_and_era(days);
            format!("{date} {}{era}", time(time_of_day))
        }
    }
}

pub(super) fn timestamptz(micros: i64, zone: Zone) -> String {
    match infinite(micros) {
        Some(text) => text,
        None => {
            let offset = zone.offset_at(micros);
            let (days, time_of_day) = calendar::split(zone.local(micros));
            let (date, era) = date_and_era(days);
            format!(
                "{date} {}{}{era}",
                time(time_of_day),
                calendar::offset_text(offset)
            )
        }
    }
}

fn infinite(micros: i64) -> Option<String> {
    match micros {
        i64::MAX => Some("infinity".into()),
        i64::MIN => Some("-infinity".into()),
        _ => None,
    }
}

pub(super) fn interval(value: Interval) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut before_negative = false;
    let mut field = |count: i64, name: &str| {
        if count != 0 {
            let sign = if before_negative && count > 0 {
                "+"
            } else {
                ""
            };
            let plural = if count == 1 { "" } else { "s" };
            parts.push(format!("{sign}{count} {name}{plural}"));
            before_negative = count < 0;
        }
    };
    field(i64::from(value.months / 12), "year");
    field(i64::from(value.months % 12), "mon");
    field(value.days.into(), "day");
    if value.micros != 0 || parts.is_empty() {
        let sign = match value.micros {
            ..0 => "-",
            _ if before_negative => "+",
            _ => "",
        };
        let micros = value.micros.unsigned_abs();
        parts.push(format!(
            "{sign}{}",
            time(i64::try_from(micros).unwrap_or(i64::MAX))
        ));
    }
    parts.join(" ")
}

/// `{1,NULL,"a b"}` (section 8.15.6 of the manual).
pub(super) fn array(items: &[Value], zone: Zone) -> String {
    let items: Vec<String> = items
        .iter()
        .map(|item| match (item, text(item, zone)) {
            (Value::List(_), Some(text)) => text,
            // inside arrays booleans are t and f
            (Value::Bool(value), _) => if *value { "t" } else { "f" }.into(),
            (_, Some(text)) => quoted_item(text),
            (_, None) => "NULL".into(),
        })
        .collect();
    format!("{{{}}}", items.join(","))
}

fn quoted_item(text: String) -> String {
    let special = |c: char| {
        matches!(c, '{' | '}' | ',' | '"' | '\\') || c.is_ascii_whitespace() || c == '\x0b'
    };
    if text.is_empty() || text.eq_ignore_ascii_case("null") || text.contains(special) {
        return format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_the_shortest_that_read_back() {
        for (value, text) in [
            (0.00001, "1e-05"),
            (1e15, "1e+15"),
            (123_456_789_012_345.0, "123456789012345"),
            (0.0001, "0.0001"),
            (1.5e300, "1.5e+300"),
            (-0.0, "-0"),
            (100.25, "100.25"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(float8(value), text);
        }
        for (value, text) in [(1e6, "1e+06"), (1e5, "100000"), (123_456.79, "123456.79")] {
            assert_eq!(float4(value), text);
        }
    }

    #[test]
    fn intervals_keep_their_signs() {
        for ((months, days, micros), text) in [
            (
                (14, -3, 14_706_789_000),
                "1 year 2 mons -3 days +04:05:06.789",
            ),
            (
                (-14, 3, -14_706_000_000),
                "-1 years -2 mons +3 days -04:05:06",
            ),
            ((0, -1, 0), "-1 days"),
            ((0, 0, 0), "00:00:00"),
            ((0, 0, 360_000_000_000), "100:00:00"),
        ] {
            assert_eq!(
                interval(Interval {
                    months,
                    days,
                    micros
                }),
                text
            );
        }
    }
}
