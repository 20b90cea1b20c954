//! What is aimed at on Ceph, and what this run has of it.

use super::cells::LinkRow;
use super::interference::Interference;
use super::kernel::{Kernel, Way};
use super::{LinkSpeed, OBJECT_BYTES};
use crate::aims::{Aim, Bound};

/// All aims that these speeds have.
pub(super) fn aims(links: &[LinkRow], interference: &Interference) -> Vec<Aim> {
    let mut aims = Vec::new();
    for link in links {
        for kernel in Kernel::ALL {
            aims.extend(of_cells(link, kernel).into_iter().flatten());
        }
    }
    aims.extend(fivefold(links, LinkSpeed::GBIT, Kernel::Scan));
    aims.extend(fivefold(links, LinkSpeed::HUNDRED_MBIT, Kernel::Wordcount));
    aims.push(Aim {
        aim: "plain reads beside near-data work / beside the same load off the OSDs".into(),
        place: "unlimited".into(),
        ratio: interference.beside_near_data_mb_per_s / interference.beside_same_load_mb_per_s,
        bound: Bound::AtLeast(0.9),
        to_possible: None,
        foreign_share: interference.foreign_share,
    });
    aims
}

fn rate(link: &LinkRow, kernel: Kernel, way: Way) -> Option<f64> {
    Some(link.cell(kernel, way)?.mb_per_s)
}

/// The largest of a function's ways, which take turns.
fn foreign(link: &LinkRow, kernel: Kernel) -> f64 {
    let cells = link.cells.iter().filter(|cell| cell.kernel == kernel);
    cells.map(|cell| cell.foreign_share).fold(0.0, f64::max)
}

/// `None` where a way was not measured.
fn of_cells(link: &LinkRow, kernel: Kernel) -> Option<[Aim; 3]> {
    let rate = |way| rate(link, kernel, way);
    let (on, off, auto) = (rate(Way::On)?, rate(Way::Off)?, rate(Way::Auto)?);
    let processor = rate(Way::Memory)?;
    let slower = link.transport_mb_per_s.min(processor);
    let possible = answers_mb_per_s(link, kernel)?.min(processor);
    let aim = |aim: &str, ratio, at_least, to_possible| Aim {
        aim: aim.into(),
        place: format!("{kernel}, {}", link.speed),
        ratio,
        bound: Bound::AtLeast(at_least),
        to_possible,
        foreign_share: foreign(link, kernel),
    };
    Some([
        aim(
            "forced on / processor's limit",
            on / processor,
            0.8,
            Some(on / possible),
        ),
        aim(
            "forced off / lower of link and processor",
            off / slower,
            0.8,
            None,
        ),
        aim("auto / better of on and off", auto / on.max(off), 0.9, None),
    ])
}

/// Object bytes whose answers the link lets through when the function runs beside the objects.
#[allow(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn answers_mb_per_s(link: &LinkRow, kernel: Kernel) -> Option<f64> {
    let on = link.cell(kernel, Way::On)?;
    let answer_bytes = on.received_bytes as f64 / on.calls.max(1) as f64;
    Some(link.transport_mb_per_s * OBJECT_BYTES as f64 / answer_bytes.max(1.0))
}

fn fivefold(links: &[LinkRow], speed: LinkSpeed, kernel: Kernel) -> Option<Aim> {
    let link = links.iter().find(|link| link.speed == speed)?;
    Some(Aim {
        aim: "forced on / forced off".into(),
        place: format!("{kernel}, {speed}"),
        ratio: rate(link, kernel, Way::On)? / rate(link, kernel, Way::Off)?,
        bound: Bound::AtLeast(5.0),
        to_possible: None,
        foreign_share: foreign(link, kernel),
    })
}

#[cfg(test)]
mod tests {
    use super::super::cells::Cell;
    use super::*;
    use crate::aims::Verdict;
    use crate::report::Spread;

    fn cell(way: Way, mb_per_s: f64) -> Cell {
        Cell {
            kernel: Kernel::Scan,
            way,
            mb_per_s,
            latency_ms: Spread::default(),
            calls: 2,
            on_storage: 0,
            received_bytes: OBJECT_BYTES as u64 / 2,
            sent_bytes: 0,
            storage_cpu_s: 0.0,
            compute_cpu_s: 0.0,
            foreign_share: 0.0,
        }
    }

    #[test]
    fn each_ratio_is_to_what_the_aim_names() {
        let link = LinkRow {
            speed: LinkSpeed::GBIT,
            transport_mb_per_s: 100.0,
            cells: vec![
                cell(Way::On, 300.0),
                cell(Way::Off, 60.0),
                cell(Way::Auto, 150.0),
                cell(Way::Memory, 1000.0),
            ],
        };
        let interference = Interference {
            alone_mb_per_s: 900.0,
            beside_near_data_mb_per_s: 400.0,
            beside_same_load_mb_per_s: 500.0,
            near_data_mb_per_s: 1.0,
            same_load_mb_per_s: 1.0,
            foreign_share: 0.06,
        };
        let aims = aims(&[link], &interference);
        let near = |one: f64, two: f64| (one - two).abs() < 1e-9;
        let wanted = [0.3, 0.6, 0.5, 5.0, 0.8];
        let ratios: Vec<f64> = aims.iter().map(|aim| aim.ratio).collect();
        assert_eq!(ratios.len(), wanted.len());
        assert!(
            ratios.iter().zip(wanted).all(|(one, two)| near(*one, two)),
            "{ratios:?}"
        );
        let verdicts: Vec<Verdict> = aims.iter().map(Aim::verdict).collect();
        let [met, missed, disturbed] = [Verdict::Met, Verdict::Missed, Verdict::Disturbed];
        assert_eq!(verdicts, [missed, missed, missed, met, disturbed]);
        // An answer is a quarter of its object: four times the link's 100 MB/s.
        assert!(near(aims[0].to_possible.unwrap(), 0.75));
    }
}
