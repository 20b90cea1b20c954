//! `ganglion.toml` of a function.

use crate::failure::{Failure, Outcome};
use bytesize::ByteSize;
use ganglion_node::{FunctionLimits, Manifest, ObjectFrom};
use ganglion_types::{FunctionName, FunctionRef, Tenant};
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

/// The file's name.
pub(crate) const MANIFEST: &str = "ganglion.toml";

/// A folder with a function's source and its `ganglion.toml`.
#[derive(Debug)]
pub(crate) struct Project {
    pub(crate) folder: PathBuf,
    function: Function,
}

/// The file. Other tables are a node's settings, which may stand in the same file.
#[derive(Debug, Deserialize)]
struct File {
    function: Option<Function>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Function {
    #[serde(deserialize_with = "checked")]
    name: FunctionName,
    #[serde(deserialize_with = "checked")]
    tenant: Tenant,
    /// Without it holds what the source says.
    object: Option<ObjectFrom>,
    #[serde(default)]
    read_only: bool,
    #[serde(default)]
    limits: Limits,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Limits {
    #[serde(with = "humantime_serde")]
    call_time: Option<Duration>,
    memory: Option<ByteSize>,
    output: Option<ByteSize>,
    log: Option<ByteSize>,
}

/// A name that its type checks.
fn checked<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: FromStr<Err: Display>,
    D: Deserializer<'de>,
{
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(D::Error::custom)
}

impl Project {
    /// The project of a folder.
    ///
    /// # Errors
    /// `NotFound` when there is none, `Invalid` when its file cannot be understood, saying where.
    pub(crate) fn open(folder: &Path) -> Outcome<Self> {
        let path = folder.join(MANIFEST);
        let text = fs::read_to_string(&path).map_err(|error| {
            Failure::local(path.display(), &error)
                .or_hint("`ganglion new NAME` makes a function's folder")
        })?;
        let file: File = toml::from_str(&text).map_err(|error| {
            Failure::invalid(format!(
                "{}: {}",
                path.display(),
                error.to_string().trim_end()
            ))
        })?;
        let function = file.function.ok_or_else(|| {
            Failure::invalid(format!(
                "{} has no [function]: it is no function's file",
                path.display()
            ))
        })?;
        Ok(Self {
            folder: folder.to_path_buf(),
            function,
        })
    }

    /// Its full name.
    pub(crate) fn function(&self) -> FunctionRef {
        FunctionRef {
            tenant: self.function.tenant.clone(),
            name: self.function.name.clone(),
        }
    }

    /// Where its module is built.
    pub(crate) fn module(&self) -> PathBuf {
        let file = format!("{}.wasm", self.function.name);
        self.folder.join("build").join(file)
    }

    /// What the module is to say of itself, in place of what its source says.
    pub(crate) fn manifest(&self, own: Option<Manifest>) -> Manifest {
        let limits = &self.function.limits;
        let bytes = |size: Option<ByteSize>| size.map(|size| size.as_u64());
        Manifest {
            object: self
                .function
                .object
                .or(own.map(|own| own.object))
                .unwrap_or_default(),
            read_only: self.function.read_only,
            limits: FunctionLimits {
                call_time_ms: limits
                    .call_time
                    .map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX)),
                memory_bytes: bytes(limits.memory),
                output_bytes: bytes(limits.output),
                log_bytes: bytes(limits.log),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ganglion_types::ErrorKind;

    fn open(text: &str) -> Outcome<Project> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(MANIFEST), text).unwrap();
        Project::open(folder.path())
    }

    #[test]
    fn a_project_says_what_its_module_is_to_say() {
        let project = open(
            "[limits]\nmemory = \"1 GiB\"\n[function]\nname = \"f\"\ntenant = \"t\"\nread_only = true\n\
             [function.limits]\ncall_time = \"1m 30s\"\nmemory = \"64 MiB\"\n",
        )
        .unwrap();
        assert_eq!(project.function().to_string(), "t/f");
        assert!(project.module().ends_with("build/f.wasm"));
        let own = Manifest {
            object: ObjectFrom::Input,
            ..Manifest::default()
        };
        let manifest = project.manifest(Some(own));
        assert_eq!(
            (manifest.object, manifest.read_only),
            (ObjectFrom::Input, true)
        );
        assert_eq!(manifest.limits.call_time_ms, Some(90_000));
        assert_eq!(manifest.limits.memory_bytes, Some(64 << 20));
        assert_eq!(manifest.limits.output_bytes, None);
    }

    #[test]
    fn a_file_that_is_misspelt_or_is_none_is_refused_by_name() {
        for (text, named) in [
            ("[function]\nname = \"f\"\n", "tenant"),
            (
                "[function]\nname = \"f\"\ntenant = \"t\"\nobjet = \"input\"\n",
                "objet",
            ),
            (
                "[function]\nname = \"f\"\ntenant = \"t\"\nobject = \"last\"\n",
                "last",
            ),
            ("[function]\nname = \"a b\"\ntenant = \"t\"\n", "name"),
            ("[limits]\nmemory = \"1 GiB\"\n", "[function]"),
            ("[function", MANIFEST),
        ] {
            let failure = open(text).unwrap_err();
            assert_eq!(failure.kind(), ErrorKind::Invalid, "{text}");
            let message = &failure.report().message;
            assert!(message.contains(named), "{message}");
        }
        let absent = Project::open(Path::new("/surely/not/here")).unwrap_err();
        assert_eq!(absent.kind(), ErrorKind::NotFound);
    }
}
