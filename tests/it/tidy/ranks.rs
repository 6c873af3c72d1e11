//! The ranks of ARCHITECTURE.md: a module imports lower ranks only, and the
//! kinds of sources never each other.

use super::Violation;
use super::source::{SourceFile, line_of};

const RANKS: &[&[&str]] = &[
    &["error", "names", "types"],
    &["config", "metrics"],
    &["auth"],
    &["sources"],
    &["catalog", "pushdown", "semantics", "workers"],
    &["pg_catalog"],
    &["plan"],
    &["execute"],
    &["session"],
    &["wire"],
    &["server"],
    &["demo"],
    &["main"],
];

const KINDS: &[&str] = &["postgres", "delta", "iceberg", "files"];

/// Below the kinds: what they share may not know them.
const SHARED: &[&str] = &["lake", "object_store"];

pub fn violations(file: &SourceFile) -> Vec<Violation> {
    let here = module_path(&file.path);
    let Some(home) = here.first() else {
        return Vec::new();
    };
    let Some(rank) = rank_of(home) else {
        return vec![file.violation(
            1,
            &format!("module {home} has no rank: give it one in ARCHITECTURE.md and here"),
        )];
    };
    imports(&file.code, &here)
        .into_iter()
        .filter_map(|(at, path)| {
            let rule = broken_rule(&here, rank, &path)?;
            Some(file.violation(line_of(&file.code, at), &rule))
        })
        .collect()
}

fn broken_rule(here: &[String], rank: usize, path: &[String]) -> Option<String> {
    let (home, there) = (here.first()?, path.first()?);
    if home != there {
        let other = rank_of(there)?;
        return (other >= rank).then(|| {
            format!("{home} (rank {rank}) imports {there} (rank {other}): lower ranks only")
        });
    }
    if home != "sources" {
        return None;
    }
    let (from, to) = (here.get(1)?.as_str(), path.get(1)?.as_str());
    let kind = KINDS.contains(&to) && from != to;
    if kind && KINDS.contains(&from) {
        return Some(format!(
            "source kinds never import each other: {from} imports {to}"
        ));
    }
    (kind && SHARED.contains(&from)).then(|| format!("{from} is below the kinds and imports {to}"))
}

fn rank_of(module: &str) -> Option<usize> {
    RANKS.iter().position(|rank| rank.contains(&module))
}

/// `src/sources/lake/scan.rs` → sources, lake, scan; lib.rs has none.
fn module_path(path: &str) -> Vec<String> {
    let inner = path
        .trim_start_matches("src/")
        .trim_end_matches(".rs")
        .trim_end_matches("/mod");
    inner
        .split('/')
        .filter(|part| *part != "lib")
        .map(str::to_string)
        .collect()
}

/// Every path that starts at `crate`, at `narrows` (in main.rs) or climbs by
/// `super`, from the crate's root, with its offset.
fn imports(code: &str, here: &[String]) -> Vec<(usize, Vec<String>)> {
    let mut found = Vec::new();
    for (start, root) in [("crate::", 0), ("narrows::", 0), ("super::", 1)] {
        for (at, _) in code.match_indices(start) {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            let mut rest = &code[at + start.len()..];
            let mut climbs = root;
            while let Some(next) = rest.strip_prefix("super::") {
                climbs += 1;
                rest = next;
            }
            let kept = match climbs {
                0 => 0,
                climbs => here.len().saturating_sub(climbs),
            };
            for tail in first_parts(rest) {
                let mut path = here[..kept].to_vec();
                path.extend(tail);
                found.push((at, path));
            }
        }
    }
    found
}

/// The leading names of a path or of each branch of a `{…}` group, two deep,
/// which is as far as the rules look.
fn first_parts(text: &str) -> Vec<Vec<String>> {
    branches(text)
        .into_iter()
        .flat_map(|(name, rest)| match rest.strip_prefix("::") {
            Some(rest) => branches(rest)
                .into_iter()
                .map(|(second, _)| vec![name.to_string(), second.to_string()])
                .collect(),
            None => vec![vec![name.to_string()]],
        })
        .collect()
}

/// `a::b` → (a, ::b); `{a::b, c}` → (a, ::b), (c, "").
fn branches(text: &str) -> Vec<(&str, &str)> {
    let Some(group) = text.strip_prefix('{') else {
        return vec![split_name(text)];
    };
    let mut found = Vec::new();
    let (mut depth, mut start) = (0usize, 0usize);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                found.push(split_name(group[start..at].trim()));
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                found.push(split_name(group[start..at].trim()));
                start = at + 1;
            }
            _ => {}
        }
    }
    found.retain(|(name, _)| !name.is_empty());
    found
}

fn split_name(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(text.len());
    text.split_at(end)
}

#[test]
fn higher_ranks_are_found_however_they_are_written() {
    for (path, code, expected) in [
        ("src/catalog/mod.rs", "use crate::sources::Table;", 0),
        ("src/catalog/mod.rs", "use crate::pushdown::Rule;", 1),
        (
            "src/auth/mod.rs",
            "use crate::{\n  error::{Result},\n  wire::X,\n};",
            1,
        ),
        ("src/auth/mod.rs", "fn f(x: crate::server::X) {}", 1),
        ("src/auth/users.rs", "use super::super::server::X;", 1),
        ("src/auth/users.rs", "use super::grants;", 0),
        ("src/main.rs", "use narrows::server;", 0),
        ("src/demo/mod.rs", "use crate::main;", 1),
        (
            "src/sources/delta/mod.rs",
            "use crate::sources::{lake::X, iceberg};",
            1,
        ),
        (
            "src/sources/delta/scan.rs",
            "use super::super::files::X;",
            1,
        ),
        (
            "src/sources/delta/scan.rs",
            "use super::snapshot::files;",
            0,
        ),
        ("src/sources/lake/mod.rs", "use crate::sources::delta;", 1),
        ("src/sources/mod.rs", "use crate::sources::delta;", 0),
        ("src/novel/mod.rs", "", 1),
        ("src/lib.rs", "pub use crate::server::X;", 0),
    ] {
        let file = SourceFile::new(path.into(), code.into());
        let found: Vec<String> = violations(&file).iter().map(|v| v.to_string()).collect();
        assert_eq!(found.len(), expected, "{path}: {code}: {found:?}");
    }
}
