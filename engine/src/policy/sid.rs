//! Statement ids that we make: readable, stable, and of letters and digits alone, as IAM wants them.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

/// The words of a text in camel case, `raw_logs` as `RawLogs`; everything but ASCII letters and digits parts words.
pub fn camel(text: &str) -> String {
    text.split(|c: char| !c.is_ascii_alphanumeric())
        .flat_map(|word| {
            let mut chars = word.chars();
            chars.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(chars)
        })
        .collect()
}

/// Makes ids unique: those that several things would share get six digits of what tells the things apart.
///
/// Each pair is the wanted id and the telling text. The result, in the same order, depends on the set of pairs only, not
/// on their order, and giving one thing a digest gives it to all of the same wanted id. Only things that nothing tells
/// apart (secrets hide what would) are numbered in their order.
pub fn unique(wanted: &[(String, String)]) -> Vec<String> {
    let mut count: BTreeMap<&str, usize> = BTreeMap::new();
    for (id, _) in wanted {
        *count.entry(id).or_default() += 1;
    }
    let mut taken = BTreeSet::new();
    let digested = wanted.iter().map(|(id, telling)| match count.get(id.as_str()) {
        Some(1) => id.clone(),
        _ => {
            let digest = Sha256::digest(telling.as_bytes());
            let digits: String = digest.iter().take(3).map(|byte| format!("{byte:02x}")).collect();
            format!("{id}{digits}")
        }
    });
    let mut number = |id: String| {
        let free = (2..).map(|number| format!("{id}x{number}"));
        let id = std::iter::once(id.clone()).chain(free).find(|id| !taken.contains(id)).unwrap_or(id);
        taken.insert(id.clone());
        id
    };
    digested.map(&mut number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn camel_case_parts_words_at_everything_else() {
        assert_eq!(camel("raw_logs"), "RawLogs");
        assert_eq!(camel("scripts/2024-01/ü.x"), "Scripts202401X");
        assert_eq!(camel("token.actions.githubusercontent.com"), "TokenActionsGithubusercontentCom");
    }

    #[test]
    fn only_shared_ids_get_a_digest_and_order_does_not_matter() {
        let pair = |id: &str, telling: &str| (id.to_owned(), telling.to_owned());
        let made = unique(&[pair("Data", "a"), pair("Logs", "x"), pair("Data", "b")]);
        assert_eq!(made[1], "Logs");
        assert_ne!(made[0], made[2]);
        assert!(made[0].starts_with("Data") && made[0].len() == 10);
        let turned = unique(&[pair("Data", "b"), pair("Data", "a")]);
        assert_eq!([&made[2], &made[0]], [&turned[0], &turned[1]]);
        let equal = unique(&[pair("Data", "a"), pair("Data", "a")]);
        assert_ne!(equal[0], equal[1]);
    }
}
