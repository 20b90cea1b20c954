//! The load generator, in a process of its own on the compute machine: closed loops over HTTP, every answer checked.

use super::kernel::{Kernel, Way, key, read_answers};
use super::loader::{Job, Loaded};
use crate::bed::TENANT;
use crate::http::{Connection, Target};
use crate::placement_options::GeneratorOptions;
use crate::report::failed;
use bytes::Bytes;
use ganglion_node::HostAmbient;
use ganglion_types::{Ambient, Error, Result, Site};
use std::collections::HashMap;
use std::io::{BufRead, Write};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use tokio::task::{JoinSet, LocalSet};

/// Does the jobs that come on stdin, one after another, until it ends. Behind the hidden subcommand `bench-load`, which
/// [`placement`](crate::placement()) starts.
///
/// # Errors
/// `Unavailable` when stdin or stdout break.
pub async fn generator(options: GeneratorOptions) -> Result<()> {
    let loads = tokio::task::spawn_blocking(move || Generator::new(options)?.run());
    loads
        .await
        .map_err(|error| Error::internal(format!("the load generator: {error}")))?
}

/// One thread, so that it takes no more than one core from the rest.
struct Generator {
    options: GeneratorOptions,
    runtime: tokio::runtime::Runtime,
    clock: Arc<dyn Ambient>,
    answers: HashMap<&'static str, Rc<[Bytes]>>,
    next: Rc<Objects>,
}

/// The objects take turns, over all jobs.
struct Objects {
    count: usize,
    next: std::cell::Cell<usize>,
}

impl Objects {
    fn next(&self) -> usize {
        let object = self.next.get();
        self.next.set((object + 1) % self.count);
        object
    }
}

impl Generator {
    fn new(options: GeneratorOptions) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(failed("the load generator"))?;
        Ok(Self {
            next: Rc::new(Objects {
                count: options.objects,
                next: std::cell::Cell::new(0),
            }),
            options,
            runtime,
            clock: Arc::new(HostAmbient::new()),
            answers: HashMap::new(),
        })
    }

    fn run(mut self) -> Result<()> {
        for line in std::io::stdin().lock().lines() {
            let line = line.map_err(failed("stdin"))?;
            let answer = Job::read(&line).and_then(|job| self.load(job));
            let answer = answer.map_err(|error| error.to_string());
            let answer = serde_json::to_string(&answer)
                .map_err(|error| Error::internal(format!("an answer as JSON: {error}")))?;
            writeln!(std::io::stdout(), "{answer}").map_err(failed("stdout"))?;
        }
        Ok(())
    }

    fn load(&mut self, job: Job) -> Result<Loaded> {
        let answers = self.answers_of(job.kernel)?;
        let requests = requests(self.options.gateway, job, self.options.objects)?;
        let local = LocalSet::new();
        local.block_on(&self.runtime, self.loops(job, requests, answers))
    }

    fn answers_of(&mut self, kernel: Kernel) -> Result<Rc<[Bytes]>> {
        if let Some(known) = self.answers.get(kernel.as_str()) {
            return Ok(known.clone());
        }
        let read = read_answers(&self.options.answers, kernel, self.options.objects)?;
        let read: Rc<[Bytes]> = read.into();
        self.answers.insert(kernel.as_str(), read.clone());
        Ok(read)
    }

    async fn loops(&self, job: Job, requests: Rc<[Bytes]>, answers: Rc<[Bytes]>) -> Result<Loaded> {
        let mut open = Vec::with_capacity(self.options.in_flight);
        for _ in 0..self.options.in_flight {
            open.push(Connection::open(self.options.gateway).await?);
        }
        let began_ns = self.clock.monotonic_ns();
        let duration_ns = u64::try_from(job.duration.as_nanos()).unwrap_or(u64::MAX);
        let mut loops = JoinSet::new();
        for connection in open {
            loops.spawn_local(until(
                began_ns.saturating_add(duration_ns),
                connection,
                self.clock.clone(),
                self.next.clone(),
                requests.clone(),
                answers.clone(),
            ));
        }
        let mut loaded = Loaded::default();
        while let Some(one) = loops.join_next().await {
            let one = one.map_err(|error| Error::internal(format!("a connection: {error}")))??;
            loaded.latencies_ns.extend(one.latencies_ns);
            loaded.wrong += one.wrong;
            loaded.on_storage += one.on_storage;
        }
        loaded.wall_ns = self.clock.monotonic_ns() - began_ns;
        Ok(loaded)
    }
}

/// A request for each object, in the dialect that can force a call to storage.
fn requests(gateway: SocketAddr, job: Job, objects: usize) -> Result<Rc<[Bytes]>> {
    let wish = match job.way {
        Way::On => r#","is_storage":true"#,
        Way::Off => r#","forbid_ndp":true"#,
        Way::Auto => "",
        Way::Native | Way::Lua | Way::Memory => {
            return Err(Error::invalid(format!("{} is no way over HTTP", job.way)));
        }
    };
    let request = |object| {
        let (function, input) = (job.kernel, job.kernel.input(&key(object)));
        let body = format!(
            r#"{{"user":"{TENANT}","function":"{function}","input_data":"{input}"{wish}}}"#
        );
        Target::new(gateway, "POST", "/f/", body.as_bytes()).request
    };
    Ok((0..objects).map(request).collect())
}

/// One connection's requests, each sent when the one before is answered. The check is not part of a latency.
async fn until(
    end_ns: u64,
    mut connection: Connection,
    clock: Arc<dyn Ambient>,
    objects: Rc<Objects>,
    requests: Rc<[Bytes]>,
    answers: Rc<[Bytes]>,
) -> Result<Loaded> {
    let mut loaded = Loaded::default();
    loop {
        let began_ns = clock.monotonic_ns();
        if began_ns >= end_ns {
            return Ok(loaded);
        }
        let object = objects.next();
        connection.ask(&requests[object]).await?;
        loaded.latencies_ns.push(clock.monotonic_ns() - began_ns);
        loaded.wrong += u64::from(connection.body() != answers[object]);
        let site = connection.header("ganglion-site");
        loaded.on_storage += u64::from(site == Some(Site::Storage.as_str()));
    }
}
