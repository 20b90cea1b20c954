//! The nodes that calls can be placed on.

use crate::app::Shared;
use axum::Json;
use axum::extract::State;
use ganglion_types::{LinkEstimate, Load, Peer};
use serde::Serialize;
use utoipa::ToSchema;

/// The members of the cluster as this gateway knows them.
#[derive(Serialize, ToSchema)]
pub(crate) struct NodeList {
    nodes: Vec<NodeJson>,
}

#[derive(Serialize, ToSchema)]
struct NodeJson {
    id: String,
    /// `compute` or `storage`.
    site: &'static str,
    /// Where it listens; absent when it is in the gateway's process.
    address: Option<String>,
    /// What it last said of its work; absent while it cannot be reached.
    load: Option<LoadJson>,
    /// What past transfers say of the link to it.
    link: Option<LinkJson>,
}

#[derive(Serialize, ToSchema)]
struct LoadJson {
    /// Guests that may run at once.
    permits: u32,
    running: u32,
    queued: u32,
    /// Smoothed run time of a call, in microseconds.
    service_us: u64,
    draining: bool,
}

#[derive(Serialize, ToSchema)]
struct LinkJson {
    bytes_per_s: u64,
    round_trip_us: u64,
}

impl From<Load> for LoadJson {
    fn from(load: Load) -> Self {
        Self {
            permits: load.permits,
            running: load.running,
            queued: load.queued,
            service_us: load.service_ns / 1_000,
            draining: load.draining,
        }
    }
}

impl From<LinkEstimate> for LinkJson {
    fn from(link: LinkEstimate) -> Self {
        Self {
            bytes_per_s: link.bytes_per_s,
            round_trip_us: link.round_trip_ns / 1_000,
        }
    }
}

impl From<&dyn Peer> for NodeJson {
    fn from(peer: &dyn Peer) -> Self {
        Self {
            id: peer.id().to_string(),
            site: peer.site().as_str(),
            address: peer.address(),
            load: peer.load().map(Into::into),
            link: peer.link().map(Into::into),
        }
    }
}

/// The nodes, their loads and links.
#[utoipa::path(get, path = "/v1/nodes", tag = "nodes", responses((status = 200, body = NodeList)))]
pub(crate) async fn list_nodes(State(app): State<Shared>) -> Json<NodeList> {
    let members = app.peers.current();
    let nodes = members.iter().map(|member| (&*member.peer).into());
    Json(NodeList {
        nodes: nodes.collect(),
    })
}
