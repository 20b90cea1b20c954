//! Calls over real sockets, and what is said when there is no answer.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test stops at what it did not expect"
)]

#[allow(
    dead_code,
    unreachable_pub,
    clippy::cast_possible_truncation,
    reason = "each test file uses its part"
)]
mod support;

use bytes::{Bytes, BytesMut};
use ganglion_transport::{LinkSettings, RemotePeer, ServerLimits};
use ganglion_types::{Answer, ErrorKind, Executor, Peer, Result, Site};
use ganglion_wire::{FrameLimits, Kind, PROTOCOL, message, put_frame};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use support::{Host, answer, call, limits, link, load, node, settings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

const LONG: Duration = Duration::from_secs(20);

fn kind<T: std::fmt::Debug>(result: Result<T>) -> ErrorKind {
    result.unwrap_err().kind()
}

/// Starts a call that waits, and returns once it runs over there.
async fn waiting(
    peer: &Arc<RemotePeer>,
    host: &Host,
    within: Duration,
) -> JoinHandle<Result<Answer>> {
    let waiting = peer.clone();
    let call = call("wait", "x", within);
    let task = tokio::spawn(async move { waiting.execute(call).await });
    host.script.begun.notified().await;
    task
}

#[tokio::test]
async fn an_empty_message_comes_back_and_reaches_no_executor() {
    let host = Host::start(limits()).await;
    let link = host.link(LinkSettings::default());
    for _ in 0..3 {
        link.round_trip().await.unwrap();
    }
    assert!(host.script.seen.lock().is_empty());
    host.kill().await;
    let gone = tokio::time::timeout(LONG, async { while link.round_trip().await.is_ok() {} });
    gone.await.unwrap();
    assert_eq!(kind(link.round_trip().await), ErrorKind::Unavailable);
}

#[tokio::test]
async fn a_call_and_its_answer_cross_with_every_field() {
    let host = Host::start(limits()).await;
    let link = host.link(LinkSettings::default());
    let peer = RemotePeer::new(link, node("server"), Site::Storage);
    for length in [0, 10, 5_000, 3_000_000] {
        let sent = call("echo", vec![8; length], LONG);
        let got = peer.execute(sent.clone()).await.unwrap();
        let expected = answer(sent.input.clone());
        assert!(format!("{got:?}") == format!("{expected:?}"), "{length}");
        let mut seen = host.script.seen.lock().pop().unwrap();
        let drift_ns = seen.deadline.as_ns().abs_diff(sent.deadline.as_ns());
        assert!(
            drift_ns < 5_000_000_000,
            "the time left arrives: {drift_ns}"
        );
        seen.deadline = sent.deadline;
        assert!(format!("{seen:?}") == format!("{sent:?}"), "{length}");
    }
    assert_eq!(peer.load(), Some(load()));
    assert!(peer.link().unwrap().round_trip_ns > 0);
}

#[tokio::test]
async fn many_calls_share_one_connection_and_none_gets_anothers_answer() {
    let host = Host::start(limits()).await;
    let peer = Arc::new(host.peer());
    let tasks: Vec<_> = (0..300_usize)
        .map(|i| {
            let peer = peer.clone();
            let input = Bytes::from(vec![i as u8; i * 97 % 9_000]);
            let call = call("echo", input.clone(), LONG);
            tokio::spawn(async move { (peer.execute(call).await.unwrap().output, input) })
        })
        .collect();
    for task in tasks {
        let (output, input) = task.await.unwrap();
        assert!(output.unwrap() == input);
    }
}

#[tokio::test]
async fn a_refusal_over_there_is_one_here_and_a_panic_is_answered() {
    let host = Host::start(limits()).await;
    let peer = host.peer();
    assert_eq!(
        kind(peer.execute(call("refuse", "", LONG)).await),
        ErrorKind::Busy
    );
    let panicked = peer.execute(call("panic", "", LONG)).await;
    assert_eq!(kind(panicked), ErrorKind::Internal);
    peer.execute(call("echo", "", LONG)).await.unwrap();
}

#[tokio::test]
async fn dropping_a_call_drops_it_over_there() {
    let host = Host::start(limits()).await;
    let peer = Arc::new(host.peer());
    let task = waiting(&peer, &host, LONG).await;
    task.abort();
    host.script.dropped.notified().await;
    assert_eq!(host.script.running.load(Ordering::SeqCst), 0);
    peer.execute(call("echo", "", LONG)).await.unwrap();
}

#[tokio::test]
async fn a_call_without_an_answer_in_its_time_is_cancelled_and_nobody_claims_it_did_not_run() {
    let host = Host::start(limits()).await;
    let peer = Arc::new(host.peer());
    let task = waiting(&peer, &host, Duration::from_millis(60)).await;
    let error = task.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Indeterminate, "{error}");
    host.script.dropped.notified().await;
    let late = peer.execute(call("echo", "", Duration::ZERO)).await;
    assert_eq!(kind(late), ErrorKind::Deadline);
}

#[tokio::test]
async fn a_server_killed_in_a_call_leaves_it_indeterminate() {
    let host = Host::start(limits()).await;
    let peer = Arc::new(host.peer());
    let task = waiting(&peer, &host, LONG).await;
    host.kill().await;
    let error = task.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Indeterminate, "{error}");
    let error = peer.execute(call("echo", "", LONG)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert_eq!(peer.load(), None);
}

#[tokio::test]
async fn an_absent_server_is_unavailable_at_once_and_found_when_it_appears() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = port.local_addr().unwrap().to_string();
    drop(port);
    let peer = RemotePeer::new(link(&address, settings()), node("server"), Site::Storage);
    let refused = tokio::time::timeout(LONG / 10, peer.execute(call("echo", "", LONG)));
    assert_eq!(kind(refused.await.unwrap()), ErrorKind::Unavailable);
    assert_eq!((peer.load(), peer.link()), (None, None));
    let _host = Host::start_at(&address, limits()).await;
    while let Err(error) = peer.execute(call("echo", "", LONG)).await {
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert_eq!(peer.load(), Some(load()));
}

/// A server that says `hello` and then reads so many bytes, and no more.
async fn half_a_server(hello: message::Hello, reads: usize) -> (String, JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let task = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        socket.write_all(&frame(&hello)).await.unwrap();
        let mut read = vec![0; reads];
        socket.read_exact(&mut read).await.unwrap();
        read
    });
    (address, task)
}

fn frame(hello: &message::Hello) -> BytesMut {
    let mut bytes = BytesMut::new();
    put_frame(
        &mut bytes,
        FrameLimits::default(),
        (Kind::Hello, 0),
        hello,
        0,
    )
    .unwrap();
    bytes
}

fn hello() -> message::Hello {
    message::Hello {
        protocol: PROTOCOL,
        node: "server".into(),
        site: message::Site::Storage.into(),
        message_bytes_max: 1 << 20,
        payload_bytes_max: 128 << 20,
        in_flight_max: 100,
        ..Default::default()
    }
}

#[tokio::test]
async fn a_call_that_did_not_leave_whole_has_not_run() {
    let (address, _task) = half_a_server(hello(), 100_000).await;
    let peer = RemotePeer::new(link(&address, settings()), node("server"), Site::Storage);
    // Far more than the sockets' buffers hold: the server goes away with the rest unwritten.
    let error = peer
        .execute(call("echo", vec![0; 100 << 20], LONG))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
}

#[tokio::test]
async fn a_silent_server_is_noticed_by_its_missing_heartbeats() {
    let (address, _task) = half_a_server(hello(), 1 << 20).await;
    let peer = RemotePeer::new(link(&address, settings()), node("server"), Site::Storage);
    let error = peer.execute(call("echo", "", LONG)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Indeterminate, "{error}");
}

#[tokio::test]
async fn heartbeats_keep_a_quiet_connection_and_its_load() {
    let host = Host::start(limits()).await;
    let peer = Arc::new(host.peer());
    let task = waiting(&peer, &host, LONG).await;
    tokio::time::sleep(settings().heartbeat * 10).await;
    assert_eq!(peer.load(), Some(load()));
    host.script.release.notify_one();
    task.await.unwrap().unwrap();
}

#[tokio::test]
async fn another_protocol_or_name_is_said_at_the_client() {
    let other = message::Hello {
        protocol: 99,
        ..hello()
    };
    let stranger = message::Hello {
        node: "other".into(),
        ..hello()
    };
    for (hello, says) in [(other, "protocol 99"), (stranger, "`server` was expected")] {
        let (address, _task) = half_a_server(hello, 1 << 20).await;
        let peer = RemotePeer::new(link(&address, settings()), node("server"), Site::Storage);
        let error = peer.execute(call("echo", "", LONG)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.message().contains(says), "{error}");
    }
}

/// Connects as a stranger, sends `bytes`, and gives what comes back until the server closes.
async fn stranger(host: &Host, bytes: &[u8]) -> Vec<u8> {
    let mut socket = TcpStream::connect(host.address).await.unwrap();
    socket.write_all(bytes).await.unwrap();
    let mut back = Vec::new();
    // A reset is as good an end as any.
    let _ = tokio::time::timeout(LONG, socket.read_to_end(&mut back))
        .await
        .unwrap();
    back
}

#[tokio::test]
async fn another_protocol_is_told_to_the_client_that_speaks_it() {
    let host = Host::start(limits()).await;
    let other = message::Hello {
        protocol: 99,
        ..hello()
    };
    let back = stranger(&host, &frame(&other)).await;
    let told = format!("speaks protocol 99, this node speaks {PROTOCOL}");
    assert!(String::from_utf8_lossy(&back).contains(&told));
}

#[tokio::test]
async fn garbage_closes_its_own_connection_and_disturbs_nobody() {
    let host = Host::start(limits()).await;
    let peer = Arc::new(host.peer());
    let task = waiting(&peer, &host, LONG).await;
    let mut after_hello = frame(&hello());
    let mut endless = after_hello.clone();
    after_hello.extend_from_slice(b"gN\x01\x02\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xff\xff\xff\xff");
    endless.extend_from_slice(b"gN\x01\x02\0\0\0\0\x01\0\0\0\0\0\0\0\xff\xff\xff\xff");
    for garbage in [
        &b"GET / HTTP/1.1\r\n\r\n         "[..],
        &[0xff; 4096],
        &after_hello,
        &endless,
    ] {
        stranger(&host, garbage).await;
    }
    host.script.release.notify_one();
    task.await.unwrap().unwrap();
}

#[tokio::test]
async fn no_more_calls_are_in_flight_than_either_end_allows() {
    for (mine, theirs) in [(3, 100), (100, 3)] {
        let host = Host::start(ServerLimits {
            in_flight_max: theirs,
            ..limits()
        })
        .await;
        let link = host.link(LinkSettings {
            in_flight_max: mine,
            ..settings()
        });
        let peer = Arc::new(RemotePeer::new(link, node("server"), Site::Storage));
        let mut tasks = Vec::new();
        for _ in 0..3 {
            tasks.push(waiting(&peer, &host, LONG).await);
        }
        let error = peer
            .execute(call("echo", "", Duration::from_millis(40)))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Busy);
        assert!(error.message().contains("link.in_flight"), "{error}");
        for task in tasks {
            host.script.release.notify_one();
            host.script.dropped.notified().await;
            drop(task);
        }
        peer.execute(call("echo", "", LONG)).await.unwrap();
        assert_eq!(host.script.running_max.load(Ordering::SeqCst), 3);
    }
}

#[tokio::test]
async fn a_full_write_queue_makes_requests_wait_and_then_refuses_them() {
    // The whole of this many bytes is never sent: the server stops reading when the sockets' buffers are full of the first.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let _stalled = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        socket.write_all(&frame(&hello())).await.unwrap();
        std::future::pending::<()>().await;
    });
    let slow = LinkSettings {
        queue_bytes_max: 1000,
        heartbeat: LONG,
        ..settings()
    };
    let peer = Arc::new(RemotePeer::new(
        link(&address, slow),
        node("server"),
        Site::Storage,
    ));
    let big = {
        let (peer, call) = (peer.clone(), call("echo", vec![0; 100 << 20], LONG));
        tokio::spawn(async move { peer.execute(call).await })
    };
    let error = loop {
        match peer
            .execute(call("echo", "", Duration::from_millis(100)))
            .await
        {
            Err(error) if error.kind() == ErrorKind::Busy => break error,
            other => assert_eq!(kind(other), ErrorKind::Indeterminate),
        }
    };
    assert!(error.message().contains("link.queue"), "{error}");
    big.abort();
}

#[tokio::test]
async fn what_does_not_fit_a_frame_is_refused_before_it_is_sent_and_names_the_setting() {
    let host = Host::start(limits()).await;
    let mut small = settings();
    small.frames.payload_bytes_max = 1000;
    let peer = RemotePeer::new(host.link(small), node("server"), Site::Storage);
    let error = peer
        .execute(call("echo", vec![0; 1001], LONG))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.message().contains("link.payload"), "{error}");
    peer.execute(call("echo", vec![0; 100], LONG))
        .await
        .unwrap();
    // An answer that does not fit is no refusal: it ran.
    let error = peer
        .execute(call("echo", vec![0; 999], LONG))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal, "{error}");
}

#[tokio::test]
async fn a_drain_finishes_what_runs_and_refuses_what_comes() {
    let linger_time = Duration::ZERO;
    let host = Host::start(ServerLimits {
        linger_time,
        ..limits()
    })
    .await;
    let peer = Arc::new(host.peer());
    let task = waiting(&peer, &host, LONG).await;
    host.stop.cancel();
    let refused = loop {
        match peer.execute(call("echo", "", LONG)).await {
            Ok(_) => tokio::task::yield_now().await,
            Err(error) => break error,
        }
    };
    assert_eq!(refused.kind(), ErrorKind::Unavailable, "{refused}");
    // A drain that does not wait is over within this time.
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!host.task.is_finished());
    host.script.release.notify_one();
    task.await.unwrap().unwrap();
    tokio::time::timeout(LONG, host.task)
        .await
        .unwrap()
        .unwrap();
}
