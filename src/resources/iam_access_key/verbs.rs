//! The side of `iam.access_key` that calls AWS and writes the file.

use std::collections::BTreeMap;

use async_trait::async_trait;
use futures_util::future::join_all;
use s3stack_engine::apply::recover::ELSEWHERE;
use s3stack_engine::fault::{Fault, FaultKind};
use s3stack_engine::plan::{Live, Observation};
use s3stack_engine::value::{Map, Value};

use super::access_key::{AccessKey, PRESENT};
use super::env::{Wanted, fault, here};
use super::keys::{Key, MOST, User};
use super::lines;
use crate::env_file::{self, EnvFileError, EnvText, Prepared};
use crate::resources::{Context, Create, Delete, Depth, Progress, Provider, Question, Reply, Update};

/// What [`Provider::before`] notes: the ids of the keys that the user has.
const KEYS: &str = "keys";
/// What the engine notes: the physical id of the resource that a new one takes the place of.
const REPLACES: &str = "replaces";

#[async_trait]
impl Provider for AccessKey {
    async fn read(&self, context: &Context, questions: &[Question], depth: Depth) -> Vec<Observation> {
        let mut users: BTreeMap<&str, Result<Option<Vec<Key>>, Fault>> = BTreeMap::new();
        for question in questions {
            if let Some(name) = text(&question.managed, "user") {
                users.insert(name, Ok(None));
            }
        }
        let ask = |name| async move { (name, User { session: &context.session, name }.keys().await) };
        let users: BTreeMap<_, _> = join_all(users.into_keys().map(ask)).await.into_iter().collect();
        let answers = questions.iter().map(|question| async {
            let Some(name) = text(&question.managed, "user") else {
                return Observation::Unreadable(unknown_user());
            };
            let user = User { session: &context.session, name };
            let answer = match users.get(name) {
                Some(Ok(Some(keys))) => self.observe(context, user, keys, question, depth).await,
                Some(Err(fault)) => Err(fault.clone()),
                _ => Ok(Observation::Missing),
            };
            answer.unwrap_or_else(Observation::Unreadable)
        });
        join_all(answers).await
    }

    async fn before(&self, context: &Context, create: &Create) -> Result<Map, Fault> {
        let name = text(&create.desired, "user").ok_or_else(unknown_user)?;
        let keys = User { session: &context.session, name }.keys().await?.unwrap_or_default();
        Ok(Map::from([(KEYS.to_owned(), Value::strings(keys.into_iter().map(|key| key.id)))]))
    }

    async fn create(&self, context: &Context, create: &Create, progress: &dyn Progress) -> Result<Reply, Fault> {
        let name = text(&create.desired, "user").ok_or_else(unknown_user)?;
        let wanted = Wanted::of(&create.address, &create.desired).ok_or_else(no_file)?;
        let user = User { session: &context.session, name };
        // Whatever can go wrong with the file goes wrong before there is a secret to lose.
        wanted.texts("AKIA0000000000000000", Some("0"))?;
        let prepared = prepare(context, wanted).await?;
        let keys = user.keys_of_new().await?;
        let replaced = text(&create.before, REPLACES);
        if keys.len() >= MOST {
            make_room(user, &keys, replaced).await?;
        }

        let (id, secret) = user.create().await?;
        self.made().insert(id.clone(), create.address.clone());
        let mut known: Vec<String> = keys.into_iter().map(|key| key.id).collect();
        known.extend(replaced.map(str::to_owned));
        if let Err(error) = write(prepared, wanted, &id, &secret, known).await {
            return Err(take_back(user, &id, &error, progress).await);
        }
        let mut attributes = attributes(&id, Some(&secret));
        attributes.insert("kept_at".to_owned(), here(context.files.root()).into());
        progress.identified(&id, attributes.clone()).await?;

        if create.desired.get("active").and_then(Value::as_bool) == Some(false) {
            user.set_active(&id, false).await?;
        }
        attributes.insert("secret".to_owned(), lines::hidden(secret));
        Ok(Reply { physical_id: id, attributes })
    }

    async fn update(&self, context: &Context, update: &Update, _: &dyn Progress) -> Result<Reply, Fault> {
        let id = update.physical_id.as_str();
        let name = text(&update.desired, "user").or_else(|| text(&update.live, "user")).ok_or_else(unknown_user)?;
        let mut attributes = Map::new();
        if update.touches("env_file") {
            let wanted = Wanted::of(&update.address, &update.desired).ok_or_else(no_file)?;
            attributes = self.rewrite(context, update, wanted).await?;
        }
        if update.touches("active") {
            let active = update.desired.get("active").and_then(Value::as_bool).unwrap_or(true);
            User { session: &context.session, name }.set_active(id, active).await?;
        }
        attributes.insert("id".to_owned(), id.into());
        Ok(Reply { physical_id: id.to_owned(), attributes })
    }

    async fn delete(&self, context: &Context, delete: &Delete) -> Result<(), Fault> {
        let name = text(&delete.managed, "user").ok_or_else(unknown_user)?;
        let id = delete.physical_id.as_str();
        let user = User { session: &context.session, name };
        // The file before the key: a run that is cut short between the two leaves a key that the next one finds, and
        // not lines that nobody looks for any more. From the first call on the secret is of no use.
        user.deactivate(id).await?;
        if let Some(wanted) = Wanted::of(&delete.address, &delete.managed) {
            forget_lines(context, wanted, id, text(&delete.attributes, "secret_digest")).await?;
        }
        user.delete_inactive(id).await
    }
}

/// Takes a key's lines out of its file.
async fn forget_lines(context: &Context, wanted: Wanted<'_>, id: &str, digest: Option<&str>) -> Result<(), Fault> {
    let (folder, beside) = (context.files.root().to_owned(), wanted.path.to_owned());
    blocking(move || env_file::tidy(&folder, &beside)).await?;
    let Some(mut file) = load(context, wanted.path).await? else { return Ok(()) };
    let before = file.clone();
    wanted.remove(&mut file, id, digest);
    if file == before {
        return Ok(());
    }
    let (own, path, set) = (wanted.own.clone(), wanted.path.to_owned(), wanted.set.clone());
    let (id, digest) = (id.to_owned(), digest.map(str::to_owned));
    // Once more, on what is there under the lock: another key may have been written meanwhile.
    edit(context, wanted.path, move |file| {
        Wanted { own: &own, path: &path, set: &set }.remove(file, &id, digest.as_deref());
    })
    .await
}

impl AccessKey {
    /// What is to be said of one key.
    async fn observe(
        &self,
        context: &Context,
        user: User<'_>,
        keys: &[Key],
        question: &Question,
        depth: Depth,
    ) -> Result<Observation, Fault> {
        let wanted = Wanted::of(&question.address, &question.managed);
        if question.physical_id.is_empty() {
            return self.trace(context, user, keys, question, wanted).await;
        }
        let Some(key) = keys.iter().find(|key| key.id == question.physical_id) else {
            return Ok(Observation::Missing);
        };
        let mut live = live(user, key, question);
        live.hint = depth == Depth::Sweep;
        if let Some(wanted) = wanted.filter(|_| question.properties.contains("env_file")) {
            let file = load(context, wanted.path).await?;
            let digest = text(&question.attributes, "secret_digest");
            let secret = wanted.secret(file.as_ref(), &key.id, digest);
            let kept_at = text(&question.attributes, "kept_at");
            let here = here(context.files.root());
            let (copy, set) = match (&secret, kept_at) {
                (Err(_), Some(place)) if place != here => {
                    // The file is on another machine, where it may be as it shall be for all that is known here.
                    (PRESENT.to_owned(), remembered(wanted, &key.id))
                }
                (Err(why), _) => (why.clone(), wanted.live(file.as_ref(), &key.id, None)),
                (Ok(secret), _) => {
                    live.attributes.extend(attributes(&key.id, Some(secret)));
                    live.attributes.insert("kept_at".to_owned(), here.into());
                    (PRESENT.to_owned(), wanted.live(file.as_ref(), &key.id, Some(secret)))
                }
            };
            live.managed.insert("secret_copy".to_owned(), copy.into());
            let members = [("path", Value::from(wanted.path)), ("set", Value::Map(set))];
            live.managed.insert("env_file".to_owned(), Value::map(members));
        }
        Ok(Observation::Found(live))
    }

    /// What a creation left that was cut short: the key that is in the file with its secret; or one that the user did not
    /// have before, that was never used, and that this process did not make for another block.
    async fn trace(
        &self,
        context: &Context,
        user: User<'_>,
        keys: &[Key],
        question: &Question,
        wanted: Option<Wanted<'_>>,
    ) -> Result<Observation, Fault> {
        // Without the note nothing tells a key of ours from any other.
        let Some(before) = question.before.get(KEYS).and_then(Value::as_list) else {
            return Ok(Observation::Missing);
        };
        // What state has is no leftover: the same run may have made it after an earlier one was cut short.
        let stated = question.before.get(ELSEWHERE).and_then(Value::as_list).unwrap_or_default();
        let is_new = |key: &&Key| {
            let made = self.made();
            !before.iter().chain(stated).any(|id| id.as_str() == Some(&key.id))
                && made.get(&key.id).is_none_or(|address| *address == question.address)
        };
        let mut new: Vec<&Key> = keys.iter().filter(is_new).collect();
        new.sort_by_key(|key| std::cmp::Reverse(key.made));
        if let Some(wanted) = wanted {
            let file = load(context, wanted.path).await?;
            for key in &new {
                if let Ok(secret) = wanted.secret(file.as_ref(), &key.id, None) {
                    let mut live = live(user, key, question);
                    live.attributes = attributes(&key.id, Some(&secret));
                    live.attributes.insert("kept_at".to_owned(), here(context.files.root()).into());
                    let set = wanted.live(file.as_ref(), &key.id, Some(&secret));
                    let members = [("path", Value::from(wanted.path)), ("set", Value::Map(set))];
                    live.managed.insert("env_file".to_owned(), Value::map(members));
                    live.managed.insert("secret_copy".to_owned(), PRESENT.into());
                    live.attributes.insert("secret".to_owned(), lines::hidden(secret));
                    return Ok(Observation::Found(live));
                }
            }
        }
        for key in new {
            if user.is_unused(&key.id).await? {
                let mut live = live(user, key, question);
                let copy = "lost: the creation was cut short before the file was written";
                live.managed.insert("secret_copy".to_owned(), copy.into());
                return Ok(Observation::Found(live));
            }
        }
        Ok(Observation::Missing)
    }

    /// Writes the lines again, at a new place if that is what changed. Tells the attributes that follow.
    async fn rewrite(&self, context: &Context, update: &Update, wanted: Wanted<'_>) -> Result<Map, Fault> {
        let id = update.physical_id.as_str();
        let old = Wanted::of(&update.address, &update.live).unwrap_or(wanted);
        let digest = text(&update.attributes, "secret_digest");
        let file = load(context, old.path).await?;
        // A line that is new may stand in the file already; one that went tells the secret as well as one that stays.
        let secret = old.secret(file.as_ref(), id, digest).or_else(|_| wanted.secret(file.as_ref(), id, digest));
        let secret = match secret {
            Ok(secret) => Some(secret),
            Err(_) if !wanted.needs_secret() => None,
            Err(why) => {
                let place = text(&update.attributes, "kept_at").filter(|place| *place != here(context.files.root()));
                let message = match place {
                    Some(place) => format!(
                        "the file with the secret of {id} is at {place}: run this there, or give `rotate` another text \
                         to get a new key here"
                    ),
                    None => format!(
                        "the secret of {id} cannot be had again ({why}): give `rotate` another text to get a new key"
                    ),
                };
                return Err(Fault::local(FaultKind::Invalid, "env_file", message));
            }
        };
        let texts = wanted.texts(id, secret.as_deref())?;
        let gone: Vec<String> =
            wanted.set.iter().filter(|(_, line)| line.is_null()).map(|(name, _)| name.clone()).collect();
        edit(context, wanted.path, move |file| {
            gone.iter().for_each(|name| file.remove(name));
            texts.iter().for_each(|(name, text)| file.set(name, text));
        })
        .await?;
        if old.path != wanted.path {
            forget_lines(context, old, id, digest).await?;
        }
        let mut learned = attributes(id, secret.as_deref());
        learned.insert("kept_at".to_owned(), here(context.files.root()).into());
        Ok(learned)
    }
}

fn live(user: User<'_>, key: &Key, question: &Question) -> Live {
    let mut managed = Map::from([("user".to_owned(), user.name.into()), ("active".to_owned(), key.active.into())]);
    // AWS knows nothing of it: a key has the word that it was made with.
    if let Some(rotate) = question.managed.get("rotate") {
        managed.insert("rotate".to_owned(), rotate.clone());
    }
    Live {
        physical_id: key.id.clone(),
        managed,
        attributes: attributes(&key.id, None),
        owner: None,
        loss: Vec::new(),
        hint: false,
    }
}

/// The lines as they were written, for a machine that cannot see them.
fn remembered(wanted: Wanted<'_>, id: &str) -> Map {
    let text = |line: &Value| match line {
        Value::Unknown(_) => Wanted { set: &Map::from([(String::new(), line.clone())]), ..wanted }
            .texts(id, None)
            .ok()
            .and_then(|texts| Some(texts.into_iter().next()?.1.into())),
        line => Some(line.clone()),
    };
    wanted.set.iter().filter_map(|(name, line)| Some((name.clone(), text(line)?))).collect()
}

/// The attributes that state may know.
fn attributes(id: &str, secret: Option<&str>) -> Map {
    let mut attributes = Map::from([("id".to_owned(), Value::from(id))]);
    if let Some(secret) = secret {
        attributes.insert("secret_digest".to_owned(), lines::digest(id, secret).into());
    }
    attributes
}

/// Makes room for a third key, where the one that is replaced is of no use to anybody.
async fn make_room(user: User<'_>, keys: &[Key], replaced: Option<&str>) -> Result<(), Fault> {
    if let Some(old) = keys.iter().find(|key| Some(key.id.as_str()) == replaced)
        && (!old.active || user.is_unused(&old.id).await?)
    {
        return user.delete(&old.id).await;
    }
    let shown: Vec<String> =
        keys.iter().map(|key| format!("{} ({})", key.id, if key.active { "active" } else { "inactive" })).collect();
    let message = format!(
        "user {} has {} access keys already, {}, and AWS allows no more: find out which one nobody uses (aws iam \
         get-access-key-last-used --access-key-id ID), delete it (aws iam delete-access-key --user-name {} \
         --access-key-id ID), and apply again",
        user.name,
        keys.len(),
        shown.join(" and "),
        user.name,
    );
    Err(Fault::local(FaultKind::Invalid, "CreateAccessKey", message))
}

/// Deletes a key that was made a moment ago and whose secret could not be written; where that fails too, state is told,
/// so that the next run does it.
async fn take_back(user: User<'_>, id: &str, error: &EnvFileError, progress: &dyn Progress) -> Fault {
    let became = match user.delete(id).await {
        Ok(()) => "it was deleted again".to_owned(),
        Err(fault) => match progress.identified(id, attributes(id, None)).await {
            Ok(()) => format!("it is in state and will be replaced, for deleting it failed: {fault}"),
            Err(_) => format!("the next apply will delete it, for doing so now failed: {fault}"),
        },
    };
    let message = format!("AWS made the key {id}, and its secret could not be written ({error}); {became}");
    Fault::local(FaultKind::Invalid, "env_file", message)
}

async fn prepare(context: &Context, wanted: Wanted<'_>) -> Result<Prepared, Fault> {
    let (folder, path) = (context.files.root().to_owned(), wanted.path.to_owned());
    blocking(move || env_file::prepare(&folder, &path)).await?.map_err(|error| fault(&error))
}

/// Puts a new key's lines into the file. `known` are the keys that the user has besides.
async fn write(
    prepared: Prepared,
    wanted: Wanted<'_>,
    id: &str,
    secret: &str,
    known: Vec<String>,
) -> Result<(), EnvFileError> {
    let failed = |fault: Fault| EnvFileError::Io {
        action: "write",
        path: wanted.path.to_owned(),
        source: std::io::Error::other(fault.message),
    };
    let texts = wanted.texts(id, Some(secret)).map_err(failed)?;
    let (own, path, set, id) = (wanted.own.clone(), wanted.path.to_owned(), wanted.set.clone(), id.to_owned());
    let commit = move || {
        prepared.commit(|file| {
            let mut ids: Vec<&str> = known.iter().map(String::as_str).collect();
            ids.push(&id);
            Wanted { own: &own, path: &path, set: &set }.shelve_others(file, &ids);
            texts.iter().for_each(|(name, text)| file.set(name, text));
        })
    };
    blocking(commit).await.map_err(failed)?
}

async fn load(context: &Context, path: &str) -> Result<Option<EnvText>, Fault> {
    let (folder, path) = (context.files.root().to_owned(), path.to_owned());
    blocking(move || env_file::read(&folder, &path)).await?.map_err(|error| fault(&error))
}

async fn edit(context: &Context, path: &str, change: impl FnOnce(&mut EnvText) + Send + 'static) -> Result<(), Fault> {
    let (folder, path) = (context.files.root().to_owned(), path.to_owned());
    blocking(move || env_file::commit(&folder, &path, change)).await?.map_err(|error| fault(&error))
}

/// File work, where it may block. It goes on to its end even if the caller stops waiting.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Fault> {
    let stopped =
        |error| Fault::local(FaultKind::Uncertain, "env_file", format!("{error}; this is a fault of s3stack"));
    tokio::task::spawn_blocking(work).await.map_err(stopped)
}

fn text<'a>(map: &'a Map, key: &str) -> Option<&'a str> {
    map.get(key).and_then(Value::as_str)
}

fn unknown_user() -> Fault {
    Fault::local(FaultKind::Invalid, "user", "the name of the user is not known; this is a fault of s3stack")
}

fn no_file() -> Fault {
    Fault::local(FaultKind::Invalid, "env_file", "the file's path is not known before the key is made; write it out")
}
