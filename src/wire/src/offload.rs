//! Conversions of the middle of a call, and of what comes back.

use crate::call::storage_calls;
use crate::delta::{DeltaParts, Packing, delta_parts};
use crate::message::{self, offloaded};
use crate::node::{corrupt, site};
use bytes::Bytes;
use ganglion_types::{
    Deadline, Error, Load, NodeId, Offload, Offloaded, Progress, Result, Returned, Shown, Windows,
};

/// Most memory that goes with the middle of a call, in bytes, unpacked, however high an operator sets `limits.delta`: more is refused
/// before any is allocated for it.
pub const DELTA_BYTES_MAX: u64 = 256 << 20;

/// An offload, taken apart for the wire.
pub struct OffloadParts {
    /// All but the bytes and the deadline.
    pub offload: message::Offload,
    /// The call's input: the payload begins with it.
    pub input: Bytes,
    /// The pages, which are the rest of it.
    pub pages: Vec<Bytes>,
}

/// Takes an offload apart; no byte of the payload is copied unless it is packed.
///
/// # Errors
/// `Invalid` when its delta is none.
pub fn offload_parts(offload: Offload, packing: Packing) -> Result<OffloadParts> {
    let DeltaParts { message, payload } = delta_parts(&offload.memory, packing)?;
    let (memory, pages) = (message, payload);
    let message = message::Offload {
        call: Some(message::Execute::from(&offload.call)),
        input_bytes: length(&offload.call.input),
        function: offload.function,
        arguments: offload.arguments,
        memory: Some(memory),
        windows: Some(offload.windows.into()),
        progress: Some(offload.progress.into()),
    };
    Ok(OffloadParts {
        offload: message,
        input: offload.call.input,
        pages,
    })
}

impl message::Offload {
    /// How its pages are packed; what comes back is packed alike.
    pub fn packing(&self) -> Packing {
        match self.memory.as_ref().map(message::Delta::packing) {
            Some(message::Packing::Zstd) => Packing::Zstd,
            _ => Packing::Plain,
        }
    }

    /// The offload, put together again; its bytes are slices of the payload.
    ///
    /// # Errors
    /// `Corrupt` when the lengths are not the payload's, or a part is missing or none.
    pub fn into_offload(self, mut payload: Bytes, deadline: Deadline) -> Result<Offload> {
        let [input] = split(&mut payload, [self.input_bytes])?;
        let memory = self.memory.ok_or_else(|| missing("memory"))?;
        Ok(Offload {
            call: self
                .call
                .ok_or_else(|| missing("call"))?
                .into_call(input, deadline)?,
            function: self.function,
            arguments: self.arguments,
            memory: memory.into_delta(payload, DELTA_BYTES_MAX)?,
            windows: self.windows.unwrap_or_default().try_into()?,
            progress: self.progress.unwrap_or_default().into(),
        })
    }
}

/// What came of an offload, taken apart for the wire.
pub struct OffloadedParts {
    /// All but the bytes and the load.
    pub offloaded: message::Offloaded,
    /// Output, stdout and stderr: the payload begins with them, in this order.
    pub payload: [Bytes; 3],
    /// The pages, which are the rest of it.
    pub pages: Vec<Bytes>,
    /// The load, which every answer of a node carries in the same place.
    pub load: Load,
}

/// Takes what came of an offload apart; no byte of the payload is copied unless it is packed.
///
/// # Errors
/// `Invalid` when its delta is none.
pub fn offloaded_parts(offloaded: Offloaded, packing: Packing) -> Result<OffloadedParts> {
    let changes = offloaded.changes.as_ref();
    let parts = changes
        .map(|changes| delta_parts(changes, packing))
        .transpose()?;
    let (changes, pages) = parts.map(|parts| (parts.message, parts.payload)).unzip();
    let message = message::Offloaded {
        returned: Some(match &offloaded.returned {
            Returned::Value(value) => offloaded::Returned::Value(*value),
            Returned::Exited(code) => offloaded::Returned::ExitCode(*code),
            Returned::Failed(error) => offloaded::Returned::Failure(error.into()),
        }),
        output_bytes: offloaded.output.as_ref().map(length),
        stdout_bytes: length(&offloaded.stdout),
        stderr_bytes: length(&offloaded.stderr),
        changes,
        windows: Some(offloaded.windows.into()),
        progress: Some(offloaded.progress.into()),
        node: offloaded.node.as_str().to_owned(),
        site: message::Site::from(offloaded.site).into(),
        usage: Some(offloaded.usage.into()),
        storage_calls: storage_calls(offloaded.storage_calls),
    };
    Ok(OffloadedParts {
        offloaded: message,
        payload: [
            offloaded.output.unwrap_or_default(),
            offloaded.stdout,
            offloaded.stderr,
        ],
        pages: pages.unwrap_or_default(),
        load: offloaded.load,
    })
}

impl message::Offloaded {
    /// What came of it, put together again; its bytes are slices of the payload.
    ///
    /// # Errors
    /// `Corrupt` when the lengths are not the payload's, or a part is missing or none.
    pub fn into_offloaded(self, mut payload: Bytes, load: Load) -> Result<Offloaded> {
        let lengths = [
            self.output_bytes.unwrap_or(0),
            self.stdout_bytes,
            self.stderr_bytes,
        ];
        let [output, stdout, stderr] = split(&mut payload, lengths)?;
        let changes = match self.changes {
            Some(changes) => Some(changes.into_delta(payload, DELTA_BYTES_MAX)?),
            None if payload.is_empty() => None,
            None => return Err(missing("the delta of its pages")),
        };
        Ok(Offloaded {
            returned: match self.returned.ok_or_else(|| missing("end"))? {
                offloaded::Returned::Value(value) => Returned::Value(value),
                offloaded::Returned::ExitCode(code) => Returned::Exited(code),
                offloaded::Returned::Failure(error) => Returned::Failed(error.into()),
            },
            changes,
            windows: self.windows.unwrap_or_default().try_into()?,
            output: self.output_bytes.map(|_| output),
            stdout,
            stderr,
            progress: self.progress.unwrap_or_default().into(),
            node: NodeId::new(self.node).map_err(corrupt)?,
            site: site(self.site)?,
            usage: self.usage.ok_or_else(|| missing("usage"))?.into(),
            storage_calls: self.storage_calls.map(Into::into).unwrap_or_default(),
            load,
        })
    }
}

pub(crate) fn length(bytes: &Bytes) -> u64 {
    u64::try_from(bytes.len()).expect("a length fits 64 bits")
}

fn missing(part: &str) -> Error {
    corrupt(Error::invalid(format!(
        "the middle of a call without {part}"
    )))
}

/// Takes parts of these lengths off the payload's beginning.
pub(crate) fn split<const N: usize>(payload: &mut Bytes, lengths: [u64; N]) -> Result<[Bytes; N]> {
    let mut sum = lengths
        .iter()
        .try_fold(0_u64, |sum, part| sum.checked_add(*part));
    sum = sum.filter(|sum| *sum <= length(payload));
    if sum.is_none() {
        return Err(corrupt(Error::invalid(format!(
            "parts of {lengths:?} bytes are not in a payload of {}",
            payload.len()
        ))));
    }
    let part = |length| payload.split_to(usize::try_from(length).expect("within the payload"));
    Ok(lengths.map(part))
}

impl From<Windows> for message::Windows {
    fn from(windows: Windows) -> Self {
        Self {
            layout: Some((&windows.layout).into()),
            bytes: windows.bytes,
            shown: windows.shown.iter().map(Into::into).collect(),
        }
    }
}

impl TryFrom<message::Windows> for Windows {
    type Error = Error;
    fn try_from(windows: message::Windows) -> Result<Self> {
        let shown = windows.shown.into_iter().map(TryInto::try_into);
        Ok(Self {
            layout: windows.layout.unwrap_or_default().into(),
            bytes: windows.bytes,
            shown: shown.collect::<Result<_>>()?,
        })
    }
}

impl From<&Shown> for message::Shown {
    fn from(shown: &Shown) -> Self {
        Self {
            window: shown.window,
            object: Some((&shown.object).into()),
            version: shown.version,
            offset: shown.offset,
            len_bytes: shown.len_bytes,
        }
    }
}

impl TryFrom<message::Shown> for Shown {
    type Error = Error;
    fn try_from(shown: message::Shown) -> Result<Self> {
        Ok(Self {
            window: shown.window,
            object: shown
                .object
                .ok_or_else(|| missing("an object"))?
                .try_into()?,
            version: shown.version,
            offset: shown.offset,
            len_bytes: shown.len_bytes,
        })
    }
}

impl From<Progress> for message::Progress {
    fn from(progress: Progress) -> Self {
        Self {
            writes: progress.writes,
            stdin_read: progress.stdin_read,
            stdout_bytes: progress.stdout_bytes,
            stderr_bytes: progress.stderr_bytes,
        }
    }
}

impl From<message::Progress> for Progress {
    fn from(progress: message::Progress) -> Self {
        Self {
            writes: progress.writes,
            stdin_read: progress.stdin_read,
            stdout_bytes: progress.stdout_bytes,
            stderr_bytes: progress.stderr_bytes,
        }
    }
}
