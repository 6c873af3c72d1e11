//! How a column goes to clients unchanged: as the bytes that the source sends,
//! if all that they are made of can be written as text here, with the source's
//! own text beside them if not.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::query::ColumnRow;
use super::types::{Parts, TypeRow};
use crate::types::sent::{self, FIRST_OWN_OID, Form, Need, OwnType, OwnTypes, Sent};
use crate::types::{Oid, PgType};

/// The types that a database defines, by their OIDs.
pub(super) struct OwnTypesOf {
    /// With what each is made of.
    made_of: HashMap<Oid, (OwnType, Vec<Oid>)>,
    labels: HashMap<Oid, Arc<[String]>>,
    /// Types that have no binary form.
    text_only: HashSet<Oid>,
}

/// aclitem and gtsvector, the only built-in types of columns without one.
const TEXT_ONLY: [Oid; 2] = [1033, 3642];

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
        let labels = rows
            .iter()
            .filter_map(|row| Some((row.oids().0, row.sorted_labels()?.into())));
        let text_only = rows.iter().filter(|row| !row.has_binary_form());
        OwnTypesOf {
            made_of: parts.flatten().collect(),
            labels: labels.collect(),
            text_only: text_only.map(|row| row.oids().0).collect(),
        }
    }

    /// An enum's labels in its order.
    pub fn labels(&self, oid: Oid) -> Option<Arc<[String]>> {
        self.labels.get(&oid).cloned()
    }

    /// Have all values that values of a type are made of a binary form?
    fn has_binary_form(&self, oid: Oid, seen: &mut HashSet<Oid>) -> bool {
        if !seen.insert(oid) {
            return true;
        }
        if oid < FIRST_OWN_OID {
            let element = PgType::new(oid, -1).element();
            return element.map_or(!TEXT_ONLY.contains(&oid), |element| {
                self.has_binary_form(element.oid, seen)
            });
        }
        let parts = self.made_of.get(&oid).map(|(_, parts)| parts.as_slice());
        !self.text_only.contains(&oid)
            && parts
                .unwrap_or_default()
                .iter()
                .all(|part| self.has_binary_form(*part, seen))
    }

    /// Adds what values of a type are made of; false if something of it is not
    /// known well enough to write it as text.
    fn collect(&self, oid: Oid, into: &mut OwnTypes) -> bool {
        if oid < FIRST_OWN_OID {
            return sent::is_rendered(oid);
        }
        let Some((own, parts)) = self.made_of.get(&oid) else {
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
                let has_binary_form = row.send_function.is_some()
                    && self.has_binary_form(pg_type.oid, &mut HashSet::new());
                match has_binary_form {
                    true => Form::WithText,
                    false => Form::Text,
                }
            }
        };
        Some(Sent { pg_type, form, own })
    }
}
