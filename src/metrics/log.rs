//! The log on stderr. One line a statement is written, so lines are collected
//! for a moment and written together; a warning takes everything before it with
//! it at once. Set up by `main`.

use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tracing::{Level, Metadata};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// How long a line may wait.
const MOMENT: Duration = Duration::from_millis(50);
/// Bytes that are written without waiting any longer.
const ENOUGH: usize = 32 * 1024;

/// Writes what is left when it is dropped.
pub struct Log(Arc<Lines>);

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
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(Collector(lines.clone()))
        .with_ansi(io::stderr().is_terminal())
        .init();
    if let Err(error) = started {
        tracing::warn!("the log has no thread of its own: {error}");
    }
    Log(lines)
}

impl Drop for Log {
    fn drop(&mut self) {
        write(&mut self.0.lock());
    }
}

#[derive(Default)]
struct Lines {
    waiting: Mutex<Vec<u8>>,
    arrived: Condvar,
}

impl Lines {
    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        // what is held is text: a panic elsewhere leaves at worst half a line
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_now_and_then(&self) {
        loop {
            let waiting = self.lock();
            drop(
                self.arrived
                    .wait_while(waiting, |lines| lines.is_empty())
                    .unwrap_or_else(PoisonError::into_inner),
            );
            std::thread::sleep(MOMENT);
            write(&mut self.lock());
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
        let mut waiting = self.lines.lock();
        let first = waiting.is_empty();
        waiting.extend_from_slice(bytes);
        if waiting.len() > self.enough {
            write(&mut waiting);
        } else if first {
            self.lines.arrived.notify_one();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
