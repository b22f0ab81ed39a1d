//! The page of codes is whole: each code that the sources say is on it once, and none that they do not.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Sources, without those that are tests only: these may invent codes.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("the folder is there").map(|entry| entry.expect("it can be read")) {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if path.is_dir() {
            if !["tests", "testing"].contains(&name.as_str()) {
                sources(&path, found);
            }
        } else if name.ends_with(".rs") && !name.ends_with("tests.rs") {
            found.push(path);
        }
    }
}

fn codes(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices("S3S-").filter_map(|(start, _)| {
        let rest = &text[start + 4..];
        let letters = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_uppercase()).len();
        let digits = rest[letters..].len() - rest[letters..].trim_start_matches(|c: char| c.is_ascii_digit()).len();
        (letters > 0 && digits > 0).then(|| &text[start..start + 4 + letters + digits])
    })
}

#[test]
fn the_page_of_codes_is_whole() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["src", "engine/src"] {
        sources(&root.join(folder), &mut files);
    }
    let mut said = BTreeMap::new();
    for file in files {
        let text = std::fs::read_to_string(&file).expect("it can be read");
        // Unit tests make codes up.
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        for line in text.lines().filter(|line| line.contains('"')) {
            // A literal of its own; a code inside a sentence is an example.
            for code in codes(line).filter(|code| line.contains(&format!("\"{code}\""))) {
                said.entry(code.to_owned()).or_insert_with(|| file.display().to_string());
            }
        }
    }
    let page = std::fs::read_to_string(root.join("docs/codes.md")).expect("the page is there");
    let listed: Vec<&str> = page.lines().filter(|line| line.starts_with("| `S3S-")).flat_map(codes).collect();
    let unique: BTreeSet<&str> = listed.iter().copied().collect();
    assert_eq!(unique.len(), listed.len(), "a code is listed twice");
    let missing: Vec<_> = said.iter().filter(|(code, _)| !unique.contains(code.as_str())).collect();
    assert!(missing.is_empty(), "not on the page: {missing:?}");
    let unsaid: Vec<_> = unique.iter().filter(|code| !said.contains_key(**code)).collect();
    assert!(unsaid.is_empty(), "on the page, and nothing says them: {unsaid:?}");
}
