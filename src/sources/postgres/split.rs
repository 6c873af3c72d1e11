//! A large table in pieces: ranges of blocks that several connections read at the
//! same time. Each row version lies in one block, so on one snapshot every row is
//! in exactly one piece; the last is open-ended, for blocks that came later.
//! Called by `scan` and `work`; knows no connection.
//!
//! Ranges of ctid are read without touching other blocks since Postgres 14. On a
//! partitioned table a range holds those blocks of every partition.

use std::collections::VecDeque;

use super::copy::Piece;

/// A table below is read over one connection: 16 MiB.
const LEAST_BLOCKS: u64 = 2048;
/// A piece is worth a round trip: 4 MiB.
const PIECE_BLOCKS: u64 = 512;
/// So many pieces for each connection let those that are quicker read more.
const PIECES: u64 = 4;
/// With a smaller part of the rows wanted, the source may know a better way than
/// to read the table.
const LEAST_PART: f64 = 0.2;

/// A fragment that reads one table, row by row: no limit, order or aggregate.
#[derive(Debug, Clone)]
pub struct SingleTable {
    /// `a, b::pg_catalog.text`
    pub select_list: String,
    /// Quoted, with its schema.
    pub table: String,
    /// Conjuncts.
    pub filters: Vec<String>,
    /// Of the table's largest part; `None` where ranges of blocks cannot be read.
    pub blocks: Option<u64>,
    /// The estimated part of the table's rows that is wanted, 0 to 1.
    pub wanted: f64,
    /// Of the table, as estimated.
    pub rows: Option<u64>,
    /// What join keys can be compared with, in the order of the fragment's columns.
    pub keys: Vec<Option<KeyColumn>>,
}

/// A column that takes join keys.
#[derive(Debug, Clone)]
pub struct KeyColumn {
    /// Quoted.
    pub name: String,
    /// OID of its base type on the source.
    pub oid: u32,
}

impl SingleTable {
    /// A fragment that reads more than one table, or groups or orders: it is not
    /// cut into pieces, but rows of its result can be chosen by join keys.
    pub fn of_result(sql: &str, rows: Option<u64>, keys: Vec<Option<KeyColumn>>) -> SingleTable {
        let qualified = |key: KeyColumn| KeyColumn {
            name: format!("\"result\".{}", key.name),
            ..key
        };
        SingleTable {
            select_list: "\"result\".*".into(),
            table: format!("({sql}) AS \"result\""),
            filters: Vec::new(),
            blocks: None,
            wanted: 1.0,
            rows,
            keys: keys.into_iter().map(|key| key.map(qualified)).collect(),
        }
    }

    /// The statement with further conjuncts, and further items after the table.
    pub fn sql(&self, from: &str, conditions: &[String]) -> String {
        let mut sql = format!("SELECT {} FROM {}{from}", self.select_list, self.table);
        let all: Vec<&str> = self
            .filters
            .iter()
            .chain(conditions)
            .map(String::as_str)
            .collect();
        if !all.is_empty() {
            sql.push_str(" WHERE ");
            sql.push_str(&all.join(" AND "));
        }
        sql
    }

    /// Over how many connections it is worth reading, of `most`.
    pub fn streams(&self, most: usize) -> usize {
        let blocks = match self.blocks {
            Some(blocks) if blocks >= LEAST_BLOCKS && self.wanted >= LEAST_PART => blocks,
            _ => return 1,
        };
        let useful = usize::try_from(blocks / PIECE_BLOCKS).unwrap_or(usize::MAX);
        most.min(useful).max(1)
    }

    /// The whole table, for so many streams.
    pub(super) fn pieces(&self, streams: usize) -> VecDeque<Piece> {
        let blocks = self.blocks.unwrap_or(0);
        let streams = streams as u64;
        if streams <= 1 {
            return VecDeque::from([Piece::plain(self.sql("", &[]))]);
        }
        let size = (blocks / (streams * PIECES)).max(PIECE_BLOCKS);
        let starts: Vec<u64> = (0..blocks.max(1)).step_by(size as usize).collect();
        let piece = |at: usize| {
            let mut range = vec![format!("ctid >= '({},0)'::pg_catalog.tid", starts[at])];
            if let Some(end) = starts.get(at + 1) {
                range.push(format!("ctid < '({end},0)'::pg_catalog.tid"));
            }
            Piece::plain(self.sql("", &range))
        };
        (0..starts.len()).map(piece).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(blocks: Option<u64>, wanted: f64) -> SingleTable {
        SingleTable {
            select_list: "a".into(),
            table: "s.t".into(),
            filters: vec!["b > 1".into()],
            blocks,
            wanted,
            rows: None,
            keys: Vec::new(),
        }
    }

    #[test]
    fn large_tables_are_worth_several_streams() {
        for (blocks, wanted, most, expected) in [
            (None, 1.0, 4, 1),
            (Some(100), 1.0, 4, 1),
            (Some(2047), 1.0, 4, 1),
            (Some(2048), 1.0, 4, 4),
            (Some(2048), 1.0, 8, 4),
            (Some(1_000_000), 1.0, 3, 3),
            (Some(1_000_000), 0.01, 3, 1),
            (Some(1_000_000), 1.0, 0, 1),
        ] {
            let streams = table(blocks, wanted).streams(most);
            assert_eq!(streams, expected, "{blocks:?} {wanted} {most}");
        }
    }

    #[test]
    fn pieces_follow_each_other_and_the_last_is_open() {
        let pieces = table(Some(5000), 1.0).pieces(2);
        let sql: Vec<&str> = pieces.iter().map(|piece| piece.sql.as_str()).collect();
        assert_eq!(sql.len(), 8);
        assert_eq!(
            sql[0],
            "SELECT a FROM s.t WHERE b > 1 AND ctid >= '(0,0)'::pg_catalog.tid \
             AND ctid < '(625,0)'::pg_catalog.tid"
        );
        assert!(sql[1].contains(">= '(625,0)'") && sql[1].contains("< '(1250,0)'"));
        assert!(sql[7].ends_with("ctid >= '(4375,0)'::pg_catalog.tid"));
    }
}
