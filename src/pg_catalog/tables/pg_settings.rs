//! pg_settings: the session's settings, described as Postgres describes those of
//! the same name.

use std::collections::HashMap;

use datafusion::arrow::array::RecordBatch;

use crate::error::Result;
use crate::pg_catalog::data;
use crate::pg_catalog::frame::Frame;
use crate::pg_catalog::snapshot::Seen;

/// Columns that are the same for every session.
const DESCRIBED: &[(&str, &str)] = &[
    ("unit", ""),
    ("category", "Customized Options"),
    ("short_desc", ""),
    ("extra_desc", ""),
    ("context", "user"),
    ("vartype", "string"),
    ("min_val", ""),
    ("max_val", ""),
    ("boot_val", ""),
    ("reset_val", ""),
];

pub fn rows(seen: &Seen) -> Result<RecordBatch> {
    let settings = &seen.vars.settings;
    let at: HashMap<String, usize> = match data::rows("pg_settings") {
        Some(rows) => {
            let names = rows
                .texts("name")
                .into_iter()
                .map(|name| name.to_ascii_lowercase());
            names.zip(0..).collect()
        }
        None => HashMap::new(),
    };
    let names: Vec<&String> = settings.keys().collect();
    let known = |name: &str| at.get(&name.to_ascii_lowercase()).copied();
    let mut frame = Frame::of("pg_catalog", "pg_settings", names.len())?
        .text("name", &names)
        .text("setting", settings.values())
        .all_bool("pending_restart", false)
        .all_text("source", "session");
    for (column, otherwise) in DESCRIBED {
        // reset_val is not in the file: it is what the setting started as
        let from = if *column == "reset_val" {
            "boot_val"
        } else {
            *column
        };
        let texts: Vec<Option<String>> =
            match data::rows("pg_settings").and_then(|rows| rows.column(from)) {
                Some(fields) => fields
                    .map(|field| data::text(field).map(|text| text.into_owned()))
                    .collect(),
                None => Vec::new(),
            };
        let of = |name: &&String| match known(name) {
            Some(at) => texts.get(at).cloned().flatten(),
            None => Some(otherwise.to_string()).filter(|text| !text.is_empty()),
        };
        frame = frame.maybe_text(column, names.iter().map(of));
    }
    let enums: Vec<Option<Vec<Option<String>>>> =
        match data::rows("pg_settings").and_then(|rows| rows.column("enumvals")) {
            Some(fields) => fields
                .map(|field| data::text(field).map(|text| data::elements(&text)))
                .collect(),
            None => Vec::new(),
        };
    frame
        .texts(
            "enumvals",
            names
                .iter()
                .map(|name| known(name).and_then(|at| enums.get(at).cloned().flatten())),
        )
        .finish()
}
