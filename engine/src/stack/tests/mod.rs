//! Tests of the stack file as a whole, with types of their own.

mod bounds;
mod editor;
mod generated;
mod toml_agrees;
mod values;
mod wrong;

use std::sync::Arc;

use indexmap::IndexMap;

use super::load::{NoModules, Types, load};
use super::model::*;
use crate::address::{Address, Path};
use crate::diagnostic::{Diagnostics, SourceFile};
use crate::schema::{Attribute, Items, Property, ReferenceRules, Schema, Shape, StringRules};

/// A few types that look like the real ones.
pub(super) struct TestTypes(IndexMap<&'static str, Schema>);

impl Types for TestTypes {
    fn names(&self) -> Vec<&str> {
        self.0.keys().copied().collect()
    }

    fn schema(&self, name: &str) -> Option<&Schema> {
        self.0.get(name)
    }
}

fn text() -> Shape {
    Shape::string()
}

fn one_of(words: &[&str]) -> Shape {
    let allowed = words.iter().map(|word| (*word).to_owned()).collect();
    Shape::String(StringRules { allowed, ..StringRules::default() })
}

fn whole(min: f64) -> Shape {
    Shape::Number { integer: true, min: Some(min), max: None }
}

fn list(item: Shape) -> Shape {
    Shape::List(Items { item: Box::new(Property::new(item)), min: None, max: None })
}

fn one_or_many(item: Shape) -> Shape {
    Shape::Choice(vec![item.clone(), list(item)])
}

fn map(value: Shape) -> Shape {
    Shape::Map { value: Box::new(Property::new(value)), key_pattern: None, reserved: vec!["aws:".into()], max: None }
}

fn fields<const N: usize>(fields: [(&str, Shape); N]) -> IndexMap<String, Property> {
    fields.into_iter().map(|(name, shape)| (name.trim_end_matches('!'), name, shape)).map(required).collect()
}

/// A name that ends in `!` is required.
fn required((plain, name, shape): (&str, &str, Shape)) -> (String, Property) {
    (plain.to_owned(), Property { required: name.ends_with('!'), ..Property::new(shape) })
}

fn object<const N: usize>(list: [(&str, Shape); N]) -> Shape {
    Shape::Object(fields(list))
}

fn reference(types: &[&str], literal: Option<&str>) -> Shape {
    Shape::Reference(ReferenceRules {
        types: types.iter().map(|name| (*name).to_owned()).collect(),
        attribute: Some("arn".into()),
        literal: literal.map(str::to_owned),
    })
}

fn schema<const N: usize>(list: [(&str, Shape); N], attributes: &[&str]) -> Schema {
    let attribute = |name: &&str| ((*name).to_owned(), Attribute::predicted(""));
    Schema { doc: String::new(), properties: fields(list), attributes: attributes.iter().map(attribute).collect() }
}

fn grants() -> Shape {
    list(object([("to!", reference(&[], None)), ("access!", one_or_many(text())), ("prefix", text())]))
}

pub(super) fn types() -> TestTypes {
    let principal =
        || reference(&["iam.role", "iam.user"], Some(r"^[a-z0-9-]+(\.[a-z0-9-]+)*\.amazonaws\.com$|^[0-9]{12}$"));
    let policies = || list(reference(&["iam.policy"], Some("^arn:")));
    let lifecycle = object([
        ("prefix", text()),
        ("transitions", list(object([("days!", whole(0.0)), ("storage_class!", one_of(&["STANDARD_IA", "GLACIER"]))]))),
        ("expiration", object([("days", whole(1.0))])),
        ("noncurrent_expiration", object([("days", whole(1.0))])),
    ]);
    let statement = object([("actions!", list(text())), ("resources", list(text())), ("condition", Shape::Document)]);
    let anything = || Shape::Document;
    TestTypes(
        [
            (
                "s3.bucket",
                schema(
                    [
                        ("name", text()),
                        ("versioning", Shape::Bool),
                        ("encryption", Shape::Choice(vec![one_of(&["AES256", "aws:kms"]), object([("key", text())])])),
                        ("ownership", text()),
                        ("public_access_block", Shape::Bool),
                        ("force_destroy", Shape::Bool),
                        ("logging", object([("bucket!", reference(&["s3.bucket"], None)), ("prefix", text())])),
                        ("lifecycle", map(lifecycle)),
                        ("tags", map(text())),
                    ],
                    &["arn", "id"],
                ),
            ),
            (
                "iam.policy",
                schema(
                    [("name", text()), ("description", text()), ("grants", grants()), ("statements", map(statement))],
                    &["arn"],
                ),
            ),
            (
                "iam.role",
                schema(
                    [
                        ("name", text()),
                        ("trust!", one_or_many(principal())),
                        ("policies", policies()),
                        ("grants", grants()),
                    ],
                    &["arn", "id"],
                ),
            ),
            ("iam.user", schema([("name", text()), ("policies", policies()), ("grants", grants())], &["arn"])),
            ("iam.instance_profile", schema([("name", text()), ("role", reference(&["iam.role"], None))], &["arn"])),
            (
                "iam.access_key",
                schema(
                    [
                        ("user!", reference(&["iam.user"], None)),
                        ("rotate", text()),
                        ("env_file", object([("path!", text()), ("set", map(text()))])),
                    ],
                    &["id", "secret"],
                ),
            ),
            (
                "dynamodb.table",
                schema(
                    [
                        ("name", text()),
                        ("hash_key", anything()),
                        ("range_key", anything()),
                        ("billing_mode", text()),
                        ("replicas", list(text())),
                    ],
                    &["arn"],
                ),
            ),
            ("sns.topic", schema([("subscriptions", list(anything()))], &["arn"])),
            ("sqs.queue", schema([("retention", whole(60.0))], &["arn"])),
            (
                "lambda.function",
                schema(
                    [
                        ("source", text()),
                        ("handler", text()),
                        ("runtime", text()),
                        ("architectures", list(text())),
                        ("timeout", whole(1.0)),
                        ("log_retention", whole(1.0)),
                        ("dead_letter", reference(&["sqs.queue"], None)),
                        ("grants", grants()),
                        ("env", map(text())),
                    ],
                    &["arn"],
                ),
            ),
            (
                "events.rule",
                schema(
                    [("description", text()), ("targets", list(reference(&[], None))), ("pattern", anything())],
                    &["arn"],
                ),
            ),
        ]
        .into(),
    )
}

pub(super) fn file(name: &str, text: &str) -> Arc<SourceFile> {
    Arc::new(SourceFile { name: name.into(), text: text.into() })
}

pub(super) fn lines(diagnostics: &Diagnostics) -> String {
    diagnostics.0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// What loading a stack without further settings says.
pub(super) fn said(text: &str) -> String {
    let text = format!("stack.name = \"x\"\n{text}");
    lines(&load(&[file("stack.toml", &text)], &types(), &NoModules).1)
}

/// A stack that is right.
pub(super) fn loaded(text: &str) -> Stack {
    let (stack, diagnostics) = load(&[file("stack.toml", text)], &types(), &NoModules);
    assert_eq!(lines(&diagnostics), "");
    stack.unwrap()
}

#[test]
fn the_seeds_stacks_load() {
    let pulse = loaded(include_str!("../testdata/pulse-retrodiction.toml"));
    assert_eq!(pulse.blocks.len(), 5);
    assert_eq!(pulse.variables.len(), 7);
    assert_eq!(pulse.outputs.len(), 8);
    let logs = loaded(include_str!("../testdata/training-logs.toml"));
    assert_eq!(logs.environments.keys().collect::<Vec<_>>(), ["dev", "staging"]);
    let addresses: Vec<String> = logs.blocks.keys().map(Address::to_string).collect();
    assert_eq!(
        addresses,
        ["s3.bucket.logs", "s3.bucket.access_logs", "iam.policy.upload", "iam.user.app", "iam.access_key.app"]
    );
    let events = loaded(include_str!("../testdata/eventpulse.toml"));
    assert_eq!(events.backend.unwrap().kind, "s3");
    assert!(events.environments["prod"].confirm);
    assert!(events.blocks[&Address::root("dynamodb.table", "music")].reserved.protect.is_some());
}

#[test]
fn bare_addresses_become_expressions_with_their_places_and_literals_stay() {
    let stack = loaded(
        "[stack]\nname = \"x\"\n[iam.role.a]\ntrust = [\"ec2.amazonaws.com\", \"iam.user.b\"]\npolicies = [\"arn:aws:iam::aws:policy/X\"]\n[iam.user.b]\n",
    );
    let block = &stack.blocks[&Address::root("iam.role", "a")];
    let mut texts = Vec::new();
    block.texts(&mut |path, template| {
        if template.text() != path.head().unwrap() {
            texts.push(format!("{path}: {}", template.text()));
        }
    });
    assert_eq!(
        texts,
        ["trust[0]: ec2.amazonaws.com", "trust[1]: ${iam.user.b}", "policies[0]: arn:aws:iam::aws:policy/X"]
    );
    let NodeKind::List(trust) = &block.body["trust"].node.kind else { panic!() };
    let NodeKind::Text(template) = &trust[1].kind else { panic!() };
    let span = template.references()[0].span.clone().unwrap();
    assert_eq!(&span.file.text[span.start..span.end], "iam.user.b");
}

#[test]
fn several_files_make_one_stack() {
    let files = [
        file("stack.toml", "[stack]\nname = \"x\"\n[var]\na = 1\n[s3.bucket.one]\n"),
        file(
            "more.stack.toml",
            "[var]\nb = \"${var.a}\"\n[s3.bucket.two]\nname = \"${s3.bucket.one.name}-2\"\n[output]\nx = 1\n",
        ),
    ];
    let (stack, diagnostics) = load(&files, &types(), &NoModules);
    assert_eq!(lines(&diagnostics), "");
    let stack = stack.unwrap();
    assert_eq!(stack.variables.len(), 2);
    assert_eq!(stack.blocks.len(), 2);
}

#[test]
fn places_of_properties_are_found() {
    let text = "[stack]\nname = \"x\"\n[s3.bucket.a]\nversioning = true\n[s3.bucket.a.lifecycle.x]\ntransitions = [{ days = 1, storage_class = \"GLACIER\" }]\n";
    let stack = loaded(text);
    let block = &stack.blocks[&Address::root("s3.bucket", "a")];
    let place = |span: crate::diagnostic::Span| span.file.text[span.start..span.end].to_owned();
    let days = Path::of("lifecycle").key("x").key("transitions").index(0).key("days");
    assert_eq!(place(locate(block, &days)), "1");
    assert_eq!(place(locate_key(block, &days)), "days");
    assert_eq!(place(locate(block, &Path::of("versioning"))), "true");
    assert_eq!(place(locate(block, &Path::of("lifecycle").key("x"))), "[s3.bucket.a.lifecycle.x]");
    assert_eq!(place(locate(block, &Path::of("lifecycle").key("x").key("prefix"))), "[s3.bucket.a.lifecycle.x]");
    assert_eq!(place(locate(block, &Path::of("name"))), "[s3.bucket.a]");
}
