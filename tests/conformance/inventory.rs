//! What exists in an account, by type: asked of the emulator itself, past the proxy and past the types' own code.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, ensure};
use aws_sdk_iam::types::PolicyScopeType;
use s3stack::aws::{Clients, Session};
use s3stack_engine::state::State;

use crate::tables;

/// The identifiers of all resources of an account, by type.
pub type Inventory = BTreeMap<&'static str, BTreeSet<String>>;

/// Lists an account. Accounts under test are small: one page of each list holds all.
pub async fn list(clients: &Clients) -> Result<Inventory> {
    let session = clients.home()?;
    let mut found = storage(&session).await?;
    found.extend(identities(&session).await?);
    found.extend(observability(&session).await?);
    Ok(found)
}

async fn storage(session: &Session) -> Result<Inventory> {
    let listed = session.s3().list_buckets().send().await?;
    let buckets: BTreeSet<String> = listed.buckets().iter().filter_map(|one| one.name.clone()).collect();
    let mut objects = BTreeSet::new();
    for bucket in &buckets {
        let listed = session.s3().list_objects_v2().bucket(bucket).send().await?;
        objects.extend(listed.contents().iter().filter_map(|one| Some(format!("{bucket}/{}", one.key.as_ref()?))));
    }
    Ok(Inventory::from([("s3.bucket", buckets), ("s3.object", objects)]))
}

async fn identities(session: &Session) -> Result<Inventory> {
    let iam = session.iam();
    let roles = iam.list_roles().send().await?;
    let users = iam.list_users().send().await?;
    let groups = iam.list_groups().send().await?;
    let policies = iam.list_policies().scope(PolicyScopeType::Local).send().await?;
    let profiles = iam.list_instance_profiles().send().await?;
    let users: BTreeSet<String> = users.users().iter().map(|one| one.user_name.clone()).collect();
    let mut keys = BTreeSet::new();
    for user in &users {
        let listed = iam.list_access_keys().user_name(user).send().await?;
        keys.extend(listed.access_key_metadata().iter().filter_map(|one| one.access_key_id.clone()));
    }
    Ok(Inventory::from([
        ("iam.role", roles.roles().iter().map(|one| one.role_name.clone()).collect()),
        ("iam.user", users),
        ("iam.group", groups.groups().iter().map(|one| one.group_name.clone()).collect()),
        ("iam.policy", policies.policies().iter().filter_map(|one| one.arn.clone()).collect()),
        (
            "iam.instance_profile",
            profiles.instance_profiles().iter().map(|one| one.instance_profile_name.clone()).collect(),
        ),
        ("iam.access_key", keys),
    ]))
}

async fn observability(session: &Session) -> Result<Inventory> {
    let groups = session.logs().describe_log_groups().send().await?;
    let names = groups.log_groups().iter().filter_map(|one| one.log_group_name.clone()).collect();
    Ok(Inventory::from([("logs.group", names)]))
}

/// Fails unless what exists is what state knows: no orphan, no duplicate, nothing lost.
pub fn agrees(inventory: &Inventory, state: &State) -> Result<()> {
    for instance in state.instances.values().chain(state.deposed.iter().map(|deposed| &deposed.instance)) {
        let listed = inventory.contains_key(instance.type_name.as_str());
        ensure!(
            listed || tables::NOT_LISTED.iter().any(|(of, _)| *of == instance.type_name),
            "the suite cannot list {}: teach tests/conformance/inventory.rs",
            instance.type_name
        );
    }
    for (type_name, exists) in inventory {
        let known: BTreeSet<String> = state
            .instances
            .values()
            .filter(|instance| instance.type_name == *type_name)
            .map(|instance| instance.physical_id.clone())
            .collect();
        let orphans: Vec<_> = exists.difference(&known).collect();
        ensure!(orphans.is_empty(), "orphans: {orphans:?} of type {type_name} exist, and state does not know them");
        let lost: Vec<_> = known.difference(exists).collect();
        ensure!(lost.is_empty(), "state has {lost:?} of type {type_name}, which do not exist");
    }
    ensure!(state.deposed.is_empty(), "replaced resources are left: {:?}", state.deposed);
    ensure!(state.pending.is_empty(), "operations are left pending: {:?}", state.pending);
    ensure!(state.run.is_none(), "a run is left: {:?}", state.run);
    Ok(())
}
