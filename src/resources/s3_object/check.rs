//! What S3 would refuse about an object.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html>, `UsingMetadata.html` and
//! `object-tagging.html` beside it.

use s3stack_engine::address::Path;
use s3stack_engine::resource::Resource;
use s3stack_engine::schema::validate::Problem;
use s3stack_engine::value::Value;

use super::object::{Origin, prefix};

const MOST_KEY_BYTES: usize = 1024;

/// Of S3's 2 KB, what the tool's own marks leave.
const MOST_METADATA_BYTES: usize = 1792;

const MOST_TAGS: usize = 10;

/// The largest object, in bytes.
const LARGEST: u64 = 5 << 40;

pub(super) fn at(property: &str) -> Path {
    Path::of(property.to_owned())
}

pub(super) fn object(resource: &Resource, origin: &Origin) -> Vec<Problem> {
    let mut problems = Vec::new();
    key(resource, origin, &mut problems);
    if let Origin::Folder(_) = origin
        && !resource.property("content_type").is_null()
    {
        let message = "each file of a folder has a media type of its own";
        problems.push(Problem::new("S3S-W16", &at("content_type"), message).help("take it out: it is guessed per file"));
    }
    let largest = match origin {
        Origin::Content(_) => None,
        Origin::File(file) => Some(("source".to_owned(), file.size)),
        Origin::Folder(folder) => {
            let files = folder.files.iter().flatten();
            files.map(|(path, file)| (path.clone(), file.size)).max_by_key(|(_, size)| *size)
        }
    };
    if let Some((what, size)) = largest.filter(|(_, size)| *size > LARGEST) {
        let path = at(if matches!(origin, Origin::File(_)) { "source" } else { "folder" });
        problems.push(Problem::new("S3S-N4", &path, format!("{what} has {size} bytes; an object has at most 5 TB")));
    }
    metadata(resource.property("metadata"), &mut problems);
    let tags = resource.property("tags").as_map().map_or(0, |map| map.len());
    if tags > MOST_TAGS {
        let message = format!("an object has at most {MOST_TAGS} tags, and this has {tags}, those of the stack included");
        problems.push(Problem::new("S3S-C8", &at("tags"), message));
    }
    problems
}

fn key(resource: &Resource, origin: &Origin, problems: &mut Vec<Problem>) {
    let Some(key) = resource.property("key").as_str() else { return };
    let longest = match origin {
        Origin::Folder(folder) => {
            if prefix(key) != key {
                let problem = Problem::new("S3S-N4", &at("key"), "the key of a folder is what its files' keys begin with");
                problems.push(problem.help(format!("write `key = \"{}\"`", prefix(key))));
            }
            key.len() + folder.files.iter().flatten().map(|(path, _)| path.len()).max().unwrap_or_default()
        }
        _ => {
            if key.is_empty() {
                problems.push(Problem::new("S3S-N4", &at("key"), "the key is empty"));
            }
            key.len()
        }
    };
    if longest > MOST_KEY_BYTES {
        let message = format!("a key has at most {MOST_KEY_BYTES} bytes, and this has {longest}");
        problems.push(Problem::new("S3S-N4", &at("key"), message));
    }
}

fn metadata(metadata: &Value, problems: &mut Vec<Problem>) {
    let mut bytes = 0;
    for (key, value) in metadata.as_map().into_iter().flatten() {
        let Some(text) = value.as_str() else { continue };
        bytes += key.len() + text.len();
        let plain = |c: char| c == ' ' || c.is_ascii_graphic();
        if !text.chars().all(plain) || text.trim() != text {
            let message = "metadata travels in HTTP headers: visible ASCII only, with no space at either end";
            problems.push(Problem::new("S3S-W8", &at("metadata").key(key), message));
        }
    }
    if bytes > MOST_METADATA_BYTES {
        let message = format!("metadata has at most {MOST_METADATA_BYTES} bytes, and this has {bytes}");
        problems.push(Problem::new("S3S-W9", &at("metadata"), message));
    }
}
