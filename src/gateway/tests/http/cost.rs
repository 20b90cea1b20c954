//! What a call costs beyond HTTP itself: processor time of the server's thread, against a plain axum handler that
//! answers the same bytes to the same requests.
//!
//! ```text
//! cargo test --release -p ganglion-gateway cost -- --ignored --nocapture
//! ```

use crate::house::{House, house};
use crate::stand_in::StandIn;
use axum::Router;
use bytes::Bytes;
use ganglion_gateway::{ServeSettings, serve};
use ganglion_types::Site;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const CALLS: u32 = 40_000;

/// Nanoseconds that the calling thread has run (Linux, `schedstat` in proc(5)).
fn thread_ns() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    stat.split(' ').next().unwrap().parse().unwrap()
}

/// A server on a thread of its own, which tells its processor time at `/thread`.
fn server(router: Router) -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let told = axum::routing::get(|| async { thread_ns().to_string() });
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.unwrap().block_on(async move {
            let listener = TcpListener::from_std(listener).unwrap();
            let router = router.route("/thread", told);
            serve(
                listener,
                router,
                ServeSettings::default(),
                std::future::pending(),
            )
            .await
        });
    });
    address
}

/// One connection that asks, and waits for the answer.
struct Asker(TcpStream, Vec<u8>);

impl Asker {
    async fn ask(&mut self, request: &str) -> String {
        self.0.write_all(request.as_bytes()).await.unwrap();
        let read = self.0.read(&mut self.1).await.unwrap();
        String::from_utf8_lossy(&self.1[..read]).into_owned()
    }

    async fn thread_ns(&mut self) -> u64 {
        let answer = self.ask("GET /thread HTTP/1.1\r\nhost: h\r\n\r\n").await;
        answer.rsplit("\r\n").next().unwrap().parse().unwrap()
    }
}

async fn ns_per_call(address: SocketAddr, request: &str) -> u64 {
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let mut asker = Asker(stream, vec![0; 4_096]);
    let first = asker.ask(request).await;
    assert!(
        first.starts_with("HTTP/1.1 200") && first.ends_with("hello"),
        "{first}"
    );
    for _ in 0..CALLS / 4 {
        asker.ask(request).await;
    }
    let before = asker.thread_ns().await;
    for _ in 0..CALLS {
        asker.ask(request).await;
    }
    (asker.thread_ns().await - before) / u64::from(CALLS)
}

fn request(path: &str, body: &str) -> String {
    let length = body.len();
    format!("POST {path} HTTP/1.1\r\nhost: h\r\ncontent-length: {length}\r\n\r\n{body}")
}

fn forgetful(house: &House) {
    house.peers.replace(vec![
        StandIn::forgetful("compute-1", Site::Compute),
        StandIn::forgetful("storage-1", Site::Storage),
    ]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
#[ignore = "a measurement"]
async fn cost_of_a_call_against_a_plain_handler() {
    let house = house().await;
    forgetful(&house);
    let plain = Router::new().route(
        "/f/",
        axum::routing::post(|_: Bytes| async { Bytes::from_static(b"hello") }),
    );
    let plain = server(plain);
    let gateway = server(house.gateway.router());
    let message = request(
        "/f/",
        r#"{"user":"ndp","function":"reader","input_data":"hello"}"#,
    );
    let invoke = request("/v1/functions/ndp/reader/invoke", "hello");
    for round in 1..=3 {
        let plain = ns_per_call(plain, &message).await;
        let faasm = ns_per_call(gateway, &message).await;
        let v1 = ns_per_call(gateway, &invoke).await;
        let ratio = |ns: u64| ns as f64 / plain as f64;
        println!(
            "round {round}: plain {plain} ns, /f/ {faasm} ns ({:.2}x), /v1 invoke {v1} ns ({:.2}x)",
            ratio(faasm),
            ratio(v1)
        );
    }
}
