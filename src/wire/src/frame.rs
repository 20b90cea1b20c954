//! Frames: how they are written, and how they are found again in a stream of bytes from somebody who may be hostile.

use crate::message;
use bytes::buf::Limit;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use ganglion_types::{Error, ErrorKind};
use prost::Message;

/// Length of the fixed part of a frame.
pub const HEADER_BYTES: usize = 20;

/// From this length on a payload is read into a buffer of its own and not out of the shared read buffer: one system call then
/// moves more, and a payload that is kept does not keep its neighbours.
pub const LARGE_PAYLOAD_BYTES: usize = 32 << 10;

const MAGIC: [u8; 2] = *b"gN";
const LAYOUT: u8 = 1;
const READ_BYTES: usize = 64 << 10;
const READ_BYTES_MIN: usize = 8 << 10;

/// What a frame is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A [`message::Hello`], first in each direction.
    Hello = 1,
    /// A [`message::Request`].
    Request = 2,
    /// A [`message::Answer`] to the request of the same stream.
    Answer = 3,
    /// The request of that stream is of no interest any more; no message, no answer.
    Cancel = 4,
    /// The server takes no more requests on this connection; no message.
    Goodbye = 5,
}

impl Kind {
    fn from_byte(byte: u8) -> Result<Self, FrameError> {
        Ok(match byte {
            1 => Self::Hello,
            2 => Self::Request,
            3 => Self::Answer,
            4 => Self::Cancel,
            5 => Self::Goodbye,
            _ => return Err(FrameError::Kind { byte }),
        })
    }
}

/// The longest parts of a frame that a node sends and takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameLimits {
    /// The message, in bytes. Setting `link.message`.
    pub message_bytes_max: u32,
    /// The payload, in bytes. Setting `link.payload`.
    pub payload_bytes_max: u32,
}

impl Default for FrameLimits {
    fn default() -> Self {
        Self {
            message_bytes_max: 1 << 20,
            payload_bytes_max: 128 << 20,
        }
    }
}

impl FrameLimits {
    /// What may be sent to a node that said this hello: the smaller of its limits and these.
    #[must_use]
    pub fn agreed(self, hello: &message::Hello) -> Self {
        Self {
            message_bytes_max: self.message_bytes_max.min(hello.message_bytes_max),
            payload_bytes_max: self.payload_bytes_max.min(hello.payload_bytes_max),
        }
    }

    fn check(self, message_bytes: usize, payload_bytes: usize) -> Result<(u32, u32), FrameError> {
        let within = |bytes: usize, limit: u32| u32::try_from(bytes).ok().filter(|b| *b <= limit);
        let message = within(message_bytes, self.message_bytes_max).ok_or(FrameError::TooLong {
            part: "message",
            bytes: message_bytes,
            limit: self.message_bytes_max,
            setting: "link.message",
        })?;
        let payload = within(payload_bytes, self.payload_bytes_max).ok_or(FrameError::TooLong {
            part: "payload",
            bytes: payload_bytes,
            limit: self.payload_bytes_max,
            setting: "link.payload",
        })?;
        Ok((message, payload))
    }
}

/// Why bytes are not a frame, or a message not fit for one. After one of these from a [`Decoder`] the connection is lost:
/// nobody can tell where the next frame begins.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The other end is something else.
    #[error("the other end does not speak ganglion's protocol: a frame begins with {bytes:02x?}")]
    Magic {
        /// What stands where the magic should.
        bytes: [u8; 2],
    },
    /// The other end is of another time.
    #[error("the other end writes frames of layout {theirs}, this node reads layout {LAYOUT}")]
    Layout {
        /// Its layout.
        theirs: u8,
    },
    /// No such kind.
    #[error("there is no frame of kind {byte}")]
    Kind {
        /// The kind's number.
        byte: u8,
    },
    /// Beyond a limit.
    #[error(
        "a frame's {part} of {bytes} bytes is beyond the limit of {limit} (setting `{setting}`)"
    )]
    TooLong {
        /// Which part.
        part: &'static str,
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: u32,
        /// The limit's setting.
        setting: &'static str,
    },
    /// The message part is not the message that the kind says.
    #[error("a frame's message cannot be read: {0}")]
    Message(#[from] prost::DecodeError),
}

impl From<FrameError> for Error {
    fn from(error: FrameError) -> Self {
        let kind = match error {
            FrameError::TooLong { .. } => ErrorKind::Invalid,
            _ => ErrorKind::Corrupt,
        };
        Self::new(kind, error.to_string())
    }
}

/// Appends header and message of a frame to `out`; `payload_bytes` bytes of payload have to follow it on the wire.
///
/// # Errors
/// [`FrameError::TooLong`]; `out` is then as it was.
pub fn put_frame(
    out: &mut BytesMut,
    limits: FrameLimits,
    (kind, stream): (Kind, u64),
    message: &impl Message,
    payload_bytes: usize,
) -> Result<(), FrameError> {
    let start = out.len();
    out.put_slice(&[MAGIC[0], MAGIC[1], LAYOUT, kind as u8]);
    out.put_u32_le(0);
    out.put_u64_le(stream);
    out.put_u32_le(0);
    message
        .encode(out)
        .expect("a BytesMut grows as long as there is memory");
    match limits.check(out.len() - start - HEADER_BYTES, payload_bytes) {
        Ok((message_len, payload_len)) => {
            out[start + 4..start + 8].copy_from_slice(&message_len.to_le_bytes());
            out[start + 16..start + 20].copy_from_slice(&payload_len.to_le_bytes());
            Ok(())
        }
        Err(error) => {
            out.truncate(start);
            Err(error)
        }
    }
}

/// A payload, as it was read.
#[derive(Debug)]
pub enum Payload {
    /// A part of the read buffer.
    Slice(Bytes),
    /// A buffer of its own: the one that the reader was given for it, or one of exactly its length.
    Own(BytesMut),
}

impl Payload {
    /// The bytes, shared; nothing is copied.
    pub fn into_bytes(self) -> Bytes {
        match self {
            Self::Slice(bytes) => bytes,
            Self::Own(bytes) => bytes.freeze(),
        }
    }

    /// Number of bytes.
    pub fn len(&self) -> usize {
        match self {
            Self::Slice(bytes) => bytes.len(),
            Self::Own(bytes) => bytes.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A frame, complete.
#[derive(Debug)]
pub struct Frame {
    /// What it is for.
    pub kind: Kind,
    /// Whose it is.
    pub stream: u64,
    /// The message, not yet decoded.
    pub message: Bytes,
    /// The payload.
    pub payload: Payload,
}

impl Frame {
    /// The message.
    ///
    /// # Errors
    /// [`FrameError::Message`] when it is not an `M`.
    pub fn decode<M: Message + Default>(&self) -> Result<M, FrameError> {
        Ok(M::decode(&self.message[..])?)
    }
}

#[derive(Clone, Copy)]
struct Header {
    kind: Kind,
    stream: u64,
    message_bytes: usize,
    payload_bytes: usize,
}

impl Header {
    fn read(mut bytes: &[u8], limits: FrameLimits) -> Result<Self, FrameError> {
        let magic = [bytes.get_u8(), bytes.get_u8()];
        if magic != MAGIC {
            return Err(FrameError::Magic { bytes: magic });
        }
        let theirs = bytes.get_u8();
        if theirs != LAYOUT {
            return Err(FrameError::Layout { theirs });
        }
        let kind = Kind::from_byte(bytes.get_u8())?;
        let length = |value: u32| usize::try_from(value).expect("32 bits fit a usize");
        let message_bytes = length(bytes.get_u32_le());
        let stream = bytes.get_u64_le();
        let payload_bytes = length(bytes.get_u32_le());
        limits.check(message_bytes, payload_bytes)?;
        Ok(Self {
            kind,
            stream,
            message_bytes,
            payload_bytes,
        })
    }

    /// The bytes that have to be in the read buffer before the frame, or its large payload, can be dealt with.
    fn buffered_bytes(self) -> usize {
        let payload = match self.payload_bytes {
            large if large >= LARGE_PAYLOAD_BYTES => 0,
            small => small,
        };
        HEADER_BYTES + self.message_bytes + payload
    }
}

/// A large payload on its way.
struct Filling {
    frame: Frame,
    missing: usize,
}

/// Finds frames in a stream of bytes.
///
/// Read into [`Decoder::space`], then take frames with [`Decoder::next`] until there is none. What it holds is bounded: a read
/// buffer of 64 KiB (more only for a message that is longer, up to `link.message`) and one large payload of the announced
/// length, at most `link.payload`.
pub struct Decoder {
    limits: FrameLimits,
    buffer: BytesMut,
    header: Option<Header>,
    filling: Option<Filling>,
}

impl Decoder {
    /// A decoder at the beginning of a stream.
    pub fn new(limits: FrameLimits) -> Self {
        Self {
            limits,
            buffer: BytesMut::new(),
            header: None,
            filling: None,
        }
    }

    /// Where the next bytes of the stream belong; never empty.
    pub fn space(&mut self) -> Limit<&mut BytesMut> {
        if let Some(Filling { frame, missing }) = &mut self.filling {
            let Payload::Own(payload) = &mut frame.payload else {
                unreachable!("a payload is filled in a buffer of its own")
            };
            return payload.limit(*missing);
        }
        let wanted = self.header.map_or(0, Header::buffered_bytes);
        let missing = wanted.saturating_sub(self.buffer.len());
        if self.buffer.capacity() - self.buffer.len() < missing.max(READ_BYTES_MIN) {
            self.buffer.reserve(missing.max(READ_BYTES));
        }
        let spare = self.buffer.capacity() - self.buffer.len();
        (&mut self.buffer).limit(spare)
    }

    /// Says that `bytes` bytes were put into [`Decoder::space`].
    pub fn filled(&mut self, bytes: usize) {
        if let Some(filling) = &mut self.filling {
            filling.missing -= bytes;
        }
    }

    /// Whether the stream could end here without cutting a frame.
    pub fn is_between_frames(&self) -> bool {
        self.buffer.is_empty() && self.filling.is_none()
    }

    /// The next frame, when all of it has been read. `place` is asked for a buffer for a large payload of `(stream, bytes)`;
    /// one that is missing, used or too small is replaced by a new one.
    ///
    /// # Errors
    /// Any [`FrameError`] but [`FrameError::Message`]; the stream is then useless.
    pub fn next(
        &mut self,
        place: impl FnOnce(u64, usize) -> Option<BytesMut>,
    ) -> Result<Option<Frame>, FrameError> {
        if let Some(filling) = self.filling.take_if(|filling| filling.missing == 0) {
            return Ok(Some(filling.frame));
        }
        if self.filling.is_some() {
            return Ok(None);
        }
        let Some(header) = self.header()? else {
            return Ok(None);
        };
        if self.buffer.len() < header.buffered_bytes() {
            return Ok(None);
        }
        self.header = None;
        self.buffer.advance(HEADER_BYTES);
        let message = self.buffer.split_to(header.message_bytes).freeze();
        let frame = |payload| Frame {
            kind: header.kind,
            stream: header.stream,
            message,
            payload,
        };
        if header.payload_bytes < LARGE_PAYLOAD_BYTES {
            let payload = self.buffer.split_to(header.payload_bytes).freeze();
            return Ok(Some(frame(Payload::Slice(payload))));
        }
        let mut payload = place(header.stream, header.payload_bytes)
            .filter(|given| given.is_empty() && given.capacity() >= header.payload_bytes)
            .unwrap_or_else(|| BytesMut::with_capacity(header.payload_bytes));
        let here = self.buffer.len().min(header.payload_bytes);
        payload.put(self.buffer.split_to(here));
        let missing = header.payload_bytes - here;
        let frame = frame(Payload::Own(payload));
        if missing == 0 {
            return Ok(Some(frame));
        }
        self.filling = Some(Filling { frame, missing });
        Ok(None)
    }

    fn header(&mut self) -> Result<Option<Header>, FrameError> {
        if self.header.is_none() && self.buffer.len() >= HEADER_BYTES {
            self.header = Some(Header::read(&self.buffer[..HEADER_BYTES], self.limits)?);
        }
        Ok(self.header)
    }
}
