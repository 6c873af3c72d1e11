//! numeric's binary form → a decimal's unscaled integer, exactly or not at all.
//!
//! Sent are base-10000 digits: a count, the weight (power of 10000) of the first,
//! a sign, the display scale (which changes no value) and the digits, 16 bits
//! each: `numeric_send` in Postgres's src/backend/utils/adt/numeric.c.

use datafusion::arrow::datatypes::i256;

use super::fault::{Fault, Result};

const NEGATIVE: u16 = 0x4000;

struct Digits<'a> {
    /// Big-endian pairs.
    bytes: &'a [u8],
    weight: i32,
    negative: bool,
}

/// The two integers that carry decimals.
pub(super) trait Unscaled: Copy + PartialOrd {
    const ZERO: Self;
    fn from_small(value: u16) -> Self;
    fn times(self, factor: Self) -> Option<Self>;
    fn plus(self, other: Self) -> Option<Self>;
    fn negated(self) -> Self;
}

impl Unscaled for i128 {
    const ZERO: Self = 0;
    fn from_small(value: u16) -> Self {
        i128::from(value)
    }
    fn times(self, factor: Self) -> Option<Self> {
        self.checked_mul(factor)
    }
    fn plus(self, other: Self) -> Option<Self> {
        self.checked_add(other)
    }
    fn negated(self) -> Self {
        -self
    }
}

impl Unscaled for i256 {
    const ZERO: Self = i256::ZERO;
    fn from_small(value: u16) -> Self {
        i256::from_i128(i128::from(value))
    }
    fn times(self, factor: Self) -> Option<Self> {
        self.checked_mul(factor)
    }
    fn plus(self, other: Self) -> Option<Self> {
        self.checked_add(other)
    }
    fn negated(self) -> Self {
        self.wrapping_neg()
    }
}

/// `precision` at most 38.
pub(super) fn decimal128(bytes: &[u8], precision: u8, scale: i8) -> Result<i128> {
    let digits = Digits::parse(bytes)?;
    let limit = power_of_ten::<i128>(precision.into());
    digits.fitting(limit, precision, scale)
}

/// `precision` at most 76. Most values fit the machine's own 128 bits, which are far faster.
pub(super) fn decimal256(bytes: &[u8], precision: u8, scale: i8) -> Result<i256> {
    let digits = Digits::parse(bytes)?;
    if let Some(small) = digits.unscaled::<i128>(scale)?
        && precision >= 39
    {
        return Ok(i256::from_i128(small));
    }
    let limit = power_of_ten::<i256>(precision.into());
    digits.fitting(limit, precision, scale)
}

impl<'a> Digits<'a> {
    fn parse(bytes: &'a [u8]) -> Result<Self> {
        let (header, bytes) = bytes
            .split_first_chunk::<8>()
            .ok_or(Fault::Malformed("a numeric ends in its header"))?;
        let [c0, c1, w0, w1, s0, s1, _, _] = *header;
        let negative = match u16::from_be_bytes([s0, s1]) {
            0 => false,
            NEGATIVE => true,
            0xc000 => return Err(Fault::NotANumber("NaN")),
            0xd000 => return Err(Fault::NotANumber("Infinity")),
            0xf000 => return Err(Fault::NotANumber("-Infinity")),
            _ => return Err(Fault::Malformed("a numeric has an unknown sign")),
        };
        if bytes.len() != usize::from(u16::from_be_bytes([c0, c1])) * 2 {
            return Err(Fault::Malformed("a numeric has the wrong length"));
        }
        Ok(Digits {
            bytes,
            weight: i16::from_be_bytes([w0, w1]).into(),
            negative,
        })
    }

    fn fitting<T: Unscaled>(&self, limit: Option<T>, precision: u8, scale: i8) -> Result<T> {
        let too_large = || {
            Fault::OutOfRange(format!(
                "a value has more digits than numeric({precision},{scale}) carries"
            ))
        };
        let value = self.unscaled::<T>(scale)?.ok_or_else(too_large)?;
        let magnitude = if self.negative {
            value.negated()
        } else {
            value
        };
        match limit {
            Some(limit) if magnitude >= limit => Err(too_large()),
            _ => Ok(value),
        }
    }

    /// The value times ten to the `scale`; `None` if `T` cannot hold it. A value
    /// with more fractional digits than `scale` is an error, never rounded.
    fn unscaled<T: Unscaled>(&self, scale: i8) -> Result<Option<T>> {
        let mut value = T::ZERO;
        let mut place = self.weight * 4 + i32::from(scale);
        for pair in self.bytes.chunks_exact(2) {
            let digit = u16::from_be_bytes([pair[0], pair[1]]);
            if digit > 9999 {
                return Err(Fault::Malformed("a numeric has a digit above 9999"));
            }
            // The digit's own factor is ten to the `place`; below zero some of
            // its four decimal digits, or all, lie beyond the scale.
            let cut = u32::try_from(-place).unwrap_or(0).min(4);
            let (shift, unit) = (10u16.pow(4 - cut), 10u16.pow(cut));
            if digit % unit != 0 {
                return Err(Fault::OutOfRange(format!(
                    "a value has more than {scale} digits after the decimal point"
                )));
            }
            let next = value
                .times(T::from_small(shift))
                .and_then(|shifted| shifted.plus(T::from_small(digit / unit)));
            match next {
                Some(next) => value = next,
                None => return Ok(None),
            }
            place -= 4;
        }
        // `place` is now four below the last digit's.
        let missing = u32::try_from(place + 4).unwrap_or(0);
        if value > T::ZERO && missing > 0 {
            match power_of_ten(missing).and_then(|factor| value.times(factor)) {
                Some(scaled) => value = scaled,
                None => return Ok(None),
            }
        }
        Ok(Some(if self.negative {
            value.negated()
        } else {
            value
        }))
    }
}

/// `None` if `T` cannot hold it.
fn power_of_ten<T: Unscaled>(exponent: u32) -> Option<T> {
    // 10^76 is the most that 256 bits hold; larger exponents need no loop.
    if exponent > 76 {
        return None;
    }
    (0..exponent).try_fold(T::from_small(1), |power, _| power.times(T::from_small(10)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(weight: i16, sign: u16, digits: &[u16]) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend((digits.len() as u16).to_be_bytes());
        bytes.extend(weight.to_be_bytes());
        bytes.extend(sign.to_be_bytes());
        bytes.extend(0u16.to_be_bytes());
        bytes.extend(digits.iter().flat_map(|digit| digit.to_be_bytes()));
        bytes
    }

    #[test]
    fn exact_values() {
        for (weight, sign, digits, scale, expected) in [
            (0, 0, &[][..], 2, 0),
            (0, 0, &[1, 5000], 2, 150),
            (0, NEGATIVE, &[1, 5000], 2, -150),
            (0, 0, &[1, 5000], 1, 15),
            (-1, 0, &[1], 4, 1),
            (-1, 0, &[1], 6, 100),
            (1, 0, &[12], 0, 120_000),
            (1, 0, &[12], 3, 120_000_000),
            (0, 0, &[9999], 0, 9999),
        ] {
            let bytes = sent(weight, sign, digits);
            assert_eq!(decimal128(&bytes, 38, scale), Ok(expected), "{digits:?}");
            let wide = decimal256(&bytes, 76, scale);
            assert_eq!(wide, Ok(i256::from_i128(expected)), "{digits:?}");
        }
    }

    #[test]
    fn the_largest_values_fit_and_the_next_do_not() {
        // 38 nines at scale 2: 36 nines before the point, 99 after it
        let mut digits = vec![9999; 9];
        digits.push(9900);
        let nines = 10i128.pow(38) - 1;
        assert_eq!(decimal128(&sent(8, 0, &digits), 38, 2), Ok(nines));
        assert!(matches!(
            decimal128(&sent(9, 0, &[1]), 38, 2),
            Err(Fault::OutOfRange(_))
        ));
        let wide = decimal256(&sent(13, NEGATIVE, &[9999]), 76, 20);
        let expected = i256::from_i128(-9999).checked_mul(i256::from_i128(10).pow_checked_72());
        assert_eq!(wide.ok(), expected);
        for weight in [14, 5000, i16::MAX] {
            assert!(matches!(
                decimal256(&sent(weight, 0, &[1]), 76, 20),
                Err(Fault::OutOfRange(_))
            ));
        }
    }

    trait Pow72 {
        fn pow_checked_72(self) -> i256;
    }
    impl Pow72 for i256 {
        fn pow_checked_72(self) -> i256 {
            (0..72).fold(i256::ONE, |power, _| power.wrapping_mul(self))
        }
    }

    #[test]
    fn nothing_is_rounded() {
        for (weight, digits, scale) in [(-1, [1500], 1), (-1, [1], 3), (-9000, [1], 20)] {
            assert!(matches!(
                decimal128(&sent(weight, 0, &digits), 38, scale),
                Err(Fault::OutOfRange(_))
            ));
        }
    }

    #[test]
    fn what_is_no_number_is_named() {
        for (sign, name) in [(0xc000, "NaN"), (0xd000, "Infinity"), (0xf000, "-Infinity")] {
            assert_eq!(
                decimal256(&sent(0, sign, &[]), 76, 20),
                Err(Fault::NotANumber(name))
            );
        }
    }

    #[test]
    fn malformed_bytes_are_refused() {
        for bytes in [
            vec![],
            vec![0; 7],
            vec![0xff; 8],
            sent(0, 0, &[10_000]),
            sent(0, 1, &[1]),
            [sent(0, 0, &[1]), vec![0]].concat(),
        ] {
            assert!(
                matches!(decimal128(&bytes, 38, 2), Err(Fault::Malformed(_))),
                "{bytes:?}"
            );
        }
    }
}
