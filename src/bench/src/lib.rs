//! The measurements that the README quotes.
//!
//! ```text
//!   scan   wasm, object mapped │ wasm, object copied │ native, same kernels       one process, rounds interleaved
//!          interruption        guests that can be stopped by polls │ by epochs │ never          (module `interruption`)
//!   call   warm                a call inline, without HTTP, beside a bare closure  (module `warm`)
//!          ladder              load generator ──HTTP──> plain │ stub │ single │ cluster   (modules `http`, `ladder`)
//!          starts              first calls: after a restart, after an upload       (module `starts`)
//!   engine restore             an instance, beside copying its image and beside starting it
//!          mapping             an object mapped, beside copying it and native code over it
//!          fairness            a short call beside guests that spin
//!   functions                   the suite, beside the same sources natively
//!   offload                     the middle of a call at the node that has its object, on a TCP connection
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

mod aims;
mod bed;
mod call;
mod engine;
mod foreign;
mod functions;
mod guest;
mod http;
mod interruption;
mod ladder;
mod native;
mod offload;
#[cfg(feature = "ceph")]
mod placement;
#[cfg(not(feature = "ceph"))]
#[path = "placement_absent.rs"]
mod placement;
mod placement_options;
mod processor;
mod report;
mod rounds;
mod scan;
mod server;
mod starts;
mod text;
mod warm;

pub use aims::{Aim, Bound, Verdict};
pub use call::{CallOptions, CallReport, call};
pub use engine::{
    Beside, EngineOptions, EngineReport, FairnessRow, MappingRow, RestoreRow, SumRow, engine,
};
pub use functions::{FunctionRow, FunctionsOptions, FunctionsReport, functions};
pub use interruption::{InterruptionCell, InterruptionReport, InterruptionRow};
pub use ladder::{LadderReport, LoadRow, Rung};
pub use offload::{DeltaRow, EndRow, OffloadOptions, OffloadReport, PartRow, offload};
#[cfg(feature = "ceph")]
pub use placement::{Cell, Home, Interference, Kernel, LinkRow, ProcessorRow, Way};
pub use placement::{PlacementReport, generator, placement};
pub use placement_options::{GeneratorOptions, LinkSpeed, PlacementOptions};
pub use report::{Machine, Spread};
pub use scan::{KernelRow, ScanOptions, ScanReport, scan};
pub use server::{Nodes, ServerOptions, server};
pub use starts::{StartRow, StartsReport};
pub use text::corpus;
pub use warm::{WarmReport, WarmRow};
