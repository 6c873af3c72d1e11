//! What a caller has to know of a statement to let it run on its source: grants,
//! READ ONLY, pinning and what it leaves behind.

use std::fmt;

use crate::names::{RelationName, SourceName};

/// A statement for one Postgres source. Names are as clients know them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayStatement {
    pub source: SourceName,
    pub kind: Kind,
    /// Relations whose rows it reads, each once. The target of an UPDATE, DELETE
    /// or MERGE is among them where the statement may look at its rows.
    pub reads: Vec<RelationName>,
    /// Relations that it changes or locks, sequences that it advances and
    /// everything that it makes, alters or drops, each once; `schema.*` where all
    /// in a schema is meant.
    pub writes: Vec<RelationName>,
    /// Functions and procedures that are not known to look at their arguments
    /// alone, as the client named them: for a user who may see less than the
    /// source's role they are refused.
    pub functions: Vec<FunctionName>,
    /// Temporary relations that it makes: `Names::temporary` of later statements.
    pub temporary: Vec<String>,
    /// It asks for what the same session got from a sequence before.
    pub recalls: bool,
    pub effects: Effects,
}

/// What a statement does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// SELECT, VALUES, TABLE, WITH without changes.
    Read,
    /// SELECT … FOR UPDATE, FOR SHARE and their kin.
    Lock,
    /// INSERT, UPDATE, DELETE, MERGE, TRUNCATE, also inside WITH; nextval and setval.
    Write,
    /// CREATE, ALTER, DROP, COMMENT, GRANT …, SELECT INTO.
    Define,
    /// COPY … TO STDOUT
    CopyOut,
    /// COPY … FROM STDIN
    CopyIn,
    /// VACUUM, ANALYZE, REINDEX, CLUSTER, REFRESH MATERIALIZED VIEW, LOCK TABLE.
    Maintain,
    Call,
    Explain {
        of: Box<Kind>,
        analyze: Analyze,
        plan: PlanForm,
    },
    /// DECLARE … CURSOR
    Declare {
        name: String,
        hold: Hold,
        of: Box<Kind>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Analyze {
    No,
    /// The statement runs.
    Yes,
}

/// What an EXPLAIN answers with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlanForm {
    /// A row a line.
    Lines,
    /// One JSON, XML or YAML document.
    Document,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    Transaction,
    Session,
}

/// What a statement leaves in the source's session, from least to most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effects {
    Plain,
    /// It may have changed settings: reset the connection before another client has it.
    Taints,
    /// It makes state that belongs to the client: temporary tables, session
    /// advisory locks, WITH HOLD cursors.
    Keeps,
}

/// A function as the client named it, folded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionName {
    pub schema: Option<String>,
    pub name: String,
}

impl fmt::Display for FunctionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.schema {
            Some(schema) => write!(f, "{schema}.{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// Why a statement is not relayed; displayed for `SHOW narrows.last_route`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// It names nothing of any source.
    NoTable,
    /// In the order of their first mention.
    Sources(Vec<SourceName>),
    /// A name of a source that is no Postgres.
    Lake(String),
    System(String),
    /// A relation or schema that the catalog does not hold, as written, and the
    /// source that it would belong to or that the rest of the statement belongs to.
    Unknown {
        name: String,
        source: Option<SourceName>,
    },
    /// The statement is not for a source whatever it names.
    NotRelayed(&'static str),
    TooDeep,
    NotUnderstood(String),
}

impl Reason {
    /// Does the statement read relations of more than one source, or of one that
    /// nothing can be relayed to?
    pub fn is_federated(&self) -> bool {
        matches!(self, Reason::Sources(_) | Reason::Lake(_))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::NoTable => f.write_str("no table named"),
            Reason::Sources(sources) => {
                write!(f, "tables of {} sources:", in_words(sources.len()))?;
                for (i, source) in sources.iter().enumerate() {
                    write!(f, "{} {source}", if i == 0 { "" } else { "," })?;
                }
                Ok(())
            }
            Reason::Lake(name) => write!(f, "lake table {name}"),
            Reason::System(name) => write!(f, "system catalog {name}"),
            Reason::Unknown { name, .. } => write!(f, "unknown name {name}"),
            Reason::NotRelayed(what) => write!(f, "{what} is not relayed"),
            Reason::TooDeep => f.write_str("too deep"),
            Reason::NotUnderstood(what) => write!(f, "not understood: {what}"),
        }
    }
}

fn in_words(count: usize) -> String {
    match count {
        2 => "two".into(),
        3 => "three".into(),
        more => more.to_string(),
    }
}
