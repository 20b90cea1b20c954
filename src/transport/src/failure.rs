//! Why there is no result, kept apart until it is known whether the request had an effect to repeat (invariant 3:
//! refused means nothing ran, no answer means nobody knows).

use ganglion_types::Error;

#[derive(Debug)]
pub(crate) enum Failure {
    /// The request never left this node, or the other end has answered with this error.
    Told(Error),
    /// The connection broke. `left`: the whole request may have reached the other end.
    Lost { why: String, left: bool },
    /// The request left, and there was no answer in time; the other end has been told to stop.
    Late(String),
}

impl Failure {
    /// The error of a request that must not happen twice.
    pub(crate) fn of_effect(self) -> Error {
        match self {
            Self::Told(error) => error,
            Self::Lost { why, left: false } => Error::unavailable(why),
            Self::Lost { why, left: true } => {
                Error::indeterminate(format!("{why} before the answer; it may have run"))
            }
            Self::Late(why) => Error::indeterminate(format!("{why}; it may have run")),
        }
    }

    /// The error of a request that changes nothing, or that can be repeated because it carries its name.
    pub(crate) fn of_read(self) -> Error {
        match self {
            Self::Told(error) => error,
            Self::Lost { why, .. } => Error::unavailable(why),
            Self::Late(why) => Error::deadline(why),
        }
    }
}
