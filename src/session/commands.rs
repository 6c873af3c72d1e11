//! The statements that a session answers itself, as plain data. Made by
//! `statements`, carried out by `answer`.

use std::ops::Range;

use super::settings::Scope;

#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    Set {
        name: String,
        /// `None`: DEFAULT.
        value: Option<String>,
        scope: Scope,
    },
    SetTransaction(Modes),
    SetSessionCharacteristics(Modes),
    /// There are no deferrable constraints here.
    SetConstraints,
    SetAuthorization(Option<String>),
    /// `None`: ALL.
    Reset(Option<String>),
    Show(Option<String>),
    Begin {
        modes: Modes,
        /// START TRANSACTION and BEGIN have different tags.
        tag: &'static str,
    },
    Commit(Chain),
    Rollback(Chain),
    Savepoint(String),
    Release(String),
    RollbackTo(String),
    Prepare {
        name: String,
        types: Vec<String>,
        /// The query's place in the statement's text.
        query: Range<usize>,
    },
    Execute {
        name: String,
        /// Each argument as the text of an expression.
        arguments: Vec<String>,
    },
    /// `None`: ALL.
    Deallocate(Option<String>),
    Declare {
        name: String,
        hold: Hold,
        output: CursorOutput,
        query: Range<usize>,
    },
    Fetch {
        cursor: String,
        direction: Direction,
        purpose: Purpose,
    },
    /// `None`: ALL.
    Close(Option<String>),
    Discard(Discard),
    /// CALL narrows.refresh; `None`: every source.
    Refresh(Option<String>),
    Listen,
    Unlisten,
    Notify,
    SetConfig(Vec<SetConfig>),
    CopyOut {
        query: CopyQuery,
        options: CopyOptions,
    },
}

impl Command {
    /// Does a query run in it?
    pub fn is_of_engine(&self) -> bool {
        matches!(
            self,
            Command::Prepare { .. }
                | Command::Execute { .. }
                | Command::Declare { .. }
                | Command::Fetch { .. }
                | Command::Refresh(_)
                | Command::CopyOut { .. }
        )
    }

    /// May statements after it mean something else than before?
    pub fn changes_settings(&self) -> bool {
        matches!(
            self,
            Command::Set { .. } | Command::Reset(_) | Command::SetConfig(_) | Command::Discard(_)
        )
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Modes {
    pub isolation: Option<&'static str>,
    pub read_only: Option<bool>,
    pub deferrable: Option<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chain {
    No,
    /// AND CHAIN: the next transaction starts at once, with the same modes.
    Next,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    Transaction,
    Session,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CursorOutput {
    Text,
    Binary,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Forward(u64),
    All,
    /// To before the first row or further back.
    Backward,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    Fetch,
    Move,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Discard {
    All,
    Plans,
    Sequences,
    Temp,
}

/// One column of a SELECT of nothing but `set_config(name, value, is_local)` and
/// `current_setting(name)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetConfig {
    pub name: String,
    /// `None`: the value is only read.
    pub value: Option<(String, Scope)>,
    pub column: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CopyQuery {
    /// In parentheses: its place in the statement's text.
    Query(Range<usize>),
    /// The SELECT that a table's name and columns stand for.
    Table(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyFormat {
    Text,
    Csv,
    Binary,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ForceQuote {
    None,
    All,
    Columns(Vec<String>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyOptions {
    pub format: CopyFormat,
    pub delimiter: u8,
    pub null: String,
    pub header: bool,
    pub quote: u8,
    pub escape: u8,
    pub force_quote: ForceQuote,
}
