//! Reading into memory that the caller lends.
//!
//! Sound whatever the caller does: the memory is borrowed by [`LentRead`], which lives in the frame of a function that does
//! not return before librados is done with it. The caller is handed a future that only looks on; leaking, dropping or never
//! polling it changes nothing.

use super::Namespace;
use super::operation::Operation;
use super::read::{Cells, Piece, Question};
use crate::Wait;
use ganglion_types::Error;
use rustix::io::Errno;
use std::collections::VecDeque;
use std::ffi::CStr;
use std::pin::{Pin, pin};
use std::ptr::NonNull;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Bytes of one read; a long range is read in several at once.
const PIECE_BYTES: usize = 4 << 20;
/// Most reads under way for one range.
const PIECES_MAX: usize = 4;

/// A read of a range of one version of an object.
pub(in crate::rados) struct LentRead<'a> {
    pub(in crate::rados) namespace: &'a Arc<Namespace>,
    pub(in crate::rados) name: &'a CStr,
    /// Not 0.
    pub(in crate::rados) version: u64,
    pub(in crate::rados) localized: bool,
    pub(in crate::rados) offset: u64,
}

/// Why a read came to nothing.
#[derive(Debug)]
pub(in crate::rados) enum Stopped {
    /// librados failed.
    Failed(Errno),
    /// The caller's `wait` did.
    ByCaller(Error),
    /// The caller's `wait` came back before the read was over, and with no reason.
    Early,
}

impl LentRead<'_> {
    /// Reads into `into` and returns how many bytes the object has there. Blocks: `wait` has to drive the future it is given
    /// to its end, or fail to have the read stopped.
    pub(in crate::rados) fn run(
        &self,
        into: &mut [u8],
        wait: &mut Wait<'_>,
    ) -> Result<usize, Stopped> {
        let mut window = Window {
            read: self,
            offset: self.offset,
            rest: into,
            under_way: VecDeque::new(),
            bytes_read: 0,
            outcome: None,
        };
        {
            let mut driving = pin!(std::future::poll_fn(|context| window.poll(context)));
            wait(driving.as_mut()).map_err(Stopped::ByCaller)?;
        }
        match window.outcome {
            Some(Ok(())) => Ok(window.bytes_read),
            Some(Err(errno)) => Err(Stopped::Failed(errno)),
            None => Err(Stopped::Early),
        }
    }
}

/// The reads under way. Dropping it, on every path out of [`LentRead::run`], waits until librados has let go of the memory.
struct Window<'a> {
    read: &'a LentRead<'a>,
    /// Where in the object `rest` begins.
    offset: u64,
    /// The memory that no read has been started for.
    rest: &'a mut [u8],
    /// In the order of the object's bytes.
    under_way: VecDeque<Operation<Cells>>,
    bytes_read: usize,
    outcome: Option<Result<(), Errno>>,
}

impl Window<'_> {
    /// Ready when everything is read, or nothing more can be.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while self.outcome.is_none() {
            self.fill();
            let Some(first) = self.under_way.front_mut() else {
                self.outcome = Some(Ok(()));
                break;
            };
            let Poll::Ready((outcome, cells)) = Pin::new(first).poll(context) else {
                return Poll::Pending;
            };
            self.under_way.pop_front();
            match outcome {
                Ok(_) => self.bytes_read += cells.bytes_read,
                Err(errno) => self.outcome = Some(Err(errno)),
            }
        }
        Poll::Ready(())
    }

    /// Starts reads until there are enough.
    fn fill(&mut self) {
        while self.under_way.len() < PIECES_MAX && !self.rest.is_empty() {
            let rest = std::mem::take(&mut self.rest);
            let (into, rest) = rest.split_at_mut(rest.len().min(PIECE_BYTES));
            self.rest = rest;
            let piece = Piece {
                offset: self.offset,
                length: into.len(),
                into: NonNull::from(&mut *into).cast(),
            };
            self.offset += into.len() as u64;
            let question = Question {
                version: Some(self.read.version),
                localized: self.read.localized,
                about: false,
            };
            let (namespace, name) = (self.read.namespace, self.read.name);
            // SAFETY: the piece was split off from memory that is borrowed for as long as this window lives, and is not
            // reached in another way; dropping the window waits for the end of every operation that it started.
            let operation = unsafe { namespace.read_lent(name, question, piece) };
            self.under_way.push_back(operation);
        }
    }
}

impl Drop for Window<'_> {
    fn drop(&mut self) {
        for operation in &self.under_way {
            operation.cancel();
        }
        for operation in &self.under_way {
            operation.wait();
        }
    }
}
