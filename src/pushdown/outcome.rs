//! The two answers of a pushdown rule, and the reasons for the second.

use std::fmt;

/// `Ok` is pushed, `Err` is kept: "cannot" is no error here, but `?` serves both.
pub type Outcome<T> = std::result::Result<T, Reason>;

/// Why an expression or a node stays here.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// Order of text depends on the column's collation.
    TextRange {
        collation: String,
    },
    /// Equality under this collation is not that of bytes.
    NondeterministicCollation {
        collation: String,
    },
    /// Two columns of different collations.
    MixedCollations,
    /// Floats compare differently: NaN and the two zeros.
    Float,
    /// The column is carried as its text form.
    RepresentedAsText {
        type_name: String,
    },
    Function {
        name: String,
    },
    Type {
        name: String,
    },
    /// The kind of expression has no rule.
    Expression {
        kind: String,
    },
    /// The value has no exact form in SQL text.
    Literal {
        why: String,
    },
    /// Too many values to send as text.
    LongList {
        length: usize,
    },
    /// The kind of plan node has no rule.
    Node {
        kind: String,
    },
    /// The source would send more rows than its tables have.
    MoreRows {
        together: u64,
        apart: u64,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::TextRange { collation } => {
                write!(f, "text range under collation {collation}")
            }
            Reason::NondeterministicCollation { collation } => {
                write!(f, "nondeterministic collation {collation}")
            }
            Reason::MixedCollations => f.write_str("columns of different collations"),
            Reason::Float => f.write_str("float comparison"),
            Reason::RepresentedAsText { type_name } => {
                write!(f, "type {type_name} is carried as text")
            }
            Reason::Function { name } => write!(f, "function {name} local_only"),
            Reason::Type { name } => write!(f, "type {name} local_only"),
            Reason::Expression { kind } => write!(f, "{kind} local_only"),
            Reason::Literal { why } => write!(f, "literal {why}"),
            Reason::LongList { length } => write!(f, "list of {length} values"),
            Reason::Node { kind } => write!(f, "{kind} local_only"),
            Reason::MoreRows { together, apart } => {
                write!(f, "about {together} rows together, {apart} apart")
            }
        }
    }
}

/// A kept expression as EXPLAIN shows it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Kept {
    pub expression: String,
    pub reason: Reason,
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.expression, self.reason)
    }
}
