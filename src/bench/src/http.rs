//! The load generator: HTTP/1.1 over sockets that are kept, requests prepared, answers read with care.

use crate::report::failed;
use bytes::Bytes;
use ganglion_types::{Ambient, Error, Result};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

const HEADERS_MAX: usize = 64;
const BUFFER_BYTES: usize = 16 << 10;

/// Longest time to wait for one answer, before the measurement is given up.
const PATIENCE: Duration = Duration::from_secs(60);

/// A request as it is sent, and to whom.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) request: Bytes,
}

impl Target {
    pub(crate) fn new(address: SocketAddr, method: &str, path: &str, body: &[u8]) -> Self {
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\ncontent-length: {length}\r\n\r\n"
        );
        Self {
            address,
            request: [head.as_bytes(), body].concat().into(),
        }
    }
}

/// A connection that is kept from one request to the next.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// Bytes of the buffer that hold something.
    filled: usize,
    /// The last answer's.
    head: Head,
}

/// What is known of an answer, whose bytes are at the beginning of the buffer.
#[derive(Clone, Copy, Default)]
struct Head {
    status: u16,
    head_bytes: usize,
    body_bytes: usize,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await.map_err(failed(address))?;
        stream.set_nodelay(true).map_err(failed(address))?;
        Ok(Self {
            stream,
            buffer: vec![0; BUFFER_BYTES],
            filled: 0,
            head: Head::default(),
        })
    }

    /// Sends a request and reads its whole answer. Returns the answer's size with its head, in bytes.
    ///
    /// # Errors
    /// `Unavailable` when the connection ends, `Internal` for any status but 200 and 201.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> Result<usize> {
        self.stream
            .write_all(request)
            .await
            .map_err(failed("sending a request"))?;
        self.filled = 0;
        loop {
            if let Some(head) = self.read_head()? {
                let answer_bytes = head.head_bytes + head.body_bytes;
                if self.filled >= answer_bytes {
                    self.head = head;
                    return self.check().map(|()| answer_bytes);
                }
                self.buffer.resize(self.buffer.len().max(answer_bytes), 0);
            }
            if self.filled == self.buffer.len() {
                return Err(Error::internal(format!(
                    "an answer's head is beyond {BUFFER_BYTES} bytes"
                )));
            }
            let read = self.stream.read(&mut self.buffer[self.filled..]).await;
            match read.map_err(failed("reading an answer"))? {
                0 => {
                    return Err(Error::unavailable(
                        "the server closed a connection before it had answered",
                    ));
                }
                read => self.filled += read,
            }
        }
    }

    /// The body of the last answer; empty before the first.
    #[cfg(feature = "ceph")]
    pub(crate) fn body(&self) -> &[u8] {
        let Head {
            head_bytes,
            body_bytes,
            ..
        } = self.head;
        &self.buffer[head_bytes..head_bytes + body_bytes]
    }

    /// A header of the last answer, where it has that one and it is text.
    #[cfg(feature = "ceph")]
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut response = httparse::Response::new(&mut headers);
        response.parse(&self.buffer[..self.head.head_bytes]).ok()?;
        let found = response
            .headers
            .iter()
            .find(|header| header.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(found.value).ok()
    }

    fn read_head(&self) -> Result<Option<Head>> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut response = httparse::Response::new(&mut headers);
        let parsed = response.parse(&self.buffer[..self.filled]);
        let parsed =
            parsed.map_err(|error| Error::internal(format!("an answer's head: {error}")))?;
        let httparse::Status::Complete(head_bytes) = parsed else {
            return Ok(None);
        };
        let status = response.code.unwrap_or_default();
        let length = response
            .headers
            .iter()
            .find(|h| h.name.eq_ignore_ascii_case("content-length"));
        let length = length.and_then(|header| std::str::from_utf8(header.value).ok()?.parse().ok());
        let body_bytes = length.ok_or_else(|| {
            Error::internal(format!("an answer ({status}) without a content-length"))
        })?;
        Ok(Some(Head {
            status,
            head_bytes,
            body_bytes,
        }))
    }

    fn check(&self) -> Result<()> {
        let head = &self.head;
        if matches!(head.status, 200 | 201) {
            return Ok(());
        }
        let body = &self.buffer[head.head_bytes..head.head_bytes + head.body_bytes];
        let shown = String::from_utf8_lossy(&body[..body.len().min(300)]);
        Err(Error::internal(format!(
            "an answer with status {}: {shown}",
            head.status
        )))
    }
}

/// One request on a connection of its own; returns the nanoseconds from the request to the end of its answer.
pub(crate) async fn once(clock: &dyn Ambient, target: &Target) -> Result<u64> {
    let mut connection = Connection::open(target.address).await?;
    let began_ns = clock.monotonic_ns();
    patiently(connection.ask(&target.request)).await?;
    Ok(clock.monotonic_ns() - began_ns)
}

async fn patiently<T>(answer: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(PATIENCE, answer)
        .await
        .unwrap_or_else(|_| Err(Error::deadline(format!("no answer within {PATIENCE:?}"))))
}

/// What a round of load found.
#[derive(Debug, Default)]
pub(crate) struct Round {
    /// From the first request to the last answer, in nanoseconds.
    pub(crate) wall_ns: u64,
    /// Of each request, in nanoseconds.
    pub(crate) latencies_ns: Vec<u64>,
    /// Size of the last answer with its head.
    pub(crate) answer_bytes: usize,
}

/// Loads a target for `duration`: each connection sends its next request when it has its answer.
///
/// # Errors
/// As [`Connection::ask`], for the first answer that fails: a measurement has none.
pub(crate) async fn load(
    clock: Arc<dyn Ambient>,
    target: &Target,
    connections: usize,
    duration: Duration,
) -> Result<Round> {
    let mut open = Vec::with_capacity(connections);
    for _ in 0..connections {
        let mut connection = Connection::open(target.address).await?;
        connection.ask(&target.request).await?;
        open.push(connection);
    }
    let began_ns = clock.monotonic_ns();
    let duration_ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    let end_ns = began_ns.saturating_add(duration_ns);
    let mut asking = JoinSet::new();
    for connection in open {
        asking.spawn(ask_until(
            end_ns,
            connection,
            target.request.clone(),
            clock.clone(),
        ));
    }
    let mut round = Round::default();
    let all = async {
        while let Some(asked) = asking.join_next().await {
            let asked =
                asked.map_err(|error| Error::internal(format!("a connection: {error}")))??;
            round.latencies_ns.extend(asked.latencies_ns);
            round.answer_bytes = asked.answer_bytes;
        }
        Ok(())
    };
    let patience = duration + PATIENCE;
    tokio::time::timeout(patience, all)
        .await
        .unwrap_or_else(|_| Err(Error::deadline(format!("no answer within {PATIENCE:?}"))))?;
    round.wall_ns = clock.monotonic_ns() - began_ns;
    Ok(round)
}

async fn ask_until(
    end_ns: u64,
    mut connection: Connection,
    request: Bytes,
    clock: Arc<dyn Ambient>,
) -> Result<Round> {
    let mut round = Round::default();
    let mut now_ns = clock.monotonic_ns();
    while now_ns < end_ns {
        round.answer_bytes = connection.ask(&request).await?;
        let answered_ns = clock.monotonic_ns();
        round.latencies_ns.push(answered_ns - now_ns);
        now_ns = answered_ns;
    }
    Ok(round)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::http::StatusCode;
    use axum::routing::post;
    use ganglion_node::HostAmbient;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const LARGE: usize = 3 * BUFFER_BYTES;

    async fn start(router: Router) -> SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
    }

    #[tokio::test]
    async fn every_answer_is_counted_and_none_more() {
        let seen = Arc::new(AtomicUsize::new(0));
        let count = seen.clone();
        let answer = move |body: Bytes| async move {
            count.fetch_add(1, Ordering::Relaxed);
            assert_eq!(body, "some input");
            vec![b'x'; LARGE]
        };
        let address = start(Router::new().route("/large", post(answer))).await;
        let target = Target::new(address, "POST", "/large", b"some input");
        let duration = Duration::from_millis(200);
        let round = load(Arc::new(HostAmbient::new()), &target, 4, duration)
            .await
            .unwrap();
        // One request on each connection comes before the measurement.
        assert_eq!(round.latencies_ns.len(), seen.load(Ordering::Relaxed) - 4);
        assert!(round.latencies_ns.len() > 4);
        assert!(
            round
                .latencies_ns
                .iter()
                .all(|ns| (1..=round.wall_ns).contains(ns))
        );
        assert!(round.wall_ns >= 200_000_000);
        assert!(round.answer_bytes > LARGE);
    }

    #[tokio::test]
    async fn an_answer_that_fails_ends_the_measurement_with_its_words() {
        let seen = Arc::new(AtomicUsize::new(0));
        let answer = move || async move {
            match seen.fetch_add(1, Ordering::Relaxed) {
                0..10 => (StatusCode::OK, "fine"),
                _ => (StatusCode::TOO_MANY_REQUESTS, "the budget is spent"),
            }
        };
        let address = start(Router::new().route("/", post(answer))).await;
        let target = Target::new(address, "POST", "/", b"");
        let clock = Arc::new(HostAmbient::new());
        let error = load(clock, &target, 2, Duration::from_secs(60))
            .await
            .unwrap_err();
        assert!(error.message().contains("429"), "{error}");
        assert!(error.message().contains("the budget is spent"), "{error}");
    }
}
