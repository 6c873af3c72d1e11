//! A subquery correlated through two columns of one name from different tables
//! (`p.k = o.x AND q.k = o.y`) loses the qualifiers when the engine decorrelates
//! it, and both outer columns are joined to one of them. So the later ones get
//! names of their own: `q` becomes `(SELECT *, k AS <new> FROM … AS q) AS q`, and
//! its conditions say `q.<new>`.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::sql::sqlparser::ast::{
    self, BinaryOperator, Expr, Ident, Query, Select, SelectItem, SetExpr, TableFactor, VisitMut,
    VisitorMut,
};

use super::super::columns::folded;
use super::correlation::{is_inner, names_of};

/// Every SELECT of a subquery's body.
pub(super) fn separate(query: &mut Query) {
    separate_in(query.body.as_mut());
}

fn separate_in(body: &mut SetExpr) {
    match body {
        SetExpr::Select(select) => separate_select(select),
        SetExpr::Query(query) => separate(query),
        SetExpr::SetOperation { left, right, .. } => {
            separate_in(left);
            separate_in(right);
        }
        _ => {}
    }
}

fn separate_select(select: &mut Select) {
    let (Some(inner), Some(selection)) = (names_of(select), select.selection.as_ref()) else {
        return;
    };
    let mut columns = Vec::new();
    correlated_columns(selection, &inner, &mut columns);
    let renamed = clashes(columns);
    if renamed.is_empty() {
        return;
    }
    for from in &mut select.from {
        add_columns(&mut from.relation, &renamed);
        for join in &mut from.joins {
            add_columns(&mut join.relation, &renamed);
        }
    }
    if let Some(selection) = &mut select.selection {
        let _ = selection.visit(&mut Renamer { renamed: &renamed });
    }
}

/// Inner columns, as (table, column), of the conditions that name an outer one.
fn correlated_columns(
    condition: &Expr,
    inner: &HashSet<String>,
    columns: &mut Vec<(String, String)>,
) {
    if let Expr::BinaryOp {
        left,
        op: BinaryOperator::And,
        right,
    } = condition
    {
        correlated_columns(left, inner, columns);
        correlated_columns(right, inner, columns);
        return;
    }
    let mut own = Vec::new();
    let mut outer = false;
    let _ = ast::visit_expressions(condition, |expr| {
        match is_inner(expr, inner) {
            Some(true) => own.extend(qualified(expr)),
            Some(false) => outer = true,
            None => {}
        }
        ControlFlow::<()>::Continue(())
    });
    if outer {
        columns.extend(own);
    }
}

fn qualified(expr: &Expr) -> Option<(String, String)> {
    match expr {
        Expr::CompoundIdentifier(parts) => match parts.as_slice() {
            [.., table, column] => Some((folded(table), folded(column))),
            _ => None,
        },
        _ => None,
    }
}

/// The columns that need another name, with that name.
fn clashes(columns: Vec<(String, String)>) -> HashMap<(String, String), String> {
    let mut owner: HashMap<String, String> = HashMap::new();
    let mut renamed = HashMap::new();
    for (table, column) in columns {
        let first = owner.entry(column.clone()).or_insert_with(|| table.clone());
        if *first != table {
            let name = format!("{column}\u{1}{table}");
            renamed.insert((table, column), name);
        }
    }
    renamed
}

fn add_columns(factor: &mut TableFactor, renamed: &HashMap<(String, String), String>) {
    let name = match factor {
        TableFactor::Table { name, alias, .. } => match alias {
            Some(alias) => Some(folded(&alias.name)),
            None => super::last_part(name),
        },
        TableFactor::Derived { alias, .. } => alias.as_ref().map(|alias| folded(&alias.name)),
        _ => None,
    };
    let Some(table) = name else {
        return;
    };
    let added: Vec<SelectItem> = renamed
        .iter()
        .filter(|((owner, _), _)| *owner == table)
        .map(|((_, column), new)| SelectItem::ExprWithAlias {
            expr: Expr::Identifier(Ident::with_quote('"', column.clone())),
            alias: Ident::with_quote('"', new.clone()),
        })
        .collect();
    if added.is_empty() {
        return;
    }
    let Ok(mut parsed) = super::super::parse::parse("SELECT * FROM x") else {
        return;
    };
    let Some(ast::Statement::Query(mut query)) =
        parsed.pop().map(|parsed| Arc::unwrap_or_clone(parsed.ast))
    else {
        return;
    };
    if let SetExpr::Select(select) = query.body.as_mut() {
        select.projection.extend(added);
        for from in &mut select.from {
            from.relation = factor.clone();
        }
    }
    *factor = TableFactor::Derived {
        lateral: false,
        subquery: query,
        alias: Some(ast::TableAlias {
            explicit: true,
            name: Ident::with_quote('"', table),
            columns: Vec::new(),
            at: None,
        }),
        sample: None,
    };
}

struct Renamer<'a> {
    renamed: &'a HashMap<(String, String), String>,
}

impl VisitorMut for Renamer<'_> {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Some(new) = qualified(expr).and_then(|column| self.renamed.get(&column))
            && let Expr::CompoundIdentifier(parts) = expr
            && let Some(last) = parts.last_mut()
        {
            *last = Ident::with_quote('"', new.clone());
        }
        ControlFlow::Continue(())
    }
}
