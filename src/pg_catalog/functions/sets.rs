//! Functions that return sets, as the engine calls them in FROM.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, BooleanArray, RecordBatch, StringViewArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::catalog::{MemTable, TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::error::Result as EngineResult;

use crate::pg_catalog::data;
use crate::types::PgType;

/// Name and function.
pub fn table_functions() -> Vec<(String, Arc<dyn TableFunctionImpl>)> {
    let all: [(&str, Arc<dyn TableFunctionImpl>); 2] = [
        ("pg_get_keywords", Arc::new(Keywords)),
        ("pg_listening_channels", Arc::new(Channels)),
    ];
    all.into_iter()
        .map(|(name, function)| (name.to_string(), function))
        .collect()
}

/// Every word of Postgres's grammar and where it may be used.
#[derive(Debug)]
struct Keywords;

impl TableFunctionImpl for Keywords {
    fn call_with_args(
        &self,
        _arguments: TableFunctionArgs,
    ) -> EngineResult<Arc<dyn TableProvider>> {
        let texts = |column| -> ArrayRef {
            let texts = data::rows("keywords")
                .map(|rows| rows.texts(column))
                .unwrap_or_default();
            Arc::new(StringViewArray::from_iter_values(texts))
        };
        let bare: BooleanArray = data::rows("keywords")
            .map(|rows| rows.texts("barelabel"))
            .unwrap_or_default()
            .iter()
            .map(|text| Some(text == "t"))
            .collect();
        single(vec![
            (text_field("word"), texts("word")),
            (PgType::CHAR.tag(text_field("catcode")), texts("catcode")),
            (
                PgType::BOOL.tag(Field::new("barelabel", DataType::Boolean, true)),
                Arc::new(bare),
            ),
            (text_field("catdesc"), texts("catdesc")),
            (text_field("baredesc"), texts("baredesc")),
        ])
    }
}

/// Channels that the session listens on: NOTIFY is not supported, so none.
#[derive(Debug)]
struct Channels;

impl TableFunctionImpl for Channels {
    fn call_with_args(
        &self,
        _arguments: TableFunctionArgs,
    ) -> EngineResult<Arc<dyn TableProvider>> {
        let none: ArrayRef = Arc::new(StringViewArray::from_iter_values(Vec::<&str>::new()));
        single(vec![(text_field("pg_listening_channels"), none)])
    }
}

fn text_field(name: &str) -> Field {
    PgType::TEXT.tag(Field::new(name, DataType::Utf8View, true))
}

fn single(columns: Vec<(Field, ArrayRef)>) -> EngineResult<Arc<dyn TableProvider>> {
    let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = columns.into_iter().unzip();
    let schema = Arc::new(Schema::new(fields));
    let rows = RecordBatch::try_new(schema.clone(), arrays)?;
    Ok(Arc::new(MemTable::try_new(schema, vec![vec![rows]])?))
}
