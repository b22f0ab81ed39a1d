use s3stack_engine::address::Address;
use s3stack_engine::value::Value;

use crate::resources::testing::{graph, json, managed, problems};

#[test]
fn the_arn_is_known_before_the_policy_is_made() {
    let text = "[iam.policy.it]\npath = '/app/'\nstatements.A = { actions = 's3:*', resources = '*' }";
    let (graph, _) = graph(text, "");
    let node = &graph.nodes[&Address::root("iam.policy", "it")];
    assert_eq!(node.physical_id, "arn:aws:iam::123456789012:policy/app/t-it".into());
    assert_eq!(node.managed["name"], "t-it".into());
}

#[test]
fn a_policy_needs_something_to_say() {
    assert_eq!(
        problems("[iam.policy.it]\nname = 'x'", ""),
        ["error S3S-I21 : this policy says nothing, and AWS takes no such policy"]
    );
}

#[test]
fn a_file_comes_first_and_statements_are_added() {
    let text = "[iam.policy.it.statements]\nfile = 'x.json'\nMore = { actions = 's3:GetObject', resources = 'arn:aws:s3:::b/*' }";
    let file = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::b"}]}"#;
    let (graph, diagnostics) = graph(text, file);
    assert!(!diagnostics.has_errors(), "{diagnostics:#?}");
    let document = &graph.nodes[&Address::root("iam.policy", "it")].managed["document"];
    assert_eq!(document.get("Statement").as_list().map(<[Value]>::len), Some(2));
    let wrong = problems(text, &file.replace("s3:ListBucket", "nonsense"));
    assert_eq!(wrong, ["error S3S-I6 statements.file: `nonsense` is not an action"]);
}

#[test]
fn a_problem_of_a_granted_statement_stands_at_the_grants() {
    let roles: String = (0..90).map(|n| format!("[iam.role.a_role_with_a_rather_long_name_{n}]\ntrust = ['ec2.amazonaws.com']\n")).collect();
    let grants: Vec<String> =
        (0..90).map(|n| format!("{{ to = 'iam.role.a_role_with_a_rather_long_name_{n}', access = 'assume' }}")).collect();
    let found = problems(&format!("{roles}[iam.policy.it]\ngrants = [{}]", grants.join(", ")), "");
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("error S3S-N7 grants: a managed policy has at most 6144 characters"), "{found:?}");
}

#[test]
fn policy_variables_stay_as_they_are() {
    let text = "[iam.policy.it]\nstatements.A = { actions = 's3:*', resources = 'arn:aws:s3:::b/${aws:username}/*' }";
    let document = json(&managed("iam.policy", text)["document"]);
    assert!(document.contains("arn:aws:s3:::b/${aws:username}/*"), "{document}");
}
