//! The fields of extract(), date_part() and date_trunc() (section 9.9.1 of the manual).

use datafusion::common::ScalarValue;

use super::arithmetic::misfit;
use super::{Call, Typing};
use crate::error::{Error, Result, SqlState};
use crate::semantics::calendar::{
    self, DAY, HOUR, JULIAN_EPOCH, MINUTE, SECOND, civil, days_of, is_infinite, split,
};
use crate::semantics::numeric::Numeric;
use crate::semantics::typed::type_name;
use crate::semantics::value::{Interval, Value};
use crate::types::PgType;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Microsecond,
    Millisecond,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
    Decade,
    Century,
    Millennium,
    IsoYear,
    DayOfWeek,
    IsoDayOfWeek,
    DayOfYear,
    Epoch,
    Julian,
    Timezone,
    TimezoneHour,
    TimezoneMinute,
}

const NAMES: &[(&str, Field)] = &[
    ("microseconds", Field::Microsecond),
    ("microsecond", Field::Microsecond),
    ("us", Field::Microsecond),
    ("usec", Field::Microsecond),
    ("usecs", Field::Microsecond),
    ("milliseconds", Field::Millisecond),
    ("millisecond", Field::Millisecond),
    ("ms", Field::Millisecond),
    ("msec", Field::Millisecond),
    ("msecs", Field::Millisecond),
    ("second", Field::Second),
    ("seconds", Field::Second),
    ("sec", Field::Second),
    ("secs", Field::Second),
    ("s", Field::Second),
    ("minute", Field::Minute),
    ("minutes", Field::Minute),
    ("min", Field::Minute),
    ("mins", Field::Minute),
    ("m", Field::Minute),
    ("hour", Field::Hour),
    ("hours", Field::Hour),
    ("hr", Field::Hour),
    ("hrs", Field::Hour),
    ("h", Field::Hour),
    ("day", Field::Day),
    ("days", Field::Day),
    ("d", Field::Day),
    ("week", Field::Week),
    ("weeks", Field::Week),
    ("w", Field::Week),
    ("month", Field::Month),
    ("months", Field::Month),
    ("mon", Field::Month),
    ("mons", Field::Month),
    ("quarter", Field::Quarter),
    ("qtr", Field::Quarter),
    ("year", Field::Year),
    ("years", Field::Year),
    ("yr", Field::Year),
    ("yrs", Field::Year),
    ("y", Field::Year),
    ("decade", Field::Decade),
    ("decades", Field::Decade),
    ("dec", Field::Decade),
    ("century", Field::Century),
    ("centuries", Field::Century),
    ("cent", Field::Century),
    ("c", Field::Century),
    ("millennium", Field::Millennium),
    ("millennia", Field::Millennium),
    ("mil", Field::Millennium),
    ("isoyear", Field::IsoYear),
    ("dow", Field::DayOfWeek),
    ("isodow", Field::IsoDayOfWeek),
    ("doy", Field::DayOfYear),
    ("epoch", Field::Epoch),
    ("julian", Field::Julian),
    ("timezone", Field::Timezone),
    ("timezone_hour", Field::TimezoneHour),
    ("timezone_h", Field::TimezoneHour),
    ("timezone_minute", Field::TimezoneMinute),
    ("timezone_m", Field::TimezoneMinute),
];

impl Field {
    /// 22023 for a name that no type has.
    pub(super) fn parse(name: &str, type_of: PgType) -> Result<Field> {
        let lower = name.to_ascii_lowercase();
        Field::known(&lower).ok_or_else(|| {
            Error::new(
                SqlState::INVALID_PARAMETER_VALUE,
                format!(
                    "unit \"{name}\" not recognized for type {}",
                    type_name(type_of)
                ),
            )
        })
    }

    fn known(lower: &str) -> Option<Field> {
        NAMES
            .iter()
            .find(|(name, _)| *name == lower)
            .map(|(_, field)| *field)
    }

    fn name(self) -> &'static str {
        NAMES
            .iter()
            .find(|(_, field)| *field == self)
            .map_or("", |(name, _)| name)
    }

    /// 0A000: the type has no such field.
    pub(super) fn unsupported(self, type_of: PgType) -> Error {
        Error::unsupported(format!(
            "unit \"{}\" not supported for type {}",
            self.name(),
            type_name(type_of)
        ))
    }

    /// Digits after the point that extract() shows.
    fn scale(self, type_of: PgType) -> i8 {
        match self {
            Field::Second => 6,
            Field::Millisecond => 3,
            Field::Epoch if type_of.oid != PgType::DATE.oid => 6,
            _ => 0,
        }
    }
}

/// numeric with the scale that the field has.
pub(super) fn extract_type(typing: &Typing<'_>) -> PgType {
    let name = match typing.literals.first() {
        Some(Some(ScalarValue::Utf8(Some(name)) | ScalarValue::Utf8View(Some(name)))) => name,
        _ => return PgType::NUMERIC,
    };
    let type_of = typing.types.get(1).copied().unwrap_or(PgType::TIMESTAMP);
    match Field::known(&name.to_ascii_lowercase()) {
        Some(Field::Julian) if type_of.oid != PgType::DATE.oid => PgType::NUMERIC,
        Some(field) => PgType::numeric(25, field.scale(type_of)),
        None => PgType::NUMERIC,
    }
}

pub(super) fn extract(call: &Call<'_>, name: &str, source: &Value) -> Result<Value> {
    let type_of = call.types.get(1).copied().unwrap_or(PgType::TIMESTAMP);
    let field = Field::parse(name, type_of)?;
    match source {
        Value::Date(days) => {
            let micros = calendar::midnight(*days)?;
            of_date(field, micros, type_of)
        }
        Value::Timestamp(micros) => of_timestamp(field, *micros, *micros, type_of),
        Value::TimestampTz(micros) => {
            let offset = i64::from(call.context.zone.offset_at(*micros));
            match field {
                Field::Timezone => Ok(whole(offset)),
                Field::TimezoneHour => Ok(whole(offset / 3_600)),
                Field::TimezoneMinute => Ok(whole(offset % 3_600 / 60)),
                _ => of_timestamp(field, call.context.zone.local(*micros), *micros, type_of),
            }
        }
        Value::Time(micros) => match field {
            Field::Epoch => Ok(scaled(*micros, 6)),
            _ => of_clock(field, *micros).ok_or_else(|| field.unsupported(type_of)),
        },
        Value::Interval(interval) => of_interval(field, *interval),
        _ => Err(misfit()),
    }
}

fn whole(value: i64) -> Value {
    Value::Numeric(Numeric::new(value, 0))
}

/// Microseconds as a number with `scale` decimals.
fn scaled(micros: i64, scale: u32) -> Value {
    Value::Numeric(Numeric::new(micros, scale))
}

/// `local` gives the fields, `instant` the seconds since 1970.
fn of_timestamp(field: Field, local: i64, instant: i64, type_of: PgType) -> Result<Value> {
    if is_infinite(local) {
        return of_infinite(field);
    }
    let (days, time) = split(local);
    Ok(match field {
        Field::Epoch => scaled(instant, 6),
        Field::Julian => {
            let day = Numeric::new(time, 0).divide(&Numeric::from(DAY))?;
            Value::Numeric(Numeric::from(days + JULIAN_EPOCH).add(&day))
        }
        _ => match of_clock(field, time) {
            Some(value) => value,
            None => whole(of_calendar(field, days).ok_or_else(|| field.unsupported(type_of))?),
        },
    })
}

fn of_date(field: Field, midnight: i64, type_of: PgType) -> Result<Value> {
    if is_infinite(midnight) {
        return of_infinite(field);
    }
    let days = split(midnight).0;
    Ok(whole(match field {
        Field::Epoch => midnight / SECOND,
        Field::Julian => days + JULIAN_EPOCH,
        _ => of_calendar(field, days).ok_or_else(|| field.unsupported(type_of))?,
    }))
}

/// Fields that grow without bound are infinite, which numerics are not here; others are NULL.
fn of_infinite(field: Field) -> Result<Value> {
    match field {
        Field::Year
        | Field::IsoYear
        | Field::Decade
        | Field::Century
        | Field::Millennium
        | Field::Epoch
        | Field::Julian => Err(Error::unsupported(
            "NaN and infinity are not supported in numeric values here",
        )),
        _ => Ok(Value::Null),
    }
}

fn of_clock(field: Field, time: i64) -> Option<Value> {
    Some(match field {
        Field::Microsecond => whole(time % MINUTE),
        Field::Millisecond => scaled(time % MINUTE, 3),
        Field::Second => scaled(time % MINUTE, 6),
        Field::Minute => whole(time % HOUR / MINUTE),
        Field::Hour => whole(time / HOUR),
        _ => return None,
    })
}

fn of_calendar(field: Field, days: i64) -> Option<i64> {
    let (year, month, day) = civil(days);
    // years before 1 count backwards, without a year 0
    let counted = |year: i64| if year > 0 { year } else { year - 1 };
    let spans = |span: i64| match year > 0 {
        true => (year + span - 1) / span,
        false => -((span - year) / span),
    };
    Some(match field {
        Field::Day => day,
        Field::Month => month,
        Field::Quarter => (month - 1) / 3 + 1,
        Field::Week => calendar::iso_week(days).1,
        Field::Year => counted(year),
        Field::IsoYear => counted(calendar::iso_week(days).0),
        Field::Decade => year.div_euclid(10),
        Field::Century => spans(100),
        Field::Millennium => spans(1_000),
        Field::DayOfWeek => calendar::weekday(days),
        Field::IsoDayOfWeek => (calendar::weekday(days) + 6) % 7 + 1,
        Field::DayOfYear => days - days_of(year, 1, 1) + 1,
        _ => return None,
    })
}

fn of_interval(field: Field, interval: Interval) -> Result<Value> {
    let years = i64::from(interval.months / 12);
    let months = i64::from(interval.months % 12);
    Ok(match field {
        Field::Microsecond => whole(interval.micros % MINUTE),
        Field::Millisecond => scaled(interval.micros % MINUTE, 3),
        Field::Second => scaled(interval.micros % MINUTE, 6),
        Field::Minute => whole(interval.micros % HOUR / MINUTE),
        Field::Hour => whole(interval.micros / HOUR),
        Field::Day => whole(interval.days.into()),
        Field::Month => whole(months),
        Field::Quarter => whole(months / 3 + 1),
        Field::Year => whole(years),
        Field::Decade => whole(years / 10),
        Field::Century => whole(years / 100),
        Field::Millennium => whole(years / 1_000),
        // a year has 365.25 days here
        Field::Epoch => {
            let days = i128::from(years) * 1_461 * 6
                + (i128::from(months) * 30 + i128::from(interval.days)) * 24;
            let micros = days * i128::from(DAY) / 24 + i128::from(interval.micros);
            Value::Numeric(Numeric::new(micros, 6))
        }
        other => return Err(other.unsupported(PgType::INTERVAL)),
    })
}
