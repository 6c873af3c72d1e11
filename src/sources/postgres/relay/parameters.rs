//! What a source told of its parameters (ParameterStatus), and which changes of
//! them make a connection unfit for the next user. Used by `connection`.

/// More than any server reports; a flood of names is not kept.
const MOST: usize = 64;

/// A change of one of these that the relay did not ask for leaves a session in
/// which values look different, names mean something else, or writes are
/// possible. Not every server reports all of them.
const WATCHED: [&str; 11] = [
    "application_name",
    "client_encoding",
    "DateStyle",
    "default_transaction_read_only",
    "IntervalStyle",
    "is_superuser",
    "scram_iterations",
    "search_path",
    "session_authorization",
    "standard_conforming_strings",
    "TimeZone",
];

#[derive(Debug, Default)]
pub(super) struct Parameters {
    told: Vec<(Box<str>, Box<str>)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    None,
    /// Of a parameter that nothing depends on, or that was not told before.
    Harmless,
    Watched,
}

impl Parameters {
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut told = self.told.iter();
        let (_, value) = told.find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        Some(value)
    }

    pub fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.told.iter().map(|(name, value)| (&**name, &**value))
    }

    /// `None` if the body is no name and value.
    pub fn note(&mut self, body: &[u8]) -> Option<Change> {
        let text = std::str::from_utf8(body).ok()?.strip_suffix('\0')?;
        let (name, value) = text.split_once('\0')?;
        if name.is_empty() || value.contains('\0') {
            return None;
        }
        let known = self.told.iter_mut().find(|(known, _)| **known == *name);
        Some(match known {
            Some((_, old)) if **old == *value => Change::None,
            Some((_, old)) => {
                *old = value.into();
                match WATCHED.contains(&name) {
                    true => Change::Watched,
                    false => Change::Harmless,
                }
            }
            None => {
                if self.told.len() < MOST {
                    self.told.push((name.into(), value.into()));
                }
                Change::Harmless
            }
        })
    }

    /// 150004 for 15.4, 90603 for 9.6.3; 0 if it was not told.
    pub fn server_version(&self) -> u32 {
        let text = self.get("server_version").unwrap_or_default();
        let mut numbers = text
            .split(|c: char| !c.is_ascii_digit())
            .map(|digits| digits.parse().unwrap_or(0u32).min(9999));
        let mut next = || numbers.next().unwrap_or(0);
        match next() {
            major @ 10.. => major * 10_000 + next().min(99),
            major => major * 10_000 + next().min(99) * 100 + next().min(99),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_told_apart() {
        let mut told = Parameters::default();
        for (body, expected) in [
            (&b"TimeZone\0UTC\0"[..], Some(Change::Harmless)),
            (b"TimeZone\0UTC\0", Some(Change::None)),
            (b"TimeZone\0Asia/Tokyo\0", Some(Change::Watched)),
            (b"in_hot_standby\0off\0", Some(Change::Harmless)),
            (b"in_hot_standby\0on\0", Some(Change::Harmless)),
            (b"TimeZone\0UTC", None),
            (b"TimeZone", None),
            (b"\0\0", None),
            (b"", None),
            (b"a\0b\0c\0", None),
            (b"a\0\xff\0", None),
        ] {
            assert_eq!(told.note(body), expected, "{body:?}");
        }
        assert_eq!(told.get("timezone"), Some("Asia/Tokyo"));
        for i in 0..1000 {
            told.note(format!("p{i}\0v\0").as_bytes());
        }
        assert_eq!(told.all().count(), MOST);
    }

    #[test]
    fn versions_are_numbers() {
        for (text, expected) in [
            ("15.4 (Debian 15.4-1)", 150_004),
            ("9.6.3", 90_603),
            ("18beta1", 180_000),
            ("99999999999999", 0),
            ("", 0),
        ] {
            let mut told = Parameters::default();
            told.note(format!("server_version\0{text}\0").as_bytes());
            assert_eq!(told.server_version(), expected, "{text}");
        }
    }
}
