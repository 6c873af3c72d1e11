//! Which statements go to a source as they are: by the names in their text, by
//! `SET narrows.source`, or because what they run is there already.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use super::{RelayPrepared, Relayed};
use crate::error::{Error, Result};
use crate::names::SourceName;
use crate::plan::lexer::{Lexer, without_end};
use crate::plan::relay::{
    Effects, Kind, Names, Reading, RelayStatement, Rewritten, classify, read_for,
};
use crate::session::Session;
use crate::session::commands::Command;
use crate::session::prepared::{Parsed, Prepared, SessionStatement};
use crate::session::settings::RouteChoice;
use crate::sources::postgres::relay::Ensured;
use crate::types::PgType;

/// Longer texts are not kept.
const LONGEST_KEPT: usize = 4 * 1024;

/// The message that was read last, if it was one statement for a source: many
/// clients send the same text again and again.
#[derive(Debug)]
pub(super) struct LastRead {
    text: Box<str>,
    /// Of the settings and of the names that it was read by.
    version: u64,
    epoch: u64,
    statement: Arc<RelayStatement>,
    relayed: Arc<Relayed>,
}

impl Session {
    /// The statement of a message that was read last, under the same names and
    /// settings. Whether it is allowed is asked each time.
    pub(in crate::session) fn read_again(&mut self, text: &str) -> Result<Option<Arc<Relayed>>> {
        let text = without_end(text);
        let version = self.settings.version();
        let same = |last: &LastRead| last.version == version && *last.text == *text;
        if !self.relays.last_read.as_ref().is_some_and(same) {
            return Ok(None);
        }
        let epoch = self.names().2 ^ self.relays.epoch();
        let Some(last) = self.relays.last_read.as_ref() else {
            return Ok(None);
        };
        if last.epoch != epoch {
            return Ok(None);
        }
        self.allow(&last.statement)?;
        Ok(Some(last.relayed.clone()))
    }

    /// The statement as one for the relay; `None`: it is the engine's.
    pub(in crate::session) fn read_relay(
        &mut self,
        text: &str,
        offset: usize,
    ) -> Result<Option<Parsed>> {
        let quick = self.settings.quick();
        let route = quick.route;
        if let Some(source) = quick.source.clone() {
            return self.verbatim(source, text, offset).map(Some);
        }
        if route == RouteChoice::Engine {
            self.route_reason = "narrows.route is engine".into();
            return Ok(None);
        }
        let (catalog, path, epoch) = self.names();
        let epoch = epoch ^ self.relays.epoch();
        let names = Names {
            catalog: &catalog,
            search_path: &path,
            database: &self.identity.database,
            temporary: self.relays.temporary(),
        };
        let reading = self
            .engine
            .engine()
            .readings()
            .lookup_or_read(text, &names, epoch);
        match reading {
            Reading::Relay(statement, rewritten) => {
                self.allow(&statement)?;
                let relayed = Arc::new(Relayed {
                    source: statement.source.clone(),
                    text: rewritten,
                    kind: statement.kind.clone(),
                    effects: statement.effects,
                    offset,
                    runs: None,
                    closes: None,
                    single: false,
                    temporary: statement.temporary.clone(),
                    recalls: statement.recalls,
                });
                self.remember(text, epoch, statement, &relayed);
                Ok(Some(Parsed::Relay(relayed)))
            }
            Reading::Engine(reason) => {
                if route == RouteChoice::Relay && reason.is_federated() {
                    return Err(Error::unsupported("the statement cannot be relayed")
                        .with_detail(format!("{reason}."))
                        .with_hint("narrows.route is relay; set it to auto."));
                }
                self.route_reason = reason.to_string();
                Ok(None)
            }
        }
    }

    fn remember(
        &mut self,
        text: &str,
        epoch: u64,
        statement: Arc<RelayStatement>,
        relayed: &Arc<Relayed>,
    ) {
        // a text with constants in it seldom comes again
        let again = text.contains('$') || !text.bytes().any(|byte| byte.is_ascii_digit());
        if relayed.offset > 0 || text.len() > LONGEST_KEPT || !again {
            return;
        }
        self.relays.last_read = Some(LastRead {
            text: text.into(),
            version: self.settings.version(),
            epoch,
            statement,
            relayed: relayed.clone(),
        });
    }

    /// Sent as it is: names mean what they mean at the source.
    fn verbatim(&self, source: SourceName, text: &str, offset: usize) -> Result<Parsed> {
        self.allow_verbatim(&source)?;
        let understood = classify(text);
        let single = understood.is_none();
        let (kind, effects) = understood.unwrap_or((Kind::Call, Effects::Taints));
        let relayed = Relayed {
            source,
            text: Rewritten::unchanged(text),
            kind,
            effects,
            offset,
            runs: None,
            closes: None,
            single,
            temporary: Vec::new(),
            recalls: false,
        };
        self.allow_verbatim_write(&relayed)?;
        Ok(Parsed::Relay(Arc::new(relayed)))
    }

    /// A statement of the session that is about something at a source: a cursor
    /// that was declared there, a statement that was prepared for it.
    pub(in crate::session) fn follow(&mut self, parsed: Parsed) -> Result<Parsed> {
        let Parsed::Session(statement) = &parsed else {
            return Ok(parsed);
        };
        let relayed = match &statement.command {
            Command::Fetch { cursor, .. } => self.follow_cursor(cursor, statement),
            Command::Close(Some(cursor)) => self.follow_cursor(cursor, statement),
            Command::Execute { name, .. } => self.follow_prepared(name, statement)?,
            _ => None,
        };
        Ok(match relayed {
            Some(relayed) => Parsed::Relay(Arc::new(relayed)),
            None => parsed,
        })
    }

    fn follow_cursor(&self, name: &str, statement: &SessionStatement) -> Option<Relayed> {
        let portal = self.portals.find(name)?;
        let Parsed::Relay(declared) = &portal.prepared.parsed else {
            return None;
        };
        Some(Relayed {
            source: declared.source.clone(),
            text: Rewritten::unchanged(&statement.text),
            kind: Kind::Read,
            effects: Effects::Plain,
            offset: statement.offset,
            runs: None,
            closes: matches!(statement.command, Command::Close(_)).then(|| name.to_string()),
            single: false,
            temporary: Vec::new(),
            recalls: false,
        })
    }

    fn follow_prepared(
        &mut self,
        name: &str,
        statement: &SessionStatement,
    ) -> Result<Option<Relayed>> {
        let Ok(prepared) = self.prepared.get(name) else {
            return Ok(None);
        };
        let Some(relay) = &prepared.relay else {
            return Ok(None);
        };
        let source = &relay.relayed.source;
        let there = self.find(relay)?;
        let written = arguments(&statement.text).and_then(|range| statement.text.get(range));
        let arguments = match written {
            Some(written) => format!("({})", self.read_arguments(written, source)?),
            None => String::new(),
        };
        Ok(Some(Relayed {
            source: source.clone(),
            text: Rewritten::unchanged(&format!("EXECUTE {}{arguments}", there.name())),
            kind: relay.relayed.kind.clone(),
            effects: relay.relayed.effects,
            offset: statement.offset,
            runs: Some(prepared.clone()),
            closes: None,
            single: false,
            temporary: Vec::new(),
            recalls: false,
        }))
    }

    /// EXECUTE's arguments with the source's names. They are expressions like any
    /// other: what they call and read must be allowed.
    fn read_arguments(&mut self, written: &str, source: &SourceName) -> Result<String> {
        let (catalog, path, _) = self.names();
        let names = Names {
            catalog: &catalog,
            search_path: &path,
            database: &self.identity.database,
            temporary: self.relays.temporary(),
        };
        match read_for(&format!("{SELECT}{written}"), &names, source) {
            Reading::Relay(statement, text) if statement.source == *source => {
                self.allow(&statement)?;
                Ok(text.text()[SELECT.len()..].to_string())
            }
            Reading::Relay(statement, _) => Err(Error::unsupported(format!(
                "the arguments of a statement of source \"{source}\" are of source \"{}\"",
                statement.source
            ))),
            Reading::Engine(reason) => Err(Error::unsupported(format!(
                "the arguments of a statement of source \"{source}\" cannot be sent there"
            ))
            .with_detail(format!("{reason}."))),
        }
    }

    /// The source reads the statement now: what is wrong with it is PREPARE's error.
    pub(in crate::session) async fn prepare_there(&mut self, relay: &RelayPrepared) -> Result<()> {
        self.attach(&relay.relayed).await?;
        let statement = match self.statement(relay)? {
            Some(statement) => statement,
            None => self.learn_alone(relay).await?,
        };
        let Some(attached) = self.attached(&relay.relayed.source) else {
            return Ok(());
        };
        let lease = attached.lease()?;
        if lease.ensure(&statement) == Ensured::Known {
            return Ok(());
        }
        lease.sync();
        match lease.first_error().await? {
            None => Ok(()),
            Some(error) => Err(match error.position() {
                Some(position) => error.with_position(relay.relayed.position(position)),
                None => error,
            }),
        }
    }

    pub fn prepare_relay(
        &self,
        relayed: Arc<Relayed>,
        declared: &[Option<PgType>],
    ) -> Arc<Prepared> {
        let oids: Vec<u32> = declared
            .iter()
            .map(|pg_type| pg_type.map_or(0, |pg_type| pg_type.oid))
            .collect();
        Arc::new(Prepared {
            parsed: Parsed::Relay(relayed.clone()),
            parameters: Vec::new(),
            columns: None,
            plan: None,
            relay: Some(RelayPrepared {
                relayed,
                oids,
                statement: OnceLock::new(),
            }),
            reason: String::new(),
        })
    }
}

/// Makes expressions a statement.
const SELECT: &str = "SELECT ";

/// What stands in the parentheses of `EXECUTE name (…)`.
fn arguments(text: &str) -> Option<Range<usize>> {
    let mut tokens = Lexer::new(text);
    let open = tokens.find(|token| token.is_symbol("("))?;
    let close = tokens.last()?;
    let inside = open.start + open.text.len()..close.start;
    (!inside.is_empty()).then_some(inside)
}
