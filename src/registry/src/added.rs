//! Functions of ours in a module. They come behind what is there, so no index changes.

use crate::blueprint::Blueprint;
use ganglion_types::{Error, Result};
use wasm_encoder::{Encode, Function, ValType};
use wasmparser::{BinaryReader, BinaryReaderError};

/// The functions that are added to a module.
pub(crate) struct Added {
    first_type: u32,
    first_function: u32,
    functions: Vec<AddedFunction>,
}

struct AddedFunction {
    params: Vec<ValType>,
    results: Vec<ValType>,
    body: Function,
}

impl Added {
    /// None yet.
    pub(crate) fn none(blueprint: &Blueprint) -> Result<Self> {
        let index =
            |count: usize| u32::try_from(count).map_err(|_| Error::invalid("too many functions"));
        Ok(Self {
            first_type: index(blueprint.types.len())?,
            first_function: index(blueprint.functions.len())?,
            functions: Vec::new(),
        })
    }

    /// Adds a function and gives its index.
    pub(crate) fn function(
        &mut self,
        params: &[ValType],
        results: &[ValType],
        body: Function,
    ) -> u32 {
        let index = self.first_function + self.count();
        self.functions.push(AddedFunction {
            params: params.to_vec(),
            results: results.to_vec(),
            body,
        });
        index
    }

    /// The type section with a type behind it for each function.
    pub(crate) fn types(&self, section: &[u8]) -> Result<Vec<u8>> {
        const FUNCTION: u8 = 0x60;
        let mut entries = Vec::new();
        for function in &self.functions {
            entries.push(FUNCTION);
            function.params.encode(&mut entries);
            function.results.encode(&mut entries);
        }
        appended(section, self.count(), &entries)
    }

    /// The function section with the functions behind it.
    pub(crate) fn functions(&self, section: &[u8]) -> Result<Vec<u8>> {
        let mut entries = Vec::new();
        for ty in self.first_type..self.first_type + self.count() {
            ty.encode(&mut entries);
        }
        appended(section, self.count(), &entries)
    }

    /// Their bodies, which come behind all others in the code section.
    pub(crate) fn bodies(&self) -> impl Iterator<Item = &Function> {
        self.functions.iter().map(|function| &function.body)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.functions.is_empty()
    }

    fn count(&self) -> u32 {
        u32::try_from(self.functions.len()).expect("there are three at most")
    }
}

/// A section that is a list, with so many entries more.
pub(crate) fn appended(section: &[u8], count: u32, entries: &[u8]) -> Result<Vec<u8>> {
    let mut reader = BinaryReader::new(section, 0);
    let before = reader.read_var_u32().map_err(malformed)?;
    let mut out = Vec::with_capacity(section.len() + entries.len() + 1);
    (before + count).encode(&mut out);
    out.extend_from_slice(&section[reader.original_position()..]);
    out.extend_from_slice(entries);
    Ok(out)
}

#[allow(clippy::needless_pass_by_value, reason = "the shape of map_err")]
fn malformed(error: BinaryReaderError) -> Error {
    Error::invalid(format!("the module is malformed: {}", error.message()))
}
