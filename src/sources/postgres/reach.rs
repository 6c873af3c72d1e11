//! The hosts of a source, one after the other: where each listens, what it has to
//! be, and an encrypted socket to it. Called by `connection` for scans and by
//! `relay`, which log in over the socket.
//!
//! As libpq (section 34.1.1.3 "Specifying Multiple Hosts"): in order, all
//! addresses of a name, each with the connect_timeout for itself; a login that is
//! refused ends the search.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use rand::seq::SliceRandom;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::time::error::Elapsed;
use tokio::time::timeout;
use tokio_postgres::config::{Host, LoadBalanceHosts, SslMode};

use super::address::{Address, CertificateCheck};
use super::error::io_reason;
use super::policy::{Channel, WantedSession};
use super::socket::{Endpoint, Socket, TlsRequest, encrypt};
use crate::error::{Error, Result};
use crate::names::SourceName;

pub(super) struct Reach {
    pub source: SourceName,
    pub address: Address,
    pub config: Arc<tokio_postgres::Config>,
}

/// A socket to a host, before the startup message.
pub(super) struct Opened {
    pub socket: Socket,
    pub origin: Arc<Origin>,
    pub channel: Channel,
}

/// Where a connection leads, and how it got there.
pub(super) struct Origin {
    pub source: SourceName,
    endpoint: Endpoint,
    config: Arc<tokio_postgres::Config>,
    /// If the connection is encrypted: a cancel request is then as well.
    tls: Option<TlsRequest>,
}

impl Origin {
    /// Another socket to the same server, for a cancel request.
    pub async fn reopen(&self) -> io::Result<Socket> {
        let socket = self.endpoint.open(&self.config).await?;
        match &self.tls {
            Some(tls) => encrypt(socket, tls).await,
            None => Ok(socket),
        }
    }
}

/// Why there is no session.
pub(super) enum Refused {
    /// Another host would say the same: the login itself is wrong.
    Login(Error),
    Host(Error),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Refused::Host(error)
    }
}

/// One address of a host, to be tried.
pub(super) struct Attempt {
    pub wanted: WantedSession,
    endpoint: Endpoint,
    /// What the certificate names.
    name: Option<String>,
}

/// The addresses in the order they are tried, and what came of it.
pub(super) struct Attempts<'a> {
    reach: &'a Reach,
    left: VecDeque<(WantedSession, Target)>,
    /// Of the host that is being tried.
    endpoints: VecDeque<Endpoint>,
    current: Option<(WantedSession, Target)>,
    /// The last of each host.
    failures: Vec<(usize, Error)>,
}

/// One host of the list.
#[derive(Clone)]
struct Target {
    at: usize,
    name: Option<String>,
    place: Place,
}

#[derive(Clone)]
enum Place {
    Known(Endpoint),
    Named(String, u16),
}

impl Reach {
    pub fn attempts(&self) -> Attempts<'_> {
        let mut targets = self.targets();
        if self.config.get_load_balance_hosts() == LoadBalanceHosts::Random {
            targets.shuffle(&mut rand::rng());
        }
        let passes: &[WantedSession] = match self.address.wanted {
            WantedSession::PreferStandby => &[WantedSession::Standby, WantedSession::Any],
            ref wanted => std::slice::from_ref(wanted),
        };
        let left = passes.iter().flat_map(|wanted| {
            let targets = targets.iter();
            targets.map(|target| (*wanted, target.clone()))
        });
        Attempts {
            reach: self,
            left: left.collect(),
            endpoints: VecDeque::new(),
            current: None,
            failures: Vec::new(),
        }
    }

    fn targets(&self) -> Vec<Target> {
        let config = &self.config;
        let (hosts, addresses) = (config.get_hosts(), config.get_hostaddrs());
        let ports = config.get_ports();
        let targets = (0..hosts.len().max(addresses.len())).filter_map(|at| {
            let port = ports.get(at).or(ports.first()).copied().unwrap_or(5432);
            let (name, place) = match hosts.get(at) {
                Some(Host::Unix(folder)) => {
                    let path = folder.join(format!(".s.PGSQL.{port}"));
                    (None, Some(Place::Known(Endpoint::Unix(path))))
                }
                Some(Host::Tcp(name)) => {
                    (Some(name.clone()), Some(Place::Named(name.clone(), port)))
                }
                None => (None, None),
            };
            // An address spares looking for it; the name is still the certificate's.
            let known = addresses
                .get(at)
                .map(|address| Place::Known(Endpoint::Tcp((*address, port).into())));
            let place = known.or(place)?;
            Some(Target { at, name, place })
        });
        targets.collect()
    }

    /// An encrypted socket, as far as sslmode asks for it.
    pub async fn open(&self, attempt: &Attempt, tls: &Arc<ClientConfig>) -> Result<Opened> {
        let endpoint = &attempt.endpoint;
        let opened = endpoint.open(&self.config).await;
        let mut socket = opened.map_err(|error| self.unreachable(error))?;
        let mut request = self.tls_request(attempt, tls)?;
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
            endpoint: endpoint.clone(),
            config: self.config.clone(),
            tls: request,
        });
        Ok(Opened {
            socket,
            origin,
            channel,
        })
    }

    fn tls_request(
        &self,
        attempt: &Attempt,
        tls: &Arc<ClientConfig>,
    ) -> Result<Option<TlsRequest>> {
        let mode = self.config.get_ssl_mode();
        let (Endpoint::Tcp(address), true) = (&attempt.endpoint, mode != SslMode::Disable) else {
            return Ok(None);
        };
        let name = match &attempt.name {
            Some(name) => ServerName::try_from(name.clone()).map_err(|_| {
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
            name,
        }))
    }

    fn unreachable(&self, error: io::Error) -> Error {
        Error::unreachable(&self.source, io_reason(&error)).with_cause(error)
    }

    fn silent(&self) -> Error {
        Error::unreachable(&self.source, "it did not answer in time")
    }
}

impl Attempts<'_> {
    /// The next address; looks up the name of the next host when it is its turn.
    pub async fn next(&mut self) -> Option<Attempt> {
        loop {
            if let (Some(endpoint), Some((wanted, target))) =
                (self.endpoints.pop_front(), &self.current)
            {
                return Some(Attempt {
                    wanted: *wanted,
                    endpoint,
                    name: target.name.clone(),
                });
            }
            let (wanted, target) = self.left.pop_front()?;
            let found = self.look_up(&target.place).await;
            self.current = Some((wanted, target));
            match found {
                Ok(endpoints) => self.endpoints = endpoints,
                Err(error) => self.failed(error),
            }
        }
    }

    async fn look_up(&self, place: &Place) -> Result<VecDeque<Endpoint>> {
        let (name, port) = match place {
            Place::Known(endpoint) => return Ok(VecDeque::from([endpoint.clone()])),
            Place::Named(name, port) => (name.as_str(), *port),
        };
        let reach = self.reach;
        let found = tokio::net::lookup_host((name, port));
        match timeout(reach.address.connect_timeout, found).await {
            Ok(Ok(found)) => {
                let endpoints: VecDeque<Endpoint> = found.map(Endpoint::Tcp).collect();
                match endpoints.is_empty() {
                    true => Err(Error::unreachable(&reach.source, "its host has no address")),
                    false => Ok(endpoints),
                }
            }
            Ok(Err(error)) => Err(reach.unreachable(error)),
            Err(_) => Err(reach.silent()),
        }
    }

    /// What an attempt came to: a session, nothing yet, or an error for good.
    pub fn judge<T>(&mut self, outcome: Result<Result<T, Refused>, Elapsed>) -> Result<Option<T>> {
        match outcome {
            Ok(Ok(session)) => return Ok(Some(session)),
            Ok(Err(Refused::Login(error))) => return Err(error),
            Ok(Err(Refused::Host(error))) => self.failed(error),
            Err(_) => self.failed(self.reach.silent()),
        }
        Ok(None)
    }

    fn failed(&mut self, error: Error) {
        let at = self.current.as_ref().map_or(0, |(_, target)| target.at);
        self.failures.retain(|(other, _)| *other != at);
        self.failures.push((at, error));
    }

    /// 08001, or 08P01 of an only host that answered nonsense.
    pub fn into_error(mut self) -> Error {
        let source = &self.reach.source;
        let hosts = self.failures.len();
        if hosts > 1 {
            let what = format!("none of its {hosts} hosts can be used");
            let each: Vec<&str> = self
                .failures
                .iter()
                .map(|(_, error)| error.message())
                .collect();
            return Error::unreachable(source, what).with_detail(each.join("\n"));
        }
        match self.failures.pop() {
            Some((_, error)) => error,
            None => Error::unreachable(source, "its url names no host"),
        }
    }
}
