//! Connecting, and saying why it did not work.

use super::error::{Doing, failed};
use super::ffi::{Cluster, Unconnected};
use super::options::RadosOptions;
use ganglion_types::{Error, Result};
use rustix::io::Errno;
use std::ffi::{CString, OsStr};
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Connects and finds the pool. Blocks for about `connect_time` at most.
///
/// # Errors
/// `Invalid` for a configuration that cannot be used, `Denied` for a user or key that the cluster does not take,
/// `Unavailable` when no monitor answers, `NotFound` without the pool.
pub(super) fn connect(options: &RadosOptions) -> Result<(Arc<Cluster>, i64)> {
    let user = CString::new(format!("client.{}", options.user))
        .map_err(|_| Error::invalid("the user's name (ceph.user) holds a NUL"))?;
    let refused = |errno| Error::internal(format!("librados makes no connection: {errno}"));
    let mut unconnected = Unconnected::create(&user).map_err(refused)?;
    read_conf(&mut unconnected, &options.conf)?;
    if let Some(keyring) = &options.keyring {
        check_keyring(keyring)?;
    }
    for (option, value) in settings(options) {
        set(&mut unconnected, option, value)?;
    }
    let asked = Asked {
        monitors: unconnected.get(c"mon_host"),
        keyring: unconnected.get(c"keyring"),
        options,
    };
    let cluster = unconnected.connect().map_err(|errno| asked.failed(errno))?;
    let name = CString::new(options.pool.as_str())
        .map_err(|_| Error::invalid("the pool's name (ceph.pool) holds a NUL"))?;
    let pool = cluster.pool(&name).map_err(|errno| match errno {
        Errno::NOENT => Error::not_found(format!(
            "there is no pool {} (ceph.pool) in the cluster of {}",
            options.pool,
            options.conf.display()
        )),
        _ => failed(Doing::Asking("pool"), errno, options),
    })?;
    Ok((Arc::new(cluster), pool))
}

/// What librados is told beside the configuration file. Without limits it would wait for ever for a cluster that is down.
fn settings(options: &RadosOptions) -> Vec<(&'static str, Vec<u8>)> {
    let seconds = |limit: Duration| whole_seconds(limit).to_string().into_bytes();
    let mut settings = vec![
        ("client_mount_timeout", seconds(options.connect_time)),
        ("rados_mon_op_timeout", seconds(options.mon_time)),
        ("rados_osd_op_timeout", seconds(options.op_time)),
        // Its own bounds on what is under way would hold up the thread that sends; callers bound that themselves.
        ("objecter_inflight_ops", b"0".to_vec()),
        ("objecter_inflight_op_bytes", b"0".to_vec()),
        // What it would print comes back as errors.
        ("log_to_stderr", b"false".to_vec()),
        ("err_to_stderr", b"false".to_vec()),
    ];
    if let Some(keyring) = &options.keyring {
        settings.push(("keyring", keyring.as_os_str().as_bytes().to_vec()));
    }
    if let Some(location) = &options.crush_location {
        settings.push(("crush_location", location.clone().into_bytes()));
    }
    settings
}

/// Seconds, rounded up; at least one, since none would mean no limit.
fn whole_seconds(limit: Duration) -> u64 {
    let more = u64::from(limit.subsec_nanos() > 0);
    limit.as_secs().saturating_add(more).max(1)
}

fn read_conf(unconnected: &mut Unconnected, conf: &Path) -> Result<()> {
    let unusable = |why: &str| Error::invalid(format!("{} (ceph.conf) {why}", conf.display()));
    if let Err(cause) = File::open(conf) {
        return Err(unusable(&format!("cannot be read: {cause}")));
    }
    let path = c_string(conf.as_os_str()).ok_or_else(|| unusable("is no path"))?;
    unconnected
        .read_conf(&path)
        .map_err(|errno| unusable(&format!("cannot be understood: {errno}")))
}

fn check_keyring(keyring: &Path) -> Result<()> {
    match File::open(keyring) {
        Ok(_) => Ok(()),
        Err(cause) => Err(Error::denied(format!(
            "the keyring {} (ceph.keyring) cannot be read: {cause}",
            keyring.display()
        ))),
    }
}

fn set(unconnected: &mut Unconnected, option: &str, value: Vec<u8>) -> Result<()> {
    let told = || {
        Error::invalid(format!(
            "librados does not take {option} = {}",
            String::from_utf8_lossy(&value)
        ))
    };
    let name = CString::new(option).map_err(|_| told())?;
    let text = CString::new(value.clone()).map_err(|_| told())?;
    unconnected.set(&name, &text).map_err(|_| told())
}

fn c_string(text: &OsStr) -> Option<CString> {
    CString::new(text.as_bytes()).ok()
}

/// What a connection was attempted with.
struct Asked<'a> {
    monitors: Option<String>,
    keyring: Option<String>,
    options: &'a RadosOptions,
}

impl Asked<'_> {
    fn failed(&self, errno: Errno) -> Error {
        let options = self.options;
        let conf = options.conf.display();
        let user = &options.user;
        let keyring = self.keyring.as_deref().unwrap_or("the default places");
        let monitors = self.monitors.as_deref().unwrap_or_default();
        match errno {
            Errno::NOENT | Errno::INVAL if monitors.is_empty() => {
                Error::invalid(format!("{conf} (ceph.conf) names no monitors (mon_host)"))
            }
            Errno::INVAL => Error::invalid(format!(
                "the monitors `{monitors}` that {conf} (ceph.conf) names are no addresses"
            )),
            Errno::NOENT | Errno::IO => Error::denied(format!(
                "no key of client.{user} (ceph.user) in {keyring} (ceph.keyring): {errno}"
            )),
            Errno::PERM | Errno::ACCESS => Error::denied(format!(
                "the cluster of {conf} does not take client.{user} (ceph.user) with the key in {keyring} (ceph.keyring), or \
                 it lacks mon 'allow r'"
            )),
            Errno::OPNOTSUPP => Error::denied(format!(
                "the cluster of {conf} (ceph.conf) asks for another way of authentication (auth_client_required)"
            )),
            Errno::TIMEDOUT => unreachable_monitors(options, monitors),
            _ => Error::unavailable(format!(
                "connecting to the cluster of {conf} (ceph.conf): {errno}"
            )),
        }
    }
}

/// No monitor answered.
pub(super) fn unreachable_monitors(options: &RadosOptions, monitors: &str) -> Error {
    Error::unavailable(format!(
        "no monitor of {} (ceph.conf) answers within {:?} (ceph.connect_time): {monitors}",
        options.conf.display(),
        options.connect_time
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_limit_becomes_none() {
        for (limit, seconds) in [(0, 1), (1, 1), (1000, 1), (1001, 2), (2500, 3)] {
            assert_eq!(whole_seconds(Duration::from_millis(limit)), seconds);
        }
        assert_eq!(whole_seconds(Duration::MAX), u64::MAX);
    }
}
