//! The log on stderr. One line a statement is written, so lines are collected
//! for a moment and written together; a warning takes everything before it with
//! it at once. Set up by `main`.
//!
//! The line of a statement is written without the subscriber's machinery, which
//! costs more than relaying a short statement does.

use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::DateTime;

use tracing::{Level, Metadata};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// How long a line may wait.
const MOMENT: Duration = Duration::from_millis(50);
/// Bytes that are written without waiting any longer.
const ENOUGH: usize = 32 * 1024;

/// Where statements' lines go; unset, they go to the subscriber.
static STATEMENTS: OnceLock<Arc<Lines>> = OnceLock::new();

/// Writes what is left when it is dropped.
pub struct Log(Arc<Lines>);

/// What the log says of a statement: never its text or values.
#[derive(Debug)]
pub struct Statement<'a> {
    pub user: &'a str,
    pub pid: i32,
    pub route: &'a str,
    pub rows: u64,
    pub took: Duration,
    pub sqlstate: &'a str,
}

impl Statement<'_> {
    /// One line at info.
    pub fn log(&self) {
        if !tracing::enabled!(Level::INFO) {
            return;
        }
        let Statement {
            user,
            pid,
            route,
            rows,
            sqlstate,
            ..
        } = self;
        let ms = u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX);
        let Some(lines) = STATEMENTS.get() else {
            tracing::info!(%user, pid, route, rows, ms, sqlstate, "statement");
            return;
        };
        lines.add(ENOUGH, |out, clock| {
            clock.write(SystemTime::now(), out);
            // without the formatting of the standard library, which costs as much
            // as all that the relay does with a row
            let mut number = itoa::Buffer::new();
            let mut add = |text: &str| out.extend_from_slice(text.as_bytes());
            add("  INFO statement user=");
            add(user);
            add(" pid=");
            add(number.format(*pid));
            add(" route=\"");
            add(route);
            add("\" rows=");
            add(number.format(*rows));
            add(" ms=");
            add(number.format(ms));
            add(" sqlstate=\"");
            add(sqlstate);
            add("\"\n");
        });
    }
}

/// `NARROWS_LOG` is a filter such as `narrows=debug`.
pub fn to_stderr() -> Log {
    let filter = EnvFilter::try_from_env("NARROWS_LOG")
        .unwrap_or_else(|_| EnvFilter::new("warn,narrows=info"));
    let lines = Arc::new(Lines::default());
    let writer = lines.clone();
    // without the thread, lines are written by those that come after them
    let started = std::thread::Builder::new()
        .name("log".into())
        .spawn(move || writer.write_now_and_then());
    let terminal = io::stderr().is_terminal();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(Collector(lines.clone()))
        .with_ansi(terminal)
        .init();
    if !terminal {
        let _ = STATEMENTS.set(lines.clone());
    }
    if let Err(error) = started {
        tracing::warn!("the log has no thread of its own: {error}");
    }
    Log(lines)
}

impl Drop for Log {
    fn drop(&mut self) {
        write(&mut self.0.lock().lines);
    }
}

#[derive(Default)]
struct Lines {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
}

#[derive(Default)]
struct Waiting {
    lines: Vec<u8>,
    clock: Clock,
}

/// Writes the time; the same second is not worked out twice.
#[derive(Default)]
struct Clock {
    second: u64,
    text: String,
}

impl Clock {
    /// As the subscriber writes it: `2026-01-31T12:30:00.123456Z`.
    fn write(&mut self, now: SystemTime, out: &mut Vec<u8>) {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        if self.second != now.as_secs() || self.text.is_empty() {
            self.second = now.as_secs();
            self.text = i64::try_from(self.second)
                .ok()
                .and_then(|second| DateTime::from_timestamp(second, 0))
                .unwrap_or_default()
                .format("%Y-%m-%dT%H:%M:%S")
                .to_string();
        }
        out.extend_from_slice(self.text.as_bytes());
        out.push(b'.');
        let mut rest = now.subsec_micros();
        for place in [100_000, 10_000, 1_000, 100, 10, 1] {
            out.push(b'0' + (rest / place) as u8);
            rest %= place;
        }
        out.push(b'Z');
    }
}

impl Lines {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // what is held is text: a panic elsewhere leaves at worst half a line
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a line; more than `enough` bytes are written at once.
    fn add(&self, enough: usize, line: impl FnOnce(&mut Vec<u8>, &mut Clock)) {
        let mut waiting = self.lock();
        let Waiting { lines, clock } = &mut *waiting;
        let first = lines.is_empty();
        line(lines, clock);
        if lines.len() > enough {
            write(lines);
        } else if first {
            self.arrived.notify_one();
        }
    }

    fn write_now_and_then(&self) {
        loop {
            let waiting = self.lock();
            drop(
                self.arrived
                    .wait_while(waiting, |waiting| waiting.lines.is_empty())
                    .unwrap_or_else(PoisonError::into_inner),
            );
            std::thread::sleep(MOMENT);
            write(&mut self.lock().lines);
        }
    }
}

/// There is nobody to tell when stderr is closed.
fn write(lines: &mut Vec<u8>) {
    let _ = io::stderr().write_all(lines);
    lines.clear();
}

struct Collector(Arc<Lines>);

impl<'a> MakeWriter<'a> for Collector {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line {
            lines: &self.0,
            enough: 0,
        }
    }

    fn make_writer_for(&'a self, event: &Metadata<'_>) -> Line<'a> {
        Line {
            lines: &self.0,
            enough: match *event.level() <= Level::WARN {
                true => 0,
                false => ENOUGH,
            },
        }
    }
}

/// Takes one line.
struct Line<'a> {
    lines: &'a Lines,
    enough: usize,
}

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.lines
            .add(self.enough, |lines, _| lines.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_written_with_microseconds() {
        let mut clock = Clock::default();
        for (at, expected) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (1_500, "1970-01-01T00:00:00.001500Z"),
            (86_400_000_007, "1970-01-02T00:00:00.000007Z"),
        ] {
            let mut out = Vec::new();
            clock.write(UNIX_EPOCH + Duration::from_micros(at), &mut out);
            assert_eq!(String::from_utf8_lossy(&out), expected);
        }
    }
}
