//! "Did you mean": the name that is closest to a mistyped one.

/// The closest of `known`, if it is close enough to have been meant: at most a third of the letters are wrong.
pub(crate) fn closest<'k>(typed: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let edits_max = (typed.chars().count() / 3).max(1);
    known
        .map(|name| (edits(typed, name), name))
        .filter(|(edits, _)| *edits <= edits_max)
        .min()
        .map(|(_, name)| name)
}

/// Letters to insert, remove, replace or swap with their neighbour to get from one word to the other (optimal string
/// alignment distance).
fn edits(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    let mut before_last = Vec::new();
    let mut last: Vec<usize> = (0..=to.len()).collect();
    for (row, &letter) in from.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, &other) in to.iter().enumerate() {
            let replaced = last[column] + usize::from(letter != other);
            let mut least = replaced.min(last[column + 1] + 1).min(current[column] + 1);
            let swapped =
                row > 0 && column > 0 && letter == to[column - 1] && from[row - 1] == other;
            if swapped {
                least = least.min(before_last[column - 1] + 1);
            }
            current.push(least);
        }
        before_last = std::mem::replace(&mut last, current);
    }
    last[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slip_is_one_edit() {
        for (typed, meant, expected) in [
            ("wordcount", "wordcount", 0),
            ("wrodcount", "wordcount", 1),
            ("wordcont", "wordcount", 1),
            ("wordcounts", "wordcount", 1),
            ("", "abc", 3),
            ("abc", "", 3),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(edits(typed, meant), expected, "{typed} {meant}");
        }
    }

    #[test]
    fn only_a_near_name_is_suggested_and_the_nearest_of_them() {
        let known = || ["ndp/hello", "ndp/wordcount", "ndp/wordcounts"].into_iter();
        assert_eq!(closest("ndp/wrodcount", known()), Some("ndp/wordcount"));
        assert_eq!(closest("ndp/resize", known()), None);
        assert_eq!(closest("x", [].into_iter()), None);
    }
}
