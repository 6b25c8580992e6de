//! The fixed hash behind digests and the rolling hash of completions.
//!
//! Owns two functions, defined here to the bit and described in `traces/README.md`; they never
//! change without a new trace format version. Not keyed, and no defence against an adversary. Not
//! here: which rows are hashed and when (`rows.rs`, `fs/`, `snapshot.rs`).

const MULTIPLIER_A: u64 = 0x9e37_79b9_7f4a_7c15;
const MULTIPLIER_B: u64 = 0xd6e8_feb8_6659_fd93;

/// The product of two 64-bit numbers, folded: low half xor high half.
const fn fold(a: u64, b: u64) -> u64 {
    let wide = a as u128 * b as u128;
    wide as u64 ^ (wide >> 64) as u64
}

/// Hashes bytes: eight at a time, little endian, the rest padded with zeros, then the length.
pub fn hash64(seed: u64, bytes: &[u8]) -> u64 {
    let mut state = seed ^ MULTIPLIER_A;
    let mut words = bytes.chunks_exact(8);
    for word in &mut words {
        let mut raw = [0; 8];
        raw.copy_from_slice(word);
        state = fold(state ^ u64::from_le_bytes(raw), MULTIPLIER_B).wrapping_add(MULTIPLIER_A);
    }
    let mut last = [0; 8];
    last[..words.remainder().len()].copy_from_slice(words.remainder());
    state = fold(state ^ u64::from_le_bytes(last), MULTIPLIER_B);
    fold(state ^ bytes.len() as u64, MULTIPLIER_A)
}

/// [`hash64`] of up to seven bytes that are a number already, the first byte lowest: the same
/// result, and nothing goes through memory.
pub const fn hash64_short(seed: u64, word: u64, length: u64) -> u64 {
    let state = fold(seed ^ MULTIPLIER_A ^ word, MULTIPLIER_B);
    fold(state ^ length, MULTIPLIER_A)
}

/// The hash of eight bytes and more that does not wait for one word after the other: of four lanes
/// the first takes a word and becomes the last. Words are taken from the end, and what is left in
/// front is the last one. The bytes are up to eight that are a number already, as in
/// [`hash64_short`], and those behind them: nothing is joined in memory, and where a word begins
/// does not depend on those before it.
pub fn spread64(head: u64, head_bytes: u32, tail: &[u8]) -> u64 {
    let mut lanes = [0, MULTIPLIER_A, MULTIPLIER_B, MULTIPLIER_A ^ MULTIPLIER_B];
    let mut blocks = tail.rchunks_exact(32);
    for block in &mut blocks {
        let [fourth, third, second, first] = [0, 8, 16, 24].map(|at| word_at(block, at));
        lanes = [
            absorb(lanes[0], first),
            absorb(lanes[1], second),
            absorb(lanes[2], third),
            absorb(lanes[3], fourth),
        ];
    }
    let turn = |[first, second, third, fourth]: [u64; 4], word| {
        [second, third, fourth, absorb(first, word)]
    };
    let mut words = blocks.remainder().rchunks_exact(8);
    for word in &mut words {
        lanes = turn(lanes, word_at(word, 0));
    }
    // Eight bytes and seven at most: a whole word, the last ones, if there are so many.
    let front = words.remainder();
    let mut joined = u128::from(head) | u128::from(short_word(front)) << (8 * head_bytes);
    if let Some(rest_bytes) = (head_bytes + front.len() as u32).checked_sub(8) {
        lanes = turn(lanes, (joined >> (8 * rest_bytes)) as u64);
        joined &= (1 << (8 * rest_bytes)) - 1;
    }
    let [first, second, third, fourth] = turn(lanes, joined as u64);
    fold(first ^ MULTIPLIER_A, second ^ MULTIPLIER_B)
        ^ fold(third ^ MULTIPLIER_B, fourth ^ MULTIPLIER_A)
}

const fn absorb(state: u64, word: u64) -> u64 {
    fold(state ^ word, MULTIPLIER_B).wrapping_add(MULTIPLIER_A)
}

/// The eight bytes at a place, little endian; 0 if they are not there.
#[inline]
fn word_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |raw| u64::from_le_bytes(*raw))
}

/// Up to seven bytes, little endian, as a number.
fn short_word(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

/// Hashes one number.
pub const fn hash_number(seed: u64, number: u64) -> u64 {
    fold(fold(seed ^ MULTIPLIER_A ^ number, MULTIPLIER_B) ^ 8, MULTIPLIER_A)
}
