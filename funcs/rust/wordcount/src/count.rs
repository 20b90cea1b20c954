//! Bytes in, text out.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// `word\tcount\n` for each different word, in the order of the words' bytes. A word is a maximal run of bytes that are not
/// ASCII whitespace.
pub fn wordcount(text: &[u8]) -> Vec<u8> {
    let mut counts = Counts::default();
    for word in text.split(|byte| is_whitespace(*byte)) {
        if !word.is_empty() {
            *counts.entry(word).or_default() += 1;
        }
    }
    lines_of(counts)
}

/// What `wordcount` gives of several texts together, from what it gives of each: one behind the other, in any order. Nothing where a
/// line is no word and count.
pub fn combined(answers: &[u8]) -> Option<Vec<u8>> {
    let mut counts = Counts::default();
    for line in answers.split_inclusive(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\n")?;
        let tab = line.iter().rposition(|byte| *byte == b'\t')?;
        let count: u64 = str::from_utf8(&line[tab + 1..]).ok()?.parse().ok()?;
        let sum = counts.entry(&line[..tab]).or_default();
        *sum = sum.checked_add(count)?;
    }
    Some(lines_of(counts))
}

type Counts<'a> = HashMap<&'a [u8], u64, BuildHasherDefault<WordHasher>>;

fn lines_of(counts: Counts) -> Vec<u8> {
    let mut counts: Vec<(&[u8], u64)> = counts.into_iter().collect();
    counts.sort_unstable_by_key(|(word, _)| *word);

    let text_bytes = counts.iter().map(|(word, _)| word.len() + 4).sum();
    let mut lines = Vec::with_capacity(text_bytes); // enough where counts have up to two digits
    for (word, count) in counts {
        lines.extend_from_slice(word);
        lines.push(b'\t');
        lines.extend_from_slice(count.to_string().as_bytes());
        lines.push(b'\n');
    }
    lines
}

/// Space, or one of `\t \n \v \f \r`; the standard library's own notion leaves `\v` out.
fn is_whitespace(byte: u8) -> bool {
    byte == b' ' || byte.wrapping_sub(b'\t') <= 4
}

/// Eight bytes at a time, by multiplication. Not made to withstand words that were chosen to collide: a guest spends its own
/// time only.
#[derive(Default)]
struct WordHasher(u64);

impl WordHasher {
    fn mix(&mut self, value: u64) {
        let product = (self.0 ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = product ^ product >> 32;
    }
}

impl Hasher for WordHasher {
    fn write(&mut self, bytes: &[u8]) {
        let (chunks, rest) = bytes.as_chunks::<8>();
        for chunk in chunks {
            self.mix(u64::from_le_bytes(*chunk));
        }
        let last = rest
            .iter()
            .fold(0, |value, byte| value << 8 | u64::from(*byte));
        self.mix(last);
    }

    fn write_usize(&mut self, length: usize) {
        self.mix(length as u64);
    }

    fn finish(&self) -> u64 {
        self.0.wrapping_mul(0xd6e8_feb8_6659_fd93)
    }
}
