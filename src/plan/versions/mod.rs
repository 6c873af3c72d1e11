//! Tables as they were: which of a statement's tables are read at which version,
//! and their places in the plan. The engine opens what is `wanted` before the
//! statement is planned: an older version has columns of its own, and those of a
//! table that a catalog only lists are not known yet.

pub(super) mod clause;
mod scope;

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use chrono::DateTime;
use datafusion::catalog::TableProvider;
use datafusion::common::TableReference;
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::LogicalPlanBuilder;
use datafusion::logical_expr::planner::{
    PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning,
};
use datafusion::sql::sqlparser::ast::{self, ObjectName, TableFactor, Visit, Visitor};
use datafusion::sql::sqlparser::tokenizer::Location;

use super::columns::folded;
use super::parse::Statement;
use crate::catalog::Catalog;
use crate::error::{Error, Result, SqlState};
use crate::names::RelationName;
use crate::semantics::SessionVars;
use crate::sources::lake::{At, LakeTable};
use crate::sources::{Table, TableState};
use crate::types::text::Zone;
use crate::types::text::parse::instant;
use clause::Written;
pub(super) use scope::refuse_queries;

/// The setting that says of which time lake tables are read.
const AS_OF: &str = "narrows.as_of";

/// A table that is opened before a statement is planned.
#[derive(Debug)]
pub struct Wanted {
    pub table: Arc<Table>,
    /// `None`: as it is now.
    pub at: Option<At>,
    place: Option<Location>,
}

/// Tables that were opened, at their versions, or why they cannot be read so.
#[derive(Debug, Default)]
pub struct Opened(HashMap<Key, Result<Arc<dyn TableProvider>>>);

type Key = (RelationName, Option<At>);

impl Opened {
    pub fn knows(&self, wanted: &Wanted) -> bool {
        self.0.contains_key(&wanted.key())
    }

    /// What opening gave; an error is the statement's where it names the table.
    pub fn add(
        &mut self,
        wanted: Wanted,
        opened: Result<Arc<dyn TableProvider>>,
        statement: &Statement,
    ) {
        let opened = match wanted.place {
            Some(_) => opened.map_err(|error| statement.found(error, wanted.place)),
            None => opened,
        };
        self.0.insert(wanted.key(), opened);
    }

    pub(super) fn find(
        &self,
        name: &RelationName,
        at: Option<At>,
    ) -> Option<Result<Arc<dyn TableProvider>>> {
        let found = self.0.get(&(name.clone(), at))?;
        Some(match found {
            Ok(table) => Ok(table.clone()),
            Err(error) => Err(error.duplicate()),
        })
    }
}

impl Wanted {
    fn key(&self) -> Key {
        (self.table.name.clone(), self.at.clone())
    }
}

/// The tables that a statement reads as they were, by its clauses and by
/// `narrows.as_of`, and those whose columns nobody has read yet; tables that it
/// does not read in the end may be among them. 22007 for what is no timestamp.
pub fn wanted(statement: &Statement, catalog: &Catalog, vars: &SessionVars) -> Result<Vec<Wanted>> {
    let as_of = as_of(vars)?;
    if !statement.has_versions && as_of.is_none() && !catalog.has_listed {
        return Ok(Vec::new());
    }
    let mut tables = Tables(Vec::new());
    let _ = statement.ast.visit(&mut tables);
    let mut wanted = Vec::new();
    for (name, clause) in tables.0 {
        let (at, place) = match clause {
            None => (as_of.clone(), None),
            Some((written, place)) => {
                let at = read(written, vars);
                let at = at.map_err(|error| statement.found(error, Some(place)))?;
                (Some(at), Some(place))
            }
        };
        let Some(table) = candidate(&name, catalog, vars) else {
            continue;
        };
        if !vars.grants.may_read(&table.name) {
            continue;
        }
        let is_listed = matches!(table.state, TableState::Listed(_));
        let now = is_listed.then_some(None);
        let then = at.filter(|_| keeps_versions(&table.state)).map(Some);
        wanted.extend(now.into_iter().chain(then).map(|at| Wanted {
            table: table.clone(),
            place: place.filter(|_| at.is_some()),
            at,
        }));
    }
    Ok(wanted)
}

fn keeps_versions(state: &TableState) -> bool {
    match state {
        TableState::Ready(provider) => provider
            .downcast_ref::<LakeTable>()
            .is_some_and(LakeTable::keeps_versions),
        // told when it is opened
        TableState::Listed(_) => true,
        TableState::Broken(_) => false,
    }
}

/// The table that a name stands for, or that it is a table about.
fn candidate<'a>(
    name: &ObjectName,
    catalog: &'a Catalog,
    vars: &SessionVars,
) -> Option<&'a Arc<Table>> {
    let parts: Vec<String> = name
        .0
        .iter()
        .filter_map(ast::ObjectNamePart::as_ident)
        .map(folded)
        .collect();
    let find = |schema: &str, table: &str| catalog.table(&RelationName::new(schema, table));
    let named = |schema: &str, table: &str| {
        let about = || find(schema, table.rsplit_once('$')?.0);
        find(schema, table).or_else(about)
    };
    match parts.as_slice() {
        [table] => vars
            .search_path
            .iter()
            .find_map(|schema| named(schema, table)),
        [schema, table] | [_, schema, table] => named(schema, table),
        _ => None,
    }
}

struct Tables(Vec<(ObjectName, Option<(Written, Location)>)>);

impl Visitor for Tables {
    type Break = ();

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table { name, version, .. } = factor {
            let clause = version.as_ref().and_then(clause::of);
            self.0.push((name.clone(), clause));
        }
        ControlFlow::Continue(())
    }
}

/// The time of `narrows.as_of`, if it is set.
pub(super) fn as_of(vars: &SessionVars) -> Result<Option<At>> {
    match vars.setting(AS_OF) {
        None | Some("") => Ok(None),
        Some(text) => time(text, &Zone::utc()).map(Some),
    }
}

/// What a clause asks for; timestamps without a zone are the session's.
fn read(written: Written, vars: &SessionVars) -> Result<At> {
    Ok(match written {
        Written::Version(text) => At::Version(text.parse().map_err(|_| {
            Error::new(
                SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
                format!("version {text} is out of range"),
            )
        })?),
        Written::Name(name) => At::Name(name),
        Written::Tag(name) => At::Tag(name),
        Written::Branch(name) => At::Branch(name),
        Written::Time(text) => {
            let zone = vars.setting("timezone").and_then(Zone::setting);
            return time(&text, &zone.unwrap_or_else(Zone::utc));
        }
    })
}

fn time(text: &str, zone: &Zone) -> Result<At> {
    let invalid = || {
        Error::new(
            SqlState::INVALID_DATETIME_FORMAT,
            format!("invalid input syntax for type timestamp with time zone: \"{text}\""),
        )
    };
    let micros = instant(text, zone).map_err(|_| invalid())?;
    DateTime::from_timestamp_micros(micros)
        .map(At::Time)
        .ok_or_else(invalid)
}

/// Separates a table's name from its clause on the way to the resolver, which is
/// asked for names alone.
const MARK: char = '\u{2}';

/// Plans tables with a clause; they keep their names.
#[derive(Debug)]
pub(super) struct VersionPlanner;

impl RelationPlanner for VersionPlanner {
    fn plan_relation(
        &self,
        relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> EngineResult<RelationPlanning> {
        let TableFactor::Table {
            name,
            alias,
            version: Some(version),
            ..
        } = &relation
        else {
            return Ok(RelationPlanning::Original(Box::new(relation)));
        };
        let Some((written, _)) = clause::of(version) else {
            return Ok(RelationPlanning::Original(Box::new(relation)));
        };
        let reference = context.object_name_to_table_reference(name.clone())?;
        let asked = marked(&reference, &written);
        let source = context.context_provider().get_table_source(asked)?;
        let plan = LogicalPlanBuilder::scan(reference, source, None)?.build()?;
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(
            plan,
            alias.clone(),
        ))))
    }
}

fn marked(reference: &TableReference, written: &Written) -> TableReference {
    let (word, text) = match written {
        Written::Version(text) => ('v', text),
        Written::Name(text) => ('n', text),
        Written::Tag(text) => ('t', text),
        Written::Branch(text) => ('b', text),
        Written::Time(text) => ('@', text),
    };
    let table = format!("{}{MARK}{word}{text}", reference.table());
    match reference {
        TableReference::Bare { .. } => TableReference::bare(table),
        TableReference::Partial { schema, .. } => TableReference::partial(schema.clone(), table),
        TableReference::Full {
            catalog, schema, ..
        } => TableReference::full(catalog.clone(), schema.clone(), table),
    }
}

/// A name as it came from `marked`: the table's, and what is asked of it.
pub(super) fn unmarked(table: &str, vars: &SessionVars) -> Result<(String, Option<At>)> {
    let Some((name, clause)) = table.split_once(MARK) else {
        return Ok((table.to_string(), None));
    };
    let mut rest = clause.chars();
    let word = rest.next();
    let text = rest.as_str().to_string();
    let written = match word {
        Some('v') => Written::Version(text),
        Some('n') => Written::Name(text),
        Some('t') => Written::Tag(text),
        Some('b') => Written::Branch(text),
        Some('@') => Written::Time(text),
        // a client's own name
        _ => return Ok((table.to_string(), None)),
    };
    Ok((name.to_string(), Some(read(written, vars)?)))
}
