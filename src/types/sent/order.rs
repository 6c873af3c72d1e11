//! Bytes that compare as Postgres compares the values, and what can be said of
//! types' equality and order by their text.

use super::read::Bytes;
use super::{OwnType, Sent, render};

const ALL_BITS: i64 = i64::MIN;

impl Sent {
    /// Are two values equal if and only if their bytes are?
    pub fn is_equal_by_bytes(&self) -> bool {
        match self.own.get(&self.pg_type.oid) {
            Some(OwnType::Enum) => true,
            Some(OwnType::Range(subtype) | OwnType::Multirange(subtype)) => {
                matches!(subtype, 20 | 21 | 23 | 25 | 1082 | 1114 | 1184)
            }
            Some(_) => false,
            None => is_equal_by_bytes(self.pg_type.oid),
        }
    }

    /// Are two values equal if and only if their texts are?
    pub fn is_equal_by_text(&self) -> bool {
        let own = self.own.get(&self.pg_type.oid);
        let element = match own {
            Some(OwnType::Array(element)) => Some(*element),
            Some(_) => None,
            None => render::element_of(self.pg_type.oid),
        };
        match element {
            Some(element) => match self.own.get(&element) {
                Some(own) => *own == OwnType::Enum,
                None => is_equal_by_bytes(element),
            },
            None => self.is_equal_by_bytes(),
        }
    }

    /// Do values sort as their texts do? Digits of one width in both.
    pub fn sorts_as_text(&self) -> bool {
        matches!(self.pg_type.oid, 774 | 829 | 1560 | 1562)
    }

    /// Is there a key for its values?
    pub fn has_order_key(&self) -> bool {
        matches!(
            self.pg_type.oid,
            27 | 650 | 790 | 869 | 1266 | 1700 | 3220 | 5069
        )
    }

    /// Bytes that sort as the values do; `Err` where a value is malformed.
    pub fn write_order_key(
        &self,
        value: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), super::Unwritable> {
        let value = self.binary(value)?;
        key(self.pg_type.oid, value, out).ok_or(super::Unwritable::Malformed)
    }
}

/// Of built-in types that are no arrays.
fn is_equal_by_bytes(oid: u32) -> bool {
    let scalar = matches!(
        oid,
        18 | 24 | 27 | 650 | 774 | 790 | 829 | 869 | 1266 | 1560 | 1562 | 2202
            ..=2206 | 3220 | 3614 | 3734 | 3769 | 4089 | 4096 | 4191 | 5069
    );
    let subtype = render::subtype_of_range(oid).or_else(|| render::subtype_of_multirange(oid));
    scalar || subtype.is_some_and(|subtype| subtype != 1700)
}

fn key(oid: u32, value: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut bytes = Bytes(value);
    match oid {
        27 | 3220 | 5069 => {
            out.extend_from_slice(value);
            return Some(());
        }
        790 => out.extend_from_slice(&(bytes.i64()? ^ ALL_BITS).to_be_bytes()),
        1266 => {
            // by the moment, then by the zone: timetz_cmp_internal
            let time = bytes.i64()?;
            let west = bytes.i32()?;
            let moment = time.checked_add(i64::from(west) * 1_000_000)?;
            out.extend_from_slice(&(moment ^ ALL_BITS).to_be_bytes());
            out.extend_from_slice(&(west ^ i32::MIN).to_be_bytes());
        }
        650 | 869 => return inet(bytes, out),
        1700 => return numeric(bytes, out),
        _ => return None,
    }
    bytes.end()
}

/// By family, network, length of the mask, address: network_cmp_internal.
fn inet(mut bytes: Bytes<'_>, out: &mut Vec<u8>) -> Option<()> {
    let family = bytes.byte()?;
    let mask = bytes.byte()?;
    let _is_cidr = bytes.byte()?;
    let length = usize::from(bytes.byte()?);
    let address = bytes.0;
    if address.len() != length || usize::from(mask) > length * 8 {
        return None;
    }
    out.push(family);
    for (position, byte) in address.iter().enumerate() {
        let bits = usize::from(mask).saturating_sub(position * 8).min(8);
        let kept = !(0xffu16 >> bits) as u8;
        out.push(byte & kept);
    }
    out.push(mask);
    out.extend_from_slice(address);
    Some(())
}

/// -Infinity, negative numbers, zero, positive numbers, Infinity, NaN.
fn numeric(mut bytes: Bytes<'_>, out: &mut Vec<u8>) -> Option<()> {
    let count = usize::from(bytes.u16()?);
    let weight = bytes.i16()?;
    let sign = bytes.u16()?;
    let _scale = bytes.u16()?;
    if bytes.0.len() != count * 2 {
        return None;
    }
    let digits = bytes.0;
    let end = digits
        .chunks_exact(2)
        .rposition(|digit| digit != [0, 0])
        .map_or(0, |last| last * 2 + 2);
    let class = match (sign, end) {
        (0xf000, _) => 0,
        (0x4000, 1..) => 1,
        (0 | 0x4000, 0) => 2,
        (0, _) => 3,
        (0xd000, _) => 4,
        (0xc000, _) => 5,
        _ => return None,
    };
    out.push(class);
    if !matches!(class, 1 | 3) {
        return Some(());
    }
    let start = out.len();
    out.extend_from_slice(&(weight ^ i16::MIN).to_be_bytes());
    out.extend_from_slice(&digits[..end]);
    if class == 1 {
        // the larger the magnitude the smaller; the end is above every digit
        out[start..].iter_mut().for_each(|byte| *byte = !*byte);
        out.extend_from_slice(&[0xff, 0xff]);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(oid: u32, values: &[&[u8]]) {
        let keys: Vec<Vec<u8>> = values
            .iter()
            .map(|value| {
                let mut out = Vec::new();
                key(oid, value, &mut out).expect("a value");
                out
            })
            .collect();
        for (place, pair) in keys.windows(2).enumerate() {
            assert!(pair[0] < pair[1], "{oid}: {place}");
        }
    }

    fn number(weight: i16, sign: u16, digits: &[u16]) -> Vec<u8> {
        let count = digits.len() as u16;
        let words = [count, weight.cast_unsigned(), sign, 0];
        let words = words.iter().chain(digits);
        words.flat_map(|word| word.to_be_bytes()).collect()
    }

    #[test]
    fn keys_sort_as_values_do() {
        let numbers = [
            number(0, 0xf000, &[]),
            number(1, 0x4000, &[1]),
            number(0, 0x4000, &[1, 5000]),
            number(0, 0x4000, &[1]),
            number(-1, 0x4000, &[1]),
            number(0, 0, &[]),
            number(-5, 0, &[9999]),
            number(0, 0, &[1]),
            number(0, 0, &[1, 5000]),
            number(0, 0, &[2]),
            number(20, 0, &[1]),
            number(0, 0xd000, &[]),
            number(0, 0xc000, &[]),
        ];
        sorted(1700, &numbers.each_ref().map(Vec::as_slice));
        let addresses: [[u8; 8]; 6] = [
            [2, 0, 0, 4, 128, 0, 0, 0],
            [2, 8, 0, 4, 10, 0, 0, 0],
            [2, 8, 0, 4, 10, 1, 0, 0],
            [2, 16, 0, 4, 10, 0, 0, 0],
            [2, 32, 0, 4, 10, 0, 0, 1],
            [2, 16, 0, 4, 10, 1, 0, 0],
        ];
        sorted(869, &addresses.each_ref().map(|bytes| bytes.as_slice()));
        let money = [-5i64, 0, 5].map(i64::to_be_bytes);
        sorted(790, &money.each_ref().map(|bytes| bytes.as_slice()));
    }

    #[test]
    fn equal_numbers_have_equal_keys() {
        let mut keys = Vec::new();
        for value in [number(0, 0, &[1]), number(0, 0, &[1, 0])] {
            let mut out = Vec::new();
            key(1700, &value, &mut out).expect("a number");
            keys.push(out);
        }
        assert_eq!(keys[0], keys[1]);
    }
}
