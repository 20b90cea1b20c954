//! Conversions of the object store's nouns.

use ganglion_store::{CommitId, Condition, ListPage, ObjectMeta, PutOptions, Version};
use ganglion_types::{Error, Key, ObjectKey, Result};
use ganglion_wire::message::{self, condition::State};
use ganglion_wire::{call_id_from_halves, call_id_halves};

pub(crate) fn meta_to_wire(meta: &ObjectMeta) -> message::ObjectMeta {
    message::ObjectMeta {
        size_bytes: meta.size_bytes,
        version: meta.version.0,
        modified_ms: meta.modified_ms,
    }
}

pub(crate) fn meta_from_wire(meta: &message::ObjectMeta) -> ObjectMeta {
    ObjectMeta {
        size_bytes: meta.size_bytes,
        version: Version(meta.version),
        modified_ms: meta.modified_ms,
    }
}

pub(crate) fn condition_to_wire(condition: Condition) -> Option<message::Condition> {
    let state = match condition {
        Condition::None => return None,
        Condition::Absent => State::Absent(true),
        Condition::Version(version) => State::Version(version.0),
    };
    Some(message::Condition { state: Some(state) })
}

/// # Errors
/// `Corrupt` for a condition that this release does not know: to ignore it would be to write without it.
pub(crate) fn condition_from_wire(condition: Option<message::Condition>) -> Result<Condition> {
    match condition.map(|condition| condition.state) {
        None => Ok(Condition::None),
        Some(Some(State::Absent(_))) => Ok(Condition::Absent),
        Some(Some(State::Version(version))) => Ok(Condition::Version(Version(version))),
        Some(None) => Err(Error::corrupt("a condition that this node does not know")),
    }
}

pub(crate) fn options_to_wire(options: PutOptions) -> message::PutOptions {
    message::PutOptions {
        condition: condition_to_wire(options.condition),
        commit: options.commit.map(|commit| {
            let (call_high, call_low) = call_id_halves(commit.call);
            message::CommitName {
                call_high,
                call_low,
                sequence: commit.sequence,
            }
        }),
    }
}

pub(crate) fn options_from_wire(options: Option<message::PutOptions>) -> Result<PutOptions> {
    let options = options.unwrap_or_default();
    Ok(PutOptions {
        condition: condition_from_wire(options.condition)?,
        commit: options.commit.map(|commit| CommitId {
            call: call_id_from_halves(commit.call_high, commit.call_low),
            sequence: commit.sequence,
        }),
    })
}

pub(crate) fn object_from_wire(object: Option<message::ObjectName>) -> Result<ObjectKey> {
    let missing = || Error::corrupt("a request about no object");
    object.ok_or_else(missing)?.try_into()
}

pub(crate) fn page_to_wire(page: &ListPage) -> message::ListPage {
    let entry = |(key, meta): &(Key, ObjectMeta)| message::ListEntry {
        key: key.as_str().to_owned(),
        meta: Some(meta_to_wire(meta)),
    };
    message::ListPage {
        objects: page.objects.iter().map(entry).collect(),
        more: page.more,
    }
}

pub(crate) fn page_from_wire(page: message::ListPage) -> Result<ListPage> {
    let entry = |entry: message::ListEntry| {
        let meta = meta_from_wire(&entry.meta.unwrap_or_default());
        Ok((Key::new(entry.key)?, meta))
    };
    Ok(ListPage {
        objects: page.objects.into_iter().map(entry).collect::<Result<_>>()?,
        more: page.more,
    })
}
