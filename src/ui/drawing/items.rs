//! Layers, and what stands in them: blocks, and the arrows that pass by.
//!
//! Blocks, arrows and items are named by their places in lists; the first items are the blocks.

use super::blocks::{Task, common};
use super::layout::TooLarge;

/// Most places where arrows pass layers. More would be a picture of lines alone.
const LANES: usize = 50_000;

/// In which of the layers that it may stand in a block stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// In the first.
    Early,
    /// In the last.
    Late,
}

/// Something that stands in a layer.
pub struct Item {
    /// Along the flow.
    pub width: f64,
    /// Across it; 0 for an arrow that says nothing there.
    pub height: f64,
    /// Whether it is a block.
    pub is_block: bool,
    /// The layer.
    pub layer: usize,
    /// The groups in whose frames it stands, outermost first.
    pub groups: Vec<usize>,
    /// What it hangs together with in the layer before.
    pub before: Vec<usize>,
    /// The same in the one after.
    pub after: Vec<usize>,
}

/// All items of a task.
pub struct Items {
    /// The blocks, then the places where arrows pass.
    pub all: Vec<Item>,
    /// How many layers there are.
    pub layers: usize,
    /// The items of each arrow from the block that names to the one that is named.
    pub chains: Vec<Vec<usize>>,
    /// The item of each arrow where it says something.
    pub labels: Vec<Option<usize>>,
}

impl Items {
    /// Finds the layers and what is in them.
    pub fn of(task: &Task, rule: Rule) -> Result<Self, TooLarge> {
        let (mut ranks, forward) = ranks(task, rule);
        let is_labelled = task.arrows.iter().any(|arrow| arrow.label.is_some());
        if is_labelled {
            // What arrows say stands between the layers of blocks.
            ranks.iter_mut().for_each(|rank| *rank *= 2);
        }
        let between = forward.iter().map(|(from, to)| ranks[*to] - ranks[*from] - 1);
        if between.fold(0_usize, usize::saturating_add) > LANES {
            return Err(TooLarge);
        }
        let blocks = task.blocks.iter().zip(&ranks).map(|(block, layer)| Item {
            width: block.width,
            height: block.height,
            is_block: true,
            layer: *layer,
            groups: block.groups.clone(),
            before: Vec::new(),
            after: Vec::new(),
        });
        let mut items = Self {
            all: blocks.collect(),
            layers: ranks.iter().max().map_or(0, |last| last + 1),
            chains: Vec::with_capacity(forward.len()),
            labels: Vec::with_capacity(forward.len()),
        };
        for (arrow, (from, to)) in task.arrows.iter().zip(&forward) {
            let says_at = arrow.label.map(|_| ((ranks[*from] + ranks[*to]) / 2) | 1);
            let groups = common(&task.blocks[*from].groups, &task.blocks[*to].groups);
            let mut chain = vec![*from];
            let mut label = None;
            for layer in ranks[*from] + 1..ranks[*to] {
                let says = arrow.label.filter(|_| says_at == Some(layer));
                let (width, height) = says.unwrap_or_default();
                let groups = groups.to_vec();
                let (before, after) = (Vec::new(), Vec::new());
                items.all.push(Item { width, height, is_block: false, layer, groups, before, after });
                label = says.map(|_| items.all.len() - 1).or(label);
                chain.push(items.all.len() - 1);
            }
            chain.push(*to);
            for pair in chain.windows(2) {
                items.all[pair[0]].after.push(pair[1]);
                items.all[pair[1]].before.push(pair[0]);
            }
            if *from != arrow.from {
                chain.reverse();
            }
            items.chains.push(chain);
            items.labels.push(label);
        }
        Ok(items)
    }
}

/// The layer of each block, and the arrows from lower to higher layers: of a circle, one is turned round.
fn ranks(task: &Task, rule: Rule) -> (Vec<usize>, Vec<(usize, usize)>) {
    let count = task.blocks.len();
    let mut out: Vec<Vec<usize>> = vec![Vec::new(); count];
    for (at, arrow) in task.arrows.iter().enumerate() {
        out[arrow.from].push(at);
    }
    let mut forward: Vec<(usize, usize)> = task.arrows.iter().map(|arrow| (arrow.from, arrow.to)).collect();
    // Depth first: a block is done after all that it leads to.
    let (mut seen, mut open, mut done) = (vec![false; count], vec![false; count], Vec::with_capacity(count));
    for root in 0..count {
        if std::mem::replace(&mut seen[root], true) {
            continue;
        }
        open[root] = true;
        let mut path = vec![(root, 0)];
        while let Some((block, next)) = path.last_mut() {
            let Some(at) = out[*block].get(*next).copied() else {
                open[*block] = false;
                done.push(*block);
                path.pop();
                continue;
            };
            *next += 1;
            let (from, to) = (task.arrows[at].from, task.arrows[at].to);
            if open[to] {
                forward[at] = (to, from);
            } else if !std::mem::replace(&mut seen[to], true) {
                open[to] = true;
                path.push((to, 0));
            }
        }
    }
    let (mut before, mut after) = (vec![Vec::new(); count], vec![Vec::new(); count]);
    for (from, to) in &forward {
        before[*to].push(*from);
        after[*from].push(*to);
    }
    // The same read backwards gives the other one of the two.
    let (order, first, second): (Vec<usize>, _, _) = match rule {
        Rule::Late => (done, &after, &before),
        Rule::Early => (done.into_iter().rev().collect(), &before, &after),
    };
    let mut ranks: Vec<usize> = vec![0; count];
    for block in order {
        ranks[block] = first[block].iter().map(|near: &usize| ranks[*near] + 1).max().unwrap_or_default();
    }
    // What stands at the end because nothing follows moves next to what it hangs together with.
    for block in (0..count).filter(|block| first[*block].is_empty()) {
        ranks[block] = second[block].iter().map(|near| ranks[*near].saturating_sub(1)).min().unwrap_or_default();
    }
    if rule == Rule::Late {
        let last = ranks.iter().max().copied().unwrap_or_default();
        ranks.iter_mut().for_each(|rank| *rank = last - *rank);
    }
    (ranks, forward)
}
