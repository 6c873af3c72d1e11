//! numeric parameters: the smallest decimal that holds the value exactly.

use datafusion::arrow::datatypes::i256;
use datafusion::scalar::ScalarValue;

use super::binary::fixed;

/// A numeric with as many digits after the point as the text has.
pub(super) fn numeric(text: &str) -> Option<ScalarValue> {
    let (negative, unsigned) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let scale = i32::try_from(fraction.len()).ok()? - exponent;
    decimal(negative, &digits, scale)
}

/// `digits` × 10^-`scale` in the smallest decimal that holds it.
pub(super) fn decimal(negative: bool, digits: &str, scale: i32) -> Option<ScalarValue> {
    let mut digits = digits.trim_start_matches('0').to_string();
    let mut scale = scale;
    if scale < 0 {
        if scale < -80 && !digits.is_empty() {
            return None;
        }
        digits.extend(std::iter::repeat_n('0', usize::try_from(-scale).ok()?));
        scale = 0;
    }
    // zeros at the end of a fraction mean nothing to a value without a scale
    while scale > 0 && digits.len() > 76 && digits.ends_with('0') {
        digits.pop();
        scale -= 1;
    }
    let scale = i8::try_from(scale).ok().filter(|scale| *scale <= 76)?;
    if digits.is_empty() {
        digits.push('0');
    }
    let sign = if negative { "-" } else { "" };
    let text = format!("{sign}{digits}");
    // no wider than the value: the width of what is computed from it grows
    let needed = digits.len().max(usize::try_from(scale).ok()?);
    if needed <= 38 {
        let precision = u8::try_from(needed).ok()?;
        return Some(ScalarValue::Decimal128(
            Some(text.parse().ok()?),
            precision,
            scale,
        ));
    }
    if needed <= 76 {
        let value: i256 = text.parse().ok()?;
        return Some(ScalarValue::Decimal256(Some(value), 76, scale));
    }
    None
}

/// numeric_recv: digit count, weight, sign, display scale, base-10000 digits.
pub(super) fn binary_numeric(bytes: &[u8]) -> Option<ScalarValue> {
    let word = |at: usize| -> Option<u16> {
        bytes
            .get(at..at + 2)
            .and_then(fixed::<2>)
            .map(u16::from_be_bytes)
    };
    let count = usize::from(word(0)?);
    // two's complement
    let weight = i32::from(word(2)? as i16);
    let negative = match word(4)? {
        0 => false,
        0x4000 => true,
        // NaN and the infinities have no decimal
        _ => return None,
    };
    let scale = i32::from(word(6)?);
    if bytes.len() != 8 + count * 2 || scale > 16_383 {
        return None;
    }
    let mut digits = String::with_capacity(count * 4);
    for position in 0..count {
        let group = word(8 + position * 2)?;
        if group > 9999 {
            return None;
        }
        digits.push_str(&format!("{group:04}"));
    }
    // the digits end at this decimal place; bring them to the display scale
    let mut at = (i32::try_from(count).ok()? - 1 - weight) * 4;
    while at > scale && digits.ends_with('0') {
        digits.pop();
        at -= 1;
    }
    if at < scale && scale - at <= 80 {
        digits.extend(std::iter::repeat_n('0', usize::try_from(scale - at).ok()?));
        at = scale;
    }
    decimal(negative, &digits, at)
}
