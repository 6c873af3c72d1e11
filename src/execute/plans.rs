//! Plans of statements that came lately, for the session that sent them: what a
//! dashboard or a driver asks again is not planned again.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::catalog::Catalog;
use crate::plan::{Planned, Statement};
use crate::semantics::SessionVars;
use crate::types::PgType;

/// Of all sessions together.
const MOST: usize = 256;
/// Longer texts are not worth comparing.
const LONGEST: usize = 8 << 10;

#[derive(Debug, Default)]
pub(super) struct Plans(Mutex<VecDeque<Kept>>);

#[derive(Debug)]
struct Kept {
    text: Box<str>,
    declared: Box<[Option<PgType>]>,
    /// Not kept alive by it.
    catalog: Weak<Catalog>,
    vars: SessionVars,
    planned: Planned,
}

/// All that a plan is made from.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub statement: &'a Statement,
    pub declared: &'a [Option<PgType>],
    pub catalog: &'a Arc<Catalog>,
    pub vars: &'a SessionVars,
}

impl Plans {
    pub fn find_or_plan<E>(
        &self,
        asked: Asked<'_>,
        plan: impl FnOnce() -> Result<Planned, E>,
    ) -> Result<Planned, E> {
        if let Some(planned) = self.find(asked) {
            return Ok(planned);
        }
        let planned = plan()?;
        if asked.statement.text.len() <= LONGEST {
            self.keep(asked, planned.clone());
        }
        Ok(planned)
    }

    pub fn find(&self, asked: Asked<'_>) -> Option<Planned> {
        let mut kept = self.lock();
        let at = kept.iter().rposition(|kept| kept.is_of(asked))?;
        // of a catalog that is no more: planned again
        let found = kept.remove(at)?;
        if !std::ptr::eq(found.catalog.as_ptr(), Arc::as_ptr(asked.catalog)) {
            return None;
        }
        let planned = found.planned.clone();
        kept.push_back(found);
        Some(planned)
    }

    fn keep(&self, asked: Asked<'_>, planned: Planned) {
        let mut kept = self.lock();
        if kept.len() >= MOST {
            kept.pop_front();
        }
        kept.push_back(Kept {
            text: asked.statement.text.as_str().into(),
            declared: asked.declared.into(),
            catalog: Arc::downgrade(asked.catalog),
            vars: asked.vars.clone(),
            planned,
        });
    }

    /// What is held is a list: a panic elsewhere cannot have left it half changed.
    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn is_of(&self, asked: Asked<'_>) -> bool {
        *self.text == *asked.statement.text
            && *self.declared == *asked.declared
            && self.vars.plans_as(asked.vars)
    }
}
