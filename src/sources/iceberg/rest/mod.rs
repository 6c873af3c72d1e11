//! A client of the Iceberg REST catalog: what it lists and what it says of one
//! table. Called by the source and by the tables that it lists; knows the
//! protocol, not what metadata means.
//!
//! The REST catalog specification of Apache Iceberg ("rest-catalog-open-api").
//! Written here because iceberg-catalog-rest neither renews tokens nor hands out
//! the credentials that a catalog vends.

mod answer;
mod auth;
mod vended;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{StatusCode, Url};
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::config;
use crate::error::{Error, Result, SqlState};
use crate::names::{RelationName, SourceName};
use answer::{Failure, read_body};
pub(super) use answer::{LoadedTable, TableAnswer};
use auth::Auth;
pub(super) use vended::VendedStore;

/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Waits before a request is sent again.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(400)];
/// Names on one page.
const PAGE: &str = "1000";
/// Of one listing: a server that never ends must not keep us.
const MOST_PAGES: usize = 10_000;

/// A namespace's levels.
pub(super) type Namespace = Vec<String>;

#[derive(Debug)]
pub(super) struct RestCatalog {
    source: SourceName,
    uri: Url,
    warehouse: Option<String>,
    headers: HeaderMap,
    auth: Auth,
    client: reqwest::Client,
    settled: OnceCell<Settled>,
}

/// What the server's configuration makes of ours.
#[derive(Debug)]
struct Settled {
    /// `…/v1` or `…/v1/prefix`
    base: Url,
    separator: String,
}

/// Whom a request is for, in errors.
#[derive(Debug, Clone, Copy)]
pub(super) enum About<'a> {
    Catalog,
    Namespace(&'a Namespace),
    Table(&'a RelationName),
}

impl RestCatalog {
    /// Does no IO. F0000 for a header that is none.
    pub(super) fn new(source: &SourceName, config: &config::IcebergCatalog) -> Result<Arc<Self>> {
        let wrong = |what: &str| {
            Error::new(
                SqlState::CONFIG_FILE_ERROR,
                format!("the catalog of source \"{source}\" has {what}"),
            )
        };
        let mut headers = HeaderMap::new();
        for (name, value) in &config.headers {
            let invalid = || wrong(&format!("a header \"{name}\" that cannot be sent"));
            let key: HeaderName = name.parse().map_err(|_| invalid())?;
            let mut value = HeaderValue::from_str(value.reveal()).map_err(|_| invalid())?;
            value.set_sensitive(true);
            headers.insert(key, value);
        }
        let client = reqwest::Client::builder()
            .timeout(PATIENCE)
            // credentials go to whom they were given for
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("narrows/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| wrong("no HTTP client").with_cause(error.to_string()))?;
        let uri = Url::parse(&config.uri).map_err(|_| wrong("a uri that is none"))?;
        Ok(Arc::new(RestCatalog {
            source: source.clone(),
            auth: Auth::new(config, &uri),
            uri,
            warehouse: config.warehouse.clone(),
            headers,
            client,
            settled: OnceCell::new(),
        }))
    }

    /// The namespaces right below one, or at the top.
    pub(super) async fn namespaces(&self, parent: Option<&Namespace>) -> Result<Vec<Namespace>> {
        let about = parent.map_or(About::Catalog, About::Namespace);
        let settled = self.settled(about).await?;
        let url = below(&settled.base, &["namespaces"]);
        let parent = parent.map(|parent| parent.join(&settled.separator));
        let query: Vec<(&str, &str)> = parent
            .iter()
            .map(|name| ("parent", name.as_str()))
            .collect();
        let names = self.pages(url, &query, "namespaces", about).await?;
        let levels = |name: &Value| -> Option<Namespace> {
            let levels = name.as_array()?.iter();
            levels
                .map(|level| level.as_str().map(str::to_string))
                .collect()
        };
        Ok(names.iter().filter_map(levels).collect())
    }

    /// The names of a namespace's tables.
    pub(super) async fn tables(&self, namespace: &Namespace) -> Result<Vec<String>> {
        let about = About::Namespace(namespace);
        let settled = self.settled(about).await?;
        let name = namespace.join(&settled.separator);
        let url = below(&settled.base, &["namespaces", &name, "tables"]);
        let tables = self.pages(url, &[], "identifiers", about).await?;
        let name = |table: &Value| table["name"].as_str().map(str::to_string);
        Ok(tables.iter().filter_map(name).collect())
    }

    /// What the catalog says of a table now; `known` is the answer's tag that is
    /// known already.
    pub(super) async fn load(
        &self,
        namespace: &Namespace,
        table: &str,
        shown: &RelationName,
        known: Option<&str>,
    ) -> Result<TableAnswer> {
        let about = About::Table(shown);
        let settled = self.settled(about).await?;
        let name = namespace.join(&settled.separator);
        let url = below(&settled.base, &["namespaces", &name, "tables", table]);
        let mut headers = HeaderMap::new();
        headers.insert(
            HeaderName::from_static("x-iceberg-access-delegation"),
            HeaderValue::from_static("vended-credentials"),
        );
        if let Some(tag) = known.and_then(|tag| HeaderValue::from_str(tag).ok()) {
            headers.insert(reqwest::header::IF_NONE_MATCH, tag);
        }
        let response = self
            .get(url, &[("snapshots", "all")], headers, about)
            .await?;
        if response.status() == StatusCode::NOT_MODIFIED {
            return Ok(TableAnswer::Unchanged);
        }
        let tag = response.headers().get(reqwest::header::ETAG);
        let tag = tag.and_then(|tag| tag.to_str().ok()).map(str::to_string);
        let body = self.body(response, about).await?;
        LoadedTable::read(body, tag)
            .map(TableAnswer::Loaded)
            .ok_or_else(|| self.error(about, Failure::Malformed("no metadata".into())))
    }

    /// Asked once; where it fails, again with the next request.
    async fn settled(&self, about: About<'_>) -> Result<&Settled> {
        self.settled.get_or_try_init(|| self.settle(about)).await
    }

    async fn settle(&self, about: About<'_>) -> Result<Settled> {
        let warehouse = self.warehouse.as_deref();
        let query: Vec<_> = warehouse.iter().map(|name| ("warehouse", *name)).collect();
        let url = below(&self.uri, &["v1", "config"]);
        let response = self.get(url, &query, HeaderMap::new(), about).await?;
        let answer = self.body(response, about).await?;
        let mut properties = strings(&answer["defaults"]);
        properties.extend(strings(&answer["overrides"]));
        let uri = match properties.get("uri") {
            Some(uri) => Url::parse(uri)
                .map_err(|_| self.error(about, Failure::Malformed("a uri that is none".into())))?,
            None => self.uri.clone(),
        };
        let mut base = below(&uri, &["v1"]);
        // it may have several levels, and comes encoded as it is used
        if let Some(prefix) = properties.get("prefix").filter(|prefix| !prefix.is_empty()) {
            base.set_path(&format!("{}/{}", base.path(), prefix.trim_matches('/')));
        }
        let separator = match properties.get("namespace-separator").map(String::as_str) {
            None | Some("%1F" | "%1f") => "\u{1f}".to_string(),
            Some("%2E" | "%2e") => ".".to_string(),
            Some(other) => other.to_string(),
        };
        Ok(Settled { base, separator })
    }

    /// All pages of a listing.
    async fn pages(
        &self,
        url: Url,
        query: &[(&str, &str)],
        key: &str,
        about: About<'_>,
    ) -> Result<Vec<Value>> {
        let mut all = Vec::new();
        // empty: the client can read pages
        let mut token = String::new();
        for _ in 0..MOST_PAGES {
            let mut query = query.to_vec();
            query.push(("pageToken", &token));
            query.push(("pageSize", PAGE));
            let response = self
                .get(url.clone(), &query, HeaderMap::new(), about)
                .await?;
            let mut answer = self.body(response, about).await?;
            match answer[key].take() {
                Value::Array(page) => all.extend(page),
                _ => return Err(self.error(about, Failure::Malformed(format!("no {key}")))),
            }
            match answer["next-page-token"].as_str() {
                Some(next) if !next.is_empty() && next != token => token = next.to_string(),
                _ => return Ok(all),
            }
        }
        Err(self.error(about, Failure::Malformed(format!("{key} without an end"))))
    }

    /// A good answer, or 304. A busy server is asked again, one that knows our token
    /// no longer with a new one.
    async fn get(
        &self,
        url: Url,
        query: &[(&str, &str)],
        headers: HeaderMap,
        about: About<'_>,
    ) -> Result<reqwest::Response> {
        let mut pauses = PAUSES.iter();
        let mut renewed = false;
        loop {
            let token = self
                .auth
                .token(self)
                .await
                .map_err(|why| self.error(about, why))?;
            let mut request = self
                .client
                .get(url.clone())
                .query(query)
                .headers(self.headers.clone())
                .headers(headers.clone());
            if let Some(token) = &token {
                request = request.bearer_auth(token.reveal());
            }
            let failure = match request.send().await {
                Ok(response) => match response.status() {
                    StatusCode::OK | StatusCode::NOT_MODIFIED => return Ok(response),
                    _ => Failure::of_response(response).await,
                },
                Err(error) => Failure::of_request(&error),
            };
            if failure.is_stale_token() && !renewed && self.auth.forget(token.as_ref()).await {
                renewed = true;
                continue;
            }
            match pauses.next() {
                Some(pause) if failure.may_pass() => tokio::time::sleep(*pause).await,
                _ => return Err(self.error(about, failure)),
            }
        }
    }

    async fn body(&self, response: reqwest::Response, about: About<'_>) -> Result<Value> {
        read_body(response)
            .await
            .map_err(|why| self.error(about, why))
    }

    fn error(&self, about: About<'_>, failure: Failure) -> Error {
        failure.into_error(&self.source, about, |text| self.is_secret_in(text))
    }

    /// Does a text of the server's repeat what only it and we may know?
    fn is_secret_in(&self, text: &str) -> bool {
        let of_headers = self
            .headers
            .values()
            .filter_map(|value| value.to_str().ok());
        self.auth.is_in(text) || of_headers.into_iter().any(|value| text.contains(value))
    }
}

/// A URL with more segments, each encoded.
fn below(url: &Url, segments: &[&str]) -> Url {
    let mut url = url.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(segments);
    }
    url
}

/// The members of an object that are strings.
fn strings(json: &Value) -> BTreeMap<String, String> {
    let members = json.as_object().into_iter().flatten();
    members
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_string())))
        .collect()
}
