//! The attribute `#[ganglion::main]`. What it does is written where `ganglion-sdk` gives it its name.
//!
//! Absent on purpose: a parser of Rust. All that is looked for is the name of the function.

use proc_macro::{TokenStream, TokenTree};

/// See `ganglion::main`.
#[proc_macro_attribute]
pub fn main(attribute: TokenStream, function: TokenStream) -> TokenStream {
    expanded(attribute, &function).unwrap_or_else(|wrong| {
        format!("::core::compile_error!({wrong:?});")
            .parse()
            .unwrap_or_default()
    })
}

fn expanded(attribute: TokenStream, function: &TokenStream) -> Result<TokenStream, String> {
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
