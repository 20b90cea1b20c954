//! The keys of a job's objects: listed once, ahead of the job by so many bytes.

use super::jobs::Job;
use super::over::Over;
use super::part::REST;
use crate::app::Shared;
use ganglion_store::ListPage;
use ganglion_types::{Error, Key, Result};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// Keys asked for at once.
pub(super) const PAGE: usize = 1_000;
/// Keys that the listing may be ahead, in bytes: how many objects there are is known as soon as those that are left take no more.
const AHEAD_BYTES_MAX: usize = 8 << 20;
/// What an object of the listing takes beside its key, in bytes.
const ENTRY_BYTES: usize = 64;

/// Objects that match, in the order of their keys, with their sizes in bytes.
pub(super) struct Page {
    pub(super) objects: Vec<(Key, u64)>,
    /// Given back when the page is taken in.
    _ahead: OwnedSemaphorePermit,
}

/// Where pages come out; none is left when the listing is over, and an error is the last.
pub(super) type Pages = mpsc::UnboundedReceiver<Result<Page>>;

/// One pass over the bucket.
pub(super) struct Listing {
    app: Shared,
    job: Arc<Job>,
    over: Over,
    ahead: Arc<Semaphore>,
    pages: mpsc::UnboundedSender<Result<Page>>,
}

impl Listing {
    pub(super) fn new(app: &Shared, job: &Arc<Job>, over: &Over) -> (Self, Pages) {
        let (pages, out) = mpsc::unbounded_channel();
        let listing = Self {
            app: app.clone(),
            job: job.clone(),
            over: over.clone(),
            ahead: Arc::new(Semaphore::new(AHEAD_BYTES_MAX)),
            pages,
        };
        (listing, out)
    }

    /// Lists to the end, and notes with the job how many objects there are.
    pub(super) async fn run(self) {
        if let Err(error) = self.list().await {
            // Nobody takes it any more when the job has ended.
            let _ = self.pages.send(Err(error));
        }
    }

    async fn list(&self) -> Result<()> {
        let (mut count, mut bytes, mut after) = (0_u64, 0, None);
        loop {
            let listed = self.page(after.as_ref()).await?;
            let last = listed.objects.last().map(|(key, _)| key.clone());
            let matching = listed.objects.into_iter();
            let matching = matching.filter(|(key, _)| self.over.matches(key));
            let objects: Vec<_> = matching.map(|(key, meta)| (key, meta.size_bytes)).collect();
            count += objects.len() as u64;
            bytes += objects
                .iter()
                .map(|(_, size_bytes)| size_bytes)
                .sum::<u64>();
            self.check(count)?;
            self.give(objects).await?;
            if !listed.more || last.is_none() {
                self.job
                    .note(|progress| progress.total = Some((count, bytes)));
                return Ok(());
            }
            after = last;
        }
    }

    fn check(&self, count: u64) -> Result<()> {
        let limit = self.app.settings.jobs.objects_max;
        match count > u64::from(limit) {
            false => Ok(()),
            true => Err(Error::invalid(format!(
                "more than {limit} objects match `{}` (setting jobs.objects)",
                self.over.pattern()
            ))),
        }
    }

    /// Waits until the job has taken in enough of what was listed before.
    async fn give(&self, objects: Vec<(Key, u64)>) -> Result<()> {
        let key_bytes = |(key, _): &(Key, u64)| key.as_str().len() + ENTRY_BYTES;
        let bytes: usize = objects.iter().map(key_bytes).sum();
        let bytes = u32::try_from(bytes.min(AHEAD_BYTES_MAX)).unwrap_or(u32::MAX);
        let ahead = self.ahead.clone().acquire_many_owned(bytes).await;
        let page = Page {
            objects,
            _ahead: ahead.map_err(|_| Error::internal("a closed listing"))?,
        };
        let _ = self.pages.send(Ok(page));
        Ok(())
    }

    /// One page of keys. A store that gives none is asked again, a few times.
    async fn page(&self, after: Option<&Key>) -> Result<ListPage> {
        let (store, over) = (&self.app.store, &self.over);
        let mut tried = 1;
        loop {
            match store.list(&over.bucket, &over.prefix, after, PAGE).await {
                Err(error) if error.kind().may_pass() && tried < self.app.settings.attempts_max => {
                    tokio::time::sleep(REST).await;
                    tried += 1;
                }
                listed => return listed.map_err(|error| error.within("listing the job's objects")),
            }
        }
    }
}
