//! Calls a function: input in, output out, and how it went.

use crate::args::InvokeArgs;
use crate::base64;
use crate::client::{Client, collect, failure_of, innermost};
use crate::explain::Explanation;
use crate::failure::{Failure, Outcome};
use crate::function::suggesting;
use crate::output::Ui;
use crate::route;
use crate::transfer::with_body;
use ganglion_types::{ErrorKind, FunctionRef};
use reqwest::{Method, RequestBuilder, Response};
use serde::Serialize;
use std::io::IsTerminal;
use std::time::Duration;

/// How much longer than its deadline an answer is awaited: the gateway itself gives up before.
const ANSWER_GRACE: Duration = Duration::from_secs(15);
/// Largest output that is put into a document, in bytes.
const DOCUMENT_OUTPUT_BYTES_MAX: usize = 256 << 20;

/// A call with all that came of it.
#[derive(Serialize)]
struct CallDocument {
    output: String,
    /// `utf-8`, or `base64` when the output is no text.
    output_encoding: &'static str,
    output_bytes: usize,
    call: Explanation,
}

/// Calls, prints the output, and explains.
///
/// # Errors
/// What the gateway says; `Guest` when the function failed; `Indeterminate` when its answer was lost.
pub(crate) async fn invoke(args: &InvokeArgs, client: &Client, ui: &Ui) -> Outcome<()> {
    let function = args.target()?;
    let request = request(args, &function, client, ui).await?;
    let response = client.answer(request, ui).await?;
    let explanation = Explanation::of(response.headers());
    let printed = match response.status().is_success() {
        true => print(response, explanation.clone(), ui).await,
        false => {
            let failure = failure_of(response).await;
            Err(suggesting(failure, &function, client, ui).await)
        }
    };
    let ran = printed.is_ok() || explanation.tells_of_a_run();
    if args.explain && ran && !ui.is_json() {
        ui.tell(&explanation);
    }
    printed
}

async fn request(
    args: &InvokeArgs,
    function: &FunctionRef,
    client: &Client,
    ui: &Ui,
) -> Outcome<RequestBuilder> {
    let mut query: Vec<(&str, String)> = Vec::new();
    if args.forbid_ndp {
        query.push(("ndp", "forbid".to_owned()));
    }
    if let Some(object) = &args.object {
        query.push(("object", object.to_string()));
    }
    if let Some(deadline) = args.deadline {
        query.push(("deadline", format!("{}ms", deadline.as_millis())));
    }
    query.extend(args.args.iter().map(|arg| ("arg", arg.clone())));
    let mut request = client.request(Method::POST, &route::function(function, "/invoke"));
    if !query.is_empty() {
        request = request.query(&query);
    }
    if let Some(deadline) = args.deadline {
        request = request.timeout(deadline.saturating_add(ANSWER_GRACE));
    }
    match (&args.input, &args.input_file) {
        (Some(text), _) => Ok(request.body(text.clone())),
        (None, Some(file)) => with_body(request, file, ui).await,
        (None, None) => Ok(request),
    }
}

async fn print(mut response: Response, call: Explanation, ui: &Ui) -> Outcome<()> {
    if !ui.is_json() {
        return stream(response, ui).await;
    }
    let output = collect(&mut response, DOCUMENT_OUTPUT_BYTES_MAX).await?;
    let output_bytes = output.len();
    let (output, output_encoding) = match String::from_utf8(output) {
        Ok(text) => (text, "utf-8"),
        Err(error) => (base64::encode(error.as_bytes()), "base64"),
    };
    ui.document(&CallDocument {
        output,
        output_encoding,
        output_bytes,
        call,
    })
}

/// The output as it comes. On a terminal it ends with a line's end, so that the prompt stands on its own line.
async fn stream(mut response: Response, ui: &Ui) -> Outcome<()> {
    let (mut bytes, mut last) = (0, b'\n');
    loop {
        let piece = response
            .chunk()
            .await
            .map_err(|error| lost(&error, bytes))?;
        let Some(piece) = piece else { break };
        ui.raw(&piece)?;
        bytes += piece.len();
        last = piece.last().copied().unwrap_or(last);
    }
    if last != b'\n' && std::io::stdout().is_terminal() {
        ui.raw(b"\n")?;
    }
    Ok(())
}

fn lost(error: &reqwest::Error, bytes: usize) -> Failure {
    Failure::new(
        ErrorKind::Indeterminate,
        format!(
            "the function ran, and its output broke off after {bytes} bytes: {}",
            innermost(error)
        ),
    )
}
