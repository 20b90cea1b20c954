//! Which placement group an object is in: a pure function of its name and the pool's number of groups.
//!
//! ```text
//! h     = Jenkins' hash (1996) of  namespace 0x1F name          without the namespace and 0x1F where that is empty
//! mask  = the least 2^n - 1 that is not less than pg_num - 1
//! group = h & mask        where that is less than pg_num
//!         h & (mask >> 1) otherwise                             so that adding groups splits some and moves no other object
//! ```
//!
//! Bob Jenkins, "Hash functions" (Dr. Dobb's Journal, September 1997), the function `hash` of lookup2, beginning with 0. Ceph
//! calls it `rjenkins` (`object_hash` 2) and the second part a stable modulo.

/// The number by which a pool that hashes like this says so.
pub(super) const OBJECT_HASH_RJENKINS: u64 = 2;

/// The hash of an object's full name.
pub(super) fn name_hash(namespace: &str, name: &str) -> u32 {
    if namespace.is_empty() {
        return jenkins(name.as_bytes());
    }
    let mut full = Vec::with_capacity(namespace.len() + 1 + name.len());
    full.extend_from_slice(namespace.as_bytes());
    full.push(0x1f);
    full.extend_from_slice(name.as_bytes());
    jenkins(&full)
}

/// The placement group of a hash, among `pg_num`, which is not 0.
pub(super) fn placement_group(hash: u32, pg_num: u32) -> u32 {
    let mask = u32::MAX
        .checked_shr((pg_num - 1).leading_zeros())
        .unwrap_or(0);
    let group = hash & mask;
    if group < pg_num {
        group
    } else {
        hash & (mask >> 1)
    }
}

fn jenkins(bytes: &[u8]) -> u32 {
    const GOLDEN_RATIO: u32 = 0x9e37_79b9;
    let (mut a, mut b, mut c) = (GOLDEN_RATIO, GOLDEN_RATIO, 0_u32);
    let (blocks, tail) = bytes.as_chunks::<12>();
    for block in blocks {
        (a, b, c) = mix(
            a.wrapping_add(word(&block[0..4])),
            b.wrapping_add(word(&block[4..8])),
            c.wrapping_add(word(&block[8..12])),
        );
    }
    // The length modulo 2^32 takes the lowest byte of the last word.
    let length = u32::try_from(bytes.len() & 0xffff_ffff).unwrap_or(u32::MAX);
    let part =
        |from: usize, to: usize| word(tail.get(from..to.min(tail.len())).unwrap_or_default());
    let (_, _, hash) = mix(
        a.wrapping_add(part(0, 4)),
        b.wrapping_add(part(4, 8)),
        c.wrapping_add(length).wrapping_add(part(8, 11) << 8),
    );
    hash
}

/// Up to four bytes, the first one lowest.
fn word(bytes: &[u8]) -> u32 {
    let shifted = bytes
        .iter()
        .enumerate()
        .map(|(at, byte)| u32::from(*byte) << (8 * at));
    shifted.sum()
}

/// Jenkins' mix of three words.
fn mix(mut a: u32, mut b: u32, mut c: u32) -> (u32, u32, u32) {
    for (right, left, last) in [(13, 8, 13), (12, 16, 5), (3, 10, 15)] {
        a = a.wrapping_sub(b).wrapping_sub(c) ^ (c >> right);
        b = b.wrapping_sub(c).wrapping_sub(a) ^ (a << left);
        c = c.wrapping_sub(a).wrapping_sub(b) ^ (b >> last);
    }
    (a, b, c)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [(&str, &str, u32); 8] = [
        ("", "a", 0x29ee_c818),
        ("", "twelve bytes", 0xffd0_2e10),
        ("books", "a", 0x5a1a_3c32),
        ("books", "a/b/c", 0xb87c_9981),
        ("books", "exactly-23-bytes-of-nam", 0x26ef_d7f6),
        ("books", "日本語", 0x5aeb_4651),
        ("books", "ü%2F\t", 0xb3a1_4b92),
        (".functions", "shelf", 0x0133_5dce),
    ];

    #[test]
    fn names_hash_as_a_cluster_says() {
        // `ceph osd map POOL NAME NAMESPACE` of Ceph 16.2.15.
        for (namespace, name, hash) in KNOWN {
            assert_eq!(name_hash(namespace, name), hash, "{namespace}/{name}");
        }
    }

    #[test]
    fn every_group_is_used_and_doubling_their_number_splits_them() {
        for pg_num in 1..70 {
            let mut used = vec![false; pg_num as usize];
            for hash in 0..10_000_u32 {
                let hash = hash.wrapping_mul(0x9e37_79b9);
                let group = placement_group(hash, pg_num);
                used[group as usize] = true;
                if pg_num.is_power_of_two() {
                    let split = placement_group(hash, pg_num * 2);
                    assert!(split == group || split == group + pg_num);
                }
            }
            assert!(used.iter().all(|used| *used), "{pg_num}");
        }
        assert_eq!(placement_group(u32::MAX, u32::MAX), u32::MAX >> 1);
    }
}
