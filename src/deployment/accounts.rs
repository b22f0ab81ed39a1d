//! The accounts of a stack beside its own, and that neither the stack nor its resources may slip into other places.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use s3stack_engine::address::Address;
use s3stack_engine::diagnostic::{Diagnostic, Diagnostics};
use s3stack_engine::graph::{Graph, Node};
use s3stack_engine::resource::{Account, Facts};
use s3stack_engine::state::{Instance, SignIn, State};
use sha2::{Digest as _, Sha256};

use crate::aws::{Caller, Clients};
use crate::error::Error;
use crate::project::{self, Project};

/// The accounts beside the stack's own that there are clients for.
#[derive(Debug, Clone, Default)]
pub struct Accounts {
    /// By the names that the stack gives them.
    pub named: BTreeMap<String, Account>,
    /// How to get into each, by id.
    ways: BTreeMap<String, SignIn>,
}

/// Refuses a state with resources in an account that is neither the stack's nor one that it knows a way into: before
/// anything else is read.
///
/// # Errors
/// If there is such a resource.
pub fn knows_the_way(state: &State, facts: &Facts) -> Result<(), Error> {
    let lost = |(_, instance): &(&Address, &Instance)| {
        instance.account != facts.account_id && !state.accounts.contains_key(&instance.account)
    };
    match instances(state).find(lost) {
        None => Ok(()),
        Some((address, instance)) => Err(Error::refused(
            "S3S-G2",
            format!("{address} is in account {}, and the caller is in account {}", instance.account, facts.account_id),
            "choose the credentials of that account; nothing was read or changed",
        )),
    }
}

/// Gets into every account that the stack's files name. Only a plan needs to.
///
/// # Errors
/// Whatever keeps the caller out of one of them.
pub async fn sign_in(clients: &Clients, project: &Project, local: bool) -> Result<Accounts, Error> {
    let mut accounts = Accounts::default();
    let declared = project.settings.accounts.iter().map(|(name, way)| async move {
        let id = local.then(|| local_id(name, way));
        let way = if local { SignIn { region: way.region.clone(), ..SignIn::default() } } else { way.clone() };
        (name, enter(clients, name, &way, id.as_deref()).await, way)
    });
    for (name, caller, way) in join_all(declared).await {
        let Caller { account_id, partition, .. } = caller?;
        let account = Account { partition, account_id: account_id.clone(), region: way.region.clone() };
        accounts.named.insert(name.clone(), account);
        accounts.ways.insert(account_id, way);
    }
    Ok(accounts)
}

/// Gets into every other account that a state has resources in: their blocks may be gone.
///
/// # Errors
/// Whatever keeps the caller out of one of them.
pub async fn remembered(clients: &Clients, state: &State, local: bool) -> Result<BTreeMap<String, SignIn>, Error> {
    let mut ways = BTreeMap::new();
    for (_, instance) in instances(state) {
        let id = &instance.account;
        let Some(way) = state.accounts.get(id).filter(|_| !ways.contains_key(id)) else { continue };
        if clients.caller_in(id).is_none() {
            enter(clients, id, way, local.then_some(id.as_str())).await?;
        }
        ways.insert(id.clone(), way.clone());
    }
    Ok(ways)
}

async fn enter(clients: &Clients, name: &str, way: &SignIn, local: Option<&str>) -> Result<Caller, Error> {
    clients.sign_in(way, local).await.map_err(Error::fault(format!("getting into account {name}")))
}

/// Everything in AWS that a state knows.
fn instances(state: &State) -> impl Iterator<Item = (&Address, &Instance)> {
    let deposed = state.deposed.iter().map(|one| (&one.address, &one.instance));
    let pending = state.pending.iter().map(|one| (&one.address, &one.instance));
    state.instances.iter().chain(deposed).chain(pending)
}

/// What an account is called in the private AWS: by its own id where the file says it, else by digits made of its name,
/// so that two accounts are two there as well.
pub fn local_id(name: &str, way: &SignIn) -> String {
    let by_role = way.role_arn.as_ref().and_then(|arn| arn.split(':').nth(4)).map(str::to_owned);
    way.account_id.clone().or(by_role).unwrap_or_else(|| {
        let digits: String = Sha256::digest(name).iter().map(|byte| char::from(b'0' + byte % 10)).take(11).collect();
        format!("9{digits}")
    })
}

impl Accounts {
    /// What can be said of them before anybody got into one.
    pub fn foreseen(project: &Project, local: bool) -> Self {
        let account = |(name, way): (&String, &SignIn)| {
            let foreseen = project::foreseen(way);
            let account_id = if local { local_id(name, way) } else { foreseen.account_id.clone() };
            (name.clone(), Account { account_id, ..foreseen })
        };
        Self { named: project.settings.accounts.iter().map(account).collect(), ways: BTreeMap::new() }
    }

    /// Writes into a state what the next run must know even if the files no longer say it.
    pub fn remember(&self, remembered: BTreeMap<String, SignIn>, state: &mut State, facts: &Facts) {
        state.account = Some(facts.account_id.clone());
        state.region = Some(facts.region.clone());
        state.accounts = remembered;
        // What the files say now wins.
        state.accounts.extend(self.ways.clone());
    }
}

/// Where a stack was when it was last applied.
#[derive(Debug, Clone, Default)]
pub struct Home {
    account: Option<String>,
    region: Option<String>,
}

impl Home {
    /// What a state says of it.
    pub fn of(state: &State) -> Self {
        Self { account: state.account.clone(), region: state.region.clone() }
    }
}

/// Says where resources would be made anew only because the stack's own account or region is another one than when it was
/// applied: for a whole stack that is a mistake more often than a wish, and it would lose what is in them.
pub fn stays_at_home(before: &Home, state: &State, graph: &Graph, facts: &Facts) -> Diagnostics {
    let mut found = Diagnostics::default();
    let places =
        [("account", before.account.as_ref(), &facts.account_id), ("region", before.region.as_ref(), &facts.region)];
    for (key, before, now) in places {
        let Some(before) = before.filter(|before| *before != now) else { continue };
        let of_node = |node: &Node| if key == "account" { node.account.clone() } else { node.region.clone() };
        let of_instance = |one: &Instance| if key == "account" { one.account.clone() } else { one.region.clone() };
        let left_behind = |(address, node): &(&Address, &Node)| {
            let from = node.moved_from.iter().find_map(|from| state.instances.get(from));
            let instance = state.instances.get(*address).or(from);
            of_node(node) == *now && instance.is_some_and(|instance| of_instance(instance) == *before)
        };
        let left: Vec<String> =
            graph.nodes.iter().filter(left_behind).map(|(address, _)| address.to_string()).collect();
        let Some(first) = left.first() else { continue };
        let which = if left.len() == 1 { first.clone() } else { format!("{first} and {} more", left.len() - 1) };
        let place = if key == "account" { format!("account {before}") } else { before.clone() };
        let message = format!("the stack was applied in {place}, and is to be in {now} now: {which} would be replaced");
        let back = match key {
            "account" => format!("use the credentials of account {before}, or put `account` of [env] back"),
            _ => format!("put `region = \"{before}\"` back"),
        };
        let help = format!(
            "{back}; to move the stack destroy it first, or make another environment; to move one resource write `{key}` \
             into its block"
        );
        let note = "A state stays where its resources are; what is in them would be lost.";
        found.push(Diagnostic::error("S3S-G3", message).note(note).help(help));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_that_would_leave_its_resources_behind_is_told() {
        let mut state = State::new("l".into(), "s".into(), "default".into());
        (state.account, state.region) = (Some("111122223333".into()), Some("eu-west-1".into()));
        let (text, address) = ("[stack]\nname = \"s\"\n[logs.group.g]\n[iam.group.i]\n", "logs.group.g");
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("stack.toml"), text).unwrap();
        let choices = project::Choices { path: folder.path().to_owned(), ..project::Choices::default() };
        let (graph, _) = project::open(&choices).unwrap().rehearse();
        for (address, node) in &graph.nodes {
            let instance: Instance = serde_json::from_value(serde_json::json!({
                "type": address.type_name, "physical_id": "x", "managed": {}, "attributes": {},
                "account": "111122223333", "region": if node.region.is_empty() { "" } else { "eu-west-1" },
            }))
            .unwrap();
            state.instances.insert(address.clone(), instance);
        }
        let facts = |account: &str, region: &str| Facts {
            partition: "aws".into(),
            account_id: account.into(),
            region: region.into(),
            stack: "s".into(),
            environment: "default".into(),
        };
        let told = |facts: &Facts| {
            let mut graph = graph.clone();
            for node in graph.nodes.values_mut() {
                node.account.clone_from(&facts.account_id);
                if !node.region.is_empty() {
                    node.region.clone_from(&facts.region);
                }
            }
            let found = stays_at_home(&Home::of(&state), &state, &graph, facts);
            found.0.into_iter().map(|one| one.message).collect::<Vec<_>>()
        };
        assert_eq!(told(&facts("111122223333", "eu-west-1")), [""; 0]);
        let moved = told(&facts("111122223333", "eu-west-2"));
        assert!(moved.len() == 1 && moved[0].contains(address) && moved[0].contains("eu-west-1"), "{moved:?}");
        let moved = told(&facts("444455556666", "eu-west-1"));
        assert!(moved.len() == 1 && moved[0].contains("iam.group.i and 1 more"), "{moved:?}");
    }

    #[test]
    fn accounts_of_the_private_aws_are_apart() {
        let way = |account_id: Option<&str>, role_arn: Option<&str>| SignIn {
            account_id: account_id.map(str::to_owned),
            role_arn: role_arn.map(str::to_owned),
            ..SignIn::default()
        };
        let (a, b) = (local_id("a", &way(None, None)), local_id("b", &way(None, None)));
        assert!(a != b && a.len() == 12 && a.bytes().all(|byte| byte.is_ascii_digit()), "{a} {b}");
        assert_eq!(local_id("a", &way(None, Some("arn:aws:iam::210987654321:role/x"))), "210987654321");
        assert_eq!(local_id("a", &way(Some("111122223333"), None)), "111122223333");
    }
}
