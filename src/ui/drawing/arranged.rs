//! Layers, the order in them and all places: the work of dugong, a port of dagre, told how large things are.
//!
//! It answers errors, and its work is bounded. What else a library may do is caught here: it runs in a thread of its own,
//! and what it made is looked at before anybody sees it.

use std::collections::BTreeMap;
use std::sync::Once;
use std::thread;

use dugong::graphlib::{self, GraphOptions};
use dugong::rank::plan_controlled;
use dugong::{EdgeLabel, GraphLabel, LayoutError, NodeLabel, RankDir, WorkControl, WorkError, layout_controlled};

use super::blocks::{Arranged, Lane, Line, Task, TaskBlock};
use super::geometry::{GAP, PADDING, Point, Rect, between_layers};

/// Most blocks and arrows that the library is asked to arrange.
const MOST: usize = 10_000;
/// Most of them for which everything is tried.
const SMALL: usize = 600;
/// Most places where arrows pass layers: each takes some kilobytes, and more would be a picture of lines alone.
const LANES: usize = 50_000;
/// Work that one layout may make, about a second of it, in the library's unit.
const WORK: usize = 100_000_000;
/// Recursion has room for chains as long as there may be.
const STACK: usize = 256 << 20;
/// Names the library's thread, so that its panics are known.
const THREAD: &str = "layout";
/// Between an arrow that passes a layer and others there.
const LANE: f64 = 8.0;
/// Between a layer of blocks and what arrows say.
const LABELLED: f64 = 36.0;
/// How far the title of a frame reaches above and below its upper line.
const TITLE: f64 = 6.0;

/// Why there is no layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotArranged {
    /// It would take too long.
    TooLarge,
    /// The library failed, or what it made is no picture.
    Failed,
}

/// What the library is told to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variant {
    ranker: &'static str,
    align: Option<&'static str>,
}

impl Variant {
    /// Those that are worth a try. For layers, either arrows pass few of them or blocks stand as near to the end as may be.
    /// For places in a layer, the mean of four ways to straighten arrows, or one of these: the mean is balanced, but spreads
    /// where they disagree much. Few of them for what is large, as each takes its time.
    pub fn of(task: &Task) -> Vec<Self> {
        let aligns: &[_] = match task.blocks.len() + task.arrows.len() <= SMALL {
            true => &[None, Some("UL"), Some("UR"), Some("DL"), Some("DR")],
            false => &[None],
        };
        let with = |align: &Option<_>| ["network-simplex", "longest-path"].map(|ranker| Self { ranker, align: *align });
        aligns.iter().flat_map(with).collect()
    }
}

/// Ends what would take too long.
struct Budget(usize);

impl WorkControl for Budget {
    fn charge(&mut self, units: usize) -> Result<(), WorkError> {
        self.0 = self.0.checked_sub(units).ok_or(WorkError::Interrupted)?;
        Ok(())
    }
}

type Graph = graphlib::Graph<NodeLabel, EdgeLabel, GraphLabel>;

/// Does a task.
pub fn arranged(task: &Task, variant: Variant) -> Result<Arranged, NotArranged> {
    if task.blocks.len() + task.arrows.len() > MOST {
        return Err(NotArranged::TooLarge);
    }
    let graph = guarded(|| laid_out(task, variant))?.map_err(|error| match error {
        LayoutError::Work(_) => NotArranged::TooLarge,
        _ => NotArranged::Failed,
    })?;
    read_back(task, &graph).filter(|arranged| is_sound(task, arranged)).ok_or(NotArranged::Failed)
}

/// Runs the library. A panic of it is a failure, and says nothing.
pub fn guarded<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, NotArranged> {
    static SILENCED: Once = Once::new();
    SILENCED.call_once(|| {
        let others = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if thread::current().name() != Some(THREAD) {
                others(info);
            }
        }));
    });
    thread::scope(|scope| {
        let builder = thread::Builder::new().name(THREAD.into()).stack_size(STACK);
        let running = builder.spawn_scoped(scope, work).map_err(|_| NotArranged::Failed)?;
        running.join().map_err(|_| NotArranged::Failed)
    })
}

fn laid_out(task: &Task, variant: Variant) -> Result<Graph, LayoutError> {
    let mut graph = graph(task, variant);
    let mut budget = Budget(WORK);
    // Memory is no work, so the library does not bound it.
    let ranks: BTreeMap<String, i32> = plan_controlled(&graph, &mut budget)?
        .nodes
        .into_iter()
        .filter_map(|node| Some((node.id, node.rank?)))
        .collect();
    let rank = |block| ranks.get(&block_id(block)).copied().unwrap_or_default();
    let passed = task.arrows.iter().map(|arrow| rank(arrow.from).abs_diff(rank(arrow.to)) as usize);
    if passed.fold(0, usize::saturating_add) > LANES {
        return Err(LayoutError::Work(WorkError::Interrupted));
    }
    layout_controlled(&mut graph, &mut budget)?;
    Ok(graph)
}

fn block_id(index: usize) -> String {
    format!("b{index}")
}

fn group_id(index: usize) -> String {
    format!("g{index}")
}

fn graph(task: &Task, variant: Variant) -> Graph {
    let mut graph: Graph = Graph::new(GraphOptions { multigraph: false, compound: true, directed: true });
    let is_framed = task.blocks.iter().any(|block| !block.groups.is_empty());
    graph.set_graph(GraphLabel {
        rankdir: RankDir::LR,
        ranker: Some(variant.ranker.into()),
        align: variant.align.map(str::to_owned),
        nodesep: GAP,
        // The lines of frames are such lanes too, and have titles.
        edgesep: if is_framed { PADDING } else { LANE },
        ..GraphLabel::default()
    });
    for (at, block) in task.blocks.iter().enumerate() {
        let label = NodeLabel { width: block.width, height: block.height, ..NodeLabel::default() };
        graph.set_node(block_id(at), label);
    }
    for (at, block) in task.blocks.iter().enumerate() {
        for pair in block.groups.windows(2) {
            graph.set_parent(group_id(pair[1]), group_id(pair[0]));
        }
        if let Some(group) = block.groups.last() {
            graph.set_parent(block_id(at), group_id(*group));
        }
    }
    for arrow in &task.arrows {
        let (width, height) = arrow.label.unwrap_or_default();
        let label = EdgeLabel { width, height, weight: 1.0, ..EdgeLabel::default() };
        graph.set_edge_with_label(block_id(arrow.from), block_id(arrow.to), label);
    }
    graph
}

/// A place by its middle.
fn around(middle: (f64, f64), (width, height): (f64, f64)) -> Rect {
    Rect { x: middle.0 - width / 2.0, y: middle.1 - height / 2.0, width, height }
}

/// The layout as the library left it, its layers moved together: it leaves room for the ends of frames beside each.
fn read_back(task: &Task, graph: &Graph) -> Option<Arranged> {
    let rect = |id: &str, size| {
        let label = graph.node(id)?;
        Some(around((label.x?, label.y?), size))
    };
    let rects = task.blocks.iter().enumerate().map(|(at, block)| rect(&block_id(at), (block.width, block.height)));
    let mut rects: Vec<Rect> = rects.collect::<Option<_>>()?;
    let mut labels: Vec<Option<Rect>> = Vec::with_capacity(task.arrows.len());
    let mut passed: Vec<&[dugong::Point]> = Vec::with_capacity(task.arrows.len());
    for arrow in &task.arrows {
        let edge = graph.edge(&block_id(arrow.from), &block_id(arrow.to), None)?;
        labels.push(match arrow.label {
            Some(size) => Some(around((edge.x?, edge.y?), size)),
            None => None,
        });
        // The first and the last point lie on the blocks' borders.
        passed.push(edge.points.get(1..edge.points.len().saturating_sub(1)).unwrap_or_default());
    }

    let found = layers(rects.iter().chain(labels.iter().flatten()));
    let layer_at = |x: f64| {
        let at = found.partition_point(|(_, end)| *end < x);
        found.get(at).filter(|(begin, _)| *begin <= x).map(|_| at)
    };
    let depth = task.blocks.iter().map(|block| block.groups.len()).max().unwrap_or_default();
    // Frames of neighbouring layers are apart, and what arrows say stands in layers of its own.
    let between = between_layers(task.arrows.len()).max((2.0 * depth as f64 + 1.0) * PADDING);
    let between = if labels.iter().any(Option::is_some) { (between / 2.0).max(LABELLED) } else { between };
    let mut moved: Vec<(f64, f64)> = Vec::with_capacity(found.len());
    for (begin, end) in &found {
        let from = moved.last().map_or(0.0, |(_, end)| end + between);
        moved.push((from, from + end - begin));
    }

    let layer_of = rects.iter().map(|rect| layer_at(rect.middle().x)).collect::<Option<Vec<_>>>()?;
    let shift = |layer: usize| moved[layer].0 - found[layer].0;
    for (rect, layer) in rects.iter_mut().zip(&layer_of) {
        rect.x += shift(*layer);
    }
    let mut lines = Vec::with_capacity(labels.len());
    for (label, points) in labels.into_iter().zip(passed) {
        // Points between layers would only make an arrow turn twice where once is enough.
        let lanes = points.iter().filter_map(|point| Some(Lane { layer: layer_at(point.x)?, at: point.y }));
        let label = match label {
            Some(label) => Some(Rect { x: label.x + shift(layer_at(label.middle().x)?), ..label }),
            None => None,
        };
        lines.push(Line { lanes: lanes.collect(), label });
    }
    let frames = frames(task, graph, &rects, &lines)?;
    Some(Arranged { rects, layer_of, frames, lines, layers: moved })
}

/// From where to where each layer reaches in the direction of the flow.
fn layers<'a>(rects: impl Iterator<Item = &'a Rect>) -> Vec<(f64, f64)> {
    let mut ranges: Vec<(f64, f64)> = rects.map(|rect| (rect.x, rect.right())).collect();
    ranges.sort_by(|one, other| one.0.total_cmp(&other.0));
    let mut layers: Vec<(f64, f64)> = Vec::new();
    for (begin, end) in ranges {
        match layers.last_mut() {
            Some(layer) if begin < layer.1 => layer.1 = layer.1.max(end),
            _ => layers.push((begin, end)),
        }
    }
    layers
}

/// The frames, outer ones first, round what stands in them.
fn frames(task: &Task, graph: &Graph, rects: &[Rect], lines: &[Line]) -> Option<Vec<(usize, Rect)>> {
    let mut groups: Vec<usize> = task.blocks.iter().flat_map(|block| &block.groups).copied().collect();
    let labels = || lines.iter().flat_map(|line| line.label);
    // A group comes after the one that it stands in.
    groups.sort_unstable();
    groups.dedup();
    let mut frames: Vec<(usize, Rect)> = Vec::with_capacity(groups.len());
    for group in groups.into_iter().rev() {
        let label = graph.node(&group_id(group))?;
        let (middle, half) = (label.y?, label.height / 2.0);
        let members = || task.blocks.iter().zip(rects).filter(|(block, _)| block.groups.contains(&group));
        let parts = members().map(|(_, rect)| rect);
        let inner = frames.iter().filter(|(inner, _)| is_within(task, *inner, group)).map(|(_, rect)| rect);
        let whole = parts.chain(inner).fold(None, |whole: Option<(Point, Point)>, rect| {
            let (from, to) = whole.unwrap_or((Point { x: rect.x, y: rect.y }, Point { x: rect.x, y: rect.y }));
            Some((
                Point { x: from.x.min(rect.x), y: from.y.min(rect.y) },
                Point { x: to.x.max(rect.right()), y: to.y.max(rect.bottom()) },
            ))
        });
        let (from, to) = whole?;
        // The library's frames may reach far beyond what is in them; its lines are free of what arrows say.
        let (tight, wide) = (from.y - PADDING, (from.y - PADDING).min(middle - half));
        let (x, width) = (from.x - PADDING, to.x - from.x + 2.0 * PADDING);
        let is_free = |top: f64| {
            let title = Rect { x, y: top - TITLE, width, height: 2.0 * TITLE };
            !labels().any(|label| title.overlaps(&label))
        };
        let (top, bottom) = (if is_free(tight) { tight } else { wide }, to.y + PADDING);
        frames.push((group, Rect { x, y: top, width, height: bottom - top }));
    }
    frames.reverse();
    Some(frames)
}

/// Whether a group stands in another.
fn is_within(task: &Task, inner: usize, outer: usize) -> bool {
    let place = |block: &TaskBlock, group| block.groups.iter().position(|one| *one == group);
    task.blocks
        .iter()
        .any(|block| place(block, outer).is_some_and(|at| place(block, inner).is_some_and(|inner| at < inner)))
}

/// Whether blocks, and what arrows say, have places of their own, arrows pass nothing, and frames hold only their own.
fn is_sound(task: &Task, arranged: &Arranged) -> bool {
    let labels = || arranged.lines.iter().flat_map(|line| line.label);
    let rects = || arranged.rects.iter().chain(arranged.frames.iter().map(|(_, rect)| rect)).copied().chain(labels());
    if !rects().all(|rect| [rect.x, rect.y, rect.width, rect.height].iter().all(|length| length.is_finite())) {
        return false;
    }
    // What overlaps stands in one layer.
    let mut blocks: Vec<Vec<(f64, f64)>> = vec![Vec::new(); arranged.layers.len()];
    for (rect, layer) in arranged.rects.iter().zip(&arranged.layer_of) {
        blocks[*layer].push((rect.y, rect.bottom()));
    }
    let mut all = blocks.clone();
    for label in labels() {
        let layer = arranged.layers.partition_point(|(_, end)| *end < label.middle().x);
        all.get_mut(layer).into_iter().for_each(|layer| layer.push((label.y, label.bottom())));
    }
    let apart = all.iter_mut().all(|layer| {
        layer.sort_by(|one, other| one.0.total_cmp(&other.0));
        layer.windows(2).all(|pair| pair[0].1 <= pair[1].0 + 0.01)
    });
    let mut lanes = arranged.lines.iter().flat_map(|line| &line.lanes);
    let passes = lanes.all(|lane| {
        lane.at.is_finite() && !blocks[lane.layer].iter().any(|(top, bottom)| (*top..=*bottom).contains(&lane.at))
    });
    let holds = arranged.frames.iter().enumerate().all(|(at, (group, frame))| {
        let title = Rect { y: frame.y - TITLE, height: 2.0 * TITLE, ..*frame };
        let blocks = || task.blocks.iter().zip(&arranged.rects);
        blocks().all(|(block, rect)| block.groups.contains(group) || !frame.overlaps(rect))
            && labels().all(|label| !title.overlaps(&label))
            && arranged
                .frames
                .iter()
                .skip(at + 1)
                .all(|(inner, rect)| !frame.overlaps(rect) || is_within(task, *inner, *group))
    });
    apart && passes && holds
}
