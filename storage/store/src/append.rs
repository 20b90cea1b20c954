//! Appending where a store has no way of its own: the object read, and written whole with the piece behind it.

use crate::{ByteRange, Condition, ObjectMeta, ObjectRead, ObjectStore, PutOptions};
use bytes::{Bytes, BytesMut};
use ganglion_types::{Error, ErrorKind, ObjectKey, Result};

/// How often others may change the object between the read and the write.
const ATTEMPTS: usize = 100;

/// As [`ObjectStore::append`]. The write asks for the version that was read, or for the absence that was met, so nothing that
/// others append meanwhile is lost.
pub(crate) async fn by_rewriting<S: ObjectStore + ?Sized>(
    store: &S,
    key: &ObjectKey,
    piece: Bytes,
    options: PutOptions,
) -> Result<ObjectMeta> {
    for _ in 0..ATTEMPTS {
        let current = match store.get(key, ByteRange::ALL, None).await {
            Ok(read) => Some(read),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let (body, condition) = match (options.condition, &current) {
            // Where there is an object, the write is refused, or finds its name and has been made.
            (Condition::Absent, _) | (Condition::None, None) => (piece.clone(), Condition::Absent),
            (Condition::None, Some(read)) => {
                let condition = Condition::Version(read.meta.version);
                (joined(read, &piece), condition)
            }
            (Condition::Version(wanted), Some(read)) if wanted <= read.meta.version => {
                (joined(read, &piece), Condition::Version(wanted))
            }
            (Condition::Version(wanted), _) => {
                return Err(Error::conflict(format!(
                    "object {key} has no version {wanted} yet"
                )));
            }
        };
        let put = PutOptions {
            condition,
            ..options
        };
        match store.put(key, body, put).await {
            Err(error)
                if error.kind() == ErrorKind::Conflict && options.condition == Condition::None => {}
            outcome => return outcome,
        }
    }
    Err(Error::unavailable(format!(
        "object {key} was changed by others at each of {ATTEMPTS} tries to append to it"
    )))
}

fn joined(read: &ObjectRead, piece: &Bytes) -> Bytes {
    let mut whole = BytesMut::with_capacity(read.bytes.len() + piece.len());
    whole.extend_from_slice(&read.bytes);
    whole.extend_from_slice(piece);
    whole.freeze()
}
