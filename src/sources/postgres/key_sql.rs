//! Join keys in a scan's statement. The form is chosen by how many there are:
//! few are joined by `unnest`, more compared by `= ANY`, keys without gaps become
//! a range; where nearly all rows are wanted the table is read as it is. Called by
//! `scan`, whose table it is.

use std::collections::{BTreeSet, VecDeque};

use datafusion::scalar::ScalarValue;
use tokio_postgres::types::Type;

use super::copy::Piece;
use super::key_value::{Encoded, encode, key_type, literal, step};
use super::keys::{Keys, Known, Passing};
use super::parameter::ArrayParameter;
use super::split::{KeyColumn, SingleTable};

/// Up to so many keys a join with them was measured faster than `= ANY`.
const JOINED: usize = 1_000;
/// More than this part of the rows is read with the others.
const MOST_PART: f64 = 0.5;
/// A range may hold so many values that are no keys, by keys.
const GAPS: f64 = 0.05;
const MOST_BYTES: usize = 32 << 20;
/// Ends of a range that holds less than this part of a table's rows by number may
/// lead to an index: the table is not cut into pieces.
const NARROW: f64 = 0.2;

/// What a scan is to read.
#[derive(Debug)]
pub(super) struct Chosen {
    pub pieces: VecDeque<Piece>,
    /// That were sent.
    pub keys: usize,
}

pub(super) fn choose(table: &SingleTable, passing: Passing, streams: usize) -> Chosen {
    let rows = table.rows;
    let known = match passing {
        Passing::None => return Chosen::of(VecDeque::new(), 0),
        Passing::Some(known) => known,
    };
    if let Some(chosen) = known
        .keys
        .as_ref()
        .and_then(|keys| by_keys(table, keys, rows))
    {
        return chosen;
    }
    by_ranges(table, &known, rows, streams)
}

fn by_keys(table: &SingleTable, keys: &Keys, rows: Option<u64>) -> Option<Chosen> {
    let columns = keys
        .columns
        .iter()
        .map(|at| {
            let column = table.keys.get(*at)?.as_ref()?;
            Some((column, key_type(column.oid)?))
        })
        .collect::<Option<Vec<_>>>()?;
    let encoded = encode_all(keys, &columns)?;
    if encoded.is_empty() {
        return Some(Chosen::of(VecDeque::new(), 0));
    }
    let count = encoded.len();
    if let Some(range) = without_gaps(keys, &columns, count) {
        let piece = Piece::plain(table.sql("", &[range]));
        return Some(Chosen::of(VecDeque::from([piece]), count));
    }
    if rows.is_some_and(|rows| count as f64 > rows as f64 * MOST_PART && count > JOINED) {
        return None;
    }
    let mut parameters: Vec<ArrayParameter> = columns
        .iter()
        .map(|(_, sent)| ArrayParameter::new(sent.clone()))
        .collect::<Option<_>>()?;
    for row in &encoded {
        for (parameter, value) in parameters.iter_mut().zip(row) {
            parameter.push(value).then_some(())?;
        }
    }
    let bytes: usize = parameters.iter().map(ArrayParameter::bytes).sum();
    if bytes > MOST_BYTES {
        return None;
    }
    let names: Vec<&str> = columns
        .iter()
        .map(|(column, _)| column.name.as_str())
        .collect();
    let piece = Piece {
        sql: with_keys(table, &names, count),
        parameters: parameters.into(),
    };
    Some(Chosen::of(VecDeque::from([piece]), count))
}

/// The table's statement with `$1` … `$n` as arrays of keys.
fn with_keys(table: &SingleTable, names: &[&str], count: usize) -> String {
    let parameters: Vec<String> = (1..=names.len()).map(|at| format!("${at}")).collect();
    let parameters = parameters.join(", ");
    // no name of the table's may mean a column of the keys
    let is_free = !table.sql("", &[]).contains("narrows key");
    if count <= JOINED && is_free {
        let columns: Vec<String> = (1..=names.len())
            .map(|at| format!("\"{KEY}{at}\""))
            .collect();
        let from = format!(
            ", unnest({parameters}) AS \"{KEYS}\"({})",
            columns.join(", ")
        );
        let equal: Vec<String> = names
            .iter()
            .zip(&columns)
            .map(|(name, key)| format!("{name} = \"{KEYS}\".{key}"))
            .collect();
        return table.sql(&from, &equal);
    }
    let condition = match names {
        [name] => format!("{name} = ANY ($1)"),
        names => format!(
            "({}) IN (SELECT * FROM unnest({parameters}))",
            names.join(", ")
        ),
    };
    table.sql("", &[condition])
}

const KEY: &str = "narrows key ";
const KEYS: &str = "narrows keys";

/// Different ones alone. `None` if one cannot be written.
fn encode_all(keys: &Keys, columns: &[(&KeyColumn, Type)]) -> Option<BTreeSet<Vec<Vec<u8>>>> {
    let mut all = BTreeSet::new();
    'rows: for row in &keys.rows {
        let values = match columns {
            [_] => vec![row.clone()],
            _ => {
                let ScalarValue::Struct(fields) = row else {
                    return None;
                };
                fields
                    .columns()
                    .iter()
                    .map(|field| ScalarValue::try_from_array(field, 0).ok())
                    .collect::<Option<Vec<_>>>()?
            }
        };
        let mut encoded = Vec::with_capacity(columns.len());
        for (value, (_, sent)) in values.iter().zip(columns) {
            match encode(value, sent) {
                Encoded::Value(bytes) => encoded.push(bytes),
                Encoded::Matchless => continue 'rows,
                Encoded::Unknown => return None,
            }
        }
        if encoded.len() != columns.len() {
            return None;
        }
        all.insert(encoded);
    }
    Some(all)
}

/// The range that the keys of one column fill.
fn without_gaps(keys: &Keys, columns: &[(&KeyColumn, Type)], count: usize) -> Option<String> {
    let [(column, sent)] = columns else {
        return None;
    };
    let there: Vec<_> = keys.rows.iter().filter(|row| !row.is_null()).collect();
    let steps = || there.iter().map(|row| step(row));
    let least = steps().min()??;
    let greatest = steps().max()??;
    let values = greatest.checked_sub(least)?.checked_add(1)? as f64;
    if count < 3 || values > count as f64 * (1.0 + GAPS) || steps().any(|step| step.is_none()) {
        return None;
    }
    let row_of = |wanted: i64| there.iter().find(|row| step(row) == Some(wanted));
    between(column, sent, row_of(least)?, row_of(greatest)?)
}

fn between(
    column: &KeyColumn,
    sent: &Type,
    least: &ScalarValue,
    greatest: &ScalarValue,
) -> Option<String> {
    let (least, greatest) = (literal(least, sent)?, literal(greatest, sent)?);
    let name = &column.name;
    Some(format!("{name} >= {least} AND {name} <= {greatest}"))
}

fn by_ranges(table: &SingleTable, known: &Known, rows: Option<u64>, streams: usize) -> Chosen {
    let mut narrowed = table.clone();
    let mut streams = streams;
    for (at, (least, greatest)) in &known.ranges {
        let Some(Some(column)) = table.keys.get(*at) else {
            continue;
        };
        let Some(sent) = key_type(column.oid) else {
            continue;
        };
        let Some(range) = between(column, &sent, least, greatest) else {
            continue;
        };
        narrowed.filters.push(range);
        let values = step(greatest)
            .zip(step(least))
            .and_then(|(greatest, least)| greatest.checked_sub(least));
        let is_narrow = values
            .zip(rows)
            .is_some_and(|(values, rows)| (values as f64) < rows as f64 * NARROW);
        if is_narrow {
            streams = 1;
        }
    }
    Chosen::of(narrowed.pieces(streams), 0)
}

impl Chosen {
    fn of(pieces: VecDeque<Piece>, keys: usize) -> Chosen {
        Chosen { pieces, keys }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn table() -> SingleTable {
        let key = |name: &str, oid| {
            Some(KeyColumn {
                name: name.into(),
                oid,
            })
        };
        SingleTable {
            select_list: "a, b, c".into(),
            table: "s.t".into(),
            filters: vec!["b > 1".into()],
            blocks: None,
            wanted: 1.0,
            rows: Some(1_000_000),
            keys: vec![key("a", 23), key("b", 25), None],
        }
    }

    fn keys(columns: &[usize], rows: Vec<ScalarValue>) -> Passing {
        Passing::Some(Known {
            keys: Some(Keys {
                columns: columns.into(),
                rows,
            }),
            ranges: BTreeMap::new(),
        })
    }

    fn ints(values: impl IntoIterator<Item = i32>) -> Vec<ScalarValue> {
        values.into_iter().map(ScalarValue::from).collect()
    }

    fn sql(passing: Passing) -> (Vec<String>, usize) {
        let chosen = choose(&table(), passing, 1);
        let pieces = chosen.pieces.iter().map(|piece| piece.sql.clone());
        (pieces.collect(), chosen.keys)
    }

    #[test]
    fn the_form_follows_the_number_of_keys() {
        let all = "SELECT a, b, c FROM s.t WHERE b > 1";
        let text = |value: &str| ScalarValue::Utf8(Some(value.into()));
        for (passing, expected, sent) in [
            (Passing::None, None, 0),
            (Passing::all(), Some(all.to_string()), 0),
            (keys(&[0], vec![ScalarValue::Int32(None)]), None, 0),
            (
                keys(&[0], ints([1, 7, 7, 100])),
                Some(
                    "SELECT a, b, c FROM s.t, unnest($1) AS \"narrows keys\"(\"narrows key 1\") \
                     WHERE b > 1 AND a = \"narrows keys\".\"narrows key 1\""
                        .into(),
                ),
                3,
            ),
            (
                keys(&[0], ints((0..5000).map(|i| i * 2))),
                Some(format!("{all} AND a = ANY ($1)")),
                5000,
            ),
            (
                keys(&[0], ints(10..2000)),
                Some(format!(
                    "{all} AND a >= '10'::pg_catalog.int8 AND a <= '1999'::pg_catalog.int8"
                )),
                1990,
            ),
            // nearly all rows
            (
                keys(&[0], ints((0..600_000).map(|i| i * 2))),
                Some(all.into()),
                0,
            ),
            // a column that takes none, and a value of another type
            (keys(&[2], ints([1, 5, 9])), Some(all.into()), 0),
            (keys(&[0], vec![text("x")]), Some(all.into()), 0),
        ] {
            let (pieces, keys) = sql(passing);
            assert_eq!((pieces, keys), (expected.into_iter().collect(), sent));
        }
    }
}
