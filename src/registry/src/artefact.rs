//! Machine code on this node's disk: a cache, made again whenever it is missing, damaged or of another engine.
//!
//! ```text
//!   DIR/HASH-ENGINE.cwasm   wasmtime's artefact, mapped and run
//!   DIR/HASH-ENGINE.parts   BLAKE3 of the rest (32) | length of the JSON (u32, little endian) | JSON | initial memory
//! ```
//!
//! The JSON holds the BLAKE3 of the artefact, so that neither a torn write nor a bad disk can become running code. Both
//! files are written whole under another name, synced and renamed.

use crate::engine::Engine;
use crate::manifest::Manifest;
use crate::rewrite::Shape;
use ganglion_types::{ContentHash, Error, Result};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::path::{Path, PathBuf};
use wasmtime::Module;

#[derive(Serialize, Deserialize)]
struct Description {
    artefact: String,
    shape: Shape,
    manifest: Manifest,
}

/// What is kept of a module beside its machine code.
pub(crate) struct Parts {
    pub(crate) shape: Shape,
    pub(crate) manifest: Manifest,
    pub(crate) initial_memory: Vec<u8>,
}

pub(crate) struct ArtefactCache {
    dir: PathBuf,
    engine: Engine,
    engine_name: String,
}

impl ArtefactCache {
    /// # Errors
    /// `Internal` when the folder cannot be made.
    pub(crate) fn open(dir: &Path, engine: Engine) -> Result<Self> {
        use std::os::unix::fs::DirBuilderExt;
        let made = fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir);
        made.map_err(|error| failed("create", dir, &error))?;
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        (crate::rewrite::REWRITING, engine.interruption()).hash(&mut hasher);
        Ok(Self {
            dir: dir.to_owned(),
            engine,
            engine_name: format!("{:016x}", hasher.finish()),
        })
    }

    fn path(&self, hash: ContentHash, extension: &str) -> PathBuf {
        self.dir
            .join(format!("{hash}-{}.{extension}", self.engine_name))
    }

    /// The module, when it is here and undamaged.
    pub(crate) fn load(&self, hash: ContentHash) -> Option<(Module, Parts)> {
        let bytes = fs::read(self.path(hash, "parts")).ok()?;
        let (artefact, parts) = read_parts(&bytes)?;
        let path = self.path(hash, "cwasm");
        if blake3::hash(&fs::read(&path).ok()?).to_hex().as_str() != artefact {
            tracing::warn!(path = %path.display(), "artefact is damaged; compiling again");
            return None;
        }
        // SAFETY: the file is what this program's own `Engine::precompile_module` produced for this very engine: its
        // hash was just compared, and the hash is itself under the checksum of `.parts`. The folder belongs to the
        // operator (mode 0700) and nobody writes a file of it in place.
        match unsafe { Module::deserialize_file(&self.engine, &path) } {
            Ok(module) => Some((module, parts)),
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "artefact does not load; compiling again");
                None
            }
        }
    }

    /// Keeps a module. The parts are written last: without them the artefact is not looked at.
    ///
    /// # Errors
    /// `Internal`, with the path.
    pub(crate) fn keep(&self, hash: ContentHash, artefact: &[u8], parts: &Parts) -> Result<()> {
        self.write(&self.path(hash, "cwasm"), artefact)?;
        let description = Description {
            artefact: blake3::hash(artefact).to_hex().to_string(),
            shape: parts.shape.clone(),
            manifest: parts.manifest.clone(),
        };
        let json = serde_json::to_vec(&description)
            .map_err(|error| Error::internal(format!("describing an artefact: {error}")))?;
        let length = u32::try_from(json.len())
            .map_err(|_| Error::internal("an artefact's description is larger than 4 GiB"))?;
        let mut body = Vec::with_capacity(4 + json.len() + parts.initial_memory.len());
        body.extend_from_slice(&length.to_le_bytes());
        body.extend_from_slice(&json);
        body.extend_from_slice(&parts.initial_memory);
        let mut bytes = blake3::hash(&body).as_bytes().to_vec();
        bytes.append(&mut body);
        self.write(&self.path(hash, "parts"), &bytes)
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        let unique = std::process::id();
        let part = path.with_extension(format!(
            "{}.{unique}-{:?}.tmp",
            path.extension().and_then(|e| e.to_str()).unwrap_or(""),
            std::thread::current().id()
        ));
        let write = || {
            let mut file = File::create(&part)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&part, path)?;
            File::open(&self.dir)?.sync_all()
        };
        write().map_err(|error| failed("write", path, &error))
    }
}

fn read_parts(bytes: &[u8]) -> Option<(String, Parts)> {
    let (checksum, body) = bytes.split_first_chunk::<32>()?;
    if blake3::hash(body).as_bytes() != checksum {
        return None;
    }
    let (length, rest) = body.split_first_chunk::<4>()?;
    let (json, memory) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    let description: Description = serde_json::from_slice(json).ok()?;
    let Description {
        artefact,
        shape,
        manifest,
    } = description;
    Some((
        artefact,
        Parts {
            shape,
            manifest,
            initial_memory: memory.to_vec(),
        },
    ))
}

fn failed(what: &str, path: &Path, error: &std::io::Error) -> Error {
    Error::internal(format!("cannot {what} {}: {error}", path.display()))
}
