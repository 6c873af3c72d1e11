//! Text → intervals, in every style that Postgres prints and reads. Section
//! 8.5.4 of the Postgres manual.

use super::{Parsed, Problem, SECOND, fraction_micros, number, words};
use crate::types::text::Interval;

/// `1 year 2 mons -3 days 04:05:06.7`, `P1Y2M3DT4H5M6S`, `1-2 3 4:05:06`, `… ago`.
pub fn interval(text: &str) -> Parsed<Interval> {
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Err(Problem::Syntax);
    }
    if let Some(iso) = trimmed.strip_prefix('P') {
        return iso_interval(iso);
    }
    let mut sum = Sum::default();
    let mut pending: Option<&str> = None;
    let mut ago = false;
    for word in split_units(trimmed) {
        let lower = word.to_ascii_lowercase();
        if lower == "ago" {
            ago = true;
        } else if lower == "@" {
        } else if word.contains(':') {
            if let Some(days) = pending.take() {
                sum.add(days, "day")?;
            }
            sum.clock(word)?;
        } else if word.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.')) {
            match word.get(1..).and_then(|rest| rest.find('-')) {
                Some(at) => sum.year_month(word, at + 1)?,
                None => {
                    if let Some(before) = pending.replace(word) {
                        sum.add(before, "day")?;
                    }
                }
            }
        } else {
            let number = pending.take().ok_or(Problem::Syntax)?;
            sum.add(number, &lower)?;
        }
    }
    if let Some(seconds) = pending {
        sum.add(seconds, "second")?;
    }
    sum.finish(ago)
}

/// Numbers and units apart even where no blank is between them: `1day`.
fn split_units(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    for word in words(text) {
        let letters = word.find(|c: char| c.is_ascii_alphabetic());
        match letters {
            Some(at) if at > 0 => {
                parts.push(&word[..at]);
                parts.push(&word[at..]);
            }
            _ => parts.push(word),
        }
    }
    parts
}

fn iso_interval(text: &str) -> Parsed<Interval> {
    let mut sum = Sum::default();
    let mut in_time = false;
    let mut rest = text;
    if rest.is_empty() {
        return Err(Problem::Syntax);
    }
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('T') {
            in_time = true;
            rest = after;
            continue;
        }
        let end = rest
            .find(|c: char| c.is_ascii_alphabetic())
            .ok_or(Problem::Syntax)?;
        let unit = match (&rest[end..=end], in_time) {
            ("Y", false) => "year",
            ("M", false) => "month",
            ("W", false) => "week",
            ("D", false) => "day",
            ("H", true) => "hour",
            ("M", true) => "minute",
            ("S", true) => "second",
            _ => return Err(Problem::Syntax),
        };
        sum.add(&rest[..end], unit)?;
        rest = &rest[end + 1..];
    }
    sum.finish(false)
}

#[derive(Default)]
struct Sum {
    months: i64,
    days: i64,
    micros: i64,
}

impl Sum {
    /// A number with a fraction that spills into the next smaller unit.
    fn add(&mut self, number: &str, unit: &str) -> Parsed<()> {
        let value: f64 = number.parse().map_err(|_| Problem::Syntax)?;
        if !value.is_finite() || value.abs() > 9e15 {
            return Err(Problem::OutOfRange);
        }
        let months = |count: f64| (value * count, 0.0, 0.0);
        let days = |count: f64| (0.0, value * count, 0.0);
        let micros = |count: f64| (0.0, 0.0, value * count);
        let (months, mut days, mut micros) = match unit {
            "millennium" | "millennia" | "mil" | "mils" => months(12_000.0),
            "century" | "centuries" | "cent" | "c" => months(1200.0),
            "decade" | "decades" | "dec" | "decs" => months(120.0),
            "year" | "years" | "y" | "yr" | "yrs" => months(12.0),
            "month" | "months" | "mon" | "mons" => months(1.0),
            "week" | "weeks" | "w" => days(7.0),
            "day" | "days" | "d" => days(1.0),
            "hour" | "hours" | "h" | "hr" | "hrs" => micros(3.6e9),
            "minute" | "minutes" | "m" | "min" | "mins" => micros(6e7),
            "second" | "seconds" | "s" | "sec" | "secs" => micros(1e6),
            "millisecond" | "milliseconds" | "ms" | "msec" | "msecs" => micros(1e3),
            "microsecond" | "microseconds" | "us" | "usec" | "usecs" => micros(1.0),
            _ => return Err(Problem::Syntax),
        };
        // years keep whole months, months spill 30 days each, days spill hours
        let year_unit = months != 0.0 && !matches!(unit, "month" | "months" | "mon" | "mons");
        let whole_months = if year_unit {
            months.round_ties_even()
        } else {
            months.trunc()
        };
        if !year_unit {
            days += (months - whole_months) * 30.0;
        }
        let whole_days = days.trunc();
        micros += (days - whole_days) * 86_400e6;
        self.months += whole_months as i64;
        self.days += whole_days as i64;
        self.micros = self
            .micros
            .checked_add(micros.round_ties_even() as i64)
            .ok_or(Problem::OutOfRange)?;
        Ok(())
    }

    fn clock(&mut self, word: &str) -> Parsed<()> {
        let (sign, clock) = match word.as_bytes()[0] {
            b'-' => (-1, &word[1..]),
            b'+' => (1, &word[1..]),
            _ => (1, word),
        };
        let (whole, fraction) = clock.split_once('.').unwrap_or((clock, ""));
        let parts: Vec<i64> = whole.split(':').map(number).collect::<Parsed<_>>()?;
        let seconds = match parts[..] {
            // two fields with a fraction are minutes and seconds
            [m, s] if !fraction.is_empty() => m * 60 + s,
            [h, m] if m < 60 => (h * 60 + m) * 60,
            [h, m, s] if m < 60 && s < 60 => (h * 60 + m) * 60 + s,
            _ => return Err(Problem::OutOfRange),
        };
        self.micros += sign * (seconds * SECOND + fraction_micros(fraction)?);
        Ok(())
    }

    fn year_month(&mut self, word: &str, at: usize) -> Parsed<()> {
        let (sign, rest, at) = match word.as_bytes()[0] {
            b'-' => (-1, &word[1..], at - 1),
            b'+' => (1, &word[1..], at - 1),
            _ => (1, word, at),
        };
        let (years, months) = (number(&rest[..at])?, number(&rest[at + 1..])?);
        if months > 11 {
            return Err(Problem::OutOfRange);
        }
        self.months += sign * (years * 12 + months);
        Ok(())
    }

    fn finish(self, ago: bool) -> Parsed<Interval> {
        let sign = if ago { -1 } else { 1 };
        let small = |value: i64| i32::try_from(value * sign).map_err(|_| Problem::OutOfRange);
        Ok(Interval {
            months: small(self.months)?,
            days: small(self.days)?,
            micros: self.micros * sign,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_read_in_every_style() {
        let hms = |h: i64, m: i64, s: i64| ((h * 60 + m) * 60 + s) * SECOND;
        for (text, months, days, micros) in [
            ("1 year 2 mons 3 days 04:05:06", 14, 3, hms(4, 5, 6)),
            ("@ 1 hour ago", 0, 0, -hms(1, 0, 0)),
            ("P1Y2M3DT4H5M6S", 14, 3, hms(4, 5, 6)),
            ("1-2", 14, 0, 0),
            ("3 4:05:06", 0, 3, hms(4, 5, 6)),
            ("-1 days +01:00:00", 0, -1, hms(1, 0, 0)),
            ("1.5 days", 0, 1, hms(12, 0, 0)),
            ("1day", 0, 1, 0),
            ("90", 0, 0, hms(0, 1, 30)),
        ] {
            assert_eq!(
                interval(text),
                Ok(Interval {
                    months,
                    days,
                    micros
                }),
                "{text}"
            );
        }
        for text in ["", "x", "1 parsec", "day"] {
            assert!(interval(text).is_err(), "{text}");
        }
    }
}
