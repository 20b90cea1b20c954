//! The host interface: what `registry::abi` lists, put into a linker.

mod faasm;
mod ndp;
mod wasi;
mod wasi_files;
pub(crate) mod windows;

use crate::guest::Guest;
use wasmtime::{Engine, Linker};

/// The linker that every function of an engine is linked with.
///
/// # Errors
/// The engine's; two definitions of one name, which a test excludes.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    faasm::define(&mut linker)?;
    ndp::define(&mut linker)?;
    wasi::define(&mut linker)?;
    wasi_files::define(&mut linker)?;
    Ok(linker)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ganglion_registry::abi::{AbiType, HOST_FUNCTIONS};
    use std::fmt::Write;

    /// A module that imports the whole list, each function with the type listed, links: nothing is missing or of another
    /// type. The uploads check against the list, so an upload that is taken always links.
    #[test]
    fn every_function_of_the_list_is_there_with_its_type() {
        let engine = Engine::default();
        let mut text = String::from("(module");
        for function in HOST_FUNCTIONS {
            let types = |types: &[AbiType]| {
                let name = |ty: &AbiType| if *ty == AbiType::I32 { " i32" } else { " i64" };
                types.iter().map(name).collect::<String>()
            };
            let (module, name) = (function.module, function.name);
            let (params, results) = (types(function.params), types(function.results));
            write!(
                text,
                "(import \"{module}\" \"{name}\" (func (param{params}) (result{results})))"
            )
            .unwrap();
        }
        text.push(')');
        let module = wasmtime::Module::new(&engine, wat::parse_str(text).unwrap()).unwrap();
        linker(&engine).unwrap().instantiate_pre(&module).unwrap();
    }
}
