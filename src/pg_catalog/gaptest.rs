//! temp
use datafusion::arrow::datatypes::DataType;
use datafusion::catalog::{MemorySchemaProvider, SchemaProvider};
use datafusion::logical_expr::*;
use datafusion::prelude::*;
use std::sync::Arc;

#[derive(Debug, PartialEq, Eq, Hash)]
struct Stub(String, DataType, Signature);
impl ScalarUDFImpl for Stub {
    fn name(&self) -> &str {
        &self.0
    }
    fn signature(&self) -> &Signature {
        &self.2
    }
    fn return_type(&self, _: &[DataType]) -> datafusion::error::Result<DataType> {
        Ok(self.1.clone())
    }
    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> datafusion::error::Result<ColumnarValue> {
        Ok(ColumnarValue::Scalar(
            datafusion::scalar::ScalarValue::try_from(&self.1)?,
        ))
    }
}
#[tokio::test]
async fn gaps() {
    let catalog = Arc::new(crate::catalog::Catalog::default());
    let vars = crate::semantics::SessionVars::default();
    let mut config = SessionConfig::new()
        .with_default_catalog_and_schema("narrows", "pg_catalog")
        .with_information_schema(false);
    config.options_mut().sql_parser.dialect = datafusion::config::Dialect::PostgreSQL;
    config.options_mut().sql_parser.parse_float_as_decimal = true;
    let ctx = SessionContext::new_with_config(config);
    for schema in ["pg_catalog", "information_schema"] {
        let s = MemorySchemaProvider::new();
        for name in super::relation_names(schema) {
            s.register_table(
                name.to_string(),
                super::relation(&catalog, &vars, schema, name).unwrap(),
            )
            .unwrap();
        }
        ctx.catalog("narrows")
            .unwrap()
            .register_schema(schema, Arc::new(s))
            .unwrap();
    }
    let text = std::fs::read_to_string("/tmp/catpg/allqueries.txt").unwrap();
    for (ty, names) in [
        (
            DataType::Utf8View,
            "format_type pg_get_expr pg_get_userbyid pg_encoding_to_char obj_description shobj_description col_description pg_size_pretty pg_get_constraintdef pg_get_indexdef pg_get_viewdef pg_get_function_result pg_get_function_arguments pg_get_triggerdef pg_get_statisticsobjdef_columns pg_get_partkeydef quote_ident pg_get_functiondef pg_get_function_identity_arguments current_setting pg_get_ruledef pg_tablespace_location format",
        ),
        (
            DataType::Int64,
            "pg_table_size pg_database_size pg_partition_ancestors pg_tablespace_size pg_relation_size pg_total_relation_size",
        ),
        (
            DataType::Boolean,
            "pg_table_is_visible pg_type_is_visible pg_function_is_visible has_database_privilege pg_relation_is_publishable pg_operator_is_visible pg_conversion_is_visible pg_collation_is_visible pg_ts_config_is_visible pg_opclass_is_visible pg_opfamily_is_visible pg_is_in_recovery has_table_privilege pg_ts_dict_is_visible pg_ts_parser_is_visible pg_ts_template_is_visible pg_statistics_obj_is_visible",
        ),
    ] {
        for n in names.split(' ') {
            ctx.register_udf(ScalarUDF::from(Stub(
                n.into(),
                ty.clone(),
                Signature::variadic_any(Volatility::Stable),
            )));
        }
    }
    let mut out = String::new();
    for block in text.split("\n@@@@\n") {
        let Some((cmd, sql)) = block.split_once('\n') else {
            continue;
        };
        let result = async {
            let df = ctx.sql(sql).await?;
            df.collect().await
        }
        .await;
        match result {
            Ok(b) => out.push_str(&format!(
                "OK {cmd} {}\n",
                b.iter().map(|b| b.num_rows()).sum::<usize>()
            )),
            Err(e) => out.push_str(&format!(
                "ERR {cmd}\n   {}\n{}\n",
                e.to_string()
                    .replace("\n", " // ")
                    .chars()
                    .take(700)
                    .collect::<String>(),
                sql.lines()
                    .map(|l| format!("      | {l}\n"))
                    .collect::<String>()
            )),
        }
    }
    std::fs::write("/tmp/catpg/gaps.out", out).unwrap();
}
