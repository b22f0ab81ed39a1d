//! What is laid out: resources, most of them alone, and the arrows between them.
//!
//! Many that are alike and have one arrow each, as the roles that one policy is attached to, stand in a block and share that
//! arrow.

use std::collections::BTreeMap;

use super::geometry::{ASPECT, Flow, Placed, Rect, Sizes};
use super::layout::Component;
use super::model::Drawing;

/// Between the boxes of a block, and round them.
const TIGHT: f64 = 8.0;
/// Fewest resources that make a block.
const BLOCK: usize = 6;

/// Blocks and arrows.
pub struct Blocks {
    /// The resources of each, by index and sorted.
    pub all: Vec<Vec<usize>>,
    /// From block to block, the arrows by index.
    pub arrows: BTreeMap<(usize, usize), Vec<usize>>,
}

impl Blocks {
    /// Those of a component.
    pub fn of(drawing: &Drawing, component: &Component) -> Self {
        let edges = || component.edges.iter().filter_map(|at| Some((*at, drawing.edges.get(*at)?)));
        let mut degrees: BTreeMap<usize, usize> = BTreeMap::new();
        for (_, edge) in edges() {
            *degrees.entry(edge.from).or_default() += 1;
            *degrees.entry(edge.to).or_default() += 1;
        }
        // Alike is what stands in one group and has just one arrow, from or to the same resource by the same property.
        let mut alike: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for (_, edge) in edges() {
            for (leaf, hub, outwards) in [(edge.from, edge.to, true), (edge.to, edge.from, false)] {
                if let (Some(1), Some(node)) = (degrees.get(&leaf), drawing.nodes.get(leaf)) {
                    let key = (hub, outwards, node.group, edge.delays, edge.label.as_str());
                    alike.entry(key).or_default().push(leaf);
                }
            }
        }
        alike.retain(|_, leaves| leaves.len() >= BLOCK);
        let mut all: Vec<Vec<usize>> = alike.into_values().collect();
        let mut of_node: BTreeMap<usize, usize> = BTreeMap::new();
        for (at, block) in all.iter_mut().enumerate() {
            block.sort_unstable();
            of_node.extend(block.iter().map(|node| (*node, at)));
        }
        for node in &component.nodes {
            of_node.entry(*node).or_insert_with(|| {
                all.push(vec![*node]);
                all.len() - 1
            });
        }
        let mut arrows: BTreeMap<(usize, usize), Vec<usize>> = BTreeMap::new();
        for (at, edge) in edges() {
            if let (Some(from), Some(to)) = (of_node.get(&edge.from), of_node.get(&edge.to)) {
                arrows.entry((*from, *to)).or_default().push(at);
            }
        }
        Self { all, arrows }
    }

    /// What a layout is told of them.
    pub fn task(&self, drawing: &Drawing, home: Option<usize>, sizes: &Sizes, flow: Flow) -> Task {
        let turned = |(width, height): (f64, f64)| if flow == Flow::Right { (width, height) } else { (height, width) };
        let blocks = self.all.iter().map(|block| {
            let Placed { width, height, .. } = cells(block, sizes);
            let (width, height) = turned((width, height));
            TaskBlock { width, height, groups: inside(drawing, block, home) }
        });
        let arrows = self.arrows.iter().map(|((from, to), edges)| {
            let label = edges.first().and_then(|at| sizes.labels.get(*at)).copied().flatten().map(turned);
            TaskArrow { from: *from, to: *to, label }
        });
        Task { blocks: blocks.collect(), arrows: arrows.collect() }
    }
}

/// Blocks and arrows as far as a layout must know them. It flows to the right.
#[derive(Clone)]
pub struct Task {
    /// The blocks.
    pub blocks: Vec<TaskBlock>,
    /// The arrows, no two from one block to the same other.
    pub arrows: Vec<TaskArrow>,
}

impl Task {
    /// The same without the innermost groups, which are those of services; nothing if no block stands in any.
    pub fn without_services(&self) -> Option<Self> {
        let mut without = self.clone();
        let removed = without.blocks.iter_mut().filter_map(|block| block.groups.pop()).count();
        (removed > 0).then_some(without)
    }

    /// The same without any group; nothing if no block stands in any.
    pub fn without_groups(&self) -> Option<Self> {
        let mut without = self.clone();
        let emptied = without.blocks.iter_mut().filter(|block| !block.groups.is_empty());
        let emptied = emptied.map(|block| block.groups.clear()).count();
        (emptied > 0).then_some(without)
    }
}

/// A block of a task.
#[derive(Clone)]
pub struct TaskBlock {
    /// Along the flow.
    pub width: f64,
    /// Across it.
    pub height: f64,
    /// The groups that it stands in and that get a frame, outermost first. Outer ones have lower numbers.
    pub groups: Vec<usize>,
}

/// An arrow of a task.
#[derive(Clone)]
pub struct TaskArrow {
    /// The block that names, by index.
    pub from: usize,
    /// The one that is named.
    pub to: usize,
    /// The size of what it says.
    pub label: Option<(f64, f64)>,
}

/// A task that was done.
#[derive(Debug, Clone, PartialEq)]
pub struct Arranged {
    /// The blocks in their order.
    pub rects: Vec<Rect>,
    /// Their layers.
    pub layer_of: Vec<usize>,
    /// The frames by group, outer ones first.
    pub frames: Vec<(usize, Rect)>,
    /// The arrows in their order.
    pub lines: Vec<Line>,
    /// From where to where each layer reaches along the flow.
    pub layers: Vec<(f64, f64)>,
}

/// Where an arrow runs between its blocks.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Line {
    /// Where it passes other layers, from the block that names on.
    pub lanes: Vec<Lane>,
    /// The place of what it says.
    pub label: Option<Rect>,
}

/// Where an arrow passes a layer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lane {
    /// The layer.
    pub layer: usize,
    /// How far down.
    pub at: f64,
}

/// The groups that a block stands in, outermost first, from `home` inwards.
fn inside(drawing: &Drawing, block: &[usize], home: Option<usize>) -> Vec<usize> {
    let Some(node) = block.first().and_then(|index| drawing.nodes.get(*index)) else { return Vec::new() };
    let lineage = drawing.lineage(node.group);
    let outside = home.and_then(|home| lineage.iter().position(|group| *group == home)).map_or(0, |at| at + 1);
    lineage.get(outside..).unwrap_or_default().to_vec()
}

/// A block's boxes: one alone, or a grid with a line round it.
pub fn cells(block: &[usize], sizes: &Sizes) -> Placed {
    let (width, height) = sizes.node;
    if let [only] = block {
        let nodes = vec![(*only, Rect { x: 0.0, y: 0.0, width, height })];
        return Placed { width, height, nodes, ..Placed::default() };
    }
    let (across, down) = (width + TIGHT, height + TIGHT);
    let columns = ((block.len() as f64 * down * ASPECT / across).sqrt().round() as usize).max(1);
    let rect = Rect {
        x: 0.0,
        y: 0.0,
        width: columns.min(block.len()) as f64 * across + TIGHT,
        height: block.len().div_ceil(columns) as f64 * down + TIGHT,
    };
    let place = |at: usize| Rect {
        x: (at % columns) as f64 * across + TIGHT,
        y: (at / columns) as f64 * down + TIGHT,
        width,
        height,
    };
    let nodes = block.iter().enumerate().map(|(at, index)| (*index, place(at))).collect();
    Placed { width: rect.width, height: rect.height, nodes, blocks: vec![rect], ..Placed::default() }
}
