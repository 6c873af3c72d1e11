//! A scalar subquery whose recursive query starts at a row of the outer query:
//! `(WITH RECURSIVE r(a) AS (SELECT … WHERE t.x = outer.x UNION ALL …) SELECT … FROM r)`.
//! The engine cannot run that, so the recursion starts at every row and carries
//! what it started from: `t.x` becomes a column of `r`, and the condition moves out
//! to where the subquery reads `r`.

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Ident, Query, Select, SelectItem, SetExpr, TableAlias,
    TableAliasColumnDef, TableFactor, With,
};

use super::super::columns::folded;
use super::correlation::{is_inner, join, names_of, split};
use super::{last_part, set_returning};

/// The column that a recursion carries.
const START: &str = "started from";

pub(super) fn decorrelate(expr: &mut Expr) {
    if let Expr::Subquery(query) = expr
        && let Some(rewritten) = carried(query)
    {
        **query = rewritten;
    }
}

fn carried(query: &Query) -> Option<Query> {
    let mut query = query.clone();
    let With {
        recursive: true,
        cte_tables,
        ..
    } = query.with.as_mut()?
    else {
        return None;
    };
    let [cte] = cte_tables.as_mut_slice() else {
        return None;
    };
    let name = folded(&cte.alias.name);
    if cte.alias.columns.is_empty() {
        return None;
    }
    let SetExpr::SetOperation { left, right, .. } = cte.query.body.as_mut() else {
        return None;
    };
    let (SetExpr::Select(start), SetExpr::Select(step)) = (left.as_mut(), right.as_mut()) else {
        return None;
    };
    let (inner, outer) = correlation_of(start)?;
    start.projection.push(item(inner));
    let own = alias_in(step, &name)?;
    step.projection.push(item(column_of(&own)));
    cte.alias.columns.push(TableAliasColumnDef {
        name: Ident::with_quote('"', START),
        data_type: None,
    });

    let with = query.with.take();
    let SetExpr::Select(main) = query.body.as_mut() else {
        return None;
    };
    let [from] = main.from.as_mut_slice() else {
        return None;
    };
    let own = factor_name(&from.relation, &name)?;
    let mut rows = set_returning::query_of(
        vec![SelectItem::Wildcard(Default::default())],
        Some(from.relation.clone()),
    );
    rows.with = with;
    from.relation = TableFactor::Derived {
        lateral: false,
        subquery: Box::new(rows),
        alias: Some(TableAlias {
            explicit: true,
            name: own.clone(),
            columns: Vec::new(),
            at: None,
        }),
        sample: None,
    };
    let mut conditions = Vec::new();
    if let Some(selection) = main.selection.take() {
        split(selection, &mut conditions);
    }
    conditions.push(Expr::BinaryOp {
        left: Box::new(column_of(&own)),
        op: BinaryOperator::Eq,
        right: Box::new(outer),
    });
    main.selection = join(conditions);
    Some(query)
}

/// Takes the one equality of an inner and an outer column out of the condition.
fn correlation_of(start: &mut Select) -> Option<(Expr, Expr)> {
    let inner = names_of(start)?;
    let mut conditions = Vec::new();
    split(start.selection.clone()?, &mut conditions);
    let mut found = None;
    let mut kept = Vec::new();
    for condition in conditions {
        let pair = match &condition {
            Expr::BinaryOp {
                left,
                op: BinaryOperator::Eq,
                right,
            } => match (is_inner(left, &inner), is_inner(right, &inner)) {
                (Some(true), Some(false)) => Some((left.as_ref().clone(), right.as_ref().clone())),
                (Some(false), Some(true)) => Some((right.as_ref().clone(), left.as_ref().clone())),
                _ => None,
            },
            _ => None,
        };
        match pair {
            Some(_) if found.is_some() => return None,
            Some(pair) => found = Some(pair),
            None => kept.push(condition),
        }
    }
    start.selection = join(kept);
    found
}

fn item(expr: Expr) -> SelectItem {
    SelectItem::ExprWithAlias {
        expr,
        alias: Ident::with_quote('"', START),
    }
}

fn column_of(table: &Ident) -> Expr {
    Expr::CompoundIdentifier(vec![table.clone(), Ident::with_quote('"', START)])
}

/// What a SELECT calls the relation.
fn alias_in(select: &Select, relation: &str) -> Option<Ident> {
    select
        .from
        .iter()
        .flat_map(|from| {
            std::iter::once(&from.relation).chain(from.joins.iter().map(|join| &join.relation))
        })
        .find_map(|factor| factor_name(factor, relation))
}

fn factor_name(factor: &TableFactor, relation: &str) -> Option<Ident> {
    match factor {
        TableFactor::Table {
            name,
            alias,
            args: None,
            ..
        } if last_part(name).as_deref() == Some(relation) => Some(match alias {
            Some(alias) => alias.name.clone(),
            None => Ident::with_quote('"', relation),
        }),
        _ => None,
    }
}
