//! Logarithm and exponential by series, to a wanted number of digits. Called by
//! `numeric`.

use super::*;

/// ln as an integer of `digits` decimals: halve by square roots until the
/// argument is near one, then the series of 2·artanh((x-1)/(x+1)).
pub(super) fn ln_fixed(x: &Numeric, digits: u32) -> BigInt {
    let working = digits + 20;
    let one = power_of_ten(working);
    let mut value = &x.unscaled * power_of_ten(working) / power_of_ten(x.scale);
    let mut halvings = 0u32;
    // powers of ten come off exactly first, so that huge and tiny values keep their digits
    let exponent = x.unscaled.magnitude().to_string().len() as i64 - i64::from(x.scale) - 1;
    let mut tens = BigInt::from(0);
    if exponent.abs() > 2 {
        let shift = u32::try_from(exponent.unsigned_abs()).unwrap_or(0);
        value = match exponent {
            0.. => &x.unscaled * &one / power_of_ten(x.scale + shift),
            _ => &x.unscaled * &one * power_of_ten(shift) / power_of_ten(x.scale),
        };
        tens = ln_fixed(&Numeric::from(10), working) * exponent;
    }
    let near: BigInt = &one / 100;
    while (&value - &one).magnitude() > near.magnitude() && halvings < 64 {
        value = (&value * &one).sqrt();
        halvings += 1;
    }
    let z = (&value - &one) * &one / (&value + &one);
    let square = &z * &z / &one;
    let mut term: BigInt = z.clone();
    let mut sum = z;
    let mut n = 3u32;
    loop {
        term = &term * &square / &one;
        let next: BigInt = &term / n;
        if next.sign() == Sign::NoSign {
            break;
        }
        sum += next;
        n += 2;
    }
    let ln: BigInt = (sum * 2) << halvings;
    (ln + tens) / power_of_ten(20)
}

/// exp as an integer of `digits` decimals: the series at x / 2^k, squared k times.
pub(super) fn exp_fixed(x: &Numeric, digits: u32) -> BigInt {
    let working = digits + 30;
    let one = power_of_ten(working);
    let value = &x.unscaled * &one / power_of_ten(x.scale);
    let mut halvings = 0u32;
    let mut reduced: BigInt = value;
    let tenth: BigInt = &one / 10;
    while reduced.magnitude() > tenth.magnitude() {
        reduced /= 2;
        halvings += 1;
    }
    let mut term: BigInt = one.clone();
    let mut sum: BigInt = one.clone();
    let mut n = 1u32;
    loop {
        term = &term * &reduced / &one / n;
        if term.sign() == Sign::NoSign {
            break;
        }
        sum += &term;
        n += 1;
    }
    for _ in 0..halvings {
        sum = &sum * &sum / &one;
    }
    sum / power_of_ten(30)
}
