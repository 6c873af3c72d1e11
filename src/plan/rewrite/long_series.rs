//! A long series of integers between constants in FROM: the engine makes its rows
//! as they are read, where a list would hold them all. Called by `set_returning`.

use datafusion::sql::sqlparser::ast::{
    CastKind, DataType, Expr, FunctionArg, FunctionArgExpr, Ident, ObjectName, SelectItem,
    TableAlias, TableFactor, TableFunctionArgs, UnaryOperator, Value,
};

use super::set_returning::query_of;

/// The engine's own function; `plan::resolve` knows it by this name.
pub(in crate::plan) const STREAMED: &str = "integers of generate_series";

/// Rows that a list may have.
const SHORT: i128 = 100_000;

/// `(SELECT value::int4 AS shown FROM "integers of generate_series"(…)) AS shown`;
/// `None` for what is short or not constant.
pub(super) fn streamed(
    arguments: &[Expr],
    shown: &str,
    alias: Option<&TableAlias>,
) -> Option<TableFactor> {
    let numbers = arguments.iter().map(integer).collect::<Option<Vec<_>>>()?;
    let (start, stop, step) = match numbers.as_slice() {
        [start, stop] => (*start, *stop, 1),
        [start, stop, step] if *step != 0 => (*start, *stop, *step),
        _ => return None,
    };
    if (stop - start) / step < SHORT {
        return None;
    }
    let small = numbers.iter().all(|number| i32::try_from(*number).is_ok());
    let series = TableFactor::Table {
        name: ObjectName::from(vec![Ident::with_quote('"', STREAMED)]),
        alias: None,
        args: Some(TableFunctionArgs {
            args: arguments
                .iter()
                .map(|argument| FunctionArg::Unnamed(FunctionArgExpr::Expr(argument.clone())))
                .collect(),
            settings: None,
        }),
        with_hints: Vec::new(),
        version: None,
        with_ordinality: false,
        partitions: Vec::new(),
        json_path: None,
        sample: None,
        index_hints: Vec::new(),
    };
    let value = Expr::Cast {
        kind: CastKind::DoubleColon,
        expr: Box::new(Expr::Identifier(Ident::new("value"))),
        data_type: match small {
            true => DataType::Integer(None),
            false => DataType::BigInt(None),
        },
        array: false,
        format: None,
    };
    let column = alias.and_then(|alias| alias.columns.first()).map_or_else(
        || Ident::with_quote('"', shown),
        |column| column.name.clone(),
    );
    let projection = vec![SelectItem::ExprWithAlias {
        expr: value,
        alias: column,
    }];
    Some(TableFactor::Derived {
        lateral: false,
        subquery: Box::new(query_of(projection, Some(series))),
        alias: Some(TableAlias {
            explicit: true,
            name: Ident::with_quote('"', shown),
            columns: Vec::new(),
            at: None,
        }),
        sample: None,
    })
}

fn integer(expr: &Expr) -> Option<i128> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::Number(digits, _) => digits.parse().ok(),
            _ => None,
        },
        Expr::UnaryOp {
            op: UnaryOperator::Minus,
            expr,
        } => integer(expr).map(|number| -number),
        Expr::Nested(inner) => integer(inner),
        _ => None,
    }
    .filter(|number| i64::try_from(*number).is_ok())
}
