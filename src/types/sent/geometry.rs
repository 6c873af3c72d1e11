//! Geometric types: section 8.8 of the Postgres manual; `geo_ops.c` for the forms.

use super::read::Bytes;
use crate::types::text::{OutputStyle, float};

pub(super) struct Geometry<'a> {
    pub bytes: Bytes<'a>,
    pub style: &'a OutputStyle,
}

impl Geometry<'_> {
    pub fn write(mut self, oid: u32, out: &mut Vec<u8>) -> Option<()> {
        match oid {
            600 => self.point(out)?,
            601 => {
                out.push(b'[');
                self.points(2, out)?;
                out.push(b']');
            }
            602 => {
                let is_closed = self.bytes.byte()? != 0;
                let count = self.bytes.i32()?;
                out.push(if is_closed { b'(' } else { b'[' });
                self.points(count, out)?;
                out.push(if is_closed { b')' } else { b']' });
            }
            603 => self.points(2, out)?,
            604 => {
                let count = self.bytes.i32()?;
                out.push(b'(');
                self.points(count, out)?;
                out.push(b')');
            }
            628 => {
                out.push(b'{');
                for place in 0..3 {
                    if place > 0 {
                        out.push(b',');
                    }
                    self.number(out)?;
                }
                out.push(b'}');
            }
            718 => {
                out.push(b'<');
                self.point(out)?;
                out.push(b',');
                self.number(out)?;
                out.push(b'>');
            }
            _ => return None,
        }
        self.bytes.end()
    }

    fn points(&mut self, count: i32, out: &mut Vec<u8>) -> Option<()> {
        for place in 0..count {
            if place > 0 {
                out.push(b',');
            }
            self.point(out)?;
        }
        Some(())
    }

    fn point(&mut self, out: &mut Vec<u8>) -> Option<()> {
        out.push(b'(');
        self.number(out)?;
        out.push(b',');
        self.number(out)?;
        out.push(b')');
        Some(())
    }

    fn number(&mut self, out: &mut Vec<u8>) -> Option<()> {
        float::write_float8(out, self.bytes.f64()?, self.style.extra_float_digits);
        Some(())
    }
}
