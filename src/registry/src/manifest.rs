//! What a module says of itself, in its custom section `ganglion`.

use ganglion_types::{CallLimits, Error, Key, ObjectKey, Result, Tenant};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use wasm_encoder::{CustomSection, Section};
use wasmparser::{Parser, Payload};

/// The custom section that holds a manifest as JSON.
pub(crate) const SECTION: &str = "ganglion";

/// Magic and version.
const MODULE_HEADER_BYTES: usize = 8;

/// Where in its input a function's object is named, so that a call can be placed before it runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ObjectFrom {
    /// Nowhere.
    #[default]
    None,
    /// The input's first word, up to a space, is the key, in the tenant's own bucket (as in Faasm's near-data suite).
    FirstWord,
    /// The whole input is the key, in the tenant's own bucket.
    Input,
}

impl ObjectFrom {
    /// The object that an input names; `None` when it names none, or nothing that could be a key.
    pub fn object(self, tenant: &Tenant, input: &[u8]) -> Option<ObjectKey> {
        let key = match self {
            Self::None => return None,
            Self::FirstWord => input.split(|byte| *byte == b' ').next()?,
            Self::Input => input,
        };
        let key = Key::new(std::str::from_utf8(key).ok()?).ok()?;
        Some(ObjectKey {
            bucket: tenant.bucket(),
            key,
        })
    }
}

/// A function's manifest. Unknown fields are refused, so that a misspelt one is not silently without effect.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Where its object is named.
    #[serde(default)]
    pub object: ObjectFrom,
    /// It writes no objects: a module that could is refused.
    #[serde(default)]
    pub read_only: bool,
    /// What its calls may use at most.
    #[serde(default)]
    pub limits: FunctionLimits,
}

/// Limits that a function sets itself, each below the operator's of the same name; the lower one holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FunctionLimits {
    /// Wall time, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_time_ms: Option<u64>,
    /// Linear memory, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Output, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_bytes: Option<u64>,
    /// Stdout and, apart from it, stderr, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_bytes: Option<u64>,
}

impl FunctionLimits {
    /// What holds for a call where the operator allows `most`.
    #[must_use]
    pub fn within(&self, most: CallLimits) -> CallLimits {
        let lower = |own: Option<u64>, most: u64| own.map_or(most, |own| own.min(most));
        let own_wall = self.call_time_ms.map(Duration::from_millis);
        CallLimits {
            wall: own_wall.map_or(most.wall, |own| own.min(most.wall)),
            memory_bytes: lower(self.memory_bytes, most.memory_bytes),
            output_bytes: lower(self.output_bytes, most.output_bytes),
            log_bytes: lower(self.log_bytes, most.log_bytes),
        }
    }
}

impl Manifest {
    /// # Errors
    /// `Invalid` when the section is not the JSON of a manifest.
    pub(crate) fn parse(section: &[u8]) -> Result<Self> {
        serde_json::from_slice(section).map_err(|error| {
            Error::invalid(format!(
                "the module's custom section `{SECTION}` is no manifest: {error}"
            ))
        })
    }
}

/// A module with another manifest: `change` is given its own, if it has one, and says what it is to be. All else stays as it is,
/// byte for byte.
///
/// # Errors
/// `Invalid` when it is no module, or has a manifest that is none.
pub fn with_manifest(
    wasm: &[u8],
    change: impl FnOnce(Option<Manifest>) -> Manifest,
) -> Result<Vec<u8>> {
    let unreadable = |error| Error::invalid(format!("the module cannot be read: {error}"));
    let mut own = None;
    let mut kept = Vec::with_capacity(wasm.len());
    let (mut copied, mut ended) = (0, MODULE_HEADER_BYTES);
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload.map_err(unreadable)?;
        let Some((_, contents)) = payload.as_section() else {
            continue;
        };
        // Its number and its length stand in front of it.
        let began = std::mem::replace(&mut ended, contents.end);
        if let Payload::CustomSection(section) = &payload
            && section.name() == SECTION
        {
            own = Some(Manifest::parse(section.data())?);
            kept.extend_from_slice(&wasm[copied..began]);
            copied = contents.end;
        }
    }
    kept.extend_from_slice(&wasm[copied..]);
    let data = serde_json::to_vec(&change(own))
        .map_err(|error| Error::internal(format!("a manifest as JSON: {error}")))?;
    CustomSection {
        name: SECTION.into(),
        data: data.into(),
    }
    .append_to(&mut kept);
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_names_its_object_or_none() {
        let tenant = Tenant::new("ndp").unwrap();
        let named =
            |from: ObjectFrom, input: &[u8]| from.object(&tenant, input).map(|o| o.to_string());
        assert_eq!(
            named(ObjectFrom::FirstWord, b"hello world").unwrap(),
            "ndp/hello"
        );
        assert_eq!(named(ObjectFrom::FirstWord, b"hello").unwrap(), "ndp/hello");
        assert_eq!(named(ObjectFrom::Input, b"a b").unwrap(), "ndp/a b");
        assert_eq!(named(ObjectFrom::FirstWord, b""), None);
        assert_eq!(named(ObjectFrom::FirstWord, b"\xff\xfe"), None);
        assert_eq!(named(ObjectFrom::None, b"hello"), None);
    }

    #[test]
    fn a_manifest_is_set_replaced_and_nothing_else_touched() {
        let plain = wat::parse_str(r#"(module (memory 1) (@custom "other" "kept") (func))"#);
        let plain = plain.unwrap();
        let of_inputs = Manifest {
            object: ObjectFrom::Input,
            ..Manifest::default()
        };
        let first = with_manifest(&plain, |own| {
            assert_eq!(own, None);
            of_inputs.clone()
        });
        let first = first.unwrap();
        assert!(first.starts_with(&plain));
        let second = with_manifest(&first, |own| {
            assert_eq!(own.as_ref(), Some(&of_inputs));
            Manifest::default()
        });
        let second = second.unwrap();
        assert!(second.starts_with(&plain) && second != first);
        with_manifest(&second, |own| {
            assert_eq!(own, Some(Manifest::default()));
            Manifest::default()
        })
        .unwrap();
        assert!(with_manifest(b"\0asm\x01\0\0\0\x7f", |_| Manifest::default()).is_err());
    }

    #[test]
    fn of_two_limits_the_lower_one_holds() {
        let most = CallLimits::default();
        let manifest =
            br#"{"limits":{"memory_bytes":65536,"output_bytes":99999999999,"call_time_ms":250}}"#;
        let holding = Manifest::parse(manifest).unwrap().limits.within(most);
        assert_eq!(holding.memory_bytes, 65_536);
        assert_eq!(holding.output_bytes, most.output_bytes);
        assert_eq!(holding.wall, Duration::from_millis(250));
        assert_eq!(holding.log_bytes, most.log_bytes);
        assert_eq!(FunctionLimits::default().within(most), most);
    }

    #[test]
    fn a_misspelt_manifest_is_refused() {
        assert_eq!(
            Manifest::parse(br#"{"object":"first-word"}"#)
                .unwrap()
                .object,
            ObjectFrom::FirstWord
        );
        assert!(Manifest::parse(br#"{"objet":"first-word"}"#).is_err());
        assert!(Manifest::parse(br#"{"limits":{"memory":1}}"#).is_err());
        assert!(Manifest::parse(br#"{"object":"last-word"}"#).is_err());
        assert!(Manifest::parse(b"").is_err());
    }
}
