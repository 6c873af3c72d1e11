//! inet, cidr and hardware addresses: sections 8.9.1 to 8.9.5 of the Postgres
//! manual; `network_send` and `pg_inet_net_ntop` for the forms.

use std::io::Write as _;

use super::read::Bytes;

const IPV4: u8 = 2;
const IPV6: u8 = 3;

/// Family, mask length, whether it is a cidr, the address with its length.
pub(super) fn inet(value: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut bytes = Bytes(value);
    let family = bytes.byte()?;
    let mask = bytes.byte()?;
    let is_cidr = bytes.byte()? != 0;
    let length = bytes.byte()?;
    let longest = match (family, length) {
        (IPV4, 4) => {
            dotted(out, &bytes.take::<4>()?);
            32
        }
        (IPV6, 16) => {
            ipv6(out, &bytes.take::<16>()?);
            128
        }
        _ => return None,
    };
    if is_cidr || mask != longest {
        // writing to a Vec does not fail
        let _ = write!(out, "/{mask}");
    }
    bytes.end()
}

fn dotted(out: &mut Vec<u8>, address: &[u8]) {
    for (position, byte) in address.iter().enumerate() {
        if position > 0 {
            out.push(b'.');
        }
        let _ = write!(out, "{byte}");
    }
}

/// The first of the longest runs of zeros is `::`; an embedded IPv4 address is dotted.
fn ipv6(out: &mut Vec<u8>, address: &[u8; 16]) {
    let mut words = [0u16; 8];
    for (word, pair) in words.iter_mut().zip(address.chunks_exact(2)) {
        *word = u16::from_be_bytes([pair[0], pair[1]]);
    }
    let (start, length) = longest_zeros(&words);
    let embedded = start == 0
        && (length == 6 || (length == 7 && words[7] != 1) || (length == 5 && words[5] == 0xffff));
    let mut at = 0;
    while at < 8 {
        if length > 0 && at == start {
            out.push(b':');
            at += length;
            if at == 8 {
                out.push(b':');
            }
            continue;
        }
        if at > 0 {
            out.push(b':');
        }
        if at == 6 && embedded {
            dotted(out, &address[12..]);
            return;
        }
        let _ = write!(out, "{:x}", words[at]);
        at += 1;
    }
}

/// Start and length; a single zero is no run.
fn longest_zeros(words: &[u16; 8]) -> (usize, usize) {
    let mut best = (0, 0);
    let mut at = 0;
    while at < 8 {
        let length = words[at..].iter().take_while(|word| **word == 0).count();
        if length > best.1 && length > 1 {
            best = (at, length);
        }
        at += length.max(1);
    }
    best
}

/// macaddr and macaddr8.
pub(super) fn hardware(value: &[u8], length: usize, out: &mut Vec<u8>) -> Option<()> {
    if value.len() != length {
        return None;
    }
    for (position, byte) in value.iter().enumerate() {
        if position > 0 {
            out.push(b':');
        }
        let _ = write!(out, "{byte:02x}");
    }
    Some(())
}
