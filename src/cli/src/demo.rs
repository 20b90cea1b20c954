//! `demo`: a cluster, objects in it, and the same function beside the data and away from it.

use crate::args::DemoArgs;
use crate::cluster::until_told;
use crate::output::{Ui, number, table, words};
use crate::units;
use anyhow::{Context, Result, bail, ensure};
use ganglion_bench::corpus;
use ganglion_dev_ceph::{MiniCeph, Options};
use ganglion_node::{Frontend, Process, Service, Settings, Topology};
use ganglion_store::PutOptions;
use ganglion_types::{Error, ObjectKey};
use reqwest::Client;
use serde::Serialize;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use tokio::task::spawn_blocking;

const TENANT: &str = "ndp";
const FUNCTION: &str = "wordcount";
const TOPOLOGY: Topology = Topology {
    compute: 2,
    storage: 3,
};
/// Calls of each kind on each object; the first loads the function and is not counted, of the others the median is.
const CALLS: usize = 4;

/// Both ways for one object.
#[derive(Serialize)]
struct Row {
    object: String,
    near: Side,
    far: Side,
    same_result: bool,
}

/// One way: where it ran, and what it took.
#[derive(Clone, Serialize)]
struct Side {
    node: String,
    site: String,
    reason: String,
    run_us: u64,
    moved_bytes: u64,
    #[serde(skip)]
    body: Vec<u8>,
}

/// Runs the demo.
///
/// # Errors
/// The cluster's and the calls', and a difference between the two results.
pub(crate) async fn demo(args: &DemoArgs, ui: &Ui) -> Result<()> {
    let folder = tempfile::tempdir().context("a folder for the demo")?;
    let mut settings = Settings {
        data: folder.path().to_owned(),
        ..Settings::default()
    };
    settings.listen.http = vec![SocketAddr::from(([127, 0, 0, 1], 0)).into()];
    // Ended, by being dropped, after everything that uses it.
    let ceph = match args.ceph {
        true => Some(start_ceph(folder.path(), ui).await?),
        false => None,
    };
    if let Some(ceph) = &ceph {
        settings.ceph.conf = ceph.conf();
    }
    ui.note(format_args!(
        "starting a gateway, {} compute and {} storage nodes in this process",
        TOPOLOGY.compute, TOPOLOGY.storage
    ));
    let cluster = Service::cluster(Process::new(settings)?, TOPOLOGY).await?;
    let frontend = cluster.frontend()?;
    frontend.upload_bundled().await?;
    let objects = store_corpus(frontend, args, ui).await?;
    let rows = call_both_ways(frontend, &objects, ui).await?;
    ui.result(
        &serde_json::json!({ "function": FUNCTION, "objects": rows }),
        report(&rows),
    )?;
    ensure!(
        rows.iter().all(|row| row.same_result),
        "the two sites gave different results"
    );
    if args.keep {
        ui.note(format_args!("kept in {}", folder.path().display()));
        return until_told(cluster, ui).await;
    }
    cluster.shutdown().await;
    Ok(())
}

/// A cluster of as many OSDs as there are storage nodes.
async fn start_ceph(folder: &Path, ui: &Ui) -> Result<MiniCeph> {
    if !cfg!(feature = "ceph") {
        bail!(Error::invalid(
            "this build is without Ceph: build with `cargo build --release --features ceph`"
        ));
    }
    let osds = u32::try_from(TOPOLOGY.storage)?;
    ui.note(format_args!("starting a Ceph monitor and {osds} OSDs"));
    let options = Options {
        osds,
        ..Options::new(folder.join("ceph"))
    };
    Ok(spawn_blocking(move || MiniCeph::up(&options)).await??)
}

async fn store_corpus(frontend: &Frontend, args: &DemoArgs, ui: &Ui) -> Result<Vec<String>> {
    let bytes = usize::try_from(args.size.as_u64()).context("--size")?;
    let bar = ui.progress(
        "storing objects",
        Some(u64::from(args.objects) * args.size.as_u64()),
    );
    let mut objects = Vec::new();
    for index in 0..args.objects {
        let key = format!("book-{index:02}");
        let object = ObjectKey::new(TENANT, &key)?;
        let text = corpus(u64::from(index), bytes);
        frontend
            .objects()
            .put(&object, text, PutOptions::default())
            .await?;
        bar.inc(args.size.as_u64());
        objects.push(key);
    }
    bar.finish_and_clear();
    Ok(objects)
}

async fn call_both_ways(frontend: &Frontend, objects: &[String], ui: &Ui) -> Result<Vec<Row>> {
    let caller = Caller {
        client: Client::new(),
        address: frontend.addresses()[0].to_string(),
    };
    let calls = objects.len() * CALLS * 2;
    let bar = ui.progress("running wordcount", None);
    bar.set_length(calls as u64);
    let mut rows = Vec::new();
    for object in objects {
        let (mut near, mut far) = (Vec::new(), Vec::new());
        for _ in 0..CALLS {
            near.push(caller.call(object, "allow").await?);
            far.push(caller.call(object, "forbid").await?);
            bar.inc(2);
        }
        let same_result = near
            .iter()
            .chain(&far)
            .all(|side| side.body == near[0].body);
        rows.push(Row {
            object: object.clone(),
            near: median(near),
            far: median(far),
            same_result,
        });
    }
    bar.finish_and_clear();
    Ok(rows)
}

/// The median of all but the first.
fn median(mut sides: Vec<Side>) -> Side {
    sides.remove(0);
    sides.sort_by_key(|side| side.run_us);
    sides.swap_remove(sides.len() / 2)
}

/// Calls over HTTP, as any user does.
struct Caller {
    client: Client,
    address: String,
}

impl Caller {
    async fn call(&self, object: &str, ndp: &str) -> Result<Side> {
        let url = format!(
            "http://{}/v1/functions/{TENANT}/{FUNCTION}/invoke?ndp={ndp}",
            self.address
        );
        let request = self
            .client
            .post(url)
            .body(object.to_owned())
            .timeout(Duration::from_secs(120));
        let response = request.send().await.context("calling wordcount")?;
        let header = |name: &str| {
            let value = response
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        let (status, run_us, moved_bytes) = (
            response.status(),
            header("ganglion-run-us"),
            header("ganglion-moved-bytes"),
        );
        let (node, site, reason) = (
            header("ganglion-node"),
            header("ganglion-site"),
            header("ganglion-reason"),
        );
        let body = response
            .bytes()
            .await
            .context("reading the answer")?
            .to_vec();
        ensure!(
            status.is_success(),
            "wordcount of {object}: {}",
            String::from_utf8_lossy(&body)
        );
        Ok(Side {
            node,
            site,
            reason,
            run_us: run_us.parse().context("the header ganglion-run-us")?,
            moved_bytes: moved_bytes
                .parse()
                .context("the header ganglion-moved-bytes")?,
            body,
        })
    }
}

fn report(rows: &[Row]) -> String {
    let line = |row: &Row| {
        [
            row.object.clone(),
            row.near.node.clone(),
            units::micros(row.near.run_us),
            units::bytes(row.near.moved_bytes),
            row.far.node.clone(),
            units::micros(row.far.run_us),
            units::bytes(row.far.moved_bytes),
            if row.same_result { "same" } else { "DIFFERENT" }.to_owned(),
        ]
    };
    let columns = [
        words("OBJECT"),
        words("NDP ALLOWED"),
        number("TIME"),
        number("MOVED"),
        words("NDP FORBIDDEN"),
        number("TIME"),
        number("MOVED"),
        words("RESULT"),
    ];
    let lines: Vec<_> = rows.iter().map(line).collect();
    let (near, far) = (
        sum(rows.iter().map(|row| &row.near)),
        sum(rows.iter().map(|row| &row.far)),
    );
    let mut text = table(columns, &lines);
    text.push_str(&format!(
        "\n\nall {}: {} and {} moved with NDP, {} and {} moved without\n",
        rows.len(),
        units::micros(near.0),
        units::bytes(near.1),
        units::micros(far.0),
        units::bytes(far.1)
    ));
    if let Some(row) = rows.first() {
        text.push_str(&format!("\nwhy, for {}:\n", row.object));
        text.push_str(&format!(
            "  allowed    {}\n  forbidden  {}",
            row.near.reason, row.far.reason
        ));
    }
    text
}

fn sum<'a>(sides: impl Iterator<Item = &'a Side>) -> (u64, u64) {
    sides.fold((0, 0), |(time, moved), side| {
        (time + side.run_us, moved + side.moved_bytes)
    })
}
