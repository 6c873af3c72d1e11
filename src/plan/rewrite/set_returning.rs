//! Functions in FROM and set-returning functions in the SELECT list (sections
//! 7.2.1.4 and 9.25 of the manual). Each is a list here that is unnested: a
//! function in FROM becomes a lateral subquery whose columns unnest the lists
//! in lock-step, with the names that Postgres gives them. `plan::laterals` joins
//! it where its arguments are columns of the tables before it.

use std::ops::ControlFlow;

use datafusion::execution::SessionState;
use datafusion::sql::sqlparser::ast::{
    self, AccessExpr, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, GroupByExpr, Ident,
    ObjectName, Query, Select, SelectItem, SetExpr, Subscript, TableAlias, TableFactor, Value,
    Visit, Visitor,
};

use super::super::columns::{folded, unique_name};
use super::long_series::{STREAMED, streamed};
use super::{argument, call, call_with, last_part};
use crate::error::{Error, Result};

/// A set-returning function: its columns with the functions that list them. A
/// column without a name of its own is called as the function or its alias.
const SETS: &[(&str, &[(&str, &str)])] = &[
    ("generate_series", &[("", "rows of generate_series")]),
    (
        "generate_subscripts",
        &[("", "rows of generate_subscripts")],
    ),
    ("string_to_table", &[("", "rows of string_to_table")]),
    (
        "regexp_split_to_table",
        &[("", "rows of regexp_split_to_table")],
    ),
    ("regexp_matches", &[("", "rows of regexp_matches")]),
    ("json_object_keys", &[("", "rows of json_object_keys")]),
    ("jsonb_object_keys", &[("", "rows of jsonb_object_keys")]),
    (
        "json_array_elements",
        &[("value", "rows of json_array_elements")],
    ),
    (
        "jsonb_array_elements",
        &[("value", "rows of jsonb_array_elements")],
    ),
    (
        "json_array_elements_text",
        &[("value", "rows of json_array_elements_text")],
    ),
    (
        "jsonb_array_elements_text",
        &[("value", "rows of jsonb_array_elements_text")],
    ),
    (
        "json_each",
        &[
            ("key", "rows of json_object_keys"),
            ("value", "rows of json_each"),
        ],
    ),
    (
        "jsonb_each",
        &[
            ("key", "rows of jsonb_object_keys"),
            ("value", "rows of jsonb_each"),
        ],
    ),
    (
        "json_each_text",
        &[
            ("key", "rows of json_object_keys"),
            ("value", "rows of json_each_text"),
        ],
    ),
    (
        "jsonb_each_text",
        &[
            ("key", "rows of jsonb_object_keys"),
            ("value", "rows of jsonb_each_text"),
        ],
    ),
    ("_pg_expandarray", &[("x", ""), ("n", EXPANDED_N)]),
];

const EXPANDED_N: &str = "rows of expandarray_n";

fn set_of(name: &str) -> Option<&'static [(&'static str, &'static str)]> {
    SETS.iter()
        .find(|(known, _)| *known == name)
        .map(|(_, columns)| *columns)
}

/// In the SELECT list: the list, unnested.
pub(super) fn unnest(expr: &mut Expr) -> Result<()> {
    match expr {
        Expr::Function(function) => {
            let Some(name) = last_part(&function.name) else {
                return Ok(());
            };
            let FunctionArguments::List(_) = function.args else {
                return Ok(());
            };
            if name == "_pg_expandarray" {
                *expr = call("unnest", expr.clone());
            } else if let Some(columns) = set_of(&name) {
                if columns.len() > 1 {
                    return Err(Error::unsupported(format!(
                        "{name}() is supported in FROM only"
                    )));
                }
                let [(_, list)] = columns else { return Ok(()) };
                let mut rows = function.clone();
                rows.name = ObjectName::from(vec![Ident::with_quote('"', *list)]);
                *expr = row_of(&name, Expr::Function(rows));
            }
        }
        Expr::Case { .. } if has_set(expr) => {
            return Err(Error::unsupported(
                "set-returning functions are not allowed in CASE",
            ));
        }
        Expr::CompoundFieldAccess { root, access_chain } => {
            let [AccessExpr::Dot(Expr::Identifier(field))] = access_chain.as_slice() else {
                return Ok(());
            };
            let field = folded(field);
            *expr = match expanded_array(root) {
                Some(array) if field == "x" => call("unnest", array),
                Some(array) if field == "n" => call("unnest", call(EXPANDED_N, array)),
                _ => subscript(root.as_ref().clone(), &field),
            };
        }
        _ => {}
    }
    Ok(())
}

/// One row of a set: matches of a regular expression come as the text of arrays.
fn row_of(function: &str, list: Expr) -> Expr {
    let row = call("unnest", list);
    match function {
        "regexp_matches" => Expr::Cast {
            kind: ast::CastKind::DoubleColon,
            expr: Box::new(row),
            data_type: ast::DataType::Array(ast::ArrayElemTypeDef::SquareBracket(
                Box::new(ast::DataType::Text),
                None,
            )),
            array: false,
            format: None,
        },
        _ => row,
    }
}

/// 0A000 for a set where Postgres takes none.
pub(super) fn refuse_misplaced(select: &Select) -> Result<()> {
    let refused = |place: &str| {
        Err(Error::unsupported(format!(
            "set-returning functions are not allowed in {place}"
        )))
    };
    if select.selection.as_ref().is_some_and(has_set) {
        return refused("WHERE");
    }
    if select.having.as_ref().is_some_and(has_set) {
        return refused("HAVING");
    }
    Ok(())
}

/// A set-returning call, but not in a subquery.
pub(super) fn has_set(expr: &Expr) -> bool {
    struct Search {
        depth: usize,
    }
    impl Visitor for Search {
        type Break = ();

        fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
            self.depth += 1;
            ControlFlow::Continue(())
        }

        fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
            self.depth -= 1;
            ControlFlow::Continue(())
        }

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            match expr {
                Expr::Function(function)
                    if self.depth == 0
                        && last_part(&function.name)
                            .is_some_and(|name| name == "unnest" || set_of(&name).is_some()) =>
                {
                    ControlFlow::Break(())
                }
                _ => ControlFlow::Continue(()),
            }
        }
    }
    expr.visit(&mut Search { depth: 0 }).is_break()
}

/// A call in FROM, its parts taken out of whatever the grammar made of it.
struct Called {
    name: String,
    arguments: Vec<Expr>,
    ordinality: bool,
    alias: Option<TableAlias>,
}

impl Called {
    /// What its rows are called.
    fn shown(&self) -> String {
        self.alias
            .as_ref()
            .map_or(self.name.clone(), |alias| folded(&alias.name))
    }
}

/// A function in FROM → a lateral subquery.
pub(super) fn derive(factor: &mut TableFactor, state: &SessionState) {
    let Some(called) = called(factor) else {
        return;
    };
    if called.name == STREAMED {
        return;
    }
    if called.name == "generate_series"
        && !called.ordinality
        && let Some(series) = streamed(&called.arguments, &called.shown(), called.alias.as_ref())
    {
        *factor = series;
        return;
    }
    let known = set_of(&called.name).is_some() || called.name == "unnest";
    if !known && state.table_functions().contains_key(&called.name) {
        return;
    }
    *factor = derived(called);
}

fn called(factor: &TableFactor) -> Option<Called> {
    let plain = |args: &[FunctionArg]| {
        args.iter()
            .map(|arg| match arg {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
                _ => None,
            })
            .collect::<Option<Vec<_>>>()
    };
    let (name, arguments, ordinality, alias) = match factor {
        TableFactor::Table {
            name,
            args: Some(args),
            with_ordinality,
            alias,
            sample: None,
            ..
        } => (
            last_part(name)?,
            plain(&args.args)?,
            *with_ordinality,
            alias,
        ),
        TableFactor::Function {
            name,
            args,
            with_ordinality,
            alias,
            ..
        } => (last_part(name)?, plain(args)?, *with_ordinality, alias),
        TableFactor::UNNEST {
            alias,
            array_exprs,
            with_offset: false,
            with_ordinality,
            ..
        } => (
            "unnest".into(),
            array_exprs.clone(),
            *with_ordinality,
            alias,
        ),
        _ => return None,
    };
    Some(Called {
        name,
        arguments,
        ordinality,
        alias: alias.clone(),
    })
}

fn derived(called: Called) -> TableFactor {
    let shown = called.shown();
    let Called {
        name,
        arguments,
        ordinality,
        alias,
    } = called;
    let function = |list: &str| call_with(list, arguments.clone());
    let lists: Vec<(&str, Expr)> = match (name.as_str(), set_of(&name)) {
        ("unnest", _) => arguments.iter().map(|array| ("", array.clone())).collect(),
        (_, Some(columns)) => columns
            .iter()
            .map(|(column, list)| match (*list, arguments.as_slice()) {
                ("", [array]) => (*column, array.clone()),
                _ => (*column, function(list)),
            })
            .collect(),
        _ => Vec::new(),
    };
    let mut columns: Vec<(String, Expr)> = match lists.is_empty() {
        // a function of one value is a set of one row
        true => vec![(shown.clone(), function(&name))],
        false => lists
            .iter()
            .map(|(column, list)| {
                let column = match *column {
                    // several columns keep the name of the function
                    "" if lists.len() > 1 => name.clone(),
                    "" => shown.clone(),
                    column => column.to_string(),
                };
                (column, row_of(&name, list.clone()))
            })
            .collect(),
    };
    if ordinality {
        let ordinal = match lists.is_empty() {
            true => Expr::Cast {
                kind: ast::CastKind::DoubleColon,
                expr: Box::new(Expr::value(Value::Number("1".into(), false))),
                data_type: ast::DataType::BigInt(None),
                array: false,
                format: None,
            },
            false => {
                let lists = lists.into_iter().map(|(_, list)| list).collect();
                call("unnest", call_with("rows of ordinality", lists))
            }
        };
        columns.push(("ordinality".into(), ordinal));
    }
    let names = alias.iter().flat_map(|alias| &alias.columns);
    for ((column, _), name) in columns.iter_mut().zip(names) {
        *column = folded(&name.name);
    }
    let mut taken: Vec<String> = Vec::new();
    let projection = columns
        .into_iter()
        .enumerate()
        .map(|(index, (column, expr))| {
            let unique = match taken.contains(&column) {
                true => unique_name(&column, index),
                false => column.clone(),
            };
            taken.push(column);
            SelectItem::ExprWithAlias {
                expr,
                alias: Ident::with_quote('"', unique),
            }
        })
        .collect();
    TableFactor::Derived {
        lateral: true,
        subquery: Box::new(query_of(projection, None)),
        alias: Some(TableAlias {
            explicit: true,
            name: Ident::with_quote('"', shown),
            columns: Vec::new(),
            at: None,
        }),
        sample: None,
    }
}

/// `SELECT …`, perhaps FROM something.
pub(super) fn query_of(projection: Vec<SelectItem>, from: Option<TableFactor>) -> Query {
    let select = Select {
        select_token: ast::helpers::attached_token::AttachedToken::empty(),
        optimizer_hints: Vec::new(),
        distinct: None,
        select_modifiers: None,
        top: None,
        top_before_distinct: false,
        projection,
        exclude: None,
        into: None,
        from: from
            .map(|relation| ast::TableWithJoins {
                relation,
                joins: Vec::new(),
            })
            .into_iter()
            .collect(),
        lateral_views: Vec::new(),
        prewhere: None,
        selection: None,
        connect_by: Vec::new(),
        group_by: GroupByExpr::Expressions(Vec::new(), Vec::new()),
        cluster_by: Vec::new(),
        distribute_by: Vec::new(),
        sort_by: Vec::new(),
        having: None,
        named_window: Vec::new(),
        qualify: None,
        window_before_qualify: false,
        value_table_mode: None,
        flavor: ast::SelectFlavor::Standard,
    };
    Query {
        with: None,
        body: Box::new(SetExpr::Select(Box::new(select))),
        order_by: None,
        limit_clause: None,
        fetch: None,
        locks: Vec::new(),
        for_clause: None,
        settings: None,
        format_clause: None,
        pipe_operators: Vec::new(),
    }
}

/// The array of `(_pg_expandarray(array))`, which has been unnested already.
fn expanded_array(expr: &Expr) -> Option<Expr> {
    match expr {
        Expr::Nested(inner) => expanded_array(inner),
        Expr::Function(function) => match last_part(&function.name)?.as_str() {
            "unnest" => expanded_array(argument(function)?),
            "_pg_expandarray" => argument(function).cloned(),
            _ => None,
        },
        _ => None,
    }
}

/// `row['field']`
fn subscript(root: Expr, field: &str) -> Expr {
    Expr::CompoundFieldAccess {
        root: Box::new(root),
        access_chain: vec![AccessExpr::Subscript(Subscript::Index {
            index: Expr::Value(Value::SingleQuotedString(field.into()).into()),
        })],
    }
}
