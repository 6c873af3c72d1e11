//! `x [NOT] IN (a, b, …)` over literals.

use datafusion::logical_expr::expr::InList;

use super::comparison::{Kind, comparable};
use super::operand::operand;
use crate::pushdown::outcome::{Outcome, Reason};
use crate::sources::postgres::PostgresTable;

/// Longer lists cost more to send and plan than they save.
const LONGEST: usize = 5_000;

pub(super) fn in_list(table: &PostgresTable, list: &InList) -> Outcome<String> {
    if list.list.len() > LONGEST {
        return Outcome::Kept(Reason::LongList {
            length: list.list.len(),
        });
    }
    let tested = match operand(table, &list.expr) {
        Outcome::Pushed(operand) => operand,
        Outcome::Kept(reason) => return Outcome::Kept(reason),
    };
    let mut items = Vec::with_capacity(list.list.len());
    for item in &list.list {
        let item = match operand(table, item) {
            Outcome::Pushed(operand) => operand,
            Outcome::Kept(reason) => return Outcome::Kept(reason),
        };
        if let Some(reason) = comparable(&tested, &item, Kind::Equality) {
            return Outcome::Kept(reason);
        }
        items.push(item.sql);
    }
    if items.is_empty() {
        return Outcome::Kept(Reason::LongList { length: 0 });
    }
    let not = if list.negated { "NOT " } else { "" };
    Outcome::Pushed(format!("({} {not}IN ({}))", tested.sql, items.join(", ")))
}
