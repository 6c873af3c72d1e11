//! The words of the engine's planner → those of Postgres's parse analysis.

use datafusion::common::{Column, SchemaError};

use super::engine::first_line;
use super::{Error, SqlState};

/// Hints name columns at most this many edits away (MAX_FUZZY_DISTANCE).
const MOST_EDITS: usize = 3;

pub(super) fn from_schema(error: SchemaError) -> Error {
    match error {
        SchemaError::FieldNotFound {
            field,
            valid_fields,
        } => missing_column(&field, &valid_fields),
        SchemaError::AmbiguousReference { field } => Error::new(
            SqlState::AMBIGUOUS_COLUMN,
            format!("column reference \"{}\" is ambiguous", field.name),
        ),
        SchemaError::DuplicateQualifiedField { qualifier, .. } => Error::new(
            SqlState::DUPLICATE_ALIAS,
            format!(
                "table name \"{}\" specified more than once",
                qualifier.table()
            ),
        ),
        SchemaError::DuplicateUnqualifiedField { name } => Error::new(
            SqlState::DUPLICATE_COLUMN,
            format!("column \"{name}\" specified more than once"),
        ),
    }
}

fn missing_column(field: &Column, valid: &[Column]) -> Error {
    let table = field.relation.as_ref().map(|relation| relation.table());
    let known = |table: &str| {
        valid.iter().any(|column| {
            column
                .relation
                .as_ref()
                .is_some_and(|relation| relation.table() == table)
        })
    };
    if let Some(table) = table
        && !valid.is_empty()
        && !known(table)
    {
        return missing_table(table);
    }
    let error = Error::new(
        SqlState::UNDEFINED_COLUMN,
        match table {
            Some(table) => format!("column {table}.{} does not exist", field.name),
            None => format!("column \"{}\" does not exist", field.name),
        },
    );
    let candidates = valid.iter().filter(|column| {
        let own = column.relation.as_ref().map(|relation| relation.table());
        table.is_none() || own == table
    });
    match nearest(&field.name, candidates).as_slice() {
        [one] => error.with_hint(format!("Perhaps you meant to reference the column {one}.")),
        [one, other] => error.with_hint(format!(
            "Perhaps you meant to reference the column {one} or the column {other}."
        )),
        _ => error,
    }
}

fn missing_table(table: &str) -> Error {
    Error::new(
        SqlState::UNDEFINED_TABLE,
        format!("missing FROM-clause entry for table \"{table}\""),
    )
}

/// The columns with the fewest edits, quoted.
fn nearest<'a>(name: &str, valid: impl Iterator<Item = &'a Column>) -> Vec<String> {
    let most = MOST_EDITS.min(name.chars().count() / 2);
    let near: Vec<(usize, String)> = valid
        .map(|column| {
            let shown = match &column.relation {
                Some(relation) => format!("\"{}.{}\"", relation.table(), column.name),
                None => format!("\"{}\"", column.name),
            };
            (strsim::levenshtein(&column.name, name), shown)
        })
        .filter(|(edits, _)| *edits <= most)
        .collect();
    let least = near.iter().map(|(edits, _)| *edits).min();
    let mut best: Vec<String> = near
        .into_iter()
        .filter(|(edits, _)| Some(*edits) == least)
        .map(|(_, shown)| shown)
        .collect();
    best.dedup();
    best
}

pub(super) fn from_plan_text(text: &str) -> Error {
    let line = first_line(text);
    if line.starts_with("Plan: [") {
        // the engine finds its own plan at fault
        return Error::internal(text.to_string());
    }
    if let Some(known) = known(&line) {
        return known.with_cause(text.to_string());
    }
    let state = if line.contains("Invalid function") || line.contains("does not support") {
        SqlState::UNDEFINED_FUNCTION
    } else if line.contains("in GROUP BY clause") {
        SqlState::GROUPING_ERROR
    } else if line.contains("Cannot coerce")
        || line.contains("Cannot infer common")
        || line.contains("Failed to coerce")
        || line.contains("Unary operator '-'")
    {
        SqlState::UNDEFINED_FUNCTION
    } else {
        SqlState::SYNTAX_ERROR
    };
    Error::new(state, line)
}

/// What Postgres says instead, where it says the same thing.
pub(super) fn known(line: &str) -> Option<Error> {
    let quoted = |start: &str, end: char| -> Option<String> {
        let rest = &line[line.find(start)? + start.len()..];
        Some(rest.split(end).next()?.to_string())
    };
    if line.contains("must appear in the GROUP BY clause") {
        let column = quoted("column \"", '"')?;
        let parts: Vec<&str> = column.split('.').collect();
        let shown = parts[parts.len().saturating_sub(2)..].join(".");
        return Some(Error::new(
            SqlState::GROUPING_ERROR,
            format!(
                "column \"{shown}\" must appear in the GROUP BY clause or be used in an aggregate function"
            ),
        ));
    }
    if line.contains("Cannot create filter with non-boolean predicate") {
        let own = filter_type(line)?;
        return Some(not_boolean("WHERE", own));
    }
    if line.contains("Unary operator 'NOT' requires a boolean expression") {
        return Some(not_boolean("NOT", type_name(&quoted("got ", '\n')?)?));
    }
    if let Some(window) = line.strip_prefix("The window ")
        && let Some(name) = window.strip_suffix(" is not defined!")
    {
        return Some(Error::new(
            SqlState::UNDEFINED_OBJECT,
            format!("window \"{name}\" does not exist"),
        ));
    }
    if let Some(table) = line.strip_prefix("Invalid qualifier ") {
        return Some(missing_table(table));
    }
    let (state, message) = [
        (
            "LIMIT must be >= 0",
            SqlState::INVALID_LIMIT,
            "LIMIT must not be negative",
        ),
        (
            "OFFSET must be >=0",
            SqlState::INVALID_OFFSET,
            "OFFSET must not be negative",
        ),
        (
            "must appear in select list",
            SqlState::INVALID_COLUMN_REFERENCE,
            "for SELECT DISTINCT, ORDER BY expressions must appear in select list",
        ),
        (
            "with DISTINCT, ORDER BY expressions must appear in argument list",
            SqlState::INVALID_COLUMN_REFERENCE,
            "in an aggregate with DISTINCT, ORDER BY expressions must appear in argument list",
        ),
        (
            "NTILE requires a positive integer",
            SqlState::INVALID_NTILE_ARGUMENT,
            "argument of ntile must be greater than zero",
        ),
        (
            "UNION queries have different number of columns",
            SqlState::SYNTAX_ERROR,
            "each UNION query must have the same number of columns",
        ),
        (
            "INTERSECT queries have different number of columns",
            SqlState::SYNTAX_ERROR,
            "each INTERSECT query must have the same number of columns",
        ),
        (
            "EXCEPT queries have different number of columns",
            SqlState::SYNTAX_ERROR,
            "each EXCEPT query must have the same number of columns",
        ),
        (
            "Too many columns! The subquery should only return one column",
            SqlState::SYNTAX_ERROR,
            "subquery must return only one column",
        ),
        (
            "Aggregate functions are not allowed in the WHERE clause",
            SqlState::GROUPING_ERROR,
            "aggregate functions are not allowed in WHERE",
        ),
        (
            "Invalid escape character in LIKE expression",
            SqlState::INVALID_ESCAPE_SEQUENCE,
            "invalid escape string",
        ),
    ]
    .into_iter()
    .find(|(words, ..)| line.contains(words))
    .map(|(_, state, message)| (state, message))?;
    let error = Error::new(state, message);
    Some(match state == SqlState::INVALID_ESCAPE_SEQUENCE {
        true => error.with_hint("Escape string must be empty or one character."),
        false => error,
    })
}

fn not_boolean(place: &str, own: &str) -> Error {
    Error::new(
        SqlState::DATATYPE_MISMATCH,
        format!("argument of {place} must be type boolean, not type {own}"),
    )
}

/// The type at the end of the message; whole numbers of the text are integers.
fn filter_type(line: &str) -> Option<&'static str> {
    let own = type_name(line.rsplit("returning ").next()?)?;
    let literal = line.contains("predicate 'Int64(") && own == "bigint";
    Some(if literal { "integer" } else { own })
}

/// Postgres's name of an Arrow type, by what the engine prints of it.
fn type_name(arrow: &str) -> Option<&'static str> {
    Some(match arrow.trim() {
        "Int16" => "smallint",
        "Int32" => "integer",
        "Int64" => "bigint",
        "Float32" => "real",
        "Float64" => "double precision",
        "Utf8" | "Utf8View" | "LargeUtf8" => "text",
        "Date32" => "date",
        "Binary" | "BinaryView" => "bytea",
        other if other.starts_with("Decimal") => "numeric",
        other if other.starts_with("Timestamp") => match other.contains("UTC") {
            true => "timestamp with time zone",
            false => "timestamp without time zone",
        },
        other if other.starts_with("Interval") => "interval",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engines_words_become_those_of_postgres() {
        for (line, state, message) in [
            (
                "Column in SELECT must be in GROUP BY or an aggregate function: While expanding wildcard, column \"shop.t.id\" must appear in the GROUP BY clause or must be part of an aggregate function, currently only \"a\" appears in the SELECT clause satisfies this requirement",
                SqlState::GROUPING_ERROR,
                "column \"t.id\" must appear in the GROUP BY clause or be used in an aggregate function",
            ),
            (
                "Cannot create filter with non-boolean predicate 'Int64(1)' returning Int64",
                SqlState::DATATYPE_MISMATCH,
                "argument of WHERE must be type boolean, not type integer",
            ),
            (
                "LIMIT must be >= 0, '-1' was provided",
                SqlState::INVALID_LIMIT,
                "LIMIT must not be negative",
            ),
        ] {
            let error = from_plan_text(line);
            assert_eq!((error.state(), error.message()), (state, message));
        }
    }

    #[test]
    fn hints_name_the_nearest_columns() {
        let valid = [
            Column::new(Some("t"), "customer_id"),
            Column::new(Some("u"), "customer_ip"),
            Column::new(Some("u"), "name"),
        ];
        let missing = |relation: Option<&str>, name: &str| {
            let error = missing_column(&Column::new(relation, name), &valid);
            (
                error.message().to_string(),
                error.hint().map(str::to_string),
            )
        };
        assert_eq!(
            missing(None, "customer_i").1.as_deref(),
            Some(
                "Perhaps you meant to reference the column \"t.customer_id\" or the column \"u.customer_ip\"."
            )
        );
        assert_eq!(missing(Some("u"), "nam").0, "column u.nam does not exist");
        assert_eq!(
            missing(Some("x"), "name").0,
            "missing FROM-clause entry for table \"x\""
        );
        assert_eq!(missing(None, "zzzzzz").1, None);
    }
}
