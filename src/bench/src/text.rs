//! Text to count words in.

use bytes::Bytes;
use fastrand::Rng;

/// Different words: as many as 4 MiB of prose have. By Heaps' law, 44 times the number of words to the power of 0.49 (Manning,
/// Raghavan and Schütze, "Introduction to Information Retrieval", 2008, 5.1.1), which is 29,600 for the 590,000 words of 4 MiB.
const VOCABULARY: u32 = 30_000;
const LINE_BYTES: usize = 76;

/// Text of exactly `bytes` bytes that looks like prose to a kernel: words whose frequency falls with their rank (Zipf's
/// law), frequent ones short, rare ones long, commas, full stops and lines. ASCII; the same seed gives the same text.
pub fn corpus(seed: u64, bytes: usize) -> Bytes {
    let mut random = Rng::with_seed(seed);
    let words: Vec<String> = (1..=VOCABULARY)
        .map(|rank| word(&mut random, rank))
        .collect();
    let mut text = Vec::with_capacity(bytes + LINE_BYTES);
    let mut line_begin = 0;
    while text.len() < bytes {
        text.extend_from_slice(words[rank(&mut random) - 1].as_bytes());
        match random.u8(..) {
            0..=15 => text.push(b','),
            16..=31 => text.push(b'.'),
            _ => {}
        }
        if text.len() - line_begin >= LINE_BYTES {
            text.push(b'\n');
            line_begin = text.len();
        } else {
            text.push(b' ');
        }
    }
    text.truncate(bytes);
    text.into()
}

/// A rank from 1 on, each with a probability of nearly its reciprocal: the exponential of a uniform number.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between 1 and the vocabulary"
)]
fn rank(random: &mut Rng) -> usize {
    let largest = f64::from(VOCABULARY);
    (random.f64() * largest.ln()).exp().min(largest) as usize
}

/// A word: two letters and more, longer by half a letter each time that the rank doubles; vowels and consonants in turn.
fn word(random: &mut Rng, rank: u32) -> String {
    const VOWELS: &[u8] = b"eeeaaiioou";
    const CONSONANTS: &[u8] = b"tttnnnsssrrhhllddcmfpgwybvk";
    let letters = 2 + rank.ilog2() / 2 + random.u32(0..3);
    let first = random.u32(0..2);
    let letter = |at: u32| {
        let kind = if (at + first).is_multiple_of(2) {
            VOWELS
        } else {
            CONSONANTS
        };
        char::from(kind[random.usize(..kind.len())])
    };
    (0..letters).map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn the_same_seed_gives_the_same_text_of_the_length_asked_for() {
        let text = corpus(7, 100_001);
        assert_eq!(text.len(), 100_001);
        assert_eq!(text, corpus(7, 100_001));
        assert_ne!(text, corpus(8, 100_001));
        assert!(corpus(7, 0).is_empty());
    }

    #[test]
    fn few_words_make_most_of_the_text_and_words_are_as_long_as_in_prose() {
        let text = corpus(1, 1 << 20);
        let mut counts: HashMap<&[u8], usize> = HashMap::new();
        let words = text
            .split(u8::is_ascii_whitespace)
            .filter(|word| !word.is_empty());
        words.for_each(|word| *counts.entry(word).or_default() += 1);
        let total: usize = counts.values().sum();
        let mut frequent: Vec<usize> = counts.values().copied().collect();
        frequent.sort_unstable_by(|left, right| right.cmp(left));
        let share = frequent[..100].iter().sum::<usize>() * 100 / total;
        assert!(
            (30..60).contains(&share),
            "the hundred most frequent words are {share} % of all"
        );
        assert!(
            (5..8).contains(&(text.len() / total)),
            "{} bytes a word",
            text.len() / total
        );
    }

    #[test]
    fn four_mebibytes_have_as_many_different_words_as_prose_of_that_length() {
        let text = corpus(1, 4 << 20);
        let words = text.split(|byte| !byte.is_ascii_alphabetic());
        let words: Vec<&[u8]> = words.filter(|word| !word.is_empty()).collect();
        let heaps = 44.0 * f64::from(u32::try_from(words.len()).unwrap()).powf(0.49);
        let different = words.iter().collect::<std::collections::HashSet<_>>().len();
        let ratio = f64::from(u32::try_from(different).unwrap()) / heaps;
        assert!((0.8..1.1).contains(&ratio), "{different} of {heaps}");
    }
}
