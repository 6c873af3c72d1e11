//! A relation of a Postgres source as the engine sees it. `pushdown` replaces
//! its scans by SQL of its own and asks here for what that SQL needs; the scan
//! made here, whole columns without a filter, is the fallback.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::{Field, FieldRef, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Constraint, Constraints, Statistics};
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;

use super::PostgresSource;
use super::scan::PostgresScan;
use super::split::{KeyColumn, SingleTable};
use super::stats::{self, ColumnEstimate};
use crate::names::{SourceName, always_quoted};
use crate::sources::{RelationKind, Representation, Source};
use crate::types::sent::{Form, Sent};
use crate::types::{Oid, PgType};

/// A relation by its names on the source.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RemoteTable {
    pub schema: String,
    pub relation: String,
}

impl RemoteTable {
    /// `"schema"."relation"`, quoted always.
    pub fn to_sql(&self) -> String {
        format!(
            "{}.{}",
            always_quoted(&self.schema),
            always_quoted(&self.relation)
        )
    }
}

/// What SQL over a column has to know, in the column order of the schema.
#[derive(Debug, Clone, PartialEq)]
pub struct RemoteColumn {
    /// Its name on the source, unquoted.
    pub name: String,
    /// What clients are told.
    pub pg_type: PgType,
    /// The type on the source as its DDL writes it, domains by their own name:
    /// `character varying(20)`, `crm.mood`.
    pub remote_type: String,
    /// The type's OID on the source, a domain's own.
    pub remote_oid: Oid,
    pub collation: Collation,
    pub nullable: bool,
    pub representation: Representation,
    /// The function that writes the value as clients of the source see it, where
    /// a cast to text would not (inet); quoted, with its schema.
    pub output_function: Option<String>,
    /// The function that makes the binary form, if there is one; quoted, with
    /// its schema.
    pub send_function: Option<String>,
    /// How it is carried unchanged, where its Arrow type has not all its values.
    pub sent: Option<Sent>,
    /// An enum's labels in its order.
    pub labels: Option<Arc<[String]>>,
    /// What scans of the table return.
    pub delivery: Delivery,
    pub estimate: ColumnEstimate,
}

/// The form in which a scan returns a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// What expressions compute with: the Arrow type, or the text form.
    Plain,
    /// What `RemoteColumn::sent` says.
    AsSent,
}

/// How the source compares a column's text. Names are quoted, with their schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Collation {
    /// The type has no collation.
    None,
    /// By bytes, which in UTF-8 is by code point: C, POSIX and their like.
    C,
    /// Equal only if the bytes are; ordered by a locale. The database is in
    /// UTF-8, so that COLLATE "C" orders by code point.
    Deterministic(String),
    /// The same in a database of another encoding: even "C" orders otherwise.
    OtherEncoding(String),
    /// Different bytes may be equal.
    Nondeterministic(String),
}

#[derive(Debug, Clone)]
pub struct PostgresTable {
    source: Arc<PostgresSource>,
    remote: RemoteTable,
    kind: RelationKind,
    columns: Vec<RemoteColumn>,
    schema: SchemaRef,
    rows: Option<u64>,
    blocks: Option<u64>,
    constraints: Constraints,
}

/// What `discover` found out, to make a table of.
pub(super) struct Found {
    pub remote: RemoteTable,
    pub kind: RelationKind,
    pub columns: Vec<RemoteColumn>,
    pub rows: Option<u64>,
    /// Of its largest part, where ranges of blocks can be read.
    pub blocks: Option<u64>,
    /// A primary key that holds for every row that a scan returns; 0-based.
    pub primary_key: Option<Vec<usize>>,
}

impl PostgresTable {
    pub(super) fn new(source: Arc<PostgresSource>, found: Found, schema: SchemaRef) -> Self {
        let key = found.primary_key.map(Constraint::PrimaryKey);
        PostgresTable {
            source,
            remote: found.remote,
            kind: found.kind,
            columns: found.columns,
            schema,
            rows: found.rows,
            blocks: found.blocks,
            constraints: Constraints::new_unverified(key.into_iter().collect()),
        }
    }

    pub fn source(&self) -> &Arc<PostgresSource> {
        &self.source
    }

    pub fn source_name(&self) -> &SourceName {
        Source::name(self.source.as_ref())
    }

    /// As estimated by the source.
    pub fn rows(&self) -> Option<u64> {
        self.rows
    }

    pub fn remote(&self) -> &RemoteTable {
        &self.remote
    }

    pub fn kind(&self) -> RelationKind {
        self.kind
    }

    /// As scans return column `index`, which exists.
    pub fn field(&self, index: usize) -> &Field {
        self.schema.field(index)
    }

    /// In the order of the schema's fields.
    pub fn columns(&self) -> &[RemoteColumn] {
        &self.columns
    }

    /// The same table, whose scans return these columns as the source sends them.
    pub fn sending(&self, columns: &[usize]) -> PostgresTable {
        let mut table = self.clone();
        let mut fields: Vec<FieldRef> = self.schema.fields().iter().cloned().collect();
        for &index in columns {
            if let (Some(column), Some(field)) =
                (table.columns.get_mut(index), fields.get_mut(index))
                && let Some(sent) = &column.sent
            {
                column.delivery = Delivery::AsSent;
                *field = sent.field(field.name(), field.is_nullable()).into();
            }
        }
        let metadata = self.schema.metadata().clone();
        table.schema = Arc::new(Schema::new_with_metadata(fields, metadata));
        table
    }

    /// The SQL of column `index` as expressions compute with it, qualified by
    /// `alias`, which needs no quotes.
    pub fn qualified_plain_item(&self, alias: &str, index: usize) -> String {
        self.columns
            .get(index)
            .map(|column| column.plain_sql(&format!("{alias}.{}", always_quoted(&column.name))))
            .unwrap_or_default()
    }

    /// The same as its field carries it; empty if there is no such column.
    pub fn qualified_select_item(&self, alias: &str, index: usize) -> String {
        self.columns
            .get(index)
            .map(|column| column.value_sql(Some(alias)))
            .unwrap_or_default()
    }

    /// How many different values a column holds, as estimated.
    pub fn distinct_values(&self, column: &str) -> Option<f64> {
        let at = self.columns.iter().position(|known| known.name == column)?;
        if self.is_unique(at) {
            return self.rows.map(|rows| rows as f64);
        }
        match self.columns[at].estimate.distinct? {
            part if part < 0.0 => Some(-part * self.rows? as f64),
            count => Some(count),
        }
    }

    /// The parts of a fragment that reads the table under `alias`, where the
    /// filters hold; `columns` are those that its output is, and `rows` how many.
    pub fn fragment(
        &self,
        alias: &str,
        select_list: String,
        columns: &[Option<usize>],
        filters: Vec<String>,
        rows: Option<u64>,
    ) -> SingleTable {
        let wanted = match (rows, self.rows) {
            (Some(rows), Some(all)) if all > 0 => rows as f64 / all as f64,
            _ if filters.is_empty() => 1.0,
            _ => 0.0,
        };
        let key_column = |at: &Option<usize>| self.columns.get((*at)?)?.key_column(alias);
        SingleTable {
            select_list,
            table: format!("{} AS {alias}", self.remote.to_sql()),
            filters,
            blocks: self.blocks,
            wanted,
            rows: self.rows,
            keys: columns.iter().map(key_column).collect(),
        }
    }

    /// The columns of the primary key, 0-based.
    pub fn key(&self) -> Option<&[usize]> {
        self.constraints
            .iter()
            .find_map(|constraint| match constraint {
                Constraint::PrimaryKey(key) => Some(key.as_slice()),
                Constraint::Unique(_) => None,
            })
    }

    /// Is the column alone the primary key?
    fn is_unique(&self, column: usize) -> bool {
        self.constraints.iter().any(|constraint| match constraint {
            Constraint::PrimaryKey(key) | Constraint::Unique(key) => key[..] == [column],
        })
    }

    /// Estimates, of the projected columns if there is a projection.
    pub fn estimates(&self, projection: Option<&[usize]>) -> Statistics {
        match projection {
            None => stats::statistics(self.rows, self.columns.iter().map(|c| &c.estimate)),
            Some(projection) => stats::statistics(
                self.rows,
                projection
                    .iter()
                    .filter_map(|&i| self.columns.get(i))
                    .map(|column| &column.estimate),
            ),
        }
    }
}

impl RemoteColumn {
    /// `None` if an equal value here may be another one there.
    fn key_column(&self, alias: &str) -> Option<KeyColumn> {
        let same = self.representation == Representation::Native
            && self.delivery == Delivery::Plain
            && !matches!(self.collation, Collation::Nondeterministic(_));
        same.then(|| KeyColumn {
            name: format!("{alias}.{}", always_quoted(&self.name)),
            oid: self.pg_type.oid,
        })
    }

    /// The SQL of the value as its field carries it.
    fn value_sql(&self, alias: Option<&str>) -> String {
        let name = always_quoted(&self.name);
        let column = match alias {
            Some(alias) => format!("{alias}.{name}"),
            None => name,
        };
        match (self.delivery, &self.sent) {
            (Delivery::AsSent, Some(sent)) => self.sent_sql(&column, sent.form),
            _ => self.plain_sql(&column),
        }
    }

    /// The column, or its text form.
    fn plain_sql(&self, column: &str) -> String {
        match &self.representation {
            Representation::Native => column.into(),
            Representation::Text { .. } => self.text_sql(column),
        }
    }

    fn text_sql(&self, column: &str) -> String {
        match &self.output_function {
            None => format!("{column}::pg_catalog.text"),
            Some(output) => format!("pg_catalog.textin({output}({column}))"),
        }
    }

    fn sent_sql(&self, column: &str, form: Form) -> String {
        match (form, &self.send_function) {
            (Form::Binary, _) => column.into(),
            (Form::WithText, Some(send)) => {
                let text = self.text_sql(column);
                format!(
                    "(pg_catalog.int4send(pg_catalog.octet_length({send}({column}))) \
                     OPERATOR(pg_catalog.||) {send}({column}) \
                     OPERATOR(pg_catalog.||) pg_catalog.textsend({text}))"
                )
            }
            (Form::WithText | Form::Text, _) => self.text_sql(column),
        }
    }
}

/// The table's name in its own scans.
const ALIAS: &str = "t0";

#[async_trait]
impl TableProvider for PostgresTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn constraints(&self) -> Option<&Constraints> {
        Some(&self.constraints)
    }

    fn table_type(&self) -> TableType {
        match self.kind {
            RelationKind::View => TableType::View,
            _ => TableType::Base,
        }
    }

    /// Filters are pushed by `pushdown`, which knows when they mean the same there.
    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> EngineResult<Vec<TableProviderFilterPushDown>> {
        Ok(vec![
            TableProviderFilterPushDown::Unsupported;
            filters.len()
        ])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> EngineResult<Arc<dyn ExecutionPlan>> {
        let all: Vec<usize> = (0..self.columns.len()).collect();
        let projection = projection.unwrap_or(&all);
        let items: Vec<String> = projection
            .iter()
            .map(|&at| self.qualified_select_item(ALIAS, at))
            .collect();
        let columns: Vec<_> = projection.iter().copied().map(Some).collect();
        let table = self.fragment(ALIAS, items.join(", "), &columns, Vec::new(), self.rows);
        let mut sql = table.sql("", &[]);
        if let Some(limit) = limit {
            sql.push_str(&format!(" LIMIT {limit}"));
        }
        let mut scan = PostgresScan::new(
            self.source.clone(),
            sql,
            Arc::new(self.schema.project(projection)?),
            self.estimates(Some(projection)).with_fetch(limit, 0, 1)?,
            Vec::new(),
        );
        if limit.is_none() {
            scan = scan.of_table(table, state.config());
        }
        Ok(Arc::new(scan))
    }

    fn statistics(&self) -> Option<Statistics> {
        Some(self.estimates(None))
    }
}

#[cfg(test)]
pub(crate) mod fixture {
    //! Tables of a source that is never reached, for the tests of `pushdown`.

    use std::collections::BTreeMap;

    use super::*;
    use crate::config::{self, Secret};
    use crate::sources::Column;

    /// `(name, type, collation)`; columns whose type is named text are carried as text.
    pub(crate) type ColumnSpec<'a> = (&'a str, PgType, Collation);

    pub(crate) fn source() -> Arc<PostgresSource> {
        let declared = config::PostgresSource {
            url: Secret::new("postgres://nobody@127.0.0.1:1/none?sslmode=disable"),
            schemas: BTreeMap::new(),
            tables: Vec::new(),
            max_connections: 1,
            writable: false,
            roles: BTreeMap::new(),
            functions: Vec::new(),
        };
        PostgresSource::new(SourceName::new("shop"), &declared).expect("a source without IO")
    }

    pub(crate) fn table(
        source: &Arc<PostgresSource>,
        relation: &str,
        rows: u64,
        columns: &[ColumnSpec<'_>],
    ) -> PostgresTable {
        let columns: Vec<RemoteColumn> = columns.iter().map(column).collect();
        let fields: Vec<_> = columns
            .iter()
            .map(|column| {
                Column {
                    name: column.name.clone(),
                    pg_type: column.pg_type,
                    nullable: column.nullable,
                    representation: column.representation.clone(),
                    default: None,
                    comment: None,
                }
                .field()
            })
            .collect();
        let found = Found {
            remote: RemoteTable {
                schema: "public".into(),
                relation: relation.into(),
            },
            kind: RelationKind::Table,
            columns,
            rows: Some(rows),
            blocks: None,
            primary_key: Some(vec![0]),
        };
        PostgresTable::new(source.clone(), found, Arc::new(Schema::new(fields)))
    }

    fn column((name, pg_type, collation): &ColumnSpec<'_>) -> RemoteColumn {
        let representation = match *pg_type == PgType::UNKNOWN {
            true => Representation::Text {
                type_name: "inet".into(),
                reason: "no Arrow form".into(),
            },
            false => Representation::Native,
        };
        RemoteColumn {
            name: (*name).into(),
            pg_type: match representation {
                Representation::Native => *pg_type,
                Representation::Text { .. } => PgType::TEXT,
            },
            remote_type: String::new(),
            remote_oid: pg_type.oid,
            collation: collation.clone(),
            nullable: *name != "id",
            representation,
            output_function: None,
            send_function: None,
            sent: None,
            labels: None,
            delivery: Delivery::Plain,
            estimate: ColumnEstimate::default(),
        }
    }
}
