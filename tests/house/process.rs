//! The program, run as users run it: in processes of its own.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

/// The program: named by `PROGRAM_UNDER_TEST`, as `./test` does, or built here.
#[allow(clippy::disallowed_methods, reason = "a test's settings")]
pub(crate) fn program() -> PathBuf {
    if let Ok(path) = std::env::var("PROGRAM_UNDER_TEST") {
        return path.into();
    }
    let features: &[&str] = if cfg!(feature = "ceph") {
        &["--features", "ceph"]
    } else {
        &[]
    };
    let build = Command::new("cargo")
        .args(["build", "--release", "--message-format=json"])
        .args(features)
        .current_dir(root())
        .output();
    let messages = String::from_utf8(build.unwrap().stdout).unwrap();
    let mut executables = messages.lines().filter_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        (message["target"]["name"] == "ganglion")
            .then(|| message["executable"].as_str().map(PathBuf::from))?
    });
    executables.next_back().expect("cargo names what it built")
}

/// A port that nobody has at the moment.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// A running program, ended by its pid when the test is over.
pub(crate) struct Running {
    pub(crate) child: Child,
    /// Where it listens for HTTP.
    pub(crate) addresses: Vec<String>,
}

impl Running {
    /// Starts it in `folder` and waits until it says where it listens: as a gateway, that many times.
    pub(crate) fn start(arguments: &[&str], folder: &Path, listeners: usize) -> Self {
        let http = format!("[{}]", vec!["\"127.0.0.1:0\""; listeners].join(", "));
        let mut command = Command::new(program());
        command.args(arguments).env("GANGLION_LISTEN_HTTP", http);
        Self::of(command, folder, "listening on http://", listeners)
    }

    /// Runs a command in `folder` and waits until that many lines of stderr have `told` in them.
    pub(crate) fn of(mut command: Command, folder: &Path, told: &str, times: usize) -> Self {
        let mut child = command
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut running = Self {
            child,
            addresses: Vec::new(),
        };
        let mut said = String::new();
        while running.addresses.len() < times {
            let line = lines
                .next()
                .unwrap_or_else(|| panic!("it ended early:\n{said}"));
            let line = line.unwrap();
            if let Some((_, address)) = line.split_once(told) {
                running.addresses.push(address.trim().to_owned());
            }
            said.push_str(&line);
            said.push('\n');
        }
        // Whatever else it says is shown where a test that fails shows what it printed.
        std::thread::spawn(move || {
            lines
                .map_while(Result::ok)
                .for_each(|line| println!("{line}"))
        });
        running
    }

    /// `TERM`, `STOP`, `CONT`, `KILL`.
    pub(crate) fn signal(&self, name: &str) {
        let (signal, pid) = (format!("-{name}"), self.child.id().to_string());
        let sent = Command::new("kill").args([signal, pid]).status().unwrap();
        assert!(sent.success());
    }

    pub(crate) fn terminate(&self) {
        self.signal("TERM");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _reaped = self.child.wait();
    }
}
