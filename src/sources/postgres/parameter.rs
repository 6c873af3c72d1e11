//! An array as a parameter of a statement, in Postgres's binary form: join keys
//! travel as one. Made by `keys`.

use std::error::Error;

use bytes::{BufMut, BytesMut};
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

/// One dimension, no NULLs.
#[derive(Debug, Clone)]
pub(super) struct ArrayParameter {
    element: Type,
    array: Type,
    count: usize,
    /// Each with its length before it.
    elements: Vec<u8>,
}

impl ArrayParameter {
    /// `None` for a type whose arrays are not sent.
    pub fn new(element: Type) -> Option<Self> {
        let array = match element {
            Type::INT2 => Type::INT2_ARRAY,
            Type::INT4 => Type::INT4_ARRAY,
            Type::INT8 => Type::INT8_ARRAY,
            Type::UUID => Type::UUID_ARRAY,
            Type::DATE => Type::DATE_ARRAY,
            Type::TIMESTAMP => Type::TIMESTAMP_ARRAY,
            Type::TIMESTAMPTZ => Type::TIMESTAMPTZ_ARRAY,
            Type::NUMERIC => Type::NUMERIC_ARRAY,
            Type::TEXT => Type::TEXT_ARRAY,
            _ => return None,
        };
        Some(ArrayParameter {
            element,
            array,
            count: 0,
            elements: Vec::new(),
        })
    }

    /// `false`, and nothing is added, if the value is longer than any can be.
    pub fn push(&mut self, value: &[u8]) -> bool {
        let Ok(length) = i32::try_from(value.len()) else {
            return false;
        };
        self.elements.extend_from_slice(&length.to_be_bytes());
        self.elements.extend_from_slice(value);
        self.count += 1;
        true
    }

    pub fn bytes(&self) -> usize {
        self.elements.len()
    }

    pub fn pg_type(&self) -> Type {
        self.array.clone()
    }
}

impl ToSql for ArrayParameter {
    /// As array_recv reads it: dimensions, flags, element type, then each
    /// dimension's length and lower bound, then the elements.
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        let dimensions = if self.count == 0 { 0 } else { 1 };
        out.put_i32(dimensions);
        out.put_i32(0);
        out.put_u32(self.element.oid());
        if dimensions == 1 {
            out.put_i32(i32::try_from(self.count)?);
            out.put_i32(1);
        }
        out.put_slice(&self.elements);
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}
