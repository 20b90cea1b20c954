//! What is done to each object, in which ways, and what has to come of it.

use crate::report::failed;
use bytes::Bytes;
use ganglion_types::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::fmt::Write;
use std::path::Path;
use std::str::FromStr;

/// The byte that is counted.
const COUNTED: u8 = b'e';

/// What is done to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kernel {
    /// All of its bytes are the answer.
    Get,
    /// How often one byte occurs: a few bytes are the answer.
    Scan,
    /// How often each word occurs: about a tenth of its size is the answer.
    Wordcount,
}

impl Kernel {
    /// In the order of the tables.
    pub const ALL: [Self; 3] = [Self::Get, Self::Scan, Self::Wordcount];

    /// The bundled function's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Scan => "scan",
            Self::Wordcount => "wordcount",
        }
    }

    /// What the function is given for an object.
    pub(super) fn input(self, key: &str) -> String {
        match self {
            Self::Get | Self::Wordcount => key.to_owned(),
            Self::Scan => format!("{key} {}", char::from(COUNTED)),
        }
    }

    /// What has to come of it, found out without any of the kernels.
    pub(super) fn answer(self, text: &Bytes) -> Bytes {
        match self {
            Self::Get => text.clone(),
            Self::Scan => {
                let found = text.iter().filter(|byte| **byte == COUNTED).count();
                found.to_string().into()
            }
            Self::Wordcount => count_words(text).into(),
        }
    }
}

/// `word\tcount\n` for each word, in the order of their bytes.
fn count_words(text: &[u8]) -> String {
    let text = std::str::from_utf8(text).expect("a corpus is ASCII");
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for word in text.split_ascii_whitespace() {
        *counts.entry(word).or_default() += 1;
    }
    let mut lines = String::new();
    for (word, count) in counts {
        writeln!(lines, "{word}\t{count}").expect("writing to memory does not fail");
    }
    lines
}

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Kernel {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|kernel| kernel.as_str() == name);
        found.ok_or_else(|| Error::invalid(format!("there is no kernel `{name}`")))
    }
}

/// How it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// Near-data processing forced: the function runs beside the object's OSD.
    On,
    /// Near-data processing forbidden: the object comes to the compute machine.
    Off,
    /// The scheduler chooses, call by call.
    Auto,
    /// A native program on the compute machine reads the object through librados.
    Native,
    /// A script inside of the OSD (`cls_lua`).
    Lua,
    /// The function over the same objects in memory, as many guests as cores: the processor's limit.
    Memory,
}

impl Way {
    /// The ways of Ganglion.
    pub const OURS: [Self; 3] = [Self::On, Self::Off, Self::Auto];
    /// In the order of the tables.
    pub const ALL: [Self; 6] = [
        Self::On,
        Self::Off,
        Self::Auto,
        Self::Native,
        Self::Lua,
        Self::Memory,
    ];

    /// The name in tables and jobs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
            Self::Auto => "auto",
            Self::Native => "native",
            Self::Lua => "lua",
            Self::Memory => "memory",
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Way {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|way| way.as_str() == name);
        found.ok_or_else(|| Error::invalid(format!("there is no way `{name}`")))
    }
}

/// The name of an object.
pub(super) fn key(object: usize) -> String {
    format!("text-{object:03}")
}

/// Writes the answers that are to come into a folder: `FOLDER/KERNEL/KEY`, for whoever checks them.
pub(super) fn write_answers(folder: &Path, texts: &[Bytes]) -> Result<()> {
    for kernel in Kernel::ALL {
        let folder = folder.join(kernel.as_str());
        std::fs::create_dir(&folder).map_err(failed(folder.display()))?;
        for (object, text) in texts.iter().enumerate() {
            let path = folder.join(key(object));
            std::fs::write(&path, kernel.answer(text)).map_err(failed(path.display()))?;
        }
    }
    Ok(())
}

/// What [`write_answers`] wrote for a kernel.
pub(super) fn read_answers(folder: &Path, kernel: Kernel, objects: usize) -> Result<Vec<Bytes>> {
    let read = |object| {
        let path = folder.join(kernel.as_str()).join(key(object));
        Ok(std::fs::read(&path).map_err(failed(path.display()))?.into())
    };
    (0..objects).map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answers_to_come_are_right_and_read_back() {
        let texts = [
            Bytes::from_static(b"the tree,\nthe  bee "),
            Bytes::from_static(b"x"),
        ];
        let answers = |kernel: Kernel| kernel.answer(&texts[0]);
        assert_eq!(answers(Kernel::Get), texts[0]);
        assert_eq!(answers(Kernel::Scan), "6");
        assert_eq!(answers(Kernel::Wordcount), "bee\t1\nthe\t2\ntree,\t1\n");
        let folder = tempfile::tempdir().unwrap();
        write_answers(folder.path(), &texts).unwrap();
        let read = read_answers(folder.path(), Kernel::Wordcount, 2).unwrap();
        assert_eq!(read, ["bee\t1\nthe\t2\ntree,\t1\n", "x\t1\n"]);
        assert_eq!(Kernel::Scan.input("a"), "a e");
    }
}
