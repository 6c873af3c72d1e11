//! What values a setting takes and how SHOW spells them. Section 20.1.1
//! "Parameter Names and Values" of the Postgres manual.

use crate::error::{Error, Result, SqlState};
pub use crate::types::text::boolean;
use crate::types::text::datetime::write_timestamptz;
use crate::types::text::parse::instant;
use crate::types::text::{DateOrder, DateStyle, OutputStyle, Zone};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Bool,
    Integer {
        least: i64,
        most: i64,
    },
    Real,
    /// Milliseconds, printed with the largest unit that divides them.
    Time,
    /// A size in units of so many bytes.
    Bytes {
        unit: i64,
    },
    Choice(&'static [&'static str]),
    Text,
    /// Characters outside printable ASCII become escapes, as in application_name.
    Ascii,
    Encoding,
    DateStyle,
    Zone,
    /// An instant, spelled in UTC; empty for none.
    Instant,
    SearchPath,
    /// Cannot be turned off here.
    AlwaysOn,
    /// `none` alone.
    Role,
}

/// The canonical text of `value` for the setting `name`, whose present text is
/// `present`; for an instant that is the session's TimeZone.
pub fn canonical(name: &str, kind: Kind, value: &str, present: &str) -> Result<String> {
    let invalid = || {
        Error::new(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("invalid value for parameter \"{name}\": \"{value}\""),
        )
    };
    match kind {
        Kind::Bool => match boolean(value) {
            Some(true) => Ok("on".into()),
            Some(false) => Ok("off".into()),
            None => Err(Error::new(
                SqlState::INVALID_PARAMETER_VALUE,
                format!("parameter \"{name}\" requires a Boolean value"),
            )),
        },
        Kind::Integer { least, most } => {
            let number = integer(value).ok_or_else(invalid)?;
            in_range(name, number, "", least, most)?;
            Ok(number.to_string())
        }
        Kind::Real => match value.trim().parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(number.to_string()),
            _ => Err(invalid()),
        },
        Kind::Time => {
            let millis = milliseconds(value).ok_or_else(|| match number_and_unit(value) {
                Some(_) => invalid().with_hint(TIME_UNITS),
                None => invalid(),
            })?;
            in_range(name, millis, " ms", 0, i64::from(i32::MAX))?;
            Ok(time_text(millis))
        }
        Kind::Bytes { unit } => {
            let units = size(value, unit).ok_or_else(|| match number_and_unit(value) {
                Some(_) => invalid().with_hint(SIZE_UNITS),
                None => invalid(),
            })?;
            in_range(name, units, "", 0, i64::from(i32::MAX))?;
            Ok(size_text(units * unit))
        }
        Kind::Choice(choices) => choose(choices, value).ok_or_else(|| {
            invalid().with_hint(format!("Available values: {}.", choices.join(", ")))
        }),
        Kind::Text => Ok(value.to_string()),
        Kind::Ascii => Ok(ascii(value)),
        Kind::Encoding => encoding(value).ok_or_else(invalid)?,
        Kind::DateStyle => {
            let (style, order) = date_style(value, present)
                .ok_or_else(|| invalid().with_detail(date_style_detail(value)))?;
            Ok(date_style_text(style, order))
        }
        Kind::Zone => Zone::setting(value)
            .map(|zone| zone.name().to_string())
            .ok_or_else(|| match value.trim().parse::<f64>() {
                Ok(_) => invalid().with_detail("UTC timezone offset is out of range."),
                Err(_) => invalid(),
            }),
        Kind::Instant if value.trim().is_empty() => Ok(String::new()),
        Kind::Instant => {
            let zone = Zone::setting(present).unwrap_or_else(Zone::utc);
            let micros = instant(value, &zone).map_err(|_| {
                invalid().with_hint("Expected a timestamp such as 2024-05-01 12:00:00+00.")
            })?;
            let mut text = Vec::new();
            write_timestamptz(&mut text, micros, &OutputStyle::default());
            String::from_utf8(text).map_err(|_| invalid())
        }
        Kind::SearchPath => match path_elements(value) {
            Some(_) => Ok(value.to_string()),
            None => Err(invalid().with_detail("List syntax is invalid.")),
        },
        Kind::AlwaysOn => match boolean(value) {
            Some(true) => Ok("on".into()),
            Some(false) => Err(Error::unsupported(format!(
                "parameter \"{name}\" cannot be turned off"
            ))),
            None => Err(Error::new(
                SqlState::INVALID_PARAMETER_VALUE,
                format!("parameter \"{name}\" requires a Boolean value"),
            )),
        },
        Kind::Role => match value.eq_ignore_ascii_case("none") {
            true => Ok("none".into()),
            false => Err(Error::new(
                SqlState::INVALID_PARAMETER_VALUE,
                format!("role \"{value}\" does not exist"),
            )),
        },
    }
}

const TIME_UNITS: &str =
    "Valid units for this parameter are \"us\", \"ms\", \"s\", \"min\", \"h\", and \"d\".";
const SIZE_UNITS: &str =
    "Valid units for this parameter are \"B\", \"kB\", \"MB\", \"GB\", and \"TB\".";

fn in_range(name: &str, value: i64, unit: &str, least: i64, most: i64) -> Result<()> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(Error::new(
        SqlState::INVALID_PARAMETER_VALUE,
        format!(
            "{value}{unit} is outside the valid range for parameter \"{name}\" ({least} .. {most})"
        ),
    ))
}

fn integer(value: &str) -> Option<i64> {
    let value = value.trim();
    if let Some(hex) = value.strip_prefix("0x") {
        return i64::from_str_radix(hex, 16).ok();
    }
    value
        .parse()
        .ok()
        .or_else(|| rounded(value.parse::<f64>().ok()?))
}

/// Rounds half to even, as rint() does.
fn rounded(value: f64) -> Option<i64> {
    (value.is_finite() && value.abs() < 9e15).then(|| value.round_ties_even() as i64)
}

fn number_and_unit(value: &str) -> Option<(f64, &str)> {
    let value = value.trim();
    let end = value
        .find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '-' | '+')))
        .unwrap_or(value.len());
    Some((value[..end].parse().ok()?, value[end..].trim()))
}

fn milliseconds(value: &str) -> Option<i64> {
    let (number, unit) = number_and_unit(value)?;
    let factor = match unit {
        "us" => 0.001,
        "" | "ms" => 1.0,
        "s" => 1000.0,
        "min" => 60_000.0,
        "h" => 3_600_000.0,
        "d" => 86_400_000.0,
        _ => return None,
    };
    rounded(number * factor)
}

fn time_text(millis: i64) -> String {
    for (unit, factor) in [
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("min", 60_000),
        ("s", 1000),
    ] {
        if millis > 0 && millis % factor == 0 {
            return format!("{}{unit}", millis / factor);
        }
    }
    match millis {
        0 => "0".into(),
        _ => format!("{millis}ms"),
    }
}

/// The milliseconds of a canonical time; 0 where it is none.
pub fn time_millis(text: &str) -> u64 {
    milliseconds(text)
        .and_then(|millis| u64::try_from(millis).ok())
        .unwrap_or(0)
}

fn size(value: &str, unit_bytes: i64) -> Option<i64> {
    let (number, unit) = number_and_unit(value)?;
    let factor = match unit {
        "" => unit_bytes,
        "B" => 1,
        "kB" => 1 << 10,
        "MB" => 1 << 20,
        "GB" => 1 << 30,
        "TB" => 1 << 40,
        _ => return None,
    };
    rounded(number * factor as f64 / unit_bytes as f64)
}

fn size_text(bytes: i64) -> String {
    for (unit, shift) in [("TB", 40), ("GB", 30), ("MB", 20), ("kB", 10)] {
        if bytes > 0 && bytes % (1 << shift) == 0 {
            return format!("{}{unit}", bytes >> shift);
        }
    }
    match bytes {
        0 => "0".into(),
        _ => format!("{bytes}B"),
    }
}

fn choose(choices: &[&str], value: &str) -> Option<String> {
    let value = value.trim();
    let exact = choices
        .iter()
        .find(|choice| choice.eq_ignore_ascii_case(value));
    let alias = || {
        // on and off have the aliases of Booleans where they are choices
        let word = if boolean(value)? { "on" } else { "off" };
        choices.iter().find(|choice| **choice == word)
    };
    exact.or_else(alias).map(|choice| choice.to_string())
}

fn ascii(value: &str) -> String {
    value
        .bytes()
        .map(|byte| match byte {
            0x20..=0x7e => char::from(byte).to_string(),
            _ => format!("\\x{byte:02x}"),
        })
        .collect()
}

/// UTF8 by its aliases; other encodings exist but are not spoken.
fn encoding(value: &str) -> Option<Result<String>> {
    let clean: String = value
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect();
    match clean.as_str() {
        "utf8" | "unicode" => Some(Ok("UTF8".into())),
        "sqlascii" | "latin1" | "latin2" | "latin9" | "iso88591" | "iso885915" | "win1252"
        | "win1251" | "win1250" | "koi8" | "koi8r" | "eucjp" | "sjis" | "gbk" | "big5"
        | "euckr" | "euccn" | "gb18030" | "uhc" | "mskanji" | "windows1252" => Some(Err(
            Error::unsupported(format!("client encoding \"{value}\" is not supported"))
                .with_hint("The server speaks UTF8."),
        )),
        _ => None,
    }
}

/// `ISO, DMY`, one of the two, or `DEFAULT`; what is left out stays as it is.
pub fn date_style(value: &str, present: &str) -> Option<(DateStyle, DateOrder)> {
    let mut style = None;
    let mut order = None;
    for word in value.split(',').flat_map(str::split_whitespace) {
        let word = word.trim_matches('"').to_ascii_lowercase();
        let set_style = match word.as_str() {
            "iso" => Some(DateStyle::Iso),
            "sql" => Some(DateStyle::Sql),
            "german" => Some(DateStyle::German),
            _ if word.starts_with("postgres") => Some(DateStyle::Postgres),
            _ => None,
        };
        let set_order = match word.as_str() {
            "ymd" => Some(DateOrder::Ymd),
            "us" | "mdy" => Some(DateOrder::Mdy),
            _ if word == "dmy" || word.starts_with("euro") => Some(DateOrder::Dmy),
            _ if word.starts_with("noneuro") => Some(DateOrder::Mdy),
            _ => None,
        };
        match (set_style, set_order) {
            (None, None) if word == "default" => {
                style.get_or_insert(DateStyle::Iso);
                order.get_or_insert(DateOrder::Mdy);
            }
            (None, None) => return None,
            // the same thing twice is fine, two different ones are not
            (Some(new), _) if style.is_some_and(|old| old != new) => return None,
            (_, Some(new)) if order.is_some_and(|old| old != new) => return None,
            (new_style, new_order) => {
                // German dates are day first unless said otherwise
                if new_style == Some(DateStyle::German) && order.is_none() {
                    order = None;
                }
                style = new_style.or(style);
                order = new_order.or(order);
            }
        }
    }
    if style == Some(DateStyle::German) && order.is_none() {
        order = Some(DateOrder::Dmy);
    }
    if style.is_some() && order.is_some() {
        return style.zip(order);
    }
    let kept = if present == value || present.is_empty() {
        (DateStyle::Iso, DateOrder::Mdy)
    } else {
        date_style(present, "")?
    };
    Some((style.unwrap_or(kept.0), order.unwrap_or(kept.1)))
}

/// The first word that is none, or that they contradict each other.
fn date_style_detail(value: &str) -> String {
    value
        .split(',')
        .flat_map(str::split_whitespace)
        .find(|word| date_style(word, "").is_none())
        .map_or("Conflicting \"datestyle\" specifications.".into(), |word| {
            format!("Unrecognized key word: \"{word}\".")
        })
}

fn date_style_text(style: DateStyle, order: DateOrder) -> String {
    let style = match style {
        DateStyle::Iso => "ISO",
        DateStyle::Sql => "SQL",
        DateStyle::Postgres => "Postgres",
        DateStyle::German => "German",
    };
    let order = match order {
        DateOrder::Mdy => "MDY",
        DateOrder::Dmy => "DMY",
        DateOrder::Ymd => "YMD",
    };
    format!("{style}, {order}")
}

/// The schemas of a search_path text; `None`: not a list of names.
pub fn path_elements(value: &str) -> Option<Vec<String>> {
    let mut elements = Vec::new();
    let mut rest = value.trim();
    if rest.is_empty() {
        return Some(elements);
    }
    loop {
        let (name, after) = if let Some(quoted) = rest.strip_prefix('"') {
            let mut name = String::new();
            let mut from = quoted;
            loop {
                let end = from.find('"')?;
                name.push_str(&from[..end]);
                from = &from[end + 1..];
                match from.strip_prefix('"') {
                    Some(more) => {
                        name.push('"');
                        from = more;
                    }
                    None => break,
                }
            }
            (name, from)
        } else {
            let end = rest
                .find(|c: char| c == ',' || c.is_whitespace())
                .unwrap_or(rest.len());
            (rest[..end].to_lowercase(), &rest[end..])
        };
        if name.is_empty() && !rest.starts_with('"') {
            return None;
        }
        elements.push(name);
        rest = after.trim_start();
        if rest.is_empty() {
            return Some(elements);
        }
        rest = rest.strip_prefix(',')?.trim_start();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_spelled_as_postgres_spells_them() {
        for (kind, value, expected) in [
            (Kind::Bool, "TRUE", Some("on")),
            (Kind::Bool, "of", Some("off")),
            (Kind::Bool, "o", None),
            (Kind::Time, "1500", Some("1500ms")),
            (Kind::Time, "60000", Some("1min")),
            (Kind::Time, "1.5s", Some("1500ms")),
            (Kind::Time, "2 h", Some("2h")),
            (Kind::Time, "-1", None),
            (Kind::Time, "1 week", None),
            (Kind::Bytes { unit: 1024 }, "64MB", Some("64MB")),
            (Kind::Bytes { unit: 1024 }, "4096", Some("4MB")),
            (
                Kind::Integer {
                    least: -15,
                    most: 3,
                },
                "3",
                Some("3"),
            ),
            (
                Kind::Integer {
                    least: -15,
                    most: 3,
                },
                "4",
                None,
            ),
            (Kind::Encoding, "utf-8", Some("UTF8")),
            (Kind::Encoding, "LATIN1", None),
            (Kind::Encoding, "klingon", None),
            (Kind::DateStyle, "german", Some("German, DMY")),
            (Kind::DateStyle, "sql", Some("SQL, MDY")),
            (Kind::DateStyle, "postgres, euro", Some("Postgres, DMY")),
            (Kind::DateStyle, "iso, sql", None),
            (Kind::Zone, "europe/paris", Some("Europe/Paris")),
            (Kind::Zone, "nowhere", None),
            (Kind::Instant, "", Some("")),
            (Kind::Instant, "2024-05-01", Some("2024-05-01 00:00:00+00")),
            (
                Kind::Instant,
                "2024-05-01 12:00+02",
                Some("2024-05-01 10:00:00+00"),
            ),
            (Kind::Instant, "01/02/2024", None),
            (Kind::Instant, "infinity", None),
            (Kind::Instant, "yesterday", None),
            (Kind::Ascii, "é", Some("\\xc3\\xa9")),
        ] {
            let present = if kind == Kind::DateStyle {
                "ISO, MDY"
            } else {
                ""
            };
            let got = canonical("x", kind, value, present).ok();
            assert_eq!(got.as_deref(), expected, "{value}");
        }
        assert_eq!(
            canonical("DateStyle", Kind::DateStyle, "DMY", "SQL, MDY")
                .ok()
                .as_deref(),
            Some("SQL, DMY")
        );
    }

    #[test]
    fn search_paths_are_lists_of_names() {
        let path = |text| path_elements(text);
        assert_eq!(
            path("\"$user\", Public"),
            Some(vec!["$user".into(), "public".into()])
        );
        assert_eq!(path("\"A\"\"b\""), Some(vec!["A\"b".into()]));
        assert_eq!(path(""), Some(vec![]));
        assert_eq!(path("a,,b"), None);
        assert_eq!(path("\"a"), None);
    }
}
