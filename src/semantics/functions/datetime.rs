//! Date and time functions (section 9.9 of the manual).

mod make;

use super::arithmetic::misfit;
use super::fields::{self, Field};
use super::{Call, Overload, strict};
use crate::error::{Error, Result, SqlState};
use crate::semantics::calendar::{
    self, DAY, HOUR, MINUTE, SECOND, Zone, civil, days_in_month, days_of, is_infinite, midnight,
    split,
};
use crate::semantics::value::{Interval, Value, interval_out_of_range};
use crate::types::PgType;
use make::{Step, clock, date_bin, justify, made, make_date, make_interval};

const TEXT: PgType = PgType::TEXT;
const DATE: PgType = PgType::DATE;
const TIME: PgType = PgType::TIME;
const TIMESTAMP: PgType = PgType::TIMESTAMP;
const TIMESTAMPTZ: PgType = PgType::TIMESTAMPTZ;
const INTERVAL: PgType = PgType::INTERVAL;
const INT4: PgType = PgType::INT4;
const FLOAT8: PgType = PgType::FLOAT8;
const NUMERIC: PgType = PgType::NUMERIC;
const BOOL: PgType = PgType::BOOL;

pub(super) const FUNCTIONS: &[Overload] = &[
    strict("extract", &[TEXT, DATE], NUMERIC, extract).typed(fields::extract_type),
    strict("extract", &[TEXT, TIME], NUMERIC, extract).typed(fields::extract_type),
    strict("extract", &[TEXT, TIMESTAMP], NUMERIC, extract).typed(fields::extract_type),
    strict("extract", &[TEXT, TIMESTAMPTZ], NUMERIC, extract)
        .typed(fields::extract_type)
        .stable(),
    strict("extract", &[TEXT, INTERVAL], NUMERIC, extract).typed(fields::extract_type),
    strict("date_part", &[TEXT, DATE], FLOAT8, date_part),
    strict("date_part", &[TEXT, TIME], FLOAT8, date_part),
    strict("date_part", &[TEXT, TIMESTAMP], FLOAT8, date_part),
    strict("date_part", &[TEXT, TIMESTAMPTZ], FLOAT8, date_part).stable(),
    strict("date_part", &[TEXT, INTERVAL], FLOAT8, date_part),
    strict("date_trunc", &[TEXT, TIMESTAMP], TIMESTAMP, date_trunc),
    strict("date_trunc", &[TEXT, TIMESTAMPTZ], TIMESTAMPTZ, date_trunc).stable(),
    strict(
        "date_trunc",
        &[TEXT, TIMESTAMPTZ, TEXT],
        TIMESTAMPTZ,
        date_trunc,
    ),
    strict("date_trunc", &[TEXT, INTERVAL], INTERVAL, date_trunc),
    strict("now", &[], TIMESTAMPTZ, now).stable(),
    strict("transaction_timestamp", &[], TIMESTAMPTZ, now).stable(),
    strict("statement_timestamp", &[], TIMESTAMPTZ, now).stable(),
    strict("current_timestamp", &[], TIMESTAMPTZ, now).stable(),
    strict("clock_timestamp", &[], TIMESTAMPTZ, |_, _| {
        Ok(Value::TimestampTz(chrono::Utc::now().timestamp_micros()))
    })
    .volatile(),
    strict("localtimestamp", &[], TIMESTAMP, |call, _| {
        Ok(Value::Timestamp(call.context.zone.local(call.context.now)))
    })
    .stable(),
    strict("localtime", &[], TIME, |call, _| {
        Ok(Value::Time(
            split(call.context.zone.local(call.context.now)).1,
        ))
    })
    .stable(),
    strict("current_date", &[], DATE, |call, _| {
        Ok(Value::Date(calendar::date_of(
            call.context.zone.local(call.context.now),
        )))
    })
    .stable(),
    strict("age", &[TIMESTAMP, TIMESTAMP], INTERVAL, age),
    strict("age", &[TIMESTAMPTZ, TIMESTAMPTZ], INTERVAL, age).stable(),
    strict("age", &[TIMESTAMP], INTERVAL, age).stable(),
    strict("age", &[TIMESTAMPTZ], INTERVAL, age).stable(),
    strict("timezone", &[TEXT, TIMESTAMP], TIMESTAMPTZ, timezone),
    strict("timezone", &[TEXT, TIMESTAMPTZ], TIMESTAMP, timezone),
    strict("timezone", &[INTERVAL, TIMESTAMP], TIMESTAMPTZ, timezone),
    strict("timezone", &[INTERVAL, TIMESTAMPTZ], TIMESTAMP, timezone),
    strict("make_date", &[INT4, INT4, INT4], DATE, make_date),
    strict(
        "make_time",
        &[INT4, INT4, FLOAT8],
        TIME,
        |_, row| match row {
            [Value::Int(hour), Value::Int(minute), Value::Float8(second)] => {
                Ok(Value::Time(clock(*hour, *minute, *second)?))
            }
            _ => Err(misfit()),
        },
    ),
    strict(
        "make_timestamp",
        &[INT4, INT4, INT4, INT4, INT4, FLOAT8],
        TIMESTAMP,
        |_, row| Ok(Value::Timestamp(made(row)?)),
    ),
    strict(
        "make_timestamptz",
        &[INT4, INT4, INT4, INT4, INT4, FLOAT8],
        TIMESTAMPTZ,
        |call, row| Ok(Value::TimestampTz(call.context.zone.instant(made(row)?))),
    )
    .stable(),
    strict(
        "make_timestamptz",
        &[INT4, INT4, INT4, INT4, INT4, FLOAT8, TEXT],
        TIMESTAMPTZ,
        |_, row| match row {
            [.., Value::Text(zone)] => {
                Ok(Value::TimestampTz(Zone::parse(zone)?.instant(made(row)?)))
            }
            _ => Err(misfit()),
        },
    ),
    strict("make_interval", &[], INTERVAL, make_interval),
    strict("make_interval", &[INT4], INTERVAL, make_interval),
    strict("make_interval", &[INT4, INT4], INTERVAL, make_interval),
    strict(
        "make_interval",
        &[INT4, INT4, INT4],
        INTERVAL,
        make_interval,
    ),
    strict(
        "make_interval",
        &[INT4, INT4, INT4, INT4],
        INTERVAL,
        make_interval,
    ),
    strict(
        "make_interval",
        &[INT4, INT4, INT4, INT4, INT4],
        INTERVAL,
        make_interval,
    ),
    strict(
        "make_interval",
        &[INT4, INT4, INT4, INT4, INT4, INT4],
        INTERVAL,
        make_interval,
    ),
    strict(
        "make_interval",
        &[INT4, INT4, INT4, INT4, INT4, INT4, FLOAT8],
        INTERVAL,
        make_interval,
    ),
    strict(
        "date_bin",
        &[INTERVAL, TIMESTAMP, TIMESTAMP],
        TIMESTAMP,
        date_bin,
    ),
    strict(
        "date_bin",
        &[INTERVAL, TIMESTAMPTZ, TIMESTAMPTZ],
        TIMESTAMPTZ,
        date_bin,
    ),
    strict("to_timestamp", &[FLOAT8], TIMESTAMPTZ, |_, row| match row {
        [Value::Float8(seconds)] => {
            if seconds.is_nan() || seconds.abs() > 9.3e12 {
                return Err(Error::new(
                    SqlState::DATETIME_FIELD_OVERFLOW,
                    format!("timestamp out of range: \"{seconds}\""),
                ));
            }
            Ok(Value::TimestampTz(
                (seconds * SECOND as f64).round_ties_even() as i64,
            ))
        }
        _ => Err(misfit()),
    }),
    strict("isfinite", &[DATE], BOOL, |_, row| match row {
        [Value::Date(days)] => Ok(Value::Bool(!calendar::is_infinite_date(*days))),
        _ => Err(misfit()),
    }),
    strict("isfinite", &[TIMESTAMP], BOOL, is_finite),
    strict("isfinite", &[TIMESTAMPTZ], BOOL, is_finite),
    strict("isfinite", &[INTERVAL], BOOL, |_, _| Ok(Value::Bool(true))),
    strict("justify_days", &[INTERVAL], INTERVAL, |_, row| {
        justify(row, &[Step::Days])
    }),
    strict("justify_hours", &[INTERVAL], INTERVAL, |_, row| {
        justify(row, &[Step::Hours])
    }),
    strict("justify_interval", &[INTERVAL], INTERVAL, |_, row| {
        justify(row, &[Step::Hours, Step::Days])
    }),
];

fn now(call: &Call<'_>, _: &[Value]) -> Result<Value> {
    Ok(Value::TimestampTz(call.context.now))
}

fn is_finite(_: &Call<'_>, row: &[Value]) -> Result<Value> {
    match row {
        [Value::Timestamp(micros) | Value::TimestampTz(micros)] => {
            Ok(Value::Bool(!is_infinite(*micros)))
        }
        _ => Err(misfit()),
    }
}

fn extract(call: &Call<'_>, row: &[Value]) -> Result<Value> {
    match row {
        [Value::Text(field), source] => fields::extract(call, field, source),
        _ => Err(misfit()),
    }
}

fn date_part(call: &Call<'_>, row: &[Value]) -> Result<Value> {
    Ok(match extract(call, row)? {
        Value::Numeric(number) => Value::Float8(number.to_f64()),
        other => other,
    })
}

fn date_trunc(call: &Call<'_>, row: &[Value]) -> Result<Value> {
    let (field, source, zone) = match row {
        [Value::Text(field), source] => (field, source, call.context.zone),
        [Value::Text(field), source, Value::Text(zone)] => (field, source, Zone::parse(zone)?),
        _ => return Err(misfit()),
    };
    let type_of = call.types.get(1).copied().unwrap_or(TIMESTAMP);
    let unit = Field::parse(field, type_of)?;
    Ok(match source {
        Value::Timestamp(micros) => Value::Timestamp(truncated(*micros, unit, type_of)?),
        Value::TimestampTz(micros) => {
            let local = truncated(zone.local(*micros), unit, type_of)?;
            Value::TimestampTz(match unit {
                // within an hour the offset cannot change
                Field::Hour
                | Field::Minute
                | Field::Second
                | Field::Millisecond
                | Field::Microsecond
                    if !is_infinite(*micros) =>
                {
                    local - i64::from(zone.offset_at(*micros)) * SECOND
                }
                _ => zone.instant(local),
            })
        }
        Value::Interval(interval) => Value::Interval(truncated_interval(*interval, unit)?),
        _ => return Err(misfit()),
    })
}

fn truncated(micros: i64, unit: Field, type_of: PgType) -> Result<i64> {
    if is_infinite(micros) {
        return Ok(micros);
    }
    let (days, time) = split(micros);
    let (year, month, _) = civil(days);
    // years are truncated as they are counted: the first century begins with year 1
    let years = |span: i64| match year > 0 {
        true => (year - 1) / span * span + 1,
        false => -((span - 1 - year) / span * span) + 1,
    };
    let first = |year: i64, month: i64| days_of(year, month, 1) * DAY;
    Ok(match unit {
        Field::Microsecond => micros,
        Field::Millisecond => days * DAY + time / 1_000 * 1_000,
        Field::Second => days * DAY + time / SECOND * SECOND,
        Field::Minute => days * DAY + time / MINUTE * MINUTE,
        Field::Hour => days * DAY + time / HOUR * HOUR,
        Field::Day => days * DAY,
        Field::Week => (days - (calendar::weekday(days) + 6) % 7) * DAY,
        Field::Month => first(year, month),
        Field::Quarter => first(year, (month - 1) / 3 * 3 + 1),
        Field::Year => first(year, 1),
        Field::Decade => first(year.div_euclid(10) * 10, 1),
        Field::Century => first(years(100), 1),
        Field::Millennium => first(years(1_000), 1),
        other => return Err(other.unsupported(type_of)),
    })
}

fn truncated_interval(interval: Interval, unit: Field) -> Result<Interval> {
    let months = |span: i32| Interval {
        months: interval.months / span * span,
        ..Interval::default()
    };
    let time = |span: i64| Interval {
        micros: interval.micros / span * span,
        ..interval
    };
    Ok(match unit {
        Field::Millennium => months(12_000),
        Field::Century => months(1_200),
        Field::Decade => months(120),
        Field::Year => months(12),
        Field::Quarter => months(3),
        Field::Month => months(1),
        Field::Day => time(i64::MAX),
        Field::Hour => time(HOUR),
        Field::Minute => time(MINUTE),
        Field::Second => time(SECOND),
        Field::Millisecond => time(1_000),
        Field::Microsecond => interval,
        other => {
            return Err(other
                .unsupported(INTERVAL)
                .with_detail("Months usually have fractional weeks."));
        }
    })
}

/// timestamp_age: the difference of the calendar fields, borrowing as on paper.
fn age(call: &Call<'_>, row: &[Value]) -> Result<Value> {
    let zone = call.context.zone;
    let local = |value: &Value| match value {
        Value::Timestamp(micros) => Some(*micros),
        Value::TimestampTz(micros) => Some(zone.local(*micros)),
        _ => None,
    };
    let today = midnight(calendar::date_of(zone.local(call.context.now)))?;
    let (later, earlier) = match row {
        [one] => (Some(today), local(one)),
        [a, b] => (local(a), local(b)),
        _ => (None, None),
    };
    let (Some(a), Some(b)) = (later, earlier) else {
        return Err(misfit());
    };
    if is_infinite(a) || is_infinite(b) {
        return Err(interval_out_of_range());
    }
    let (first, second, negative) = if a < b { (b, a, true) } else { (a, b, false) };
    let ((days1, time1), (days2, time2)) = (split(first), split(second));
    let ((y1, m1, d1), (y2, m2, d2)) = (civil(days1), civil(days2));
    let (mut months, mut days, mut micros) = ((y1 - y2) * 12 + m1 - m2, d1 - d2, time1 - time2);
    if micros < 0 {
        micros += DAY;
        days -= 1;
    }
    while days < 0 {
        // the month that is borrowed from is the earlier argument's
        let (year, month) = if negative {
            civil_month(a)
        } else {
            civil_month(b)
        };
        days += days_in_month(year, month);
        months -= 1;
    }
    let sign = if negative { -1 } else { 1 };
    Ok(Value::Interval(Interval {
        months: i32::try_from(months * sign).map_err(|_| interval_out_of_range())?,
        days: (days * sign) as i32,
        micros: micros * sign,
    }))
}

fn civil_month(micros: i64) -> (i64, i64) {
    let (year, month, _) = civil(split(micros).0);
    (year, month)
}

/// AT TIME ZONE.
fn timezone(_: &Call<'_>, row: &[Value]) -> Result<Value> {
    let [zone, moment] = row else {
        return Err(misfit());
    };
    let zone = match zone {
        Value::Text(name) => named_zone(name)?,
        Value::Interval(offset) => {
            if offset.months != 0 || offset.days != 0 {
                return Err(Error::new(
                    SqlState::INVALID_PARAMETER_VALUE,
                    "interval time zone must not include months or days",
                ));
            }
            Zone::Fixed((offset.micros / SECOND) as i32)
        }
        _ => return Err(misfit()),
    };
    Ok(match moment {
        Value::Timestamp(micros) => Value::TimestampTz(zone.instant(*micros)),
        Value::TimestampTz(micros) => Value::Timestamp(zone.local(*micros)),
        _ => return Err(misfit()),
    })
}

/// Offsets in a zone's name count west, as POSIX has them (section 8.5.3).
fn named_zone(name: &str) -> Result<Zone> {
    match calendar::offset(name) {
        Some(seconds) if !name.starts_with('<') => Ok(Zone::Fixed(-seconds)),
        _ => Zone::parse(name),
    }
}

fn field_out_of_range(what: &str) -> Error {
    Error::new(
        SqlState::DATETIME_FIELD_OVERFLOW,
        format!("{what} field value out of range"),
    )
}
