//! Physical names that the tool makes, and the rule that no two resources share one, nor do what only one may.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::model::Node;
use crate::address::Address;
use crate::diagnostic::{Diagnostic, Diagnostics, Span};
use crate::resource::{Descriptor, Facts, NameScope, Naming, Registry};
use crate::value::Value;

/// The name of a resource whose block gives it none: stack, environment (unless it is the default one), modules, block
/// and key, in words joined by hyphens; with the account id where strangers compete for names. Over the limit it is cut,
/// and six characters of a digest keep it unique.
pub fn default_name(facts: &Facts, address: &Address, naming: &Naming) -> String {
    let mut words = vec![facts.stack.clone()];
    if facts.environment != "default" {
        words.push(facts.environment.clone());
    }
    for step in &address.module.0 {
        words.push(step.name.clone());
        words.extend(step.key.clone());
    }
    words.push(address.name.clone());
    words.extend(address.key.clone());
    words.extend(address.companion.iter().flat_map(|(kind, name)| [kind.clone(), name.clone()]));
    let plain = words.join("-");
    let name: String = plain
        .chars()
        .map(|c| match c {
            c if c.is_ascii_alphanumeric() || c == '-' => c.to_ascii_lowercase(),
            _ => '-',
        })
        .collect();
    let suffix = if naming.account_suffix { format!("-{}", facts.account_id) } else { String::new() };
    // What was changed beyond `_` to `-` could make two addresses one: then the digest tells them apart too.
    let changed = plain.replace('_', "-") != name;
    if name.len() + suffix.len() <= naming.max && !changed {
        return name + &suffix;
    }
    let digest: String = Sha256::digest(address.to_string()).iter().map(|byte| format!("{byte:02x}")).take(3).collect();
    let room = naming.max.saturating_sub(suffix.len() + digest.len() + 1);
    let head: String = name.chars().take(room).collect();
    format!("{}-{digest}{suffix}", head.trim_end_matches('-'))
}

/// What AWS tells resources of one type apart by.
struct Identifier<'a> {
    /// The property that says it, where one does.
    property: Option<&'static str>,
    /// Within which it is unique.
    scope: String,
    text: &'a str,
    ignore_case: bool,
}

/// The name, or the identifier of a type that has no names; none where AWS makes it.
fn identifier<'a>(node: &'a Node, descriptor: &Descriptor) -> Option<Identifier<'a>> {
    let Some(naming) = descriptor.naming else {
        let Value::String(text) = &node.physical_id else { return None };
        return Some(Identifier {
            property: None,
            scope: format!("{} {}", node.account, node.region),
            text,
            ignore_case: false,
        });
    };
    let Value::String(text) = node.resource.property(naming.property) else { return None };
    let scope = match naming.scope {
        NameScope::Partition => String::new(),
        NameScope::Account => node.account.clone(),
        NameScope::Region => format!("{} {}", node.account, node.region),
        NameScope::Parent(property) => {
            format!("{} {}", node.account, node.resource.property(property).as_str()?)
        }
    };
    Some(Identifier { property: Some(naming.property), scope, text, ignore_case: naming.ignore_case })
}

/// Finds resources of one type that would be one thing in AWS.
pub fn unique(nodes: &BTreeMap<Address, Node>, registry: &dyn Registry, diagnostics: &mut Diagnostics) {
    let mut seen: BTreeMap<(String, String, String), &Address> = BTreeMap::new();
    for (address, node) in nodes {
        let Some(descriptor) = registry.get(address.type_name.as_str()).map(|kind| kind.descriptor()) else { continue };
        let Some(Identifier { property, scope, text, ignore_case }) = identifier(node, descriptor) else { continue };
        let folded = if ignore_case { text.to_lowercase() } else { text.to_owned() };
        let Some(first) = seen.insert((address.type_name.to_string(), scope, folded), address) else { continue };
        let place = |address: &Address| {
            let node = nodes.get(address)?;
            property.and_then(|property| node.property_spans.get(property)).or(node.span.as_ref()).cloned()
        };
        let of_one_block = first.block() == address.block();
        let (message, help) = match property {
            Some(_) if of_one_block => {
                (format!("all of {} have one name, \"{text}\"", address.block()), "put ${each.key} into it")
            }
            Some(_) => {
                (format!("two {} have one name, \"{text}\"", address.type_name), "give one of them another name")
            }
            None => (format!("two {} are one thing in AWS, {text}", address.type_name), "take one of them out"),
        };
        let mut diagnostic = Diagnostic::error("S3S-N1", message)
            .at(place(address))
            .on(address)
            .label(place(first), format!("{first} has it too"))
            .help(help);
        if descriptor.naming.is_some_and(|naming| naming.scope == NameScope::Partition) {
            diagnostic = diagnostic
                .note("In us-east-1 AWS would accept both, and each block would overwrite the other's settings.");
        }
        diagnostics.push(diagnostic);
    }
}

/// Finds resources that do what only one may.
pub fn claimed_once(nodes: &BTreeMap<Address, Node>, registry: &dyn Registry, diagnostics: &mut Diagnostics) {
    let mut seen: BTreeMap<String, (&Address, Option<Span>)> = BTreeMap::new();
    for (address, node) in nodes {
        let Some(kind) = registry.get(address.type_name.as_str()) else { continue };
        for (claim, path) in kind.claims(&node.resource) {
            let place = path.head().and_then(|head| node.property_spans.get(head)).or(node.span.as_ref()).cloned();
            let Some((first, there)) = seen.insert(claim.clone(), (address, place.clone())) else { continue };
            let diagnostic = Diagnostic::error("S3S-N3", format!("two resources {claim}"))
                .at(place)
                .on(address)
                .property(&path)
                .label(there, format!("{first} does it too"))
                .note("Each would undo what the other did, at every apply.");
            diagnostics.push(diagnostic.help("change one of them"));
            // Two that clash once clash in everything, as a rule.
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        Facts {
            partition: "aws".into(),
            account_id: "123456789012".into(),
            region: "us-east-1".into(),
            stack: "eventpulse".into(),
            environment: "prod".into(),
        }
    }

    const BUCKET: Naming =
        Naming { property: "name", max: 63, account_suffix: true, scope: NameScope::Partition, ignore_case: false };

    #[test]
    fn a_name_says_stack_environment_and_block() {
        let name = default_name(&facts(), &Address::root("s3.bucket", "raw_logs"), &BUCKET);
        assert_eq!(name, "eventpulse-prod-raw-logs-123456789012");
    }

    #[test]
    fn a_long_name_is_cut_and_stays_unique() {
        let long = |end: &str| {
            default_name(&facts(), &Address::root("s3.bucket", format!("{}{end}", "x".repeat(60))), &BUCKET)
        };
        assert_eq!(long("a").len(), 63);
        assert_ne!(long("a"), long("b"));
    }

    #[test]
    fn keys_that_fold_to_one_text_stay_apart() {
        let keyed = |key: &str| {
            let mut address = Address::root("s3.bucket", "this");
            address.key = Some(key.into());
            default_name(&facts(), &address, &BUCKET)
        };
        assert_ne!(keyed("a/b"), keyed("a.b"));
        assert_ne!(keyed("A"), keyed("a"));
    }
}
