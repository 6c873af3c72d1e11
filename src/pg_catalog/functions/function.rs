//! A catalog function: its name, what it takes and gives, and the plain Rust
//! function behind it; and how the engine calls one.

use std::hash::{Hash, Hasher};
use std::ops::RangeInclusive;
use std::sync::Arc;

use arc_swap::ArcSwap;
use datafusion::arrow::array::Array;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    TypeSignature, Volatility,
};
use datafusion::scalar::ScalarValue;

use super::value::{self, Value};
use crate::catalog::Catalog;
use crate::error::{Error, Result, SqlState};
use crate::pg_catalog::snapshot::{Seen, Snapshot};
use crate::pg_catalog::type_names::{Modifier, format_type};
use crate::semantics::SessionVars;
use crate::types::{Oid, PgType};

/// What a function is called with, besides its arguments.
pub type Body = fn(&Seen, &[Value]) -> Result<Value>;

/// What a NULL argument does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nulls {
    /// The result is NULL; the function is not called.
    Strict,
    /// The function is called.
    Passed,
}

/// May a call be answered once, when the statement is planned?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changes {
    /// The same all through a statement.
    Stable,
    /// With each call, or with settings that a prepared statement outlives.
    Always,
}

#[derive(Debug, Clone)]
pub struct Function {
    pub name: &'static str,
    pub arguments: RangeInclusive<usize>,
    pub returns: PgType,
    pub nulls: Nulls,
    pub changes: Changes,
    pub body: Body,
}

impl Function {
    /// Strict and stable, as most are.
    pub const fn new(
        name: &'static str,
        arguments: RangeInclusive<usize>,
        returns: PgType,
        body: Body,
    ) -> Function {
        Function {
            name,
            arguments,
            returns,
            nulls: Nulls::Strict,
            changes: Changes::Stable,
            body,
        }
    }

    pub const fn passed_nulls(mut self) -> Function {
        self.nulls = Nulls::Passed;
        self
    }

    pub const fn changing(mut self) -> Function {
        self.changes = Changes::Always;
        self
    }

    pub fn into_udf(self, catalog: Arc<ArcSwap<Catalog>>) -> ScalarUDF {
        let volatility = match self.changes {
            Changes::Stable => Volatility::Stable,
            Changes::Always => Volatility::Volatile,
        };
        let takes = |count| match count {
            0 => TypeSignature::Nullary,
            count => TypeSignature::Any(count),
        };
        let mut signatures: Vec<TypeSignature> = self.arguments.clone().map(takes).collect();
        let signature = match signatures.len() {
            1 => signatures.remove(0),
            _ => TypeSignature::OneOf(signatures),
        };
        ScalarUDF::from(CatalogFunction {
            signature: Signature::new(signature, volatility),
            function: self,
            catalog,
        })
    }
}

#[derive(Debug)]
struct CatalogFunction {
    function: Function,
    signature: Signature,
    catalog: Arc<ArcSwap<Catalog>>,
}

impl PartialEq for CatalogFunction {
    fn eq(&self, other: &Self) -> bool {
        self.function.name == other.function.name && Arc::ptr_eq(&self.catalog, &other.catalog)
    }
}

impl Eq for CatalogFunction {}

impl Hash for CatalogFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.function.name.hash(state);
    }
}

impl ScalarUDFImpl for CatalogFunction {
    fn name(&self) -> &str {
        self.function.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> EngineResult<DataType> {
        Ok(self.function.returns.arrow().unwrap_or(DataType::Utf8View))
    }

    fn return_field_from_args(&self, _arguments: ReturnFieldArgs) -> EngineResult<FieldRef> {
        let plain = || Field::new(self.name(), DataType::Utf8View, true);
        let field = self.function.returns.field(self.name(), true);
        Ok(Arc::new(field.unwrap_or_else(plain)))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> EngineResult<ColumnarValue> {
        let vars = SessionVars::of(&arguments.config_options);
        let snapshot = Snapshot::of(&self.catalog.load_full());
        let seen = Seen {
            snapshot: &snapshot,
            vars: &vars,
        };
        let one_call = arguments
            .args
            .iter()
            .all(|value| matches!(value, ColumnarValue::Scalar(_)));
        // a function that changes is called for each row even without a column
        let rows = match (one_call, self.function.changes) {
            (true, Changes::Stable) => 1,
            _ => arguments.number_rows,
        };
        let columns = arguments
            .args
            .iter()
            .map(|argument| value::read(&argument.to_array(rows)?))
            .collect::<Result<Vec<_>>>()?;
        let results = (0..rows)
            .map(|row| {
                self.call(
                    &seen,
                    columns.iter().map(|column| column[row].clone()).collect(),
                )
            })
            .collect::<Result<Vec<_>>>()?;
        let array = value::write(results, self.function.returns)?;
        if one_call && array.len() == 1 {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(
                &array, 0,
            )?));
        }
        Ok(ColumnarValue::Array(array))
    }
}

impl CatalogFunction {
    fn call(&self, seen: &Seen, arguments: Vec<Value>) -> Result<Value> {
        let strict = self.function.nulls == Nulls::Strict;
        if strict && arguments.iter().any(Value::is_null) {
            return Ok(Value::Null);
        }
        (self.function.body)(seen, &arguments)
    }
}

/// An argument of type regclass: an OID, or the name of a relation.
/// 42P01 for a name that is none; an OID is taken as it is.
pub fn relation_argument(seen: &Seen, argument: &Value) -> Result<Option<Oid>> {
    let oid = match argument {
        Value::Text(name) => seen.regclass(name)?,
        other => other.integer().unwrap_or_default(),
    };
    Ok(Oid::try_from(oid).ok())
}

/// A text argument; 42883 for any other.
pub fn text_argument<'a>(function: &str, argument: &'a Value) -> Result<&'a str> {
    match argument {
        Value::Text(text) => Ok(text),
        other => {
            let given = match other {
                Value::Bool(_) => PgType::BOOL,
                Value::Int(_) => PgType::INT8,
                Value::Float(_) => PgType::FLOAT8,
                _ => PgType::TEXT_ARRAY,
            };
            let given = format_type(given.oid, Modifier::NotAsked);
            Err(Error::new(
                SqlState::UNDEFINED_FUNCTION,
                format!("function {function}({given}) does not exist"),
            )
            .with_hint("No function matches the given name and argument types. You might need to add explicit type casts."))
        }
    }
}
