//! A node's announcement survives being kept, and what is none is not taken for one.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use ganglion_types::{Announcement, ErrorKind, Load, NodeId, Site};
use ganglion_wire::{
    ANNOUNCEMENT_BYTES_MAX, Message, message, open_announcement, seal, seal_announcement,
};
use proptest::prelude::*;

fn announcement() -> Announcement {
    Announcement {
        node: NodeId::new("storage-1").unwrap(),
        site: Site::Storage,
        address: "10.0.0.7:7400".to_owned(),
        osds: vec![0, 3, u32::MAX],
        load: Load {
            permits: 1,
            running: 2,
            queued: 3,
            service_ns: 4,
            draining: true,
        },
        incarnation: u64::MAX - 1,
        host: "rack-3".to_owned(),
        pid: 4711,
    }
}

#[test]
fn an_announcement_arrives_with_every_field() {
    let sealed = seal_announcement(&announcement()).unwrap();
    assert_eq!(open_announcement(&sealed).unwrap(), announcement());
}

#[test]
fn an_announcement_too_long_is_refused_by_the_name_of_its_node() {
    let mut longest = announcement();
    longest.osds = vec![u32::MAX; 3200];
    seal_announcement(&longest).unwrap();
    longest.osds = vec![u32::MAX; 3300];
    let error = seal_announcement(&longest).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let limit = ANNOUNCEMENT_BYTES_MAX.to_string();
    assert!(error.message().contains("storage-1") && error.message().contains(&limit));
}

#[test]
fn an_announcement_of_another_format_is_told_from_garbage() {
    let body = message::Announcement::from(&announcement()).encode_to_vec();
    let of_format = |format| seal(format, &body, ANNOUNCEMENT_BYTES_MAX).unwrap();
    open_announcement(&of_format(1)).unwrap();
    let error = open_announcement(&of_format(2)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.message().contains("format 2"), "{error}");
}

#[test]
fn an_announcement_that_no_node_would_make_is_corrupt() {
    type Spoil = fn(&mut message::Announcement);
    let spoilt: [Spoil; 4] = [
        |announcement| announcement.node = "two words".to_owned(),
        |announcement| announcement.node.clear(),
        |announcement| announcement.site = 0,
        |announcement| announcement.address = "nowhere".to_owned(),
    ];
    for spoil in spoilt {
        let mut announcement = message::Announcement::from(&announcement());
        spoil(&mut announcement);
        let body = announcement.encode_to_vec();
        let sealed = seal(1, &body, ANNOUNCEMENT_BYTES_MAX).unwrap();
        let error = open_announcement(&sealed).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    }
    assert!(
        seal_announcement(&Announcement {
            address: "nowhere".to_owned(),
            ..announcement()
        })
        .is_err()
    );
}

proptest! {
    #[test]
    fn garbage_is_no_announcement(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(open_announcement(&bytes).unwrap_err().kind(), ErrorKind::Corrupt);
    }

    #[test]
    fn a_sealed_body_of_garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Err(error) = open_announcement(&seal(1, &bytes, 200).unwrap()) {
            prop_assert_eq!(error.kind(), ErrorKind::Corrupt);
        }
    }
}
