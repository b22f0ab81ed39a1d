//! `trust`: who may assume a role, from the stack file's words to the role's trust policy.
//!
//! An entry is a word (a service, an account id, the ARN of a user, role or identity provider) or a table:
//! `{ principal, external_id, condition }` or `{ provider, audience, subjects, condition }`.

use super::document::{Conditions, Document, Effect, PrincipalKind, Principals, Reader, Statement};
use super::principal::{self, Arn, Word};
use super::problem::{Problem, code};
use super::{sid, statements, text};
use crate::address::Path;
use crate::value::{Map, Value};

const ASSUME: &[&str] = &["sts:AssumeRole"];

/// Services that also tag or name the session they make, and cannot assume a role that does not let them.
/// <https://docs.aws.amazon.com/eks/latest/userguide/pod-id-role.html>,
/// <https://docs.aws.amazon.com/rolesanywhere/latest/userguide/trust-model.html>
const SESSION_SERVICES: [(&str, &[&str]); 2] = [
    ("pods.eks.amazonaws.com", &["sts:AssumeRole", "sts:TagSession"]),
    ("rolesanywhere.amazonaws.com", &["sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"]),
];

/// Whether the trust policy's shape can be told already. It cannot while the entries as a whole, or a provider's ARN, are
/// not known: the condition keys of a provider begin with its host. The policy is then unknown as a whole.
pub fn shape_is_known(entries: &Value) -> bool {
    match entries {
        Value::Unknown(_) => false,
        Value::List(list) => list.iter().all(shape_is_known_of_entry),
        entry => shape_is_known_of_entry(entry),
    }
}

fn shape_is_known_of_entry(entry: &Value) -> bool {
    entry.get("provider").is_known()
}

/// The trust policy that `trust` describes.
///
/// `entries` is the property's value, resources in it already replaced by their ARNs; `file` the content of the file that
/// [`statements::file_of`] tells. The result does not depend on the order of entries. Fails with everything that is
/// wrong, `*` among it; paths start at the property.
pub fn document(entries: &Value, file: Option<&str>) -> Result<Document, Vec<Problem>> {
    let mut reader = Reader::default();
    if let (Some(_), Some(content)) = (statements::file_of(entries), file) {
        let document = statements::from_file(content, &mut reader.problems);
        reader.keys(entries.as_map().unwrap_or(&Map::new()), &Path::default(), &["file"], "`trust` from a file");
        return if reader.problems.is_empty() { Ok(document) } else { Err(reader.problems) };
    }
    let places: Vec<(Path, &Value)> = match entries {
        Value::Null => Vec::new(),
        Value::List(list) => list.iter().enumerate().map(|(at, entry)| (Path::default().index(at), entry)).collect(),
        single => vec![(Path::default(), single)],
    };
    if !reader.countable(places.len(), &Path::default()) {
        return Err(reader.problems);
    }
    let mut trust = Trust::default();
    for (path, entry) in &places {
        trust.entry(entry, path, &mut reader);
    }
    let statements = trust.statements();
    if statements.is_empty() && reader.problems.is_empty() {
        let problem = Problem::error(code::PRINCIPAL, Path::default(), "`trust` names nobody");
        reader.problems.push(problem.help("name who assumes the role, `trust = [\"ec2.amazonaws.com\"]`"));
    }
    if reader.problems.is_empty() { Ok(Document::new(statements)) } else { Err(reader.problems) }
}

/// The entries read so far; those that say the same of several principals are one statement.
#[derive(Default)]
struct Trust(Vec<Part>);

struct Part {
    /// The Sid, unless another part wants it too.
    sid: String,
    actions: Vec<&'static str>,
    kind: PrincipalKind,
    principals: Vec<Value>,
    conditions: Conditions,
}

impl Trust {
    fn add(&mut self, part: Part) {
        let same = |other: &&mut Part| {
            other.sid == part.sid
                && other.kind == part.kind
                && other.actions == part.actions
                && other.conditions == part.conditions
        };
        match self.0.iter_mut().find(same) {
            Some(other) => other.principals.extend(part.principals),
            None => self.0.push(part),
        }
    }

    fn statements(self) -> Vec<Statement> {
        let mut parts = self.0;
        for part in &mut parts {
            part.principals = sorted(std::mem::take(&mut part.principals));
        }
        let telling = |part: &Part| format!("{:?} {:?}", part.principals, part.conditions);
        let wanted: Vec<_> = parts.iter().map(|part| (part.sid.clone(), telling(part))).collect();
        let sids = sid::unique(&wanted);
        let mut statements: Vec<Statement> = parts
            .into_iter()
            .zip(sids)
            .map(|(part, sid)| Statement {
                sid: Some(sid),
                effect: Effect::Allow,
                principals: Some(Principals::Listed([(part.kind, part.principals)].into())),
                actions: part.actions.into_iter().map(Value::from).collect(),
                conditions: part.conditions,
                ..Statement::default()
            })
            .collect();
        statements.sort_by(|a, b| a.sid.cmp(&b.sid));
        // Two entries that say the same are one.
        statements.dedup();
        statements
    }

    fn entry(&mut self, entry: &Value, path: &Path, reader: &mut Reader) {
        match entry {
            Value::Map(map) if map.contains_key("provider") => self.provider_table(entry, path, reader),
            Value::Map(_) => self.principal_table(entry, path, reader),
            word => {
                self.words(std::slice::from_ref(word), std::slice::from_ref(path), Conditions::new(), false, reader)
            }
        }
    }

    /// `{ principal, external_id, condition }`.
    fn principal_table(&mut self, entry: &Value, path: &Path, reader: &mut Reader) {
        let Some(map) = entry.as_map() else { return };
        reader.keys(map, path, &["principal", "external_id", "condition", "provider"], "an entry of `trust`");
        let mut conditions = reader.conditions(entry.get("condition"), &path.key("condition"));
        let external = reader.texts(entry.get("external_id"), &path.key("external_id"), "an external id");
        require(&mut conditions, "StringEquals", "sts:ExternalId", external, &path.key("external_id"), reader);
        let at = path.key("principal");
        let words = reader.texts(entry.get("principal"), &at, "a principal");
        if entry.get("principal").is_null() {
            let problem = Problem::error(
                code::SHAPE,
                path.clone(),
                "an entry of `trust` has `principal` or `provider`, and this has neither",
            );
            reader.problems.push(problem);
        }
        let paths: Vec<Path> = match entry.get("principal") {
            Value::List(list) => (0..list.len()).map(|index| at.index(index)).collect(),
            _ => vec![at],
        };
        self.words(&words, &paths, conditions, true, reader);
    }

    fn words(&mut self, words: &[Value], paths: &[Path], conditions: Conditions, table: bool, reader: &mut Reader) {
        for (word, path) in words.iter().zip(paths) {
            let text = text::exposed(word);
            let part = |sid: String, actions: &[&'static str], kind| Part {
                sid: format!("Trust{sid}{}", if table && !conditions.is_empty() { "If" } else { "" }),
                actions: actions.to_vec(),
                kind,
                principals: vec![word.clone()],
                conditions: conditions.clone(),
            };
            match (principal::classify_value(word, path), text) {
                (Some(Err(problem)), _) => reader.problems.push(problem),
                (Some(Ok(Word::Everyone)), _) => reader.problems.push(
                    Problem::error(
                        code::PRINCIPAL,
                        path.clone(),
                        "`*` would let everybody with an AWS account assume the role",
                    )
                    .help("name accounts, roles or users; for a whole organization, name its accounts"),
                ),
                (Some(Ok(Word::Service)), Some(text)) => {
                    let special = SESSION_SERVICES.iter().find(|(service, _)| *service == text);
                    self.add(match special {
                        Some((service, actions)) => {
                            let name = service.trim_end_matches(".amazonaws.com");
                            part(sid::camel(name), actions, PrincipalKind::Service)
                        }
                        None => part("Services".into(), ASSUME, PrincipalKind::Service),
                    });
                }
                (Some(Ok(Word::OpenId { .. } | Word::Saml { .. })), _) if table => {
                    let problem = Problem::error(code::SHAPE, path.clone(), "this is an identity provider");
                    reader.problems.push(problem.help("write `provider = …` instead of `principal = …`"));
                }
                (Some(Ok(found @ (Word::OpenId { .. } | Word::Saml { .. }))), _) => {
                    self.provider(word, found, Claims::default(), Conditions::new(), path, reader);
                }
                (Some(Ok(Word::Aws)), _) => self.add(part("Principals".into(), ASSUME, PrincipalKind::Aws)),
                _ => match statements::kind_of(word, path) {
                    Ok(kind) => self.add(part("Principals".into(), ASSUME, kind)),
                    Err(problem) => reader.problems.push(problem),
                },
            }
        }
    }

    /// `{ provider, audience, subjects, condition }`.
    fn provider_table(&mut self, entry: &Value, path: &Path, reader: &mut Reader) {
        let Some(map) = entry.as_map() else { return };
        reader.keys(map, path, &["provider", "audience", "subjects", "condition"], "a provider in `trust`");
        let claims = Claims {
            audience: reader.texts(entry.get("audience"), &path.key("audience"), "an audience"),
            subjects: reader.texts(entry.get("subjects"), &path.key("subjects"), "a subject"),
        };
        let conditions = reader.conditions(entry.get("condition"), &path.key("condition"));
        let (provider, at) = (entry.get("provider"), path.key("provider"));
        let help = "name it by its ARN, `arn:aws:iam::ACCOUNT:oidc-provider/HOST`";
        match principal::classify_value(provider, &at) {
            Some(Ok(word @ (Word::OpenId { .. } | Word::Saml { .. }))) => {
                self.provider(provider, word, claims, conditions, path, reader);
            }
            Some(_) => {
                reader.problems.push(Problem::error(code::PRINCIPAL, at, "this is no identity provider").help(help))
            }
            None => {
                let message = format!("a provider is a string, found {}", provider.kind());
                reader.problems.push(Problem::error(code::SHAPE, at, message).help(help));
            }
        }
    }

    fn provider(
        &mut self,
        provider: &Value,
        word: Word<'_>,
        claims: Claims,
        mut conditions: Conditions,
        path: &Path,
        reader: &mut Reader,
    ) {
        if provider.is_sensitive() {
            let message = "a provider is no secret: its host stands in the keys of conditions";
            let problem = Problem::error(code::SHAPE, path.clone(), message);
            reader.problems.push(problem.help("take `sensitive` off what it comes from"));
            return;
        }
        let (sid, action) = match word {
            Word::OpenId { issuer } => {
                let (audience, subjects) = (path.key("audience"), path.key("subjects"));
                let (audience_claim, subject_claim) = claim_names(issuer);
                let key = |claim: &str| format!("{issuer}:{claim}");
                require(&mut conditions, "StringEquals", &key(audience_claim), claims.audience, &audience, reader);
                require(&mut conditions, "StringLike", &key(subject_claim), claims.subjects, &subjects, reader);
                (format!("Trust{}", sid::camel(issuer)), "sts:AssumeRoleWithWebIdentity")
            }
            Word::Saml { partition } => {
                let audience = match claims.audience.is_empty() {
                    true => vec![saml_audience(partition).into()],
                    false => claims.audience,
                };
                require(&mut conditions, "StringEquals", "SAML:aud", audience, &path.key("audience"), reader);
                require(&mut conditions, "StringLike", "SAML:sub", claims.subjects, &path.key("subjects"), reader);
                let arn = text::exposed(provider).and_then(Arn::parse);
                let name = arn.and_then(|arn| arn.resource.split_once('/')).map_or("", |(_, name)| name);
                (format!("TrustSaml{}", sid::camel(name)), "sts:AssumeRoleWithSAML")
            }
            _ => return,
        };
        let (actions, kind) = (vec![action], PrincipalKind::Federated);
        self.add(Part { sid, actions, kind, principals: vec![provider.clone()], conditions });
    }
}

#[derive(Default)]
struct Claims {
    audience: Vec<Value>,
    subjects: Vec<Value>,
}

/// Adds a condition that a short word stands for; that the entry's `condition` has it too is a problem.
fn require(
    conditions: &mut Conditions,
    operator: &str,
    key: &str,
    values: Vec<Value>,
    path: &Path,
    reader: &mut Reader,
) {
    if values.is_empty() {
        return;
    }
    let keys = conditions.entry(operator.to_owned()).or_default();
    if keys.keys().any(|written| written.eq_ignore_ascii_case(key)) {
        let message = format!("`condition` compares `{key}` too");
        reader.problems.push(Problem::error(code::SHAPE, path.clone(), message).help("say it once"));
        return;
    }
    keys.insert(key.to_owned(), sorted(values));
}

/// What an issuer calls audience and subject in condition keys.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html#condition-keys-wif>
pub(super) fn claim_names(issuer: &str) -> (&'static str, &'static str) {
    match issuer {
        "www.amazon.com" => ("app_id", "user_id"),
        "graph.facebook.com" => ("app_id", "id"),
        _ => ("aud", "sub"),
    }
}

/// The sign-in page that SAML assertions are for.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_create_for-idp_saml.html>
fn saml_audience(partition: &str) -> &'static str {
    match partition {
        "aws-cn" => "https://signin.amazonaws.cn/saml",
        "aws-us-gov" => "https://signin.amazonaws-us-gov.com/saml",
        _ => "https://signin.aws.amazon.com/saml",
    }
}

/// Known texts in order and once, then what is not known as it came.
fn sorted(values: Vec<Value>) -> Vec<Value> {
    let (mut known, unknown): (Vec<_>, Vec<_>) = values.into_iter().partition(|value| text::exposed(value).is_some());
    known.sort_by(|a, b| text::exposed(a).cmp(&text::exposed(b)));
    known.dedup();
    known.extend(unknown);
    known
}

#[cfg(test)]
#[path = "trust_tests.rs"]
mod tests;
