//! Arithmetic on numerics, value by value.

use super::*;

fn n(text: &str) -> Numeric {
    Numeric::parse(text).expect(text)
}

#[test]
fn results_have_the_scales_of_postgres() {
    for (value, expected) in [
        (n("1").divide(&n("3")), "0.33333333333333333333"),
        (n("10").divide(&n("4")), "2.5000000000000000"),
        (n("123456").divide(&n("7")), "17636.571428571429"),
        (n("1.5").divide(&n("0.001")), "1500.0000000000000000"),
        (n("2").sqrt(), "1.414213562373095"),
        (n("2").ln(), "0.6931471805599453"),
        (n("100").log(&n("10")), "2.0000000000000000"),
        (n("1").exp(), "2.7182818284590452"),
        (n("2").power(&n("10")), "1024.0000000000000"),
        (n("2.5").power(&n("0.5")), "1.5811388300841897"),
        (n("7.5").modulo(&n("-2")), "1.5"),
    ] {
        assert_eq!(value.expect(expected).to_string(), expected);
    }
}

#[test]
fn rounding_is_half_away_from_zero() {
    for (text, digits, expected) in [
        ("2.5", 0, "3"),
        ("-2.5", 0, "-3"),
        ("1.005", 2, "1.01"),
        ("1234.5", -2, "1200"),
        ("1", 2, "1.00"),
    ] {
        assert_eq!(n(text).round(digits).to_string(), expected);
    }
    assert_eq!(n("-1.5").floor().to_string(), "-2");
    assert_eq!(n("-1.5").ceil().to_string(), "-1");
    assert_eq!(n("1e3").to_string(), "1000");
}
