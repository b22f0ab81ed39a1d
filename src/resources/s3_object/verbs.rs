//! The side of `s3.object` that calls AWS.

use std::collections::BTreeMap;

use async_trait::async_trait;
use aws_sdk_s3::types::{Delete as Deletion, ObjectIdentifier, Tag, Tagging};
use futures_util::future::join_all;
use s3stack_engine::fault::{Fault, FaultKind};
use s3stack_engine::plan::{Live, Observation};
use s3stack_engine::value::{Map, Value};

use super::live::{Held, Place, head};
use super::object::{Object, prefix};
use super::upload::{Body, Existing, Extras, write};
use crate::aws::{Operation, rules};
use crate::resources::{Context, Create, Delete, Depth, Progress, Provider, Question, Reply, Update};

const DELETE: Operation = Operation::idempotent("s3", "DeleteObject");
const DELETE_MANY: Operation = Operation::idempotent("s3", "DeleteObjects");
const PUT_TAGS: Operation = Operation::idempotent("s3", "PutObjectTagging").retrying(rules::BUCKET_SETTING);

/// Files under way at once.
const AT_ONCE: usize = 32;

/// The most keys that one deletion takes.
const KEYS_PER_DELETION: usize = 1000;

/// What every object of a block has in common.
const COMMON: [&str; 4] = ["cache_control", "storage_class", "metadata", "tags"];

#[async_trait]
impl Provider for Object {
    async fn read(&self, context: &Context, questions: &[Question], _: Depth) -> Vec<Observation> {
        join_all(questions.iter().map(|question| async move {
            let read = match question.managed.get("files").and_then(Value::as_map) {
                Some(files) => folder(context, question, files).await,
                None => single(context, question).await,
            };
            match read {
                Ok(Some(live)) => Observation::Found(live),
                Ok(None) => Observation::Missing,
                Err(fault) => Observation::Unreadable(fault),
            }
        }))
        .await
    }

    async fn create(&self, context: &Context, create: &Create, _: &dyn Progress) -> Result<Reply, Fault> {
        let (place, key) = Place::of(context, &create.physical_id);
        let work = Work { context, place, key, desired: &create.desired, live: None, memory: &create.memory };
        match create.desired.get("files").and_then(Value::as_map) {
            Some(files) => work.files(files, |_| Some(Existing::None)).await?,
            None => work.object(Existing::None).await?,
        }
        Ok(reply(context, &create.physical_id))
    }

    async fn update(&self, context: &Context, update: &Update, _: &dyn Progress) -> Result<Reply, Fault> {
        let (place, key) = Place::of(context, &update.physical_id);
        let (desired, live) = (&update.desired, Some(&update.live));
        let work = Work { context, place, key, desired, live, memory: &update.memory };
        let content = ["content", "checksum", "content_type"].iter().any(|name| update.touches(name));
        // The mark is in the metadata, which only writing the whole object changes.
        let rest = update.marks() || COMMON.iter().any(|name| *name != "tags" && update.touches(name));
        match update.desired.get("files").and_then(Value::as_map) {
            Some(files) => {
                let none = Map::new();
                let held = update.live.get("files").and_then(Value::as_map).unwrap_or(&none);
                let stale = |path: &str| match held.get(path).filter(|entry| !entry.is_null()) {
                    None => Some(Existing::None),
                    Some(entry) if rest || files.get(path) != Some(entry) => Some(Existing::Ours),
                    Some(_) => None,
                };
                work.files(files, stale).await?;
                if update.touches("tags") {
                    let kept = files.iter().filter(|(path, entry)| !entry.is_null() && stale(path).is_none());
                    work.tag_files(kept.map(|(path, _)| work.key_of(path)).collect()).await?;
                }
                let gone = files.iter().filter(|(_, entry)| entry.is_null()).map(|(path, _)| work.key_of(path));
                delete_many(place, gone.collect()).await?;
            }
            None if content || rest => work.object(Existing::Ours).await?,
            None if update.touches("tags") => work.tag(key, &work.tags(update.live.get("tags"))).await?,
            // A file that was renamed is no other content.
            None => {}
        }
        Ok(reply(context, &update.physical_id))
    }

    async fn delete(&self, context: &Context, delete: &Delete) -> Result<(), Fault> {
        let (place, key) = Place::of(context, &delete.physical_id);
        let result = match delete.managed.get("files").and_then(Value::as_map) {
            Some(files) => {
                let keys = files.keys().map(|path| prefix(key) + path).collect();
                delete_many(place, keys).await
            }
            None => {
                let send = || {
                    let call = place.session.s3().delete_object().bucket(place.bucket).key(key);
                    call.expected_bucket_owner(place.account_id).send()
                };
                place.session.call(DELETE, send).await.map(drop)
            }
        };
        match result {
            Err(fault) if fault.is_code(&["NoSuchBucket", "NoSuchKey"]) => Ok(()),
            result => result,
        }
    }
}

fn reply(context: &Context, physical_id: &str) -> Reply {
    Reply { physical_id: physical_id.to_owned(), attributes: attributes(context, physical_id) }
}

fn attributes(context: &Context, physical_id: &str) -> Map {
    Map::from([
        ("id".to_owned(), physical_id.into()),
        ("arn".to_owned(), format!("arn:{}:s3:::{physical_id}", context.facts.partition).into()),
        ("uri".to_owned(), format!("s3://{physical_id}").into()),
    ])
}

/// Reads one object.
async fn single(context: &Context, question: &Question) -> Result<Option<Live>, Fault> {
    let (place, key) = Place::of(context, &question.physical_id);
    let Some(held) = head(place, key, has_tags(question)).await? else { return Ok(None) };
    let mut managed = common(&held);
    managed.insert("content_type".into(), held.content_type);
    managed.insert("checksum".into(), held.checksum);
    Ok(Some(live(context, question, managed, held.owner)))
}

/// Reads the objects of a folder's files. It exists if one of them does.
async fn folder(context: &Context, question: &Question, files: &Map) -> Result<Option<Live>, Fault> {
    let (place, key) = Place::of(context, &question.physical_id);
    let prefix = prefix(key);
    let paths: Vec<&String> = files.iter().filter(|(_, entry)| !entry.is_null()).map(|(path, _)| path).collect();
    let mut found: BTreeMap<&String, Held> = BTreeMap::new();
    for batch in paths.chunks(AT_ONCE) {
        let keys: Vec<String> = batch.iter().map(|path| format!("{prefix}{path}")).collect();
        let heads = keys.iter().map(|key| head(place, key, has_tags(question)));
        for (path, held) in batch.iter().zip(join_all(heads).await) {
            found.extend(held?.map(|held| (*path, held)));
        }
    }
    let Some(any) = found.values().next() else { return Ok(None) };
    // Whatever is not as it shall be at one file is what the plan has to see.
    let mut managed = common(any);
    for held in found.values() {
        for (name, value) in common(held) {
            if question.managed.get(&name).is_some_and(|wanted| *wanted != value) {
                managed.insert(name, value);
            }
        }
    }
    let strange = found.values().map(|held| &held.owner).find(|owner| owner.as_deref() != Some(place.lineage));
    let owner = strange.unwrap_or(&any.owner).clone();
    let entries = found.iter().map(|(path, held)| {
        let entry = [("checksum", held.checksum.clone()), ("content_type", held.content_type.clone())];
        ((*path).clone(), Value::map(entry))
    });
    managed.insert("files".into(), Value::map(entries.collect::<Vec<_>>()));
    Ok(Some(live(context, question, managed, owner)))
}

/// Whether the objects should have tags.
fn has_tags(question: &Question) -> bool {
    question.managed.get("tags").and_then(Value::as_map).is_some_and(|tags| !tags.is_empty())
}

fn common(held: &Held) -> Map {
    Map::from([
        ("cache_control".to_owned(), held.cache_control.clone()),
        ("storage_class".to_owned(), held.storage_class.clone()),
        ("metadata".to_owned(), held.metadata.clone()),
        ("tags".to_owned(), held.tags.clone()),
    ])
}

fn live(context: &Context, question: &Question, managed: Map, owner: Option<String>) -> Live {
    let (place, key) = Place::of(context, &question.physical_id);
    let mut managed = managed;
    managed.insert("bucket".into(), place.bucket.into());
    managed.insert("key".into(), key.into());
    Live {
        physical_id: question.physical_id.clone(),
        managed,
        attributes: attributes(context, &question.physical_id),
        owner,
        loss: Vec::new(),
        hint: false,
    }
}

/// Objects to be written.
struct Work<'a> {
    context: &'a Context,
    place: Place<'a>,
    /// The key, or what those of a folder's files begin with.
    key: &'a str,
    desired: &'a Map,
    live: Option<&'a Map>,
    memory: &'a Map,
}

impl Work<'_> {
    fn key_of(&self, path: &str) -> String {
        prefix(self.key) + path
    }

    fn wanted(&self, name: &str) -> &Value {
        const NULL: &Value = &Value::Null;
        self.desired.get(name).unwrap_or(NULL)
    }

    /// The tags that an object shall have, of those that it has. What others put there is written again: the calls
    /// replace them all.
    fn tags(&self, held: Option<&Value>) -> Value {
        let mut tags = held.and_then(Value::as_map).cloned().unwrap_or_default();
        tags.extend(self.wanted("tags").as_map().cloned().unwrap_or_default());
        tags.retain(|_, value| !value.is_null());
        Value::Map(tags)
    }

    /// The same for an object of a folder. What others put on one of them is not for the others, so each is asked.
    async fn tags_of_file(&self, key: &str, existing: Existing) -> Result<Value, Fault> {
        if existing == Existing::None {
            return Ok(self.tags(None));
        }
        let some = self.wanted("tags").as_map().is_some_and(|tags| !tags.is_empty());
        let held = head(self.place, key, some).await?;
        Ok(self.tags(held.as_ref().map(|held| &held.tags)))
    }

    /// Writes the one object.
    async fn object(&self, existing: Existing) -> Result<(), Fault> {
        let body = match self.wanted("content") {
            Value::String(text) => Body::Text(text.clone()),
            Value::Secret(secret) => Body::Text(secret.expose().as_str().unwrap_or_default().to_owned()),
            _ => {
                let source = self.memory.get("source").and_then(Value::as_str).unwrap_or_default();
                self.file(source, self.wanted("checksum"))?
            }
        };
        let tags = self.tags(self.live.and_then(|live| live.get("tags")));
        let extras = Extras::new(self.wanted("content_type"), &tags, self.desired);
        write(self.place, self.key, body, extras, existing).await
    }

    /// Writes those files of a folder that `stale` tells.
    async fn files(&self, files: &Map, stale: impl Fn(&str) -> Option<Existing>) -> Result<(), Fault> {
        let root = self.memory.get("folder").and_then(Value::as_str).unwrap_or_default();
        let wanted = files.iter().filter(|(_, entry)| !entry.is_null());
        let stale: Vec<_> = wanted.filter_map(|(path, entry)| Some((path, entry, stale(path)?))).collect();
        for batch in stale.chunks(AT_ONCE) {
            let writes = batch.iter().map(|(path, entry, existing)| async move {
                let body = self.file(&format!("{}/{path}", root.trim_end_matches('/')), entry.get("checksum"))?;
                let key = self.key_of(path);
                let tags = self.tags_of_file(&key, *existing).await?;
                let extras = Extras::new(entry.get("content_type"), &tags, self.desired);
                write(self.place, &key, body, extras, *existing).await
            });
            // All of a batch are let end, so that none is cut off whose answer would be lost.
            for written in join_all(writes).await {
                written?;
            }
        }
        Ok(())
    }

    /// A file of the stack folder, of the digest that the plan saw.
    fn file(&self, path: &str, planned: &Value) -> Result<Body, Fault> {
        let full = self
            .context
            .files
            .resolve(path)
            .map_err(|why| Fault::local(FaultKind::Invalid, "upload", why))?;
        Ok(Body::File { path: full, shown: path.to_owned(), planned: planned.as_str().map(str::to_owned) })
    }

    /// Writes nothing but the tags of a folder's objects.
    async fn tag_files(&self, keys: Vec<String>) -> Result<(), Fault> {
        for batch in keys.chunks(AT_ONCE) {
            let writes = batch.iter().map(|key| async move {
                let tags = self.tags_of_file(key, Existing::Ours).await?;
                self.tag(key, &tags).await
            });
            for written in join_all(writes).await {
                written?;
            }
        }
        Ok(())
    }

    /// Writes nothing but the tags of an object.
    async fn tag(&self, key: &str, tags: &Value) -> Result<(), Fault> {
        let tags = tags.as_map().into_iter().flatten().filter_map(|(key, value)| {
            Some(Tag::builder().key(key).value(value.as_str()?).build())
        });
        let tags = tags.collect::<Result<Vec<_>, _>>().map_err(|e| unbuildable(PUT_TAGS, &e))?;
        let tagging = Tagging::builder().set_tag_set(Some(tags)).build().map_err(|e| unbuildable(PUT_TAGS, &e))?;
        let place = self.place;
        let send = || {
            let call = place.session.s3().put_object_tagging().bucket(place.bucket).key(key);
            call.expected_bucket_owner(place.account_id).tagging(tagging.clone()).send()
        };
        place.session.call(PUT_TAGS, send).await.map(drop)
    }
}

/// Deletes objects; those that are gone already are deleted.
async fn delete_many(place: Place<'_>, keys: Vec<String>) -> Result<(), Fault> {
    for batch in keys.chunks(KEYS_PER_DELETION) {
        let objects = batch.iter().map(|key| ObjectIdentifier::builder().key(key).build());
        let objects = objects.collect::<Result<Vec<_>, _>>().map_err(|e| unbuildable(DELETE_MANY, &e))?;
        let deletion = Deletion::builder().set_objects(Some(objects)).quiet(true).build();
        let deletion = deletion.map_err(|e| unbuildable(DELETE_MANY, &e))?;
        let send = || {
            let call = place.session.s3().delete_objects().bucket(place.bucket).delete(deletion.clone());
            call.expected_bucket_owner(place.account_id).send()
        };
        let answer = place.session.call(DELETE_MANY, send).await?;
        // The call succeeds although single keys were refused.
        if let Some(error) = answer.errors().first() {
            let kind = if error.code() == Some("AccessDenied") { FaultKind::Denied } else { FaultKind::Other };
            let message =
                format!("{} (object {})", error.message().unwrap_or("refused"), error.key().unwrap_or_default());
            let fault = Fault::local(kind, DELETE_MANY.name, message);
            return Err(Fault { service: DELETE_MANY.service.into(), code: error.code.clone(), ..fault });
        }
    }
    Ok(())
}

fn unbuildable(operation: Operation, error: &dyn std::fmt::Display) -> Fault {
    Fault::local(FaultKind::Invalid, operation.name, error.to_string())
}
