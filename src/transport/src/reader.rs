//! Reads frames off a socket, and remembers when something was last heard.

use bytes::BytesMut;
use ganglion_types::{Ambient, Error, Result};
use ganglion_wire::{Decoder, Frame, FrameLimits, Kind, message};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::tcp::OwnedReadHalf;

/// When the other end last sent anything, be it a part of a frame.
pub(crate) struct Heard {
    ambient: Arc<dyn Ambient>,
    at_ns: AtomicU64,
}

impl Heard {
    pub(crate) fn now(ambient: Arc<dyn Ambient>) -> Arc<Self> {
        let at_ns = AtomicU64::new(ambient.monotonic_ns());
        Arc::new(Self { ambient, at_ns })
    }

    fn mark(&self) {
        self.at_ns
            .store(self.ambient.monotonic_ns(), Ordering::Relaxed);
    }

    /// Whether anything was heard after that moment.
    pub(crate) fn since(&self, moment_ns: u64) -> bool {
        self.at_ns.load(Ordering::Relaxed) > moment_ns
    }

    /// How long nothing was heard.
    pub(crate) fn silence(&self) -> Duration {
        let now_ns = self.ambient.monotonic_ns();
        Duration::from_nanos(now_ns.saturating_sub(self.at_ns.load(Ordering::Relaxed)))
    }
}

pub(crate) struct FrameReader {
    socket: OwnedReadHalf,
    decoder: Decoder,
    pub(crate) heard: Arc<Heard>,
}

impl FrameReader {
    pub(crate) fn new(socket: OwnedReadHalf, limits: FrameLimits, heard: Arc<Heard>) -> Self {
        Self {
            socket,
            decoder: Decoder::new(limits),
            heard,
        }
    }

    /// The next frame; `None` when the other end has closed the connection between two frames. `place` as in
    /// [`Decoder::next`]. Dropping the future loses nothing.
    pub(crate) async fn next(
        &mut self,
        mut place: impl FnMut(u64, usize) -> Option<BytesMut>,
    ) -> Result<Option<Frame>> {
        loop {
            if let Some(frame) = self.decoder.next(&mut place)? {
                return Ok(Some(frame));
            }
            let read = self.socket.read_buf(&mut self.decoder.space()).await;
            match read.map_err(|error| Error::unavailable(error.to_string()))? {
                0 if self.decoder.is_between_frames() => return Ok(None),
                0 => return Err(Error::corrupt("the connection ended inside a frame")),
                n => self.decoder.filled(n),
            }
            self.heard.mark();
        }
    }

    /// The other end's hello, which has to be its first frame.
    pub(crate) async fn hello(&mut self) -> Result<message::Hello> {
        match self.next(|_, _| None).await? {
            Some(frame) if frame.kind == Kind::Hello => Ok(frame.decode()?),
            Some(_) => Err(Error::corrupt("the other end did not begin with a hello")),
            None => Err(Error::unavailable(
                "the other end closed the connection without a hello",
            )),
        }
    }
}
