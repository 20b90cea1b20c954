//! What an operator can set; the names beside them stand in the errors.

use ganglion_types::{Error, Result};
use std::time::Duration;

/// Where the Redis is, and the times of a membership, each from 1 ms to a day. It has a password in it, so it cannot be printed.
#[derive(Clone)]
pub struct MembershipOptions {
    /// `redis://host:port/database`, with `user:password@` before the host where it asks for them. `redis.url`.
    pub url: String,
    /// What a Redis that asks for a password is given, where the URL has none. `redis.password_file`.
    pub password: Option<String>,
    /// Begins every key, so that clusters can share a Redis: 1 to 64 of `A-Z a-z 0-9 . _ -`. `redis.cluster`.
    pub cluster: String,
    /// How often a node claims its entry anew; all entries are looked at twice as often. `redis.heartbeat`.
    pub heartbeat: Duration,
    /// How long an entry lives without a claim: at least two heartbeats, so that one may be lost. `redis.expiry`.
    pub expiry: Duration,
    /// How long one command may take, and connecting. `redis.command_time`.
    pub command_time: Duration,
    /// First pause before connecting again; doubled each time. `redis.backoff_min`.
    pub backoff_min: Duration,
    /// Longest pause: at most half the expiry, so that a living node is back in time. `redis.backoff_max`.
    pub backoff_max: Duration,
}

impl Default for MembershipOptions {
    fn default() -> Self {
        Self {
            url: "redis://127.0.0.1:6379".to_owned(),
            password: None,
            cluster: "ganglion".to_owned(),
            heartbeat: Duration::from_secs(1),
            expiry: Duration::from_secs(3),
            command_time: Duration::from_secs(1),
            backoff_min: Duration::from_millis(50),
            backoff_max: Duration::from_millis(500),
        }
    }
}

const CLUSTER_BYTES_MAX: usize = 64;
const TIME_MIN: Duration = Duration::from_millis(1);
const TIME_MAX: Duration = Duration::from_secs(24 * 60 * 60);

impl MembershipOptions {
    /// Checks all but the URL, which its library reads.
    pub(crate) fn check(&self) -> Result<()> {
        self.check_cluster()?;
        for (name, time) in [
            ("redis.heartbeat", self.heartbeat),
            ("redis.expiry", self.expiry),
            ("redis.command_time", self.command_time),
            ("redis.backoff_min", self.backoff_min),
        ] {
            if !(TIME_MIN..=TIME_MAX).contains(&time) {
                return Err(Error::invalid(format!(
                    "{name} is {time:?}, not between {TIME_MIN:?} and {TIME_MAX:?}"
                )));
            }
        }
        if self.expiry < self.heartbeat * 2 {
            return Err(Error::invalid(format!(
                "redis.expiry is {:?}, less than two of redis.heartbeat, {:?}",
                self.expiry, self.heartbeat
            )));
        }
        if self.backoff_max < self.backoff_min || self.backoff_max > self.expiry / 2 {
            return Err(Error::invalid(format!(
                "redis.backoff_max is {:?}, not between redis.backoff_min, {:?}, and half of redis.expiry, {:?}",
                self.backoff_max, self.backoff_min, self.expiry
            )));
        }
        Ok(())
    }

    fn check_cluster(&self) -> Result<()> {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let length = self.cluster.len();
        if (1..=CLUSTER_BYTES_MAX).contains(&length) && self.cluster.chars().all(fits) {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "redis.cluster is `{}`: 1 to {CLUSTER_BYTES_MAX} of A-Z a-z 0-9 . _ - are allowed",
            self.cluster.escape_debug()
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_that_cannot_work_are_refused_by_name() {
        MembershipOptions::default().check().unwrap();
        type Spoil = fn(&mut MembershipOptions);
        let spoilt: [(&str, Spoil); 9] = [
            ("redis.cluster", |options| options.cluster.clear()),
            ("redis.cluster", |options| options.cluster = "a:b".into()),
            ("redis.cluster", |options| options.cluster = "a".repeat(65)),
            ("redis.heartbeat", |options| {
                options.heartbeat = Duration::ZERO;
            }),
            ("redis.heartbeat", |options| {
                options.heartbeat = Duration::MAX
            }),
            ("redis.expiry", |options| options.expiry = options.heartbeat),
            ("redis.command_time", |options| {
                options.command_time = Duration::ZERO;
            }),
            ("redis.backoff_min", |options| {
                options.backoff_min = Duration::ZERO;
            }),
            ("redis.backoff_max", |options| {
                options.backoff_max = options.expiry;
            }),
        ];
        for (name, spoil) in spoilt {
            let mut options = MembershipOptions::default();
            spoil(&mut options);
            let error = options.check().unwrap_err();
            assert!(error.message().starts_with(name), "{error}");
        }
    }
}
