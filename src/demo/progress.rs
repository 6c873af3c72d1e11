//! How far the making of data is, on stderr: one line that is redrawn on a
//! terminal, one line a step elsewhere. The writers of data advance it from
//! many threads.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

const REDRAW: Duration = Duration::from_millis(100);

#[derive(Debug, Clone)]
pub struct Progress(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    place: Place,
    done: AtomicU64,
    step: Mutex<Step>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Terminal,
    Log,
    Nowhere,
}

#[derive(Debug)]
struct Step {
    what: String,
    /// Rows, about.
    total: u64,
    began: Instant,
    drawn: Instant,
}

impl Progress {
    pub fn on_stderr() -> Self {
        Progress::new(if std::io::stderr().is_terminal() {
            Place::Terminal
        } else {
            Place::Log
        })
    }

    pub fn silent() -> Self {
        Progress::new(Place::Nowhere)
    }

    fn new(place: Place) -> Self {
        let now = Instant::now();
        Progress(Arc::new(Shared {
            place,
            done: AtomicU64::new(0),
            step: Mutex::new(Step {
                what: String::new(),
                total: 0,
                began: now,
                drawn: now,
            }),
        }))
    }

    /// A line between steps.
    pub fn note(&self, line: &str) {
        if self.0.place != Place::Nowhere {
            let _ = writeln!(std::io::stderr().lock(), "{line}");
        }
    }

    /// Begins a step of about `total` rows.
    pub fn begin(&self, what: impl Into<String>, total: u64) {
        let now = Instant::now();
        self.0.done.store(0, Ordering::Relaxed);
        let mut step = self.0.step.lock().unwrap_or_else(PoisonError::into_inner);
        *step = Step {
            what: what.into(),
            total,
            began: now,
            drawn: now,
        };
        if self.0.place == Place::Terminal {
            draw(&step, 0);
        }
    }

    pub fn advance(&self, rows: u64) {
        let done = self.0.done.fetch_add(rows, Ordering::Relaxed) + rows;
        if self.0.place != Place::Terminal {
            return;
        }
        // A thread that finds another one drawing has nothing to add.
        if let Ok(mut step) = self.0.step.try_lock()
            && step.drawn.elapsed() > REDRAW
        {
            step.drawn = Instant::now();
            draw(&step, done);
        }
    }

    /// Ends the step with the rows that it really had.
    pub fn finish(&self, rows: u64) {
        let step = self.0.step.lock().unwrap_or_else(PoisonError::into_inner);
        let seconds = step.began.elapsed().as_secs_f64();
        let line = format!("  {:<44} {rows:>11} rows  {seconds:>6.1} s", step.what);
        let mut err = std::io::stderr().lock();
        // Where stderr is closed there is nobody to tell.
        let _ = match self.0.place {
            Place::Terminal => writeln!(err, "\r\x1b[K{line}"),
            Place::Log => writeln!(err, "{line}"),
            Place::Nowhere => Ok(()),
        };
    }
}

fn draw(step: &Step, done: u64) {
    let percent = (done * 100).checked_div(step.total).unwrap_or(0).min(99);
    let mut err = std::io::stderr().lock();
    let _ = write!(err, "\r\x1b[K  {:<44} {percent:>3} %", step.what);
    let _ = err.flush();
}
