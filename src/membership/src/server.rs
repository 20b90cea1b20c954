//! A `redis-server` of one's own, for tests and measurements: on a free port of loopback, in a folder of its own, keeping
//! nothing when it ends.

use ganglion_types::{Error, Result};
use rustix::process::{Pid, Signal, kill_process};
use std::net::{Ipv4Addr, TcpListener};
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

/// How long a server may take to answer its first command.
const START_TIME: Duration = Duration::from_secs(10);
/// Free ports that are tried: another process may take one between its choice and its use.
const PORTS_MAX: u32 = 5;

/// A running, killed or paused Redis. Dropping it kills it and removes its folder.
#[derive(Debug)]
pub struct RedisServer {
    /// Dropped before its folder is.
    process: Option<Child>,
    folder: TempDir,
    port: u16,
}

impl RedisServer {
    /// Starts one, and waits until it answers.
    ///
    /// # Errors
    /// `Unavailable` when there is no program `redis-server`, or it does not answer within 10 s.
    pub async fn start() -> Result<Self> {
        let mut server = Self {
            process: None,
            folder: tempfile::tempdir().map_err(|why| failed("a folder", &why))?,
            port: 0,
        };
        let mut started = Err(Error::unavailable("no port was tried"));
        for _ in 0..PORTS_MAX {
            server.port = free_port()?;
            started = server.start_again().await;
            if started.is_ok() {
                break;
            }
        }
        started.map(|()| server)
    }

    /// `redis://127.0.0.1:port`, the same for its life.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Ends it as a crash would; all that it held is lost.
    ///
    /// # Errors
    /// `Internal` when the kernel does not let it.
    pub async fn kill(&mut self) -> Result<()> {
        match self.process.take() {
            Some(mut process) => process.kill().await.map_err(|why| failed("killing", &why)),
            None => Ok(()),
        }
    }

    /// Starts it, empty, on the same port, and waits until it answers. What ran before is killed.
    ///
    /// # Errors
    /// `Unavailable` as for [`RedisServer::start`], and when another process has taken the port.
    pub async fn start_again(&mut self) -> Result<()> {
        self.kill().await?;
        let process = Command::new("redis-server")
            .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "no", "--daemonize", "no"])
            .args(["--logfile", "redis.log"])
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn();
        let process = process.map_err(|why| {
            Error::unavailable(format!(
                "starting redis-server (Debian's `redis-server`): {why}"
            ))
        })?;
        self.process = Some(process);
        tokio::time::timeout(START_TIME, self.answers())
            .await
            .unwrap_or_else(|_| {
                Err(Error::unavailable(format!(
                    "redis-server on port {} did not answer within {START_TIME:?}",
                    self.port
                )))
            })
    }

    /// Stops it in its tracks: connections stay open and nothing is answered, until [`RedisServer::resume`].
    ///
    /// # Errors
    /// `Invalid` when it does not run.
    pub fn pause(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// `Invalid` when it does not run.
    pub fn resume(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let id = self.process.as_ref().and_then(Child::id);
        let id = id.and_then(|id| i32::try_from(id).ok());
        let id = id.and_then(Pid::from_raw);
        let id = id.ok_or_else(|| {
            Error::invalid(format!("redis-server on port {} does not run", self.port))
        })?;
        kill_process(id, signal).map_err(|why| failed("sending a signal", &why.into()))
    }

    /// Returns when it answers, or has ended.
    async fn answers(&mut self) -> Result<()> {
        loop {
            let ended = self.process.as_mut().map(Child::try_wait);
            if let Some(Ok(Some(status))) = ended {
                return Err(Error::unavailable(format!(
                    "redis-server on port {} ended with {status}",
                    self.port
                )));
            }
            let ours = self.process.as_ref().and_then(Child::id);
            if ours.is_some() && who_answers(self.port).await.ok().flatten() == ours {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// The process that answers on a port, which may be another's than was just started there.
async fn who_answers(port: u16) -> std::io::Result<Option<u32>> {
    let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    socket.write_all(b"INFO server\r\nQUIT\r\n").await?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await?;
    let mut lines = answer.lines();
    let id = lines.find_map(|line| line.strip_prefix("process_id:"));
    Ok(id.and_then(|id| id.parse().ok()))
}

fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let address = listener.and_then(|listener| listener.local_addr());
    Ok(address.map_err(|why| failed("a free port", &why))?.port())
}

fn failed(what: &str, why: &std::io::Error) -> Error {
    Error::internal(format!("a redis-server for tests: {what}: {why}"))
}
