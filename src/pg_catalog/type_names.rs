//! Types as SQL writes them: OID and modifier to text as format_type() does, and
//! back as the input of `regtype` does (section 8.19 of the Postgres manual).
//!
//! Called by functions, by the information_schema and by `resolve`. Built-in types
//! have the names of the manual's table 8.1; a source's types are named as the user
//! finds them.

use super::builtin::{self, TypeFacts};
use super::oids;
use super::resolve::{no_schema, split_name};
use super::snapshot::Seen;
use super::source_types::{Part, Type};
use crate::error::{Error, Result, SqlState};
use crate::names::quote_identifier;
use crate::types::Oid;

/// Whether a modifier is asked about at all: `format_type(oid, NULL)` prints
/// "character", `format_type(oid, -1)` prints "bpchar".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Modifier {
    NotAsked,
    Given(i32),
}

/// "numeric(12,2)", "character varying(80)[]"; "-" for 0, "???" for what is not built in.
pub fn format_type(oid: Oid, modifier: Modifier) -> String {
    if oid == 0 {
        return "-".to_string();
    }
    let Some(facts) = builtin::type_of(oid) else {
        return "???".to_string();
    };
    match true_element(facts) {
        Some(element) => format!("{}[]", format_plain(element, modifier)),
        None => format_plain(facts, modifier),
    }
}

/// The element of an array; int2vector and oidvector print under their own names.
fn true_element(facts: &TypeFacts) -> Option<&'static TypeFacts> {
    let is_array = facts.length == -1 && !matches!(facts.oid, 22 | 30);
    builtin::type_of(facts.element).filter(|_| is_array)
}

fn format_plain(facts: &TypeFacts, modifier: Modifier) -> String {
    let typmod = match modifier {
        Modifier::Given(typmod) if typmod >= 0 => Some(typmod),
        _ => None,
    };
    let unmodified = |name: &str, own_name: &str| match modifier {
        Modifier::NotAsked => name.to_string(),
        Modifier::Given(_) => own_name.to_string(),
    };
    let counted = |name: &str, offset: i32| match typmod {
        Some(typmod) => format!("{name}({})", typmod - offset),
        None => name.to_string(),
    };
    let timed = |name: &str, zone: &str| match typmod {
        Some(precision) => format!("{name}({precision}) {zone}"),
        None => format!("{name} {zone}"),
    };
    match facts.oid {
        16 => "boolean".into(),
        20 => "bigint".into(),
        21 => "smallint".into(),
        23 => "integer".into(),
        700 => "real".into(),
        701 => "double precision".into(),
        1042 if typmod.is_none() => unmodified("character", "bpchar"),
        1042 => counted("character", 4),
        1043 => counted("character varying", 4),
        1560 if typmod.is_none() => unmodified("bit", "\"bit\""),
        1560 => counted("bit", 0),
        1562 => counted("bit varying", 0),
        1083 => timed("time", "without time zone"),
        1266 => timed("time", "with time zone"),
        1114 => timed("timestamp", "without time zone"),
        1184 => timed("timestamp", "with time zone"),
        1186 => format!(
            "interval{}",
            typmod.map(interval_fields).unwrap_or_default()
        ),
        1700 => format!("numeric{}", typmod.map(numeric_scale).unwrap_or_default()),
        _ => qualified(facts),
    }
}

fn qualified(facts: &TypeFacts) -> String {
    let name = quote_identifier(&facts.name);
    if facts.namespace == oids::SCHEMA_PG_CATALOG {
        name
    } else {
        format!("information_schema.{name}")
    }
}

fn numeric_scale(typmod: i32) -> String {
    let packed = typmod - 4;
    // the scale is eleven bits, sign extended
    format!("({},{})", packed >> 16, ((packed & 0x7ff) ^ 0x400) - 0x400)
}

fn interval_fields(typmod: i32) -> String {
    const YEAR: i32 = 1 << 2;
    const MONTH: i32 = 1 << 1;
    const DAY: i32 = 1 << 3;
    const HOUR: i32 = 1 << 10;
    const MINUTE: i32 = 1 << 11;
    const SECOND: i32 = 1 << 12;
    const NAMES: &[(i32, &str)] = &[
        (YEAR, " year"),
        (MONTH, " month"),
        (DAY, " day"),
        (HOUR, " hour"),
        (MINUTE, " minute"),
        (SECOND, " second"),
        (YEAR | MONTH, " year to month"),
        (DAY | HOUR, " day to hour"),
        (DAY | HOUR | MINUTE, " day to minute"),
        (DAY | HOUR | MINUTE | SECOND, " day to second"),
        (HOUR | MINUTE, " hour to minute"),
        (HOUR | MINUTE | SECOND, " hour to second"),
        (MINUTE | SECOND, " minute to second"),
    ];
    let (fields, precision) = ((typmod >> 16) & 0x7fff, typmod & 0xffff);
    let name = NAMES
        .iter()
        .find(|(mask, _)| *mask == fields)
        .map_or("", |(_, name)| name);
    match precision {
        0xffff => name.to_string(),
        precision => format!("{name}({precision})"),
    }
}

impl<'a> Seen<'a> {
    /// As the function of that name, for the types of sources too: "mood" where the
    /// search path finds it under that name, else "desk.mood".
    pub fn format_type(&self, oid: Oid, modifier: Modifier) -> String {
        let Some(of) = self.source_type(oid) else {
            return format_type(oid, modifier);
        };
        match of.part {
            Part::Itself => self.source_type_text(of, modifier),
            Part::Array => match self.source_type(of.facts.element) {
                Some(element) => format!("{}[]", self.source_type_text(element, modifier)),
                None => "???[]".to_string(),
            },
        }
    }

    /// A modifier is printed as a number where the type has no function for it; only
    /// the source could call that function.
    fn source_type_text(&self, of: &Type, modifier: Modifier) -> String {
        let name = quote_identifier(&of.facts.name);
        let name = match self.type_in_search_path(&of.facts.name) {
            Some(found) if found.oid == of.facts.oid => name,
            _ => {
                let schema = self.namespace_name(of.facts.namespace).unwrap_or_default();
                format!("{}.{name}", quote_identifier(&schema))
            }
        };
        match modifier {
            Modifier::Given(typmod) if typmod >= 0 && of.declared.functions.modifier_out == 0 => {
                format!("{name}({typmod})")
            }
            _ => name,
        }
    }

    /// By the name in pg_type; the first in the order of the path.
    pub fn type_in_search_path(&self, name: &str) -> Option<&'a TypeFacts> {
        let path = self.search_path();
        path.iter()
            .find_map(|schema| self.type_in_schema(schema, name))
    }

    fn type_in_schema(&self, schema: &str, name: &str) -> Option<&'a TypeFacts> {
        if schema == "pg_catalog" {
            return builtin::type_named(name);
        }
        let namespace = self.namespace_oid(schema)?;
        let found = self.source_type_named(namespace, name);
        found.map(|of| &of.facts)
    }

    /// The type that a text names, as `'integer[]'::regtype` reads it; a modifier is
    /// read and dropped. 42704 where the user sees no such type, 3F000 where they see
    /// no such schema.
    pub fn parse_type(&self, text: &str) -> Result<Oid> {
        parse_type(text, |words| {
            if let Some(facts) = named(words) {
                return Ok(Some(facts));
            }
            let Ok(parts) = split_name(words) else {
                return Ok(None);
            };
            match parts.as_slice() {
                [name] => Ok(self.type_in_search_path(name)),
                [schema, name] => self.qualified_type(schema, name),
                [database, schema, name] if **database == *self.vars.database => {
                    self.qualified_type(schema, name)
                }
                _ => Ok(None),
            }
        })
    }

    fn qualified_type(&self, schema: &str, name: &str) -> Result<Option<&'a TypeFacts>> {
        match self.schema_exists(schema) {
            true => Ok(self.type_in_schema(schema, name)),
            false => Err(no_schema(schema)),
        }
    }
}

fn parse_type<'a>(
    text: &str,
    look_up: impl Fn(&str) -> Result<Option<&'a TypeFacts>>,
) -> Result<Oid> {
    let missing = || {
        Error::new(
            SqlState::UNDEFINED_OBJECT,
            format!("type \"{}\" does not exist", text.trim()),
        )
    };
    let mut words = text.trim();
    let mut is_array = false;
    while let Some(inner) = words.strip_suffix(']') {
        let open = inner.rfind('[').ok_or_else(missing)?;
        words = inner[..open].trim_end();
        is_array = true;
    }
    if let Some(inner) = strip_word(words, "array") {
        words = inner;
        is_array = true;
    }
    let element = look_up(&without_modifier(words))?.ok_or_else(missing)?;
    match is_array {
        true if element.array == 0 => Err(missing()),
        true => Ok(element.array),
        false => Ok(element.oid),
    }
}

fn strip_word<'a>(words: &'a str, last: &str) -> Option<&'a str> {
    let (rest, word) = words.rsplit_once(' ')?;
    word.eq_ignore_ascii_case(last).then(|| rest.trim_end())
}

/// "timestamp(3) with time zone" → "timestamp with time zone".
fn without_modifier(words: &str) -> String {
    match (words.starts_with('"'), words.find('('), words.find(')')) {
        (false, Some(open), Some(close)) if open < close => format!(
            "{} {}",
            words[..open].trim_end(),
            words[close + 1..].trim_start()
        )
        .trim_end()
        .to_string(),
        _ => words.to_string(),
    }
}

fn named(words: &str) -> Option<&'static TypeFacts> {
    if let Some(quoted) = words
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
    {
        return builtin::type_named(quoted);
    }
    let lower = words.to_ascii_lowercase();
    let lower = lower.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some(plain) = lower.strip_prefix("pg_catalog.") {
        return builtin::type_named(plain.trim_matches('"'));
    }
    let name = match lower.as_str() {
        "int" | "integer" => "int4",
        "bigint" => "int8",
        "smallint" => "int2",
        "real" => "float4",
        "float" | "double precision" => "float8",
        "boolean" => "bool",
        "decimal" | "dec" => "numeric",
        "char" | "character" | "nchar" | "national character" | "national char" => "bpchar",
        "character varying" | "char varying" | "national character varying" | "nchar varying" => {
            "varchar"
        }
        "bit varying" => "varbit",
        "time without time zone" => "time",
        "time with time zone" => "timetz",
        "timestamp without time zone" => "timestamp",
        "timestamp with time zone" => "timestamptz",
        other => other,
    };
    builtin::type_named(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_print_as_format_type_does() {
        for (oid, modifier, text) in [
            (23, Modifier::Given(-1), "integer"),
            (1700, Modifier::Given(786438), "numeric(12,2)"),
            (1043, Modifier::Given(84), "character varying(80)"),
            (1042, Modifier::NotAsked, "character"),
            (1042, Modifier::Given(-1), "bpchar"),
            (1042, Modifier::Given(7), "character(3)"),
            (1015, Modifier::Given(84), "character varying(80)[]"),
            (1184, Modifier::Given(3), "timestamp(3) with time zone"),
            (1186, Modifier::Given(0x7fff_0003), "interval(3)"),
            (1186, Modifier::Given(4 << 16 | 0xffff), "interval year"),
            (18, Modifier::NotAsked, "\"char\""),
            (30, Modifier::NotAsked, "oidvector"),
            (1034, Modifier::NotAsked, "aclitem[]"),
            (2287, Modifier::NotAsked, "record[]"),
            (0, Modifier::NotAsked, "-"),
            (3, Modifier::NotAsked, "???"),
        ] {
            assert_eq!(format_type(oid, modifier), text);
        }
    }

    #[test]
    fn type_names_are_read() {
        for (text, oid) in [
            ("integer", 23),
            ("INT4", 23),
            ("integer[]", 1007),
            ("character varying(10)", 1043),
            ("\"char\"", 18),
            ("char", 1042),
            ("pg_catalog.int8", 20),
            ("timestamp(3) with time zone", 1184),
            ("numeric(10,2)[]", 1231),
            ("text array", 1009),
        ] {
            assert_eq!(parse_type(text, |words| Ok(named(words))).expect(text), oid);
        }
        let error = parse_type("nosuch", |words| Ok(named(words))).expect_err("no such type");
        assert_eq!(error.message(), "type \"nosuch\" does not exist");
    }
}
