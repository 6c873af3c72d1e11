//! What is asked of the settings for every statement, read when they change.

use std::time::Duration;

use super::Settings;
use crate::names::SourceName;

/// What is asked for every statement, read when it changes.
#[derive(Debug, Clone, Default)]
pub struct Quick {
    pub statement_timeout: Option<Duration>,
    pub idle_session_timeout: Option<Duration>,
    pub idle_in_transaction_timeout: Option<Duration>,
    pub route: RouteChoice,
    /// narrows.source
    pub source: Option<SourceName>,
}

/// narrows.route
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RouteChoice {
    #[default]
    Auto,
    Relay,
    Engine,
}

impl Settings {
    pub(super) fn read_quick(&self) -> Quick {
        let source = self.text("narrows.source");
        Quick {
            statement_timeout: self.duration("statement_timeout"),
            idle_session_timeout: self.duration("idle_session_timeout"),
            idle_in_transaction_timeout: self.duration("idle_in_transaction_session_timeout"),
            route: match self.text("narrows.route").as_str() {
                "relay" => RouteChoice::Relay,
                "engine" => RouteChoice::Engine,
                _ => RouteChoice::Auto,
            },
            source: (!source.is_empty()).then(|| SourceName::new(&source)),
        }
    }
}
