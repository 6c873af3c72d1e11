//! The two sides of a comparison: columns, literals, and casts that widen
//! without changing the value (those need no cast in SQL: Postgres compares
//! integers and numerics of any width exactly).

use datafusion::arrow::datatypes::DataType;
use datafusion::common::Column;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::expr::Cast;

use super::kind_of;
use crate::names::always_quoted;
use crate::pushdown::literal::literal;
use crate::pushdown::outcome::{Outcome, Reason};
use crate::sources::Representation;
use crate::sources::postgres::{Collation, PostgresTable, RemoteColumn, turned};
use crate::types::PgType;

/// Values of one class compare with each other as Postgres compares them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::pushdown) enum Class {
    Bool,
    /// Integers and numerics.
    Number,
    Date,
    Timestamp,
    TimestampTz,
    Uuid,
    Text,
}

#[derive(Debug, Clone)]
pub(super) struct Operand {
    pub sql: String,
    /// `None`: NULL, which fits every class.
    pub class: Option<Class>,
    /// Of a text column.
    pub collation: Option<Collation>,
}

pub(super) fn operand(table: &PostgresTable, expr: &Expr) -> Outcome<Operand> {
    match expr {
        Expr::Column(column) => of_column(table, column),
        Expr::Literal(value, _) => match literal(value) {
            Outcome::Pushed((sql, class)) => Outcome::Pushed(Operand {
                sql,
                class,
                collation: None,
            }),
            Outcome::Kept(reason) => Outcome::Kept(reason),
        },
        Expr::Cast(cast) => of_cast(table, cast),
        other if let Some(column) = turned(other) => operand(table, column),
        other => Outcome::Kept(kind_of(other)),
    }
}

/// The column that a plan's column stands for.
pub(super) fn remote_column<'a>(
    table: &'a PostgresTable,
    column: &Column,
) -> Option<&'a RemoteColumn> {
    table
        .columns()
        .iter()
        .find(|candidate| candidate.name == column.name)
}

fn of_column(table: &PostgresTable, column: &Column) -> Outcome<Operand> {
    let Some(column) = remote_column(table, column) else {
        return Outcome::Kept(Reason::Expression {
            kind: format!("column {}", column.name),
        });
    };
    if let Representation::Text { type_name, .. } = &column.representation {
        return Outcome::Kept(Reason::RepresentedAsText {
            type_name: type_name.clone(),
        });
    }
    let class = match class_of(column.pg_type) {
        Outcome::Pushed(class) => class,
        Outcome::Kept(reason) => return Outcome::Kept(reason),
    };
    Outcome::Pushed(Operand {
        sql: always_quoted(&column.name),
        class: Some(class),
        collation: (class == Class::Text).then(|| column.collation.clone()),
    })
}

fn class_of(pg_type: PgType) -> Outcome<Class> {
    let class = [
        (PgType::BOOL, Class::Bool),
        (PgType::INT2, Class::Number),
        (PgType::INT4, Class::Number),
        (PgType::INT8, Class::Number),
        (PgType::NUMERIC, Class::Number),
        (PgType::DATE, Class::Date),
        (PgType::TIMESTAMP, Class::Timestamp),
        (PgType::TIMESTAMPTZ, Class::TimestampTz),
        (PgType::UUID, Class::Uuid),
        (PgType::TEXT, Class::Text),
        (PgType::VARCHAR, Class::Text),
        (PgType::BPCHAR, Class::Text),
    ]
    .iter()
    .find(|(known, _)| known.oid == pg_type.oid)
    .map(|(_, class)| *class);
    match class {
        Some(class) => Outcome::Pushed(class),
        None if matches!(pg_type.oid, 700 | 701) => Outcome::Kept(Reason::Float),
        None => Outcome::Kept(Reason::Type {
            name: pg_type
                .known()
                .map_or_else(|| pg_type.oid.to_string(), |known| known.name().to_string()),
        }),
    }
}

fn of_cast(table: &PostgresTable, cast: &Cast) -> Outcome<Operand> {
    let inner = match operand(table, &cast.expr) {
        Outcome::Pushed(inner) => inner,
        Outcome::Kept(reason) => return Outcome::Kept(reason),
    };
    let from = match cast.expr.as_ref() {
        Expr::Column(column) => {
            remote_column(table, column).and_then(|column| column.pg_type.arrow())
        }
        Expr::Literal(value, _) => Some(value.data_type()),
        _ => None,
    };
    match from {
        Some(from) if keeps_value(&from, cast.field.data_type()) => Outcome::Pushed(inner),
        _ => Outcome::Kept(Reason::Expression {
            kind: format!("cast to {}", cast.field.data_type()),
        }),
    }
}

/// Does every value of `from` stay the same number or text in `to`?
fn keeps_value(from: &DataType, to: &DataType) -> bool {
    if from == to {
        return true;
    }
    if is_text(from) && is_text(to) {
        return true;
    }
    match (digits(from), digits(to)) {
        (Some((whole, fraction)), Some((to_whole, to_fraction))) => {
            to_whole >= whole && to_fraction >= fraction
        }
        _ => false,
    }
}

fn is_text(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8
    )
}

/// Decimal digits before and after the point that a type holds in full.
fn digits(data_type: &DataType) -> Option<(i32, i32)> {
    Some(match data_type {
        DataType::Int16 => (5, 0),
        DataType::Int32 => (10, 0),
        DataType::Int64 => (19, 0),
        DataType::Decimal128(precision, scale) | DataType::Decimal256(precision, scale) => {
            (i32::from(*precision) - i32::from(*scale), i32::from(*scale))
        }
        _ => return None,
    })
}
