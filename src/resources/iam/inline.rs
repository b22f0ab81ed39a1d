//! The policies written into a role, user or group: one of ours, made of its statements and grants, and no other.

use futures_util::future::try_join_all;
use s3stack_engine::fault::Fault;
use s3stack_engine::policy::Document;
use s3stack_engine::policy::equal::equivalent;
use s3stack_engine::value::{Map, Value};

use super::holder::Holder;

/// The name of the inline policy that holds what the stack says. One policy, because the size of all together is limited.
pub const NAME: &str = "s3stack";

/// The managed property: documents by name; always there, since inline policies are exclusive.
pub fn managed(document: Option<&Document>) -> Value {
    Value::map(document.map(|document| (NAME, document.to_value())))
}

/// All inline policies that AWS holds, by name.
///
/// # Errors
/// [`s3stack_engine::fault::FaultKind::NotFound`] if there is no such holder.
pub async fn read(holder: &Holder<'_>) -> Result<Map, Fault> {
    let names = holder.inline_names().await?;
    let documents = names.into_iter().map(|name| async {
        let document = holder.inline(&name).await?;
        Ok((name, document))
    });
    Ok(try_join_all(documents).await?.into_iter().collect())
}

/// What AWS holds, as the managed property.
pub fn shown(documents: &Map) -> Value {
    Value::Map(documents.clone())
}

/// Whether two values of the property mean the same; a null is as no policy of that name.
pub fn same(a: &Value, b: &Value) -> bool {
    let none = Map::new();
    let (left, right) = (a.as_map().unwrap_or(&none), b.as_map().unwrap_or(&none));
    left.keys().chain(right.keys()).all(|name| {
        let (one, other) = (a.get(name), b.get(name));
        one.is_null() && other.is_null() || equivalent(one, other)
    })
}

/// Writes the documents that differ and deletes those that shall not be. What comes is written before anything goes,
/// so that nobody loses what stays allowed; only where AWS has no room for both, what goes goes first.
pub async fn sync(holder: &Holder<'_>, desired: &Value, live: &Value) -> Result<(), Fault> {
    let none = Map::new();
    let (desired, live) = (desired.as_map().unwrap_or(&none), live.as_map().unwrap_or(&none));
    let mut going: Vec<&String> = live.keys().filter(|name| desired.get(*name).is_none_or(Value::is_null)).collect();
    for (name, document) in desired.iter().filter(|(_, document)| !document.is_null()) {
        if live.get(name).is_some_and(|held| equivalent(document, held)) {
            continue;
        }
        match holder.put_inline(name, document).await {
            Err(fault) if fault.is_code(&["LimitExceeded"]) && !going.is_empty() => {
                delete(holder, going.split_off(0)).await?;
                holder.put_inline(name, document).await?;
            }
            answer => answer?,
        }
    }
    delete(holder, going).await
}

async fn delete(holder: &Holder<'_>, names: Vec<&String>) -> Result<(), Fault> {
    for name in names {
        holder.delete_inline(name).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_document_the_property_is_an_empty_map() {
        assert_eq!(managed(None), Value::Map(Map::new()));
        let document =
            Document::from_json(r#"{"Statement":{"Effect":"Allow","Action":["s3:*"],"Resource":"*"}}"#).unwrap();
        assert_eq!(managed(Some(&document)).get(NAME), &document.to_value());
    }

    #[test]
    fn documents_are_compared_by_meaning_and_a_null_is_no_policy() {
        let statement = |action: Value| {
            Value::map([("Effect", "Allow".into()), ("Action", action), ("Resource", Value::from("*"))])
        };
        let held = |action: Value| Value::map([(NAME, Value::map([("Statement", statement(action))]))]);
        assert!(same(&held("s3:*".into()), &held(Value::strings(["S3:*"]))));
        assert!(!same(&held("s3:*".into()), &held("s3:Get*".into())));
        assert!(!same(&Value::Map(Map::new()), &held("s3:*".into())));
        assert!(same(&Value::map([(NAME, Value::Null)]), &Value::Map(Map::new())));
    }
}
