//! From a source's hosts to a session on the first that answers and is what
//! target_session_attrs asks for. Called by `pool`.

use std::sync::Arc;

use rustls::ClientConfig;
use tokio::time::timeout;

use super::super::error::protocol_broken;
use super::super::policy::WantedSession;
use super::super::reach::{Opened, Reach, Refused};
use super::connection::Connection;
use super::login;
use super::settings::UpstreamSettings;
use crate::error::{Error, Result};

/// What every session has from its first statement on, and returns to by RESET:
/// nothing that a source, a role or a database presets may change what a value
/// looks like or what a name means. Values are those of a fresh Postgres.
/// Timeouts and plans stay as the source's owner wants them.
const BASE: [(&str, &str); 9] = [
    ("client_encoding", "UTF8"),
    ("standard_conforming_strings", "on"),
    ("search_path", ""),
    ("TimeZone", "UTC"),
    ("DateStyle", "ISO, MDY"),
    ("IntervalStyle", "postgres"),
    ("extra_float_digits", "1"),
    ("bytea_output", "hex"),
    ("xmloption", "content"),
];

/// Lets the source notice by itself that we are gone, whatever happened to us.
/// Servers before 14 do not know it, and not every platform allows it.
const NOTICE_OUR_END: &str = "SET client_connection_check_interval = '5s'";
const NOTICE_OUR_END_SINCE: u32 = 140_000;

/// What a source is connected with.
pub(in super::super) struct Connector {
    pub reach: Arc<Reach>,
    pub writable: bool,
    /// No settings at all.
    pub none: Arc<UpstreamSettings>,
}

/// Whom to connect as.
pub(in super::super) struct Login {
    pub user: String,
    pub password: Option<Vec<u8>>,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

impl Connector {
    /// 08001, or 08P01 of an only host that answered nonsense.
    pub async fn connect(&self, login: &Login, tls: &Arc<ClientConfig>) -> Result<Connection> {
        let mut attempts = self.reach.attempts();
        while let Some(attempt) = attempts.next().await {
            let work = async {
                let opened = self.reach.open(&attempt, tls).await?;
                self.log_in(opened, attempt.wanted, login).await
            };
            let outcome = timeout(self.reach.address.connect_timeout, work).await;
            if let Some(connection) = attempts.judge(outcome)? {
                return Ok(connection);
            }
        }
        Err(attempts.into_error())
    }

    async fn log_in(
        &self,
        opened: Opened,
        wanted: WantedSession,
        login: &Login,
    ) -> Result<Connection, Refused> {
        let Opened {
            socket,
            origin,
            channel,
        } = opened;
        let source = self.reach.source.clone();
        let mut connection = Connection::new(source, socket, origin, self.none.clone());
        let login = login::Login {
            user: &login.user,
            password: login.password.as_deref(),
            parameters: self.parameters(login),
            policy: &self.reach.address.auth,
            channel,
            binding: self.reach.config.get_channel_binding(),
        };
        login.run(&mut connection).await?;
        self.check_session(&mut connection, wanted).await?;
        ask_for_notice(&mut connection).await?;
        Ok(connection)
    }

    fn parameters<'a>(&'a self, login: &'a Login) -> Vec<(&'a str, &'a str)> {
        let config = &self.reach.config;
        let mut parameters = vec![
            ("database", config.get_dbname().unwrap_or(&login.user)),
            (
                "application_name",
                config.get_application_name().unwrap_or("narrows"),
            ),
        ];
        parameters.extend(config.get_options().map(|options| ("options", options)));
        parameters.extend(BASE);
        if !self.writable {
            parameters.push(("default_transaction_read_only", "on"));
        }
        parameters
    }

    /// Servers since 14 tell; others are asked.
    async fn check_session(
        &self,
        connection: &mut Connection,
        wanted: WantedSession,
    ) -> Result<()> {
        if connection.parameter("client_encoding") != Some("UTF8") {
            return Err(protocol_broken(
                &self.reach.source,
                "it does not speak UTF8",
            ));
        }
        if matches!(wanted, WantedSession::Any | WantedSession::PreferStandby) {
            return Ok(());
        }
        let standby = match connection.parameter("in_hot_standby") {
            Some(told) => told == "on",
            None => ask(connection, "SELECT pg_catalog.pg_is_in_recovery()").await? == "t",
        };
        let asks_for_writes = matches!(wanted, WantedSession::ReadWrite | WantedSession::ReadOnly);
        let read_only = asks_for_writes && self.is_read_only(connection).await?;
        match wanted.unfit(standby, read_only) {
            Some(why) => Err(Error::unreachable(&self.reach.source, why)),
            None => Ok(()),
        }
    }

    /// Where every session is made read-only from here, the source's own setting
    /// cannot be seen.
    async fn is_read_only(&self, connection: &mut Connection) -> Result<bool> {
        Ok(self.writable && ask(connection, "SHOW transaction_read_only").await? == "on")
    }
}

/// Fails only if the connection ends over it.
pub(super) async fn ask_for_notice(connection: &mut Connection) -> Result<()> {
    if connection.server_version() < NOTICE_OUR_END_SINCE {
        return Ok(());
    }
    connection.own_query(NOTICE_OUR_END);
    match connection.settle().await {
        Err(error) if connection.is_dead() => Err(error),
        // Refused on platforms without the means: then it is not to be had.
        Ok(()) | Err(_) => Ok(()),
    }
}

/// The text of the only value of a statement.
async fn ask(connection: &mut Connection, sql: &str) -> Result<String> {
    connection.query(sql);
    let mut answer = String::new();
    loop {
        while let Some(frame) = connection.next()? {
            let body = connection.body(frame);
            match frame.kind {
                // One column: its count, its length, its value.
                b'D' => answer = String::from_utf8_lossy(body.get(6..).unwrap_or_default()).into(),
                b'Z' => return Ok(answer),
                _ => {}
            }
        }
        connection.receive().await?;
    }
}
