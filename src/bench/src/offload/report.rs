//! What was found, and its tables.

use super::times::{Forced, Part, Piece, Times, What};
use super::{IMAGE_MIB, OBJECT_BYTES, PAGES, WHOLE_PAGES};
use crate::aims::{Aim, Bound, verdicts};
use crate::report::{MS, Machine, Spread, US, figure, table};
use comfy_table::Cell;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What `bench offload` found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OffloadReport {
    /// Where.
    pub machine: Machine,
    /// Rounds that count.
    pub rounds: usize,
    /// What programs that are not part of this had of all cores in one of them: the largest share.
    pub foreign_share: f64,
    /// Size of the image of the guests that leave, in bytes.
    pub image_bytes: u64,
    /// An empty message there and its answer back, in microseconds.
    pub round_trip_us: Spread,
    /// Offloads, by what the guest had changed.
    pub deltas: Vec<DeltaRow>,
    /// All of the guest's memory over the same connection, in milliseconds: nothing is taken out nor put in.
    pub transfer_ms: Spread,
    /// The same, with all pages taken out of the one guest's memory and put into the other's: the sum of the medians, in
    /// milliseconds.
    pub whole_ms: f64,
    /// Whole calls.
    pub ends: Vec<EndRow>,
    /// The aims.
    pub aims: Vec<Aim>,
}

/// Offloads of a function that does nothing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DeltaRow {
    /// Pages of 4 KiB that its guest had dirtied.
    pub pages: u32,
    /// From before the storage call to behind it, by the guest's clock, in microseconds.
    pub us: Spread,
    /// To `round_trip_us`, at the medians.
    pub to_round_trip: f64,
    /// To `whole_ms`, at the medians.
    pub to_whole: f64,
    /// To `transfer_ms`, at the medians.
    pub to_transfer: f64,
    /// The first four are what it is the sum of; the others are pieces of work in them, timed by themselves.
    pub parts: Vec<PartRow>,
}

/// A part of an offload.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PartRow {
    /// Which.
    pub part: String,
    /// In microseconds.
    pub us: Spread,
}

/// Calls whose function adds up the words of an object at the other node.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EndRow {
    /// Size of the object, in bytes.
    pub object_bytes: u64,
    /// With near-data processing forbidden: the object comes to the function. In milliseconds.
    pub in_place_ms: Spread,
    /// With it preferred: the function goes to the object. In milliseconds.
    pub at_the_object_ms: Spread,
    /// The latter to the former, at the medians.
    pub ratio: f64,
}

/// What is timed of an offload of so many pages.
type PartOf = fn(u32) -> What;

/// The parts in which an offload is told, with the heads of their columns.
const PARTS: [(&str, PartOf); 9] = [
    ("here", |pages| What::Part(pages, Part::Here)),
    ("link", |pages| What::Part(pages, Part::Link)),
    ("there", |pages| What::Part(pages, Part::There)),
    ("function", |pages| What::Part(pages, Part::Function)),
    ("taken out", |pages| What::Piece(pages, Piece::TakenOut)),
    ("restore", |_| What::Restore),
    ("put in", |pages| What::Piece(pages, Piece::PutIn)),
    ("compared", |pages| What::Piece(pages, Piece::Compared)),
    ("put back", |pages| What::Piece(pages, Piece::PutBack)),
];

impl OffloadReport {
    pub(super) fn of(machine: Machine, rounds: &mut [Times], foreign_share: f64) -> Self {
        let mut us = |what| Times::spread(rounds, what, US);
        let round_trip_us = us(What::RoundTrip);
        let transfer_us = us(What::Transfer).p50;
        let ends_us = [Piece::TakenOut, Piece::PutIn].map(|piece| What::Piece(WHOLE_PAGES, piece));
        let whole_us = transfer_us + ends_us.map(|what| us(what).p50).iter().sum::<f64>();
        let deltas = PAGES.map(|pages| {
            let total = us(What::Offload(pages));
            let parts = PARTS.map(|(part, what)| PartRow {
                part: part.into(),
                us: us(what(pages)),
            });
            DeltaRow {
                pages,
                us: total,
                to_round_trip: total.p50 / round_trip_us.p50,
                to_whole: total.p50 / whole_us,
                to_transfer: total.p50 / transfer_us,
                parts: parts.into(),
            }
        });
        let mut ms = |what| Times::spread(rounds, what, MS);
        let ends = OBJECT_BYTES.map(|object_bytes| {
            let [in_place_ms, at_the_object_ms] =
                Forced::ALL.map(|forced| ms(What::Call(object_bytes, forced)));
            EndRow {
                object_bytes,
                in_place_ms,
                at_the_object_ms,
                ratio: at_the_object_ms.p50 / in_place_ms.p50,
            }
        });
        let transfer_ms = ms(What::Transfer);
        Self {
            machine,
            rounds: rounds.len(),
            foreign_share,
            image_bytes: u64::from(IMAGE_MIB) << 20,
            round_trip_us,
            aims: aims(&deltas, foreign_share),
            deltas: deltas.into(),
            transfer_ms,
            whole_ms: whole_us * US / MS,
            ends: ends.into(),
        }
    }
}

fn aims(deltas: &[DeltaRow], foreign_share: f64) -> Vec<Aim> {
    let aim = |aim: &str, row: &DeltaRow, ratio, at_most| Aim {
        aim: aim.into(),
        place: format!("{} pages", row.pages),
        ratio,
        bound: Bound::AtMost(at_most),
        to_possible: None,
        foreign_share,
    };
    vec![
        aim(
            "an offload / an empty message's round trip",
            &deltas[0],
            deltas[0].to_round_trip,
            6.0,
        ),
        aim(
            "an offload / the whole memory",
            &deltas[2],
            deltas[2].to_whole,
            0.01,
        ),
    ]
}

impl fmt::Display for OffloadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.header(f)?;
        self.deltas(f)?;
        self.ends(f)?;
        verdicts(f, &self.aims)
    }
}

impl OffloadReport {
    #[allow(clippy::cast_precision_loss, reason = "sizes are far below 2^53")]
    fn header(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = self.image_bytes as f64 / f64::from(1 << 20);
        writeln!(f, "{}", self.machine)?;
        writeln!(
            f,
            "two nodes of this process on one TCP connection, {} rounds; an empty message there and back: {} us p50, {} p99",
            self.rounds,
            figure(self.round_trip_us.p50).content(),
            figure(self.round_trip_us.p99).content(),
        )?;
        writeln!(
            f,
            "the whole memory, {mib:.0} MiB: {} ms over the connection, {} ms with taking it out and putting it in",
            figure(self.transfer_ms.p50).content(),
            figure(self.whole_ms).content(),
        )
    }

    fn deltas(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pages_head = "dirtied pages";
        let header = [
            pages_head,
            "us p50",
            "p99",
            "/ round trip",
            "whole /",
            "transfer /",
        ];
        let mut totals = table(0, header);
        let mut header = [pages_head; PARTS.len() + 1];
        header[1..].copy_from_slice(&PARTS.map(|(part, _)| part));
        let mut parts = table(0, header);
        for row in &self.deltas {
            totals.add_row([
                Cell::new(row.pages),
                figure(row.us.p50),
                figure(row.us.p99),
                figure(row.to_round_trip),
                figure(1.0 / row.to_whole),
                figure(1.0 / row.to_transfer),
            ]);
            let us = row.parts.iter().map(|part| figure(part.us.p50));
            parts.add_row(std::iter::once(Cell::new(row.pages)).chain(us));
        }
        writeln!(
            f,
            "\na storage call of an empty function beside its object, by the guest's clock\n{totals}"
        )?;
        writeln!(
            f,
            "\nits parts, us p50: here + link + there + function; behind them pieces of work in these, timed by themselves\n{parts}"
        )
    }

    #[allow(clippy::cast_precision_loss, reason = "sizes are far below 2^53")]
    fn ends(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let header = [
            "object KiB",
            "forbidden ms p50",
            "p99",
            "preferred ms p50",
            "p99",
            "preferred / forbidden",
        ];
        let mut ends = table(0, header);
        for row in &self.ends {
            ends.add_row([
                figure(row.object_bytes as f64 / 1024.0),
                figure(row.in_place_ms.p50),
                figure(row.in_place_ms.p99),
                figure(row.at_the_object_ms.p50),
                figure(row.at_the_object_ms.p99),
                figure(row.ratio),
            ]);
        }
        writeln!(
            f,
            "\na whole call that adds up the words of an object at the other node, near-data processing forbidden and preferred\n{ends}"
        )
    }
}
