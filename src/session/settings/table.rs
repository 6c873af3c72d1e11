//! Every setting that clients SET or SHOW: its kind, default and whether it can
//! change. Chapter 20 "Server Configuration" of the Postgres manual; defaults
//! are those of a fresh Postgres where they mean nothing here.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::values::Kind;

/// What Postgres version clients are told; drivers choose their catalog queries by it.
pub const SERVER_VERSION: &str = "17.6";
pub const SERVER_VERSION_NUM: &str = "170006";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// SET changes it.
    User,
    /// SHOW alone: 55P02.
    Internal,
}

#[derive(Debug)]
pub struct Definition {
    /// In the spelling that ParameterStatus and SHOW ALL use.
    pub name: &'static str,
    pub kind: Kind,
    pub default: &'static str,
    pub access: Access,
    /// Told to the client by ParameterStatus, at login and on change.
    pub reported: bool,
    pub description: &'static str,
}

const fn user(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    description: &'static str,
) -> Definition {
    Definition {
        name,
        kind,
        default,
        access: Access::User,
        reported: false,
        description,
    }
}

const fn reported(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    description: &'static str,
) -> Definition {
    Definition {
        reported: true,
        ..user(name, kind, default, description)
    }
}

const fn fixed(name: &'static str, default: &'static str, description: &'static str) -> Definition {
    Definition {
        access: Access::Internal,
        ..user(name, Kind::Text, default, description)
    }
}

const fn fixed_reported(
    name: &'static str,
    default: &'static str,
    description: &'static str,
) -> Definition {
    Definition {
        reported: true,
        ..fixed(name, default, description)
    }
}

pub fn definition(name: &str) -> Option<&'static Definition> {
    static BY_NAME: LazyLock<HashMap<String, &'static Definition>> = LazyLock::new(|| {
        TABLE
            .iter()
            .map(|definition| (definition.name.to_ascii_lowercase(), definition))
            .collect()
    });
    // asked several times for each statement that writes
    if let Some(found) = BY_NAME.get(name) {
        return Some(found);
    }
    BY_NAME.get(&name.to_ascii_lowercase()).copied()
}

const ISOLATION: Kind = Kind::Choice(&[
    "serializable",
    "repeatable read",
    "read committed",
    "read uncommitted",
]);
const LEVELS: Kind = Kind::Choice(&[
    "debug5", "debug4", "debug3", "debug2", "debug1", "log", "notice", "warning", "error",
]);

/// Sorted as SHOW ALL sorts: by name without regard to case.
#[rustfmt::skip]
pub static TABLE: &[Definition] = &[
    reported("application_name", Kind::Ascii, "", "Sets the application name to be reported in statistics and logs."),
    user("array_nulls", Kind::Bool, "on", "Controls whether unquoted \"NULL\" means a null value in arrays."),
    fixed("autovacuum", "on", "Starts the autovacuum subprocess."),
    user("backslash_quote", Kind::Choice(&["safe_encoding", "on", "off"]), "safe_encoding", "Sets whether \"\\'\" is allowed in string literals."),
    fixed("block_size", "8192", "Shows the size of a disk block."),
    user("bytea_output", Kind::Choice(&["hex", "escape"]), "hex", "Sets the output format for bytea."),
    user("check_function_bodies", Kind::Bool, "on", "Checks routine bodies during CREATE FUNCTION and CREATE PROCEDURE."),
    reported("client_encoding", Kind::Encoding, "UTF8", "Sets the client's character set encoding."),
    user("client_min_messages", LEVELS, "notice", "Sets the message levels that are sent to the client."),
    user("constraint_exclusion", Kind::Choice(&["partition", "on", "off"]), "partition", "Enables the planner to use constraints to optimize queries."),
    user("cpu_tuple_cost", Kind::Real, "0.01", "Sets the planner's estimate of the cost of processing each tuple (row)."),
    user("cursor_tuple_fraction", Kind::Real, "0.1", "Sets the planner's estimate of the fraction of a cursor's rows that will be retrieved."),
    reported("DateStyle", Kind::DateStyle, "ISO, MDY", "Sets the display format for date and time values."),
    user("default_table_access_method", Kind::Text, "heap", "Sets the default table access method for new tables."),
    user("default_tablespace", Kind::Text, "", "Sets the default tablespace to create tables and indexes in."),
    user("default_text_search_config", Kind::Text, "pg_catalog.english", "Sets default text search configuration."),
    user("default_transaction_deferrable", Kind::Bool, "off", "Sets the default deferrable status of new transactions."),
    user("default_transaction_isolation", ISOLATION, "read committed", "Sets the transaction isolation level of each new transaction."),
    reported("default_transaction_read_only", Kind::Bool, "off", "Sets the default read-only status of new transactions."),
    user("effective_cache_size", Kind::Bytes { unit: 8192 }, "4GB", "Sets the planner's assumption about the total size of the data caches."),
    user("enable_hashagg", Kind::Bool, "on", "Enables the planner's use of hashed aggregation plans."),
    user("enable_hashjoin", Kind::Bool, "on", "Enables the planner's use of hash join plans."),
    user("enable_indexscan", Kind::Bool, "on", "Enables the planner's use of index-scan plans."),
    user("enable_mergejoin", Kind::Bool, "on", "Enables the planner's use of merge join plans."),
    user("enable_nestloop", Kind::Bool, "on", "Enables the planner's use of nested-loop join plans."),
    user("enable_seqscan", Kind::Bool, "on", "Enables the planner's use of sequential-scan plans."),
    user("enable_sort", Kind::Bool, "on", "Enables the planner's use of explicit sort steps."),
    user("escape_string_warning", Kind::Bool, "on", "Warn about backslash escapes in ordinary string literals."),
    user("extra_float_digits", Kind::Integer { least: -15, most: 3 }, "1", "Sets the number of digits displayed for floating-point values."),
    user("from_collapse_limit", Kind::Integer { least: 1, most: 2_147_483_647 }, "8", "Sets the FROM-list size beyond which subqueries are not collapsed."),
    user("geqo", Kind::Bool, "on", "Enables genetic query optimization."),
    user("gin_fuzzy_search_limit", Kind::Integer { least: 0, most: 2_147_483_647 }, "0", "Sets the maximum allowed result for exact search by GIN."),
    user("hash_mem_multiplier", Kind::Real, "2", "Multiple of \"work_mem\" to use for hash tables."),
    user("idle_in_transaction_session_timeout", Kind::Time, "0", "Sets the maximum allowed idle time between queries, when in a transaction."),
    user("idle_session_timeout", Kind::Time, "0", "Sets the maximum allowed idle time between queries, when not in a transaction."),
    fixed_reported("in_hot_standby", "off", "Shows whether hot standby is currently active."),
    fixed_reported("integer_datetimes", "on", "Shows whether datetimes are integer based."),
    reported("IntervalStyle", Kind::Choice(&["postgres", "postgres_verbose", "sql_standard", "iso_8601"]), "postgres", "Sets the display format for interval values."),
    fixed_reported("is_superuser", "off", "Shows whether the current user is a superuser."),
    user("jit", Kind::Bool, "off", "Allow JIT compilation."),
    user("join_collapse_limit", Kind::Integer { least: 1, most: 2_147_483_647 }, "8", "Sets the FROM-list size beyond which JOIN constructs are not flattened."),
    fixed("lc_collate", "C.UTF-8", "Shows the collation order locale."),
    fixed("lc_ctype", "C.UTF-8", "Shows the character classification and case conversion locale."),
    user("lc_messages", Kind::Text, "C", "Sets the language in which messages are displayed."),
    user("lc_monetary", Kind::Text, "C", "Sets the locale for formatting monetary amounts."),
    user("lc_numeric", Kind::Text, "C", "Sets the locale for formatting numbers."),
    user("lc_time", Kind::Text, "C", "Sets the locale for formatting date and time values."),
    user("lo_compat_privileges", Kind::Bool, "off", "Enables backward compatibility mode for privilege checks on large objects."),
    user("lock_timeout", Kind::Time, "0", "Sets the maximum allowed duration of any wait for a lock."),
    user("log_min_duration_statement", Kind::Integer { least: -1, most: 2_147_483_647 }, "-1", "Sets the minimum execution time above which statements are logged."),
    user("log_statement", Kind::Choice(&["none", "ddl", "mod", "all"]), "none", "Sets the type of statements logged."),
    user("maintenance_work_mem", Kind::Bytes { unit: 1024 }, "64MB", "Sets the maximum memory to be used for maintenance operations."),
    fixed("max_connections", "100", "Sets the maximum number of concurrent connections."),
    fixed("max_function_args", "100", "Shows the maximum number of function arguments."),
    fixed("max_identifier_length", "63", "Shows the maximum identifier length."),
    fixed("max_index_keys", "32", "Shows the maximum number of index keys."),
    user("max_parallel_workers_per_gather", Kind::Integer { least: 0, most: 1024 }, "2", "Sets the maximum number of parallel processes per executor node."),
    fixed("max_prepared_transactions", "0", "Sets the maximum number of simultaneously prepared transactions."),
    user("narrows.as_of", Kind::Instant, "", "Sets the time that Delta and Iceberg tables are read as of."),
    user("narrows.join_keys_wait", Kind::Time, "1min", "Sets how long a read of a source waits for the keys of a join; 0 sends none."),
    fixed("narrows.last_route", "none", "Shows which way the previous statement went, and why."),
    user("narrows.parallel_reads", Kind::Integer { least: 1, most: 1024 }, "4", "Sets the most connections that one large table of a source is read over at the same time."),
    user("narrows.pushdown", Kind::Choice(&["prefer", "require", "off"]), "prefer", "Sets whether work is pushed to sources, and whether it must be."),
    user("narrows.route", Kind::Choice(&["auto", "relay", "engine"]), "auto", "Sets whether statements over one source are relayed to it."),
    user("narrows.source", Kind::Text, "", "Sets the source that every statement goes to as it is written."),
    user("password_encryption", Kind::Choice(&["scram-sha-256", "md5"]), "scram-sha-256", "Chooses the algorithm for encrypting passwords."),
    user("plan_cache_mode", Kind::Choice(&["auto", "force_generic_plan", "force_custom_plan"]), "auto", "Controls the planner's selection of custom or generic plan."),
    fixed("port", "5433", "Sets the TCP port the server listens on."),
    user("quote_all_identifiers", Kind::Bool, "off", "When generating SQL fragments, quote all identifiers."),
    user("random_page_cost", Kind::Real, "4", "Sets the planner's estimate of the cost of a nonsequentially fetched disk page."),
    user("restrict_nonsystem_relation_kind", Kind::Text, "", "Prohibits access to non-system relations of specified kinds."),
    user("role", Kind::Role, "none", "Sets the current role."),
    user("row_security", Kind::Bool, "on", "Enables row security."),
    reported("scram_iterations", Kind::Integer { least: 1, most: 2_147_483_647 }, "4096", "Sets the iteration count for SCRAM secret generation."),
    reported("search_path", Kind::SearchPath, "\"$user\", public", "Sets the schema search order for names that are not schema-qualified."),
    user("seed", Kind::Real, "unavailable", "Sets the seed for random-number generation."),
    fixed_reported("server_encoding", "UTF8", "Shows the server (database) character set encoding."),
    fixed_reported("server_version", SERVER_VERSION, "Shows the server version."),
    fixed("server_version_num", SERVER_VERSION_NUM, "Shows the server version as an integer."),
    fixed_reported("session_authorization", "", "Sets the session user name."),
    user("session_replication_role", Kind::Choice(&["origin", "replica", "local"]), "origin", "Sets the session's behavior for triggers and rewrite rules."),
    fixed("shared_buffers", "128MB", "Sets the number of shared memory buffers used by the server."),
    fixed("ssl", "off", "Enables SSL connections."),
    reported("standard_conforming_strings", Kind::AlwaysOn, "on", "Causes '...' strings to treat backslashes literally."),
    user("statement_timeout", Kind::Time, "0", "Sets the maximum allowed duration of any statement."),
    user("synchronize_seqscans", Kind::Bool, "on", "Enables synchronized sequential scans."),
    user("synchronous_commit", Kind::Choice(&["local", "remote_write", "remote_apply", "on", "off"]), "on", "Sets the current transaction's synchronization level."),
    user("temp_buffers", Kind::Bytes { unit: 8192 }, "8MB", "Sets the maximum number of temporary buffers used by each session."),
    reported("TimeZone", Kind::Zone, "UTC", "Sets the time zone for displaying and interpreting time stamps."),
    user("timezone_abbreviations", Kind::Text, "Default", "Selects a file of time zone abbreviations."),
    user("transaction_deferrable", Kind::Bool, "off", "Whether to defer a read-only serializable transaction until it can be executed with no possible serialization failures."),
    user("transaction_isolation", ISOLATION, "read committed", "Sets the current transaction's isolation level."),
    user("transaction_read_only", Kind::Bool, "off", "Sets the current transaction's read-only status."),
    user("transaction_timeout", Kind::Time, "0", "Sets the maximum allowed duration of any transaction within a session."),
    fixed("wal_block_size", "8192", "Shows the block size in the write ahead log."),
    fixed("wal_level", "replica", "Sets the level of information written to the WAL."),
    fixed("wal_segment_size", "16MB", "Shows the size of write ahead log segments."),
    user("work_mem", Kind::Bytes { unit: 1024 }, "4MB", "Sets the maximum memory to be used for query workspaces."),
    user("xmlbinary", Kind::Choice(&["base64", "hex"]), "base64", "Sets how binary values are to be encoded in XML."),
    user("xmloption", Kind::Choice(&["content", "document"]), "content", "Sets whether XML data in implicit parsing and serialization operations is to be considered as documents or content fragments."),
];
