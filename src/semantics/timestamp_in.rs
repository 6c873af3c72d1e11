//! Text → date, time and timestamps (section 8.5.1 and appendix B of the
//! manual), with DateStyle ISO, MDY.

use super::calendar::{self, DAY, HOUR, MINUTE, SECOND, Zone};
use super::text_in::Context;
use crate::error::{Error, Result, SqlState};

/// What a text says; parts that it leaves out are `None`.
#[derive(Default)]
struct Fields {
    /// Year 0 is 1 BC.
    date: Option<(i64, i64, i64)>,
    /// Microseconds of the day; 24:00:00 is a whole day.
    time: Option<i64>,
    zone: Option<Zone>,
    special: Option<Special>,
}

#[derive(Clone, Copy, PartialEq)]
enum Special {
    Infinity,
    MinusInfinity,
    Epoch,
    Now,
    /// Days from today.
    Today(i64),
}

pub(super) fn date(text: &str, context: Context) -> Result<i32> {
    let fields = read(text, "date")?;
    Ok(match fields.special {
        Some(Special::Infinity) => i32::MAX,
        Some(Special::MinusInfinity) => i32::MIN,
        Some(Special::Epoch) => 0,
        Some(Special::Now) => calendar::date_of(context.zone.local(context.now)),
        Some(Special::Today(days)) => today(context, days),
        None => {
            let (year, month, day) = fields.date.ok_or_else(|| invalid("date", text))?;
            calendar::checked_date(calendar::days_of(year, month, day)).map_err(|_| {
                Error::new(
                    SqlState::DATETIME_FIELD_OVERFLOW,
                    format!("date out of range: \"{text}\""),
                )
            })?
        }
    })
}

fn today(context: Context, days: i64) -> i32 {
    let today = calendar::date_of(context.zone.local(context.now));
    today.saturating_add(days as i32)
}

pub(super) fn time(text: &str) -> Result<i64> {
    let fields = read(text, "time")?;
    fields.time.ok_or_else(|| invalid("time", text))
}

/// Local time; a zone in the text is read and ignored, as Postgres does.
pub(super) fn timestamp(text: &str, context: Context) -> Result<i64> {
    let fields = read(text, "timestamp")?;
    if let Some(special) = fields.special {
        return Ok(match special {
            Special::Infinity => i64::MAX,
            Special::MinusInfinity => i64::MIN,
            Special::Epoch => 0,
            Special::Now => context.zone.local(context.now),
            Special::Today(days) => calendar::midnight(today(context, days))?,
        });
    }
    local(&fields, "timestamp", text)
}

pub(super) fn timestamptz(text: &str, context: Context) -> Result<i64> {
    const NAME: &str = "timestamp with time zone";
    let fields = read(text, NAME)?;
    if let Some(special) = fields.special {
        return Ok(match special {
            Special::Infinity => i64::MAX,
            Special::MinusInfinity => i64::MIN,
            Special::Epoch => 0,
            Special::Now => context.now,
            Special::Today(days) => context
                .zone
                .instant(calendar::midnight(today(context, days))?),
        });
    }
    let local = local(&fields, NAME, text)?;
    Ok(fields.zone.unwrap_or(context.zone).instant(local))
}

fn local(fields: &Fields, type_name: &str, text: &str) -> Result<i64> {
    let (year, month, day) = fields.date.ok_or_else(|| invalid(type_name, text))?;
    let days = calendar::days_of(year, month, day);
    let time = fields.time.unwrap_or(0);
    calendar::checked_timestamp(days + time / DAY, time % DAY).map_err(|_| {
        Error::new(
            SqlState::DATETIME_FIELD_OVERFLOW,
            format!("timestamp out of range: \"{text}\""),
        )
    })
}

fn invalid(type_name: &str, text: &str) -> Error {
    Error::new(
        SqlState::INVALID_DATETIME_FORMAT,
        format!("invalid input syntax for type {type_name}: \"{text}\""),
    )
}

fn field_out_of_range(text: &str) -> Error {
    Error::new(
        SqlState::DATETIME_FIELD_OVERFLOW,
        format!("date/time field value out of range: \"{text}\""),
    )
}

fn read(text: &str, type_name: &str) -> Result<Fields> {
    let mut reader = Reader {
        fields: Fields::default(),
        numbers: Vec::new(),
        month: None,
        bc: false,
        afternoon: None,
    };
    let bad = || invalid(type_name, text);
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(bad());
    }
    while !rest.is_empty() {
        rest = reader
            .token(rest, text)
            .ok_or_else(bad)??
            .trim_start_matches([' ', ',', '\t']);
    }
    reader.finish(text).ok_or_else(bad)?
}

struct Reader {
    fields: Fields,
    /// Numbers of a date that is not written in one piece, with their lengths.
    numbers: Vec<(i64, usize)>,
    month: Option<i64>,
    bc: bool,
    afternoon: Option<bool>,
}

impl Reader {
    /// Takes one token off; `None` where the text is not understood.
    fn token<'a>(&mut self, rest: &'a str, text: &str) -> Option<Result<&'a str>> {
        let first = rest.chars().next()?;
        if first.is_ascii_digit() {
            return self.number(rest, text);
        }
        if matches!(first, '+' | '-') {
            if self.fields.time.is_some() {
                let end = end_of(rest, |c| c.is_ascii_digit() || matches!(c, '+' | '-' | ':'));
                self.fields.zone = Some(Zone::Fixed(calendar::offset(&rest[..end])?));
                return Some(Ok(&rest[end..]));
            }
            if let Some(after) = rest.strip_prefix("-infinity") {
                self.fields.special = Some(Special::MinusInfinity);
                return Some(Ok(after));
            }
            return Some(Ok(&rest[1..]));
        }
        self.word(rest)
    }

    fn number<'a>(&mut self, rest: &'a str, text: &str) -> Option<Result<&'a str>> {
        let digits = end_of(rest, |c| c.is_ascii_digit());
        let next = rest[digits..].chars().next();
        match next {
            Some(':') => {
                let end = end_of(rest, |c| c.is_ascii_digit() || matches!(c, ':' | '.'));
                match clock(&rest[..end], text)? {
                    Ok(micros) => self.fields.time = Some(micros),
                    Err(error) => return Some(Err(error)),
                }
                Some(Ok(&rest[end..]))
            }
            Some(separator @ ('-' | '/' | '.')) if self.fields.date.is_none() => {
                self.separated(rest, separator, text)
            }
            _ if digits == 8 && self.fields.date.is_none() && self.month.is_none() => {
                let number = |range: std::ops::Range<usize>| rest[range].parse::<i64>().ok();
                let date = (number(0..4)?, number(4..6)?, number(6..8)?);
                self.fields.date = Some(date);
                Some(Ok(&rest[digits..]))
            }
            _ if digits == 6 && self.fields.date.is_some() && self.fields.time.is_none() => {
                let number = |range: std::ops::Range<usize>| rest[range].parse::<i64>().ok();
                let (hours, minutes, seconds) = (number(0..2)?, number(2..4)?, number(4..6)?);
                self.fields.time = Some(hours * HOUR + minutes * MINUTE + seconds * SECOND);
                Some(Ok(&rest[digits..]))
            }
            _ => {
                self.numbers.push((rest[..digits].parse().ok()?, digits));
                Some(Ok(rest[digits..].trim_start_matches(['-', '/', '.'])))
            }
        }
    }

    /// `2024-01-31`, `1/31/2024`, `31-Jan-2024`.
    fn separated<'a>(
        &mut self,
        rest: &'a str,
        separator: char,
        text: &str,
    ) -> Option<Result<&'a str>> {
        let end = end_of(rest, |c| c.is_ascii_alphanumeric() || c == separator);
        // the T of ISO 8601 ends the date
        let end = rest[..end]
            .char_indices()
            .find(|(at, c)| {
                matches!(c, 'T' | 't')
                    && rest[..*at].ends_with(|c: char| c.is_ascii_digit())
                    && rest[at + 1..].starts_with(|c: char| c.is_ascii_digit())
            })
            .map_or(end, |(at, _)| at);
        let parts: Vec<&str> = rest[..end].split(separator).collect();
        let [a, b, c] = parts.as_slice() else {
            return None;
        };
        let after = &rest[end..];
        let after = match after.as_bytes() {
            [b'T' | b't', digit, ..] if digit.is_ascii_digit() => &after[1..],
            _ => after,
        };
        if let Some(month) = month_name(b) {
            self.fields.date = Some(match a.len() {
                3.. => (a.parse().ok()?, month, c.parse().ok()?),
                _ => (year(c)?, month, a.parse().ok()?),
            });
        } else if a.len() > 2 {
            self.fields.date = Some((a.parse().ok()?, b.parse().ok()?, c.parse().ok()?));
        } else {
            let (month, day): (i64, i64) = (a.parse().ok()?, b.parse().ok()?);
            if month > 12 {
                return Some(Err(field_out_of_range(text)
                    .with_hint("Perhaps you need a different \"datestyle\" setting.")));
            }
            self.fields.date = Some((year(c)?, month, day));
        }
        Some(Ok(after))
    }

    fn word<'a>(&mut self, rest: &'a str) -> Option<Result<&'a str>> {
        let end = end_of(rest, |c| {
            c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '+' | '-' | '.')
        });
        let letters = end_of(rest, |c| c.is_ascii_alphabetic());
        let word = rest[..letters].to_ascii_lowercase();
        if letters == 0 {
            return None;
        }
        let mut after = &rest[letters..];
        match word.as_str() {
            "infinity" => self.fields.special = Some(Special::Infinity),
            "epoch" => self.fields.special = Some(Special::Epoch),
            "now" => self.fields.special = Some(Special::Now),
            "today" => self.fields.special = Some(Special::Today(0)),
            "tomorrow" => self.fields.special = Some(Special::Today(1)),
            "yesterday" => self.fields.special = Some(Special::Today(-1)),
            "allballs" => self.fields.time = Some(0),
            "bc" => self.bc = true,
            "ad" => {}
            "am" => self.afternoon = Some(false),
            "pm" => self.afternoon = Some(true),
            "t" if after.starts_with(|c: char| c.is_ascii_digit()) => {}
            _ if month_name(&word).is_some() && self.month.is_none() => {
                self.month = month_name(&word);
            }
            _ if is_weekday(&word) => {}
            _ => {
                self.fields.zone = Some(Zone::known(&rest[..end])?);
                after = &rest[end..];
            }
        }
        Some(Ok(after))
    }

    fn finish(mut self, text: &str) -> Option<Result<Fields>> {
        if let Some(month) = self.month {
            let (year, day) = match self.numbers.as_slice() {
                [(day, length), (year, _)] if *length <= 2 => (*year, *day),
                [(year, _), (day, _)] => (*year, *day),
                _ => return None,
            };
            self.fields.date = Some((year, month, day));
        } else if !self.numbers.is_empty() {
            return None;
        }
        if let Some(afternoon) = self.afternoon {
            let time = self.fields.time?;
            if !(HOUR..13 * HOUR).contains(&time) && time >= 13 * HOUR {
                return Some(Err(field_out_of_range(text)));
            }
            let time = time % (12 * HOUR);
            self.fields.time = Some(if afternoon { time + 12 * HOUR } else { time });
        }
        if let Some((year, month, day)) = self.fields.date {
            let year = match self.bc {
                true if year > 0 => 1 - year,
                false if year > 0 => year,
                _ => return Some(Err(field_out_of_range(text))),
            };
            if !(1..=12).contains(&month) || day < 1 || day > calendar::days_in_month(year, month) {
                return Some(Err(field_out_of_range(text)));
            }
            self.fields.date = Some((year, month, day));
        }
        Some(Ok(self.fields))
    }
}

fn end_of(text: &str, part: impl Fn(char) -> bool) -> usize {
    text.find(|c| !part(c)).unwrap_or(text.len())
}

/// Two digits stand for 1970 to 2069.
fn year(text: &str) -> Option<i64> {
    let year: i64 = text.parse().ok()?;
    Some(match text.len() {
        0..=2 if year < 70 => year + 2_000,
        0..=2 => year + 1_900,
        _ => year,
    })
}

fn clock(part: &str, text: &str) -> Option<Result<i64>> {
    let mut parts = part.split(':');
    let hours: i64 = parts.next()?.parse().ok()?;
    let minutes: i64 = parts.next()?.parse().ok()?;
    let (seconds, micros) = match parts.next() {
        None => (0, 0),
        Some(seconds) => match seconds.split_once('.') {
            None => (seconds.parse().ok()?, 0),
            Some((seconds, fraction)) => (seconds.parse::<i64>().ok()?, micros_of(fraction)?),
        },
    };
    if parts.next().is_some() {
        return None;
    }
    let total = hours * HOUR + minutes * MINUTE + seconds * SECOND + micros;
    if hours > 24 || minutes > 59 || seconds > 60 || total > DAY {
        return Some(Err(field_out_of_range(text)));
    }
    Some(Ok(total))
}

/// A fraction of a second, rounded to microseconds.
fn micros_of(fraction: &str) -> Option<i64> {
    if fraction.is_empty() {
        return Some(0);
    }
    if !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let seconds: f64 = format!("0.{fraction}").parse().ok()?;
    Some((seconds * SECOND as f64).round() as i64)
}

const MONTHS: [&str; 12] = [
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

fn month_name(word: &str) -> Option<i64> {
    let lower = word.to_ascii_lowercase();
    if lower == "sept" {
        return Some(9);
    }
    MONTHS
        .iter()
        .position(|month| lower == *month || (lower.len() == 3 && month.starts_with(&lower)))
        .map(|index| index as i64 + 1)
}

fn is_weekday(word: &str) -> bool {
    [
        "sunday",
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
    ]
    .iter()
    .any(|day| word == *day || (word.len() >= 3 && day.starts_with(word)))
}
