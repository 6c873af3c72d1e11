//! Arguments and results of catalog functions as plain values: these functions
//! run over thousands of rows, not millions.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, Int64Builder, ListBuilder,
    StringViewArray, StringViewBuilder, TimestampMicrosecondArray,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Float64Type, Int64Type};

use crate::error::{Error, Result, SqlState};
use crate::types::{Oid, PgType};

#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    /// Microseconds since 1970, UTC.
    Time(i64),
    List(Vec<Value>),
}

impl Value {
    pub fn text(value: impl Into<String>) -> Value {
        Value::Text(value.into())
    }

    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// An OID argument; `None` for what no OID can be.
    pub fn oid(&self) -> Option<Oid> {
        self.integer().and_then(|value| Oid::try_from(value).ok())
    }

    /// An integer, or the text of one: untyped literals arrive as text.
    pub fn integer(&self) -> Option<i64> {
        match self {
            Value::Int(value) => Some(*value),
            Value::Text(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// A boolean; untyped literals arrive as text. 22P02 where it is none.
    pub fn boolean(&self) -> Result<bool> {
        match self {
            Value::Bool(value) => Ok(*value),
            Value::Text(text) => match text.trim().to_ascii_lowercase().as_str() {
                "t" | "true" | "y" | "yes" | "on" | "1" => Ok(true),
                "f" | "false" | "n" | "no" | "off" | "0" => Ok(false),
                _ => Err(Error::new(
                    SqlState::INVALID_TEXT_REPRESENTATION,
                    format!("invalid input syntax for type boolean: \"{text}\""),
                )),
            },
            _ => Ok(false),
        }
    }

    /// As text: what a function of `anyelement` prints.
    pub fn display(&self) -> String {
        match self {
            Value::Null => String::new(),
            Value::Bool(true) => "true".into(),
            Value::Bool(false) => "false".into(),
            Value::Int(value) | Value::Time(value) => value.to_string(),
            Value::Float(value) => value.to_string(),
            Value::Text(text) => text.clone(),
            Value::List(all) => {
                let all: Vec<String> = all.iter().map(Value::display).collect();
                format!("{{{}}}", all.join(","))
            }
        }
    }
}

impl From<Option<Value>> for Value {
    fn from(value: Option<Value>) -> Value {
        value.unwrap_or(Value::Null)
    }
}

impl From<Option<String>> for Value {
    fn from(value: Option<String>) -> Value {
        value.map_or(Value::Null, Value::Text)
    }
}

impl From<Option<i64>> for Value {
    fn from(value: Option<i64>) -> Value {
        value.map_or(Value::Null, Value::Int)
    }
}

impl From<Option<bool>> for Value {
    fn from(value: Option<bool>) -> Value {
        value.map_or(Value::Null, Value::Bool)
    }
}

/// Every value of an argument.
pub fn read(array: &ArrayRef) -> Result<Vec<Value>> {
    let all = match array.data_type() {
        DataType::Null => vec![Value::Null; array.len()],
        DataType::Boolean => {
            let values = array.as_boolean().iter();
            values
                .map(|value| value.map_or(Value::Null, Value::Bool))
                .collect()
        }
        integer if integer.is_integer() => {
            let values = cast(array, &DataType::Int64)?;
            let values = values.as_primitive::<Int64Type>().iter();
            values
                .map(|value| value.map_or(Value::Null, Value::Int))
                .collect()
        }
        DataType::Float16 | DataType::Float32 | DataType::Float64 => {
            let values = cast(array, &DataType::Float64)?;
            let values = values.as_primitive::<Float64Type>().iter();
            values
                .map(|value| value.map_or(Value::Null, Value::Float))
                .collect()
        }
        DataType::List(_) => array
            .as_list::<i32>()
            .iter()
            .map(|list| match list {
                Some(list) => read(&list).map(Value::List),
                None => Ok(Value::Null),
            })
            .collect::<Result<Vec<_>>>()?,
        _ => {
            let values = cast(array, &DataType::Utf8View)?;
            let values = values.as_string_view().iter();
            values
                .map(|value| value.map_or(Value::Null, Value::text))
                .collect()
        }
    };
    Ok(all)
}

/// Results as the array that carries `pg_type`.
pub fn write(values: Vec<Value>, pg_type: PgType) -> Result<ArrayRef> {
    let to = pg_type.arrow().unwrap_or(DataType::Utf8View);
    let array: ArrayRef = match &to {
        DataType::Boolean => Arc::new(values.iter().map(boolean).collect::<BooleanArray>()),
        DataType::Utf8View => Arc::new(values.iter().map(text).collect::<StringViewArray>()),
        DataType::Float32 | DataType::Float64 => {
            Arc::new(values.iter().map(float).collect::<Float64Array>())
        }
        DataType::Timestamp(_, _) => {
            let times: TimestampMicrosecondArray = values.iter().map(time).collect();
            Arc::new(times.with_timezone("UTC"))
        }
        DataType::List(element) if element.data_type() == &DataType::Utf8View => {
            let mut builder = ListBuilder::new(StringViewBuilder::new());
            for value in &values {
                builder.append_option(elements(value).map(|all| all.iter().map(text)));
            }
            Arc::new(builder.finish())
        }
        DataType::List(_) => {
            let mut builder = ListBuilder::new(Int64Builder::new());
            for value in &values {
                builder.append_option(elements(value).map(|all| all.iter().map(Value::integer)));
            }
            Arc::new(builder.finish())
        }
        _ => Arc::new(values.iter().map(Value::integer).collect::<Int64Array>()),
    };
    Ok(if array.data_type() == &to {
        array
    } else {
        cast(&array, &to)?
    })
}

fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(value) => Some(*value),
        _ => None,
    }
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::Text(value) => Some(value),
        _ => None,
    }
}

fn float(value: &Value) -> Option<f64> {
    match value {
        Value::Float(value) => Some(*value),
        _ => None,
    }
}

fn time(value: &Value) -> Option<i64> {
    match value {
        Value::Time(value) => Some(*value),
        _ => None,
    }
}

fn elements(value: &Value) -> Option<&[Value]> {
    match value {
        Value::List(all) => Some(all),
        _ => None,
    }
}
