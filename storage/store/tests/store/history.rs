//! Random histories of a [`LocalStore`], restarts included, beside a model of what it promises.

use crate::{clock, key};
use bytes::Bytes;
use ganglion_store::{
    ByteRange, CommitId, Condition, LocalOptions, LocalStore, NAMES_MAX, ObjectMeta, ObjectStore,
    PutOptions, Version,
};
use ganglion_types::{Bucket, CallId, ErrorKind, Key, Result};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::Path;

const KEYS: [&str; 6] = ["a", "a/b", "a%2Fb", "..", "ü", "LONG"];

/// What a step asks to hold; `Current` is made true or nearly so when the step is done.
#[derive(Clone, Copy, Debug)]
enum Wish {
    None,
    Absent,
    Current,
    Stale,
}

#[derive(Clone, Debug)]
enum Step {
    Put {
        key: usize,
        size: usize,
        wish: Wish,
        call: Option<u32>,
    },
    Upload {
        key: usize,
        pieces: Vec<usize>,
        wish: Wish,
        call: Option<u32>,
        dropped: bool,
    },
    Delete {
        key: usize,
        wish: Wish,
    },
    Get {
        key: usize,
        offset: u64,
        length: u64,
    },
    List {
        prefix: usize,
        after: usize,
        limit: usize,
    },
    Reopen,
}

fn wish() -> impl Strategy<Value = Wish> {
    prop_oneof![
        3 => Just(Wish::None),
        1 => Just(Wish::Absent),
        1 => Just(Wish::Current),
        1 => Just(Wish::Stale),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let key = || 0..KEYS.len();
    let call = || proptest::option::weighted(0.5, 0..5_u32);
    let size = || prop_oneof![Just(0_usize), 1..10_000_usize, Just(4096), Just(70_000)];
    prop_oneof![
        6 => (key(), size(), wish(), call()).prop_map(|(key, size, wish, call)| Step::Put { key, size, wish, call }),
        3 => (key(), vec(size(), 0..4), wish(), call(), any::<bool>()).prop_map(
            |(key, pieces, wish, call, dropped)| Step::Upload { key, pieces, wish, call, dropped }
        ),
        3 => (key(), wish()).prop_map(|(key, wish)| Step::Delete { key, wish }),
        4 => (key(), 0..12_000_u64, 0..100_000_u64).prop_map(|(key, offset, length)| Step::Get { key, offset, length }),
        2 => (key(), key(), 0..8_usize).prop_map(|(prefix, after, limit)| Step::List { prefix, after, limit }),
        2 => Just(Step::Reopen),
    ]
}

fn name(number: usize) -> Key {
    match KEYS[number] {
        "LONG" => Key::new("é".repeat(512)).unwrap(),
        name => Key::new(name).unwrap(),
    }
}

/// An object as the model has it.
#[derive(Clone)]
struct Object {
    meta: ObjectMeta,
    body: Bytes,
    /// The newest first.
    names: Vec<CommitId>,
}

#[derive(Default)]
struct Model {
    objects: BTreeMap<Key, Object>,
    /// The greatest version ever seen, of whichever key, deleted ones included.
    last_version: u64,
    bodies: u64,
}

impl Model {
    fn condition(&self, key: &Key, wish: Wish) -> Condition {
        let current = self.objects.get(key).map(|object| object.meta.version);
        match wish {
            Wish::None => Condition::None,
            Wish::Absent => Condition::Absent,
            Wish::Current => Condition::Version(current.unwrap_or(Version(1))),
            Wish::Stale => Condition::Version(Version(current.map_or(7, |version| version.0 - 1))),
        }
    }

    fn holds(&self, key: &Key, condition: Condition) -> bool {
        let current = self.objects.get(key).map(|object| object.meta.version);
        match condition {
            Condition::None => true,
            Condition::Absent => current.is_none(),
            Condition::Version(version) => current == Some(version),
        }
    }

    fn body(&mut self, size: usize) -> Bytes {
        self.bodies += 1;
        let mut bytes = vec![0; size];
        fastrand::Rng::with_seed(self.bodies).fill(&mut bytes);
        bytes.into()
    }

    /// Checks the outcome of a write and follows it.
    fn wrote(&mut self, key: &Key, body: Bytes, options: PutOptions, outcome: Result<ObjectMeta>) {
        let before = self.objects.get(key);
        let mut names = before.map_or(Vec::new(), |object| object.names.clone());
        if let Some(name) = options.commit
            && names.contains(&name)
        {
            assert_eq!(outcome.unwrap(), self.objects[key].meta);
        } else if self.holds(key, options.condition) {
            let meta = outcome.unwrap();
            assert_eq!(meta.size_bytes, body.len() as u64);
            assert!(meta.version.0 > self.last_version);
            self.last_version = meta.version.0;
            if options == PutOptions::default() {
                names.clear();
            }
            names.splice(..0, options.commit);
            names.truncate(NAMES_MAX);
            let object = Object { meta, body, names };
            self.objects.insert(key.clone(), object);
        } else {
            assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Conflict);
        }
    }

    fn deleted(&mut self, key: &Key, condition: Condition, outcome: Result<()>) {
        let refused = match condition {
            Condition::Absent => Some(ErrorKind::Invalid),
            _ if !self.objects.contains_key(key) => Some(ErrorKind::NotFound),
            _ if !self.holds(key, condition) => Some(ErrorKind::Conflict),
            _ => None,
        };
        assert_eq!(outcome.err().map(|error| error.kind()), refused);
        if refused.is_none() {
            self.objects.remove(key);
        }
    }
}

struct Run {
    store: Option<LocalStore>,
    model: Model,
}

impl Run {
    fn store(&self) -> &LocalStore {
        self.store.as_ref().unwrap()
    }

    async fn take(&mut self, step: Step, folder: &Path) {
        match step {
            Step::Put {
                key: number,
                size,
                wish,
                call,
            } => {
                let (key, options) = self.write_of(number, wish, call);
                let body = self.model.body(size);
                let outcome = self.store().put(&key, body.clone(), options).await;
                self.model.wrote(&key.key, body, options, outcome);
            }
            Step::Upload {
                key: number,
                pieces,
                wish,
                call,
                dropped,
            } => {
                let (key, options) = self.write_of(number, wish, call);
                let body = self.model.body(pieces.iter().sum());
                let mut upload = self.store().upload(&key, options).await.unwrap();
                let mut rest = body.clone();
                for piece in pieces {
                    upload.write(rest.split_to(piece)).await.unwrap();
                }
                if !dropped {
                    let outcome = upload.commit().await;
                    self.model.wrote(&key.key, body, options, outcome);
                }
            }
            Step::Delete { key: number, wish } => {
                let (key, options) = self.write_of(number, wish, None);
                let outcome = self.store().delete(&key, options.condition).await;
                self.model.deleted(&key.key, options.condition, outcome);
            }
            Step::Get {
                key,
                offset,
                length,
            } => self.check_get(key, ByteRange { offset, length }).await,
            Step::List {
                prefix,
                after,
                limit,
            } => self.check_list(prefix, after, limit).await,
            Step::Reopen => {
                self.store = None;
                self.store = Some(open(folder));
            }
        }
    }

    fn write_of(
        &self,
        number: usize,
        wish: Wish,
        call: Option<u32>,
    ) -> (ganglion_types::ObjectKey, PutOptions) {
        let key = key(name(number).as_str());
        let condition = self.model.condition(&key.key, wish);
        let commit = call.map(|sequence| CommitId {
            call: CallId(5),
            sequence,
        });
        (key, PutOptions { condition, commit })
    }

    async fn check_get(&self, number: usize, range: ByteRange) {
        let key = key(name(number).as_str());
        let outcome = self.store().get(&key, range, None).await;
        match self.model.objects.get(&key.key) {
            None => assert_eq!(outcome.unwrap_err().kind(), ErrorKind::NotFound),
            Some(object) => {
                let within = range.within(object.meta.size_bytes);
                let start = usize::try_from(within.offset).unwrap();
                let end = start + usize::try_from(within.length).unwrap();
                let read = outcome.unwrap();
                assert_eq!(read.meta, object.meta);
                assert!(read.bytes == object.body[start..end]);
            }
        }
    }

    async fn check_list(&self, prefix: usize, after: usize, limit: usize) {
        let (prefix, after) = (name(prefix), name(after));
        let bucket = Bucket::new("books").unwrap();
        let after = limit.is_multiple_of(2).then_some(&after);
        let found = self
            .store()
            .list(&bucket, prefix.as_str(), after, limit)
            .await
            .unwrap();
        let objects = self
            .model
            .objects
            .iter()
            .map(|(key, object)| (key.clone(), object.meta.clone()));
        let behind = |key: &Key| after.is_none_or(|after| key > after);
        let mut expected: Vec<_> = objects
            .filter(|(key, _)| key.as_str().starts_with(prefix.as_str()) && behind(key))
            .collect();
        assert_eq!(found.more, expected.len() > limit);
        expected.truncate(limit);
        assert_eq!(found.objects, expected);
    }

    /// Everything at once, at the end.
    async fn check_all(&self) {
        for number in 0..KEYS.len() {
            self.check_get(number, ByteRange::ALL).await;
        }
        let buckets = self.store().buckets().await.unwrap();
        assert_eq!(buckets.is_empty(), self.model.objects.is_empty());
    }
}

fn open(folder: &Path) -> LocalStore {
    let options = LocalOptions {
        durable: false,
        ..LocalOptions::default()
    };
    LocalStore::open_with(folder, None, clock(), options).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_history_gives_what_the_model_gives(steps in vec(step(), 1..60)) {
        let folder = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut run = Run { store: Some(open(folder.path())), model: Model::default() };
            for step in steps {
                run.take(step, folder.path()).await;
            }
            run.check_all().await;
            run.take(Step::Reopen, folder.path()).await;
            run.check_all().await;
        });
    }
}
