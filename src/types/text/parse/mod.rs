//! Text → dates, times and intervals, as Postgres's input functions read them.
//! Section 8.5.1 "Date/Time Input" and appendix B of the Postgres manual.

mod interval;

use super::datetime::{self, DateOrder};
use super::zone::{Zone, parse_offset};

pub use interval::interval;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// 22007: not a date or time at all.
    Syntax,
    /// 22008: no such day, or beyond what the type holds.
    OutOfRange,
}

type Parsed<T> = Result<T, Problem>;

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

/// Days since 1970-01-01; the extremes are infinite.
pub fn date(text: &str, order: DateOrder) -> Parsed<i32> {
    match special(text) {
        Some(i64::MAX) => return Ok(i32::MAX),
        Some(i64::MIN) => return Ok(i32::MIN),
        Some(_) => return Ok(0),
        None => {}
    }
    let fields = Fields::read(text, order)?;
    let days = fields.days()?;
    // Postgres's dates end in 5874897 AD and start in 4714 BC
    if !(-2_440_588..=2_145_042_905).contains(&days) {
        return Err(Problem::OutOfRange);
    }
    i32::try_from(days).map_err(|_| Problem::OutOfRange)
}

/// Microseconds since midnight.
pub fn time(text: &str) -> Parsed<i64> {
    let fields = Fields::read(text, DateOrder::Mdy)?;
    fields.time.ok_or(Problem::Syntax)
}

/// Microseconds since 1970-01-01; a zone in the text is ignored.
pub fn timestamp(text: &str, order: DateOrder) -> Parsed<i64> {
    if let Some(special) = special(text) {
        return Ok(special);
    }
    Fields::read(text, order)?.local()
}

/// Microseconds since 1970-01-01 UTC; `zone` counts where the text names none.
pub fn timestamptz(text: &str, order: DateOrder, zone: &Zone) -> Parsed<i64> {
    if let Some(special) = special(text) {
        return Ok(special);
    }
    let fields = Fields::read(text, order)?;
    let local = fields.local()?;
    let zone = fields.zone.as_ref().unwrap_or(zone);
    let seconds = local.div_euclid(SECOND);
    let utc = zone.to_utc(seconds);
    local
        .checked_add((utc - seconds) * SECOND)
        .ok_or(Problem::OutOfRange)
}

/// A finite `timestamptz` that means the same whatever order its date is in.
pub fn instant(text: &str, zone: &Zone) -> Parsed<i64> {
    let micros = timestamptz(text, DateOrder::Mdy, zone)?;
    let clear = timestamptz(text, DateOrder::Dmy, zone) == Ok(micros);
    match micros {
        i64::MIN | i64::MAX => Err(Problem::OutOfRange),
        _ if !clear => Err(Problem::Syntax),
        _ => Ok(micros),
    }
}

fn special(text: &str) -> Option<i64> {
    match text.trim().to_ascii_lowercase().as_str() {
        "infinity" | "+infinity" => Some(i64::MAX),
        "-infinity" => Some(i64::MIN),
        "epoch" => Some(0),
        _ => None,
    }
}

#[derive(Debug, Default)]
struct Fields {
    year: Option<i64>,
    month: Option<u64>,
    day: Option<u64>,
    bc: bool,
    pm: Option<bool>,
    time: Option<i64>,
    zone: Option<Zone>,
}

impl Fields {
    fn read(text: &str, order: DateOrder) -> Parsed<Fields> {
        let mut fields = Fields::default();
        for word in words(text) {
            fields.word(word, order)?;
        }
        fields.finish()
    }

    fn word(&mut self, word: &str, order: DateOrder) -> Parsed<()> {
        let first = word.as_bytes()[0];
        if first.is_ascii_digit() {
            if let Some((date, clock)) = word.split_once(['T', 't'])
                && clock.starts_with(|c: char| c.is_ascii_digit())
            {
                self.date(date, order)?;
                return self.clock(clock);
            }
            return match word.contains(':') {
                true => self.clock(word),
                false => self.date(word, order),
            };
        }
        if matches!(first, b'+' | b'-') {
            return self.offset(word);
        }
        self.name(word)
    }

    fn name(&mut self, word: &str) -> Parsed<()> {
        let lower = word.trim_end_matches('.').to_ascii_lowercase();
        let months = [
            "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
        ];
        let long = [
            "january",
            "february",
            "march",
            "april",
            "may",
            "june",
            "july",
            "august",
            "september",
            "october",
            "november",
            "december",
        ];
        let weekdays = [
            "sun",
            "mon",
            "tue",
            "wed",
            "thu",
            "fri",
            "sat",
            "sunday",
            "monday",
            "tuesday",
            "wednesday",
            "thursday",
            "friday",
            "saturday",
        ];
        if let Some(month) = months
            .iter()
            .position(|m| *m == lower)
            .or_else(|| long.iter().position(|m| *m == lower))
        {
            // the day may have been taken for a month
            if let (Some(day), None) = (self.month, self.day) {
                self.day = Some(day);
            }
            self.month = u64::try_from(month + 1).ok();
            return Ok(());
        }
        match lower.as_str() {
            "bc" => self.bc = true,
            "ad" => {}
            "am" => self.pm = Some(false),
            "pm" => self.pm = Some(true),
            "allballs" => self.time = Some(0),
            "t" | "at" | "on" => {}
            _ if weekdays.contains(&lower.as_str()) => {}
            _ => return self.set_zone(word),
        }
        Ok(())
    }

    fn set_zone(&mut self, word: &str) -> Parsed<()> {
        let abbreviations = [
            ("edt", -4),
            ("cdt", -5),
            ("mdt", -6),
            ("pdt", -7),
            ("pst", -8),
            ("cst", -6),
            ("cest", 2),
            ("eest", 3),
            ("bst", 1),
            ("jst", 9),
            ("msk", 3),
        ];
        let lower = word.to_ascii_lowercase();
        let zone = abbreviations
            .iter()
            .find(|(name, _)| *name == lower)
            .map(|(_, hours)| Zone::fixed(hours * 3600))
            .or_else(|| Zone::parse(word))
            .ok_or(Problem::Syntax)?;
        self.zone = Some(zone);
        Ok(())
    }

    fn offset(&mut self, word: &str) -> Parsed<()> {
        let east = parse_offset(word).ok_or(Problem::Syntax)?;
        if east.abs() >= 16 * 3600 {
            return Err(Problem::OutOfRange);
        }
        self.zone = Some(Zone::fixed(east));
        Ok(())
    }

    /// `04:05[:06[.789]]`, a zone possibly after it.
    fn clock(&mut self, word: &str) -> Parsed<()> {
        let end = word
            .find(|c: char| !(c.is_ascii_digit() || matches!(c, ':' | '.')))
            .unwrap_or(word.len());
        let (clock, rest) = word.split_at(end);
        self.time = Some(clock_micros(clock)?);
        match rest {
            "" => Ok(()),
            _ if rest.starts_with(['+', '-']) => self.offset(rest),
            _ => self.name(rest),
        }
    }

    /// `2024-01-02`, `1/8/1999`, `19990108`, `8-Jan-1999`, or a lone number.
    fn date(&mut self, word: &str, order: DateOrder) -> Parsed<()> {
        let parts: Vec<&str> = word.split(['-', '/', '.']).collect();
        match parts[..] {
            [one] => self.number(one),
            [a, b, c] => self.three(a, b, c, order),
            _ => Err(Problem::Syntax),
        }
    }

    fn number(&mut self, digits: &str) -> Parsed<()> {
        let value = number(digits)?;
        match digits.len() {
            8 if self.year.is_none() && self.month.is_none() => {
                self.year = Some(value / 10_000);
                self.month = u64::try_from(value / 100 % 100).ok();
                self.day = u64::try_from(value % 100).ok();
                Ok(())
            }
            6 if self.month.is_some() && self.time.is_none() && self.day.is_some() => {
                let (hours, rest) = (value / 10_000, value % 10_000);
                self.time = Some(((hours * 60 + rest / 100) * 60 + rest % 100) * SECOND);
                Ok(())
            }
            1 | 2 if self.day.is_none() => {
                self.day = u64::try_from(value).ok();
                Ok(())
            }
            _ if self.year.is_none() => {
                self.year = Some(century(value, digits));
                Ok(())
            }
            _ => Err(Problem::Syntax),
        }
    }

    fn three(&mut self, a: &str, b: &str, c: &str, order: DateOrder) -> Parsed<()> {
        let year = |fields: &mut Fields, digits: &str| -> Parsed<()> {
            fields.year = Some(century(number(digits)?, digits));
            Ok(())
        };
        let month = |fields: &mut Fields, digits: &str| -> Parsed<()> {
            if digits.starts_with(|c: char| c.is_ascii_alphabetic()) {
                return fields.name(digits);
            }
            fields.month = u64::try_from(number(digits)?).ok();
            Ok(())
        };
        let day = |fields: &mut Fields, digits: &str| -> Parsed<()> {
            fields.day = u64::try_from(number(digits)?).ok();
            Ok(())
        };
        if a.len() > 2 || order == DateOrder::Ymd {
            year(self, a)?;
            month(self, b)?;
            return day(self, c);
        }
        let named = b.starts_with(|c: char| c.is_ascii_alphabetic());
        if order == DateOrder::Dmy || named {
            day(self, a)?;
            month(self, b)?;
        } else {
            month(self, a)?;
            day(self, b)?;
        }
        year(self, c)
    }

    fn finish(mut self) -> Parsed<Fields> {
        if self.bc {
            self.year = self.year.map(|year| 1 - year);
        } else if self.year == Some(0) {
            return Err(Problem::OutOfRange);
        }
        if let (Some(pm), Some(time)) = (self.pm, self.time) {
            let noon = 12 * 3600 * SECOND;
            if time >= noon + 3600 * SECOND {
                return Err(Problem::OutOfRange);
            }
            self.time = Some(match (pm, time >= noon) {
                (true, false) => time + noon,
                (false, true) => time - noon,
                _ => time,
            });
        }
        Ok(self)
    }

    fn days(&self) -> Parsed<i64> {
        let (Some(year), Some(month), Some(day)) = (self.year, self.month, self.day) else {
            return Err(Problem::Syntax);
        };
        datetime::days(year, month, day).ok_or(Problem::OutOfRange)
    }

    fn local(&self) -> Parsed<i64> {
        let days = self.days()?;
        // Postgres's timestamps end in 294276 AD
        if !(-2_440_588..=106_751_991).contains(&days) {
            return Err(Problem::OutOfRange);
        }
        days.checked_mul(DAY)
            .and_then(|micros| micros.checked_add(self.time.unwrap_or(0)))
            .ok_or(Problem::OutOfRange)
    }
}

/// Two digits mean 1970 to 2069.
fn century(value: i64, digits: &str) -> i64 {
    match (digits.len(), value) {
        (1 | 2, 0..70) => value + 2000,
        (1 | 2, _) => value + 1900,
        _ => value,
    }
}

fn number(digits: &str) -> Parsed<i64> {
    if digits.is_empty() || digits.len() > 9 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Problem::Syntax);
    }
    digits.parse().map_err(|_| Problem::Syntax)
}

fn clock_micros(clock: &str) -> Parsed<i64> {
    let (whole, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let parts: Vec<&str> = whole.split(':').collect();
    let (hours, minutes, seconds) = match parts[..] {
        [h, m] => (number(h)?, number(m)?, 0),
        [h, m, s] => (number(h)?, number(m)?, number(s)?),
        _ => return Err(Problem::Syntax),
    };
    let micros = fraction_micros(fraction)?;
    let total = ((hours * 60 + minutes) * 60 + seconds) * SECOND + micros;
    if minutes > 59 || seconds > 60 || total > DAY {
        return Err(Problem::OutOfRange);
    }
    Ok(total)
}

/// Microseconds of the digits after a point, rounded.
fn fraction_micros(digits: &str) -> Parsed<i64> {
    if digits.is_empty() {
        return Ok(0);
    }
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Problem::Syntax);
    }
    let value: f64 = format!("0.{digits}").parse().map_err(|_| Problem::Syntax)?;
    Ok((value * SECOND as f64).round_ties_even() as i64)
}

/// Words between blanks and commas.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c.is_ascii_whitespace() || c == ',')
        .filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_in_many_forms() {
        for (text, expected) in [
            ("1999-01-08", Ok(10_599)),
            ("January 8, 1999", Ok(10_599)),
            ("1/8/1999", Ok(10_599)),
            ("8-Jan-1999", Ok(10_599)),
            ("19990108", Ok(10_599)),
            ("Jan 8 99", Ok(10_599)),
            ("0001-12-31 BC", Ok(-719_163)),
            ("2023-02-29", Err(Problem::OutOfRange)),
            ("2023-13-01", Err(Problem::OutOfRange)),
            ("0000-01-01", Err(Problem::OutOfRange)),
            ("infinity", Ok(i32::MAX)),
            ("abc", Err(Problem::Syntax)),
            ("", Err(Problem::Syntax)),
        ] {
            assert_eq!(date(text, DateOrder::Mdy), expected, "{text}");
        }
        assert_eq!(date("8/1/1999", DateOrder::Dmy), Ok(10_599));
    }

    #[test]
    fn timestamps_have_zones() {
        let zone = Zone::parse("Europe/Berlin").expect("known");
        let base = 1_704_067_200 * SECOND; // 2024-01-01 00:00 UTC
        for (text, expected) in [
            ("2024-01-01 00:00:00Z", base),
            ("2024-01-01T00:00:00.000001+00", base + 1),
            ("2024-01-01 01:00", base),
            ("2024-01-01 05:30:00+05:30", base),
            ("2023-12-31 19:00 EST", base),
            ("Mon Jan 01 00:00:00 2024 UTC", base),
            ("2024-01-01 09:00 Asia/Tokyo", base),
            ("2024-01-01 12:00 AM UTC", base),
        ] {
            assert_eq!(
                timestamptz(text, DateOrder::Mdy, &zone),
                Ok(expected),
                "{text}"
            );
        }
        assert_eq!(
            timestamp("2024-01-01 24:00", DateOrder::Mdy),
            Ok(base + DAY)
        );
        assert_eq!(
            timestamp("2024-01-01 25:00", DateOrder::Mdy),
            Err(Problem::OutOfRange)
        );
        assert_eq!(
            time("04:05:06.5 PM"),
            Ok(((16 * 60 + 5) * 60 + 6) * SECOND + 500_000)
        );
    }
}
