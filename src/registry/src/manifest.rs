//! What a module says of itself, in its custom section `ganglion`.

use ganglion_types::{Error, Key, ObjectKey, Result, Tenant};
use serde::{Deserialize, Serialize};

/// The custom section that holds a manifest as JSON.
pub(crate) const SECTION: &str = "ganglion";

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
    fn a_misspelt_manifest_is_refused() {
        assert_eq!(
            Manifest::parse(br#"{"object":"first-word"}"#)
                .unwrap()
                .object,
            ObjectFrom::FirstWord
        );
        assert!(Manifest::parse(br#"{"objet":"first-word"}"#).is_err());
        assert!(Manifest::parse(br#"{"object":"last-word"}"#).is_err());
        assert!(Manifest::parse(b"").is_err());
    }
}
