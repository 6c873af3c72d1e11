//! Output names as Postgres gives them (section 7.3.2 "Column Labels" and
//! FigureColname of its parser), and duplicates, which the engine refuses:
//! a name used again in one target list gets an invisible suffix that
//! `visible` takes off before a client sees it.

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    self, Expr, Ident, ObjectName, ObjectNamePart, Select, SelectItem, SetExpr, VisitMut,
    VisitorMut,
};

use super::type_names::postgres_type_name;

/// Separates a name from the count that keeps duplicates apart.
const MARK: char = '\u{1}';

/// Names every unnamed expression of every target list.
pub(super) fn name_columns(statement: &mut ast::Statement) {
    let _ = statement.visit(&mut Namer);
}

/// A column's name as the client sees it.
pub(super) fn visible(name: &str) -> &str {
    name.split(MARK).next().unwrap_or_default()
}

/// A name that clients see as this one, told from it by an index.
pub(super) fn unique_name(name: &str, index: usize) -> String {
    format!("{name}{MARK}{index}")
}

struct Namer;

impl VisitorMut for Namer {
    type Break = ();

    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        let mut taken: HashSet<String> = HashSet::new();
        for (index, item) in select.projection.iter_mut().enumerate() {
            name_item(item, index, &mut taken);
        }
        ControlFlow::Continue(())
    }
}

fn name_item(item: &mut SelectItem, index: usize, taken: &mut HashSet<String>) {
    let (expr, name, named) = match item {
        SelectItem::UnnamedExpr(expr) => {
            let Some(name) = label(expr) else { return };
            let plain_column = matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_));
            (expr, name, plain_column)
        }
        SelectItem::ExprWithAlias { expr, alias } => {
            let name = folded(alias);
            (expr, name, true)
        }
        _ => return,
    };
    let first = taken.insert(name.clone());
    if first && named {
        return;
    }
    let unique = if first {
        name
    } else {
        unique_name(&name, index)
    };
    *item = SelectItem::ExprWithAlias {
        expr: expr.clone(),
        alias: Ident::with_quote('"', unique),
    };
}

/// The name Postgres gives an expression; `None` where the item names itself (`*`).
fn label(expr: &Expr) -> Option<String> {
    if matches!(expr, Expr::Wildcard(_) | Expr::QualifiedWildcard(..)) {
        return None;
    }
    Some(figure(expr).map_or_else(|| "?column?".to_string(), |(name, _)| name))
}

/// How sure a name is: a cast's type name gives way to what is inside it.
#[derive(PartialEq, PartialOrd)]
enum Strength {
    Weak,
    Strong,
}

fn figure(expr: &Expr) -> Option<(String, Strength)> {
    let strong = |name: &str| Some((name.to_string(), Strength::Strong));
    match expr {
        Expr::Identifier(ident) => Some((folded(ident), Strength::Strong)),
        Expr::CompoundIdentifier(parts) => Some((folded(parts.last()?), Strength::Strong)),
        Expr::Nested(inner) => figure(inner),
        Expr::Function(function) => Some((last_name(&function.name)?, Strength::Strong)),
        Expr::Cast {
            expr, data_type, ..
        } => match figure(expr) {
            Some((name, Strength::Strong)) => Some((name, Strength::Strong)),
            _ => Some((postgres_type_name(data_type)?, Strength::Weak)),
        },
        Expr::TypedString(typed) => Some((postgres_type_name(&typed.data_type)?, Strength::Weak)),
        Expr::Interval(_) => Some(("interval".into(), Strength::Weak)),
        Expr::Collate { expr, .. } => figure(expr),
        Expr::CompoundFieldAccess { root, access_chain } => access_chain
            .iter()
            .rev()
            .find_map(|access| match access {
                ast::AccessExpr::Dot(Expr::Identifier(ident)) => Some(folded(ident)),
                _ => None,
            })
            .map(|name| (name, Strength::Strong))
            .or_else(|| figure(root)),
        Expr::Case { else_result, .. } => match else_result.as_deref().and_then(figure) {
            Some((name, Strength::Strong)) => Some((name, Strength::Strong)),
            _ => Some(("case".into(), Strength::Weak)),
        },
        Expr::Exists { negated: false, .. } => strong("exists"),
        Expr::Subquery(query) => subquery_label(query),
        Expr::Array(_) => strong("array"),
        Expr::Tuple(_) => strong("row"),
        Expr::BinaryOp {
            op: ast::BinaryOperator::Overlaps,
            ..
        } => strong("overlaps"),
        Expr::Extract { .. } => strong("extract"),
        Expr::Ceil { .. } => strong("ceil"),
        Expr::Floor { .. } => strong("floor"),
        Expr::Position { .. } => strong("position"),
        Expr::Substring { .. } => strong("substring"),
        Expr::Overlay { .. } => strong("overlay"),
        Expr::AtTimeZone { .. } => strong("timezone"),
        Expr::Trim { trim_where, .. } => strong(match trim_where {
            Some(ast::TrimWhereField::Leading) => "ltrim",
            Some(ast::TrimWhereField::Trailing) => "rtrim",
            _ => "btrim",
        }),
        Expr::Value(value) => match value.value {
            ast::Value::Boolean(_) => Some(("bool".into(), Strength::Weak)),
            _ => None,
        },
        _ => None,
    }
}

/// A scalar subquery is named after its one column.
fn subquery_label(query: &ast::Query) -> Option<(String, Strength)> {
    let SetExpr::Select(select) = query.body.as_ref() else {
        return None;
    };
    match select.projection.first()? {
        SelectItem::UnnamedExpr(expr) => figure(expr),
        SelectItem::ExprWithAlias { alias, .. } => {
            Some((visible(&folded(alias)).to_string(), Strength::Strong))
        }
        _ => None,
    }
}

fn last_name(name: &ObjectName) -> Option<String> {
    match name.0.last()? {
        ObjectNamePart::Identifier(ident) => Some(folded(ident)),
        ObjectNamePart::Function(function) => Some(folded(&function.name)),
    }
}

/// Unquoted identifiers are lower case.
pub(super) fn folded(ident: &Ident) -> String {
    match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse::parse;
    use super::*;

    fn check(sql: &str, expected: &[&str]) {
        let mut statement = parse(sql).expect(sql).remove(0);
        name_columns(std::sync::Arc::make_mut(&mut statement.ast));
        let ast::Statement::Query(query) = (*statement.ast).clone() else {
            panic!("{sql} is no query");
        };
        let SetExpr::Select(select) = *query.body else {
            panic!("{sql} is no select");
        };
        let names: Vec<String> = select
            .projection
            .iter()
            .map(|item| match item {
                SelectItem::UnnamedExpr(expr) => label(expr).unwrap_or_default(),
                SelectItem::ExprWithAlias { alias, .. } => visible(&folded(alias)).to_string(),
                _ => "*".to_string(),
            })
            .collect();
        assert_eq!(names, expected, "{sql}");
    }

    #[test]
    fn names_are_those_of_postgres() {
        check(
            "select 1, 1, 'x' || 'y'",
            &["?column?", "?column?", "?column?"],
        );
        check("select a, t.B, \"C\", a as x", &["a", "b", "C", "x"]);
        check(
            "select count(*), sum(a+1), pg_catalog.lower(b)",
            &["count", "sum", "lower"],
        );
        check(
            "select 1::int, a::text, 'x'::varchar(3), cast(1 as bigint)",
            &["int4", "a", "varchar", "int8"],
        );
        check(
            "select case when a then b end, case when a then 1 else c end",
            &["case", "c"],
        );
        check(
            "select date '2024-01-01', interval '1 day', true",
            &["date", "interval", "bool"],
        );
        check(
            "select (select max(x) from t), exists (select 1), array[1]",
            &["max", "exists", "array"],
        );
        check(
            "select extract(year from d), trim(a), substring(a from 1), coalesce(a, b)",
            &["extract", "btrim", "substring", "coalesce"],
        );
        check("select *, a, a", &["*", "a", "a"]);
    }
}
