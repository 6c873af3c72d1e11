//! One-dimensional arrays → lists. What a list cannot hold (more dimensions, a
//! lower bound other than 1) is refused: flattened it would be a different value.
//!
//! Sent are the number of dimensions, a flag for NULLs, the element's type OID,
//! each dimension's length and lower bound, then the elements with a length each
//! (-1: NULL): `array_send` in Postgres's src/backend/utils/adt/arrayfuncs.c.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, ListArray, NullBufferBuilder};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::datatypes::{DataType, FieldRef};
use tokio_postgres::types::Type;

use super::column::{ColumnDecoder, decoder};
use super::fault::{Fault, Result};
use crate::error::Error;

pub(super) struct ListDecoder {
    elements: Box<dyn ColumnDecoder>,
    element_oid: u32,
    lower_bound: i32,
    field: FieldRef,
    offsets: Vec<i32>,
    nulls: NullBufferBuilder,
}

impl ListDecoder {
    pub fn new(array: &Type, element: &Type, field: &FieldRef) -> Option<Self> {
        // A list of lists would need the dimensions that are refused below.
        if matches!(field.data_type(), DataType::List(_)) {
            return None;
        }
        Some(ListDecoder {
            elements: decoder(element, field.data_type())?,
            element_oid: element.oid(),
            // The two vector types of the system catalogs count from zero, always.
            lower_bound: if matches!(array.oid(), 22 | 30) { 0 } else { 1 },
            field: field.clone(),
            offsets: vec![0],
            nulls: NullBufferBuilder::new(0),
        })
    }

    fn end_row(&mut self, added: usize) -> Result<()> {
        let last = self.offsets.last().copied().unwrap_or(0);
        let next = i32::try_from(added)
            .ok()
            .and_then(|added| last.checked_add(added))
            .ok_or(Fault::ArrayShape("more array elements than a list can"))?;
        self.offsets.push(next);
        Ok(())
    }

    /// The number of elements and their bytes.
    fn header<'a>(&self, value: &'a [u8]) -> Result<(usize, &'a [u8])> {
        let (dimensions, rest) = take_int(value)?;
        let (_has_nulls, rest) = take_int(rest)?;
        let (element, rest) = take_int(rest)?;
        if element.cast_unsigned() != self.element_oid {
            return Err(Fault::Malformed("an array has elements of another type"));
        }
        match dimensions {
            0 if rest.is_empty() => Ok((0, rest)),
            1 => {
                let (length, rest) = take_int(rest)?;
                let (lower_bound, rest) = take_int(rest)?;
                if lower_bound != self.lower_bound && length != 0 {
                    return Err(Fault::ArrayShape("an array whose first subscript is not 1"));
                }
                let length = usize::try_from(length)
                    .map_err(|_| Fault::Malformed("an array has a negative length"))?;
                Ok((length, rest))
            }
            2..=6 => Err(Fault::ArrayShape("an array of more than one dimension")),
            _ => Err(Fault::Malformed(
                "an array has a wrong number of dimensions",
            )),
        }
    }
}

impl ColumnDecoder for ListDecoder {
    fn append(&mut self, value: &[u8]) -> Result<()> {
        let (length, mut rest) = self.header(value)?;
        // No room is reserved for `length`: the bytes decide what there is.
        for _ in 0..length {
            let (size, after) = take_int(rest)?;
            if size == -1 {
                self.elements.append_null();
                rest = after;
                continue;
            }
            let (element, after) = usize::try_from(size)
                .ok()
                .and_then(|size| after.split_at_checked(size))
                .ok_or(Fault::Malformed("an array ends in an element"))?;
            self.elements.append(element)?;
            rest = after;
        }
        if !rest.is_empty() {
            return Err(Fault::Malformed("an array is longer than it says"));
        }
        self.nulls.append_non_null();
        self.end_row(length)
    }

    fn append_null(&mut self) {
        self.nulls.append_null();
        let last = self.offsets.last().copied().unwrap_or(0);
        self.offsets.push(last);
    }

    fn finish(&mut self) -> Result<ArrayRef, Error> {
        let offsets = std::mem::replace(&mut self.offsets, vec![0]);
        let list = ListArray::try_new(
            self.field.clone(),
            OffsetBuffer::new(offsets.into()),
            self.elements.finish()?,
            self.nulls.finish(),
        )?;
        Ok(Arc::new(list))
    }
}

fn take_int(bytes: &[u8]) -> Result<(i32, &[u8])> {
    let (int, rest) = bytes
        .split_first_chunk::<4>()
        .ok_or(Fault::Malformed("an array ends too early"))?;
    Ok((i32::from_be_bytes(*int), rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::arrow::array::{Array, AsArray};
    use datafusion::arrow::datatypes::{Field, Int32Type};

    fn ints(dimensions: &[(i32, i32)], elements: &[Option<i32>]) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend((dimensions.len() as i32).to_be_bytes());
        bytes.extend(1i32.to_be_bytes());
        bytes.extend(23i32.to_be_bytes());
        for (length, lower_bound) in dimensions {
            bytes.extend(length.to_be_bytes());
            bytes.extend(lower_bound.to_be_bytes());
        }
        for element in elements {
            match element {
                None => bytes.extend((-1i32).to_be_bytes()),
                Some(value) => {
                    bytes.extend(4i32.to_be_bytes());
                    bytes.extend(value.to_be_bytes());
                }
            }
        }
        bytes
    }

    fn int_lists() -> ListDecoder {
        let field = Arc::new(Field::new_list_field(DataType::Int32, true));
        ListDecoder::new(&Type::INT4_ARRAY, &Type::INT4, &field).expect("int4[] is a list")
    }

    #[test]
    fn lists_keep_nulls_and_emptiness_apart() {
        let mut decoder = int_lists();
        let rows = [ints(&[(3, 1)], &[Some(1), None, Some(3)]), ints(&[], &[])];
        for row in &rows {
            assert_eq!(decoder.append(row), Ok(()));
        }
        decoder.append_null();
        let array = decoder.finish().expect("valid");
        let lists = array.as_list::<i32>();
        assert_eq!(lists.len(), 3);
        let first = lists.value(0);
        let first: Vec<_> = first.as_primitive::<Int32Type>().iter().collect();
        assert_eq!(first, [Some(1), None, Some(3)]);
        assert!(lists.is_valid(1) && lists.value(1).is_empty());
        assert!(lists.is_null(2));
        assert_eq!(decoder.finish().expect("valid").len(), 0);
    }

    #[test]
    fn shapes_that_a_list_cannot_hold_are_refused() {
        for dimensions in [&[(1, 1), (1, 1)][..], &[(1, 0)], &[(1, -2)]] {
            let fault = int_lists().append(&ints(dimensions, &[Some(1)]));
            assert!(matches!(fault, Err(Fault::ArrayShape(_))), "{fault:?}");
        }
    }

    #[test]
    fn malformed_arrays_are_refused() {
        let whole = ints(&[(2, 1)], &[Some(1), Some(2)]);
        let cut = (0..whole.len()).map(|end| whole[..end].to_vec());
        let wrong = [
            ints(&[(i32::MAX, 1)], &[Some(1)]),
            ints(&[(-1, 1)], &[]),
            ints(&[(1, 1); 7], &[]),
            [whole.clone(), vec![0]].concat(),
        ];
        for bytes in cut.chain(wrong) {
            let fault = int_lists().append(&bytes);
            assert!(matches!(fault, Err(Fault::Malformed(_))), "{bytes:?}");
        }
    }
}
