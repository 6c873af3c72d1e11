//! Sizes and durations as catalog.toml writes them, which is as Postgres writes
//! them (section 20.1.1 of its manual): a number and a unit, fractions allowed.

use std::time::Duration;

use toml::de::DeValue;

use super::item::Item;
use super::section::Section;

/// Units of Postgres's and the IEC's names; all are powers of 1024.
const SIZES: &[(&str, u64)] = &[
    ("B", 1),
    ("kB", 1 << 10),
    ("KB", 1 << 10),
    ("KiB", 1 << 10),
    ("MB", 1 << 20),
    ("MiB", 1 << 20),
    ("GB", 1 << 30),
    ("GiB", 1 << 30),
    ("TB", 1 << 40),
    ("TiB", 1 << 40),
];

const DURATIONS: &[(&str, u64)] = &[
    ("us", 1),
    ("ms", 1_000),
    ("s", 1_000_000),
    ("min", 60_000_000),
    ("h", 3_600_000_000),
    ("d", 86_400_000_000),
];

/// Bytes: `"4GiB"`, `"512MB"`, `1048576`. Zero is a mistake.
pub(super) fn size(section: &Section<'_>, key: &'static str) -> Option<u64> {
    let item = section.item(key)?;
    let bytes = match item.value {
        DeValue::Integer(integer) => u64::from_str_radix(integer.as_str(), integer.radix()).ok(),
        DeValue::String(_) => {
            let text = item.clone().text()?.value;
            text.parse().ok().or_else(|| amount(&text, SIZES))
        }
        _ => {
            item.wrong_type("a size such as \"512MB\"");
            return None;
        }
    };
    let bytes = bytes.filter(|bytes| *bytes > 0);
    if bytes.is_none() {
        item.mistake(format!(
            "{} is not a size: expected bytes, or a number with kB, MB, GB or TB such as \"512MB\"",
            shown(&item)
        ));
    }
    bytes
}

/// `"30s"`, `"5min"`, `"1500ms"`; `"0"` is zero.
pub(super) fn duration(section: &Section<'_>, key: &'static str) -> Option<Duration> {
    let item = section.item(key)?;
    let duration = match item.value {
        DeValue::Integer(integer) => (integer.as_str() == "0").then_some(Duration::ZERO),
        DeValue::String(_) => match item.clone().text()?.value.as_str() {
            "0" => Some(Duration::ZERO),
            text => amount(text, DURATIONS).map(Duration::from_micros),
        },
        _ => {
            item.wrong_type("a duration such as \"30s\"");
            return None;
        }
    };
    if duration.is_none() {
        item.mistake(format!(
            "{} is not a duration: expected a number with us, ms, s, min, h or d such as \"30s\"",
            shown(&item)
        ));
    }
    duration
}

fn shown(item: &Item<'_>) -> String {
    match item.value {
        DeValue::Integer(integer) => integer.to_string(),
        DeValue::String(raw) => format!("\"{raw}\""),
        _ => "this value".to_string(),
    }
}

/// A number and a unit, with or without a space between; `None` where either is
/// wrong or the product does not fit.
fn amount(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at(end);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit.trim_start())?;
    match number.parse::<u64>() {
        Ok(number) => number.checked_mul(*factor),
        Err(_) => {
            let product = number.parse::<f64>().ok()? * *factor as f64;
            // Past 2^53 a fraction of a unit means nothing.
            (product < (1u64 << 53) as f64).then_some(product.round() as u64)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_units() {
        for (text, units, expected) in [
            ("4GiB", SIZES, Some(4 << 30)),
            ("512 MB", SIZES, Some(512 << 20)),
            ("1.5kB", SIZES, Some(1536)),
            ("4gib", SIZES, None),
            ("GiB", SIZES, None),
            ("-1MB", SIZES, None),
            ("99999999999TB", SIZES, None),
            ("1500ms", DURATIONS, Some(1_500_000)),
            ("5min", DURATIONS, Some(300_000_000)),
            ("0.5s", DURATIONS, Some(500_000)),
            ("1.2.3s", DURATIONS, None),
            ("30", DURATIONS, None),
            ("5m", DURATIONS, None),
        ] {
            assert_eq!(amount(text, units), expected, "{text}");
        }
    }
}
