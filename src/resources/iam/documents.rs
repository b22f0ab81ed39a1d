//! Policy documents on their way from and to IAM, which gives them percent-encoded and takes them as plain JSON.

use percent_encoding::percent_decode_str;
use s3stack_engine::fault::{Fault, FaultKind};
use s3stack_engine::policy::{Document, strict_json};
use s3stack_engine::value::Value;

/// The document in an answer of IAM, in AWS's shape. One that is no JSON, or names a key twice so that nobody can tell what
/// it means, comes as its text, which differs from every document and can still be shown.
///
/// IAM encodes documents as RFC 3986 says, where `+` is a plus sign.
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_PolicyVersion.html>
pub fn from_aws(text: &str) -> Value {
    let text = percent_decode_str(text).decode_utf8_lossy();
    strict_json::parse(&text).unwrap_or_else(|_| Value::String(text.into_owned()))
}

/// The text of a document, secrets in clear, for the call of `operation` that hands it to AWS.
pub fn to_aws(document: &Value, operation: &str) -> Result<String, Fault> {
    let invalid = |message: String| Fault::local(FaultKind::Invalid, operation, message);
    let document = Document::parse(document).map_err(|found| {
        let first = found.first().map_or("it is none", |problem| problem.message.as_str());
        invalid(format!("the policy document cannot be written: {first}"))
    })?;
    document.to_json_exposed().map_err(|error| invalid(format!("the policy document cannot be written: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use s3stack_engine::policy::equal::equivalent;

    #[test]
    fn a_document_is_decoded_and_its_plus_signs_stay() {
        let text = "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Sid%22%3A%22a+b%20c%22%7D%5D%7D";
        let document = from_aws(text);
        assert_eq!(document.get("Version"), &Value::from("2012-10-17"));
        assert_eq!(document.get("Statement").as_list().unwrap()[0].get("Sid"), &Value::from("a+b c"));
    }

    #[test]
    fn a_text_that_is_no_document_stays_a_text() {
        assert_eq!(from_aws("%7Bbroken"), Value::from("{broken"));
    }

    #[test]
    fn a_document_with_a_key_twice_is_never_taken_for_the_one_that_was_written() {
        let text = r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Effect":"Deny"}}"#;
        let read_leniently = Value::from_json(serde_json::from_str(text).unwrap());
        assert!(!equivalent(&read_leniently, &from_aws(text)));
        assert_eq!(from_aws(text), Value::from(text));
    }

    #[test]
    fn what_is_written_is_compact_and_what_is_unknown_is_refused() {
        let statement = Value::map([("Effect", "Allow".into()), ("Action", "s3:*".into()), ("Resource", "*".into())]);
        let whole = Value::map([("Version", Value::from("2012-10-17")), ("Statement", Value::List(vec![statement]))]);
        assert_eq!(
            to_aws(&whole, "PutRolePolicy").unwrap(),
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#
        );
        assert_eq!(to_aws(&Value::Null, "PutRolePolicy").unwrap_err().kind, FaultKind::Invalid);
    }
}
