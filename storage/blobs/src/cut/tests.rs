use fastcdc::v2020::{FastCDC, cut_gear};

use super::*;
use crate::tests::noise;

/// Lengths of the chunks of a stream that comes in pieces of `piece` bytes.
fn lengths(seed: u64, stream: &[u8], piece: usize) -> Vec<usize> {
    let mut cutter = Cutter::new(seed);
    let mut lengths = Vec::new();
    let mut current = 0;
    for mut piece in stream.chunks(piece) {
        while let Some(n) = cutter.scan(piece) {
            lengths.push(current + n);
            current = 0;
            piece = &piece[n..];
        }
        current += piece.len();
    }
    if current > 0 {
        lengths.push(current);
    }
    lengths
}

#[test]
fn boundaries_are_those_of_the_crate() {
    let stream = [noise(1, 9_000_000), vec![0; 4_000_000], noise(2, 3_000_001)].concat();
    let expected: Vec<usize> =
        FastCDC::with_level(&stream, MIN, CENTRE, CHUNK_BYTES_MAX, Normalization::Level3)
            .map(|chunk| chunk.length)
            .collect();
    assert_eq!(lengths(0, &stream, stream.len()), expected);
    // With a seed too.
    let (gear, gear_shifted) = get_gear_with_seed(77);
    let (before, after) = select_masks(CENTRE, Normalization::Level3);
    let (_, first) = cut_gear(
        &stream,
        MIN,
        CENTRE,
        CHUNK_BYTES_MAX,
        before,
        after,
        before << 1,
        after << 1,
        &gear,
        &gear_shifted,
    );
    assert_eq!(lengths(77, &stream, stream.len())[0], first);
    assert_ne!(lengths(77, &stream, stream.len()), expected);
}

#[test]
fn pieces_do_not_matter() {
    let stream = [noise(3, 3_000_000), vec![1; 1_700_000], noise(4, 1_000_003)].concat();
    let expected = lengths(5, &stream, stream.len());
    for piece in [1, 2, 3, 4097, 65_536, 1_000_001] {
        assert_eq!(lengths(5, &stream, piece), expected, "pieces of {piece}");
    }
}

#[test]
fn lengths_stay_within_their_limits() {
    let all = lengths(6, &noise(7, 60_000_000), 65_536);
    let (last, others) = all.split_last().unwrap();
    assert!(*last <= CHUNK_BYTES_MAX);
    assert!(others.iter().all(|length| (MIN..=CHUNK_BYTES_MAX).contains(length)));
    let forced = others.iter().filter(|length| **length == CHUNK_BYTES_MAX).count();
    assert!(forced * 10 < others.len(), "{forced} of {} were cut by force", others.len());
    assert_eq!(
        lengths(6, &[0; 4_000_000], 4096),
        [CHUNK_BYTES_MAX, CHUNK_BYTES_MAX, 4_000_000 - 2 * CHUNK_BYTES_MAX]
    );
    assert!(lengths(6, b"", 1).is_empty());
}
