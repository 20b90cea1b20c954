//! Listing, from a store that enumerates in the order of its hashes.

use super::Shared;
use super::error::{Doing, failed};
use super::ffi::Namespace;
use super::object::Object;
use crate::blocking::blocking;
use crate::catalog::PAGE_OBJECTS_MAX;
use crate::{ListPage, ObjectMeta};
use futures::{StreamExt, TryStreamExt, stream};
use ganglion_types::{Bucket, Key, ObjectKey, Result};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Objects looked at, at once, for one page.
const LOOKS_MAX: usize = 32;

/// One page. What vanishes between the enumeration and the look at it is left out; where that leaves nothing, the page begins
/// behind it.
pub(super) async fn page(
    shared: &Arc<Shared>,
    bucket: &Bucket,
    prefix: &str,
    after: Option<&Key>,
    limit: usize,
) -> Result<ListPage> {
    let limit = limit.min(PAGE_OBJECTS_MAX);
    let mut after = after.cloned();
    loop {
        let mut keys = least_keys(shared, bucket, prefix, after.take(), limit + 1).await?;
        let more = keys.len() > limit;
        keys.truncate(limit);
        after = keys.last().cloned();
        let objects = looked_at(shared, bucket, keys).await?;
        if !objects.is_empty() || !more || limit == 0 {
            return Ok(ListPage { objects, more });
        }
    }
}

/// The `count` least keys with that prefix behind `after`.
async fn least_keys(
    shared: &Arc<Shared>,
    bucket: &Bucket,
    prefix: &str,
    after: Option<Key>,
    count: usize,
) -> Result<Vec<Key>> {
    let namespace = shared.namespace(bucket)?;
    let (shared, bucket, prefix) = (shared.clone(), bucket.clone(), prefix.to_owned());
    blocking(move || {
        let mut least = Least {
            keys: BTreeSet::new(),
            count,
        };
        let after = after.as_ref().map_or("", Key::as_str);
        let enumerated = namespace.for_each(|_, name| {
            if let Ok(name) = std::str::from_utf8(name)
                && name.starts_with(&prefix)
                && name > after
            {
                least.offer(name);
            }
        });
        match enumerated {
            Ok(()) => Ok(least.keys.into_iter().collect()),
            Err(errno) => Err(failed(Doing::Listing(&bucket), errno, &shared.options)),
        }
    })
    .await
}

/// Keeps the least keys among the names it is offered, in order. A name that is no key was not written through this store, and
/// takes no other's place.
struct Least {
    keys: BTreeSet<Key>,
    count: usize,
}

impl Least {
    fn offer(&mut self, name: &str) {
        let last = self.keys.last().map_or("", Key::as_str);
        if (self.keys.len() < self.count || name < last)
            && let Ok(key) = Key::new(name)
            && self.keys.insert(key)
            && self.keys.len() > self.count
        {
            self.keys.pop_last();
        }
    }
}

/// What is known of each, without those that are gone. One whose stamp is spoilt is listed as the cluster knows it.
async fn looked_at(
    shared: &Shared,
    bucket: &Bucket,
    keys: Vec<Key>,
) -> Result<Vec<(Key, ObjectMeta)>> {
    let looks = keys.into_iter().map(|key| async move {
        let key = ObjectKey {
            bucket: bucket.clone(),
            key,
        };
        let seen = Object::new(shared, &key)?.glance().await?;
        Ok(seen.map(|meta| (key.key, meta)))
    });
    let found: Vec<Option<_>> = stream::iter(looks)
        .buffered(LOOKS_MAX)
        .try_collect()
        .await?;
    Ok(found.into_iter().flatten().collect())
}

/// The namespaces that hold an object and whose names are buckets'.
pub(super) async fn buckets(shared: &Arc<Shared>) -> Result<Vec<Bucket>> {
    let shared = shared.clone();
    blocking(move || {
        let failed = |errno| failed(Doing::ListingBuckets, errno, &shared.options);
        let every = Namespace::every(&shared.cluster, shared.pool).map_err(failed)?;
        let mut found = BTreeSet::new();
        every
            .for_each(|namespace, _| {
                if !found.contains(namespace) {
                    found.insert(namespace.to_vec());
                }
            })
            .map_err(failed)?;
        let names = found
            .into_iter()
            .filter_map(|name| String::from_utf8(name).ok());
        Ok(names.filter_map(|name| Bucket::new(name).ok()).collect())
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_least_names_are_kept_in_order_and_once(
            // Some of them too long for a key.
            names in prop::collection::vec("[ab]{1,3}|a{1023,1026}", 0..40),
            count in 1..8_usize,
        ) {
            let mut least = Least { keys: BTreeSet::new(), count };
            names.iter().for_each(|name| least.offer(name));
            let all: BTreeSet<Key> = names.into_iter().filter_map(|name| Key::new(name).ok()).collect();
            let expected: Vec<Key> = all.into_iter().take(count).collect();
            prop_assert_eq!(least.keys.into_iter().collect::<Vec<_>>(), expected);
        }
    }
}
