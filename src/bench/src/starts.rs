//! First calls: of a server that was started over data of an earlier one, and of a function that was just uploaded.

use crate::bed::{TENANT, bundled, made_unique};
use crate::http::{Connection, Target, once};
use crate::report::{MS, Spread, figure, table};
use crate::server::{Nodes, ServerProcess};
use crate::text::corpus;
use comfy_table::Cell;
use ganglion_types::{Ambient, Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::Path;

/// The object whose words are counted; small, so that the start is measured and not the count.
const OBJECT: &str = "bench-words";
const OBJECT_BYTES: usize = 64 << 10;

/// One kind of beginning.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StartRow {
    /// Which nodes the server has.
    pub nodes: Nodes,
    /// What began.
    pub what: String,
    /// How long it took, in milliseconds.
    pub ms: Spread,
}

/// How long beginnings take.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StartsReport {
    /// In the order in which they were measured.
    pub rows: Vec<StartRow>,
}

/// Puts the object that first calls read.
pub(crate) async fn prepare(server: &ServerProcess) -> Result<()> {
    let path = format!("/v1/objects/{TENANT}/{OBJECT}");
    let target = Target::new(server.ready.address, "PUT", &path, &corpus(1, OBJECT_BYTES));
    Connection::open(target.address)
        .await?
        .ask(&target.request)
        .await
        .map(drop)
}

/// Starts a server `repeats` times over the data of a [`prepare`]d one; each is asked in the same order.
pub(crate) async fn starts(
    clock: &dyn Ambient,
    nodes: Nodes,
    data: &Path,
    repeats: usize,
) -> Result<Vec<StartRow>> {
    const KINDS: [&str; 8] = [
        "restart: from its process to its first answer",
        "  first plain request",
        "  first noop",
        "  tenth noop",
        "  first wordcount of 64 KiB",
        "  tenth wordcount of 64 KiB",
        "upload of a new wordcount",
        "  and to its first result",
    ];
    let mut samples: [Vec<u64>; KINDS.len()] = Default::default();
    for repeat in 0..repeats {
        eprintln!(
            "call: {} nodes, start {} of {repeats}",
            nodes.as_str(),
            repeat + 1
        );
        let began_ns = clock.monotonic_ns();
        let server = ServerProcess::start(nodes, data).await?;
        let ask = |method: &'static str, path: String, body: Vec<u8>| {
            let target = Target::new(server.ready.address, method, &path, &body);
            async move { once(clock, &target).await }
        };
        let invoke = |function: &str, input: &str| {
            let path = format!("/v1/functions/{TENANT}/{function}/invoke");
            ask("POST", path, input.into())
        };
        let plain_ns = ask("POST", "/plain".into(), Vec::new()).await?;
        let begun_ns = clock.monotonic_ns() - began_ns;
        // Each node has a first call of its own, so the second one over HTTP may be another first.
        let ten = async |function: &str, input: &str| {
            let first_ns = invoke(function, input).await?;
            for _ in 2..10 {
                invoke(function, input).await?;
            }
            Ok::<_, Error>([first_ns, invoke(function, input).await?])
        };
        let noop_ns = ten("noop", "").await?;
        let wordcount_ns = ten("wordcount", OBJECT).await?;
        // Data outlives a server: the clock makes the module new in each run and each repeat.
        let wasm = made_unique(&bundled("wordcount")?, clock.unix_ns());
        let uploaded_ns = ask(
            "PUT",
            format!("/v1/functions/{TENANT}/bench-new"),
            wasm.to_vec(),
        )
        .await?;
        let result_ns = uploaded_ns + invoke("bench-new", OBJECT).await?;
        let measured = [
            begun_ns,
            plain_ns,
            noop_ns[0],
            noop_ns[1],
            wordcount_ns[0],
            wordcount_ns[1],
            uploaded_ns,
            result_ns,
        ];
        samples
            .iter_mut()
            .zip(measured)
            .for_each(|(samples, ns)| samples.push(ns));
        server.stop().await?;
    }
    let row = |(what, mut samples): (&str, Vec<u64>)| StartRow {
        nodes,
        what: what.into(),
        ms: Spread::of_ns(&mut samples, MS),
    };
    Ok(KINDS.into_iter().zip(samples).map(row).collect())
}

impl fmt::Display for StartsReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "first calls over HTTP, each on a connection of its own")?;
        let mut table = table(
            2,
            ["what", "nodes", "ms p50", "largest", "smallest", "times"],
        );
        for row in &self.rows {
            table.add_row([
                Cell::new(&row.what),
                Cell::new(row.nodes.as_str()),
                figure(row.ms.p50),
                figure(row.ms.p99),
                figure(row.ms.min),
                Cell::new(row.ms.count),
            ]);
        }
        write!(f, "{table}")
    }
}
