//! interval in the four styles of IntervalStyle: section 8.5.5 of the Postgres
//! manual. The branches are those of Postgres's EncodeInterval.

use super::{fraction, padded};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IntervalStyle {
    Postgres,
    PostgresVerbose,
    SqlStandard,
    Iso8601,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Interval {
    pub months: i32,
    pub days: i32,
    pub micros: i64,
}

/// An interval split into the units that are printed; all of time has one sign.
struct Parts {
    years: i64,
    months: i64,
    days: i64,
    hours: i64,
    minutes: i64,
    seconds: i64,
    micros: i64,
}

impl Parts {
    fn of(value: Interval) -> Self {
        let seconds = value.micros / 1_000_000;
        Parts {
            years: i64::from(value.months / 12),
            months: i64::from(value.months % 12),
            days: i64::from(value.days),
            hours: seconds / 3600,
            minutes: seconds / 60 % 60,
            seconds: seconds % 60,
            micros: value.micros % 1_000_000,
        }
    }

    fn time_is_negative(&self) -> bool {
        self.hours < 0 || self.minutes < 0 || self.seconds < 0 || self.micros < 0
    }

    fn has_time(&self) -> bool {
        self.hours != 0 || self.minutes != 0 || self.seconds != 0 || self.micros != 0
    }
}

pub fn write(out: &mut Vec<u8>, value: Interval, style: IntervalStyle) {
    let parts = Parts::of(value);
    match style {
        IntervalStyle::Postgres => postgres(out, &parts),
        IntervalStyle::PostgresVerbose => verbose(out, &parts),
        IntervalStyle::SqlStandard => sql_standard(out, value, &parts),
        IntervalStyle::Iso8601 => iso_8601(out, &parts),
    }
}

fn number(out: &mut Vec<u8>, value: i64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

fn seconds(out: &mut Vec<u8>, parts: &Parts, width: usize) {
    padded(out, parts.seconds.unsigned_abs(), width);
    fraction(out, parts.micros.unsigned_abs());
}

/// `04:05:06.789`, sign left out; `width` digits of hours at least.
fn clock(out: &mut Vec<u8>, parts: &Parts, width: usize) {
    padded(out, parts.hours.unsigned_abs(), width);
    out.push(b':');
    padded(out, parts.minutes.unsigned_abs(), 2);
    out.push(b':');
    seconds(out, parts, 2);
}

fn postgres(out: &mut Vec<u8>, parts: &Parts) {
    let start = out.len();
    let mut negative = false;
    for (value, unit) in [
        (parts.years, "year"),
        (parts.months, "mon"),
        (parts.days, "day"),
    ] {
        if value == 0 {
            continue;
        }
        if out.len() > start {
            out.push(b' ');
        }
        if negative && value > 0 {
            out.push(b'+');
        }
        number(out, value);
        out.push(b' ');
        out.extend_from_slice(unit.as_bytes());
        if value != 1 {
            out.push(b's');
        }
        negative = value < 0;
    }
    let empty = out.len() == start;
    if empty || parts.has_time() {
        if !empty {
            out.push(b' ');
        }
        if parts.time_is_negative() {
            out.push(b'-');
        } else if negative {
            out.push(b'+');
        }
        clock(out, parts, 2);
    }
}

fn verbose(out: &mut Vec<u8>, parts: &Parts) {
    out.push(b'@');
    let mut empty = true;
    let mut ago = false;
    for (value, unit) in [
        (parts.years, "year"),
        (parts.months, "mon"),
        (parts.days, "day"),
        (parts.hours, "hour"),
        (parts.minutes, "min"),
    ] {
        if value == 0 {
            continue;
        }
        if empty {
            ago = value < 0;
        }
        let value = if ago { -value } else { value };
        out.push(b' ');
        number(out, value);
        out.push(b' ');
        out.extend_from_slice(unit.as_bytes());
        if value != 1 {
            out.push(b's');
        }
        empty = false;
    }
    if parts.seconds != 0 || parts.micros != 0 {
        out.push(b' ');
        let negative = parts.seconds < 0 || parts.micros < 0;
        if empty {
            ago = negative;
        } else if negative != ago {
            out.push(b'-');
        }
        seconds(out, parts, 1);
        out.extend_from_slice(b" sec");
        if parts.seconds.abs() != 1 || parts.micros != 0 {
            out.push(b's');
        }
        empty = false;
    }
    if empty {
        out.extend_from_slice(b" 0");
    }
    if ago {
        out.extend_from_slice(b" ago");
    }
}

fn sql_standard(out: &mut Vec<u8>, value: Interval, parts: &Parts) {
    let negative = value.months < 0 || value.days < 0 || value.micros < 0;
    let positive = value.months > 0 || value.days > 0 || value.micros > 0;
    let year_month = value.months != 0;
    let day_time = value.days != 0 || value.micros != 0;
    if !negative && !positive {
        out.push(b'0');
        return;
    }
    if (negative && positive) || (year_month && day_time) {
        let sign = |negative: bool| if negative { b'-' } else { b'+' };
        out.push(sign(value.months < 0));
        padded(out, parts.years.unsigned_abs(), 1);
        out.push(b'-');
        padded(out, parts.months.unsigned_abs(), 1);
        out.extend_from_slice(&[b' ', sign(value.days < 0)]);
        padded(out, parts.days.unsigned_abs(), 1);
        out.extend_from_slice(&[b' ', sign(value.micros < 0)]);
        clock(out, parts, 1);
        return;
    }
    if negative {
        out.push(b'-');
    }
    if year_month {
        padded(out, parts.years.unsigned_abs(), 1);
        out.push(b'-');
        padded(out, parts.months.unsigned_abs(), 1);
        return;
    }
    if value.days != 0 {
        padded(out, parts.days.unsigned_abs(), 1);
        out.push(b' ');
    }
    clock(out, parts, 1);
}

fn iso_8601(out: &mut Vec<u8>, parts: &Parts) {
    let start = out.len();
    out.push(b'P');
    let unit = |out: &mut Vec<u8>, value: i64, unit: u8| {
        if value != 0 {
            number(out, value);
            out.push(unit);
        }
    };
    unit(out, parts.years, b'Y');
    unit(out, parts.months, b'M');
    unit(out, parts.days, b'D');
    if parts.has_time() || out.len() == start + 1 {
        out.push(b'T');
        unit(out, parts.hours, b'H');
        unit(out, parts.minutes, b'M');
        if parts.seconds != 0 || parts.micros != 0 || !parts.has_time() {
            if parts.seconds < 0 || parts.micros < 0 {
                out.push(b'-');
            }
            seconds(out, parts, 1);
            out.push(b'S');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_print_in_every_style() {
        let hms = |h: i64, m: i64, s: i64, us: i64| ((h * 60 + m) * 60 + s) * 1_000_000 + us;
        for (months, days, micros, postgres, verbose, sql, iso) in [
            (0, 0, 0, "00:00:00", "@ 0", "0", "PT0S"),
            (
                14,
                3,
                hms(4, 5, 6, 789_000),
                "1 year 2 mons 3 days 04:05:06.789",
                "@ 1 year 2 mons 3 days 4 hours 5 mins 6.789 secs",
                "+1-2 +3 +4:05:06.789",
                "P1Y2M3DT4H5M6.789S",
            ),
            (
                -14,
                3,
                -hms(4, 5, 6, 0),
                "-1 years -2 mons +3 days -04:05:06",
                "@ 1 year 2 mons -3 days 4 hours 5 mins 6 secs ago",
                "-1-2 +3 -4:05:06",
                "P-1Y-2M3DT-4H-5M-6S",
            ),
            (12, 0, 0, "1 year", "@ 1 year", "1-0", "P1Y"),
            (0, 1, 0, "1 day", "@ 1 day", "1 0:00:00", "P1D"),
            (0, -1, 0, "-1 days", "@ 1 day ago", "-1 0:00:00", "P-1D"),
            (
                0,
                -1,
                hms(1, 0, 0, 0),
                "-1 days +01:00:00",
                "@ 1 day -1 hours ago",
                "+0-0 -1 +1:00:00",
                "P-1DT1H",
            ),
            (
                0,
                0,
                hms(100, 0, 1, 0),
                "100:00:01",
                "@ 100 hours 1 sec",
                "100:00:01",
                "PT100H1S",
            ),
            (
                0,
                0,
                -1,
                "-00:00:00.000001",
                "@ 0.000001 secs ago",
                "-0:00:00.000001",
                "PT-0.000001S",
            ),
        ] {
            let value = Interval {
                months,
                days,
                micros,
            };
            for (style, expected) in [
                (IntervalStyle::Postgres, postgres),
                (IntervalStyle::PostgresVerbose, verbose),
                (IntervalStyle::SqlStandard, sql),
                (IntervalStyle::Iso8601, iso),
            ] {
                let mut out = Vec::new();
                write(&mut out, value, style);
                assert_eq!(String::from_utf8_lossy(&out), expected, "{style:?}");
            }
        }
    }
}
