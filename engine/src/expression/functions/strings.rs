//! Functions of texts.

use regex_lite::{Captures, Regex, RegexBuilder};

use super::format;
use super::{Arguments, Function, Refusal};
use crate::value::Value;

pub(super) const UPPER: Function =
    Function::whole("upper(text)", "The text in capital letters.", r#"upper("straße")"#, r#""STRASSE""#, |arguments| {
        Ok(arguments.text(0)?.to_uppercase().into())
    });

pub(super) const LOWER: Function =
    Function::whole("lower(text)", "The text in small letters.", r#"lower("Prod")"#, r#""prod""#, |arguments| {
        Ok(arguments.text(0)?.to_lowercase().into())
    });

pub(super) const TITLE: Function = Function::whole(
    "title(text)",
    "The text with the first letter of each word capital.",
    r#"title("event pulse")"#,
    r#""Event Pulse""#,
    |arguments| {
        let mut title = String::new();
        let mut inside = false;
        for c in arguments.text(0)?.chars() {
            let letter = c.is_alphanumeric() || matches!(c, '_' | '\'');
            if letter && !inside {
                title.extend(c.to_uppercase())
            } else {
                title.push(c)
            }
            inside = letter;
        }
        Ok(title.into())
    },
);

pub(super) const TRIM: Function = Function::whole(
    "trim(text, characters)",
    "The text without any of these characters at its ends.",
    r#"trim("/a/b//", "/")"#,
    r#""a/b""#,
    |arguments| {
        let text = arguments.text(0)?;
        let characters: Vec<char> = arguments.text(1)?.chars().collect();
        arguments.work(text.len().saturating_mul(characters.len()) / 64)?;
        Ok(text.trim_matches(characters.as_slice()).into())
    },
);

pub(super) const TRIMSPACE: Function = Function::whole(
    "trimspace(text)",
    "The text without white space at its ends.",
    r#"trimspace(" a b\n")"#,
    r#""a b""#,
    |arguments| Ok(arguments.text(0)?.trim().into()),
);

pub(super) const TRIMPREFIX: Function = Function::whole(
    "trimprefix(text, prefix)",
    "The text without the prefix, if it begins with it.",
    r#"trimprefix("dev-data", "dev-")"#,
    r#""data""#,
    |arguments| {
        let (text, prefix) = (arguments.text(0)?, arguments.text(1)?);
        Ok(text.strip_prefix(&prefix).unwrap_or(&text).into())
    },
);

pub(super) const TRIMSUFFIX: Function = Function::whole(
    "trimsuffix(text, suffix)",
    "The text without the suffix, if it ends with it.",
    r#"trimsuffix("data.json", ".json")"#,
    r#""data""#,
    |arguments| {
        let (text, suffix) = (arguments.text(0)?, arguments.text(1)?);
        Ok(text.strip_suffix(&suffix).unwrap_or(&text).into())
    },
);

pub(super) const STARTSWITH: Function = Function::whole(
    "startswith(text, prefix)",
    "Whether the text begins with the prefix.",
    r#"startswith("prod-eu", "prod")"#,
    "true",
    |arguments| Ok(arguments.text(0)?.starts_with(&arguments.text(1)?).into()),
);

pub(super) const ENDSWITH: Function = Function::whole(
    "endswith(text, suffix)",
    "Whether the text ends with the suffix.",
    r#"endswith("a.json", ".csv")"#,
    "false",
    |arguments| Ok(arguments.text(0)?.ends_with(&arguments.text(1)?).into()),
);

pub(super) const STRCONTAINS: Function = Function::whole(
    "strcontains(text, part)",
    "Whether the part stands somewhere in the text.",
    r#"strcontains("eu-west-1", "west")"#,
    "true",
    |arguments| Ok(arguments.text(0)?.contains(&arguments.text(1)?).into()),
);

pub(super) const REPLACE: Function = Function::whole(
    "replace(text, part, replacement)",
    "The text with each occurrence of the part replaced; for patterns there is `regexreplace`.",
    r#"replace("a_b_c", "_", "-")"#,
    r#""a-b-c""#,
    |arguments| {
        let (text, part, replacement) = (arguments.text(0)?, arguments.text(1)?, arguments.text(2)?);
        let added = text.matches(&part).count().saturating_mul(replacement.len());
        arguments.room_for_text(text.len().saturating_add(added))?;
        Ok(text.replace(&part, &replacement).into())
    },
);

pub(super) const SPLIT: Function = Function::whole(
    "split(separator, text)",
    "The parts of the text between the separators.",
    r#"split(",", "a,b,")"#,
    r#"["a", "b", ""]"#,
    |arguments| {
        let (separator, text) = (arguments.text(0)?, arguments.text(1)?);
        if separator.is_empty() {
            arguments.room_for_values(text.chars().count())?;
            return Ok(Value::strings(text.chars().map(String::from)));
        }
        arguments.room_for_values(text.matches(&separator).count())?;
        Ok(Value::strings(text.split(&separator)))
    },
);

pub(super) const JOIN: Function = Function::whole(
    "join(separator, lists...)",
    "The elements of the lists as one text, with the separator between them.",
    r#"join("-", ["a", 1], ["b"])"#,
    r#""a-1-b""#,
    |arguments| {
        let separator = arguments.text(0)?;
        let mut texts = Vec::new();
        for at in 1..arguments.count() {
            texts.extend(arguments.texts(at)?);
        }
        let separators = separator.len().saturating_mul(texts.len());
        arguments.room_for_text(texts.iter().map(String::len).sum::<usize>().saturating_add(separators))?;
        Ok(texts.join(&separator).into())
    },
);

pub(super) const FORMAT: Function = Function::whole(
    "format(pattern, values...)",
    "The pattern with its verbs (%s %d %f %g %e %x %X %o %b %t %q %v %%) replaced by the values.",
    r#"format("%s-%03d", "node", 7)"#,
    r#""node-007""#,
    |arguments| {
        let pattern = arguments.text(0)?;
        let values = arguments.all();
        format::format(&pattern, values.get(1..).unwrap_or_default(), arguments).map(Value::from)
    },
);

pub(super) const FORMATLIST: Function = Function::whole(
    "formatlist(pattern, values...)",
    "`format` for each element of the lists among the values, all of one length; other values stay the same.",
    r#"formatlist("%s/%s", ["a", "b"], "x")"#,
    r#"["a/x", "b/x"]"#,
    |arguments| {
        let pattern = arguments.text(0)?;
        let values = arguments.all().split_off(1);
        let mut length = None;
        for (at, value) in values.iter().enumerate() {
            let Value::List(list) = value else { continue };
            if *length.get_or_insert(list.len()) != list.len() {
                return Err(Refusal::new("the lists are not of one length").about(at + 1));
            }
        }
        let length = length.unwrap_or(1);
        arguments.room_for_values(length)?;
        arguments.work(length.saturating_mul(values.len() + pattern.len() / 16))?;
        let row = |at: usize| -> Vec<Value> {
            let pick = |value: &Value| match value {
                Value::List(list) => list.get(at).cloned().unwrap_or_default(),
                value => value.clone(),
            };
            values.iter().map(pick).collect()
        };
        let mut texts = Vec::new();
        let mut size = 0_usize;
        for at in 0..length {
            let text = format::format(&pattern, &row(at), arguments)?;
            size = size.saturating_add(text.len());
            arguments.room_for_text(size)?;
            texts.push(text);
        }
        Ok(Value::strings(texts))
    },
);

pub(super) const STRREV: Function = Function::whole(
    "strrev(text)",
    "The characters of the text from its end to its beginning.",
    r#"strrev("abc")"#,
    r#""cba""#,
    |arguments| Ok(arguments.text(0)?.chars().rev().collect::<String>().into()),
);

pub(super) const BASENAME: Function = Function::whole(
    "basename(path)",
    "The last part of the path.",
    r#"basename("site/img/logo.svg")"#,
    r#""logo.svg""#,
    |arguments| {
        let path = arguments.text(0)?;
        let path = path.trim_end_matches('/');
        Ok(path.rsplit_once('/').map_or(path, |(_, name)| name).into())
    },
);

pub(super) const DIRNAME: Function = Function::whole(
    "dirname(path)",
    "The path without its last part.",
    r#"dirname("site/img/logo.svg")"#,
    r#""site/img""#,
    |arguments| {
        let path = arguments.text(0)?;
        let folder = path.trim_end_matches('/').rsplit_once('/').map_or(".", |(folder, _)| folder);
        let is_root = folder.is_empty() || (folder == "." && path.starts_with('/'));
        Ok(if is_root { "/" } else { folder }.into())
    },
);

pub(super) const SUBSTR: Function = Function::whole(
    "substr(text, offset, length)",
    "The characters from the offset on (from the end if negative), so many or, at -1, all that follow.",
    r#"substr("eu-west-1", -6, 4)"#,
    r#""west""#,
    |arguments| {
        let text = arguments.text(0)?;
        let (offset, length) = (arguments.integer(1)?, arguments.integer(2)?);
        if length < -1 {
            return Err(Refusal::new("`length` must be -1 or more").about(2));
        }
        let back = usize::try_from(offset.unsigned_abs()).unwrap_or(usize::MAX);
        let start = if offset < 0 { text.chars().count().saturating_sub(back) } else { back };
        let count = usize::try_from(length).unwrap_or(usize::MAX);
        Ok(text.chars().skip(start).take(count).collect::<String>().into())
    },
);

pub(super) const INDENT: Function = Function::whole(
    "indent(spaces, text)",
    "The text with every line but the first indented.",
    r#"indent(2, "a:\nb")"#,
    r#""a:\n  b""#,
    |arguments| {
        let (spaces, text) = (arguments.size(0)?, arguments.text(1)?);
        let added = text.matches('\n').count().saturating_mul(spaces);
        arguments.room_for_text(text.len().saturating_add(added).saturating_add(spaces))?;
        Ok(text.replace('\n', &format!("\n{}", " ".repeat(spaces))).into())
    },
);

pub(super) const CHOMP: Function = Function::whole(
    "chomp(text)",
    "The text without the line ends at its end.",
    r#"chomp("a\r\n\n")"#,
    r#""a""#,
    |arguments| Ok(arguments.text(0)?.trim_end_matches(['\r', '\n']).into()),
);

pub(super) const REGEX: Function = Function::whole(
    "regex(pattern, text)",
    "The first match: its text, or a list of its groups, or a map of its groups if they are named.",
    r#"regex("(?<family>[a-z]+)(?<size>[0-9]+)", "m5.large")"#,
    r#"{ family = "m", size = "5" }"#,
    |arguments| {
        let (regex, text) = pattern(arguments)?;
        match regex.captures(&text) {
            Some(captures) => Ok(groups(&regex, &captures)),
            None => Err(Refusal::new("the pattern does not match; to allow that, use regexall or can").about(0)),
        }
    },
);

pub(super) const REGEXALL: Function = Function::whole(
    "regexall(pattern, text)",
    "All matches, each as `regex` gives it.",
    r#"regexall("[a-z]+", "1a2bc")"#,
    r#"["a", "bc"]"#,
    |arguments| {
        let (regex, text) = pattern(arguments)?;
        let mut matches = Vec::new();
        for captures in regex.captures_iter(&text) {
            arguments.room_for_values(matches.len() * regex.captures_len())?;
            arguments.work(search(&text, &captures))?;
            matches.push(groups(&regex, &captures));
        }
        Ok(Value::List(matches))
    },
);

pub(super) const REGEXREPLACE: Function = Function::whole(
    "regexreplace(pattern, text, replacement)",
    "The text with each match of the pattern replaced; `$1` and `${name}` (written `$${name}`) stand for groups.",
    r#"regexreplace("([a-z])_", "a_b_c", "$1-")"#,
    r#""a-b-c""#,
    |arguments| {
        let replacement = arguments.text(2)?;
        let (regex, text) = pattern(arguments)?;
        let mut result = String::new();
        let mut copied = 0;
        for captures in regex.captures_iter(&text) {
            let Some(whole) = captures.get(0) else { continue };
            arguments.work(search(&text, &captures))?;
            result.push_str(text.get(copied..whole.start()).unwrap_or_default());
            // Each reference in the replacement can insert the whole match.
            let inserted = replacement.len().saturating_mul(1 + whole.len());
            arguments.room_for_text(result.len().saturating_add(inserted))?;
            captures.expand(&replacement, &mut result);
            copied = whole.end();
        }
        result.push_str(text.get(copied..).unwrap_or_default());
        Ok(result.into())
    },
);

/// The longest text a pattern is matched against, in bytes: matching takes pattern times text.
const MATCHED_BYTES: usize = 64 * 1024;

/// The arguments `pattern` and `text`.
fn pattern(arguments: &mut Arguments) -> Result<(Regex, String), Refusal> {
    let (pattern, text) = (arguments.text(0)?, arguments.text(1)?);
    if text.len() > MATCHED_BYTES {
        return Err(Refusal::new("the text is longer than 64 KiB").about(1));
    }
    arguments.work(text.len().saturating_mul(4) + pattern.len())?;
    let regex = RegexBuilder::new(&pattern)
        .size_limit(16 * 1024)
        .nest_limit(16)
        .build()
        .map_err(|error| Refusal::new(format!("the pattern is not a regular expression: {error}")).about(0))?;
    Ok((regex, text))
}

/// The steps to be taken for a match: to find the next one, all that follows may have to be looked at.
fn search(text: &str, found: &Captures) -> usize {
    let end = found.get(0).map_or(0, |whole| whole.end());
    1 + text.len().saturating_sub(end) / 16
}

fn groups(regex: &Regex, captures: &Captures) -> Value {
    let group = |at: usize| Value::from(captures.get(at).map(|group| group.as_str()));
    let named: Vec<&str> = regex.capture_names().flatten().collect();
    if regex.captures_len() == 1 {
        group(0)
    } else if named.is_empty() {
        Value::List((1..regex.captures_len()).map(group).collect())
    } else {
        Value::map(named.into_iter().map(|name| (name, captures.name(name).map(|group| group.as_str()).into())))
    }
}
