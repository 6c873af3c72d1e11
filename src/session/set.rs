//! SET, SHOW and set_config: one session's settings as statements see them.
//! Called by `answer`.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, RecordBatch, StringViewArray};
use datafusion::arrow::datatypes::{Schema, SchemaRef};

use super::Session;
use super::answer::{ALL, Answer, Running, Tag};
use super::commands::SetConfig;
use super::cursor::RowCursor;
use super::settings::{Scope, Settings};
use crate::error::{Error, Result, SqlState};
use crate::names::SourceName;
use crate::types::PgType;

impl Session {
    pub(super) fn set(&mut self, name: &str, value: Option<&str>, scope: Scope) -> Result<()> {
        if scope == Scope::Transaction && !self.require_block("SET LOCAL") {
            // checked all the same
            let before = self.settings.snapshot();
            if let Some(value) = value {
                self.settings.set(name, value, scope)?;
            }
            self.settings.restore(before);
            return Ok(());
        }
        if name.to_ascii_lowercase().starts_with("transaction_") {
            return match value {
                Some(value) => self.settings.set(name, value, Scope::Transaction),
                None => self.settings.reset(name, Scope::Transaction),
            };
        }
        if let Some(source) = value.filter(|_| name.eq_ignore_ascii_case("narrows.source"))
            && !source.is_empty()
        {
            self.allow_verbatim(&SourceName::new(source))?;
        }
        match value {
            Some(value) => self.settings.set(name, value, scope),
            None => self.settings.reset(name, scope),
        }
    }

    pub(super) fn set_authorization(&mut self, user: Option<&str>) -> Result<()> {
        match user {
            None => Ok(()),
            Some(user) if user == &*self.identity.user => Ok(()),
            Some(user) => Err(Error::new(
                SqlState::INSUFFICIENT_PRIVILEGE,
                format!("permission denied to set session authorization \"{user}\""),
            )),
        }
    }

    pub(super) fn show(&mut self, name: Option<&str>) -> Result<Answer> {
        let rows = match name {
            Some(name) => {
                let value = self.shown_value(name)?;
                text_batch(&[Settings::canonical_name(name)], &[vec![value]])?
            }
            None => {
                let all = self.settings.show_all();
                text_batch(
                    &["name", "setting", "description"].map(str::to_string),
                    &[
                        all.iter().map(|row| row.0.clone()).collect(),
                        all.iter().map(|row| row.1.clone()).collect(),
                        all.iter().map(|row| row.2.clone()).collect(),
                    ],
                )?
            }
        };
        Ok(rows_of(rows, Tag::Show))
    }

    fn shown_value(&self, name: &str) -> Result<String> {
        if name.eq_ignore_ascii_case("narrows.last_route") {
            return Ok(self.last_route.clone());
        }
        Ok(self.settings.show(name)?.to_string())
    }

    pub(super) fn set_config(&mut self, all: &[SetConfig]) -> Result<Answer> {
        let mut names = Vec::new();
        let mut values = Vec::new();
        for one in all {
            // within its own implicit transaction SET LOCAL is silent, as the function is
            if let Some((value, scope)) = &one.value {
                self.settings.set(&one.name, value, *scope)?;
            }
            names.push(one.column.clone());
            values.push(vec![self.shown_value(&one.name)?]);
        }
        Ok(rows_of(text_batch(&names, &values)?, Tag::Select))
    }
}

pub(super) fn text_schema(names: &[impl AsRef<str>]) -> SchemaRef {
    let fields: Vec<_> = names
        .iter()
        .filter_map(|name| PgType::TEXT.field(name.as_ref(), false))
        .collect();
    Arc::new(Schema::new(fields))
}

fn text_batch(names: &[String], columns: &[Vec<String>]) -> Result<RecordBatch> {
    let arrays = columns
        .iter()
        .map(|values| Arc::new(StringViewArray::from_iter_values(values)) as ArrayRef)
        .collect();
    Ok(RecordBatch::try_new(text_schema(names), arrays)?)
}

fn rows_of(batch: RecordBatch, tag: Tag) -> Answer {
    Answer::Rows(Running {
        cursor: RowCursor::batch(batch),
        tag,
        most: ALL,
        formats: None,
        route: None,
        origin: None,
    })
}
