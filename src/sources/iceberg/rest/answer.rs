//! What a REST catalog answers: a table, or why not. Called by the client.

use std::collections::BTreeMap;

use reqwest::StatusCode;
use serde_json::Value;

use super::{About, strings};
use crate::error::{Error, SqlState};
use crate::names::SourceName;

/// Bytes of the longest answer: a table's metadata with all its snapshots.
const LONGEST: usize = 512 << 20;
/// Bytes of an error's text that are read, and characters that are shown.
const LONGEST_ERROR: usize = 64 << 10;
const SHOWN: usize = 300;

pub enum TableAnswer {
    Unchanged,
    Loaded(LoadedTable),
}

/// The answer of loadTable.
pub struct LoadedTable {
    pub metadata: Value,
    pub metadata_location: Option<String>,
    /// The answer's own tag.
    pub tag: Option<String>,
    config: BTreeMap<String, String>,
    /// Credentials by the prefix of the locations that they are for.
    credentials: Vec<(String, BTreeMap<String, String>)>,
}

impl LoadedTable {
    pub(super) fn read(mut body: Value, tag: Option<String>) -> Option<LoadedTable> {
        let metadata = body.get_mut("metadata")?.take();
        let credentials = body["storage-credentials"].as_array().into_iter().flatten();
        Some(LoadedTable {
            metadata_location: body["metadata-location"].as_str().map(str::to_string),
            config: strings(&body["config"]),
            credentials: credentials
                .filter_map(|one| {
                    Some((one["prefix"].as_str()?.to_string(), strings(&one["config"])))
                })
                .collect(),
            metadata,
            tag,
        })
        .filter(|table| table.metadata.is_object())
    }

    /// How files at a place are reached: the credentials of the longest prefix count.
    pub(super) fn config_for(&self, location: &str) -> BTreeMap<String, String> {
        let mut config = self.config.clone();
        let fitting = self
            .credentials
            .iter()
            .filter(|(prefix, _)| location.starts_with(prefix.as_str()))
            .max_by_key(|(prefix, _)| prefix.len());
        if let Some((_, own)) = fitting {
            config.extend(own.clone());
        }
        config
    }
}

/// Why a request brought nothing.
#[derive(Debug)]
pub(super) enum Failure {
    Unreachable(String),
    TimedOut,
    Status {
        code: StatusCode,
        said: String,
    },
    /// The token endpoint refused.
    Refused {
        code: Option<StatusCode>,
        said: String,
    },
    Malformed(String),
}

impl Failure {
    pub(super) fn of_request(error: &reqwest::Error) -> Failure {
        if error.is_timeout() {
            return Failure::TimedOut;
        }
        // the error's own text holds the URL
        let mut cause: &dyn std::error::Error = error;
        while let Some(deeper) = cause.source() {
            cause = deeper;
        }
        Failure::Unreachable(cause.to_string())
    }

    pub(super) async fn of_response(response: reqwest::Response) -> Failure {
        let code = response.status();
        Failure::Status {
            code,
            said: said(response).await,
        }
    }

    /// Our token may have ended before it said so.
    pub(super) fn is_stale_token(&self) -> bool {
        matches!(self, Failure::Status { code, .. } if code.as_u16() == 401 || code.as_u16() == 419)
    }

    /// May it be better in a moment?
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Failure::Unreachable(_) => true,
            Failure::Status { code, .. } => {
                code.is_server_error() || *code == StatusCode::TOO_MANY_REQUESTS
            }
            _ => false,
        }
    }

    pub(super) fn into_error(
        self,
        source: &SourceName,
        about: About<'_>,
        is_secret: impl Fn(&str) -> bool,
    ) -> Error {
        let of = match about {
            About::Catalog => String::new(),
            About::Namespace(name) => format!(" for namespace \"{}\"", name.join(".")),
            About::Table(table) => format!(" for table \"{table}\""),
        };
        let catalog = format!("the catalog of source \"{source}\"");
        let told = |error: Error, said: String| match said.is_empty() || is_secret(&said) {
            true => error,
            false => error.with_detail(format!("It says: {said}")),
        };
        match self {
            Failure::Unreachable(cause) => Error::new(
                SqlState::UNABLE_TO_CONNECT,
                format!("{catalog} cannot be reached{of}"),
            )
            .with_cause(cause),
            Failure::TimedOut => Error::new(
                SqlState::UNABLE_TO_CONNECT,
                format!("{catalog} did not answer in time{of}"),
            ),
            Failure::Malformed(what) => Error::new(
                SqlState::IO_ERROR,
                format!("{catalog} gave an answer that cannot be read{of}"),
            )
            .with_detail(format!("There is {what} in it.")),
            Failure::Refused { code, said } => {
                let code = code.map_or(String::new(), |code| format!(" ({})", code.as_u16()));
                let error = Error::new(
                    SqlState::CONNECTION_REJECTED,
                    format!("{catalog} gives no token{of}{code}"),
                );
                told(
                    error.with_hint("Look at the credential in catalog.toml."),
                    said,
                )
            }
            Failure::Status { code, said } => {
                let number = code.as_u16();
                let (state, text) = match (number, about) {
                    (401, _) => (
                        SqlState::CONNECTION_REJECTED,
                        format!("{catalog} does not know our credentials{of} (401)"),
                    ),
                    (403, About::Table(table)) => (
                        SqlState::INSUFFICIENT_PRIVILEGE,
                        format!("{catalog} does not let us read table \"{table}\" (403)"),
                    ),
                    (403, _) => (
                        SqlState::INSUFFICIENT_PRIVILEGE,
                        format!("{catalog} does not let us list what it holds{of} (403)"),
                    ),
                    (404, About::Table(table)) => (
                        SqlState::UNDEFINED_TABLE,
                        format!("table \"{table}\" is not in {catalog} (404)"),
                    ),
                    (404, About::Namespace(name)) => (
                        SqlState::INVALID_SCHEMA_NAME,
                        format!("namespace \"{}\" is not in {catalog} (404)", name.join(".")),
                    ),
                    (404, About::Catalog) => (
                        SqlState::UNABLE_TO_CONNECT,
                        format!("{catalog} is not there, or not its warehouse (404)"),
                    ),
                    _ => (
                        SqlState::IO_ERROR,
                        format!("{catalog} failed{of} ({number})"),
                    ),
                };
                told(Error::new(state, text), said)
            }
        }
    }
}

/// The answer's JSON.
pub(super) async fn read_body(response: reqwest::Response) -> Result<Value, Failure> {
    let bytes = bytes(response, LONGEST).await?;
    serde_json::from_slice(&bytes).map_err(|_| Failure::Malformed("no JSON".into()))
}

async fn bytes(mut response: reqwest::Response, most: usize) -> Result<Vec<u8>, Failure> {
    let mut all = Vec::new();
    while let Some(piece) = response
        .chunk()
        .await
        .map_err(|error| Failure::of_request(&error))?
    {
        if all.len() + piece.len() > most {
            return Err(Failure::Malformed(format!("more than {most} bytes")));
        }
        all.extend_from_slice(&piece);
    }
    Ok(all)
}

/// What an error's answer says, on one line; empty where it is nothing for people.
pub(super) async fn said(response: reqwest::Response) -> String {
    let Ok(bytes) = bytes(response, LONGEST_ERROR).await else {
        return String::new();
    };
    let Ok(json) = serde_json::from_slice::<Value>(&bytes) else {
        return String::new();
    };
    let text = json["error"]["message"]
        .as_str()
        .or(json["error_description"].as_str())
        .or(json["message"].as_str())
        .unwrap_or_default();
    let line = text.lines().next().unwrap_or_default();
    line.chars()
        .filter(|c| !c.is_control())
        .take(SHOWN)
        .collect()
}
