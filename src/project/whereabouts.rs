//! Where the state of a stack is, as the last apply from this folder knew it: for a destroy when the stack's files no
//! longer say it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use s3stack_engine::state::SignIn;
use serde::{Deserialize, Serialize};

use super::{Backend, Project, Settings};
use crate::deployment::private_folder;

/// The format this version writes and reads.
const FORMAT: u32 = 1;

/// Largest file that is read: it holds a handful of names.
const MAX_BYTES: u64 = 64 * 1024;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Whereabouts {
    format: u32,
    name: String,
    region: Option<String>,
    /// How to get into the account that the stack is in, where that is not the caller's.
    #[serde(default)]
    account: Option<SignIn>,
    account_id: Option<String>,
    id: Option<String>,
    backend: Backend,
    confirm: bool,
}

/// Writes down where a stack's state is; `local` for the private AWS of `--local`, which has a state of its own. Holds
/// nothing secret.
///
/// # Errors
/// If the folder cannot be written.
pub fn keep(project: &Project, local: bool) -> io::Result<()> {
    let account = project.settings.home().cloned();
    let Settings { name, region, account_id, id, backend, confirm, .. } = project.settings.clone();
    let whereabouts = Whereabouts { format: FORMAT, name, region, account, account_id, id, backend, confirm };
    let text = serde_json::to_vec_pretty(&whereabouts)?;
    let Some(path) = path(&project.folder, &project.environment, local) else { return Ok(()) };
    // Unchanged is the usual case: a stack folder may be read-only after its first apply.
    if fs::read(&path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(&text)?;
    file.as_file().sync_all()?;
    file.persist(&path)?;
    Ok(())
}

/// The settings that were kept; none where there are none, or none that this version understands.
pub fn recall(folder: &Path, environment: &str, local: bool) -> Option<Settings> {
    let path = path(folder, environment, local)?;
    if fs::metadata(&path).ok()?.len() > MAX_BYTES {
        return None;
    }
    let Whereabouts { format, name, region, account, account_id, id, backend, confirm } =
        serde_json::from_slice(&fs::read(&path).ok()?).ok()?;
    // Only the way into it matters, and any name leads there.
    let accounts: BTreeMap<String, SignIn> = account.map(|way| ("home".to_owned(), way)).into_iter().collect();
    let account = accounts.keys().next().cloned();
    (format == FORMAT).then_some(Settings {
        name,
        region,
        account,
        account_id,
        accounts,
        id,
        backend,
        confirm,
        ..Settings::default()
    })
}

/// The file; none where the environment's name is none.
fn path(folder: &Path, environment: &str, local: bool) -> Option<PathBuf> {
    let is_name = environment.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    let place = if local { "local/last" } else { "last" };
    is_name.then(|| private_folder(folder).join(place).join(format!("{environment}.json")))
}

#[cfg(test)]
mod tests {
    use super::super::{Choices, open};
    use super::*;

    const STACK: &str = "[stack]\nname = 's'\nregion = 'eu-west-1'\n[backend.s3]\nbucket = 'states'\nkey = 'k'\n";

    #[test]
    fn what_is_kept_is_recalled_each_environment_and_kind_apart() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("stack.toml"), STACK).unwrap();
        let project = open(&Choices { path: folder.path().into(), ..Choices::default() }).unwrap();
        keep(&project, false).unwrap();
        keep(&project, false).unwrap();
        let recalled = recall(folder.path(), "default", false).unwrap();
        assert_eq!((recalled.name.as_str(), recalled.region.as_deref()), ("s", Some("eu-west-1")));
        assert_eq!(recalled.backend, project.settings.backend);
        for (environment, local) in [("default", true), ("prod", false), ("../last/default", false)] {
            assert!(recall(folder.path(), environment, local).is_none(), "{environment} {local}");
        }
    }

    #[test]
    fn what_cannot_be_understood_is_not_recalled() {
        let folder = tempfile::tempdir().unwrap();
        let path = path(folder.path(), "default", false).unwrap();
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        for text in ["", "{", "{\"format\": 1}", "[]"] {
            fs::write(&path, text).unwrap();
            assert!(recall(folder.path(), "default", false).is_none(), "{text}");
        }
    }
}
