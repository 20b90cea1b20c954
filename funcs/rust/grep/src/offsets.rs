//! Bytes in, offsets out.

use regex::bytes::Regex;

/// Where matches begin that are not empty, one behind the end of the other. A match lies within one line.
pub fn of_matches(text: &[u8], expression: &Regex) -> Vec<usize> {
    let mut offsets = Vec::new();
    let mut begin = 0;
    for line in text.split(|byte| *byte == b'\n') {
        for found in expression.find_iter(line) {
            if !found.is_empty() {
                offsets.push(begin + found.start());
            }
        }
        begin += line.len() + 1;
    }
    offsets
}

/// The numbers with a space between any two.
pub fn text(offsets: &[usize]) -> String {
    let words: Vec<String> = offsets.iter().map(usize::to_string).collect();
    words.join(" ")
}
