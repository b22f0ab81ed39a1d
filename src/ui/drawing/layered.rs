//! Resources that hang together, in layers: each before what it names.

use super::blocks::{Arranged, Blocks, Lane, Line, Task, TaskBlock, cells};
use super::geometry::{Flow, PADDING, Placed, Point, Rect, Route, Sizes, between_layers};
use super::items::{Items, Rule};
use super::layout::{Component, TooLarge};
use super::model::Drawing;
use super::order::ordered;
use super::settle::settled;
use super::ways::ways;

/// Between a layer of blocks and what arrows say.
const LABELLED: f64 = 36.0;
/// How short arrows must become for frames to be left out, as a part of what they were.
const LOOSE: f64 = 0.6;

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
    let Attempt { arranged, ways, .. } = best(&blocks.task(drawing, home, sizes, flow))?;

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
    Ok(placed.trimmed())
}

/// The layout with the shortest arrows, and with frames as far as they help. Resources of one purpose, a role with its policy
/// and bucket, are of several services; where frames of services tear them apart and arrows lead right across the picture,
/// it is drawn without these frames.
fn best(task: &Task) -> Result<Attempt, TooLarge> {
    let framed = shortest(task)?;
    let Some(without) = task.without_services() else { return Ok(framed) };
    let loose = shortest(&without)?;
    Ok(if loose.length < LOOSE * framed.length { loose } else { framed })
}

/// A task that was done in one of several ways.
struct Attempt {
    arranged: Arranged,
    ways: Vec<Vec<Point>>,
    /// Of all arrows.
    length: f64,
}

fn shortest(task: &Task) -> Result<Attempt, TooLarge> {
    let attempt = |rule| {
        let arranged = arranged(task, rule)?;
        let ways = ways(task, &arranged);
        let pairs = ways.iter().flat_map(|way| way.windows(2));
        let length = pairs.map(|pair| (pair[0].x - pair[1].x).abs() + (pair[0].y - pair[1].y).abs()).sum();
        Ok(Attempt { arranged, ways, length })
    };
    let (early, late) = (attempt(Rule::Early)?, attempt(Rule::Late)?);
    Ok(if late.length < early.length { late } else { early })
}

/// Does a task.
fn arranged(task: &Task, rule: Rule) -> Result<Arranged, TooLarge> {
    let items = Items::of(task, rule)?;
    let settled = settled(&items, &ordered(&items));
    let depth = task.blocks.iter().map(|block| block.groups.len()).max().unwrap_or_default();
    let is_labelled = items.labels.iter().any(Option::is_some);
    // Frames of neighbouring layers are apart, and what arrows say stands in layers of its own.
    let between = between_layers(task.arrows.len()).max((2.0 * depth as f64 + 1.0) * PADDING);
    let between = if is_labelled { (between / 2.0).max(LABELLED) } else { between };
    let mut layers: Vec<(f64, f64)> = Vec::with_capacity(items.layers);
    let mut widths = vec![0.0_f64; items.layers];
    items.all.iter().for_each(|item| widths[item.layer] = widths[item.layer].max(item.width));
    for width in widths {
        let begin = layers.last().map_or(0.0, |(_, end)| end + between);
        layers.push((begin, begin + width));
    }
    let rect = |at: usize| {
        let (item, (begin, end)) = (&items.all[at], layers[items.all[at].layer]);
        Rect { x: (begin + end - item.width) / 2.0, y: settled.items[at], width: item.width, height: item.height }
    };
    let rects: Vec<Rect> = (0..task.blocks.len()).map(rect).collect();
    let frames = settled.frames.iter().filter_map(|(group, top, bottom)| {
        // The frames in it are as much narrower as there are of them within each other.
        let members = || task.blocks.iter().zip(&rects).filter(|(block, _)| block.groups.contains(group));
        let outside = |block: &TaskBlock| block.groups.iter().position(|one| one == group);
        let within = members().map(|(block, _)| block.groups.len() - outside(block).unwrap_or_default()).max()?;
        let (left, right) = members().fold((f64::INFINITY, f64::NEG_INFINITY), |(left, right), (_, rect)| {
            (left.min(rect.x), right.max(rect.right()))
        });
        let padding = PADDING * within as f64;
        let (x, width) = (left - padding, right - left + 2.0 * padding);
        Some((*group, Rect { x, y: *top, width, height: bottom - top }))
    });
    let frames = frames.collect();
    let lines = items.chains.iter().zip(&items.labels).map(|(chain, label)| {
        let between = chain.get(1..chain.len().saturating_sub(1)).unwrap_or_default();
        let lane = |at: &usize| Lane { layer: items.all[*at].layer, at: rect(*at).middle().y };
        Line { lanes: between.iter().map(lane).collect(), label: label.map(rect) }
    });
    let lines = lines.collect();
    let layer_of = items.all.iter().take(rects.len()).map(|item| item.layer).collect();
    Ok(Arranged { rects, layer_of, frames, lines, layers })
}
