//! The functions that come with Ganglion, so that the first command needs no WebAssembly compiler.

use bytes::Bytes;

/// A function in the binary; its source is in `funcs/`.
#[derive(Clone, Copy, Debug)]
pub struct BundledFunction {
    /// Its name; the tenant is `ndp`.
    pub name: &'static str,
    /// The module.
    pub wasm: &'static [u8],
}

impl BundledFunction {
    /// The module, without a copy.
    pub fn bytes(&self) -> Bytes {
        Bytes::from_static(self.wasm)
    }
}

macro_rules! bundled {
    ($($name:literal),* $(,)?) => {
        /// All of them, uploaded under the tenant `ndp` when a cluster starts.
        pub const BUNDLED: &[BundledFunction] = &[
            $(BundledFunction {
                name: $name,
                wasm: include_bytes!(concat!("../../../funcs/wasm/", $name, ".wasm")),
            },)*
        ];
    };
}

bundled![
    "hello",
    "echo",
    "put",
    "get",
    "wordcount",
    "wordcount-rs",
    "scan",
    "sha256sum",
    "grep",
    "substr",
    "substrrepl",
    "json_parse",
    "thumbnailer_decode",
    "thumbnailer_shrink",
    "pcakmm",
    "pcakmmstore",
    "damo",
    "damofilter",
    "noop"
];
