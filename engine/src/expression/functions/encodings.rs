//! Functions that encode and decode.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::{Digest, Sha256, Sha512};

use super::{Function, Refusal};
use crate::value::Value;

pub(super) const JSONENCODE: Function = Function::whole(
    "jsonencode(value)",
    "The value as JSON, without spaces and with sorted keys.",
    r#"jsonencode({ b = [1, null], a = "x" })"#,
    r#""{\"a\":\"x\",\"b\":[1,null]}""#,
    |arguments| {
        let value = arguments.value(0);
        let json = value.to_json().map_err(|error| {
            Refusal::new(format!("{error}; say which of its attributes is meant, such as `.arn`")).about(0)
        })?;
        let text = json.to_string();
        arguments.room_for_text(text.len())?;
        Ok(text.into())
    },
);

pub(super) const JSONDECODE: Function = Function::whole(
    "jsondecode(text)",
    "The value that the JSON text stands for.",
    r#"jsondecode("{\"a\":[1,2.5]}")"#,
    "{ a = [1, 2.5] }",
    |arguments| {
        let text = arguments.text(0)?;
        // Each value but the first follows one of these.
        arguments.room_for_values(text.bytes().filter(|b| matches!(b, b',' | b'[' | b':')).count())?;
        serde_json::from_str(&text)
            .map(Value::from_json)
            .map_err(|error| Refusal::new(format!("the text is not JSON: {error}")).about(0))
    },
);

pub(super) const BASE64ENCODE: Function = Function::whole(
    "base64encode(text)",
    "The text's UTF-8 bytes in Base64.",
    r#"base64encode("Hello")"#,
    r#""SGVsbG8=""#,
    |arguments| Ok(STANDARD.encode(arguments.text(0)?).into()),
);

pub(super) const BASE64DECODE: Function = Function::whole(
    "base64decode(text)",
    "The text whose UTF-8 bytes are given in Base64.",
    r#"base64decode("SGVsbG8=")"#,
    r#""Hello""#,
    |arguments| {
        let text = arguments.text(0)?;
        let bytes =
            STANDARD.decode(text).map_err(|error| Refusal::new(format!("the text is not Base64: {error}")).about(0))?;
        let decoded = String::from_utf8(bytes).map_err(|_| Refusal::new("the bytes are not UTF-8").about(0))?;
        Ok(decoded.into())
    },
);

pub(super) const SHA256: Function = Function::whole(
    "sha256(text)",
    "The SHA-256 digest of the text's UTF-8 bytes, in hexadecimal.",
    r#"substr(sha256("hello"), 0, 8)"#,
    r#""2cf24dba""#,
    |arguments| Ok(hex(&Sha256::digest(arguments.text(0)?)).into()),
);

pub(super) const SHA512: Function = Function::whole(
    "sha512(text)",
    "The SHA-512 digest of the text's UTF-8 bytes, in hexadecimal.",
    r#"substr(sha512("hello"), 0, 8)"#,
    r#""9b71d224""#,
    |arguments| Ok(hex(&Sha512::digest(arguments.text(0)?)).into()),
);

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) const BASE64SHA256: Function = Function::whole(
    "base64sha256(text)",
    "The SHA-256 digest of the text's UTF-8 bytes, in Base64.",
    r#"base64sha256("hello")"#,
    r#""LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=""#,
    |arguments| Ok(STANDARD.encode(Sha256::digest(arguments.text(0)?)).into()),
);

pub(super) const BASE64SHA512: Function = Function::whole(
    "base64sha512(text)",
    "The SHA-512 digest of the text's UTF-8 bytes, in Base64.",
    r#"substr(base64sha512("hello"), 0, 8)"#,
    r#""m3HSJL1i""#,
    |arguments| Ok(STANDARD.encode(Sha512::digest(arguments.text(0)?)).into()),
);

/// What RFC 3986 calls unreserved stays.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

pub(super) const URLENCODE: Function = Function::whole(
    "urlencode(text)",
    "The text for use in a URL, everything percent-encoded but letters, digits and `-_.~`.",
    r#"urlencode("a b/ü")"#,
    r#""a%20b%2F%C3%BC""#,
    |arguments| Ok(utf8_percent_encode(&arguments.text(0)?, RESERVED).to_string().into()),
);

pub(super) const URLDECODE: Function = Function::whole(
    "urldecode(text)",
    "The text with each `%XX` replaced by the byte it stands for, which must make UTF-8.",
    r#"urldecode("a%20b%2F%C3%BC")"#,
    r#""a b/ü""#,
    |arguments| {
        let text = arguments.text(0)?;
        let decoded = percent_decode_str(&text).decode_utf8();
        decoded.map(|text| Value::from(text.into_owned())).map_err(|_| Refusal::new("the bytes are not UTF-8").about(0))
    },
);
