//! float4 and float8 as Postgres prints them: the shortest digits that read
//! back the same, or a fixed number of digits when extra_float_digits is below
//! one (section 20.11.2 of the Postgres manual).

/// Decimal exponents from which float4 and float8 use the e notation.
const LARGE_FLOAT4: i32 = 6;
const LARGE_FLOAT8: i32 = 15;

pub fn write_float8(out: &mut Vec<u8>, value: f64, extra_digits: i32) {
    if special(out, value) {
        return;
    }
    if extra_digits > 0 {
        shortest(out, ryu::Buffer::new().format_finite(value), LARGE_FLOAT8);
    } else {
        rounded(out, value, (15 + extra_digits).max(1));
    }
}

pub fn write_float4(out: &mut Vec<u8>, value: f32, extra_digits: i32) {
    if special(out, f64::from(value)) {
        return;
    }
    if extra_digits > 0 {
        shortest(out, ryu::Buffer::new().format_finite(value), LARGE_FLOAT4);
    } else {
        rounded(out, f64::from(value), (6 + extra_digits).max(1));
    }
}

fn special(out: &mut Vec<u8>, value: f64) -> bool {
    let text: &[u8] = if value.is_nan() {
        b"NaN"
    } else if value == f64::INFINITY {
        b"Infinity"
    } else if value == f64::NEG_INFINITY {
        b"-Infinity"
    } else {
        return false;
    };
    out.extend_from_slice(text);
    true
}

/// From another printer's shortest form to Postgres's notation.
fn shortest(out: &mut Vec<u8>, printed: &str, large: i32) {
    notation(out, printed, large);
}

/// printf's `%.*g`.
fn rounded(out: &mut Vec<u8>, value: f64, digits: i32) {
    let precision = usize::try_from(digits - 1).unwrap_or(0);
    notation(out, &format!("{value:.precision$e}"), digits);
}

/// Any decimal number in `printed`, without needless zeros, in positional
/// notation for exponents from -4 to below `large`, else in e notation.
fn notation(out: &mut Vec<u8>, printed: &str, large: i32) {
    let (mantissa, exponent) = match printed.split_once('e') {
        Some((mantissa, exponent)) => (mantissa, exponent.parse().unwrap_or(0)),
        None => (printed, 0),
    };
    let mantissa = match mantissa.strip_prefix('-') {
        Some(rest) => {
            out.push(b'-');
            rest
        }
        None => mantissa,
    };
    // at most 17 significant digits, and up to 16 leading zeros
    let mut digits = [0u8; 48];
    let mut length = 0;
    let mut point = None;
    for byte in mantissa.bytes() {
        if byte == b'.' {
            point = Some(length);
        } else if length < digits.len() {
            digits[length] = byte;
            length += 1;
        }
    }
    let point = i32::try_from(point.unwrap_or(length)).unwrap_or(0) + exponent;
    let leading = digits[..length].iter().take_while(|b| **b == b'0').count();
    let trailing = digits[leading..length]
        .iter()
        .rev()
        .take_while(|b| **b == b'0')
        .count();
    let significant = &digits[leading..length - trailing];
    if significant.is_empty() {
        out.push(b'0');
        return;
    }
    // value = 0.significant × 10^point
    let point = point - i32::try_from(leading).unwrap_or(0);
    let exponent = point - 1;
    if (-4..large).contains(&exponent) {
        positional(out, significant, point);
    } else {
        out.push(significant[0]);
        if significant.len() > 1 {
            out.push(b'.');
            out.extend_from_slice(&significant[1..]);
        }
        out.extend_from_slice(if exponent < 0 { b"e-" } else { b"e+" });
        super::padded(out, u64::from(exponent.unsigned_abs()), 2);
    }
}

fn positional(out: &mut Vec<u8>, significant: &[u8], point: i32) {
    match usize::try_from(point) {
        Ok(0) | Err(_) => {
            out.extend_from_slice(b"0.");
            for _ in 0..point.unsigned_abs() {
                out.push(b'0');
            }
            out.extend_from_slice(significant);
        }
        Ok(point) if point >= significant.len() => {
            out.extend_from_slice(significant);
            for _ in significant.len()..point {
                out.push(b'0');
            }
        }
        Ok(point) => {
            out.extend_from_slice(&significant[..point]);
            out.push(b'.');
            out.extend_from_slice(&significant[point..]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn float8(value: f64, extra: i32) -> String {
        let mut out = Vec::new();
        write_float8(&mut out, value, extra);
        String::from_utf8(out).expect("ASCII")
    }

    fn float4(value: f32) -> String {
        let mut out = Vec::new();
        write_float4(&mut out, value, 1);
        String::from_utf8(out).expect("ASCII")
    }

    #[test]
    fn float8_prints_as_postgres() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (-1.5, "-1.5"),
            (0.1, "0.1"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (123456.789, "123456.789"),
            (1e14, "100000000000000"),
            (1e15, "1e+15"),
            (1e20, "1e+20"),
            (123456789012345.0, "123456789012345"),
            (1234567890123456.0, "1.234567890123456e+15"),
            (1e100, "1e+100"),
            (1e-300, "1e-300"),
            (f64::MAX, "1.7976931348623157e+308"),
            (5e-324, "5e-324"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "Infinity"),
            (f64::NEG_INFINITY, "-Infinity"),
            (1.0 / 3.0, "0.3333333333333333"),
        ] {
            assert_eq!(float8(value, 1), text);
        }
        assert_eq!(float8(0.1 + 0.2, 1), "0.30000000000000004");
        assert_eq!(float8(0.1 + 0.2, 0), "0.3");
        assert_eq!(float8(1.0 / 3.0, -10), "0.33333");
        assert_eq!(float8(123456789.0, -10), "1.2346e+08");
    }

    #[test]
    fn float4_prints_as_postgres() {
        for (value, text) in [
            (1.1, "1.1"),
            (100000.0, "100000"),
            (1e6, "1e+06"),
            (1234567.0, "1.234567e+06"),
            (0.00001, "1e-05"),
            (f32::MAX, "3.4028235e+38"),
        ] {
            assert_eq!(float4(value), text);
        }
    }
}
