//! The pure side of `s3.object`.

use std::sync::{Arc, LazyLock};

use s3stack_engine::file::FileContent;
use s3stack_engine::resource::{
    Actions, Descriptor, Facts, Fixtures, Identity, PropertyReader, Resource, ResourceType, Surroundings,
};
use s3stack_engine::schema::validate::Problem;
use s3stack_engine::schema::{Attribute, Schema, derive};
use s3stack_engine::value::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::check;
use super::properties::Properties;

/// The type `s3.object`.
pub struct Object;

/// The type's one value.
pub static TYPE: Object = Object;

static DESCRIPTOR: Descriptor = Descriptor {
    name: "s3.object",
    physical_id: "id",
    naming: None,
    identity: Identity::Name,
    taggable: true,
    global: false,
    stateful: false,
    parent: Some("bucket"),
    example: include_str!("example.toml"),
    actions: Actions {
        // Who may not list is answered 403 about an object that is not there, as if it were hidden.
        read: &["s3:GetObject", "s3:GetObjectTagging", "s3:ListBucket"],
        create: &["s3:PutObject", "s3:PutObjectTagging", "s3:GetObject", "s3:AbortMultipartUpload"],
        update: &[
            "s3:PutObject",
            "s3:PutObjectTagging",
            "s3:DeleteObject",
            "s3:GetObject",
            "s3:GetObjectTagging",
            "s3:AbortMultipartUpload",
        ],
        delete: &["s3:DeleteObject"],
    },
};

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    let attribute = |doc: &str| Attribute::predicted(doc);
    derive::schema::<Properties>(&[
        ("id", attribute("Bucket and key, `BUCKET/KEY`.")),
        ("arn", attribute("The ARN, `arn:aws:s3:::BUCKET/KEY`.")),
        ("uri", attribute("The address that AWS's tools take, `s3://BUCKET/KEY`.")),
    ])
    .expect("the properties are of shapes that the model knows, which a test sees to")
});

/// Where an object's content comes from.
pub(super) enum Origin {
    /// A text; unknown or secret for all we know.
    Content(Value),
    /// A file.
    File(Arc<FileContent>),
    /// A folder.
    Folder(Arc<FileContent>),
}

impl ResourceType for Object {
    fn descriptor(&self) -> &'static Descriptor {
        &DESCRIPTOR
    }

    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn predict(&self, attribute: &str, facts: &Facts, property: &mut PropertyReader<'_>) -> Value {
        let (bucket, key) = (property("bucket"), property("key"));
        let (Some(bucket), Some(key)) = (bucket.as_str().map(bucket_name), key.as_str()) else {
            return if bucket.as_str().is_none() { bucket } else { key };
        };
        match attribute {
            "id" => format!("{bucket}/{key}").into(),
            "arn" => format!("arn:{}:s3:::{bucket}/{key}", facts.partition).into(),
            "uri" => format!("s3://{bucket}/{key}").into(),
            _ => Value::Null,
        }
    }

    fn managed(&self, resource: &Resource, around: &dyn Surroundings) -> Result<Map, Vec<Problem>> {
        let written = |name: &str| resource.property(name).clone();
        let bucket = match resource.property("bucket") {
            Value::String(bucket) => bucket_name(bucket).into(),
            other => other.clone(),
        };
        let map = |value: Value| if value.is_null() { Value::Map(Map::new()) } else { value };
        let mut managed = Map::from([
            ("bucket".to_owned(), bucket),
            ("key".to_owned(), written("key")),
            ("metadata".to_owned(), map(written("metadata"))),
            ("tags".to_owned(), map(written("tags"))),
        ]);
        for name in ["cache_control", "storage_class"] {
            if !resource.property(name).is_null() {
                managed.insert(name.to_owned(), written(name));
            }
        }
        match origin(resource, around)? {
            Origin::Content(content) => {
                managed.insert("content_type".to_owned(), content_type(resource, "key"));
                // Of a secret even the digest tells too much, and of what AWS has yet to make there is none.
                if let Value::String(text) = &content {
                    managed.insert("checksum".to_owned(), hex(&Sha256::digest(text.as_bytes())).into());
                }
                managed.insert("content".to_owned(), content);
            }
            Origin::File(file) => {
                managed.insert("content_type".to_owned(), content_type(resource, "source"));
                managed.insert("checksum".to_owned(), file.sha256.as_str().into());
            }
            Origin::Folder(folder) => {
                let files = folder.files.iter().flatten().map(|(path, file)| {
                    let entry = [("checksum", Value::from(file.sha256.as_str())), ("content_type", guess(path).into())];
                    (path.clone(), Value::map(entry))
                });
                managed.insert("files".to_owned(), Value::map(files));
            }
        }
        Ok(managed)
    }

    fn check(&self, resource: &Resource, around: &dyn Surroundings) -> Vec<Problem> {
        match origin(resource, around) {
            Ok(origin) => check::object(resource, &origin),
            Err(problems) => problems,
        }
    }

    fn fixtures(&self) -> Fixtures {
        Fixtures {
            base: include_str!("fixtures/base.toml"),
            updated: include_str!("fixtures/updated.toml"),
            replaced: include_str!("fixtures/replaced.toml"),
        }
    }
}

/// Where the content comes from; a problem where that is nowhere, or several places at once.
fn origin(resource: &Resource, around: &dyn Surroundings) -> Result<Origin, Vec<Problem>> {
    let given: Vec<&str> =
        ["content", "source", "folder"].into_iter().filter(|name| !resource.property(name).is_null()).collect();
    let [name] = given.as_slice() else {
        let path = given.last().map(|name| check::at(name)).unwrap_or_default();
        let problem = Problem::new("S3S-W16", &path, "an object has one of `content`, `source` and `folder`");
        return Err(vec![problem.help(match given.is_empty() {
            true => "add `source = \"file.txt\"`",
            false => "take the others out",
        })]);
    };
    let wrong = |message: String| vec![Problem::new("S3S-W16", &check::at(name), message)];
    let value = resource.property(name);
    if *name == "content" {
        return Ok(Origin::Content(value.clone()));
    }
    let Some(path) = value.as_str() else {
        return Err(wrong(format!("`{name}` must be known before anything is made: the plan reads it")));
    };
    let found = around.file(path).map_err(wrong)?;
    match (*name, &found.files) {
        ("source", None) => Ok(Origin::File(found)),
        ("folder", Some(files)) if files.is_empty() => Err(wrong(format!("the folder {path} holds no files"))),
        ("folder", Some(_)) => Ok(Origin::Folder(found)),
        ("source", Some(_)) => Err(wrong(format!("{path} is a folder: write `folder = \"{path}\"`"))),
        _ => Err(wrong(format!("{path} is a file: write `source = \"{path}\"`"))),
    }
}

fn content_type(resource: &Resource, named_by: &str) -> Value {
    match resource.property("content_type") {
        Value::Null => guess(resource.property(named_by).as_str().unwrap_or_default()).into(),
        written => written.clone(),
    }
}

/// The media type that a file's name tells.
fn guess(path: &str) -> String {
    mime_guess::from_path(path).first_or_octet_stream().essence_str().to_owned()
}

/// A bucket's name, from the name or the ARN.
fn bucket_name(text: &str) -> &str {
    text.rsplit(":::").next().unwrap_or(text)
}

/// What the keys of a folder's files begin with.
pub(super) fn prefix(key: &str) -> String {
    if key.is_empty() || key.ends_with('/') { key.to_owned() } else { format!("{key}/") }
}

/// Bytes in lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use s3stack_engine::address::Address;
    use s3stack_engine::resource::Contribution;
    use s3stack_engine::schema::validate::validate;
    use s3stack_engine::value::Secret;

    struct Around(Facts);

    fn around() -> Around {
        Around(Facts {
            partition: "aws-us-gov".into(),
            account_id: "123456789012".into(),
            region: "us-gov-west-1".into(),
            stack: "test".into(),
            environment: "default".into(),
        })
    }

    fn file(sha256: &str) -> FileContent {
        FileContent { bytes: None, sha256: sha256.into(), size: 3, files: None }
    }

    impl Surroundings for Around {
        fn facts(&self) -> &Facts {
            &self.0
        }

        fn resource(&self, _: &Address) -> Option<(&Resource, &dyn ResourceType)> {
            None
        }

        fn contributions(&self, _: &Address) -> &[Contribution] {
            &[]
        }

        fn file(&self, path: &str) -> Result<Arc<FileContent>, String> {
            match path {
                "site" => {
                    let files = [("index.html".to_owned(), file("aa")), ("a/b.css".to_owned(), file("bb"))];
                    Ok(Arc::new(FileContent { files: Some(files.into()), ..file("ff") }))
                }
                "empty" => Ok(Arc::new(FileContent { files: Some(BTreeMap::new()), ..file("ff") })),
                "data.json" => Ok(Arc::new(file("cc"))),
                path => Err(format!("`{path}` cannot be read")),
            }
        }
    }

    fn object(text: &str) -> Resource {
        let Value::Map(properties) = Value::from_json(toml::from_str(text).unwrap()) else { unreachable!() };
        let address = Address::root("s3.object", "it");
        Resource { address, properties, attributes: Map::new(), references: [].into() }
    }

    fn managed(text: &str) -> Map {
        TYPE.managed(&object(&format!("bucket = 'b'\nkey = 'k.txt'\n{text}")), &around()).unwrap()
    }

    fn problems(text: &str) -> Vec<String> {
        let found = TYPE.check(&object(text), &around());
        found.into_iter().map(|one| format!("{}: {}", one.path, one.message)).collect()
    }

    #[test]
    fn a_text_is_kept_with_its_digest_and_a_secret_without() {
        let text = managed("content = 'abc'");
        assert_eq!(text["checksum"], "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".into());
        assert_eq!(text["content_type"], "text/plain".into());
        let mut secret = object("bucket = 'b'\nkey = 'k'");
        secret.properties.insert("content".into(), Value::Secret(Secret::new("abc".into())));
        let secret = TYPE.managed(&secret, &around()).unwrap();
        assert!(!secret.contains_key("checksum") && secret["content"].is_sensitive());
    }

    #[test]
    fn a_file_is_its_digest_and_a_folder_its_files() {
        let file = managed("source = 'data.json'");
        assert_eq!((&file["checksum"], &file["content_type"]), (&"cc".into(), &"application/json".into()));
        let folder = managed("folder = 'site'");
        assert_eq!(folder["files"].get("a/b.css").get("content_type"), &"text/css".into());
        assert!(!folder.contains_key("checksum") && !folder.contains_key("content_type"));
    }

    #[test]
    fn content_has_one_origin_of_the_right_kind() {
        assert_eq!(problems("bucket = 'b'\nkey = 'k'"), [": an object has one of `content`, `source` and `folder`"]);
        let both = "bucket = 'b'\nkey = 'k'\ncontent = ''\nsource = 'data.json'";
        assert_eq!(problems(both), ["source: an object has one of `content`, `source` and `folder`"]);
        for (text, problem) in [
            ("source = 'site'", "source: site is a folder: write `folder = \"site\"`"),
            ("folder = 'data.json'", "folder: data.json is a file: write `source = \"data.json\"`"),
            ("folder = 'empty'", "folder: the folder empty holds no files"),
            ("source = 'none'", "source: `none` cannot be read"),
        ] {
            assert_eq!(problems(&format!("bucket = 'b'\nkey = 'k/'\n{text}")), [problem]);
        }
    }

    #[test]
    fn limits_of_keys_metadata_and_tags_are_told() {
        let long = "ä".repeat(513);
        assert_eq!(problems(&format!("bucket = 'b'\nkey = '{long}'\ncontent = ''")).len(), 1);
        assert_eq!(problems("bucket = 'b'\nkey = ''\ncontent = ''"), ["key: the key is empty"]);
        assert_eq!(problems("bucket = 'b'\nkey = ''\nfolder = 'site'"), [""; 0]);
        assert_eq!(problems("bucket = 'b'\nkey = 'x'\nfolder = 'site'\ncontent_type = 'a/b'").len(), 2);
        assert_eq!(problems("bucket = 'b'\nkey = 'x'\ncontent = ''\nmetadata.a = 'ä'").len(), 1);
        let tags: String = (0..11).map(|at| format!("tags.t{at} = ''\n")).collect();
        assert_eq!(problems(&format!("bucket = 'b'\nkey = 'x'\ncontent = ''\n{tags}")).len(), 1);
    }

    #[test]
    fn whoever_reads_may_see_that_an_object_is_missing() {
        assert!(TYPE.descriptor().actions.read.contains(&"s3:ListBucket"));
    }

    #[test]
    fn names_follow_from_bucket_and_key() {
        let mut properties = |name: &str| match name {
            "bucket" => "arn:aws-us-gov:s3:::b".into(),
            "key" => "a/b".into(),
            _ => Value::Null,
        };
        assert_eq!(TYPE.predict("id", &around().0, &mut properties), "b/a/b".into());
        assert_eq!(TYPE.predict("arn", &around().0, &mut properties), "arn:aws-us-gov:s3:::b/a/b".into());
    }

    #[test]
    fn the_schema_is_whole() {
        assert!(TYPE.schema().properties.values().all(|property| !property.doc.is_empty()));
        let value = Value::from_json(toml::from_str("bucket = 'arn:aws:s3:::b'\nkey = 'k'\nmetadata.s3stack-id = ''").unwrap());
        let found = validate(TYPE.schema(), &value);
        assert_eq!(found.len(), 1, "{found:?}");
    }
}
