//! Which item of a layer is above which: what hangs together comes near each other, and what is in one group stays together.

use std::cmp::Ordering;

use super::blocks::common;
use super::geometry::GAP;
use super::items::Items;

/// How often the order of all layers is made better.
const SWEEPS: usize = 32;

/// How often in a row that may be in vain.
const PATIENCE: usize = 6;

/// An order of everything: where each item and each group should be, the lower the further above.
#[derive(Clone)]
pub struct Order {
    /// The middles of the items.
    pub items: Vec<f64>,
    /// The same of the groups, by number.
    pub groups: Vec<f64>,
}

/// The best order that was found.
pub fn ordered(items: &Items) -> Order {
    let mut best: Option<(f64, Order)> = None;
    for start in [by_index(items), by_neighbours(items)] {
        let mut order = Order { items: start, groups: Vec::new() };
        order.gather(items);
        order.stack(items, &layers(items));
        let (mut least, mut in_vain) = (f64::INFINITY, 0);
        for sweep in 0..SWEEPS {
            order.sweep(items, sweep % 2 == 0);
            let length = order.length(items);
            if best.as_ref().is_none_or(|(least, _)| length < *least) {
                best = Some((length, order.clone()));
            }
            in_vain = if length < least { 0 } else { in_vain + 1 };
            least = least.min(length);
            if in_vain == PATIENCE {
                break;
            }
        }
    }
    best.map(|(_, order)| order).unwrap_or(Order { items: Vec::new(), groups: Vec::new() })
}

fn layers(items: &Items) -> Vec<Vec<usize>> {
    let mut layers = vec![Vec::new(); items.layers];
    items.all.iter().enumerate().for_each(|(at, item)| layers[item.layer].push(at));
    layers
}

fn by_index(items: &Items) -> Vec<f64> {
    (0..items.all.len()).map(|at| at as f64).collect()
}

/// The order in which one comes to them, going from each to its neighbours.
fn by_neighbours(items: &Items) -> Vec<f64> {
    let mut order = vec![f64::NAN; items.all.len()];
    let mut next = 0.0;
    for root in 0..items.all.len() {
        let mut open = vec![root];
        while let Some(at) = open.pop() {
            if order[at].is_nan() {
                order[at] = next;
                next += 1.0;
                let item = &items.all[at];
                open.extend(item.before.iter().rev().chain(item.after.iter().rev()).filter(|at| order[**at].is_nan()));
            }
        }
    }
    order
}

/// What an item hangs together with, and how much: what hundreds lead to has no place that is near to them all.
fn weighted(items: &Items, at: usize) -> impl Iterator<Item = (usize, f64)> {
    let weight = |count: usize| 1.0 / count.max(1) as f64;
    let before = items.all[at].before.iter().map(move |near| (*near, weight(items.all[*near].after.len())));
    let after = items.all[at].after.iter().map(move |near| (*near, weight(items.all[*near].before.len())));
    before.chain(after)
}

impl Order {
    /// What comes first: groups count as wholes, so that each stays together and two stand the same way in all layers.
    pub fn compare(&self, items: &Items, one: usize, other: usize) -> Ordering {
        let (mine, theirs) = (&items.all[one].groups, &items.all[other].groups);
        let shared = common(mine, theirs).len();
        let key = |item: usize, groups: &[usize]| match groups.get(shared) {
            Some(group) => (self.groups[*group], (true, *group)),
            None => (self.items[item], (false, item)),
        };
        let (mine, theirs) = (key(one, mine), key(other, theirs));
        // Where both are at one place the number decides; nothing may come between two of one group.
        mine.0.total_cmp(&theirs.0).then(mine.1.cmp(&theirs.1))
    }

    /// Orders each layer by what hangs together with it in its neighbours, one layer after the other or backwards.
    fn sweep(&mut self, items: &Items, is_forward: bool) {
        let mut layers = layers(items);
        if !is_forward {
            layers.reverse();
        }
        for layer in layers {
            let wish = |at: &usize| {
                let near = || weighted(items, *at);
                let weight: f64 = near().map(|(_, weight)| weight).sum();
                let sum: f64 = near().map(|(near, weight)| self.items[near] * weight).sum();
                if weight == 0.0 { self.items[*at] } else { sum / weight }
            };
            let wishes: Vec<(usize, f64)> = layer.iter().map(|at| (*at, wish(at))).collect();
            wishes.into_iter().for_each(|(at, wish)| self.items[at] = wish);
            self.stack(items, &[layer]);
        }
        self.gather(items);
    }

    /// Puts layers' items below each other in their order.
    fn stack(&mut self, items: &Items, layers: &[Vec<usize>]) {
        for layer in layers {
            let mut layer = layer.clone();
            layer.sort_by(|one, other| self.compare(items, *one, *other));
            let height: f64 = layer.iter().map(|at| items.all[*at].height + GAP).sum();
            let mut top = -height / 2.0;
            for at in layer {
                let height = items.all[at].height;
                self.items[at] = top + height / 2.0;
                top += height + GAP;
            }
        }
    }

    /// A group is where the blocks in it are.
    fn gather(&mut self, items: &Items) {
        let count = items.all.iter().flat_map(|item| &item.groups).max().map_or(0, |last| last + 1);
        let mut sums = vec![(0.0, 0.0); count];
        for (item, at) in items.all.iter().zip(&self.items).filter(|(item, _)| item.is_block) {
            for group in &item.groups {
                let (sum, number) = &mut sums[*group];
                (*sum, *number) = (*sum + at, *number + 1.0);
            }
        }
        self.groups = sums.into_iter().map(|(sum, number)| sum / f64::max(number, 1.0)).collect();
    }

    /// How far arrows lead up and down.
    fn length(&self, items: &Items) -> f64 {
        let all = (0..items.all.len()).flat_map(|at| weighted(items, at).map(move |(near, weight)| (at, near, weight)));
        all.map(|(one, other, weight)| (self.items[one] - self.items[other]).abs() * weight).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::super::items::Item;
    use super::*;

    #[test]
    fn nothing_comes_between_two_of_one_group() {
        let item = |groups: Vec<usize>| Item {
            width: 1.0,
            height: 1.0,
            is_block: true,
            layer: 0,
            groups,
            before: Vec::new(),
            after: Vec::new(),
        };
        // All are at one place, and the group has the number of the one that is in none.
        let all = vec![item(vec![1]), item(Vec::new()), item(vec![1])];
        let items = Items { all, layers: 1, chains: Vec::new(), labels: Vec::new() };
        let order = Order { items: vec![0.0; 3], groups: vec![0.0; 2] };
        let mut sorted = [0, 1, 2];
        sorted.sort_by(|one, other| order.compare(&items, *one, *other));
        assert_eq!(sorted, [1, 0, 2]);
    }
}
