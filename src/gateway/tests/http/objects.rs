//! Objects: conditions, ranges, listings, and bodies larger than anybody would hold.

use crate::house::{House, TestAmbient, header, house, house_with, problem};
use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use ganglion_gateway::GatewaySettings;
use ganglion_store::{
    ByteRange, Condition, ListPage, MemoryStore, ObjectMeta, ObjectRead, ObjectStore, ObjectUpload,
    ObjectView, PutOptions, Version,
};
use ganglion_types::{Bucket, Error, Key, NodeId, ObjectKey, Result};
use reqwest::Response;
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

const MIB: usize = 1 << 20;

async fn put(house: &House, path: &str, body: impl Into<reqwest::Body>) -> Response {
    house.request("PUT", path).body(body).send().await.unwrap()
}

async fn get_with(house: &House, path: &str, name: &str, value: &str) -> Response {
    house
        .request("GET", path)
        .header(name, value)
        .send()
        .await
        .unwrap()
}

#[tokio::test]
async fn an_object_is_written_read_looked_at_and_removed() {
    let house = house().await;
    let path = "/v1/objects/books/a/b//c%20%C3%BC";
    let written = put(&house, path, "hello").await;
    assert_eq!(written.status(), 200);
    let etag = header(&written, "etag").to_owned();
    let json: Value = written.json().await.unwrap();
    assert_eq!(
        (&json["key"], &json["size_bytes"]),
        (&"a/b//c ü".into(), &5.into())
    );
    assert_eq!(format!("\"{}\"", json["version"].as_str().unwrap()), etag);
    let read = house.get(path).await;
    assert_eq!(
        (header(&read, "etag"), header(&read, "content-length")),
        (&*etag, "5")
    );
    assert_eq!(read.text().await.unwrap(), "hello");
    let head = house.request("HEAD", path).send().await.unwrap();
    assert_eq!(
        (header(&head, "etag"), header(&head, "content-length")),
        (&*etag, "5")
    );
    let deleted = house.request("DELETE", path).send().await.unwrap();
    assert_eq!(deleted.status(), 204);
    let gone = house.get(path).await;
    assert_eq!(gone.status(), 404);
    assert_eq!(problem(gone).await["kind"], "NotFound");
    assert_eq!(
        house.request("HEAD", path).send().await.unwrap().status(),
        404
    );
}

#[tokio::test]
async fn bodies_are_appended_whole_on_their_condition_and_within_the_limit() {
    let settings = GatewaySettings {
        object_bytes_max: 65_536,
        ..GatewaySettings::default()
    };
    let store = MemoryStore::new(None, TestAmbient::new(), settings.object_bytes_max);
    let house = house_with(settings, Some(Arc::new(store))).await;
    let path = "/v1/objects/books/log";
    let append = async |name: &str, value: &str, body: &str| {
        let request = house.request("POST", path).header(name, value);
        request.body(body.to_owned()).send().await.unwrap()
    };
    let first = append("if-none-match", "*", "one,").await;
    assert_eq!(first.status(), 200);
    let etag = header(&first, "etag").to_owned();
    assert_eq!(append("if-none-match", "*", "x").await.status(), 412);
    assert_eq!(append("if-match", &etag, "two,").await.status(), 200);
    assert_eq!(append("if-match", &etag, "x").await.status(), 412);
    for (length, status) in [(65_537, 413), (65_529, 400)] {
        let refused = append("accept", "*/*", &"x".repeat(length)).await;
        assert_eq!(refused.status(), status);
        let problem = problem(refused).await.to_string();
        assert!(problem.contains("limits.object"), "{problem}");
    }
    let last = append("accept", "*/*", "3").await;
    assert_eq!(last.json::<Value>().await.unwrap()["size_bytes"], 9);
    assert_eq!(house.get(path).await.text().await.unwrap(), "one,two,3");
}

#[tokio::test]
async fn ranges_are_cut_and_answered_in_part() {
    let house = house().await;
    let path = "/v1/objects/books/digits";
    put(&house, path, "0123456789").await;
    for (range, status, content_range, body) in [
        ("bytes=2-4", 206, "bytes 2-4/10", "234"),
        ("bytes=7-", 206, "bytes 7-9/10", "789"),
        ("bytes=-3", 206, "bytes 7-9/10", "789"),
        ("bytes=0-99", 206, "bytes 0-9/10", "0123456789"),
        ("bytes=0-1,4-5", 200, "", "0123456789"),
    ] {
        let answer = get_with(&house, path, "range", range).await;
        assert_eq!(answer.status(), status, "{range}");
        if status == 206 {
            assert_eq!(header(&answer, "content-range"), content_range);
        }
        assert_eq!(header(&answer, "content-length"), body.len().to_string());
        assert_eq!(answer.text().await.unwrap(), body, "{range}");
    }
    let beyond = get_with(&house, path, "range", "bytes=10-").await;
    assert_eq!(
        (beyond.status().as_u16(), header(&beyond, "content-range")),
        (416, "bytes */10")
    );
}

#[tokio::test]
async fn conditions_guard_reads_writes_and_removals() {
    let house = house().await;
    let path = "/v1/objects/books/guarded";
    let with = |method: &str, name: &str, value: &str| {
        let request = house.request(method, path).header(name, value);
        async { request.body("new").send().await.unwrap() }
    };
    assert_eq!(
        with("PUT", "if-match", "*").await.status(),
        412,
        "there is none yet"
    );
    let first = with("PUT", "if-none-match", "*").await;
    assert_eq!(first.status(), 200);
    let old = header(&first, "etag").to_owned();
    assert_eq!(with("PUT", "if-none-match", "*").await.status(), 412);
    assert_eq!(with("PUT", "if-match", "*").await.status(), 200);
    let third = with("PUT", "if-match", &old).await;
    assert_eq!(problem(third).await["kind"], "Conflict");
    let now = header(&house.get(path).await, "etag").to_owned();
    assert_ne!(now, old);
    assert_eq!(get_with(&house, path, "if-match", &old).await.status(), 412);
    assert_eq!(get_with(&house, path, "if-match", &now).await.status(), 200);
    let unchanged = get_with(&house, path, "if-none-match", &now).await;
    assert_eq!(
        (unchanged.status().as_u16(), header(&unchanged, "etag")),
        (304, &*now)
    );
    assert_eq!(
        get_with(&house, path, "if-none-match", &old).await.status(),
        200
    );
    assert_eq!(with("DELETE", "if-match", &old).await.status(), 412);
    assert_eq!(with("DELETE", "if-match", "seven").await.status(), 400);
    assert_eq!(with("DELETE", "if-match", &now).await.status(), 204);
}

#[tokio::test]
async fn a_bucket_is_listed_page_by_page() {
    let house = house().await;
    for key in ["a/1", "a/2", "a/3", "b"] {
        put(&house, &format!("/v1/objects/books/{key}"), "x").await;
    }
    let list = |query: &'static str| {
        let house = &house;
        async move {
            let page = house.get(&format!("/v1/objects/books{query}")).await;
            let page: Value = page.json().await.unwrap();
            let keys: Vec<_> = page["objects"]
                .as_array()
                .unwrap()
                .iter()
                .map(|o| o["key"].clone())
                .collect();
            (keys, page["more"].as_bool().unwrap())
        }
    };
    assert_eq!(
        list("?prefix=a/&limit=2").await,
        (vec!["a/1".into(), "a/2".into()], true)
    );
    assert_eq!(
        list("?prefix=a/&after=a/2").await,
        (vec!["a/3".into()], false)
    );
    assert_eq!(list("").await.0.len(), 4);
    assert_eq!(
        house.get("/v1/objects/books?limit=many").await.status(),
        400
    );
    let buckets: Value = house.get("/v1/buckets").await.json().await.unwrap();
    assert_eq!(buckets["buckets"], serde_json::json!(["books"]));
}

#[tokio::test]
async fn records_of_ganglion_itself_are_out_of_reach() {
    let house = house().await;
    for (method, path) in [
        ("GET", "/v1/objects/.functions/name/ndp/reader"),
        ("PUT", "/v1/objects/.state/ndp/x"),
        ("DELETE", "/v1/objects/.functions/name/ndp/reader"),
        ("GET", "/v1/objects/.functions"),
        ("GET", "/v1/objects/%2Efunctions/name/ndp/reader"),
    ] {
        let answer = house.request(method, path).send().await.unwrap();
        assert_eq!(answer.status(), 403, "{method} {path}");
        assert_eq!(problem(answer).await["kind"], "Denied");
    }
}

#[tokio::test]
async fn an_upload_that_breaks_off_leaves_no_trace() {
    let house = house().await;
    let mut stream = TcpStream::connect(house.address).await.unwrap();
    let head = "PUT /v1/objects/books/half HTTP/1.1\r\nhost: h\r\ncontent-length: 8388608\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&vec![1; 5 * MIB]).await.unwrap();
    stream.shutdown().await.unwrap();
    drop(stream);
    let failed = r#"ganglion_object_operations_total{operation="put",outcome="failed"} 1"#;
    while !house
        .get("/metrics")
        .await
        .text()
        .await
        .unwrap()
        .contains(failed)
    {
        tokio::task::yield_now().await;
    }
    assert_eq!(house.get("/v1/objects/books/half").await.status(), 404);
}

/// A store that makes up what is read, forgets what is written, and counts the pieces that somebody holds.
struct Bottomless {
    records: MemoryStore,
    held: Arc<AtomicUsize>,
    held_most: AtomicUsize,
    written: Arc<AtomicUsize>,
    gate: Arc<Semaphore>,
}

/// A piece that is counted as long as anybody holds it.
struct Held(Vec<u8>, Arc<AtomicUsize>);

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.1.fetch_sub(self.0.len(), Ordering::Relaxed);
    }
}

const SIZE: usize = 64 * MIB;

struct Swallow(Arc<AtomicUsize>, Arc<Semaphore>);

#[async_trait]
impl ObjectUpload for Swallow {
    async fn write(&mut self, piece: Bytes) -> Result<()> {
        assert!(piece.len() <= 4 * MIB, "a piece of {} bytes", piece.len());
        self.1.acquire().await.unwrap().forget();
        self.0.fetch_add(piece.len(), Ordering::Relaxed);
        Ok(())
    }

    async fn commit(self: Box<Self>) -> Result<ObjectMeta> {
        Ok(meta(self.0.load(Ordering::Relaxed)))
    }
}

fn meta(size: usize) -> ObjectMeta {
    ObjectMeta {
        size_bytes: size as u64,
        version: Version(1),
        modified_ms: 0,
    }
}

#[async_trait]
impl ObjectStore for Bottomless {
    async fn put(&self, key: &ObjectKey, body: Bytes, options: PutOptions) -> Result<ObjectMeta> {
        self.records.put(key, body, options).await
    }

    async fn upload(&self, _: &ObjectKey, _: PutOptions) -> Result<Box<dyn ObjectUpload>> {
        Ok(Box::new(Swallow(self.written.clone(), self.gate.clone())))
    }

    async fn get(
        &self,
        key: &ObjectKey,
        range: ByteRange,
        version: Option<Version>,
    ) -> Result<ObjectRead> {
        if key.bucket.is_internal() {
            return self.records.get(key, range, version).await;
        }
        let range = range.within(SIZE as u64);
        let length = usize::try_from(range.length).unwrap();
        let held = self.held.fetch_add(length, Ordering::Relaxed) + length;
        self.held_most.fetch_max(held, Ordering::Relaxed);
        let first = usize::try_from(range.offset).unwrap();
        let bytes = (first..first + length).map(pattern).collect();
        Ok(ObjectRead {
            meta: meta(SIZE),
            bytes: Bytes::from_owner(Held(bytes, self.held.clone())),
        })
    }

    async fn stat(&self, _: &ObjectKey) -> Result<ObjectMeta> {
        Ok(meta(SIZE))
    }

    async fn delete(&self, key: &ObjectKey, condition: Condition) -> Result<()> {
        self.records.delete(key, condition).await
    }

    async fn list(
        &self,
        bucket: &Bucket,
        prefix: &str,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<ListPage> {
        self.records.list(bucket, prefix, after, limit).await
    }

    async fn buckets(&self) -> Result<Vec<Bucket>> {
        self.records.buckets().await
    }

    async fn view(&self, key: &ObjectKey) -> Result<ObjectView> {
        Err(Error::not_found(format!("no view of {key}")))
    }

    fn home(&self, _: &ObjectKey) -> Option<NodeId> {
        None
    }
}

#[allow(clippy::cast_possible_truncation, reason = "a pattern")]
fn pattern(index: usize) -> u8 {
    (index / 4_099) as u8
}

async fn bottomless(writes: usize) -> (House, Arc<Bottomless>) {
    let store = Arc::new(Bottomless {
        records: MemoryStore::new(None, TestAmbient::new(), 1 << 40),
        held: Arc::default(),
        held_most: AtomicUsize::new(0),
        written: Arc::default(),
        gate: Arc::new(Semaphore::new(writes)),
    });
    let house = house_with(GatewaySettings::default(), Some(store.clone())).await;
    (house, store)
}

#[tokio::test]
async fn reading_64_mib_slowly_holds_a_few_pieces_and_gives_every_byte() {
    let (house, store) = bottomless(0).await;
    let answer = house.get("/v1/objects/books/endless").await;
    assert_eq!(header(&answer, "content-length"), SIZE.to_string());
    let (mut seen, mut frames) = (0, answer.bytes_stream());
    while let Some(frame) = frames.next().await {
        let frame = frame.unwrap();
        assert!(
            frame
                .iter()
                .enumerate()
                .all(|(i, byte)| *byte == pattern(seen + i)),
            "near {seen}"
        );
        seen += frame.len();
        tokio::task::yield_now().await;
    }
    assert_eq!(seen, SIZE);
    let most = store.held_most.load(Ordering::Relaxed);
    assert!(most <= 8 * MIB, "{most} bytes were held at once");
    assert_eq!(store.held.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn writing_64_mib_goes_through_in_pieces() {
    let (house, store) = bottomless(1_000).await;
    let body = Bytes::from_static(&[7; MIB]);
    let pieces = futures::stream::iter((0..64).map(move |_| Ok::<_, Error>(body.clone())));
    let answer = put(
        &house,
        "/v1/objects/books/endless",
        reqwest::Body::wrap_stream(pieces),
    )
    .await;
    assert_eq!(answer.status(), 200);
    assert_eq!(store.written.load(Ordering::Relaxed), SIZE);
}

#[tokio::test]
async fn a_store_that_stalls_holds_its_writer_back() {
    let (house, store) = bottomless(0).await;
    let mut stream = TcpStream::connect(house.address).await.unwrap();
    let head = format!(
        "PUT /v1/objects/books/endless HTTP/1.1\r\nhost: h\r\nconnection: close\r\ncontent-length: {SIZE}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let piece = vec![7; 64 << 10];
    let mut sent = 0;
    // While the store takes nothing, what can be sent is what the kernel and two pieces hold.
    let stalled = std::time::Duration::from_millis(200);
    while let Ok(written) = tokio::time::timeout(stalled, stream.write(&piece)).await {
        sent += written.unwrap();
        assert!(
            sent <= 32 * MIB,
            "{sent} bytes went in, and the store took none"
        );
    }
    assert_eq!(store.written.load(Ordering::Relaxed), 0);
    store.gate.add_permits(1_000);
    let mut left = SIZE - sent;
    while left > 0 {
        left -= stream.write(&piece[..left.min(piece.len())]).await.unwrap();
    }
    let mut answer = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut stream, &mut answer)
        .await
        .unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(store.written.load(Ordering::Relaxed), SIZE);
}
