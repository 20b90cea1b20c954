//! What holds for any facts.

use super::world::{Node, World};
use crate::{Because, Link};
use ganglion_types::{ErrorKind, LinkEstimate, Load, Ndp, Site};
use proptest::prelude::*;

fn any_link() -> impl Strategy<Value = Link> {
    prop_oneof![
        Just(Link::SameProcess),
        Just(Link::Unmeasured),
        (1_000_000..20_000_000_000_u64, 1_000..50_000_000_u64).prop_map(
            |(bytes_per_s, round_trip_ns)| Link::Measured(LinkEstimate {
                bytes_per_s,
                round_trip_ns,
            })
        ),
        // Absurd facts must be survived.
        Just(Link::Measured(LinkEstimate {
            bytes_per_s: 0,
            round_trip_ns: u64::MAX,
        })),
    ]
}

fn any_load() -> impl Strategy<Value = Option<Load>> {
    let load = (0..9_u32, 0..12_u32, 0..20_u32, 0..50_000_000_u64, 0..10_u8);
    prop::option::weighted(
        0.85,
        load.prop_map(|(permits, running, queued, service_ns, drain)| Load {
            permits,
            running,
            queued,
            service_ns,
            draining: drain == 0,
        }),
    )
}

prop_compose! {
    fn any_node(site: Site)(
        load in any_load(),
        link in any_link(),
        object_link in any_link(),
        refused in prop::bool::weighted(0.1),
    ) -> Node {
        Node { load, link, object_link, refused, ..Node::new(site, 0) }
    }
}

prop_compose! {
    fn any_lessons()(
        lessons in prop::collection::vec(
            (any::<bool>(), 0..100_000_000_u64, 1_u64..1_000_000_000),
            0..40,
        ),
    ) -> Vec<(Site, u64, u64)> {
        let site = |storage| if storage { Site::Storage } else { Site::Compute };
        lessons.into_iter().map(|(storage, size, ns)| (site(storage), size, ns)).collect()
    }
}

prop_compose! {
    fn any_world()(
        forbidden in any::<bool>(),
        input_bytes in 0..100_000_000_u64,
        named in prop::bool::weighted(0.8),
        size in prop::option::of(0..5_000_000_000_u64),
        home in prop::option::weighted(0.9, 1..5_usize),
        compute in prop::collection::vec(any_node(Site::Compute), 0..4),
        storage in prop::collection::vec(any_node(Site::Storage), 0..4),
        lessons in any_lessons(),
        placements in 0..40_u32,
        spread in any::<u64>(),
    ) -> World {
        let mut world = World::new(0, 0);
        for (number, node) in compute.into_iter().enumerate() {
            world.nodes.push(Node { id: Node::new(Site::Compute, number).id, ..node });
        }
        for (number, node) in storage.into_iter().enumerate() {
            world.nodes.push(Node { id: Node::new(Site::Storage, number + 1).id, ..node });
        }
        if named {
            world = world.with_object(0);
            world.size_bytes = size;
            world.home = home.map(|number| Node::new(Site::Storage, number).id);
        }
        world.input_bytes = input_bytes;
        world.spread = spread;
        for (site, size, ns) in lessons {
            world.teach(site, size, ns);
        }
        for _ in 0..placements {
            if world.chosen().is_some() {
                world.settle();
            }
        }
        world.ndp = if forbidden { Ndp::Forbidden } else { Ndp::Allowed };
        world
    }
}

/// Two sites between which there is a choice: `compute-0` and the object's home.
fn any_choice() -> impl Strategy<Value = World> {
    any_world().prop_map(|mut world| {
        world.ndp = Ndp::Allowed;
        if world.object.is_none() || world.home.is_none() {
            world = World {
                profile: world.profile,
                spread: world.spread,
                nodes: world.nodes,
                ..World::new(0, 0).with_object(1 << 20)
            };
        }
        world.home = Some(Node::new(Site::Storage, 1).id);
        for (site, number) in [(Site::Compute, 0), (Site::Storage, 1)] {
            let fresh = Node::new(site, number);
            match world.nodes.iter_mut().find(|node| node.id == fresh.id) {
                None => world.nodes.push(fresh),
                Some(node) if node.refused => *node = fresh,
                Some(node) => match &mut node.load {
                    Some(load) if !load.draining && load.permits > 0 => {}
                    load => *load = fresh.load,
                },
            }
        }
        world
            .nodes
            .retain(|node| node.site == Site::Storage || node.id.as_str() == "compute-0");
        world
    })
}

fn site(world: &World) -> Site {
    world.decide(|decision| decision.unwrap().chosen.site)
}

fn slower(link: Link, factor: u64) -> Link {
    match link {
        Link::SameProcess => Link::Unmeasured,
        other => other.estimate().map_or(other, |estimate| {
            Link::Measured(LinkEstimate {
                bytes_per_s: estimate.bytes_per_s / factor,
                round_trip_ns: estimate.round_trip_ns.saturating_mul(factor),
            })
        }),
    }
}

fn queue_more(node: &mut Node, more: u32) {
    if let Some(load) = &mut node.load {
        load.queued += more;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_same_facts_give_the_same_decision_and_the_same_words(world in any_world()) {
        let twin = world.clone();
        world.decide(|one| twin.decide(|two| {
            assert_eq!(one, two);
            if let (Ok(one), Ok(two)) = (one, two) {
                assert_eq!(one.to_string(), two.to_string());
            }
        }));
    }

    #[test]
    fn a_forbidden_call_never_goes_to_storage(mut world in any_world()) {
        world.ndp = Ndp::Forbidden;
        world.decide(|decision| match decision {
            Ok(decision) => {
                assert_eq!(decision.chosen.site, Site::Compute);
                assert_eq!(decision.alternative, None);
                assert_eq!(decision.because, Because::Forbidden);
            }
            Err(error) => assert!(error.kind().nothing_ran(), "{error}"),
        });
    }

    #[test]
    fn only_a_node_that_can_take_the_call_is_chosen_and_storage_only_at_home(world in any_world()) {
        world.decide(|decision| {
            let usable = |node: &Node| {
                !node.refused && node.load.is_some_and(|load| !load.draining && load.permits > 0)
            };
            match decision {
                Ok(decision) => {
                    let node = &world.nodes[decision.chosen.index];
                    assert!(usable(node), "{node:?}");
                    assert_eq!((&node.id, node.site), (decision.chosen.node, decision.chosen.site));
                    if node.site == Site::Storage {
                        assert_eq!(Some(&node.id), world.home.as_ref());
                        assert!(world.object.is_some());
                    }
                }
                Err(error) => {
                    let compute = |node: &&Node| node.site == Site::Compute && usable(node);
                    assert!(!world.nodes.iter().any(|node| compute(&node)), "{error}");
                    assert!(matches!(error.kind(), ErrorKind::Busy | ErrorKind::Unavailable));
                }
            }
        });
    }

    #[test]
    fn the_explanation_begins_with_the_chosen_node_and_fits_a_header(world in any_world()) {
        world.decide(|decision| if let Ok(decision) = decision {
            let text = decision.to_string();
            assert!(text.starts_with(decision.chosen.node.as_str()), "{text}");
            assert!(text.len() <= 400, "{text}");
            assert!(text.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{text}");
            assert!(!text.contains("the only place"), "{text}");
        });
    }

    #[test]
    fn a_slower_link_never_attracts(
        world in any_choice(),
        factor in 2..100_u64,
        at_compute in any::<bool>(),
    ) {
        let (name, away) = if at_compute {
            ("compute-0", Site::Storage)
        } else {
            ("storage-1", Site::Compute)
        };
        let mut worse = world.clone();
        let node = worse.node(name);
        node.link = slower(node.link, factor);
        node.object_link = slower(node.object_link, factor);
        if site(&world) == away {
            prop_assert_eq!(site(&worse), away);
        }
    }

    #[test]
    fn a_longer_queue_never_attracts(world in any_world(), which in any::<prop::sample::Index>(), more in 1..50_u32) {
        if world.nodes.is_empty() {
            return Ok(());
        }
        let mut worse = world.clone();
        let which = which.index(world.nodes.len());
        queue_more(&mut worse.nodes[which], more);
        let name = world.nodes[which].id.to_string();
        if world.chosen().as_deref() != Some(&name) {
            prop_assert_ne!(worse.chosen(), Some(name));
        }
    }

    #[test]
    fn more_bytes_to_move_never_attract_to_where_they_move(
        world in any_choice(),
        more in 1..1_000_000_000_u64,
    ) {
        // The bytes also have to be worked on; only sites with equal processors isolate the moving.
        let mut world = World { profile: crate::Profile::default(), ..world };
        world.size_bytes = Some(1 << 20);
        let bigger = World { size_bytes: Some((1 << 20) + more), ..world.clone() };
        let moves = |world: &World| world.decide(|decision| {
            let decision = decision.unwrap();
            let compute = [Some(decision.chosen), decision.alternative];
            compute.into_iter().flatten().find(|place| place.site == Site::Compute)
                .map(|place| place.predicted.move_ns)
        });
        prop_assert!(moves(&bigger) >= moves(&world));
        if site(&world) == Site::Storage && world.node("storage-1").load.unwrap().service_ns > 0
            && world.node("compute-0").load.unwrap().service_ns > 0
        {
            prop_assert_eq!(site(&bigger), Site::Storage);
        }
    }

    #[test]
    fn a_settled_function_does_not_flap_under_two_percent_of_noise(
        run_us in 10..1_000_000_u64,
        noise in prop::collection::vec((-20..=20_i64, -20..=20_i64), 2..40),
    ) {
        // Two sites of equal worth: both are beside the object, and all the time is the queue's.
        let mut world = World::new(1, 1).with_object(0);
        for name in ["compute-0", "storage-1"] {
            world.node(name).link = Link::SameProcess;
            world.node(name).object_link = Link::SameProcess;
        }
        for _ in 0..2 {
            world.teach(Site::Compute, 0, 0);
            world.teach(Site::Storage, 0, 0);
        }
        let noisy = |permille: i64| Load {
            permits: 1,
            running: 1,
            queued: 0,
            service_ns: run_us * 1000 * u64::try_from(1000 + permille).unwrap(),
            draining: false,
        };
        let mut sites = Vec::new();
        for (compute, storage) in noise {
            world.node("compute-0").load = Some(noisy(compute));
            world.node("storage-1").load = Some(noisy(storage));
            world.decide(|decision| {
                let explored = matches!(decision.unwrap().because, Because::Exploring { .. });
                assert!(!explored);
            });
            sites.push(site(&world));
            world.settle();
        }
        prop_assert!(sites.windows(2).all(|pair| pair[0] == pair[1]), "{sites:?}");
    }
}
