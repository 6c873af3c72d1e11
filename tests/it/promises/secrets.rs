//! Promise 30: the passwords of users and of sources are in no answer, no error
//! and no line of the log, at whatever level it is written.

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::rig::{Declared, rig, until};

const USERS: &str = "pass of the user Käse";
const SOURCES: &str = "pass of the source";

#[test]
fn promise_30_passwords_are_told_to_nobody() {
    let Some(rig) = rig(&Declared {
        ddl: "DO $$ BEGIN
                  EXECUTE format('CREATE ROLE %I LOGIN SUPERUSER PASSWORD %L', 'role ' || current_database(), 'pass of the source');
              END $$",
        ..Declared::default()
    }) else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let catalog = folder.path().join("catalog.toml");
    let role = format!("role {}", rig.source.name());
    let mut good = rig.source.url.clone();
    good.set_username(&role).expect("a name");
    good.set_password(Some(SOURCES)).expect("a password");
    let mut wrong = good.clone();
    wrong
        .set_password(Some("wrong pass of the source"))
        .expect("a password");
    let mut down = good.clone();
    down.set_port(Some(1)).expect("a port");
    std::fs::write(
        &catalog,
        format!(
            "[server]\nlisten = \"127.0.0.1:0\"\n[[users]]\nname = \"ann\"\npassword = \"{USERS}\"\nread = [\"*\"]\n\
             [sources.shop]\nkind = \"postgres\"\nurl = \"{good}\"\nschemas = {{ shop = \"shop\" }}\n\
             [sources.wrong]\nkind = \"postgres\"\nurl = \"{wrong}\"\n\
             [sources.down]\nkind = \"postgres\"\nurl = \"{down}\"\n"
        ),
    )
    .expect("written");
    let log = folder.path().join("log");
    let mut server = Command::new(env!("CARGO_BIN_EXE_narrows"))
        .args(["serve", "--catalog"])
        .arg(&catalog)
        .env("RUST_LOG", "trace")
        .stdin(Stdio::null())
        .stdout(std::fs::File::create(&log).expect("a file"))
        .stderr(
            std::fs::File::options()
                .append(true)
                .open(&log)
                .expect("the same"),
        )
        .spawn()
        .expect("the server starts");
    let mut said = String::new();
    until("the start", Duration::from_secs(60), || {
        said = String::from_utf8_lossy(&std::fs::read(&log).expect("readable")).into_owned();
        said.contains("listening on ")
    });
    let (_, rest) = said.split_once("listening on ").expect("an address");
    let port = rest
        .split_whitespace()
        .next()
        .and_then(|address| address.rsplit(':').next());
    let port: String = port
        .expect("a port")
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    let mut told = String::new();
    for (password, statements) in [
        (
            USERS,
            "SHOW ALL; SELECT * FROM pg_settings; SELECT * FROM pg_authid; SELECT * FROM pg_roles; SELECT * FROM pg_user; SELECT * FROM pg_stat_activity",
        ),
        (
            USERS,
            "EXPLAIN (VERBOSE, ANALYZE) SELECT count(*) FROM shop.items; SELECT nothing FROM shop.items; SELECT 1 FROM wrong.x; SELECT 1 FROM down.x",
        ),
        (
            USERS,
            "SET narrows.route = engine; EXPLAIN (VERBOSE, ANALYZE) SELECT * FROM shop.items; SELECT * FROM wrong.x; SELECT * FROM down.x; SHOW ALL",
        ),
        ("another pass of the user", "SELECT 1"),
    ] {
        let arguments = statements.split("; ").flat_map(|sql| ["-c", sql]);
        let output = Command::new("psql")
            .args([
                "-XAt",
                "-v",
                "VERBOSITY=verbose",
                "-h",
                "127.0.0.1",
                "-p",
                &port,
                "-U",
                "ann",
                "-d",
                "narrows",
            ])
            .args(arguments)
            .env("PGPASSWORD", password)
            .stdin(Stdio::null())
            .output()
            .expect("psql runs");
        told += &String::from_utf8_lossy(&output.stdout);
        told += &String::from_utf8_lossy(&output.stderr);
    }
    assert!(
        told.contains("1000") || told.contains("rows="),
        "nothing ran: {told}"
    );
    Command::new("kill")
        .arg(server.id().to_string())
        .status()
        .expect("kill runs");
    server.wait().expect("ended");
    let mut logged = String::new();
    std::fs::File::open(&log)
        .expect("there")
        .read_to_string(&mut logged)
        .expect("text");
    assert!(logged.lines().count() > 20, "no log: {logged}");
    let encoded = url::form_urlencoded::byte_serialize(SOURCES.as_bytes()).collect::<String>();
    for secret in [USERS, SOURCES, &encoded, &encoded.replace('+', "%20")] {
        assert!(!told.contains(secret), "told: {secret}");
        let line = logged.lines().find(|line| line.contains(secret));
        assert!(line.is_none(), "logged: {line:?}");
    }
    rig.source.run("DO $$ BEGIN EXECUTE format('ALTER ROLE %I NOLOGIN', 'role ' || current_database()); END $$");
}
