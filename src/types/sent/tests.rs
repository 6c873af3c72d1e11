//! Values as Postgres 15 sends them, and their texts there. The types that need
//! a table are compared with Postgres itself in tests/it.

use super::*;
use crate::types::text::{DateStyle, IntervalStyle, Zone};

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex
        .bytes()
        .filter_map(|digit| char::from(digit).to_digit(16))
        .map(|digit| digit as u8)
        .collect();
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}

fn written(oid: Oid, value: &[u8], own: &OwnTypes, style: &OutputStyle) -> Option<String> {
    let mut out = Vec::new();
    render::Writer::new(own, style).write(oid, value, &mut out)?;
    String::from_utf8(out).ok()
}

fn check(oid: Oid, hex: &str, expected: &str) {
    let style = OutputStyle::default();
    let text = written(oid, &bytes(hex), &OwnTypes::new(), &style);
    assert_eq!(text.as_deref(), Some(expected), "{oid}: {hex}");
}

#[test]
fn numerics_keep_their_scale_and_what_is_no_number() {
    for (hex, expected) in [
        ("0000 0000 0000 0000", "0"),
        ("0000 0000 0000 0003", "0.000"),
        ("0002 0000 4000 0002 0001 1388", "-1.50"),
        ("0000 0000 c000 0000", "NaN"),
        ("0000 0000 d000 0020", "Infinity"),
        ("0000 0000 f000 0020", "-Infinity"),
        ("0001 fffb 0000 0014 0001", "0.00000000000000000001"),
        ("0001 0002 0000 0000 0007", "700000000"),
        ("0001 ffff 0000 0001 03e8", "0.1"),
        ("0003 0001 0000 0003 0001 0002 1388", "10002.500"),
    ] {
        check(1700, hex, expected);
    }
}

#[test]
fn arrays_keep_their_shape() {
    for (oid, hex, expected) in [
        (1007, "00000000 00000000 00000017", "{}"),
        (
            1007,
            "00000001 00000001 00000017 00000002 00000001 00000004 00000005 ffffffff",
            "{5,NULL}",
        ),
        (
            1007,
            "00000002 00000000 00000017 00000001 00000000 00000002 fffffffe \
             00000004 00000001 00000004 00000002",
            "[0:0][-2:-1]={{1,2}}",
        ),
        (
            1009,
            "00000001 00000000 00000019 00000003 00000001 00000000 00000003 612c62 \
             00000004 6e756c6c",
            "{\"\",\"a,b\",\"null\"}",
        ),
        (
            1020,
            "00000001 00000000 0000025b 00000001 00000001 00000020 3ff0000000000000 \
             3ff0000000000000 0000000000000000 0000000000000000",
            "{(1,1),(0,0)}",
        ),
        (
            22,
            "00000001 00000000 00000015 00000002 00000000 00000002 0001 00000002 0002",
            "1 2",
        ),
    ] {
        check(oid, hex, expected);
    }
}

#[test]
fn text_follows_the_session() {
    let plain = OutputStyle::default();
    let other = OutputStyle {
        date: DateStyle::German,
        interval: IntervalStyle::Iso8601,
        zone: Zone::parse("Asia/Kolkata").expect("a zone"),
        extra_float_digits: 0,
        ..OutputStyle::default()
    };
    let none = OwnTypes::new();
    for (oid, hex, in_plain, in_other) in [
        (1082, "00000000", "2000-01-01", "01.01.2000"),
        (
            1114,
            "7fff0000 00000000",
            "294268-02-08 08:31:18.065152",
            "",
        ),
        (
            1184,
            "00000000 00000000",
            "2000-01-01 00:00:00+00",
            "01.01.2000 05:30:00 IST",
        ),
        (1184, "7fffffff ffffffff", "infinity", "infinity"),
        (1186, "00000000 00000000 00000003 00000000", "3 days", "P3D"),
        (701, "3fb999999999999a", "0.1", "0.1"),
        (
            1266,
            "00000000 00000000 ffffb1e0",
            "00:00:00+05:33:20",
            "00:00:00+05:33:20",
        ),
    ] {
        let value = bytes(hex);
        assert_eq!(
            written(oid, &value, &none, &plain).as_deref(),
            Some(in_plain),
            "{hex}"
        );
        if !in_other.is_empty() {
            assert_eq!(
                written(oid, &value, &none, &other).as_deref(),
                Some(in_other),
                "{hex}"
            );
        }
    }
}

#[test]
fn addresses() {
    for (oid, hex, expected) in [
        (869, "02 20 00 04 0a000001", "10.0.0.1"),
        (869, "02 18 00 04 c0a80105", "192.168.1.5/24"),
        (650, "02 20 01 04 0a000001", "10.0.0.1/32"),
        (
            869,
            "03 80 00 10 00000000 00000000 00000000 00000001",
            "::1",
        ),
        (869, "03 80 00 10 00000000 00000000 00000000 00000000", "::"),
        (
            869,
            "03 80 00 10 00000000 00000000 0000ffff 01020304",
            "::ffff:1.2.3.4",
        ),
        (
            869,
            "03 80 00 10 00000000 00000000 00000000 01020304",
            "::1.2.3.4",
        ),
        (
            869,
            "03 40 00 10 fe800000 00000000 00000000 00010000",
            "fe80::1:0/64",
        ),
        (
            650,
            "03 20 01 10 20010db8 00000000 00000000 00000000",
            "2001:db8::/32",
        ),
        (
            869,
            "03 80 00 10 00010000 00020003 00040005 00060007",
            "1:0:2:3:4:5:6:7",
        ),
        (829, "08002b010203", "08:00:2b:01:02:03"),
    ] {
        check(oid, hex, expected);
    }
}

#[test]
fn ranges_and_rows_quote_what_they_must() {
    let style = OutputStyle::default();
    let own = OwnTypes::from([
        (20_000, OwnType::Composite),
        (20_001, OwnType::Enum),
        (20_002, OwnType::Domain(20_001)),
        (20_003, OwnType::Range(25)),
        (20_004, OwnType::Multirange(25)),
        (20_005, OwnType::Array(20_000)),
    ]);
    for (oid, hex, expected) in [
        (3904, "01", "empty"),
        (3904, "02 00000004 00000001 00000004 00000005", "[1,5)"),
        (3904, "18", "(,)"),
        (
            4451,
            "00000001 00000011 02 00000004 00000001 00000004 00000005",
            "{[1,5)}",
        ),
        (20_003, "06 00000000 00000002 2c22", "[\"\",\",\"\"\"]"),
        (20_004, "00000000", "{}"),
        (
            20_000,
            "00000002 00000017 ffffffff 00004e22 00000003 61 20 62",
            "(,\"a b\")",
        ),
        (
            20_005,
            "00000001 00000000 00004e20 00000001 00000001 00000013 \
             00000001 00004e22 00000007 61 20 62 20 63 20 64",
            "{\"(\\\"a b c d\\\")\"}",
        ),
    ] {
        let text = written(oid, &bytes(hex), &own, &style);
        assert_eq!(text.as_deref(), Some(expected), "{oid}: {hex}");
    }
}

#[test]
fn what_is_cut_short_is_no_value() {
    let whole = [
        (
            1007,
            "00000001 00000000 00000017 00000002 00000001 00000004 00000005 ffffffff",
        ),
        (1700, "0002 0000 4000 0002 0001 1388"),
        (869, "02 20 00 04 0a000001"),
        (604, "00000001 3ff0000000000000 3ff0000000000000"),
        (3904, "02 00000004 00000001 00000004 00000005"),
        (1560, "00000009 ff80"),
        (
            5038,
            "00000001 0000000000000001 0000000000000002 0000000000000001",
        ),
    ];
    let (style, none) = (OutputStyle::default(), OwnTypes::new());
    for (oid, hex) in whole {
        let value = bytes(hex);
        assert!(written(oid, &value, &none, &style).is_some(), "{oid}");
        for end in 0..value.len() {
            assert_eq!(
                written(oid, &value[..end], &none, &style),
                None,
                "{oid}: {end}"
            );
        }
        let longer = [&value[..], &[0]].concat();
        assert_eq!(written(oid, &longer, &none, &style), None, "{oid}");
    }
}

#[test]
fn rows_in_rows_end() {
    let own = OwnTypes::from([(20_000, OwnType::Composite)]);
    let mut value = bytes("00000000");
    for _ in 0..100 {
        let length = (value.len() as u32).to_be_bytes();
        let head = bytes("00000001 00004e20");
        value = [&head[..], &length, &value].concat();
    }
    assert_eq!(written(20_000, &value, &own, &OutputStyle::default()), None);
}

#[test]
fn fields_tell_how_they_are_carried() {
    let sent = Sent {
        pg_type: PgType::new(20_003, -1),
        form: Form::Binary,
        own: OwnTypes::from([(20_003, OwnType::Range(1082)), (20_001, OwnType::Enum)]),
    };
    let field = sent.field("during", true);
    assert_eq!(Sent::of(&field), Some(sent));
    assert_eq!(PgType::of(&field), PgType::new(20_003, -1));
    assert_eq!(Sent::of(&field.with_data_type(DataType::Utf8View)), None);
}

#[test]
fn own_text_comes_after_the_binary_form() {
    let sent = Sent {
        pg_type: PgType::REGCLASS,
        form: Form::WithText,
        own: OwnTypes::new(),
    };
    let value = bytes("00000004 000004eb 70675f636c617373");
    assert_eq!(sent.binary(&value), Ok(&bytes("000004eb")[..]));
    let mut text = Vec::new();
    let written = sent.write_text(&value, &OutputStyle::default(), &mut text);
    assert_eq!((written, text.as_slice()), (Ok(()), &b"pg_class"[..]));
    assert_eq!(sent.binary(&value[..6]), Err(Unwritable::Malformed));
}
