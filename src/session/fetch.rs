//! DECLARE, FETCH and MOVE: forward only, rows as they are asked for. Called by
//! `answer`.

use super::Session;
use super::answer::{ALL, Answer, Bound, Running, Tag};
use super::commands::{Command, CursorOutput, Direction, Hold, Purpose};
use super::drift::Columns;
use super::portals::{Format, Portal, Progress};
use super::prepared::{Parsed, SessionStatement};
use crate::error::{Error, Result, SqlState};
use crate::types::PgType;

impl Session {
    pub(super) async fn declare(
        &mut self,
        name: &str,
        hold: Hold,
        output: CursorOutput,
        start: usize,
        statement: &SessionStatement,
        bound: Bound,
    ) -> Result<()> {
        if hold == Hold::Transaction {
            self.need_block("DECLARE CURSOR")?;
        }
        let text = statement.text.get(start..).unwrap_or_default();
        let parsed = self.inner_query(text, statement, start)?;
        let types = bound.types.into_iter().map(Some).collect();
        let prepared = Box::pin(self.prepare(parsed, types)).await?;
        if prepared.parameters.len() != bound.values.len() {
            return Err(Error::new(
                SqlState::UNDEFINED_PARAMETER,
                "there is no parameter $1",
            ));
        }
        let columns = prepared.columns.as_ref().map_or(0, |s| s.fields().len());
        let format = match output {
            CursorOutput::Text => Format::Text,
            CursorOutput::Binary => Format::Binary,
        };
        let portal = Portal {
            prepared,
            parameters: bound.values,
            formats: vec![format; columns],
            progress: Progress::NotStarted,
            hold,
            depth: self.transaction.depth(),
        };
        self.portals.put(name, portal)
    }

    /// The parameters of the query inside DECLARE; other commands have none.
    pub(super) async fn command_parameters(
        &mut self,
        statement: &SessionStatement,
        declared: Vec<Option<PgType>>,
    ) -> Result<Vec<PgType>> {
        let Command::Declare { query, .. } = &statement.command else {
            return Ok(Vec::new());
        };
        let text = statement.text.get(query.start..).unwrap_or_default();
        let parsed = self.inner_query(text, statement, query.start)?;
        let prepared = Box::pin(self.prepare(parsed, declared)).await?;
        Ok(prepared.parameters.clone())
    }

    pub(super) async fn fetch(
        &mut self,
        name: &str,
        direction: Direction,
        purpose: Purpose,
    ) -> Result<Answer> {
        let most = match direction {
            Direction::Forward(count) => count,
            Direction::All => ALL,
            Direction::Backward => {
                self.portals.cursor(name)?;
                return Err(Error::new(
                    SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
                    "cursor can only scan forward",
                )
                .with_hint("Declare it with SCROLL option to enable backward scan."));
            }
        };
        let mut running = self.open_cursor(name).await?;
        running.most = most;
        if purpose == Purpose::Fetch {
            return Ok(Answer::Rows(running));
        }
        let mut moved = 0;
        while moved < most {
            match running.cursor.next(most - moved).await? {
                Some(batch) => moved += batch.num_rows() as u64,
                None => break,
            }
        }
        self.finish(running);
        Ok(Answer::Done(format!("MOVE {moved}")))
    }

    /// A cursor's rows from where it stands.
    async fn open_cursor(&mut self, name: &str) -> Result<Running> {
        let portal = self.portals.cursor(name)?;
        let prepared = portal.prepared.clone();
        let binary = portal.formats.contains(&Format::Binary);
        let formats = binary.then(|| portal.formats.clone());
        let progress = std::mem::replace(&mut portal.progress, Progress::Lent);
        let mut running = match (progress, &prepared.parsed) {
            (Progress::Open(cursor), _) => Running {
                cursor,
                tag: Tag::Fetch,
                most: ALL,
                formats: None,
                route: None,
                origin: None,
            },
            (Progress::NotStarted, Parsed::Query(statement)) => {
                let parameters = std::mem::take(&mut portal.parameters);
                self.run_query(statement, &prepared, parameters, Columns::Described)
                    .await?
            }
            _ => {
                return Err(Error::new(
                    SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
                    format!("portal \"{name}\" cannot be run"),
                ));
            }
        };
        running.tag = Tag::Fetch;
        running.formats = formats;
        running.origin = Some(name.to_string());
        Ok(running)
    }
}
