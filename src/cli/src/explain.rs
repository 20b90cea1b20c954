//! How a call went: the `ganglion-*` headers of its answer, for people and for documents.

use crate::units;
use http::HeaderMap;
use serde::Serialize;
use std::fmt;
use std::str::FromStr;

/// What an answer says of its call; what it does not say is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Explanation {
    #[serde(skip_serializing_if = "Option::is_none")]
    call_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    site: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    moved_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    predicted_us: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wait_us: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_us: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offloaded: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    in_place: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_taken: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delta_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    storage_reason: Option<String>,
}

impl Explanation {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        Self {
            call_id: value(headers, "ganglion-call-id"),
            node: value(headers, "ganglion-node"),
            site: value(headers, "ganglion-site"),
            reason: value(headers, "ganglion-reason"),
            start: value(headers, "ganglion-start"),
            moved_bytes: value(headers, "ganglion-moved-bytes"),
            predicted_us: value(headers, "ganglion-predicted-us"),
            wait_us: value(headers, "ganglion-wait-us"),
            run_us: value(headers, "ganglion-run-us"),
            exit_code: value(headers, "ganglion-exit-code"),
            offloaded: value(headers, "ganglion-offloaded"),
            in_place: value(headers, "ganglion-in-place"),
            not_taken: value(headers, "ganglion-not-taken"),
            delta_bytes: value(headers, "ganglion-delta-bytes"),
            storage_reason: value(headers, "ganglion-storage-reason"),
        }
    }

    /// Whether anything ran.
    pub(crate) fn tells_of_a_run(&self) -> bool {
        self.node.is_some()
    }

    fn place(&self) -> Option<String> {
        let node = self.node.as_ref()?;
        let site = self.site.as_deref().unwrap_or("unknown");
        let start = match self.start.as_deref() {
            Some("restored") => ", restored from its image",
            Some("cold") => ", started cold",
            _ => "",
        };
        Some(format!("{node}, a {site} node{start}"))
    }

    /// What became of the call's storage calls, and why the last one ran where it did.
    fn offloads(&self) -> Option<String> {
        let (offloaded, in_place) = (self.offloaded?, self.in_place?);
        let moved = units::bytes(self.delta_bytes.unwrap_or(0));
        let not_taken = match self.not_taken.unwrap_or(0) {
            0 => String::new(),
            calls => format!(" ({calls} after another node did not take it)"),
        };
        let reason = self.storage_reason.as_deref().unwrap_or_default();
        Some(format!(
            "{offloaded} offloaded with {moved} of memory, {in_place} in place{not_taken}; the last because {reason}"
        ))
    }

    fn time(&self) -> Option<String> {
        let (wait, run) = (self.wait_us.unwrap_or(0), self.run_us?);
        let measured = units::micros(wait.saturating_add(run));
        let parts = format!("waited {}, ran {}", units::micros(wait), units::micros(run));
        Some(match self.predicted_us {
            Some(predicted) => {
                let predicted = units::micros(predicted);
                format!("predicted {predicted}, measured {measured} ({parts})")
            }
            None => format!("measured {measured} ({parts})"),
        })
    }
}

fn value<T: FromStr>(headers: &HeaderMap, name: &str) -> Option<T> {
    headers.get(name)?.to_str().ok()?.parse().ok()
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moved = self.moved_bytes.map(|moved| match moved {
            0 => "nothing between nodes".to_owned(),
            moved => format!("{} between nodes", units::bytes(moved)),
        });
        let lines = [
            ("call", self.call_id.clone()),
            ("ran on", self.place()),
            ("because", self.reason.clone()),
            ("time", self.time()),
            ("moved", moved),
            ("offloads", self.offloads()),
            ("returned", self.exit_code.map(|code| code.to_string())),
        ];
        let known = lines
            .iter()
            .filter_map(|(name, text)| Some((name, text.as_ref()?)));
        for (index, (name, text)) in known.enumerate() {
            let line_end = if index == 0 { "" } else { "\n" };
            write!(f, "{line_end}{name:<10}{text}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explanation(pairs: &[(&'static str, &'static str)]) -> Explanation {
        let mut headers = HeaderMap::new();
        for (name, text) in pairs {
            headers.insert(*name, http::HeaderValue::from_static(text));
        }
        Explanation::of(&headers)
    }

    #[test]
    fn prediction_stands_beside_measurement() {
        let told = explanation(&[
            ("ganglion-call-id", "00000000000000010000000000000001"),
            ("ganglion-node", "storage-1"),
            ("ganglion-site", "storage"),
            (
                "ganglion-reason",
                "storage-1: carrying 64 MiB would take 0.5 s",
            ),
            ("ganglion-start", "restored"),
            ("ganglion-moved-bytes", "4194304"),
            ("ganglion-predicted-us", "1200"),
            ("ganglion-wait-us", "110"),
            ("ganglion-run-us", "1200"),
            ("ganglion-exit-code", "0"),
        ]);
        let expected = "\
call      00000000000000010000000000000001
ran on    storage-1, a storage node, restored from its image
because   storage-1: carrying 64 MiB would take 0.5 s
time      predicted 1.20 ms, measured 1.31 ms (waited 110 µs, ran 1.20 ms)
moved     4.0 MiB between nodes
returned  0";
        assert_eq!(told.to_string(), expected);
        assert!(told.tells_of_a_run());
    }

    #[test]
    fn the_decision_in_the_middle_of_the_call_stands_below_the_one_before_it() {
        let told = explanation(&[
            ("ganglion-node", "compute-0"),
            ("ganglion-site", "compute"),
            ("ganglion-reason", "compute-0: it names no object"),
            ("ganglion-offloaded", "2"),
            ("ganglion-in-place", "1"),
            ("ganglion-not-taken", "1"),
            ("ganglion-delta-bytes", "8192"),
            ("ganglion-storage-reason", "storage-1: the object is there"),
        ]);
        let expected = "\
ran on    compute-0, a compute node
because   compute-0: it names no object
offloads  2 offloaded with 8.0 KiB of memory, 1 in place (1 after another node did not take it); the last because storage-1: the object is there";
        assert_eq!(told.to_string(), expected);
    }

    #[test]
    fn what_an_answer_does_not_say_is_not_made_up() {
        let refused = explanation(&[("ganglion-call-id", "ab")]);
        assert_eq!(refused.to_string(), "call      ab");
        assert!(!refused.tells_of_a_run());
        assert_eq!(
            serde_json::to_string(&refused).unwrap(),
            r#"{"call_id":"ab"}"#
        );
        assert_eq!(
            explanation(&[("ganglion-run-us", "soon")]),
            Explanation::default()
        );
    }
}
