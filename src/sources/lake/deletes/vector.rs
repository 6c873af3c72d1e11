//! Deletion vectors: sets of positions as Delta ("Deletion Vector Format") and
//! Iceberg (Puffin's `deletion-vector-v1`) store them, which is the same bytes:
//! a length, a magic number, a portable 64-bit Roaring bitmap, a CRC-32. Called
//! by the formats; whatever the bytes are, the answer is a set or a reason.

use flate2::Crc;
use roaring::RoaringTreemap;

const MAGIC: [u8; 4] = [0xD1, 0xD3, 0x39, 0x64];
/// Bytes of the length, of the magic number and of the checksum, each.
const WORD: usize = 4;
/// Bytes around a vector where it is stored: the length before it, the checksum behind it.
pub const FRAME: u64 = 2 * WORD as u64;

/// A vector with its frame. `rows` is how many positions metadata says that it has.
pub fn read_framed(bytes: &[u8], rows: u64) -> Result<RoaringTreemap, String> {
    let (length, rest) = bytes
        .split_first_chunk::<WORD>()
        .ok_or("it is cut short before its length")?;
    let (vector, checksum) = rest
        .split_last_chunk::<WORD>()
        .ok_or("it is cut short before its checksum")?;
    let length = u32::from_be_bytes(*length);
    if usize::try_from(length) != Ok(vector.len()) {
        return Err(format!(
            "it says that it has {length} bytes, and has {}",
            vector.len()
        ));
    }
    let mut crc = Crc::new();
    crc.update(vector);
    if crc.sum() != u32::from_be_bytes(*checksum) {
        return Err("its checksum does not match".into());
    }
    read(vector, rows)
}

/// A vector without its frame, as a Delta log holds it.
pub fn read(vector: &[u8], rows: u64) -> Result<RoaringTreemap, String> {
    let mut bitmaps = vector
        .strip_prefix(&MAGIC)
        .ok_or("it does not begin with the magic number of a deletion vector")?;
    let positions =
        RoaringTreemap::deserialize_from(&mut bitmaps).map_err(|error| error.to_string())?;
    if !bitmaps.is_empty() {
        return Err(format!("{} bytes follow its bitmap", bitmaps.len()));
    }
    if positions.len() != rows {
        return Err(format!(
            "it has {} positions, and metadata says {rows}",
            positions.len()
        ));
    }
    Ok(positions)
}

#[cfg(test)]
pub(in crate::sources) fn framed(positions: &RoaringTreemap) -> Vec<u8> {
    let vector = bare(positions);
    let mut crc = Crc::new();
    crc.update(&vector);
    let length = u32::try_from(vector.len()).expect("a short vector");
    [
        length.to_be_bytes().as_slice(),
        &vector,
        crc.sum().to_be_bytes().as_slice(),
    ]
    .concat()
}

#[cfg(test)]
pub(in crate::sources) fn bare(positions: &RoaringTreemap) -> Vec<u8> {
    let mut vector = MAGIC.to_vec();
    positions
        .serialize_into(&mut vector)
        .expect("memory takes all");
    vector
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::*;

    /// Array, bitmap and run containers, and more than 32 bits.
    fn sample() -> RoaringTreemap {
        let mut positions: RoaringTreemap = [1, 5, 70_000, 1 << 33].into_iter().collect();
        positions.insert_range(200_000..205_000);
        positions.extend((300_000..320_000).step_by(3));
        positions
    }

    #[test]
    fn what_was_written_is_read() {
        for positions in [RoaringTreemap::new(), sample()] {
            let rows = positions.len();
            assert_eq!(
                read_framed(&framed(&positions), rows),
                Ok(positions.clone())
            );
            assert_eq!(read(&bare(&positions), rows), Ok(positions));
        }
    }

    #[test]
    fn what_is_broken_says_why() {
        let positions = sample();
        let rows = positions.len();
        let good = framed(&positions);
        let mut other_magic = bare(&positions);
        other_magic[0] = 0xD0;
        let mut flipped = good.clone();
        flipped[100] ^= 1;
        let mut longer = bare(&positions);
        longer.push(0);
        for (result, why) in [
            (read_framed(&[], rows), "cut short"),
            (read_framed(&good[..7], rows), "cut short"),
            (read_framed(&good[..good.len() - 1], rows), "bytes"),
            (read_framed(&flipped, rows), "checksum"),
            (read_framed(&good, rows + 1), "metadata says"),
            (read(&other_magic, rows), "magic"),
            (read(&longer, rows), "follow"),
            (read(&good[4..50], rows), "fill"),
        ] {
            let error = result.expect_err(why);
            assert!(error.contains(why), "{error}");
        }
    }

    /// What Spark wrote: a Puffin file and one of Delta's.
    fn written() -> Vec<Vec<u8>> {
        let folders = ["iceberg/deletion_vectors/data", "delta/deletion_vectors"];
        let files = folders.iter().flat_map(|folder| {
            let folder = crate::sources::lake_testing::fixtures(folder);
            std::fs::read_dir(folder).expect("a fixture")
        });
        files
            .map(|file| file.expect("a file").path())
            .filter(|path| {
                let extension = path.extension().and_then(|extension| extension.to_str());
                matches!(extension, Some("puffin" | "bin"))
            })
            .map(|path| std::fs::read(path).expect("read"))
            .collect()
    }

    /// Also without a checksum: it is no protection against a writer's own mistakes.
    #[test]
    fn no_bytes_make_it_panic() {
        let mut random = StdRng::seed_from_u64(7);
        let rows = sample().len();
        let mut good = written();
        assert!(good.len() >= 4);
        good.extend([bare(&sample()), framed(&sample())]);
        let mut read_well = 0;
        for round in 0..6000 {
            let mut bytes = good[round % good.len()].clone();
            for _ in 0..random.random_range(1..6) {
                // headers are where lengths are
                let end = if random.random() { 64 } else { bytes.len() };
                let at = random.random_range(0..end.min(bytes.len()));
                match random.random_range(0..4) {
                    0 => bytes[at] = random.random(),
                    1 => bytes[at] ^= 1 << random.random_range(0..8),
                    2 => bytes.truncate(at.max(1)),
                    _ => bytes.insert(at, random.random()),
                }
            }
            if let Ok(positions) = read(&bytes, rows) {
                assert_eq!(positions.len(), rows);
                read_well += 1;
            }
            let from = random.random_range(0..bytes.len());
            for part in [&bytes[..], &bytes[from..], &bytes[..from]] {
                let _ = read_framed(part, rows);
                let _ = read(part.get(4..).unwrap_or_default(), 2);
            }
        }
        assert!(read_well < 6000);
    }
}
