//! What `bench placement` is told; also in a build that cannot run it.

use ganglion_types::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// What the compute machine's link carries each way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkSpeed {
    /// `None`: as much as the machine can.
    pub bits_per_s: Option<u64>,
}

impl LinkSpeed {
    /// 100 Mbit/s.
    pub const HUNDRED_MBIT: Self = Self::of(100_000_000);
    /// 1 Gbit/s.
    pub const GBIT: Self = Self::of(1_000_000_000);
    /// 10 Gbit/s.
    pub const TEN_GBIT: Self = Self::of(10_000_000_000);
    /// No limit.
    pub const UNLIMITED: Self = Self { bits_per_s: None };

    /// In the order of the tables.
    pub const ALL: [Self; 4] = [
        Self::HUNDRED_MBIT,
        Self::GBIT,
        Self::TEN_GBIT,
        Self::UNLIMITED,
    ];

    const fn of(bits_per_s: u64) -> Self {
        Self {
            bits_per_s: Some(bits_per_s),
        }
    }
}

impl fmt::Display for LinkSpeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.bits_per_s {
            None => f.write_str("unlimited"),
            Some(bits) if bits % 1_000_000_000 == 0 => {
                write!(f, "{} Gbit/s", bits / 1_000_000_000)
            }
            Some(bits) => write!(f, "{} Mbit/s", bits / 1_000_000),
        }
    }
}

impl FromStr for LinkSpeed {
    type Err = Error;
    /// `100mbit`, `10gbit`, `unlimited`; 1 Mbit/s to 100 Gbit/s.
    fn from_str(text: &str) -> Result<Self> {
        let wrong = || {
            Error::invalid(format!(
                "`{text}` is no speed of a link: 1mbit to 100gbit, or `unlimited`"
            ))
        };
        if text == "unlimited" {
            return Ok(Self::UNLIMITED);
        }
        let (number, unit) = match (text.strip_suffix("mbit"), text.strip_suffix("gbit")) {
            (Some(number), _) => (number, 1_000_000),
            (_, Some(number)) => (number, 1_000_000_000),
            _ => return Err(wrong()),
        };
        let number: u64 = number.parse().map_err(|_| wrong())?;
        match number.checked_mul(unit) {
            Some(bits @ 1_000_000..=100_000_000_000) => Ok(Self::of(bits)),
            _ => Err(wrong()),
        }
    }
}

/// What `bench placement` is told.
#[derive(Clone, Debug)]
pub struct PlacementOptions {
    /// Objects of 4 MiB; 1 to 1000.
    pub objects: usize,
    /// The compute machine's link.
    pub links: Vec<LinkSpeed>,
    /// How often each way has its turn in a cell. At least 1.
    pub rounds: usize,
    /// Length of a turn.
    pub round: Duration,
    /// Where the report is written as JSON.
    pub json: Option<PathBuf>,
    /// Where the plot is written as SVG.
    pub plot: Option<PathBuf>,
}

impl Default for PlacementOptions {
    /// About nine minutes.
    fn default() -> Self {
        Self {
            objects: 64,
            links: LinkSpeed::ALL.to_vec(),
            rounds: 3,
            round: Duration::from_secs(2),
            json: None,
            plot: None,
        }
    }
}

impl PlacementOptions {
    /// About half a minute: every part runs, no figure is worth quoting.
    pub fn quick() -> Self {
        Self {
            objects: 8,
            links: vec![LinkSpeed::GBIT, LinkSpeed::UNLIMITED],
            rounds: 1,
            round: Duration::from_millis(300),
            ..Self::default()
        }
    }
}

/// What `bench-load` is told.
#[derive(Clone, Debug)]
pub struct GeneratorOptions {
    /// The gateway.
    pub gateway: SocketAddr,
    /// Folder of the answers that are to come.
    pub answers: PathBuf,
    /// How many objects there are.
    pub objects: usize,
    /// Requests in flight, each on a connection of its own.
    pub in_flight: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_speed_reads_as_it_is_written_and_others_are_refused() {
        for (text, shown) in [
            ("100mbit", "100 Mbit/s"),
            ("2500mbit", "2500 Mbit/s"),
            ("10gbit", "10 Gbit/s"),
            ("unlimited", "unlimited"),
        ] {
            assert_eq!(text.parse::<LinkSpeed>().unwrap().to_string(), shown);
        }
        for text in [
            "",
            "10",
            "0mbit",
            "-1gbit",
            "101gbit",
            "99999999999999gbit",
            "1 gbit",
        ] {
            assert!(text.parse::<LinkSpeed>().is_err(), "{text}");
        }
    }
}
