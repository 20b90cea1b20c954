//! The help that stands before all commands: where to start, and the commands in groups.

use super::Cli;
use clap::{Command, CommandFactory};
use std::ffi::OsString;
use std::fmt::Write;

/// Every command, under what a person wants to do.
const GROUPS: [(&str, &[&str]); 4] = [
    (
        "Run a cluster",
        &[
            "demo", "up", "serve", "health", "doctor", "config", "dev-ceph",
        ],
    ),
    (
        "Functions",
        &["new", "build", "deploy", "watch", "invoke", "func", "job"],
    ),
    ("Objects and nodes", &["object", "node"]),
    ("More", &["bench", "completion"]),
];

const START: &str = "\
Start here:
  ganglion demo                            see it work, in one command
  ganglion up                              start a cluster on this machine, then in another terminal:
  ganglion invoke ndp hello -i world --explain";

const END: &str = "\
`ganglion COMMAND --help` explains a command and shows examples.";

/// All commands, with the grouped help at the top.
pub(crate) fn command() -> Command {
    let command = Cli::command();
    let groups = groups(&command);
    command.help_template(format!(
        "{{about}}\n\n{{usage-heading}} ganglion [OPTIONS] COMMAND\n\n{START}\n\n{groups}Options:\n{{options}}\n\n{END}\n"
    ))
}

fn groups(command: &Command) -> String {
    let mut text = String::new();
    for (title, names) in GROUPS {
        writeln!(text, "{title}:").expect("writing to a string does not fail");
        for name in names {
            let about = command.find_subcommand(name).and_then(Command::get_about);
            let about = about.map(ToString::to_string).unwrap_or_default();
            writeln!(text, "  {name:<12}{about}").expect("writing to a string does not fail");
        }
        text.push('\n');
    }
    text
}

/// Whether a command line that could not be read asks for JSON.
pub(crate) fn asks_json(typed: &[OsString]) -> bool {
    let words: Vec<_> = typed.iter().map(|word| word.to_string_lossy()).collect();
    let options = words.split(|word| word == "--").next().unwrap_or_default();
    let joined = |word: &str| matches!(word, "-ojson" | "-o=json" | "--output=json");
    let parted = |pair: &[_]| matches!(pair, [option, json] if (*option == "-o" || *option == "--output") && *json == "json");
    options.iter().any(|word| joined(word)) || options.windows(2).any(parted)
}

#[cfg(test)]
mod tests {
    use super::super::{Unread, read_cli};
    use super::*;

    fn leaves(command: &Command, path: &str, found: &mut Vec<(String, Command)>) {
        for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
            let path = format!("{path} {}", sub.get_name());
            found.push((path.clone(), sub.clone()));
            leaves(sub, &path, found);
        }
    }

    /// The words of the first command of a shell line that is ganglion.
    fn words(line: &str) -> Vec<OsString> {
        let from = line.find("ganglion ").expect("an example calls ganglion");
        let mut words: Vec<OsString> = Vec::new();
        for word in line[from..].split_whitespace() {
            if matches!(word, "|" | "&&" | ">") {
                break;
            }
            words.push(word.into());
        }
        words
    }

    #[test]
    fn the_arguments_are_consistent() {
        command().debug_assert();
    }

    #[test]
    fn every_command_stands_in_one_group() {
        let mut grouped: Vec<&str> = GROUPS
            .iter()
            .flat_map(|(_, names)| *names)
            .copied()
            .collect();
        grouped.sort_unstable();
        let command = command();
        let shown = command.get_subcommands().filter(|sub| !sub.is_hide_set());
        let mut all: Vec<&str> = shown.map(Command::get_name).collect();
        all.sort_unstable();
        assert_eq!(grouped, all);
    }

    #[test]
    fn every_command_explains_itself_and_its_examples_can_be_typed() {
        let mut commands = Vec::new();
        leaves(&command(), "ganglion", &mut commands);
        for (path, command) in commands {
            assert!(command.get_about().is_some(), "{path} has no line");
            if !command.has_subcommands() {
                assert!(
                    command.get_long_about().is_some(),
                    "{path} has no paragraph"
                );
            }
            let help = command
                .get_after_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            let examples: Vec<&str> = help.lines().skip(1).collect();
            assert!((2..=3).contains(&examples.len()), "{path} has no examples");
            for example in examples {
                let mut typed = words(example);
                if example.contains("GANGLION_USER=") {
                    typed.extend(["--user".into(), "ndp".into()]);
                }
                let read = read_cli(typed);
                assert!(read.is_ok(), "{path}: {example}: {read:?}");
            }
        }
    }

    #[test]
    fn json_is_seen_where_nothing_else_can_be_read() {
        let typed = |line: &str| line.split(' ').map(OsString::from).collect::<Vec<_>>();
        for line in [
            "ganglion bogus -o json",
            "ganglion -ojson x",
            "ganglion --output=json x",
            "ganglion --output json",
        ] {
            assert!(asks_json(&typed(line)), "{line}");
        }
        for line in [
            "ganglion invoke a b -- -o json",
            "ganglion -o table",
            "ganglion json",
        ] {
            assert!(!asks_json(&typed(line)), "{line}");
        }
    }

    #[test]
    fn a_refusal_is_one_sentence_in_a_document() {
        let typed = ["ganglion", "object", "stat", "nokey"].map(OsString::from);
        let Err(Unread::Refused { failure, .. }) = read_cli(typed) else {
            panic!("`nokey` is not BUCKET/KEY");
        };
        let message = &failure.report().message;
        assert!(message.ends_with("`nokey` is not BUCKET/KEY"), "{message}");
    }
}
