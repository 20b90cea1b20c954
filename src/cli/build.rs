//! Builds anew when what is embedded changes: the compiler does not see folders.

fn main() {
    for folder in ["include", "native", "lib", "rust/sdk", "rust/macros"] {
        println!("cargo:rerun-if-changed=../../funcs/{folder}");
    }
}
