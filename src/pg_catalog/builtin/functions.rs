//! The rows of pg_proc, by OID and by name.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::pg_catalog::data;
use crate::types::Oid;

/// A row of pg_proc.
#[derive(Debug)]
pub struct FunctionFacts {
    pub oid: Oid,
    pub name: String,
    pub namespace: Oid,
    pub result: Oid,
    pub returns_set: bool,
    pub kind: char,
    pub arguments: Vec<Oid>,
    /// With OUT arguments; empty: all are IN.
    pub all_arguments: Vec<Oid>,
    pub modes: Vec<String>,
    pub names: Vec<String>,
    pub defaults: i64,
    pub source: String,
}

static FUNCTIONS: LazyLock<HashMap<Oid, FunctionFacts>> = LazyLock::new(read);

static BY_NAME: LazyLock<HashMap<&'static str, Vec<Oid>>> = LazyLock::new(|| {
    let mut all: HashMap<&'static str, Vec<Oid>> = HashMap::new();
    for facts in FUNCTIONS.values() {
        all.entry(&facts.name).or_default().push(facts.oid);
    }
    all.values_mut().for_each(|oids| oids.sort_unstable());
    all
});

pub fn function(oid: Oid) -> Option<&'static FunctionFacts> {
    FUNCTIONS.get(&oid)
}

/// All of them, by OID.
pub fn functions() -> Vec<&'static FunctionFacts> {
    let mut all: Vec<_> = FUNCTIONS.values().collect();
    all.sort_unstable_by_key(|facts| facts.oid);
    all
}

/// Every overload, by OID.
pub fn functions_named(name: &str) -> impl Iterator<Item = &'static FunctionFacts> {
    BY_NAME
        .get(name)
        .into_iter()
        .flatten()
        .filter_map(|oid| function(*oid))
}

fn read() -> HashMap<Oid, FunctionFacts> {
    let Some(rows) = data::rows("pg_proc") else {
        return HashMap::new();
    };
    let lists = |column| -> Vec<Vec<String>> {
        let list = |text: &str| data::elements(text).into_iter().flatten().collect();
        rows.texts(column).iter().map(|text| list(text)).collect()
    };
    let oids_of = |column| -> Vec<Vec<Oid>> {
        let parsed = |list: Vec<String>| list.iter().flat_map(|oid| oid.parse()).collect();
        lists(column).into_iter().map(parsed).collect()
    };
    let (names, kinds, sets) = (
        rows.texts("proname"),
        rows.texts("prokind"),
        rows.texts("proretset"),
    );
    let (oids, namespaces) = (rows.integers("oid"), rows.integers("pronamespace"));
    let (results, defaults) = (
        rows.integers("prorettype"),
        rows.integers("pronargdefaults"),
    );
    let mut arguments = oids_of("proargtypes");
    let mut all_arguments = oids_of("proallargtypes");
    let (mut modes, mut argument_names) = (lists("proargmodes"), lists("proargnames"));
    let sources = rows.texts("prosrc");
    (0..rows.len())
        .map(|i| {
            let facts = FunctionFacts {
                oid: oids[i] as Oid,
                name: names[i].to_string(),
                namespace: namespaces[i] as Oid,
                result: results[i] as Oid,
                returns_set: sets[i] == "t",
                kind: kinds[i].chars().next().unwrap_or('f'),
                arguments: std::mem::take(&mut arguments[i]),
                all_arguments: std::mem::take(&mut all_arguments[i]),
                modes: std::mem::take(&mut modes[i]),
                names: std::mem::take(&mut argument_names[i]),
                defaults: defaults[i],
                source: sources[i].to_string(),
            };
            (facts.oid, facts)
        })
        .collect()
}
