//! SQL's PREPARE and EXECUTE, over the statements of the protocol's Parse. Called
//! by `answer`.

use datafusion::scalar::ScalarValue;

use super::Session;
use super::answer::{Answer, Bound};
use super::cursor::RowCursor;
use super::drift::Columns;
use super::prepared::{Parsed, SessionStatement};
use crate::error::{Error, Result, SqlState};
use crate::types::PgType;

impl Session {
    pub(super) async fn prepare_command(
        &mut self,
        name: &str,
        types: &[String],
        text: &str,
        statement: &SessionStatement,
        start: usize,
    ) -> Result<()> {
        self.prepared.check_free(name)?;
        let before = statement.text[..start].chars().count();
        let parsed = match self.read_relay(text, statement.offset + before)? {
            Some(relayed) => relayed,
            None => self.inner_query(text, statement, start)?,
        };
        let source = match &parsed {
            Parsed::Relay(relayed) => Some(relayed.source.clone()),
            _ => None,
        };
        let declared = types
            .iter()
            .map(|written| self.declared_type(written, source.as_ref()))
            .collect::<Result<Vec<_>>>()?;
        let prepared = self.prepare(parsed, declared).await?;
        if let Some(relay) = &prepared.relay {
            self.prepare_there(relay).await?;
        }
        self.prepared.put(name, prepared);
        Ok(())
    }

    /// The one query inside a statement of the session.
    pub(super) fn inner_query(
        &self,
        text: &str,
        statement: &SessionStatement,
        start: usize,
    ) -> Result<Parsed> {
        let before = statement.text[..start].chars().count();
        let mut parsed = self.parse_query(text, statement.offset + before)?;
        match (parsed.pop(), parsed.pop()) {
            (Some(one), None) => Ok(one),
            _ => Err(Error::new(
                SqlState::SYNTAX_ERROR,
                "exactly one query is expected",
            )),
        }
    }

    pub(super) async fn execute_command(
        &mut self,
        name: &str,
        arguments: &[String],
    ) -> Result<Answer> {
        let prepared = self.prepared.get(name)?;
        if arguments.len() != prepared.parameters.len() {
            return Err(Error::new(
                SqlState::SYNTAX_ERROR,
                format!("wrong number of parameters for prepared statement \"{name}\""),
            )
            .with_detail(format!(
                "Expected {} parameters but got {}.",
                prepared.parameters.len(),
                arguments.len()
            )));
        }
        let parameters = self.arguments(arguments, &prepared.parameters).await?;
        match &prepared.parsed {
            Parsed::Query(statement) => self
                .run_query(statement, &prepared, parameters, Columns::Described)
                .await
                .map(Answer::Rows),
            // PREPARE takes queries alone, Parse anything
            Parsed::Session(statement) => Box::pin(self.command(statement, Bound::default())).await,
            Parsed::Relay(_) => Ok(Answer::Relay(prepared.clone())),
            Parsed::Empty => Ok(Answer::Empty),
            Parsed::Unread { .. } => Err(Error::internal("a statement was not read")),
        }
    }

    /// The values of EXECUTE's arguments, computed by the engine.
    async fn arguments(&mut self, texts: &[String], types: &[PgType]) -> Result<Vec<ScalarValue>> {
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        let columns: Vec<String> = texts
            .iter()
            .zip(types)
            .enumerate()
            .map(|(position, (text, pg_type))| match type_name(*pg_type) {
                // as written it has a scale of its own
                Some(_) if *pg_type == PgType::NUMERIC && plain_number(text).is_some() => {
                    let number = plain_number(text).unwrap_or_default();
                    format!("({number}) AS a{position}")
                }
                Some(name) => format!("CAST(({text}) AS {name}) AS a{position}"),
                None => format!("({text}) AS a{position}"),
            })
            .collect();
        let sql = format!("SELECT {}", columns.join(", "));
        let mut parsed = self.parse_query(&sql, 0)?;
        let (Some(Parsed::Query(statement)), true) = (parsed.pop(), parsed.is_empty()) else {
            return Err(Error::new(
                SqlState::SYNTAX_ERROR,
                "syntax error in EXECUTE",
            ));
        };
        self.refresh_vars();
        let planned = self.engine.plan(&statement, &[]).await?;
        let rows = self
            .engine
            .run(&planned, Vec::new(), Default::default())
            .await?;
        let mut cursor = RowCursor::stream(rows.schema, rows.stream);
        let Some(batch) = cursor.next(1).await? else {
            return Err(Error::internal("arguments without a row"));
        };
        types
            .iter()
            .zip(batch.columns())
            .map(|(pg_type, column)| {
                let value = ScalarValue::try_from_array(column, 0)?;
                Ok(match pg_type.arrow() {
                    Some(_) if *pg_type == PgType::NUMERIC && value.data_type().is_decimal() => {
                        value
                    }
                    Some(target) => value.cast_to(&target)?,
                    None => value,
                })
            })
            .collect()
    }
}

/// `1.10`, `'1.10'`, `'1.10'::numeric` → `1.10`
fn plain_number(text: &str) -> Option<&str> {
    let bare = text.trim().trim_end_matches("::numeric").trim_matches('\'');
    let digits = bare.strip_prefix('-').unwrap_or(bare);
    let number = digits.contains('.')
        && digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.chars().all(|c| c.is_ascii_digit() || c == '.')
        && digits.matches('.').count() == 1;
    number.then_some(bare)
}

/// A type's name in a cast, arrays by their element; `None`: not built in.
fn type_name(pg_type: PgType) -> Option<String> {
    match pg_type.element() {
        Some(element) => Some(format!("{}[]", element.known()?.name())),
        None => Some(pg_type.known()?.name().to_string()),
    }
}
