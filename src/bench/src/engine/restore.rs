//! Instances that are made ready from an image, and the two other ways to have them: copying the image, and starting the function.

use super::EngineOptions;
use super::report::Beside;
use crate::aims::{Aim, Bound};
use crate::bed::{Bed, TENANT, bundled};
use crate::guest::guest_that_writes;
use crate::report::{Spread, US, failed};
use crate::rounds::Rounds;
use bytes::Bytes;
use ganglion_node::HostAmbient;
use ganglion_snapshot::{Image, SlotPool};
use ganglion_store::{MemoryStore, ObjectStore};
use ganglion_types::{Delta, Error, FunctionRef, PageRun, Result};
use ganglion_worker::{Rehearsal, Standing};
use serde::{Deserialize, Serialize};
use std::hint::black_box;
use std::sync::Arc;

/// Sizes of the images that are copied.
const IMAGE_MIB: [u32; 2] = [1, 64];
/// The C++ function with iostream, regular expressions, maps and a zygote.
const STARTED: &str = "logs";
/// Restores in each turn.
const RESTORES: usize = 100;
/// Starts, and copies of each kind, in each turn.
const OTHERS: usize = 3;
/// Not counted.
const WARM: usize = 2;

/// One function.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RestoreRow {
    /// What it is.
    pub guest: String,
    /// Memory that its image fills, in bytes.
    pub image_bytes: u64,
    /// From nothing to an instance that is ready to be called, in microseconds.
    pub us: Spread,
    /// From there to a slot that the next can have, in microseconds; the guest has not run.
    pub back_us: Spread,
    /// The other ways to have such an instance.
    pub beside: Vec<Beside>,
}

/// A way to have an instance, or what it is compared with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Restore,
    Back,
    Started,
    CopiedNew,
    CopiedResident,
}

impl Way {
    const BESIDE: [(Self, &str); 3] = [
        (Self::CopiedNew, "copying the image into new memory"),
        (Self::CopiedResident, "copying it into memory that is there"),
        (Self::Started, "starting it: constructors and zygote"),
    ];
}

/// A function that is made ready over and over.
struct Subject {
    guest: String,
    rehearsal: Rehearsal,
    image_bytes: usize,
    copies: Option<Copies>,
}

type Times = Vec<(Way, Vec<u64>)>;

/// The functions, and the largest share of all cores that others had meanwhile.
pub(super) async fn restores(options: &EngineOptions) -> Result<(Vec<RestoreRow>, f64)> {
    let folder = tempfile::tempdir().map_err(failed("a temporary folder"))?;
    let clock = Arc::new(HostAmbient::new());
    let store: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new(None, clock, 1 << 30));
    let bed = Bed::new(folder.path(), store.clone())?;
    let subjects = subjects(&bed, &store).await?;
    for subject in &subjects {
        for _ in 0..WARM {
            subject.turn(&bed, &mut Times::new())?;
        }
    }
    let mut rounds = Rounds::new("engine, restores", options.rounds);
    while let Some(round) = rounds.begin()? {
        let mut times: Vec<Times> = subjects.iter().map(|_| Times::new()).collect();
        for _ in 0..options.turns {
            for (subject, times) in subjects.iter().zip(&mut times) {
                subject.turn(&bed, times)?;
            }
        }
        rounds.end(&round, times)?;
    }
    let (mut rounds, foreign_share) = rounds.finish();
    let rows = subjects.iter().enumerate().map(|(at, subject)| {
        let mut times: Vec<&mut Times> = rounds.iter_mut().map(|round| &mut round[at]).collect();
        subject.row(&mut times)
    });
    Ok((rows.collect(), foreign_share))
}

async fn subjects(bed: &Bed, store: &Arc<dyn ObjectStore>) -> Result<Vec<Subject>> {
    let worker = bed.worker(bed.modules.clone(), store.clone())?;
    let mut subjects = Vec::new();
    let sized = IMAGE_MIB.map(|mib| {
        (
            format!("{mib} MiB of memory"),
            Some(mib),
            guest_that_writes(mib, 1),
        )
    });
    let started = (
        format!("{STARTED}: C++ with iostream, regex, map"),
        None,
        bundled(STARTED)?,
    );
    for (guest, mib, wasm) in sized.into_iter().chain([started]) {
        eprintln!("engine, restores: {guest}");
        let function = FunctionRef::new(TENANT, "guest")?;
        let module = bed.modules.add(wasm).await?.hash;
        let call = bed.call(&function, module, &Bytes::new());
        let rehearsal = worker.rehearse(call).await?;
        subjects.push(Subject {
            guest,
            image_bytes: rehearsal.image_bytes(),
            rehearsal,
            copies: mib.map(Copies::new).transpose()?,
        });
    }
    Ok(subjects)
}

impl Subject {
    fn turn<'a>(&'a self, bed: &Bed, times: &mut Times) -> Result<()> {
        let mut add = |way: Way, ns: u64| match times.iter_mut().find(|(had, _)| *had == way) {
            Some((_, times)) => times.push(ns),
            None => times.push((way, vec![ns])),
        };
        let now_ns = || bed.clock.monotonic_ns();
        let mut made = |way: Way, make: &dyn Fn() -> Result<Standing<'a>>| {
            let began_ns = now_ns();
            let standing = make()?;
            let ready_ns = now_ns();
            drop(standing);
            add(way, ready_ns - began_ns);
            if way == Way::Restore {
                add(Way::Back, now_ns() - ready_ns);
            }
            Ok::<_, Error>(())
        };
        for _ in 0..RESTORES {
            made(Way::Restore, &|| self.rehearsal.restore())?;
        }
        let Some(copies) = &self.copies else {
            for _ in 0..OTHERS {
                made(Way::Started, &|| self.rehearsal.start())?;
            }
            return Ok(());
        };
        for _ in 0..OTHERS {
            add(Way::CopiedNew, copies.to_new_memory(now_ns)?);
            add(Way::CopiedResident, copies.to_resident_memory(now_ns));
        }
        Ok(())
    }

    fn row(&self, rounds: &mut [&mut Times]) -> RestoreRow {
        let mut spread = |way: Way| {
            let times = rounds.iter_mut().filter_map(|times| {
                let mut times = times.iter_mut();
                times.find(|(had, _)| *had == way).map(|(_, ns)| ns)
            });
            let spreads: Vec<Spread> = times.map(|ns| Spread::of_ns(ns, US)).collect();
            Spread::of_rounds(&spreads)
        };
        let us = spread(Way::Restore);
        let beside = Way::BESIDE.into_iter().map(|(way, what)| Beside {
            what: what.into(),
            us: spread(way),
            ratio: spread(way).p50 / us.p50,
        });
        let beside = beside.collect::<Vec<_>>().into_iter();
        RestoreRow {
            guest: self.guest.clone(),
            image_bytes: self.image_bytes as u64,
            us,
            back_us: spread(Way::Back),
            beside: beside.filter(|beside| beside.us.count > 0).collect(),
        }
    }
}

/// An image's bytes, and places for a copy of them.
struct Copies {
    bytes: Bytes,
    /// What a slot is that has no image: zeros.
    empty: Arc<Image>,
    pool: Arc<SlotPool>,
    resident: std::sync::Mutex<Vec<u8>>,
}

impl Copies {
    fn new(mib: u32) -> Result<Self> {
        let bytes = (mib as usize) << 20;
        let empty = Image::new(&[], bytes, Vec::new());
        let empty = empty.map_err(|error| Error::unavailable(format!("an image: {error}")))?;
        Ok(Self {
            bytes: vec![0x5a; bytes].into(),
            empty: Arc::new(empty),
            pool: SlotPool::new(1),
            resident: vec![1; bytes].into(),
        })
    }

    /// Into pages that the kernel has to make first, all of them in one go: as an instance's memory would be made by a copy.
    fn to_new_memory(&self, now_ns: impl Fn() -> u64) -> Result<u64> {
        let wrong = |error: &dyn std::fmt::Display| Error::internal(format!("a copy: {error}"));
        let slot = self.pool.take(&self.empty).map_err(|error| wrong(&error))?;
        let slot = slot.ok_or_else(|| wrong(&"the slot is in use"))?;
        let whole = Delta {
            image: self.empty.hash(),
            memory_bytes: self.bytes.len() as u64,
            globals: Vec::new(),
            pages: vec![PageRun {
                first_page: 0,
                bytes: self.bytes.clone(),
            }],
        };
        let began_ns = now_ns();
        slot.apply(&whole).map_err(|error| wrong(&error))?;
        Ok(now_ns() - began_ns)
    }

    fn to_resident_memory(&self, now_ns: impl Fn() -> u64) -> u64 {
        let mut resident = self.resident.lock().expect("nobody panics with it");
        let began_ns = now_ns();
        resident.copy_from_slice(black_box(&self.bytes));
        black_box(&mut *resident);
        now_ns() - began_ns
    }
}

pub(super) fn aims(rows: &[RestoreRow], foreign_share: f64) -> Vec<Aim> {
    let aim = |aim: &str, row: &RestoreRow, ratio, bound| Aim {
        aim: aim.into(),
        place: row.guest.clone(),
        ratio,
        bound,
        to_possible: None,
        foreign_share,
    };
    let [small, large, started] = rows else {
        return Vec::new();
    };
    vec![
        aim(
            "copying the image into new memory / restoring it",
            large,
            large.beside[0].ratio,
            Bound::AtLeast(10_000.0),
        ),
        aim(
            "restoring it / restoring 1 MiB",
            large,
            large.us.p50 / small.us.p50,
            Bound::AtMost(1.2),
        ),
        aim(
            "starting it / restoring it",
            started,
            started.beside[0].ratio,
            Bound::AtLeast(200.0),
        ),
    ]
}
