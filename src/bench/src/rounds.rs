//! Rounds of a measurement, and which of them count.

use crate::foreign::{DISTURBED_FROM, Foreign};
use ganglion_types::Result;

/// How often as many rounds as are wanted are run at most, in the hope for quiet ones.
const ATTEMPTS: usize = 3;

/// Rounds that all measure the same. Those count in which others left the machine alone, and where there are too few of them the
/// ones in which they did so most: which these are has nothing to do with what was measured.
pub(crate) struct Rounds<S> {
    name: &'static str,
    wanted: usize,
    had: Vec<(f64, S)>,
}

/// A round that has begun.
pub(crate) struct Round(Foreign);

impl<S> Rounds<S> {
    /// `wanted`: how many are to count; at least 1.
    pub(crate) fn new(name: &'static str, wanted: usize) -> Self {
        Self {
            name,
            wanted: wanted.max(1),
            had: Vec::new(),
        }
    }

    /// The next round; `None` when there are enough quiet ones, or no more are worth the time.
    ///
    /// # Errors
    /// As [`Foreign::begin`].
    pub(crate) fn begin(&self) -> Result<Option<Round>> {
        let quiet = self.had.iter().filter(|(share, _)| *share < DISTURBED_FROM);
        let (quiet, had) = (quiet.count(), self.had.len());
        if quiet >= self.wanted || had >= self.wanted * ATTEMPTS {
            return Ok(None);
        }
        eprintln!(
            "{}: round {}, {quiet} of {} undisturbed",
            self.name,
            had + 1,
            self.wanted
        );
        Ok(Some(Round(Foreign::begin(&[])?)))
    }

    /// What a round has measured.
    ///
    /// # Errors
    /// As [`Foreign::end`].
    pub(crate) fn end(&mut self, round: &Round, sample: S) -> Result<()> {
        self.had.push((round.0.end()?.0, sample));
        Ok(())
    }

    /// Those that count, and the largest share of all cores that others had in one of them.
    pub(crate) fn finish(mut self) -> (Vec<S>, f64) {
        self.had
            .sort_by(|(one, _), (other, _)| one.total_cmp(other));
        self.had.truncate(self.wanted);
        let share = self.had.last().map_or(0.0, |(share, _)| *share);
        (
            self.had.into_iter().map(|(_, sample)| sample).collect(),
            share,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quietest_rounds_count() {
        let mut rounds = Rounds::new("test", 2);
        rounds.had = vec![(0.5, 'a'), (0.01, 'b'), (0.2, 'c')];
        assert!(rounds.begin().unwrap().is_some());
        rounds.had.push((0.02, 'd'));
        assert!(rounds.begin().unwrap().is_none());
        assert_eq!(rounds.finish(), (vec!['b', 'd'], 0.02));
        let mut busy = Rounds::new("test", 1);
        for sample in 0..ATTEMPTS {
            assert!(busy.begin().unwrap().is_some());
            busy.had.push((0.9, sample));
        }
        assert!(busy.begin().unwrap().is_none());
    }
}
