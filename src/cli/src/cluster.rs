//! What runs nodes in this process: the only place of the command line that knows `ganglion-node`.
//!
//! Each function runs to the end of its command and handles its own signals. An error that has a
//! [`ganglion_types::Error`] in its chain ends the program with that error's exit code.

use crate::args::{Command, HealthArgs, NodeOptions, ServeArgs, UpArgs};
use crate::failure::{Failure, Outcome};
use crate::output::Ui;
use anyhow::{Context, Result, bail};
use ganglion_node::{
    HealthReport, Process, Role, Service, Settings, Topology, start_logging, termination,
};
use ganglion_types::Error;
use serde::Serialize;
use serde_json::Value;
use std::path::Path;
use tokio::runtime::Runtime;

/// A setting in effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Setting {
    /// Its name, as in `limits.call_time`.
    pub(crate) name: String,
    /// Its value, as ganglion.toml would have it.
    pub(crate) value: String,
    /// Where the value came from: an environment variable, a file's path, or `default`.
    pub(crate) source: String,
}

/// The runtime of a command. Those that run guests in this process need threads with room for a guest's stack.
pub(crate) fn runtime(command: &Command) -> Result<Runtime> {
    let settings = match command {
        Command::Up(UpArgs { node, .. }) => settings_of(node)?,
        Command::Serve(args) => settings_to_serve(args)?,
        Command::Demo(_) | Command::Bench(_) | Command::BenchServer(_) => Settings::default(),
        _ => return Ok(Runtime::new()?),
    };
    Ok(ganglion_node::build_runtime(&settings)?)
}

/// A cluster of several nodes in this process, until a signal.
pub(crate) async fn up(args: &UpArgs, ui: &Ui) -> Result<()> {
    let settings = settings_of(&args.node)?;
    start_logging(&settings.log)?;
    let topology = Topology {
        compute: args.compute.into(),
        storage: args.storage.into(),
    };
    let cluster = Service::cluster(Process::new(settings)?, topology).await?;
    if !args.no_functions {
        cluster.upload_bundled().await?;
    }
    ui.note(format_args!(
        "a gateway, {} compute and {} storage nodes are up",
        topology.compute, topology.storage
    ));
    until_told(cluster, ui).await
}

/// The roles of one process, until a signal.
pub(crate) async fn serve(args: &ServeArgs, ui: &Ui) -> Result<()> {
    let settings = settings_to_serve(args)?;
    start_logging(&settings.log)?;
    // A start may wait, and the first process of a container ends on no signal that it does not look for.
    let service = tokio::select! {
        service = started(settings, args.functions) => service?,
        signal = termination() => {
            ui.note(format_args!("{}: it had not started", signal?));
            return Ok(());
        }
    };
    until_told(service, ui).await
}

async fn started(settings: Settings, functions: bool) -> Result<Service> {
    let service = Service::start(Process::new(settings)?).await?;
    if functions {
        service.upload_bundled().await?;
    }
    Ok(service)
}

/// How another process of this machine is, by its own word.
pub(crate) async fn health(args: &HealthArgs, ui: &Ui) -> Outcome<()> {
    let socket = match &args.socket {
        Some(socket) => socket.clone(),
        None => Settings::load(None)?.listen.health,
    };
    if socket.as_os_str().is_empty() {
        return Err(Failure::invalid(
            "no process says how it is: the setting listen.health is empty",
        ));
    }
    let report = HealthReport::of(&socket).await?;
    let why = report.reasons.join("; ");
    if !report.started || (args.ready && !why.is_empty()) {
        return Err(Error::unavailable(why).into());
    }
    let told = match why.is_empty() {
        true => "takes calls".to_owned(),
        false => format!("takes no calls: {why}"),
    };
    ui.result(&report, told)
}

/// Says where a process listens, and ends it in order when it is told to.
pub(crate) async fn until_told(service: Service, ui: &Ui) -> Result<()> {
    for address in service.node_addresses() {
        ui.note(format_args!("listening for other nodes on {address}"));
    }
    if let Ok(frontend) = service.frontend() {
        for address in frontend.addresses() {
            ui.note(format_args!("listening on http://{address}"));
        }
    }
    let signal = tokio::select! {
        signal = termination() => signal?,
        error = service.failure() => return Err(error.into()),
    };
    ui.note(format_args!(
        "{signal}: running calls finish, new ones are refused"
    ));
    tokio::select! {
        finished = service.shutdown() => if !finished {
            ui.note("what was still running was cut off (setting drain.grace)");
        },
        again = termination() => ui.note(format_args!("{}: ending at once", again?)),
    }
    Ok(())
}

/// The settings of `serve`: its flags over all the rest.
fn settings_to_serve(args: &ServeArgs) -> Result<Settings> {
    let mut settings = settings_of(&args.node)?;
    if !args.role.is_empty() {
        settings.node.roles.clone_from(&args.role);
    }
    if let Some(name) = &args.name {
        settings.node.name.clone_from(name);
    }
    if !args.peer.is_empty() {
        settings.cluster.nodes.clone_from(&args.peer);
    }
    if let Some(url) = &args.redis {
        settings.redis.url.clone_from(url);
    }
    if let Some(time) = args.wait_for {
        settings.node.wait_for = time;
    }
    if let Some(listen) = args.listen.clone() {
        match settings.node.roles.as_slice() {
            roles if !roles.contains(&Role::Compute) => settings.storage.listen = listen,
            roles if !roles.contains(&Role::Storage) => settings.compute.listen = listen,
            _ => bail!(Error::invalid(
                "--listen is one address, and this process has two workers: set storage.listen and compute.listen"
            )),
        }
    }
    if !args.osd.is_empty() {
        settings.ceph.osds.clone_from(&args.osd);
    }
    Ok(settings)
}

/// The settings of a command that starts nodes: its flags over all the rest.
fn settings_of(options: &NodeOptions) -> Result<Settings> {
    let mut settings = Settings::load(options.config.as_deref())?;
    if let Some(data) = &options.data {
        settings.data.clone_from(data);
    }
    if let Some(conf) = &options.ceph {
        settings.ceph.conf.clone_from(conf);
    }
    if !options.http.is_empty() {
        settings.listen.http.clone_from(&options.http);
    }
    Ok(settings)
}

/// The settings that `serve` would use here and now; `file` in place of `./ganglion.toml`.
pub(crate) fn settings_in_effect(file: Option<&Path>) -> Result<Vec<Setting>> {
    let figment = Settings::figment(file)?;
    let settings = Settings::from_figment(&figment)?;
    let value = serde_json::to_value(settings).context("showing the settings")?;
    let mut leaves = Vec::new();
    collect_leaves("", &value, &mut leaves);
    let setting = |(name, value): (String, String)| {
        let metadata = figment.find_metadata(&name);
        let source = metadata.map(|metadata| match &metadata.source {
            Some(source) => source.to_string(),
            None => metadata.name.to_string(),
        });
        let source =
            source.filter(|source| !source.contains("Settings") && !source.ends_with(".rs"));
        let source = source.filter(|source| !source.contains(".rs:"));
        Setting {
            name,
            value,
            source: source.unwrap_or_else(|| "default".to_owned()),
        }
    };
    Ok(leaves.into_iter().map(setting).collect())
}

fn collect_leaves(prefix: &str, value: &Value, leaves: &mut Vec<(String, String)>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let dot = if prefix.is_empty() { "" } else { "." };
                collect_leaves(&format!("{prefix}{dot}{name}"), value, leaves);
            }
        }
        Value::String(text) => leaves.push((prefix.to_owned(), text.clone())),
        other => leaves.push((prefix.to_owned(), other.to_string())),
    }
}

/// A commented ganglion.toml with every setting and its default.
pub(crate) fn default_settings_file() -> Result<String> {
    Ok(Settings::DEFAULT_FILE.to_owned())
}
