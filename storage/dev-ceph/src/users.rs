//! Users and daemons that prove who they are (cephx), and their keyrings.

use crate::cluster::MiniCeph;
use crate::program::run_well;
use ganglion_types::{Error, Result};
use std::fmt::Write;
use std::process::Command;
use std::time::Duration;

/// Longest time for making one key.
const LIMIT: Duration = Duration::from_secs(20);

/// What one may do who may do everything.
const ALL: [(&str, &str); 2] = [("mon", "allow *"), ("osd", "allow *")];

impl MiniCeph {
    /// The keyrings that a cluster begins with. The monitor's has all of them: it takes them into its own table when its
    /// folder is made, so that no daemon needs to be entered later.
    pub(crate) fn write_first_keyrings(&self) -> Result<()> {
        let mut names = vec!["client.admin".to_owned()];
        names.extend((0..self.options().osds).map(|index| format!("osd.{index}")));
        let mut all = entry("mon.", &new_key()?, &[("mon", "allow *")]);
        for name in names {
            let caps = if name.starts_with("osd.") {
                [("mon", "allow profile osd"), ("osd", "allow *")]
            } else {
                ALL
            };
            let key = new_key()?;
            self.write_keyring(&name, &entry(&name, &key, &[]))?;
            all.push_str(&entry(&name, &key, &caps));
        }
        self.write_keyring("mon.", &all)
    }

    /// Makes a user with those capabilities, or finds one that has just these, and gives the path of its keyring:
    /// `create_user("client.app", &[("mon", "allow r"), ("osd", "allow rw pool=ganglion")])`.
    ///
    /// # Errors
    /// `Invalid` when the name does not begin with `client.` or the cluster is without [`Options::auth`],
    /// `Unavailable` when the monitor refuses.
    ///
    /// [`Options::auth`]: crate::Options::auth
    pub fn create_user(&self, name: &str, caps: &[(&str, &str)]) -> Result<std::path::PathBuf> {
        if !self.options().auth {
            return Err(Error::invalid(format!(
                "no user {name}: the cluster in {} was made without `auth`",
                self.folder().display()
            )));
        }
        let client = name.strip_prefix("client.").unwrap_or_default();
        if client.is_empty() {
            return Err(Error::invalid(format!(
                "`{name}` is not a user: `client.` and a name"
            )));
        }
        crate::options::check_name("user", client)?;
        let words = ["auth", "get-or-create", name];
        let caps = caps.iter().flat_map(|(service, may)| [*service, *may]);
        let words: Vec<&str> = words.into_iter().chain(caps).collect();
        let made = self.command(&words)?;
        let key = made[0]["key"].as_str().ok_or_else(|| {
            Error::internal(format!("`ceph auth get-or-create {name}` gave no key"))
        })?;
        self.write_keyring(name, &entry(name, key, &[]))?;
        Ok(self.keyring(name))
    }

    fn write_keyring(&self, name: &str, text: &str) -> Result<()> {
        self.directory().write(&self.keyring(name), text)
    }
}

fn new_key() -> Result<String> {
    let mut tool = Command::new("ceph-authtool");
    let key = run_well(tool.arg("--gen-print-key"), "", LIMIT)?;
    Ok(key.trim().to_owned())
}

/// A user's part of a keyring.
fn entry(name: &str, key: &str, caps: &[(&str, &str)]) -> String {
    let mut text = format!("[{name}]\n\tkey = {key}\n");
    for (service, may) in caps {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "\tcaps {service} = \"{may}\"");
    }
    text
}
