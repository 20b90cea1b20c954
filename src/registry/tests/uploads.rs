//! What may be uploaded, what is refused and why, and what is found again.
#![allow(clippy::unwrap_used, reason = "a test is allowed to panic")]

use bytes::Bytes;
use ganglion_registry::{Catalog, Engine, Interruption, Modules, ObjectFrom, Origin};
use ganglion_store::{Condition, MemoryStore, ObjectStore};
use ganglion_types::{Ambient, ContentHash, ErrorKind, FunctionRef, ModuleLimits, ObjectKey};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A clock that stands until it is moved.
#[derive(Default)]
struct Clock(AtomicU64);

impl Clock {
    fn pass(&self, time: Duration) {
        let time = u64::try_from(time.as_nanos()).unwrap();
        self.0.fetch_add(time, Ordering::Relaxed);
    }
}

/// After how long a name is looked at again.
const NAME_AGE: Duration = Duration::from_secs(1);

impl Ambient for Clock {
    fn monotonic_ns(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
    fn unix_ns(&self) -> u64 {
        5_000_000
    }
    fn fill_random(&self, buffer: &mut [u8]) {
        buffer.fill(4);
    }
}

struct Lab {
    store: Arc<dyn ObjectStore>,
    clock: Arc<Clock>,
    dir: tempfile::TempDir,
}

impl Lab {
    fn new() -> Self {
        let clock = Arc::new(Clock::default());
        let store = Arc::new(MemoryStore::new(None, clock.clone(), 1 << 30));
        Self {
            store,
            clock,
            dir: tempfile::tempdir().unwrap(),
        }
    }

    /// The registry as a process that starts now sees it.
    fn open(&self) -> Catalog {
        let engine = Engine::new(1 << 20, Interruption::Poll).unwrap();
        let limits = ModuleLimits {
            module_bytes: 100_000,
            memory_bytes: 64 << 20,
            table_elements: 100,
            ..ModuleLimits::default()
        };
        let modules = Modules::open(engine, self.dir.path(), self.store.clone(), limits).unwrap();
        Catalog::new(
            self.store.clone(),
            Arc::new(modules),
            self.clock.clone(),
            NAME_AGE,
        )
    }
}

fn name(function: &str) -> FunctionRef {
    FunctionRef::new("t", function).unwrap()
}

fn module(inner: &str) -> Bytes {
    wat::parse_str(format!("(module {inner} (func (export \"_start\")))"))
        .unwrap()
        .into()
}

async fn refusal(wasm: Bytes) -> String {
    let error = Lab::new()
        .open()
        .upload(name("f"), wasm, None)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    error.to_string()
}

#[tokio::test]
async fn a_bad_module_is_refused_with_what_is_wrong() {
    let cases: Vec<(Bytes, &str)> = vec![
        ("hello".into(), "not WebAssembly"),
        (Bytes::new(), "not WebAssembly"),
        (module("")[..20].to_vec().into(), "not valid"),
        (vec![0; 100_001].into(), "limits.module"),
        (wat::parse_str("(component)").unwrap().into(), "component"),
        (wat::parse_str("(module)").unwrap().into(), "_start"),
        (
            wat::parse_str("(module (func (export \"_start\") (param i32)))")
                .unwrap()
                .into(),
            "() -> ()",
        ),
        (
            module("(import \"env\" \"nope\" (func))"),
            "unknown import `env.nope`",
        ),
        (
            module("(import \"env\" \"__faasm_chain_name\" (func))"),
            "Faasm",
        ),
        (
            module("(import \"env\" \"__ganglion_call_output_size\" (func))"),
            "unknown import `env.__ganglion_call_output_size`: a call of the host",
        ),
        (
            module("(import \"env\" \"__faasm_read_input\" (func (param i64)))"),
            "wrong signature",
        ),
        (
            module("(import \"env\" \"memory\" (memory 1))"),
            "env.memory",
        ),
        (module("(memory 2000)"), "limits.memory"),
        (module("(memory i64 1)"), "memory64"),
        (module("(memory 1) (memory 1)"), "multi"),
        (module("(memory 1 1 shared)"), "threads"),
        (
            module("(memory 1) (func (drop (i32.atomic.load8_u (i32.const 0))))"),
            "threads",
        ),
        (module("(memory 1) (func (atomic.fence))"), "threads"),
        (module("(memory 0 0)"), "maximum 0"),
        (module("(table 101 funcref)"), "limits.table"),
        (
            module("(table 1 funcref) (table 1 funcref)"),
            "more than one table",
        ),
        (
            module("(table 1 funcref) (func (drop (table.grow (ref.null func) (i32.const 1))))"),
            "changes the function table",
        ),
        (
            module("(global (export \"__ganglion_x\") i32 (i32.const 0))"),
            "reserved",
        ),
        (
            module("(memory 1) (data (i32.const 65530) \"1234567\")"),
            "beyond",
        ),
        (module("(@custom \"ganglion\" \"{}x\")"), "manifest"),
    ];
    for (wasm, named) in cases {
        let message = refusal(wasm).await;
        assert!(
            message.contains(named),
            "{message:?} does not name {named:?}"
        );
    }
}

#[tokio::test]
async fn what_was_uploaded_is_found_again_after_a_restart() {
    let lab = Lab::new();
    let wasm = module("(memory 1) (@custom \"ganglion\" \"{\\\"object\\\":\\\"input\\\"}\")");
    let first = lab
        .open()
        .upload(name("f"), wasm.clone(), None)
        .await
        .unwrap();
    assert_eq!(
        (first.size_bytes, first.uploaded_ms),
        (wasm.len() as u64, 5)
    );
    assert_eq!(first.manifest.object, ObjectFrom::Input);
    assert!(!first.writes_objects);
    let again = lab.open();
    assert_eq!(*again.resolve(&name("f")).await.unwrap(), *first);
    assert_eq!(again.original(&name("f")).await.unwrap(), wasm);
    assert_eq!(again.list(None).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_second_upload_replaces_the_name_and_keeps_the_first_content() {
    let lab = Lab::new();
    let catalog = lab.open();
    let first = catalog
        .upload(name("f"), module("(memory 1)"), None)
        .await
        .unwrap();
    let second = catalog
        .upload(name("f"), module("(memory 2)"), Some(ObjectFrom::FirstWord))
        .await
        .unwrap();
    assert_ne!(first.module, second.module);
    assert_eq!(
        catalog.resolve(&name("f")).await.unwrap().module,
        second.module
    );
    assert_eq!(second.manifest.object, ObjectFrom::FirstWord);
    let key = ObjectKey::new(".functions", format!("module/{}", first.module)).unwrap();
    lab.store
        .stat(&key)
        .await
        .expect("running calls may still need it");
}

#[tokio::test]
async fn a_deleted_name_is_gone_now_and_after_a_restart() {
    let lab = Lab::new();
    let catalog = lab.open();
    catalog.upload(name("f"), module(""), None).await.unwrap();
    catalog.delete(&name("f")).await.unwrap();
    for catalog in [catalog, lab.open()] {
        assert_eq!(
            catalog.resolve(&name("f")).await.unwrap_err().kind(),
            ErrorKind::NotFound
        );
        assert_eq!(
            catalog.delete(&name("f")).await.unwrap_err().kind(),
            ErrorKind::NotFound
        );
    }
}

#[tokio::test]
async fn what_one_gateway_uploads_and_deletes_another_learns_without_making_a_call_wait() {
    let lab = Lab::new();
    let (ours, theirs) = (lab.open(), lab.open());
    let first = ours
        .upload(name("f"), module("(memory 1)"), None)
        .await
        .unwrap();
    assert_eq!(
        theirs.resolve(&name("f")).await.unwrap().module,
        first.module
    );
    let second = ours
        .upload(name("f"), module("(memory 2)"), None)
        .await
        .unwrap();
    let module_there = async || theirs.resolve(&name("f")).await.map(|record| record.module);
    assert_eq!(
        module_there().await.unwrap(),
        first.module,
        "as it was just seen"
    );
    lab.clock.pass(2 * NAME_AGE);
    assert_eq!(
        module_there().await.unwrap(),
        first.module,
        "nobody waits for the look"
    );
    let until = async |done: &dyn Fn(Result<ContentHash, ErrorKind>) -> bool| {
        for _ in 0..10_000 {
            if done(module_there().await.map_err(|error| error.kind())) {
                return;
            }
            tokio::task::yield_now().await;
        }
        panic!("the other gateway's change was never seen");
    };
    until(&|seen| seen == Ok(second.module)).await;
    ours.delete(&name("f")).await.unwrap();
    lab.clock.pass(2 * NAME_AGE);
    until(&|seen| seen == Err(ErrorKind::NotFound)).await;
}

#[tokio::test]
async fn functions_are_compiled_again_for_another_way_of_interruption_and_kept_for_each() {
    let lab = Lab::new();
    let open = |interruption| {
        let engine = Engine::new(1 << 20, interruption).unwrap();
        let (dir, store) = (lab.dir.path(), lab.store.clone());
        Modules::open(engine, dir, store, ModuleLimits::default()).unwrap()
    };
    let hash = open(Interruption::Poll)
        .add(module("(memory 1)"))
        .await
        .unwrap()
        .hash;
    let mut origins = Vec::new();
    for interruption in [
        Interruption::Poll,
        Interruption::Epoch,
        Interruption::Never,
        Interruption::Never,
        Interruption::Epoch,
        Interruption::Poll,
    ] {
        origins.push(open(interruption).load(hash).await.unwrap().1);
    }
    let (artefact, compiled) = (Origin::Artefact, Origin::Compiled);
    assert_eq!(
        origins,
        [artefact, compiled, compiled, artefact, artefact, artefact]
    );
}

#[tokio::test]
async fn damaged_artefacts_are_compiled_again_and_a_damaged_module_is_corrupt() {
    let lab = Lab::new();
    let record = lab
        .open()
        .upload(name("f"), module("(memory 1)"), None)
        .await
        .unwrap();
    let engine = Engine::new(1 << 20, Interruption::Poll).unwrap();
    let open = || {
        Modules::open(
            engine.clone(),
            lab.dir.path(),
            lab.store.clone(),
            ModuleLimits::default(),
        )
        .unwrap()
    };
    assert_eq!(
        open().load(record.module).await.unwrap().1,
        Origin::Artefact
    );
    for entry in std::fs::read_dir(lab.dir.path()).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0xff;
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(
            open().load(record.module).await.unwrap().1,
            Origin::Compiled
        );
    }
    std::fs::remove_dir_all(lab.dir.path()).unwrap();
    std::fs::create_dir(lab.dir.path()).unwrap();
    let key = ObjectKey::new(".functions", format!("module/{}", record.module)).unwrap();
    lab.store
        .put(&key, "other".into(), Default::default())
        .await
        .unwrap();
    assert_eq!(
        open().load(record.module).await.err().unwrap().kind(),
        ErrorKind::Corrupt
    );
    lab.store.delete(&key, Condition::None).await.unwrap();
    assert_eq!(
        open().load(record.module).await.err().unwrap().kind(),
        ErrorKind::NotFound
    );
}

#[tokio::test]
async fn a_module_that_says_nothing_names_its_object_first_when_it_reads_objects() {
    let lab = Lab::new();
    let catalog = lab.open();
    let reads = "(import \"env\" \"__faasmndp_unmap\" (func (param i32 i32) (result i32)))";
    let writes = "(import \"env\" \"__faasmndp_put\" (func (param i32 i32 i32 i32) (result i32)))";
    for (inner, object, writes) in [
        ("", ObjectFrom::None, false),
        (reads, ObjectFrom::FirstWord, false),
        (writes, ObjectFrom::FirstWord, true),
    ] {
        let record = catalog
            .upload(name("f"), module(inner), None)
            .await
            .unwrap();
        assert_eq!(
            (record.manifest.object, record.writes_objects),
            (object, writes)
        );
    }
}
