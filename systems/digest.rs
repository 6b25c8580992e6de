//! The fixed hash behind digests and the rolling hash of completions.
//!
//! Owns one function, defined here to the bit and described in `traces/README.md`; it never changes
//! without a new trace format version. It is not keyed and no defence against an adversary. Not
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

/// [`hash64`] of one to seven bytes that are a number already, as in [`hash64_short`], and of more
/// behind them: nothing is joined in memory.
pub fn hash64_behind(seed: u64, head: u64, head_length: u32, tail: &[u8]) -> u64 {
    let shift = 8 * head_length;
    let (mut state, mut carry) = (seed ^ MULTIPLIER_A, head);
    let mut words = tail.chunks_exact(8);
    for word in &mut words {
        let mut raw = [0; 8];
        raw.copy_from_slice(word);
        let word = u64::from_le_bytes(raw);
        let whole = carry | word << shift;
        state = fold(state ^ whole, MULTIPLIER_B).wrapping_add(MULTIPLIER_A);
        carry = word >> (64 - shift);
    }
    let rest = words.remainder();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let last = u64::from_le_bytes(last);
    let mut end = carry | last << shift;
    if head_length as usize + rest.len() >= 8 {
        state = fold(state ^ end, MULTIPLIER_B).wrapping_add(MULTIPLIER_A);
        end = last >> (64 - shift);
    }
    state = fold(state ^ end, MULTIPLIER_B);
    fold(state ^ (u64::from(head_length) + tail.len() as u64), MULTIPLIER_A)
}

/// Hashes one number.
pub const fn hash_number(seed: u64, number: u64) -> u64 {
    fold(fold(seed ^ MULTIPLIER_A ^ number, MULTIPLIER_B) ^ 8, MULTIPLIER_A)
}
