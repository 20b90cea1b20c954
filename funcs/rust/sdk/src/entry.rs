//! How a call's input becomes the parameter of `main`, and what it returns the output and the code.

use crate::{Failure, input, set_output};
use std::io::{Write, stdout};
use std::process::ExitCode;

/// Runs a function as a program's `main`: with the input, if it takes one; its answer is the output. `#[ganglion::main]` writes
/// the call to this.
pub fn run<Parameters>(function: impl Entry<Parameters>) -> ExitCode {
    #[cfg(not(target_arch = "wasm32"))]
    if !crate::native::begin() {
        return ExitCode::FAILURE;
    }
    let code = ExitCode::from(code_of(function));
    #[cfg(not(target_arch = "wasm32"))]
    if !crate::native::end() {
        return ExitCode::FAILURE;
    }
    code
}

/// Runs a function, and tells of a failure in the output.
fn code_of<Parameters>(function: impl Entry<Parameters>) -> u8 {
    match function.enter() {
        Ok(()) => 0,
        Err(failure) => {
            set_output(format!("FAILED - {failure}").as_bytes());
            failure.code()
        }
    }
}

/// Runs a combiner as `run` does a function. `#[ganglion::combine]` writes the call to this.
#[doc(hidden)]
pub fn combine_with<Parameters>(function: impl Entry<Parameters>) -> i32 {
    let code = code_of(function).into();
    flush();
    code
}

/// Runs a preparation; says on stderr why it failed. `#[ganglion::zygote]` writes the call to this.
#[doc(hidden)]
pub fn prepare_with<T: Prepared>(function: impl FnOnce() -> T) -> i32 {
    let result = function().result();
    flush();
    result.map_or_else(
        |failure| {
            eprintln!("{failure}");
            failure.code().into()
        },
        |()| 0,
    )
}

/// What was printed and no line's end came behind: behind `main` the library does that itself.
fn flush() {
    // Where nobody reads there is nobody to tell.
    let _ = stdout().flush();
}

/// What a preparation can return.
pub trait Prepared {
    /// Whether the module is prepared.
    ///
    /// # Errors
    /// The failure that it is.
    fn result(self) -> Result<(), Failure>;
}

impl Prepared for () {
    fn result(self) -> Result<(), Failure> {
        Ok(())
    }
}

impl<E: Into<Failure>> Prepared for Result<(), E> {
    fn result(self) -> Result<(), Failure> {
        self.map_err(Into::into)
    }
}

/// A function without a parameter, or with one that can be made of an input.
pub trait Entry<Parameters> {
    /// Runs it.
    ///
    /// # Errors
    /// What the input or the function gives.
    fn enter(self) -> Result<(), Failure>;
}

impl<F: FnOnce() -> T, T: Answer> Entry<()> for F {
    fn enter(self) -> Result<(), Failure> {
        self().answer()
    }
}

impl<F: FnOnce(I) -> T, I: FromInput, T: Answer> Entry<(I,)> for F {
    fn enter(self) -> Result<(), Failure> {
        self(I::from_input(input())?).answer()
    }
}

/// What `main` can take.
pub trait FromInput: Sized {
    /// Makes it of the whole input.
    ///
    /// # Errors
    /// A failure of the caller's, when the input is none of these.
    fn from_input(input: Vec<u8>) -> Result<Self, Failure>;
}

impl FromInput for Vec<u8> {
    fn from_input(input: Vec<u8>) -> Result<Self, Failure> {
        Ok(input)
    }
}

impl FromInput for String {
    fn from_input(input: Vec<u8>) -> Result<Self, Failure> {
        String::from_utf8(input).map_err(|_| Failure::of_input("the input is not UTF-8"))
    }
}

/// An input `key argument`: the argument is everything behind the first space, and may be empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyAndArgument {
    /// What is before the space.
    pub key: String,
    /// What is behind it.
    pub argument: String,
}

impl FromInput for KeyAndArgument {
    fn from_input(input: Vec<u8>) -> Result<Self, Failure> {
        let input = String::from_input(input)?;
        let (key, argument) = input
            .split_once(' ')
            .ok_or_else(|| Failure::of_input("the input is not a key, a space and an argument"))?;
        Ok(Self {
            key: key.to_owned(),
            argument: argument.to_owned(),
        })
    }
}

/// What `main` can return.
pub trait Answer {
    /// Makes it the output.
    ///
    /// # Errors
    /// The failure that it is.
    fn answer(self) -> Result<(), Failure>;
}

/// Leaves the output as [`set_output`] made it.
impl Answer for () {
    fn answer(self) -> Result<(), Failure> {
        Ok(())
    }
}

impl Answer for Vec<u8> {
    fn answer(self) -> Result<(), Failure> {
        set_output(&self);
        Ok(())
    }
}

impl Answer for String {
    fn answer(self) -> Result<(), Failure> {
        self.into_bytes().answer()
    }
}

impl Answer for &str {
    fn answer(self) -> Result<(), Failure> {
        set_output(self.as_bytes());
        Ok(())
    }
}

impl<T: Answer, E: Into<Failure>> Answer for Result<T, E> {
    fn answer(self) -> Result<(), Failure> {
        self.map_err(Into::into)?.answer()
    }
}
