//! The keys of a cluster, and what is done to them: three scripts, each one round trip and atomic.

use crate::entry::Entry;
use ganglion_types::NodeId;
use ganglion_wire::{ANNOUNCEMENT_BYTES_MAX, RECORD_HEADER_BYTES};
use redis::aio::MultiplexedConnection;
use redis::{RedisResult, Script};
use std::time::Duration;

/// Reads all entries, as name, record, name, record; and forgets the names that have none. At most one byte more than an
/// entry may have is read, so that a longer one is found out and does not travel. An entry that is no string reads as empty.
const LOOK: &str = r"
local found = {}
for _, name in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  local key = ARGV[1] .. name
  local record = redis.pcall('GETRANGE', key, 0, ARGV[2])
  if type(record) == 'table' then record = '' end
  if record == '' and redis.call('EXISTS', key) == 0 then
    redis.call('SREM', KEYS[1], name)
  else
    found[#found + 1] = name
    found[#found + 1] = record
  end
end
return found";

/// Writes an entry if it is absent or is what the caller wrote last, and publishes it if it was absent. Gives what is there
/// otherwise.
const CLAIM: &str = r"
local held = redis.pcall('GET', KEYS[1])
if type(held) == 'table' then held = '' end
if held and held ~= ARGV[1] then return held end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('SADD', KEYS[2], ARGV[4])
if not held then redis.call('PUBLISH', KEYS[3], ARGV[2]) end
return false";

/// Takes an entry back if it is what the caller wrote last, and publishes that. Gives what is there otherwise. An entry that
/// Redis has lost meanwhile is published too: there may be nodes that have not noticed.
const LEAVE: &str = r"
local held = redis.pcall('GET', KEYS[1])
if type(held) == 'table' then held = '' end
if held and held ~= ARGV[1] then return held end
redis.call('DEL', KEYS[1])
redis.call('SREM', KEYS[2], ARGV[2])
if ARGV[1] ~= '' then redis.call('PUBLISH', KEYS[3], ARGV[1]) end
return false";

/// The commands of one cluster.
pub(crate) struct Commands {
    names: String,
    entry_prefix: String,
    joined: String,
    left: String,
    look: Script,
    claim: Script,
    leave: Script,
}

impl Commands {
    pub(crate) fn of(cluster: &str) -> Self {
        Self {
            names: format!("{cluster}:nodes"),
            entry_prefix: format!("{cluster}:node:"),
            joined: format!("{cluster}:joined"),
            left: format!("{cluster}:left"),
            look: Script::new(LOOK),
            claim: Script::new(CLAIM),
            leave: Script::new(LEAVE),
        }
    }

    /// The key of a node's entry.
    pub(crate) fn entry_key(&self, node: &str) -> String {
        format!("{}{node}", self.entry_prefix)
    }

    /// Where nodes publish that they joined, and that they left.
    pub(crate) fn channels(&self) -> [&str; 2] {
        [&self.joined, &self.left]
    }

    pub(crate) async fn look(&self, redis: &mut MultiplexedConnection) -> RedisResult<Vec<Entry>> {
        let longest = usize::try_from(ANNOUNCEMENT_BYTES_MAX).unwrap_or(usize::MAX);
        let found: Vec<(Vec<u8>, Vec<u8>)> = self
            .look
            .key(&self.names)
            .arg(&self.entry_prefix)
            .arg(longest.saturating_add(RECORD_HEADER_BYTES))
            .invoke_async(redis)
            .await?;
        let entries = found.into_iter();
        Ok(entries
            .map(|(name, record)| Entry { name, record })
            .collect())
    }

    /// Writes `record` in the place of `written`; gives what is there when it is neither.
    pub(crate) async fn claim(
        &self,
        redis: &mut MultiplexedConnection,
        node: &NodeId,
        (written, record): (&[u8], &[u8]),
        expiry: Duration,
    ) -> RedisResult<Option<Vec<u8>>> {
        self.claim
            .key(self.entry_key(node.as_str()))
            .key(&self.names)
            .key(&self.joined)
            .arg(written)
            .arg(record)
            .arg(u64::try_from(expiry.as_millis()).unwrap_or(u64::MAX))
            .arg(node.as_str())
            .invoke_async(redis)
            .await
    }

    /// Takes `written` back; gives what is there when it is something else.
    pub(crate) async fn leave(
        &self,
        redis: &mut MultiplexedConnection,
        node: &NodeId,
        written: &[u8],
    ) -> RedisResult<Option<Vec<u8>>> {
        self.leave
            .key(self.entry_key(node.as_str()))
            .key(&self.names)
            .key(&self.left)
            .arg(written)
            .arg(node.as_str())
            .invoke_async(redis)
            .await
    }
}
