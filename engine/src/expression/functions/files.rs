//! Functions of files. Paths begin at the stack's folder and do not leave it; files are read when the plan is made.

use super::{Function, Run};
use crate::expression::files::Question;

pub(super) const FILE: Function = Function {
    signature: "file(path)",
    doc: "The text of a file.",
    example: r#"file("hello.txt")"#,
    result: r#""Hello\n""#,
    run: Run::File(Question::Text),
};

pub(super) const FILEBASE64: Function = Function {
    signature: "filebase64(path)",
    doc: "The bytes of a file in Base64, whether or not they are text.",
    example: r#"filebase64("hello.txt")"#,
    result: r#""SGVsbG8K""#,
    run: Run::File(Question::Base64),
};

pub(super) const FILESHA256: Function = Function {
    signature: "filesha256(path)",
    doc: "The SHA-256 digest of a file of any size, in hexadecimal.",
    example: r#"substr(filesha256("hello.txt"), 0, 8)"#,
    result: r#""66a045b4""#,
    run: Run::File(Question::Sha256),
};

pub(super) const FILEBASE64SHA256: Function = Function {
    signature: "filebase64sha256(path)",
    doc: "The SHA-256 digest of a file of any size, in Base64.",
    example: r#"substr(filebase64sha256("hello.txt"), 0, 8)"#,
    result: r#""ZqBFtFIQ""#,
    run: Run::File(Question::Base64Sha256),
};

pub(super) const FILEEXISTS: Function = Function {
    signature: "fileexists(path)",
    doc: "Whether there is such a file.",
    example: r#"fileexists("nothing.txt")"#,
    result: "false",
    run: Run::File(Question::Exists),
};

pub(super) const GLOB: Function = Function {
    signature: "glob(pattern)",
    doc: "The paths of the files that match, in order: `*` is a part of a name, `**` any folders, `?` a character, `{a,b}` one of several. What begins with a dot and symbolic links are left out.",
    example: r#"glob("site/**/*.html")"#,
    result: r#"["site/index.html", "site/sub/page.html"]"#,
    run: Run::File(Question::Glob),
};

pub(super) const TEMPLATEFILE: Function = Function {
    signature: "templatefile(path, variables)",
    doc: "The text of a file with each `${…}` in it evaluated; it knows the variables and nothing else.",
    example: r#"templatefile("greeting.tpl", { name = "Ada" })"#,
    result: r#""Hello Ada!\n""#,
    run: Run::Template,
};
