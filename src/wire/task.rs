//! What a message asks for, and which threads it is for. Texts are read here, as
//! far as that takes no planning: relayed statements and the session's own go no
//! further than their socket's thread.

use super::frontend::{Frontend, RawMessage};
use super::guard::contained;
use crate::error::Result;
use crate::session::{Parsed, Session};

/// Longer texts take their time to read.
const SHORT: usize = 64 * 1024;

/// The statements of a text; `None`: they are still to be read.
pub type Read = Option<Result<Vec<Parsed>>>;

pub struct Task {
    pub message: Result<Frontend>,
    pub statements: Read,
    /// A message of the extended protocol: an error is answered once, then all is
    /// skipped up to Sync.
    pub extended: bool,
    pub place: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The threads that move bytes.
    Wire,
    /// The threads that compute.
    Engine,
}

impl Task {
    pub fn read(session: &mut Session, raw: RawMessage) -> Task {
        let extended = raw.is_extended();
        let short = raw.body.len() <= SHORT;
        let message = raw.decode();
        let text = match &message {
            // what comes before a Query may change what its names mean
            Ok(Frontend::Query(sql)) if session.is_synced() => Some(sql),
            Ok(Frontend::Parse(parse)) => Some(&parse.query),
            _ => None,
        };
        let statements = text
            .filter(|_| short)
            .map(|text| contained(|| session.parse(text)));
        let place = match (&message, &statements) {
            (_, Some(Ok(all))) if all.iter().any(|parsed| session.is_of_engine(parsed)) => {
                Place::Engine
            }
            (_, Some(_)) => Place::Wire,
            (Ok(Frontend::Query(_) | Frontend::Parse(_)), None) => Place::Engine,
            (Ok(Frontend::Execute { portal, .. }), None) => {
                match session.portal(portal).map(|portal| &portal.prepared) {
                    Ok(prepared) if prepared.is_of_engine() => Place::Engine,
                    _ => Place::Wire,
                }
            }
            _ => Place::Wire,
        };
        Task {
            message,
            statements,
            extended,
            place,
        }
    }
}
