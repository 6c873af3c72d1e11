//! What `narrows check` prints: each source, whether it answered, what it holds,
//! what cannot be read and what is carried as text. Pure over a catalog that is
//! loaded already; called by main.

use std::io::{self, Write};
use std::time::Duration;

use crate::error::Error;
use crate::sources::{Representation, Table, TableState};

use super::{Catalog, SourceStatus};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    Whole,
    /// A source is unreachable or a table cannot be read.
    Broken,
}

/// Columns of text lines up; a terminal's width is not respected. Errors appear
/// as clients read them, so no secret does.
pub fn check(catalog: &Catalog, out: &mut impl Write) -> io::Result<Health> {
    if catalog.sources.is_empty() {
        writeln!(out, "no sources are declared")?;
        return Ok(Health::Whole);
    }
    let sources = catalog
        .sources
        .iter()
        .map(|source| source_row(catalog, source));
    write_aligned(
        out,
        &["source", "kind", "reachable", "schemas", "tables", "took"],
        sources.collect(),
    )?;
    let broken = broken_rows(catalog);
    write_part(out, "What is broken:", &broken)?;
    write_part(
        out,
        "Columns that expressions compute with as text:",
        &text_rows(catalog),
    )?;
    Ok(match broken.is_empty() {
        true => Health::Whole,
        false => Health::Broken,
    })
}

fn source_row(catalog: &Catalog, source: &SourceStatus) -> Vec<String> {
    let reachable = match source.error {
        None => "yes",
        Some(_) => "no",
    };
    let tables = tables_of(catalog, source).count();
    vec![
        source.name.to_string(),
        source.kind.to_string(),
        reachable.to_string(),
        or_dash(source.schemas.join(", ")),
        tables.to_string(),
        shown(source.took),
    ]
}

fn tables_of<'c>(catalog: &'c Catalog, source: &SourceStatus) -> impl Iterator<Item = &'c Table> {
    let tables = catalog.tables().map(AsRef::as_ref);
    tables.filter(|table: &&Table| table.source == source.name)
}

fn broken_rows(catalog: &Catalog) -> Vec<Vec<String>> {
    let sources = catalog.sources.iter().filter_map(|source| {
        let error = source.error.as_ref()?;
        Some(vec![source.name.to_string(), error_text(error)])
    });
    let tables = catalog.tables().filter_map(|table| match &table.state {
        TableState::Broken(error) => Some(vec![table.name.to_string(), error_text(error)]),
        TableState::Ready(_) | TableState::Listed(_) => None,
    });
    sources.chain(tables).collect()
}

fn error_text(error: &Error) -> String {
    let detail = error.detail().map(|detail| format!(" ({detail})"));
    let hint = error.hint().map(|hint| format!(" {hint}"));
    format!(
        "{}{}{}",
        error.message(),
        detail.unwrap_or_default(),
        hint.unwrap_or_default()
    )
}

fn text_rows(catalog: &Catalog) -> Vec<Vec<String>> {
    let columns = catalog
        .tables()
        .flat_map(|table| table.columns.iter().map(move |column| (table, column)));
    columns
        .filter_map(|(table, column)| match &column.representation {
            Representation::Native => None,
            Representation::Text { type_name, reason } => Some(vec![
                format!("{}.{}", table.name, column.name),
                type_name.clone(),
                reason.clone(),
            ]),
        })
        .collect()
}

fn write_part(out: &mut impl Write, title: &str, rows: &[Vec<String>]) -> io::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{title}")?;
    let indented = rows.iter().map(|row| {
        let mut row = row.clone();
        if let Some(first) = row.first_mut() {
            first.insert_str(0, "  ");
        }
        row
    });
    write_aligned(out, &[], indented.collect())
}

/// Two spaces between columns, none at a line's end.
fn write_aligned(out: &mut impl Write, head: &[&str], rows: Vec<Vec<String>>) -> io::Result<()> {
    let head: Vec<String> = head.iter().map(|cell| cell.to_string()).collect();
    let lines: Vec<Vec<String>> = [head]
        .into_iter()
        .filter(|head| !head.is_empty())
        .chain(rows)
        .collect();
    let columns = lines.iter().map(Vec::len).max().unwrap_or_default();
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            let cells = lines.iter().filter_map(|line| line.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        })
        .collect();
    for line in lines {
        let cells = line.iter().zip(&widths);
        let text: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        writeln!(out, "{}", text.join("  ").trim_end())?;
    }
    Ok(())
}

fn or_dash(text: String) -> String {
    match text.is_empty() {
        true => "-".to_string(),
        false => text,
    }
}

fn shown(took: Duration) -> String {
    match took.as_millis() {
        0..1000 => format!("{} ms", took.as_millis()),
        _ => format!("{:.1} s", took.as_secs_f64()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::catalog::Schema;
    use crate::error::SqlState;
    use crate::names::{RelationName, SourceName};
    use crate::sources::{Column, RelationKind, SourceKind};
    use crate::types::PgType;

    fn status(name: &str, kind: SourceKind, error: Option<Error>) -> SourceStatus {
        SourceStatus {
            name: SourceName::new(name),
            kind,
            schemas: vec![name.to_string()],
            error: error.map(Arc::new),
            took: Duration::from_millis(1234),
        }
    }

    fn broken_table(schema: &str, name: &str) -> Table {
        let error = Error::new(SqlState::DATA_CORRUPTED, "no metadata").with_hint("Look.");
        Table {
            name: RelationName::new(schema, name),
            source: SourceName::new(schema),
            kind: RelationKind::Table,
            columns: vec![Column {
                name: "ip".into(),
                pg_type: PgType::TEXT,
                nullable: true,
                representation: Representation::Text {
                    type_name: "inet".into(),
                    reason: "type inet has no Arrow form".into(),
                },
                default: None,
                comment: None,
            }],
            keys: Vec::new(),
            rows: None,
            bytes: None,
            comment: None,
            state: TableState::Broken(Arc::new(error)),
        }
    }

    fn check_text(catalog: &Catalog, expected: &str, health: Health) {
        let mut out = Vec::new();
        assert_eq!(check(catalog, &mut out).expect("memory"), health);
        assert_eq!(String::from_utf8(out).expect("text"), expected);
    }

    #[test]
    fn every_source_and_every_mistake_is_listed() {
        check_text(
            &Catalog::default(),
            "no sources are declared\n",
            Health::Whole,
        );
        let mut catalog = Catalog {
            sources: vec![status("shop", SourceKind::Postgres, None)],
            ..Catalog::default()
        };
        check_text(
            &catalog,
            "source  kind      reachable  schemas  tables  took\n\
             shop    postgres  yes        shop     0       1.2 s\n",
            Health::Whole,
        );
        let away = Error::unreachable("ice", "connection refused");
        catalog
            .sources
            .push(status("ice", SourceKind::Iceberg, Some(away)));
        let table = broken_table("shop", "hosts");
        let schema = Schema {
            source: Some(SourceName::new("shop")),
            remote: Some("public".into()),
            open: false,
            tables: [("hosts".to_string(), Arc::new(table))].into(),
        };
        catalog.schemas.insert("shop".into(), schema);
        check_text(
            &catalog,
            "source  kind      reachable  schemas  tables  took\n\
             shop    postgres  yes        shop     1       1.2 s\n\
             ice     iceberg   no         ice      0       1.2 s\n\
             \nWhat is broken:\n\
             \x20 ice         source \"ice\" cannot be reached: connection refused\n\
             \x20 shop.hosts  no metadata Look.\n\
             \nColumns that expressions compute with as text:\n\
             \x20 shop.hosts.ip  inet  type inet has no Arrow form\n",
            Health::Broken,
        );
    }
}
