//! One walk over a statement's tree that finds every name in it, says what it
//! stands for and collects the edits. What a statement does is asked of `kind`;
//! what each sort of name means is in `relations`, `expressions` and `literals`.

use squawk_parser::SyntaxKind;

use super::kind;
use super::names::{Names, SchemaIs};
use super::rewritten::Edit;
use super::scope::Scopes;
use super::statement::{Effects, FunctionName, Kind, Reason, RelayStatement};
use super::tree::{Id, Tree};
use crate::names::{RelationName, SourceName};

/// What a text is read as.
pub(super) struct Read {
    pub outcome: Result<Relayed, Reason>,
    /// Byte offsets of the constants whose value decided something.
    pub decisive: Vec<usize>,
}

pub(super) struct Relayed {
    pub statement: RelayStatement,
    /// In the order of the text.
    pub edits: Vec<Edit>,
}

pub(super) fn read(text: &str, names: &Names) -> Read {
    read_for(text, names, None)
}

/// `source` has the statement if no name decides.
pub(super) fn read_for(text: &str, names: &Names, source: Option<&SourceName>) -> Read {
    let tree = match Tree::parse(text) {
        Ok(tree) => tree,
        Err(reason) => return Read::failed(reason),
    };
    let statement = match kind::only_statement(&tree) {
        Ok(statement) => statement,
        Err(reason) => return Read::failed(reason),
    };
    let mut walk = Walk {
        tree: &tree,
        names,
        statement,
        scopes: Scopes::default(),
        found: Found::default(),
    };
    walk.found.suggested = source.cloned();
    let outcome = walk.outcome();
    Read {
        outcome,
        decisive: walk.found.decisive,
    }
}

/// What a statement does, names left aside; `None`: it is not understood.
pub(super) fn classify(text: &str) -> Option<(Kind, Effects)> {
    let tree = Tree::parse(text).ok()?;
    let statement = kind::only_statement(&tree).ok()?;
    let kind = kind::of(&tree, statement).ok()?;
    // functions are not looked up: any of them may change the session
    let effects = kind::effects(&tree, statement).unwrap_or(Effects::Taints);
    Some((kind, effects.max(Effects::Taints)))
}

impl Read {
    fn failed(reason: Reason) -> Read {
        Read {
            outcome: Err(reason),
            decisive: Vec::new(),
        }
    }
}

pub(super) struct Walk<'w, 't> {
    pub tree: &'w Tree<'t>,
    pub names: &'w Names<'w>,
    /// The node of the statement itself.
    pub statement: Id,
    pub scopes: Scopes,
    pub found: Found,
}

/// What the walk has seen.
#[derive(Default)]
pub(super) struct Found {
    /// Each with the first name of it, and whether it is a Postgres.
    sources: Vec<(SourceName, String, SourceIs)>,
    system: Option<String>,
    /// A name, and the source that it would belong to.
    unknown: Option<(String, Option<SourceName>)>,
    pub edits: Vec<Edit>,
    pub decisive: Vec<usize>,
    pub reads: Vec<RelationName>,
    pub writes: Vec<RelationName>,
    pub functions: Vec<FunctionName>,
    pub effects: Option<Effects>,
    /// nextval and setval: not in a READ ONLY transaction.
    pub advances: bool,
    /// currval and lastval: what nextval gave in the same session.
    pub recalls: bool,
    /// Names that the path of the one Postgres source resolves.
    pub unqualified: bool,
    /// Names that count only beside others: in constants.
    weak: Vec<(SourceName, String, SourceIs)>,
    /// Types in schemas that are not mapped, and the sources that have them.
    pub elsewhere: Vec<(String, Vec<SourceName>)>,
    /// What the path leads to where no name decides: the source of an unqualified type.
    suggested: Option<SourceName>,
    /// An unqualified function is called that is not built in.
    pub calls: bool,
    /// Where an unqualified relation is created.
    pub created: Option<Id>,
    /// Unqualified relations that are changed or dropped and that the catalog
    /// does not hold: the source finds them by its path, or not.
    pub assumed: Vec<String>,
    /// A temporary relation is named.
    pub on_temporary: bool,
    pub temporary: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SourceIs {
    Postgres,
    Lake,
}

/// Does a name decide where a statement runs?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    Full,
    /// Only beside others: a constant that names a relation.
    None,
}

impl Walk<'_, '_> {
    fn outcome(&mut self) -> Result<Relayed, Reason> {
        let kind = kind::of(self.tree, self.statement)?;
        self.visit_all()?;
        let source = self.source()?;
        self.create(&source)?;
        let found = &mut self.found;
        // Grants are checked by what is written; temporary relations are the client's.
        let own = found.on_temporary || !found.temporary.is_empty();
        if kind == Kind::Define && found.writes.is_empty() && !own {
            return Err(Reason::NotUnderstood("what is defined".into()));
        }
        found.edits.sort_by_key(|edit| edit.start);
        let effects = kind::effects(self.tree, self.statement).max(found.effects);
        // a statement that writes may advance the sequence itself
        let recalls = found.recalls && !found.advances && matches!(kind, Kind::Read | Kind::Lock);
        Ok(Relayed {
            statement: RelayStatement {
                source,
                kind: match found.advances {
                    true => kind::writing(kind),
                    false => kind,
                },
                reads: std::mem::take(&mut found.reads),
                writes: std::mem::take(&mut found.writes),
                functions: std::mem::take(&mut found.functions),
                temporary: std::mem::take(&mut found.temporary),
                recalls,
                effects: effects.unwrap_or(Effects::Plain),
            },
            edits: std::mem::take(&mut found.edits),
        })
    }

    fn visit_all(&mut self) -> Result<(), Reason> {
        if self.tree.kind(self.statement) == SyntaxKind::DO {
            // it names nothing: where the path leads, for users who may do all there
            self.found.unqualified = true;
            self.found.functions.push(FunctionName {
                schema: Some("pg_catalog".into()),
                name: "DO".into(),
            });
        }
        for id in self.tree.ids() {
            match self.tree.kind(id) {
                SyntaxKind::WITH_CLAUSE => self.scopes.enter(self.tree, id)?,
                SyntaxKind::CREATE_VIEW => self.scopes.enter_view(self.tree, id)?,
                SyntaxKind::PATH | SyntaxKind::PATH_REF => self.path(id)?,
                SyntaxKind::FIELD_EXPR => self.field(id)?,
                SyntaxKind::CALL_EXPR => self.call(id)?,
                SyntaxKind::CAST_EXPR => self.cast(id)?,
                SyntaxKind::SCHEMA_REF => self.schema_name(id)?,
                SyntaxKind::EXPLAIN_OPTION_VALUE => self.decisive(id),
                SyntaxKind::PROPERTY_GRAPH_REF
                | SyntaxKind::GRAPH_TABLE_FN
                | SyntaxKind::NON_STANDARD_PARAM => {
                    return Err(Reason::NotUnderstood(self.tree.text(id).to_string()));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The one Postgres source that everything belongs to.
    fn source(&mut self) -> Result<SourceName, Reason> {
        let found = &mut self.found;
        if !found.sources.is_empty() || found.unqualified || found.advances || found.recalls {
            for weak in std::mem::take(&mut found.weak) {
                found.add(weak);
            }
        }
        if let [(_, name, SourceIs::Lake)] = &found.sources[..] {
            return Err(Reason::Lake(name.clone()));
        }
        if found.sources.len() > 1 {
            let sources = found.sources.iter().map(|(source, ..)| source.clone());
            return Err(Reason::Sources(sources.collect()));
        }
        let source = found.sources.first().map(|(source, ..)| source.clone());
        if let Some((name, owner)) = found.unknown.take() {
            return Err(Reason::Unknown {
                name,
                source: owner.or(source),
            });
        }
        if let Some(name) = found.system.take() {
            return Err(Reason::System(name));
        }
        let source = source.or_else(|| found.suggested.take()).or_else(|| {
            // the one source that can have it
            let [(_, owners), ..] = &found.elsewhere[..] else {
                return None;
            };
            let [owner] = &owners[..] else { return None };
            Some(owner.clone())
        });
        let stranger = |(_, owners): &&(String, Vec<SourceName>)| {
            source
                .as_ref()
                .is_none_or(|source| !owners.contains(source))
        };
        if let Some((name, _)) = found.elsewhere.iter().find(stranger) {
            let name = name.clone();
            return Err(Reason::Unknown { name, source });
        }
        if let Some(source) = source {
            return Ok(source);
        }
        // CREATE TYPE mood, DROP INDEX i, CALL p(), SELECT f(): where the path leads.
        let schema =
            match found.unqualified || found.calls || found.recalls || found.created.is_some() {
                true => self.names.first_schema(None),
                false => None,
            };
        match schema.map(|schema| self.names.schema(schema)) {
            Some(SchemaIs::Postgres { source, .. }) => Ok(source.clone()),
            _ => Err(Reason::NoTable),
        }
    }

    /// Notes a name that must not be relayed with names of another source.
    pub(super) fn mention(
        &mut self,
        source: &SourceName,
        is: SourceIs,
        name: String,
        weight: Weight,
    ) {
        let mention = (source.clone(), name, is);
        match weight {
            Weight::Full => self.found.add(mention),
            Weight::None => self.found.weak.push(mention),
        }
    }

    pub(super) fn system(&mut self, name: &str) {
        self.found.system.get_or_insert_with(|| name.to_string());
    }

    pub(super) fn unknown(&mut self, name: &str, source: Option<&SourceName>) {
        self.found
            .unknown
            .get_or_insert_with(|| (name.to_string(), source.cloned()));
    }

    /// Replaces the bytes by `with`.
    pub(super) fn edit(&mut self, start: usize, end: usize, with: String) {
        // A constant can be met twice: as an argument and in the cast that it has.
        if !self.found.edits.iter().any(|edit| edit.start == start) {
            self.found.edits.push(Edit { start, end, with });
        }
    }

    /// The values of the constants below decide.
    pub(super) fn decisive(&mut self, id: Id) {
        for below in id..self.tree.next(id) {
            if self.tree.is_leaf(below) && !self.tree.kind(below).is_keyword() {
                self.found.decisive.push(self.tree.start(below));
            }
        }
    }
}

impl Found {
    fn add(&mut self, (source, name, is): (SourceName, String, SourceIs)) {
        if !self.sources.iter().any(|(known, ..)| *known == source) {
            self.sources.push((source, name, is));
        }
    }

    pub(super) fn read(&mut self, name: RelationName) {
        if !self.reads.contains(&name) {
            self.reads.push(name);
        }
    }

    pub(super) fn write(&mut self, name: RelationName) {
        if !self.writes.contains(&name) {
            self.writes.push(name);
        }
    }

    pub(super) fn suggest(&mut self, source: &SourceName) {
        self.suggested.get_or_insert_with(|| source.clone());
    }

    pub(super) fn affect(&mut self, effects: Effects) {
        self.effects = self.effects.max(Some(effects));
    }
}
