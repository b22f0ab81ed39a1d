//! Resources that hang together, in layers: each before what it names.

use super::arranged::{NotArranged, Variant, arranged};
use super::blocks::{Arranged, Blocks, Task, cells};
use super::geometry::{Flow, GAP, Placed, Point, Rect, Route, Sizes, packed};
use super::layout::{Component, TooLarge};
use super::model::Drawing;
use super::ways::ways;

/// How cheap a layout must become for frames to be left out, as a part of what it was.
const CHEAPER: f64 = 0.4;

/// Places a component; the groups inside of `home` get frames.
pub fn layered(
    drawing: &Drawing,
    component: &Component,
    home: Option<usize>,
    sizes: &Sizes,
    flow: Flow,
) -> Result<Placed, TooLarge> {
    let blocks = Blocks::of(drawing, component);
    if let ([only], true) = (blocks.all.as_slice(), blocks.arrows.is_empty()) {
        return Ok(cells(only, sizes));
    }
    let (Attempt { arranged, ways, .. }, is_unframed) = match best(&blocks.task(drawing, home, sizes, flow)) {
        Ok(best) => best,
        Err(NotArranged::TooLarge) => return Err(TooLarge),
        Err(NotArranged::Failed) => return Ok(scattered(&blocks, sizes)),
    };

    let rect = |rect: Rect| if flow == Flow::Right { rect } else { rect.transposed() };
    let point = |point: Point| if flow == Flow::Right { point } else { point.transposed() };
    let mut placed = Placed::default();
    for (block, place) in blocks.all.iter().zip(&arranged.rects) {
        let place = rect(*place);
        placed.put(cells(block, sizes), Point { x: place.x, y: place.y });
    }
    placed.frames = arranged.frames.iter().map(|(group, frame)| (*group, rect(*frame))).collect();
    let routes = blocks.arrows.values().zip(&arranged.lines).zip(ways);
    placed.routes = routes
        .map(|((edges, line), way)| Route {
            edges: edges.clone(),
            flow,
            points: way.into_iter().map(point).collect(),
            label: line.label.map(rect),
        })
        .collect();
    placed.is_unframed = is_unframed;
    Ok(placed.trimmed())
}

/// What nobody knows to arrange: side by side and without arrows, which the legend tells of.
pub fn scattered(blocks: &Blocks, sizes: &Sizes) -> Placed {
    let mut placed = packed(blocks.all.iter().map(|block| cells(block, sizes)).collect(), GAP);
    placed.unplaced = blocks.arrows.values().flatten().copied().collect();
    placed
}

/// The best layout, with frames as far as they help. Resources of one purpose, a role with its policy and bucket, are of
/// several services; where frames of services tear them apart and arrows lead right across the picture, it is drawn without
/// these frames. Answers also whether modules lost theirs: groups in groups are what the library fails
/// at, if at anything.
fn best(task: &Task) -> Result<(Attempt, bool), NotArranged> {
    let framed = cheapest(task);
    let Some(without) = task.without_services() else { return framed.map(|attempt| (attempt, false)) };
    let attempt = match (framed, cheapest(&without)) {
        (Ok(framed), Ok(loose)) => Ok(if loose.cost < CHEAPER * framed.cost { loose } else { framed }),
        (framed, loose) => framed.or(loose),
    };
    match (attempt, without.without_groups()) {
        (Err(_), Some(bare)) => cheapest(&bare).map(|attempt| (attempt, true)),
        (attempt, _) => attempt.map(|attempt| (attempt, false)),
    }
}

/// A task that was done in one of several ways.
struct Attempt {
    arranged: Arranged,
    ways: Vec<Vec<Point>>,
    /// The length of all arrows times the height of the picture: little of both is good to read.
    cost: f64,
}

/// The best of what the library makes of it in several ways, if it makes anything.
fn cheapest(task: &Task) -> Result<Attempt, NotArranged> {
    let mut best = Err(NotArranged::Failed);
    for variant in Variant::of(task) {
        match (attempt(task, variant), &best) {
            (Ok(attempt), Ok(Attempt { cost, .. })) if attempt.cost >= *cost => {}
            (Ok(attempt), _) => best = Ok(attempt),
            // The others would take as long.
            (Err(NotArranged::TooLarge), Err(_)) => return Err(NotArranged::TooLarge),
            (Err(_), _) => {}
        }
    }
    best
}

fn attempt(task: &Task, variant: Variant) -> Result<Attempt, NotArranged> {
    let arranged = arranged(task, variant)?;
    let ways = ways(task, &arranged);
    let pairs = ways.iter().flat_map(|way| way.windows(2));
    let length: f64 = pairs.map(|pair| (pair[0].x - pair[1].x).abs() + (pair[0].y - pair[1].y).abs()).sum();
    let rects = || arranged.rects.iter().chain(arranged.frames.iter().map(|(_, rect)| rect));
    let top = rects().map(|rect| rect.y).fold(f64::INFINITY, f64::min);
    let height = rects().map(Rect::bottom).fold(f64::NEG_INFINITY, f64::max) - top;
    Ok(Attempt { arranged, ways, cost: length * height })
}
