//! Exact decimal arithmetic with Postgres's result scales (section 8.1.2 of
//! the manual, numeric.c of its source). The engine's own kernels do `+ - *`
//! on decimals of a fixed scale; this does what they cannot.

mod series;

use std::cmp::Ordering;

use num_bigint::{BigInt, Sign};

use crate::error::{Error, Result, SqlState};
use series::{exp_fixed, ln_fixed};

/// Postgres keeps at least so many significant digits in quotients and roots.
const MIN_SIGNIFICANT: i64 = 16;
/// Digits of one base-10000 digit, by which Postgres measures weights.
const DIGITS: i64 = 4;
/// Working digits beyond the result's own in series.
const GUARD: u32 = 12;

/// `unscaled · 10^-scale`; `scale` is what is displayed after the point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Numeric {
    pub(super) unscaled: BigInt,
    pub(super) scale: u32,
}

pub(super) fn power_of_ten(exponent: u32) -> BigInt {
    BigInt::from(10).pow(exponent)
}

pub(super) fn division_by_zero() -> Error {
    Error::new(SqlState::DIVISION_BY_ZERO, "division by zero")
}

pub(super) fn overflow() -> Error {
    Error::new(
        SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
        "value overflows numeric format",
    )
}

impl From<i64> for Numeric {
    fn from(value: i64) -> Self {
        Numeric {
            unscaled: value.into(),
            scale: 0,
        }
    }
}

impl Numeric {
    pub(super) fn new(unscaled: impl Into<BigInt>, scale: u32) -> Self {
        Numeric {
            unscaled: unscaled.into(),
            scale,
        }
    }

    pub(super) fn is_zero(&self) -> bool {
        self.unscaled.sign() == Sign::NoSign
    }

    pub(super) fn is_negative(&self) -> bool {
        self.unscaled.sign() == Sign::Minus
    }

    /// `12.50`, `-3`, `1e5`; `None` where it is no number.
    pub(super) fn parse(text: &str) -> Option<Numeric> {
        let text = text.trim_matches(|c: char| c.is_ascii_whitespace());
        let (mantissa, exponent) = match text.find(['e', 'E']) {
            Some(at) => (&text[..at], text[at + 1..].parse::<i32>().ok()?),
            None => (text, 0),
        };
        if exponent.unsigned_abs() > 1_000 {
            return None;
        }
        let (negative, digits) = match mantissa.as_bytes().first()? {
            b'-' => (true, &mantissa[1..]),
            b'+' => (false, &mantissa[1..]),
            _ => (false, mantissa),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all = format!("{whole}{fraction}");
        if all.is_empty() || !all.bytes().all(|b| b.is_ascii_digit()) || all.len() > 2_000 {
            return None;
        }
        let mut unscaled: BigInt = all.parse().ok()?;
        if negative {
            unscaled = -unscaled;
        }
        let scale = i64::try_from(fraction.len()).ok()? - i64::from(exponent);
        Some(match u32::try_from(scale) {
            Ok(scale) => Numeric { unscaled, scale },
            Err(_) => Numeric {
                unscaled: unscaled * power_of_ten(u32::try_from(-scale).ok()?),
                scale: 0,
            },
        })
    }

    /// The shortest decimal that reads back as the float, as Postgres casts
    /// floats: 15 significant digits for double precision, 6 for real.
    pub(super) fn from_float(value: f64, significant: usize) -> Result<Numeric> {
        if !value.is_finite() {
            return Err(Error::unsupported(
                "NaN and infinity are not supported in numeric values here",
            ));
        }
        let text = format!("{value:.*e}", significant - 1);
        let parsed = Numeric::parse(&text).ok_or_else(overflow)?;
        Ok(parsed.trimmed())
    }

    pub(super) fn to_f64(&self) -> f64 {
        self.to_string().parse().unwrap_or(f64::NAN)
    }

    /// Without zeros at the end of the fraction.
    pub(super) fn trimmed(mut self) -> Numeric {
        let ten = BigInt::from(10);
        while self.scale > 0 && (&self.unscaled % &ten).sign() == Sign::NoSign {
            self.unscaled /= &ten;
            self.scale -= 1;
        }
        self
    }

    /// With more digits displayed, or the same.
    pub(super) fn at_scale(&self, scale: u32) -> BigInt {
        &self.unscaled * power_of_ten(scale.saturating_sub(self.scale))
    }

    /// Rounded half away from zero; a negative `digits` rounds before the point.
    pub(super) fn round(&self, digits: i32) -> Numeric {
        self.cut(digits, |quotient, remainder, divisor| {
            let twice: BigInt = remainder * 2;
            if twice.magnitude() >= divisor.magnitude() {
                quotient
                    + if remainder.sign() == Sign::Minus {
                        -1
                    } else {
                        1
                    }
            } else {
                quotient
            }
        })
    }

    pub(super) fn trunc(&self, digits: i32) -> Numeric {
        self.cut(digits, |quotient, _, _| quotient)
    }

    pub(super) fn floor(&self) -> Numeric {
        self.cut(0, |quotient, remainder, _| match remainder.sign() {
            Sign::Minus => quotient - 1,
            _ => quotient,
        })
    }

    pub(super) fn ceil(&self) -> Numeric {
        self.cut(0, |quotient, remainder, _| match remainder.sign() {
            Sign::Plus => quotient + 1,
            _ => quotient,
        })
    }

    fn cut(&self, digits: i32, adjust: impl Fn(BigInt, &BigInt, &BigInt) -> BigInt) -> Numeric {
        let drop = i64::from(self.scale) - i64::from(digits.clamp(-2_000, 2_000));
        let kept = digits.max(0).unsigned_abs();
        if drop <= 0 {
            return Numeric::new(self.at_scale(kept.min(1_000)), kept.min(1_000));
        }
        let divisor = power_of_ten(u32::try_from(drop).unwrap_or(u32::MAX));
        let quotient = &self.unscaled / &divisor;
        let remainder = &self.unscaled % &divisor;
        let cut = adjust(quotient, &remainder, &divisor);
        if digits < 0 {
            return Numeric::new(cut * power_of_ten(digits.unsigned_abs()), 0);
        }
        Numeric::new(cut, kept)
    }

    pub(super) fn add(&self, other: &Numeric) -> Numeric {
        let scale = self.scale.max(other.scale);
        Numeric::new(self.at_scale(scale) + other.at_scale(scale), scale)
    }

    pub(super) fn negate(&self) -> Numeric {
        Numeric::new(-&self.unscaled, self.scale)
    }

    pub(super) fn multiply(&self, other: &Numeric) -> Numeric {
        Numeric::new(&self.unscaled * &other.unscaled, self.scale + other.scale)
    }

    /// With the scale of select_div_scale, rounded half away from zero.
    pub(super) fn divide(&self, other: &Numeric) -> Result<Numeric> {
        if other.is_zero() {
            return Err(division_by_zero());
        }
        let scale = self.quotient_scale(other);
        Ok(self.divide_at(other, scale))
    }

    fn divide_at(&self, other: &Numeric, scale: u32) -> Numeric {
        // one digit more than is kept, so that rounding sees it
        let raised = &self.unscaled * power_of_ten(scale + 1 + other.scale);
        let divisor = other.at_scale(other.scale) * power_of_ten(self.scale);
        let quotient = &raised / &divisor;
        let exact = (&raised % &divisor).sign() == Sign::NoSign;
        let _ = exact;
        Numeric::new(quotient, scale + 1).round(i32::try_from(scale).unwrap_or(i32::MAX))
    }

    fn quotient_scale(&self, other: &Numeric) -> u32 {
        let (weight1, first1) = self.weight_and_first();
        let (weight2, first2) = other.weight_and_first();
        let mut weight = weight1 - weight2;
        if first1 <= first2 {
            weight -= 1;
        }
        let scale = (MIN_SIGNIFICANT - weight * DIGITS)
            .max(i64::from(self.scale))
            .max(i64::from(other.scale));
        u32::try_from(scale.clamp(0, 1_000)).unwrap_or(0)
    }

    /// Postgres's weight: the power of 10000 of the first base-10000 digit, and that digit.
    fn weight_and_first(&self) -> (i64, i64) {
        if self.is_zero() {
            return (0, 0);
        }
        let digits = self.unscaled.magnitude().to_string();
        // decimal exponent of the first digit
        let exponent = digits.len() as i64 - i64::from(self.scale) - 1;
        let weight = exponent.div_euclid(DIGITS);
        let take = usize::try_from(exponent.rem_euclid(DIGITS) + 1).unwrap_or(1);
        let first: String = digits.chars().chain("0000".chars()).take(take).collect();
        (weight, first.parse().unwrap_or(0))
    }

    /// The remainder with the sign of the dividend, as `%` and mod().
    pub(super) fn modulo(&self, other: &Numeric) -> Result<Numeric> {
        if other.is_zero() {
            return Err(division_by_zero());
        }
        let scale = self.scale.max(other.scale);
        Ok(Numeric::new(
            self.at_scale(scale) % other.at_scale(scale),
            scale,
        ))
    }

    pub(super) fn compare(&self, other: &Numeric) -> Ordering {
        let scale = self.scale.max(other.scale);
        self.at_scale(scale).cmp(&other.at_scale(scale))
    }

    /// The integer that rounding half away from zero gives.
    pub(super) fn to_integer(&self) -> Option<i64> {
        i64::try_from(self.round(0).unscaled).ok()
    }

    pub(super) fn sqrt(&self) -> Result<Numeric> {
        if self.is_negative() {
            return Err(Error::new(
                SqlState::INVALID_POWER_ARGUMENT,
                "cannot take square root of a negative number",
            ));
        }
        let (weight, _) = self.weight_and_first();
        let before_point = match weight {
            0.. => weight * DIGITS / 2 + 1,
            _ => 1 - (1 - weight * DIGITS) / 2,
        };
        let scale = (MIN_SIGNIFICANT - before_point)
            .max(i64::from(self.scale))
            .clamp(0, 1_000);
        let scale = u32::try_from(scale).unwrap_or(0);
        let raised = self.at_scale(self.scale) * power_of_ten(2 * (scale + 1) + self.scale);
        let root = (raised.sqrt() / power_of_ten(self.scale)).clone();
        Ok(Numeric::new(root, scale + 1).round(i32::try_from(scale).unwrap_or(0)))
    }

    pub(super) fn ln(&self) -> Result<Numeric> {
        self.check_logarithm()?;
        let scale = result_scale(MIN_SIGNIFICANT - self.ln_weight(), &[self]);
        let value = ln_fixed(self, scale + GUARD);
        Ok(Numeric::new(value, scale + GUARD).round(scale as i32))
    }

    /// The logarithm of `self` to `base`.
    pub(super) fn log(&self, base: &Numeric) -> Result<Numeric> {
        self.check_logarithm()?;
        base.check_logarithm()?;
        let weight = self.ln_weight() - base.ln_weight();
        let scale = result_scale(MIN_SIGNIFICANT - weight, &[self, base]);
        let working = scale + 2 * GUARD;
        let divisor = Numeric::new(ln_fixed(base, working), working);
        if divisor.is_zero() {
            return Err(division_by_zero());
        }
        let dividend = Numeric::new(ln_fixed(self, working), working);
        Ok(dividend.divide_at(&divisor, scale))
    }

    fn check_logarithm(&self) -> Result<()> {
        let what = match self.unscaled.sign() {
            Sign::Plus => return Ok(()),
            Sign::NoSign => "zero",
            Sign::Minus => "a negative number",
        };
        Err(Error::new(
            SqlState::INVALID_LOGARITHM_ARGUMENT,
            format!("cannot take logarithm of {what}"),
        ))
    }

    /// estimate_ln_dweight: the decimal weight of the natural logarithm.
    fn ln_weight(&self) -> i64 {
        let x = self.to_f64();
        if (0.9..=1.1).contains(&x) {
            let distance = self.add(&Numeric::from(-1));
            if distance.is_zero() {
                return 0;
            }
            let digits = distance.unscaled.magnitude().to_string().len() as i64;
            return digits - i64::from(distance.scale) - 1;
        }
        let ln = x.ln();
        if ln.is_finite() && ln != 0.0 {
            ln.abs().log10() as i64
        } else {
            let digits = self.unscaled.magnitude().to_string().len() as f64;
            ((digits - f64::from(self.scale)) * std::f64::consts::LN_10)
                .abs()
                .log10() as i64
        }
    }

    pub(super) fn exp(&self) -> Result<Numeric> {
        let x = self.to_f64();
        if x >= 400.0 {
            return Err(overflow());
        }
        let digits = x * std::f64::consts::LOG10_E;
        let scale = result_scale(MIN_SIGNIFICANT - digits as i64, &[self]);
        if digits < -1_500.0 {
            return Ok(Numeric::new(0, scale));
        }
        let guard = GUARD + digits.max(0.0) as u32;
        let value = exp_fixed(self, scale + guard);
        Ok(Numeric::new(value, scale + guard).round(scale as i32))
    }

    pub(super) fn power(&self, exponent: &Numeric) -> Result<Numeric> {
        let whole = (exponent.clone().trimmed().scale == 0)
            .then(|| exponent.to_integer())
            .flatten();
        self.check_power(exponent, whole)?;
        if let Some(0) = whole {
            return Ok(Numeric::new(power_of_ten(16), 16));
        }
        let magnitude = self.abs().to_f64();
        let digits = if self.is_zero() {
            0.0
        } else {
            exponent.to_f64() * magnitude.log10()
        };
        if digits > 400.0 {
            return Err(overflow());
        }
        let scale = result_scale(MIN_SIGNIFICANT - digits as i64, &[self, exponent]);
        if self.is_zero() || digits < -1_500.0 {
            return Ok(Numeric::new(0, scale));
        }
        if let Some(whole) = whole.and_then(|whole| i32::try_from(whole).ok())
            && whole.unsigned_abs() <= 2_000
        {
            let raised = Numeric::new(
                self.unscaled.pow(whole.unsigned_abs()),
                self.scale * whole.unsigned_abs(),
            );
            return Ok(match whole {
                0.. => raised.round(scale as i32),
                _ => Numeric::from(1).divide_at(&raised, scale),
            });
        }
        let guard = GUARD + digits.abs() as u32 + exponent.to_f64().abs().log10().max(0.0) as u32;
        let working = scale + 2 * guard;
        let ln = Numeric::new(ln_fixed(&self.abs(), working), working);
        let value = exp_fixed(&ln.multiply(exponent), working);
        let value = Numeric::new(value, working).round(scale as i32);
        let odd = whole.is_some_and(|whole| whole % 2 != 0);
        Ok(if self.is_negative() && odd {
            value.negate()
        } else {
            value
        })
    }

    fn check_power(&self, exponent: &Numeric, whole: Option<i64>) -> Result<()> {
        let why = if self.is_zero() && exponent.is_negative() {
            "zero raised to a negative power is undefined"
        } else if self.is_negative() && whole.is_none() {
            "a negative number raised to a non-integer power yields a complex result"
        } else {
            return Ok(());
        };
        Err(Error::new(SqlState::INVALID_POWER_ARGUMENT, why))
    }

    pub(super) fn abs(&self) -> Numeric {
        Numeric::new(BigInt::from(self.unscaled.magnitude().clone()), self.scale)
    }
}

/// At least what any argument displays.
fn result_scale(wanted: i64, arguments: &[&Numeric]) -> u32 {
    let least = arguments
        .iter()
        .map(|n| i64::from(n.scale))
        .max()
        .unwrap_or(0);
    u32::try_from(wanted.max(least).clamp(0, 1_000)).unwrap_or(0)
}

impl std::fmt::Display for Numeric {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scale = self.scale as usize;
        let digits = format!("{:0>width$}", self.unscaled.magnitude(), width = scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        if self.is_negative() {
            f.write_str("-")?;
        }
        f.write_str(whole)?;
        if scale > 0 {
            write!(f, ".{fraction}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
