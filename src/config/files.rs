//! Sources of kind `files`: a path alone, or a path with its format and options.

use toml::de::DeValue;

use super::item::{Item, Text};
use super::notes::suggestion;
use super::schema::{CsvOptions, FileFormat, FilesSource, FilesTable};
use super::section::Section;

const CSV_KEYS: [&str; 4] = ["header", "delimiter", "quote", "null"];

pub(super) fn read(section: &Section<'_>) -> FilesSource {
    section.required("tables");
    let named = section.named("tables").into_iter();
    let tables = named
        .filter_map(|(name, item)| {
            if name.is_empty() {
                item.mistake("a table needs a name");
            }
            Some((name, read_table(item)?))
        })
        .collect();
    FilesSource {
        tables,
        storage: section.text("storage"),
    }
}

fn read_table(item: Item<'_>) -> Option<FilesTable> {
    if matches!(item.value, DeValue::String(_)) {
        let path = item.text()?;
        check_path(&path);
        return Some(FilesTable {
            format: format_of(&path)?,
            path: path.value,
            csv: CsvOptions::default(),
        });
    }
    if !matches!(item.value, DeValue::Table(_)) {
        item.wrong_type("a path or { path = \"…\", format = \"…\" }");
        return None;
    }
    let section = item.section()?;
    let path = section.required("path").and_then(Item::text);
    let format = section.item("format");
    let declared = format.is_some();
    let format = format.and_then(read_format);
    let csv = read_csv(&section);
    section.finish();
    let path = path?;
    check_path(&path);
    let format = if declared { format? } else { format_of(&path)? };
    if format != FileFormat::Csv {
        for key in CSV_KEYS {
            if let Some(item) = section.find(key) {
                item.mistake("this option is for format = \"csv\"");
            }
        }
    }
    Some(FilesTable {
        path: path.value,
        format,
        csv,
    })
}

fn read_format(item: Item<'_>) -> Option<FileFormat> {
    let text = item.text()?;
    match text.value.as_str() {
        "parquet" => Some(FileFormat::Parquet),
        "csv" => Some(FileFormat::Csv),
        "json" => Some(FileFormat::Json),
        other => {
            text.mistake(format!(
                "unknown format {}; {}",
                text.shown(),
                suggestion(other, ["parquet", "csv", "json"])
            ));
            None
        }
    }
}

fn read_csv(section: &Section<'_>) -> CsvOptions {
    let default = CsvOptions::default();
    let [header, delimiter, quote, null] = CSV_KEYS;
    let csv = CsvOptions {
        header: section.boolean(header).unwrap_or(default.header),
        delimiter: one_byte(section, delimiter).unwrap_or(default.delimiter),
        quote: one_byte(section, quote).unwrap_or(default.quote),
        null: section.text(null).unwrap_or(default.null),
    };
    if csv.delimiter == csv.quote
        && let Some(item) = section.find(quote).or_else(|| section.find(delimiter))
    {
        item.mistake("delimiter and quote are the same character");
    }
    csv
}

fn one_byte(section: &Section<'_>, key: &'static str) -> Option<u8> {
    let text = section.item(key)?.text()?;
    match text.value.as_bytes() {
        [byte] if byte.is_ascii() && !matches!(byte, b'\n' | b'\r') => Some(*byte),
        _ => {
            text.mistake(format!("{} is not one ASCII character", text.shown()));
            None
        }
    }
}

fn check_path(path: &Text<'_>) {
    let parts = || path.value.split('/');
    if path.value.is_empty() {
        path.mistake("the path is empty");
    } else if parts().any(|part| part.contains("**") && part != "**") {
        path.mistake(format!(
            "{} has \"**\" beside other characters: it stands for whole folders, as in \"a/**/*.parquet\"",
            path.shown()
        ));
    }
}

/// From the file name's end, compression left aside.
fn format_of(path: &Text<'_>) -> Option<FileFormat> {
    let lower = path.value.to_ascii_lowercase();
    let name = [".gz", ".bz2", ".xz", ".zst"]
        .iter()
        .find_map(|ending| lower.strip_suffix(ending))
        .unwrap_or(&lower);
    let ends = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
    if ends(&[".parquet", ".parq", ".pq"]) {
        Some(FileFormat::Parquet)
    } else if ends(&[".csv"]) {
        Some(FileFormat::Csv)
    } else if ends(&[".json", ".jsonl", ".ndjson"]) {
        Some(FileFormat::Json)
    } else {
        path.mistake(format!(
            "the name {} does not tell the format: expected {{ path = \"…\", format = \"parquet\" }} (or csv, json)",
            path.shown()
        ));
        None
    }
}
