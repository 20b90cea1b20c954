//! Objects: one trait, its conformance suite, and the stores that pass it.
//!
//! - [`ObjectStore`] is what the rest of the house knows of objects; its docs are promises.
//! - [`suite`] checks every promise, for the stores here and for any other: `suite_tests!` makes a test of each.
//! - [`MemoryStore`] keeps objects in memory, [`LocalStore`] in files of one folder, [`PlacedStore`] over several nodes'
//!   stores, each object on the node that its key's hash chooses. `RadosStore` keeps them in a pool of a Ceph cluster (feature
//!   `ceph`, which links librados).
//!
//! A local store's folder, and an object's file:
//!
//! ```text
//! FOLDER/lock                  held while a store has the folder open: one process, one store
//! FOLDER/versions              a mark above every version ever given, moved up before it is reached
//! FOLDER/pending/17            an object being written ------ rename ------+
//! FOLDER/objects/books/a%2Fb   the object `books/a/b`  <-------------------+
//!
//!   0                   size        next 4 KiB                          end
//!   +-------------------+-----------+-----------------------------------+
//!   | the object        | zeros     | trailer: key, names, size,        |   mapped from 0 on into a guest's memory,
//!   |                   |           | version, time, checksums, magic   |   which sees the object and then zeros
//!   +-------------------+-----------+-----------------------------------+
//! ```
//!
//! A file under an object's name is complete and never changed: a write makes another and renames it over. So readers need
//! no lock, a view stays what it was, and no crash parts an object from what is known of it.
//!
//! Absent on purpose: locks that outlive a call (conditions and versions instead), rename, directories
//! (`/` is a letter), a cache of object bytes (the page cache is one), copies of an object on several nodes and moving objects
//! between nodes (Ceph does both).

mod append;
mod blocking;
mod catalog;
mod local;
mod memory;
mod names;
mod object;
mod placed;
mod placement;
#[cfg(feature = "ceph")]
mod rados;
mod record;
pub mod suite;

pub use local::{LocalOptions, LocalStore};
pub use memory::MemoryStore;
pub use names::NAMES_MAX;
pub use object::{
    ByteRange, CommitId, Condition, ListPage, ObjectMeta, ObjectRead, ObjectStore, ObjectUpload,
    ObjectView, PutOptions, Version, Wait,
};
pub use placed::PlacedStore;
#[cfg(feature = "ceph")]
pub use rados::{Osd, OsdNodes, RadosOptions, RadosStore};
