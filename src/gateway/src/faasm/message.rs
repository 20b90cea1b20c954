//! The JSON message.

use ganglion_types::{Error, Result};
use serde::Deserialize;
use std::borrow::Cow;
use std::fmt::Display;

/// The type of a message that flushes.
const FLUSH: i64 = 3;

/// The fields that mean something here; others are accepted and without effect, as in Faasm. Strings without escapes are
/// borrowed from the body.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Message<'a> {
    #[serde(borrow)]
    pub(crate) user: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) function: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) input_data: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) cmdline: Cow<'a, str>,
    pub(crate) r#async: bool,
    pub(crate) forbid_ndp: bool,
    pub(crate) is_storage: bool,
    id: u64,
    status: bool,
    exec_graph: bool,
    python: bool,
    mpi: bool,
    r#type: i64,
}

/// What a message wants.
#[derive(Debug)]
pub(crate) enum Wanted<'a> {
    /// Run a function.
    Call(Message<'a>),
    /// Tell how an asynchronous call stands.
    Status(u64),
    /// Forget what is cached.
    Flush,
}

impl<'a> Wanted<'a> {
    /// # Errors
    /// `Invalid` for what is no message, and for what Faasm offers and this gateway does not.
    pub(crate) fn parse(body: &'a [u8]) -> Result<Self> {
        if body.is_empty() {
            return Err(Error::invalid("Empty request"));
        }
        let no_message =
            |why: &dyn Display| Error::invalid(format!("the body is no JSON message: {why}"));
        // serde would also take an array, as the fields in order.
        if body.trim_ascii_start().first() != Some(&b'{') {
            return Err(no_message(&"it is no object"));
        }
        let message: Message<'a> =
            serde_json::from_slice(body).map_err(|error| no_message(&error))?;
        match message {
            Message {
                status: true, id, ..
            } => Ok(Self::Status(id)),
            Message {
                exec_graph: true, ..
            } => Err(not_offered("exec_graph")),
            Message { r#type: FLUSH, .. } => Ok(Self::Flush),
            Message { r#type: 0, .. } => Self::call(message),
            Message { r#type, .. } => Err(not_offered(&format!("message type {}", r#type))),
        }
    }

    fn call(message: Message<'a>) -> Result<Self> {
        if message.user.is_empty() {
            Err(Error::invalid("Empty user"))
        } else if message.function.is_empty() {
            Err(Error::invalid("Empty function"))
        } else if message.python {
            Err(not_offered("python"))
        } else if message.mpi {
            Err(not_offered("mpi"))
        } else {
            Ok(Self::Call(message))
        }
    }
}

fn not_offered(what: &str) -> Error {
    Error::invalid(format!("{what} is not offered by Ganglion"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(body: &str) -> String {
        Wanted::parse(body.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn strings_without_escapes_are_not_copied() {
        let body =
            br#"{"user":"ndp","function":"wc","input_data":"plain","cmdline":"a\nb","sgx":7}"#;
        let Ok(Wanted::Call(message)) = Wanted::parse(body) else {
            panic!("a call");
        };
        assert!(matches!(message.input_data, Cow::Borrowed("plain")));
        assert!(matches!(message.cmdline, Cow::Owned(text) if text == "a\nb"));
    }

    #[test]
    fn faasms_order_of_questions_is_kept() {
        let wanted = |body: &'static str| Wanted::parse(body.as_bytes()).unwrap();
        assert!(matches!(
            wanted(r#"{"status":true,"exec_graph":true,"id":7}"#),
            Wanted::Status(7)
        ));
        assert!(matches!(wanted(r#"{"type":3}"#), Wanted::Flush));
        assert!(refusal(r#"{"exec_graph":true,"id":7}"#).starts_with("exec_graph is not offered"));
    }

    #[test]
    fn what_is_no_call_is_refused_in_faasms_words() {
        assert_eq!(refusal(""), "Empty request");
        assert_eq!(refusal("{}"), "Empty user");
        assert_eq!(refusal(r#"{"user":"a"}"#), "Empty function");
        assert_eq!(
            refusal(r#"{"user":"python","function":"f","python":true}"#),
            "python is not offered by Ganglion"
        );
        for wrong in [
            "{",
            "[]",
            "7",
            r#"{"user":7}"#,
            r#"{"async":"yes"}"#,
            "{\"user\":\"\u{1}\"}",
        ] {
            assert!(
                refusal(wrong).starts_with("the body is no JSON message"),
                "{wrong}"
            );
        }
    }
}
