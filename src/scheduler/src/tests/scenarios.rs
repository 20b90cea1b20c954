//! One situation a test, with the words that a user reads.

use super::world::{World, idle, link};
use crate::{Link, Unfit};
use ganglion_types::{ErrorKind, Load, Ndp, Site};

const MIB: u64 = 1 << 20;

fn busy(permits: u32, running: u32, queued: u32, service_ns: u64) -> Option<Load> {
    Some(Load {
        permits,
        running,
        queued,
        service_ns,
        draining: false,
    })
}

fn refusal(world: &World) -> (ErrorKind, String) {
    world.decide(|decision| {
        let error = decision.unwrap_err();
        (error.kind(), error.to_string())
    })
}

#[test]
fn a_large_object_draws_the_call_to_its_home() {
    let world = World::new(2, 3).with_object(16 * MIB);
    assert_eq!(
        world.explain(),
        "storage-1 holds ndp/hello: moving 16.0 MiB more to compute-0 would add 14 ms"
    );
}

#[test]
fn forbid_ndp_keeps_even_a_huge_object_s_call_on_compute() {
    let mut world = World::new(2, 3).with_object(1024 * MIB);
    world.ndp = Ndp::Forbidden;
    assert_eq!(world.explain(), "compute-0: forbid_ndp");
}

#[test]
fn without_an_object_the_less_loaded_of_two_compute_nodes_is_taken() {
    let mut world = World::new(2, 3);
    world.node("compute-0").load = busy(2, 1, 0, 1_000_000);
    assert_eq!(
        world.explain(),
        "compute-1: no object named, least loaded of two"
    );
    world.nodes.remove(1);
    assert_eq!(
        world.explain(),
        "compute-0: no object named, the only compute node"
    );
}

#[test]
fn the_compute_node_of_the_caller_s_own_process_is_taken_while_it_has_a_permit() {
    let mut world = World::new(2, 0);
    world.node("compute-1").link = Link::SameProcess;
    world.node("compute-1").load = busy(2, 1, 0, 1_000_000);
    assert_eq!(world.chosen().unwrap(), "compute-1");
    world.node("compute-1").load = busy(2, 2, 0, 1_000_000);
    assert_eq!(world.chosen().unwrap(), "compute-0");
}

#[test]
fn a_busy_home_sends_the_call_to_compute() {
    let mut world = World::new(1, 1).with_object(MIB);
    world.node("storage-1").load = busy(2, 2, 3, 10_000_000);
    assert_eq!(
        world.explain(),
        "compute-0: storage-1 is busy (2 of 2 permits, 3 queued), waiting there would add 20 ms"
    );
}

#[test]
fn a_site_that_proved_slow_is_left() {
    let mut world = World::new(1, 1).with_object(MIB);
    for _ in 0..8 {
        world.teach(Site::Compute, MIB, 1_000_000);
        world.teach(Site::Storage, MIB, 8_000_000);
    }
    assert_eq!(
        world.explain(),
        "compute-0: the function runs 1.7 ms here and 6.1 ms on storage-1"
    );
}

#[test]
fn a_function_that_reads_little_of_its_object_moves_little() {
    let mut world = World::new(1, 1).with_object(1024 * MIB);
    world.node("storage-1").load = busy(2, 2, 0, 5_000_000);
    assert_eq!(world.chosen().unwrap(), "storage-1");
    for _ in 0..8 {
        world.teach_read(Site::Compute, 4096, 1024 * MIB, 100_000);
    }
    assert_eq!(world.chosen().unwrap(), "compute-0");
}

#[test]
fn a_home_that_cannot_take_the_call_is_named() {
    let cases = [
        (Unfit::Unreachable, "cannot be reached"),
        (Unfit::Draining, "is draining"),
        (Unfit::NoPermits, "has no permits"),
        (Unfit::Refused, "refused the call"),
    ];
    for (unfit, words) in cases {
        let mut world = World::new(1, 2).with_object(16 * MIB);
        let home = world.node("storage-1");
        match unfit {
            Unfit::Unreachable | Unfit::Absent => home.load = None,
            Unfit::Draining => home.load.as_mut().unwrap().draining = true,
            Unfit::NoPermits => home.load = Some(idle(0)),
            Unfit::Refused => home.refused = true,
        }
        let expected = format!("compute-0: storage-1, which holds ndp/hello, {words}");
        assert_eq!(world.explain(), expected);
    }
    let mut world = World::new(1, 1).with_object(16 * MIB);
    world.home = None;
    assert_eq!(
        world.explain(),
        "compute-0: the home of ndp/hello is not known"
    );
}

#[test]
fn without_compute_only_the_object_s_home_helps() {
    let mut world = World::new(1, 2).with_object(MIB);
    world.node("compute-0").load = None;
    assert_eq!(
        world.explain(),
        "storage-1 holds ndp/hello: no compute node can take the call"
    );
    world.ndp = Ndp::Forbidden;
    let (kind, text) = refusal(&world);
    assert_eq!(kind, ErrorKind::Unavailable);
    assert_eq!(
        text,
        "no compute node can take the call (1 unreachable, 0 draining, 0 without permits, 0 refused) \
         and forbid_ndp keeps it from storage"
    );
    world.ndp = Ndp::Allowed;
    world.object = None;
    assert_eq!(refusal(&world).0, ErrorKind::Unavailable);
}

#[test]
fn a_call_that_every_node_refused_is_told_to_retry() {
    let mut world = World::new(1, 1).with_object(MIB);
    world.node("compute-0").refused = true;
    world.node("storage-1").refused = true;
    let (kind, text) = refusal(&world);
    assert_eq!(kind, ErrorKind::Busy);
    assert!(
        text.ends_with("storage-1, which holds its object, refused the call"),
        "{text}"
    );
}

#[test]
fn a_settled_function_moves_only_for_more_than_a_tenth() {
    let mut world = World::new(1, 1).with_object(16 * MIB);
    // Both sites are known alike, so that nothing is explored.
    for _ in 0..16 {
        world.teach(Site::Compute, 16 * MIB, 16_000_000);
        world.teach(Site::Storage, 16 * MIB, 16_000_000);
    }
    world.settle();
    assert_eq!(world.profile.settled(), Some(Site::Storage));
    world.node("storage-1").load = busy(1, 1, 0, 14_500_000);
    let text = world.explain();
    assert!(
        text.starts_with("storage-1: the function stays, "),
        "{text}"
    );
    world.node("storage-1").load = busy(1, 1, 0, 19_000_000);
    assert_eq!(world.chosen().unwrap(), "compute-0");
}

#[test]
fn in_the_middle_of_a_call_the_delta_weighs_against_the_object() {
    let mut world = World::new(1, 1).with_object(4 * MIB);
    world.node("compute-0").link = Link::SameProcess;
    world.input_bytes = 64 << 10;
    assert_eq!(world.chosen().unwrap(), "storage-1");
    world.input_bytes = 64 * MIB;
    assert_eq!(
        world.explain(),
        "compute-0: moving 60.0 MiB more to storage-1 would add 50 ms"
    );
}

#[test]
fn the_site_less_known_is_tried_when_it_may_be_better() {
    let mut world = World::new(1, 1).with_object(16 * MIB);
    world.teach(Site::Storage, 16 * MIB, 60_000_000);
    let text = world.explain();
    assert!(
        text.starts_with("compute-0: tried to learn, 0 calls seen on compute; predicted to add"),
        "{text}"
    );
    // Over a slow link the trial would cost too much.
    world.node("compute-0").object_link = link(125_000_000, 100_000);
    assert_eq!(world.chosen().unwrap(), "storage-1");
}
