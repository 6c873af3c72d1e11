//! to_char() of dates, times and intervals (section 9.8 of the manual).

use super::arithmetic::misfit;
use super::{Call, Overload, strict};
use crate::error::Result;
use crate::semantics::calendar::{
    self, HOUR, JULIAN_EPOCH, MINUTE, SECOND, civil, days_of, is_infinite, offset_text, split,
};
use crate::semantics::value::Value;
use crate::types::PgType;

const TEXT: PgType = PgType::TEXT;

pub(super) const FUNCTIONS: &[Overload] = &[
    strict("to_char", &[PgType::TIMESTAMP, TEXT], TEXT, to_char),
    strict("to_char", &[PgType::TIMESTAMPTZ, TEXT], TEXT, to_char).stable(),
    strict("to_char", &[PgType::INTERVAL, TEXT], TEXT, to_char),
];

/// The fields that patterns print.
struct Moment {
    year: i64,
    month: i64,
    day: i64,
    /// Of a date; `None` for an interval.
    days: Option<i64>,
    hour: i64,
    minute: i64,
    second: i64,
    micros: i64,
    zone: String,
    /// Seconds east.
    offset: Option<i32>,
}

fn to_char(call: &Call<'_>, row: &[Value]) -> Result<Value> {
    let [value, Value::Text(pattern)] = row else {
        return Err(misfit());
    };
    let moment = match value {
        Value::Timestamp(micros) | Value::TimestampTz(micros) if is_infinite(*micros) => {
            return Ok(Value::Null);
        }
        Value::Timestamp(micros) => of_local(*micros, String::new(), None),
        Value::TimestampTz(micros) => {
            let zone = call.context.zone;
            of_local(
                zone.local(*micros),
                zone.abbreviation(*micros),
                Some(zone.offset_at(*micros)),
            )
        }
        Value::Interval(interval) => Moment {
            year: i64::from(interval.months / 12),
            month: i64::from(interval.months % 12),
            day: interval.days.into(),
            days: None,
            hour: interval.micros / HOUR,
            minute: interval.micros / MINUTE % 60,
            second: interval.micros / SECOND % 60,
            micros: interval.micros % SECOND,
            zone: String::new(),
            offset: None,
        },
        _ => return Err(misfit()),
    };
    Ok(Value::Text(format(&moment, pattern)))
}

fn of_local(local: i64, zone: String, offset: Option<i32>) -> Moment {
    let (days, time) = split(local);
    let (year, month, day) = civil(days);
    Moment {
        year,
        month,
        day,
        days: Some(days),
        hour: time / HOUR,
        minute: time / MINUTE % 60,
        second: time / SECOND % 60,
        micros: time % SECOND,
        zone,
        offset,
    }
}

/// Longest first where one begins another.
const PATTERNS: &[&str] = &[
    "SSSSS", "Y,YYY", "MONTH", "Month", "month", "IYYY", "YYYY", "SSSS", "HH24", "HH12", "A.D.",
    "a.d.", "B.C.", "b.c.", "A.M.", "a.m.", "P.M.", "p.m.", "IDDD", "IYY", "YYY", "MON", "Mon",
    "mon", "DAY", "Day", "day", "DDD", "FF1", "FF2", "FF3", "FF4", "FF5", "FF6", "TZH", "TZM",
    "AD", "ad", "BC", "bc", "AM", "am", "PM", "pm", "CC", "DD", "DY", "Dy", "dy", "HH", "ID", "IW",
    "IY", "MI", "MM", "MS", "OF", "RM", "rm", "SS", "TZ", "tz", "US", "WW", "YY", "D", "I", "J",
    "Q", "W", "Y",
];

/// A pattern at the start of a text: its canonical spelling and its length.
pub(super) fn pattern_at(text: &str) -> Option<(&'static str, usize)> {
    let exact = PATTERNS.iter().find(|pattern| text.starts_with(**pattern));
    let found = exact.or_else(|| {
        // what has no case of its own may be written in either
        PATTERNS.iter().find(|pattern| {
            text.get(..pattern.len())
                .is_some_and(|head| head.eq_ignore_ascii_case(pattern))
        })
    })?;
    Some((found, found.len()))
}

fn format(moment: &Moment, pattern: &str) -> String {
    let mut out = String::new();
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        if c == '"' {
            let inner = &rest[1..];
            let end = inner.find('"').unwrap_or(inner.len());
            out.push_str(&inner[..end]);
            rest = inner.get(end + 1..).unwrap_or_default();
            continue;
        }
        if c == '\\' && rest[1..].starts_with('"') {
            out.push('"');
            rest = &rest[2..];
            continue;
        }
        let mut fill = true;
        if let Some(after) = strip_either(rest, "FM") {
            fill = false;
            rest = after;
        } else if let Some(after) = strip_either(rest, "FX").or_else(|| strip_either(rest, "TM")) {
            rest = after;
            continue;
        }
        match pattern_at(rest) {
            Some((name, length)) => {
                rest = &rest[length..];
                let number = field(moment, name, fill, &mut out);
                if let Some(after) = rest.strip_prefix("TH").or_else(|| rest.strip_prefix("th"))
                    && let Some(number) = number
                {
                    let upper = rest.starts_with("TH");
                    out.push_str(&ordinal(number, upper));
                    rest = after;
                }
            }
            None => {
                if let Some(c) = rest.chars().next() {
                    out.push(c);
                    rest = &rest[c.len_utf8()..];
                }
            }
        }
    }
    out
}

fn strip_either<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix)
        .then(|| &text[prefix.len()..])
}

fn ordinal(number: i64, upper: bool) -> String {
    let suffix = match (number % 100, number % 10) {
        (11..=13, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    };
    if upper {
        suffix.to_uppercase()
    } else {
        suffix.to_string()
    }
}

pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
pub(super) const DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];
const ROMAN: [&str; 12] = [
    "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII",
];

/// Writes one field; numbers are given back for a TH after them.
fn field(moment: &Moment, name: &str, fill: bool, out: &mut String) -> Option<i64> {
    let year = if moment.year > 0 || moment.days.is_none() {
        moment.year
    } else {
        1 - moment.year
    };
    let days = moment.days.unwrap_or(0);
    let (iso_year, iso_week) = calendar::iso_week(days);
    let hour12 = match moment.hour % 12 {
        0 => 12,
        hour => hour,
    };
    let day_of_year = days - days_of(moment.year, 1, 1) + 1;
    let weekday = calendar::weekday(days);
    let (number, width) = match name {
        "YYYY" => (year, 4),
        "YYY" => (year % 1_000, 3),
        "YY" => (year % 100, 2),
        "Y" => (year % 10, 1),
        "IYYY" => (iso_year, 4),
        "IYY" => (iso_year % 1_000, 3),
        "IY" => (iso_year % 100, 2),
        "I" => (iso_year % 10, 1),
        "CC" => ((year + 99) / 100, 2),
        "MM" => (moment.month, 2),
        "DD" => (moment.day, 2),
        "DDD" => (day_of_year, 3),
        "IDDD" => (days - calendar::iso_year_start(iso_year) + 1, 3),
        "D" => (weekday + 1, 1),
        "ID" => ((weekday + 6) % 7 + 1, 1),
        "WW" => ((day_of_year - 1) / 7 + 1, 2),
        "W" => ((moment.day - 1) / 7 + 1, 1),
        "IW" => (iso_week, 2),
        "Q" => ((moment.month - 1).max(0) / 3 + 1, 1),
        "J" => (days + JULIAN_EPOCH, 1),
        // an interval's hours are not wrapped
        "HH24" => (moment.hour, 2),
        "HH12" | "HH" => (hour12, 2),
        "MI" => (moment.minute, 2),
        "SS" => (moment.second, 2),
        "SSSS" | "SSSSS" => (moment.hour * 3_600 + moment.minute * 60 + moment.second, 1),
        "MS" => (moment.micros / 1_000, 3),
        "US" | "FF6" => (moment.micros, 6),
        "FF1" => (moment.micros / 100_000, 1),
        "FF2" => (moment.micros / 10_000, 2),
        "FF3" => (moment.micros / 1_000, 3),
        "FF4" => (moment.micros / 100, 4),
        "FF5" => (moment.micros / 10, 5),
        _ => {
            words(moment, name, fill, weekday, year, out);
            return None;
        }
    };
    let sign = if number < 0 { "-" } else { "" };
    let width = if fill { width } else { 1 };
    // fractions keep their zeros: they are no counts
    let width = match name {
        "MS" => 3,
        "US" | "FF6" => 6,
        _ => width,
    };
    out.push_str(&format!("{sign}{:0width$}", number.unsigned_abs()));
    Some(number)
}

fn words(moment: &Moment, name: &str, fill: bool, weekday: i64, year: i64, out: &mut String) {
    let at = |names: &[&'static str], index: i64| {
        usize::try_from(index)
            .ok()
            .and_then(|index| names.get(index))
            .copied()
            .unwrap_or("")
    };
    let month = at(&MONTHS, moment.month - 1);
    let day = at(&DAYS, weekday);
    let padded = |text: String| if fill { format!("{text:9}") } else { text };
    let text = match name {
        "MONTH" => padded(month.to_uppercase()),
        "Month" => padded(month.to_string()),
        "month" => padded(month.to_lowercase()),
        "MON" => month.get(..3).unwrap_or("").to_uppercase(),
        "Mon" => month.get(..3).unwrap_or("").to_string(),
        "mon" => month.get(..3).unwrap_or("").to_lowercase(),
        "DAY" => padded(day.to_uppercase()),
        "Day" => padded(day.to_string()),
        "day" => padded(day.to_lowercase()),
        "DY" => day.get(..3).unwrap_or("").to_uppercase(),
        "Dy" => day.get(..3).unwrap_or("").to_string(),
        "dy" => day.get(..3).unwrap_or("").to_lowercase(),
        "RM" | "rm" => {
            let roman = at(&ROMAN, moment.month - 1);
            let roman = if name == "rm" {
                roman.to_lowercase()
            } else {
                roman.to_string()
            };
            if fill { format!("{roman:4}") } else { roman }
        }
        "AM" | "PM" => half(moment, "AM", "PM"),
        "am" | "pm" => half(moment, "am", "pm"),
        "A.M." | "P.M." => half(moment, "A.M.", "P.M."),
        "a.m." | "p.m." => half(moment, "a.m.", "p.m."),
        "AD" | "BC" => era(moment, "AD", "BC"),
        "ad" | "bc" => era(moment, "ad", "bc"),
        "A.D." | "B.C." => era(moment, "A.D.", "B.C."),
        "a.d." | "b.c." => era(moment, "a.d.", "b.c."),
        "TZ" => moment.zone.to_uppercase(),
        "tz" => moment.zone.to_lowercase(),
        "TZH" => moment.offset.map_or_else(String::new, |offset| {
            let sign = if offset < 0 { '-' } else { '+' };
            format!("{sign}{:02}", offset.unsigned_abs() / 3_600)
        }),
        "TZM" => moment.offset.map_or_else(String::new, |offset| {
            format!("{:02}", offset.unsigned_abs() / 60 % 60)
        }),
        "OF" => moment.offset.map_or_else(String::new, offset_text),
        "Y,YYY" => format!("{},{:03}", year / 1_000, year % 1_000),
        _ => String::new(),
    };
    out.push_str(&text);
}

fn half(moment: &Moment, before: &str, after: &str) -> String {
    if moment.hour % 24 >= 12 {
        after
    } else {
        before
    }
    .to_string()
}

fn era(moment: &Moment, after: &str, before: &str) -> String {
    if moment.year > 0 { after } else { before }.to_string()
}
