//! A connection to a cluster.

use super::{check, ending};
use rados_sys as sys;
use rustix::io::Errno;
use std::cell::Cell;
use std::ffi::{CStr, c_char};
use std::ptr;

thread_local! {
    /// Whether this thread of librados is inside of a callback of ours.
    static IN_CALLBACK: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work` as the inside of a callback: a cluster that is let go of there is shut down elsewhere.
pub(super) fn inside_callback(work: impl FnOnce()) {
    IN_CALLBACK.set(true);
    work();
    IN_CALLBACK.set(false);
}

/// A handle of librados, shut down when dropped.
struct Handle(Raw);

/// A handle of librados.
#[derive(Clone, Copy)]
struct Raw(sys::rados_t);

// SAFETY: the handle names an object that librados guards with locks of its own; its functions may be called from any thread.
unsafe impl Send for Raw {}
// SAFETY: as for `Send`; what may only be called before connecting is reached through `Unconnected`, which is not shared.
unsafe impl Sync for Raw {}

impl Drop for Handle {
    /// Shutting down waits for librados' threads, so a thread of librados cannot do it.
    fn drop(&mut self) {
        let raw = self.0;
        if !IN_CALLBACK.get() {
            return raw.shut_down();
        }
        let named = std::thread::Builder::new().name("rados-shutdown".to_owned());
        if let Err(error) = named.spawn(move || raw.shut_down()) {
            tracing::warn!(%error, "no thread to shut a connection to Ceph down: it stays open");
        }
    }
}

impl Raw {
    fn shut_down(self) {
        // SAFETY: the handle came from `rados_create2`, and only `Handle::drop` gets here, once. Namespaces and operations hold
        // the cluster, so none is left.
        unsafe { sys::rados_shutdown(self.0) };
        ending::closed();
    }
}

/// A handle that is being configured.
pub(in crate::rados) struct Unconnected(Handle);

impl Unconnected {
    /// A handle for `user` (`client.NAME`), with librados' defaults.
    pub(in crate::rados) fn create(user: &CStr) -> Result<Self, Errno> {
        let mut handle = ptr::null_mut();
        ending::opening();
        // SAFETY: both strings end with a NUL and live through the call; `handle` is written only.
        let code =
            unsafe { sys::rados_create2(&raw mut handle, c"ceph".as_ptr(), user.as_ptr(), 0) };
        check(code).inspect_err(|_| ending::closed())?;
        Ok(Self(Handle(Raw(handle))))
    }

    /// Takes over what a configuration file says.
    pub(in crate::rados) fn read_conf(&mut self, path: &CStr) -> Result<(), Errno> {
        // SAFETY: the handle is not connected; the path ends with a NUL and lives through the call.
        check(unsafe { sys::rados_conf_read_file(self.0.0.0, path.as_ptr()) }).map(drop)
    }

    /// Sets one option.
    pub(in crate::rados) fn set(&mut self, option: &CStr, value: &CStr) -> Result<(), Errno> {
        // SAFETY: the handle is not connected; both strings end with a NUL and are copied by the call.
        check(unsafe { sys::rados_conf_set(self.0.0.0, option.as_ptr(), value.as_ptr()) }).map(drop)
    }

    /// The value of one option, where it has one of at most 4 KiB that is text.
    pub(in crate::rados) fn get(&self, option: &CStr) -> Option<String> {
        let mut value = vec![0_u8; 4096];
        // SAFETY: the option's name ends with a NUL; at most as many bytes as given are written, a NUL among them.
        let code = unsafe {
            let value = value.as_mut_ptr().cast();
            sys::rados_conf_get(self.0.0.0, option.as_ptr(), value, 4096)
        };
        check(code).ok()?;
        let value = CStr::from_bytes_until_nul(&value).ok()?.to_str().ok()?;
        (!value.is_empty()).then(|| value.to_owned())
    }

    /// Connects: blocks up to the option `client_mount_timeout`.
    pub(in crate::rados) fn connect(self) -> Result<Cluster, Errno> {
        // SAFETY: the handle is configured, connected once, and used by this thread alone.
        check(unsafe { sys::rados_connect(self.0.0.0) })?;
        Ok(Cluster(self.0))
    }
}

/// A connected cluster. Shut down when the last of its holders lets go: namespaces and operations under way hold it too.
pub(in crate::rados) struct Cluster(Handle);

/// A command that the monitors did not carry out.
#[derive(Debug)]
pub(in crate::rados) struct Refused {
    /// Why, as a number.
    pub(in crate::rados) errno: Errno,
    /// Why, in the monitor's words; may be empty.
    pub(in crate::rados) words: String,
}

impl Cluster {
    pub(super) fn handle(&self) -> sys::rados_t {
        self.0.0.0
    }

    /// The number of the pool of that name. May block while there is no map of the cluster yet, or none with that pool.
    pub(in crate::rados) fn pool(&self, name: &CStr) -> Result<i64, Errno> {
        // SAFETY: connected; the name ends with a NUL and lives through the call.
        let found = unsafe { sys::rados_pool_lookup(self.handle(), name.as_ptr()) };
        match i32::try_from(found) {
            Ok(code) if code < 0 => check(code).map(i64::from),
            _ => Ok(found),
        }
    }

    /// Has the monitors carry out one command (JSON). Blocks up to the option `rados_mon_op_timeout`.
    pub(in crate::rados) fn mon_command(&self, command: &CStr) -> Result<Vec<u8>, Refused> {
        let mut commands = [command.as_ptr()];
        let (mut output, mut words) = (Text::empty(), Text::empty());
        // SAFETY: connected; one command, which ends with a NUL; no input; the four places for what comes back are written
        // only, and what they then point to is freed once, by `Text`.
        let code = unsafe {
            sys::rados_mon_command(
                self.handle(),
                commands.as_mut_ptr(),
                commands.len(),
                ptr::null(),
                0,
                &raw mut output.bytes,
                &raw mut output.length,
                &raw mut words.bytes,
                &raw mut words.length,
            )
        };
        match check(code) {
            Ok(_) => Ok(output.to_vec()),
            Err(errno) => Err(Refused {
                errno,
                words: String::from_utf8_lossy(&words.to_vec()).into_owned(),
            }),
        }
    }
}

/// Bytes that librados allotted, or none.
struct Text {
    bytes: *mut c_char,
    length: usize,
}

impl Text {
    fn empty() -> Self {
        Self {
            bytes: ptr::null_mut(),
            length: 0,
        }
    }

    fn to_vec(&self) -> Vec<u8> {
        if self.bytes.is_null() {
            return Vec::new();
        }
        // SAFETY: not null, so librados allotted `length` bytes there and filled them; nobody changes them.
        unsafe { std::slice::from_raw_parts(self.bytes.cast::<u8>(), self.length) }.to_vec()
    }
}

impl Drop for Text {
    fn drop(&mut self) {
        if !self.bytes.is_null() {
            // SAFETY: librados allotted it with the allocator that this call frees with, and it is freed once.
            unsafe { sys::rados_buffer_free(self.bytes) };
        }
    }
}
