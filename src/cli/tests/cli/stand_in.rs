//! A stand-in for a gateway: answers each request with bytes that a test made up, and keeps what it was asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What was asked.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Method and target, as in `GET /v1/nodes`.
    pub(crate) line: String,
    /// Header lines, their names in lower case.
    pub(crate) headers: Vec<String>,
    pub(crate) body: Vec<u8>,
}

type Answers = Arc<dyn Fn(&Asked, &mut TcpStream) + Send + Sync>;

/// Listens on a port chosen by the kernel, until the test ends.
pub(crate) struct StandIn {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl StandIn {
    /// Answers every request with what `answer` makes of it.
    pub(crate) fn answering(answer: impl Fn(&Asked) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::serving(move |asked, stream| stream.write_all(&answer(asked)).unwrap())
    }

    /// Lets `serve` write what it likes; the connection is closed after it.
    pub(crate) fn serving(serve: impl Fn(&Asked, &mut TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (serve, kept): (Answers, _) = (Arc::new(serve), asked.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (serve, kept) = (serve.clone(), kept.clone());
                std::thread::spawn(move || one(stream.unwrap(), &serve, &kept));
            }
        });
        Self { url, asked }
    }

    /// Everything that was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

fn one(mut stream: TcpStream, serve: &Answers, kept: &Mutex<Vec<Asked>>) {
    let asked = read(&mut BufReader::new(stream.try_clone().unwrap()));
    kept.lock().unwrap().push(asked.clone());
    serve(&asked, &mut stream);
}

fn read(reader: &mut impl BufRead) -> Asked {
    let line = line(reader).trim_end_matches(" HTTP/1.1").to_owned();
    let mut headers = Vec::new();
    loop {
        let header = self::line(reader);
        match header.split_once(':') {
            Some((name, value)) => headers.push(format!("{}:{value}", name.to_lowercase())),
            None => break,
        }
    }
    let length = headers
        .iter()
        .find_map(|header| header.strip_prefix("content-length: "));
    let mut body = Vec::new();
    if let Some(length) = length {
        body.resize(length.parse().unwrap(), 0);
        reader.read_exact(&mut body).unwrap();
    } else if headers.contains(&"transfer-encoding: chunked".to_owned()) {
        read_chunks(reader, &mut body);
    }
    Asked {
        line,
        headers,
        body,
    }
}

fn read_chunks(reader: &mut impl BufRead, body: &mut Vec<u8>) {
    loop {
        let length = u64::from_str_radix(&line(reader), 16).unwrap();
        reader.take(length).read_to_end(body).unwrap();
        line(reader);
        if length == 0 {
            return;
        }
    }
}

fn line(reader: &mut impl BufRead) -> String {
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

/// An answer with these header lines and this body.
pub(crate) fn answer(status: u16, headers: &[&str], body: &[u8]) -> Vec<u8> {
    let mut bytes = format!(
        "HTTP/1.1 {status} Status\r\nconnection: close\r\ncontent-length: {}\r\n",
        body.len()
    )
    .into_bytes();
    for header in headers {
        bytes.extend_from_slice(format!("{header}\r\n").as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body);
    bytes
}

/// A failure as the gateway tells it.
pub(crate) fn problem(status: u16, kind: &str, message: &str) -> Vec<u8> {
    let body = format!(
        r#"{{"error":{{"kind":"{kind}","message":"{message}","call_id":"{:032x}"}}}}"#,
        7
    );
    answer(status, &["content-type: application/json"], body.as_bytes())
}
