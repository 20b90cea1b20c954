//! Objects by key: put, append, get, stat, list, delete.

use crate::args::{
    AppendArgs, DeleteArgs, GetArgs, ListArgs, ObjectCommand, PutArgs, StatArgs, TransferFile,
};
use crate::client::{Client, kind_of};
use crate::failure::{Failure, Outcome};
use crate::function::one_stdout;
use crate::output::Ui;
use crate::transfer::{save, with_body};
use crate::{route, units};
use ganglion_types::{ErrorKind, ObjectKey};
use http::header::{CONTENT_LENGTH, ETAG, IF_MATCH, IF_NONE_MATCH, RANGE};
use reqwest::{Method, RequestBuilder, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Keys asked for at once: the most that the gateway gives.
const PAGE_KEYS_MAX: u64 = 10_000;

/// An object, as the gateway describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Object {
    key: String,
    size_bytes: u64,
    version: String,
    modified_ms: u64,
}

#[derive(Debug, Deserialize)]
struct Page {
    objects: Vec<Object>,
    more: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct Buckets {
    buckets: Vec<String>,
}

/// Runs one of the `object` commands.
///
/// # Errors
/// What the gateway says, and what [`save`] says.
pub(crate) async fn run(command: &ObjectCommand, client: &Client, ui: &Ui) -> Outcome<()> {
    match command {
        ObjectCommand::Put(args) => put(args, client, ui).await,
        ObjectCommand::Append(args) => append(args, client, ui).await,
        ObjectCommand::Get(args) => get(args, client, ui).await,
        ObjectCommand::Stat(args) => stat(args, client, ui).await,
        ObjectCommand::List(args) => list(args, client, ui).await,
        ObjectCommand::Delete(args) => delete(args, client, ui).await,
        ObjectCommand::Buckets => {
            let request = client.short(Method::GET, "/v1/buckets");
            let list: Buckets = client.json(request, ui).await?;
            match ui.is_json() {
                true => ui.document(&list),
                false => ui.raw(
                    list.buckets
                        .iter()
                        .map(|b| format!("{b}\n"))
                        .collect::<String>()
                        .as_bytes(),
                ),
            }
        }
    }
}

async fn put(args: &PutArgs, client: &Client, ui: &Ui) -> Outcome<()> {
    let mut request = client.request(Method::PUT, &route::object(&args.object)?);
    if args.if_absent {
        request = request.header(IF_NONE_MATCH, "*");
    }
    write(request, args.if_version, &args.file, client, ui)
        .await?
        .told("put", &args.object, ui)
}

async fn append(args: &AppendArgs, client: &Client, ui: &Ui) -> Outcome<()> {
    let request = client.request(Method::POST, &route::object(&args.object)?);
    write(request, args.if_version, &args.file, client, ui)
        .await?
        .told("appended to", &args.object, ui)
}

async fn write(
    mut request: RequestBuilder,
    if_version: Option<u64>,
    file: &TransferFile,
    client: &Client,
    ui: &Ui,
) -> Outcome<Object> {
    if let Some(version) = if_version {
        request = request.header(IF_MATCH, format!("\"{version}\""));
    }
    let request = with_body(request, file, ui).await?;
    client.json(request, ui).await
}

impl Object {
    /// What was done to it.
    fn told(&self, done: &str, object: &ObjectKey, ui: &Ui) -> Outcome<()> {
        let size = units::bytes(self.size_bytes);
        let version = &self.version;
        ui.result(
            self,
            format_args!("{done} {object} ({size}, version {version})"),
        )
    }
}

async fn get(args: &GetArgs, client: &Client, ui: &Ui) -> Outcome<()> {
    one_stdout(&args.file, ui)?;
    let mut request = client.request(Method::GET, &route::object(&args.object)?);
    if let Some(range) = &args.range {
        request = request.header(RANGE, range.header());
    }
    let response = client.send(request, ui).await?;
    let version = version_of(&response);
    let saved = save(response, &args.file, last_name(&args.object), ui).await?;
    let Some(path) = saved.path else {
        return Ok(());
    };
    let (path, bytes) = (path.display().to_string(), saved.bytes);
    let document = json!({
        "object": args.object.to_string(), "file": path, "size_bytes": bytes, "version": version,
    });
    ui.result(
        &document,
        format_args!("{} is in {path} ({})", args.object, units::bytes(bytes)),
    )
}

/// What a key's file is called in a folder.
fn last_name(object: &ObjectKey) -> &str {
    let names = object.key.as_str().rsplit('/');
    let mut names = names.filter(|name| !matches!(*name, "" | "." | ".."));
    names.next().unwrap_or("object")
}

/// The `ETag` without its quotes.
fn version_of(response: &Response) -> Option<String> {
    let tag = response.headers().get(ETAG)?.to_str().ok()?;
    Some(tag.trim_matches('"').to_owned())
}

async fn stat(args: &StatArgs, client: &Client, ui: &Ui) -> Outcome<()> {
    let object = &args.object;
    let request = client.short(Method::HEAD, &route::object(object)?);
    let response = client.answer(request, ui).await?;
    let status = response.status();
    if !status.is_success() {
        // An answer to `HEAD` has no body that could say more.
        let kind = kind_of(status);
        return Err(match kind {
            ErrorKind::NotFound => Failure::new(kind, format!("no object {object}")),
            _ => Failure::new(kind, format!("{object}: the gateway answered {status}")),
        });
    }
    let length = response.headers().get(CONTENT_LENGTH);
    let size_bytes = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    let (Some(size_bytes), Some(version)) = (size_bytes, version_of(&response)) else {
        let message = format!("the answer about {object} has no Content-Length or no ETag");
        return Err(Failure::new(ErrorKind::Internal, message));
    };
    let document =
        json!({ "object": object.to_string(), "size_bytes": size_bytes, "version": version });
    let size = units::bytes(size_bytes);
    ui.result(
        &document,
        format_args!("object   {object}\nsize     {size} ({size_bytes} bytes)\nversion  {version}"),
    )
}

/// Follows the pages. Rows of a table are printed page by page; a document is gathered, since a failure on the last
/// page must not stand behind half of one.
async fn list(args: &ListArgs, client: &Client, ui: &Ui) -> Outcome<()> {
    let mut left = args.limit.unwrap_or(u64::MAX);
    let mut gathered: Vec<Object> = Vec::new();
    let mut after: Option<String> = None;
    let mut more = true;
    let mut heading = HEADING;
    while more && left > 0 {
        let page = page(args, after.as_deref(), left.min(PAGE_KEYS_MAX), client, ui).await?;
        left = left.saturating_sub(page.objects.len() as u64);
        after = page.objects.last().map(|object| object.key.clone());
        // A page without keys cannot be followed by another.
        more = page.more && after.is_some();
        match ui.is_json() {
            true => gathered.extend(page.objects),
            false => {
                let rows: String = page.objects.iter().map(row).collect();
                ui.raw(format!("{}{rows}", std::mem::take(&mut heading)).as_bytes())?;
            }
        }
    }
    match ui.is_json() {
        true => ui.document(&json!({ "objects": gathered, "more": more })),
        false => Ok(()),
    }
}

async fn page(
    args: &ListArgs,
    after: Option<&str>,
    limit: u64,
    client: &Client,
    ui: &Ui,
) -> Outcome<Page> {
    let path = format!("/v1/objects/{}", args.bucket);
    let mut query = vec![
        ("prefix", args.prefix.clone()),
        ("limit", limit.to_string()),
    ];
    query.extend(after.map(|key| ("after", key.to_owned())));
    client
        .json(client.short(Method::GET, &path).query(&query), ui)
        .await
}

/// Of fixed width but for the key, so that rows can be printed before the last one is known.
const HEADING: &str = "      SIZE  MODIFIED               VERSION  KEY\n";

fn row(object: &Object) -> String {
    let (size, modified) = (
        units::bytes(object.size_bytes),
        units::moment(object.modified_ms),
    );
    // A key may hold anything but NUL; a line's end in it must not look like another key.
    let key = object.key.escape_debug();
    let key = if object.key.contains(char::is_control) {
        key.to_string()
    } else {
        object.key.clone()
    };
    format!("{size:>10}  {modified}  {:>8}  {key}\n", object.version)
}

async fn delete(args: &DeleteArgs, client: &Client, ui: &Ui) -> Outcome<()> {
    let mut request = client.short(Method::DELETE, &route::object(&args.object)?);
    if let Some(version) = args.if_version {
        request = request.header(IF_MATCH, format!("\"{version}\""));
    }
    client.send(request, ui).await?;
    let document = json!({ "deleted": args.object.to_string() });
    ui.result(&document, format_args!("deleted {}", args.object))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_under_their_heading_and_a_key_stays_on_its_line() {
        let object = |key: &str, size_bytes| Object {
            key: key.to_owned(),
            size_bytes,
            version: "17".to_owned(),
            modified_ms: 1_790_000_000_000,
        };
        let text = [
            HEADING.to_owned(),
            row(&object("a/b ü", 4 << 20)),
            row(&object("x\ny", 7)),
        ]
        .concat();
        let expected = "      SIZE  MODIFIED               VERSION  KEY
   4.0 MiB  2026-09-21T14:13:20Z        17  a/b ü
       7 B  2026-09-21T14:13:20Z        17  x\\ny
";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_key_names_its_file_and_never_a_place_above() {
        for (key, name) in [
            ("a/b.txt", "b.txt"),
            ("b", "b"),
            ("a/..", "a"),
            ("../", "object"),
        ] {
            let object = ObjectKey::new("ndp", key).unwrap();
            assert_eq!(last_name(&object), name, "{key}");
        }
    }
}
