//! Work that runs beside an object.

use crate::{Error, Kind, host};

/// Runs `work` where the object is, when the scheduler finds that worth it and the call was not made with `forbid_ndp`;
/// otherwise here. Either way it works on this guest's memory, and what it returns is returned.
///
/// The bounds are those of a thread for the same reason: it may run elsewhere. When it panics or meets a limit the whole
/// call ends.
///
/// # Errors
/// Those of `work`, and `Invalid` for the key; `work` has not run then.
pub fn on_storage<T, E, Work>(key: &str, work: Work) -> Result<T, E>
where
    T: Send,
    E: Send + From<Error>,
    Work: FnOnce() -> Result<T, E> + Send,
{
    let mut frame = Frame {
        work: Some(work),
        result: None,
    };
    let passed = Passed::new((&raw mut frame).cast());
    // SAFETY: `enter` gets the number of a frame of its own types, which lives, untouched by us, until the call returns.
    let code = unsafe {
        host::storage_call(
            key.as_ptr(),
            key.len() as u32,
            enter::<Result<T, E>, Work>,
            passed.number,
        )
    };
    frame
        .result
        .unwrap_or_else(|| Err(Error::new(Kind::of_code(code), "work beside object", key).into()))
}

struct Frame<T, Work> {
    work: Option<Work>,
    result: Option<T>,
}

extern "C" fn enter<T, Work: FnOnce() -> T>(number: i32) -> i32 {
    // SAFETY: the host passes on what `on_storage` gave it: the number of its frame, which nothing else uses meanwhile.
    let frame = unsafe { &mut *Passed::pointer(number).cast::<Frame<T, Work>>() };
    frame.result = frame.work.take().map(|work| work());
    0
}

/// How a pointer gets through a storage call, whose arguments have 32 bits: as itself where it has as many.
struct Passed {
    number: i32,
}

#[cfg(target_arch = "wasm32")]
impl Passed {
    fn new(pointer: *mut ()) -> Self {
        Self {
            number: pointer as i32,
        }
    }

    fn pointer(number: i32) -> *mut () {
        number as *mut ()
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod open {
    use std::cell::RefCell;

    thread_local! {
        /// Those of the storage calls that are under way, the innermost last.
        pub static POINTERS: RefCell<Vec<*mut ()>> = const { RefCell::new(Vec::new()) };
    }
}

#[cfg(not(target_arch = "wasm32"))]
impl Passed {
    fn new(pointer: *mut ()) -> Self {
        let number = open::POINTERS.with_borrow_mut(|pointers| {
            pointers.push(pointer);
            pointers.len() as i32 - 1
        });
        Self { number }
    }

    fn pointer(number: i32) -> *mut () {
        open::POINTERS.with_borrow(|pointers| pointers[number as usize])
    }
}

#[cfg(not(target_arch = "wasm32"))]
impl Drop for Passed {
    fn drop(&mut self) {
        open::POINTERS.with_borrow_mut(|pointers| pointers.truncate(self.number as usize));
    }
}
