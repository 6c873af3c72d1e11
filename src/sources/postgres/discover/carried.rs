//! How a column goes to clients unchanged: as the bytes that the source sends,
//! if all that they are made of can be written as text here, with the source's
//! own text beside them if not.

use std::collections::HashMap;

use super::query::ColumnRow;
use super::types::{Parts, TypeRow};
use crate::types::sent::{self, FIRST_OWN_OID, Form, Need, OwnType, OwnTypes, Sent};
use crate::types::{Oid, PgType};

/// The types that a database defines, by their OIDs.
pub(super) struct OwnTypesOf(HashMap<Oid, (OwnType, Vec<Oid>)>);

impl OwnTypesOf {
    pub fn new(rows: &[TypeRow]) -> Self {
        let subtypes: HashMap<Oid, Oid> = rows.iter().filter_map(TypeRow::subtype).collect();
        let parts = rows.iter().flat_map(|row| {
            let (oid, array) = row.oids();
            let own = match row.parts()? {
                Parts::Enum => (OwnType::Enum, Vec::new()),
                Parts::Domain(base) => (OwnType::Domain(base), vec![base]),
                Parts::Array(element) => (OwnType::Array(element), vec![element]),
                Parts::Composite(attributes) => (OwnType::Composite, attributes),
                Parts::Range(subtype) => (OwnType::Range(subtype), vec![subtype]),
                Parts::Multirange(range) => {
                    let subtype = *subtypes.get(&range)?;
                    (OwnType::Multirange(subtype), vec![subtype])
                }
            };
            let array = array.map(|array| (array, (OwnType::Array(oid), vec![oid])));
            Some([Some((oid, own)), array].into_iter().flatten())
        });
        OwnTypesOf(parts.flatten().collect())
    }

    /// Adds what values of a type are made of; false if something of it is not
    /// known well enough to write it as text.
    fn collect(&self, oid: Oid, into: &mut OwnTypes) -> bool {
        if oid < FIRST_OWN_OID {
            return sent::is_rendered(oid);
        }
        let Some((own, parts)) = self.0.get(&oid) else {
            return false;
        };
        if into.insert(oid, *own).is_some() {
            return true;
        }
        parts.iter().all(|part| self.collect(*part, into))
    }

    /// `None` if the column's Arrow type has all its values.
    pub fn sent(&self, row: &ColumnRow) -> Option<Sent> {
        let pg_type = PgType::new(row.base_oid, row.base_typmod);
        if sent::need(pg_type) == Need::Never {
            return None;
        }
        let mut own = OwnTypes::new();
        let form = match self.collect(pg_type.oid, &mut own) {
            true => Form::Binary,
            false => {
                own.clear();
                match row.send_function {
                    Some(_) => Form::WithText,
                    None => Form::Text,
                }
            }
        };
        Some(Sent { pg_type, form, own })
    }
}
