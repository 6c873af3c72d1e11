//! The types that sources define, as pg_type lists them: under their own OIDs,
//! which results of statements that a source answered itself carry.
//!
//! Two databases may give one OID to different types. A user then sees the type of
//! the source whose name comes first, among the sources that they may read; the
//! other type, and what is made of it, is left out and the log says so once. Row
//! types of tables come last: they never take the OID of another kind of type.
//!
//! Made with a `Snapshot`; what a user sees of it is decided once for their grants.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use super::builtin::{self, TypeFacts};
use super::oids::{Assigner, Kind};
use super::snapshot::{ForGrants, Namespace, Relation, Seen, for_grants};
use crate::catalog::Catalog;
use crate::names::SourceName;
use crate::sources::{DomainCheck, SourceFunction, SourceType, TypeKind};
use crate::types::Oid;

/// The same in every Postgres below this.
const FIRST_ASSIGNED: Oid = 10_000;
/// Where a collation of a source has no counterpart: pg_collation's "default".
const DEFAULT_COLLATION: Oid = 100;

#[derive(Debug, Default)]
pub struct SourceTypes {
    /// In the order in which they take their OIDs.
    all: Vec<Type>,
    visible: Mutex<HashMap<usize, ForGrants<Arc<Visible>>>>,
}

/// A row of pg_type.
#[derive(Debug)]
pub struct Type {
    pub facts: TypeFacts,
    pub part: Part,
    /// pg_type.typrelid.
    pub relation: Oid,
    /// OIDs of a domain's checks.
    pub checks: Vec<Oid>,
    pub declared: Arc<SourceType>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Itself,
    /// The array type over it.
    Array,
}

/// Positions in `SourceTypes::all`.
#[derive(Debug, Default)]
struct Visible {
    listed: Vec<usize>,
    by_oid: HashMap<Oid, usize>,
    by_name: HashMap<(Oid, String), usize>,
    composites: HashMap<Oid, usize>,
    /// The domain and which of its checks.
    checks: HashMap<Oid, (usize, usize)>,
    /// The type and which of its own functions.
    functions: HashMap<Oid, (usize, usize)>,
}

impl SourceTypes {
    /// `relations` are those of the snapshot, for their row types.
    pub fn read(
        catalog: &Catalog,
        namespaces: &[Namespace],
        relations: &[Relation],
        assigner: &mut Assigner,
    ) -> SourceTypes {
        let namespace_oid = |name: &str| namespaces.iter().find(|n| n.name == name).map(|n| n.oid);
        let mut all = Vec::new();
        let types = || {
            catalog
                .types
                .iter()
                .flat_map(|(source, types)| types.iter().map(move |declared| (source, declared)))
        };
        let is_row = |declared: &SourceType| matches!(declared.kind, TypeKind::Row(_));
        for (source, declared) in types().filter(|(_, declared)| !is_row(declared)) {
            let relation = match &declared.kind {
                TypeKind::Composite(composite) => composite.relation,
                _ => 0,
            };
            for schema in schemas(catalog, source, declared) {
                if let Some(namespace) = namespace_oid(schema) {
                    let checks = checks(assigner, schema, declared);
                    add(&mut all, declared, namespace, relation, checks);
                }
            }
        }
        let by_name: HashMap<_, _> = relations.iter().map(|r| (&r.table.name, r)).collect();
        for (_, declared) in types() {
            if let TypeKind::Row(row) = &declared.kind
                && let Some(relation) = by_name.get(&row.table)
            {
                add(
                    &mut all,
                    declared,
                    relation.namespace,
                    relation.oid,
                    Vec::new(),
                );
            }
        }
        SourceTypes {
            all,
            visible: Mutex::default(),
        }
    }
}

/// Where a type may be listed: in its own schema, or in any of the source's if its
/// own is none of those; the first that the user sees counts.
fn schemas<'a>(
    catalog: &'a Catalog,
    source: &'a SourceName,
    declared: &'a SourceType,
) -> Vec<&'a str> {
    match &declared.schema {
        Some(schema) => vec![schema],
        None => catalog
            .schemas
            .iter()
            .filter(|(_, schema)| schema.source.as_ref() == Some(source))
            .map(|(name, _)| name.as_str())
            .collect(),
    }
}

fn checks(assigner: &mut Assigner, schema: &str, declared: &SourceType) -> Vec<Oid> {
    let TypeKind::Domain(domain) = &declared.kind else {
        return Vec::new();
    };
    let parts = domain
        .checks
        .iter()
        .map(|check| [schema, &declared.name, &check.name]);
    parts
        .map(|parts| assigner.assign(Kind::Constraint, &parts))
        .collect()
}

fn add(
    all: &mut Vec<Type>,
    declared: &Arc<SourceType>,
    namespace: Oid,
    relation: Oid,
    checks: Vec<Oid>,
) {
    all.push(Type {
        facts: facts(declared, namespace),
        part: Part::Itself,
        relation,
        checks,
        declared: declared.clone(),
    });
    if let Some(facts) = array_facts(declared, namespace) {
        all.push(Type {
            facts,
            part: Part::Array,
            relation: 0,
            checks: Vec::new(),
            declared: declared.clone(),
        });
    }
}

fn facts(declared: &SourceType, namespace: Oid) -> TypeFacts {
    let (base, typmod) = match &declared.kind {
        TypeKind::Domain(domain) => (domain.base, domain.typmod),
        _ => (0, -1),
    };
    TypeFacts {
        oid: declared.oid,
        name: declared.name.clone(),
        namespace,
        length: i64::from(declared.layout.length),
        by_value: declared.layout.by_value,
        kind: match &declared.kind {
            TypeKind::Base => 'b',
            TypeKind::Enum(_) => 'e',
            TypeKind::Domain(_) => 'd',
            TypeKind::Composite(_) | TypeKind::Row(_) => 'c',
            TypeKind::Range(_) => 'r',
            TypeKind::Multirange(_) => 'm',
        },
        category: declared.category,
        element: declared.element,
        array: declared.array.as_ref().map_or(0, |array| array.oid),
        base,
        typmod,
        collation: collation(declared.collation),
        align: declared.layout.align.to_string(),
        storage: declared.layout.storage.to_string(),
    }
}

/// As CREATE TYPE makes the array type of a type.
fn array_facts(declared: &SourceType, namespace: Oid) -> Option<TypeFacts> {
    let array = declared.array.as_ref()?;
    let align = match declared.layout.align {
        'd' => "d",
        _ => "i",
    };
    Some(TypeFacts {
        oid: array.oid,
        name: array.name.clone(),
        namespace,
        length: -1,
        by_value: false,
        kind: 'b',
        category: 'A',
        element: declared.oid,
        array: 0,
        base: 0,
        typmod: -1,
        collation: collation(declared.collation),
        align: align.to_string(),
        storage: "x".to_string(),
    })
}

/// The OID here of a source's collation.
pub fn collation(of_source: Oid) -> Oid {
    match of_source {
        0..FIRST_ASSIGNED => of_source,
        _ => DEFAULT_COLLATION,
    }
}

/// The OID of an object that this catalog knows if the source did not make it; else 0.
pub fn fixed(oid: Oid) -> i64 {
    if oid < FIRST_ASSIGNED {
        i64::from(oid)
    } else {
        0
    }
}

impl<'a> Seen<'a> {
    /// The types of sources, one for each OID.
    pub fn source_types(&self) -> Vec<&'a Type> {
        let visible = self.visible_types();
        let all = &self.snapshot.types.all;
        visible
            .listed
            .iter()
            .filter_map(|at| all.get(*at))
            .collect()
    }

    /// A type of a source.
    pub fn source_type(&self, oid: Oid) -> Option<&'a Type> {
        let at = *self.visible_types().by_oid.get(&oid)?;
        self.snapshot.types.all.get(at)
    }

    /// A type of the cluster or of a source.
    pub fn type_facts(&self, oid: Oid) -> Option<&'a TypeFacts> {
        builtin::type_of(oid).or_else(|| Some(&self.source_type(oid)?.facts))
    }

    pub fn source_type_named(&self, namespace: Oid, name: &str) -> Option<&'a Type> {
        let visible = self.visible_types();
        let at = *visible.by_name.get(&(namespace, name.to_string()))?;
        self.snapshot.types.all.get(at)
    }

    /// The composite type whose row in pg_class has this OID.
    pub fn composite(&self, relation: Oid) -> Option<&'a Type> {
        let at = *self.visible_types().composites.get(&relation)?;
        self.snapshot.types.all.get(at)
    }

    /// A domain's check, by its OID in pg_constraint.
    pub fn domain_check(&self, oid: Oid) -> Option<&'a DomainCheck> {
        let (at, check) = *self.visible_types().checks.get(&oid)?;
        match &self.snapshot.types.all.get(at)?.declared.kind {
            TypeKind::Domain(domain) => domain.checks.get(check),
            _ => None,
        }
    }

    /// The schema and the function, which a source defines for a type's values.
    pub fn source_function(&self, oid: Oid) -> Option<(Oid, &'a SourceFunction)> {
        let (at, function) = *self.visible_types().functions.get(&oid)?;
        let of = self.snapshot.types.all.get(at)?;
        let function = of.declared.functions.own.get(function)?;
        Some((of.facts.namespace, function))
    }

    fn visible_types(&self) -> Arc<Visible> {
        let types = &self.snapshot.types;
        for_grants(&types.visible, &self.vars.grants, || {
            visible(self, &types.all)
        })
    }
}

fn visible(seen: &Seen, all: &[Type]) -> Visible {
    let schemas = seen.readable_namespaces();
    let may_see = |of: &Type| match &of.declared.kind {
        TypeKind::Row(row) => seen.vars.grants.may_read(&row.table),
        _ => schemas.contains(&of.facts.namespace),
    };
    let mut by_oid: HashMap<Oid, usize> = HashMap::new();
    let mut relations: HashSet<Oid> = HashSet::new();
    let mut left_out: HashSet<(&SourceName, Oid)> = HashSet::new();
    for (at, of) in all.iter().enumerate().filter(|(_, of)| may_see(of)) {
        let oid = of.facts.oid;
        match by_oid.get(&oid).and_then(|at| all.get(*at)) {
            Some(other) if other.part == of.part && of.declared.is_copy_of(&other.declared) => {}
            None if of.relation == 0 || relations.insert(of.relation) => {
                by_oid.insert(oid, at);
            }
            _ => {
                left_out.insert((&of.declared.source, oid));
            }
        }
    }
    // what is made of a type that is left out would seem to be made of another
    loop {
        let before = by_oid.len();
        by_oid.retain(|oid, at| {
            let Some(of) = all.get(*at) else { return false };
            let source = &of.declared.source;
            let made_of = match of.part {
                Part::Itself => of.declared.parts(),
                Part::Array => vec![of.declared.oid],
            };
            let whole = !made_of
                .iter()
                .any(|part| left_out.contains(&(source, *part)));
            if !whole {
                left_out.insert((source, *oid));
            }
            whole
        });
        if by_oid.len() == before {
            break;
        }
    }
    warn(all, &left_out);
    let mut listed: Vec<usize> = by_oid.values().copied().collect();
    listed.sort_unstable();
    let mut visible = Visible::default();
    for (at, of) in listed.iter().filter_map(|at| Some((*at, all.get(*at)?))) {
        let name = (of.facts.namespace, of.facts.name.clone());
        visible.by_name.entry(name).or_insert(at);
        let checks = of.checks.iter().enumerate();
        visible
            .checks
            .extend(checks.map(|(check, oid)| (*oid, (at, check))));
        for (function, own) in of.declared.functions.own.iter().enumerate() {
            // types may share one
            visible.functions.entry(own.oid).or_insert((at, function));
        }
        if matches!(of.declared.kind, TypeKind::Composite(_)) && of.relation != 0 {
            visible.composites.insert(of.relation, at);
        }
    }
    Visible {
        listed,
        by_oid,
        ..visible
    }
}

/// Once for each type in the life of the process; row types are not worth a word.
fn warn(all: &[Type], left_out: &HashSet<(&SourceName, Oid)>) {
    static SAID: Mutex<Option<HashSet<(SourceName, Oid)>>> = Mutex::new(None);
    let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    let said = said.get_or_insert_default();
    for of in all.iter().filter(|of| of.part == Part::Itself) {
        let key = (&of.declared.source, of.facts.oid);
        let is_row = matches!(of.declared.kind, TypeKind::Row(_));
        if !is_row && left_out.contains(&key) && said.insert((key.0.clone(), key.1)) {
            tracing::warn!(
                source = %key.0,
                oid = key.1,
                "type {} is not in pg_type: another source has another type of this OID",
                of.facts.name
            );
        }
    }
}
