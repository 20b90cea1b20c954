//! The bodies of the fuzz targets: each takes any bytes at all, and panics where a decoder breaks its promise.

pub mod delta;
pub mod stream;
