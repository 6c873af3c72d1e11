//! The tokens that a REST catalog is asked with: none, one that catalog.toml
//! holds, or those of OAuth2's client credentials (RFC 6749 section 4.4), renewed
//! before they end. Called by the client for each request.

use std::time::{Duration, Instant};

use reqwest::Url;
use reqwest::header::ACCEPT;
use serde_json::Value;
use tokio::sync::Mutex;

use super::answer::{Failure, read_body, said};
use super::{RestCatalog, below};
use crate::config::{self, Secret};

/// A token is renewed when so much of its life is left, or this share of it.
const BEFORE_END: Duration = Duration::from_secs(60);
const SHARE: u32 = 5;
/// Where a server does not say how long its token lives (an hour is usual).
const UNKNOWN_LIFE: Duration = Duration::from_secs(15 * 60);

#[derive(Debug)]
pub(super) enum Auth {
    None,
    Token(Secret),
    Client(Box<Client>),
}

#[derive(Debug)]
pub(super) struct Client {
    id: Option<String>,
    secret: Secret,
    scope: String,
    endpoint: Url,
    held: Mutex<Option<Held>>,
}

#[derive(Debug)]
struct Held {
    token: Secret,
    until: Instant,
}

impl Auth {
    pub(super) fn new(config: &config::IcebergCatalog, uri: &Url) -> Auth {
        if let Some(token) = &config.token {
            return Auth::Token(token.clone());
        }
        let Some(credential) = &config.credential else {
            return Auth::None;
        };
        let (id, secret) = match credential.reveal().split_once(':') {
            Some((id, secret)) => (Some(id.to_string()), secret),
            None => (None, credential.reveal()),
        };
        let own = config.oauth2_server_uri.as_deref();
        Auth::Client(Box::new(Client {
            id,
            secret: Secret::new(secret),
            scope: config.scope.clone().unwrap_or_else(|| "catalog".into()),
            endpoint: own
                .and_then(|own| Url::parse(own).ok())
                .unwrap_or_else(|| below(uri, &["v1", "oauth", "tokens"])),
            held: Mutex::default(),
        }))
    }

    /// The token to send; concurrent requests wait for one renewal.
    pub(super) async fn token(&self, catalog: &RestCatalog) -> Result<Option<Secret>, Failure> {
        let client = match self {
            Auth::None => return Ok(None),
            Auth::Token(token) => return Ok(Some(token.clone())),
            Auth::Client(client) => client,
        };
        let mut held = client.held.lock().await;
        if let Some(held) = held.as_ref().filter(|held| Instant::now() < held.until) {
            return Ok(Some(held.token.clone()));
        }
        let fresh = client.exchange(catalog).await?;
        let token = fresh.token.clone();
        *held = Some(fresh);
        Ok(Some(token))
    }

    /// The server refused this token; false: there is no other.
    pub(super) async fn forget(&self, refused: Option<&Secret>) -> bool {
        let Auth::Client(client) = self else {
            return false;
        };
        let mut held = client.held.lock().await;
        // somebody may have renewed it meanwhile
        if held.as_ref().map(|held| &held.token) == refused {
            *held = None;
        }
        true
    }

    pub(super) fn is_in(&self, text: &str) -> bool {
        match self {
            Auth::None => false,
            Auth::Token(token) => text.contains(token.reveal()),
            Auth::Client(client) => {
                let held = client.held.try_lock();
                let held = held.as_ref().ok().and_then(|held| held.as_ref());
                text.contains(client.secret.reveal())
                    || held.is_some_and(|held| text.contains(held.token.reveal()))
            }
        }
    }
}

impl Client {
    async fn exchange(&self, catalog: &RestCatalog) -> Result<Held, Failure> {
        let mut form = vec![
            ("grant_type", "client_credentials"),
            ("client_secret", self.secret.reveal()),
            ("scope", &self.scope),
        ];
        if let Some(id) = &self.id {
            form.push(("client_id", id));
        }
        let mut request = catalog.client.post(self.endpoint.clone()).form(&form);
        // the catalog's headers are for its own host
        if self.endpoint.origin() == catalog.uri.origin() {
            request = request.headers(catalog.headers.clone());
        }
        let asked = Instant::now();
        let response = request
            .header(ACCEPT, "application/json")
            .send()
            .await
            .map_err(|error| Failure::of_request(&error))?;
        let code = response.status();
        if code.is_server_error() {
            return Err(Failure::of_response(response).await);
        }
        if !code.is_success() {
            return Err(Failure::Refused {
                code: Some(code),
                said: said(response).await,
            });
        }
        let answer = read_body(response).await?;
        let token = answer["access_token"].as_str().unwrap_or_default();
        if token.is_empty() {
            return Err(Failure::Refused {
                code: None,
                said: String::new(),
            });
        }
        Ok(Held {
            token: Secret::new(token),
            until: asked + usable(&answer),
        })
    }
}

/// How long a token is used.
fn usable(answer: &Value) -> Duration {
    let life = answer["expires_in"]
        .as_u64()
        .map_or(UNKNOWN_LIFE, Duration::from_secs);
    life - BEFORE_END.min(life / SHARE)
}
