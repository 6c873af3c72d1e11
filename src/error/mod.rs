//! The one error type: what a client is told (SQLSTATE, message, detail, hint,
//! position), whom to blame, and whether the same statement may be tried again.
//! The chain of causes is for the log alone; a client never sees it.
//!
//! Shaped after section 55.8 "Error and Notice Message Fields" and appendix A
//! "PostgreSQL Error Codes" of the Postgres manual.

mod engine;
mod planner;
mod sqlstate;

use std::fmt;

pub use sqlstate::SqlState;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Who has to act for the error to go away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The statement or its values.
    Client,
    /// A source, its network or its data.
    Source,
    /// This server: a limit reached, or a defect.
    Server,
}

/// May the same statement succeed if it is sent again unchanged?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    Never,
    Later,
}

#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    state: SqlState,
    message: String,
    detail: Option<String>,
    hint: Option<String>,
    /// 1-based character offset into the client's statement.
    position: Option<usize>,
    /// Further fields as a source reported them: schema, table, constraint …
    fields: Vec<(u8, String)>,
    cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    pub fn new(state: SqlState, message: impl Into<String>) -> Self {
        Error(Box::new(Inner {
            state,
            message: message.into(),
            detail: None,
            hint: None,
            position: None,
            fields: Vec::new(),
            cause: None,
        }))
    }

    /// 0A000: what the statement asks for is not built.
    pub fn unsupported(message: impl Into<String>) -> Self {
        Error::new(SqlState::FEATURE_NOT_SUPPORTED, message)
    }

    /// 08001: a source cannot be reached. `cause` goes to the log; the client
    /// reads the source's name and `why` (which must hold no secret).
    pub fn unreachable(source: impl fmt::Display, why: impl fmt::Display) -> Self {
        Error::new(
            SqlState::UNABLE_TO_CONNECT,
            format!("source \"{source}\" cannot be reached: {why}"),
        )
    }

    /// A defect of this server. The client reads only that one occurred; `what` goes to the log.
    pub fn internal(what: impl Into<String>) -> Self {
        let what: String = what.into();
        Error::new(
            SqlState::SYSTEM_ERROR,
            "the server could not complete this statement",
        )
        .with_hint("The server's log says more.")
        .with_cause(what)
    }

    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// `position` is a 1-based character offset into the client's statement.
    pub fn with_position(mut self, position: usize) -> Self {
        self.0.position = Some(position);
        self
    }

    /// A further field of a source's report: its code (section 55.8) and value.
    pub fn with_field(mut self, code: u8, value: impl Into<String>) -> Self {
        self.0.fields.push((code, value.into()));
        self
    }

    pub fn with_cause(
        mut self,
        cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.0.cause = Some(cause.into());
        self
    }

    pub fn state(&self) -> SqlState {
        self.0.state
    }

    pub fn message(&self) -> &str {
        &self.0.message
    }

    pub fn detail(&self) -> Option<&str> {
        self.0.detail.as_deref()
    }

    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    pub fn position(&self) -> Option<usize> {
        self.0.position
    }

    pub fn fields(&self) -> &[(u8, String)] {
        &self.0.fields
    }

    pub fn blame(&self) -> Blame {
        match &self.0.state.code().as_bytes()[..2] {
            b"08" | b"58" | b"HV" => Blame::Source,
            b"53" | b"54" | b"57" | b"XX" => Blame::Server,
            _ => Blame::Client,
        }
    }

    pub fn retry(&self) -> Retry {
        match &self.0.state.code().as_bytes()[..2] {
            b"08" | b"40" | b"53" | b"57" | b"58" => Retry::Later,
            _ => Retry::Never,
        }
    }

    /// The chain of causes, for the log.
    pub fn log_text(&self) -> String {
        let mut text = format!("{}: {}", self.0.state.code(), self.0.message);
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }

    /// A copy for a second reader; the cause becomes its text.
    pub fn duplicate(&self) -> Self {
        let mut copy = Error::new(self.0.state, self.0.message.clone());
        copy.0.detail = self.0.detail.clone();
        copy.0.hint = self.0.hint.clone();
        copy.0.position = self.0.position;
        copy.0.fields = self.0.fields.clone();
        copy.0.cause = std::error::Error::source(self).map(|cause| cause.to_string().into());
        copy
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0
            .cause
            .as_ref()
            .map(|cause| cause.as_ref() as &(dyn std::error::Error + 'static))
    }
}
