//! Runs statements: queries through the engine, the session's own ones here.
//! Tags and messages are Postgres's.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, RecordBatch, StringViewArray};
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::scalar::ScalarValue;

use super::commands::*;
use super::cursor::RowCursor;
use super::portals::{Format, Portal, Progress};
use super::prepared::{Parsed, Prepared, SessionStatement, type_by_name};
use super::settings::{Scope, Settings};
use super::transaction::{State, Status};
use super::{Session, plan};
use crate::error::{Error, Result, SqlState};
use crate::plan::Route;
use crate::types::PgType;

/// What a statement gives.
pub enum Answer {
    Rows(Running),
    Copy(Running, CopyOptions),
    /// No rows; the command tag.
    Done(String),
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
    origin: Option<String>,
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

const ALL: u64 = u64::MAX;

/// COMMIT, ROLLBACK and ROLLBACK TO are answered in failed transactions.
pub fn ends_transaction(parsed: &Parsed) -> bool {
    match parsed {
        Parsed::Empty => true,
        Parsed::Session(statement) => matches!(
            statement.command,
            Command::Commit(_) | Command::Rollback(_) | Command::RollbackTo(_)
        ),
        Parsed::Query(_) => false,
    }
}

impl Session {
    /// Runs a statement with parameters of the types that `prepare` gave.
    pub async fn run(
        &mut self,
        prepared: &Arc<Prepared>,
        parameters: Vec<ScalarValue>,
    ) -> Result<Answer> {
        match &prepared.parsed {
            Parsed::Empty => Ok(Answer::Empty),
            Parsed::Query(statement) => self
                .run_query(statement, prepared, parameters)
                .await
                .map(Answer::Rows),
            Parsed::Session(statement) => self.command(statement).await,
        }
    }

    async fn run_query(
        &mut self,
        statement: &plan::Statement,
        prepared: &Arc<Prepared>,
        parameters: Vec<ScalarValue>,
    ) -> Result<Running> {
        let Some(state) = &prepared.plan else {
            return Err(Error::internal("a query without a plan"));
        };
        let current = Arc::ptr_eq(&state.catalog, &self.engine.engine().catalog())
            && state.settings == self.settings.shown();
        let again;
        let planned = if current {
            &state.planned
        } else {
            again = self.plan(statement, state.declared.clone()).await?.planned;
            if !same_columns(&again.schema, &state.planned.schema) {
                return Err(Error::unsupported(
                    "cached plan must not change result type",
                ));
            }
            &again
        };
        let rows = self.engine.run(planned, parameters).await?;
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
                let answer = self.run(&prepared, parameters).await?;
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

    async fn command(&mut self, statement: &SessionStatement) -> Result<Answer> {
        let done = |tag: &str| Ok(Answer::Done(tag.to_string()));
        match &statement.command {
            Command::Set { name, value, scope } => {
                self.set(name, value.as_deref(), *scope)?;
                done("SET")
            }
            Command::SetTransaction(modes) => {
                self.require_block("SET TRANSACTION");
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
            Command::SetConstraints => done("SET CONSTRAINTS"),
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
            Command::Commit(chain) => self.commit_command(*chain),
            Command::Rollback(chain) => self.roll_back_command(*chain),
            Command::Savepoint(name) => {
                self.need_block("SAVEPOINT")?;
                self.transaction.savepoint(name, self.settings.snapshot());
                done("SAVEPOINT")
            }
            Command::Release(name) => {
                self.need_block("RELEASE SAVEPOINT")?;
                self.transaction.release(name)?;
                done("RELEASE")
            }
            Command::RollbackTo(name) => {
                self.need_block("ROLLBACK TO SAVEPOINT")?;
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
                self.declare(name, *hold, *output, query.start, statement)
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
                self.portals.clear();
                done("CLOSE CURSOR ALL")
            }
            Command::Discard(target) => self.discard(*target),
            Command::Listen(_) => done("LISTEN"),
            Command::Unlisten => done("UNLISTEN"),
            Command::Notify => done("NOTIFY"),
            Command::CopyOut { query, options } => self.copy_out(query, options, statement).await,
        }
    }

    fn set(&mut self, name: &str, value: Option<&str>, scope: Scope) -> Result<()> {
        if scope == Scope::Transaction && !self.require_block("SET LOCAL") {
            // checked all the same
            let before = self.settings.snapshot();
            if let Some(value) = value {
                self.settings.set(name, value, scope)?;
            }
            self.settings.restore(before);
            return Ok(());
        }
        if name.to_ascii_lowercase().starts_with("transaction_") {
            return match value {
                Some(value) => self.settings.set(name, value, Scope::Transaction),
                None => self.settings.reset(name, Scope::Transaction),
            };
        }
        match value {
            Some(value) => self.settings.set(name, value, scope),
            None => self.settings.reset(name, scope),
        }
    }

    fn set_authorization(&mut self, user: Option<&str>) -> Result<()> {
        match user {
            None => Ok(()),
            Some(user) if user == &*self.identity.user => Ok(()),
            Some(user) => Err(Error::new(
                SqlState::INSUFFICIENT_PRIVILEGE,
                format!("permission denied to set session authorization \"{user}\""),
            )),
        }
    }

    fn show(&mut self, name: Option<&str>) -> Result<Answer> {
        let rows = match name {
            Some(name) => {
                let value = self.shown_value(name)?;
                text_batch(&[Settings::canonical_name(name)], &[vec![value]])?
            }
            None => {
                let all = self.settings.show_all();
                text_batch(
                    &["name", "setting", "description"].map(str::to_string),
                    &[
                        all.iter().map(|row| row.0.clone()).collect(),
                        all.iter().map(|row| row.1.clone()).collect(),
                        all.iter().map(|row| row.2.clone()).collect(),
                    ],
                )?
            }
        };
        Ok(rows_of(rows, Tag::Show))
    }

    fn shown_value(&self, name: &str) -> Result<String> {
        Ok(self.settings.show(name)?.to_string())
    }

    fn set_config(&mut self, all: &[SetConfig]) -> Result<Answer> {
        let mut names = Vec::new();
        let mut values = Vec::new();
        for one in all {
            // within its own implicit transaction SET LOCAL is silent, as the function is
            self.settings.set(&one.name, &one.value, one.scope)?;
            names.push(one.column.clone());
            values.push(vec![self.shown_value(&one.name)?]);
        }
        Ok(rows_of(text_batch(&names, &values)?, Tag::Select))
    }

    fn in_block(&self) -> bool {
        matches!(self.transaction.state, State::Block(_) | State::Failed(_))
    }

    /// Warns where a statement has no effect outside a block.
    fn require_block(&mut self, what: &str) -> bool {
        if self.in_block() {
            return true;
        }
        self.warn(
            SqlState::NO_ACTIVE_SQL_TRANSACTION,
            format!("{what} can only be used in transaction blocks"),
        );
        false
    }

    fn need_block(&self, what: &str) -> Result<()> {
        if self.in_block() {
            return Ok(());
        }
        Err(Error::new(
            SqlState::NO_ACTIVE_SQL_TRANSACTION,
            format!("{what} can only be used in transaction blocks"),
        ))
    }

    fn begin(&mut self, modes: &Modes) -> Result<()> {
        if self.in_block() {
            self.warn(
                SqlState::ACTIVE_SQL_TRANSACTION,
                "there is already a transaction in progress",
            );
        } else {
            self.transaction.begin_block();
            self.default_modes()?;
        }
        self.set_modes(modes)
    }

    /// A new transaction has the session's default modes.
    fn default_modes(&mut self) -> Result<()> {
        for name in [
            "transaction_isolation",
            "transaction_read_only",
            "transaction_deferrable",
        ] {
            let default = self.settings.text(&format!("default_{name}"));
            if default != self.settings.text(name) {
                self.settings.set(name, &default, Scope::Transaction)?;
            }
        }
        Ok(())
    }

    fn set_modes(&mut self, modes: &Modes) -> Result<()> {
        for (name, value) in mode_settings(modes) {
            if self.settings.text(name) != value {
                self.settings.set(name, value, Scope::Transaction)?;
            }
        }
        Ok(())
    }

    fn commit_command(&mut self, chain: Chain) -> Result<Answer> {
        if self.status() == Status::Failed {
            return self.roll_back_command(chain);
        }
        let modes = self.chained_modes(chain, "COMMIT")?;
        if !self.in_block() {
            self.warn(
                SqlState::NO_ACTIVE_SQL_TRANSACTION,
                "there is no transaction in progress",
            );
        }
        self.commit();
        self.chain(modes)?;
        Ok(Answer::Done("COMMIT".into()))
    }

    fn roll_back_command(&mut self, chain: Chain) -> Result<Answer> {
        let modes = self.chained_modes(chain, "ROLLBACK")?;
        if !self.in_block() {
            self.warn(
                SqlState::NO_ACTIVE_SQL_TRANSACTION,
                "there is no transaction in progress",
            );
        }
        self.roll_back();
        self.chain(modes)?;
        Ok(Answer::Done("ROLLBACK".into()))
    }

    /// The modes that AND CHAIN hands on.
    fn chained_modes(&self, chain: Chain, what: &str) -> Result<Option<[String; 3]>> {
        if chain == Chain::No {
            return Ok(None);
        }
        self.need_block(&format!("{what} AND CHAIN"))?;
        Ok(Some(
            [
                "transaction_isolation",
                "transaction_read_only",
                "transaction_deferrable",
            ]
            .map(|name| self.settings.text(name)),
        ))
    }

    fn chain(&mut self, modes: Option<[String; 3]>) -> Result<()> {
        let snapshot = self.settings.snapshot();
        let Some([isolation, read_only, deferrable]) = modes else {
            // statements that follow in the same message have their own transaction
            self.transaction.begin_implicit(snapshot);
            return Ok(());
        };
        self.transaction.begin_implicit(snapshot);
        self.transaction.begin_block();
        let local = Scope::Transaction;
        self.settings
            .set("transaction_isolation", &isolation, local)?;
        self.settings
            .set("transaction_read_only", &read_only, local)?;
        self.settings
            .set("transaction_deferrable", &deferrable, local)
    }

    async fn prepare_command(
        &mut self,
        name: &str,
        types: &[String],
        text: &str,
        statement: &SessionStatement,
        start: usize,
    ) -> Result<()> {
        self.prepared.check_free(name)?;
        let mut declared = Vec::with_capacity(types.len());
        for type_name in types {
            let pg_type = type_by_name(type_name).ok_or_else(|| {
                Error::new(
                    SqlState::UNDEFINED_OBJECT,
                    format!("type \"{type_name}\" does not exist"),
                )
            })?;
            declared.push((pg_type != PgType::UNKNOWN).then_some(pg_type));
        }
        let parsed = self.inner_query(text, statement, start)?;
        let prepared = self.prepare(parsed, declared).await?;
        self.prepared.put(name, prepared);
        Ok(())
    }

    /// The one query inside a statement of the session.
    fn inner_query(
        &self,
        text: &str,
        statement: &SessionStatement,
        start: usize,
    ) -> Result<Parsed> {
        let before = statement.text[..start].chars().count();
        let mut parsed = self.parse_query(text, statement.offset + before)?;
        match (parsed.pop(), parsed.pop()) {
            (Some(one), None) => Ok(one),
            _ => Err(Error::new(
                SqlState::SYNTAX_ERROR,
                "exactly one query is expected",
            )),
        }
    }

    async fn execute_command(&mut self, name: &str, arguments: &[String]) -> Result<Answer> {
        let prepared = self.prepared.get(name)?;
        if arguments.len() != prepared.parameters.len() {
            return Err(Error::new(
                SqlState::SYNTAX_ERROR,
                format!("wrong number of parameters for prepared statement \"{name}\""),
            )
            .with_detail(format!(
                "Expected {} parameters but got {}.",
                prepared.parameters.len(),
                arguments.len()
            )));
        }
        let parameters = self.arguments(arguments, &prepared.parameters).await?;
        match &prepared.parsed {
            Parsed::Query(statement) => self
                .run_query(statement, &prepared, parameters)
                .await
                .map(Answer::Rows),
            // PREPARE takes queries alone, Parse anything
            Parsed::Session(statement) => Box::pin(self.command(statement)).await,
            Parsed::Empty => Ok(Answer::Empty),
        }
    }

    /// The values of EXECUTE's arguments, computed by the engine.
    async fn arguments(&mut self, texts: &[String], types: &[PgType]) -> Result<Vec<ScalarValue>> {
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        let columns: Vec<String> = texts
            .iter()
            .enumerate()
            .map(|(position, text)| format!("({text}) AS a{position}"))
            .collect();
        let sql = format!("SELECT {}", columns.join(", "));
        let mut parsed = self.parse_query(&sql, 0)?;
        let (Some(Parsed::Query(statement)), true) = (parsed.pop(), parsed.is_empty()) else {
            return Err(Error::new(
                SqlState::SYNTAX_ERROR,
                "syntax error in EXECUTE",
            ));
        };
        let planned = self.engine.plan(&statement, &[]).await?;
        let rows = self.engine.run(&planned, Vec::new()).await?;
        let mut cursor = RowCursor::stream(rows.schema, rows.stream);
        let Some(batch) = cursor.next(1).await? else {
            return Err(Error::internal("arguments without a row"));
        };
        types
            .iter()
            .zip(batch.columns())
            .map(|(pg_type, column)| {
                let value = ScalarValue::try_from_array(column, 0)?;
                Ok(match pg_type.arrow() {
                    Some(target) => value.cast_to(&target)?,
                    None => value,
                })
            })
            .collect()
    }

    async fn declare(
        &mut self,
        name: &str,
        hold: Hold,
        output: CursorOutput,
        start: usize,
        statement: &SessionStatement,
    ) -> Result<()> {
        if hold == Hold::Transaction {
            self.need_block("DECLARE CURSOR")?;
        }
        let text = statement.text.get(start..).unwrap_or_default();
        let parsed = self.inner_query(text, statement, start)?;
        let prepared = self.prepare(parsed, Vec::new()).await?;
        if !prepared.parameters.is_empty() {
            return Err(Error::new(
                SqlState::UNDEFINED_PARAMETER,
                "there is no parameter $1",
            ));
        }
        let columns = prepared.columns.as_ref().map_or(0, |s| s.fields().len());
        let format = match output {
            CursorOutput::Text => Format::Text,
            CursorOutput::Binary => Format::Binary,
        };
        let portal = Portal {
            prepared,
            parameters: Vec::new(),
            formats: vec![format; columns],
            progress: Progress::NotStarted,
            hold,
            depth: self.transaction.depth(),
        };
        self.portals.put(name, portal)
    }

    async fn fetch(
        &mut self,
        name: &str,
        direction: Direction,
        purpose: Purpose,
    ) -> Result<Answer> {
        let most = match direction {
            Direction::Forward(count) => count,
            Direction::All => ALL,
            Direction::Backward => {
                self.portals.cursor(name)?;
                return Err(Error::new(
                    SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
                    "cursor can only scan forward",
                )
                .with_hint("Declare it with SCROLL option to enable backward scan."));
            }
        };
        let mut running = self.open_cursor(name).await?;
        running.most = most;
        if purpose == Purpose::Fetch {
            return Ok(Answer::Rows(running));
        }
        let mut moved = 0;
        while moved < most {
            match running.cursor.next(most - moved).await? {
                Some(batch) => moved += batch.num_rows() as u64,
                None => break,
            }
        }
        self.finish(running);
        Ok(Answer::Done(format!("MOVE {moved}")))
    }

    /// A cursor's rows from where it stands.
    async fn open_cursor(&mut self, name: &str) -> Result<Running> {
        let portal = self.portals.cursor(name)?;
        let prepared = portal.prepared.clone();
        let binary = portal.formats.contains(&Format::Binary);
        let formats = binary.then(|| portal.formats.clone());
        let progress = std::mem::replace(&mut portal.progress, Progress::Lent);
        let mut running = match (progress, &prepared.parsed) {
            (Progress::Open(cursor), _) => Running {
                cursor,
                tag: Tag::Fetch,
                most: ALL,
                formats: None,
                route: None,
                origin: None,
            },
            (Progress::NotStarted, Parsed::Query(statement)) => {
                let parameters = std::mem::take(&mut portal.parameters);
                self.run_query(statement, &prepared, parameters).await?
            }
            _ => {
                return Err(Error::new(
                    SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
                    format!("portal \"{name}\" cannot be run"),
                ));
            }
        };
        running.tag = Tag::Fetch;
        running.formats = formats;
        running.origin = Some(name.to_string());
        Ok(running)
    }

    fn discard(&mut self, target: Discard) -> Result<Answer> {
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
                "DISCARD ALL"
            }
            Discard::Plans => "DISCARD PLANS",
            Discard::Sequences => "DISCARD SEQUENCES",
            Discard::Temp => "DISCARD TEMP",
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
        let mut running = self.run_query(inner, &prepared, Vec::new()).await?;
        running.tag = Tag::Copy;
        Ok(Answer::Copy(running, options.clone()))
    }
}

fn mode_settings(modes: &Modes) -> Vec<(&'static str, &'static str)> {
    let on_off = |value: bool| if value { "on" } else { "off" };
    let mut settings = Vec::new();
    settings.extend(
        modes
            .isolation
            .map(|level| ("transaction_isolation", level)),
    );
    settings.extend(
        modes
            .read_only
            .map(|v| ("transaction_read_only", on_off(v))),
    );
    settings.extend(
        modes
            .deferrable
            .map(|v| ("transaction_deferrable", on_off(v))),
    );
    settings
}

fn same_columns(a: &SchemaRef, b: &SchemaRef) -> bool {
    a.fields().len() == b.fields().len()
        && a.fields()
            .iter()
            .zip(b.fields())
            .all(|(a, b)| PgType::of(a) == PgType::of(b))
}

fn text_schema(names: &[impl AsRef<str>]) -> SchemaRef {
    let fields: Vec<_> = names
        .iter()
        .filter_map(|name| PgType::TEXT.field(name.as_ref(), false))
        .collect();
    Arc::new(Schema::new(fields))
}

fn text_batch(names: &[String], columns: &[Vec<String>]) -> Result<RecordBatch> {
    let arrays = columns
        .iter()
        .map(|values| Arc::new(StringViewArray::from_iter_values(values)) as ArrayRef)
        .collect();
    Ok(RecordBatch::try_new(text_schema(names), arrays)?)
}

fn rows_of(batch: RecordBatch, tag: Tag) -> Answer {
    Answer::Rows(Running {
        cursor: RowCursor::batch(batch),
        tag,
        most: ALL,
        formats: None,
        route: None,
        origin: None,
    })
}
