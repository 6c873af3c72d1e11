//! From a source's address to a session on the first of its hosts that answers
//! and is what target_session_attrs asks for. Called by `pool`; a host has the
//! connect_timeout for itself.
//!
//! As libpq (section 34.1.1.3 "Specifying Multiple Hosts"): in order, all
//! addresses of a name, and a login that is refused ends the search.

use std::io;
use std::sync::Arc;

use rand::seq::SliceRandom;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::time::timeout;
use tokio_postgres::config::{Host, LoadBalanceHosts, SslMode};

use super::super::address::{Address, CertificateCheck};
use super::super::error::{io_reason, protocol_broken};
use super::super::policy::{Channel, WantedSession};
use super::cancel::Origin;
use super::connection::Connection;
use super::login::{self, Refused};
use super::settings::UpstreamSettings;
use super::socket::{Endpoint, TlsRequest, encrypt};
use crate::error::{Error, Result};
use crate::names::SourceName;

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
    pub source: SourceName,
    pub address: Address,
    pub config: Arc<tokio_postgres::Config>,
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

/// One host of the list.
struct Target {
    /// What its certificate names.
    name: Option<String>,
    place: Place,
}

enum Place {
    Known(Endpoint),
    Named(String, u16),
}

impl Connector {
    /// 08001, or 08P01 of the last host that answered nonsense.
    pub async fn connect(&self, login: &Login, tls: &Arc<ClientConfig>) -> Result<Connection> {
        let mut targets = self.targets();
        if self.config.get_load_balance_hosts() == LoadBalanceHosts::Random {
            targets.shuffle(&mut rand::rng());
        }
        let mut failures = Vec::new();
        let passes: &[WantedSession] = match self.address.wanted {
            WantedSession::PreferStandby => &[WantedSession::Standby, WantedSession::Any],
            ref wanted => std::slice::from_ref(wanted),
        };
        for wanted in passes {
            failures.clear();
            for target in &targets {
                match self.connect_to(target, *wanted, login, tls).await {
                    Ok(connection) => return Ok(connection),
                    Err(Refused::Login(error)) => return Err(error),
                    Err(Refused::Host(error)) => failures.push(error),
                }
            }
        }
        let hosts = failures.len();
        let Some(last) = failures.pop() else {
            return Err(Error::unreachable(&self.source, "its url names no host"));
        };
        if hosts == 1 {
            return Err(last);
        }
        let what = format!("none of its {hosts} hosts can be used");
        let each: Vec<&str> = failures.iter().chain([&last]).map(Error::message).collect();
        Err(Error::unreachable(&self.source, what).with_detail(each.join("\n")))
    }

    fn targets(&self) -> Vec<Target> {
        let config = &self.config;
        let (hosts, addresses) = (config.get_hosts(), config.get_hostaddrs());
        let ports = config.get_ports();
        let targets = (0..hosts.len().max(addresses.len())).filter_map(|i| {
            let port = ports.get(i).or(ports.first()).copied().unwrap_or(5432);
            let (name, place) = match hosts.get(i) {
                Some(Host::Unix(folder)) => {
                    let path = folder.join(format!(".s.PGSQL.{port}"));
                    (None, Some(Place::Known(Endpoint::Unix(path))))
                }
                Some(Host::Tcp(name)) => {
                    (Some(name.clone()), Some(Place::Named(name.clone(), port)))
                }
                None => (None, None),
            };
            let known = addresses.get(i).map(|address| {
                let endpoint = Endpoint::Tcp((*address, port).into());
                (
                    name.clone().unwrap_or_else(|| address.to_string()),
                    endpoint,
                )
            });
            Some(match known {
                Some((name, endpoint)) => Target {
                    name: Some(name),
                    place: Place::Known(endpoint),
                },
                None => Target {
                    name,
                    place: place?,
                },
            })
        });
        targets.collect()
    }

    /// The first address of a host that takes a connection.
    async fn connect_to(
        &self,
        target: &Target,
        wanted: WantedSession,
        login: &Login,
        tls: &Arc<ClientConfig>,
    ) -> Result<Connection, Refused> {
        let patience = self.address.connect_timeout;
        let endpoints = match &target.place {
            Place::Known(endpoint) => vec![endpoint.clone()],
            Place::Named(name, port) => {
                let found = timeout(patience, tokio::net::lookup_host((name.as_str(), *port)));
                match found.await {
                    Ok(Ok(found)) => found.map(Endpoint::Tcp).collect(),
                    Ok(Err(error)) => return Err(self.unreachable(error).into()),
                    Err(_) => return Err(self.silent().into()),
                }
            }
        };
        let mut failure = Error::unreachable(&self.source, "its host has no address");
        for endpoint in endpoints {
            let attempt = self.connect_once(endpoint, target.name.as_deref(), wanted, login, tls);
            match timeout(patience, attempt).await {
                Ok(Err(Refused::Host(error))) => failure = error,
                Ok(done) => return done,
                Err(_) => failure = self.silent(),
            }
        }
        Err(failure.into())
    }

    async fn connect_once(
        &self,
        endpoint: Endpoint,
        name: Option<&str>,
        wanted: WantedSession,
        login: &Login,
        tls: &Arc<ClientConfig>,
    ) -> Result<Connection, Refused> {
        let opened = endpoint.open(&self.config).await;
        let mut socket = opened.map_err(|error| self.unreachable(error))?;
        let mut request = self.tls_request(&endpoint, name, tls)?;
        if let Some(request) = &request {
            let encrypted = encrypt(socket, request).await;
            socket = encrypted.map_err(|error| self.unreachable(error))?;
        }
        let channel = match (endpoint.is_local(), socket.is_encrypted()) {
            (true, _) => Channel::Local,
            (false, true) if self.address.trust.check != CertificateCheck::Nothing => {
                Channel::Verified
            }
            (false, true) => Channel::Encrypted,
            (false, false) => Channel::Clear,
        };
        match &mut request {
            Some(request) if socket.is_encrypted() => request.mode = SslMode::Require,
            request => *request = None,
        }
        let origin = Arc::new(Origin {
            source: self.source.clone(),
            endpoint,
            config: self.config.clone(),
            tls: request,
        });
        let mut connection =
            Connection::new(self.source.clone(), socket, origin, self.none.clone());
        let login = login::Login {
            user: &login.user,
            password: login.password.as_deref(),
            parameters: self.parameters(login),
            policy: &self.address.auth,
            channel,
            binding: self.config.get_channel_binding(),
        };
        login.run(&mut connection).await?;
        self.check_session(&mut connection, wanted).await?;
        ask_for_notice(&mut connection).await?;
        Ok(connection)
    }

    fn tls_request(
        &self,
        endpoint: &Endpoint,
        name: Option<&str>,
        tls: &Arc<ClientConfig>,
    ) -> Result<Option<TlsRequest>> {
        let mode = self.config.get_ssl_mode();
        let (Endpoint::Tcp(address), true) = (endpoint, mode != SslMode::Disable) else {
            return Ok(None);
        };
        let name = match name {
            Some(name) => ServerName::try_from(name.to_string()).map_err(|_| {
                Error::unreachable(
                    &self.source,
                    "its host has a name that no certificate can have",
                )
            })?,
            None => ServerName::IpAddress(address.ip().into()),
        };
        Ok(Some(TlsRequest {
            mode,
            negotiation: self.config.get_ssl_negotiation(),
            config: tls.clone(),
            name: Some(name),
        }))
    }

    fn parameters<'a>(&'a self, login: &'a Login) -> Vec<(&'a str, &'a str)> {
        let config = &self.config;
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
            return Err(protocol_broken(&self.source, "it does not speak UTF8"));
        }
        if matches!(wanted, WantedSession::Any | WantedSession::PreferStandby) {
            return Ok(());
        }
        let standby = match connection.parameter("in_hot_standby") {
            Some(told) => told == "on",
            None => ask(connection, "SELECT pg_catalog.pg_is_in_recovery()").await? == "t",
        };
        let (fits, what) = match wanted {
            WantedSession::Primary => (!standby, "it is a standby"),
            WantedSession::Standby => (standby, "it is not a standby"),
            WantedSession::ReadWrite => {
                let fits = !standby && !self.is_read_only(connection).await?;
                (fits, "it is read-only")
            }
            _ => {
                let fits = standby || self.is_read_only(connection).await?;
                (fits, "it is not read-only")
            }
        };
        match fits {
            true => Ok(()),
            false => Err(Error::unreachable(&self.source, what)),
        }
    }

    /// Where every session is made read-only from here, the source's own setting
    /// cannot be seen.
    async fn is_read_only(&self, connection: &mut Connection) -> Result<bool> {
        Ok(self.writable && ask(connection, "SHOW transaction_read_only").await? == "on")
    }

    fn unreachable(&self, error: io::Error) -> Error {
        Error::unreachable(&self.source, io_reason(&error)).with_cause(error)
    }

    fn silent(&self) -> Error {
        Error::unreachable(&self.source, "it did not answer in time")
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
