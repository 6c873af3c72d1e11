//! Postgres's regular expressions in the engine's syntax (section 9.7.3 of the
//! manual). Called by `regex`, and by LIKE and SIMILAR TO.

use super::*;

/// The pattern in the engine's own syntax, flags included.
pub(super) fn translated(pattern: &str, flags: &str) -> Result<String> {
    let mut modes = Modes::default();
    for flag in flags.chars() {
        modes.set(flag)?;
    }
    let mut rest = pattern;
    if let Some(literal) = rest.strip_prefix("***=") {
        return Ok(format!("{}{}", modes.prefix(), regex::escape(literal)));
    }
    rest = rest.strip_prefix("***:").unwrap_or(rest);
    // embedded options stand at the start: (?i)
    if let Some(options) = rest.strip_prefix("(?")
        && let Some((letters, after)) = options.split_once(')')
        && !letters.is_empty()
        && letters.chars().all(|c| c.is_ascii_lowercase())
    {
        for flag in letters.chars() {
            modes.set(flag)?;
        }
        rest = after;
    }
    if modes.literal {
        return Ok(format!("{}{}", modes.prefix(), regex::escape(rest)));
    }
    Ok(format!("{}{}", modes.prefix(), body(rest)?))
}

#[derive(Default)]
pub(super) struct Modes {
    ignore_case: bool,
    /// `.` and `[^…]` stop at newlines.
    dot_stops: bool,
    /// `^` and `$` match at newlines.
    lines: bool,
    expanded: bool,
    literal: bool,
}

impl Modes {
    fn set(&mut self, flag: char) -> Result<()> {
        match flag {
            'g' => {}
            'i' => self.ignore_case = true,
            'c' => self.ignore_case = false,
            'n' | 'm' => (self.dot_stops, self.lines) = (true, true),
            'p' => (self.dot_stops, self.lines) = (true, false),
            's' => (self.dot_stops, self.lines) = (false, false),
            'w' => (self.dot_stops, self.lines) = (false, true),
            'x' => self.expanded = true,
            't' => self.expanded = false,
            'q' => self.literal = true,
            'e' => {}
            'b' => return Err(unsupported("basic syntax")),
            other => {
                return Err(Error::new(
                    SqlState::INVALID_PARAMETER_VALUE,
                    format!("invalid regular expression option: \"{other}\""),
                ));
            }
        }
        Ok(())
    }

    fn prefix(&self) -> String {
        let mut letters = String::new();
        for (on, letter) in [
            (self.ignore_case, 'i'),
            (!self.dot_stops, 's'),
            (self.lines, 'm'),
            (self.expanded, 'x'),
        ] {
            if on {
                letters.push(letter);
            }
        }
        if letters.is_empty() {
            String::new()
        } else {
            format!("(?{letters})")
        }
    }
}

pub(super) fn body(pattern: &str) -> Result<String> {
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('1'..='9') => return Err(unsupported("back references")),
                Some('m') => out.push_str("\\b{start}"),
                Some('M') => out.push_str("\\b{end}"),
                Some('y') => out.push_str("\\b"),
                Some('Y') => out.push_str("\\B"),
                Some('Z') => out.push_str("\\z"),
                Some('A') => out.push_str("\\A"),
                Some('e') => out.push_str("\\x1b"),
                Some('B') => out.push_str("\\\\"),
                Some(
                    known @ ('d' | 'D' | 's' | 'S' | 'w' | 'W' | 'n' | 't' | 'r' | 'f' | 'v' | 'a'
                    | 'x' | 'u' | 'U'),
                ) => {
                    out.push('\\');
                    out.push(known);
                }
                Some(other) if other.is_ascii_alphanumeric() => {
                    return Err(invalid("invalid escape \\ sequence"));
                }
                Some(other) => out.push_str(&regex::escape(&other.to_string())),
                None => return Err(invalid("invalid escape \\ sequence")),
            },
            '(' => {
                out.push('(');
                if chars.next_if_eq(&'?').is_some() {
                    match chars.next() {
                        Some(':') => out.push_str("?:"),
                        Some('=' | '!' | '<') => return Err(unsupported("lookaround")),
                        _ => return Err(invalid("quantifier operand invalid")),
                    }
                }
            }
            '[' => bracket(&mut chars, &mut out)?,
            other => out.push(other),
        }
    }
    Ok(out)
}

/// A bracket expression: `[` and `&&`, `--`, `~~` mean nothing inside it here.
pub(super) fn bracket(
    chars: &mut std::iter::Peekable<std::str::Chars<'_>>,
    out: &mut String,
) -> Result<()> {
    let mut inside = String::new();
    let unbalanced = || invalid("brackets [] not balanced");
    if chars.next_if_eq(&'^').is_some() {
        inside.push('^');
    }
    if chars.next_if_eq(&']').is_some() {
        inside.push_str("\\]");
    }
    loop {
        match chars.next().ok_or_else(unbalanced)? {
            ']' => break,
            '[' => match chars.peek() {
                Some(':') => {
                    inside.push('[');
                    loop {
                        let c = chars.next().ok_or_else(unbalanced)?;
                        inside.push(c);
                        if c == ']' {
                            break;
                        }
                    }
                }
                Some('.' | '=') => return Err(unsupported("collating elements")),
                _ => inside.push_str("\\["),
            },
            '\\' => match chars.next().ok_or_else(unbalanced)? {
                c if c.is_ascii_alphanumeric() => {
                    inside.push('\\');
                    inside.push(c);
                }
                c => inside.push_str(&regex::escape(&c.to_string())),
            },
            c @ ('&' | '~') => {
                inside.push('\\');
                inside.push(c);
            }
            c => inside.push(c),
        }
    }
    match inside.as_str() {
        "[:<:]" => out.push_str("\\b{start}"),
        "[:>:]" => out.push_str("\\b{end}"),
        _ => {
            out.push('[');
            out.push_str(&inside);
            out.push(']');
        }
    }
    Ok(())
}

/// A SIMILAR TO pattern as a regular expression of Postgres's own syntax.
pub(in crate::semantics) fn similar(pattern: &str, escape: Option<char>) -> Result<String> {
    let mut out = String::from("^(?:");
    let mut chars = pattern.chars();
    let mut in_brackets = false;
    while let Some(c) = chars.next() {
        if Some(c) == escape {
            let next = chars.next().ok_or_else(|| {
                Error::new(SqlState::INVALID_ESCAPE_SEQUENCE, "invalid escape sequence")
            })?;
            out.push_str(&regex::escape(&next.to_string()));
        } else if in_brackets {
            in_brackets = c != ']';
            if c == '\\' {
                out.push('\\');
            }
            out.push(c);
        } else {
            match c {
                '[' => {
                    in_brackets = true;
                    out.push(c);
                }
                '%' => out.push_str(".*"),
                '_' => out.push('.'),
                '(' => out.push_str("(?:"),
                '.' | '^' | '$' | '\\' => {
                    out.push('\\');
                    out.push(c);
                }
                other => out.push(other),
            }
        }
    }
    out.push_str(")$");
    Ok(out)
}
