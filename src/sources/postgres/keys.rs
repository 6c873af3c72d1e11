//! What a join knows of its other side, for a scan to read less: the keys that
//! it saw, or how far they reach. Reads the filter that the engine's hash join
//! leaves when it has its build side (`DynamicFilterPhysicalExpr`). What cannot be
//! told is left out: the join compares again, so more rows are never wrong.
//! Called by `key_sql`.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{
    BinaryExpr, CaseExpr, CastExpr, Column, InListExpr, Literal,
};
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use datafusion::scalar::ScalarValue;

/// Rows that a filter lets through.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Passing {
    None,
    Some(Known),
}

/// Nothing known: all rows.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Known {
    pub keys: Option<Keys>,
    /// By column: least and greatest.
    pub ranges: BTreeMap<usize, (ScalarValue, ScalarValue)>,
}

/// One of these rows is equal to the row's columns.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Keys {
    pub columns: Vec<usize>,
    /// Each a value, or a struct of one for each column.
    pub rows: Vec<ScalarValue>,
}

pub(super) fn passing(expr: &Arc<dyn PhysicalExpr>) -> Passing {
    if let Some(literal) = expr.downcast_ref::<Literal>() {
        return match literal.value() {
            ScalarValue::Boolean(Some(false) | None) => Passing::None,
            _ => Passing::all(),
        };
    }
    if let Some(binary) = expr.downcast_ref::<BinaryExpr>() {
        return of_binary(binary);
    }
    if let Some(list) = expr.downcast_ref::<InListExpr>() {
        return of_list(list).map_or_else(Passing::all, |keys| {
            Passing::Some(Known {
                keys: Some(keys),
                ranges: BTreeMap::new(),
            })
        });
    }
    // one branch for each partition of the build side
    if let Some(case) = expr.downcast_ref::<CaseExpr>() {
        let branches = case.when_then_expr().iter().map(|(_, then)| then);
        let otherwise = case.else_expr().map_or(Passing::None, passing);
        return branches.fold(otherwise, |all, then| all.or(passing(then)));
    }
    Passing::all()
}

fn of_binary(binary: &BinaryExpr) -> Passing {
    let bound = || {
        let column = column_of(binary.left())?;
        let value = binary.right().downcast_ref::<Literal>()?.value().clone();
        (!value.is_null()).then_some((column, value))
    };
    match binary.op() {
        Operator::And => {
            // both ends of a range stand side by side
            if let Some((column, least, greatest)) = range(binary) {
                return Passing::Some(Known {
                    keys: None,
                    ranges: BTreeMap::from([(column, (least, greatest))]),
                });
            }
            passing(binary.left()).and(passing(binary.right()))
        }
        Operator::Or => passing(binary.left()).or(passing(binary.right())),
        Operator::Eq => match bound() {
            Some((column, value)) => Passing::Some(Known {
                keys: Some(Keys {
                    columns: vec![column],
                    rows: vec![value],
                }),
                ranges: BTreeMap::new(),
            }),
            None => Passing::all(),
        },
        _ => Passing::all(),
    }
}

/// `c >= least AND c <= greatest`
fn range(both: &BinaryExpr) -> Option<(usize, ScalarValue, ScalarValue)> {
    let end = |expr: &Arc<dyn PhysicalExpr>, op: Operator| {
        let end = expr.downcast_ref::<BinaryExpr>()?;
        let value = end.right().downcast_ref::<Literal>()?.value();
        (*end.op() == op && !value.is_null()).then_some((column_of(end.left())?, value.clone()))
    };
    let (column, least) = end(both.left(), Operator::GtEq)?;
    let (same, greatest) = end(both.right(), Operator::LtEq)?;
    (column == same).then_some((column, least, greatest))
}

fn of_list(list: &InListExpr) -> Option<Keys> {
    let columns = match list.expr().downcast_ref::<ScalarFunctionExpr>() {
        Some(function) if function.name() == "struct" => function
            .args()
            .iter()
            .map(column_of)
            .collect::<Option<Vec<_>>>()?,
        _ => vec![column_of(list.expr())?],
    };
    let value = |expr: &Arc<dyn PhysicalExpr>| {
        let literal = expr.downcast_ref::<Literal>()?;
        Some(literal.value().clone())
    };
    let rows = list.list().iter().map(value).collect::<Option<Vec<_>>>()?;
    (!list.negated()).then_some(Keys { columns, rows })
}

/// A column, or one that is made a wider integer: equal is equal there too.
fn column_of(expr: &Arc<dyn PhysicalExpr>) -> Option<usize> {
    if let Some(column) = expr.downcast_ref::<Column>() {
        return Some(column.index());
    }
    let cast = expr.downcast_ref::<CastExpr>()?;
    match cast.cast_type().is_signed_integer() {
        // the key's type tells whether the column is an integer (`key_value`)
        true => column_of(cast.expr()),
        false => None,
    }
}

impl Passing {
    pub fn all() -> Passing {
        Passing::Some(Known::default())
    }

    pub fn and(self, other: Passing) -> Passing {
        let (Passing::Some(one), Passing::Some(other)) = (self, other) else {
            return Passing::None;
        };
        let keys = match (one.keys, other.keys) {
            (Some(one), Some(other)) if other.rows.len() < one.rows.len() => Some(other),
            (Some(one), _) => Some(one),
            (None, other) => other,
        };
        let mut ranges = one.ranges;
        for (column, range) in other.ranges {
            ranges.entry(column).or_insert(range);
        }
        Passing::Some(Known { keys, ranges })
    }

    pub fn or(self, other: Passing) -> Passing {
        let (one, other) = match (self, other) {
            (Passing::None, passing) | (passing, Passing::None) => return passing,
            (Passing::Some(one), Passing::Some(other)) => (one, other),
        };
        let keys = match (one.keys, other.keys) {
            (Some(mut one), Some(other)) if one.columns == other.columns => {
                one.rows.extend(other.rows);
                Some(one)
            }
            _ => None,
        };
        let mut ranges = BTreeMap::new();
        for (column, (least, greatest)) in one.ranges {
            let Some((low, high)) = other.ranges.get(&column) else {
                continue;
            };
            let least = if *low < least { low.clone() } else { least };
            let greatest = if *high > greatest {
                high.clone()
            } else {
                greatest
            };
            ranges.insert(column, (least, greatest));
        }
        Passing::Some(Known { keys, ranges })
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::datatypes::{DataType, Field, Schema};
    use datafusion::physical_expr::expressions::{col, in_list, is_null, lit};

    use super::*;

    fn schema() -> Schema {
        Schema::new(vec![Field::new("a", DataType::Int32, true)])
    }

    fn a() -> Arc<dyn PhysicalExpr> {
        col("a", &schema()).expect("a column")
    }

    fn list(values: &[i32]) -> Arc<dyn PhysicalExpr> {
        let values = values.iter().map(|value| lit(*value)).collect();
        in_list(a(), values, &false, &schema()).expect("a list")
    }

    fn binary(
        left: Arc<dyn PhysicalExpr>,
        op: Operator,
        right: Arc<dyn PhysicalExpr>,
    ) -> Arc<dyn PhysicalExpr> {
        Arc::new(BinaryExpr::new(left, op, right))
    }

    fn between(least: i32, greatest: i32) -> Arc<dyn PhysicalExpr> {
        binary(
            binary(a(), Operator::GtEq, lit(least)),
            Operator::And,
            binary(a(), Operator::LtEq, lit(greatest)),
        )
    }

    fn known(keys: Option<&[i32]>, range: Option<(i32, i32)>) -> Passing {
        Passing::Some(Known {
            keys: keys.map(|rows| Keys {
                columns: vec![0],
                rows: rows.iter().map(|row| ScalarValue::from(*row)).collect(),
            }),
            ranges: range
                .map(|(least, greatest)| (0, (least.into(), greatest.into())))
                .into_iter()
                .collect(),
        })
    }

    #[test]
    fn filters_are_read_as_far_as_they_are_known() {
        let case = |otherwise: bool| -> Arc<dyn PhysicalExpr> {
            let partition = |number: u64| lit(number);
            let both = |values: &[i32], least, greatest| {
                binary(between(least, greatest), Operator::And, list(values))
            };
            let branches = vec![
                (partition(0), both(&[1, 9], 1, 9)),
                (partition(1), both(&[4, 12], 4, 12)),
            ];
            Arc::new(
                CaseExpr::try_new(Some(lit(1u64)), branches, Some(lit(otherwise))).expect("a case"),
            )
        };
        let nulls_too = binary(is_null(a()).expect("a test"), Operator::Or, list(&[1]));
        for (filter, expected) in [
            (lit(true), Passing::all()),
            (lit(false), Passing::None),
            (list(&[3, 1]), known(Some(&[3, 1]), None)),
            (between(2, 5), known(None, Some((2, 5)))),
            (
                binary(between(2, 5), Operator::And, list(&[2, 5])),
                known(Some(&[2, 5]), Some((2, 5))),
            ),
            (case(false), known(Some(&[1, 9, 4, 12]), Some((1, 12)))),
            (case(true), Passing::all()),
            (nulls_too, Passing::all()),
            (
                binary(between(2, 5), Operator::And, lit(true)),
                known(None, Some((2, 5))),
            ),
        ] {
            let found = passing(&filter);
            // in the order that the branches are met
            let sorted = |mut passing: Passing| {
                if let Passing::Some(Known {
                    keys: Some(keys), ..
                }) = &mut passing
                {
                    keys.rows
                        .sort_by(|a, b| a.partial_cmp(b).expect("integers"));
                }
                passing
            };
            assert_eq!(sorted(found), sorted(expected), "{filter}");
        }
    }
}
