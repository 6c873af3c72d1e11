//! A shop of two tables as a catalog, and the engine over it: what the tests of
//! `pg_catalog` ask.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use datafusion::arrow::array::{Array, RecordBatch};
use datafusion::arrow::util::display::array_value_to_string;
use datafusion::catalog::{MemTable, MemorySchemaProvider, SchemaProvider};
use datafusion::config::Dialect;
use datafusion::error::Result as EngineResult;
use datafusion::prelude::{SessionConfig, SessionContext};

use crate::auth::grants::Grants;
use crate::catalog::{Catalog, Schema};
use crate::names::{RelationName, SourceName};
use crate::semantics::SessionVars;
use crate::sources::{Column, Key, KeyKind, RelationKind, Representation, Table, TableState};
use crate::types::PgType;

pub(super) struct Shop {
    pub(super) catalog: Arc<Catalog>,
    pub(super) vars: SessionVars,
    pub(super) context: SessionContext,
}

impl Shop {
    pub(super) fn open(read: &[&str]) -> Shop {
        let read = read.iter().map(|glob| glob.to_string()).collect();
        Shop::with(
            Arc::new(shop()),
            Grants::new(read, vec!["shop.orders".into()]),
        )
    }

    pub(super) fn with(catalog: Arc<Catalog>, grants: Grants) -> Shop {
        let settings = [("server_version", "17.5"), ("datestyle", "ISO, MDY")];
        let settings = settings.map(|(name, value)| (name.to_string(), value.to_string()));
        let vars = SessionVars {
            user: "analyst".into(),
            database: "narrows".into(),
            pid: 42,
            search_path: Arc::from(["nosuch".to_string(), "public".to_string()]),
            settings: Arc::new(BTreeMap::from(settings)),
            grants: Arc::new(grants),
            ..SessionVars::default()
        };
        let context = context(&catalog, &vars);
        Shop {
            catalog,
            vars,
            context,
        }
    }

    pub(super) async fn batches(&self, sql: &str) -> EngineResult<Vec<RecordBatch>> {
        self.context.sql(sql).await?.collect().await
    }

    /// Cells joined by `|`, NULLs empty.
    pub(super) async fn rows(&self, sql: &str) -> Vec<String> {
        let batches = self
            .batches(sql)
            .await
            .unwrap_or_else(|error| panic!("{sql}\n{error}"));
        let mut rows = Vec::new();
        for batch in &batches {
            for row in 0..batch.num_rows() {
                let cell = |column: &Arc<dyn Array>| match column.is_null(row) {
                    true => String::new(),
                    false => array_value_to_string(column, row).expect("printable"),
                };
                rows.push(
                    batch
                        .columns()
                        .iter()
                        .map(cell)
                        .collect::<Vec<_>>()
                        .join("|"),
                );
            }
        }
        rows
    }

    pub(super) fn oid(&self, name: &str) -> i64 {
        super::resolve_regclass(&self.catalog, &self.vars, name).expect(name)
    }
}

pub(super) fn context(catalog: &Arc<Catalog>, vars: &SessionVars) -> SessionContext {
    let mut config = SessionConfig::new()
        .with_default_catalog_and_schema("narrows", "pg_catalog")
        .with_information_schema(false)
        .with_target_partitions(2);
    config.options_mut().sql_parser.dialect = Dialect::PostgreSQL;
    config.options_mut().extensions.insert(vars.clone());
    let context = SessionContext::new_with_config(config);
    let database = context.catalog("narrows").expect("default catalog");
    for schema in ["pg_catalog", "information_schema"] {
        let tables = MemorySchemaProvider::new();
        for name in super::relation_names(schema) {
            let table = super::relation(catalog, vars, schema, name).expect("listed");
            tables.register_table(name.to_string(), table).expect("new");
        }
        database
            .register_schema(schema, Arc::new(tables))
            .expect("new");
    }
    for function in super::functions::functions(Arc::new(ArcSwap::new(catalog.clone()))) {
        context.register_udf(function.as_ref().clone());
    }
    for function in super::functions::aggregates() {
        context.register_udaf(function.as_ref().clone());
    }
    for (name, function) in super::functions::table_functions() {
        context.register_udtf(&name, function);
    }
    context
}

pub(super) fn shop() -> Catalog {
    let key = |name: &str, kind, column| Key {
        name: name.into(),
        kind,
        columns: vec![column],
    };
    let to_customers = KeyKind::Foreign {
        table: RelationName::new("shop", "customers"),
        columns: vec!["id".into()],
    };
    let mut balance = column("balance", PgType::numeric(12, 2), true);
    balance.default = Some("0".into());
    let mut total = column("total", PgType::NUMERIC, true);
    total.comment = Some("with tax".into());
    let customers = table(
        "customers",
        RelationKind::Table,
        vec![
            column("id", PgType::INT8, false),
            column("name", PgType::TEXT, false),
            column("email", PgType::new(PgType::VARCHAR.oid, 84), true),
            balance,
            column("tags", PgType::TEXT_ARRAY, true),
        ],
        vec![
            key("customers_pkey", KeyKind::Primary, 0),
            key("customers_email_key", KeyKind::Unique, 2),
        ],
    );
    let orders = table(
        "orders",
        RelationKind::Table,
        vec![
            column("id", PgType::INT4, false),
            column("customer_id", PgType::INT8, false),
            total,
            column("Odd Name", PgType::TEXT, true),
        ],
        vec![
            key("orders_pkey", KeyKind::Primary, 0),
            key("orders_customer_id_fkey", to_customers, 1),
        ],
    );
    let id = column("id", PgType::INT4, true);
    let big_orders = table("big_orders", RelationKind::View, vec![id], Vec::new());
    let tables = BTreeMap::from([customers, orders, big_orders]);
    Catalog {
        schemas: BTreeMap::from([(
            "shop".to_string(),
            Schema {
                source: Some(SourceName::new("shop")),
                remote: Some("public".into()),
                open: true,
                tables,
            },
        )]),
        ..Catalog::default()
    }
}

pub(super) fn column(name: &str, pg_type: PgType, nullable: bool) -> Column {
    Column {
        name: name.into(),
        pg_type,
        nullable,
        representation: Representation::Native,
        default: None,
        comment: None,
    }
}

pub(super) fn table(
    name: &str,
    kind: RelationKind,
    columns: Vec<Column>,
    keys: Vec<Key>,
) -> (String, Arc<Table>) {
    let fields: Vec<_> = columns.iter().map(Column::field).collect();
    let schema = Arc::new(datafusion::arrow::datatypes::Schema::new(fields));
    let empty = MemTable::try_new(schema, vec![vec![]]).expect("no rows");
    let table = Table {
        name: RelationName::new("shop", name),
        source: SourceName::new("shop"),
        kind,
        columns,
        keys,
        rows: Some(7),
        bytes: Some(8192),
        comment: (name == "orders").then(|| "every order".to_string()),
        state: TableState::Ready(Arc::new(empty)),
    };
    (name.to_string(), Arc::new(table))
}
