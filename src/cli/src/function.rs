//! Functions by name: upload, list, show, download, delete.

use crate::args::{DeployArgs, FunctionCommand, ObjectFrom, TransferFile};
use crate::client::Client;
use crate::failure::{Failure, Outcome};
use crate::output::{Ui, number, table, words};
use crate::project::{Project, build};
use crate::suggest::closest;
use crate::transfer::{save, with_body};
use crate::{route, units};
use ganglion_types::{ErrorKind, FunctionName, FunctionRef, Tenant};
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// A function, as the gateway describes it.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Function {
    tenant: String,
    name: String,
    module: String,
    size_bytes: u64,
    uploaded_ms: u64,
    object: String,
    writes_objects: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct FunctionList {
    functions: Vec<Function>,
}

/// Runs one of the `func` commands.
///
/// # Errors
/// What the gateway says, and what [`save`] says.
pub(crate) async fn run(command: &FunctionCommand, client: &Client, ui: &Ui) -> Outcome<()> {
    match command {
        FunctionCommand::List { user } => {
            let list = list(user.as_ref(), client, ui).await?;
            ui.result(&list, list_table(&list.functions))
        }
        FunctionCommand::Show { function } => show(function, client, ui).await,
        FunctionCommand::Download { function, file } => download(function, file, client, ui).await,
        FunctionCommand::Delete { function } => delete(function, client, ui).await,
    }
}

/// Uploads a module, or what a function's folder builds to, and shows how to call it.
///
/// # Errors
/// `Invalid` when the file is no module, or the folder does not build; otherwise what the gateway says.
pub(crate) async fn deploy(args: &DeployArgs, client: &Client, ui: &Ui) -> Outcome<()> {
    if args.file.is_dir() {
        let project = Project::open(&args.file)?;
        let module = tokio::task::block_in_place(|| build(&project, ui))?;
        let own = project.function();
        let function = FunctionRef {
            tenant: args.user.clone().unwrap_or(own.tenant),
            name: args.name.clone().unwrap_or(own.name),
        };
        return upload(&function, module, args.object, client, ui).await;
    }
    let tenant = args.user.clone().ok_or_else(|| {
        Failure::invalid("no tenant is given: name it with --user, or in GANGLION_USER")
    })?;
    let name = match &args.name {
        Some(name) => name.clone(),
        None => name_of(&args.file)?,
    };
    let function = FunctionRef { tenant, name };
    upload(&function, args.file.clone(), args.object, client, ui).await
}

/// Uploads a module's file under a name, and shows how to call it.
///
/// # Errors
/// As [`deploy`].
pub(crate) async fn upload(
    function: &FunctionRef,
    file: PathBuf,
    object: Option<ObjectFrom>,
    client: &Client,
    ui: &Ui,
) -> Outcome<()> {
    check_module(&file)?;
    let mut request = client.request(Method::PUT, &route::function(function, ""));
    if let Some(object) = object {
        request = request.query(&[("object", object.as_str())]);
    }
    let request = with_body(request, &TransferFile::Path(file), ui).await?;
    let deployed: Function = client.json(request, ui).await?;
    let size = units::bytes(deployed.size_bytes);
    ui.result(
        &deployed,
        format_args!(
            "deployed {function} ({size}, module {:.12})",
            deployed.module
        ),
    )?;
    let invoke = route::function(function, "/invoke");
    ui.note(format_args!(
        "call it:\n  ganglion invoke {} {} -i TEXT\n  curl --data-binary TEXT {}{invoke}",
        function.tenant,
        function.name,
        client.base()
    ));
    Ok(())
}

fn name_of(file: &Path) -> Outcome<FunctionName> {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    FunctionName::new(stem).map_err(|error| Failure::from(error).or_hint("give a name with --name"))
}

/// Looks at the first bytes, so that a wrong file is not sent at all.
fn check_module(file: &Path) -> Outcome<()> {
    const MAGIC: [u8; 4] = *b"\0asm";
    let told = |error| Failure::local(file.display(), &error);
    let mut first = Vec::new();
    let opened = File::open(file).map_err(told)?;
    opened.take(4).read_to_end(&mut first).map_err(told)?;
    match first == MAGIC {
        true => Ok(()),
        false => Err(Failure::invalid(format!(
            "{} is no WebAssembly module: it does not begin with \\0asm",
            file.display()
        ))
        .or_hint("`ganglion doctor` says how to get a compiler that makes one")),
    }
}

async fn list(user: Option<&Tenant>, client: &Client, ui: &Ui) -> Outcome<FunctionList> {
    let mut request = client.short(Method::GET, "/v1/functions");
    if let Some(user) = user {
        request = request.query(&[("tenant", user.as_str())]);
    }
    client.json(request, ui).await
}

fn list_table(functions: &[Function]) -> String {
    let columns = [
        words("FUNCTION"),
        number("SIZE"),
        words("OBJECT"),
        words("WRITES"),
        words("UPLOADED"),
        words("MODULE"),
    ];
    let row = |function: &Function| {
        [
            format!("{}/{}", function.tenant, function.name),
            units::bytes(function.size_bytes),
            function.object.clone(),
            yes_or_no(function.writes_objects).to_owned(),
            units::moment(function.uploaded_ms),
            format!("{:.12}", function.module),
        ]
    };
    let rows: Vec<_> = functions.iter().map(row).collect();
    table(columns, &rows)
}

fn yes_or_no(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}

async fn show(function: &FunctionRef, client: &Client, ui: &Ui) -> Outcome<()> {
    let request = client.short(Method::GET, &route::function(function, ""));
    let shown = client.json::<Function>(request, ui).await;
    match shown {
        Ok(shown) => ui.result(&shown, card(&shown)),
        Err(failure) => Err(suggesting(failure, function, client, ui).await),
    }
}

fn card(function: &Function) -> String {
    format!(
        "function  {}/{}\nsize      {} ({} bytes)\nuploaded  {}\nmodule    {}\nobject    {}\nwrites    {}",
        function.tenant,
        function.name,
        units::bytes(function.size_bytes),
        function.size_bytes,
        units::moment(function.uploaded_ms),
        function.module,
        function.object,
        yes_or_no(function.writes_objects),
    )
}

async fn download(
    function: &FunctionRef,
    file: &TransferFile,
    client: &Client,
    ui: &Ui,
) -> Outcome<()> {
    one_stdout(file, ui)?;
    let request = client.request(Method::GET, &route::function(function, "/module"));
    let response = match client.send(request, ui).await {
        Ok(response) => response,
        Err(failure) => return Err(suggesting(failure, function, client, ui).await),
    };
    let saved = save(response, file, &format!("{}.wasm", function.name), ui).await?;
    let Some(path) = saved.path else {
        return Ok(());
    };
    let (path, bytes) = (path.display().to_string(), saved.bytes);
    let document = json!({ "function": function.to_string(), "file": path, "size_bytes": bytes });
    ui.result(
        &document,
        format_args!("{function} is in {path} ({})", units::bytes(bytes)),
    )
}

async fn delete(function: &FunctionRef, client: &Client, ui: &Ui) -> Outcome<()> {
    let request = client.short(Method::DELETE, &route::function(function, ""));
    if let Err(failure) = client.send(request, ui).await {
        return Err(suggesting(failure, function, client, ui).await);
    }
    let document = json!({ "deleted": function.to_string() });
    ui.result(&document, format_args!("deleted {function}"))
}

/// Refuses to mix bytes and a document on one stdout.
pub(crate) fn one_stdout(file: &TransferFile, ui: &Ui) -> Outcome<()> {
    match (file, ui.is_json()) {
        (TransferFile::Standard, true) => Err(Failure::invalid(
            "both the bytes and the document of `-o json` would go to stdout: name a file",
        )),
        _ => Ok(()),
    }
}

/// Adds the name that may have been meant to a failure that found none.
pub(crate) async fn suggesting(
    failure: Failure,
    function: &FunctionRef,
    client: &Client,
    ui: &Ui,
) -> Failure {
    if failure.kind() != ErrorKind::NotFound {
        return failure;
    }
    // A gateway that does not answer a second question leaves the failure as it is.
    let Ok(list) = list(None, client, ui).await else {
        return failure;
    };
    let known: Vec<String> = list
        .functions
        .iter()
        .map(|f| format!("{}/{}", f.tenant, f.name))
        .collect();
    let typed = function.to_string();
    if known.contains(&typed) {
        // The function is there; something else was not found.
        return failure;
    }
    match closest(&typed, known.iter().map(String::as_str)) {
        Some(name) => failure.or_hint(format!("did you mean {name}?")),
        None => failure.or_hint("`ganglion func list` shows what is deployed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(name: &str) -> Function {
        Function {
            tenant: "ndp".to_owned(),
            name: name.to_owned(),
            module: "0123456789abcdef".repeat(4),
            size_bytes: 12_345,
            uploaded_ms: 1_790_000_000_000,
            object: "first-word".to_owned(),
            writes_objects: false,
        }
    }

    #[test]
    fn a_list_of_functions_reads_like_this() {
        let expected = "\
FUNCTION           SIZE  OBJECT      WRITES  UPLOADED              MODULE
ndp/hello      12.1 KiB  first-word  no      2026-09-21T14:13:20Z  0123456789ab
ndp/wordcount  12.1 KiB  first-word  no      2026-09-21T14:13:20Z  0123456789ab";
        assert_eq!(
            list_table(&[function("hello"), function("wordcount")]),
            expected
        );
    }

    #[test]
    fn a_name_comes_from_the_file_where_it_can() {
        assert_eq!(
            name_of(Path::new("out/word-count.wasm")).unwrap().as_str(),
            "word-count"
        );
        let failure = name_of(Path::new("my function.wasm")).unwrap_err();
        assert_eq!(
            failure.report().hint.as_deref(),
            Some("give a name with --name")
        );
    }

    #[test]
    fn a_file_that_is_no_module_is_not_sent() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.wasm");
        std::fs::write(&file, b"\x7fELF").unwrap();
        assert_eq!(check_module(&file).unwrap_err().kind(), ErrorKind::Invalid);
        std::fs::write(&file, b"\0asm\x01\0\0\0").unwrap();
        assert_eq!(check_module(&file), Ok(()));
        let absent = check_module(&folder.path().join("absent")).unwrap_err();
        assert_eq!(absent.kind(), ErrorKind::NotFound);
    }
}
