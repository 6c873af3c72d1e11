//! to_date() and to_timestamp() with a template (section 9.8 of the manual).

use super::arithmetic::misfit;
use super::to_char::{DAYS, MONTHS, pattern_at};
use super::{Overload, strict};
use crate::error::{Error, Result, SqlState};
use crate::semantics::calendar::{
    self, DAY, HOUR, JULIAN_EPOCH, MINUTE, SECOND, checked_date, checked_timestamp, days_in_month,
    days_of,
};
use crate::semantics::value::Value;
use crate::types::PgType;

const TEXT: PgType = PgType::TEXT;

pub(super) const FUNCTIONS: &[Overload] = &[
    strict("to_date", &[TEXT, TEXT], PgType::DATE, |_, row| match row {
        [Value::Text(text), Value::Text(pattern)] => {
            let parts = read(text, pattern)?;
            Ok(Value::Date(checked_date(parts.days(text)?)?))
        }
        _ => Err(misfit()),
    }),
    strict(
        "to_timestamp",
        &[TEXT, TEXT],
        PgType::TIMESTAMPTZ,
        |call, row| match row {
            [Value::Text(text), Value::Text(pattern)] => {
                let parts = read(text, pattern)?;
                let time = parts.time(text)?;
                let local = checked_timestamp(parts.days(text)? + time / DAY, time % DAY)?;
                Ok(Value::TimestampTz(match parts.offset {
                    Some(offset) => local - offset * SECOND,
                    None => call.context.zone.instant(local),
                }))
            }
            _ => Err(misfit()),
        },
    )
    .stable(),
];

#[derive(Default)]
struct Parts {
    year: Option<i64>,
    bc: bool,
    month: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    julian: Option<i64>,
    quarter_only: bool,
    iso_year: Option<i64>,
    iso_week: Option<i64>,
    iso_day: Option<i64>,
    week: Option<i64>,
    hour: i64,
    twelve: bool,
    afternoon: Option<bool>,
    minute: i64,
    second: i64,
    second_of_day: Option<i64>,
    micros: i64,
    offset_hours: Option<i64>,
    offset_minutes: i64,
    offset: Option<i64>,
}

fn out_of_range(text: &str) -> Error {
    Error::new(
        SqlState::DATETIME_FIELD_OVERFLOW,
        format!("date/time field value out of range: \"{text}\""),
    )
}

impl Parts {
    fn days(&self, text: &str) -> Result<i64> {
        if let Some(julian) = self.julian {
            return Ok(julian - JULIAN_EPOCH);
        }
        if let Some(week) = self.iso_week {
            let year = self.iso_year.or(self.year).unwrap_or(1);
            let day = self.iso_day.unwrap_or(1);
            return Ok(calendar::iso_year_start(year) + (week - 1) * 7 + day - 1);
        }
        let year = match (self.year.or(self.iso_year), self.bc) {
            // without a year it is 1 BC, as Postgres starts from
            (None | Some(0), _) => 0,
            (Some(year), true) => 1 - year,
            (Some(year), false) if year < 0 => year + 1,
            (Some(year), false) => year,
        };
        if let Some(day) = self.day_of_year {
            if day < 1 || day > if calendar::is_leap(year) { 366 } else { 365 } {
                return Err(out_of_range(text));
            }
            return Ok(days_of(year, 1, 1) + day - 1);
        }
        if let (Some(week), None) = (self.week, self.month) {
            return Ok(days_of(year, 1, 1) + (week - 1) * 7);
        }
        let (month, day) = (self.month.unwrap_or(1), self.day.unwrap_or(1));
        if !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) {
            return Err(out_of_range(text));
        }
        Ok(days_of(year, month, day))
    }

    fn time(&self, text: &str) -> Result<i64> {
        if let Some(seconds) = self.second_of_day {
            return Ok(seconds * SECOND + self.micros);
        }
        let mut hour = self.hour;
        if self.twelve || self.afternoon.is_some() {
            if !(1..=12).contains(&hour) {
                return Err(Error::new(
                    SqlState::INVALID_DATETIME_FORMAT,
                    format!("hour \"{hour}\" is invalid for the 12-hour clock"),
                )
                .with_hint("Use the 24-hour clock, or give an hour between 1 and 12."));
            }
            hour %= 12;
            if self.afternoon == Some(true) {
                hour += 12;
            }
        }
        if hour > 24 || self.minute > 59 || self.second > 59 {
            return Err(out_of_range(text));
        }
        Ok(hour * HOUR + self.minute * MINUTE + self.second * SECOND + self.micros)
    }
}

fn read(text: &str, pattern: &str) -> Result<Parts> {
    let mut parts = Parts::default();
    let mut rest = text.trim_start();
    let mut template = pattern;
    while let Some(c) = template.chars().next() {
        if let Some(after) = strip_prefix(template, "FM")
            .or_else(|| strip_prefix(template, "FX"))
            .or_else(|| strip_prefix(template, "TM"))
        {
            template = after;
            continue;
        }
        if c == '"' {
            let inner = &template[1..];
            let end = inner.find('"').unwrap_or(inner.len());
            rest = skip(rest, inner[..end].chars().count());
            template = inner.get(end + 1..).unwrap_or_default();
            continue;
        }
        match pattern_at(template) {
            Some((name, length)) => {
                template = &template[length..];
                if let Some(after) = strip_prefix(template, "TH") {
                    template = after;
                    rest = parts.field(name, rest, false)?;
                    rest = skip(rest, 2);
                    continue;
                }
                // digits that run into the next field are counted
                let bounded = pattern_at(template).is_some_and(|(next, _)| is_number(next));
                rest = parts.field(name, rest.trim_start(), bounded)?;
            }
            None => {
                template = &template[c.len_utf8()..];
                // a separator stands for any run of separators
                if c.is_alphanumeric() {
                    rest = skip(rest, 1);
                } else {
                    rest = rest.trim_start_matches(|c: char| {
                        !c.is_alphanumeric() && !matches!(c, '+' | '-')
                    });
                    if pattern_at(template).is_none_or(|(name, _)| !matches!(name, "TZH" | "OF")) {
                        rest = rest.trim_start_matches(|c: char| !c.is_alphanumeric());
                    }
                }
            }
        }
    }
    if let Some(hours) = parts.offset_hours {
        let sign = if hours < 0 { -1 } else { 1 };
        parts.offset = Some(hours * 3_600 + sign * parts.offset_minutes * 60);
    }
    Ok(parts)
}

fn strip_prefix<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix)
        .then(|| &text[prefix.len()..])
}

fn skip(text: &str, count: usize) -> &str {
    text.char_indices()
        .nth(count)
        .map_or("", |(at, _)| &text[at..])
}

fn is_number(name: &str) -> bool {
    width(name) > 0
}

/// Digits of a numeric field; 0 for words.
fn width(name: &str) -> usize {
    match name {
        "YYYY" | "IYYY" => 4,
        "YYY" | "DDD" | "IDDD" | "MS" | "FF3" | "IYY" => 3,
        "Y" | "D" | "ID" | "W" | "Q" | "FF1" | "I" => 1,
        "US" | "FF6" => 6,
        "SSSS" | "SSSSS" | "FF5" => 5,
        "FF4" => 4,
        "J" => 7,
        "YY" | "IY" | "MM" | "DD" | "WW" | "IW" | "HH" | "HH12" | "HH24" | "MI" | "SS" | "FF2"
        | "CC" | "TZM" => 2,
        "TZH" => 3,
        _ => 0,
    }
}

impl Parts {
    fn field<'a>(&mut self, name: &str, rest: &'a str, bounded: bool) -> Result<&'a str> {
        if width(name) > 0 {
            return self.number(name, rest, bounded);
        }
        let lower = rest.to_lowercase();
        let bad = || {
            let word: String = rest.chars().take(name.len()).collect();
            Error::new(
                SqlState::INVALID_DATETIME_FORMAT,
                format!("invalid value \"{word}\" for \"{name}\""),
            )
            .with_detail("The given value did not match any of the allowed values for this field.")
        };
        let named = |names: &[&'static str], short: bool| {
            names.iter().enumerate().find_map(|(index, known)| {
                let known = known.to_lowercase();
                let known = if short { &known[..3] } else { &known };
                lower
                    .starts_with(known)
                    .then_some((index as i64, known.len()))
            })
        };
        let length = match name.to_ascii_uppercase().as_str() {
            "MONTH" => {
                let (index, length) = named(&MONTHS, false).ok_or_else(bad)?;
                self.month = Some(index + 1);
                length
            }
            "MON" => {
                let (index, length) = named(&MONTHS, true).ok_or_else(bad)?;
                self.month = Some(index + 1);
                length
            }
            "DAY" => named(&DAYS, false).ok_or_else(bad)?.1,
            "DY" => named(&DAYS, true).ok_or_else(bad)?.1,
            "AM" | "PM" | "A.M." | "P.M." => {
                self.afternoon = Some(match lower.chars().next() {
                    Some('a') => false,
                    Some('p') => true,
                    _ => return Err(bad()),
                });
                name.len()
            }
            "AD" | "BC" | "A.D." | "B.C." => {
                self.bc = lower.starts_with('b');
                name.len()
            }
            "Y,YYY" => {
                let end = rest
                    .find(|c: char| !(c.is_ascii_digit() || c == ','))
                    .unwrap_or(rest.len());
                self.year = rest[..end].replace(',', "").parse().ok();
                end
            }
            "TZ" | "OF" => {
                return Err(Error::unsupported(format!(
                    "formatting field \"{name}\" is only supported in to_char"
                )));
            }
            _ => 0,
        };
        Ok(rest.get(length..).unwrap_or_default())
    }

    fn number<'a>(&mut self, name: &str, rest: &'a str, bounded: bool) -> Result<&'a str> {
        let (negative, digits) = match rest.strip_prefix('-') {
            Some(after) if matches!(name, "YYYY" | "TZH") => (true, after),
            _ => (false, rest.strip_prefix('+').unwrap_or(rest)),
        };
        let available = digits
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(digits.len());
        let limit = match name {
            // only a year may have more digits than its pattern
            "YYYY" | "J" | "IYYY" if !bounded => available,
            "TZH" => 2,
            _ => width(name),
        };
        let end = available.min(limit);
        if end == 0 {
            let word: String = rest.chars().take(width(name)).collect();
            return Err(Error::new(
                SqlState::INVALID_DATETIME_FORMAT,
                format!("invalid value \"{word}\" for \"{name}\""),
            )
            .with_detail("Value must be an integer."));
        }
        let value: i64 = digits[..end].parse().map_err(|_| out_of_range(rest))?;
        let value = if negative { -value } else { value };
        let fraction = |digits: usize| value * 10_i64.pow(6 - digits.min(6) as u32);
        match name {
            "YYYY" => self.year = Some(value),
            // fewer digits mean the year nearest to 2020
            "YYY" | "YY" | "Y" => self.year = Some(nearest_year(value, end)),
            "IYYY" => self.iso_year = Some(value),
            "IYY" | "IY" | "I" => self.iso_year = Some(nearest_year(value, end)),
            "CC" => self.year = self.year.or(Some((value - 1) * 100 + 1)),
            "MM" => self.month = Some(value),
            "DD" => self.day = Some(value),
            "DDD" => self.day_of_year = Some(value),
            "ID" => self.iso_day = Some(value),
            "IW" => self.iso_week = Some(value),
            "WW" => self.week = Some(value),
            "Q" => self.quarter_only = true,
            "J" => self.julian = Some(value),
            "HH24" => self.hour = value,
            "HH" | "HH12" => (self.hour, self.twelve) = (value, true),
            "MI" => self.minute = value,
            "SS" => self.second = value,
            "SSSS" | "SSSSS" => self.second_of_day = Some(value),
            "MS" | "US" | "FF1" | "FF2" | "FF3" | "FF4" | "FF5" | "FF6" => {
                self.micros += fraction(end);
            }
            "TZH" => self.offset_hours = Some(value),
            "TZM" => self.offset_minutes = value,
            _ => {}
        }
        Ok(&digits[end..])
    }
}

fn nearest_year(value: i64, digits: usize) -> i64 {
    match digits {
        0..=2 if value < 70 => value + 2_000,
        0..=2 => value + 1_900,
        3 if value < 520 => value + 2_000,
        3 => value + 1_000,
        _ => value,
    }
}
