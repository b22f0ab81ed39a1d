//! Each type from nothing through its fixtures to nothing.

use s3stack::resources::provider;
use s3stack_engine::resource::Fixtures;

use crate::stage::Stage;

const TYPES: [&str; 3] = ["iam.role", "iam.policy", "iam.instance_profile"];

fn fixtures(type_name: &str) -> Fixtures {
    provider(type_name).unwrap().fixtures()
}

#[tokio::test]
async fn a_resource_is_made_updated_reduced_and_destroyed_and_each_plan_after_it_is_empty() {
    for type_name in TYPES {
        let (stage, fixtures) = (Stage::new(), fixtures(type_name));
        stage.apply(fixtures.base).await;
        stage.write(fixtures.updated);
        let (plan, _) = stage.plan().await;
        assert!(plan.iter().any(|line| line.starts_with(&format!("update {type_name}.it: "))), "{plan:?}");
        stage.apply(fixtures.updated).await;
        stage.apply(fixtures.base).await;
        stage.destroy().await;
        assert_eq!(stage.destroy().await.calls, [""; 0], "there is nothing left to do");
    }
}

#[tokio::test]
async fn a_create_only_property_makes_it_anew() {
    for type_name in TYPES {
        let (stage, fixtures) = (Stage::new(), fixtures(type_name));
        stage.apply(fixtures.base).await;
        stage.write(fixtures.replaced);
        let (plan, _) = stage.plan().await;
        assert!(plan.iter().any(|line| line.starts_with(&format!("replace {type_name}.it"))), "{plan:?}");
        stage.apply(fixtures.replaced).await;
        stage.destroy().await;
    }
}

#[tokio::test]
async fn what_is_gone_from_aws_is_made_again_and_its_deletion_is_no_error() {
    for type_name in TYPES {
        let (stage, fixtures) = (Stage::new(), fixtures(type_name));
        stage.apply(fixtures.base).await;
        let iam = stage.iam().await;
        let wipe = async || {
            let profile = iam.remove_role_from_instance_profile().instance_profile_name("conformance-it");
            let _ = profile.role_name("t-one").send().await;
            let _ = iam.delete_instance_profile().instance_profile_name("conformance-it").send().await;
            let _ = iam.delete_role_policy().role_name("conformance-it").policy_name("s3stack").send().await;
            let arn = |name: &str| format!("arn:aws:iam::{}:policy/{name}", stage.account);
            let _ = iam.detach_role_policy().role_name("conformance-it").policy_arn(arn("t-list")).send().await;
            let _ = iam.delete_role().role_name("conformance-it").send().await;
            let _ = iam.delete_policy().policy_arn(arn("conformance/conformance-it")).send().await;
        };
        wipe().await;
        assert_eq!(stage.plan().await.0, [format!("create {type_name}.it")]);
        stage.apply(fixtures.base).await;
        wipe().await;
        stage.destroy().await;
    }
}

#[tokio::test]
async fn what_somebody_else_made_is_refused_until_it_is_imported() {
    for (type_name, id) in [("iam.role", "conformance-it"), ("iam.instance_profile", "conformance-it")] {
        let (theirs, fixtures) = (Stage::new(), fixtures(type_name));
        theirs.apply(fixtures.base).await;
        let mut ours = Stage::new();
        ours.account.clone_from(&theirs.account);
        // Only the block under test is theirs: what it needs has names of this stack's own.
        let text = fixtures.base.replace("[iam.role.it]", "[iam.role.it]\nmark = 1").replace("\nmark = 1", "");
        let others = text.replace("trust = [\"ec2.amazonaws.com\"]", "trust = [\"ec2.amazonaws.com\"]\npath = \"/\"");
        ours.write(&renamed(&others));
        let refusal = ours.refusal().await;
        assert!(refusal.contains("s3stack:id") && refusal.contains(&format!("import = \\\"{id}\\\"")), "{refusal}");
        let imported = renamed(&others)
            .replace("name = \"conformance-it\"", "name = \"conformance-it\"\nimport = \"conformance-it\"");
        let imported = imported.replace(
            "name                 = \"conformance-it\"",
            "name = \"conformance-it\"\nimport = \"conformance-it\"",
        );
        ours.apply(&imported).await;
        let lineage = ours.lineage().await;
        let iam = ours.iam().await;
        let tags = match type_name {
            "iam.role" => iam.list_role_tags().role_name(id).send().await.unwrap().tags,
            _ => iam.list_instance_profile_tags().instance_profile_name(id).send().await.unwrap().tags,
        };
        let mark = tags.iter().find(|tag| tag.key == "s3stack:id").unwrap();
        assert_eq!(mark.value, lineage);
    }
}

/// The same blocks with default names of another stack.
fn renamed(text: &str) -> String {
    ["list", "limit", "locate", "other", "one", "two"].iter().fold(text.to_owned(), |text, name| {
        text.replace(&format!(".{name}]"), &format!(".{name}_b]"))
            .replace(&format!(".{name}\""), &format!(".{name}_b\""))
    })
}
