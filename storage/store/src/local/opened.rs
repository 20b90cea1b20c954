//! Files that were opened lately, and stay open.
//!
//! An open file is one version of an object for ever, since files are replaced and never changed. So who asks for a version that
//! is open already gets that file: without opening it, and without reading its trailer again.

use super::index::Index;
use super::read::Opened;
use crate::Version;
use ganglion_types::ObjectKey;
use lru::LruCache;
use parking_lot::{Mutex, RwLock};
use std::num::NonZeroUsize;
use std::sync::Arc;

/// Files that are kept open. A process may have 1024 open by default, and has sockets too.
const FILES_MAX: NonZeroUsize = NonZeroUsize::new(128).expect("not zero");

pub(super) struct OpenFiles(Mutex<LruCache<ObjectKey, Arc<Opened>>>);

impl OpenFiles {
    pub(super) fn new() -> Self {
        Self(Mutex::new(LruCache::new(FILES_MAX)))
    }

    /// The file of that version, if it is open.
    pub(super) fn find(&self, key: &ObjectKey, version: Version) -> Option<Arc<Opened>> {
        let mut files = self.0.lock();
        let opened = files.get(key)?;
        (opened.meta.version == version).then(|| opened.clone())
    }

    /// Keeps a file open while its version is the current one.
    pub(super) fn keep(&self, key: &ObjectKey, opened: &Arc<Opened>, index: &RwLock<Index>) {
        // Under the index' lock: a writer notes its version there, and then forgets the file.
        let index = index.read();
        if index.version(key) == Some(opened.meta.version) {
            self.0.lock().put(key.clone(), opened.clone());
        }
    }

    /// What was open of this object is of no version any more, and its room on the disk is to be free.
    pub(super) fn forget(&self, key: &ObjectKey) {
        self.0.lock().pop(key);
    }
}
