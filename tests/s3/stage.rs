//! One resource of a type on its way through its verbs, in an account of its own.

use std::collections::BTreeMap;
use std::path::Path as FilePath;
use std::sync::Arc;

use async_trait::async_trait;
use s3stack::aws::{Clients, Settings, Target};
use s3stack::folder::Folder;
use s3stack::resources::{Context, Create, Delete, Depth, Progress, Provider, Question, Sweeps, Update, provider};
use s3stack_engine::address::{Address, Path};
use s3stack_engine::diff::mismatches;
use s3stack_engine::fault::Fault;
use s3stack_engine::file::{FileContent, Files as _};
use s3stack_engine::plan::{Live, Observation};
use s3stack_engine::resource::{Contribution, Facts, Resource, ResourceType, Surroundings};
use s3stack_engine::value::{Map, Value};

use crate::support::emulator;

/// The mark of the stack under test.
pub const LINEAGE: &str = "lineage-of-the-test";

/// A resource under test with its stack, account and region.
pub struct Stage {
    pub context: Context,
    pub provider: &'static dyn Provider,
    pub address: Address,
    pub contributions: Vec<Contribution>,
    folder: Folder,
    _temporary: tempfile::TempDir,
}

impl Surroundings for Stage {
    fn facts(&self) -> &Facts {
        &self.context.facts
    }

    fn resource(&self, _: &Address) -> Option<(&Resource, &dyn ResourceType)> {
        None
    }

    fn contributions(&self, _: &Address) -> &[Contribution] {
        &self.contributions
    }

    fn file(&self, path: &str) -> Result<Arc<FileContent>, String> {
        self.folder.content(path)
    }
}

struct Silent;

#[async_trait]
impl Progress for Silent {
    async fn identified(&self, _: &str, _: Map) -> Result<(), Fault> {
        Ok(())
    }
}

impl Stage {
    /// A new account in a region.
    pub async fn new(type_name: &str, region: &str) -> Self {
        Self::in_account(type_name, region, &emulator::account()).await
    }

    /// A stage in an account that another one has too.
    pub async fn in_account(type_name: &str, region: &str, account: &str) -> Self {
        Self::at(&format!("http://{}", emulator::address()), type_name, region, account).await
    }

    /// A stage whose calls go to an address.
    pub async fn at(endpoint: &str, type_name: &str, region: &str, account: &str) -> Self {
        let settings = Settings {
            region: Some(region.into()),
            endpoint: Some(endpoint.into()),
            local_account: Some(account.into()),
            ..Settings::default()
        };
        let clients = Clients::load(settings).await.unwrap();
        let session = clients.session(&Target { account: None, region: region.into() }).unwrap();
        let temporary = tempfile::tempdir().unwrap();
        let facts = Facts {
            partition: "aws".into(),
            account_id: account.into(),
            region: region.into(),
            stack: "test".into(),
            environment: "default".into(),
        };
        let context = Context {
            session,
            facts,
            lineage: LINEAGE.into(),
            files: Arc::new(Folder::new(temporary.path())),
            sweeps: Arc::new(Sweeps::default()),
        };
        Self {
            context,
            provider: provider(type_name).unwrap(),
            address: Address::root(type_name, "it"),
            contributions: Vec::new(),
            folder: Folder::new(temporary.path()),
            _temporary: temporary,
        }
    }

    /// The stack's folder.
    pub fn folder(&self) -> &FilePath {
        self.context.files.root()
    }

    /// The number of calls so far.
    pub fn calls(&self) -> BTreeMap<(&'static str, String), u64> {
        self.context.session.clients().calls().by_operation.into_iter().collect()
    }

    /// The calls that `work` made, by operation.
    pub async fn calls_of<T>(&self, work: impl Future<Output = T>) -> (T, Vec<String>) {
        let before = self.calls();
        let result = work.await;
        let mut made = Vec::new();
        for ((service, operation), count) in self.calls() {
            let earlier = before.get(&(service, operation.clone())).copied().unwrap_or_default();
            made.extend((earlier..count).map(|_| operation.clone()));
        }
        (result, made)
    }

    /// The block under test.
    pub fn resource(&self, text: &str) -> Resource {
        let Value::Map(mut properties) = Value::from_json(toml::from_str(text).unwrap()) else { unreachable!() };
        for (name, property) in &self.provider.schema().properties {
            if let (Some(default), None) = (&property.default, properties.get(name)) {
                properties.insert(name.clone(), default.clone());
            }
        }
        Resource { address: self.address.clone(), properties, attributes: Map::new(), references: BTreeMap::new() }
    }

    /// What AWS shall hold for a block.
    pub fn managed(&self, text: &str) -> Map {
        let resource = self.resource(text);
        assert_eq!(self.provider.check(&resource, self), []);
        self.provider.managed(&resource, self).unwrap()
    }

    /// What the tool alone remembers of a block.
    pub fn memory(&self, text: &str) -> Map {
        let memory = |name: &str| self.provider.schema().properties[name].memory;
        self.resource(text).properties.into_iter().filter(|(name, _)| memory(name)).collect()
    }

    pub async fn create(&self, id: &str, text: &str) -> Result<(), Fault> {
        self.create_desired(id, self.managed(text), self.memory(text)).await
    }

    pub async fn create_desired(&self, id: &str, desired: Map, memory: Map) -> Result<(), Fault> {
        let create = Create {
            address: self.address.clone(),
            physical_id: id.into(),
            desired,
            attributes: Map::new(),
            memory,
            token: "token".into(),
            before: Map::new(),
        };
        self.provider.create(&self.context, &create, &Silent).await.map(drop)
    }

    /// Forgets what the stack's files held.
    pub fn read_files_again(&mut self) {
        self.folder = Folder::new(self.context.files.root());
    }

    pub fn question(&self, id: &str, managed: Map) -> Question {
        Question {
            address: self.address.clone(),
            physical_id: id.into(),
            properties: managed.keys().cloned().collect(),
            managed,
            attributes: Map::new(),
            loss: false,
            before: Map::new(),
        }
    }

    pub async fn read(&self, id: &str, managed: &Map, depth: Depth) -> Observation {
        // Each read is a refresh of its own.
        let context = Context { sweeps: Arc::new(Sweeps::default()), ..self.context.clone() };
        let mut answers = self.provider.read(&context, &[self.question(id, managed.clone())], depth).await;
        assert_eq!(answers.len(), 1);
        answers.remove(0)
    }

    pub async fn live(&self, id: &str, managed: &Map) -> Live {
        match self.read(id, managed, Depth::Point).await {
            Observation::Found(live) => live,
            other => panic!("{id}: {other:?}"),
        }
    }

    /// Brings the resource to what a block says, by the verb `update`; what an earlier block said and this one does not
    /// is put back as the schema says. Afterwards nothing may differ. Gives the names of what differed before.
    pub async fn update(&self, id: &str, before: &str, after: &str) -> Vec<String> {
        let old = self.managed(before);
        self.update_from(id, &old, after).await
    }

    /// The same, from what state has.
    pub async fn update_from(&self, id: &str, old: &Map, after: &str) -> Vec<String> {
        let mut desired = self.managed(after);
        for (name, value) in old {
            if name == "files"
                && let (Some(Value::Map(new)), Value::Map(old)) = (desired.get_mut(name), value)
            {
                old.keys().for_each(|key| {
                    new.entry(key.clone()).or_default();
                });
            }
            if let Some(Value::Map(new)) = desired.get_mut(name)
                && self.provider.schema().properties[name].open
            {
                value.as_map().unwrap().keys().for_each(|key| {
                    new.entry(key.clone()).or_default();
                });
            }
            if !desired.contains_key(name)
                && let s3stack_engine::schema::Removal::Reset(default) =
                    &self.provider.schema().properties[name].removal
            {
                desired.insert(name.clone(), default.clone());
            }
        }
        let asked: Map = desired.clone().into_iter().chain(old.clone()).collect();
        let mut live = self.live(id, &asked).await;
        self.remember_unreadable(old, &mut live);
        let mut changed: Vec<Path> = self.differing(&desired, &live);
        if live.owner.is_none() {
            changed.push(Path::of("tags").key("s3stack:id"));
        }
        let update = Update {
            address: self.address.clone(),
            physical_id: id.into(),
            desired: desired.clone(),
            changed: changed.clone(),
            live: live.managed,
            attributes: Map::new(),
            memory: self.memory(after),
            adopts: false,
        };
        self.provider.update(&self.context, &update, &Silent).await.unwrap();
        let mut live = self.live(id, &desired).await;
        self.remember_unreadable(&desired, &mut live);
        assert_eq!(self.differing(&desired, &live), [], "{desired:#?} {:#?}", live.managed);
        assert_eq!(live.owner.as_deref(), Some(LINEAGE));
        let mut names: Vec<String> = changed.iter().map(|path| path.head().unwrap().to_owned()).collect();
        names.dedup();
        names
    }

    /// What AWS never tells is as it was last written.
    fn remember_unreadable(&self, written: &Map, live: &mut Live) {
        for (name, value) in written.iter().filter(|(name, _)| self.provider.schema().properties[*name].write_only) {
            live.managed.insert(name.clone(), value.clone());
        }
    }

    /// What differs, as a plan would see it.
    pub fn differing(&self, desired: &Map, live: &Live) -> Vec<Path> {
        let mut held = live.managed.clone();
        for (name, value) in &mut held {
            if let (Value::Map(theirs), Some(Value::Map(ours))) = (value, desired.get(name))
                && self.provider.schema().properties[name].open
            {
                theirs.retain(|key, _| ours.contains_key(key));
            }
        }
        mismatches(self.provider, desired, &held).into_iter().map(|one| one.path).collect()
    }

    pub async fn delete(&self, id: &str, managed: Map, memory: &[(&str, Value)]) -> Result<(), Fault> {
        let delete = Delete {
            address: self.address.clone(),
            physical_id: id.into(),
            managed,
            attributes: Map::new(),
            dependents: Vec::new(),
            memory: memory.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
        };
        self.provider.delete(&self.context, &delete).await
    }
}
