//! to_char() of numbers and to_number() (table 9.29 of the manual).

use super::arithmetic::misfit;
use super::{Overload, strict};
use crate::error::{Error, Result, SqlState};
use crate::semantics::numeric::{Numeric, power_of_ten};
use crate::semantics::value::Value;
use crate::types::PgType;

const TEXT: PgType = PgType::TEXT;
const NUMERIC: PgType = PgType::NUMERIC;

pub(super) const FUNCTIONS: &[Overload] = &[
    strict("to_char", &[PgType::INT4, TEXT], TEXT, to_char),
    strict("to_char", &[PgType::INT8, TEXT], TEXT, to_char),
    strict("to_char", &[NUMERIC, TEXT], TEXT, to_char),
    strict("to_char", &[PgType::FLOAT8, TEXT], TEXT, to_char),
    strict("to_number", &[TEXT, TEXT], NUMERIC, to_number),
];

/// What a template asks for.
#[derive(Default)]
struct Template {
    items: Vec<Item>,
    /// Digits before and after the point.
    whole: usize,
    fraction: usize,
    fill_mode: bool,
    /// Where the first 0 before the point stands, counted in digits.
    first_zero: Option<usize>,
    /// Zeros after the point that are always shown.
    sign: Sign,
    /// Digits that V multiplies in.
    shift: u32,
}

#[derive(Default, Clone, Copy, PartialEq)]
enum Sign {
    /// A blank or a minus before the number.
    #[default]
    Plain,
    /// S: `+` or `-`, before or after.
    Before,
    After,
    /// MI: a minus or a blank in its place.
    Minus,
    /// PL: a plus or a blank in its place.
    Plus,
    /// SG: either sign in its place.
    Either,
    /// PR: angle brackets.
    Brackets,
}

enum Item {
    Digit { zero: bool, after_point: bool },
    Point,
    Group,
    Currency,
    Minus,
    Plus,
    Either,
    Ordinal { upper: bool },
    Literal(char),
}

fn template(pattern: &str) -> Result<Template> {
    let mut found = Template::default();
    let mut rest = pattern;
    let mut after_point = false;
    let mut shifting = false;
    while let Some(c) = rest.chars().next() {
        let two = rest
            .get(..2)
            .map(str::to_ascii_uppercase)
            .unwrap_or_default();
        let mut length = c.len_utf8();
        match two.as_str() {
            "FM" => {
                found.fill_mode = true;
                rest = &rest[2..];
                continue;
            }
            "MI" => {
                (found.sign, length) = (Sign::Minus, 2);
                found.items.push(Item::Minus);
            }
            "PL" => {
                (found.sign, length) = (Sign::Plus, 2);
                found.items.push(Item::Plus);
            }
            "SG" => {
                (found.sign, length) = (Sign::Either, 2);
                found.items.push(Item::Either);
            }
            "PR" => (found.sign, length) = (Sign::Brackets, 2),
            "TH" => {
                length = 2;
                found.items.push(Item::Ordinal {
                    upper: rest.starts_with("TH"),
                });
            }
            "EE" | "RN" => {
                return Err(Error::unsupported(format!(
                    "to_char patterns with {two} are not supported here"
                )));
            }
            _ => match c {
                '9' | '0' => {
                    found.items.push(Item::Digit {
                        zero: c == '0',
                        after_point,
                    });
                    if shifting {
                        found.shift += 1;
                        found.whole += 1;
                    } else if after_point {
                        found.fraction += 1;
                    } else {
                        if c == '0' && found.first_zero.is_none() {
                            found.first_zero = Some(found.whole);
                        }
                        found.whole += 1;
                    }
                }
                '.' | 'D' | 'd' => {
                    if after_point {
                        return Err(Error::new(
                            SqlState::SYNTAX_ERROR,
                            "multiple decimal points",
                        ));
                    }
                    after_point = true;
                    found.items.push(Item::Point);
                }
                ',' | 'G' | 'g' => found.items.push(Item::Group),
                'L' | 'l' => found.items.push(Item::Currency),
                'S' | 's' => {
                    found.sign = if found.whole + found.fraction == 0 {
                        Sign::Before
                    } else {
                        Sign::After
                    };
                }
                'V' | 'v' => shifting = true,
                '"' => {
                    let inner = &rest[1..];
                    let end = inner.find('"').unwrap_or(inner.len());
                    found.items.extend(inner[..end].chars().map(Item::Literal));
                    rest = inner.get(end + 1..).unwrap_or_default();
                    continue;
                }
                other => found.items.push(Item::Literal(other)),
            },
        }
        rest = &rest[length..];
    }
    Ok(found)
}

fn to_char(_: &super::Call<'_>, row: &[Value]) -> Result<Value> {
    let [value, Value::Text(pattern)] = row else {
        return Err(misfit());
    };
    let number = match value {
        Value::Int(value) => Numeric::from(*value),
        Value::Numeric(number) => number.clone(),
        Value::Float8(value) if value.is_finite() => Numeric::from_float(*value, 15)?,
        Value::Float8(_) => {
            return Err(Error::unsupported(
                "to_char of NaN and infinity is not supported here",
            ));
        }
        _ => return Err(misfit()),
    };
    if pattern.is_empty() {
        return Ok(Value::Text(String::new()));
    }
    Ok(Value::Text(print(&number, &template(pattern)?)))
}

fn print(number: &Numeric, template: &Template) -> String {
    let shifted = number.multiply(&Numeric::new(power_of_ten(template.shift), 0));
    let rounded = shifted.round(i32::try_from(template.fraction).unwrap_or(0));
    let negative = rounded.is_negative();
    let digits = rounded.abs().to_string();
    let (whole, fraction) = digits.split_once('.').unwrap_or((&digits, ""));
    let whole = if whole == "0" { "" } else { whole };
    let overflow = whole.len() > template.whole;
    let own: Vec<char> = format!("{whole:>width$}", width = template.whole)
        .chars()
        .collect();
    let fraction: Vec<char> = fraction.chars().collect();
    // in fill mode only the digits that a 0 asks for stay behind the last one that counts
    let last_zero = last_forced(template);
    let significant = fraction
        .iter()
        .rposition(|c| *c != '0')
        .map_or(0, |at| at + 1);
    let kept = significant.max(last_zero);

    let mut out = String::new();
    let (mut at, mut after) = (0usize, 0usize);
    let mut begun = false;
    let mut sign_place = None;
    let mut first_place = None;
    for item in &template.items {
        if matches!(item, Item::Digit { .. } | Item::Point) && first_place.is_none() {
            first_place = Some(out.len());
        }
        match item {
            Item::Digit {
                after_point: false, ..
            } => {
                let forced = template.first_zero.is_some_and(|first| at >= first);
                // 0 before the point is shown only if nothing follows it
                let last_place = at + 1 == template.whole && template.fraction == 0;
                let c = match own.get(at).copied().filter(|_| !overflow) {
                    Some(' ') if forced || last_place => Some('0'),
                    Some(' ') => None,
                    Some(digit) => Some(digit),
                    None => Some('#'),
                };
                match c {
                    Some(c) => {
                        if !begun {
                            sign_place = Some(out.len());
                            begun = true;
                        }
                        out.push(c);
                    }
                    None if template.fill_mode => {}
                    None => out.push(' '),
                }
                at += 1;
            }
            Item::Digit { .. } => {
                if !begun {
                    sign_place = Some(out.len());
                    begun = true;
                }
                if overflow {
                    out.push('#');
                } else if !template.fill_mode || after < kept {
                    out.push(fraction.get(after).copied().unwrap_or('0'));
                }
                after += 1;
            }
            Item::Point => {
                if !begun {
                    sign_place = Some(out.len());
                    begun = true;
                }
                out.push('.');
            }
            Item::Group => match (begun, template.fill_mode) {
                (true, _) => out.push(','),
                (false, false) => out.push(' '),
                (false, true) => {}
            },
            // the symbol of the C locale
            Item::Currency => out.push(' '),
            Item::Minus => push_sign(&mut out, negative.then_some('-'), template.fill_mode),
            Item::Plus => push_sign(&mut out, (!negative).then_some('+'), template.fill_mode),
            Item::Either => out.push(if negative { '-' } else { '+' }),
            Item::Ordinal { upper } => {
                if !negative && template.fraction == 0 {
                    out.push_str(&ordinal(&digits, *upper));
                }
            }
            Item::Literal(c) => out.push(*c),
        }
    }
    let places = (sign_place.unwrap_or(0), first_place.unwrap_or(0));
    signed(out, places, negative, template)
}

/// Digits after the point up to the last 0 of the template.
fn last_forced(template: &Template) -> usize {
    let mut count = 0;
    let mut last = 0;
    for item in &template.items {
        if let Item::Digit {
            zero,
            after_point: true,
        } = item
        {
            count += 1;
            if *zero {
                last = count;
            }
        }
    }
    last
}

fn push_sign(out: &mut String, sign: Option<char>, fill_mode: bool) {
    match sign {
        Some(sign) => out.push(sign),
        None if fill_mode => {}
        None => out.push(' '),
    }
}

fn ordinal(digits: &str, upper: bool) -> String {
    let number: u64 = digits.parse().unwrap_or(0);
    let suffix = match (number % 100, number % 10) {
        (11..=13, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    };
    if upper {
        suffix.to_uppercase()
    } else {
        suffix.to_string()
    }
}

/// `place` is before the first digit shown, `first` before the first asked for.
fn signed(
    mut out: String,
    (place, first): (usize, usize),
    negative: bool,
    template: &Template,
) -> String {
    let minus = |negative| if negative { '-' } else { '+' };
    match template.sign {
        Sign::Plain => {
            if negative {
                out.insert(place, '-');
            } else if !template.fill_mode {
                out.insert(first, ' ');
            }
            out
        }
        Sign::Before => {
            out.insert(place, minus(negative));
            out
        }
        Sign::After => {
            out.push(minus(negative));
            out
        }
        Sign::Minus | Sign::Either => out,
        Sign::Plus => {
            if negative {
                out.insert(place, '-');
            } else if !template.fill_mode {
                out.insert(first, ' ');
            }
            out
        }
        Sign::Brackets => {
            if negative {
                out.insert(place, '<');
                out.push('>');
            } else if !template.fill_mode {
                out.insert(first, ' ');
                out.push(' ');
            }
            out
        }
    }
}

/// Reads the digits, the sign and the point; everything else is passed over.
fn to_number(_: &super::Call<'_>, row: &[Value]) -> Result<Value> {
    let [Value::Text(text), Value::Text(pattern)] = row else {
        return Err(misfit());
    };
    let template = template(pattern)?;
    let mut negative = false;
    let mut whole = String::new();
    let mut fraction = String::new();
    let mut point = false;
    for c in text.chars() {
        match c {
            '-' | '<' => negative = true,
            '.' if template.fraction > 0 => point = true,
            digit if digit.is_ascii_digit() && point => {
                fraction.extend((fraction.len() < template.fraction).then_some(digit));
            }
            digit if digit.is_ascii_digit() && whole.len() < template.whole => whole.push(digit),
            _ => {}
        }
    }
    if whole.is_empty() && fraction.is_empty() {
        return Err(Error::new(
            SqlState::INVALID_TEXT_REPRESENTATION,
            format!("invalid input syntax for type numeric: \"{text}\""),
        ));
    }
    let sign = if negative { "-" } else { "" };
    let number = Numeric::parse(&format!("{sign}{whole}.{fraction}")).ok_or_else(misfit)?;
    let divisor = Numeric::new(power_of_ten(template.shift), 0);
    Ok(Value::Numeric(match template.shift {
        0 => number,
        _ => number.divide(&divisor)?,
    }))
}
