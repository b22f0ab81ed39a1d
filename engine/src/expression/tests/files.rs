//! Files in expressions.

use std::cell::RefCell;

use super::scope::{Names, error, evaluate, literal_origin, unknown};
use crate::address::{Address, Step};
use crate::diagnostic::{Diagnostic, Span};
use crate::expression::{KIND, LIMIT, MISSING, Question, REFUSED, SYNTAX, Scope, Template, UNREAD, settle};
use crate::file::MAX_KEPT;
use crate::testing::files::InMemory;
use crate::value::{Secret, Unknown, Value, broken};

fn key() -> Address {
    Address::root("kms.key", "main")
}

fn names() -> Names {
    let mut names = Names::of([
        ("id", unknown(&key(), "id", false)),
        ("refs", Value::map([("k", Value::Reference(key()))])),
        ("name", Value::from("Ada")),
        ("password", Value::Secret(Secret::new("hunter2".into()))),
        ("broken", broken()),
    ])
    .with(&key(), "id", unknown(&key(), "id", false))
    .with(&key(), "alias", Value::from("main"));
    names.files = InMemory::of(&[
        ("hello.txt", "Hello\n"),
        ("policy.tpl", "arn: ${r.id}/${r.alias}/${upper(name)}\n"),
        ("plain.tpl", "no $${name} here, %{x}"),
        ("wrong.tpl", "a\nb ${nane}\n"),
        ("odd.tpl", "a\n  ${1 +}"),
        ("loop.tpl", "x\n%{~ for a in b ~}\n"),
        ("again.tpl", "${templatefile(\"hello.txt\", {})}"),
        ("reads.tpl", "<${file(\"hello.txt\")}>"),
        ("choice.tpl", "${id == \"1234\" ? r.alias : \"no\"}"),
        ("a/b.json", "{}"),
        ("a/c/d.json", "{}"),
        ("a/c/e.txt", ""),
    ]);
    names.files.0.insert("bytes.bin".into(), vec![0xff, 0]);
    names.files.0.insert("large.txt".into(), vec![b'x'; MAX_KEPT as usize + 1]);
    names
}

fn known(_: &Address, name: &str) -> Option<Value> {
    (name == "id").then(|| Value::from("1234"))
}

#[track_caller]
fn text(expression: &str) -> String {
    match evaluate(expression, &names()) {
        Ok(value) => value.to_json().unwrap().to_string(),
        Err(found) => panic!("{expression}: {}", found.0[0]),
    }
}

#[track_caller]
fn source(value: &Value) -> (String, Vec<String>) {
    let Value::Unknown(unknown) = value else { panic!("{value:?}") };
    let Unknown::Expression { source, scope } = unknown.as_ref() else { panic!("{unknown:?}") };
    (source.clone(), scope.keys().cloned().collect())
}

#[test]
fn files_are_read_listed_and_digested() {
    for (expression, expected) in [
        ("${file(\"hello.txt\")}", r#""Hello\n""#),
        ("<${chomp(file(\"hello.txt\"))}>", r#""<Hello>""#),
        ("${filebase64(\"bytes.bin\")}", r#""/wA=""#),
        ("${length(filesha256(\"large.txt\"))}", "64"),
        ("${filesha256(\"hello.txt\") == sha256(file(\"hello.txt\"))}", "true"),
        ("${filebase64sha256(\"hello.txt\") == base64sha256(file(\"hello.txt\"))}", "true"),
        ("${[fileexists(\"hello.txt\"), fileexists(\"no\")]}", "[true,false]"),
        ("${glob(\"a/*.json\")}", r#"["a/b.json"]"#),
        ("${glob(\"./a/**/*.{json,txt}\")}", r#"["a/b.json","a/c/d.json","a/c/e.txt"]"#),
        ("${glob(\"hello.txt\")}", r#"["hello.txt"]"#),
        ("${glob(\"a/x*\")}", "[]"),
        ("${templatefile(\"plain.tpl\", {})}", r#""no ${name} here, %{x}""#),
        ("${templatefile(\"reads.tpl\", {})}", r#""<Hello\n>""#),
        (
            "${[for n in [1, 2] : templatefile(\"policy.tpl\", { r = { id = n, alias = \"x\" }, name = name })]}",
            r#"["arn: 1/x/ADA\n","arn: 2/x/ADA\n"]"#,
        ),
        ("${try(file(\"no\"), \"other\")}", r#""other""#),
    ] {
        assert_eq!(text(expression), expected, "{expression}");
    }
}

#[test]
fn what_is_no_file_of_the_stack_is_refused_with_a_next_step() {
    for (expression, code, column, message) in [
        ("${file(\"no\")}", REFUSED, 8, "there is no file `no`"),
        ("${file(\"../x\")}", REFUSED, 8, "`../x` must be a path inside the stack folder, without `..`"),
        ("${file(\"a\")}", REFUSED, 8, "`a` is a folder"),
        ("${file(\"bytes.bin\")}", REFUSED, 8, "`bytes.bin` is not UTF-8 text; filebase64(…) reads any file"),
        (
            "${filebase64(\"large.txt\")}",
            REFUSED,
            14,
            "`large.txt` has 1048577 bytes, and an expression may read files of up to 1048576",
        ),
        ("${glob(\"/etc/*\")}", REFUSED, 8, "`/etc` must be a path inside the stack folder, without `..`"),
        ("${glob(\"/*\")}", REFUSED, 8, "`/` must be a path inside the stack folder, without `..`"),
        ("${glob(\"no/*\")}", REFUSED, 8, "`no` cannot be read: there is none"),
        (
            "${glob(\"a/{\")}",
            REFUSED,
            8,
            "this is no pattern: error parsing glob 'a/{': unclosed alternate group; missing '}' (maybe escape '{' with '[{]'?)",
        ),
        ("${file(1)}", KIND, 8, "`file` takes a string as `path`, not a number"),
        ("${file(password)}", REFUSED, 8, "the path of a file cannot be secret: plans and errors tell it"),
        ("${file(\"${id}.txt\")}", UNREAD, 8, "which file this is depends on what AWS makes"),
        ("${templatefile(\"plain.tpl\", 1)}", KIND, 29, "`templatefile` takes a map as `variables`, not a number"),
    ] {
        assert_eq!(error(expression, &names()), (code, column, message.to_owned()), "{expression}");
        let help = &evaluate(expression, &names()).unwrap_err().0[0].help;
        assert!(help.is_some(), "{expression}");
    }
}

#[test]
fn errors_in_a_template_stand_in_its_file() {
    for (path, code, place, message) in [
        ("wrong.tpl", MISSING, "wrong.tpl:2:5", "the template is not given `nane`"),
        ("odd.tpl", SYNTAX, "odd.tpl:2:7", "the expression is not complete"),
        ("loop.tpl", SYNTAX, "loop.tpl:2:1", "templates have no directives: `%{` is text"),
        ("again.tpl", REFUSED, "again.tpl:1:3", "a template cannot read another one"),
    ] {
        let expression = format!("x-${{templatefile(\"{path}\", {{ name = name }})}}");
        let found = evaluate(&expression, &names()).unwrap_err();
        let first = &found.0[0];
        assert_eq!((first.code, first.message.as_str()), (code, message));
        assert_eq!(first.span.as_ref().unwrap().to_string(), place);
        assert!(first.help.is_some(), "{path}");
        assert_eq!(first.labels[0].span.line_column(), (1, 8), "{path}");
    }
    let found = evaluate("${templatefile(\"wrong.tpl\", { name = 1 })}", &names()).unwrap_err();
    assert_eq!(found.0[0].help.as_deref(), Some("did you mean `name`?"));
    // Nothing else is in scope.
    assert_eq!(error("${templatefile(\"policy.tpl\", { r = refs.k })}", &names()).0, MISSING);
}

/// A scope that answers about files once only: whoever settles has none.
struct Once<'a>(&'a Names, RefCell<bool>);

impl Scope for Once<'_> {
    fn resolve(&self, steps: &[Step], span: Option<&Span>) -> Result<(Value, usize), Box<Diagnostic>> {
        self.0.resolve(steps, span)
    }

    fn attribute(&self, resource: &Address, name: &str, span: Option<&Span>) -> Result<Value, Box<Diagnostic>> {
        self.0.attribute(resource, name, span)
    }

    fn file(&self, question: Question, path: &str) -> Result<Value, Box<Diagnostic>> {
        assert!(!*self.1.borrow(), "{path} is read while something is applied");
        self.0.file(question, path)
    }
}

#[test]
fn what_files_say_is_in_the_plan_where_something_else_is_unknown() {
    let names = names();
    let scope = Once(&names, RefCell::new(false));
    for (expression, expected) in [
        ("${\"${id}-${file(\"hello.txt\")}\"}", "1234-Hello\n"),
        ("${upper(\"${id}${file(\"hello.txt\")}\")}", "1234HELLO\n"),
        ("${id == \"x\" ? \"\" : file(\"hello.txt\")}", "Hello\n"),
        ("${id == \"1234\" ? try(file(\"no\"), \"none\") : \"\"}", "none"),
        ("${can(file(\"${id == \"\" ? \"\" : \"\"}hello.txt\")) ? 1 : 2}", ""),
        ("${templatefile(\"policy.tpl\", { r = refs.k, name = name })}", "arn: 1234/main/ADA\n"),
        ("${templatefile(\"choice.tpl\", { r = refs.k, id = id })}", "main"),
        ("${upper(templatefile(\"policy.tpl\", { r = refs.k, name = id }))}", "ARN: 1234/MAIN/1234\n"),
        (
            "${join(\"\", [for i in split(\"\", id) : templatefile(\"choice.tpl\", { r = refs.k, id = \"1234\" }) if i == \"1\"])}",
            "main",
        ),
        ("${[templatefile(\"policy.tpl\", { r = refs.k, name = id })][0]}", "arn: 1234/main/1234\n"),
        ("${id == \"1234\" ? join(\",\", glob(\"a/**\")) : \"\"}", "a/b.json,a/c/d.json,a/c/e.txt"),
    ] {
        *scope.1.borrow_mut() = false;
        let planned = evaluate(expression, &scope);
        if expected.is_empty() {
            assert_eq!(planned.unwrap_err().0[0].code, UNREAD, "{expression}");
            continue;
        }
        let planned = planned.unwrap();
        assert!(!planned.is_known(), "{expression}");
        *scope.1.borrow_mut() = true;
        let stored: Value = serde_json::from_str(&serde_json::to_string(&planned).unwrap()).unwrap();
        assert_eq!(settle(stored, &known).unwrap(), Value::from(expected), "{expression}");
    }
}

#[test]
fn a_template_is_closed_over_its_own_variables() {
    let value = evaluate("${templatefile(\"policy.tpl\", { r = refs.k, name = name })}", &names()).unwrap();
    assert_eq!(source(&value), ("arn: ${r.id}/main/ADA\n".into(), vec!["@kms.key.main.id".into(), "r".into()]));
    let value = evaluate("${upper(\"${id}${file(\"hello.txt\")}\")}", &names()).unwrap();
    assert_eq!(source(&value).1, ["@file(hello.txt)", "id"]);
}

#[test]
fn what_only_a_value_of_aws_says_cannot_be_read() {
    for expression in [
        "${try(file(id), \"other\")}",
        "${id == \"x\" ? file(id) : \"\"}",
        "${[for i in split(\"\", id) : file(i)]}",
        "${templatefile(id, {})}",
    ] {
        let found = evaluate(expression, &names()).unwrap_err();
        assert_eq!(found.0[0].code, UNREAD, "{expression}");
        assert!(found.0[0].help.is_some() && found.0[0].span.is_some());
    }
    // What could not be had was told; this is no second mistake.
    for expression in ["${file(broken)}", "${file(\"${broken}.txt\")}", "${id == \"x\" ? file(broken) : \"\"}"] {
        let value = evaluate(expression, &names()).unwrap();
        assert!(crate::value::is_broken(&value), "{expression}: {value:?}");
    }
}

#[test]
fn secrets_in_a_template_are_secret() {
    let expression = "${templatefile(\"policy.tpl\", { r = { id = 1, alias = 2 }, name = password })}";
    assert!(matches!(evaluate(expression, &names()).unwrap(), Value::Secret(_)));
    let unused = "${templatefile(\"plain.tpl\", { name = password })}";
    assert!(matches!(evaluate(unused, &names()).unwrap(), Value::String(_)));
    let found = evaluate("${templatefile(\"wrong.tpl\", { name = password })}", &names()).unwrap_err();
    assert!(!format!("{found:?}").contains("hunter2"));
}

#[test]
fn reading_is_bounded() {
    let mut names = names();
    names.files.0.insert("big.tpl".into(), "${x}".repeat(200_000).into_bytes());
    names.roots.insert("r".into(), Value::List((0..5_000).map(Value::Integer).collect()));
    for expression in [
        "${[for i in r : templatefile(\"big.tpl\", { x = i })]}",
        "${[for i in r : glob(\"**\")]}",
        "${[for i in r : [for j in r : fileexists(\"hello.txt\")]]}",
        "${glob(\"${join(\"\", [for i in r : \"{a,b}\"])}\")}",
    ] {
        let code = error(expression, &names).0;
        assert!(code == LIMIT || code == REFUSED, "{expression}: {code}");
    }
    let mut deep = "templatefile(\"big.tpl\", { x = 1 })".to_owned();
    for _ in 0..50 {
        deep = format!("[{deep}]");
    }
    assert_eq!(error(&format!("${{{deep}}}"), &names).0, LIMIT);
    assert!(Template::parse("${file()}", &literal_origin("${file()}")).is_err());
}
