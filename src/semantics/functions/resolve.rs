//! Which overload a call means: sections 10.2 "Operators" and 10.3
//! "Functions" of the manual, with their errors.

use super::{ANY, ANYARRAY, ANYELEMENT, BY_NAME, Overload};
use crate::error::{Error, Result, SqlState};
use crate::semantics::typed::{Category, Known, casts_implicitly, category, is_preferred, is_text};
use crate::types::PgType;

/// An overload and the types that its arguments take.
#[derive(Debug, Clone)]
pub(in crate::semantics) struct Resolution {
    pub(in crate::semantics) overload: &'static Overload,
    pub(in crate::semantics) arguments: Vec<PgType>,
}

pub(in crate::semantics) fn resolve_function(name: &str, types: &[Known]) -> Result<Resolution> {
    let candidates = BY_NAME.get(name).map_or(&[][..], Vec::as_slice);
    match best(candidates, types) {
        Found::One(overload) => Ok(resolution(overload, types)),
        found => Err(unresolved_function(
            name,
            types,
            matches!(found, Found::Many),
        )),
    }
}

/// 42883 or 42725 for a function call.
pub(in crate::semantics) fn unresolved_function(
    name: &str,
    types: &[Known],
    ambiguous: bool,
) -> Error {
    let types: Vec<String> = types.iter().map(|known| known.name()).collect();
    let name = name.strip_prefix("rows of ").unwrap_or(name);
    let call = format!("function {name}({})", types.join(", "));
    if ambiguous {
        return Error::new(SqlState::AMBIGUOUS_FUNCTION, format!("{call} is not unique")).with_hint(
            "Could not choose a best candidate function. You might need to add explicit type casts.",
        );
    }
    Error::new(SqlState::UNDEFINED_FUNCTION, format!("{call} does not exist")).with_hint(
        "No function matches the given name and argument types. You might need to add explicit type casts.",
    )
}

/// A binary operator. An operand of unknown type is first taken to have the
/// type of the other.
pub(in crate::semantics) fn resolve_operator(
    symbol: &str,
    left: Known,
    right: Known,
) -> Result<Resolution> {
    let candidates = BY_NAME.get(symbol).map_or(&[][..], Vec::as_slice);
    let assumed = match (left, right) {
        (Known::Unknown, Known::Typed(_)) => Some([right, right]),
        (Known::Typed(_), Known::Unknown) => Some([left, left]),
        _ => None,
    };
    if let Some(types) = assumed
        && let Some(exact) = candidates.iter().find(|c| is_exact(c, &types))
    {
        return Ok(resolution(exact, &types));
    }
    match best(candidates, &[left, right]) {
        Found::One(overload) => Ok(resolution(overload, &[left, right])),
        found => Err(unresolved_operator(
            symbol,
            left,
            right,
            matches!(found, Found::Many),
        )),
    }
}

pub(in crate::semantics) fn unresolved_operator(
    symbol: &str,
    left: Known,
    right: Known,
    ambiguous: bool,
) -> Error {
    let call = format!("{} {symbol} {}", left.name(), right.name());
    if ambiguous {
        return Error::new(
            SqlState::AMBIGUOUS_FUNCTION,
            format!("operator is not unique: {call}"),
        )
        .with_hint(
            "Could not choose a best candidate operator. You might need to add explicit type casts.",
        );
    }
    Error::new(
        SqlState::UNDEFINED_FUNCTION,
        format!("operator does not exist: {call}"),
    )
    .with_hint(
        "No operator matches the given name and argument types. You might need to add explicit type casts.",
    )
}

enum Found {
    None,
    One(&'static Overload),
    Many,
}

fn parameter(overload: &Overload, index: usize) -> PgType {
    let last = overload.arguments.len().saturating_sub(1);
    overload
        .arguments
        .get(index.min(last))
        .copied()
        .unwrap_or(ANY)
}

fn takes(overload: &Overload, count: usize) -> bool {
    match overload.variadic {
        true => count >= overload.arguments.len(),
        false => count == overload.arguments.len(),
    }
}

fn is_exact(overload: &Overload, types: &[Known]) -> bool {
    takes(overload, types.len())
        && types
            .iter()
            .enumerate()
            .all(|(index, known)| known.is(parameter(overload, index)))
}

fn accepts(overload: &Overload, types: &[Known]) -> bool {
    types.iter().enumerate().all(|(index, known)| {
        let parameter = parameter(overload, index);
        match (known, parameter.oid) {
            (Known::Unknown, _) => true,
            (_, oid) if oid == ANY.oid => true,
            (Known::Typed(own), oid) if oid == ANYARRAY.oid => own.element().is_some(),
            (Known::Typed(own), oid) if oid == ANYELEMENT.oid => {
                let array = overload
                    .arguments
                    .iter()
                    .position(|p| p.oid == ANYARRAY.oid);
                match array
                    .and_then(|at| types.get(at))
                    .and_then(|known| known.pg_type())
                {
                    Some(array) => array
                        .element()
                        .is_some_and(|element| casts_implicitly(*own, element)),
                    None => true,
                }
            }
            (Known::Typed(own), _) => casts_implicitly(*own, parameter),
        }
    })
}

fn best(candidates: &[&'static Overload], types: &[Known]) -> Found {
    if let Some(exact) = candidates.iter().find(|c| is_exact(c, types)) {
        return Found::One(exact);
    }
    let mut left: Vec<&'static Overload> = candidates
        .iter()
        .copied()
        .filter(|c| takes(c, types.len()) && accepts(c, types))
        .collect();
    keep_most(&mut left, |c| {
        count(types, |index, own| own.oid == parameter(c, index).oid)
    });
    keep_most(&mut left, |c| {
        count(types, |index, own| {
            let parameter = parameter(c, index);
            own.oid == parameter.oid
                || (is_preferred(parameter) && category(parameter) == category(own))
        })
    });
    if left.len() > 1 {
        settle_unknowns(&mut left, types);
    }
    if left.len() > 1 {
        settle_by_known(&mut left, types);
    }
    match left.as_slice() {
        [] => Found::None,
        [one] => Found::One(one),
        _ => Found::Many,
    }
}

fn count(types: &[Known], agrees: impl Fn(usize, PgType) -> bool) -> usize {
    types
        .iter()
        .enumerate()
        .filter(|(index, known)| known.pg_type().is_some_and(|own| agrees(*index, own)))
        .count()
}

fn keep_most(left: &mut Vec<&'static Overload>, score: impl Fn(&Overload) -> usize) {
    let most = left.iter().map(|c| score(c)).max().unwrap_or(0);
    left.retain(|c| score(c) == most);
}

/// Step 4e of section 10.3: string where a candidate takes it, else the one
/// category that all take, there the preferred type.
fn settle_unknowns(left: &mut Vec<&'static Overload>, types: &[Known]) {
    for index in (0..types.len()).filter(|index| types[*index] == Known::Unknown) {
        let categories: Vec<Category> =
            left.iter().map(|c| category(parameter(c, index))).collect();
        let chosen = if categories.contains(&Category::String) {
            Category::String
        } else if categories.windows(2).all(|pair| pair[0] == pair[1]) {
            match categories.first() {
                Some(category) => *category,
                None => return,
            }
        } else {
            continue;
        };
        let in_category: Vec<&'static Overload> = left
            .iter()
            .copied()
            .filter(|c| category(parameter(c, index)) == chosen)
            .collect();
        let preferred: Vec<&'static Overload> = in_category
            .iter()
            .copied()
            .filter(|c| is_preferred(parameter(c, index)))
            .collect();
        *left = if preferred.is_empty() {
            in_category
        } else {
            preferred
        };
    }
}

/// Step 4f: if all known arguments have one type, the unknown ones are taken to have it too.
fn settle_by_known(left: &mut Vec<&'static Overload>, types: &[Known]) {
    let mut known = types.iter().filter_map(|known| known.pg_type());
    let Some(first) = known.next() else { return };
    if known.any(|next| next.oid != first.oid) {
        return;
    }
    let assumed = vec![Known::Typed(first); types.len()];
    let fitting: Vec<&'static Overload> = left
        .iter()
        .copied()
        .filter(|c| accepts(c, &assumed))
        .collect();
    if fitting.len() == 1 {
        *left = fitting;
    }
}

fn resolution(overload: &'static Overload, types: &[Known]) -> Resolution {
    let array = overload
        .arguments
        .iter()
        .position(|p| p.oid == ANYARRAY.oid)
        .and_then(|at| types.get(at))
        .and_then(|known| known.pg_type());
    let element = overload
        .arguments
        .iter()
        .position(|p| p.oid == ANYELEMENT.oid)
        .and_then(|at| types.get(at))
        .and_then(|known| known.pg_type())
        .map(|own| PgType::new(own.oid, -1));
    let arguments = types
        .iter()
        .enumerate()
        .map(|(index, known)| {
            let parameter = parameter(overload, index);
            match (*known, parameter.oid) {
                (Known::Typed(own), oid) if oid == ANY.oid || oid == ANYARRAY.oid => own,
                (Known::Unknown, oid) if oid == ANYARRAY.oid => element
                    .or(array.and_then(|array| array.element()))
                    .unwrap_or(PgType::TEXT)
                    .array(),
                (known, oid) if oid == ANYELEMENT.oid => array
                    .and_then(|array| array.element())
                    .or(known.pg_type())
                    .unwrap_or(PgType::TEXT),
                (Known::Unknown, oid) if oid == ANY.oid => match overload.name {
                    "pg_typeof" => PgType::UNKNOWN,
                    _ => PgType::TEXT,
                },
                (Known::Unknown, _) => parameter,
                (Known::Typed(own), _) => argument_type(own, parameter),
            }
        })
        .collect();
    Resolution {
        overload,
        arguments,
    }
}

/// The type an argument takes: its own modifier is kept, integers that become
/// numerics get the digits they need.
fn argument_type(own: PgType, parameter: PgType) -> PgType {
    if own.oid == parameter.oid || (is_text(own) && is_text(parameter)) {
        return PgType::new(
            parameter.oid,
            if own.oid == parameter.oid {
                own.typmod
            } else {
                -1
            },
        );
    }
    if parameter.oid == PgType::NUMERIC.oid {
        return numeric_of(own);
    }
    parameter
}

/// The numeric that holds every value of an integer type.
pub(in crate::semantics) fn numeric_of(own: PgType) -> PgType {
    match own.oid {
        21 => PgType::numeric(5, 0),
        23 => PgType::numeric(10, 0),
        20 => PgType::numeric(19, 0),
        1700 => own,
        _ => PgType::NUMERIC,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::semantics::typed::type_name;

    #[test]
    fn operators_resolve_as_in_postgres() {
        let typed = Known::Typed;
        for (left, symbol, right, arguments) in [
            (
                typed(PgType::INT2),
                "+",
                typed(PgType::INT4),
                vec!["integer", "integer"],
            ),
            (
                typed(PgType::INT4),
                "+",
                Known::Unknown,
                vec!["integer", "integer"],
            ),
            (
                typed(PgType::INT4),
                "*",
                typed(PgType::FLOAT4),
                vec!["double precision", "real"],
            ),
            (
                typed(PgType::DATE),
                "-",
                Known::Unknown,
                vec!["date", "date"],
            ),
            (
                typed(PgType::DATE),
                "+",
                typed(PgType::INTERVAL),
                vec!["date", "interval"],
            ),
        ] {
            let resolution = resolve_operator(symbol, left, right).expect(symbol);
            let names: Vec<String> = resolution.arguments.iter().map(|t| type_name(*t)).collect();
            assert_eq!(names, arguments, "{symbol}");
        }
        let error = resolve_operator("+", typed(PgType::INT4), typed(PgType::TEXT));
        assert_eq!(
            error.expect_err("no such operator").message(),
            "operator does not exist: integer + text"
        );
    }
}
