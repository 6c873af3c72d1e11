//! What the demo shows on stdout: statements, aligned answers as psql prints
//! them, plans. Colours only on a terminal. Knows nothing of connections.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};
use std::net::SocketAddr;
use std::time::Duration;

use crate::error::Error;

/// Text cells; `None` is NULL.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub columns: Vec<String>,
    pub rows: Vec<Vec<Option<String>>>,
}

#[derive(Debug, Clone, Copy)]
enum Ink {
    Bold,
    Dim,
    Red,
}

#[derive(Debug)]
pub(super) struct Screen {
    colours: bool,
}

impl Screen {
    pub fn on_stdout() -> Self {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Screen {
            colours: std::io::stdout().is_terminal() && !plain,
        }
    }

    pub fn statement(&self, number: usize, title: &str, sql: &str) {
        let heading = self.ink(Ink::Bold, &format!("{number}. {title}"));
        self.print(&format!("\n{heading}\n\n{}", indented(&format!("{sql};"))));
    }

    pub fn answer(&self, answer: &Answer, took: Duration) {
        let count = answer.rows.len();
        let rows = if count == 1 { "row" } else { "rows" };
        let time = took.as_secs_f64() * 1000.0;
        let footer = self.ink(Ink::Dim, &format!("({count} {rows}, {time:.1} ms)"));
        self.print(&indented(&format!("\n{}{footer}", table(answer))));
    }

    pub fn plan<'a>(&self, lines: impl Iterator<Item = &'a str>) {
        let mut text = String::new();
        for line in lines {
            text.push('\n');
            text.push_str(&self.ink(Ink::Dim, line));
        }
        self.print(&indented(&text));
    }

    pub fn failure(&self, error: &Error) {
        let mut text = self.ink(Ink::Red, &format!("ERROR:  {}", error.message()));
        if let Some(detail) = error.detail() {
            text = format!("{text}\nDETAIL:  {detail}");
        }
        if let Some(hint) = error.hint() {
            text = format!("{text}\nHINT:  {hint}");
        }
        self.print(&indented(&format!("\n{text}")));
    }

    /// How to look around, once the queries are done.
    pub fn invite(&self, address: SocketAddr, database: &str) {
        let (host, port) = (address.ip(), address.port());
        let heading = self.ink(Ink::Bold, "The server stays up. Connect with");
        self.print(&format!(
            "\n{heading}\n\n  psql \"host={host} port={port} dbname={database} user=demo\"\n  \
             jdbc:postgresql://{host}:{port}/{database}?user=demo\n\nCtrl-C ends it."
        ));
    }

    fn ink(&self, ink: Ink, text: &str) -> String {
        if !self.colours {
            return text.to_string();
        }
        let code = match ink {
            Ink::Bold => 1,
            Ink::Dim => 2,
            Ink::Red => 31,
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    /// Where stdout is closed there is nobody to show anything.
    fn print(&self, text: &str) {
        let mut out = std::io::stdout().lock();
        let _ = writeln!(out, "{text}");
        let _ = out.flush();
    }
}

fn indented(text: &str) -> String {
    let lines = text.lines().map(|line| match line {
        "" => String::new(),
        line => format!("  {line}"),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Numbers to the right, headings centred, as psql does; but char(n) without
/// its padding, which would push the other columns off the screen.
fn table(answer: &Answer) -> String {
    let columns: Vec<(usize, bool)> = (0..answer.columns.len())
        .map(|index| {
            let cells = || answer.rows.iter().filter_map(|row| shown(row.get(index)?));
            let widest = cells().map(width).max().unwrap_or(0);
            let heading = answer.columns.get(index).map_or(0, |name| width(name));
            let numeric = cells().next().is_some() && cells().all(|c| c.parse::<f64>().is_ok());
            (widest.max(heading), numeric)
        })
        .collect();
    let headings = answer.columns.iter().zip(&columns);
    let headings = headings.map(|(name, (wide, _))| {
        let left = (wide - width(name).min(*wide)) / 2;
        let right = wide.saturating_sub(width(name) + left);
        format!(" {}{name}{} ", " ".repeat(left), " ".repeat(right))
    });
    let rules = columns.iter().map(|(wide, _)| "-".repeat(wide + 2));
    let mut text = format!(
        "{}\n{}\n",
        headings.collect::<Vec<_>>().join("|").trim_end(),
        rules.collect::<Vec<_>>().join("+")
    );
    for row in &answer.rows {
        let cells = row.iter().zip(&columns).map(|(cell, (wide, numeric))| {
            let cell = shown(cell).unwrap_or_default();
            let padding = " ".repeat(wide.saturating_sub(width(cell)));
            match numeric {
                true => format!(" {padding}{cell} "),
                false => format!(" {cell}{padding} "),
            }
        });
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}", cells.collect::<Vec<_>>().join("|").trim_end());
    }
    text
}

fn shown(cell: &Option<String>) -> Option<&str> {
    cell.as_deref().map(|text| text.trim_end_matches(' '))
}

fn width(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(columns: &[&str], rows: &[&[Option<&str>]]) -> Answer {
        Answer {
            columns: columns.iter().map(|name| name.to_string()).collect(),
            rows: rows
                .iter()
                .map(|row| row.iter().map(|cell| cell.map(str::to_string)).collect())
                .collect(),
        }
    }

    #[test]
    fn aligns_as_psql() {
        let shown = table(&answer(
            &["nation", "n"],
            &[
                &[Some("PERÚ            "), Some("5")],
                &[Some("UNITED STATES"), Some("-10.25")],
                &[None, None],
            ],
        ));
        assert_eq!(
            shown,
            "    nation     |   n\n\
             ---------------+--------\n \
             PERÚ          |      5\n \
             UNITED STATES | -10.25\n               |\n"
        );
    }

    #[test]
    fn shows_headings_of_an_empty_answer() {
        assert_eq!(table(&answer(&["a", "bc"], &[])), " a | bc\n---+----\n");
    }
}
