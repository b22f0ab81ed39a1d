//! Accounts and regions: where resources are, what their names and ARNs are made of, and what is said of places that are
//! none.

use insta::assert_snapshot;
use s3stack_engine::address::Address;
use s3stack_engine::graph::{Graph, Node};
use s3stack_engine::state::State;
use s3stack_engine::value::Value;

use super::TYPES;
use super::testing::{graph_of, json};

fn empty() -> State {
    State::new("l".into(), "t".into(), "default".into())
}

#[track_caller]
fn made(text: &str, modules: &[(&str, &str)]) -> Graph {
    let (graph, found) = graph_of(text, modules, &empty());
    assert!(!found.has_errors(), "{found:#?}");
    graph
}

fn said(text: &str) -> String {
    let (_, found) = graph_of(text, &[], &empty());
    found.0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// Account, region and ARN of each resource.
fn places(graph: &Graph) -> Vec<String> {
    let line = |(address, node): (&Address, &Node)| {
        let arn = node.resource.attribute("arn").as_str().unwrap_or("?");
        format!("{address}: {} {} {arn}", node.account, node.region)
    };
    graph.nodes.iter().map(line).collect()
}

/// The account that the tests know beside their own is in eu-north-1.
const OTHER: &str = "[account.other]\nprofile = 'x'\n";

#[test]
fn a_resource_is_where_its_block_its_module_or_its_account_says() {
    let module = "[logs.group.same]\n[logs.group.west]\nregion = 'us-west-2'\n[iam.group.g]\n";
    let text = format!(
        "{OTHER}[logs.group.home]\n[logs.group.there]\naccount = 'other'\n[logs.group.both]\naccount = 'other'\nregion = 'eu-south-1'\n\
         [iam.role.there]\naccount = 'other'\ntrust = ['lambda.amazonaws.com']\n[s3.bucket.b]\naccount = 'other'\n\
         [module.m]\nsource = 'm'\naccount = 'other'\nregion = 'eu-west-3'\n"
    );
    assert_snapshot!(places(&made(&text, &[("m/module.toml", module)])).join("\n"), @"
    iam.role.there: 210987654321  arn:aws:iam::210987654321:role/t-there
    logs.group.both: 210987654321 eu-south-1 arn:aws:logs:eu-south-1:210987654321:log-group:t-both
    logs.group.home: 123456789012 eu-west-1 arn:aws:logs:eu-west-1:123456789012:log-group:t-home
    logs.group.there: 210987654321 eu-north-1 arn:aws:logs:eu-north-1:210987654321:log-group:t-there
    s3.bucket.b: 210987654321 eu-north-1 arn:aws:s3:::t-b-210987654321
    module.m.iam.group.g: 210987654321  arn:aws:iam::210987654321:group/t-m-g
    module.m.logs.group.same: 210987654321 eu-west-3 arn:aws:logs:eu-west-3:210987654321:log-group:t-m-same
    module.m.logs.group.west: 210987654321 us-west-2 arn:aws:logs:us-west-2:210987654321:log-group:t-m-west
    ");
}

#[test]
fn each_instance_may_be_elsewhere_and_names_say_where_they_are() {
    let text = "[logs.group.g]\nfor_each = ['eu-west-1', 'us-east-1']\nregion = '${each.key}'\nname = '/${aws.region}'\n\
                [output]\narns = '${logs.group.g[*].arn}'\n";
    let graph = made(text, &[]);
    assert_eq!(
        graph.outputs["arns"],
        Value::strings([
            "arn:aws:logs:eu-west-1:123456789012:log-group:/eu-west-1",
            "arn:aws:logs:us-east-1:123456789012:log-group:/us-east-1"
        ])
    );
}

#[test]
fn one_name_may_be_in_two_regions_and_two_accounts_but_a_bucket_is_one_of_a_kind() {
    let twice = |kind: &str, place: &str| {
        said(&format!("{OTHER}[{kind}.a]\nname = 'same'\n[{kind}.b]\nname = 'same'\n{place}\n"))
    };
    assert_eq!(twice("logs.group", "region = 'us-east-1'"), "");
    assert_eq!(twice("iam.group", "account = 'other'"), "");
    assert!(twice("iam.group", "region = 'us-east-1'").contains("S3S-N1"));
    assert!(twice("s3.bucket", "account = 'other'").contains("S3S-N1"));
}

#[test]
fn a_grant_is_bound_to_the_account_that_the_resource_is_in() {
    let text = format!(
        "{OTHER}[s3.bucket.there]\naccount = 'other'\n[s3.bucket.here]\n[iam.role.r]\ntrust = ['lambda.amazonaws.com']\n\
         grants = [{{ to = 's3.bucket.there', access = 'write' }}, {{ to = 's3.bucket.here', access = 'write' }}]\n"
    );
    let graph = made(&text, &[]);
    let policy = json(&graph.nodes[&Address::root("iam.role", "r")].managed["inline_policies"]);
    assert!(policy.contains("210987654321") && policy.contains("123456789012"), "{policy}");
}

#[test]
fn every_arn_is_of_the_partition_that_the_account_is_in() {
    let mut right = 0;
    for kind in TYPES {
        let fixtures = kind.fixtures();
        for text in [fixtures.base, fixtures.updated, fixtures.replaced] {
            let stack = "[account.china]\nprofile = 'x'\n[module.m]\nsource = 'm'\naccount = 'china'\n";
            let files = [("m/module.toml", text), ("m/x.json", "{}")];
            let (graph, found) = graph_of(stack, &files, &empty());
            let name = kind.descriptor().name;
            for (address, node) in &graph.nodes {
                assert_eq!((node.account.as_str(), address.module.0.len()), ("310987654321", 1), "{address}");
                for (key, value) in node.managed.iter().chain(&node.resource.attributes) {
                    let said = format!("{value:?}");
                    right += said.matches("arn:aws-cn:").count();
                    // What the fixture says itself is its own.
                    let own = said.split("arn:aws:").skip(1).filter_map(|rest| rest.split('"').next());
                    let foreign: Vec<&str> = own.filter(|rest| !text.contains(&format!("arn:aws:{rest}"))).collect();
                    assert!(foreign.is_empty(), "{name}: {address} {key}: {foreign:?}");
                }
            }
            assert!(text.is_empty() || !graph.nodes.is_empty(), "{name}: {found:#?}");
        }
    }
    assert!(right > 50, "{right}");
}

#[test]
fn wrong_places_are_told() {
    assert_snapshot!(said("[account.other]\n[account.b]\nexternal_id = 'x'\nprofile = 'p'\n[account.c]\nrole_arn = 'arn:aws:iam::1:role/x'\n[account.D]\n"), @r#"
    error[S3S-P8]: [account.other] does not say how to get into the account at stack.toml:4:1; write `profile = …`, `role_arn = …`, or both: the profile that may take the role
    error[S3S-P8]: it goes with `role_arn`, which is not there at stack.toml:6:1; add `role_arn = "arn:aws:iam::ACCOUNT:role/NAME"`, or take it out
    error[S3S-W8]: "arn:aws:iam::1:role/x" does not match ^arn:aws[a-z-]*:iam::[0-9]{12}:role/ at stack.toml:9:12 role_arn; `role_arn`: The role to take there
    error[S3S-P12]: `D` cannot be the name of an account: it must be lower-case letters, digits and `_`, a letter first at stack.toml:10:10; write `d`
    "#);
    assert_snapshot!(said(&format!("{OTHER}[s3.bucket.a]\naccount = 'othr'\n[s3.bucket.b]\nregion = 'moon'\n[s3.bucket.c]\nregion = 3\n[s3.bucket.d]\naccount = '${{s3.bucket.a.name}}'\n")), @"
    error[S3S-W2]: expected a string, found a number at stack.toml:11:10 in s3.bucket.c region; put quotes round it
    error[S3S-R5]: a resource cannot be named in `account` at stack.toml:13:14 in s3.bucket.d account; use `var`, `env`, `stack` or `aws`
    ");
    assert_snapshot!(said(&format!("{OTHER}[s3.bucket.a]\naccount = '${{\"oth\"}}'\n[s3.bucket.b]\nregion = '${{\"mo\"}}on'\n[s3.bucket.c]\nregion = '${{[1]}}'\n[s3.bucket.d]\nregion = '${{null}}'\n")), @r#"
    error[S3S-R13]: there is no account `oth` at stack.toml:7:11 in s3.bucket.a account; add [account.oth] to stack.toml, with the profile or role that leads there
    error[S3S-W8]: "moon" is no region of AWS at stack.toml:9:10 in s3.bucket.b region; write one such as "eu-west-1"
    error[S3S-W2]: `region` must be a text that is known, this is a list at stack.toml:11:10 in s3.bucket.c region; write a text, or one made of variables
    "#);
    assert_snapshot!(said("[env.a]\naccount = 'nope'\n[env.b]\nbackend.key = 'x'\n[backend.file]\n"), @"
    error[S3S-R13]: there is no account `nope` at stack.toml:5:11; add [account.nope], with the profile or role that leads there
    error[S3S-W1]: [backend.file] has no `key` at stack.toml:7:9; take it out, or write [backend.s3] or [backend.file] for the stack
    ");
}
