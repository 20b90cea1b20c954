//! Connections.

use crate::house::{House, house};
use crate::stand_in::Will;
use ganglion_gateway::{ServeSettings, serve};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

async fn serve_with(
    house: &House,
    settings: ServeSettings,
) -> (SocketAddr, oneshot::Sender<()>, JoinHandle<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let served = tokio::spawn(serve(listener, house.gateway.router(), settings, async {
        let _ = stopped.await;
    }));
    (address, stop, served)
}

#[tokio::test]
async fn a_head_that_never_ends_is_cut_off() {
    let house = house().await;
    let settings = ServeSettings {
        idle: Duration::from_millis(30),
        ..ServeSettings::default()
    };
    let (address, _stop, _) = serve_with(&house, settings).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream
        .write_all(b"GET /ping HTTP/1.1\r\nhost:")
        .await
        .unwrap();
    let mut answer = Vec::new();
    // Returns at all: the server has closed.
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(!String::from_utf8_lossy(&answer).contains("200 OK"));
}

#[tokio::test]
async fn a_call_that_outlasts_the_grace_is_cut_off_and_told() {
    let house = house().await;
    house.all_compute(Will::Hang);
    let settings = ServeSettings {
        grace: Duration::from_millis(30),
        ..ServeSettings::default()
    };
    let (address, stop, served) = serve_with(&house, settings).await;
    let path = format!("http://{address}/v1/functions/ndp/reader/invoke?ndp=forbid");
    let call = tokio::spawn(house.client.post(path).send());
    while house.compute_calls() == 0 {
        tokio::task::yield_now().await;
    }
    stop.send(()).unwrap();
    assert!(!served.await.unwrap(), "not every request finished");
    assert!(call.await.unwrap().is_err());
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_for_their_turn() {
    let house = house().await;
    let settings = ServeSettings {
        connections_max: 1,
        ..ServeSettings::default()
    };
    let (address, _stop, _) = serve_with(&house, settings).await;
    let request = b"GET /ping HTTP/1.1\r\nhost: h\r\n\r\n";
    let mut first = TcpStream::connect(address).await.unwrap();
    first.write_all(request).await.unwrap();
    let mut answer = [0; 1_024];
    assert!(first.read(&mut answer).await.unwrap() > 0);
    let mut second = TcpStream::connect(address).await.unwrap();
    second.write_all(request).await.unwrap();
    let early = tokio::time::timeout(Duration::from_millis(50), second.readable()).await;
    assert!(
        early.is_err(),
        "the second was answered while the first was open"
    );
    drop(first);
    assert!(second.read(&mut answer).await.unwrap() > 0);
}
