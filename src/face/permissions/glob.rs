//! The patterns of rules and policies (SEMANTICS.md section 9).

/// A piece of a pattern.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Piece {
    /// This byte.
    Byte(u8),
    /// `?`: any byte but `/`.
    One,
    /// `*`: any run without `/`.
    Name,
    /// `**` or more stars: any run.
    Path,
}

fn pieces(pattern: &str) -> Vec<Piece> {
    let mut pieces = Vec::with_capacity(pattern.len());
    let mut rest = pattern.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        pieces.push(match first {
            b'?' => Piece::One,
            b'*' => {
                let more = rest.iter().take_while(|byte| **byte == b'*').count();
                rest = rest.get(more..).unwrap_or_default();
                if more == 0 { Piece::Name } else { Piece::Path }
            }
            other => Piece::Byte(other),
        });
    }
    pieces
}

/// Whether the whole value matches: `?` is one byte but `/`, `*` any run without `/`, `**` (or more
/// stars) any run, all else itself.
///
/// The time is at most the product of both lengths, whatever the pattern.
pub fn permission_glob_matches(pattern: &str, value: &str) -> bool {
    let pieces = pieces(pattern);
    // reached[i]: the pieces before i have matched what was read of the value.
    let mut reached = vec![false; pieces.len() + 1];
    if let Some(start) = reached.first_mut() {
        *start = true;
    }
    skip_empty_runs(&pieces, &mut reached);
    for byte in value.bytes() {
        let mut next = vec![false; reached.len()];
        for (index, piece) in pieces.iter().enumerate().filter(|(index, _)| reached[*index]) {
            match piece {
                Piece::Byte(wanted) => next[index + 1] |= *wanted == byte,
                Piece::One => next[index + 1] |= byte != b'/',
                Piece::Name => next[index] |= byte != b'/',
                Piece::Path => next[index] = true,
            }
        }
        skip_empty_runs(&pieces, &mut next);
        if !next.contains(&true) {
            return false;
        }
        reached = next;
    }
    reached.last().copied().unwrap_or(false)
}

/// A run may be empty: what is reached before it is reached after it too.
fn skip_empty_runs(pieces: &[Piece], reached: &mut [bool]) {
    for (index, piece) in pieces.iter().enumerate() {
        if matches!(piece, Piece::Name | Piece::Path) && reached[index] {
            reached[index + 1] = true;
        }
    }
}
