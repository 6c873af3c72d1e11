//! Promises 14, 28 and 33 under load: random transactions of 32 clients over a
//! pool of 8, with an exact oracle. Every transaction enters itself in a journal
//! and adds to cells; additions commute, so what the journal says was committed
//! gives the only state that the cells may have. `benches/transactions` runs more.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use super::rig::{Declared, Route, client_at, error_of, rig, until};
use crate::wire::client::*;

const CLIENTS: usize = 32;
const POOL: usize = 8;
const CELLS: usize = 40;

const DDL: &str = "
    CREATE TABLE shop.cells (id int PRIMARY KEY, value bigint NOT NULL);
    INSERT INTO shop.cells SELECT n, 0 FROM generate_series(0, 39) AS n;
    CREATE TABLE shop.journal (client int, serial int, PRIMARY KEY (client, serial));
    DO $$ BEGIN
        EXECUTE format('ALTER DATABASE %I SET deadlock_timeout = ''30ms''', current_database());
    END $$";

/// What a client knows of one of its transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Committed,
    RolledBack,
    /// It left before it heard.
    Unknown,
}

struct Done {
    outcome: Outcome,
    /// Cell → what was added and not rolled back.
    added: BTreeMap<usize, i64>,
}

struct Worker {
    address: SocketAddr,
    number: usize,
    random: u64,
    client: Client,
    zone: &'static str,
    done: Vec<Done>,
}

/// What a transaction has done so far.
#[derive(Default)]
struct Open {
    added: BTreeMap<usize, i64>,
    failed: bool,
}

const ZONES: [&str; 3] = ["UTC", "Asia/Tokyo", "America/Lima"];

impl Worker {
    fn new(address: SocketAddr, number: usize) -> Worker {
        let mut worker = Worker {
            address,
            number,
            random: 0x9e37_79b9 ^ ((number as u64 + 1) * 7919),
            client: client_at(address, Route::Relay),
            zone: "UTC",
            done: Vec::new(),
        };
        worker.enter();
        worker
    }

    fn next(&mut self, below: usize) -> usize {
        self.random = self
            .random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) as usize % below
    }

    fn reconnect(&mut self) {
        self.client = client_at(self.address, Route::Relay);
        self.enter();
    }

    /// A new session has nothing of another's; then it gets what is its own.
    fn enter(&mut self) {
        let seen = "SELECT current_setting('TimeZone') || coalesce(current_setting('my.tag', true), '') \
             FROM shop.cells WHERE id = 0";
        self.client.query("SET narrows.route = auto");
        assert_eq!(self.client.value(seen), "UTC");
        self.zone = ZONES[self.next(3)];
        let number = self.number;
        self.client.query(&format!(
            "SET TimeZone = '{}'; SET my.tag = '{number}'",
            self.zone
        ));
        self.client.query(&format!(
            "PREPARE mine AS SELECT {number} AS n FROM shop.cells WHERE id = 0"
        ));
        let add = parse(
            "add",
            "UPDATE shop.cells SET value = value + $1 WHERE id = $2",
            &[20, 23],
        );
        self.client.send(&[add, sync()].concat());
        assert_eq!(kinds(&self.client.until_ready()), "1Z");
    }

    fn is_its_own(&mut self) {
        let seen = "SELECT current_setting('TimeZone') || current_setting('my.tag') FROM shop.cells WHERE id = 0";
        assert_eq!(
            self.client.value(seen),
            format!("{}{}", self.zone, self.number)
        );
        assert_eq!(self.client.value("EXECUTE mine"), self.number.to_string());
    }

    fn entry(&self) -> String {
        format!(
            "INSERT INTO shop.journal VALUES ({}, {})",
            self.number,
            self.done.len()
        )
    }

    fn transaction(&mut self) {
        if self.next(6) == 0 {
            self.is_its_own();
        }
        let done = match self.next(10) {
            0 => self.message(),
            1 => self.pipeline(),
            _ => self.block(),
        };
        self.done.push(done);
    }

    /// Several statements of one message.
    fn message(&mut self) -> Done {
        let (cell, amount) = (self.next(CELLS), self.next(100) as i64);
        let end = [
            "",
            "; SELECT 1 / (id - id) FROM shop.cells",
            "; SELECT count(*) FROM shop.cells",
        ][self.next(3)];
        let sql = format!(
            "{}; UPDATE shop.cells SET value = value + {amount} WHERE id = {cell}{end}",
            self.entry()
        );
        let messages = self.client.query(&sql);
        assert_eq!(status(&messages), 'I');
        Done {
            outcome: outcome(&messages),
            added: BTreeMap::from([(cell, amount)]),
        }
    }

    /// Several statements up to a Sync.
    fn pipeline(&mut self) -> Done {
        let (cell, amount) = (self.next(CELLS), self.next(100) as i64);
        let mut bytes = [
            parse("", &self.entry(), &[]),
            bind("", "", &[], [&[], &[]]),
            execute("", 0),
        ]
        .concat();
        bytes.extend(self.addition(cell, amount));
        if self.next(3) == 0 {
            bytes.extend(
                [
                    parse("", "SELECT 1 / (id - id) FROM shop.cells", &[]),
                    bind("", "", &[], [&[], &[]]),
                    execute("", 0),
                ]
                .concat(),
            );
        }
        bytes.extend(sync());
        self.client.send(&bytes);
        let messages = self.client.until_ready();
        assert_eq!(status(&messages), 'I');
        Done {
            outcome: outcome(&messages),
            added: BTreeMap::from([(cell, amount)]),
        }
    }

    fn addition(&self, cell: usize, amount: i64) -> Vec<u8> {
        let (amount, cell) = (amount.to_string(), cell.to_string());
        let values = [Some(amount.as_bytes()), Some(cell.as_bytes())];
        [bind("", "add", &values, [&[], &[]]), execute("", 0)].concat()
    }

    fn block(&mut self) -> Done {
        let mut open = Open::default();
        let begin = [
            "BEGIN",
            "BEGIN",
            "BEGIN ISOLATION LEVEL SERIALIZABLE",
            "START TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        ][self.next(4)];
        self.client.query(begin);
        let entry = self.entry();
        self.step(&mut open, &entry);
        for _ in 0..self.next(5) {
            match self.next(8) {
                0..=2 => self.add(&mut open),
                3 => self.prepared_add(&mut open),
                4 | 5 => self.within_savepoint(&mut open),
                6 => self.sees_itself(&mut open),
                _ => {
                    self.step(&mut open, "SET LOCAL my.local = 'x'");
                }
            }
        }
        let outcome = self.end(&open);
        Done {
            outcome,
            added: open.added,
        }
    }

    /// One statement; after an error the rest is refused.
    fn step(&mut self, open: &mut Open, sql: &str) -> bool {
        let messages = self.client.query(sql);
        self.judge(open, &messages)
    }

    fn judge(&mut self, open: &mut Open, messages: &[Message]) -> bool {
        if let Ok(error) = error_of(messages) {
            let code = error.code();
            let expected = ["25P02", "40001", "40P01", "22012"].contains(&code.as_str());
            assert!(expected, "{}", error.text());
            assert_eq!(open.failed, code == "25P02");
            open.failed = true;
        }
        assert_eq!(status(messages), if open.failed { 'E' } else { 'T' });
        !open.failed
    }

    fn add(&mut self, open: &mut Open) {
        let (cell, amount) = (self.next(CELLS), self.next(100) as i64);
        let sql = format!("UPDATE shop.cells SET value = value + {amount} WHERE id = {cell}");
        if self.step(open, &sql) {
            *open.added.entry(cell).or_default() += amount;
        }
    }

    fn prepared_add(&mut self, open: &mut Open) {
        let (cell, amount) = (self.next(CELLS), self.next(100) as i64);
        let bytes = [self.addition(cell, amount), sync()].concat();
        self.client.send(&bytes);
        let messages = self.client.until_ready();
        if self.judge(open, &messages) {
            *open.added.entry(cell).or_default() += amount;
        }
    }

    /// Work that is rolled back or kept, with an error in it or not.
    fn within_savepoint(&mut self, open: &mut Open) {
        if open.failed {
            return;
        }
        let before = open.added.clone();
        self.step(open, "SAVEPOINT \"a point\"");
        self.add(open);
        let mut fails = self.next(3) == 0;
        if fails && !open.failed {
            self.step(open, "SELECT 1 / (id - id) FROM shop.cells");
        }
        fails = open.failed;
        if fails || self.next(2) == 0 {
            let messages = self.client.query("ROLLBACK TO \"a point\"");
            assert_eq!(status(&messages), 'T');
            open.failed = false;
            open.added = before;
        }
        self.step(open, "RELEASE \"a point\"");
    }

    /// The engine reads what the transaction wrote.
    fn sees_itself(&mut self, open: &mut Open) {
        if open.failed {
            return;
        }
        self.client.query("SET narrows.route = engine");
        let sql = format!(
            "SELECT count(*) FROM shop.journal WHERE client = {} AND serial = {}",
            self.number,
            self.done.len()
        );
        let messages = self.client.query(&sql);
        if self.judge(open, &messages) {
            let row = messages
                .iter()
                .find(|message| message.kind == 'D')
                .expect("a row");
            assert_eq!(row.values()[0].as_deref(), Some(&b"1"[..]));
            self.client.query("SET narrows.route = auto");
        }
    }

    fn end(&mut self, open: &Open) -> Outcome {
        match self.next(20) {
            0..=3 => {
                assert_eq!(status(&self.client.query("ROLLBACK")), 'I');
                Outcome::RolledBack
            }
            4 => {
                self.reconnect();
                Outcome::RolledBack
            }
            5 => {
                self.client.send(&message(b'X', b""));
                self.reconnect();
                Outcome::RolledBack
            }
            6 => {
                self.client.send(&query("COMMIT"));
                self.reconnect();
                Outcome::Unknown
            }
            7 => {
                let socket = socket2::SockRef::from(&self.client.socket);
                socket.set_linger(Some(Duration::ZERO)).expect("set");
                self.reconnect();
                Outcome::RolledBack
            }
            _ => {
                let messages = self.client.query("COMMIT");
                assert_eq!(status(&messages), 'I');
                let tag = messages.iter().find(|message| message.kind == 'C');
                match (open.failed, error_of(&messages).is_ok()) {
                    (true, _) => {
                        assert_eq!(tag.expect("a tag").text(), "ROLLBACK");
                        Outcome::RolledBack
                    }
                    (false, true) => Outcome::RolledBack,
                    (false, false) => {
                        assert_eq!(tag.expect("a tag").text(), "COMMIT");
                        Outcome::Committed
                    }
                }
            }
        }
    }
}

fn outcome(messages: &[Message]) -> Outcome {
    match error_of(messages) {
        Ok(_) => Outcome::RolledBack,
        Err(_) => Outcome::Committed,
    }
}

#[test]
fn promises_14_28_33_random_transactions_leave_what_their_journal_says() {
    let wanted = std::env::var("NARROWS_TEST_TRANSACTIONS").ok();
    let wanted: usize = wanted.map_or(500, |text| text.parse().expect("a number"));
    let Some(rig) = rig(&Declared {
        ddl: DDL,
        max_connections: POOL,
        writable: true,
        options: "sslmode=disable&connect_timeout=10",
        ..Declared::default()
    }) else {
        return;
    };
    let address = rig.server.address;
    let histories: Vec<Vec<Done>> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..CLIENTS)
            .map(|number| {
                scope.spawn(move || {
                    let mut worker = Worker::new(address, number);
                    for _ in 0..wanted.div_ceil(CLIENTS) {
                        worker.transaction();
                    }
                    worker.is_its_own();
                    worker.done
                })
            })
            .collect();
        workers
            .into_iter()
            .map(|worker| worker.join().expect("no panic"))
            .collect()
    });
    until(
        "the end of what clients left",
        Duration::from_secs(5),
        || rig.source.backends("state <> 'idle'") == 0,
    );

    let number = |text: &Option<String>| {
        text.as_ref()
            .and_then(|text| text.parse::<i64>().ok())
            .expect("a number")
    };
    let journal: BTreeSet<(usize, usize)> = rig
        .source
        .rows("SELECT client, serial FROM shop.journal")
        .iter()
        .map(|row| (number(&row[0]) as usize, number(&row[1]) as usize))
        .collect();
    let mut expected = BTreeMap::from_iter((0..CELLS).map(|cell| (cell, 0)));
    let mut counts = [0; 3];
    for (client, history) in histories.iter().enumerate() {
        for (serial, done) in history.iter().enumerate() {
            let entered = journal.contains(&(client, serial));
            counts[done.outcome as usize] += 1;
            match done.outcome {
                Outcome::Committed => assert!(entered, "{client}/{serial} was lost"),
                Outcome::RolledBack => assert!(!entered, "{client}/{serial} was rolled back"),
                Outcome::Unknown => {}
            }
            if entered {
                for (cell, amount) in &done.added {
                    *expected.entry(*cell).or_default() += amount;
                }
            }
        }
    }
    let cells: BTreeMap<usize, i64> = rig
        .source
        .rows("SELECT id, value FROM shop.cells")
        .iter()
        .map(|row| (number(&row[0]) as usize, number(&row[1])))
        .collect();
    assert_eq!(cells, expected);
    let [committed, rolled_back, unknown] = counts;
    println!("{committed} committed, {rolled_back} rolled back, {unknown} left before they heard");
    assert!(committed > 0 && rolled_back > 0);
    assert!(rig.source.backends("true") <= POOL + 2);
    rig.pool_is_whole(POOL);
}
