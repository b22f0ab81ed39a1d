//! Variables get their values, and nodes are evaluated.

use std::cell::RefCell;

use insta::assert_snapshot;

use super::super::variables::{EarlyScope, Given, Resolved, Variables, resolve};
use super::super::{check_setting, evaluate, evaluate_at, evaluate_table};
use super::{file, lines, loaded};
use crate::address::{Address, Path, Step};
use crate::diagnostic::{Diagnostic, Span};
use crate::expression::{Budget, Question, Scope};
use crate::testing::files::InMemory;
use crate::value::{Secret, Value};

fn stack(text: &str) -> super::Stack {
    loaded(&format!("[stack]\nname = \"x\"\n{text}"))
}

fn given() -> Given {
    Given { chosen_environment: "default".into(), ..Given::default() }
}

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

fn errors(text: &str, given: &Given) -> String {
    lines(&resolve(&stack(text), given, &InMemory::default()).1)
}

fn values(text: &str, given: &Given) -> Variables {
    let (variables, diagnostics) = resolve(&stack(text), given, &InMemory::default());
    assert_eq!(lines(&diagnostics), "");
    variables
}

#[test]
fn each_source_wins_over_the_one_before() {
    let text = "[var]\nx = \"default\"\n[env.prod]\nvar.x = \"environment\"\n";
    let mut given = Given { chosen_environment: "prod".into(), ..Given::default() };
    let of = |given: &Given| {
        let Resolved { value, source } = values(text, given).0["x"].clone();
        format!("{} from {source}", value.as_str().unwrap())
    };
    let mut said = vec![of(&Given { chosen_environment: "default".into(), ..Given::default() })];
    given.own_file = Some(file("stack.vars.toml", "x = \"own\""));
    said.push(of(&Given { chosen_environment: "default".into(), ..given.clone() }));
    said.push(of(&given));
    given.environment = pairs(&[("S3STACK_VAR_X", "capitals"), ("S3STACK_VAR_x", "exact"), ("PATH", "/bin")]);
    said.push(of(&given));
    given.files = vec![file("a.toml", "var.x = \"a\""), file("b.toml", "x = \"b\"")];
    said.push(of(&given));
    given.arguments = pairs(&[("x", "first"), ("x", "last")]);
    said.push(of(&given));
    assert_snapshot!(said.join("\n"), @r"
    default from its default
    own from stack.vars.toml
    environment from [env.prod]
    exact from the environment variable S3STACK_VAR_x
    b from b.toml
    last from --var
    ");
}

#[test]
fn texts_become_what_the_type_says() {
    let text = r#"
        [var]
        flag = false
        count = 1
        name = ""
        zones = ["a"]
        [var.free]
        type = "any"
        [var.limits]
        type = "object({soft = number, hard = optional(number)})"
        [var.unique]
        type = "set(string)"
        [var.bucket]
        type = "ref(s3.bucket)"
        [s3.bucket.data]
    "#;
    let mut given = given();
    given.arguments = pairs(&[
        ("flag", "true"),
        ("count", "2.5"),
        ("name", "${not.evaluated} 12"),
        ("zones", "[\"${b}\"]"),
        ("free", "plain words"),
        ("limits", "{ soft = 3 }"),
        ("unique", "[\"a\", \"b\", \"a\"]"),
        ("bucket", "s3.bucket.data"),
    ]);
    let variables = values(text, &given);
    let value = |name: &str| variables.value(name).unwrap().clone();
    assert_eq!(value("flag"), Value::Bool(true));
    assert_eq!(value("count"), Value::Float(2.5));
    assert_eq!(value("name"), Value::from("${not.evaluated} 12"));
    assert_eq!(value("zones"), Value::strings(["${b}"]));
    assert_eq!(value("free"), Value::from("plain words"));
    assert_eq!(value("limits"), Value::map([("soft", Value::Integer(3))]));
    assert_eq!(value("unique"), Value::strings(["a", "b"]));
    assert_eq!(value("bucket"), Value::Reference(Address::root("s3.bucket", "data")));
}

#[test]
fn values_may_name_variables_and_the_environment_in_any_order() {
    let text = "[var]\nc = \"${var.b}-c\"\nb = \"${var.a}-b\"\na = \"${env}\"\n[env.dev]\nvar.a = \"${upper(env)}\"\n";
    let variables = values(text, &Given { chosen_environment: "dev".into(), ..Given::default() });
    assert_eq!(variables.value("c"), Some(&Value::from("DEV-b-c")));
    assert_eq!(variables.0.keys().collect::<Vec<_>>(), ["c", "b", "a"]);
}

#[test]
fn a_chain_of_ten_thousand_variables_is_no_deep_recursion() {
    let chain: String = (1..10_000).map(|at| format!("v{at} = \"${{var.v{}}}\"\n", at - 1)).collect();
    let variables = values(&format!("[var]\n{chain}v0 = 7\n"), &given());
    assert_eq!(variables.value("v9999"), Some(&Value::Integer(7)));
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let text = "[var.email]\ntype = \"string\"\ndescription = \"Who is told\"\n[var.count]\ntype = \"number\"\n[var]\nregion = \"us-east-1\"\n";
    let mut given = given();
    given.arguments = pairs(&[("regoin", "x"), ("region", "y")]);
    given.files = vec![file("prod.toml", "reigon = 1\n")];
    given.environment = pairs(&[("S3STACK_VAR_OTHER", "x")]);
    assert_snapshot!(errors(text, &given), @"
    warning[S3S-W12]: S3STACK_VAR_OTHER sets `other`, and the stack has no such variable; declare it: other = … under [var]
    error[S3S-W12]: prod.toml sets `reigon`, and the stack has no such variable at prod.toml:1:1; did you mean `region`?
    error[S3S-W12]: --var sets `regoin`, and the stack has no such variable; did you mean `region`?
    error[S3S-W11]: the variable `email` (Who is told) has no value at stack.toml:3:6; give it one: --var email=…, or email = … in stack.vars.toml
    error[S3S-W11]: the variable `count` has no value at stack.toml:6:6; give it one: --var count=…, or count = … in stack.vars.toml
    ");
}

#[test]
fn rules_are_kept() {
    let text = r#"
        [var.stage]
        type = "string"
        allowed = ["dev", "prod"]
        [var.email]
        type = "string"
        pattern = '^[^@\s]+@[^@\s]+$'
        [var.days]
        type = "number"
        min = 1
        max = 30
        [var.names]
        type = "list(string)"
        max = 1
        [var.short]
        type = "string"
        min = 3
    "#;
    let mut given = given();
    given.arguments =
        pairs(&[("stage", "test"), ("email", "nobody"), ("days", "31"), ("names", "[\"a\", \"b\"]"), ("short", "ä")]);
    assert_snapshot!(errors(text, &given), @r#"
    error[S3S-W13]: --var gives `stage` a value that is "test", which is not allowed; give one of "dev", "prod"
    error[S3S-W13]: --var gives `email` a value that is "nobody", which does not match ^[^@\s]+@[^@\s]+$; give a value that does
    error[S3S-W13]: --var gives `days` a value that is 31, more than 30; max is 30
    error[S3S-W13]: --var gives `names` a value that has more than 1 items: 2; max is 1
    error[S3S-W13]: --var gives `short` a value that has fewer than 3 characters: 1; min is 3
    "#);
}

#[test]
fn what_does_not_fit_its_type_is_told() {
    let text = "[var]\nflag = true\ncount = 1\nlist = [\"a\"]\n[var.bucket]\ntype = \"ref(s3.bucket)\"\n[s3.bucket.data]\n[iam.role.r]\ntrust = \"ec2.amazonaws.com\"\n";
    let mut given = given();
    given.arguments = pairs(&[("flag", "yes"), ("count", "many"), ("list", "a,b"), ("bucket", "s3.bucket.dta")]);
    assert_snapshot!(errors(text, &given), @r#"
    error[S3S-W13]: --var gives `flag` what is not true or false; write true or false
    error[S3S-W13]: --var gives `count` what is not a number; write a number
    error[S3S-W13]: --var gives `list` what is not a list(string); write it as in TOML: ["a", "b"]
    error[S3S-R3]: `bucket` names nothing: there is no s3.bucket.dta in this stack; did you mean `s3.bucket.data`?
    "#);
    given.arguments = pairs(&[("bucket", "iam.role.r"), ("list", "[1]")]);
    given.own_file = Some(file("stack.vars.toml", "flag = \"true\"\ncount = true\n"));
    assert_snapshot!(errors(text, &given), @r#"
    error[S3S-W13]: stack.vars.toml gives `flag` a value that does not fit: expected true or false, found a string at stack.vars.toml:1:8; write it without quotes
    error[S3S-W13]: stack.vars.toml gives `count` a value that does not fit: expected a number, found a bool at stack.vars.toml:2:9; its type is number
    error[S3S-W13]: --var gives `list` a value that does not fit at [0]: expected a string, found a number; put quotes round it
    error[S3S-W13]: --var gives `bucket` a value that does not fit: expected the address of s3.bucket, found a string; its type is ref(s3.bucket)
    "#);
}

#[test]
fn cycles_are_told_once_as_a_path() {
    let text = "[var]\na = \"${var.b}\"\nb = \"${var.c}\"\nc = \"${var.a}\"\nd = \"${var.a}\"\ne = 1\n";
    assert_snapshot!(errors(text, &given()), @"error[S3S-W14]: variables need each other: var.a → var.b → var.c → var.a at stack.toml:4:5; give one of them a value without the others");
    assert_snapshot!(errors("[var]\na = \"${var.a}\"\n", &given()), @"error[S3S-W14]: variables need each other: var.a → var.a at stack.toml:4:5; give one of them a value without the others");
}

#[test]
fn an_environment_that_is_not_declared_is_a_slip_if_others_are() {
    let other = Given { chosen_environment: "prdo".into(), ..Given::default() };
    assert_snapshot!(errors("[env.prod]\n", &other), @"error[S3S-P6]: there is no environment `prdo`; did you mean `--env prod`?");
    assert_eq!(errors("", &other), "");
}

#[test]
fn an_environment_that_could_lead_elsewhere_is_refused() {
    for name in ["../../x", "a b", "", "Prod"] {
        let given = Given { chosen_environment: name.into(), ..Given::default() };
        assert!(errors("", &given).contains("S3S-P12"), "{name}");
        assert!(errors("[env.prod]\n", &given).contains("S3S-P12"), "{name}");
    }
}

#[test]
fn secrets_stay_secret_in_values_and_in_errors() {
    let text = "[var.key]\ntype = \"string\"\nsensitive = true\npattern = \"^AKIA\"\n[var.list]\ndefault = [\"x${var.key}\"]\ntype = \"list(string)\"\n";
    let mut given = given();
    given.arguments = pairs(&[("key", "AKIA-canary")]);
    let variables = values(text, &given);
    assert_eq!(variables.value("key"), Some(&Value::Secret(Secret::new("AKIA-canary".into()))));
    assert!(variables.value("list").unwrap().is_sensitive());
    assert!(!format!("{variables:?}").contains("canary"));
    given.arguments = pairs(&[("key", "canary")]);
    let said = errors(text, &given);
    assert!(said.contains("S3S-W13") && !said.contains("canary"), "{said}");
}

/// A scope that answers `var.NAME` with the name, and remembers at which path it was asked.
struct Recording<'a>(Path, &'a RefCell<Vec<String>>);

impl Scope for Recording<'_> {
    fn resolve(&self, steps: &[Step], _: Option<&Span>) -> Result<(Value, usize), Box<Diagnostic>> {
        let [_, Step::Key(name), ..] = steps else { panic!() };
        self.1.borrow_mut().push(format!("{} at {}", name, self.0));
        match name.as_str() {
            "bad" => Err(Box::new(Diagnostic::error("S3S-R2", "bad"))),
            "number" => Ok((Value::Integer(3), 2)),
            name => Ok((Value::from(name), 2)),
        }
    }

    fn attribute(&self, _: &Address, _: &str, _: Option<&Span>) -> Result<Value, Box<Diagnostic>> {
        Ok(Value::Null)
    }

    fn file(&self, _: Question, _: &str) -> Result<Value, Box<Diagnostic>> {
        Ok(Value::Null)
    }
}

#[test]
fn every_text_is_evaluated_in_the_scope_of_its_path() {
    let stack = stack(
        "[var]\na = 1\nnumber = 2\n[s3.bucket.b]\nname = \"x-${var.a}\"\ntags = { \"${var.a}\" = \"1\", b = \"${var.number}\" }\n",
    );
    let body = &stack.blocks[&Address::root("s3.bucket", "b")].body;
    let asked = RefCell::new(Vec::new());
    let scope = |path: &Path| -> Box<dyn Scope + '_> { Box::new(Recording(path.clone(), &asked)) };
    let map = evaluate_table(body, &Path::default(), &scope, &Budget::default()).unwrap();
    let tags = Value::map([("a", Value::from("1")), ("b", Value::Integer(3))]);
    assert_eq!(Value::Map(map), Value::map([("name", Value::from("x-a")), ("tags", tags)]));
    let node = &body["name"].node;
    assert_eq!(evaluate_at(node, &Path::of("x"), &scope, &Budget::default()).unwrap(), Value::from("x-a"));
    assert_eq!(*asked.borrow(), ["a at name", "a at tags[\"${var.a}\"]", "number at tags.b", "a at x"],);
}

#[test]
fn all_errors_of_a_value_are_collected_and_keys_must_differ() {
    let stack = stack(
        "[var]\na = 1\nbad = 2\n[s3.bucket.b]\ntags = { \"${var.a}\" = \"${var.bad}\", a = \"1\", x = \"${var.bad}\" }\n",
    );
    let node = &stack.blocks[&Address::root("s3.bucket", "b")].body["tags"].node;
    let asked = RefCell::new(Vec::new());
    let scope = Recording(Path::default(), &asked);
    let errors = evaluate(node, &scope, &Budget::default()).unwrap_err();
    assert_snapshot!(lines(&errors), @r#"
    error[S3S-R2]: bad at stack.toml:7:26
    error[S3S-P3]: two keys of this table are `a` once they are evaluated at stack.toml:7:37; take one of them out
    error[S3S-R2]: bad at stack.toml:7:53
    "#);
}

#[test]
fn settings_are_evaluated_with_variables_and_the_environment() {
    let stack = stack("[var]\na = \"x\"\n[backend.s3]\nbucket = \"${var.a}-${env}\"\n");
    let (variables, _) = resolve(&stack, &given(), &InMemory::default());
    let scope = EarlyScope { variables: &variables, environment: "dev", files: &InMemory::default() };
    let bucket = &stack.backend.unwrap().body["bucket"].node;
    assert_eq!(evaluate(bucket, &scope, &Budget::default()).unwrap(), Value::from("x-dev"));
}

#[test]
fn settings_are_checked_again_once_they_are_evaluated() {
    let stack = super::load(
        &[file("stack.toml", "[stack]\nname = \"${var.n}\"\nregion = \"${null}\"\n[var]\nn = \"Not a name\"\n")],
        &super::types(),
        &super::NoModules,
    );
    let settings = stack.0.unwrap().settings;
    let said = |name: &str, node: &Option<super::Node>, value: Value| {
        lines(&check_setting(name, node.as_ref().unwrap(), &value))
    };
    assert_snapshot!(said("name", &settings.name, "Not a name".into()), @r#"error[S3S-W8]: `name`: "Not a name" does not match ^[a-z][a-z0-9-]*$ at stack.toml:2:8"#);
    assert_snapshot!(said("name", &settings.name, Value::Null), @"error[S3S-W3]: `name`: it is null at stack.toml:2:8; give it a value");
    assert_eq!(said("name", &settings.name, "fine".into()), "");
    assert_eq!(said("region", &settings.region, Value::Null), "");
}

#[test]
fn what_loading_told_is_not_told_again() {
    let text = "[stack]\nname = \"x\"\n[var]\na = \"${var.none}${aws.region}\"\nc = \"${var.a}\"\n[var.b]\ntype = \"number\"\ndefault = \"three\"\n";
    let (stack, told) = super::load(&[file("stack.toml", text)], &super::types(), &super::NoModules);
    assert_eq!(told.0.len(), 3, "{}", lines(&told));
    let (variables, again) = resolve(&stack.unwrap(), &given(), &InMemory::default());
    assert_eq!(lines(&again), "");
    assert!(variables.0.is_empty());
}
