//! The pure side of `iam.access_key`.

use std::collections::BTreeMap;
use std::path::{Component, Path as FilePath, PathBuf};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use s3stack_engine::address::{Address, Path};
use s3stack_engine::resource::{
    Actions, Descriptor, Facts, Fixtures, Identity, PropertyReader, Resource, ResourceType, Surroundings,
};
use s3stack_engine::schema::validate::Problem;
use s3stack_engine::schema::{Attribute, Schema, derive};
use s3stack_engine::value::{Map, Value};

use super::lines;
use super::properties::Properties;

/// The type `iam.access_key`.
#[derive(Debug, Default)]
pub struct AccessKey {
    /// The keys that this process made, and for which block: a key that is new to one block may be another's.
    made: Mutex<BTreeMap<String, Address>>,
}

/// The type's one value.
pub static TYPE: AccessKey = AccessKey::new();

/// What `secret_copy` says when all is well.
pub(super) const PRESENT: &str = "present";

static DESCRIPTOR: Descriptor = Descriptor {
    name: "iam.access_key",
    physical_id: "id",
    naming: None,
    identity: Identity::ParentList,
    taggable: false,
    global: true,
    stateful: false,
    parent: Some("user"),
    example: include_str!("example.toml"),
    actions: Actions {
        read: &["iam:ListAccessKeys", "iam:GetAccessKeyLastUsed"],
        create: &[
            "iam:ListAccessKeys",
            "iam:GetAccessKeyLastUsed",
            "iam:CreateAccessKey",
            "iam:UpdateAccessKey",
            "iam:DeleteAccessKey",
        ],
        update: &["iam:UpdateAccessKey"],
        delete: &["iam:UpdateAccessKey", "iam:DeleteAccessKey"],
    },
};

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    derive::schema::<Properties>(&[
        ("id", Attribute::made_by_aws("The key's id, `AKIA…`.")),
        ("secret", Attribute::secret("The secret. It is known to the apply that makes the key, and never stored.")),
        ("secret_digest", Attribute::note("Tells whether a secret is this key's, and nothing of what it is.")),
        ("kept_at", Attribute::note("The machine and folder where the file was written.")),
    ])
    .expect("the properties are of shapes that the model knows, which a test sees to")
});

impl AccessKey {
    /// The type in a process that has made no key yet.
    pub const fn new() -> Self {
        Self { made: Mutex::new(BTreeMap::new()) }
    }

    /// The keys that this process made.
    pub(super) fn made(&self) -> MutexGuard<'_, BTreeMap<String, Address>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ResourceType for AccessKey {
    fn descriptor(&self) -> &'static Descriptor {
        &DESCRIPTOR
    }

    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    /// AWS makes every attribute.
    fn predict(&self, _: &str, _: &Facts, _: &mut PropertyReader<'_>) -> Value {
        Value::Null
    }

    fn managed(&self, resource: &Resource, _: &dyn Surroundings) -> Result<Map, Vec<Problem>> {
        let mut managed = Map::new();
        for name in ["user", "rotate", "active"] {
            let value = resource.property(name);
            if !value.is_null() {
                managed.insert(name.to_owned(), value.clone());
            }
        }
        let file = resource.property("env_file");
        if let Value::Map(members) = file {
            let mut members = members.clone();
            if let Some(Value::Map(set)) = members.get_mut("set") {
                *set = set.iter().map(|(name, value)| (name.clone(), line(resource, value))).collect();
            }
            managed.insert("env_file".to_owned(), Value::Map(members));
        } else if !file.is_null() {
            managed.insert("env_file".to_owned(), file.clone());
        }
        managed.insert("secret_copy".to_owned(), PRESENT.into());
        Ok(managed)
    }

    fn check(&self, resource: &Resource, _: &dyn Surroundings) -> Vec<Problem> {
        let mut problems = Vec::new();
        let file = resource.property("env_file");
        let at = Path::of("env_file");
        if let Some(path) = file.get("path").as_str() {
            let inside =
                FilePath::new(path).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
            if !inside || path.ends_with('/') {
                let message = format!("`{path}` is no file inside the stack's folder");
                problems.push(Problem::new("S3S-U1", &at.key("path"), message).help("write one like `.env`"));
            }
        }
        let Some(set) = file.get("set").as_map() else { return problems };
        let (own, id) = (&resource.address, resource.attribute("id").as_str());
        let set: Vec<(&String, Value)> = set.iter().map(|(name, value)| (name, line(resource, value))).collect();
        let at = at.key("set");
        if !set.iter().any(|(_, line)| lines::gives_secret_back(line)) {
            let message = "no line holds the secret as it is, which AWS tells only once: it would be lost";
            let help = "add one like `set.AWS_SECRET_ACCESS_KEY = \"${self.secret}\"`";
            problems.push(Problem::new("S3S-U2", &at, message).help(help));
        }
        if !set.iter().any(|(_, line)| !lines::is_recipe(line) && lines::has_id(line, own, id)) {
            let message = "no line holds the key's id by itself, so nothing would say whose the secret is";
            let help = "add one like `set.AWS_ACCESS_KEY_ID = \"${self.id}\"`";
            problems.push(Problem::new("S3S-U2", &at, message).help(help));
        }
        for (name, _) in set.iter().filter(|(_, line)| lines::has_other_secret(line)) {
            let message = "a line cannot hold the key's secret and another one";
            problems.push(Problem::new("S3S-U3", &at.key(*name), message).help("write two lines"));
        }
        problems
    }

    /// Each line with something of a key in it; the others may well be what several keys say.
    fn claims(&self, resource: &Resource) -> Vec<(String, Path)> {
        let file = resource.property("env_file");
        let (Some(path), Some(set)) = (file.get("path").as_str(), file.get("set").as_map()) else { return Vec::new() };
        let path = FilePath::new(path).components().filter(|part| *part != Component::CurDir).collect::<PathBuf>();
        let (own, id) = (&resource.address, resource.attribute("id").as_str());
        let is_the_keys = |(_, line): &(&String, Value)| lines::is_recipe(line) || lines::has_id(line, own, id);
        let set = set.iter().map(|(name, value)| (name, line(resource, value))).filter(is_the_keys);
        set.map(|(name, _)| (format!("write {name} into {}", path.display()), Path::of("env_file"))).collect()
    }

    fn fixtures(&self) -> Fixtures {
        Fixtures {
            base: include_str!("fixtures/base.toml"),
            updated: include_str!("fixtures/updated.toml"),
            replaced: include_str!("fixtures/replaced.toml"),
        }
    }
}

fn line(resource: &Resource, value: &Value) -> Value {
    lines::managed(value, &resource.address, resource.attribute("id").as_str())
}
