//! The attributes `#[ganglion::main]`, `combine` and `zygote`. What they do is written where `ganglion-sdk` gives them their names.
//!
//! Absent on purpose: a parser of Rust. All that is looked for is the name of the function.

use proc_macro::{TokenStream, TokenTree};

/// Makes a function the one that a call runs.
///
/// It takes nothing, or what can be made of an input (`FromInput`), and returns an `Answer`. `object = "input"`, `"first-word"` or
/// `"none"` says where in the input the key of the object is that the call is about.
#[proc_macro_attribute]
pub fn main(attribute: TokenStream, function: TokenStream) -> TokenStream {
    or_error(of_main(attribute, &function))
}

/// Makes a function the combiner of the module: what makes one output of several, for jobs over many objects.
///
/// Its input is outputs of the function, one behind the other without anything between them; it takes and returns what `main` can,
/// and its output is of the same form. It runs wherever outputs meet, in any order and any grouping: it must be associative and
/// commutative. It may open objects, and writes none. One that fails ends the job.
#[proc_macro_attribute]
pub fn combine(attribute: TokenStream, function: TokenStream) -> TokenStream {
    let entry = of_entry(&attribute, function, "ganglion_combine", "combine_with");
    or_error(entry)
}

/// Makes a function the preparation of the module: it runs once, when the function is first needed, and every call begins with a
/// private copy of the memory that it left.
///
/// It takes nothing, and returns nothing or a `Result<(), _>`; an error refuses the function. What it makes is for statics, such as
/// a `OnceLock`. It has no input, output or objects.
#[proc_macro_attribute]
pub fn zygote(attribute: TokenStream, function: TokenStream) -> TokenStream {
    or_error(of_entry(
        &attribute,
        function,
        "_faasm_zygote",
        "prepare_with",
    ))
}

fn or_error(expanded: Result<TokenStream, String>) -> TokenStream {
    expanded.unwrap_or_else(|wrong| {
        format!("::core::compile_error!({wrong:?});")
            .parse()
            .unwrap_or_default()
    })
}

/// The function as it is, and beside it what the host enters by that name.
fn of_entry(
    attribute: &TokenStream,
    function: TokenStream,
    export: &str,
    enter: &str,
) -> Result<TokenStream, String> {
    if !attribute.is_empty() {
        return Err("this attribute takes nothing".to_owned());
    }
    let name = name_of(function.clone())?;
    let entry = format!("::ganglion::entry_point!({export:?}, ::ganglion::{enter}, {name});");
    let entry: TokenStream = entry
        .parse()
        .map_err(|error| format!("cannot enter {name}: {error}"))?;
    Ok(function.into_iter().chain(entry).collect())
}

fn of_main(attribute: TokenStream, function: &TokenStream) -> Result<TokenStream, String> {
    let rule = rule_of(attribute)?;
    let name = name_of(function.clone())?;
    // The function lies within the program's `main`, so that it may have that name too.
    format!(
        "fn main() -> ::std::process::ExitCode {{
            ::ganglion::object_key!({rule:?});
            {function}
            ::ganglion::run({name})
        }}"
    )
    .parse()
    .map_err(|error| format!("cannot wrap this function: {error}"))
}

/// The rule of `object = "rule"`; `none` where nothing is written.
fn rule_of(attribute: TokenStream) -> Result<String, String> {
    let tokens: Vec<String> = attribute
        .into_iter()
        .map(|token| token.to_string())
        .collect();
    let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
    match tokens.as_slice() {
        [] => Ok("none".to_owned()),
        [
            "object",
            "=",
            rule @ ("\"first-word\"" | "\"input\"" | "\"none\""),
        ] => Ok(rule.trim_matches('"').to_owned()),
        _ => Err(r#"write `object = "input"`, "first-word" or "none""#.to_owned()),
    }
}

/// The name behind the first `fn`.
fn name_of(function: TokenStream) -> Result<String, String> {
    let mut tokens = function
        .into_iter()
        .skip_while(|token| !matches!(token, TokenTree::Ident(word) if word.to_string() == "fn"));
    tokens
        .nth(1)
        .map(|name| name.to_string())
        .ok_or_else(|| "this attribute is for a function".to_owned())
}
