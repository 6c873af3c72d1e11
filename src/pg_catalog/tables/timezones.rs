//! pg_timezone_names: every zone of the time zone database and its offset now.

use chrono::{Offset, TimeZone};
use chrono_tz::{OffsetComponents, OffsetName, TZ_VARIANTS};
use datafusion::arrow::array::RecordBatch;

use crate::error::Result;
use crate::pg_catalog::frame::Frame;
use crate::pg_catalog::snapshot::Seen;

pub fn pg_timezone_names(seen: &Seen) -> Result<RecordBatch> {
    let now = seen.vars.statement_start.naive_utc();
    let zones: Vec<_> = TZ_VARIANTS
        .iter()
        .map(|zone| (zone, zone.offset_from_utc_datetime(&now)))
        .collect();
    let abbreviation = |offset: &chrono_tz::TzOffset| match offset.abbreviation() {
        Some(name) => name.to_string(),
        None => offset.fix().to_string(),
    };
    Frame::of("pg_catalog", "pg_timezone_names", zones.len())?
        .text("name", zones.iter().map(|(zone, _)| zone.name()))
        .text(
            "abbrev",
            zones.iter().map(|(_, offset)| abbreviation(offset)),
        )
        .interval(
            "utc_offset",
            zones
                .iter()
                .map(|(_, offset)| i64::from(offset.fix().local_minus_utc())),
        )
        .bool(
            "is_dst",
            zones
                .iter()
                .map(|(_, offset)| !offset.dst_offset().is_zero()),
        )
        .finish()
}
