//! The hash of a server's certificate that SCRAM binds a login to:
//! tls-server-end-point, section 4.1 of RFC 5929. Called by whoever logs in.

use ring::digest::{Algorithm, SHA256, SHA384, SHA512, digest};

/// The hash functions of signatures, by the bytes of their object identifiers.
/// MD5 and SHA-1 are raised to SHA-256, as the RFC says.
const SIGNATURES: [(&[u8], &Algorithm); 9] = [
    // 1.2.840.113549.1.1.4, .5, .11, .12, .13: RSA with MD5, SHA-1, SHA-256, -384, -512
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 4], &SHA256),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 5], &SHA256),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11], &SHA256),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 12], &SHA384),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 13], &SHA512),
    // 1.2.840.10045.4.1, .4.3.2, .4.3.3, .4.3.4: ECDSA with the same
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1], &SHA256),
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2], &SHA256),
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3], &SHA384),
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 4], &SHA512),
];

const SEQUENCE: u8 = 0x30;
const OBJECT_IDENTIFIER: u8 = 0x06;

/// `None` for a certificate whose signature has no hash function of its own
/// (Ed25519, RSA-PSS), or that cannot be read.
pub(super) fn tls_server_end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    // Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm, signature }
    let (inner, _) = element(certificate, SEQUENCE)?;
    let (_, rest) = element(inner, SEQUENCE)?;
    let (algorithm, _) = element(rest, SEQUENCE)?;
    let (identifier, _) = element(algorithm, OBJECT_IDENTIFIER)?;
    let mut known = SIGNATURES.iter();
    let (_, hash) = known.find(|(signature, _)| *signature == identifier)?;
    Some(digest(hash, certificate).as_ref().to_vec())
}

/// The contents of the first element, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&[found, first], rest) = der.split_first_chunk::<2>()?;
    if found != tag {
        return None;
    }
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let length = bytes.iter().fold(0usize, |sum, byte| {
                sum.saturating_mul(256).saturating_add(usize::from(*byte))
            });
            (length, rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_read_within_their_bounds() {
        for (der, expected) in [
            (&b"\x30\x02ab"[..], Some(&b"ab"[..])),
            (b"\x30\x81\x02abc", Some(b"ab")),
            (b"\x30\x00", Some(b"")),
            (b"\x30\x03ab", None),
            (b"\x30\x84\xff\xff\xff\xff", None),
            (b"\x30\x85\0\0\0\0\0", None),
            (b"\x30\x80", None),
            (b"\x31\x00", None),
            (b"\x30", None),
            (b"", None),
        ] {
            assert_eq!(element(der, SEQUENCE).map(|(inner, _)| inner), expected);
        }
    }

    #[test]
    fn the_signature_tells_the_hash() {
        // SEQUENCE { SEQUENCE {}, SEQUENCE { OID }, … }
        for (identifier, length) in [
            (SIGNATURES[0].0, Some(32)),
            (SIGNATURES[7].0, Some(48)),
            (SIGNATURES[4].0, Some(64)),
            // Ed25519
            (&[0x2b, 0x65, 0x70], None),
        ] {
            let size = identifier.len() as u8;
            let mut der = vec![0x30, size + 6, 0x30, 0, 0x30, size + 2, 6, size];
            der.extend(identifier);
            assert_eq!(tls_server_end_point(&der).map(|hash| hash.len()), length);
        }
    }
}
