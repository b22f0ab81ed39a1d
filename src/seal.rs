//! Marks that tell whether a secret changed, without telling the secret.

use hmac::{Hmac, KeyInit, Mac};
use s3stack_engine::value::Value;
use sha2::Sha256;

use crate::backend::{Condition, Document, Store, StoreError};

/// Bytes of a key.
const LENGTH: usize = 32;

/// Seals secrets under the backend's key, which is stored apart from the state: a state that leaks cannot be guessed
/// against.
#[derive(Clone)]
pub struct Sealer {
    key: [u8; LENGTH],
}

impl Sealer {
    /// A sealer whose marks match nothing that was ever stored: for stacks that never had a secret, and for plans.
    pub fn ephemeral() -> Result<Self, getrandom::Error> {
        let mut key = [0; LENGTH];
        getrandom::fill(&mut key)?;
        Ok(Self { key })
    }

    /// The backend's key, if it has one.
    pub async fn read(store: &dyn Store) -> Result<Option<Self>, StoreError> {
        let stored = store.read(Document::DigestKey).await?;
        Ok(stored.and_then(|stored| <[u8; LENGTH]>::try_from(stored.bytes).ok()).map(|key| Self { key }))
    }

    /// Stores this key as the backend's, unless another run was first: then theirs is taken.
    pub async fn establish(self, store: &dyn Store) -> Result<Self, StoreError> {
        match store.write(Document::DigestKey, &self.key, Condition::Absent).await {
            Ok(_) => Ok(self),
            Err(StoreError::Lost { .. }) => Ok(Self::read(store).await?.unwrap_or(self)),
            Err(error) => Err(error),
        }
    }

    /// The mark of a value.
    pub fn seal(&self, value: &Value) -> Value {
        // A key of any length is fine for HMAC (RFC 2104), so this cannot fail.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.key) else { return Value::Null };
        feed(&mut mac, value);
        let digest: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        Value::String(format!("hmac-sha256:{digest}"))
    }
}

/// Feeds a value with its secrets, each part with its kind and length so that no two values feed the same.
fn feed(mac: &mut Hmac<Sha256>, value: &Value) {
    let mut text = |kind: &str, text: &str| mac.update(format!("{kind}{}:{text}", text.len()).as_bytes());
    match value {
        Value::Secret(secret) => feed(mac, secret.expose()),
        Value::List(list) => {
            text("list", &list.len().to_string());
            list.iter().for_each(|item| feed(mac, item));
        }
        Value::Map(map) => {
            text("map", &map.len().to_string());
            for (key, item) in map {
                mac.update(format!("key{}:{key}", key.len()).as_bytes());
                feed(mac, item);
            }
        }
        Value::String(string) => text("string", string),
        other => text("other", &serde_json::to_string(other).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use s3stack_engine::value::Secret;

    #[test]
    fn a_mark_tells_change_and_nothing_else() {
        let sealer = Sealer::ephemeral().unwrap();
        let secret = |text: &str| Value::Secret(Secret::new(text.into()));
        assert_eq!(sealer.seal(&secret("a")), sealer.seal(&Value::from("a")));
        assert_ne!(sealer.seal(&secret("a")), sealer.seal(&secret("b")));
        assert_ne!(Sealer::ephemeral().unwrap().seal(&secret("a")), sealer.seal(&secret("a")));
        assert!(!format!("{:?}", sealer.seal(&secret("canary"))).contains("canary"));
    }

    #[test]
    fn values_of_other_shape_have_other_marks() {
        let sealer = Sealer::ephemeral().unwrap();
        let marks = [
            sealer.seal(&Value::strings(["ab"])),
            sealer.seal(&Value::strings(["a", "b"])),
            sealer.seal(&Value::from("ab")),
            sealer.seal(&Value::Null),
            sealer.seal(&Value::Integer(1)),
            sealer.seal(&Value::from("1")),
        ];
        for (at, mark) in marks.iter().enumerate() {
            assert!(!marks[at + 1..].contains(mark));
        }
    }
}
