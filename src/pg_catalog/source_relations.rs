//! Relations and columns by the OIDs and numbers that their source gives them,
//! as results of statements carry that the source answered itself: clients look
//! them up in the catalogs here. Asked by the session for the relay.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use super::snapshot::Snapshot;
use crate::catalog::Catalog;
use crate::names::SourceName;
use crate::sources::TypeKind;
use crate::types::Oid;

/// A relation of the source, and what its columns are numbered there.
#[derive(Debug)]
struct Here {
    oid: Oid,
    numbers: Vec<i16>,
}

/// Of all sources; made with the first question.
#[derive(Debug, Default)]
pub struct ByRemote(OnceLock<HashMap<SourceName, HashMap<Oid, Here>>>);

/// The relations of one source, over one catalog.
#[derive(Debug)]
pub struct SourceRelations {
    catalog: Arc<Catalog>,
    source: SourceName,
    snapshot: OnceLock<Arc<Snapshot>>,
}

impl SourceRelations {
    pub fn new(catalog: Arc<Catalog>, source: SourceName) -> SourceRelations {
        SourceRelations {
            catalog,
            source,
            snapshot: OnceLock::new(),
        }
    }

    /// pg_attribute.attrelid and attnum here; zeros for what is not listed.
    pub fn column(&self, relation: Oid, number: i16) -> (Oid, i16) {
        let snapshot = self.snapshot.get_or_init(|| Snapshot::of(&self.catalog));
        let all = snapshot
            .by_remote
            .0
            .get_or_init(|| read(&self.catalog, snapshot));
        let here = all.get(&self.source).and_then(|of| of.get(&relation));
        let found = here.and_then(|here| {
            let at = here.numbers.iter().position(|known| *known == number)?;
            Some((here.oid, i16::try_from(at + 1).ok()?))
        });
        found.unwrap_or_default()
    }
}

fn read(catalog: &Catalog, snapshot: &Snapshot) -> HashMap<SourceName, HashMap<Oid, Here>> {
    let of_source = |(source, types): (&SourceName, &Vec<Arc<crate::sources::SourceType>>)| {
        let rows = types.iter().filter_map(|of| match &of.kind {
            TypeKind::Row(row) => Some(row),
            _ => None,
        });
        let here = rows.filter_map(|row| {
            let here = Here {
                oid: snapshot.relation_oid(&row.table)?,
                numbers: row.numbers.clone(),
            };
            Some((row.relation, here))
        });
        (source.clone(), here.collect())
    };
    catalog.types.iter().map(of_source).collect()
}
