//! Runs statements: queries through the engine, the session's own ones here.
//! Tags and messages are Postgres's.

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::scalar::ScalarValue;

use super::Session;
use super::blocks::mode_settings;
use super::commands::*;
use super::cursor::RowCursor;
use super::drift::Columns;
use super::portals::{Format, Progress};
use super::prepared::{Parsed, Prepared, SessionStatement};
use super::set::text_schema;
use super::settings::{Scope, Settings};
use crate::error::{Error, Result, SqlState};
use crate::plan::Route;
use crate::types::PgType;

/// What a statement gives.
pub enum Answer {
    Rows(Running),
    Copy(Running, CopyOptions),
    /// No rows; the command tag.
    Done(String),
    /// The source answers.
    Relay(Arc<Prepared>),
    Empty,
}

/// Rows on their way to the client.
pub struct Running {
    pub cursor: RowCursor,
    pub tag: Tag,
    /// Rows to send at most now.
    pub most: u64,
    /// A cursor's own formats, where they are not the client's choice.
    pub formats: Option<Vec<Format>>,
    pub route: Option<Route>,
    /// The cursor that the rest goes back to: FETCH.
    pub(super) origin: Option<String>,
}

/// What the command tag counts rows as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tag {
    Select,
    Fetch,
    Show,
    Explain,
    Copy,
}

impl Tag {
    pub fn text(self, rows: u64) -> String {
        match self {
            Tag::Select => format!("SELECT {rows}"),
            Tag::Fetch => format!("FETCH {rows}"),
            Tag::Copy => format!("COPY {rows}"),
            Tag::Show => "SHOW".into(),
            Tag::Explain => "EXPLAIN".into(),
        }
    }
}

/// What a command's own query was bound to, and the types that it was prepared with.
#[derive(Debug, Default)]
pub(super) struct Bound {
    pub values: Vec<ScalarValue>,
    pub types: Vec<PgType>,
}

pub(super) const ALL: u64 = u64::MAX;

/// COMMIT, ROLLBACK and ROLLBACK TO are answered in failed transactions.
pub fn ends_transaction(parsed: &Parsed) -> bool {
    match parsed {
        Parsed::Empty => true,
        Parsed::Session(statement) => matches!(
            statement.command,
            Command::Commit(_) | Command::Rollback(_) | Command::RollbackTo(_)
        ),
        Parsed::Query(_) | Parsed::Relay(_) | Parsed::Unread { .. } => false,
    }
}

impl Session {
    /// Runs a statement with parameters of the types that `prepare` gave.
    pub async fn run(
        &mut self,
        prepared: &Arc<Prepared>,
        parameters: Vec<ScalarValue>,
    ) -> Result<Answer> {
        self.run_as(prepared, parameters, Columns::Open).await
    }

    async fn run_as(
        &mut self,
        prepared: &Arc<Prepared>,
        parameters: Vec<ScalarValue>,
        columns: Columns,
    ) -> Result<Answer> {
        match &prepared.parsed {
            Parsed::Empty => Ok(Answer::Empty),
            Parsed::Relay(_) => Ok(Answer::Relay(prepared.clone())),
            Parsed::Unread { .. } => Err(Error::internal("a statement was not read")),
            Parsed::Query(statement) => self
                .run_query(statement, prepared, parameters, columns)
                .await
                .map(Answer::Rows),
            Parsed::Session(statement) => {
                let bound = Bound {
                    values: parameters,
                    types: prepared.parameters.clone(),
                };
                self.command(statement, bound).await
            }
        }
    }

    /// Runs a portal on; `most` rows at most. Give the rest back with `finish`.
    pub async fn execute(&mut self, name: &str, most: u64) -> Result<Answer> {
        let portal = self.portals.get(name)?;
        let prepared = portal.prepared.clone();
        self.check_not_failed(&prepared.parsed)?;
        let portal = self.portals.get(name)?;
        match std::mem::replace(&mut portal.progress, Progress::Lent) {
            Progress::Open(cursor) => Ok(Answer::Rows(Running {
                cursor,
                tag: Tag::Select,
                most,
                formats: None,
                route: None,
                origin: Some(name.to_string()),
            })),
            Progress::NotStarted => {
                let parameters = std::mem::take(&mut portal.parameters);
                let columns = Columns::Described;
                let answer = self.run_as(&prepared, parameters, columns).await?;
                Ok(match answer {
                    Answer::Rows(mut running) if running.origin.is_none() => {
                        running.most = most;
                        running.origin = Some(name.to_string());
                        Answer::Rows(running)
                    }
                    other => {
                        if let Ok(portal) = self.portals.get(name) {
                            portal.progress = Progress::Finished;
                        }
                        other
                    }
                })
            }
            Progress::Finished if prepared.columns.is_some() => {
                portal.progress = Progress::Finished;
                let schema = prepared
                    .columns
                    .clone()
                    .unwrap_or_else(|| Arc::new(Schema::empty()));
                Ok(Answer::Rows(Running {
                    cursor: RowCursor::batch(RecordBatch::new_empty(schema)),
                    tag: Tag::Select,
                    most,
                    formats: None,
                    route: None,
                    origin: None,
                }))
            }
            Progress::Finished | Progress::Lent => {
                portal.progress = Progress::Finished;
                Err(Error::new(
                    SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
                    format!("portal \"{name}\" cannot be run"),
                ))
            }
        }
    }

    /// Sending ended: what is left goes back to its portal or cursor.
    pub fn finish(&mut self, running: Running) {
        if let Some(name) = &running.origin
            && let Ok(portal) = self.portals.get(name)
        {
            portal.progress = Progress::Open(running.cursor);
        }
    }

    /// The columns that a command answers with, before it runs.
    pub(super) fn command_columns(&mut self, command: &Command) -> Result<Option<SchemaRef>> {
        Ok(match command {
            Command::Show(Some(name)) => {
                self.settings.show(name)?;
                Some(text_schema(&[Settings::canonical_name(name)]))
            }
            Command::Show(None) => Some(text_schema(&["name", "setting", "description"])),
            Command::SetConfig(all) => {
                let names: Vec<_> = all.iter().map(|one| one.column.clone()).collect();
                Some(text_schema(&names))
            }
            Command::Fetch {
                cursor,
                purpose: Purpose::Fetch,
                ..
            } => self
                .portals
                .find(cursor)
                .and_then(|portal| portal.prepared.columns.clone()),
            Command::Execute { name, .. } => self.prepared.get(name)?.columns.clone(),
            _ => None,
        })
    }

    pub(super) async fn command(
        &mut self,
        statement: &SessionStatement,
        bound: Bound,
    ) -> Result<Answer> {
        let done = |tag: &str| Ok(Answer::Done(tag.to_string()));
        match &statement.command {
            Command::Set { name, value, scope } => {
                self.set(name, value.as_deref(), *scope)?;
                done("SET")
            }
            Command::SetTransaction(modes) => {
                if self.require_block("SET TRANSACTION") {
                    self.tell_sources(&statement.text).await?;
                }
                self.set_modes(modes)?;
                done("SET")
            }
            Command::SetSessionCharacteristics(modes) => {
                for (name, value) in mode_settings(modes) {
                    self.settings
                        .set(&format!("default_{name}"), value, Scope::Session)?;
                }
                done("SET")
            }
            Command::SetConstraints => {
                if self.require_block("SET CONSTRAINTS") {
                    self.tell_sources(&statement.text).await?;
                    self.transaction.constraints.push(statement.text.clone());
                }
                done("SET CONSTRAINTS")
            }
            Command::SetAuthorization(user) => {
                self.set_authorization(user.as_deref())?;
                done("SET")
            }
            Command::Reset(name) => {
                match name {
                    Some(name) => self.settings.reset(name, Scope::Session)?,
                    None => self.settings.reset_all(),
                }
                done("RESET")
            }
            Command::Show(name) => self.show(name.as_deref()),
            Command::SetConfig(all) => self.set_config(all),
            Command::Begin { modes, tag } => {
                self.begin(modes)?;
                done(tag)
            }
            Command::Commit(chain) => self.commit_command(*chain).await,
            Command::Rollback(chain) => self.roll_back_command(*chain).await,
            Command::Savepoint(name) => {
                self.need_block("SAVEPOINT")?;
                self.tell_sources(&statement.text).await?;
                self.transaction.savepoint(name, self.settings.snapshot());
                done("SAVEPOINT")
            }
            Command::Release(name) => {
                self.need_block("RELEASE SAVEPOINT")?;
                self.transaction.check_savepoint(name)?;
                self.tell_sources(&statement.text).await?;
                self.transaction.release(name)?;
                done("RELEASE")
            }
            Command::RollbackTo(name) => {
                self.need_block("ROLLBACK TO SAVEPOINT")?;
                self.transaction.check_savepoint(name)?;
                self.roll_sources_back_to(&statement.text).await?;
                let (snapshot, depth) = self.transaction.roll_back_to(name)?;
                self.settings.restore(snapshot);
                self.portals.roll_back(depth);
                self.transaction.recover();
                done("ROLLBACK")
            }
            Command::Prepare { name, types, query } => {
                let text = statement.text.get(query.clone()).unwrap_or_default();
                self.prepare_command(name, types, text, statement, query.start)
                    .await?;
                done("PREPARE")
            }
            Command::Execute { name, arguments } => self.execute_command(name, arguments).await,
            Command::Deallocate(Some(name)) => {
                self.prepared.get(name)?;
                self.prepared.remove(name);
                done("DEALLOCATE")
            }
            Command::Deallocate(None) => {
                self.prepared.clear();
                done("DEALLOCATE ALL")
            }
            Command::Declare {
                name,
                hold,
                output,
                query,
            } => {
                self.declare(name, *hold, *output, query.start, statement, bound)
                    .await?;
                done("DECLARE CURSOR")
            }
            Command::Fetch {
                cursor,
                direction,
                purpose,
            } => self.fetch(cursor, *direction, *purpose).await,
            Command::Close(Some(name)) => {
                self.portals.cursor(name)?;
                self.portals.remove(name);
                done("CLOSE CURSOR")
            }
            Command::Close(None) => {
                self.tell_sources("CLOSE ALL").await?;
                self.portals.clear();
                done("CLOSE CURSOR ALL")
            }
            Command::Discard(target) => self.discard(*target).await,
            Command::Refresh(source) => {
                self.refresh(source.as_deref()).await?;
                done("CALL")
            }
            // accepting it would promise messages that never come
            Command::Listen => Err(Error::unsupported("LISTEN is not supported")
                .with_hint("Listen on a connection to the source itself.")),
            Command::Notify => Err(Error::unsupported("NOTIFY is not supported")
                .with_hint("Triggers and functions of a source notify those who listen there.")),
            Command::Unlisten => done("UNLISTEN"),
            Command::CopyOut { query, options } => self.copy_out(query, options, statement).await,
        }
    }

    /// Reads metadata again; 42704 for a source that is not declared, its own
    /// error for one that cannot be read.
    async fn refresh(&mut self, source: Option<&str>) -> Result<()> {
        let engine = self.engine.engine().clone();
        if let Some(name) = source
            && engine.source(name).is_none()
        {
            return Err(Error::new(
                SqlState::UNDEFINED_OBJECT,
                format!("source \"{name}\" does not exist"),
            ));
        }
        engine.refresh(source).await;
        let catalog = engine.catalog();
        let failed = catalog
            .sources
            .iter()
            .filter(|status| source.is_none_or(|name| status.name.as_str() == name))
            .find_map(|status| status.error.as_ref());
        match failed {
            Some(error) => Err(error.duplicate()),
            None => Ok(()),
        }
    }

    async fn discard(&mut self, target: Discard) -> Result<Answer> {
        let tag = match target {
            Discard::All => {
                if self.in_block() {
                    return Err(Error::new(
                        SqlState::ACTIVE_SQL_TRANSACTION,
                        "DISCARD ALL cannot run inside a transaction block",
                    ));
                }
                self.portals.clear();
                self.prepared.clear();
                self.settings.reset_all();
                self.detach_all();
                "DISCARD ALL"
            }
            Discard::Plans => "DISCARD PLANS",
            Discard::Sequences => "DISCARD SEQUENCES",
            Discard::Temp => {
                self.discard_temporary().await?;
                "DISCARD TEMP"
            }
        };
        Ok(Answer::Done(tag.into()))
    }

    async fn copy_out(
        &mut self,
        query: &CopyQuery,
        options: &CopyOptions,
        statement: &SessionStatement,
    ) -> Result<Answer> {
        let parsed = match query {
            CopyQuery::Query(range) => {
                let text = statement.text.get(range.clone()).unwrap_or_default();
                if super::statements::recognize(text)?.is_some() {
                    return Err(Error::unsupported("COPY takes a query only"));
                }
                self.inner_query(text, statement, range.start)?
            }
            CopyQuery::Table(sql) => match self.parse_query(sql, statement.offset)?.pop() {
                Some(one) => one,
                None => return Err(Error::internal("COPY of nothing")),
            },
        };
        let prepared = self.prepare(parsed, Vec::new()).await?;
        let Parsed::Query(inner) = &prepared.parsed else {
            return Err(Error::internal("COPY of a command"));
        };
        let mut running = self
            .run_query(inner, &prepared, Vec::new(), Columns::Open)
            .await?;
        running.tag = Tag::Copy;
        Ok(Answer::Copy(running, options.clone()))
    }
}
