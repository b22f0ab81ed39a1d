//! A cloud in memory. Its verbs take several steps, so that a process that dies between two of them leaves something half
//! made; it is stricter than AWS about order and names.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::store::CANARY;
use super::types::{ATTACHMENT, BUCKET, CREDENTIAL, Fakes, KEY, first_properties};
use crate::address::Address;
use crate::apply::{CallId, Progress, Reply, Request};
use crate::fault::{Fault, FaultKind};
use crate::plan::questions::Question;
use crate::plan::{Live, Observation};
use crate::resource::Registry;
use crate::state::Instance;
use crate::value::{Map, Value};

/// One thing in the cloud.
#[derive(Debug, Clone, PartialEq)]
pub struct Object {
    /// Its properties, secrets in the clear.
    pub properties: Map,
    /// Its attributes, but for what is told only once.
    pub attributes: Map,
    /// The lineage in its tag.
    pub owner: Option<String>,
    /// The idempotency token it was made with.
    pub token: String,
}

/// A type's name and a physical id.
pub type Key = (String, String);

/// Everything there is.
#[derive(Debug, Clone, Default)]
pub struct Cloud {
    /// The things.
    pub objects: BTreeMap<Key, Object>,
    /// The objects after each step, for bulk answers that lag.
    past: VecDeque<BTreeMap<Key, Object>>,
    /// What may be deleted although something other than a child names it: it comes back under the same name.
    pub yielding: BTreeSet<Key>,
    /// How many steps bulk answers lag behind.
    pub lag: usize,
    made: u32,
}

/// A call under way.
#[derive(Debug, Clone)]
pub struct Work {
    /// The call.
    pub id: CallId,
    /// What is asked.
    pub request: Request,
    /// Whether it waits to be told to go on.
    pub is_parked: bool,
    made: Option<(String, Option<String>)>,
    puts: Option<VecDeque<(String, Value)>>,
    is_emptied: bool,
}

/// What one step of a call came to.
#[derive(Debug, Clone)]
pub enum Stepped {
    /// There are more steps.
    Again,
    /// It tells of progress and waits.
    Progress(Progress),
    /// It ended.
    Returned(Result<Reply, Fault>),
}

/// A fault as the cloud would answer it.
pub fn fault(kind: FaultKind, message: &str) -> Fault {
    Fault {
        kind,
        service: "fake".into(),
        operation: "Step".into(),
        code: (kind != FaultKind::Uncertain).then(|| format!("{kind:?}")),
        message: message.into(),
        request_id: Some("r-1".into()),
    }
}

impl Work {
    /// A call that begins.
    pub fn new(id: CallId, request: Request) -> Self {
        Self { id, request, is_parked: false, made: None, puts: None, is_emptied: false }
    }
}

impl Cloud {
    /// Does the next step of a call.
    pub fn step(&mut self, work: &mut Work, lineage: &str) -> Stepped {
        let stepped = match work.request.clone() {
            Request::Create { address, token, instance, desired, .. } => {
                self.create(work, &address, &token, &instance, &desired, lineage)
            }
            Request::Update { instance, differences, .. } => {
                let key = (instance.type_name.clone(), instance.physical_id.clone());
                let puts = work.puts.get_or_insert_with(|| {
                    differences.iter().filter_map(|found| found.path.head().map(str::to_owned)).fold(
                        VecDeque::new(),
                        |mut puts, head| {
                            if !puts.iter().any(|(name, _): &(String, Value)| *name == head) {
                                let Request::Update { desired, .. } = &work.request else { return puts };
                                puts.push_back((head.clone(), desired.get(&head).cloned().unwrap_or_default()));
                            }
                            puts
                        },
                    )
                });
                let next = puts.pop_front();
                let is_last = puts.is_empty();
                self.put_next(&key, next, is_last, lineage)
            }
            Request::Delete { instance, .. } => self.delete(work, &instance),
            Request::Read { token, instance, before, .. } => {
                let observation = self.look(&instance, &token, &before);
                Stepped::Returned(Ok(Reply::Read(observation)))
            }
        };
        if self.lag > 0 {
            self.past.push_front(self.objects.clone());
            self.past.truncate(self.lag + 1);
        }
        stepped
    }

    fn create(
        &mut self,
        work: &mut Work,
        address: &Address,
        token: &str,
        instance: &Instance,
        desired: &Map,
        lineage: &str,
    ) -> Stepped {
        if work.puts.is_none() {
            for (name, value) in desired {
                assert!(value.is_known(), "`{name}` of {address} is sent and unknown");
            }
            let (id, secret) = match self.make(token, instance, desired, lineage) {
                Ok(made) => made,
                Err(fault) => return Stepped::Returned(Err(fault)),
            };
            let first = first_properties(&instance.type_name);
            let puts: VecDeque<(String, Value)> = desired
                .iter()
                .filter(|(name, value)| !first.contains(name) && !value.is_null())
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect();
            let is_done = puts.is_empty();
            work.puts = Some(puts);
            let key = (instance.type_name.clone(), id.clone());
            work.made = Some((id.clone(), secret));
            if matches!(instance.type_name.as_str(), KEY | CREDENTIAL) {
                work.is_parked = true;
                let attributes = self.objects.get(&key).map(|object| object.attributes.clone()).unwrap_or_default();
                return Stepped::Progress(Progress { physical_id: id, attributes });
            }
            return if is_done { self.created(work, instance) } else { Stepped::Again };
        }
        let Some((id, _)) = work.made.clone() else { return Stepped::Again };
        let key = (instance.type_name.clone(), id);
        let next = work.puts.as_mut().and_then(VecDeque::pop_front);
        let is_last = work.puts.as_ref().is_none_or(VecDeque::is_empty);
        match self.put_next(&key, next, is_last, lineage) {
            Stepped::Returned(Ok(_)) => self.created(work, instance),
            other => other,
        }
    }

    fn created(&self, work: &Work, instance: &Instance) -> Stepped {
        let Some((id, secret)) = work.made.clone() else { return Stepped::Again };
        let key = (instance.type_name.clone(), id.clone());
        let Some(object) = self.objects.get(&key) else {
            return Stepped::Returned(Err(fault(FaultKind::NotFound, "it is gone")));
        };
        let mut attributes = object.attributes.clone();
        if let Some(secret) = secret {
            attributes.insert("secret".into(), Value::Secret(crate::value::Secret::new(secret.into())));
        }
        Stepped::Returned(Ok(Reply::Created { physical_id: id, attributes }))
    }

    fn make(
        &mut self,
        token: &str,
        instance: &Instance,
        desired: &Map,
        lineage: &str,
    ) -> Result<(String, Option<String>), Fault> {
        let type_name = instance.type_name.as_str();
        // A bucket may log into itself once it is there.
        let own = desired.get("name").filter(|_| type_name == BUCKET).cloned();
        let named = desired.iter().filter(|(name, value)| *name != "log_target" || Some(*value) != own.as_ref());
        self.check_names(&named.map(|(name, value)| (name.clone(), value.clone())).collect())?;
        if type_name == KEY
            && let Some(((_, id), _)) = self.objects.iter().find(|((kind, _), o)| kind == KEY && o.token == token)
        {
            return Ok((id.clone(), None));
        }
        self.made += 1;
        let text = |name: &str| desired.get(name).and_then(Value::as_str).unwrap_or_default();
        let (id, attributes, secret) = match type_name {
            BUCKET => (text("name").to_owned(), vec![("arn", format!("arn:fake:{}", text("name")))], None),
            ATTACHMENT => {
                let path = format!("{}/{}", text("bucket"), text("name"));
                (path.clone(), vec![("path", path)], None)
            }
            KEY => {
                let id = format!("key-{}", self.made);
                (id.clone(), vec![("id", id.clone()), ("arn", format!("arn:key:{id}"))], None)
            }
            _ => {
                let id = format!("cred-{}", self.made);
                (id.clone(), vec![("id", id)], Some(format!("{CANARY}secret-{}", self.made)))
            }
        };
        let key = (type_name.to_owned(), id.clone());
        if self.objects.contains_key(&key) {
            return Err(fault(FaultKind::Conflict, &format!("{id} exists already")));
        }
        let first = first_properties(type_name);
        let properties = desired
            .iter()
            .filter(|(name, value)| first.contains(name) && !value.is_null())
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let is_taggable = Fakes.get(type_name).is_some_and(|kind| kind.descriptor().taggable);
        let object = Object {
            properties,
            attributes: attributes.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect(),
            owner: is_taggable.then(|| lineage.to_owned()),
            token: token.to_owned(),
        };
        self.objects.insert(key, object);
        Ok((id, secret))
    }

    /// What is named must exist, as AWS wants of principals and targets.
    fn check_names(&self, properties: &Map) -> Result<(), Fault> {
        let missing = |what: &str| fault(FaultKind::Dependency, &format!("{what} does not exist"));
        if let Some(Value::List(peers)) = properties.get("peers") {
            for peer in peers {
                if !self.objects.values().any(|object| object.attributes.get("arn") == Some(peer)) {
                    return Err(missing(&format!("the peer {peer:?}")));
                }
            }
        }
        for property in ["bucket", "log_target"] {
            if let Some(Value::String(name)) = properties.get(property)
                && !self.objects.contains_key(&(BUCKET.to_owned(), name.clone()))
            {
                return Err(missing(&format!("the bucket {name}")));
            }
        }
        Ok(())
    }

    fn put_next(&mut self, key: &Key, next: Option<(String, Value)>, is_last: bool, lineage: &str) -> Stepped {
        let is_taggable = Fakes.get(&key.0).is_some_and(|kind| kind.descriptor().taggable);
        if !self.objects.contains_key(key) {
            return Stepped::Returned(Err(fault(FaultKind::NotFound, &format!("{} does not exist", key.1))));
        }
        if let Some((name, value)) = next {
            let named: Map = [(name.clone(), value.clone())].into();
            if let Err(fault) = self.check_names(&named) {
                return Stepped::Returned(Err(fault));
            }
            if first_properties(&key.0).contains(&name) {
                return Stepped::Returned(Err(fault(FaultKind::Invalid, &format!("`{name}` cannot be changed"))));
            }
            assert!(value.is_known(), "`{name}` of {} is sent and unknown", key.1);
            let value = match value {
                Value::Secret(secret) => secret.expose().clone(),
                value => value,
            };
            if let Some(object) = self.objects.get_mut(key) {
                match value {
                    Value::Null => object.properties.remove(&name),
                    value => object.properties.insert(name, without_nulls(value)),
                };
            }
        }
        let Some(object) = self.objects.get_mut(key) else { return Stepped::Again };
        if is_taggable {
            object.owner = Some(lineage.to_owned());
        }
        match is_last {
            true => Stepped::Returned(Ok(Reply::Updated { attributes: object.attributes.clone() })),
            false => Stepped::Again,
        }
    }

    fn delete(&mut self, work: &mut Work, instance: &Instance) -> Stepped {
        let key = (instance.type_name.clone(), instance.physical_id.clone());
        let Some(object) = self.objects.get(&key) else {
            return Stepped::Returned(Err(fault(FaultKind::NotFound, "it is gone")));
        };
        let arn = object.attributes.get("arn").cloned();
        let yields = self.yielding.contains(&key);
        let names_it = |other: &Object| {
            let text = |name: &str| other.properties.get(name).and_then(Value::as_str);
            let peers = other.properties.get("peers").and_then(Value::as_list).unwrap_or_default();
            let is_child = key.0 == BUCKET && text("bucket") == Some(&key.1);
            let is_target = key.0 == BUCKET && text("log_target") == Some(&key.1);
            is_child || !yields && (is_target || arn.as_ref().is_some_and(|arn| peers.contains(arn)))
        };
        if let Some((other, _)) = self.objects.iter().find(|(other, object)| **other != key && names_it(object)) {
            return Stepped::Returned(Err(fault(FaultKind::Dependency, &format!("{} depends on {}", other.1, key.1))));
        }
        if key.0 == BUCKET && !work.is_emptied {
            work.is_emptied = true;
            if let Some(object) = self.objects.get_mut(&key) {
                object.properties.remove("document");
                object.properties.remove("labels");
            }
            return Stepped::Again;
        }
        self.objects.remove(&key);
        Stepped::Returned(Ok(Reply::Deleted))
    }

    fn look(&self, instance: &Instance, token: &str, before: &Map) -> Observation {
        let listed = |name: &str, id: &str| {
            before
                .get(name)
                .and_then(Value::as_list)
                .is_some_and(|list| list.iter().any(|item| item.as_str() == Some(id)))
        };
        let found = self.objects.iter().find(|((kind, id), object)| {
            if *kind != instance.type_name {
                return false;
            }
            if !instance.physical_id.is_empty() {
                return *id == instance.physical_id;
            }
            match kind.as_str() {
                KEY => object.token == token,
                _ => {
                    object.properties.get("bucket") == instance.managed.get("bucket")
                        && !listed("known", id)
                        && !listed("elsewhere", id)
                }
            }
        });
        found.map_or(Observation::Missing, |(key, object)| Observation::Found(seen(key, object, false)))
    }

    /// A point read of a question of the planner.
    pub fn read(&self, question: &Question) -> Observation {
        let key = (question.type_name.clone(), question.physical_id.clone());
        self.objects.get(&key).map_or(Observation::Missing, |object| Observation::Found(seen(&key, object, false)))
    }

    /// A bulk answer to a question of the planner, which may lag.
    pub fn sweep(&self, question: &Question) -> Observation {
        let key = (question.type_name.clone(), question.physical_id.clone());
        let objects = match self.lag {
            0 => &self.objects,
            lag => self.past.get(lag).unwrap_or(&self.objects),
        };
        objects.get(&key).map_or(Observation::Missing, |object| Observation::Found(seen(&key, object, true)))
    }

    /// The ids of the credentials of a bucket.
    pub fn credentials(&self, bucket: &Value) -> Vec<String> {
        let of = self
            .objects
            .iter()
            .filter(|((kind, _), object)| kind == CREDENTIAL && object.properties.get("bucket") == Some(bucket));
        of.map(|((_, id), _)| id.clone()).collect()
    }

    /// Puts something there behind everybody's back.
    pub fn plant(&mut self, type_name: &str, id: &str, owner: Option<&str>, properties: Map) {
        let attributes = match type_name {
            BUCKET => [("arn".to_owned(), Value::from(format!("arn:fake:{id}")))].into(),
            _ => Map::new(),
        };
        let object = Object { properties, attributes, owner: owner.map(str::to_owned), token: String::new() };
        self.objects.insert((type_name.to_owned(), id.to_owned()), object);
    }
}

fn seen(key: &Key, object: &Object, hint: bool) -> Live {
    let schema = Fakes.get(&key.0).map(|kind| kind.schema());
    let is_told = |name: &String| {
        schema.and_then(|schema| schema.properties.get(name)).is_some_and(|property| !property.write_only)
    };
    Live {
        physical_id: key.1.clone(),
        managed: object
            .properties
            .iter()
            .filter(|(name, _)| is_told(name))
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect(),
        attributes: object.attributes.clone(),
        owner: object.owner.clone(),
        loss: Vec::new(),
        hint,
    }
}

fn without_nulls(value: Value) -> Value {
    value.rebuild(&mut |value| match value {
        Value::Map(map) => Value::Map(map.into_iter().filter(|(_, value)| !value.is_null()).collect()),
        value => value,
    })
}
