//! Text → interval: Postgres's verbose form, SQL's `1-2 3 4:05:06` and ISO
//! 8601 (section 8.5.4 of the manual).

use super::calendar::{DAY, HOUR, MINUTE, SECOND};
use super::value::Interval;
use crate::error::{Error, Result, SqlState};

pub(super) fn parse(text: &str) -> Result<Interval> {
    parse_with_unit(text, "second")
}

/// `unit` is what a last number without one counts: `INTERVAL '5' MONTH`.
pub(super) fn parse_with_unit(text: &str, unit: &str) -> Result<Interval> {
    let trimmed = text.trim();
    let mut total = Total::default();
    let read = match trimmed.strip_prefix(['P', 'p']) {
        Some(iso) => iso_8601(iso, &mut total),
        None => verbose(trimmed, unit, &mut total),
    };
    match read {
        Some(()) => total.finish(),
        None => Err(Error::new(
            SqlState::INVALID_DATETIME_FORMAT,
            format!("invalid input syntax for type interval: \"{text}\""),
        )),
    }
}

/// Sums with room to spare; checked at the end.
#[derive(Default)]
struct Total {
    months: f64,
    days: f64,
    micros: f64,
}

impl Total {
    /// Fractions of months become days of thirty a month, fractions of days time.
    fn add(&mut self, count: f64, unit: &str) -> Option<()> {
        let months = |count: f64, months: f64, total: &mut Total| {
            let all = count * months;
            total.months += all.trunc();
            total.add_days((all - all.trunc()) * 30.0);
        };
        match unit {
            "millennium" | "millennia" | "mil" | "mils" => months(count, 12_000.0, self),
            "century" | "centuries" | "cent" | "c" => months(count, 1_200.0, self),
            "decade" | "decades" | "dec" | "decs" => months(count, 120.0, self),
            // years round to whole months, as Postgres does
            "year" | "years" | "yr" | "yrs" | "y" => self.months += (count * 12.0).round(),
            "month" | "months" | "mon" | "mons" => months(count, 1.0, self),
            "week" | "weeks" | "w" => self.add_days(count * 7.0),
            "day" | "days" | "d" => self.add_days(count),
            "hour" | "hours" | "hr" | "hrs" | "h" => self.micros += count * HOUR as f64,
            "minute" | "minutes" | "min" | "mins" | "m" => self.micros += count * MINUTE as f64,
            "second" | "seconds" | "sec" | "secs" | "s" => self.micros += count * SECOND as f64,
            "millisecond" | "milliseconds" | "msec" | "msecs" | "ms" | "msecond" | "mseconds" => {
                self.micros += count * 1_000.0;
            }
            "microsecond" | "microseconds" | "usec" | "usecs" | "us" | "usecond" | "useconds" => {
                self.micros += count;
            }
            _ => return None,
        }
        Some(())
    }

    fn add_days(&mut self, days: f64) {
        self.days += days.trunc();
        self.micros += (days - days.trunc()) * DAY as f64;
    }

    fn finish(self) -> Result<Interval> {
        let fits = self.months.abs() <= f64::from(i32::MAX)
            && self.days.abs() <= f64::from(i32::MAX)
            && self.micros.abs() < 9.2e18;
        if !fits {
            return Err(super::value::interval_out_of_range());
        }
        Ok(Interval {
            months: self.months as i32,
            days: self.days as i32,
            micros: self.micros.round() as i64,
        })
    }
}

fn verbose(text: &str, last_unit: &str, total: &mut Total) -> Option<()> {
    let lower = text.to_ascii_lowercase();
    let (body, sign) = match lower.trim_end().strip_suffix("ago") {
        Some(rest) => (rest.trim_end().to_string(), -1.0),
        None => (lower, 1.0),
    };
    let tokens = tokens(body.trim_start_matches('@'))?;
    if tokens.is_empty() {
        return None;
    }
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let next = tokens.get(at + 1);
        match token {
            Token::Clock(micros) => {
                total.micros += sign * micros;
                at += 1;
            }
            Token::YearMonth(months) => {
                total.months += sign * months;
                at += 1;
            }
            Token::Number(count) => match next {
                Some(Token::Word(unit)) => {
                    total.add(sign * count, unit)?;
                    at += 2;
                }
                // `1 02:03` counts days before a clock time
                Some(Token::Clock(_)) => {
                    total.add(sign * count, "day")?;
                    at += 1;
                }
                None => {
                    total.add(sign * count, last_unit)?;
                    at += 1;
                }
                Some(_) => return None,
            },
            Token::Word(_) => return None,
        }
    }
    Some(())
}

enum Token {
    Number(f64),
    Word(String),
    /// `[-]h:mm[:ss[.f]]`, in microseconds.
    Clock(f64),
    /// `[-]y-m`, in months.
    YearMonth(f64),
}

fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        if first.is_ascii_alphabetic() {
            let end = rest
                .find(|c: char| !c.is_ascii_alphabetic())
                .unwrap_or(rest.len());
            tokens.push(Token::Word(rest[..end].to_string()));
            rest = rest[end..].trim_start();
            continue;
        }
        let sign_length = usize::from(matches!(first, '+' | '-'));
        let negative = first == '-';
        let body = rest[sign_length..].trim_start();
        let end = body
            .find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | ':' | '-')))
            .unwrap_or(body.len());
        if end == 0 {
            return None;
        }
        tokens.push(number(&body[..end], negative)?);
        rest = body[end..].trim_start();
    }
    Some(tokens)
}

fn number(text: &str, negative: bool) -> Option<Token> {
    let sign = if negative { -1.0 } else { 1.0 };
    if text.contains(':') {
        return Some(Token::Clock(sign * clock(text)?));
    }
    if let Some((years, months)) = text.split_once('-') {
        let (years, months): (f64, f64) = (years.parse().ok()?, months.parse().ok()?);
        return (months < 12.0).then_some(Token::YearMonth(sign * (years * 12.0 + months)));
    }
    Some(Token::Number(sign * text.parse::<f64>().ok()?))
}

/// `h:mm`, `h:mm:ss.f`, or `mm:ss.f`.
fn clock(text: &str) -> Option<f64> {
    let parts: Vec<&str> = text.split(':').collect();
    let (hours, minutes, seconds) = match parts.as_slice() {
        [minutes, seconds] if seconds.contains('.') => ("0", *minutes, *seconds),
        [hours, minutes] => (*hours, *minutes, "0"),
        [hours, minutes, seconds] => (*hours, *minutes, *seconds),
        _ => return None,
    };
    let hours: u32 = hours.parse().ok()?;
    let minutes: u32 = minutes.parse().ok().filter(|minutes| *minutes < 60)?;
    let seconds: f64 = seconds.parse().ok().filter(|seconds| *seconds < 60.0)?;
    Some(
        f64::from(hours) * HOUR as f64
            + f64::from(minutes) * MINUTE as f64
            + (seconds * SECOND as f64).round(),
    )
}

/// What follows P: `1Y2M3DT4H5M6S` or `0001-02-03T04:05:06`.
fn iso_8601(text: &str, total: &mut Total) -> Option<()> {
    if text.is_empty() {
        return None;
    }
    let (date, time) = match text.split_once(['T', 't']) {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    if date.matches('-').count() == 2 && !date.starts_with('-') {
        let mut parts = date.split('-').map(str::parse::<f64>);
        total.add(parts.next()?.ok()?, "year")?;
        total.add(parts.next()?.ok()?, "month")?;
        total.add(parts.next()?.ok()?, "day")?;
    } else {
        designators(
            date,
            &[('Y', "year"), ('M', "month"), ('W', "week"), ('D', "day")],
            total,
        )?;
    }
    match time {
        None => Some(()),
        Some(clock_time) if clock_time.contains(':') => {
            total.micros += clock(clock_time)?;
            Some(())
        }
        Some(time) => designators(
            time,
            &[('H', "hour"), ('M', "minute"), ('S', "second")],
            total,
        ),
    }
}

fn designators(text: &str, units: &[(char, &str)], total: &mut Total) -> Option<()> {
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c: char| c.is_ascii_alphabetic())?;
        let count: f64 = rest[..end].parse().ok()?;
        let letter = rest[end..].chars().next()?.to_ascii_uppercase();
        let (_, unit) = units.iter().find(|(known, _)| *known == letter)?;
        total.add(count, unit)?;
        rest = &rest[end + 1..];
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::super::text_out;
    use super::*;

    #[test]
    fn spellings_read_as_postgres_reads_them() {
        for (text, expected) in [
            ("1 day 02:03:04", "1 day 02:03:04"),
            ("04:05:06", "04:05:06"),
            ("1-2", "1 year 2 mons"),
            ("P1Y2M3DT4H5M6S", "1 year 2 mons 3 days 04:05:06"),
            ("1 week ago", "-7 days"),
            ("1.5 days", "1 day 12:00:00"),
            ("1.5 months", "1 mon 15 days"),
            ("90", "00:01:30"),
            ("1 year 2", "1 year 00:00:02"),
            ("-1-2", "-1 years -2 mons"),
            ("1d 2h 3m 4s", "1 day 02:03:04"),
            ("1 century 2 decades", "120 years"),
            ("P0001-02-03T04:05:06", "1 year 2 mons 3 days 04:05:06"),
            ("- 1 day", "-1 days"),
            ("1 day -1:30", "1 day -01:30:00"),
            ("1 mon 1.5 weeks", "1 mon 10 days 12:00:00"),
            ("1.3 years", "1 year 4 mons"),
            ("12:34.5", "00:12:34.5"),
            ("@ 1 minute", "00:01:00"),
            ("1 2:03", "1 day 02:03:00"),
            ("10 ms 5 us", "00:00:00.010005"),
        ] {
            let interval = parse(text).expect(text);
            assert_eq!(text_out::interval(interval), expected, "{text}");
        }
        for text in ["abc", "", "1 day foo", "P"] {
            let error = parse(text).expect_err(text);
            assert_eq!(error.state(), SqlState::INVALID_DATETIME_FORMAT);
        }
    }
}
