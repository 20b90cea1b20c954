//! Completion scripts of shells.

use crate::args::{self, CompletionArgs, Shell};
use crate::failure::Outcome;
use crate::output::Ui;
use clap_complete::{generate, shells};
use serde_json::json;

/// Prints the script of a shell.
///
/// # Errors
/// Only when stdout cannot be written.
pub(crate) fn print(args: &CompletionArgs, ui: &Ui) -> Outcome<()> {
    let script = script(args.shell);
    ui.result(&json!({ "script": script }), script.trim_end())
}

fn script(shell: Shell) -> String {
    let (mut command, mut script) = (args::command(), Vec::new());
    match shell {
        Shell::Bash => generate(shells::Bash, &mut command, "ganglion", &mut script),
        Shell::Zsh => generate(shells::Zsh, &mut command, "ganglion", &mut script),
        Shell::Fish => generate(shells::Fish, &mut command, "ganglion", &mut script),
    }
    String::from_utf8_lossy(&script).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_learns_the_commands() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let script = script(shell);
            assert!(
                script.contains("invoke") && script.contains("buckets"),
                "{shell:?}"
            );
        }
    }
}
