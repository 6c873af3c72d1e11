//! Small questions about expressions, and what is made of them. Called by the
//! analyzer rule.

use datafusion::arrow::array::{ListArray, new_empty_array};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::datatypes::DataType;

use super::*;

pub(super) fn is_decimal(expr: &Expr, schema: &DFSchema) -> EngineResult<bool> {
    Ok(expr.get_type(schema)?.is_decimal())
}

/// The common type of expressions; a literal of the text is not bound by the
/// modifier that the others have.
pub(super) fn common<'a>(exprs: impl Iterator<Item = &'a Expr>, known: &[Known]) -> Option<PgType> {
    let common = typed::common_type(known)?;
    let open = exprs
        .zip(known)
        .any(|(expr, known)| *known == Known::Unknown && text_literal(expr).is_some());
    Some(if open {
        PgType::new(common.oid, -1)
    } else {
        common
    })
}

/// 42804, as for `CASE types text and integer cannot be matched`.
pub(in crate::semantics) fn mismatch(what: &str, known: &[Known]) -> Error {
    let mut types = known.iter().filter_map(|known| known.pg_type());
    let first = types.next().unwrap_or(PgType::TEXT);
    let other = types
        .find(|t| typed::category(*t) != typed::category(first))
        .unwrap_or(first);
    let (a, b) = match what {
        "CASE" => (other, first),
        _ => (first, other),
    };
    Error::new(
        SqlState::DATATYPE_MISMATCH,
        format!(
            "{what} types {} and {} cannot be matched",
            type_name(a),
            type_name(b)
        ),
    )
}

pub(super) fn text_literal(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Literal(ScalarValue::Utf8(Some(text)) | ScalarValue::Utf8View(Some(text)), _) => {
            Some(text)
        }
        _ => None,
    }
}

/// char(n) matches with the spaces at its end, which its carrier has not. A
/// pattern that takes any end and names no space says the same of both.
pub(super) fn padded(like: Like, known: Known) -> EngineResult<Like> {
    let width = match known {
        Known::Typed(own) if own.oid == PgType::BPCHAR.oid && own.typmod > 4 => own.typmod - 4,
        _ => return Ok(like),
    };
    let same = text_literal(&like.pattern)
        .is_some_and(|pattern| pattern.ends_with('%') && !pattern.contains([' ', '_', '\\']));
    if same {
        return Ok(like);
    }
    let width = Expr::Literal(ScalarValue::Int32(Some(width)), None);
    let padded = functions::call_of(
        "rpad",
        vec![PgType::TEXT, PgType::INT4],
        vec![*like.expr, width],
    )?;
    Ok(Like {
        expr: Box::new(padded),
        ..like
    })
}

/// The engine knows one escape character, the backslash.
pub(super) fn escaped(like: Like) -> EngineResult<Expr> {
    let escape = match like.escape_char {
        None | Some('\\') => {
            return Ok(Expr::Like(Like {
                escape_char: None,
                ..like
            }));
        }
        Some(escape) => escape,
    };
    let Some(pattern) = text_literal(&like.pattern) else {
        return Err(
            Error::unsupported("LIKE … ESCAPE is supported with constant patterns only").into(),
        );
    };
    let mut out = String::with_capacity(pattern.len());
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        if c == escape {
            let next = chars.next().ok_or_else(|| {
                Error::new(
                    SqlState::INVALID_ESCAPE_SEQUENCE,
                    "LIKE pattern must not end with escape character",
                )
            })?;
            if matches!(next, '%' | '_' | '\\') {
                out.push('\\');
            }
            out.push(next);
        } else {
            if c == '\\' {
                out.push('\\');
            }
            out.push(c);
        }
    }
    let pattern = Expr::Literal(ScalarValue::Utf8(Some(out)), None);
    Ok(Expr::Like(Like {
        pattern: Box::new(pattern),
        escape_char: None,
        ..like
    }))
}

/// The engine wants the cells of a column to have the same metadata.
pub(in crate::semantics) fn tagged(expr: Expr, target: PgType) -> Expr {
    let field = typed::field_of(target, "");
    match expr {
        Expr::Literal(value, _) if value.data_type() == *field.data_type() => {
            let metadata = typed::literal_metadata(&value, target);
            Expr::Literal(value, typed::without_mark(metadata))
        }
        other => Expr::Cast(Cast::new_from_field(
            Box::new(other),
            typed::cast_field(target),
        )),
    }
}

/// The expression with its type written down, where the engine forgets it.
pub(super) fn remembered(expr: Expr, target: PgType, schema: &DFSchema) -> EngineResult<Expr> {
    let carrier = typed::field_of(target, "");
    let carried = typed::needs_tag(target) && expr.get_type(schema)? == *carrier.data_type();
    Ok(match carried {
        true => tagged(expr, target),
        false => expr,
    })
}

/// A literal of the layout: the engine's own cast would lose what it says of items.
pub(super) fn empty_list(layout: &DataType) -> EngineResult<Expr> {
    let DataType::List(item) = layout else {
        return Err(Error::internal("an array that is no list").into());
    };
    let items = new_empty_array(item.data_type());
    let offsets = OffsetBuffer::from_lengths([0]);
    let list = ListArray::try_new(item.clone(), offsets, items, None)?;
    Ok(Expr::Literal(ScalarValue::List(Arc::new(list)), None))
}

/// The engine knows count(*) by its literal.
pub(super) fn star_again(call: &mut AggregateFunction) {
    if call.func.name() == "count"
        && let [arg] = call.params.args.as_mut_slice()
        && matches!(arg, Expr::Literal(ScalarValue::Int32(Some(1)), None))
    {
        *arg = Expr::Literal(COUNT_STAR_EXPANSION, None);
    }
}

/// Offsets of window functions are the engine's own integers.
pub(super) fn widen_literal(arg: &mut Expr) {
    if let Expr::Literal(ScalarValue::Int32(Some(value)), None) = arg {
        *arg = Expr::Literal(ScalarValue::Int64(Some(i64::from(*value))), None);
    }
}
