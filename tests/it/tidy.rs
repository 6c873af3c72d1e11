//! What keeps the code as ARCHITECTURE.md draws it: ranks of modules, where
//! foreign types may appear, how a file opens and how long it is. Reads the
//! repository's own files; every violation is reported with its file and line.

mod ranks;
mod source;

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use source::SourceFile;

/// The longest file; past it a file does a second thing.
const MOST_LINES: usize = 500;

/// What is seen first in the repository, beside dotfiles.
const TOP_LEVEL: &[&str] = &[
    "ARCHITECTURE.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "benches",
    "catalog.toml",
    "docker",
    "docs",
    "src",
    "tests",
];

/// Folders of the machines that this was written on, in two pieces so that this
/// file may name them.
const MACHINE_PATHS: &[&str] = &[
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
];

struct Violation {
    file: String,
    line: usize,
    rule: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.rule)
    }
}

#[test]
fn modules_import_lower_ranks_only() {
    report(rust_files("src/").iter().flat_map(ranks::violations));
}

#[test]
fn foreign_types_stay_in_their_modules() {
    let foreign = [(
        "tokio_postgres::",
        &["src/sources/postgres/", "src/demo/"][..],
    )];
    let files = rust_files("src/");
    report(foreign.iter().flat_map(|(path, homes)| {
        let strangers = files
            .iter()
            .filter(|file| !homes.iter().any(|home| file.path.starts_with(home)));
        strangers.flat_map(move |file| {
            let rule = format!("{path} belongs in {}", homes.join(" and "));
            let lines = file.lines_with(path);
            lines
                .map(|line| file.violation(line, &rule))
                .collect::<Vec<_>>()
        })
    }));
}

#[test]
fn files_open_with_their_job() {
    report(all_rust_files().iter().filter_map(|file| {
        let opening = file.text.lines().next().unwrap_or_default();
        let job = opening.strip_prefix("//!").unwrap_or_default().trim();
        let said = !job.is_empty() && !job.starts_with('(');
        (!said).then(|| file.violation(1, "a file opens with //! and says its job"))
    }));
}

#[test]
fn files_are_short() {
    report(all_rust_files().iter().filter_map(|file| {
        let lines = file.text.lines().count();
        (lines > MOST_LINES).then(|| {
            file.violation(
                lines,
                &format!("{lines} lines; at most {MOST_LINES} in a file"),
            )
        })
    }));
}

#[test]
fn nothing_is_unsafe_or_ignored() {
    report(all_rust_files().iter().flat_map(|file| {
        let unsafe_code = file.lines_with_word("unsafe");
        let ignored = file.lines_with("#[ignore");
        let unsafe_code = unsafe_code.map(|line| file.violation(line, "no unsafe code"));
        let ignored = ignored.map(|line| {
            file.violation(line, "no ignored test: assert what is wrong today, and why")
        });
        unsafe_code.chain(ignored).collect::<Vec<_>>()
    }));
}

#[test]
fn no_path_of_a_machine() {
    let texts = files().into_iter().filter_map(|path| {
        let text = std::fs::read_to_string(root().join(&path)).ok()?;
        Some((path, text))
    });
    report(texts.flat_map(|(path, text)| {
        let lines = text.lines().enumerate();
        lines
            .filter(|(_, line)| MACHINE_PATHS.iter().any(|machine| line.contains(machine)))
            .map(|(index, _)| Violation {
                file: path.clone(),
                line: index + 1,
                rule: "a path of one machine".into(),
            })
            .collect::<Vec<_>>()
    }));
}

#[test]
fn the_top_level_is_small() {
    let mut unexpected: Vec<String> = files()
        .iter()
        .filter_map(|path| path.split('/').next())
        .filter(|name| !name.starts_with('.') && !TOP_LEVEL.contains(name))
        .map(str::to_string)
        .collect();
    unexpected.dedup();
    report(unexpected.into_iter().map(|file| Violation {
        file,
        line: 1,
        rule: format!("the top level holds {} and dotfiles", TOP_LEVEL.join(", ")),
    }));
}

fn report(violations: impl IntoIterator<Item = Violation>) {
    let lines: Vec<String> = violations.into_iter().map(|v| v.to_string()).collect();
    assert!(lines.is_empty(), "\n{}\n", lines.join("\n"));
}

impl SourceFile {
    fn violation(&self, line: usize, rule: &str) -> Violation {
        Violation {
            file: self.path.clone(),
            line,
            rule: rule.to_string(),
        }
    }
}

fn all_rust_files() -> Vec<SourceFile> {
    rust_files("")
}

fn rust_files(folder: &str) -> Vec<SourceFile> {
    let paths = files().into_iter();
    let rust = paths.filter(|path| path.starts_with(folder) && path.ends_with(".rs"));
    rust.filter_map(|path| {
        let text = std::fs::read_to_string(root().join(&path)).ok()?;
        Some(SourceFile::new(path, text))
    })
    .collect()
}

fn root() -> PathBuf {
    std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from)
}

/// Paths from the root, with `/`, sorted: what git tracks or would track; in a
/// copy without git, what is there.
fn files() -> Vec<String> {
    let listed = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output();
    let mut files = match listed {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout)
            .lines()
            .map(str::to_string)
            .collect(),
        _ => {
            let mut files = Vec::new();
            walk(&root(), "", &mut files);
            files
        }
    };
    files.sort();
    files.retain(|path| root().join(path).is_file());
    assert!(!files.is_empty(), "the repository's files are not found");
    files
}

fn walk(root: &Path, folder: &str, files: &mut Vec<String>) {
    let entries = std::fs::read_dir(root.join(folder)).into_iter().flatten();
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = match folder {
            "" => name,
            folder => format!("{folder}/{name}"),
        };
        // What .gitignore leaves out.
        if matches!(path.as_str(), "target" | "data" | ".git" | ".cache") {
            continue;
        }
        if entry.path().is_dir() {
            walk(root, &path, files);
        } else {
            files.push(path);
        }
    }
}
