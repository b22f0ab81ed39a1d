//! Unknown and secret values.

use super::scope::{Names, error, evaluate, unknown};
use crate::address::Address;
use crate::expression::{UNSEEN, settle};
use crate::value::{Secret, Unknown, Value};

fn key() -> Address {
    Address::root("kms.key", "main")
}

fn names() -> Names {
    let key = key();
    let tags = Value::map([("fixed", Value::from("f")), ("id", unknown(&key, "id", false))]);
    Names::of([
        ("kms", Value::map([("key", Value::map([("main", Value::Reference(key.clone()))]))])),
        ("var", Value::map([("name", Value::from("n$")), ("password", secret("hunter2"))])),
        ("tags", tags),
        ("list", Value::List(vec![Value::from("a"), unknown(&key, "id", false)])),
        ("refs", Value::map([("k", Value::Reference(key.clone()))])),
    ])
    .with(&key, "id", unknown(&key, "id", false))
    .with(&key, "material", unknown(&key, "material", true))
    .with(&key, "name", Value::from("main"))
}

fn secret(text: &str) -> Value {
    Value::Secret(Secret::new(Value::from(text)))
}

fn known(_: &Address, name: &str) -> Option<Value> {
    match name {
        "id" => Some(Value::from("1234")),
        "material" => Some(Value::from("rock")),
        _ => None,
    }
}

#[track_caller]
fn source(text: &str) -> (String, Vec<String>) {
    let value = evaluate(text, &names()).unwrap();
    let Value::Unknown(unknown) = value else { panic!("{text} is {value:?}") };
    let Unknown::Expression { source, scope } = *unknown else { panic!("{text} is {unknown:?}") };
    (source, scope.into_keys().collect())
}

#[track_caller]
fn settled(text: &str) -> Value {
    settle(evaluate(text, &names()).unwrap(), &known).unwrap()
}

#[test]
fn what_is_known_stays_known() {
    let id = unknown(&key(), "id", false);
    assert_eq!(evaluate("${kms.key.main.id}", &names()).unwrap(), id);
    assert_eq!(evaluate("${tags.fixed}", &names()).unwrap(), Value::from("f"));
    assert_eq!(evaluate("${[1, tags.id]}", &names()).unwrap(), Value::List(vec![Value::Integer(1), id.clone()]));
    assert_eq!(
        evaluate("${merge(tags, { a = length(list) })}", &names()).unwrap(),
        Value::map([("a", Value::Integer(2)), ("fixed", "f".into()), ("id", id.clone())])
    );
    assert_eq!(evaluate("${[for v in list : v]}", &names()).unwrap(), Value::List(vec!["a".into(), id.clone()]));
    assert_eq!(evaluate("${true ? 1 : tags.id}", &names()).unwrap(), Value::Integer(1));
    assert_eq!(evaluate("${refs[*].id}", &names()).unwrap(), Value::List(vec![id]));
}

#[test]
fn expressions_are_closed_over_what_they_name() {
    assert_eq!(source("${upper(tags.id)}"), ("${upper(tags.id)}".into(), vec!["tags".into()]));
    assert_eq!(
        source("arn:${var.name}${kms.key.main.id}/$${x}"),
        ("arn:n${\"$\"}${kms.key.main.id}/$${x}".into(), vec!["@kms.key.main.id".into(), "kms".into()])
    );
    assert_eq!(
        source("${tags.id == \"x\" ? var.name : kms.key.main.name}").1,
        ["@kms.key.main.name", "kms", "tags", "var.name"]
    );
    let Value::List(list) = evaluate("${[for k, r in refs : \"${k}-${upper(r.id)}\"]}", &names()).unwrap() else {
        panic!()
    };
    let Value::Unknown(unknown) = &list[0] else { panic!() };
    let Unknown::Expression { source, scope } = unknown.as_ref() else { panic!() };
    assert_eq!(source, "k-${upper(r.id)}");
    assert_eq!(scope.keys().collect::<Vec<_>>(), ["@kms.key.main.id", "r"]);
    assert_eq!(list[0].clone(), evaluate("${[for k, r in refs : \"${k}-${upper(r.id)}\"][0]}", &names()).unwrap());
}

#[test]
fn settling_gives_the_value() {
    for (text, expected) in [
        ("${kms.key.main.id}", "1234"),
        ("a-${kms.key.main.id}-${var.name}", "a-1234-n$"),
        ("${upper(\"x${tags.id}\")}", "X1234"),
        ("${[upper(tags.id)][0]}", "1234"),
        ("${tags.id == \"1234\" ? var.name : 1 / 0}", "n$"),
        ("${join(\",\", [for k, r in refs : \"${k}${r.id}\"])}", "k1234"),
        ("${join(\",\", [for c in split(\"\", tags.id) : refs.k.name if c == \"2\"])}", "main"),
        ("${{ (tags.id) = \"v\" }[\"1234\"]}", "v"),
        ("${try(tags.id.nope, refs.k.name)}", "main"),
        ("${refs[substr(\"k${tags.id}\", 0, 1)].name}", "main"),
        ("${tags.id != \"x\" && refs.k.name == \"main\" ? \"y\" : \"n\"}", "y"),
    ] {
        assert_eq!(settled(text), Value::from(expected), "{text}");
    }
}

#[test]
fn settling_knows_only_what_there_is_to_know() {
    let half = evaluate("${[upper(tags.id), \"${kms.key.main.material}!\"]}", &names()).unwrap();
    let only_id = |address: &Address, name: &str| known(address, name).filter(|_| name == "id");
    let Value::List(list) = settle(half, &only_id).unwrap() else { panic!() };
    assert_eq!(list[0], Value::from("1234"));
    assert!(!list[1].is_known());
    assert_eq!(settle(list[1].clone(), &known).unwrap(), secret("rock!"));
    let failed = settle(evaluate("${1 / (tags.id == \"1234\" ? 0 : 1)}", &names()).unwrap(), &known).unwrap_err();
    assert_eq!(failed.0[0].notes, ["In the expression `${1 / (tags.id == \"1234\" ? 0 : 1)}`"]);
}

#[test]
fn what_nothing_waited_for_is_refused() {
    // Only when the list is known is it known that it holds the key, and whose `other` is meant.
    let text = "${[for r in tags.id == \"1234\" ? [kms.key.main] : [] : r.other]}";
    let failed = settle(evaluate(text, &names()).unwrap(), &known).unwrap_err();
    assert_eq!(failed.0[0].code, UNSEEN);
}

#[test]
fn what_is_computed_from_a_secret_is_secret() {
    for text in [
        "${upper(var.password)}",
        "x${var.password}",
        "${var.password == \"x\"}",
        "${var.password == \"x\" ? 1 : 2}",
        "${length(var.password)}",
        "${jsonencode({ a = var.password })}",
        "${{ (var.password) = 1 }}",
        "${[for c in split(\"\", var.password) : c]}",
        "${{ x = 1, hunter2 = 2 }[var.password]}",
        "${sensitive(\"a\")}",
        "${sensitive(tags.id)}",
        "x${sensitive(tags.id)}",
        "${!(var.password == \"x\")}",
    ] {
        let value = evaluate(text, &names()).unwrap();
        assert!(matches!(value, Value::Secret(_)), "{text} is {value:?}");
        assert!(matches!(settle(value, &known).unwrap(), Value::Secret(_)), "{text}");
    }
    assert_eq!(
        evaluate("${[1, var.password]}", &names()).unwrap(),
        Value::List(vec![Value::Integer(1), secret("hunter2")])
    );
    assert_eq!(evaluate("${sensitive([[var.password]])}", &names()).unwrap(), {
        let list = Value::List(vec![Value::List(vec![Value::from("hunter2")])]);
        Value::Secret(Secret::new(list))
    });
    assert_eq!(evaluate("${nonsensitive(upper(var.password))}", &names()).unwrap(), Value::from("HUNTER2"));
    let waiting = evaluate("${upper(kms.key.main.material)}", &names()).unwrap();
    assert!(waiting.is_sensitive() && !waiting.is_known());
    assert_eq!(settle(waiting, &known).unwrap(), secret("ROCK"));
}

#[test]
fn no_message_tells_a_secret() {
    for text in [
        "${tonumber(var.password)}",
        "${{ a = 1 }[var.password]}",
        "${lookup({ a = 1 }, var.password)}",
        "${{for v in [var.password, var.password] : v => 1}}",
        "${{ (var.password) = 1, (upper(lower(var.password))) = 2, hunter2 = 3 }}",
        "${{ (var.password) = 1 }.x}",
        "${sensitive({ hunter2 = 1 }).x}",
        "${regex(var.password, \"\")}",
        "${[1, 2][length(var.password)]}",
        "${parseint(var.password, 10)}",
        "${jsondecode(var.password)}",
        "${[for v in sensitive([\"${var.password}\"]) : tonumber(v)]}",
        "${[for v in split(\",\", var.password) : parseint(v, 10)]}",
        "${[for k, v in sensitive({ (var.password) = 1 }) : tonumber(k)]}",
        "${sensitive([{ (var.password) = 1 }])[*].x}",
        "${sensitive([{ (var.password) = 1 }]).*.x}",
        "${lookup(sensitive({ (var.password) = 1 }), \"x\")}",
        "${yamldecode(\"!${var.password} 1\")}",
        "${yamldecode(\"a: 1\\n${var.password}: 2\\n${var.password}: 3\")}",
        "${csvdecode(\"${var.password},${var.password}\")}",
        "${formatdate(var.password, \"2024-01-01T00:00:00Z\")}",
        "${timeadd(\"2024-01-01T00:00:00Z\", var.password)}",
        "${cidrsubnet(var.password, 1, 1)}",
        "${file(var.password)}",
        "${templatefile(\"greeting.tpl\", { (var.password) = 1 })}",
    ] {
        let found = evaluate(text, &names()).unwrap_err();
        let shown = format!("{found:?}").replace("hunter2 = ", "");
        assert!(!shown.contains("hunter2"), "{text}: {shown}");
    }
    assert_eq!(
        error("${tonumber(var.password)}", &names()).2,
        "`tonumber` cannot do that with these values, which are secret"
    );
}
