//! Where boxes, frames and arrows stand.
//!
//! What hangs together is laid out in layers ([`super::layered`]); what does not is packed. So two hundred resources
//! without an arrow are a grid, and no row of forty thousand pixels.

use std::collections::BTreeMap;

use super::geometry::{ASPECT, Flow, PADDING, Placed, Point, Rect, Sizes, packed};
use super::layered::layered;
use super::model::Drawing;

/// Between things that do not hang together.
const GAP: f64 = 20.0;

/// More hangs together than can be drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many resources hang together for a picture")]
pub struct TooLarge;

/// Places a drawing, in the direction in which more of it fits on a screen.
pub fn place(drawing: &Drawing, sizes: &Sizes) -> Result<Placed, TooLarge> {
    let right = flowing(drawing, sizes, Flow::Right)?;
    if drawing.edges.is_empty() {
        return Ok(right);
    }
    let down = flowing(drawing, sizes, Flow::Down)?;
    let extent = |placed: &Placed| (placed.width / ASPECT).max(placed.height);
    Ok(if extent(&down) < extent(&right) { down } else { right })
}

fn flowing(drawing: &Drawing, sizes: &Sizes, flow: Flow) -> Result<Placed, TooLarge> {
    // What hangs together stands in the innermost group that holds all of it.
    let mut parts: BTreeMap<Option<usize>, Vec<Placed>> = BTreeMap::new();
    for component in components(drawing) {
        let home = common_group(drawing, &component.nodes);
        parts.entry(home).or_default().push(layered(drawing, &component, home, sizes, flow)?);
    }
    Ok(group(drawing, None, &mut parts))
}

/// What stands in a group, the groups in it included, packed.
fn group(drawing: &Drawing, of: Option<usize>, parts: &mut BTreeMap<Option<usize>, Vec<Placed>>) -> Placed {
    let mut all = parts.remove(&of).unwrap_or_default();
    for (inner, _) in drawing.groups_in(of) {
        let content = group(drawing, Some(inner), parts);
        if !content.nodes.is_empty() {
            all.push(framed(inner, content));
        }
    }
    packed(all, GAP)
}

fn framed(group: usize, content: Placed) -> Placed {
    let rect = Rect { x: 0.0, y: 0.0, width: content.width + 2.0 * PADDING, height: content.height + 2.0 * PADDING };
    let mut framed =
        Placed { frames: vec![(group, rect)], width: rect.width, height: rect.height, ..Placed::default() };
    framed.put(content, Point { x: PADDING, y: PADDING });
    framed
}

/// Resources that hang together, with the arrows between them, all by their indices.
pub struct Component {
    /// Sorted.
    pub nodes: Vec<usize>,
    /// Sorted.
    pub edges: Vec<usize>,
}

/// All there are, in the order of their first resources.
fn components(drawing: &Drawing) -> Vec<Component> {
    let mut near: Vec<Vec<usize>> = vec![Vec::new(); drawing.nodes.len()];
    for edge in &drawing.edges {
        for (one, other) in [(edge.from, edge.to), (edge.to, edge.from)] {
            near.get_mut(one).into_iter().for_each(|near| near.push(other));
        }
    }
    let mut of_node: BTreeMap<usize, usize> = BTreeMap::new();
    let mut all: Vec<Component> = Vec::new();
    for root in 0..drawing.nodes.len() {
        let mut open = vec![root];
        let mut nodes = Vec::new();
        while let Some(node) = open.pop() {
            if of_node.contains_key(&node) {
                continue;
            }
            of_node.insert(node, all.len());
            nodes.push(node);
            open.extend(near.get(node).into_iter().flatten());
        }
        if !nodes.is_empty() {
            nodes.sort_unstable();
            all.push(Component { nodes, edges: Vec::new() });
        }
    }
    for (index, edge) in drawing.edges.iter().enumerate() {
        if let Some(component) = of_node.get(&edge.from).and_then(|at| all.get_mut(*at)) {
            component.edges.push(index);
        }
    }
    all
}

/// The innermost group that holds all of these; none where they stand in several.
fn common_group(drawing: &Drawing, members: &[usize]) -> Option<usize> {
    let nodes = members.iter().filter_map(|index| drawing.nodes.get(*index));
    let mut lineages = nodes.map(|node| drawing.lineage(node.group));
    let first = lineages.next()?;
    let common = lineages.fold(first, |common, other| {
        common.into_iter().zip(other).take_while(|(one, two)| one == two).map(|(one, _)| one).collect()
    });
    common.last().copied()
}
