//! `ganglion watch`: what was saved is what runs.

use super::compile::build;
use super::manifest::Project;
use crate::args::WatchArgs;
use crate::client::Client;
use crate::failure::{Failure, Outcome};
use crate::function::upload;
use crate::output::Ui;
use crate::signals::unless_stopped;
use notify::{Event, EventKind, RecursiveMode, Watcher};
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// An editor saves in several steps: what changes within this time is one change.
const SETTLED: Duration = Duration::from_millis(100);

/// Builds and uploads, and again at each change, until a signal. A build or an upload that fails is told, and waits for
/// the next change.
///
/// # Errors
/// `NotFound` when there is no project; the system's, when it cannot watch.
pub(crate) async fn watch(args: &WatchArgs, client: &Client, ui: &Ui) -> Outcome<()> {
    let folder = std::path::absolute(&args.folder)
        .map_err(|error| Failure::local(args.folder.display(), &error))?;
    Project::open(&folder)?;
    let (changed, mut changes) = unbounded_channel();
    let watched = folder.clone();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        if event.is_ok_and(|event| concerns(&watched, &event)) {
            // Nobody listens any more when the command ends.
            let _ = changed.send(());
        }
    })
    .map_err(unwatchable)?;
    watcher
        .watch(&folder, RecursiveMode::Recursive)
        .map_err(unwatchable)?;
    match unless_stopped(keep_up(&folder, &mut changes, client, ui)).await {
        Err(failure) if failure == Failure::interrupted() => Ok(()),
        Err(failure) => Err(failure),
        Ok(never) => match never {},
    }
}

async fn keep_up(
    folder: &Path,
    changes: &mut UnboundedReceiver<()>,
    client: &Client,
    ui: &Ui,
) -> Outcome<Infallible> {
    loop {
        if let Err(failure) = turn(folder, client, ui).await {
            ui.failure(&failure);
        }
        ui.note(format_args!("watching {}", folder.display()));
        changes.recv().await;
        while let Ok(Some(())) = tokio::time::timeout(SETTLED, changes.recv()).await {}
    }
}

async fn turn(folder: &Path, client: &Client, ui: &Ui) -> Outcome<()> {
    let project = Project::open(folder)?;
    let module = tokio::task::block_in_place(|| build(&project, ui))?;
    upload(&project.function(), module, None, client, ui).await
}

/// Whether it is of the source, and not of what a build leaves.
fn concerns(folder: &Path, event: &Event) -> bool {
    let built = [folder.join("build"), folder.join("target")];
    let of_source =
        |path: &PathBuf| !built.iter().any(|built| path.starts_with(built)) && !is_hidden(path);
    !matches!(event.kind, EventKind::Access(_)) && event.paths.iter().any(of_source)
}

/// What editors and version control keep for themselves; also a lock file that cargo writes.
fn is_hidden(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with('.')
        || name.ends_with('~')
        || name == "Cargo.lock"
        || path.iter().any(|part| part == ".git")
}

fn unwatchable(error: notify::Error) -> Failure {
    Failure::new(
        ganglion_types::ErrorKind::Unavailable,
        format!("the folder cannot be watched: {error}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use notify::event::{AccessKind, ModifyKind};

    #[test]
    fn what_a_build_leaves_begins_no_other() {
        let folder = Path::new("/p");
        let changed = |path: &str| {
            let kind = EventKind::Modify(ModifyKind::Any);
            concerns(folder, &Event::new(kind).add_path(path.into()))
        };
        assert!(
            changed("/p/main.c") && changed("/p/src/builder.rs") && changed("/p/ganglion.toml")
        );
        for path in [
            "/p/build/x.o",
            "/p/target/a",
            "/p/.main.c.swp",
            "/p/main.c~",
            "/p/Cargo.lock",
            "/p/.git/index",
        ] {
            assert!(!changed(path), "{path}");
        }
        let read = Event::new(EventKind::Access(AccessKind::Any)).add_path("/p/main.c".into());
        assert!(!concerns(folder, &read));
    }
}
