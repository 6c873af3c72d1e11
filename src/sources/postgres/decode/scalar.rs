//! Single values of fixed-size types: what Postgres sends → what Arrow stores.
//! Postgres counts dates and timestamps from 2000-01-01, Arrow from 1970-01-01.

use datafusion::arrow::datatypes::{IntervalMonthDayNano, IntervalMonthDayNanoType};

use super::fault::{Fault, Result, exactly};

const DAYS_TO_2000: i32 = 10_957;
const MICROSECONDS_TO_2000: i64 = 946_684_800_000_000;

pub(super) fn boolean(bytes: &[u8]) -> Result<bool> {
    match exactly::<1>(bytes)? {
        [0] => Ok(false),
        [1] => Ok(true),
        _ => Err(Fault::Malformed("a boolean is neither 0 nor 1")),
    }
}

pub(super) fn int2(bytes: &[u8]) -> Result<i16> {
    exactly(bytes).map(i16::from_be_bytes)
}

pub(super) fn int4(bytes: &[u8]) -> Result<i32> {
    exactly(bytes).map(i32::from_be_bytes)
}

pub(super) fn int8(bytes: &[u8]) -> Result<i64> {
    exactly(bytes).map(i64::from_be_bytes)
}

/// A bigint that counts something.
pub(super) fn count(bytes: &[u8]) -> Result<u64> {
    u64::try_from(int8(bytes)?).map_err(|_| Fault::Malformed("a count is negative"))
}

pub(super) fn oid(bytes: &[u8]) -> Result<i64> {
    exactly(bytes).map(|bytes| u32::from_be_bytes(bytes).into())
}

pub(super) fn float4(bytes: &[u8]) -> Result<f32> {
    exactly(bytes).map(f32::from_be_bytes)
}

pub(super) fn float8(bytes: &[u8]) -> Result<f64> {
    exactly(bytes).map(f64::from_be_bytes)
}

pub(super) fn uuid(bytes: &[u8]) -> Result<[u8; 16]> {
    exactly(bytes)
}

/// Days; the infinities are the extremes on both sides.
pub(super) fn date(bytes: &[u8]) -> Result<i32> {
    match int4(bytes)? {
        infinity @ (i32::MIN | i32::MAX) => Ok(infinity),
        days => days
            .checked_add(DAYS_TO_2000)
            .ok_or(Fault::DatetimeOverflow("date out of range")),
    }
}

/// Microseconds; the infinities are the extremes on both sides.
pub(super) fn timestamp(bytes: &[u8]) -> Result<i64> {
    match int8(bytes)? {
        infinity @ (i64::MIN | i64::MAX) => Ok(infinity),
        microseconds => microseconds
            .checked_add(MICROSECONDS_TO_2000)
            .ok_or(Fault::DatetimeOverflow("timestamp out of range")),
    }
}

/// Microseconds since midnight, 24:00:00 included.
pub(super) fn time(bytes: &[u8]) -> Result<i64> {
    match int8(bytes)? {
        microseconds @ 0..=86_400_000_000 => Ok(microseconds),
        _ => Err(Fault::Malformed("a time lies outside of its day")),
    }
}

/// Microseconds, days, months on the wire; an infinite interval (Postgres 17)
/// has all three at their extremes and overflows here as it must.
pub(super) fn interval(bytes: &[u8]) -> Result<IntervalMonthDayNano> {
    let bytes = exactly::<16>(bytes)?;
    let (time, date) = bytes.split_at(8);
    let (days, months) = date.split_at(4);
    let nanoseconds = int8(time)?
        .checked_mul(1000)
        .ok_or(Fault::DatetimeOverflow("interval out of range"))?;
    Ok(IntervalMonthDayNanoType::make_value(
        int4(months)?,
        int4(days)?,
        nanoseconds,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epochs_are_shifted_and_infinities_kept() {
        for (sent, expected) in [
            (0, Ok(DAYS_TO_2000)),
            (-DAYS_TO_2000, Ok(0)),
            (i32::MAX, Ok(i32::MAX)),
            (i32::MIN, Ok(i32::MIN)),
            (
                i32::MAX - 1,
                Err(Fault::DatetimeOverflow("date out of range")),
            ),
        ] {
            assert_eq!(date(&sent.to_be_bytes()), expected);
        }
        for (sent, expected) in [
            (-MICROSECONDS_TO_2000, Ok(0)),
            (i64::MAX, Ok(i64::MAX)),
            (i64::MIN, Ok(i64::MIN)),
            (
                i64::MAX - 1,
                Err(Fault::DatetimeOverflow("timestamp out of range")),
            ),
        ] {
            assert_eq!(timestamp(&sent.to_be_bytes()), expected);
        }
    }

    #[test]
    fn intervals_overflow_with_an_error() {
        let sent = |microseconds: i64| {
            [
                &microseconds.to_be_bytes()[..],
                &3i32.to_be_bytes(),
                &2i32.to_be_bytes(),
            ]
            .concat()
        };
        let value = interval(&sent(-1)).expect("in range");
        assert_eq!((value.months, value.days, value.nanoseconds), (2, 3, -1000));
        assert!(matches!(
            interval(&sent(i64::MAX)),
            Err(Fault::DatetimeOverflow(_))
        ));
    }

    #[test]
    fn wrong_lengths_are_refused() {
        for length in [0, 1, 3, 5, 9, 17] {
            let bytes = vec![0; length];
            assert!(int4(&bytes).is_err() && int8(&bytes).is_err() && uuid(&bytes).is_err());
            assert!(interval(&bytes).is_err());
            assert_eq!(boolean(&bytes).is_ok(), length == 1);
        }
        assert!(boolean(&[2]).is_err());
        assert!(time(&(-1i64).to_be_bytes()).is_err());
    }
}
