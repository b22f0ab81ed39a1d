//! Modules: what names mean in them and around them, how their resources are called and where they were before, and
//! what is said of those that cannot be.

use insta::assert_snapshot;
use s3stack_engine::address::Address;
use s3stack_engine::graph::{Graph, Node};
use s3stack_engine::state::{Instance, State};
use s3stack_engine::value::Value;

use super::testing::{graph_of, json};

/// A bucket and a role that may be read by whoever is named.
const STORE: &str = r#"
[var.suffix]
type = "string"

[var.reader]
type = "ref(iam.role)"

[s3.bucket.data]
name = "data-${var.suffix}"

[iam.role.own]
trust  = ["lambda.amazonaws.com", "var.reader"]
grants = [{ to = "s3.bucket.data", access = "read" }]

[output]
data = "${s3.bucket.data}"
role = "${iam.role.own}"
arns = { value = { bucket = "${s3.bucket.data.arn}", role = "${iam.role.own.arn}" } }
"#;

fn empty() -> State {
    State::new("l".into(), "t".into(), "default".into())
}

#[track_caller]
fn made(text: &str, modules: &[(&str, &str)]) -> Graph {
    let (graph, found) = graph_of(text, modules, &empty());
    assert!(!found.has_errors(), "{found:#?}");
    graph
}

#[track_caller]
fn addresses(text: &str, modules: &[(&str, &str)]) -> Vec<String> {
    made(text, modules).nodes.keys().map(ToString::to_string).collect()
}

fn said(text: &str, modules: &[(&str, &str)]) -> String {
    let (_, found) = graph_of(text, modules, &empty());
    found.0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn node<'g>(graph: &'g Graph, address: &str) -> &'g Node {
    &graph.nodes[&address.parse::<Address>().unwrap()]
}

fn waits_for(graph: &Graph, address: &str) -> Vec<String> {
    node(graph, address).waits_for.keys().map(ToString::to_string).collect()
}

#[test]
fn a_module_used_twice_makes_its_blocks_twice_with_what_it_is_given() {
    let text = r#"
[module.one]
source     = "./store"
var.suffix = "one"
var.reader = "iam.role.app"

[module.two]
source     = "store/"
var.suffix = "${module.one.data.name}-two"
var.reader = "module.one.role"

[iam.role.app]
trust  = ["lambda.amazonaws.com"]
grants = [{ to = "module.two.data", access = "read" }]

[output]
bucket = "${module.two.data.arn}"
role   = "${module.two.arns.role}"
all    = "${module.one}"
"#;
    let graph = made(text, &[("store/module.toml", STORE)]);
    let names: Vec<_> =
        graph.nodes.iter().map(|(address, node)| (address.to_string(), node.physical_id.as_str().unwrap())).collect();
    assert_eq!(
        names,
        [
            ("iam.role.app".to_owned(), "t-app"),
            ("module.one.iam.role.own".to_owned(), "t-one-own"),
            ("module.one.s3.bucket.data".to_owned(), "data-one"),
            ("module.two.iam.role.own".to_owned(), "t-two-own"),
            ("module.two.s3.bucket.data".to_owned(), "data-data-one-two"),
        ]
    );
    assert_eq!(graph.outputs["bucket"], Value::from("arn:aws:s3:::data-data-one-two"));
    assert_eq!(graph.outputs["role"], Value::from("arn:aws:iam::123456789012:role/t-two-own"));
    assert_eq!(graph.outputs["all"].get("arns").get("bucket"), &Value::from("arn:aws:s3:::data-one"));
    // A grant across modules, and a trust: the one is known before, the other must be there.
    assert!(json(&node(&graph, "iam.role.app").managed["inline_policies"]).contains("data-data-one-two/*"));
    assert_eq!(waits_for(&graph, "iam.role.app"), [""; 0]);
    assert_eq!(waits_for(&graph, "module.two.iam.role.own"), ["module.one.iam.role.own"]);
    assert_eq!(waits_for(&graph, "module.one.iam.role.own"), ["iam.role.app"]);
}

#[test]
fn two_modules_may_use_each_other() {
    let side = r#"
[var.other]
type = "ref(s3.bucket)"
[s3.bucket.own]
logging = { bucket = "var.other" }
[s3.bucket.logs]
[output]
logs = "${s3.bucket.logs}"
"#;
    let text = "[module.a]\nsource = 'side'\nvar.other = 'module.b.logs'\n[module.b]\nsource = 'side'\nvar.other = 'module.a.logs'\n";
    let graph = made(text, &[("side/module.toml", side)]);
    assert_eq!(waits_for(&graph, "module.a.s3.bucket.own"), ["module.b.s3.bucket.logs"]);
    assert_eq!(waits_for(&graph, "module.b.s3.bucket.own"), ["module.a.s3.bucket.logs"]);
}

#[test]
fn for_each_and_when_make_modules_and_each_of_their_instances_is_named() {
    let team = "[var.days]\ntype = 'number'\n[iam.group.team]\n[logs.group.of]\nfor_each = ['x', 'y']\nretention = '${var.days}'\n[output]\nteam = '${iam.group.team}'\nname = '${iam.group.team.name}'\n";
    let text = r#"
[module.team]
source   = "team"
for_each = { red = 7, "b.l\"ue" = 14, off = 1 }
when     = "${each.key != \"off\"}"
var.days = "${each.value}"

[output]
one  = "${module.team[\"red\"].name}"
all  = "${module.team[*].name}"
some = "${[for key, team in module.team : team.team.arn if key == \"red\"]}"
"#;
    let graph = made(text, &[("team/module.toml", team)]);
    let names: Vec<String> = graph.nodes.keys().map(ToString::to_string).collect();
    assert_eq!(
        names,
        [
            r#"module.team["b.l\"ue"].iam.group.team"#,
            r#"module.team["b.l\"ue"].logs.group.of["x"]"#,
            r#"module.team["b.l\"ue"].logs.group.of["y"]"#,
            r#"module.team["red"].iam.group.team"#,
            r#"module.team["red"].logs.group.of["x"]"#,
            r#"module.team["red"].logs.group.of["y"]"#,
        ]
    );
    assert_eq!(node(&graph, r#"module.team["red"].logs.group.of["x"]"#).managed["retention"], Value::Integer(7));
    assert_eq!(graph.outputs["one"], Value::from("t-team-red-team"));
    let Value::List(all) = &graph.outputs["all"] else { panic!("{:?}", graph.outputs) };
    assert_eq!((all.len(), &all[1]), (2, &"t-team-red-team".into()));
    assert_eq!(graph.outputs["some"], Value::strings(["arn:aws:iam::123456789012:group/t-team-red-team"]));
}

#[test]
fn modules_stand_in_modules_and_nothing_leaks_in_or_out() {
    let outer = "[var.name]\ntype = 'string'\n[module.inner]\nsource = '../inner'\nvar.names = ['${var.name}-1', '${var.name}-2']\n[output]\nfirst = '${module.inner.groups[0]}'\n";
    let inner = "[var.names]\ntype = 'list(string)'\n[iam.group.team]\nfor_each = '${var.names}'\nname = '${env}-${stack.name}-${each.value}'\n[output]\ngroups = '${iam.group.team[*].name}'\n";
    let modules = [("modules/outer/module.toml", outer), ("modules/inner/module.toml", inner)];
    let text = "[var]\nsecret = 'x'\n[module.outer]\nsource = './modules/outer'\nvar.name = 'n'\n[iam.group.team]\n[output]\nfirst = '${module.outer.first}'\n";
    assert_eq!(
        addresses(text, &modules),
        [
            "iam.group.team",
            r#"module.outer.module.inner.iam.group.team["n-1"]"#,
            r#"module.outer.module.inner.iam.group.team["n-2"]"#
        ]
    );
    assert_eq!(made(text, &modules).outputs["first"], Value::from("default-t-n-1"));
    let leaking =
        [("m/module.toml", "[iam.group.g]\nname = '${var.secret}-${iam.group.team.name}-${module.outer.first}'\n")];
    assert_snapshot!(said("[var]\nsecret = 'x'\n[iam.group.team]\n[module.m]\nsource = 'm'\n[output]\nx = '${module.m.iam.group.g.name}'\n", &leaking), @"
    error[S3S-R12]: module.m has no output `iam` at stack.toml:10:8; what is in a module is named by its outputs: write one under [output] in m
    error[S3S-R2]: there is no variable `secret` at m/module.toml:2:11 in module.m.iam.group.g name; declare it: secret = … under [var]
    error[S3S-R3]: there is no iam.group.team in this stack at m/module.toml:2:25 in module.m.iam.group.g name; add [iam.group.team], or name another
    error[S3S-R12]: there is no module `outer` at m/module.toml:2:48 in module.m.iam.group.g name; add [module.outer] with the folder of the module as its `source`
    ");
}

#[test]
fn a_resource_waits_for_what_its_input_names_and_for_no_more() {
    let user =
        "[var.of]\ntype = 'any'\n[logs.group.a]\nname = '/${var.of.a}'\n[logs.group.b]\nname = '/${var.of.list[1]}'\n";
    let text = "[iam.user.a]\n[iam.user.b]\n[iam.user.c]\n[module.m]\nsource = 'm'\nvar.of = { a = '${iam.user.a.name}', list = ['${iam.user.b.name}', '${iam.user.c.name}'] }\n";
    let graph = made(text, &[("m/module.toml", user)]);
    // A name does not delay.
    assert_eq!(node(&graph, "module.m.logs.group.a").physical_id, Value::from("/t-a"));
    assert_eq!(waits_for(&graph, "module.m.logs.group.a"), [""; 0]);
    let waits =
        "[var.of]\ntype = 'any'\n[iam.role.a]\ntrust = ['${var.of.a}']\n[iam.role.c]\ntrust = ['${var.of.list[1]}']\n";
    let text = text.replace("name}", "arn}");
    let graph = made(&text, &[("m/module.toml", waits)]);
    assert_eq!(waits_for(&graph, "module.m.iam.role.a"), ["iam.user.a"]);
    assert_eq!(waits_for(&graph, "module.m.iam.role.c"), ["iam.user.c"]);
}

#[test]
fn depends_on_reaches_over_modules() {
    let team = "[iam.group.a]\n[iam.group.b]\ndepends_on = 'iam.group.a'\n";
    let text = "[iam.user.before]\n[module.m]\nsource = 'm'\ndepends_on = 'iam.user.before'\n[iam.user.after]\ndepends_on = ['module.m', 'module.n[\"x\"]']\n[module.n]\nfor_each = ['x', 'y']\nsource = 'm'\n";
    let graph = made(text, &[("m/module.toml", team)]);
    assert_eq!(waits_for(&graph, "module.m.iam.group.a"), ["iam.user.before"]);
    assert_eq!(waits_for(&graph, "module.m.iam.group.b"), ["iam.user.before", "module.m.iam.group.a"]);
    assert_eq!(
        waits_for(&graph, "iam.user.after"),
        [
            "module.m.iam.group.a",
            "module.m.iam.group.b",
            r#"module.n["x"].iam.group.a"#,
            r#"module.n["x"].iam.group.b"#
        ]
    );
}

#[test]
fn values_of_for_each_may_name_resources_and_keys_may_not() {
    let text = r#"
[s3.bucket.raw]
[s3.bucket.done]
[iam.role.reader]
for_each = { raw = "${s3.bucket.raw}", done = "${s3.bucket.done}" }
trust    = ["lambda.amazonaws.com"]
grants   = [{ to = "each.value", access = "read" }]
"#;
    let graph = made(text, &[]);
    let policies = |key: &str| json(&node(&graph, &format!("iam.role.reader[\"{key}\"]")).managed["inline_policies"]);
    assert!(policies("raw").contains("t-raw-123456789012") && !policies("raw").contains("t-done"));
    // One may go over the other.
    let text = "[iam.group.g]\nfor_each = ['a', 'b']\n[iam.user.u]\nfor_each = '${iam.group.g}'\ngroups = ['each.value']\n[iam.policy.p]\nfor_each = '${module.m}'\nstatements.A = { actions = ['s3:GetObject'], resources = ['${each.value.arn}/*'] }\n[module.m]\nfor_each = ['x']\nsource = 'm'\n";
    let module = [("m/module.toml", "[s3.bucket.b]\n[output]\narn = '${s3.bucket.b.arn}'\n")];
    let graph = made(text, &module);
    assert_eq!(waits_for(&graph, "iam.user.u[\"b\"]"), ["iam.group.g[\"b\"]"]);
    assert!(json(&node(&graph, "iam.policy.p[\"x\"]").managed["document"]).contains("t-m-x-b-123456789012/*"));
    assert_snapshot!(said("[s3.bucket.raw]\n[iam.group.g]\nfor_each = ['${s3.bucket.raw.name}']\n[iam.user.u]\nfor_each = '${s3.bucket.raw}'\n", &[]), @"
    error[S3S-R10]: the keys of `for_each` must be known, and no secret at stack.toml:6:12 in iam.group.g for_each; make the keys from variables and texts that the stack says: `{ key = s3.bucket.data.arn }` is a map with a known key
    error[S3S-R10]: which keys `for_each` has must be known before anything is planned at stack.toml:8:12 in iam.user.u for_each; make the keys from variables and texts that the stack says: `{ key = s3.bucket.data.arn }` is a map with a known key
    ");
}

#[test]
fn files_are_those_of_the_module() {
    let module = "[iam.policy.p]\nstatements.file = 'p.json'\n[s3.object.o]\nbucket = 's3.bucket.b'\nkey = 'k'\nsource = 'x.txt'\n[s3.bucket.b]\ntags = { T = '${file(\"x.txt\")}', G = '${join(\",\", glob(\"*.txt\"))}' }\n";
    let files = [
        ("m/module.toml", module),
        ("m/x.txt", "inside"),
        (
            "m/p.json",
            r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}}"#,
        ),
        ("x.txt", "outside"),
    ];
    let graph = made("[module.m]\nsource = 'm'\n", &files);
    let tags = &node(&graph, "module.m.s3.bucket.b").managed["tags"];
    assert_eq!((tags.get("T"), tags.get("G")), (&"inside".into(), &"x.txt".into()));
    assert_eq!(node(&graph, "module.m.s3.object.o").memory["source"], Value::from("m/x.txt"));
    assert!(json(&node(&graph, "module.m.iam.policy.p").managed["document"]).contains("s3:GetObject"));
}

/// The earlier addresses that the graph knows of each resource.
#[track_caller]
fn earlier(text: &str, modules: &[(&str, &str)]) -> Vec<String> {
    let graph = made(text, modules);
    let line = |(address, node): (&Address, &Node)| {
        let from: Vec<String> = node.moved_from.iter().map(ToString::to_string).collect();
        format!("{address} ← {}", from.join(" | "))
    };
    graph.nodes.iter().map(line).collect()
}

#[test]
fn moves_go_into_out_of_and_between_modules() {
    let team = "[iam.group.team]\nmoved_from = 'iam.group.people'\n[iam.user.u]\nfor_each = ['a']\n";
    let outer = "[module.team]\nsource = '../team'\nmoved_from = 'module.people'\n";
    let modules = [("team/module.toml", team), ("outer/module.toml", outer)];
    // Renamed, and into a module.
    assert_eq!(
        earlier(
            "[module.t]\nsource = 'team'\nmoved_from = { 'iam.group.team' = 'iam.group.all', 'iam.user.u' = 'iam.user.v' }\n",
            &modules
        ),
        [
            "module.t.iam.group.team ← iam.group.all | module.t.iam.group.people",
            r#"module.t.iam.user.u["a"] ← iam.user.v["a"]"#
        ]
    );
    // A module that became a part of another.
    assert_eq!(
        earlier("[module.o]\nsource = 'outer'\nmoved_from = { 'module.team' = 'module.old' }\n", &modules),
        [
            "module.o.module.team.iam.group.team ← module.old.iam.group.team | module.o.module.people.iam.group.team | \
             module.o.module.team.iam.group.people | module.old.iam.group.people | module.o.module.people.iam.group.people",
            r#"module.o.module.team.iam.user.u["a"] ← module.old.iam.user.u["a"] | module.o.module.people.iam.user.u["a"]"#
        ]
    );
    // Instances, by key.
    let team = [("team/module.toml", "[iam.group.team]\n")];
    let text = "[module.t]\nsource = 'team'\nfor_each = ['a', 'b', 'c']\nmoved_from = { a = 'module.first', '[\"b\"].iam.group.team' = 'iam.group.b' }\n";
    assert_eq!(
        earlier(text, &team),
        [
            r#"module.t["a"].iam.group.team ← module.first.iam.group.team"#,
            r#"module.t["b"].iam.group.team ← iam.group.b"#,
            r#"module.t["c"].iam.group.team ← "#,
        ]
    );
    let text = "[module.t]\nsource = 'team'\nfor_each = ['a']\nmoved_from = 'module.old'\n";
    assert_eq!(earlier(text, &team), [r#"module.t["a"].iam.group.team ← module.old["a"].iam.group.team"#]);
    // Out of a module.
    assert_eq!(
        earlier("[iam.group.team]\nmoved_from = 'module.t.iam.group.team'\n", &[]),
        ["iam.group.team ← module.t.iam.group.team"]
    );
}

#[test]
fn what_moved_keeps_its_name() {
    let mut state = empty();
    let instance: Instance = serde_json::from_value(serde_json::json!({
        "type": "iam.group", "physical_id": "t-people", "account": "123456789012", "region": "", "managed": {},
        "attributes": { "name": "t-people", "arn": "arn:aws:iam::123456789012:group/t-people" },
    }))
    .unwrap();
    state.instances.insert("iam.group.people".parse().unwrap(), instance);
    let text = "[module.m]\nsource = 'm'\nmoved_from = { 'iam.group.team' = 'iam.group.people' }\n";
    let (graph, found) = graph_of(text, &[("m/module.toml", "[iam.group.team]\n")], &state);
    assert!(!found.has_errors(), "{found:#?}");
    assert_eq!(node(&graph, "module.m.iam.group.team").physical_id, Value::from("t-people"));
}

#[test]
fn wrong_moves_are_told() {
    let team = [("m/module.toml", "[iam.group.team]\n[iam.group.two]\n")];
    assert_snapshot!(said("[iam.group.g]\n[module.m]\nsource = 'm'\nmoved_from = { 'iam.group.team' = 'iam.group.g', 'iam.group.two' = 'iam.group.g' }\n", &team), @"
    error[S3S-P8]: iam.group.g cannot be where this comes from: it is still in the stack at stack.toml:7:35 in module.m.iam.group.team; rename the block, or take `moved_from` out
    error[S3S-P8]: iam.group.g cannot be where this comes from: it is still in the stack at stack.toml:7:68 in module.m.iam.group.two; rename the block, or take `moved_from` out
    ");
    assert_snapshot!(said("[module.m]\nsource = 'm'\nmoved_from = { x = 'module.y', 'iam.group.team' = 'iam.user.u', 'iam.group.two' = '${env}' }\n", &team), @r#"
    error[S3S-P8]: `x` is no block or module inside module.m at stack.toml:6:16; write `moved_from = { "s3.bucket.data" = "OLD ADDRESS" }`, or the module's old name alone
    error[S3S-P8]: iam.group.team cannot come from iam.user.u, which is of another type at stack.toml:6:51; write the address that it had before, or take it out
    error[S3S-P8]: `${env}` must be written out, without expressions at stack.toml:6:83; write the bare name, such as "module.core"
    "#);
    assert_snapshot!(said("[module.m]\nsource = 'm'\nmoved_from = ['iam.group.g', 'x']\n", &team), @r#"
    error[S3S-P8]: iam.group.g is a resource, and cannot have become a whole module at stack.toml:6:15; for a block that moved into the module write `moved_from = { "iam.group.g" = "…" }`
    error[S3S-P8]: `x` is neither the address of a resource nor of a module at stack.toml:6:30; write the name that this module had before, such as "module.core" or "s3.bucket.data"
    "#);
    assert_snapshot!(said("[module.m]\nsource = 'm'\nmoved_from = 'module.old'\n[module.old]\nsource = 'm'\n", &team), @"
    error[S3S-P8]: module.old.iam.group.team cannot be where this comes from: it is still in the stack at stack.toml:6:14 in module.m.iam.group.team; rename the block, or take `moved_from` out
    error[S3S-P8]: module.old.iam.group.two cannot be where this comes from: it is still in the stack at stack.toml:6:14 in module.m.iam.group.two; rename the block, or take `moved_from` out
    ");
}

#[test]
fn wrong_modules_are_told() {
    let store = [("store/module.toml", STORE)];
    // Inputs that are missing, unknown, of another type, written as elsewhere.
    assert_snapshot!(said("[module.m]\nsource = './store'\nvar.sufix = 'x'\nvar.reader = 's3.bucket.b'\nsuffix = 'x'\n[s3.bucket.b]\n", &store), @"
    error[S3S-W12]: module.m has no variable `sufix` at stack.toml:6:5; did you mean `var.suffix`?
    error[S3S-W13]: `reader` of module.m does not fit: expected the address of iam.role, found s3.bucket.b at stack.toml:7:14; its type is ref(iam.role)
    error[S3S-W1]: `suffix` is no key of [module.m] at stack.toml:8:1; if it is a variable of the module write `var.suffix = …`
    ");
    assert_snapshot!(said("[var]\nreader = 'x'\n[module.m]\nsource = './store'\nvar.suffix = '${[1]}'\nvar.reader = '${var.reader}'\n", &store), @"
    error[S3S-W13]: `reader` of module.m does not fit: expected the address of iam.role, found a string at stack.toml:9:14; its type is ref(iam.role)
    error[S3S-W13]: `suffix` of module.m does not fit: expected a string, found a list at stack.toml:8:14; its type is string
    ");
    // Sources.
    assert_snapshot!(said("[module.a]\n[module.b]\nsource = '/abs'\n[module.c]\nsource = 'nope'\n[module.d]\nsource = '${env}'\n[module.e]\nsource = 3\nsorce = 'x'\n", &store), @r#"
    error[S3S-W3]: `source` is missing at stack.toml:4:1; add `source = …`: The folder with the module's `module.toml`, relative to that of this file: `"./modules/core"`
    error[S3S-P13]: `/abs` cannot be where module.b is at stack.toml:6:10; write a folder relative to this file's, such as "./modules/core"
    error[S3S-P13]: there is no folder nope at stack.toml:8:10
    error[S3S-P7]: `source` must be written out: it is read before any expression is evaluated at stack.toml:10:10; write the value itself
    error[S3S-W2]: expected a string, found a number at stack.toml:12:10 source; put quotes round it
    error[S3S-W1]: there is no property `sorce` here at stack.toml:13:1 sorce; did you mean `source`?
    "#);
    // Itself.
    let circle =
        [("a/module.toml", "[module.b]\nsource = '../b'\n"), ("b/module.toml", "[module.a]\nsource = '../a'\n")];
    assert_snapshot!(said("[module.a]\nsource = 'a'\n", &circle), @"error[S3S-P14]: the module includes itself: a → b → a at b/module.toml:2:10; take this module out of it");
    // Outputs and modules that are not there.
    let team = [("team/module.toml", "[iam.group.team]\n[output]\nteam = '${iam.group.team}'\n")];
    assert_snapshot!(said("[module.t]\nsource = 'team'\n[module.s]\nsource = 'team'\nfor_each = ['a']\n[output]\na = '${module.t.tem}'\nb = '${module.u.team}'\nc = '${module}'\nd = '${module.t.team.nam}'\ne = '${module.s.team.name}'\nf = '${module.s[\"b\"].team}'\ng = '${module.s[\"a\"].x}'\n", &team), @r#"
    error[S3S-R12]: module.t has no output `tem` at stack.toml:10:8; did you mean `module.t.team`?
    error[S3S-R12]: there is no module `u` at stack.toml:11:8; add [module.u] with the folder of the module as its `source`
    error[S3S-R12]: `module` needs the name of a module and of an output at stack.toml:12:8; write `module.NAME.OUTPUT`
    error[S3S-R12]: module.s["team"] has no output `name` at stack.toml:14:8; there is team
    error[S3S-R12]: module.s["a"] has no output `x` at stack.toml:16:8; there is team
    "#);
    assert_snapshot!(said("[module.t]\nsource = 'team'\nwhen = false\n[module.s]\nsource = 'team'\nwhen = '${module.t.team.name == \"x\"}'\n[output]\na = '${module.t.team}'\n", &team), @"error[S3S-R5]: `module` cannot be named in `when` at stack.toml:9:11; use `var`, `env`, `stack` or `aws`");
    // Sections of a stack, and a variable that nothing uses.
    let stack = [("s/module.toml", "[stack]\nname = 'x'\n[env.prod]\n[backend.file]\n[var]\na = 1\n")];
    assert_snapshot!(said("[module.s]\nsource = 's'\n", &stack), @"
    error[S3S-P6]: [stack] belongs to a stack, and this is a module at s/module.toml:1:2; write it into stack.toml; what differs by use is a variable of the module, under [var]
    error[S3S-P6]: [env] belongs to a stack, and this is a module at s/module.toml:3:2; write it into stack.toml; what differs by use is a variable of the module, under [var]
    error[S3S-P6]: [backend] belongs to a stack, and this is a module at s/module.toml:4:2; write it into stack.toml; what differs by use is a variable of the module, under [var]
    ");
    let unused = [("s/module.toml", "[var]\na = 1\nb = 2\n[iam.group.g]\nname = 'g${var.b}'\n")];
    assert_snapshot!(said("[module.s]\nsource = 's'\n", &unused), @"warning[S3S-W20]: nothing uses the variable `a` at s/module.toml:2:1; take it out, or write ${var.a} where it belongs");
    // Values that are made from themselves across modules.
    let echo = [("e/module.toml", "[var]\nx = ''\n[output]\nx = '${var.x}'\n")];
    assert_snapshot!(said("[module.a]\nsource = 'e'\nvar.x = '${module.b.x}'\n[module.b]\nsource = 'e'\nvar.x = '${module.a.x}'\n[output]\nx = '${module.a.x}'\n", &echo), @"error[S3S-R9]: this is made from itself: module.a.x → module.a.var.x → module.b.x → module.b.var.x → module.a.x at e/module.toml:4:1; write one of these values out");
    // depends_on.
    assert_snapshot!(said("[module.t]\nsource = 'team'\n[module.o]\nsource = 'team'\nwhen = false\n[iam.user.u]\ndepends_on = ['module.x', 'module.t[\"a\"]', 'module.t.iam.group.team', 'module.o']\n", &team), @r#"
    error[S3S-R12]: there is no module `x` at stack.toml:10:15 in iam.user.u depends_on; add [module.x] with the folder of the module as its `source`
    error[S3S-R5]: module.t.iam.group.team is inside of a module at stack.toml:10:44 in iam.user.u depends_on; name the whole module, such as "module.core"
    "#);
}

#[test]
fn a_mistake_in_a_module_is_told_once_however_often_it_is_used() {
    let module = [(
        "m/module.toml",
        "[var]\nx = 'a'\n[iam.group.g]\nname = '${1/0}'\n[iam.group.h]\nnam = 'x'\n[iam.group.i]\nname = '${var.x}'\n",
    )];
    let text = "[module.a]\nsource = 'm'\n[module.b]\nsource = 'm'\n[module.c]\nsource = 'm'\nfor_each = ['x', 'y']\n";
    assert_snapshot!(said(text, &module), @"error[S3S-W1]: there is no property `nam` here at m/module.toml:6:1 in module.a.iam.group.h nam; did you mean `name`?");
    let module = [("m/module.toml", "[iam.group.g]\nname = '${1/0}'\n")];
    assert_snapshot!(said(text, &module), @"error[S3S-E04]: division by zero at m/module.toml:2:11 in module.a.iam.group.g name; divide only where the divisor is not 0: `b == 0 ? 0 : a / b`");
}

#[test]
fn modules_that_double_at_every_level_are_refused_in_time() {
    let files: Vec<(String, String)> = (0..30)
        .map(|level| {
            let next = level + 1;
            let text = format!("[module.a]\nsource = '../m{next}'\n[module.b]\nsource = '../m{next}'\n");
            (format!("m{level}/module.toml"), text)
        })
        .chain([("m30/module.toml".to_owned(), "[iam.group.g]\n".to_owned())])
        .collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    assert_snapshot!(said("[module.m]\nsource = 'm0'\n", &files), @"error[S3S-P2]: the stack has more than 100000 resources and modules at m14/module.toml:3:1; split the stack into several");
}
