//! The processor's limit: the functions over the same objects in memory, in this process.

use super::kernel::{Kernel, key};
use super::loader::Loaded;
use crate::bed::{Bed, NODE, TENANT, bundled, succeeded};
use bytes::Bytes;
use ganglion_node::HostAmbient;
use ganglion_store::{MemoryStore, ObjectStore, PutOptions};
use ganglion_types::{ContentHash, Error, Executor, FunctionRef, NodeId, ObjectKey, Result};
use ganglion_worker::{Inline, Worker};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// A worker whose objects are in memory. Clones are the same.
#[derive(Clone)]
pub(super) struct Resident(Arc<Shared>);

struct Shared {
    bed: Bed,
    store: Arc<dyn ObjectStore>,
    objects: usize,
    modules: [ContentHash; Kernel::ALL.len()],
}

impl Resident {
    /// Every answer is checked once.
    ///
    /// # Errors
    /// The worker's; `Internal` when an answer is wrong.
    pub(super) async fn new(artefacts: &Path, texts: &[Bytes]) -> Result<Self> {
        let clock = Arc::new(HostAmbient::new());
        let node = Some(NodeId::new(NODE)?);
        let store: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new(node, clock, 1 << 30));
        for (object, text) in texts.iter().enumerate() {
            let key = ObjectKey::new(TENANT, key(object))?;
            store.put(&key, text.clone(), PutOptions::default()).await?;
        }
        let bed = Bed::new(artefacts, store.clone())?;
        let mut modules = Vec::new();
        for kernel in Kernel::ALL {
            modules.push(bed.modules.add(bundled(kernel.as_str())?).await?.hash);
        }
        let this = Self(Arc::new(Shared {
            bed,
            store,
            objects: texts.len(),
            modules: modules.try_into().expect("one for each kernel"),
        }));
        for kernel in Kernel::ALL {
            this.check(kernel, texts).await?;
        }
        Ok(this)
    }

    async fn check(&self, kernel: Kernel, texts: &[Bytes]) -> Result<()> {
        let worker = self.worker(1)?;
        for (object, text) in texts.iter().enumerate() {
            if self.run(&worker, kernel, object).await? != kernel.answer(text) {
                return Err(Error::internal(format!(
                    "{kernel} of {} in memory is not what it has to be",
                    key(object)
                )));
            }
        }
        Ok(())
    }

    /// So many guests at once for `duration`, each over one object after another.
    ///
    /// # Errors
    /// The worker's.
    pub(super) async fn load(
        &self,
        kernel: Kernel,
        guests: u32,
        duration: Duration,
    ) -> Result<Loaded> {
        let stop = CancellationToken::new();
        let (loaded, ()) = tokio::join!(self.busy(kernel, guests, &stop), async {
            tokio::time::sleep(duration).await;
            stop.cancel();
        });
        loaded
    }

    /// The same until it is stopped.
    ///
    /// # Errors
    /// The worker's.
    pub(super) async fn busy(
        &self,
        kernel: Kernel,
        guests: u32,
        stop: &CancellationToken,
    ) -> Result<Loaded> {
        let worker = self.worker(guests)?;
        let clock = &self.0.bed.clock;
        let began_ns = clock.monotonic_ns();
        let mut running = JoinSet::new();
        for guest in 0..guests {
            // Each begins elsewhere, so that they do not share a cache.
            let first = guest as usize * self.0.objects / guests as usize;
            let (this, worker, stop) = (self.clone(), worker.clone(), stop.clone());
            running.spawn(async move { this.until(&worker, kernel, first, &stop).await });
        }
        let mut loaded = Loaded::default();
        while let Some(one) = running.join_next().await {
            let one = one.map_err(|error| Error::internal(format!("a guest: {error}")))?;
            loaded.latencies_ns.extend(one?);
        }
        loaded.wall_ns = clock.monotonic_ns() - began_ns;
        Ok(loaded)
    }

    fn worker(&self, guests: u32) -> Result<Worker> {
        let Shared { bed, store, .. } = &*self.0;
        let never_inline = Inline::new(0);
        bed.worker_with(bed.modules.clone(), store.clone(), never_inline, guests)
    }

    async fn until(
        &self,
        worker: &Worker,
        kernel: Kernel,
        first: usize,
        stop: &CancellationToken,
    ) -> Result<Vec<u64>> {
        let clock = &self.0.bed.clock;
        let mut latencies_ns = Vec::new();
        for object in first.. {
            if stop.is_cancelled() {
                break;
            }
            let began_ns = clock.monotonic_ns();
            self.run(worker, kernel, object % self.0.objects).await?;
            latencies_ns.push(clock.monotonic_ns() - began_ns);
        }
        Ok(latencies_ns)
    }

    async fn run(&self, worker: &Worker, kernel: Kernel, object: usize) -> Result<Bytes> {
        let function = FunctionRef::new(TENANT, kernel.as_str())?;
        let input = Bytes::from(kernel.input(&key(object)));
        let module = self.0.modules[kernel as usize];
        let call = self.0.bed.call(&function, module, &input);
        let answer = succeeded(worker.execute(call).await, &function)?;
        Ok(answer.output.unwrap_or_default())
    }
}
