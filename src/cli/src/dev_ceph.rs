//! `dev-ceph`: starts, shows and ends a small Ceph cluster, and runs programs as its clients.

use crate::args::{DevCephCommand, DevCephExecArgs, DevCephUpArgs, FolderOption, StoreKind};
use crate::failure::{Failure, Outcome};
use crate::output::{Ui, number, table, words};
use crate::signals;
use crate::units;
use anyhow::Context;
use ganglion_dev_ceph::{DaemonStatus, MiniCeph, Network, Options, Place, Status, Store};
use ganglion_types::Result;
use std::os::unix::process::CommandExt;
use tokio::task::spawn_blocking;

/// Runs one of the `dev-ceph` commands.
///
/// # Errors
/// Those of [`MiniCeph`].
pub(crate) async fn run(command: &DevCephCommand, ui: &Ui) -> Outcome<()> {
    match command {
        DevCephCommand::Up(args) => up(args, ui).await,
        DevCephCommand::Down(place) => down(place, ui).await,
        DevCephCommand::Status(place) => {
            let ceph = attach(place)?;
            let status = blocking(move || ceph.status()).await?;
            ui.result(&status, report(&status))
        }
        DevCephCommand::Exec(args) => exec(args),
    }
}

/// Starts a cluster. When a person stops it, what has been started is ended first.
async fn up(args: &DevCephUpArgs, ui: &Ui) -> Outcome<()> {
    let options = options(args)?;
    ui.note(format_args!(
        "starting a Ceph monitor and {} OSDs in {}",
        options.osds,
        options.folder.display()
    ));
    let mut starting = spawn_blocking(move || MiniCeph::up(&options));
    let joined = match signals::unless_stopped(async { Ok((&mut starting).await) }).await {
        Ok(joined) => joined,
        Err(stopped) => {
            ui.note("ending what has been started");
            drop(starting.await);
            return Err(stopped);
        }
    };
    let ceph = joined.context("starting a Ceph cluster")??;
    let (status, next) = blocking(move || {
        let (status, next) = (ceph.status()?, next(&ceph));
        ceph.leave_running()?;
        Ok((status, next))
    })
    .await?;
    ui.result(&status, format_args!("{}\n\n{next}", report(&status)))
}

async fn down(place: &FolderOption, ui: &Ui) -> Outcome<()> {
    let ceph = attach(place)?;
    let folder = ceph.folder().display().to_string();
    blocking(move || ceph.down()).await?;
    ui.note("ended; its logs stay");
    let document = serde_json::json!({ "folder": folder });
    ui.result(&document, format_args!("{folder}/log"))
}

/// Becomes the program.
fn exec(args: &DevCephExecArgs) -> Outcome<()> {
    let ceph = attach(&args.place)?;
    let Some((program, rest)) = args.program.split_first() else {
        return Err(Failure::invalid("no program is given"));
    };
    let program = program.to_string_lossy();
    let error = ceph.command_in(args.at.0, &program).args(rest).exec();
    Err(Failure::local(format_args!("running {program}"), &error))
}

fn attach(place: &FolderOption) -> Outcome<MiniCeph> {
    MiniCeph::attach(&place.folder).map_err(|error| {
        Failure::from(error).or_hint("`ganglion dev-ceph up` starts one; --folder says where")
    })
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Outcome<T> {
    Ok(spawn_blocking(work)
        .await
        .context("waiting for Ceph's daemons")??)
}

fn options(args: &DevCephUpArgs) -> Outcome<Options> {
    let folder = std::path::absolute(&args.place.folder)
        .map_err(|error| Failure::local(args.place.folder.display(), &error))?;
    let defaults = Options::new(&folder);
    let store = match args.store {
        StoreKind::Memory => Store::Memory,
        StoreKind::Bluestore => Store::BlueStore {
            bytes: args.size.as_u64(),
        },
    };
    Ok(Options {
        osds: args.osds,
        replicas: args.replicas,
        store,
        auth: args.auth,
        pools: match args.pool.is_empty() {
            true => defaults.pools.clone(),
            false => args.pool.clone(),
        },
        network: match args.netns {
            true => Network::namespaces_of(&folder),
            false => Network::Loopback,
        },
        ..defaults
    })
}

/// What to type next.
fn next(ceph: &MiniCeph) -> String {
    let (conf, folder) = (ceph.conf(), ceph.folder());
    let (conf, folder) = (conf.display(), folder.display());
    let pool = ceph.options().pools.first().map_or("", String::as_str);
    let mut text = format!(
        "next:\n  export CEPH_CONF={conf}\n  rados -p {pool} ls\n  ganglion serve --ceph {conf}\n"
    );
    if ceph.options().network != Network::Loopback {
        let (compute, storage) = (Place::Compute, Place::Storage(0));
        text.push_str(&format!(
            "  ganglion dev-ceph exec --folder {folder} --at compute -- PROGRAM     # at {}\n  ganglion dev-ceph exec --folder {folder} --at storage:0 -- PROGRAM   # at {}, with osd.0\n",
            ceph.address_of(compute),
            ceph.address_of(storage)
        ));
    }
    text.push_str(&format!("  ganglion dev-ceph down --folder {folder}"));
    text
}

fn report(status: &Status) -> String {
    let columns = [
        words("DAEMON"),
        words("STATE"),
        number("PROCESS"),
        words("ADDRESS"),
        number("MEMORY"),
    ];
    let rows: Vec<_> = status.daemons.iter().map(row).collect();
    let health = match (&status.health, status.epoch) {
        (Some(health), Some(epoch)) => format!("{health}, OSD map {epoch}"),
        _ => "the monitor is dead".to_owned(),
    };
    let mut text = table(columns, &rows);
    text.push_str(&format!("\n\npools   {}\n", status.pools.join(" ")));
    text.push_str(&format!("health  {health}"));
    for complaint in &status.complaints {
        text.push_str(&format!("\n        {complaint}"));
    }
    text
}

fn row(daemon: &DaemonStatus) -> [String; 5] {
    let state = match (daemon.pid, daemon.stopped, daemon.up) {
        (None, ..) => "dead",
        (_, true, _) => "stopped",
        (_, _, Some(true)) => "up",
        (_, _, Some(false)) => "joining",
        (_, _, None) => "unknown",
    };
    let absent = || "-".to_owned();
    [
        daemon.name.clone(),
        state.to_owned(),
        daemon.pid.map_or_else(absent, |pid| pid.to_string()),
        daemon.address.to_string(),
        match daemon.memory_bytes {
            0 => absent(),
            bytes => units::bytes(bytes),
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn daemon(name: &str, pid: Option<u32>, up: Option<bool>) -> DaemonStatus {
        DaemonStatus {
            name: name.to_owned(),
            pid,
            stopped: name == "osd.1",
            up,
            address: [127, 7, 7, 1].into(),
            memory_bytes: pid.map_or(0, |_| 33 << 20),
        }
    }

    #[test]
    fn a_daemon_that_is_dead_or_stopped_or_new_is_shown_as_such() {
        let status = Status {
            folder: "/tmp/ceph".into(),
            conf: "/tmp/ceph/ceph.conf".into(),
            daemons: vec![
                daemon("mon.a", Some(10), Some(true)),
                daemon("osd.0", None, Some(true)),
                daemon("osd.1", Some(12), Some(true)),
                daemon("osd.2", Some(13), Some(false)),
            ],
            pools: vec!["a".to_owned(), "b".to_owned()],
            epoch: Some(17),
            health: Some("HEALTH_WARN".to_owned()),
            complaints: vec!["1 osds down".to_owned()],
        };
        let expected = "\
DAEMON  STATE    PROCESS  ADDRESS      MEMORY
mon.a   up            10  127.7.7.1  33.0 MiB
osd.0   dead           -  127.7.7.1         -
osd.1   stopped       12  127.7.7.1  33.0 MiB
osd.2   joining       13  127.7.7.1  33.0 MiB

pools   a b
health  HEALTH_WARN, OSD map 17
        1 osds down";
        assert_eq!(report(&status), expected);
    }
}
