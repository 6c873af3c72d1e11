//! What a user may read and write, as the `schema.table` globs of catalog.toml.
//! Asked by the planner for every relation that a statement names, and by the
//! catalog tables for every relation they list.

use crate::names::RelationName;

#[derive(Debug, Clone, Default)]
pub struct Grants {
    read: Vec<String>,
    write: Vec<String>,
}

impl Grants {
    pub fn new(read: Vec<String>, write: Vec<String>) -> Self {
        Grants { read, write }
    }

    /// For servers without `[[users]]`.
    pub fn everything() -> Self {
        Grants::new(vec!["*".into()], vec!["*".into()])
    }

    pub fn may_read(&self, name: &RelationName) -> bool {
        matches_any(&self.read, name)
    }

    pub fn may_write(&self, name: &RelationName) -> bool {
        matches_any(&self.write, name)
    }

    /// Every relation of a schema, those to come as well.
    pub fn may_read_all_of(&self, schema: &str) -> bool {
        self.read.iter().any(|glob| covers(glob, schema))
    }

    pub fn may_write_all_of(&self, schema: &str) -> bool {
        self.write.iter().any(|glob| covers(glob, schema))
    }

    /// Could a relation of this schema be one that may be read?
    pub fn may_read_something_in(&self, schema: &str) -> bool {
        something_in(&self.read, schema)
    }

    /// Could a relation of this schema be one that may be written?
    pub fn may_write_something_in(&self, schema: &str) -> bool {
        something_in(&self.write, schema)
    }
}

fn something_in(globs: &[String], schema: &str) -> bool {
    globs.iter().any(|glob| {
        let before = glob.split('.').next().unwrap_or(glob);
        glob.starts_with('*') || before.contains('*') || before == schema
    })
}

/// `*`, `*.*`, `shop.*`, `sh*`: whatever the relation is called.
fn covers(glob: &str, schema: &str) -> bool {
    glob.strip_suffix('*')
        .is_some_and(|front| matches(&format!("{front}*"), &format!("{schema}.")))
}

fn matches_any(globs: &[String], name: &RelationName) -> bool {
    if globs.iter().any(|glob| glob == "*") {
        return true;
    }
    let full = name.to_string();
    globs.iter().any(|glob| matches(glob, &full))
}

/// `*` is any run of characters, everything else itself.
pub fn matches(glob: &str, text: &str) -> bool {
    let mut parts = glob.split('*');
    let Some(rest) = text.strip_prefix(parts.next().unwrap_or_default()) else {
        return false;
    };
    let Some(last) = glob
        .contains('*')
        .then(|| glob.rsplit('*').next())
        .flatten()
    else {
        return rest.is_empty();
    };
    let mut rest = rest;
    let middle: Vec<&str> = parts.collect();
    for part in &middle[..middle.len().saturating_sub(1)] {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.len() >= last.len() && rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_is_covered_by_what_any_name_in_it_matches() {
        for (glob, covered) in [
            ("*", true),
            ("*.*", true),
            ("shop.*", true),
            ("sh*", true),
            ("shop.o*", false),
            ("shop.orders", false),
            ("*.orders", false),
            ("lake.*", false),
        ] {
            assert_eq!(covers(glob, "shop"), covered, "{glob}");
        }
    }

    #[test]
    fn globs_match_whole_names() {
        for (glob, text, expected) in [
            ("shop.*", "shop.orders", true),
            ("shop.*", "shopx.orders", false),
            ("*.orders", "shop.orders", true),
            ("shop.o*s", "shop.orders", true),
            ("shop.o*s", "shop.order", false),
            ("*", "shop.orders", true),
            ("shop.orders", "shop.orders", true),
            ("shop.orders", "shop.orders2", false),
            ("a*a", "a", false),
        ] {
            assert_eq!(matches(glob, text), expected, "{glob} {text}");
        }
    }
}
