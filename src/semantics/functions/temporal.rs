//! Arithmetic on dates, times and intervals (section 9.9 of the manual).

use super::arithmetic::misfit;
use super::{Call, Overload, strict};
use crate::error::{Error, Result, SqlState};
use crate::semantics::calendar::{
    self, DAY, SECOND, checked_date, is_infinite, is_infinite_date, midnight,
};
use crate::semantics::numeric::{Numeric, division_by_zero};
use crate::semantics::value::{Interval, Value, interval_out_of_range};
use crate::types::PgType;

const DATE: PgType = PgType::DATE;
const TIME: PgType = PgType::TIME;
const TIMESTAMP: PgType = PgType::TIMESTAMP;
const TIMESTAMPTZ: PgType = PgType::TIMESTAMPTZ;
const INTERVAL: PgType = PgType::INTERVAL;
const INT4: PgType = PgType::INT4;
const FLOAT8: PgType = PgType::FLOAT8;

pub(super) const OPERATORS: &[Overload] = &[
    strict("+", &[DATE, INT4], DATE, |_, row| match row {
        [Value::Date(days), Value::Int(more)] => move_date(*days, *more),
        _ => Err(misfit()),
    }),
    strict("+", &[INT4, DATE], DATE, |_, row| match row {
        [Value::Int(more), Value::Date(days)] => move_date(*days, *more),
        _ => Err(misfit()),
    }),
    strict("-", &[DATE, INT4], DATE, |_, row| match row {
        [Value::Date(days), Value::Int(less)] => move_date(*days, -less),
        _ => Err(misfit()),
    }),
    strict("-", &[DATE, DATE], INT4, |_, row| match row {
        [Value::Date(a), Value::Date(b)] => {
            if is_infinite_date(*a) || is_infinite_date(*b) {
                return Err(Error::new(
                    SqlState::DATETIME_FIELD_OVERFLOW,
                    "cannot subtract infinite dates",
                ));
            }
            Ok(Value::Int(i64::from(*a) - i64::from(*b)))
        }
        _ => Err(misfit()),
    }),
    strict("+", &[DATE, INTERVAL], TIMESTAMP, add),
    strict("+", &[INTERVAL, DATE], TIMESTAMP, add),
    strict("-", &[DATE, INTERVAL], TIMESTAMP, subtract),
    strict("+", &[TIMESTAMP, INTERVAL], TIMESTAMP, add),
    strict("+", &[INTERVAL, TIMESTAMP], TIMESTAMP, add),
    strict("-", &[TIMESTAMP, INTERVAL], TIMESTAMP, subtract),
    strict("+", &[TIMESTAMPTZ, INTERVAL], TIMESTAMPTZ, add).stable(),
    strict("+", &[INTERVAL, TIMESTAMPTZ], TIMESTAMPTZ, add).stable(),
    strict("-", &[TIMESTAMPTZ, INTERVAL], TIMESTAMPTZ, subtract).stable(),
    strict("-", &[TIMESTAMP, TIMESTAMP], INTERVAL, difference),
    strict("-", &[TIMESTAMPTZ, TIMESTAMPTZ], INTERVAL, difference),
    strict("+", &[TIME, INTERVAL], TIME, add),
    strict("+", &[INTERVAL, TIME], TIME, add),
    strict("-", &[TIME, INTERVAL], TIME, subtract),
    strict("-", &[TIME, TIME], INTERVAL, |_, row| match row {
        [Value::Time(a), Value::Time(b)] => Ok(Value::Interval(Interval {
            micros: a - b,
            ..Interval::default()
        })),
        _ => Err(misfit()),
    }),
    strict("+", &[DATE, TIME], TIMESTAMP, |_, row| match row {
        [Value::Date(days), Value::Time(time)] => date_at(*days, *time),
        _ => Err(misfit()),
    }),
    strict("+", &[TIME, DATE], TIMESTAMP, |_, row| match row {
        [Value::Time(time), Value::Date(days)] => date_at(*days, *time),
        _ => Err(misfit()),
    }),
    strict("+", &[INTERVAL, INTERVAL], INTERVAL, |_, row| match row {
        [Value::Interval(a), Value::Interval(b)] => sum(*a, *b),
        _ => Err(misfit()),
    }),
    strict("-", &[INTERVAL, INTERVAL], INTERVAL, |_, row| match row {
        [Value::Interval(a), Value::Interval(b)] => sum(*a, negated(*b)?),
        _ => Err(misfit()),
    }),
    strict("interval_um", &[INTERVAL], INTERVAL, |_, row| match row {
        [Value::Interval(a)] => Ok(Value::Interval(negated(*a)?)),
        _ => Err(misfit()),
    }),
    strict(
        "interval_order",
        &[INTERVAL],
        PgType {
            oid: 1700,
            typmod: (38 << 16) + 4,
        },
        |_, row| match row {
            [Value::Interval(a)] => {
                let days = i128::from(a.months) * 30 + i128::from(a.days);
                let micros = days * i128::from(DAY) + i128::from(a.micros);
                Ok(Value::Numeric(Numeric::new(micros, 0)))
            }
            _ => Err(misfit()),
        },
    ),
    strict("*", &[INTERVAL, FLOAT8], INTERVAL, |_, row| match row {
        [Value::Interval(a), Value::Float8(factor)] => scaled(*a, |x| x * factor),
        _ => Err(misfit()),
    }),
    strict("*", &[FLOAT8, INTERVAL], INTERVAL, |_, row| match row {
        [Value::Float8(factor), Value::Interval(a)] => scaled(*a, |x| x * factor),
        _ => Err(misfit()),
    }),
    strict("/", &[INTERVAL, FLOAT8], INTERVAL, |_, row| match row {
        [Value::Interval(a), Value::Float8(divisor)] => {
            if *divisor == 0.0 {
                return Err(division_by_zero());
            }
            scaled(*a, |x| x / divisor)
        }
        _ => Err(misfit()),
    }),
];

fn move_date(days: i32, more: i64) -> Result<Value> {
    if is_infinite_date(days) {
        return Ok(Value::Date(days));
    }
    Ok(Value::Date(checked_date(i64::from(days) + more)?))
}

fn date_at(days: i32, time: i64) -> Result<Value> {
    let midnight = midnight(days)?;
    if is_infinite(midnight) {
        return Ok(Value::Timestamp(midnight));
    }
    Ok(Value::Timestamp(calendar::checked_timestamp(
        days.into(),
        time,
    )?))
}

fn add(call: &Call<'_>, row: &[Value]) -> Result<Value> {
    match row {
        [Value::Interval(interval), moved] | [moved, Value::Interval(interval)] => {
            moved_by(call, moved, *interval)
        }
        _ => Err(misfit()),
    }
}

fn subtract(call: &Call<'_>, row: &[Value]) -> Result<Value> {
    match row {
        [moved, Value::Interval(interval)] => moved_by(call, moved, negated(*interval)?),
        _ => Err(misfit()),
    }
}

pub(super) fn moved_by(call: &Call<'_>, moved: &Value, interval: Interval) -> Result<Value> {
    Ok(match moved {
        Value::Date(days) => Value::Timestamp(calendar::add_interval(midnight(*days)?, interval)?),
        Value::Timestamp(micros) => Value::Timestamp(calendar::add_interval(*micros, interval)?),
        // months and days move the local clock, the rest moves the instant
        Value::TimestampTz(micros) => Value::TimestampTz(add_local(call, *micros, interval)?),
        Value::Time(micros) => Value::Time((micros + interval.micros % DAY).rem_euclid(DAY)),
        _ => return Err(misfit()),
    })
}

fn add_local(call: &Call<'_>, micros: i64, interval: Interval) -> Result<i64> {
    if is_infinite(micros) {
        return Ok(micros);
    }
    let mut instant = micros;
    if interval.months != 0 || interval.days != 0 {
        let zone = call.context.zone;
        let calendar_part = Interval {
            micros: 0,
            ..interval
        };
        instant = zone.instant(calendar::add_interval(zone.local(micros), calendar_part)?);
    }
    calendar::add_interval(
        instant,
        Interval {
            micros: interval.micros,
            ..Interval::default()
        },
    )
}

fn difference(_: &Call<'_>, row: &[Value]) -> Result<Value> {
    let (a, b) = match row {
        [Value::Timestamp(a), Value::Timestamp(b)]
        | [Value::TimestampTz(a), Value::TimestampTz(b)] => (*a, *b),
        _ => return Err(misfit()),
    };
    if is_infinite(a) || is_infinite(b) {
        return Err(Error::new(
            SqlState::DATETIME_FIELD_OVERFLOW,
            "cannot subtract infinite timestamps",
        ));
    }
    let micros = a.checked_sub(b).ok_or_else(interval_out_of_range)?;
    Ok(Value::Interval(Interval {
        months: 0,
        days: (micros / DAY) as i32,
        micros: micros % DAY,
    }))
}

fn sum(a: Interval, b: Interval) -> Result<Value> {
    let parts = || {
        Some(Interval {
            months: a.months.checked_add(b.months)?,
            days: a.days.checked_add(b.days)?,
            micros: a.micros.checked_add(b.micros)?,
        })
    };
    parts()
        .map(Value::Interval)
        .ok_or_else(interval_out_of_range)
}

pub(super) fn negated(a: Interval) -> Result<Interval> {
    let parts = || {
        Some(Interval {
            months: a.months.checked_neg()?,
            days: a.days.checked_neg()?,
            micros: a.micros.checked_neg()?,
        })
    };
    parts().ok_or_else(interval_out_of_range)
}

/// interval_mul: what is left of a month becomes days of thirty a month, what
/// is left of a day becomes time.
fn scaled(a: Interval, scale: impl Fn(f64) -> f64) -> Result<Value> {
    let micro_round = |x: f64| (x * 1e6).round_ties_even() / 1e6;
    const DAY_SECONDS: f64 = 86_400.0;
    let (months, days) = (scale(a.months.into()), scale(a.days.into()));
    let in_range = |x: f64| x.is_finite() && x.abs() <= f64::from(i32::MAX);
    if !in_range(months) || !in_range(days) {
        return Err(interval_out_of_range());
    }
    let month_days = micro_round((months - months.trunc()) * 30.0);
    let mut seconds =
        micro_round((days - days.trunc() + month_days - month_days.trunc()) * DAY_SECONDS);
    let mut whole_days = days.trunc();
    if seconds.abs() >= DAY_SECONDS {
        let carried = (seconds / DAY_SECONDS).trunc();
        whole_days += carried;
        seconds -= carried * DAY_SECONDS;
    }
    whole_days += month_days.trunc();
    let micros = (scale(a.micros as f64) + seconds * SECOND as f64).round_ties_even();
    if micros.abs() >= 9.2e18 || !in_range(whole_days) {
        return Err(interval_out_of_range());
    }
    Ok(Value::Interval(Interval {
        months: months.trunc() as i32,
        days: whole_days as i32,
        micros: micros as i64,
    }))
}
