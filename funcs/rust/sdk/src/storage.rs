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
    // SAFETY: `enter` gets the address of a frame of its own types, which lives, untouched by us, until the call returns.
    // A pointer has 32 bits here.
    let code = unsafe {
        host::storage_call(
            key.as_ptr(),
            key.len() as u32,
            enter::<Result<T, E>, Work>,
            &raw mut frame as i32,
        )
    };
    frame
        .result
        .unwrap_or_else(|| Err(Error::new(Kind::of_code(code), "work beside", key).into()))
}

struct Frame<T, Work> {
    work: Option<Work>,
    result: Option<T>,
}

extern "C" fn enter<T, Work: FnOnce() -> T>(frame: i32) -> i32 {
    // SAFETY: the host passes on what `on_storage` gave it: the address of its frame, which nothing else uses meanwhile.
    let frame = unsafe { &mut *(frame as *mut Frame<T, Work>) };
    frame.result = frame.work.take().map(|work| work());
    0
}
