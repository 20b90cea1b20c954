//! Where a process listens: an address, or the one that it has on the cluster's network.

use ganglion_types::{Error, Result};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use tokio::net::TcpListener;

/// What stands for the address from which Redis is reached.
const CLUSTER: &str = "cluster";

/// `HOST:PORT` or `HOST:FIRST-LAST`, of which the first free port is taken. HOST is an address of this host, or `cluster`: the one from
/// which the Redis of `redis.url` is reached, on whatever network that is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenAddress {
    /// `None`: the one from which Redis is reached.
    host: Option<IpAddr>,
    first: u16,
    last: u16,
}

impl ListenAddress {
    /// Whether it is the address from which Redis is reached.
    pub(crate) fn is_of_cluster(&self) -> bool {
        self.host.is_none()
    }

    /// Whether it is every address of this host.
    pub(crate) fn is_unspecified(&self) -> bool {
        self.host.is_some_and(|host| host.is_unspecified())
    }

    /// Listens. `cluster` is the address from which Redis is reached.
    ///
    /// # Errors
    /// Those of the kernel; `AddrInUse` when no port is free, `AddrNotAvailable` where there is no Redis to be reached.
    pub(crate) async fn bind(&self, cluster: Option<IpAddr>) -> io::Result<TcpListener> {
        let Some(host) = self.host.or(cluster) else {
            return Err(io::Error::new(
                io::ErrorKind::AddrNotAvailable,
                "`cluster` is the address from which Redis is reached, and redis.url is empty",
            ));
        };
        let mut bound = Err(io::ErrorKind::AddrInUse.into());
        for port in self.first..=self.last {
            bound = TcpListener::bind((host, port)).await;
            match &bound {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                _ => break,
            }
        }
        bound
    }
}

impl From<SocketAddr> for ListenAddress {
    fn from(address: SocketAddr) -> Self {
        Self {
            host: Some(address.ip()),
            first: address.port(),
            last: address.port(),
        }
    }
}

impl FromStr for ListenAddress {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        read(text).ok_or_else(|| {
            Error::invalid(format!(
                "`{text}` is not ADDRESS:PORT, where ADDRESS may be `{CLUSTER}` and PORT may be FIRST-LAST"
            ))
        })
    }
}

fn read(text: &str) -> Option<ListenAddress> {
    let (host, ports) = text.rsplit_once(':')?;
    let host = match host {
        CLUSTER => None,
        // With the brackets of an IPv6 address, and without a port's range, it reads as a socket's address.
        host => Some(format!("{host}:0").parse::<SocketAddr>().ok()?.ip()),
    };
    let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last).then_some(ListenAddress { host, first, last })
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host {
            None => f.write_str(CLUSTER)?,
            Some(IpAddr::V6(host)) => write!(f, "[{host}]")?,
            Some(host) => write!(f, "{host}")?,
        }
        match self.first == self.last {
            true => write!(f, ":{}", self.first),
            false => write!(f, ":{}-{}", self.first, self.last),
        }
    }
}

impl Serialize for ListenAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ListenAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listen(text: &str) -> ListenAddress {
        text.parse().unwrap()
    }

    #[test]
    fn addresses_read_back_and_what_is_none_is_refused_by_its_text() {
        for text in [
            "127.0.0.1:0",
            "[::1]:80",
            "cluster:7461",
            "0.0.0.0:7462-7499",
        ] {
            assert_eq!(listen(text).to_string(), text);
        }
        for bad in [
            "",
            "cluster",
            "cluster:",
            "cluster:9-8",
            "::1:80",
            "host:1",
            "10.0.0.1:65536",
            "10.0.0.1:1-x",
        ] {
            let error = bad.parse::<ListenAddress>().unwrap_err();
            assert!(error.message().contains(&format!("`{bad}`")), "{error}");
        }
    }

    #[tokio::test]
    async fn the_first_free_port_is_taken_and_when_none_is_that_is_told() {
        let taken = listen("127.0.0.1:0").bind(None).await.unwrap();
        let port = taken.local_addr().unwrap().port();
        let range = listen(&format!("cluster:{port}-{}", port.saturating_add(20)));
        let next = range.bind(Some([127, 0, 0, 1].into())).await.unwrap();
        assert!(next.local_addr().unwrap().port() > port);
        let none = listen(&taken.local_addr().unwrap().to_string())
            .bind(None)
            .await;
        assert_eq!(none.unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }

    #[tokio::test]
    async fn without_redis_there_is_no_address_towards_it() {
        let error = listen("cluster:1").bind(None).await.unwrap_err();
        assert!(error.to_string().contains("redis.url"), "{error}");
    }
}
