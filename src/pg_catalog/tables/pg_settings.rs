//! pg_settings: the session's settings, described as Postgres describes those of
//! the same name.

use std::collections::HashMap;

use datafusion::arrow::array::RecordBatch;

use crate::error::Result;
use crate::pg_catalog::data;
use crate::pg_catalog::frame::Frame;
use crate::pg_catalog::snapshot::Seen;

/// What describes a setting: its column here, the file's, and what a setting has
/// that Postgres does not know. The file has no reset_val: settings start as built.
const DESCRIBED: &[(&str, &str, Option<&str>)] = &[
    ("unit", "unit", None),
    ("category", "category", Some("Customized Options")),
    ("short_desc", "short_desc", None),
    ("extra_desc", "extra_desc", None),
    ("context", "context", Some("user")),
    ("vartype", "vartype", Some("string")),
    ("min_val", "min_val", None),
    ("max_val", "max_val", None),
    ("boot_val", "boot_val", None),
    ("reset_val", "boot_val", None),
];

pub fn rows(seen: &Seen) -> Result<RecordBatch> {
    let names: Vec<String> = described("name").into_iter().flatten().collect();
    let lower = names.iter().map(|name| name.to_ascii_lowercase());
    let places: HashMap<String, usize> = lower.zip(0..).collect();
    let settings = &seen.vars.settings;
    let found: Vec<Option<usize>> = settings
        .keys()
        .map(|name| places.get(name).copied())
        .collect();
    let mut frame = Frame::of("pg_catalog", "pg_settings", settings.len())?
        // DateStyle and the like keep their capitals
        .text(
            "name",
            settings
                .keys()
                .zip(&found)
                .map(|(name, at)| at.map_or(name, |at| &names[at])),
        )
        .text("setting", settings.values())
        .all_text("source", "session")
        .all_bool("pending_restart", false);
    for (column, of, otherwise) in DESCRIBED {
        let texts = described(of);
        let text = |at: &Option<usize>| match at {
            Some(at) => texts.get(*at).cloned().flatten(),
            None => otherwise.map(str::to_string),
        };
        frame = frame.maybe_text(column, found.iter().map(text));
    }
    let choices = described("enumvals");
    let choice = |at: &Option<usize>| choices.get((*at)?)?.as_deref().map(data::elements);
    frame.texts("enumvals", found.iter().map(choice)).finish()
}

/// One column of what Postgres tells of its settings.
fn described(column: &str) -> Vec<Option<String>> {
    let fields = data::rows("pg_settings").and_then(|rows| rows.column(column));
    let text = |field| data::text(field).map(|text| text.into_owned());
    fields.into_iter().flatten().map(text).collect()
}
