//! The language as a whole, with the real program: modules that are used twice and move, environments that share nothing,
//! stacks that use each other's outputs.

use std::collections::BTreeSet;
use std::path::Path;

use crate::support::stack::{Stack, writes};
use crate::whole::{FIXED_NAMES, copied, copy};

fn example(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name)
}

const HEAD: &str = "[stack]\nname = \"language\"\nregion = \"us-east-1\"\n";

const TEAM: &str = "[var.name]\ntype = \"string\"\n[iam.group.team]\nname = \"team-${var.name}\"\n[logs.group.jobs]\nname = \"/team/${var.name}\"\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_module_is_used_twice_and_moves_and_loses_a_key_without_touching_the_rest() {
    let stack = Stack::new(&format!(
        "{HEAD}[module.one]\nsource = \"./team\"\nvar.name = \"one\"\n[module.two]\nsource = \"./team\"\nvar.name = \"two\"\n"
    ))
    .await;
    stack.write("team/module.toml", TEAM);
    stack.apply().await;
    let made = stack.sweep().await;
    assert_eq!(made.len(), 4, "{made:?}");

    // Into another module, which gives them keys: nothing is written to AWS.
    stack.write(
        "stack.toml",
        &format!(
            "{HEAD}[module.all]\nsource = \"./all\"\nvar.names = [\"one\", \"two\"]\n\
             moved_from = {{ 'module.team[\"one\"]' = \"module.one\", 'module.team[\"two\"]' = \"module.two\" }}\n"
        ),
    );
    stack.write(
        "all/module.toml",
        "[var.names]\ntype = \"list(string)\"\n[module.team]\nsource = \"../team\"\nfor_each = \"${var.names}\"\nvar.name = \"${each.key}\"\n",
    );
    let before = stack.proxy.requests().len();
    stack.run(&["plan"]).await.exits(0).says(&["4 moved", r#"module.all.module.team["one"].iam.group.team"#]);
    stack.apply().await;
    assert!(!stack.proxy.requests()[before..].iter().any(writes), "a move writes nothing to AWS");
    assert_eq!(stack.sweep().await, made);

    // Another key before the others, and one taken from the middle: only they are made and deleted.
    let names = |names: &str| format!("{HEAD}[module.all]\nsource = \"./all\"\nvar.names = {names}\n");
    stack.write("stack.toml", &names(r#"["zero", "one", "two"]"#));
    stack
        .run(&["plan"])
        .await
        .exits(0)
        .says(&["2 to create", r#"module.team["zero"]"#])
        .does_not_say(&["[\"one\"]", "[\"two\"]"]);
    stack.apply().await;
    stack.write("stack.toml", &names(r#"["two", "zero"]"#));
    stack.run(&["plan"]).await.exits(0).says(&["2 to delete", "4 unchanged", r#"module.team["one"]"#]);
    stack.apply().await;
    stack.settled().await;
    stack.destroy().await;
    assert_eq!(stack.sweep().await, BTreeSet::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn environments_are_applied_listed_and_destroyed_on_their_own() {
    let stack = copied(&example("environments")).await;
    for environment in ["dev", "staging", "prod"] {
        stack.ok(&["apply", "--yes", "--env", environment]).await;
    }
    stack.ok(&["env", "list"]).await.says(&["dev", "staging", "prod", "3 resources", "2 resources"]);
    let swept = stack.sweep().await;
    let names =
        ["dev", "staging", "prod"].map(|name| format!("s3.bucket example-environments-{name}-data-{}", stack.account));
    assert!(names.iter().all(|name| swept.contains(name)), "{swept:?}");
    // One goes, the others stay as they are.
    stack.ok(&["destroy", "--yes", "--env", "staging"]).await;
    stack.ok(&["plan", "--env", "dev", "--detailed-exitcode"]).await.exits(0);
    stack.ok(&["plan", "--env", "prod", "--detailed-exitcode"]).await.exits(0);
    assert!(!stack.sweep_in(&stack.account, "eu-west-1").await.iter().any(|one| one.contains("staging")));

    // It may not slip into another region.
    let text = stack.read("stack.toml");
    let (head, prod) = text.split_once("[env.prod]").unwrap();
    stack.write("stack.toml", &format!("{head}[env.prod]{}", prod.replace("eu-west-1", "eu-west-2")));
    let before = stack.proxy.requests().len();
    stack.run(&["apply", "--yes", "--env", "prod"]).await.exits(1).says(&["S3S-G3", "eu-west-1", "eu-west-2"]);
    assert!(!stack.proxy.requests()[before..].iter().any(writes));
    stack.write("stack.toml", &text);

    // Nor share a name with another environment.
    stack.write("stack.toml", &text.replace("\"/${stack.name}/${env}/app\"", "\"/shared/app\""));
    stack.ok(&["apply", "--yes", "--env", "dev"]).await;
    stack.write(
        "stack.toml",
        &text.replace("\"/${stack.name}/${env}/app\"", "\"/shared/app\"").replace("eu-west-1", "us-east-1"),
    );
    stack.ok(&["destroy", "--yes", "--env", "prod"]).await;
    stack.run(&["apply", "--yes", "--env", "prod"]).await.exits(1).says(&["/shared/app", "import"]);
    stack.ok(&["destroy", "--yes", "--env", "dev"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_stack_uses_the_outputs_of_another_and_what_it_made() {
    let _held = FIXED_NAMES.lock().await;
    let stack = Stack::new("").await;
    copy(&example("two-stacks"), &stack.folder);
    // The other stack was never applied.
    let early = stack.run(&["plan", "app"]).await.exits(1).says(&["S3S-S9", "[remote.core]", "apply that stack first"]);
    drop(early);
    stack.ok(&["apply", "core", "--yes"]).await;
    stack.ok(&["apply", "app", "--yes"]).await.says(&["retention = 30"]);
    let swept = stack.sweep().await;
    assert!(
        swept.contains("iam.group example-app-team-sales") && swept.contains("iam.role example-app-reader"),
        "{swept:?}"
    );
    stack.run(&["plan", "app", "--detailed-exitcode"]).await.exits(0);
    // What was looked up is not there any more.
    let text = stack.read("app/stack.toml");
    stack.write("app/stack.toml", &text.replace("\"archive\" }", "\"else\" }"));
    stack.run(&["plan", "app"]).await.exits(1).says(&["S3S-X3", "Purpose = else"]);
    stack.write("app/stack.toml", &text);
    stack.ok(&["destroy", "app", "--yes"]).await;
    stack.ok(&["destroy", "core", "--yes"]).await;
    assert_eq!(stack.sweep().await, BTreeSet::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_another_account_is_deleted_after_its_blocks_are_gone() {
    let _held = FIXED_NAMES.lock().await;
    let stack = copied(&example("accounts")).await;
    stack.run(&["plan"]).await.exits(0).says(&["in eu-west-1, account 210987654321", "in eu-central-1"]);
    stack.apply().await;
    let there = stack.sweep_in("210987654321", "eu-west-1").await;
    assert_eq!(there.len(), 3, "{there:?}");
    // The stack itself may not slip into the other account, which the state knows a way into.
    let text = stack.read("stack.toml");
    stack.write("stack.toml", &format!("{text}\n[env.default]\naccount = \"audit\"\n"));
    stack.run(&["plan"]).await.exits(1).says(&["S3S-G2", "210987654321"]);
    stack.write("stack.toml", "[stack]\nname = \"example-accounts\"\nregion = \"us-east-1\"\n[s3.bucket.data]\n");
    stack.run(&["plan"]).await.exits(0).says(&["5 to delete"]);
    stack.apply().await;
    assert_eq!(stack.sweep_in("210987654321", "eu-west-1").await, BTreeSet::new());
    stack.destroy().await;
}
