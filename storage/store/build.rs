//! Links librados where the feature `ceph` is on; without it this crate needs no library of the system.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    #[cfg(feature = "ceph")]
    println!("cargo:rustc-link-lib=rados");
}
