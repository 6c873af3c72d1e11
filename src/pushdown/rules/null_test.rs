//! IS NULL and IS NOT NULL: of columns of every type, and of conditions.

use datafusion::logical_expr::Expr;

use super::predicate;
use crate::names::always_quoted;
use crate::pushdown::outcome::Outcome;
use crate::sources::Representation;
use crate::sources::postgres::PostgresTable;

pub(super) fn null_test(table: &PostgresTable, inner: &Expr, test: &str) -> Outcome<String> {
    if let Expr::Column(column) = inner
        && let Some(at) = table
            .columns()
            .iter()
            .position(|known| known.name == column.name)
    {
        // A composite of NULLs IS NULL without being NULL; its text form is not.
        let form = match &table.columns()[at].representation {
            Representation::Native => always_quoted(&column.name),
            Representation::Text { .. } => table.plain_item(at),
        };
        return Outcome::Pushed(format!("({form} {test})"));
    }
    match predicate(table, inner) {
        Outcome::Pushed(sql) => Outcome::Pushed(format!("({sql} {test})")),
        Outcome::Kept(reason) => Outcome::Kept(reason),
    }
}
