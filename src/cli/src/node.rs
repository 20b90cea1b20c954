//! The nodes that calls can be placed on.

use crate::client::Client;
use crate::failure::Outcome;
use crate::output::{Ui, number, table, words};
use crate::units;
use reqwest::Method;
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
struct NodeList {
    nodes: Vec<Node>,
}

/// A node, as the gateway knows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Node {
    id: String,
    site: String,
    address: Option<String>,
    load: Option<Load>,
    link: Option<Link>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Load {
    permits: u32,
    running: u32,
    queued: u32,
    service_us: u64,
    draining: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Link {
    bytes_per_s: u64,
    round_trip_us: u64,
}

/// Lists them.
///
/// # Errors
/// What the gateway says.
pub(crate) async fn list(client: &Client, ui: &Ui) -> Outcome<()> {
    let request = client.short(Method::GET, "/v1/nodes");
    let list: NodeList = client.json(request, ui).await?;
    ui.result(&list, list_table(&list.nodes))
}

fn list_table(nodes: &[Node]) -> String {
    let columns = [
        words("NODE"),
        words("SITE"),
        words("ADDRESS"),
        words("STATE"),
        number("RUNNING"),
        number("WAITING"),
        number("CALL"),
        words("LINK"),
    ];
    let rows: Vec<_> = nodes.iter().map(row).collect();
    table(columns, &rows)
}

fn row(node: &Node) -> [String; 8] {
    let absent = || "-".to_owned();
    let load = node.load.as_ref();
    let of_load = |text: fn(&Load) -> String| load.map_or_else(absent, text);
    let state = match load {
        None => "unreachable",
        Some(load) if load.draining => "draining",
        Some(_) => "up",
    };
    [
        node.id.clone(),
        node.site.clone(),
        node.address
            .clone()
            .unwrap_or_else(|| "in the gateway".to_owned()),
        state.to_owned(),
        of_load(|load| format!("{}/{}", load.running, load.permits)),
        of_load(|load| load.queued.to_string()),
        of_load(|load| match load.service_us {
            0 => "-".to_owned(),
            us => units::micros(us),
        }),
        node.link.as_ref().map_or_else(absent, |link| {
            format!(
                "{}/s, {}",
                units::bytes(link.bytes_per_s),
                units::micros(link.round_trip_us)
            )
        }),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_cannot_be_reached_is_listed_as_such() {
        let load = Load {
            permits: 4,
            running: 1,
            queued: 0,
            service_us: 850,
            draining: false,
        };
        let link = Link {
            bytes_per_s: 1 << 30,
            round_trip_us: 120,
        };
        let nodes = [
            Node {
                id: "compute-1".to_owned(),
                site: "compute".to_owned(),
                address: None,
                load: Some(load),
                link: None,
            },
            Node {
                id: "storage-1".to_owned(),
                site: "storage".to_owned(),
                address: Some("10.0.0.5:7000".to_owned()),
                load: None,
                link: Some(link),
            },
        ];
        let expected = "\
NODE       SITE     ADDRESS         STATE        RUNNING  WAITING    CALL  LINK
compute-1  compute  in the gateway  up               1/4        0  850 µs  -
storage-1  storage  10.0.0.5:7000   unreachable        -        -       -  1.0 GiB/s, 120 µs";
        assert_eq!(list_table(&nodes), expected);
    }
}
