//! The types that a source's database defines, as plain data: what the system
//! catalogs list for clients that meet the OIDs in results and parameters of
//! statements that the source itself answered. The engine reads none of this;
//! how it carries a column is in `Column`.
//!
//! OIDs are the source's own. Those below 10000 are the same in every Postgres
//! ("OID Assignment" in the manual's chapter on catalog contents), others mean something in that source alone.

use crate::names::{RelationName, SourceName};
use crate::types::Oid;

/// A type with its array type, which is described by its element.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceType {
    pub source: SourceName,
    /// The schema here; `None`: it lies in one of the source that is not mapped,
    /// as the types of extensions often do.
    pub schema: Option<String>,
    /// The schema that it lies in there.
    pub remote_schema: String,
    pub name: String,
    pub oid: Oid,
    pub kind: TypeKind,
    pub array: Option<ArrayType>,
    pub layout: Layout,
    /// pg_type.typcategory.
    pub category: char,
    pub preferred: bool,
    /// Between the elements of its arrays.
    pub delimiter: char,
    /// What subscripting gives, of a base type; 0: nothing.
    pub element: Oid,
    /// 0: not collatable.
    pub collation: Oid,
    /// As SQL text.
    pub default: Option<String>,
    pub comment: Option<String>,
    pub functions: TypeFunctions,
}

#[derive(Debug, Clone, PartialEq)]
pub enum TypeKind {
    /// Of an extension, mostly.
    Base,
    /// The labels in their order.
    Enum(Vec<EnumLabel>),
    Domain(Domain),
    Composite(Composite),
    /// The row type of a relation that is a `Table` here.
    Row(RowType),
    Range(Range),
    /// Over this range type.
    Multirange(Oid),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArrayType {
    pub oid: Oid,
    pub name: String,
}

/// How the source stores a value: pg_type's typlen, typbyval, typalign and typstorage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    pub length: i16,
    pub by_value: bool,
    pub align: char,
    pub storage: char,
}

#[derive(Debug, Clone, PartialEq)]
pub struct EnumLabel {
    pub oid: Oid,
    pub order: f32,
    pub label: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domain {
    pub base: Oid,
    pub typmod: i32,
    pub dimensions: i32,
    pub not_null: bool,
    pub checks: Vec<DomainCheck>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainCheck {
    pub name: String,
    /// "CHECK ((VALUE > 0))"
    pub definition: String,
    pub validated: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Composite {
    /// pg_type.typrelid.
    pub relation: Oid,
    pub attributes: Vec<Attribute>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowType {
    pub table: RelationName,
    /// The OID of the relation there.
    pub relation: Oid,
    /// pg_attribute.attnum there of the table's columns, in their order.
    pub numbers: Vec<i16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    pub name: String,
    /// pg_attribute.attnum; dropped attributes leave gaps.
    pub number: i16,
    pub oid: Oid,
    pub typmod: i32,
    pub dimensions: i32,
    pub collation: Oid,
    pub comment: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    pub subtype: Oid,
    /// 0 before Postgres 14.
    pub multirange: Oid,
    pub collation: Oid,
    pub operator_class: Oid,
    pub canonical: Oid,
    pub difference: Oid,
}

/// OIDs of the functions that pg_type names; 0: none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TypeFunctions {
    pub input: Oid,
    pub output: Oid,
    pub receive: Oid,
    pub send: Oid,
    pub modifier_in: Oid,
    pub modifier_out: Oid,
    pub analyze: Oid,
    pub subscript: Oid,
    /// Those of them that the source defines itself.
    pub own: Vec<SourceFunction>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFunction {
    pub oid: Oid,
    pub name: String,
    pub arguments: Vec<Oid>,
    pub result: Oid,
    pub strict: bool,
    /// pg_proc.provolatile.
    pub volatility: char,
}

impl SourceType {
    /// Is this its name or that of its array type?
    pub fn is_called(&self, name: &str) -> bool {
        self.name == name || self.array.as_ref().is_some_and(|array| array.name == name)
    }

    /// The types it is made of.
    pub fn parts(&self) -> Vec<Oid> {
        let mut parts = match &self.kind {
            TypeKind::Base => vec![self.element],
            TypeKind::Enum(_) | TypeKind::Row(_) => Vec::new(),
            TypeKind::Domain(domain) => vec![domain.base],
            TypeKind::Composite(composite) => composite.attributes.iter().map(|a| a.oid).collect(),
            TypeKind::Range(range) => vec![range.subtype],
            TypeKind::Multirange(range) => vec![*range],
        };
        parts.retain(|oid| *oid != 0);
        parts
    }

    /// Is it the same type of the same database, or of a copy of that?
    pub fn is_copy_of(&self, other: &SourceType) -> bool {
        let kind = match (&self.kind, &other.kind) {
            (TypeKind::Row(one), TypeKind::Row(other)) => {
                one.table.relation == other.table.relation
            }
            (one, other) => one == other,
        };
        kind && (&self.name, self.oid, &self.array, self.layout)
            == (&other.name, other.oid, &other.array, other.layout)
            && self.functions == other.functions
    }
}
