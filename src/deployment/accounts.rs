//! The accounts of a stack beside its own, and that neither the stack nor its resources may slip into other places.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use s3stack_engine::address::Address;
use s3stack_engine::diagnostic::{Diagnostic, Diagnostics};
use s3stack_engine::graph::Graph;
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
        state.region = Some(facts.region.clone());
        state.accounts = remembered;
        // What the files say now wins.
        state.accounts.extend(self.ways.clone());
    }
}

/// Says where resources would be made anew only because the stack's own region is another one than when it was applied:
/// for a whole stack that is a mistake more often than a wish, and it would lose what is in them.
pub fn stays_in_its_region(before: Option<&str>, state: &State, graph: &Graph, facts: &Facts) -> Diagnostics {
    let mut found = Diagnostics::default();
    let Some(before) = before.filter(|before| *before != facts.region) else { return found };
    let left_behind = |(address, node): &(&Address, &s3stack_engine::graph::Node)| {
        let from = node.moved_from.iter().find_map(|from| state.instances.get(from));
        let instance = state.instances.get(*address).or(from);
        node.region == facts.region && instance.is_some_and(|instance| instance.region == before)
    };
    let addresses: Vec<String> =
        graph.nodes.iter().filter(left_behind).map(|(address, _)| address.to_string()).collect();
    let (Some(first), count) = (addresses.first(), addresses.len()) else { return found };
    let which = if count == 1 { first.clone() } else { format!("{first} and {} more", count - 1) };
    let message =
        format!("the stack was applied in {before}, and is to be in {} now: {which} would be replaced", facts.region);
    found.push(
        Diagnostic::error("S3S-G3", message)
            .note("A state stays with the region that its resources are in; what is in them would be lost.")
            .help(format!(
                "put `region = \"{before}\"` back; to move it destroy it first, or make another environment; to move one \
                 resource write `region` into its block"
            )),
    );
    found
}

#[cfg(test)]
mod tests {
    use super::*;

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
