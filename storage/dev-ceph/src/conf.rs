//! The text of ceph.conf.

use crate::folder::Folder;
use crate::network::Addresses;
use crate::options::{Options, Store};
use std::fmt::Write;

/// The ceph.conf that daemons and clients of this cluster read.
pub(crate) fn text(
    folder: &Folder,
    options: &Options,
    fsid: &str,
    addresses: &Addresses,
) -> String {
    let mut text = String::new();
    section(
        &mut text,
        "global",
        &global(folder, options, fsid, addresses),
    );
    for line in &options.extra {
        line_of(&mut text, line);
    }
    section(&mut text, "mon", &monitor(folder, addresses));
    section(&mut text, "osd", &osd(folder, options));
    for index in 0..options.osds {
        let address = addresses.osd(index);
        let lines = format!("public addr = {address}\ncluster addr = {address}");
        section(&mut text, &format!("osd.{index}"), &lines);
    }
    section(&mut text, "client", CLIENT);
    text
}

fn section(text: &mut String, name: &str, lines: &str) {
    line_of(text, &format!("[{name}]"));
    lines.lines().for_each(|line| line_of(text, line));
}

/// Blank lines and the notes of this file stay here.
fn line_of(text: &mut String, line: &str) {
    let line = line.trim();
    if !line.is_empty() && !line.starts_with('#') {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{line}");
    }
}

fn global(folder: &Folder, options: &Options, fsid: &str, addresses: &Addresses) -> String {
    let auth = if options.auth { "cephx" } else { "none" };
    let (interval, grace) = if options.quick_failover {
        (1, 4)
    } else {
        (6, 20)
    };
    let lonely_grace = grace * 2;
    let path = folder.path().display();
    format!(
        "
        fsid = {fsid}
        mon host = v1:{monitor}:{port}
        auth cluster required = {auth}
        auth service required = {auth}
        auth client required = {auth}
        keyring = {path}/keys/$name.keyring
        run dir = {path}/run
        log file = {path}/log/$name.log
        mon cluster log file = {path}/log/cluster.log
        crash dir = {path}/log/crash
        # The first protocol answers small reads quicker than the second.
        ms bind msgr2 = false
        ms async op threads = 2
        # CRUSH positions are given by hand: an OSD that asks a young monitor for one may be refused and ends.
        osd crush update on start = false
        osd class update on start = false
        osd pool default size = {copies}
        osd pool default min size = 1
        osd pool default pg autoscale mode = off
        mon allow pool size one = true
        mon allow pool delete = true
        mon max pg per osd = 1000
        mon warn on pool no redundancy = false
        mon warn on insecure global id reclaim = false
        mon warn on insecure global id reclaim allowed = false
        # There is no manager, and its absence is no fault.
        mon mgr mkfs grace = 100000000
        # The monitor judges by its own copies of these, so that they stand here.
        osd heartbeat interval = {interval}
        osd heartbeat grace = {grace}
        # A lonely OSD has no peers that miss it: it reports, and the monitor misses that.
        osd beacon report interval = {interval}
        mon osd report timeout = {lonely_grace}
        mon osd adjust heartbeat grace = false
        mon osd adjust down out interval = false
        ",
        monitor = addresses.monitor(),
        port = Addresses::MONITOR_PORT,
        copies = options.copies(),
    )
}

fn monitor(folder: &Folder, addresses: &Addresses) -> String {
    format!(
        "
        public addr = {address}
        mon data = {path}/data/$name
        keyring = {path}/data/$name/keyring
        admin socket = {path}/run/$name.asok
        pid file =
        # Disks of development machines are often nearly full.
        mon data avail crit = 1
        mon data avail warn = 2
        # One monitor needs nobody's consent.
        paxos propose interval = 0.05
        paxos min wait = 0.01
        mon tick interval = 1
        mon osd min down reporters = 1
        # A dead OSD stays a member: tests start it again.
        mon osd down out interval = 86400
        rocksdb cache size = 33554432
        ",
        address = addresses.monitor(),
        path = folder.path().display(),
    )
}

fn osd(folder: &Folder, options: &Options) -> String {
    let (backend, bytes) = match options.store {
        Store::Memory => ("memstore", 4 << 30),
        Store::BlueStore { bytes } => ("bluestore", bytes),
    };
    format!(
        "
        osd data = {path}/data/$name
        admin socket = {path}/run/$name.asok
        pid file =
        osd objectstore = {backend}
        memstore device bytes = {bytes}
        bluestore block create = true
        bluestore block size = {bytes}
        bluestore block wal size = 0
        bluestore block db size = 0
        bluestore fsck on mount = false
        # Many OSDs share one machine: small caches, small write buffers, few threads.
        bluestore cache autotune = false
        bluestore cache size = 67108864
        bluestore rocksdb options = compression=kNoCompression,max_write_buffer_number=4,\
          min_write_buffer_number_to_merge=1,recycle_log_file_num=4,write_buffer_size=16777216,\
          writable_file_max_buffer_size=0,compaction_readahead_size=2097152
        osd op num shards = 2
        osd op num shards hdd = 2
        osd op num shards ssd = 2
        osd op num threads per shard = 2
        osd op num threads per shard hdd = 2
        osd op num threads per shard ssd = 2
        osd op queue = wpq
        osd max backfills = 4
        osd recovery sleep = 0
        osd class load list = *
        osd class default list = *
        osd scrub load threshold = 0.01
        ",
        path = folder.path().display(),
    )
}

/// Without bounds a client waits for ever for an OSD, and five minutes for a monitor.
const CLIENT: &str = "
    client mount timeout = 10
    rados mon op timeout = 10
    rados osd op timeout = 30
    log to stderr = false
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extra_lines_come_last_in_the_global_section() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::make(dir.path()).unwrap();
        let options = Options {
            extra: vec!["osd heartbeat grace = 7".to_owned()],
            ..Options::new(dir.path())
        };
        let text = text(&folder, &options, "f-s-i-d", &Addresses::new([127, 9, 8]));
        let global = text.split("[mon]").next().unwrap();
        let ours = global.find("osd heartbeat grace = 20").unwrap();
        assert!(global.find("osd heartbeat grace = 7").unwrap() > ours);
        assert!(
            text.contains("[osd.2]\npublic addr = 127.9.8.12\n"),
            "{text}"
        );
        assert!(text.contains("mon host = v1:127.9.8.1:6789\n"));
        assert!(!text.contains('#'));
    }
}
