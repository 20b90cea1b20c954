//! Where a function runs never changes what it does: every module of `funcs/wasm`, with every input, in every way.
//!
//! A function joins by being there. Each is uploaded twice: as it is, so that a call that names its object runs where that is, and without
//! its manifest, so that the call begins at compute and goes on beside the object in the middle.

use crate::api::Api;
use crate::lab::Lab;
use crate::process::root;
use reqwest::{Method, StatusCode};
use std::collections::BTreeMap;

/// What functions are called with; those that make no sense to one are an error that has to be the same everywhere.
const INPUTS: [&str; 8] = [
    "",
    "book",
    "book the",
    "empty",
    "bytes",
    "missing",
    "new some words",
    "book book empty",
];

/// Whether the manifest is there, and what the request says.
const WAYS: [(bool, &str); 6] = [
    (true, "forbid"),
    (true, "prefer"),
    (true, "allow"),
    (false, "forbid"),
    (false, "prefer"),
    (false, "allow"),
];

/// What a call has left: its status, its exit code, its body, and all objects.
#[derive(Debug, PartialEq)]
struct Left {
    status: StatusCode,
    exit_code: String,
    body: Vec<u8>,
    objects: BTreeMap<String, Vec<u8>>,
}

/// Where the calls of one way ran.
#[derive(Default, Debug)]
struct Ran {
    on_storage: u32,
    offloaded: u32,
    in_place: u32,
}

#[tokio::test(flavor = "multi_thread")]
async fn every_function_does_the_same_wherever_it_runs() {
    let lab = Lab::up().await;
    every_function_does_the_same(&lab).await;
}

/// On any cluster whose bucket `ndp` this may have for itself.
pub(crate) async fn every_function_does_the_same(api: &Api) {
    let objects = objects();
    let mut functions = 0;
    let mut ran: BTreeMap<(bool, &str), Ran> = BTreeMap::new();
    for name in upload_all(api).await {
        functions += 1;
        for input in INPUTS {
            let mut first: Option<Left> = None;
            for way in WAYS {
                put_back(api, &objects).await;
                let left = call(api, &name, input, way, ran.entry(way).or_default()).await;
                match &first {
                    None => first = Some(left),
                    Some(first) => assert!(
                        left == *first,
                        "{name} `{input}` {way:?}: {}",
                        differ(&left, first)
                    ),
                }
            }
        }
    }
    assert!(functions > 8, "{functions}");
    for (way, ran) in &ran {
        match way {
            (_, "forbid") => assert_eq!((ran.on_storage, ran.offloaded), (0, 0), "{way:?} {ran:?}"),
            (true, "prefer") => assert!(ran.on_storage > 10, "{way:?} {ran:?}"),
            (false, "prefer") => {
                assert!(ran.on_storage == 0 && ran.offloaded > 10, "{way:?} {ran:?}")
            }
            _ => {}
        }
    }
}

fn objects() -> BTreeMap<String, Vec<u8>> {
    let words = [
        "near", "the", "data", "octopus", "a", "book", "\n", "ganglion",
    ];
    let mut random = fastrand::Rng::with_seed(11);
    let mut text = String::new();
    while text.len() < 300_000 {
        text += random.choice(words).unwrap();
        text.push(' ');
    }
    let bytes = (0..70_001).map(|_| random.u8(..)).collect();
    [
        ("book", text.into_bytes()),
        ("empty", Vec::new()),
        ("bytes", bytes),
    ]
    .map(|(key, body)| (key.to_owned(), body))
    .into()
}

/// The names, each of which stands for two functions.
async fn upload_all(api: &Api) -> Vec<String> {
    let folder = std::fs::read_dir(root().join("funcs/wasm")).unwrap();
    let mut names = Vec::new();
    for path in folder.map(|entry| entry.unwrap().path()) {
        if path.extension().is_none_or(|extension| extension != "wasm") {
            continue;
        }
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let wasm = std::fs::read(&path).unwrap();
        for (suffix, query) in [("-as-it-is", ""), ("-free", "?object=none")] {
            let path = format!("/v1/functions/ndp/{name}{suffix}{query}");
            let answer = api.put(&path, wasm.clone()).await;
            assert!(
                answer.status().is_success(),
                "{name}: {}",
                answer.text().await.unwrap()
            );
        }
        names.push(name);
    }
    names.sort();
    names
}

/// Makes the bucket what it was.
async fn put_back(api: &Api, objects: &BTreeMap<String, Vec<u8>>) {
    let there = contents(api).await;
    for key in there.keys().filter(|key| !objects.contains_key(*key)) {
        let path = format!("/v1/objects/ndp/{key}");
        api.request(Method::DELETE, &path).send().await.unwrap();
    }
    for (key, body) in objects
        .iter()
        .filter(|(key, body)| there.get(*key) != Some(body))
    {
        let answer = api
            .put(&format!("/v1/objects/ndp/{key}"), body.clone())
            .await;
        assert!(answer.status().is_success(), "{key}");
    }
}

async fn contents(api: &Api) -> BTreeMap<String, Vec<u8>> {
    let listed = api.get("/v1/objects/ndp").await.text().await.unwrap();
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    let mut contents = BTreeMap::new();
    for object in listed["objects"].as_array().unwrap() {
        let key = object["key"].as_str().unwrap();
        let read = api.get(&format!("/v1/objects/ndp/{key}")).await;
        contents.insert(key.to_owned(), read.bytes().await.unwrap().to_vec());
    }
    contents
}

async fn call(
    api: &Api,
    name: &str,
    input: &str,
    (manifest, ndp): (bool, &str),
    ran: &mut Ran,
) -> Left {
    let suffix = if manifest { "-as-it-is" } else { "-free" };
    let path = format!("/v1/functions/ndp/{name}{suffix}/invoke?ndp={ndp}");
    let request = api.request(Method::POST, &path).body(input.to_owned());
    let response = request.send().await.unwrap();
    let header = |name: &str| {
        let value = response.headers().get(name);
        value.map_or("", |value| value.to_str().unwrap()).to_owned()
    };
    let count = |name: &str| header(name).parse().unwrap_or(0);
    ran.on_storage += u32::from(header("ganglion-site") == "storage");
    ran.offloaded += count("ganglion-offloaded");
    ran.in_place += count("ganglion-in-place");
    let (status, exit_code) = (response.status(), header("ganglion-exit-code"));
    Left {
        status,
        exit_code,
        body: told(response.bytes().await.unwrap().to_vec()),
        objects: contents(api).await,
    }
}

/// The body, without what has to differ in a problem: the call's id.
fn told(body: Vec<u8>) -> Vec<u8> {
    let Ok(mut problem) = serde_json::from_slice::<serde_json::Value>(&body) else {
        return body;
    };
    let Some(fields) = problem
        .get_mut("error")
        .and_then(|error| error.as_object_mut())
    else {
        return body;
    };
    fields.remove("call_id");
    serde_json::to_vec(&problem).unwrap()
}

fn differ(one: &Left, other: &Left) -> String {
    let text = |body: &[u8]| String::from_utf8_lossy(&body[..body.len().min(300)]).into_owned();
    let objects: Vec<_> = one
        .objects
        .iter()
        .filter(|(key, body)| other.objects.get(*key) != Some(body))
        .collect();
    format!(
        "{} `{}` `{}` and {} `{}` `{}`; {} and {} objects, {} differ",
        one.status,
        one.exit_code,
        text(&one.body),
        other.status,
        other.exit_code,
        text(&other.body),
        one.objects.len(),
        other.objects.len(),
        objects.len(),
    )
}
