//! Pictures of a stack.

use std::path::Path;

use serde_json::Value as Json;

use super::stacks::TEXT;
use crate::support::stack::{Stack, writes};

/// A stack of this repository, and its picture that the README shows.
fn shown() -> (String, String) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let picture = std::fs::read_to_string(root.join("docs/pulse-retrodiction.svg")).unwrap();
    (root.join("stacks/pulse-retrodiction").display().to_string(), picture)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_is_drawn_in_each_format_without_a_call() {
    let stack = Stack::new("").await;
    let (folder, picture) = shown();
    let drawn = |format: &'static str| {
        let (stack, folder) = (&stack, folder.as_str());
        async move { stack.ok(&["graph", folder, "--format", format]).await.stdout }
    };
    let dot = drawn("dot").await;
    assert!(dot.starts_with("digraph \"pulse-retrodiction\" {\n"), "{dot}");
    assert!(dot.contains("\"iam.role.s3_access\" -> \"iam.policy.s3_access\" [label=\"policies\""), "{dot}");
    assert!(dot.contains("\"iam.policy.s3_access\" -> \"s3.bucket.data\" [label=\"grants\", style=dashed"), "{dot}");
    assert_eq!(stack.ok(&["graph", &folder]).await.stdout, dot);
    let mermaid = drawn("mermaid").await;
    assert!(mermaid.starts_with("flowchart LR\n") && mermaid.contains("-->|\"policies\"|"), "{mermaid}");
    assert_eq!(drawn("svg").await, picture, "docs/pulse-retrodiction.svg is old: `s3stack graph` makes it anew");
    let document: Json = serde_json::from_str(&stack.ok(&["graph", &folder, "--json"]).await.stdout).unwrap();
    assert_eq!(document["nodes"].as_array().unwrap().len(), 5);
    assert_eq!(document["edges"].as_array().unwrap().iter().filter(|edge| edge["waits"] == true).count(), 2);
    stack.run(&["graph", &folder, "--format", "gif"]).await.exits(64);
    assert_eq!(stack.proxy.requests().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_stack_is_told_and_not_drawn() {
    let stack = Stack::new("[stack]\nname = \"x\"\n[s3.bucket.a]\nversionin = true\n").await;
    let ran = stack.refused(&["graph"]).await.says(&["versioning"]);
    assert_eq!(ran.stdout, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_drawn_with_what_it_does() {
    let stack = Stack::new(TEXT).await;
    stack.apply().await;
    stack.proxy.reset();
    stack.ok(&["graph", "--plan"]).await.says(&["s3.bucket.data", "no change"]);
    stack.write(
        "stack.toml",
        &format!("{}\n[s3.bucket.other]\n", TEXT.replace("versioning = true", "versioning = false")),
    );
    let svg = stack.ok(&["graph", "--plan", "--format", "svg"]).await.stdout;
    for word in ["class=\"node create\"", "class=\"node change\"", ">+</text>", ">~</text>", "create (1)", "change (1)"]
    {
        assert!(svg.contains(word), "{word}: {svg}");
    }
    stack.write("stack.toml", "[stack]\nname = \"shown\"\nregion = \"us-east-1\"\n");
    stack.ok(&["graph", "--plan", "--format", "mermaid"]).await.says(&["s3.bucket.data", "delete", "classDef"]);
    assert_eq!(stack.proxy.count(writes), 0);
}
