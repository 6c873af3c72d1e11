//! IS NULL and IS NOT NULL: of columns of every type, and of conditions.

use datafusion::logical_expr::Expr;

use super::operand::remote_column;
use super::predicate;
use crate::names::always_quoted;
use crate::pushdown::outcome::Outcome;
use crate::sources::postgres::PostgresTable;

pub(super) fn null_test(table: &PostgresTable, inner: &Expr, test: &str) -> Outcome<String> {
    if let Expr::Column(column) = inner
        && let Some(column) = remote_column(table, column)
    {
        // A composite of NULLs IS NULL without being NULL; its text form is not.
        let form = match column.is_composite() {
            true => format!("{}::text", always_quoted(&column.name)),
            false => always_quoted(&column.name),
        };
        return Outcome::Pushed(format!("({form} {test})"));
    }
    match predicate(table, inner) {
        Outcome::Pushed(sql) => Outcome::Pushed(format!("({sql} {test})")),
        Outcome::Kept(reason) => Outcome::Kept(reason),
    }
}
