//! One catalog snapshot as Postgres's catalogs see it: every schema, relation,
//! key and default with its OID. Made once per `Catalog` and shared by all
//! statements that plan on it; what a user may see is decided by `Seen`.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use datafusion::arrow::array::RecordBatch;

use super::oids::{self, Assigner, Kind};
use super::source_relations::ByRemote;
use super::source_types::SourceTypes;
use crate::auth::grants::Grants;
use crate::catalog::Catalog;
use crate::names::RelationName;
use crate::semantics::SessionVars;
use crate::sources::{Key, KeyKind, RelationKind, Table};
use crate::types::Oid;

#[derive(Debug, Default)]
pub struct Snapshot {
    pub namespaces: Vec<Namespace>,
    pub relations: Vec<Relation>,
    pub types: SourceTypes,
    objects: HashMap<Oid, Object>,
    by_name: HashMap<RelationName, usize>,
    pub(super) by_remote: ByRemote,
    /// A key's name is its index's; of two in a schema, the first relation's.
    indexes_by_name: HashMap<RelationName, Oid>,
    /// The schemas that hold something readable, by grants.
    readable: Mutex<HashMap<usize, ForGrants<Arc<HashSet<Oid>>>>>,
    /// Finished rows by relation, the grants and the database they were made for.
    cache: Mutex<HashMap<CacheKey, ForGrants<RecordBatch>>>,
}

/// What was made for some grants, known by their address: the Weak keeps it from
/// being given to others meanwhile.
pub type ForGrants<T> = (Weak<Grants>, T);

/// A relation, the grants' address, the database's name.
type CacheKey = (Oid, usize, Arc<str>);

#[derive(Debug)]
pub struct Namespace {
    pub oid: Oid,
    pub name: String,
}

#[derive(Debug)]
pub struct Relation {
    pub oid: Oid,
    pub namespace: Oid,
    pub table: Arc<Table>,
    /// One for each of the table's keys.
    pub keys: Vec<KeyOids>,
    /// One for each of the table's columns; `None`: no default.
    pub defaults: Vec<Option<Oid>>,
}

#[derive(Debug, Clone, Copy)]
pub struct KeyOids {
    pub constraint: Oid,
    /// Of a primary or unique key.
    pub index: Option<Oid>,
}

/// What an OID of a source's object stands for; numbers are positions in
/// `Snapshot::relations` and in the relation's keys or columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Object {
    Namespace(usize),
    Relation(usize),
    Index { relation: usize, key: usize },
    Constraint { relation: usize, key: usize },
}

/// Snapshots of the catalogs that are alive; few, because a catalog is dropped
/// with its last statement.
static SNAPSHOTS: Mutex<Vec<(Weak<Catalog>, Arc<Snapshot>)>> = Mutex::new(Vec::new());

impl Snapshot {
    pub fn of(catalog: &Arc<Catalog>) -> Arc<Snapshot> {
        let mut alive = SNAPSHOTS.lock().unwrap_or_else(PoisonError::into_inner);
        let known = alive
            .iter()
            .find(|(of, _)| std::ptr::eq(of.as_ptr(), Arc::as_ptr(catalog)));
        if let Some((_, snapshot)) = known {
            return snapshot.clone();
        }
        alive.retain(|(of, _)| of.strong_count() > 0);
        let snapshot = Arc::new(Snapshot::read(catalog));
        alive.push((Arc::downgrade(catalog), snapshot.clone()));
        snapshot
    }

    fn read(catalog: &Catalog) -> Snapshot {
        let mut snapshot = Snapshot::default();
        let mut assigner = Assigner::default();
        // BTreeMaps: in the order of the names, so that collisions resolve the same way
        for (name, schema) in &catalog.schemas {
            let oid = match name.as_str() {
                "public" => oids::SCHEMA_PUBLIC,
                other => assigner.assign(Kind::Schema, &[other]),
            };
            snapshot
                .objects
                .insert(oid, Object::Namespace(snapshot.namespaces.len()));
            snapshot.namespaces.push(Namespace {
                oid,
                name: name.clone(),
            });
            for (relation, table) in &schema.tables {
                snapshot.add(&mut assigner, oid, [name, relation], table);
            }
        }
        snapshot.types = SourceTypes::read(
            catalog,
            &snapshot.namespaces,
            &snapshot.relations,
            &mut assigner,
        );
        snapshot
    }

    /// The OID of a relation, whoever may see it.
    pub fn relation_oid(&self, name: &RelationName) -> Option<Oid> {
        let at = *self.by_name.get(name)?;
        self.relations.get(at).map(|relation| relation.oid)
    }

    fn add(
        &mut self,
        assigner: &mut Assigner,
        namespace: Oid,
        name: [&str; 2],
        table: &Arc<Table>,
    ) {
        let [schema, relation] = name;
        let at = self.relations.len();
        let oid = assigner.assign(Kind::Relation, &name);
        self.objects.insert(oid, Object::Relation(at));
        self.by_name.insert(RelationName::new(schema, relation), at);
        let mut keys = Vec::with_capacity(table.keys.len());
        for (key, declared) in table.keys.iter().enumerate() {
            let parts = [schema, relation, declared.name.as_str()];
            let constraint = assigner.assign(Kind::Constraint, &parts);
            self.objects
                .insert(constraint, Object::Constraint { relation: at, key });
            let index = match declared.kind {
                KeyKind::Primary | KeyKind::Unique => Some(assigner.assign(Kind::Index, &parts)),
                KeyKind::Foreign { .. } => None,
            };
            if let Some(index) = index {
                self.objects
                    .insert(index, Object::Index { relation: at, key });
                let name = RelationName::new(schema, &declared.name);
                self.indexes_by_name.entry(name).or_insert(index);
            }
            keys.push(KeyOids { constraint, index });
        }
        let mut default = |column: &crate::sources::Column| {
            let has_one = column.default.is_some();
            has_one.then(|| assigner.assign(Kind::Default, &[schema, relation, &column.name]))
        };
        self.relations.push(Relation {
            oid,
            namespace,
            table: table.clone(),
            keys,
            defaults: table.columns.iter().map(&mut default).collect(),
        });
    }
}

/// What `make` returns, made once for all sessions with the same grants.
pub fn for_grants<T>(
    known: &Mutex<HashMap<usize, ForGrants<Arc<T>>>>,
    grants: &Arc<Grants>,
    make: impl FnOnce() -> T,
) -> Arc<T> {
    let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
    let key = Arc::as_ptr(grants) as usize;
    if let Some((_, made)) = known.get(&key) {
        return made.clone();
    }
    let made = Arc::new(make());
    known.retain(|_, (of, _)| of.strong_count() > 0);
    known.insert(key, (Arc::downgrade(grants), made.clone()));
    made
}

/// A snapshot as one user sees it: without the relations that they may not read.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    pub snapshot: &'a Snapshot,
    pub vars: &'a SessionVars,
}

impl<'a> Seen<'a> {
    pub fn relations(&self) -> Vec<&'a Relation> {
        let all = self.snapshot.relations.iter();
        all.filter(|relation| self.may_read(relation)).collect()
    }

    /// Those that hold something to read, or would if the source could be reached.
    pub fn namespaces(&self) -> Vec<&'a Namespace> {
        let readable = self.readable_namespaces();
        let all = self.snapshot.namespaces.iter();
        all.filter(|schema| readable.contains(&schema.oid))
            .collect()
    }

    /// Asked for each row by functions like pg_table_is_visible().
    pub fn readable_namespaces(&self) -> Arc<HashSet<Oid>> {
        let grants = &self.vars.grants;
        for_grants(&self.snapshot.readable, grants, || {
            let whole = |schema: &&Namespace| grants.may_read(&RelationName::new(&schema.name, ""));
            let whole = self
                .snapshot
                .namespaces
                .iter()
                .filter(whole)
                .map(|schema| schema.oid);
            let mut readable: HashSet<Oid> = self.relations().iter().map(|r| r.namespace).collect();
            readable.extend(whole);
            readable
        })
    }

    pub fn object(&self, oid: Oid) -> Option<Object> {
        let object = *self.snapshot.objects.get(&oid)?;
        let readable = match object {
            Object::Namespace(_) => self.namespaces().iter().any(|schema| schema.oid == oid),
            Object::Relation(relation)
            | Object::Index { relation, .. }
            | Object::Constraint { relation, .. } => {
                self.may_read(self.snapshot.relations.get(relation)?)
            }
        };
        readable.then_some(object)
    }

    pub fn relation(&self, oid: Oid) -> Option<&'a Relation> {
        match self.object(oid)? {
            Object::Relation(at) => self.snapshot.relations.get(at),
            _ => None,
        }
    }

    pub fn relation_named(&self, name: &RelationName) -> Option<&'a Relation> {
        let relation = self
            .snapshot
            .relations
            .get(*self.snapshot.by_name.get(name)?)?;
        self.may_read(relation).then_some(relation)
    }

    /// The index of that name.
    pub fn index_named(&self, name: &RelationName) -> Option<Oid> {
        let index = *self.snapshot.indexes_by_name.get(name)?;
        self.object(index).map(|_| index)
    }

    /// What `make` returns, made once for all sessions with the same grants and database.
    pub fn cached(
        &self,
        relation: Oid,
        make: impl FnOnce(&Seen) -> crate::error::Result<RecordBatch>,
    ) -> crate::error::Result<RecordBatch> {
        let grants = &self.vars.grants;
        let key = (
            relation,
            Arc::as_ptr(grants) as usize,
            self.vars.database.clone(),
        );
        let lock = || {
            self.snapshot
                .cache
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        if let Some((_, batch)) = lock().get(&key) {
            return Ok(batch.clone());
        }
        let batch = make(self)?;
        let mut cache = lock();
        cache.retain(|_, (of, _)| of.strong_count() > 0);
        cache.insert(key, (Arc::downgrade(grants), batch.clone()));
        Ok(batch)
    }

    fn may_read(&self, relation: &Relation) -> bool {
        self.vars.grants.may_read(&relation.table.name)
    }
}

impl Relation {
    pub fn schema(&self) -> &str {
        &self.table.name.schema
    }

    pub fn name(&self) -> &str {
        &self.table.name.relation
    }

    /// pg_class.relkind.
    pub fn kind(&self) -> char {
        match self.table.kind {
            RelationKind::Table => 'r',
            RelationKind::PartitionedTable => 'p',
            RelationKind::View => 'v',
            RelationKind::MaterializedView => 'm',
            RelationKind::ForeignTable => 'f',
        }
    }

    pub fn is_view(&self) -> bool {
        self.table.kind == RelationKind::View
    }

    /// The table's indexes: OID, key, OID of the constraint.
    pub fn indexes(&self) -> impl Iterator<Item = (Oid, &Key, Oid)> {
        self.keys
            .iter()
            .zip(&self.table.keys)
            .filter_map(|(oids, key)| Some((oids.index?, key, oids.constraint)))
    }
}
