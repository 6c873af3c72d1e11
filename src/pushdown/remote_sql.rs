//! The SQL text of fragments. Names are always quoted and qualified, so that a
//! source's search_path and keywords cannot change what they mean.

use crate::names::always_quoted;
use crate::sources::postgres::PostgresTable;

/// `SELECT items FROM table WHERE a AND b LIMIT n`
pub(super) fn select(
    table: &PostgresTable,
    projection: &[usize],
    filters: &[String],
    limit: Option<usize>,
) -> String {
    let items: Vec<String> = projection
        .iter()
        .map(|column| table.select_item(*column))
        .collect();
    let remote = table.remote();
    let mut sql = format!(
        "SELECT {} FROM {}.{}",
        items.join(", "),
        always_quoted(&remote.schema),
        always_quoted(&remote.relation)
    );
    if !filters.is_empty() {
        sql.push_str(" WHERE ");
        sql.push_str(&filters.join(" AND "));
    }
    if let Some(limit) = limit {
        sql.push_str(&format!(" LIMIT {limit}"));
    }
    sql
}
