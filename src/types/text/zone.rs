//! Time zones by the names that Postgres's TimeZone takes: the IANA database
//! and fixed offsets. Section 8.5.3 of the Postgres manual.

use chrono::{DateTime, Datelike, NaiveDate, Offset, TimeZone, Utc, Weekday};
use chrono_tz::{OffsetName, TZ_VARIANTS, Tz};

use super::posix::Posix;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Zone {
    Named(Tz),
    Fixed {
        /// Seconds east of Greenwich.
        east: i32,
        /// As SHOW prints it: `<+03>-03`.
        name: String,
        abbreviation: String,
    },
    /// With rules of its own.
    Posix {
        rules: Posix,
        name: String,
        /// Of standard and of daylight saving time.
        abbreviations: [String; 2],
    },
}

impl Zone {
    pub fn utc() -> Self {
        Zone::Named(Tz::UTC)
    }

    /// What the TimeZone setting takes: any POSIX form as well, one without a name
    /// (`+02:00`, west of Greenwich) among them.
    pub fn setting(text: &str) -> Option<Zone> {
        Zone::parse(text).or_else(|| posix(text))
    }

    /// By an IANA name in any case, `UTC`, hours east (`3`, `-3.5`) or a POSIX
    /// form with a name (`UTC+3`, `<+03>-03`: west is positive).
    pub fn parse(text: &str) -> Option<Zone> {
        let text = text.trim();
        if let Ok(hours) = text.parse::<f64>() {
            return (hours.abs() <= 167.0).then(|| Zone::fixed((hours * 3600.0).round() as i32));
        }
        if let Some(zone) = TZ_VARIANTS
            .iter()
            .find(|zone| zone.name().eq_ignore_ascii_case(text))
        {
            return Some(Zone::Named(*zone));
        }
        if text.eq_ignore_ascii_case("z") || text.eq_ignore_ascii_case("zulu") {
            return Some(Zone::Named(Tz::Zulu));
        }
        let named = text.starts_with(|c: char| c == '<' || c.is_ascii_alphabetic());
        named.then(|| posix(text))?
    }

    /// An offset in seconds east of Greenwich.
    pub fn fixed(east: i32) -> Zone {
        let display = offset_text(east);
        Zone::Fixed {
            east,
            name: format!("<{display}>{}", offset_text(-east)),
            abbreviation: display,
        }
    }

    pub fn name(&self) -> &str {
        match self {
            Zone::Named(tz) => tz.name(),
            Zone::Fixed { name, .. } | Zone::Posix { name, .. } => name,
        }
    }

    /// As the engine knows it: an IANA name, `+05:30`, or a POSIX form.
    pub fn engine_name(&self) -> String {
        match self {
            Zone::Named(tz) => tz.name().to_string(),
            Zone::Posix { name, .. } => name.clone(),
            Zone::Fixed { east, .. } => {
                let minutes = east.unsigned_abs() / 60;
                let sign = if *east < 0 { '-' } else { '+' };
                format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
            }
        }
    }

    /// Seconds east of Greenwich at an instant (Unix seconds).
    pub fn offset_at(&self, utc: i64) -> i32 {
        match self {
            Zone::Fixed { east, .. } => *east,
            Zone::Posix { rules, .. } => rules.offset_at(utc),
            Zone::Named(Tz::UTC) => 0,
            Zone::Named(tz) => match instant(utc) {
                Some(instant) => tz
                    .offset_from_utc_datetime(&instant.naive_utc())
                    .fix()
                    .local_minus_utc(),
                None => 0,
            },
        }
    }

    /// What the zone is called at an instant: `CET`, `+03`.
    pub fn abbreviation_at(&self, utc: i64) -> String {
        match self {
            Zone::Fixed { abbreviation, .. } => abbreviation.clone(),
            Zone::Posix {
                rules,
                abbreviations: [standard, saving],
                ..
            } => match rules.saves_at(utc) {
                true => saving.clone(),
                false => standard.clone(),
            },
            // many zones have no letters: their offset stands for them
            Zone::Named(tz) => instant(utc)
                .map(|instant| tz.offset_from_utc_datetime(&instant.naive_utc()))
                .and_then(|offset| offset.abbreviation().map(str::to_string))
                .unwrap_or_else(|| offset_text(self.offset_at(utc))),
        }
    }

    /// The instant of a local time (both in seconds). Where the clock jumps
    /// forward the offset before the jump counts, where it jumps back the one after.
    pub fn to_utc(&self, local: i64) -> i64 {
        if let Zone::Posix { rules, .. } = self {
            return rules.to_utc(local);
        }
        // offsets stay within a day and a half of Greenwich
        let before = self.offset_at(local.saturating_sub(130_000));
        let after = self.offset_at(local.saturating_add(130_000));
        let by_before = local - i64::from(before);
        let by_after = local - i64::from(after);
        if before == after {
            // two changes within three days have not happened since 1970
            return by_before;
        }
        let fits_before = self.offset_at(by_before) == before;
        let fits_after = self.offset_at(by_after) == after;
        match (fits_before, fits_after) {
            (_, true) => by_after,
            (true, false) => by_before,
            (false, false) => by_before,
        }
    }
}

/// Any instant as one that the zone tables answer for. They end with this
/// century; past 2037 a year with the same length and weekdays stands in, so
/// that today's daylight saving rules go on as they do in Postgres.
fn instant(utc: i64) -> Option<DateTime<Utc>> {
    const TABLES_END: i64 = 2_145_916_800; // 2038-01-01
    const FOUR_CENTURIES: i64 = 146_097 * 86_400;
    // the earliest that chrono knows is before any zone's first change
    let utc = utc.max(-8_000_000_000_000);
    if utc < TABLES_END {
        return DateTime::from_timestamp(utc, 0);
    }
    let folded = TABLES_END + (utc - TABLES_END) % FOUR_CENTURIES;
    let date = DateTime::from_timestamp(folded, 0)?;
    let wanted = shape(date.year());
    let twin = (2010..2038).rev().find(|year| shape(*year) == wanted)?;
    date.with_year(twin)
}

fn shape(year: i32) -> Option<(Weekday, bool)> {
    let first = NaiveDate::from_ymd_opt(year, 1, 1)?;
    Some((first.weekday(), first.leap_year()))
}

/// `+03`, `-05:30`, `+00:53:28`.
pub fn offset_text(east: i32) -> String {
    let mut out = Vec::new();
    write_offset(&mut out, east);
    String::from_utf8(out).unwrap_or_default()
}

pub fn write_offset(out: &mut Vec<u8>, east: i32) {
    let seconds = u64::from(east.unsigned_abs());
    out.push(if east < 0 { b'-' } else { b'+' });
    super::padded(out, seconds / 3600, 2);
    if seconds % 3600 != 0 {
        out.push(b':');
        super::padded(out, seconds / 60 % 60, 2);
    }
    if seconds % 60 != 0 {
        out.push(b':');
        super::padded(out, seconds % 60, 2);
    }
}

/// `ABC+3`, `<+03>-03:30`: hours west.
fn posix(text: &str) -> Option<Zone> {
    let (rules, [standard, saving]) = Posix::parse(text)?;
    Some(match rules.changes() {
        false => Zone::Fixed {
            east: rules.offset_at(0),
            name: text.to_string(),
            abbreviation: standard,
        },
        true => Zone::Posix {
            rules,
            name: text.to_string(),
            abbreviations: [standard, saving],
        },
    })
}

/// `3`, `+3`, `-03:30`, `+053028`, `0530`: seconds, with the text's own sign.
pub fn parse_offset(text: &str) -> Option<i32> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => (-1, &text[1..]),
        b'+' => (1, &text[1..]),
        _ => (1, text),
    };
    let mut fields: Vec<i32> = Vec::new();
    if digits.contains(':') {
        for field in digits.split(':') {
            fields.push(plain(field)?);
        }
    } else {
        match digits.len() {
            1 | 2 => fields.push(plain(digits)?),
            3 | 4 => {
                let (hours, minutes) = digits.split_at(digits.len() - 2);
                fields.extend([plain(hours)?, plain(minutes)?]);
            }
            6 => fields.extend([
                plain(&digits[..2])?,
                plain(&digits[2..4])?,
                plain(&digits[4..])?,
            ]),
            _ => return None,
        }
    }
    let [hours, minutes, seconds] = match fields[..] {
        [h] => [h, 0, 0],
        [h, m] => [h, m, 0],
        [h, m, s] => [h, m, s],
        _ => return None,
    };
    if hours > 167 || minutes > 59 || seconds > 59 {
        return None;
    }
    Some(sign * (hours * 3600 + minutes * 60 + seconds))
}

fn plain(digits: &str) -> Option<i32> {
    (!digits.is_empty() && digits.len() <= 3 && digits.bytes().all(|b| b.is_ascii_digit()))
        .then(|| digits.parse().ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_found_by_their_names() {
        for (text, name) in [
            ("utc", "UTC"),
            ("europe/berlin", "Europe/Berlin"),
            ("America/New_York", "America/New_York"),
            ("3", "<+03>-03"),
            ("-3.5", "<-03:30>+03:30"),
            ("<+03>-03", "<+03>-03"),
            ("UTC+3", "UTC+3"),
        ] {
            assert_eq!(
                Zone::parse(text).map(|z| z.name().to_string()).as_deref(),
                Some(name)
            );
        }
        for text in ["", "Mars/Olympus", "x", "+-3", "999"] {
            assert_eq!(Zone::parse(text), None, "{text}");
        }
    }

    #[test]
    fn zones_without_letters_are_called_by_their_offset() {
        let zone = Zone::parse("America/Sao_Paulo").expect("known");
        assert_eq!(zone.abbreviation_at(1_720_000_000), "-03");
        assert_eq!(Zone::fixed(-19_800).engine_name(), "-05:30");
    }

    #[test]
    fn offsets_follow_the_calendar_also_far_ahead() {
        let berlin = Zone::parse("Europe/Berlin").expect("known");
        for (utc, offset) in [
            (1_704_067_200, 3600),  // 2024-01-01
            (1_720_000_000, 7200),  // 2024-07-03
            (4_118_688_000, 7200),  // 2100-07-07
            (64_092_211_200, 3600), // 4001-01-01
            (-4_000_000_000, 3208), // 1843: local mean time
        ] {
            assert_eq!(berlin.offset_at(utc), offset, "{utc}");
        }
        assert_eq!(offset_text(3208), "+00:53:28");
    }

    #[test]
    fn local_times_in_gaps_and_overlaps_resolve_as_in_postgres() {
        let berlin = Zone::parse("Europe/Berlin").expect("known");
        // 2024-03-31 02:30 does not exist: 02:30+01
        assert_eq!(berlin.to_utc(1_711_852_200), 1_711_852_200 - 3600);
        // 2024-10-27 02:30 exists twice: +01
        assert_eq!(berlin.to_utc(1_729_996_200), 1_729_996_200 - 3600);
        assert_eq!(berlin.to_utc(1_720_000_000), 1_720_000_000 - 7200);
    }
}
