//! Trouble that nobody can plan round: credentials, accounts, permissions, strangers, states that cannot be used. Each
//! ends with a word of what to do, and without a writing request.

use aws_sdk_s3::primitives::ByteStream;

use super::stacks::{BUCKET, TEN};
use super::together::with_bucket;
use crate::support::proxy::{Action, Reply, Request};
use crate::support::stack::{Stack, described, writes};

#[tokio::test(flavor = "multi_thread")]
async fn no_credentials() {
    let stack = Stack::new(BUCKET).await;
    let mut command = stack.command(&["plan"]);
    command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
    let ran = Stack::start_command(command).ends().await.exits(1);
    ran.says(&["credentials", "AWS_PROFILE"]);
    assert_eq!(stack.proxy.requests().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_that_does_not_exist() {
    let stack = Stack::new(BUCKET).await;
    let mut command = stack.command(&["plan"]);
    command.env("AWS_PROFILE", "nosuchprofile").env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
    Stack::start_command(command).ends().await.exits(1).says(&["nosuchprofile"]);
}

fn of_s3(request: &Request) -> bool {
    request.header("authorization").is_some_and(|value| value.contains("/s3/"))
}

#[tokio::test(flavor = "multi_thread")]
async fn expired_credentials() {
    let stack = Stack::new(BUCKET).await;
    stack.proxy.always(|_| true, Action::Refuse(Reply::query(403, "ExpiredToken")));
    let ran = stack.refused(&["apply", "--yes"]).await;
    ran.says(&["ExpiredToken", "renew the credentials", "PROXY1"]);
}

/// From every third request on: the run stops, says how to go on, and the next one goes on.
#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_expire_half_way() {
    let total = {
        let stack = Stack::new(TEN).await;
        stack.apply().await;
        stack.proxy.requests().len()
    };
    // Not up to the last: how many there are differs by a few, with what has to be asked twice.
    for from in (1..total - 8).step_by(6) {
        let stack = Stack::new(TEN).await;
        let after = move |request: &Request| request.index >= from;
        let (xml, query) = (Reply::xml(400, "ExpiredToken"), Reply::query(403, "ExpiredToken"));
        stack.proxy.always(move |request| after(request) && of_s3(request), Action::Refuse(xml));
        stack.proxy.always(after, Action::Refuse(query));
        let ran = stack.run(&["apply", "--yes"]).await;
        let sent: Vec<String> = stack.proxy.requests().iter().map(described).collect();
        let ran = ran.exits(1).says(&["ExpiredToken", "renew the credentials"]);
        // Each operation under way may hear it once; nothing new starts after that.
        let refused = stack.proxy.count(after);
        assert!(refused <= 20, "{refused} calls with dead credentials: {sent:#?}\n{ran}");
        stack.proxy.behave();
        stack.apply().await;
        stack.settled().await;
        assert_eq!(stack.sweep().await, Stack::stated(&stack.state()), "from {from}: {sent:#?}\n{ran}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_account_than_the_stack_names() {
    let stack =
        Stack::new(&BUCKET.replace("region = \"us-east-1\"", "region = \"us-east-1\"\naccount_id = \"999988887777\""))
            .await;
    for command in [&["plan"][..], &["apply", "--yes"], &["destroy", "--yes"]] {
        stack.refused(command).await.says(&["999988887777", &stack.account, "AWS_PROFILE"]);
    }
    // Nothing but the question who the caller is.
    assert_eq!(stack.proxy.count(|request| !String::from_utf8_lossy(&request.body).contains("GetCallerIdentity")), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_account_than_state_has() {
    let stack = Stack::new(BUCKET).await;
    stack.apply().await;
    let mut command = stack.command(&["apply", "--yes"]);
    command.env("AWS_ACCESS_KEY_ID", "111122223333");
    stack.proxy.reset();
    let ran = Stack::start_command(command).ends().await.exits(1);
    ran.says(&["111122223333", &stack.account]);
    assert_eq!(stack.proxy.count(writes), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_region_that_does_not_exist_and_none_at_all() {
    let stack = Stack::new(&BUCKET.replace("us-east-1", "us east 1")).await;
    stack.refused(&["plan"]).await.says(&["us east 1", "region"]);
    let stack = Stack::new(&BUCKET.replace("region = \"us-east-1\"", "")).await;
    stack.refused(&["plan"]).await.says(&["region", "[stack]", "AWS_REGION"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_of_that_name_that_is_not_ours() {
    let stack = Stack::new(BUCKET).await;
    let name = format!("live-data-{}", stack.account);
    stack.s3().await.create_bucket().bucket(&name).send().await.unwrap();
    for command in [&["plan"][..], &["apply", "--yes"]] {
        stack.refused(command).await.says(&["s3.bucket.data", &name, &format!("import = \"{name}\"")]);
    }
    // Another account's: 403 is all that S3 says.
    let stack = Stack::new("").await;
    let text = BUCKET.replace("versioning = true", &format!("name = \"{name}\""));
    stack.write("stack.toml", &text);
    stack.refused(&["plan"]).await.says(&["s3.bucket.data", &name, "another name"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_of_that_name_that_is_not_ours() {
    let stack = Stack::new(TEN).await;
    let iam = stack.iam().await;
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
    iam.create_role().role_name("ten-reader").assume_role_policy_document(trust).send().await.unwrap();
    stack.refused(&["apply", "--yes"]).await.says(&["iam.role.reader", "import = \"ten-reader\""]);
    assert_eq!(stack.sweep().await, ["iam.role ten-reader".to_owned()].into());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_that_is_denied_is_neither_missing_nor_equal() {
    let stack = Stack::new(BUCKET).await;
    stack.apply().await;
    let changed = stack.read("stack.toml").replace("versioning = true", "versioning = false");
    stack.write("stack.toml", &changed);
    stack.proxy.always(|request| request.query.contains("versioning"), Action::Refuse(Reply::xml(403, "AccessDenied")));
    stack.proxy.reset();
    stack.proxy.always(|request| request.query.contains("versioning"), Action::Refuse(Reply::xml(403, "AccessDenied")));
    for command in [&["plan", "--detailed-exitcode"][..], &["apply", "--yes"]] {
        let ran = stack.run(command).await.exits(1);
        ran.says(&["Not planned", "s3.bucket.data", "AccessDenied", "PROXY1", "allow s3:GetBucketVersioning"]);
    }
    assert_eq!(stack.proxy.count(writes), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_is_denied_says_what_to_allow_and_the_rest_goes_on() {
    let stack =
        Stack::new(&format!("{BUCKET}\n[s3.bucket.other]\n[s3.bucket.after]\ndepends_on = [\"s3.bucket.data\"]\n"))
            .await;
    let versioning = |request: &Request| request.method == "PUT" && request.query.contains("versioning");
    stack.proxy.always(versioning, Action::Refuse(Reply::xml(403, "AccessDenied")));
    let ran = stack.run(&["apply", "--yes"]).await.exits(1);
    let ran = ran.says(&["s3.bucket.data", "AccessDenied", "s3:PutBucketVersioning", "PROXY1", "s3.bucket.after"]);
    let found = stack.sweep().await;
    assert!(found.contains(&format!("s3.bucket live-other-{}", stack.account)), "{ran}");
    assert!(!found.contains(&format!("s3.bucket live-after-{}", stack.account)), "{ran}");
    stack.proxy.behave();
    stack.apply().await;
    stack.settled().await;
    assert_eq!(stack.sweep().await, Stack::stated(&stack.state()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_bucket_that_is_not_there() {
    let stack = Stack::new("").await;
    stack.write("stack.toml", &format!("{BUCKET}\n[backend.s3]\nbucket = \"missing-{}\"\n", stack.account));
    for command in [&["plan"][..], &["apply", "--yes"], &["destroy", "--yes"], &["state", "list"], &["output"]] {
        stack.refused(command).await.says(&[&format!("missing-{}", stack.account), "init --backend"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_bucket_that_denies() {
    let stack = with_bucket(BUCKET).await;
    stack.proxy.always(|request| request.path.contains("/state/"), Action::Refuse(Reply::xml(403, "AccessDenied")));
    stack.refused(&["apply", "--yes"]).await.says(&["AccessDenied", "s3:GetObject", "PROXY1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_cannot_be_used() {
    let stack = Stack::new(BUCKET).await;
    stack.apply().await;
    let good = stack.read(".s3stack/state/default/state.json");
    let newer = good.replacen("\"format\": 1", "\"format\": 2", 1);
    let newer = if newer == good { good.replacen("\"format\":1", "\"format\":2", 1) } else { newer };
    assert_ne!(newer, good);
    let cases = [
        (newer, "a later one"),
        ("{".to_owned(), "restore"),
        (String::new(), "restore"),
        ("null".to_owned(), "restore"),
        (good[..good.len() / 2].to_owned(), "restore"),
        (format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)), "restore"),
        (good.replacen("\"serial\"", "\"cereal\"", 1), "restore"),
    ];
    for (text, word) in cases {
        stack.write(".s3stack/state/default/state.json", &text);
        for command in [&["plan"][..], &["apply", "--yes"], &["destroy", "--yes"]] {
            stack.refused(command).await.says(&[".s3stack/state/default", word]);
        }
    }
    // The way out that the message names.
    stack.write(".s3stack/state/default/state.json", "{");
    let last = stack.ok(&["state", "history"]).await.stdout.lines().last().unwrap().trim().to_owned();
    let serial = last.split_whitespace().next().unwrap().to_owned();
    stack.ok(&["state", "restore", &serial]).await;
    stack.settled().await;
    // Missing is not fresh: what is there would be made again.
    std::fs::remove_file(stack.path(".s3stack/state/default/state.json")).unwrap();
    stack.refused(&["apply", "--yes"]).await.says(&["state", "restore"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_of_another_stack() {
    let stack = Stack::new(BUCKET).await;
    stack.apply().await;
    stack.write("stack.toml", &BUCKET.replace("\"live\"", "\"other\""));
    stack.refused(&["apply", "--yes"]).await.says(&["live", "other"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_in_a_bucket_that_is_gone_is_no_fresh_start() {
    let stack = with_bucket(BUCKET).await;
    stack.apply().await;
    let (s3, name) = (stack.s3().await, format!("state-{}", stack.account));
    s3.delete_object().bucket(&name).key("state/live/default.json").send().await.unwrap();
    stack.refused(&["apply", "--yes"]).await.says(&["state/live/default.json"]);
    s3.put_object()
        .bucket(&name)
        .key("state/live/default.json")
        .body(ByteStream::from_static(b"garbage"))
        .send()
        .await
        .unwrap();
    stack.refused(&["apply", "--yes"]).await.says(&["restore"]);
}
