//! Lookups and remotes: what is asked for, what is known before and after it was answered, and what is said of wrong ones.

use std::collections::BTreeMap;

use insta::assert_snapshot;
use s3stack_engine::address::Address;
use s3stack_engine::diagnostic::Diagnostics;
use s3stack_engine::fault::{Fault, FaultKind};
use s3stack_engine::graph::{Graph, Looked, Query, build, queries};
use s3stack_engine::state::State;
use s3stack_engine::value::{Map, Value};

use super::testing::{json, with};

fn state() -> State {
    State::new("l".into(), "t".into(), "default".into())
}

fn graph(text: &str, found: &BTreeMap<Address, Looked>) -> (Graph, Diagnostics) {
    with(text, &[("m/module.toml", MODULE)], &state(), found, build)
}

/// What is asked, one round.
fn asked(text: &str, found: &BTreeMap<Address, Looked>) -> Vec<Query> {
    with(text, &[("m/module.toml", MODULE)], &state(), found, |inputs| (queries(inputs), Diagnostics::default())).0
}

fn lines(queries: &[Query]) -> Vec<String> {
    queries
        .iter()
        .map(|one| format!("{} {} {} {:?} {:?}", one.address, one.account, one.region, one.by, one.properties))
        .collect()
}

fn said(text: &str, found: &BTreeMap<Address, Looked>) -> String {
    graph(text, found).1.0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn found(address: &str, id: &str, managed: &[(&str, Value)], attributes: &[(&str, &str)]) -> (Address, Looked) {
    let looked = Looked::Found {
        physical_id: id.into(),
        managed: managed.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect(),
        attributes: attributes.iter().map(|(key, value)| ((*key).to_owned(), Value::from(*value))).collect::<Map>(),
    };
    (address.parse().unwrap(), looked)
}

const MODULE: &str = "[var.of]\ntype = 'ref(s3.bucket)'\n[lookup.logs.group.l]\nname = '/x/${var.of.name}'\n[output]\narn = '${lookup.logs.group.l.arn}'\n";

#[test]
fn what_is_looked_for_is_known_from_names_ids_and_tags() {
    let text = r#"
[account.other]
profile = "x"
[lookup.s3.bucket.byname]
name = "acme-${stack.name}"
[lookup.s3.bucket.bytags]
tags = { team = "ops" }
region = "us-east-1"
[lookup.iam.policy.p]
name = "p"
path = "/x/"
account = "other"
[lookup.iam.user.u]
for_each = ["a", "b"]
when = '${each.key != "a"}'
id = "${each.key}"
[lookup.s3.object.o]
bucket = "lookup.s3.bucket.byname"
key = "k"
[module.m]
source = "m"
var.of = "s3.bucket.own"
[s3.bucket.own]
[output]
v = "${lookup.s3.bucket.byname.versioning}"
"#;
    assert_snapshot!(lines(&asked(text, &BTreeMap::new())).join("\n"), @r#"
    lookup.iam.policy.p 210987654321  Id("arn:aws:iam::210987654321:policy/x/p") []
    lookup.iam.user.u["b"] 123456789012  Id("b") []
    lookup.s3.bucket.byname 123456789012 eu-west-1 Id("acme-t") ["versioning"]
    lookup.s3.bucket.bytags 123456789012 us-east-1 Tags({"team": "ops"}) []
    lookup.s3.object.o 123456789012 eu-west-1 Id("acme-t/k") []
    module.m.lookup.logs.group.l 123456789012 eu-west-1 Id("/x/t-own-123456789012") []
    "#);
    // Before anybody looked, what is made of names is known, and nothing is said of the rest.
    let (graph, told) = graph(text, &BTreeMap::new());
    assert!(!told.has_errors(), "{told:#?}");
    assert!(graph.nodes.len() == 1);
}

#[test]
fn what_was_found_is_used_and_nothing_waits_for_it() {
    let text = r#"
[lookup.s3.bucket.b]
tags = { team = "ops" }
[iam.role.r]
trust = ["lambda.amazonaws.com"]
grants = [{ to = "lookup.s3.bucket.b", access = "read" }]
policies = ["lookup.iam.policy.p"]
[lookup.iam.policy.p]
name = "p"
[iam.group.g]
for_each = "${keys(lookup.s3.bucket.b.tags)}"
[output]
arn = "${lookup.s3.bucket.b.arn}"
versioning = "${lookup.s3.bucket.b.versioning}"
"#;
    let tags = Value::Map(Map::from([("team".to_owned(), "ops".into()), ("a".to_owned(), "b".into())]));
    let all = [
        found(
            "lookup.s3.bucket.b",
            "acme-data",
            &[("versioning", true.into()), ("tags", tags)],
            &[("arn", "arn:aws:s3:::acme-data")],
        ),
        found("lookup.iam.policy.p", "arn:aws:iam::123456789012:policy/p", &[], &[]),
    ];
    let (graph, told) = graph(text, &all.into_iter().collect());
    assert!(!told.has_errors(), "{told:#?}");
    let role = &graph.nodes[&Address::root("iam.role", "r")];
    assert!(json(&role.managed["inline_policies"]).contains("arn:aws:s3:::acme-data/*"));
    assert_eq!(role.managed["policies"], Value::strings(["arn:aws:iam::123456789012:policy/p"]));
    assert!(role.waits_for.is_empty());
    assert_eq!(graph.outputs["arn"], Value::from("arn:aws:s3:::acme-data"));
    assert_eq!(graph.outputs["versioning"], Value::from(true));
    assert_eq!(graph.nodes.len(), 3, "one group for each tag");
}

#[test]
fn one_lookup_may_name_another() {
    let text = "[lookup.s3.bucket.b]\ntags = { team = 'ops' }\n[lookup.logs.group.g]\nname = '/x/${lookup.s3.bucket.b.name}'\n[lookup.iam.user.u]\nfor_each = '${keys(lookup.s3.bucket.b.tags)}'\nname = '${each.key}'\n";
    let first = asked(text, &BTreeMap::new());
    assert_eq!(first.len(), 1, "{first:#?}");
    let tags = Value::Map(Map::from([("team".to_owned(), "ops".into())]));
    let found = [found("lookup.s3.bucket.b", "acme-data", &[("tags", tags), ("name", "acme-data".into())], &[])]
        .into_iter()
        .collect();
    assert_snapshot!(lines(&asked(text, &found)).join("\n"), @r#"lookup.logs.group.g 123456789012 eu-west-1 Id("/x/acme-data") []"#);
}

#[test]
fn wrong_lookups_are_told() {
    let none = BTreeMap::new();
    assert_snapshot!(said("[lookup.s3.bucket.a]\n[lookup.s3.bucket.b]\nname = 'x-y'\nid = 'x-y'\n[lookup.s3.bukcet.c]\n[lookup.iam.group.d]\ntags = { a = 'b' }\n[lookup.iam.access_key.e]\nname = 'x'\n[lookup.s3.bucket.F]\nname = 'x'\n[lookup.s3.bucket.g]\nname = 'x-y'\nprotect = true\n", &none), @"
    error[S3S-P8]: lookup.s3.bucket.a does not say what is looked for at stack.toml:4:1 in lookup.s3.bucket.a; write one of id, tags, name
    error[S3S-P8]: lookup.s3.bucket.b says in several ways what is looked for at stack.toml:5:1 in lookup.s3.bucket.b; write one of id, tags, name
    error[S3S-P6]: there is no resource type s3.bukcet at stack.toml:8:12; did you mean [lookup.s3.bucket.…]?
    error[S3S-W1]: iam.group carries no tags at stack.toml:10:1 in lookup.iam.group.d; look for it by its name or id
    error[S3S-P8]: lookup.iam.access_key.e does not say what is looked for at stack.toml:11:1 in lookup.iam.access_key.e; write `id`
    error[S3S-W1]: there is no property `name` here at stack.toml:12:1 in lookup.iam.access_key.e name; it takes id, for_each, when, account, region
    error[S3S-P12]: `F` cannot be the name of a lookup: it must be lower-case letters, digits and `_`, a letter first at stack.toml:13:19; write `f`
    error[S3S-W1]: there is no property `protect` here at stack.toml:17:1 in lookup.s3.bucket.g protect; it takes name, id, tags, for_each, when, account, region
    ");
    assert_snapshot!(said("[lookup.s3.bucket.a]\nname = 'x-y'\n[s3.bucket.c]\n[output]\na = '${lookup.s3.bucket.b.arn}'\nb = '${lookup.s3.bucket.a.nam}'\nc = '${lookup.s3.bucket.c.arn}'\nd = '${lookup.s3}'\n", &none), @"
    error[S3S-R3]: there is no lookup.s3.bucket.b in this stack at stack.toml:8:8; add [lookup.s3.bucket.b] with what it is found by
    error[S3S-R4]: lookup.s3.bucket.a has no property or attribute `nam` at stack.toml:9:8; did you mean `name`?
    error[S3S-R3]: there is no lookup.s3.bucket.c in this stack at stack.toml:10:8; it is a block of this stack: write `s3.bucket.c`
    error[S3S-R1]: `lookup` needs the type and the name of a lookup at stack.toml:11:8; write `lookup.SERVICE.TYPE.NAME`, such as `lookup.s3.bucket.logs`
    ");
    assert_snapshot!(said("[iam.access_key.k]\nuser = 'iam.user.u'\nenv_file = { path = 'x.env', set = { A = '${self.id}' } }\n[iam.user.u]\n[lookup.iam.access_key.k]\nid = '${iam.access_key.k.id}'\n", &none), @r#"
    error[S3S-X3]: what `id` is depends on what AWS makes, and lookups come before at stack.toml:9:6 in lookup.iam.access_key.k id; name the resource itself, or look for what the stack can say
    error[S3S-U2]: no line holds the secret as it is, which AWS tells only once: it would be lost at stack.toml:6:36 in iam.access_key.k env_file.set; add one like `set.AWS_SECRET_ACCESS_KEY = "${self.secret}"`
    "#);
    let text = "[lookup.s3.bucket.a]\nname = 'x-y'\n[lookup.s3.bucket.b]\ntags = { team = 'ops' }\n[lookup.s3.bucket.c]\nname = 'z-z'\n[lookup.iam.role.d]\nname = 'd'\n[output]\na = '${lookup.s3.bucket.a.arn}${lookup.iam.role.d.arn}'\n";
    let fault = Fault {
        request_id: Some("R1".into()),
        ..Fault::local(FaultKind::Denied, "GetRole", "AccessDenied: not allowed")
    };
    let of = |address: &str, looked: Looked| (address.parse::<Address>().unwrap(), looked);
    let answers = BTreeMap::from([
        of("lookup.s3.bucket.a", Looked::Missing),
        of("lookup.s3.bucket.b", Looked::Several(vec!["one".into(), "two".into()])),
        of("lookup.s3.bucket.c", Looked::Elsewhere("it is in us-east-1".into())),
        of("lookup.iam.role.d", Looked::Unreadable(fault)),
    ]);
    assert_snapshot!(said(text, &answers), @"
    error[S3S-X3]: iam.role d could not be looked up: s3stack:GetRole was refused: AccessDenied: not allowed (request R1) at stack.toml:10:1 in lookup.iam.role.d; let the caller read it, or write what is needed of it as a variable
    error[S3S-X3]: there is no s3.bucket x-y in account 123456789012, eu-west-1 at stack.toml:4:1 in lookup.s3.bucket.a; see that it is there, and that `account` and `region` of the lookup are its own
    error[S3S-X3]: there are 2 s3.bucket with team = ops in account 123456789012, eu-west-1: one, two at stack.toml:6:1 in lookup.s3.bucket.b; name more tags, or its `id`
    error[S3S-X3]: s3.bucket z-z cannot be looked up in account 123456789012, eu-west-1: it is in us-east-1 at stack.toml:8:1 in lookup.s3.bucket.c; say where it is: `region = …`, or `account = …` with an [account] that leads there
    ");
}

#[test]
fn outputs_of_other_stacks_are_values_and_missing_ones_are_told() {
    let none = BTreeMap::new();
    let text = "[remote.core]\npath = '../core'\n[iam.group.g]\nfor_each = '${remote.core.zones}'\n[output]\narn = '${remote.core.arn}'\nzone = '${remote.core.zones[1]}'\n";
    let (graph, told) = graph(text, &none);
    assert!(!told.has_errors(), "{told:#?}");
    assert_eq!((graph.nodes.len(), &graph.outputs["arn"], &graph.outputs["zone"]), (2, &"arn:x".into(), &"b".into()));
    assert_snapshot!(said("[remote.core]\npath = '../core'\n[output]\na = '${remote.core.arm}'\nb = '${remote.core.secret}'\n", &none), @"
    error[S3S-R14]: [remote.core] has no output `arm` at stack.toml:7:8; did you mean `remote.core.arn`?
    error[S3S-R14]: [remote.core] has no output `secret` at stack.toml:8:8; it stored arn, zones; sensitive outputs are not stored
    ");
    assert_snapshot!(said("[remote.a]\n[remote.b]\npath = '../b'\nkey = 'b'\n[remote.c]\nbucket = 'some-bucket'\n[remote.d]\npaht = 'x'\n[output]\na = '${remote.cor.arn}'\nb = '${remote}'\n", &none), @r#"
    error[S3S-P8]: [remote.a] does not say which stack it is at stack.toml:4:1; write `path = "../core"`, the folder of the stack, or `key = "core"`, where its state is
    error[S3S-P8]: [remote.b] says in two ways which stack it is at stack.toml:5:1; write `path = "../core"`, the folder of the stack, or `key = "core"`, where its state is
    error[S3S-P8]: [remote.c] does not say where in the bucket the state is at stack.toml:8:1; write `path = "../core"`, the folder of the stack, or `key = "core"`, where its state is
    error[S3S-W1]: there is no property `paht` here at stack.toml:11:1 paht; did you mean `path`?
    error[S3S-R14]: there is no remote `cor` at stack.toml:13:8; add [remote.cor] with the `path` of the other stack
    error[S3S-R14]: `remote` needs the name of a remote at stack.toml:14:8; write `remote.NAME.OUTPUT`
    "#);
}
