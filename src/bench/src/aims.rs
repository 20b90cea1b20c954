//! What is aimed at, and whether a run has it.

use crate::foreign::DISTURBED_FROM;
use crate::report::{figure, figure_or_dash, table};
use comfy_table::Cell;
use serde::{Deserialize, Serialize};
use std::fmt;

/// One aim in one place.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Aim {
    /// What shall hold.
    pub aim: String,
    /// Where.
    pub place: String,
    /// The ratio that was measured.
    pub ratio: f64,
    /// What it shall be.
    #[serde(flatten)]
    pub bound: Bound,
    /// The same to what is possible, where a link stands before the limit that the aim names: the answers cross it.
    pub to_possible: Option<f64>,
    /// What programs that are not part of this had of all cores in a round of what is compared: the largest share.
    pub foreign_share: f64,
}

/// What a ratio shall be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// This, or more.
    AtLeast(f64),
    /// This, or less.
    AtMost(f64),
}

/// What is to be said of an aim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It holds.
    Met,
    /// It does not.
    Missed,
    /// Others used the machine meanwhile; the ratio tells nothing.
    Disturbed,
}

impl Bound {
    fn is_met_by(self, ratio: f64) -> bool {
        match self {
            Self::AtLeast(bound) => ratio >= bound,
            Self::AtMost(bound) => ratio <= bound,
        }
    }
}

impl Aim {
    /// Whether it is met, where that can be told.
    pub fn verdict(&self) -> Verdict {
        match self.bound.is_met_by(self.ratio) {
            _ if self.foreign_share >= DISTURBED_FROM => Verdict::Disturbed,
            true => Verdict::Met,
            false => Verdict::Missed,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Met => "met",
            Self::Missed => "missed",
            Self::Disturbed => "disturbed",
        })
    }
}

/// The aims, each with what is to be said of it.
pub(crate) fn verdicts(f: &mut fmt::Formatter<'_>, aims: &[Aim]) -> fmt::Result {
    let header = [
        "aim",
        "where",
        "ratio",
        "wanted",
        "",
        "others",
        "/ possible",
    ];
    let mut rows = table(2, header);
    for aim in aims {
        let (words, bound) = match aim.bound {
            Bound::AtLeast(bound) => ("at least", bound),
            Bound::AtMost(bound) => ("at most", bound),
        };
        rows.add_row([
            Cell::new(&aim.aim),
            Cell::new(&aim.place),
            ratio(aim.ratio),
            Cell::new(format!("{words} {}", ratio(bound).content())),
            Cell::new(aim.verdict()),
            Cell::new(format!("{:.0} %", aim.foreign_share * 100.0)),
            figure_or_dash(aim.to_possible),
        ]);
    }
    let count = |verdict| aims.iter().filter(|aim| aim.verdict() == verdict).count();
    write!(
        f,
        "\naims: {} of {} met, {} not judged (others had {:.0} % of all cores or more meanwhile)\n{rows}",
        count(Verdict::Met),
        aims.len(),
        count(Verdict::Disturbed),
        DISTURBED_FROM * 100.0,
    )
}

/// A ratio with three digits or so, be it ever so small.
fn ratio(value: f64) -> Cell {
    if value > 0.0 && value < 0.1 {
        Cell::new(format!("1/{:.0}", 1.0 / value))
    } else {
        figure(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn aim(bound: Bound, ratio: f64, foreign_share: f64) -> Aim {
        Aim {
            aim: "this / that".into(),
            place: "here".into(),
            ratio,
            bound,
            to_possible: None,
            foreign_share,
        }
    }

    #[test]
    fn an_aim_is_met_on_its_side_of_the_bound_and_not_judged_beside_others() {
        for (bound, ratio, foreign_share, verdict) in [
            (Bound::AtLeast(2.0), 2.0, 0.0, Verdict::Met),
            (Bound::AtLeast(2.0), 1.9, 0.0, Verdict::Missed),
            (Bound::AtMost(2.0), 2.0, 0.0, Verdict::Met),
            (Bound::AtMost(2.0), 2.1, 0.04, Verdict::Missed),
            (Bound::AtMost(2.0), 1.0, 0.05, Verdict::Disturbed),
        ] {
            assert_eq!(aim(bound, ratio, foreign_share).verdict(), verdict);
        }
    }

    #[test]
    fn the_bound_is_a_field_of_its_name() {
        let aim = aim(Bound::AtMost(0.01), 0.005, 0.0);
        let json = serde_json::to_value(&aim).unwrap();
        assert_eq!(json["at_most"], 0.01);
        let again: Aim = serde_json::from_value(json).unwrap();
        assert_eq!(again.bound, aim.bound);
        assert_eq!(ratio(0.005).content(), "1/200");
    }
}
