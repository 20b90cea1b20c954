//! `object`: bytes by key.

use clap::{Args, Subcommand};
use ganglion_types::{Bucket, Error, ObjectKey};
use std::path::PathBuf;
use std::str::FromStr;

/// Put, get, look at, list and delete objects
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  ganglion object put ndp/book.txt ./book.txt
  ganglion object get ndp/book.txt
  ganglion object list ndp --prefix 2026/")]
pub(crate) enum ObjectCommand {
    Put(PutArgs),
    Append(AppendArgs),
    Get(GetArgs),
    Stat(StatArgs),
    List(ListArgs),
    Delete(DeleteArgs),
    /// List the buckets that hold an object
    ///
    /// A bucket is there as soon as an object is in it; there is nothing to create. A tenant's functions find their
    /// objects in the bucket of the tenant's name.
    #[command(after_help = "Examples:
  ganglion object buckets
  ganglion object buckets -o json | jq -r '.buckets[]'")]
    Buckets,
}

/// Write a file, or stdin, as an object
///
/// Readers see the whole old object or the whole new one, never a mixture; an upload that breaks off changes nothing.
/// Streams: a file of any size takes little memory.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  ganglion object put ndp/book.txt ./book.txt
  tar c src | ganglion object put backups/2026/src.tar - --if-absent
  ganglion object put ndp/state.json new.json --if-version 17")]
pub(crate) struct PutArgs {
    /// Where to put it
    #[arg(value_name = "BUCKET/KEY")]
    pub(crate) object: ObjectKey,
    /// File to read; `-` is stdin
    #[arg(value_name = "FILE")]
    pub(crate) file: TransferFile,
    /// Only where there is no such object yet
    #[arg(long, conflicts_with = "if_version")]
    pub(crate) if_absent: bool,
    /// Only in place of this version
    #[arg(long, value_name = "V")]
    pub(crate) if_version: Option<u64>,
}

/// Write a file, or stdin, behind the end of an object
///
/// Makes the object where there is none. All of it is appended or nothing; of what several append at the same time nothing is
/// lost, and each piece stays whole.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  echo started | ganglion object append logs/today -
  ganglion object append books/all ./one-more.txt
  ganglion object append ndp/journal entry --if-version 17")]
pub(crate) struct AppendArgs {
    /// What to append to
    #[arg(value_name = "BUCKET/KEY")]
    pub(crate) object: ObjectKey,
    /// File to read; `-` is stdin
    #[arg(value_name = "FILE")]
    pub(crate) file: TransferFile,
    /// Only behind this version
    #[arg(long, value_name = "V")]
    pub(crate) if_version: Option<u64>,
}

/// Read an object into a file, or to stdout
///
/// A file appears whole or not at all: the bytes go to a temporary file beside it, which then takes its name. Into a
/// folder, the file is named as the last part of the key.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  ganglion object get ndp/book.txt ./book.txt
  ganglion object get backups/2026/src.tar - | tar x
  ganglion object get ndp/book.txt --range 0-99")]
pub(crate) struct GetArgs {
    /// Object to read
    #[arg(value_name = "BUCKET/KEY")]
    pub(crate) object: ObjectKey,
    /// File or folder to write; `-` is stdout
    #[arg(value_name = "FILE", default_value = "-")]
    pub(crate) file: TransferFile,
    /// Only these bytes: first and last, counted from 0 (`100-` to the end, `-100` the last hundred)
    #[arg(long, value_name = "A-B", allow_hyphen_values = true)]
    pub(crate) range: Option<RangeArg>,
}

/// Show an object's size and version without reading it
///
/// The version changes with every write; `put --if-version` takes it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  ganglion object stat ndp/book.txt
  ganglion object stat ndp/book.txt -o json | jq -r .version")]
pub(crate) struct StatArgs {
    /// Object to look at
    #[arg(value_name = "BUCKET/KEY")]
    pub(crate) object: ObjectKey,
}

/// List a bucket
///
/// In byte order of the keys. All of them unless --limit is given; as a table, rows are printed as they come.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  ganglion object list ndp
  ganglion object list ndp --prefix 2026/11/ --limit 20
  ganglion object list ndp -o json | jq '[.objects[].size_bytes] | add'")]
pub(crate) struct ListArgs {
    /// Bucket to list
    pub(crate) bucket: Bucket,
    /// Only keys that begin so
    #[arg(long, value_name = "P", default_value = "", hide_default_value = true)]
    pub(crate) prefix: String,
    /// At most so many
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u64>,
}

/// Delete an object
///
/// With --if-version only if nobody has written it since.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  ganglion object delete ndp/book.txt
  ganglion object delete ndp/state.json --if-version 17")]
pub(crate) struct DeleteArgs {
    /// Object to delete
    #[arg(value_name = "BUCKET/KEY")]
    pub(crate) object: ObjectKey,
    /// Only this version
    #[arg(long, value_name = "V")]
    pub(crate) if_version: Option<u64>,
}

/// A file of this machine, or its standard streams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TransferFile {
    /// `-`.
    Standard,
    /// A path.
    Path(PathBuf),
}

impl FromStr for TransferFile {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "" => Err(Error::invalid("the file's name is empty")),
            "-" => Ok(Self::Standard),
            path => Ok(Self::Path(path.into())),
        }
    }
}

/// A range of bytes as typed, checked to be one: `A-B`, `A-` or `-N`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RangeArg(String);

impl RangeArg {
    /// The value of the `Range` header.
    pub(crate) fn header(&self) -> String {
        format!("bytes={}", self.0)
    }
}

impl FromStr for RangeArg {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let number = |digits: &str| digits.parse::<u64>().ok();
        let fits = text.split_once('-').is_some_and(|bounds| match bounds {
            ("", count) => number(count).is_some_and(|count| count > 0),
            (first, "") => number(first).is_some(),
            (first, last) => number(first).zip(number(last)).is_some_and(|(a, b)| a <= b),
        });
        match fits {
            true => Ok(Self(text.to_owned())),
            false => Err(Error::invalid(format!(
                "`{text}` is no range of bytes: A-B, A- or -N, as in 0-99"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_that_the_gateway_would_ignore_is_refused_here() {
        for good in ["0-0", "0-99", "100-", "-100"] {
            let range: RangeArg = good.parse().unwrap();
            assert_eq!(range.header(), format!("bytes={good}"));
        }
        for bad in ["", "-", "5-4", "-0", "a-b", "1-2,3-4", "7", "0x1-2"] {
            assert!(bad.parse::<RangeArg>().is_err(), "{bad}");
        }
    }
}
