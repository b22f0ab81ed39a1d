//! What can be told of a key and its lines without AWS.

use std::collections::BTreeMap;

use s3stack_engine::address::{Address, Path};
use s3stack_engine::schema::Removal;
use s3stack_engine::schema::validate::validate;
use s3stack_engine::value::{Map, Secret, Unknown, Value};

use super::access_key::TYPE;
use super::env::Wanted;
use super::lines::{self, Made};
use crate::env_file::EnvText;
use crate::resources::testing::problems;
use s3stack_engine::file::FileContent;
use s3stack_engine::resource::{Contribution, Facts, Resource, ResourceType, Surroundings};

const ID: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYCANARY";

fn own() -> Address {
    Address::root("iam.access_key", "it")
}

fn attribute(name: &str) -> Value {
    Value::from(Unknown::Attribute { address: own(), name: name.into(), sensitive: name == "secret" })
}

/// What evaluation makes of a template; `id` once it is known.
fn template(source: &str, id: Option<&str>, others: &[(&str, &str)]) -> Value {
    let mut scope = Map::from([("self.secret".to_owned(), attribute("secret"))]);
    let source = match id {
        Some(id) => source.replace("${self.id}", id),
        None => {
            scope.insert("self.id".into(), attribute("id"));
            source.to_owned()
        }
    };
    scope.extend(others.iter().map(|(key, value)| ((*key).to_owned(), Value::from(*value))));
    Value::from(Unknown::Expression { source, scope })
}

fn made(secret: Option<&'static str>) -> (Address, &'static str, Option<&'static str>) {
    (own(), ID, secret)
}

fn text_of(line: &Value) -> String {
    let (own, id, secret) = made(Some(SECRET));
    lines::text(line, Made { own: &own, id, secret }).unwrap()
}

/// The lines of the seeds' stack, as they are managed.
fn set(id: Option<&str>) -> Map {
    let own = own();
    let id_line = id.map_or_else(|| attribute("id"), Value::from);
    let lines = [
        ("AWS_ACCESS_KEY_ID", id_line),
        ("AWS_SECRET_ACCESS_KEY", attribute("secret")),
        ("URL", template("s3://${self.id}:${self.secret}@b", id, &[])),
        ("AWS_REGION", "eu-west-1".into()),
    ];
    lines.into_iter().map(|(name, value)| (name.to_owned(), lines::managed(&value, &own, id))).collect()
}

fn file(id: &str, secret: &str) -> EnvText {
    let text = format!(
        "OTHER=1\nAWS_ACCESS_KEY_ID={id}\nAWS_SECRET_ACCESS_KEY={secret}\nURL=s3://{id}:{secret}@b\nAWS_REGION=eu-west-1\n"
    );
    EnvText::parse(text.as_bytes())
}

#[test]
fn a_recipe_says_how_and_not_what_and_is_the_same_before_and_after() {
    let (before, after) = (set(None), set(Some(ID)));
    assert_eq!(before["AWS_SECRET_ACCESS_KEY"], Value::map([("secret", Value::from("${self.secret}"))]));
    assert_eq!(before["URL"], Value::map([("secret", Value::from("s3://${self.id}:${self.secret}@b"))]));
    assert_eq!(before["URL"], after["URL"]);
    assert_eq!(before["AWS_ACCESS_KEY_ID"], attribute("id"));
    // Everything in it can be stored.
    assert!(before.values().all(|line| serde_json::to_string(line).is_ok()));
    assert!(before["URL"].is_known());
}

#[test]
fn a_recipe_is_carried_out_once_the_secret_is_there() {
    let set = set(None);
    assert_eq!(text_of(&set["AWS_ACCESS_KEY_ID"]), ID);
    assert_eq!(text_of(&set["AWS_SECRET_ACCESS_KEY"]), SECRET);
    assert_eq!(text_of(&set["URL"]), format!("s3://{ID}:{SECRET}@b"));
    assert_eq!(text_of(&set["AWS_REGION"]), "eu-west-1");
}

#[test]
fn a_recipe_may_name_the_key_by_its_address_and_other_things_too() {
    let scope = [
        ("iam.access_key.it.secret", attribute("secret")),
        ("iam.access_key.it.id", attribute("id")),
        ("var.host", "h".into()),
    ];
    let source = "${iam.access_key.it.id}/${iam.access_key.it.secret}/${upper(var.host)}".to_owned();
    let scope: Map = scope.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    let value = Value::from(Unknown::Expression { source, scope });
    let line = lines::managed(&value, &own(), None);
    assert_eq!(text_of(&line), format!("{ID}/{SECRET}/H"));
    assert!(lines::gives_secret_back(&line));
    assert_eq!(lines::secret_in(&line, &own(), ID, &text_of(&line)).as_deref(), Some(SECRET));
}

#[test]
fn a_text_that_looks_like_a_recipe_is_none() {
    let line = lines::managed(&Value::from("${self.secret}"), &own(), None);
    assert_eq!(text_of(&line), "${self.secret}");
    assert!(!lines::is_recipe(&line));
}

#[test]
fn the_secret_comes_out_of_the_line_it_went_into() {
    let set = set(Some(ID));
    for name in ["AWS_SECRET_ACCESS_KEY", "URL"] {
        let text = text_of(&set[name]);
        assert_eq!(lines::secret_in(&set[name], &own(), ID, &text).as_deref(), Some(SECRET), "{name}");
        assert_eq!(lines::secret_in(&set["URL"], &own(), ID, "other"), None);
    }
    let wrapped = lines::managed(&template("${base64encode(self.secret)}", None, &[]), &own(), None);
    assert!(!lines::gives_secret_back(&wrapped), "it cannot be seen through a function");
    let twice = lines::managed(&template("${self.secret}${self.secret}", None, &[]), &own(), None);
    assert!(!lines::gives_secret_back(&twice));
}

#[test]
fn errors_of_expressions_tell_no_secret() {
    let line = lines::managed(&template("${tonumber(self.secret)}", None, &[]), &own(), None);
    let (own, id, secret) = made(Some(SECRET));
    let fault = lines::text(&line, Made { own: &own, id, secret }).unwrap_err();
    assert!(!format!("{fault:?}").contains("CANARY"), "{fault:?}");
}

#[test]
fn the_secret_in_the_file_is_the_keys_or_it_is_lost() {
    let (own, set) = (own(), set(Some(ID)));
    let wanted = Wanted { own: &own, path: ".env", set: &set };
    let digest = lines::digest(ID, SECRET);
    let good = file(ID, SECRET);
    assert_eq!(wanted.secret(Some(&good), ID, Some(&digest)).as_deref(), Ok(SECRET));
    assert_eq!(wanted.secret(Some(&good), ID, None).as_deref(), Ok(SECRET), "by the id beside it");
    assert_eq!(wanted.secret(None, ID, Some(&digest)), Err("lost: there is no .env".into()));
    let other = file(ID, "wJalrXUtnFEMI/short");
    let lost = wanted.secret(Some(&other), ID, Some(&digest)).unwrap_err();
    assert!(lost.ends_with("in .env is not this key's"), "{lost}");
    let anothers = file("AKIAI44QH8DHBEXAMPLE", SECRET);
    assert!(wanted.secret(Some(&anothers), ID, None).is_err());
    let empty = EnvText::parse(b"OTHER=1\n");
    assert_eq!(wanted.secret(Some(&empty), ID, None), Err("lost: .env has no line with it".into()));
    // One good copy is enough.
    let mut half = file(ID, SECRET);
    half.remove("AWS_SECRET_ACCESS_KEY");
    assert_eq!(wanted.secret(Some(&half), ID, Some(&digest)).as_deref(), Ok(SECRET));
}

#[test]
fn lines_that_are_right_equal_what_is_wanted_and_others_are_not_shown() {
    let (own, set) = (own(), set(Some(ID)));
    let wanted = Wanted { own: &own, path: ".env", set: &set };
    assert_eq!(wanted.live(Some(&file(ID, SECRET)), ID, Some(SECRET)), set);
    let mut changed = file(ID, SECRET);
    changed.set("AWS_REGION", "pasted-CANARY");
    changed.set("URL", "s3://old-CANARY@b");
    changed.remove("AWS_ACCESS_KEY_ID");
    let live = wanted.live(Some(&changed), ID, Some(SECRET));
    assert_eq!(live.len(), 3);
    assert!(!format!("{live:?}").contains("CANARY"), "{live:?}");
    assert_ne!(live["AWS_REGION"], set["AWS_REGION"]);
    assert_ne!(live["URL"], set["URL"]);
}

#[test]
fn another_keys_lines_stay_when_this_one_goes() {
    let (own, set) = (own(), set(Some(ID)));
    let wanted = Wanted { own: &own, path: ".env", set: &set };
    let digest = lines::digest(ID, SECRET);
    let mut ours = file(ID, SECRET);
    wanted.remove(&mut ours, ID, Some(&digest));
    assert_eq!(ours.to_bytes(), b"OTHER=1\n");
    let replaced = file("AKIAI44QH8DHBEXAMPLE", "je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY");
    let mut after = replaced.clone();
    wanted.remove(&mut after, ID, Some(&digest));
    assert!(after == replaced);
    // The names of the new key's lines are others, but for one.
    let mut mixed = replaced;
    mixed.set("AWS_ACCESS_KEY_ID", ID);
    wanted.remove(&mut mixed, ID, Some(&digest));
    assert_eq!(mixed.get("AWS_ACCESS_KEY_ID"), None);
    assert!(mixed.get("AWS_SECRET_ACCESS_KEY").is_some() && mixed.get("AWS_REGION").is_some());
}

#[test]
fn a_strangers_key_is_kept_as_a_comment_and_the_users_own_is_not() {
    let (own, set) = (own(), set(None));
    let wanted = Wanted { own: &own, path: ".env", set: &set };
    let mut strangers = file("AKIAI44QH8DHBEXAMPLE", "secret-of-somebody");
    wanted.shelve_others(&mut strangers, &[ID]);
    let text = String::from_utf8(strangers.to_bytes()).unwrap();
    assert!(text.contains("# kept by s3stack: AWS_SECRET_ACCESS_KEY=secret-of-somebody\n"), "{text}");
    assert!(text.contains("\nAWS_REGION=eu-west-1\n"), "{text}");
    let mut ours = file(ID, SECRET);
    wanted.shelve_others(&mut ours, &[ID, "AKIAI44QH8DHBEXAMPLE"]);
    assert!(ours == file(ID, SECRET));
}

struct Nothing(Facts);

impl Surroundings for Nothing {
    fn facts(&self) -> &Facts {
        &self.0
    }

    fn resource(&self, _: &Address) -> Option<(&Resource, &dyn ResourceType)> {
        None
    }

    fn contributions(&self, _: &Address) -> &[Contribution] {
        &[]
    }

    fn file(&self, path: &str) -> Result<std::sync::Arc<FileContent>, String> {
        Err(format!("there is no {path}"))
    }
}

fn around() -> Nothing {
    Nothing(Facts {
        partition: "aws".into(),
        account_id: "123456789012".into(),
        region: "eu-west-1".into(),
        stack: "s".into(),
        environment: "default".into(),
    })
}

fn block(path: &str, lines: &[(&str, Value)]) -> Resource {
    let set = Value::map(lines.iter().map(|(name, value)| (*name, value.clone())));
    let properties = Map::from([
        ("user".to_owned(), "app".into()),
        ("active".to_owned(), true.into()),
        ("env_file".to_owned(), Value::map([("path", path.into()), ("set", set)])),
    ]);
    let attributes = ["id", "secret"].map(|name| (name.to_owned(), attribute(name)));
    Resource { address: own(), properties, attributes: attributes.into(), references: BTreeMap::new() }
}

fn codes(resource: &Resource) -> Vec<(&'static str, String)> {
    TYPE.check(resource, &around()).into_iter().map(|problem| (problem.code, problem.path.to_string())).collect()
}

#[test]
fn the_secret_and_the_id_must_have_a_line() {
    let (id, secret) = (("ID", attribute("id")), ("SECRET", attribute("secret")));
    assert_eq!(codes(&block(".env", &[id.clone(), secret.clone()])), []);
    let at = || "env_file.set".to_owned();
    assert_eq!(codes(&block(".env", std::slice::from_ref(&id))), [("S3S-U2", at())]);
    assert_eq!(codes(&block(".env", std::slice::from_ref(&secret))), [("S3S-U2", at())]);
    let hashed = ("SECRET", template("${sha256(self.secret)}", None, &[]));
    assert_eq!(codes(&block(".env", &[id.clone(), hashed])), [("S3S-U2", at())]);
    let mut two = template("${self.secret}${var.p}", None, &[]);
    if let Value::Unknown(unknown) = &mut two
        && let Unknown::Expression { scope, .. } = unknown.as_mut()
    {
        scope.insert("var.p".into(), Value::Secret(Secret::new("p".into())));
    }
    assert_eq!(codes(&block(".env", &[id, secret, ("TWO", two)])), [("S3S-U3", "env_file.set.TWO".into())]);
}

#[test]
fn the_file_must_be_inside_the_folder() {
    let lines = [("ID", attribute("id")), ("SECRET", attribute("secret"))];
    for path in ["../.env", "/etc/x", "a/../../b", "sub/"] {
        assert_eq!(codes(&block(path, &lines)), [("S3S-U1", "env_file.path".into())], "{path}");
    }
    assert_eq!(codes(&block("./sub/.env", &lines)), []);
}

#[test]
fn two_keys_do_not_share_a_line_with_a_key_in_it() {
    let key = |name: &str, path: &str, start: &str| {
        format!(
            "[iam.access_key.{name}]\nuser = \"iam.user.u\"\nenv_file.path = \"{path}\"\n\
             env_file.set = {{ {start}ID = \"${{self.id}}\", {start}SECRET = \"${{self.secret}}\", REGION = \"eu-west-1\" }}\n"
        )
    };
    let both = |other: &str| problems(&format!("[iam.user.u]\n{}{other}", key("a", ".env", "")), "");
    assert_eq!(both(&key("b", "./.env", "")), ["error S3S-N3 env_file: two resources write ID into .env"]);
    assert_eq!(both(&key("b", ".env", "B_")), [""; 0]);
    assert_eq!(both(&key("b", "b.env", "")), [""; 0]);
}

#[test]
fn managed_properties_hold_no_secret_and_no_unknown_but_the_id() {
    let lines = [("ID", attribute("id")), ("SECRET", attribute("secret"))];
    let managed = TYPE.managed(&block(".env", &lines), &around()).unwrap();
    assert_eq!(managed["secret_copy"], "present".into());
    let set = managed["env_file"].get("set").as_map().unwrap();
    assert!(set["SECRET"].is_known() && !set["ID"].is_known());
    assert!(!Value::Map(managed).is_sensitive());
}

#[test]
fn the_schema_is_whole_and_every_word_of_it_is_documented() {
    let schema = TYPE.schema();
    assert!(schema.properties.values().all(|property| !property.doc.is_empty()));
    assert!(schema.create_only(&Path::of("rotate")));
    assert_eq!(schema.properties["rotate"].removal, Removal::Keep);
    assert_eq!(schema.properties["active"].removal, Removal::Reset(true.into()));
    assert!(schema.create_only(&Path::of("secret_copy")) && schema.properties["secret_copy"].derived);
    assert!(!schema.create_only(&Path::of("env_file").key("path")));
    assert!(!schema.delays(&Path::of("env_file").key("set").key("A")));
    assert!(schema.attributes["secret"].sensitive && schema.attributes["secret"].made_by_aws);
    let block = |name: &str| {
        Value::map([
            ("user", Value::Reference(Address::root("iam.user", "u"))),
            ("rotate", "x".into()),
            ("env_file", Value::map([("path", ".env".into()), ("set", Value::map([(name, Value::from("1"))]))])),
        ])
    };
    assert_eq!(validate(schema, &block("A")), []);
    assert_eq!(validate(schema, &block("A B")).len(), 1);
}
