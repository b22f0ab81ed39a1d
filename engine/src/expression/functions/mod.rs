//! The functions: one table entry each, from which come the call, its checks, `explain` and the tests.

mod arguments;
mod call;
mod collections;
mod csv;
mod dates;
mod encodings;
mod files;
mod format;
mod lists;
mod networks;
mod numbers;
mod strings;
mod types;
mod yaml;

use self::arguments::{Arguments, Refusal};
use super::files::Question;
use crate::diagnostic::did_you_mean;
use crate::value::Value;

/// A function of the expression language.
#[derive(Debug)]
pub struct Function {
    /// How it is called: `join(separator, list)`. A parameter in brackets may be left out; the last one repeats if it
    /// ends in `...`, also not at all.
    pub signature: &'static str,
    /// What it does, in one sentence.
    pub doc: &'static str,
    /// A call.
    pub example: &'static str,
    /// What that call gives, as an expression.
    pub result: &'static str,
    run: Run,
}

/// How a function treats its arguments.
#[derive(Debug, Clone, Copy)]
enum Run {
    /// It looks at all of them: an unknown anywhere makes the call unknown, a secret anywhere makes it secret.
    Whole(fn(&mut Arguments) -> Result<Value, Refusal>),
    /// It hands elements through without looking at them: they may be unknown or secret, and stay what they are.
    Through(fn(&mut Arguments) -> Result<Value, Refusal>),
    /// `try`: the first argument that can be evaluated.
    Try,
    /// `can`: whether its argument can be evaluated.
    Can,
    /// `sensitive`: its argument, made secret.
    Sensitive,
    /// `nonsensitive`: its argument with no secret in it.
    Nonsensitive,
    /// Asks something about the file whose path is its argument.
    File(Question),
    /// `templatefile`: the text of a file, evaluated.
    Template,
}

impl Function {
    const fn whole(
        signature: &'static str,
        doc: &'static str,
        example: &'static str,
        result: &'static str,
        run: fn(&mut Arguments) -> Result<Value, Refusal>,
    ) -> Self {
        Self { signature, doc, example, result, run: Run::Whole(run) }
    }

    const fn through(
        signature: &'static str,
        doc: &'static str,
        example: &'static str,
        result: &'static str,
        run: fn(&mut Arguments) -> Result<Value, Refusal>,
    ) -> Self {
        Self { signature, doc, example, result, run: Run::Through(run) }
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.signature.split('(').next().unwrap_or_default()
    }

    /// The parameters as the signature writes them.
    fn parameters(&self) -> impl Iterator<Item = &'static str> {
        let inside = self.signature.split('(').nth(1).unwrap_or_default().trim_end_matches(')');
        inside.split(", ").filter(|parameter| !parameter.is_empty())
    }

    /// The fewest arguments it takes.
    pub(super) fn least(&self) -> usize {
        self.parameters().filter(|parameter| !parameter.starts_with('[') && !parameter.ends_with("...")).count()
    }

    /// The most arguments it takes; `None` without a bound.
    pub(super) fn most(&self) -> Option<usize> {
        let mut parameters = self.parameters();
        if parameters.any(|parameter| parameter.ends_with("...")) { None } else { Some(self.parameters().count()) }
    }

    /// Whether `f(list...)` makes sense.
    pub(super) fn spreads(&self) -> bool {
        matches!(self.run, Run::Whole(_) | Run::Through(_))
    }

    /// The name of the parameter that the argument at `at` is for.
    pub(super) fn parameter(&self, at: usize) -> &'static str {
        let parameter = self.parameters().nth(at).or_else(|| self.parameters().last()).unwrap_or_default();
        parameter.trim_matches(['[', ']', '.'])
    }
}

const STRINGS: &[&Function] = &[
    &strings::BASENAME,
    &strings::CHOMP,
    &strings::DIRNAME,
    &strings::ENDSWITH,
    &strings::FORMAT,
    &strings::FORMATLIST,
    &strings::INDENT,
    &strings::JOIN,
    &strings::LOWER,
    &strings::REGEX,
    &strings::REGEXALL,
    &strings::REGEXREPLACE,
    &strings::REPLACE,
    &strings::SPLIT,
    &strings::STARTSWITH,
    &strings::STRCONTAINS,
    &strings::STRREV,
    &strings::SUBSTR,
    &strings::TITLE,
    &strings::TRIM,
    &strings::TRIMPREFIX,
    &strings::TRIMSPACE,
    &strings::TRIMSUFFIX,
    &strings::UPPER,
];

const LISTS: &[&Function] = &[
    &lists::ALLTRUE,
    &lists::ANYTRUE,
    &lists::CHUNKLIST,
    &lists::COALESCE,
    &lists::COALESCELIST,
    &lists::COMPACT,
    &lists::CONCAT,
    &lists::CONTAINS,
    &lists::DISTINCT,
    &lists::ELEMENT,
    &lists::FLATTEN,
    &lists::INDEX,
    &lists::LENGTH,
    &lists::ONE,
    &lists::RANGE,
    &lists::REVERSE,
    &lists::SLICE,
    &lists::SORT,
    &lists::SUM,
];

const COLLECTIONS: &[&Function] = &[
    &collections::KEYS,
    &collections::LOOKUP,
    &collections::MATCHKEYS,
    &collections::MERGE,
    &collections::SETINTERSECTION,
    &collections::SETPRODUCT,
    &collections::SETSUBTRACT,
    &collections::SETUNION,
    &collections::TRANSPOSE,
    &collections::VALUES,
    &collections::ZIPMAP,
];

const TYPES: &[&Function] = &[
    &types::CAN,
    &types::NONSENSITIVE,
    &types::SENSITIVE,
    &types::TOBOOL,
    &types::TOLIST,
    &types::TOMAP,
    &types::TONUMBER,
    &types::TOSET,
    &types::TOSTRING,
    &types::TRY,
    &types::TYPE,
];

const NUMBERS: &[&Function] = &[
    &numbers::ABS,
    &numbers::CEIL,
    &numbers::FLOOR,
    &numbers::LOG,
    &numbers::MAX,
    &numbers::MIN,
    &numbers::PARSEINT,
    &numbers::POW,
    &numbers::SIGNUM,
];

const ENCODINGS: &[&Function] = &[
    &encodings::BASE64DECODE,
    &encodings::BASE64ENCODE,
    &encodings::BASE64SHA256,
    &encodings::BASE64SHA512,
    &csv::CSVDECODE,
    &encodings::JSONDECODE,
    &encodings::JSONENCODE,
    &encodings::SHA256,
    &encodings::SHA512,
    &encodings::URLDECODE,
    &encodings::URLENCODE,
    &yaml::YAMLDECODE,
];

const DATES: &[&Function] = &[&dates::FORMATDATE, &dates::TIMEADD, &dates::TIMECMP];

const NETWORKS: &[&Function] = &[
    &networks::CIDRCONTAINS,
    &networks::CIDRHOST,
    &networks::CIDRNETMASK,
    &networks::CIDRSUBNET,
    &networks::CIDRSUBNETS,
];

const FILES: &[&Function] = &[
    &files::FILE,
    &files::FILEBASE64,
    &files::FILEBASE64SHA256,
    &files::FILEEXISTS,
    &files::FILESHA256,
    &files::GLOB,
    &files::TEMPLATEFILE,
];

/// All functions by what they are about, in the order of documentation.
pub const GROUPS: &[(&str, &[&Function])] = &[
    ("Texts", STRINGS),
    ("Lists", LISTS),
    ("Maps and sets", COLLECTIONS),
    ("Types, and what may fail", TYPES),
    ("Numbers", NUMBERS),
    ("Encodings and digests", ENCODINGS),
    ("Dates", DATES),
    ("Networks", NETWORKS),
    ("Files of the stack's folder", FILES),
];

/// All functions.
pub fn all() -> impl Iterator<Item = &'static Function> {
    GROUPS.iter().flat_map(|(_, functions)| functions.iter().copied())
}

/// What to do where a function was called that there is not.
pub(super) fn instead(name: &str) -> String {
    // What people bring from Terraform, and what this language leaves out on purpose.
    let instead = match name {
        "timestamp" | "plantimestamp" => {
            "there is no clock, so that the same files give the same plan: give the time as a variable, \
             --var now=\"$(date -u +%FT%TZ)\""
        }
        "uuid" | "bcrypt" | "random" => {
            "there is no randomness, so that the same files give the same plan: make the value once, and give it as a \
             variable"
        }
        "md5" | "sha1" | "filemd5" | "filesha1" | "uuidv5" => {
            "it no longer tells texts apart reliably: use sha256(…) or filesha256(…)"
        }
        "filesha512" | "filebase64sha512" => "of a whole file there is filesha256(…); of a text also sha512(…)",
        "fileset" => "it is called glob(pattern) here, and its paths begin at the stack's folder: glob(\"site/**\")",
        "abspath" | "pathexpand" => "paths begin at the stack's folder and do not leave it: write the path itself",
        "yamlencode" => "JSON is YAML too: jsonencode(…)",
        "list" => "write the list itself, [a, b]",
        "map" => "write the map itself, { a = b }",
        "base64gzip" | "textencodebase64" | "textdecodebase64" | "rsadecrypt" => {
            "give what it makes as a variable, or as a file: filebase64(…)"
        }
        "templatestring" => "write the template in a file, for templatefile(…), or the expressions here",
        _ => "",
    };
    if !instead.is_empty() {
        return instead.into();
    }
    if let Some(near) = did_you_mean(name, all().map(Function::name)) {
        return format!("did you mean `{near}`?");
    }
    "`s3stack explain functions` tells which there are".into()
}

/// `no argument`, `2 arguments`.
pub(super) fn arguments_in_words(count: usize) -> String {
    match count {
        0 => "no argument".into(),
        1 => "one argument".into(),
        count => format!("{count} arguments"),
    }
}

/// The function of that name.
pub fn find(name: &str) -> Option<&'static Function> {
    all().find(|function| function.name() == name)
}
