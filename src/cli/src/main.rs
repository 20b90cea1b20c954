//! The command line of Ganglion: a client of a running gateway, and the starter of nodes on this machine.
//!
//! ```text
//!   args     what can be typed ──> one Cli
//!     ├── deploy, invoke, job, object, ... ──> client ──HTTP──> gateway
//!     ├── new, build, doctor, config, ...      this machine only
//!     ├── dev_ceph                            Ceph's daemons on this machine
//!     └── cluster                             nodes in this process
//!   output   results on stdout (a table or one document), all else on stderr
//!   failure  one sentence, exit code by kind
//! ```
//!
//! Absent on purpose: retries (a call that is refused is the caller's to repeat), and TLS.

mod args;
mod base64;
mod bench;
mod client;
mod cluster;
mod completion;
mod config;
mod demo;
mod dev_ceph;
mod doctor;
mod explain;
mod failure;
mod function;
mod invoke;
mod job;
mod node;
mod object;
mod output;
mod project;
mod route;
mod signals;
mod suggest;
mod transfer;
mod units;

use args::{Cli, Command, Format, NodeCommand, Unread};
use client::Client;
use failure::{Failure, Outcome};
use output::Ui;
use std::ffi::OsString;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let typed: Vec<OsString> = std::env::args_os().collect();
    let cli = match args::read_cli(typed.clone()) {
        Ok(cli) => cli,
        Err(unread) => return not_run(unread, args::asks_json(&typed)),
    };
    let ui = Ui::new(&cli.global);
    ended(start(&cli, &ui), &ui)
}

/// Help was asked for, or nobody can say what was meant.
fn not_run(unread: Unread, as_json: bool) -> ExitCode {
    let ui = Ui::plain(if as_json { Format::Json } else { Format::Table });
    match unread {
        Unread::Shown(help) => ended(
            ui.raw(help.render().to_string().as_bytes()).map(|()| 0),
            &ui,
        ),
        Unread::Refused { failure, .. } if as_json => ended(Err(failure), &ui),
        Unread::Refused { failure, shown } => {
            ui.tell(shown.render().to_string().trim_end());
            ExitCode::from(failure.exit_code())
        }
    }
}

fn ended(outcome: Outcome<u8>, ui: &Ui) -> ExitCode {
    ExitCode::from(outcome.unwrap_or_else(|failure| {
        ui.failure(&failure);
        failure.exit_code()
    }))
}

fn start(cli: &Cli, ui: &Ui) -> Outcome<u8> {
    let Some(command) = &cli.command else {
        if ui.is_json() {
            return Err(
                Failure::invalid("no command is given").or_hint("`ganglion --help` shows them")
            );
        }
        let help = args::command().render_help().to_string();
        return ui.raw(help.as_bytes()).map(|()| 0);
    };
    let runtime = cluster::runtime(command)?;
    let outcome = runtime.block_on(run(command, cli, ui));
    // A read of stdin that nobody waits for any more must not keep the program.
    runtime.shutdown_background();
    outcome
}

async fn run(command: &Command, cli: &Cli, ui: &Ui) -> Outcome<u8> {
    match command {
        Command::Up(args) => cluster::up(args, ui).await?,
        Command::Serve(args) => cluster::serve(args, ui).await?,
        Command::Health(args) => cluster::health(args, ui).await?,
        Command::Demo(args) => demo::demo(args, ui).await?,
        Command::Bench(command) => bench::run(command, ui).await?,
        Command::BenchServer(args) => bench::serve(args).await?,
        Command::DevCeph(command) => dev_ceph::run(command, ui).await?,
        Command::BenchLoad(args) => bench::load(args).await?,
        Command::Config(command) => config::run(command, ui)?,
        Command::Completion(args) => completion::print(args, ui)?,
        Command::New(args) => project::new(args, ui)?,
        Command::Build(args) => {
            project::build(&project::Project::open(&args.folder)?, ui)?;
        }
        Command::Watch(args) => {
            project::watch(args, &Client::new(&cli.global)?, ui).await?;
        }
        Command::Deploy(args) => {
            asking(cli, async |to| function::deploy(args, to, ui).await).await?
        }
        Command::Invoke(args) => asking(cli, async |to| invoke::invoke(args, to, ui).await).await?,
        Command::Func(command) => {
            asking(cli, async |to| function::run(command, to, ui).await).await?
        }
        Command::Job(command) => return job::run(command, &Client::new(&cli.global)?, ui).await,
        Command::Object(command) => {
            asking(cli, async |to| object::run(command, to, ui).await).await?
        }
        Command::Node(NodeCommand::List) => {
            asking(cli, async |to| node::list(to, ui).await).await?
        }
        Command::Doctor(args) => {
            return asking(cli, async |to| doctor::run(args, to, ui).await).await;
        }
    }
    Ok(0)
}

/// Asks the gateway of `--url`.
async fn asking<T>(cli: &Cli, ask: impl AsyncFnOnce(&Client) -> Outcome<T>) -> Outcome<T> {
    let client = Client::new(&cli.global)?;
    signals::unless_stopped(ask(&client)).await
}
