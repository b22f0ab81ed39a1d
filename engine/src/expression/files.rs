//! What expressions may ask about files.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use globset::GlobBuilder;

use super::{REFUSED, UNREAD};
use crate::diagnostic::Diagnostic;
use crate::file::{FileContent, Files, MAX_KEPT};
use crate::value::Value;

/// What is asked about a file: there is a function for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// Its text.
    Text,
    /// Its bytes in Base64.
    Base64,
    /// The digest of its bytes in hexadecimal.
    Sha256,
    /// The digest of its bytes in Base64.
    Base64Sha256,
    /// Whether there is one.
    Exists,
    /// Which there are whose path matches a pattern.
    Glob,
}

impl Question {
    /// The name of the function that asks it.
    pub(super) fn function(self) -> &'static str {
        match self {
            Self::Text => "file",
            Self::Base64 => "filebase64",
            Self::Sha256 => "filesha256",
            Self::Base64Sha256 => "filebase64sha256",
            Self::Exists => "fileexists",
            Self::Glob => "glob",
        }
    }

    /// The steps it takes to answer: the size of the answer does not show what was searched for it.
    pub(super) fn steps(self) -> usize {
        match self {
            Self::Glob => 2_000,
            _ => 50,
        }
    }
}

/// The longest pattern, in bytes.
const PATTERN_BYTES: usize = 1_000;

/// The answer to a question about a file of a folder; `path` is relative to it.
pub fn answer(files: &dyn Files, question: Question, path: &str) -> Result<Value, Box<Diagnostic>> {
    let answer = match question {
        Question::Exists => files.exists(path).map(Value::Bool),
        Question::Glob => matching(files, path),
        Question::Text => content(files, path).and_then(|content| {
            let text = content.text().map(Value::from);
            text.ok_or_else(|| format!("`{path}` is not UTF-8 text; filebase64(…) reads any file"))
        }),
        Question::Base64 => {
            content(files, path).map(|content| STANDARD.encode(content.bytes.as_deref().unwrap_or_default()).into())
        }
        Question::Sha256 => digested(files, path).map(|content| content.sha256.as_str().into()),
        Question::Base64Sha256 => digested(files, path).map(|content| STANDARD.encode(bytes(&content.sha256)).into()),
    };
    answer.map_err(|why| refused(&why))
}

/// Says why a file cannot be read, or listed.
pub(super) fn refused(why: &str) -> Box<Diagnostic> {
    let help = "name a file inside the stack's folder, by its path from there";
    Box::new(Diagnostic::error(REFUSED, why).help(help))
}

/// Says that a file cannot be read because which one is not known while files are read.
pub(super) fn unread() -> Box<Diagnostic> {
    Box::new(
        Diagnostic::error(UNREAD, "which file this is depends on what AWS makes")
            .note("Files are read when the plan is made, so that what is applied is what was planned")
            .help("make the path from what the stack says: variables, names, `env`"),
    )
}

type Content = std::sync::Arc<FileContent>;

/// A file, however large.
fn digested(files: &dyn Files, path: &str) -> Result<Content, String> {
    // To read a folder is to read all in it.
    if files.exists(path)? { files.content(path) } else { Err(format!("there is no file `{path}`")) }
}

/// A file whose bytes are there.
fn content(files: &dyn Files, path: &str) -> Result<Content, String> {
    let content = digested(files, path)?;
    match content.bytes {
        Some(_) => Ok(content),
        None => {
            Err(format!("`{path}` has {} bytes, and an expression may read files of up to {MAX_KEPT}", content.size))
        }
    }
}

/// The paths of the files that match a pattern, in order.
fn matching(files: &dyn Files, pattern: &str) -> Result<Value, String> {
    let pattern = pattern.trim_start_matches("./");
    if pattern.len() > PATTERN_BYTES {
        return Err(format!("the pattern is longer than {PATTERN_BYTES} bytes"));
    }
    let glob = GlobBuilder::new(pattern).literal_separator(true).build();
    let matcher = glob.map_err(|error| format!("this is no pattern: {error}"))?.compile_matcher();
    // What stands before the first folder with a wildcard in its name need not be searched for.
    let fixed = pattern.split(['*', '?', '[', '{', '\\']).next().unwrap_or_default();
    let folder = fixed.rsplit_once('/').map_or(".", |(folder, _)| if folder.is_empty() { "/" } else { folder });
    let all = files.list(folder)?;
    Ok(Value::strings(all.iter().filter(|path| matcher.is_match(path.as_str())).cloned()))
}

/// The bytes that hexadecimal digits write.
fn bytes(hex: &str) -> Vec<u8> {
    let digit = |c: Option<char>| c.and_then(|c| c.to_digit(16)).and_then(|digit| u8::try_from(digit).ok());
    let mut digits = hex.chars();
    std::iter::from_fn(|| Some(digit(digits.next())? << 4 | digit(digits.next())?)).collect()
}
