//! See the crate page once it is written.
