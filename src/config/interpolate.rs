//! `${VAR}` in a text of the file. Called for every text after parsing; knows
//! nothing of TOML.

/// Fills in variables; `$${` is a literal `${`, any other `$` is itself. The
/// error names the variable and never shows a value.
pub(super) fn interpolate(
    text: &str,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<String, String> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let before = &rest[..at];
        let after = &rest[at + 2..];
        if let Some(before) = before.strip_suffix('$') {
            filled.push_str(before);
            filled.push_str("${");
            rest = after;
            continue;
        }
        filled.push_str(before);
        let (name, after) = after
            .split_once('}')
            .ok_or("\"${\" has no closing \"}\"; a literal one is written \"$${\"")?;
        if !is_variable(name) {
            return Err(format!(
                "\"${{{name}}}\" names no environment variable; a literal \"${{\" is written \"$${{\""
            ));
        }
        filled
            .push_str(&env(name).ok_or_else(|| format!("environment variable {name} is not set"))?);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

/// The names of the POSIX shell.
fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_filled_in() {
        let env = |name: &str| match name {
            "A" => Some("1\"2".to_string()),
            "LOOP" => Some("${A}".to_string()),
            _ => None,
        };
        for (text, expected) in [
            ("plain", Ok("plain")),
            ("${A}", Ok("1\"2")),
            ("x${A}y${A}z", Ok("x1\"2y1\"2z")),
            ("$${A}", Ok("${A}")),
            ("$$${A}", Ok("$${A}")),
            ("$A $", Ok("$A $")),
            ("${LOOP}", Ok("${A}")),
            ("${B}", Err("environment variable B is not set")),
            (
                "${A",
                Err("\"${\" has no closing \"}\"; a literal one is written \"$${\""),
            ),
            (
                "${A B}",
                Err(
                    "\"${A B}\" names no environment variable; a literal \"${\" is written \"$${\"",
                ),
            ),
        ] {
            let filled = interpolate(text, &env);
            assert_eq!(filled.as_deref().map_err(String::as_str), expected);
        }
    }
}
