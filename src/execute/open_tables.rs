//! Opens tables that a statement names before it is planned, because planning
//! reads nothing: lake tables at the versions that it asks for, and those that
//! their catalogs only list. Called by the engine's sessions.

use std::sync::Arc;

use datafusion::catalog::TableProvider;
use futures::StreamExt;

use crate::catalog::Catalog;
use crate::error::{Error, Result};
use crate::plan::{self, Opened, Statement, Wanted};
use crate::semantics::SessionVars;
use crate::sources::TableState;
use crate::sources::lake::LakeTable;

/// Tables of one statement that are opened at the same time.
const CONCURRENT: usize = 8;

/// The statement with its tables opened; `None`: none has to be.
pub(super) async fn opened(
    statement: &Statement,
    catalog: &Arc<Catalog>,
    vars: &SessionVars,
) -> Result<Option<Statement>> {
    let wanted = plan::wanted_tables(statement, catalog, vars)?;
    if wanted.is_empty() {
        return Ok(None);
    }
    let mut all = Opened::default();
    let opening = wanted.into_iter().map(|wanted| async move {
        let table = open(&wanted).await;
        (wanted, table)
    });
    let mut opening = futures::stream::iter(opening).buffered(CONCURRENT);
    while let Some((wanted, table)) = opening.next().await {
        // one provider a version: a statement that names it twice reads it once
        if !all.knows(&wanted) {
            all.add(wanted, table, statement);
        }
    }
    Ok(Some(statement.with_tables(all)))
}

async fn open(wanted: &Wanted) -> Result<Arc<dyn TableProvider>> {
    let now = match &wanted.table.state {
        TableState::Ready(provider) => provider.clone(),
        TableState::Listed(listed) => listed.load().await?,
        TableState::Broken(error) => return Err(error.duplicate()),
    };
    let Some(at) = wanted.at.clone() else {
        return Ok(now);
    };
    match now.downcast_ref::<LakeTable>() {
        Some(lake) => Ok(lake.at(at).await?),
        None => Err(Error::internal("a version of what is no lake table")),
    }
}
