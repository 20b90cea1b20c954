//! Objects: one trait, its conformance suite, and the stores that pass it.

mod object;

pub use object::{
    ByteRange, CommitId, Condition, ListPage, ObjectMeta, ObjectRead, ObjectStore, ObjectUpload,
    ObjectView, PutOptions, Version,
};
