//! catalog.toml in, configuration or error text out.

use std::path::Path;
use std::time::Duration;

use super::*;

/// A Postgres source, for files whose mistake is elsewhere.
const SHOP: &str = "[sources.shop]\nkind = \"postgres\"\nurl = \"postgres://h/d\"\n";

fn env(name: &str) -> Option<String> {
    match name {
        "PASSWORD" => Some("pa\"ss\nword".into()),
        "EMPTY" => Some(String::new()),
        _ => None,
    }
}

fn parse(text: &str) -> Result<Config> {
    Config::parse(text, Path::new("catalog.toml"), &env)
}

fn good(text: &str) -> Config {
    parse(text).unwrap_or_else(|error| panic!("{text}\n{error}"))
}

/// `expected` are the mistakes, one a line, `catalog.toml:` left out.
fn check(text: &str, expected: &[&str]) {
    let found = match parse(text) {
        Ok(_) => Vec::new(),
        Err(error) => {
            assert_eq!(error.state().code(), "F0000");
            error
                .message()
                .lines()
                .map(|line| line.replacen("catalog.toml:", "", 1))
                .collect()
        }
    };
    assert_eq!(found, expected, "in\n{text}");
}

#[test]
fn an_empty_file_has_the_defaults() {
    let config = good("");
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:5433");
    assert_eq!(config.server.database, "narrows");
    assert_eq!(config.limits.max_connections, 500);
    assert_eq!(config.limits.query_memory, 4 << 30);
    assert_eq!(config.limits.statement_timeout, None);
    assert!(config.base.is_absolute());
}

#[test]
fn limits_have_units() {
    let config = good(
        "[limits]\nquery_memory = \"512MB\"\nspill_limit = 1_000\nspill_dir = \"/x\"\n\
         statement_timeout = \"1500ms\"\nlogin_timeout = \"5min\"\nmetadata_ttl = \"0\"",
    );
    assert_eq!(config.limits.query_memory, 512 << 20);
    assert_eq!(config.limits.spill_limit, 1000);
    assert_eq!(config.limits.spill_dir, Path::new("/x"));
    assert_eq!(
        config.limits.statement_timeout,
        Some(Duration::from_millis(1500))
    );
    assert_eq!(config.limits.login_timeout, Duration::from_secs(300));
    assert_eq!(config.limits.metadata_ttl, Duration::ZERO);
}

#[test]
fn broken_server_limits_and_workers() {
    check(
        "[server]\nlisten = \"localhost:5433\"\ndatabase = 7\nlisten_on = 1",
        &[
            "2: server.listen: \"localhost:5433\" is not an address and a port such as \"127.0.0.1:5433\"",
            "3: server.database: expected a string, found an integer",
            "4: server.listen_on: unknown key; did you mean \"listen\"?",
        ],
    );
    check(
        "[server.tls]\ncert = \"a\"\nrequired = \"yes\"",
        &[
            "1: server.tls: \"key\" is missing",
            "3: server.tls.required: expected true or false, found a string",
        ],
    );
    check(
        "[limits]\nmax_connections = 0\nquery_memory = \"4 gigs\"\nspill_limit = true\n\
         statement_timeout = \"30\"\nlogin_timeout = \"0\"",
        &[
            "2: limits.max_connections: 0 is out of range: it must be at least 1",
            "3: limits.query_memory: \"4 gigs\" is not a size: expected bytes, or a number with kB, MB, GB or TB such as \"512MB\"",
            "4: limits.spill_limit: expected a size such as \"512MB\", found true or false",
            "5: limits.statement_timeout: \"30\" is not a duration: expected a number with us, ms, s, min, h or d such as \"30s\"",
            "6: limits.login_timeout: a login always has a deadline: expected a duration such as \"30s\"",
        ],
    );
    check(
        "[workers]\nnodes = [\n  \"http://a:1\",\n  \"10.0.0.1:7433\",\n  \"http://a:1\",\n]",
        &[
            "4: workers.nodes: \"10.0.0.1:7433\" is not a worker's address such as \"http://10.0.0.11:7433\"",
            "5: workers.nodes: \"http://a:1\" is listed twice",
        ],
    );
}

#[test]
fn the_file_itself_may_be_broken() {
    check(
        "[server]\nlisten = \n",
        &["2: string values must be quoted, expected literal string"],
    );
    check(
        "[server]\ndatabase = \"a\"\ndatabase = \"b\"",
        &["3: duplicate key"],
    );
    check(
        "server = 1",
        &["1: server: expected a table, found an integer"],
    );
    check(
        "[sevrer]\nx = 1",
        &["1: sevrer: unknown key; did you mean \"server\"?"],
    );
    check(
        "zzz = 1",
        &["1: zzz: unknown key; there are: server, limits, users, sources, storage, workers"],
    );
}

#[test]
fn variables_are_filled_in_after_parsing() {
    let config = good(
        "[[users]]\nname = \"a\"\npassword = \"x${PASSWORD}\"\n\
         [[users]]\nname = \"b\"\npassword = \"$${PASSWORD}\"",
    );
    let passwords: Vec<&str> = config
        .users
        .iter()
        .map(|user| match &user.login {
            UserSecret::Password(secret) => secret.reveal(),
            UserSecret::Scram(_) => panic!("a password was given"),
        })
        .collect();
    assert_eq!(passwords, ["xpa\"ss\nword", "${PASSWORD}"]);
    check(
        "[sources.shop]\nkind = \"postgres\"\nurl = \"postgres://u:${SHOP_PASSWORD}@h/d\"",
        &["3: sources.shop.url: environment variable SHOP_PASSWORD is not set"],
    );
    // What a variable held is not shown; its name is.
    check(
        "[server]\nlisten = \"${PASSWORD}\"",
        &[
            "2: server.listen: \"${PASSWORD}\" is not an address and a port such as \"127.0.0.1:5433\"",
        ],
    );
}

#[test]
fn secrets_come_from_files() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("pw"), "from a file\n").expect("a file");
    let text = "[[users]]\nname = \"a\"\npassword = { file = \"pw\" }";
    let config = Config::parse(text, &folder.path().join("catalog.toml"), &env).expect("good");
    assert!(
        matches!(&config.users[0].login, UserSecret::Password(p) if p.reveal() == "from a file")
    );
    check(
        "[[users]]\nname = \"a\"\npassword = { file = \"no/such\" }",
        &[
            "3: users.password.file: the file \"no/such\" cannot be read: No such file or directory (os error 2)",
        ],
    );
    check(
        "[[users]]\nname = \"a\"\npassword = { flie = \"pw\" }",
        &[
            "3: users.password: \"file\" is missing",
            "3: users.password.flie: unknown key; did you mean \"file\"?",
        ],
    );
}

#[test]
fn users_have_one_secret_and_good_globs() {
    let key = "A".repeat(43);
    let scram = format!("SCRAM-SHA-256$4096:c2FsdA==${key}=:{key}=");
    let config = good(&format!(
        "[[users]]\nname = \"a\"\nscram = \"{scram}\"\nread = [\"shop.*\", \"*\"]"
    ));
    assert!(matches!(&config.users[0].login, UserSecret::Scram(s) if s.reveal() == scram));
    assert_eq!(config.users[0].read, ["shop.*", "*"]);
    assert!(config.users[0].write.is_empty());
    check(
        "[[users]]\nname = \"a\"\n[[users]]\npassword = \"x\"\nscram = \"y\"\n\
         [[users]]\nname = \"a\"\npassword = \"${EMPTY}\"\nread = [\"orders\", \"s.[a]\", \"\"]",
        &[
            "1: users: \"password\" is missing (or \"scram\", its verifier)",
            "3: users: \"name\" is missing",
            "3: users: both \"password\" and \"scram\" are given: keep one",
            "5: users.scram: not a SCRAM verifier: expected SCRAM-SHA-256$<iterations>:<salt>$<stored key>:<server key>, as in pg_authid.rolpassword",
            "6: users: user \"a\" is declared twice",
            "8: users.password: the password is empty",
            "9: users.read: \"orders\" names no schema: expected \"<schema>.<table>\" such as \"shop.*\"",
            "9: users.read: \"s.[a]\" has '[': the only wildcard is '*', any run of characters",
            "9: users.read: an empty pattern matches nothing",
            "9: users.read: \"\" names no schema: expected \"<schema>.<table>\" such as \"shop.*\"",
        ],
    );
    check(
        "[users]\nname = \"a\"",
        &["1: users: expected tables, each under [[users]], found a table"],
    );
}

#[test]
fn an_open_door_is_for_this_machine() {
    check(
        "[server]\nlisten = \"0.0.0.0:5433\"",
        &[
            "2: server.listen: with no [[users]] anyone could connect: add users, or listen on 127.0.0.1 or [::1]",
        ],
    );
    check("[server]\nlisten = \"[::1]:0\"", &[]);
    check(
        "[server]\nlisten = \"0.0.0.0:5433\"\n[[users]]\nname = \"a\"\npassword = \"x\"",
        &[],
    );
}

#[test]
fn postgres_sources() {
    let config = good(SHOP);
    let Source::Postgres(shop) = &config.sources["shop"] else {
        panic!("a postgres source");
    };
    assert_eq!(shop.url.reveal(), "postgres://h/d");
    assert_eq!(shop.schemas["public"], "shop");
    assert_eq!(shop.tables, ["*"]);
    assert_eq!((shop.max_connections, shop.writable), (8, false));
    good("[sources.shop]\nkind = \"postgres\"\nurl = \"host=h password='x y'\"");
    let config = good(&format!(
        "[[users]]\nname = \"ann\"\npassword = \"p\"\n{SHOP}functions = [\"public.f\", \"crm.*\"]\n\
         [sources.shop.roles]\nann = {{ user = \"ann_ro\", password = \"hunter2\" }}"
    ));
    let Source::Postgres(shop) = &config.sources["shop"] else {
        panic!("a postgres source");
    };
    assert_eq!(shop.functions, ["public.f", "crm.*"]);
    assert_eq!(shop.roles["ann"].user, "ann_ro");
    assert!(!format!("{config:?}").contains("hunter2"));
    check(
        &format!(
            "[[users]]\nname = \"ann\"\npassword = \"p\"\n{SHOP}functions = [\"f\", \"public.f?\"]\n\
             [sources.shop.roles]\nanne = {{ user = \"\", pasword = \"hunter2\" }}"
        ),
        &[
            "7: sources.shop.functions: \"f\" names no schema: expected \"<schema>.<function>\" such as \"public.*\"",
            "7: sources.shop.functions: \"public.f?\" has '?': the only wildcard is '*', any run of characters",
            "9: sources.shop.roles.anne: no user \"anne\" is declared; did you mean \"ann\"?",
            "9: sources.shop.roles.anne.user: the user is empty",
            "9: sources.shop.roles.anne.pasword: unknown key; did you mean \"password\"?",
        ],
    );
    check(
        "[sources.shop]\nkind = \"postgres\"\ntabels = [\"*\"]\nmax_connections = -1",
        &[
            "1: sources.shop: \"url\" is missing",
            "3: sources.shop.tabels: unknown key; did you mean \"tables\"?",
            "4: sources.shop.max_connections: -1 is out of range: it must be at least 1",
        ],
    );
    check(
        "[sources.shop]\nkind = \"postgres\"\nurl = \"mysql://u:secret@h/d\"",
        &[
            "3: sources.shop.url: expected postgres://<user>@<host>:<port>/<database>, or key=value pairs as libpq reads them",
        ],
    );
    check(
        "[sources.a]\nkind = \"postgers\"\n[sources.b]\nurl = \"x\"",
        &[
            "2: sources.a.kind: unknown kind \"postgers\"; did you mean \"postgres\"?",
            "3: sources.b: \"kind\" is missing",
        ],
    );
}

#[test]
fn schemas_belong_to_one_source() {
    let source = |name: &str, rest: &str| {
        format!("[sources.{name}]\nkind = \"postgres\"\nurl = \"postgres://h\"\n{rest}\n")
    };
    check(
        &(source("a", "schemas = { public = \"b\", \"x.y\" = \"pg_x\" }") + &source("b", "")),
        &[
            "4: sources.a.schemas.\"x.y\": schema name \"pg_x\" is reserved: \"information_schema\" and names with \"pg_\" are the system's",
            "5: sources.b: schema \"b\" is taken already, by source \"a\"",
        ],
    );
    check(
        &source("information_schema", ""),
        &[
            "1: sources.information_schema: schema name \"information_schema\" is reserved: \"information_schema\" and names with \"pg_\" are the system's",
        ],
    );
}

#[test]
fn storage_is_declared_and_its_keys_exist() {
    let config = good(
        "[sources.lake]\nkind = \"delta\"\ntables = { t = \"s3://b/t\" }\nstorage = \"prod\"\n\
         [storage.prod]\nkind = \"s3\"\nendpoint = \"http://127.0.0.1:9000\"\nallow_http = true\n\
         access_key_id = \"${PASSWORD}\"",
    );
    let prod = &config.storage["prod"];
    assert_eq!(prod.kind, StorageKind::S3);
    assert_eq!(prod.options["allow_http"].reveal(), "true");
    assert_eq!(prod.options["access_key_id"].reveal(), "pa\"ss\nword");
    check(
        "[sources.lake]\nkind = \"delta\"\nstorage = \"prd\"\n\
         [storage.prod]\nkind = \"s3\"\nendpoint = \"127.0.0.1:9000\"\nacces_key_id = \"x\"\n\
         [storage.other]\nkind = \"s4\"",
        &[
            "1: sources.lake: \"tables\" is missing",
            "3: sources.lake.storage: no [storage.prd] is declared; did you mean \"prod\"?",
            "6: storage.prod.endpoint: \"127.0.0.1:9000\" is not a URL that starts with http:// or https://",
            "7: storage.prod.acces_key_id: unknown key; did you mean \"access_key_id\"?",
            "9: storage.other.kind: unknown kind \"s4\"; there are: s3, gcs, azure, http",
        ],
    );
    check(
        "[sources.lake]\nkind = \"delta\"\ntables = { t = \"a\" }\nstorage = \"prod\"",
        &["4: sources.lake.storage: no [storage.prod] is declared; there are none"],
    );
    check(
        "[storage.p]\nkind = \"s3\"\nendpoint = \"ftp://me:secret@h/x\"",
        &[
            "3: storage.p.endpoint: \"ftp://me:***@h/x\" is not a URL that starts with http:// or https://",
        ],
    );
}

#[test]
fn iceberg_has_a_catalog_or_tables() {
    let config = good(
        "[sources.ice]\nkind = \"iceberg\"\n\
         catalog = { type = \"rest\", uri = \"https://p/api\", credential = \"a:b\", headers = { x = \"y\" } }\n\
         namespaces = { sales = \"ice\", \"sales.eu\" = \"ice_eu\" }",
    );
    let Source::Iceberg(ice) = &config.sources["ice"] else {
        panic!("an iceberg source");
    };
    assert_eq!(ice.namespaces["sales.eu"], "ice_eu");
    let catalog = ice.catalog.as_ref().expect("a catalog");
    assert_eq!(catalog.headers["x"].reveal(), "y");
    check(
        "[sources.a]\nkind = \"iceberg\"\n\
         [sources.b]\nkind = \"iceberg\"\ncatalog = { type = \"rset\" }\ntables = { t = \"x\" }\n\
         [sources.c]\nkind = \"iceberg\"\ntables = { t = \"x\" }\nnamespaces = { a = \"b\" }\n\
         [sources.d]\nkind = \"iceberg\"\ncatalog = { type = \"rest\", uri = \"p\", token = \"a\", credential = \"b\" }",
        &[
            "1: sources.a: \"catalog\" is missing (or \"tables\")",
            "5: sources.b.catalog: \"uri\" is missing",
            "5: sources.b.catalog.type: unknown catalog type \"rset\"; did you mean \"rest\"?",
            "6: sources.b.tables: both \"catalog\" and \"tables\" are given: keep one",
            "10: sources.c.namespaces: namespaces are those of a \"catalog\", and none is given",
            "13: sources.d.catalog: both \"credential\" and \"token\" are given: keep one",
            "13: sources.d.catalog.uri: \"p\" is not a URL that starts with http:// or https://",
        ],
    );
}

#[test]
fn files_have_formats() {
    let config = good(
        "[sources.f]\nkind = \"files\"\n[sources.f.tables]\npart = \"data/part/**/*.parquet\"\n\
         log = \"log/*.json.gz\"\n\
         ref = { path = \"ref/*.txt\", format = \"csv\", header = false, delimiter = \";\", quote = \"'\", null = \"NA\" }",
    );
    let Source::Files(files) = &config.sources["f"] else {
        panic!("a files source");
    };
    assert_eq!(files.tables["part"].format, FileFormat::Parquet);
    assert_eq!(files.tables["log"].format, FileFormat::Json);
    let csv = CsvOptions {
        header: false,
        delimiter: b';',
        quote: b'\'',
        null: "NA".into(),
    };
    assert_eq!(files.tables["ref"].csv, csv);
    check(
        "[sources.f]\nkind = \"files\"\n[sources.f.tables]\na = \"data/x\"\nb = \"x**/y.csv\"\nc = 1\n\
         d = { path = \"x.csv\", delimiter = \"::\", quote = \",\" }\ne = { path = \"x.parquet\", header = true }\n\
         f = { format = \"excel\" }",
        &[
            "4: sources.f.tables.a: the name \"data/x\" does not tell the format: expected { path = \"…\", format = \"parquet\" } (or csv, json)",
            "5: sources.f.tables.b: \"x**/y.csv\" has \"**\" beside other characters: it stands for whole folders, as in \"a/**/*.parquet\"",
            "6: sources.f.tables.c: expected a path or { path = \"…\", format = \"…\" }, found an integer",
            "7: sources.f.tables.d.delimiter: \"::\" is not one ASCII character",
            "7: sources.f.tables.d.quote: delimiter and quote are the same character",
            "8: sources.f.tables.e.header: this option is for format = \"csv\"",
            "9: sources.f.tables.f: \"path\" is missing",
            "9: sources.f.tables.f.format: unknown format \"excel\"; there are: parquet, csv, json",
        ],
    );
}

#[test]
fn nothing_shows_a_secret() {
    let config = good(
        "[[users]]\nname = \"a\"\npassword = \"hunter2\"\n\
         [sources.s]\nkind = \"postgres\"\nurl = \"postgres://u:hunter2@h/d\"\n\
         [storage.p]\nkind = \"s3\"\nsecret_access_key = \"hunter2\"",
    );
    assert!(!format!("{config:?}").contains("hunter2"));
    let broken = "[sources.s]\nkind = \"postgres\"\nurl = \"postgres:/u:hunter2@h/d\"\n\
                  [workers]\nnodes = [\"ftp://u:hunter2@h\"]\n[[users]]\nname = \"a\"\nscram = \"hunter2\"";
    let error = parse(broken).expect_err("three mistakes");
    assert_eq!(error.message().lines().count(), 3);
    assert!(!format!("{error:?}").contains("hunter2"));
}

#[test]
fn a_missing_file_is_named() {
    let error = Config::load(Path::new("/no/such/catalog.toml")).expect_err("no such file");
    assert_eq!(
        error.message(),
        "/no/such/catalog.toml cannot be read: No such file or directory (os error 2)"
    );
}

/// The file at the top of the repository, as it is and with its comments live.
#[test]
fn the_sample_file_is_good() {
    let text = include_str!("../../catalog.toml");
    let parse = |text: &str| {
        Config::parse(text, Path::new("catalog.toml"), &|_| {
            Some("postgres://x".into())
        })
    };
    let config = parse(text).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(config.sources.len(), 4);

    let is_setting = |line: &str| {
        line.split_once(" = ")
            .is_some_and(|(key, _)| !key.is_empty() && !key.contains(' '))
            || line.starts_with('[')
    };
    let live: Vec<&str> = text
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(setting) if is_setting(setting) => setting,
            _ => line,
        })
        .collect();
    let error = parse(&live.join("\n")).expect_err("a catalog beside tables");
    let mistakes: Vec<&str> = error.message().lines().collect();
    assert_eq!(mistakes.len(), 1, "{mistakes:#?}");
    assert!(mistakes[0].ends_with("both \"catalog\" and \"tables\" are given: keep one"));
}

#[test]
fn the_other_files_of_the_repository_are_good() {
    for text in [
        include_str!("../../docker/catalog.toml"),
        include_str!("../../tests/fixture/catalog.toml"),
    ] {
        let variable = |_: &str| Some("http://x".into());
        // The Postgres URL of the fixture is a variable as a whole.
        let text = text.replace("${FIXTURE_POSTGRES}", "postgres://x");
        let config = Config::parse(&text, Path::new("catalog.toml"), &variable);
        assert!(config.is_ok(), "{config:?}");
    }
}
