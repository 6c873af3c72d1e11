//! UNION ALL of fragments of one source.

use datafusion::common::tree_node::Transformed;
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::{LogicalPlan, Union};

use super::{leaf, noted};
use crate::pushdown::fragment::{From, Rows, Select};
use crate::pushdown::outcome::{Outcome, Reason};
use crate::pushdown::remote_scan::{self, RemoteScan};
use crate::pushdown::rules::Within;
use crate::pushdown::value::Value;
use crate::types::PgType;

pub(super) fn push(union: Union, within: Within<'_>) -> EngineResult<Transformed<LogicalPlan>> {
    let branches: Vec<&RemoteScan> = union
        .inputs
        .iter()
        .filter_map(|input| remote_scan::in_plan(input))
        .collect();
    let one_source = branches
        .windows(2)
        .all(|pair| pair[0].source_name() == pair[1].source_name());
    let (Some(first), true) = (
        branches.first().copied(),
        branches.len() == union.inputs.len() && one_source,
    ) else {
        return Ok(Transformed::no(LogicalPlan::Union(union)));
    };
    let kept = branches
        .iter()
        .flat_map(|branch| branch.kept().iter().cloned())
        .collect();
    let remote = united(&branches, &union, within)
        .and_then(|select| RemoteScan::new(first.source().clone(), select, union.schema.clone()));
    match remote {
        Ok(remote) => Ok(Transformed::yes(leaf(remote.with_kept(kept)))),
        Err(reason) => noted(LogicalPlan::Union(union), reason),
    }
}

fn united(branches: &[&RemoteScan], union: &Union, within: Within<'_>) -> Outcome<Select> {
    if union.schema.fields().is_empty() || branches.iter().any(|one| one.apart().is_some()) {
        return Err(Reason::Node {
            kind: "such a union".into(),
        });
    }
    let alias = within.aliases.next();
    let mut selects = Vec::with_capacity(branches.len());
    let mut columns: Vec<Value> = Vec::new();
    for branch in branches {
        let mut select = match branch.select().is_limited() {
            // its ORDER BY and LIMIT would be the whole union's
            true => branch.select().clone().nested(within.aliases),
            false => branch.select().clone(),
        };
        let items = std::mem::take(&mut select.items);
        for (at, (item, field)) in items.into_iter().zip(union.schema.fields()).enumerate() {
            let item = item.cast(PgType::of(field))?;
            match columns.get(at) {
                Some(first) if first.collation != item.collation => {
                    return Err(Reason::MixedCollations);
                }
                Some(first) if first.class().is_ok() != item.class().is_ok() => {
                    return Err(Reason::MixedCollations);
                }
                Some(_) => {}
                None => columns.push(Value {
                    distinct: None,
                    ..item.nested(alias, at)
                }),
            }
            select.items.push(item);
        }
        selects.push(select);
    }
    let rows = Rows {
        count: selects.iter().map(|select| select.rows.count).sum(),
        known: selects.iter().all(|select| select.rows.known),
    };
    let branches = selects;
    Ok(Select::of(From::Nested { branches, alias }, columns, rows))
}
