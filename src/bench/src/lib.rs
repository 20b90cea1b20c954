//! The measurements that the README quotes.
//!
//! ```text
//!   scan   wasm, object mapped │ wasm, object copied │ native, same kernels       one process, rounds interleaved
//!          interruption        guests that can be stopped by polls │ by epochs │ never          (module `interruption`)
//!   call   engine              a call inline, without HTTP, beside a bare closure  (module `engine`)
//!          ladder              load generator ──HTTP──> plain │ stub │ single │ cluster   (modules `http`, `ladder`)
//!          starts              first calls: after a restart, after an upload       (module `starts`)
//!   placement                   the function to the data or the data to it, on Ceph (module `placement`)
//! ```
//!
//! Every figure is measured in the run that prints it, beside something else measured in the same run, in rounds that take
//! turns; so what disturbs one disturbs all. Only the ratios travel from one machine to another.
//!
//! A benchmark prints how far it is on stderr, writes its report to a file where the options name one, and returns it; the
//! report's `Display` is the tables. Run them on [`ganglion_node::build_runtime`]'s runtime: guests run on its threads and
//! need their stacks.
//!
//! Absent on purpose: figures to compare with (other machines' figures say nothing here), and other projects' servers.

mod bed;
mod call;
mod engine;
mod guest;
mod http;
mod interruption;
mod ladder;
mod native;
#[cfg(feature = "ceph")]
mod placement;
#[cfg(not(feature = "ceph"))]
#[path = "placement_absent.rs"]
mod placement;
mod processor;
mod report;
mod scan;
mod server;
mod starts;
mod text;

pub use call::{CallOptions, CallReport, call};
pub use engine::{EngineReport, EngineRow};
pub use interruption::{InterruptionCell, InterruptionReport, InterruptionRow};
pub use ladder::{LadderReport, LoadRow, Rung};
#[cfg(feature = "ceph")]
pub use placement::{Aim, Cell, Interference, Kernel, LinkRow, LinkSpeed, ProcessorRow, Way};
pub use placement::{GeneratorOptions, PlacementOptions, PlacementReport, generator, placement};
pub use report::{Machine, Spread};
pub use scan::{KernelRow, ScanOptions, ScanReport, scan};
pub use server::{Nodes, ServerOptions, server};
pub use starts::{StartRow, StartsReport};
pub use text::corpus;
