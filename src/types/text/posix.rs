//! POSIX time zones, with the rules by which their clocks change: `EST5EDT`,
//! `<-02>2<-01>,M3.5.0/0,M10.5.0/1`. Appendix B.5 "POSIX Time Zone
//! Specifications" of the Postgres manual. Offsets in the text count west of
//! Greenwich, those here east.

use chrono::{DateTime, Datelike, NaiveDate};

/// Where a name for daylight saving stands without rules, those of the USA hold.
const DEFAULT_RULES: &str = ",M3.2.0,M11.1.0";
const HOUR: i64 = 3600;
const DAY: i64 = 86_400;
/// Offsets and times reach a week.
const MAX_HOURS: i64 = 167;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Posix {
    standard: i32,
    saving: Option<Saving>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Saving {
    east: i32,
    /// In standard time.
    start: Change,
    /// In daylight saving time.
    end: Change,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Change {
    day: Day,
    /// Seconds after midnight.
    time: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Day {
    /// Of the year, from 1; the 29th of February does not count.
    Julian(u32),
    /// Of the year, from 0.
    OfYear(u32),
    /// The n-th weekday of a month, the fifth being the last; 0 is Sunday.
    OfMonth { month: u32, week: u32, weekday: u32 },
}

impl Posix {
    /// The zone with the names of its standard and its daylight saving time.
    pub fn parse(text: &str) -> Option<(Posix, [String; 2])> {
        let mut reader = Reader(text);
        let name = reader.name()?;
        let standard = -reader.offset()?;
        let zone = |saving| Posix {
            standard: standard as i32,
            saving,
        };
        if reader.0.is_empty() {
            return Some((zone(None), [name.to_string(), name.to_string()]));
        }
        let saving_name = reader.name().filter(|name| !name.is_empty())?;
        let east = match reader.0.chars().next() {
            None | Some(',' | ';') => standard + HOUR,
            Some(_) => -reader.offset()?,
        };
        if reader.0.is_empty() {
            reader.0 = DEFAULT_RULES;
        }
        let start = reader.change()?;
        let end = reader.change()?;
        let saving = Saving {
            east: east as i32,
            start,
            end,
        };
        let names = [name.to_string(), saving_name.to_string()];
        reader.0.is_empty().then(|| (zone(Some(saving)), names))
    }

    /// Seconds east of Greenwich at an instant (Unix seconds).
    pub fn offset_at(self, utc: i64) -> i32 {
        match self.saving {
            Some(saving) if self.is_saving(saving, utc) => saving.east,
            _ => self.standard,
        }
    }

    /// Has it daylight saving time at all?
    pub fn changes(self) -> bool {
        self.saving.is_some()
    }

    /// Is it daylight saving time then?
    pub fn saves_at(self, utc: i64) -> bool {
        self.saving
            .is_some_and(|saving| self.is_saving(saving, utc))
    }

    fn is_saving(self, saving: Saving, utc: i64) -> bool {
        let Some(local) = DateTime::from_timestamp(utc + i64::from(self.standard), 0) else {
            return false;
        };
        let year = local.year();
        let (Some(start), Some(end)) = (saving.start.in_year(year), saving.end.in_year(year))
        else {
            return false;
        };
        let start = start - i64::from(self.standard);
        let end = end - i64::from(saving.east);
        match start < end {
            true => (start..end).contains(&utc),
            false => !(end..start).contains(&utc),
        }
    }

    /// The instant of a local time, both in seconds. Where the clock jumps forward
    /// the offset before the jump counts, where it jumps back the one after.
    pub fn to_utc(self, local: i64) -> i64 {
        let Some(saving) = self.saving else {
            return local - i64::from(self.standard);
        };
        let standard = local - i64::from(self.standard);
        let saved = local - i64::from(saving.east);
        match (self.saves_at(standard), self.saves_at(saved)) {
            (true, true) => saved,
            _ => standard,
        }
    }
}

impl Change {
    /// Local seconds since 1970.
    fn in_year(self, year: i32) -> Option<i64> {
        let first = |month| NaiveDate::from_ymd_opt(year, month, 1);
        let date = match self.day {
            Day::OfYear(day) => first(1)? + chrono::Days::new(day.into()),
            Day::Julian(day) => {
                let leap = first(1)?.leap_year() && day >= 60;
                first(1)? + chrono::Days::new(u64::from(day - 1 + u32::from(leap)))
            }
            Day::OfMonth {
                month,
                week,
                weekday,
            } => {
                let first = first(month)?;
                let before = first.weekday().num_days_from_sunday();
                let mut day = (7 + weekday - before) % 7 + 7 * (week - 1);
                while (first + chrono::Days::new(day.into())).month() != month {
                    day -= 7;
                }
                first + chrono::Days::new(day.into())
            }
        };
        let days = date.signed_duration_since(NaiveDate::default()).num_days();
        Some(days * DAY + self.time)
    }
}

/// What is left of the text.
struct Reader<'t>(&'t str);

impl<'t> Reader<'t> {
    fn take(&mut self, length: usize) -> &'t str {
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        taken
    }

    fn symbol(&mut self, symbol: char) -> bool {
        match self.0.strip_prefix(symbol) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    /// In angle brackets anything, else up to what begins an offset or rules.
    fn name(&mut self) -> Option<&'t str> {
        if self.symbol('<') {
            let end = self.0.find('>')?;
            let name = self.take(end);
            self.symbol('>');
            return Some(name);
        }
        let ends = |c: char| c.is_ascii_digit() || matches!(c, ',' | '-' | '+');
        let end = self.0.find(ends).unwrap_or(self.0.len());
        Some(self.take(end))
    }

    fn number(&mut self, least: i64, most: i64) -> Option<i64> {
        let digits = self.0.bytes().take_while(u8::is_ascii_digit).count();
        let number = self.take(digits.min(9)).parse().ok()?;
        (least..=most).contains(&number).then_some(number)
    }

    /// `[+-]h[:mm[:ss]]` in seconds.
    fn offset(&mut self) -> Option<i64> {
        let negative = self.symbol('-');
        if !negative {
            self.symbol('+');
        }
        let mut seconds = self.number(0, MAX_HOURS)? * HOUR;
        if self.symbol(':') {
            seconds += self.number(0, 59)? * 60;
            if self.symbol(':') {
                seconds += self.number(0, 60)?;
            }
        }
        Some(if negative { -seconds } else { seconds })
    }

    /// `,M3.2.0/2`, `,J60`, `,59`
    fn change(&mut self) -> Option<Change> {
        if !self.symbol(',') && !self.symbol(';') {
            return None;
        }
        let day = if self.symbol('J') {
            Day::Julian(self.number(1, 365)? as u32)
        } else if self.symbol('M') {
            let month = self.number(1, 12)? as u32;
            if !self.symbol('.') {
                return None;
            }
            let week = self.number(1, 5)? as u32;
            if !self.symbol('.') {
                return None;
            }
            Day::OfMonth {
                month,
                week,
                weekday: self.number(0, 6)? as u32,
            }
        } else {
            Day::OfYear(self.number(0, 365)? as u32)
        };
        let time = match self.symbol('/') {
            true => self.offset()?,
            false => 2 * HOUR,
        };
        Some(Change { day, time })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_change_by_the_rules() {
        const WINTER: i64 = 1_705_320_000; // 2024-01-15 12:00 UTC
        const SUMMER: i64 = 1_721_044_800; // 2024-07-15 12:00 UTC
        for (text, winter, summer) in [
            ("+02:00", -7200, -7200),
            ("<+03>-3", 10_800, 10_800),
            ("EST5EDT4,M3.2.0,M11.1.0", -18_000, -14_400),
            ("FOO3BAR", -10_800, -7200),
            ("CST6CDT,J60/2,300/1:30", -21_600, -18_000),
            ("<-02>+2<-01>,M3.5.0/0,M10.5.0/1", -7200, -3600),
            // summer at the turn of the year
            ("NZST-12NZDT,M9.5.0,M4.1.0/3", 46_800, 43_200),
        ] {
            let (zone, _) = Posix::parse(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(
                (zone.offset_at(WINTER), zone.offset_at(SUMMER)),
                (winter, summer),
                "{text}"
            );
        }
        for text in [
            "",
            "EST",
            "168",
            "EST5EDT,M3.2.0",
            "EST5EDT,M13.2.0,M11.1.0",
            "EST5EDT,M3.2.0,M11.1.0x",
            "EST+",
            "<EST5",
        ] {
            assert_eq!(Posix::parse(text), None, "{text}");
        }
    }

    #[test]
    fn local_times_in_gaps_and_overlaps_resolve_as_in_postgres() {
        let (eastern, names) = Posix::parse("EST5EDT,M3.2.0,M11.1.0").expect("known");
        assert_eq!(names, ["EST", "EDT"]);
        // 2024-03-10 02:30 does not exist: 02:30-05
        assert_eq!(eastern.to_utc(1_710_037_800), 1_710_037_800 + 5 * HOUR);
        // 2024-11-03 01:30 exists twice: -05
        assert_eq!(eastern.to_utc(1_730_597_400), 1_730_597_400 + 5 * HOUR);
        assert_eq!(eastern.to_utc(1_720_000_000), 1_720_000_000 + 4 * HOUR);
    }
}
