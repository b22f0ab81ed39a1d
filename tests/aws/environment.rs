//! What the environment of the process says. Each test runs itself again as a process with an environment of its own.

use std::process::Command;

use s3stack::aws::{Clients, Settings};
use s3stack_engine::fault::{Fault, FaultKind};

use crate::get_versioning;
use crate::server::{Reply, Server};

const CHILD: &str = "S3STACK_TEST_CHILD";

/// Runs test `name` of this module again with `environment` and nothing else, and returns what it printed.
fn again(name: &str, environment: &[(&str, &str)]) -> String {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("environment::{name}"), "--nocapture", "--test-threads=1"])
        .env_clear()
        .env(CHILD, "1")
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    text
}

fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

/// The first call of every command, with the settings of a user who gave no option.
async fn first_call() -> Fault {
    let clients = Clients::load(Settings { policy: crate::hasty(), ..Settings::default() }).await.unwrap();
    clients.caller_identity().await.unwrap_err()
}

#[tokio::test]
async fn without_credentials_the_next_step_is_named() {
    if is_child() {
        let fault = first_call().await;
        assert_eq!(fault.kind, FaultKind::Denied, "{fault}");
        assert!(fault.message.contains("AWS_PROFILE"), "{fault}");
        assert!(fault.message.contains("aws sso login"), "{fault}");
        return;
    }
    let name = "without_credentials_the_next_step_is_named";
    // Once with the metadata service switched off, once with none listening.
    again(name, &[("AWS_REGION", "us-east-1"), ("AWS_EC2_METADATA_DISABLED", "true")]);
    let nobody = ("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1");
    again(name, &[("AWS_REGION", "us-east-1"), nobody, ("HTTP_PROXY", "http://127.0.0.1:1")]);
}

#[tokio::test]
async fn without_a_region_the_next_step_is_named() {
    if is_child() {
        let fault = first_call().await;
        assert_eq!(fault.kind, FaultKind::Invalid, "{fault}");
        assert!(fault.message.contains("AWS_REGION"), "{fault}");
        return;
    }
    again("without_a_region_the_next_step_is_named", &[]);
    again("without_a_region_the_next_step_is_named", &[("AWS_REGION", "")]);
}

#[tokio::test]
async fn an_ended_sign_in_names_its_command() {
    if is_child() {
        let fault = first_call().await;
        assert_eq!(fault.kind, FaultKind::Expired, "{fault}");
        assert!(fault.message.contains("`aws sso login --profile dev`"), "{fault}");
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let cache = home.path().join(".aws/sso/cache");
    std::fs::create_dir_all(&cache).unwrap();
    std::fs::write(
        home.path().join(".aws/config"),
        "[profile dev]\nsso_session = s\nsso_account_id = 123456789012\nsso_role_name = r\nregion = eu-west-1\n\
         [sso-session s]\nsso_region = eu-west-1\nsso_start_url = https://example.awsapps.com/start\n",
    )
    .unwrap();
    // The file is named by the SHA-1 of the session's name, `s`.
    std::fs::write(
        cache.join("a0f1490a20d0211c997b44bc357e1972deab8ae3.json"),
        r#"{"accessToken":"x","expiresAt":"2020-01-01T00:00:00Z","region":"eu-west-1","startUrl":"https://example.awsapps.com/start"}"#,
    )
    .unwrap();
    let home = home.path().to_str().unwrap();
    let off = ("AWS_EC2_METADATA_DISABLED", "true");
    again("an_ended_sign_in_names_its_command", &[("HOME", home), ("AWS_PROFILE", "dev"), off]);
}

#[tokio::test]
async fn an_unknown_profile_is_named() {
    if is_child() {
        let fault = first_call().await;
        assert_eq!(fault.kind, FaultKind::Denied, "{fault}");
        assert!(fault.message.contains("nowhere"), "{fault}");
        return;
    }
    let off = ("AWS_EC2_METADATA_DISABLED", "true");
    again("an_unknown_profile_is_named", &[("AWS_PROFILE", "nowhere"), ("AWS_REGION", "us-east-1"), off]);
}

#[tokio::test]
async fn a_bundle_that_cannot_be_read_is_an_error() {
    if is_child() {
        let error = Clients::load(Settings::default()).await.unwrap_err();
        assert!(error.to_string().contains("/nowhere/bundle.pem"), "{error}");
        return;
    }
    again("a_bundle_that_cannot_be_read_is_an_error", &[("AWS_CA_BUNDLE", "/nowhere/bundle.pem")]);
}

const KEYS: [(&str, &str); 3] =
    [("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "secret"), ("AWS_REGION", "eu-west-1")];

#[tokio::test]
async fn the_environments_endpoint_is_used_with_the_bucket_in_the_path() {
    if is_child() {
        let clients = Clients::load(Settings::default()).await.unwrap();
        get_versioning(&clients.home().unwrap()).await.unwrap();
        return;
    }
    for variable in ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"] {
        let server = Server::start(vec![Reply::xml(200, "<VersioningConfiguration/>")]).await;
        let environment = [&KEYS[..], &[(variable, server.url.as_str())]].concat();
        child("the_environments_endpoint_is_used_with_the_bucket_in_the_path", environment).await;
        let requests = server.requests();
        assert_eq!(requests.len(), 1);
        assert!(requests[0].line.starts_with("GET /bucket/?versioning"), "{variable}: {}", requests[0].line);
        assert!(requests[0].headers.contains("akidexample/"), "{}", requests[0].headers);
        assert!(requests[0].headers.contains("/eu-west-1/s3/aws4_request"), "{}", requests[0].headers);
    }
}

#[tokio::test]
async fn expired_keys_of_the_environment_name_its_variables() {
    if is_child() {
        let fault = first_call().await;
        assert_eq!(fault.kind, FaultKind::Expired, "{fault}");
        assert!(fault.message.starts_with("The security token included in the request is expired; "), "{fault}");
        assert!(fault.message.contains("AWS_SESSION_TOKEN"), "{fault}");
        return;
    }
    let text = "The security token included in the request is expired";
    let server = Server::start(vec![Reply::query(403, "ExpiredToken", text)]).await;
    let environment = [&KEYS[..], &[("AWS_ENDPOINT_URL", server.url.as_str())]].concat();
    child("expired_keys_of_the_environment_name_its_variables", environment).await;
}

#[tokio::test]
async fn the_environments_proxy_is_used() {
    if is_child() {
        let clients = Clients::load(Settings::default()).await.unwrap();
        get_versioning(&clients.home().unwrap()).await.unwrap();
        return;
    }
    let proxy = Server::start(vec![Reply::xml(200, "<VersioningConfiguration/>")]).await;
    let variables = [("HTTP_PROXY", proxy.url.as_str()), ("AWS_ENDPOINT_URL", "http://aws.example.test")];
    child("the_environments_proxy_is_used", [&KEYS[..], &variables].concat()).await;
    assert_eq!(proxy.requests()[0].line, "GET http://aws.example.test/bucket/?versioning HTTP/1.1");

    // An address on this machine is never asked of a proxy.
    let server = Server::start(vec![Reply::xml(200, "<VersioningConfiguration/>")]).await;
    let variables = [("HTTP_PROXY", proxy.url.as_str()), ("AWS_ENDPOINT_URL", server.url.as_str())];
    child("the_environments_proxy_is_used", [&KEYS[..], &variables].concat()).await;
    assert_eq!((proxy.requests().len(), server.requests().len()), (1, 1));
}

#[tokio::test]
async fn a_proxy_for_tls_is_asked_for_a_tunnel_and_its_refusal_sends_nothing() {
    if is_child() {
        let clients = Clients::load(Settings { policy: crate::hasty(), ..Settings::default() }).await.unwrap();
        let fault = crate::create_bucket(&clients.home().unwrap()).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Other, "{fault}");
        return;
    }
    let proxy = Server::start(vec![Reply::bare(403, vec![])]).await;
    let variables = [("HTTPS_PROXY", proxy.url.as_str())];
    let name = "a_proxy_for_tls_is_asked_for_a_tunnel_and_its_refusal_sends_nothing";
    child(name, [&KEYS[..], &variables].concat()).await;
    assert!(
        proxy.requests()[0].line.starts_with("CONNECT bucket.s3.eu-west-1.amazonaws.com:443 "),
        "{:?}",
        proxy.requests()
    );
}

/// [`again`] beside the servers of this test, which need this thread.
async fn child(name: &'static str, environment: Vec<(&str, &str)>) {
    let environment: Vec<(String, String)> =
        environment.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
    tokio::task::spawn_blocking(move || {
        let environment: Vec<(&str, &str)> =
            environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        again(name, &environment)
    })
    .await
    .unwrap();
}
