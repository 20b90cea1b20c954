//! What can be typed. Every command says what it does in one line and in a paragraph, and shows examples; a test parses
//! them all.

#[allow(dead_code, reason = "read where the node is built in")]
mod bench;
#[allow(dead_code, reason = "read where the node is built in")]
mod cluster;
mod dev_ceph;
mod function;
mod help;
mod invoke;
mod job;
mod object;
mod project;
mod read;

pub(crate) use bench::{BenchArgs, BenchCommand, BenchLoadArgs, BenchServerArgs, PlacementArgs};
pub(crate) use cluster::{
    ConfigCommand, DemoArgs, HealthArgs, NodeCommand, NodeOptions, ServeArgs, UpArgs,
};
pub(crate) use dev_ceph::{
    DevCephCommand, DevCephExecArgs, DevCephUpArgs, FolderOption, StoreKind,
};
pub(crate) use function::{DeployArgs, FunctionCommand, ObjectFrom};
pub(crate) use help::{asks_json, command};
pub(crate) use invoke::InvokeArgs;
pub(crate) use job::{JobCommand, JobResultArgs, JobRunArgs};
pub(crate) use object::{
    AppendArgs, DeleteArgs, GetArgs, ListArgs, ObjectCommand, PutArgs, StatArgs, TransferFile,
};
pub(crate) use project::{BuildArgs, Language, NewArgs, WatchArgs};
pub(crate) use read::{Unread, duration, read_cli};

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Near-data functions on object storage: WebAssembly that runs beside the objects it reads.
#[derive(Debug, Parser)]
#[command(
    name = "ganglion",
    bin_name = "ganglion",
    version,
    max_term_width = 110,
    disable_help_subcommand = true
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// What every command takes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Gateway to talk to
    #[arg(
        long,
        global = true,
        env = "GANGLION_URL",
        default_value = "http://127.0.0.1:8080",
        hide_env_values = true
    )]
    pub(crate) url: String,
    /// `table` for people, `json` for exactly one document on stdout, also on failure
    #[arg(short, long, global = true, value_enum, default_value_t = Format::Table, value_name = "FORMAT", hide_possible_values = true)]
    pub(crate) output: Format,
    /// Say more on stderr: requests and their answers
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
    /// Say nothing on stderr but errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Colours on stderr: `auto`, `always` or `never`
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN", hide_possible_values = true)]
    pub(crate) color: Color,
    /// Any value turns colours off (no-color.org)
    #[arg(long = "no-color", global = true, hide = true, env = "NO_COLOR", value_parser = clap::builder::FalseyValueParser::new(), action = clap::ArgAction::SetTrue)]
    pub(crate) no_color: bool,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Table,
    Json,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}

/// What to do. The order within a group is the order of the help.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Demo(DemoArgs),
    Up(UpArgs),
    Serve(ServeArgs),
    Health(HealthArgs),
    New(NewArgs),
    Build(BuildArgs),
    Deploy(DeployArgs),
    Watch(WatchArgs),
    Invoke(InvokeArgs),
    #[command(subcommand)]
    Func(FunctionCommand),
    #[command(subcommand)]
    Job(JobCommand),
    #[command(subcommand)]
    Object(ObjectCommand),
    #[command(subcommand)]
    Node(NodeCommand),
    Doctor(DoctorArgs),
    #[command(subcommand)]
    Config(ConfigCommand),
    #[command(subcommand)]
    DevCeph(DevCephCommand),
    #[command(subcommand)]
    Bench(BenchCommand),
    #[command(hide = true)]
    BenchServer(BenchServerArgs),
    #[command(hide = true)]
    BenchLoad(BenchLoadArgs),
    Completion(CompletionArgs),
}

/// Check this machine and say how to get what is missing
///
/// Looks at the kernel, its limits, the disk, the ports, the compilers for functions, and the gateway if one answers. Each
/// line says what the thing is for and what to do. Ends with 0 unless something is missing that Ganglion cannot run
/// without, and then with 4.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  ganglion doctor
  ganglion doctor --data /srv/ganglion
  ganglion doctor -o json | jq '.checks[] | select(.status != \"ok\")'")]
pub(crate) struct DoctorArgs {
    /// Folder that objects would be kept in
    #[arg(long, value_name = "DIR", default_value = "./.ganglion")]
    pub(crate) data: PathBuf,
}

/// Print a completion script for a shell
///
/// The script completes commands and options. Load it once, or put it where the shell looks for such scripts.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  ganglion completion bash > ~/.local/share/bash-completion/completions/ganglion
  ganglion completion zsh > ~/.zfunc/_ganglion
  ganglion completion fish > ~/.config/fish/completions/ganglion.fish")]
pub(crate) struct CompletionArgs {
    /// bash, zsh or fish
    #[arg(value_enum)]
    pub(crate) shell: Shell,
}

/// Shells that scripts are made for.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Shell {
    Bash,
    Zsh,
    Fish,
}
