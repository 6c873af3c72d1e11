//! Dates, times and intervals made of their fields, date_bin and justify. Called
//! by the overloads of `datetime`.

use super::*;

pub(super) fn make_date(_: &Call<'_>, row: &[Value]) -> Result<Value> {
    let [Value::Int(year), Value::Int(month), Value::Int(day)] = row else {
        return Err(misfit());
    };
    Ok(Value::Date(calendar::checked_date(date_days(
        *year, *month, *day,
    )?)?))
}

pub(super) fn date_days(year: i64, month: i64, day: i64) -> Result<i64> {
    // year -1 is 1 BC, which the calendar counts as 0
    let counted = if year < 0 { year + 1 } else { year };
    if year == 0 || !(1..=12).contains(&month) || day < 1 || day > days_in_month(counted, month) {
        return Err(Error::new(
            SqlState::DATETIME_FIELD_OVERFLOW,
            format!("date field value out of range: {year}-{month:02}-{day:02}"),
        ));
    }
    Ok(days_of(counted, month, day))
}

pub(super) fn clock(hour: i64, minute: i64, second: f64) -> Result<i64> {
    let micros = (second * SECOND as f64).round_ties_even();
    let valid = (0..=24).contains(&hour)
        && (0..60).contains(&minute)
        && (0.0..=60.0 * SECOND as f64).contains(&micros);
    let total = hour * HOUR + minute * MINUTE + micros as i64;
    if !valid || total > DAY {
        return Err(field_out_of_range("time"));
    }
    Ok(total)
}

pub(super) fn made(row: &[Value]) -> Result<i64> {
    let [
        Value::Int(year),
        Value::Int(month),
        Value::Int(day),
        Value::Int(hour),
        Value::Int(minute),
        Value::Float8(second),
        ..,
    ] = row
    else {
        return Err(misfit());
    };
    let days = date_days(*year, *month, *day)?;
    let time = clock(*hour, *minute, *second)?;
    calendar::checked_timestamp(days + time / DAY, time % DAY)
}

/// years, months, weeks, days, hours, mins, secs; those left out are 0.
pub(super) fn make_interval(_: &Call<'_>, row: &[Value]) -> Result<Value> {
    let part = |index: usize| match row.get(index) {
        Some(Value::Int(count)) => *count,
        _ => 0,
    };
    let seconds = match row.get(6) {
        Some(Value::Float8(seconds)) => *seconds,
        _ => 0.0,
    };
    let parts = || {
        Some(Interval {
            months: i32::try_from(part(0) * 12 + part(1)).ok()?,
            days: i32::try_from(part(2) * 7 + part(3)).ok()?,
            micros: (part(4) * HOUR)
                .checked_add(part(5) * MINUTE)?
                .checked_add((seconds * SECOND as f64).round_ties_even() as i64)?,
        })
    };
    parts()
        .map(Value::Interval)
        .ok_or_else(interval_out_of_range)
}

pub(super) fn date_bin(_: &Call<'_>, row: &[Value]) -> Result<Value> {
    let [Value::Interval(stride), source, origin] = row else {
        return Err(misfit());
    };
    if stride.months != 0 {
        return Err(Error::unsupported(
            "timestamps cannot be binned into intervals containing months or years",
        ));
    }
    let width = i64::from(stride.days)
        .checked_mul(DAY)
        .and_then(|days| days.checked_add(stride.micros))
        .ok_or_else(interval_out_of_range)?;
    if width <= 0 {
        return Err(Error::new(
            SqlState::DATETIME_FIELD_OVERFLOW,
            "stride must be greater than zero",
        ));
    }
    let bin = |source: i64, origin: i64| {
        let offset = source
            .checked_sub(origin)
            .ok_or_else(calendar::timestamp_out_of_range)?;
        Ok::<i64, Error>(origin + offset.div_euclid(width) * width)
    };
    Ok(match (source, origin) {
        (Value::Timestamp(a), Value::Timestamp(b)) => Value::Timestamp(bin(*a, *b)?),
        (Value::TimestampTz(a), Value::TimestampTz(b)) => Value::TimestampTz(bin(*a, *b)?),
        _ => return Err(misfit()),
    })
}

#[derive(Clone, Copy)]
pub(super) enum Step {
    Hours,
    Days,
}

/// 24 hours become a day, 30 days a month; the parts end with one sign.
pub(super) fn justify(row: &[Value], steps: &[Step]) -> Result<Value> {
    let [Value::Interval(interval)] = row else {
        return Err(misfit());
    };
    let (mut months, mut days, mut micros) = (
        i64::from(interval.months),
        i64::from(interval.days),
        interval.micros,
    );
    for step in steps {
        match step {
            Step::Hours => {
                days += micros / DAY;
                micros %= DAY;
            }
            Step::Days => {
                months += days / 30;
                days %= 30;
            }
        }
    }
    let both = steps.len() == 2;
    if steps.iter().any(|step| matches!(step, Step::Days)) {
        if months > 0 && (days < 0 || (both && days == 0 && micros < 0)) {
            (months, days) = (months - 1, days + 30);
        } else if months < 0 && (days > 0 || (both && days == 0 && micros > 0)) {
            (months, days) = (months + 1, days - 30);
        }
    }
    if steps.iter().any(|step| matches!(step, Step::Hours)) {
        if days > 0 && micros < 0 {
            (days, micros) = (days - 1, micros + DAY);
        } else if days < 0 && micros > 0 {
            (days, micros) = (days + 1, micros - DAY);
        }
    }
    Ok(Value::Interval(Interval {
        months: i32::try_from(months).map_err(|_| interval_out_of_range())?,
        days: i32::try_from(days).map_err(|_| interval_out_of_range())?,
        micros,
    }))
}
