//! One namespace of one pool.

use super::{Cluster, check};
use rados_sys as sys;
use rustix::io::Errno;
use std::ffi::CStr;
use std::ptr;
use std::sync::Arc;

/// A pool and a namespace in it, to which operations go. The namespace is state of librados' handle, so each has a handle of
/// its own, which is never changed once it is shared.
pub(in crate::rados) struct Namespace {
    handle: sys::rados_ioctx_t,
    /// Outlives the handle.
    _cluster: Arc<Cluster>,
}

// SAFETY: the handle's state (namespace, locator, snapshot) is set before it is shared and never after; librados allows
// everything else that is called with it from several threads at once.
unsafe impl Send for Namespace {}
// SAFETY: as for `Send`.
unsafe impl Sync for Namespace {}

impl Namespace {
    /// The namespace `name` of the pool numbered `pool`.
    pub(in crate::rados) fn open(
        cluster: &Arc<Cluster>,
        pool: i64,
        name: &CStr,
    ) -> Result<Arc<Self>, Errno> {
        let mut handle = ptr::null_mut();
        // SAFETY: connected; `handle` is written only.
        check(unsafe { sys::rados_ioctx_create2(cluster.handle(), pool, &raw mut handle) })?;
        // SAFETY: the handle is fresh and nobody else's; the name ends with a NUL and is copied.
        unsafe { sys::rados_ioctx_set_namespace(handle, name.as_ptr()) };
        Ok(Arc::new(Self {
            handle,
            _cluster: cluster.clone(),
        }))
    }

    /// All namespaces of the pool: for listing only.
    pub(in crate::rados) fn every(cluster: &Arc<Cluster>, pool: i64) -> Result<Arc<Self>, Errno> {
        let name = CStr::from_bytes_with_nul(sys::LIBRADOS_ALL_NSPACES)
            .expect("the constant ends with its only NUL");
        Self::open(cluster, pool, name)
    }

    pub(super) fn handle(&self) -> sys::rados_ioctx_t {
        self.handle
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // SAFETY: created by `open`, destroyed once; operations under way hold their namespace, so there are none.
        unsafe { sys::rados_ioctx_destroy(self.handle) };
    }
}
