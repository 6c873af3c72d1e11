//! One client's session: settings, transaction, prepared statements, portals,
//! and its part of the engine. Called by `wire`, which knows messages; the
//! session knows statements and never sees a byte of the protocol.

mod answer;
mod blocks;
mod commands;
mod copy_options;
mod cursor;
mod declared_types;
mod drift;
mod fetch;
mod named;
mod portals;
mod prepare_execute;
mod prepared;
mod relay;
mod search_path;
mod set;
mod settings;
mod statements;
mod transaction;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use datafusion::scalar::ScalarValue;

pub use answer::{Answer, Running, Tag};
pub use commands::{CopyFormat, CopyOptions, ForceQuote, Hold};
pub use portals::{Format, Portal};
pub use prepared::{Parsed, Prepared};
pub use relay::{Attached, Batch, Heading, RelayPrepared, Relayed};
pub use settings::{SERVER_VERSION, Scope};
pub use transaction::Status;

use crate::auth::grants::Grants;
use crate::error::{Error, Result, SqlState};
use crate::execute::{Engine, EngineSession};
use crate::names::SourceName;
use crate::plan;
use crate::semantics::SessionVars;
use crate::types::PgType;
use crate::types::text::OutputStyle;
use portals::{Portals, Progress};
use prepared::{PlanState, PreparedStatements, SessionStatement};
use relay::Relays;
use search_path::KnownPath;
use settings::Settings;
use transaction::{State, Transaction};

/// A warning or notice for the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    pub severity: &'static str,
    pub state: SqlState,
    pub message: String,
}

/// Who logged in.
#[derive(Debug, Clone)]
pub struct Identity {
    pub user: Arc<str>,
    pub database: Arc<str>,
    pub pid: i32,
    pub grants: Arc<Grants>,
}

pub struct Session {
    identity: Identity,
    engine: EngineSession,
    settings: Settings,
    transaction: Transaction,
    prepared: PreparedStatements,
    portals: Portals,
    relays: Relays,
    /// Why the statement that was read last goes the way it goes.
    route_reason: String,
    /// How the statement that ran last went.
    last_route: String,
    /// The source of the statement that was relayed last.
    last_source: Option<SourceName>,
    statement_start: DateTime<Utc>,
    path: Option<KnownPath>,
    notices: Vec<Notice>,
}

impl Session {
    pub fn new(engine: &Arc<Engine>, identity: Identity) -> Self {
        let mut fixed = vec![
            (
                "session_authorization".to_string(),
                identity.user.to_string(),
            ),
            (
                "port".to_string(),
                engine.config().server.listen.port().to_string(),
            ),
            (
                "max_connections".to_string(),
                engine.config().limits.max_connections.to_string(),
            ),
        ];
        if let Some(limit) = engine.config().limits.statement_timeout {
            fixed.push((
                "statement_timeout".to_string(),
                format!("{}ms", limit.as_millis()),
            ));
        }
        let vars = SessionVars {
            user: identity.user.clone(),
            database: identity.database.clone(),
            pid: identity.pid,
            grants: identity.grants.clone(),
            ..SessionVars::default()
        };
        Session {
            engine: engine.session(vars),
            settings: Settings::new(fixed),
            transaction: Transaction::default(),
            prepared: PreparedStatements::default(),
            portals: Portals::default(),
            relays: Relays::default(),
            route_reason: String::new(),
            last_route: "none".into(),
            last_source: None,
            statement_start: Utc::now(),
            path: None,
            notices: Vec::new(),
            identity,
        }
    }

    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// A setting of the startup packet.
    pub fn boot_setting(&mut self, name: &str, value: &str) -> Result<()> {
        self.settings.boot(name, value)
    }

    pub fn status(&self) -> Status {
        self.transaction.status()
    }

    pub fn style(&mut self) -> Arc<OutputStyle> {
        self.settings.style()
    }

    /// How long a statement may run; None: for ever.
    pub fn statement_timeout(&self) -> Option<Duration> {
        self.settings.quick().statement_timeout
    }

    /// How long the client may say nothing, as its transaction status allows.
    pub fn idle_timeout(&self) -> Option<(Duration, Error)> {
        let quick = self.settings.quick();
        let (limit, code, message) = match self.status() {
            Status::Idle => (
                quick.idle_session_timeout?,
                "57P05",
                "terminating connection due to idle-session timeout",
            ),
            _ => (
                quick.idle_in_transaction_timeout?,
                "25P03",
                "terminating connection due to idle-in-transaction timeout",
            ),
        };
        let state = SqlState::from_code(code).unwrap_or(SqlState::ADMIN_SHUTDOWN);
        Some((limit, Error::new(state, message)))
    }

    pub fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    /// Settings that the client must be told of, at login all.
    pub fn take_reports(&mut self) -> Vec<(&'static str, String)> {
        self.settings.take_reports()
    }

    pub fn reported_settings(&self) -> Vec<(&'static str, String)> {
        self.settings.reported_values()
    }

    fn warn(&mut self, state: SqlState, message: impl Into<String>) {
        let level = self.settings.text("client_min_messages");
        if level != "error" {
            self.notices.push(Notice {
                severity: "WARNING",
                state,
                message: message.into(),
            });
        }
    }

    /// The statements of a message, all of them read before any of them runs.
    pub fn parse(&mut self, sql: &str) -> Result<Vec<Parsed>> {
        if let Some(relayed) = self.read_again(sql)? {
            return Ok(vec![Parsed::Relay(relayed)]);
        }
        let mut statements = Vec::new();
        let mut characters = 0;
        let mut counted = 0;
        let mut settled = true;
        for range in crate::plan::lexer::split(sql) {
            characters += sql[counted..range.start].chars().count();
            counted = range.start;
            let shift = |error: Error| shifted(error, characters);
            let text = &sql[range];
            if !settled {
                statements.push(Parsed::Unread {
                    text: text.to_string(),
                    offset: characters,
                });
                continue;
            }
            if statements::may_be_of_a_source(text)
                && let Some(relayed) = self.read_relay(text, characters).map_err(shift)?
            {
                statements.push(relayed);
                continue;
            }
            match statements::recognize(text).map_err(shift)? {
                Some(command) => {
                    settled = !command.changes_settings();
                    statements.push(Parsed::Session(SessionStatement {
                        command,
                        text: text.to_string(),
                        offset: characters,
                    }));
                }
                None => statements.extend(self.parse_query(text, characters)?),
            }
        }
        Ok(statements)
    }

    fn read_now(&mut self, text: &str, offset: usize) -> Result<Parsed> {
        let mut statements = self.parse(text).map_err(|error| shifted(error, offset))?;
        for statement in &mut statements {
            statement.shift(offset);
        }
        Ok(statements.pop().unwrap_or(Parsed::Empty))
    }

    /// `offset` characters of the message stand before `text`.
    /// May carrying it out take planning or computing?
    pub fn is_of_engine(&mut self, parsed: &Parsed) -> bool {
        if let Parsed::Query(statement) = parsed {
            self.refresh_vars();
            return !self.engine.is_light(statement);
        }
        parsed.is_of_engine()
    }

    fn parse_query(&self, text: &str, offset: usize) -> Result<Vec<Parsed>> {
        let texts = self.engine.engine().texts();
        let parsed = texts
            .find_or_parse(text)
            .map_err(|error| shifted(error, offset))?;
        Ok(parsed
            .into_iter()
            .map(|mut statement| {
                statement.offset += offset;
                Parsed::Query(statement)
            })
            .collect())
    }

    /// 25P02 for all but the end of a failed transaction.
    pub fn check_not_failed(&self, parsed: &Parsed) -> Result<()> {
        match answer::ends_transaction(parsed) {
            true => Ok(()),
            false => self.check_in_order(),
        }
    }

    /// 25P02 in a failed transaction.
    pub fn check_in_order(&self) -> Result<()> {
        if self.status() != Status::Failed {
            return Ok(());
        }
        Err(Error::new(
            SqlState::IN_FAILED_SQL_TRANSACTION,
            "current transaction is aborted, commands ignored until end of transaction block",
        ))
    }

    /// A statement starts: it is in a transaction, if only an implicit one.
    pub fn start_statement(&mut self) {
        let now = Utc::now();
        if matches!(self.transaction.state, State::Idle) {
            self.transaction
                .begin_implicit(self.settings.snapshot(), now);
        }
        self.statement_start = now;
    }

    /// The engine sees the session as it is now.
    fn refresh_vars(&mut self) {
        let vars = SessionVars {
            user: self.identity.user.clone(),
            database: self.identity.database.clone(),
            pid: self.identity.pid,
            search_path: self.search_path(),
            settings: self.settings.shown(),
            transaction_start: self.transaction.started,
            statement_start: self.statement_start,
            grants: self.identity.grants.clone(),
        };
        self.engine.set_vars(vars);
    }

    /// Plans a statement; `declared` are the types that the client gave.
    pub async fn prepare(
        &mut self,
        parsed: Parsed,
        declared: Vec<Option<PgType>>,
    ) -> Result<Arc<Prepared>> {
        let parsed = match parsed {
            Parsed::Unread { text, offset } => self.read_now(&text, offset)?,
            parsed => parsed,
        };
        let parsed = self.follow(parsed)?;
        let (parameters, columns, plan) = match &parsed {
            Parsed::Unread { .. } => return Err(Error::internal("a statement was not read")),
            Parsed::Relay(relayed) => return Ok(self.prepare_relay(relayed.clone(), &declared)),
            Parsed::Empty => (Vec::new(), None, None),
            Parsed::Session(statement) => {
                let parameters = self.command_parameters(statement, declared).await?;
                (parameters, self.command_columns(&statement.command)?, None)
            }
            Parsed::Query(statement) => {
                let state = self.plan(statement, declared).await?;
                let planned = &state.planned;
                let columns = (!planned.schema.fields().is_empty() || returns_rows(statement))
                    .then(|| planned.schema.clone());
                (planned.parameters.clone(), columns, Some(state))
            }
        };
        Ok(Arc::new(Prepared {
            parsed,
            parameters,
            columns,
            plan,
            relay: None,
            reason: std::mem::take(&mut self.route_reason),
        }))
    }

    async fn plan(
        &mut self,
        statement: &plan::Statement,
        declared: Vec<Option<PgType>>,
    ) -> Result<PlanState> {
        self.refresh_vars();
        let catalog = self.engine.engine().catalog();
        let settings = self.settings.shown();
        let planned = self.engine.plan(statement, &declared).await?;
        Ok(PlanState {
            planned,
            declared,
            catalog,
            settings,
        })
    }

    pub fn prepared_statement(&self, name: &str) -> Result<Arc<Prepared>> {
        self.prepared.get(name)
    }

    pub fn check_free_statement(&self, name: &str) -> Result<()> {
        self.prepared.check_free(name)
    }

    pub fn keep_statement(&mut self, name: &str, prepared: Arc<Prepared>) {
        self.prepared.put(name, prepared);
    }

    pub fn close_statement(&mut self, name: &str) {
        self.prepared.remove(name);
    }

    /// A portal that Bind made; `formats` are one a column.
    pub fn bind(
        &mut self,
        name: &str,
        prepared: Arc<Prepared>,
        parameters: Vec<ScalarValue>,
        formats: Vec<Format>,
    ) -> Result<()> {
        let portal = Portal {
            prepared,
            parameters,
            formats,
            progress: Progress::NotStarted,
            hold: Hold::Transaction,
            depth: self.transaction.depth(),
        };
        self.portals.put(name, portal)
    }

    pub fn portal(&mut self, name: &str) -> Result<&mut Portal> {
        self.portals.get(name)
    }

    pub fn close_portal(&mut self, name: &str) {
        self.portals.remove(name);
    }
}

/// Does a statement without columns still answer with rows?
fn returns_rows(statement: &plan::Statement) -> bool {
    matches!(
        &*statement.ast,
        datafusion::sql::sqlparser::ast::Statement::Query(_)
    )
}

fn shifted(error: Error, characters: usize) -> Error {
    match error.position() {
        Some(position) if characters > 0 => error.with_position(position + characters),
        _ => error,
    }
}
