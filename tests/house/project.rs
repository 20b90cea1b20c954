//! From an empty folder to a function that runs: `new`, `build`, `deploy`, `watch`, with the compilers that `./test` installs.

use crate::process::{Running, program};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// A cluster that runs, and a folder for functions.
struct Lab {
    cluster: Running,
    folder: tempfile::TempDir,
}

impl Lab {
    fn up() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let cluster = Running::start(&["up", "--no-functions"], folder.path(), 1);
        Self { cluster, folder }
    }

    fn command(&self, folder: &Path, words: &[&str]) -> Command {
        let mut command = Command::new(program());
        let url = format!("http://{}", self.cluster.addresses[0]);
        command
            .args(words)
            .current_dir(folder)
            .env("GANGLION_URL", url);
        if let Some(sysroot) = rust_sysroot() {
            let flags = [
                format!("--sysroot={}", sysroot.display()),
                "-Clinker=wasm-ld-19".into(),
            ];
            command.env("RUSTC", "/usr/bin/rustc");
            command.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
        }
        command
    }

    fn run(&self, folder: &Path, words: &[&str]) -> Output {
        self.command(folder, words).output().unwrap()
    }

    fn ok(&self, folder: &Path, words: &[&str]) -> String {
        let output = self.run(folder, words);
        assert!(output.status.success(), "{words:?}: {}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// A new project, and an object of three lines and five words.
    fn project(&self, name: &str, lang: &str) -> PathBuf {
        let folder = self.folder.path();
        self.ok(folder, &["new", name, "--lang", lang, "--user", "demo"]);
        std::fs::write(folder.join("text"), "one two\nthree four\nfive\n").unwrap();
        self.ok(folder, &["object", "put", "demo/text", "text"]);
        folder.join(name)
    }

    fn count(&self, name: &str) -> String {
        self.ok(self.folder.path(), &["invoke", "demo", name, "-i", "text"])
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Rust's standard library for guests, where `funcs/build` has made it of Debian's sources; elsewhere rustup's is used.
fn rust_sysroot() -> Option<PathBuf> {
    let cache = std::env::home_dir()?.join(".cache/ganglion");
    let mut folders = std::fs::read_dir(cache).ok()?.filter_map(Result::ok);
    let found = folders.find(|entry| {
        entry
            .file_name()
            .to_string_lossy()
            .starts_with("wasi-sysroot-")
    });
    found.map(|entry| entry.path())
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    #[allow(clippy::disallowed_methods, reason = "how long a test waits")]
    let began = Instant::now();
    while !is_so() {
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "it did not come about: {what}"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_new_function_builds_deploys_and_answers_in_every_language() {
    let lab = Lab::up();
    for lang in ["c", "cpp", "rust"] {
        let name = format!("lines-{lang}");
        let project = lab.project(&name, lang);
        lab.ok(&project, &["build"]);
        let deployed = lab.run(&project, &["deploy"]);
        assert!(deployed.status.success(), "{}", said(&deployed));
        assert!(said(&deployed).contains("curl"), "{}", said(&deployed));
        assert_eq!(lab.count(&name), "3\n");
        let shown = lab.ok(
            &project,
            &["func", "show", &format!("demo/{name}"), "-o", "json"],
        );
        let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
        assert_eq!(
            (&shown["object"], &shown["writes_objects"]),
            (&"input".into(), &false.into())
        );
    }
}

#[test]
fn what_is_saved_runs_and_what_does_not_build_is_told() {
    let lab = Lab::up();
    let project = lab.project("live", "cpp");
    let mut watch = lab.command(&project, &["watch"]);
    watch.env("NO_COLOR", "1");
    let mut watching = watch.stderr(Stdio::piped()).spawn().unwrap();
    let mut told = BufReader::new(watching.stderr.take().unwrap()).lines();
    let mut until_told = |what: &str| {
        let line = told.find(|line| line.as_ref().is_ok_and(|line| line.contains(what)));
        assert!(line.is_some(), "the watch ended and did not tell: {what}");
    };
    until_told("watching");
    assert_eq!(lab.count("live"), "3\n");
    let source = project.join("main.cpp");
    let lines = std::fs::read_to_string(&source).unwrap();
    std::fs::write(&source, "this is no C++\n").unwrap();
    until_told("did not build it");
    until_told("watching");
    assert_eq!(lab.count("live"), "3\n", "the last that was built goes on");
    std::fs::write(&source, lines.replace(r"'\n');", "' ');")).unwrap();
    until("it counts spaces", || lab.count("live") == "2\n");
    watching.kill().unwrap();
    watching.wait().unwrap();
}

#[test]
fn limits_of_a_function_hold_and_what_contradicts_its_file_is_refused_by_name() {
    let lab = Lab::up();
    let project = lab.project("bound", "cpp");
    let manifest = project.join("ganglion.toml");
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(
        &manifest,
        text.replace("# call_time = \"10s\"", "call_time = \"200ms\""),
    )
    .unwrap();
    let source = project.join("main.cpp");
    let lines = std::fs::read_to_string(&source).unwrap();
    std::fs::write(
        &source,
        lines.replace(
            "long lines = 0;",
            "long lines = 0;\n    for (volatile int at = 0;; ++at) {\n    }\n",
        ),
    )
    .unwrap();
    lab.ok(&project, &["deploy"]);
    let late = lab.run(&project, &["invoke", "demo", "bound", "-i", "text"]);
    assert!(said(&late).contains("deadline"), "{}", said(&late));

    std::fs::write(
        &source,
        lines.replace(
            "long lines = 0;",
            "long lines = 0;\n    ganglion::put(key, \"x\");\n",
        ),
    )
    .unwrap();
    let refused = lab.run(&project, &["deploy"]);
    assert!(!refused.status.success());
    assert!(
        said(&refused).contains("read_only") && said(&refused).contains("__faasmndp_put"),
        "{}",
        said(&refused)
    );

    let again = lab.run(lab.folder.path(), &["new", "bound"]);
    assert_eq!(again.status.code(), Some(7), "{}", said(&again));
    std::fs::write(&manifest, "[function]\nname = \"bound\"\n").unwrap();
    let unclear = lab.run(&project, &["build"]);
    assert!(
        said(&unclear).contains("tenant") && said(&unclear).contains("ganglion.toml"),
        "{}",
        said(&unclear)
    );
    let nowhere = lab.run(lab.folder.path(), &["build"]);
    assert!(
        said(&nowhere).contains("ganglion new"),
        "{}",
        said(&nowhere)
    );
}
