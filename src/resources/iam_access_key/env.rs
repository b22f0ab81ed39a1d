//! The key's `.env` file: what of it is there, and what has to be written.

use std::path::Path;

use s3stack_engine::address::Address;
use s3stack_engine::fault::{Fault, FaultKind};
use s3stack_engine::value::{Map, Value};

use super::lines::{self, Made};
use crate::env_file::{EnvFileError, EnvText};

/// The lines that a key wants, and where.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    /// The key's address.
    pub own: &'a Address,
    /// The file, relative to the stack's folder.
    pub path: &'a str,
    /// The lines by name; null for one that shall go.
    pub set: &'a Map,
}

impl<'a> Wanted<'a> {
    /// What managed properties say; absent where they say nothing of a file.
    pub fn of(own: &'a Address, managed: &'a Map) -> Option<Self> {
        let file = managed.get("env_file")?;
        Some(Self { own, path: file.get("path").as_str()?, set: file.get("set").as_map()? })
    }

    fn lines(self) -> impl Iterator<Item = (&'a String, &'a Value)> {
        self.set.iter().filter(|(_, line)| !line.is_null())
    }

    fn recipes(self) -> impl Iterator<Item = (&'a String, &'a Value)> {
        self.lines().filter(|(_, line)| lines::is_recipe(line))
    }

    /// Whether any line needs the secret.
    pub fn needs_secret(self) -> bool {
        self.recipes().next().is_some()
    }

    /// The text of every line.
    ///
    /// # Errors
    /// As [`lines::text`].
    pub fn texts(self, id: &str, secret: Option<&str>) -> Result<Vec<(String, String)>, Fault> {
        let made = Made { own: self.own, id, secret };
        self.lines().map(|(name, line)| Ok((name.clone(), lines::text(line, made)?))).collect()
    }

    /// Whether the file says by one of the lines without secret that it is about the key `id`.
    pub fn names(self, file: &EnvText, id: &str) -> bool {
        self.lines()
            .filter(|(_, line)| !lines::is_recipe(line))
            .filter(|(_, line)| lines::has_id(line, self.own, Some(id)))
            .any(|(name, _)| file.get(name).is_some_and(|text| text.contains(id)))
    }

    /// The secret of the key `id`, taken from the file. With a digest it is sure to be that; without one the file's own
    /// word is taken.
    ///
    /// # Errors
    /// What became of it, for people.
    pub fn secret(self, file: Option<&EnvText>, id: &str, digest: Option<&str>) -> Result<String, String> {
        let path = self.path;
        let Some(file) = file else { return Err(format!("lost: there is no {path}")) };
        let mut foreign = None;
        for (name, line) in self.recipes().filter(|(_, line)| lines::gives_secret_back(line)) {
            let Some(actual) = file.get(name) else { continue };
            match lines::secret_in(line, self.own, id, &actual) {
                Some(secret) => match digest {
                    Some(digest) if lines::digest(id, &secret) != *digest => foreign = Some(name),
                    None if !self.names(file, id) => foreign = Some(name),
                    _ => return Ok(secret),
                },
                None => foreign = Some(name),
            }
        }
        Err(match foreign {
            Some(name) => format!("lost: {name} in {path} is not this key's"),
            None => format!("lost: {path} has no line with it"),
        })
    }

    /// The lines as the file has them, in the vocabulary of the managed properties. What is not as it shall be may be
    /// anything, so it is never shown.
    pub fn live(self, file: Option<&EnvText>, id: &str, secret: Option<&str>) -> Map {
        let made = Made { own: self.own, id, secret };
        let mut live = Map::new();
        for (name, line) in self.lines() {
            let Some(actual) = file.and_then(|file| file.get(name)) else { continue };
            let wanted = lines::text(line, made).is_ok_and(|text| text == actual);
            let value = match wanted {
                true if lines::is_recipe(line) => line.clone(),
                true => actual.into(),
                false => lines::hidden(actual),
            };
            live.insert(name.clone(), value);
        }
        live
    }

    /// Takes the lines out that are the key's. Where the file is about another key by now, which replaced this one, what
    /// is not surely this one's belongs to that.
    pub fn remove(self, file: &mut EnvText, id: &str, digest: Option<&str>) {
        let is_ours = |file: &EnvText, name: &str, line: &Value| -> Option<bool> {
            let actual = file.get(name)?;
            if lines::is_recipe(line) {
                let secret = lines::secret_in(line, self.own, id, &actual)?;
                return Some(
                    digest.map_or_else(|| self.names(file, id), |digest| lines::digest(id, &secret) == digest),
                );
            }
            lines::has_id(line, self.own, Some(id)).then(|| actual.contains(id))
        };
        let told: Vec<(&String, Option<bool>)> =
            self.set.iter().map(|(name, line)| (name, is_ours(file, name, line))).collect();
        let is_anothers = told.iter().any(|(_, ours)| *ours == Some(false));
        for (name, ours) in told {
            if ours.unwrap_or(!is_anothers) {
                file.remove(name);
            }
        }
    }

    /// Puts lines out of use that stand under our names and belong to a key of somebody else: they are kept as comments.
    /// `ids` are the keys that the user has or had.
    pub fn shelve_others(self, file: &mut EnvText, ids: &[&str]) {
        let of_the_key = |line: &Value| lines::is_recipe(line) || lines::has_id(line, self.own, None);
        let names: Vec<&String> = self.lines().filter(|(_, line)| of_the_key(line)).map(|(name, _)| name).collect();
        let texts: Vec<String> =
            names.iter().filter_map(|name| file.get(name)).filter(|text| !text.is_empty()).collect();
        if !texts.is_empty() && !texts.iter().any(|text| ids.iter().any(|id| text.contains(id))) {
            names.into_iter().for_each(|name| file.shelve(name));
        }
    }
}

/// What a failure of the file means for the operation.
pub(super) fn fault(error: &EnvFileError) -> Fault {
    Fault::local(FaultKind::Invalid, "env_file", error.to_string())
}

/// Where this runs, as state remembers it: `machine:/folder`.
pub(super) fn here(folder: &Path) -> String {
    let machine = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    format!("{machine}:{}", folder.display())
}
