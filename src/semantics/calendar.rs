//! Civil dates, clock times and time zones (section 8.5 of the manual). Days
//! count from 1970-01-01 and microseconds from its midnight; the calendar is
//! the proleptic Gregorian one with a year 0, as Postgres computes it.

use chrono::{DateTime, NaiveDateTime, Offset, TimeDelta, TimeZone};
use chrono_tz::Tz;

use super::value::Interval;
use crate::error::{Error, Result, SqlState};
use crate::types::text::Posix;

pub(super) const DAY: i64 = 86_400_000_000;
pub(super) const HOUR: i64 = 3_600_000_000;
pub(super) const MINUTE: i64 = 60_000_000;
pub(super) const SECOND: i64 = 1_000_000;

/// Days between 1970-01-01 and the Julian day 0.
pub(super) const JULIAN_EPOCH: i64 = 2_440_588;

/// 4713-11-24 BC and 294276-12-31, the ends of a timestamp.
const FIRST_DAY: i64 = -JULIAN_EPOCH;
const LAST_TIMESTAMP_DAY: i64 = 106_751_990;

pub(super) fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let year_of_era = shifted.rem_euclid(400);
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Year (0 is 1 BC), month and day.
pub(super) fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

pub(super) fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

pub(super) fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// 0 is Sunday.
pub(super) fn weekday(days: i64) -> i64 {
    (days + 4).rem_euclid(7)
}

/// Year and week of ISO 8601.
pub(super) fn iso_week(days: i64) -> (i64, i64) {
    let thursday = days - (weekday(days) + 6) % 7 + 3;
    let (year, ..) = civil(thursday);
    (year, (thursday - days_of(year, 1, 1)) / 7 + 1)
}

/// The Monday of week 1 of an ISO year.
pub(super) fn iso_year_start(year: i64) -> i64 {
    let fourth = days_of(year, 1, 4);
    fourth - (weekday(fourth) + 6) % 7
}

/// Microseconds since 1970 as days and microseconds of the day.
pub(super) fn split(micros: i64) -> (i64, i64) {
    (micros.div_euclid(DAY), micros.rem_euclid(DAY))
}

pub(super) fn is_infinite(micros: i64) -> bool {
    matches!(micros, i64::MAX | i64::MIN)
}

pub(super) fn is_infinite_date(days: i32) -> bool {
    matches!(days, i32::MAX | i32::MIN)
}

pub(super) fn timestamp_out_of_range() -> Error {
    Error::new(SqlState::DATETIME_FIELD_OVERFLOW, "timestamp out of range")
}

pub(super) fn date_out_of_range() -> Error {
    Error::new(SqlState::DATETIME_FIELD_OVERFLOW, "date out of range")
}

/// A date of Postgres's range: 4713 BC to 5874897.
pub(super) fn checked_date(days: i64) -> Result<i32> {
    match days {
        FIRST_DAY..=2_145_042_905 => i32::try_from(days).map_err(|_| date_out_of_range()),
        _ => Err(date_out_of_range()),
    }
}

pub(super) fn checked_timestamp(days: i64, micros: i64) -> Result<i64> {
    if !(FIRST_DAY..=LAST_TIMESTAMP_DAY).contains(&days) {
        return Err(timestamp_out_of_range());
    }
    days.checked_mul(DAY)
        .and_then(|day| day.checked_add(micros))
        .filter(|micros| !is_infinite(*micros))
        .ok_or_else(timestamp_out_of_range)
}

/// Midnight of a date; infinity stays infinite.
pub(super) fn midnight(days: i32) -> Result<i64> {
    match days {
        i32::MAX => Ok(i64::MAX),
        i32::MIN => Ok(i64::MIN),
        _ => checked_timestamp(days.into(), 0),
    }
}

/// The date of a local time; infinity stays infinite.
pub(super) fn date_of(micros: i64) -> i32 {
    match micros {
        i64::MAX => i32::MAX,
        i64::MIN => i32::MIN,
        _ => i32::try_from(split(micros).0).unwrap_or(i32::MAX),
    }
}

/// timestamp + interval: months first (the day is cut to the month's last), then days, then time.
pub(super) fn add_interval(micros: i64, interval: Interval) -> Result<i64> {
    if is_infinite(micros) {
        return Ok(micros);
    }
    let (mut days, time) = split(micros);
    if interval.months != 0 {
        let (year, month, day) = civil(days);
        let months = year * 12 + month - 1 + i64::from(interval.months);
        let (year, month) = (months.div_euclid(12), months.rem_euclid(12) + 1);
        days = days_of(year, month, day.min(days_in_month(year, month)));
    }
    let local = checked_timestamp(days + i64::from(interval.days), time)?;
    let moved = local
        .checked_add(interval.micros)
        .ok_or_else(timestamp_out_of_range)?;
    checked_timestamp(moved.div_euclid(DAY), moved.rem_euclid(DAY))
}

/// A time zone: a name of the tz database, or a fixed offset.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Zone {
    Named(Tz),
    /// Seconds east of Greenwich.
    Fixed(i32),
    Posix(Posix),
}

impl Zone {
    /// Names, abbreviations of the tz database, and offsets. A bare offset
    /// counts east (`+02`), as AT TIME ZONE and SET with a sign read ISO
    /// offsets from the engine; POSIX names (`UTC+2`) count west.
    pub(super) fn parse(name: &str) -> Result<Zone> {
        let trimmed = name.trim();
        if let Some(zone) = Zone::known(trimmed) {
            return Ok(zone);
        }
        Err(Error::new(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("time zone \"{name}\" not recognized"),
        ))
    }

    pub(super) fn known(name: &str) -> Option<Zone> {
        let upper = name.to_ascii_uppercase();
        if matches!(
            upper.as_str(),
            "UTC" | "GMT" | "Z" | "ZULU" | "UCT" | "UNIVERSAL"
        ) {
            return Some(Zone::Fixed(0));
        }
        if let Some(seconds) = abbreviation(&upper) {
            return Some(Zone::Fixed(seconds));
        }
        let posix = Posix::parse(name).filter(|(rules, _)| rules.changes());
        // a name of the tz database comes before its POSIX form: EST5EDT
        if let Some((rules, _)) = posix
            && name.parse::<Tz>().is_err()
        {
            return Some(Zone::Posix(rules));
        }
        if let Some(seconds) = offset(name) {
            return Some(Zone::Fixed(seconds));
        }
        name.parse::<Tz>()
            .ok()
            .or_else(|| {
                chrono_tz::TZ_VARIANTS
                    .iter()
                    .copied()
                    .find(|zone| zone.name().eq_ignore_ascii_case(name))
            })
            .map(Zone::Named)
    }

    /// Seconds east of Greenwich at an instant.
    pub(super) fn offset_at(self, micros: i64) -> i32 {
        match self {
            Zone::Fixed(seconds) => seconds,
            Zone::Posix(rules) => rules.offset_at(micros.div_euclid(SECOND)),
            Zone::Named(zone) => DateTime::from_timestamp_micros(micros).map_or(0, |instant| {
                zone.offset_from_utc_datetime(&instant.naive_utc())
                    .fix()
                    .local_minus_utc()
            }),
        }
    }

    pub(super) fn local(self, micros: i64) -> i64 {
        if is_infinite(micros) {
            return micros;
        }
        micros.saturating_add(i64::from(self.offset_at(micros)) * SECOND)
    }

    /// The instant of a local time. In the hour that a clock skips, the offset
    /// before it holds; in the hour that it repeats, the offset after it.
    pub(super) fn instant(self, local: i64) -> i64 {
        if is_infinite(local) {
            return local;
        }
        let seconds = match self {
            Zone::Fixed(seconds) => seconds,
            Zone::Posix(rules) => {
                let at = local.div_euclid(SECOND);
                (at - rules.to_utc(at)) as i32
            }
            Zone::Named(zone) => match DateTime::from_timestamp_micros(local) {
                Some(naive) => local_offset(zone, naive.naive_utc()),
                None => 0,
            },
        };
        local.saturating_sub(i64::from(seconds) * SECOND)
    }

    /// The abbreviation in use at an instant, as TZ of to_char prints it.
    pub(super) fn abbreviation(self, micros: i64) -> String {
        match self {
            Zone::Fixed(0) => "UTC".into(),
            Zone::Fixed(seconds) => offset_text(seconds),
            Zone::Posix(rules) => offset_text(rules.offset_at(micros.div_euclid(SECOND))),
            Zone::Named(zone) => DateTime::from_timestamp_micros(micros)
                .map_or_else(String::new, |instant| {
                    instant.with_timezone(&zone).format("%Z").to_string()
                }),
        }
    }
}

fn local_offset(zone: Tz, local: NaiveDateTime) -> i32 {
    use chrono::offset::LocalResult;
    match zone.offset_from_local_datetime(&local) {
        LocalResult::Single(offset) => offset.fix().local_minus_utc(),
        LocalResult::Ambiguous(_, after) => after.fix().local_minus_utc(),
        LocalResult::None => zone
            .offset_from_local_datetime(&(local - TimeDelta::hours(3)))
            .earliest()
            .map_or(0, |offset| offset.fix().local_minus_utc()),
    }
}

/// `+02`, `-0330`, `+05:45:10`, `<+02>-02`: seconds east.
pub(super) fn offset(text: &str) -> Option<i32> {
    if let Some(rest) = text.strip_prefix('<') {
        return offset(rest.split_once('>')?.0);
    }
    let (sign, digits) = match text.as_bytes().first()? {
        b'+' => (1, &text[1..]),
        b'-' => (-1, &text[1..]),
        _ => return None,
    };
    let parts: Vec<&str> = digits.split(':').collect();
    let all_digits = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !parts.iter().all(all_digits) || parts.len() > 3 {
        return None;
    }
    let numbers: Vec<i32> = match (parts.len(), parts[0].len()) {
        (1, 1 | 2) => vec![parts[0].parse().ok()?],
        (1, 3) => vec![parts[0][..1].parse().ok()?, parts[0][1..].parse().ok()?],
        (1, 4) => vec![parts[0][..2].parse().ok()?, parts[0][2..].parse().ok()?],
        (1, 6) => vec![
            parts[0][..2].parse().ok()?,
            parts[0][2..4].parse().ok()?,
            parts[0][4..].parse().ok()?,
        ],
        (1, _) => return None,
        _ => parts
            .iter()
            .map(|part| part.parse().ok())
            .collect::<Option<_>>()?,
    };
    let hours = numbers[0];
    let minutes = numbers.get(1).copied().unwrap_or(0);
    let seconds = numbers.get(2).copied().unwrap_or(0);
    (hours <= 15 && minutes < 60 && seconds < 60)
        .then_some(sign * (hours * 3_600 + minutes * 60 + seconds))
}

/// As Postgres prints an offset: `+02`, `-03:30`.
pub(super) fn offset_text(seconds: i32) -> String {
    let sign = if seconds < 0 { '-' } else { '+' };
    let magnitude = seconds.unsigned_abs();
    let (hours, minutes, rest) = (magnitude / 3_600, magnitude / 60 % 60, magnitude % 60);
    match (minutes, rest) {
        (0, 0) => format!("{sign}{hours:02}"),
        (_, 0) => format!("{sign}{hours:02}:{minutes:02}"),
        _ => format!("{sign}{hours:02}:{minutes:02}:{rest:02}"),
    }
}

/// The abbreviations of Postgres's default set that are in wide use.
fn abbreviation(upper: &str) -> Option<i32> {
    let hours = match upper {
        "EST" => -5,
        "EDT" => -4,
        "CST" => -6,
        "CDT" => -5,
        "MST" => -7,
        "MDT" => -6,
        "PST" => -8,
        "PDT" => -7,
        "CET" | "MET" | "BST" | "WEST" => 1,
        "CEST" | "EET" | "MEST" => 2,
        "EEST" | "MSK" => 3,
        "WET" => 0,
        "JST" | "KST" => 9,
        "AEST" => 10,
        "AEDT" => 11,
        _ => return None,
    };
    Some(hours * 3_600)
}
