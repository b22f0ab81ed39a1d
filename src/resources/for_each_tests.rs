//! `for_each`: which resources a block makes, how they are named, and what is said of one that makes none.

use insta::assert_snapshot;
use s3stack_engine::address::Address;
use s3stack_engine::value::Value;

use super::testing::graph;

#[track_caller]
fn nodes(text: &str) -> Vec<(String, s3stack_engine::graph::Node)> {
    let (graph, found) = graph(text, "");
    assert!(!found.has_errors(), "{found:#?}");
    graph.nodes.into_iter().map(|(address, node)| (address.to_string(), node)).collect()
}

#[track_caller]
fn addresses(text: &str) -> Vec<String> {
    nodes(text).into_iter().map(|(address, _)| address).collect()
}

/// Everything that is wrong with a stack.
fn said(text: &str) -> String {
    let (_, found) = graph(text, "");
    found.0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_list_makes_an_instance_for_each_text_and_a_map_for_each_key() {
    let list = "[logs.group.this]\nfor_each = ['lambda', 'glue']\nname = '/x/${each.key}'\n";
    let made = nodes(list);
    let names: Vec<_> = made.iter().map(|(address, node)| (address.as_str(), node.physical_id.as_str())).collect();
    assert_eq!(
        names,
        [(r#"logs.group.this["glue"]"#, Some("/x/glue")), (r#"logs.group.this["lambda"]"#, Some("/x/lambda"))]
    );

    let map =
        "[logs.group.this]\nfor_each = { a = { days = 30 }, b = { days = 7 } }\nretention = '${each.value.days}'\n";
    let days: Vec<_> = nodes(map).into_iter().map(|(_, node)| node.managed["retention"].clone()).collect();
    assert_eq!(days, [Value::Integer(30), Value::Integer(7)]);
}

#[test]
fn the_order_of_a_list_changes_nothing() {
    let of = |list: &str| addresses(&format!("[iam.group.team]\nfor_each = {list}\n"));
    assert_eq!(of("['a', 'b', 'c']"), of("['c', 'a', 'b']"));
}

#[test]
fn no_key_makes_no_resource_and_when_leaves_some_out() {
    assert_eq!(addresses("[iam.group.team]\nfor_each = []\n"), [""; 0]);
    assert_eq!(addresses("[iam.group.team]\nfor_each = {}\n"), [""; 0]);
    let some = "[iam.group.team]\nfor_each = ['a', 'b']\nwhen = '${each.key != \"a\"}'\n";
    assert_eq!(addresses(some), [r#"iam.group.team["b"]"#]);
}

#[test]
fn keys_of_all_kinds_are_quoted_and_make_names_of_their_own() {
    let made = nodes(
        r#"
        [iam.group.team]
        for_each = ["a\"b", "a]b", "a\nb", "ä", "a.b", "a/b", "A b"]
    "#,
    );
    for (address, _) in &made {
        let read: Address = address.parse().unwrap();
        assert_eq!(read.to_string(), *address);
    }
    let mut names: Vec<_> = made.iter().filter_map(|(_, node)| node.physical_id.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 7, "{names:?}");
}

#[test]
fn instances_are_named_one_by_one_all_at_once_and_by_expressions() {
    let (graph, found) = graph(
        r#"
        [s3.bucket.data]
        for_each = { raw = 1, done = 2 }

        [iam.role.reader]
        trust = ["ec2.amazonaws.com"]
        grants = [{ to = 's3.bucket.data["raw"]', access = "read" }]

        [output]
        one = '${s3.bucket.data["done"].arn}'
        all = '${s3.bucket.data[*].name}'
        by_key = '${{ for key, bucket in s3.bucket.data : key => bucket.arn }}'
        "#,
        "",
    );
    assert!(!found.has_errors(), "{found:#?}");
    let output = |name: &str| graph.outputs[name].to_json().unwrap().to_string();
    assert_eq!(output("one"), r#""arn:aws:s3:::t-data-done-123456789012""#);
    assert_eq!(output("all"), r#"["t-data-done-123456789012","t-data-raw-123456789012"]"#);
    assert_eq!(
        output("by_key"),
        r#"{"done":"arn:aws:s3:::t-data-done-123456789012","raw":"arn:aws:s3:::t-data-raw-123456789012"}"#
    );
}

#[test]
fn an_instance_waits_for_the_instance_that_it_names() {
    let made = nodes(
        r#"
        [iam.role.user]
        for_each = ["raw", "done"]
        trust = ["ec2.amazonaws.com"]

        [iam.instance_profile.machines]
        for_each = ["raw", "done"]
        role = '${iam.role.user[each.key]}'
        "#,
    );
    for key in ["raw", "done"] {
        let (_, node) = made.iter().find(|(at, _)| *at == format!("iam.instance_profile.machines[\"{key}\"]")).unwrap();
        let before: Vec<String> = node.waits_for.keys().map(ToString::to_string).collect();
        assert_eq!(before, [format!("iam.role.user[\"{key}\"]")]);
    }
}

#[test]
fn a_block_is_waited_for_as_a_whole() {
    let made = nodes(
        "[iam.group.a]\nfor_each = ['x', 'y']\n[iam.group.b]\ndepends_on = 'iam.group.a'\n[iam.group.c]\ndepends_on = 'iam.group.a[\"y\"]'\n",
    );
    let before = |at: &str| {
        let (_, node) = made.iter().find(|(address, _)| address == at).unwrap();
        node.waits_for.keys().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(before("iam.group.b"), [r#"iam.group.a["x"]"#, r#"iam.group.a["y"]"#]);
    assert_eq!(before("iam.group.c"), [r#"iam.group.a["y"]"#]);
}

#[test]
fn each_instance_comes_from_the_one_with_its_key() {
    let from = |text: &str| {
        let made = nodes(text);
        let all = made.into_iter().map(|(address, node)| {
            let from: Vec<String> = node.moved_from.iter().map(ToString::to_string).collect();
            format!("{address} from {}", from.join(" "))
        });
        all.collect::<Vec<_>>().join("; ")
    };
    assert_eq!(
        from("[iam.group.b]\nfor_each = ['x', 'y']\nmoved_from = 'iam.group.a'\n"),
        r#"iam.group.b["x"] from iam.group.a["x"]; iam.group.b["y"] from iam.group.a["y"]"#
    );
    assert_eq!(
        from("[iam.group.b]\nfor_each = ['x', 'y']\nmoved_from = { x = 'iam.group.b', y = 'iam.group.why' }\n"),
        r#"iam.group.b["x"] from iam.group.b; iam.group.b["y"] from iam.group.why"#
    );
    assert_eq!(from("[iam.group.b]\nmoved_from = 'iam.group.b[\"x\"]'\n"), r#"iam.group.b from iam.group.b["x"]"#);
}

#[test]
fn what_is_no_for_each_is_told_with_the_next_step() {
    assert_snapshot!(said("[iam.group.a]\nfor_each = 3\n"), @"error[S3S-R10]: `for_each` takes a map or a list of texts, and this is a number at stack.toml:5:12 in iam.group.a for_each; give it a map, or a list of texts; `{ for one in list : one.name => one }` makes a map of a list");
    assert_snapshot!(said("[iam.group.a]\nfor_each = [1, 2]\n"), @r#"error[S3S-R10]: `for_each` takes a list of texts, and in this one is a number at stack.toml:5:12 in iam.group.a for_each; give it a map, or a list of texts; `{ for one in list : one.name => one }` makes a map of a list"#);
    assert_snapshot!(said("[iam.group.a]\nfor_each = ['x', 'y', 'x']\n"), @r#"error[S3S-R10]: `for_each` has "x" twice, and each is the name of one resource at stack.toml:5:12 in iam.group.a for_each; take one of them out, or write `distinct(…)` round the list"#);
    assert_snapshot!(said("[iam.group.a]\nfor_each = ['']\n"), @r#"error[S3S-R10]: `for_each` has an empty key at stack.toml:5:12 in iam.group.a for_each; a key is part of the resource's address and name"#);
    assert_snapshot!(said("[iam.group.a]\nfor_each = '${null}'\n"), @r#"error[S3S-R10]: `for_each` is null at stack.toml:5:12 in iam.group.a for_each; an empty map, `{}`, makes no resource"#);
    assert_snapshot!(said("[iam.group.a]\nfor_each = '${sensitive([\"x\"])}'\n"), @"error[S3S-R10]: `for_each` is a secret, and its keys are shown in addresses at stack.toml:5:12 in iam.group.a for_each; make the keys from variables and texts that the stack says: `{ key = s3.bucket.data.arn }` is a map with a known key");
    assert_snapshot!(said("[iam.group.a]\nfor_each = '${[sensitive(\"x\")]}'\n"), @"error[S3S-R10]: the keys of `for_each` must be known, and no secret at stack.toml:5:12 in iam.group.a for_each; make the keys from variables and texts that the stack says: `{ key = s3.bucket.data.arn }` is a map with a known key");
    assert_snapshot!(said("[iam.group.a]\nfor_each = '${[iam.group.b.name]}'\n[iam.group.b]\n"), @"error[S3S-R10]: the keys of `for_each` must be known, and no secret at stack.toml:5:12 in iam.group.a for_each; make the keys from variables and texts that the stack says: `{ key = s3.bucket.data.arn }` is a map with a known key");
    assert_snapshot!(said("[iam.group.a]\nfor_each = '${[each.key]}'\n"), @r#"error[S3S-R5]: `each` stands for one of several, and `for_each` says which there are at stack.toml:5:16 in iam.group.a for_each; use `var`"#);
}

#[test]
fn instances_that_are_not_there_are_told_with_the_next_step() {
    let with = |text: &str| said(&format!("[iam.group.a]\nfor_each = ['east', 'west']\n{text}"));
    assert_snapshot!(with("[output]\nx = '${iam.group.a[\"wst\"].arn}'\n"), @r#"error[S3S-R1]: there is no iam.group.a["wst"] at stack.toml:7:8; did you mean `iam.group.a["west"]`?"#);
    assert_snapshot!(with("[output]\nx = '${iam.group.a.arn}'\n"), @r#"error[S3S-R1]: iam.group.a makes several resources, and here one is meant at stack.toml:7:8; write `iam.group.a["east"].arn` for one of them, or `iam.group.a[*].arn` for all"#);
    assert_snapshot!(with("[output]\nx = '${iam.group.a[\"east\"].arm}'\n"), @r#"error[S3S-R4]: iam.group.a has no property or attribute `arm` at stack.toml:7:8; did you mean `arn`?"#);
    assert_snapshot!(with("[output]\nx = '${iam.group.a[0].arn}'\n"), @r#"error[S3S-E06]: there is no `0` at stack.toml:7:19; there is `east`, `west`"#);
    assert_snapshot!(with("[iam.group.b]\nname = '${each.key}'\n"), @r#"error[S3S-R5]: `each` stands for one of several, and this block has no `for_each` at stack.toml:7:11 in iam.group.b name; add `for_each = …` with a map or a list, or take `each` out"#);
    assert_snapshot!(with("[output]\nx = '${each.key}'\n"), @r#"error[S3S-R5]: `each` stands for one of several, and here is no block at stack.toml:7:8; name one of them"#);
    assert_snapshot!(with("[iam.group.b]\ndepends_on = 'iam.group.a[\"north\"]'\n"), @r#"error[S3S-R1]: iam.group.a["north"] is not in this stack at stack.toml:7:14 in iam.group.b depends_on; write a key that its `for_each` has, or the name alone for all of them"#);
    assert_snapshot!(with("[iam.group.b]\nfor_each = ['x']\nmoved_from = 'iam.group.c[\"x\"]'\n"), @r#"error[S3S-P8]: iam.group.c["x"] is one instance, and this block has several at stack.toml:8:14 in iam.group.b moved_from; write `moved_from = { KEY = "…" }`, or the old block's address without a key"#);
    assert_snapshot!(with("[iam.group.b]\nmoved_from = { x = 'iam.group.c' }\n"), @r#"error[S3S-P8]: iam.group.b has no `for_each`, so nothing in it has a key at stack.toml:7:20 in iam.group.b moved_from; write `moved_from = "iam.group.c"`"#);
}

#[test]
fn one_mistake_of_many_instances_is_told_once() {
    assert_snapshot!(said("[s3.bucket.a]\nfor_each = ['x', 'y', 'z']\nname = 'A_${each.key}'\nlifecycle.old.expiration = { days = '${\"no\"}' }\n"), @r#"
    error[S3S-W2]: expected a whole number, found a string at stack.toml:7:37 in s3.bucket.a["x"] lifecycle.old.expiration.days; the expression gives a text: make it a number where it comes from
    error[S3S-W8]: "A_x" does not match ^[a-z0-9][a-z0-9.-]*[a-z0-9]$ at stack.toml:6:8 in s3.bucket.a["x"] name; `name`: The name: 3 to 63 lower-case letters, digits, hyphens and dots
    error[S3S-W8]: "A_y" does not match ^[a-z0-9][a-z0-9.-]*[a-z0-9]$ at stack.toml:6:8 in s3.bucket.a["y"] name; `name`: The name: 3 to 63 lower-case letters, digits, hyphens and dots
    error[S3S-W8]: "A_z" does not match ^[a-z0-9][a-z0-9.-]*[a-z0-9]$ at stack.toml:6:8 in s3.bucket.a["z"] name; `name`: The name: 3 to 63 lower-case letters, digits, hyphens and dots
    "#);
    assert_snapshot!(said("[iam.group.a]\nfor_each = ['x', 'y', 'z']\nname = 'all'\n"), @r#"
    error[S3S-N1]: all of iam.group.a have one name, "all" at stack.toml:6:8 in iam.group.a["y"] name; put ${each.key} into it
    error[S3S-N1]: all of iam.group.a have one name, "all" at stack.toml:6:8 in iam.group.a["z"] name; put ${each.key} into it
    "#);
}
