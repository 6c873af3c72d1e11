//! A Rust file as its code alone: comments, texts and unit tests blanked out,
//! every line where it was. Knows nothing of the rules.

pub struct SourceFile {
    /// From the repository's root, with `/`.
    pub path: String,
    pub text: String,
    /// `text` with everything but non-test code as spaces.
    pub code: String,
}

impl SourceFile {
    pub fn new(path: String, text: String) -> Self {
        let name = path.rsplit('/').next().unwrap_or_default();
        let code = if name == "tests.rs" || path.contains("/tests/") && path.starts_with("src/") {
            // Declared as `#[cfg(test)] mod tests;`.
            String::new()
        } else {
            without_tests(&only_code(&text))
        };
        SourceFile { path, text, code }
    }

    /// 1-based lines of the code that hold a path that starts so.
    pub fn lines_with(&self, start: &str) -> impl Iterator<Item = usize> {
        self.places(start, false)
    }

    pub fn lines_with_word(&self, word: &str) -> impl Iterator<Item = usize> {
        self.places(word, true)
    }

    fn places(&self, text: &str, whole: bool) -> impl Iterator<Item = usize> {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        self.code
            .lines()
            .enumerate()
            .filter(|(_, line)| {
                line.match_indices(text).any(|(at, _)| {
                    let before = line[..at].chars().next_back();
                    let after = line[at + text.len()..].chars().next();
                    let inside = before.is_some_and(is_word);
                    let longer = whole && after.is_some_and(is_word);
                    !inside && !longer
                })
            })
            .map(|(index, _)| index + 1)
            .collect::<Vec<_>>()
            .into_iter()
    }
}

/// 1-based line of a byte offset.
pub fn line_of(text: &str, at: usize) -> usize {
    1 + text[..at].matches('\n').count()
}

/// Comments and the insides of strings and characters as spaces.
fn only_code(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = token_to_blank(rest).unwrap_or(0);
        if length == 0 {
            // An identifier at once, so that the r of `for"` opens no raw string.
            let word = rest
                .find(|c: char| !c.is_alphanumeric() && c != '_')
                .unwrap_or(rest.len());
            let take = word.max(first.len_utf8());
            code.push_str(&rest[..take]);
            rest = &rest[take..];
        } else {
            code.push_str(&blanked(&rest[..length]));
            rest = &rest[length..];
        }
    }
    code
}

fn blanked(text: &str) -> String {
    text.chars()
        .map(|c| if c == '\n' { '\n' } else { ' ' })
        .collect()
}

/// The length of the comment, string or character that starts here.
fn token_to_blank(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    if text.starts_with("/*") {
        return Some(text.find("*/").map_or(text.len(), |end| end + 2));
    }
    let unprefixed = text.trim_start_matches(['b', 'c']);
    let prefix = text.len() - unprefixed.len();
    if prefix <= 1
        && let Some(raw) = unprefixed.strip_prefix('r')
    {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            let close = format!("\"{}", "#".repeat(hashes));
            let body = &raw[hashes + 1..];
            let end = body.find(&close).map_or(body.len(), |at| at + close.len());
            return Some(prefix + 1 + hashes + 1 + end);
        }
    }
    if prefix <= 1 && unprefixed.starts_with('"') {
        return Some(prefix + quoted_length(unprefixed, '"'));
    }
    if prefix <= 1 && unprefixed.starts_with('\'') && is_character(unprefixed) {
        return Some(prefix + quoted_length(unprefixed, '\''));
    }
    None
}

/// From one quote to the next that is not escaped, both included.
fn quoted_length(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// `'a'` and `'\n'` are characters, `'a` is a lifetime.
fn is_character(text: &str) -> bool {
    let mut chars = text.chars().skip(1);
    match chars.next() {
        Some('\\') => true,
        Some(_) => chars.next() == Some('\''),
        None => false,
    }
}

/// Items under `#[cfg(test)]` as spaces.
fn without_tests(code: &str) -> String {
    let mut kept = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(at) = rest.find("#[cfg(test)]") {
        kept.push_str(&rest[..at]);
        let item = &rest[at..];
        let end = item_length(item);
        kept.push_str(&blanked(&item[..end]));
        rest = &item[end..];
    }
    kept.push_str(rest);
    kept
}

/// To the semicolon or the closing brace of the item that starts here.
fn item_length(code: &str) -> usize {
    let mut depth = 0usize;
    for (at, c) in code.char_indices() {
        match c {
            ';' if depth == 0 => return at + 1,
            '{' => depth += 1,
            '}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
    }
    code.len()
}

#[test]
fn code_is_told_from_the_rest() {
    let text = "use a; // crate::x\nlet s = \"crate::\\\"y\"; let r = r#\"q\"#;\n\
                let c: &'static str = f('\"');\n#[cfg(test)]\nmod tests {\n  {crate::z}\n}\nfn b() {}\n";
    let file = SourceFile::new("src/a.rs".into(), text.into());
    assert!(!file.code.contains("crate::"), "{}", file.code);
    assert!(file.code.contains("let c: &'static str = f("));
    assert!(file.code.contains("fn b() {}"));
    assert_eq!(file.code.lines().count(), text.lines().count());
}
