//! One table of the file, read key by key. The keys that are asked for are the
//! keys that exist: `finish` reports all others with the nearest of those.

use std::cell::RefCell;

use toml::de::{DeTable, DeValue};

use super::item::Item;
use super::notes::{Notes, suggestion};
use super::secret::Secret;

pub(super) struct Section<'a> {
    pub(super) notes: &'a Notes<'a>,
    /// `sources.shop`; empty for the file itself.
    path: String,
    /// Where the table starts: byte offset.
    at: usize,
    table: &'a DeTable<'a>,
    asked: RefCell<Vec<&'static str>>,
}

impl<'a> Section<'a> {
    pub(super) fn root(notes: &'a Notes<'a>, table: &'a DeTable<'a>) -> Self {
        Section::new(notes, String::new(), 0, table)
    }

    pub(super) fn new(
        notes: &'a Notes<'a>,
        path: String,
        at: usize,
        table: &'a DeTable<'a>,
    ) -> Self {
        Section {
            notes,
            path,
            at,
            table,
            asked: RefCell::default(),
        }
    }

    /// The value under a key that this section knows.
    pub(super) fn item(&self, key: &'static str) -> Option<Item<'a>> {
        self.asked.borrow_mut().push(key);
        self.find(key)
    }

    /// A key that was asked for already, for a mistake that is found later.
    pub(super) fn find(&self, key: &str) -> Option<Item<'a>> {
        let (key, value) = self.table.get_key_value(key)?;
        Some(Item {
            notes: self.notes,
            key: self.full_key(key.get_ref()),
            at: key.span().start,
            value: value.get_ref(),
        })
    }

    /// Every key of a table whose keys are names of the user's.
    pub(super) fn entries(&self) -> Vec<(String, Item<'a>)> {
        self.table
            .keys()
            .filter_map(|key| {
                let name = key.get_ref().to_string();
                let item = self.find(&name)?;
                Some((name, item))
            })
            .collect()
    }

    /// The same for a table under `key`; none if it is absent.
    pub(super) fn named(&self, key: &'static str) -> Vec<(String, Item<'a>)> {
        self.section(key)
            .map(|section| section.entries())
            .unwrap_or_default()
    }

    pub(super) fn section(&self, key: &'static str) -> Option<Section<'a>> {
        self.item(key)?.section()
    }

    /// `[[key]]`
    pub(super) fn sections(&self, key: &'static str) -> Vec<Section<'a>> {
        let Some(item) = self.item(key) else {
            return Vec::new();
        };
        let DeValue::Array(array) = item.value else {
            item.wrong_type(&format!("tables, each under [[{key}]]"));
            return Vec::new();
        };
        array
            .iter()
            .filter_map(|element| {
                let element = Item {
                    at: element.span().start,
                    value: element.get_ref(),
                    ..item.clone()
                };
                element.section()
            })
            .collect()
    }

    pub(super) fn text(&self, key: &'static str) -> Option<String> {
        Some(self.item(key)?.text()?.value)
    }

    /// Empty after a mistake was noted.
    pub(super) fn required_text(&self, key: &'static str) -> String {
        match self.required(key).and_then(|item| item.text()) {
            Some(text) => text.value,
            None => String::new(),
        }
    }

    pub(super) fn secret(&self, key: &'static str) -> Option<Secret> {
        self.item(key)?.secret()
    }

    pub(super) fn boolean(&self, key: &'static str) -> Option<bool> {
        self.item(key)?.boolean()
    }

    /// At least 1.
    pub(super) fn count(&self, key: &'static str) -> Option<usize> {
        self.item(key)?.count()
    }

    pub(super) fn texts(&self, key: &'static str) -> Option<Vec<super::item::Text<'a>>> {
        self.item(key)?.texts()
    }

    pub(super) fn required(&self, key: &'static str) -> Option<Item<'a>> {
        let item = self.item(key);
        if item.is_none() {
            self.mistake(format!("\"{key}\" is missing"));
        }
        item
    }

    /// A mistake of the section as a whole.
    pub(super) fn mistake(&self, what: impl Into<String>) {
        self.notes.add(self.at, &self.path, what);
    }

    /// Notes every key that nobody asked for.
    pub(super) fn finish(&self) {
        let asked = self.asked.borrow();
        for (name, item) in self.entries() {
            if !asked.contains(&name.as_str()) {
                let suggestion = suggestion(&name, asked.iter().copied());
                item.mistake(format!("unknown key; {suggestion}"));
            }
        }
    }

    fn full_key(&self, key: &str) -> String {
        let bare = !key.is_empty()
            && key
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
        let key = if bare {
            key.to_string()
        } else {
            format!("{key:?}")
        };
        match self.path.as_str() {
            "" => key,
            path => format!("{path}.{key}"),
        }
    }
}
