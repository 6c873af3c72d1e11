//! An expression as SQL of the source, with what other rules and the estimates
//! must know of it.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field};

use super::outcome::{Outcome, Reason};
use crate::sources::Representation;
use crate::sources::postgres::{Collation, Delivery, PostgresTable, RemoteColumn};
use crate::types::PgType;

/// Values of one class compare with each other as Postgres compares them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Bool,
    /// Integers and numerics.
    Number,
    /// Compares with literals only.
    Float,
    Date,
    Time,
    Timestamp,
    TimestampTz,
    /// Computed with, never compared.
    Interval,
    Uuid,
    Text,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Column,
    Literal,
    Computed,
}

#[derive(Debug, Clone)]
pub(super) struct Value {
    /// Of exactly `pg_type`.
    pub sql: String,
    /// A literal without its type, which takes that of what it is compared with.
    pub bare: Option<String>,
    /// As the source computes it.
    pub pg_type: PgType,
    /// `None`: NULL, which fits every class.
    pub class: Outcome<Option<Class>>,
    /// Of text; `None` where it has the default one of a literal.
    pub collation: Option<Collation>,
    pub form: Form,
    /// How many different values there are, as estimated.
    pub distinct: Option<f64>,
    pub origin: Option<Origin>,
}

/// The column of a table that a value is.
#[derive(Debug, Clone)]
pub(super) struct Origin {
    pub table: Arc<PostgresTable>,
    pub column: usize,
    /// Of the table in the fragment.
    pub alias: usize,
}

impl Origin {
    fn new(table: &Arc<PostgresTable>, column: usize, alias: usize) -> Origin {
        Origin {
            table: table.clone(),
            column,
            alias,
        }
    }
}

impl Value {
    pub(super) fn of_column(table: &Arc<PostgresTable>, column: usize, alias: usize) -> Value {
        let sql = table.qualified_select_item(&alias_name(alias), column);
        let Some(remote) = table.columns().get(column) else {
            return Value {
                origin: Some(Origin::new(table, column, alias)),
                ..Value::computed(sql, PgType::UNKNOWN)
            };
        };
        if remote.delivery == Delivery::AsSent {
            // for the client alone: expressions use its plain value
            let pg_type = PgType::of(table.field(column));
            return Value {
                bare: None,
                pg_type,
                class: Err(Reason::Type {
                    name: remote.remote_type.clone(),
                }),
                form: Form::Column,
                distinct: table.distinct_values(&remote.name),
                origin: Some(Origin::new(table, column, alias)),
                ..Value::computed(sql, pg_type)
            };
        }
        Value::plain_column(table, remote, Origin::new(table, column, alias))
    }

    fn plain_column(table: &PostgresTable, remote: &RemoteColumn, origin: Origin) -> Value {
        let class = match &remote.representation {
            Representation::Text { type_name, .. } => Err(Reason::RepresentedAsText {
                type_name: type_name.clone(),
            }),
            Representation::Native => class_of(remote.pg_type).map(Some),
        };
        Value {
            sql: table.qualified_plain_item(&alias_name(origin.alias), origin.column),
            bare: None,
            pg_type: remote.pg_type,
            collation: (class == Ok(Some(Class::Text))).then(|| remote.collation.clone()),
            class,
            form: Form::Column,
            distinct: table.distinct_values(&remote.name),
            origin: Some(origin),
        }
    }

    /// What expressions compute with, where this is a table's column as it is sent.
    pub(super) fn as_plain(&self) -> Option<Value> {
        let origin = self.origin.as_ref()?;
        let table = &origin.table;
        let sent = table.qualified_select_item(&alias_name(origin.alias), origin.column);
        let remote = table.columns().get(origin.column)?;
        (self.form == Form::Column && self.sql == sent)
            .then(|| Value::plain_column(table, remote, origin.clone()))
    }

    pub(super) fn computed(sql: String, pg_type: PgType) -> Value {
        Value {
            sql,
            bare: None,
            pg_type: PgType::new(pg_type.oid, -1),
            class: class_of(pg_type).map(Some),
            collation: None,
            form: Form::Computed,
            distinct: None,
            origin: None,
        }
    }

    pub(super) fn literal(
        sql: String,
        bare: String,
        pg_type: PgType,
        class: Option<Class>,
    ) -> Value {
        Value {
            bare: Some(bare),
            class: Ok(class),
            form: Form::Literal,
            ..Value::computed(sql, pg_type)
        }
    }

    pub(super) fn condition(sql: String) -> Value {
        Value::computed(sql, PgType::BOOL)
    }

    pub(super) fn with_collation(self, collation: Option<Collation>) -> Value {
        Value { collation, ..self }
    }

    /// The same value as column `at` of the derived table `alias`.
    pub(super) fn nested(&self, alias: usize, at: usize) -> Value {
        Value {
            sql: format!("{}.c{at}", alias_name(alias)),
            bare: None,
            form: Form::Column,
            origin: None,
            ..self.clone()
        }
    }

    /// Why it is not computed with, or its class.
    pub(super) fn class(&self) -> Outcome<Option<Class>> {
        self.class.clone()
    }

    pub(super) fn is_number(&self) -> bool {
        self.class == Ok(Some(Class::Number))
    }

    pub(super) fn is(&self, class: Class) -> bool {
        self.class == Ok(Some(class))
    }

    pub(super) fn is_integer(&self) -> bool {
        matches!(self.pg_type.oid, 20 | 21 | 23)
    }

    /// The same as a value of another type.
    pub(super) fn cast(self, to: PgType) -> Outcome<Value> {
        if self.pg_type.oid == to.oid {
            return Ok(self);
        }
        let name = type_sql(to).ok_or_else(|| no_type(to))?;
        let sql = format!("({})::{name}", self.sql);
        let collation = self.collation;
        Ok(Value::computed(sql, to).with_collation(collation))
    }
}

/// The type in which the source sends a field. The engine counts rows in a type
/// that Postgres has not, and which nobody sees: bigint there.
pub(super) fn sent_as(field: &Field) -> PgType {
    match field.data_type() {
        DataType::UInt64 => PgType::INT8,
        _ => PgType::of(field),
    }
}

/// How relations of a fragment are called.
pub(super) fn alias_name(alias: usize) -> String {
    format!("t{alias}")
}

pub(super) fn class_of(pg_type: PgType) -> Outcome<Class> {
    Ok(match pg_type.oid {
        16 => Class::Bool,
        20 | 21 | 23 | 1700 => Class::Number,
        700 | 701 => Class::Float,
        25 | 1042 | 1043 => Class::Text,
        1082 => Class::Date,
        1083 => Class::Time,
        1114 => Class::Timestamp,
        1184 => Class::TimestampTz,
        1186 => Class::Interval,
        2950 => Class::Uuid,
        _ => return Err(no_type(pg_type)),
    })
}

pub(super) fn no_type(pg_type: PgType) -> Reason {
    Reason::Type {
        name: pg_type
            .known()
            .map_or_else(|| pg_type.oid.to_string(), |known| known.name().to_string()),
    }
}

/// The name of a type in a cast, without its modifier.
pub(super) fn type_sql(pg_type: PgType) -> Option<&'static str> {
    Some(match pg_type.oid {
        16 => "bool",
        20 => "int8",
        21 => "int2",
        23 => "int4",
        25 => "text",
        700 => "float4",
        701 => "float8",
        1042 => "bpchar",
        1043 => "varchar",
        1082 => "date",
        1083 => "time",
        1114 => "timestamp",
        1184 => "timestamptz",
        1186 => "interval",
        1700 => "numeric",
        2950 => "uuid",
        114 => "json",
        3802 => "jsonb",
        _ => return None,
    })
}
