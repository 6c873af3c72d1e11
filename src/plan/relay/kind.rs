//! What a statement does, from its node in the tree: which kinds are relayed at
//! all, what they do to relations and to the source's session.

use squawk_parser::SyntaxKind;

use super::names::identifier;
use super::statement::{Analyze, Effects, Hold, Kind, PlanForm, Reason};
use super::tree::{Id, Tree};
use crate::plan::lexer::Lexer;

/// The node of the only statement.
pub(super) fn only_statement(tree: &Tree<'_>) -> Result<Id, Reason> {
    let mut statements = tree.children(0).filter(|id| !tree.is_leaf(*id));
    let first = statements.next().ok_or(Reason::NoTable)?;
    match statements.next() {
        None => Ok(first),
        Some(_) => Err(Reason::NotUnderstood("more than one statement".into())),
    }
}

pub(super) fn of(tree: &Tree<'_>, id: Id) -> Result<Kind, Reason> {
    use SyntaxKind as S;
    let not_relayed = |what| Err(Reason::NotRelayed(what));
    match tree.kind(id) {
        S::SELECT | S::COMPOUND_SELECT | S::PAREN_SELECT | S::VALUES | S::TABLE => {
            Ok(query(tree, id))
        }
        S::SELECT_INTO => Ok(Kind::Define),
        S::CREATE_TABLE_AS if tree.has(id, S::EXECUTE) => not_relayed("EXECUTE"),
        S::INSERT | S::UPDATE | S::DELETE | S::MERGE | S::TRUNCATE => Ok(Kind::Write),
        S::COPY => copy(tree, id),
        S::CALL => Ok(Kind::Call),
        S::EXPLAIN => explain(tree, id),
        S::DECLARE => declare(tree, id),
        S::VACUUM | S::ANALYZE | S::REINDEX | S::CLUSTER | S::REFRESH | S::LOCK => {
            Ok(Kind::Maintain)
        }
        S::GRANT | S::REVOKE => match tree.has(id, S::ON_PRIVILEGE_OBJECTS_CLAUSE) {
            true => Ok(Kind::Define),
            false => not_relayed("a change of roles"),
        },
        kind if is_definition(kind) => Ok(Kind::Define),
        S::EMPTY_STMT => Err(Reason::NoTable),
        // what its code does is not known
        S::DO => Ok(Kind::Call),
        _ => not_relayed("a statement of the session or the server"),
    }
}

/// SELECT and its kin, with what WITH and FOR make of it.
fn query(tree: &Tree<'_>, id: Id) -> Kind {
    let mut kind = Kind::Read;
    for below in id + 1..tree.next(id) {
        match tree.kind(below) {
            SyntaxKind::INSERT | SyntaxKind::UPDATE | SyntaxKind::DELETE | SyntaxKind::MERGE
                if !tree.is_leaf(below) =>
            {
                return Kind::Write;
            }
            SyntaxKind::LOCKING_CLAUSE => kind = Kind::Lock,
            _ => {}
        }
    }
    kind
}

/// The same for a statement that advances a sequence.
pub(super) fn writing(kind: Kind) -> Kind {
    match kind {
        Kind::Read | Kind::Lock => Kind::Write,
        Kind::Explain { of, analyze, plan } => Kind::Explain {
            of: Box::new(writing(*of)),
            analyze,
            plan,
        },
        Kind::Declare { name, hold, of } => Kind::Declare {
            name,
            hold,
            of: Box::new(writing(*of)),
        },
        other => other,
    }
}

fn copy(tree: &Tree<'_>, id: Id) -> Result<Kind, Reason> {
    if tree.holds(id, SyntaxKind::COPY_PROGRAM) {
        return Err(Reason::NotRelayed("COPY with a file or program"));
    }
    match tree.has(id, SyntaxKind::COPY_FROM) {
        true => Ok(Kind::CopyIn),
        false => Ok(Kind::CopyOut),
    }
}

fn explain(tree: &Tree<'_>, id: Id) -> Result<Kind, Reason> {
    use SyntaxKind as S;
    let statement = tree.children(id).find(|child| {
        !tree.is_leaf(*child)
            && !matches!(
                tree.kind(*child),
                S::EXPLAIN_ANALYZE | S::EXPLAIN_VERBOSE | S::EXPLAIN_OPTION_LIST
            )
    });
    let statement = statement.ok_or(Reason::NoTable)?;
    // Of these EXPLAIN takes no others (its page in the Postgres manual).
    let explainable = matches!(
        tree.kind(statement),
        S::SELECT
            | S::COMPOUND_SELECT
            | S::PAREN_SELECT
            | S::VALUES
            | S::TABLE
            | S::SELECT_INTO
            | S::INSERT
            | S::UPDATE
            | S::DELETE
            | S::MERGE
            | S::DECLARE
            | S::CREATE_TABLE_AS
            | S::CREATE_MATERIALIZED_VIEW
    );
    if !explainable {
        return Err(Reason::NotRelayed("EXPLAIN of such a statement"));
    }
    let mut analyze = match tree.has(id, S::EXPLAIN_ANALYZE) {
        true => Analyze::Yes,
        false => Analyze::No,
    };
    let mut plan = PlanForm::Lines;
    let options = tree.child(id, S::EXPLAIN_OPTION_LIST);
    for option in options.into_iter().flat_map(|list| tree.children(list)) {
        let name = tree.child(option, S::EXPLAIN_OPTION_NAME);
        let name = name.map_or("", |name| tree.text(name));
        let value = tree.child(option, S::EXPLAIN_OPTION_VALUE);
        if name.eq_ignore_ascii_case("analyze") {
            analyze = match value.is_none_or(|value| is_on(tree.text(value))) {
                true => Analyze::Yes,
                false => Analyze::No,
            };
        } else if name.eq_ignore_ascii_case("format") {
            plan = match value.is_none_or(|value| word(tree.text(value)) == "text") {
                true => PlanForm::Lines,
                false => PlanForm::Document,
            };
        }
    }
    Ok(Kind::Explain {
        of: Box::new(of(tree, statement)?),
        analyze,
        plan,
    })
}

/// A boolean option as defGetBoolean reads it; what it refuses counts as on.
fn is_on(value: &str) -> bool {
    !matches!(word(value).as_str(), "false" | "off" | "0")
}

/// An option's value, a constant or a word.
fn word(value: &str) -> String {
    let text = Lexer::new(value)
        .next()
        .and_then(|token| token.string().or_else(|| token.name()));
    text.as_deref().unwrap_or(value).to_ascii_lowercase()
}

fn declare(tree: &Tree<'_>, id: Id) -> Result<Kind, Reason> {
    let name = tree.child(id, SyntaxKind::CURSOR);
    let query_of = |child: &Id| {
        matches!(
            tree.kind(*child),
            SyntaxKind::SELECT
                | SyntaxKind::COMPOUND_SELECT
                | SyntaxKind::PAREN_SELECT
                | SyntaxKind::VALUES
                | SyntaxKind::TABLE
        )
    };
    let of = tree.children(id).find(query_of);
    match (name, of) {
        (Some(name), Some(of)) => Ok(Kind::Declare {
            name: identifier(tree.text(name))?.into_owned(),
            hold: match tree.has(id, SyntaxKind::WITH_HOLD) {
                true => Hold::Session,
                false => Hold::Transaction,
            },
            of: Box::new(query(tree, of)),
        }),
        _ => Err(Reason::NotUnderstood("DECLARE".into())),
    }
}

/// CREATE, ALTER, DROP and COMMENT of what lies in a schema.
fn is_definition(kind: SyntaxKind) -> bool {
    const OBJECTS: &[&str] = &[
        "AGGREGATE",
        "COLLATION",
        "CONVERSION",
        "DOMAIN",
        "FOREIGN_TABLE",
        "FUNCTION",
        "INDEX",
        "MATERIALIZED_VIEW",
        "OPERATOR",
        "OPERATOR_CLASS",
        "OPERATOR_FAMILY",
        "POLICY",
        "PROCEDURE",
        "ROUTINE",
        "RULE",
        "SEQUENCE",
        "STATISTICS",
        "TABLE",
        "TABLE_AS",
        "TEXT_SEARCH_CONFIG",
        "TEXT_SEARCH_CONFIGURATION",
        "TEXT_SEARCH_DICT",
        "TEXT_SEARCH_DICTIONARY",
        "TRIGGER",
        "TYPE",
        "VIEW",
    ];
    if matches!(kind, SyntaxKind::COMMENT_ON | SyntaxKind::SECURITY_LABEL) {
        return true;
    }
    let name = format!("{kind:?}");
    let object = ["CREATE_", "ALTER_", "DROP_"]
        .iter()
        .find_map(|verb| name.strip_prefix(verb));
    object.is_some_and(|object| OBJECTS.contains(&object))
}

/// What the statement itself leaves in the session; functions may leave more.
pub(super) fn effects(tree: &Tree<'_>, id: Id) -> Option<Effects> {
    use SyntaxKind as S;
    let temporary = || {
        let into = tree.child(id, S::INTO_CLAUSE).unwrap_or(id);
        tree.has(id, S::TEMP) || tree.has(into, S::TEMP)
    };
    match tree.kind(id) {
        S::DECLARE if tree.has(id, S::WITH_HOLD) => Some(Effects::Keeps),
        S::CALL | S::DO => Some(Effects::Taints),
        _ if temporary() => Some(Effects::Keeps),
        _ => None,
    }
}
