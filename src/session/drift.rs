//! Queries of the engine, run on what sources hold now. Where a source says that
//! a relation or a column is not what was read of it, its metadata is read again
//! and the query run once more: nothing of the answer was sent yet. Called by
//! `answer`.

use std::sync::Arc;

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::scalar::ScalarValue;

use super::answer::{ALL, Running, Tag};
use super::cursor::RowCursor;
use super::prepared::Prepared;
use super::{Session, plan};
use crate::error::{Error, Result, SqlState};
use crate::types::PgType;

/// May an answer have other columns than its statement had when it was read?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Columns {
    Open,
    /// The client was told of them.
    Described,
}

impl Session {
    pub(super) async fn run_query(
        &mut self,
        statement: &plan::Statement,
        prepared: &Arc<Prepared>,
        parameters: Vec<ScalarValue>,
        columns: Columns,
    ) -> Result<Running> {
        let sources = match &prepared.plan {
            Some(state) => state.planned.sources.clone(),
            None => Vec::new(),
        };
        // a failed transaction at a source cannot go on
        let once =
            self.begins_block() || !sources.iter().any(|source| self.postgres(source).is_ok());
        if once {
            return self
                .start_query(statement, prepared, parameters, columns)
                .await;
        }
        let known = self.engine.engine().catalog();
        let mut running = self
            .start_query(statement, prepared, parameters.clone(), columns)
            .await?;
        match running.cursor.fill().await {
            Err(error) if is_drift(&error) => {}
            filled => return filled.map(|()| running),
        }
        drop(running);
        let engine = self.engine.engine().clone();
        engine.refresh_after(&known, &sources).await;
        self.start_query(statement, prepared, parameters, columns)
            .await
    }

    async fn start_query(
        &mut self,
        statement: &plan::Statement,
        prepared: &Arc<Prepared>,
        parameters: Vec<ScalarValue>,
        columns: Columns,
    ) -> Result<Running> {
        let Some(state) = &prepared.plan else {
            return Err(Error::internal("a query without a plan"));
        };
        self.refresh_vars();
        let current = Arc::ptr_eq(&state.catalog, &self.engine.engine().catalog())
            && state.settings == self.settings.shown();
        let again;
        let planned = if current {
            &state.planned
        } else {
            again = self.plan(statement, state.declared.clone()).await?.planned;
            if columns == Columns::Described && !same_columns(&again.schema, &state.planned.schema)
            {
                return Err(Error::unsupported(
                    "cached plan must not change result type",
                ));
            }
            &again
        };
        let pinned = self.pin(planned).await?;
        self.last_route = match prepared.reason.as_str() {
            "" => planned.route.name().to_string(),
            reason => format!("{}: {reason}", planned.route.name()),
        };
        let rows = self.engine.run(planned, parameters, pinned).await?;
        Ok(Running {
            cursor: RowCursor::stream(planned.schema.clone(), rows.stream),
            tag: match planned.explain {
                Some(_) => Tag::Explain,
                None => Tag::Select,
            },
            most: ALL,
            formats: None,
            route: Some(planned.route),
            origin: None,
        })
    }
}

/// Does a source say that it has something no longer, or as something else?
fn is_drift(error: &Error) -> bool {
    [
        SqlState::UNDEFINED_TABLE,
        SqlState::UNDEFINED_COLUMN,
        SqlState::UNDEFINED_FUNCTION,
        SqlState::UNDEFINED_OBJECT,
        SqlState::INVALID_SCHEMA_NAME,
        SqlState::DATATYPE_MISMATCH,
    ]
    .contains(&error.state())
}

fn same_columns(a: &SchemaRef, b: &SchemaRef) -> bool {
    a.fields().len() == b.fields().len()
        && a.fields()
            .iter()
            .zip(b.fields())
            .all(|(a, b)| PgType::of(a) == PgType::of(b))
}
