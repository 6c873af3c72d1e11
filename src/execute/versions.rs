//! Opens the versions of lake tables that a statement asks for, before it is
//! planned: planning reads nothing, and an older version has columns of its own.
//! Called by the engine's sessions.

use std::sync::Arc;

use datafusion::catalog::TableProvider;
use futures::StreamExt;

use crate::catalog::Catalog;
use crate::error::{Error, Result};
use crate::plan::{self, Statement, Versioned};
use crate::semantics::SessionVars;

/// Tables of one statement that are opened at the same time.
const CONCURRENT: usize = 8;

/// The statement with its tables as they were; `None`: it has no such tables.
pub(super) async fn opened(
    statement: &Statement,
    catalog: &Arc<Catalog>,
    vars: &SessionVars,
) -> Result<Option<Statement>> {
    let wanted = plan::wanted_versions(statement, catalog, vars)?;
    if wanted.is_empty() {
        return Ok(None);
    }
    let mut versions = Versioned::default();
    let opening = wanted.into_iter().map(|wanted| async move {
        let table = match wanted.lake() {
            Some(lake) => lake.at(wanted.at.clone()).await,
            None => Err(Error::internal("a version of what is no lake table")),
        };
        (wanted, table)
    });
    let mut opening = futures::stream::iter(opening).buffered(CONCURRENT);
    while let Some((wanted, table)) = opening.next().await {
        // one provider a version: a statement that names it twice reads it once
        if !versions.knows(&wanted) {
            let table = table.map(|table| table as Arc<dyn TableProvider>);
            versions.add(wanted, table, statement);
        }
    }
    Ok(Some(statement.with_versions(versions)))
}
