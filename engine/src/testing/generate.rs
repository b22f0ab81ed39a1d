//! Random stacks and schedules.

use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::faults::{Schedule, StoreStrike, Strike};
use super::stack::{Note, Stack, attachment, bucket, credential, key};
use crate::address::Address;
use crate::fault::FaultKind;

/// Buckets of a pool, by number.
const BUCKETS: usize = 5;
/// Keys of a pool.
const KEYS: usize = 2;
/// Children of a pool.
const CHILDREN: usize = 3;

#[derive(Debug, Clone)]
struct RawBlock {
    is_there: bool,
    zone: bool,
    size: Option<i64>,
    labels: Vec<u8>,
    peers: Vec<Index>,
    target: Option<Index>,
    note: u8,
    force: bool,
}

fn raw_block() -> impl Strategy<Value = RawBlock> {
    (
        prop::bool::weighted(0.65),
        prop::bool::weighted(0.2),
        prop::option::of(0..3_i64),
        vec(0..3_u8, 0..3),
        vec(any::<Index>(), 0..3),
        prop::option::weighted(0.3, any::<Index>()),
        0..4_u8,
        prop::bool::weighted(0.2),
    )
        .prop_map(|(is_there, zone, size, labels, peers, target, note, force)| RawBlock {
            is_there,
            zone,
            size,
            labels,
            peers,
            target,
            note,
            force,
        })
}

/// A stack over a small pool of addresses, so that two of them have much in common. References go from later to
/// earlier addresses, or the other way round, so that two stacks may also point at each other's opposite.
///
/// Some buckets have other names than their addresses suggest. In some stacks that may be another bucket's; those have no
/// references, because the cloud refuses to delete what something names, even if it is to be made again.
pub fn stack() -> impl Strategy<Value = Stack> {
    let count = BUCKETS + KEYS + 2 * CHILDREN;
    (vec(raw_block(), count), prop::bool::weighted(0.3), prop::bool::weighted(0.25), vec(any::<Index>(), BUCKETS))
        .prop_map(|(raw, is_reversed, trades_names, names)| {
            let mut pool: Vec<Address> = (0..BUCKETS).map(|at| bucket(&format!("b{at}"))).collect();
            pool.extend((0..KEYS).map(|at| key(&format!("k{at}"))));
            let mut blocks: Vec<(Address, RawBlock)> = pool.into_iter().zip(raw.iter().cloned()).collect();
            if is_reversed {
                blocks.reverse();
            }
            blocks.retain(|(_, raw)| raw.is_there);
            let mut free: Vec<String> = (0..BUCKETS).map(|at| format!("n{at}")).collect();
            let mut stack = Stack::default();
            let mut children = raw.into_iter().skip(BUCKETS + KEYS);
            let mut earlier: Vec<Address> = Vec::new();
            for (at, (address, raw)) in blocks.iter().enumerate() {
                let own = address.name.replace('b', "n");
                let chance = names.get(at % BUCKETS).map_or(0, |index| index.index(100));
                let trades = trades_names && address.type_name == bucket("x").type_name;
                let name = match (trades, free.iter().position(|name| *name == own)) {
                    (true, _) if chance < 40 && !free.is_empty() => free.remove(chance % free.len()),
                    (true, Some(at)) => free.remove(at),
                    (true, None) => free.pop().unwrap_or(own),
                    (false, _) if chance < 20 => address.name.replace('b', "m"),
                    (false, _) => own,
                };
                stack = stack.with(address.clone(), |block| {
                    block.name = name;
                    block.zone = if raw.zone { "b" } else { "a" }.into();
                    block.size = raw.size;
                    block.labels = raw.labels.iter().map(|at| (format!("l{at}"), format!("{}", at % 2))).collect();
                    if !earlier.is_empty() && !trades_names {
                        block.peers = raw.peers.iter().map(|index| index.get(&earlier).clone()).collect();
                    }
                    let buckets: Vec<&Address> =
                        earlier.iter().filter(|other| other.type_name == bucket("x").type_name).collect();
                    if let Some(index) = &raw.target
                        && !buckets.is_empty()
                        && !trades_names
                        && address.type_name == bucket("x").type_name
                    {
                        block.log_target = Some((*index.get(&buckets)).clone());
                    }
                    if raw.note == 1 || raw.note == 2 {
                        block.note = Note::Text(format!("{}", raw.note));
                    }
                    block.force = raw.force;
                });
                earlier.push(address.clone());
            }
            let buckets: Vec<Address> =
                earlier.iter().filter(|other| other.type_name == bucket("x").type_name).cloned().collect();
            if !buckets.is_empty() && !trades_names {
                for at in 0..CHILDREN {
                    for address in [attachment(&format!("a{at}")), credential(&format!("c{at}"))] {
                        let Some(raw) = children.next() else { continue };
                        let Some(index) = raw.peers.first().filter(|_| raw.is_there) else { continue };
                        stack = stack.with(address, |block| {
                            block.parent = Some(index.get(&buckets).clone());
                            block.size = raw.size;
                        });
                    }
                }
            }
            stack
        })
}

fn strike() -> impl Strategy<Value = Strike> {
    // Not `NotFound`: a cloud that says so of what is there lies, and nobody can converge with that.
    let kinds = [
        FaultKind::Uncertain,
        FaultKind::Throttled,
        FaultKind::Denied,
        FaultKind::Conflict,
        FaultKind::Invalid,
        FaultKind::Dependency,
        FaultKind::Expired,
        FaultKind::Other,
    ];
    prop_oneof![
        3 => select(kinds.to_vec()).prop_map(Strike::Before),
        2 => Just(Strike::Before(FaultKind::Uncertain)),
        4 => Just(Strike::AnswerLost),
        1 => Just(Strike::CrashBefore),
        2 => Just(Strike::CrashAfter),
    ]
}

fn store_strike() -> impl Strategy<Value = StoreStrike> {
    select(vec![StoreStrike::Fails, StoreStrike::Stolen, StoreStrike::CrashBefore, StoreStrike::CrashAfter])
}

/// A course of events in which much goes wrong.
pub fn schedule() -> impl Strategy<Value = Schedule> {
    (
        btree_map(0..60_u32, strike(), 0..5),
        prop_oneof![3 => Just(Default::default()), 1 => btree_map(0..5_u32, store_strike(), 1..3)],
        vec(any::<u8>(), 0..80),
        prop::option::weighted(0.1, 0..80_u32),
        1..6_usize,
    )
        .prop_map(|(steps, writes, choices, cancel_at, parallelism)| Schedule {
            steps,
            writes,
            choices,
            cancel_at,
            parallelism,
        })
}

/// An order of events in which nothing goes wrong.
pub fn order() -> impl Strategy<Value = Schedule> {
    (vec(any::<u8>(), 0..80), 1..6_usize).prop_map(|(choices, parallelism)| Schedule {
        choices,
        parallelism,
        ..Schedule::default()
    })
}

/// A few of a pool's addresses, to be tampered with.
pub fn some(indices: usize) -> impl Strategy<Value = std::collections::BTreeSet<usize>> {
    btree_set(0..indices.max(1), 0..3)
}
