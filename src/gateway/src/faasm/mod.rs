//! Faasm's HTTP dialect, as its 0.8 workers and upload servers speak it: `POST` of a JSON message to any path, `PUT` of
//! functions, state and shared files. Codes and bodies are Faasm's own; answers are `text/plain` with open CORS headers.
//!
//! What differs on purpose: an asynchronous call's result can be read more than once until it is too old, a message of
//! the wrong types is refused and does not end the server, `exec_graph`, Python and MPI are refused by name, and
//! `is_storage` goes to the node that holds the call's object: a call without one stays on compute, because another
//! storage node saves no bytes.

mod background;
pub(crate) mod call;
mod message;
mod reply;
mod upload;

pub(crate) use background::Background;
pub(crate) use call::any_path;
pub(crate) use reply::other_method;
pub(crate) use upload::{
    get_file, get_function, get_state, ping, put_file, put_function, put_python, put_state,
};
