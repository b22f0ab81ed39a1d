//! The ways of arrows from block to block.

use super::blocks::{Arranged, Line, Task, TaskArrow};
use super::geometry::Point;

/// Between arrows that end at one side of a block.
const APART: f64 = 7.0;
/// Between them and the corners.
const CORNER: f64 = 8.0;

/// The ways of all arrows. Each is straight where it passes a layer: it turns between layers only, where nothing stands that
/// it could cross.
pub fn ways(task: &Task, arranged: &Arranged) -> Vec<Vec<Point>> {
    let ends = ends(task, arranged);
    let lines = task.arrows.iter().zip(&arranged.lines).zip(ends);
    let ways = lines.map(|((arrow, line), ends)| way(arrow, line, ends, arranged));
    ways.collect()
}

fn is_forward(arrow: &TaskArrow, arranged: &Arranged) -> bool {
    arranged.rects[arrow.from].x <= arranged.rects[arrow.to].x
}

/// How far down each arrow leaves its block and arrives at the other: beside each other, in the order in which they come.
fn ends(task: &Task, arranged: &Arranged) -> Vec<(f64, f64)> {
    let mut ends = vec![(0.0, 0.0); task.arrows.len()];
    // The arrows at the right and the left side of each block, by where they come from.
    let mut sides: Vec<[Vec<(f64, usize)>; 2]> = arranged.rects.iter().map(|_| Default::default()).collect();
    for (at, (arrow, line)) in task.arrows.iter().zip(&arranged.lines).enumerate() {
        let leaving = usize::from(!is_forward(arrow, arranged));
        let (from, to) = (arranged.rects[arrow.from].middle().y, arranged.rects[arrow.to].middle().y);
        let next = line.lanes.first().map_or(to, |lane| lane.at);
        let last = line.lanes.last().map_or(from, |lane| lane.at);
        sides[arrow.from][leaving].push((next, at));
        sides[arrow.to][1 - leaving].push((last, at));
    }
    for (block, (sides, rect)) in sides.iter_mut().zip(&arranged.rects).enumerate() {
        for side in sides {
            side.sort_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)));
            let gaps = (side.len().max(2) - 1) as f64;
            let apart = ((rect.height - 2.0 * CORNER) / gaps).clamp(0.0, APART);
            let first = rect.middle().y - apart * (side.len().max(1) - 1) as f64 / 2.0;
            for (place, (_, arrow)) in side.iter().enumerate() {
                let y = first + apart * place as f64;
                match task.arrows[*arrow].from == block {
                    true => ends[*arrow].0 = y,
                    false => ends[*arrow].1 = y,
                }
            }
        }
    }
    ends
}

fn way(arrow: &TaskArrow, line: &Line, (from_y, to_y): (f64, f64), arranged: &Arranged) -> Vec<Point> {
    let is_forward = is_forward(arrow, arranged);
    let directed = |(begin, end): (f64, f64)| if is_forward { (begin, end) } else { (end, begin) };
    let layer = |layer: usize| directed(arranged.layers[layer]);
    let (from, to) = (arranged.rects[arrow.from], arranged.rects[arrow.to]);
    let ((_, start), (end, _)) = (directed((from.x, from.right())), directed((to.x, to.right())));
    let (_, left) = layer(arranged.layer_of[arrow.from]);
    let mut way = vec![Point { x: start, y: from_y }, Point { x: left, y: from_y }];
    for lane in &line.lanes {
        let (near, far) = layer(lane.layer);
        way.extend([near, far].map(|x| Point { x, y: lane.at }));
    }
    let (entered, _) = layer(arranged.layer_of[arrow.to]);
    way.extend([Point { x: entered, y: to_y }, Point { x: end, y: to_y }]);
    way.dedup();
    way
}
