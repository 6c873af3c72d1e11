//! date, time, timestamp and timestamptz by DateStyle and TimeZone: section
//! 8.5.2 of the Postgres manual.

use super::zone::write_offset;
use super::{OutputStyle, fraction, padded};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DateStyle {
    Iso,
    Sql,
    Postgres,
    German,
}

/// In which order numbers are read, and some styles printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DateOrder {
    Mdy,
    Dmy,
    Ymd,
}

const DAY: i64 = 86_400_000_000;
const DAYS_TO_2000: i64 = 10_957;

/// Days since 1970-01-01; the extremes are infinite.
pub fn write_date(out: &mut Vec<u8>, days: i32, style: &OutputStyle) {
    match days {
        i32::MAX => out.extend_from_slice(b"infinity"),
        i32::MIN => out.extend_from_slice(b"-infinity"),
        _ => {
            let date = civil(i64::from(days));
            numeric_date(out, date, style);
            era(out, date);
        }
    }
}

/// Microseconds since midnight.
pub fn write_time(out: &mut Vec<u8>, micros: i64) {
    let micros = micros.unsigned_abs();
    let seconds = micros / 1_000_000;
    padded(out, seconds / 3600, 2);
    out.push(b':');
    padded(out, seconds / 60 % 60, 2);
    out.push(b':');
    padded(out, seconds % 60, 2);
    fraction(out, micros % 1_000_000);
}

/// Microseconds since 1970-01-01; the extremes are infinite.
pub fn write_timestamp(out: &mut Vec<u8>, micros: i64, style: &OutputStyle) {
    if !infinite(out, micros) {
        local(out, Moment::since_1970(micros), style, |_| {});
    }
}

/// Microseconds since 1970-01-01 UTC; the extremes are infinite.
pub fn write_timestamptz(out: &mut Vec<u8>, micros: i64, style: &OutputStyle) {
    if !infinite(out, micros) {
        zoned(out, Moment::since_1970(micros), style);
    }
}

/// The same of microseconds since 2000-01-01, which reach further: to 294276 AD.
pub fn write_timestamp_since_2000(out: &mut Vec<u8>, micros: i64, style: &OutputStyle) {
    if !infinite(out, micros) {
        local(out, Moment::since_2000(micros), style, |_| {});
    }
}

/// The same of microseconds since 2000-01-01 UTC.
pub fn write_timestamptz_since_2000(out: &mut Vec<u8>, micros: i64, style: &OutputStyle) {
    if !infinite(out, micros) {
        zoned(out, Moment::since_2000(micros), style);
    }
}

/// Days since 1970-01-01 and microseconds of the day.
#[derive(Clone, Copy)]
struct Moment {
    days: i64,
    micros: i64,
}

impl Moment {
    fn since_1970(micros: i64) -> Self {
        Moment {
            days: micros.div_euclid(DAY),
            micros: micros.rem_euclid(DAY),
        }
    }

    fn since_2000(micros: i64) -> Self {
        let moment = Moment::since_1970(micros);
        Moment {
            days: moment.days + DAYS_TO_2000,
            ..moment
        }
    }

    fn later(self, seconds: i32) -> Self {
        let moment = Moment::since_1970(self.micros + i64::from(seconds) * 1_000_000);
        Moment {
            days: self.days + moment.days,
            ..moment
        }
    }
}

fn zoned(out: &mut Vec<u8>, moment: Moment, style: &OutputStyle) {
    let utc = moment.days * (DAY / 1_000_000) + moment.micros.div_euclid(1_000_000);
    let east = style.zone.offset_at(utc);
    local(out, moment.later(east), style, |out| match style.date {
        DateStyle::Iso => write_offset(out, east),
        _ => {
            out.push(b' ');
            out.extend_from_slice(style.zone.abbreviation_at(utc).as_bytes());
        }
    });
}

fn infinite(out: &mut Vec<u8>, micros: i64) -> bool {
    let text: &[u8] = match micros {
        i64::MAX => b"infinity",
        i64::MIN => b"-infinity",
        _ => return false,
    };
    out.extend_from_slice(text);
    true
}

fn local(out: &mut Vec<u8>, moment: Moment, style: &OutputStyle, zone: impl Fn(&mut Vec<u8>)) {
    let Moment { days, micros: time } = moment;
    let date = civil(days);
    if style.date == DateStyle::Postgres {
        let weekday = usize::try_from((days + 4).rem_euclid(7)).unwrap_or(0);
        out.extend_from_slice(WEEKDAYS[weekday]);
        out.push(b' ');
        let month = MONTHS[usize::try_from(date.month - 1).unwrap_or(0)];
        if style.order == DateOrder::Dmy {
            padded(out, date.day, 2);
            out.push(b' ');
            out.extend_from_slice(month);
        } else {
            out.extend_from_slice(month);
            out.push(b' ');
            padded(out, date.day, 2);
        }
        out.push(b' ');
        write_time(out, time);
        out.push(b' ');
        padded(out, date.printed_year(), 4);
    } else {
        numeric_date(out, date, style);
        out.push(b' ');
        write_time(out, time);
    }
    zone(out);
    era(out, date);
}

const WEEKDAYS: [&[u8; 3]; 7] = [b"Sun", b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat"];
const MONTHS: [&[u8; 3]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

fn numeric_date(out: &mut Vec<u8>, date: Civil, style: &OutputStyle) {
    let (separator, order) = match (style.date, style.order) {
        (DateStyle::Iso, _) => (b'-', DateOrder::Ymd),
        (DateStyle::German, _) => (b'.', DateOrder::Dmy),
        (DateStyle::Sql, DateOrder::Dmy) => (b'/', DateOrder::Dmy),
        (DateStyle::Sql, _) => (b'/', DateOrder::Mdy),
        (DateStyle::Postgres, DateOrder::Dmy) => (b'-', DateOrder::Dmy),
        (DateStyle::Postgres, _) => (b'-', DateOrder::Mdy),
    };
    let year = (date.printed_year(), 4);
    let fields = match order {
        DateOrder::Ymd => [year, (date.month, 2), (date.day, 2)],
        DateOrder::Mdy => [(date.month, 2), (date.day, 2), year],
        DateOrder::Dmy => [(date.day, 2), (date.month, 2), year],
    };
    for (position, (value, width)) in fields.into_iter().enumerate() {
        if position > 0 {
            out.push(separator);
        }
        padded(out, value, width);
    }
}

fn era(out: &mut Vec<u8>, date: Civil) {
    if date.year <= 0 {
        out.extend_from_slice(b" BC");
    }
}

/// A day of the proleptic Gregorian calendar; year 0 is 1 BC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Civil {
    pub year: i64,
    pub month: u64,
    pub day: u64,
}

impl Civil {
    fn printed_year(&self) -> u64 {
        if self.year > 0 {
            self.year.unsigned_abs()
        } else {
            (1 - self.year).unsigned_abs()
        }
    }
}

/// Days since 1970-01-01 → date: counted in eras of 400 years from 1 March.
pub fn civil(days: i64) -> Civil {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    Civil {
        year: year + era * 400 + i64::from(month <= 2),
        month: month.unsigned_abs(),
        day: day.unsigned_abs(),
    }
}

/// Date → days since 1970-01-01; `None`: no such day.
pub fn days(year: i64, month: u64, day: u64) -> Option<i64> {
    if !(1..=12).contains(&month) || day < 1 || day > month_length(year, month) {
        return None;
    }
    let (month, day) = (i64::try_from(month).ok()?, i64::try_from(day).ok()?);
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let of_era = shifted.rem_euclid(400);
    let of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    let day_of_era = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

fn month_length(year: i64, month: u64) -> u64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::text::Zone;

    fn style(date: DateStyle, order: DateOrder, zone: &str) -> OutputStyle {
        OutputStyle {
            date,
            order,
            zone: Zone::parse(zone).expect("known"),
            ..OutputStyle::default()
        }
    }

    #[test]
    fn days_and_dates_are_inverse() {
        for day in (-2_500_000..110_000_000).step_by(9973) {
            let date = civil(day);
            assert_eq!(days(date.year, date.month, date.day), Some(day));
        }
        assert_eq!(days(2023, 2, 29), None);
        assert_eq!(days(2000, 2, 29), Some(11_016));
    }

    #[test]
    fn timestamps_print_in_every_style() {
        // 1997-12-17 15:37:16.5 UTC
        let micros = 882_373_036_500_000;
        for (date, order, zone, with, without) in [
            (
                DateStyle::Iso,
                DateOrder::Mdy,
                "America/Los_Angeles",
                "1997-12-17 07:37:16.5-08",
                "1997-12-17 15:37:16.5",
            ),
            (
                DateStyle::Sql,
                DateOrder::Mdy,
                "America/Los_Angeles",
                "12/17/1997 07:37:16.5 PST",
                "12/17/1997 15:37:16.5",
            ),
            (
                DateStyle::Sql,
                DateOrder::Dmy,
                "Europe/Paris",
                "17/12/1997 16:37:16.5 CET",
                "17/12/1997 15:37:16.5",
            ),
            (
                DateStyle::Postgres,
                DateOrder::Mdy,
                "America/Los_Angeles",
                "Wed Dec 17 07:37:16.5 1997 PST",
                "Wed Dec 17 15:37:16.5 1997",
            ),
            (
                DateStyle::Postgres,
                DateOrder::Dmy,
                "UTC",
                "Wed 17 Dec 15:37:16.5 1997 UTC",
                "Wed 17 Dec 15:37:16.5 1997",
            ),
            (
                DateStyle::German,
                DateOrder::Dmy,
                "UTC",
                "17.12.1997 15:37:16.5 UTC",
                "17.12.1997 15:37:16.5",
            ),
            (
                DateStyle::Iso,
                DateOrder::Mdy,
                "Asia/Kolkata",
                "1997-12-17 21:07:16.5+05:30",
                "1997-12-17 15:37:16.5",
            ),
        ] {
            let style = style(date, order, zone);
            let mut out = Vec::new();
            write_timestamptz(&mut out, micros, &style);
            assert_eq!(String::from_utf8_lossy(&out), with);
            out.clear();
            write_timestamp(&mut out, micros, &style);
            assert_eq!(String::from_utf8_lossy(&out), without);
        }
    }

    #[test]
    fn far_dates_and_infinities_print() {
        let iso = OutputStyle::default();
        for (day, text) in [
            (0, "1970-01-01"),
            (-719_528, "0001-01-01 BC"),
            (-719_163, "0001-12-31 BC"),
            (-719_162, "0001-01-01"),
            (2_932_896, "9999-12-31"),
            (2_932_897, "10000-01-01"),
            (i32::MAX, "infinity"),
            (i32::MIN, "-infinity"),
        ] {
            let mut out = Vec::new();
            write_date(&mut out, day, &iso);
            assert_eq!(String::from_utf8_lossy(&out), text);
        }
        let mut out = Vec::new();
        write_timestamp(&mut out, -62_135_596_800_000_001, &iso);
        assert_eq!(
            String::from_utf8_lossy(&out),
            "0001-12-31 23:59:59.999999 BC"
        );
        out.clear();
        write_time(&mut out, 86_400_000_000);
        assert_eq!(out, b"24:00:00");
    }
}
