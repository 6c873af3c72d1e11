//! May this user run this statement on its source? Asked before a statement is
//! sent there, because the source checks its own role, not the user here.

use super::Relayed;
use crate::error::{Error, Result, SqlState};
use crate::names::{RelationName, SourceName};
use crate::plan::lexer::Lexer;
use crate::plan::relay::{Analyze, FunctionName, Kind, RelayStatement, is_builtin};
use crate::session::Session;
use crate::sources::postgres::PostgresSource;

impl Session {
    /// 42501 for what the grants or the source's configuration do not give.
    pub(super) fn allow(&self, statement: &RelayStatement) -> Result<()> {
        let grants = &self.identity.grants;
        if let Some(name) = statement.reads.iter().find(|name| !grants.may_read(name)) {
            return Err(denied(name));
        }
        let source = self.postgres(&statement.source)?;
        if statement.reads.is_empty() && statement.writes.is_empty() {
            // types and functions alone
            let readable = |schema: &String| grants.may_read_something_in(schema);
            if !source.mapping().values().any(readable) {
                return Err(Error::new(
                    SqlState::INSUFFICIENT_PRIVILEGE,
                    format!("permission denied for source \"{}\"", statement.source),
                ));
            }
        }
        if writes(&statement.kind) {
            if !source.is_writable() {
                return Err(read_only(&statement.source));
            }
            if self.settings.text("transaction_read_only") == "on"
                || !self.in_block() && self.settings.text("default_transaction_read_only") == "on"
            {
                return Err(Error::new(
                    SqlState::READ_ONLY_SQL_TRANSACTION,
                    "cannot execute a statement that writes in a read-only transaction",
                ));
            }
            if let Some(name) = statement.writes.iter().find(|name| !grants.may_write(name)) {
                return Err(denied(name).with_hint("The user needs it in its write list."));
            }
            if statement.writes.is_empty() && !self.writes_whole(source) {
                return Err(Error::new(
                    SqlState::INSUFFICIENT_PRIVILEGE,
                    format!("permission denied for source \"{}\"", statement.source),
                )
                .with_hint("The user needs every schema of the source in its write list."));
            }
        }
        if !source.is_writable()
            && let Some(function) = statement.functions.iter().find(|f| changes_things(f))
        {
            return Err(denied_function(function));
        }
        self.allow_functions(statement, source)
    }

    /// Functions see with the eyes of the source's role. Whoever may see less
    /// calls only those that are known to read nothing but their arguments.
    fn allow_functions(&self, statement: &RelayStatement, source: &PostgresSource) -> Result<()> {
        if statement.functions.is_empty() || self.has_own_role(source) || self.sees_whole(source) {
            return Ok(());
        }
        match statement
            .functions
            .iter()
            .find(|function| !self.allows(source, function))
        {
            Some(function) => Err(refused(function, &statement.source)),
            None => Ok(()),
        }
    }

    fn allows(&self, source: &PostgresSource, function: &FunctionName) -> bool {
        let FunctionName { schema, name } = function;
        match schema.as_deref() {
            None if is_builtin(name) => source.allows_function(Some("pg_catalog"), name),
            None => source.allows_function(None, name),
            Some(schema) => {
                source.mapping().iter().any(|(remote, here)| {
                    here == schema && source.allows_function(Some(remote), name)
                }) || schema == "pg_catalog" && source.allows_function(Some(schema), name)
            }
        }
    }

    /// SET narrows.source: the text of statements is not read for names, so the
    /// user must be one who may see the whole source.
    pub(in crate::session) fn allow_verbatim(&self, name: &SourceName) -> Result<()> {
        let source = self.postgres(name)?;
        if self.has_own_role(source) || self.sees_whole(source) {
            return Ok(());
        }
        Err(Error::new(
            SqlState::INSUFFICIENT_PRIVILEGE,
            format!("permission denied to send statements to source \"{name}\" as they are"),
        )
        .with_hint("The user needs every schema of the source in its read list."))
    }

    pub(super) fn allow_verbatim_write(&self, relayed: &Relayed) -> Result<()> {
        let source = self.postgres(&relayed.source)?;
        if !source.is_writable() {
            if let Some(function) = calls(relayed.text.text()).find(changes_things) {
                return Err(denied_function(&function));
            }
            return match relayed.kind {
                // not understood, but its transaction is READ ONLY
                _ if !writes(&relayed.kind) => Ok(()),
                Kind::Call if only_reads_in_read_only(relayed.text.text()) => Ok(()),
                _ => Err(read_only(&relayed.source)),
            };
        }
        if !writes(&relayed.kind) {
            return Ok(());
        }
        if !self.writes_whole(source) {
            return Err(Error::new(
                SqlState::INSUFFICIENT_PRIVILEGE,
                format!("permission denied for source \"{}\"", relayed.source),
            )
            .with_hint("The user needs every schema of the source in its write list."));
        }
        Ok(())
    }

    /// Could any statement of this user write there?
    pub(super) fn may_write_to(&self, name: &SourceName) -> Result<bool> {
        let source = self.postgres(name)?;
        let grants = &self.identity.grants;
        Ok(source.is_writable()
            && source
                .mapping()
                .values()
                .any(|schema| grants.may_write_something_in(schema)))
    }

    fn has_own_role(&self, source: &PostgresSource) -> bool {
        source.relay().has_own_role(&self.identity.user)
    }

    fn sees_whole(&self, source: &PostgresSource) -> bool {
        let grants = &self.identity.grants;
        source.offers_all_tables()
            && source
                .mapping()
                .values()
                .all(|schema| grants.may_read_all_of(schema))
    }

    fn writes_whole(&self, source: &PostgresSource) -> bool {
        let grants = &self.identity.grants;
        source
            .mapping()
            .values()
            .all(|schema| grants.may_write_all_of(schema))
    }
}

/// Does it change anything at the source? What a procedure does is not known.
pub(super) fn writes(kind: &Kind) -> bool {
    match kind {
        Kind::Read | Kind::Lock | Kind::CopyOut => false,
        Kind::Write | Kind::Define | Kind::CopyIn | Kind::Maintain | Kind::Call => true,
        Kind::Explain { of, analyze, .. } => *analyze == Analyze::Yes && writes(of),
        Kind::Declare { of, .. } => writes(of),
    }
}

/// Every name that a parenthesis follows.
fn calls(text: &str) -> impl Iterator<Item = FunctionName> {
    let mut tokens = Lexer::new(text).peekable();
    std::iter::from_fn(move || {
        loop {
            let name = tokens.next()?.name();
            if let Some(name) = name
                && tokens.peek().is_some_and(|next| next.is_symbol("("))
            {
                return Some(FunctionName { schema: None, name });
            }
        }
    })
}

/// READ ONLY does not hold back all that a text may be that was not understood:
/// procedures and DO blocks end the transaction that they are called in and begin
/// one that writes (section 43.8 "Transaction Management"), COPY writes files and
/// runs programs, ALTER SYSTEM counts as reading.
fn only_reads_in_read_only(text: &str) -> bool {
    const READERS: &[&str] = &[
        "close",
        "deallocate",
        "declare",
        "execute",
        "explain",
        "fetch",
        "listen",
        "move",
        "prepare",
        "reset",
        "select",
        "set",
        "show",
        "table",
        "unlisten",
        "values",
        "with",
    ];
    Lexer::new(text)
        .next()
        .is_some_and(|first| first.is_symbol("(") || READERS.iter().any(|word| first.is_word(word)))
}

/// Built-in functions with effects that READ ONLY does not hold back: large
/// objects before Postgres 16, other backends, files, replication, dblink.
fn changes_things(function: &FunctionName) -> bool {
    const WRITERS: &[&str] = &[
        "dblink",
        "dblink_exec",
        "dblink_send_query",
        "lowrite",
        "pg_advisory_unlock_all",
        "pg_cancel_backend",
        "pg_logical_emit_message",
        "pg_notify",
        "pg_promote",
        "pg_reload_conf",
        "pg_rotate_logfile",
        "pg_terminate_backend",
    ];
    const PREFIXES: &[&str] = &[
        "lo_",
        "pg_backup_",
        "pg_copy_",
        "pg_create_",
        "pg_drop_",
        "pg_file_",
        "pg_replication_",
        "pg_stat_reset",
        "pg_switch_",
        "pg_wal_replay_",
        "pg_import_",
    ];
    const READERS: &[&str] = &["lo_get", "lo_open", "lo_close", "lo_lseek", "lo_tell"];
    let name = function.name.as_str();
    WRITERS.contains(&name)
        || PREFIXES.iter().any(|prefix| name.starts_with(prefix)) && !READERS.contains(&name)
}

fn denied(name: &RelationName) -> Error {
    Error::new(
        SqlState::INSUFFICIENT_PRIVILEGE,
        format!("permission denied for table {}", name.relation),
    )
}

fn read_only(name: &SourceName) -> Error {
    Error::new(
        SqlState::INSUFFICIENT_PRIVILEGE,
        format!("source \"{name}\" is not writable"),
    )
    .with_hint("Set writable = true in its section of the catalog file.")
}

fn denied_function(function: &FunctionName) -> Error {
    Error::new(
        SqlState::INSUFFICIENT_PRIVILEGE,
        format!("permission denied for function {function}"),
    )
    .with_hint("Set writable = true in the source's section of the catalog file.")
}

fn refused(function: &FunctionName, source: &SourceName) -> Error {
    Error::new(
        SqlState::INSUFFICIENT_PRIVILEGE,
        format!("permission denied for function {function}"),
    )
    .with_hint(format!(
        "It could read what the user may not: allow it in the functions of source \"{source}\", or give the user a role of its own there."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_are_not_understood_may_read() {
        for (text, reads) in [
            ("SELECT odd things", true),
            (" /* c */ with x as (select 1) table x", true),
            ("(SELECT 1)", true),
            ("do $$ begin end $$", false),
            ("CALL p()", false),
            ("COPY t TO PROGRAM 'x'", false),
            ("ALTER SYSTEM SET a = 1", false),
            ("", false),
        ] {
            assert_eq!(only_reads_in_read_only(text), reads, "{text}");
        }
    }

    #[test]
    fn calls_are_found_wherever_they_stand() {
        for (text, writes) in [
            ("SELECT lo_create(0)", true),
            ("SELECT pg_catalog.\"lo_create\" (0) FROM t", true),
            ("SELECT 'lo_create(0)', lo_create FROM t", false),
            ("SELECT lo_get(1), lower('x')", false),
        ] {
            assert_eq!(calls(text).any(|f| changes_things(&f)), writes, "{text}");
        }
    }
}
