//! How far down everything stands: in the order that was found, in the least height there is for it, and as near to what it
//! hangs together with as there is room.

use super::blocks::common;
use super::geometry::{GAP, PADDING};
use super::items::Items;
use super::order::Order;

/// How often all is moved nearer to what it hangs together with.
const SWEEPS: usize = 32;

/// Something with a place across the flow.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Piece {
    Item(usize),
    /// The upper line of a group's frame.
    Top(usize),
    /// The lower one.
    Bottom(usize),
}

/// What stands where.
pub struct Settled {
    /// The upper ends of the items.
    pub items: Vec<f64>,
    /// The groups that have a frame, outer ones first, with its upper and its lower line.
    pub frames: Vec<(usize, f64, f64)>,
}

/// Pieces in their order from above to below.
struct Pieces<'a> {
    items: &'a Items,
    all: Vec<Piece>,
    heights: Vec<f64>,
    /// How far each stays below what is above it in some layer.
    above: Vec<Vec<(usize, f64)>>,
    /// The same the other way round.
    below: Vec<Vec<(usize, f64)>>,
    /// What each hangs together with.
    near: Vec<Vec<usize>>,
}

/// Gives everything its place.
pub fn settled(items: &Items, order: &Order) -> Settled {
    let pieces = Pieces::of(items, order);
    let places = pieces.places(order);
    let mut settled = Settled { items: vec![0.0; items.all.len()], frames: Vec::new() };
    for (piece, place) in pieces.all.iter().zip(places) {
        match *piece {
            Piece::Item(at) => settled.items[at] = place,
            Piece::Top(group) => settled.frames.push((group, place, place)),
            Piece::Bottom(group) => {
                settled.frames.iter_mut().filter(|(one, ..)| *one == group).for_each(|(.., bottom)| *bottom = place);
            }
        }
    }
    // A group comes after the one that it stands in.
    settled.frames.sort_by_key(|(group, ..)| *group);
    settled
}

impl<'a> Pieces<'a> {
    fn of(items: &'a Items, order: &Order) -> Self {
        let mut sorted: Vec<usize> = (0..items.all.len()).collect();
        sorted.sort_by(|one, other| order.compare(items, *one, *other));
        // What is in a group stands together in this order; only groups with a block in them have a frame.
        let mut all = Vec::new();
        let mut open: Vec<usize> = Vec::new();
        for at in sorted {
            let groups = &items.all[at].groups;
            let shared = common(&open, groups).len();
            all.extend(open.drain(shared..).rev().map(Piece::Bottom));
            all.extend(groups[shared..].iter().copied().map(Piece::Top));
            open.clone_from(groups);
            all.push(Piece::Item(at));
        }
        all.extend(open.drain(..).rev().map(Piece::Bottom));

        let height = |piece: &Piece| if let Piece::Item(at) = piece { items.all[*at].height } else { 0.0 };
        let mut pieces = Self {
            items,
            heights: all.iter().map(height).collect(),
            above: vec![Vec::new(); all.len()],
            below: vec![Vec::new(); all.len()],
            near: vec![Vec::new(); all.len()],
            all,
        };
        pieces.separate();
        pieces.connect();
        pieces
    }

    /// In each layer everything stays below what is before it, the lines of the frames that reach over the layer included.
    fn separate(&mut self) {
        let mut ranges: Vec<Option<(usize, usize)>> = Vec::new();
        for item in self.items.all.iter().filter(|item| item.is_block) {
            for group in &item.groups {
                ranges.resize(ranges.len().max(group + 1), None);
                let (first, last) = ranges[*group].unwrap_or((item.layer, item.layer));
                ranges[*group] = Some((first.min(item.layer), last.max(item.layer)));
            }
        }
        let mut last: Vec<Option<usize>> = vec![None; self.items.layers];
        for (at, piece) in self.all.iter().enumerate() {
            let layers = match *piece {
                Piece::Item(item) => self.items.all[item].layer..self.items.all[item].layer + 1,
                Piece::Top(group) | Piece::Bottom(group) => match ranges.get(group).copied().flatten() {
                    Some((first, last)) => first..last + 1,
                    None => 0..0,
                },
            };
            for layer in layers {
                if let Some(before) = last[layer].replace(at) {
                    let by = self.heights[before] + self.gap(self.all[before], *piece);
                    self.above[at].push((before, by));
                    self.below[before].push((at, by));
                }
            }
        }
    }

    fn gap(&self, upper: Piece, lower: Piece) -> f64 {
        let is_arrow = |piece: Piece| matches!(piece, Piece::Item(at) if !self.items.all[at].is_block);
        match (upper, lower) {
            (Piece::Top(_), Piece::Bottom(_)) => 0.0,
            _ if is_arrow(upper) || is_arrow(lower) => GAP / 2.0,
            (Piece::Top(_), _) | (_, Piece::Bottom(_)) => PADDING,
            _ => GAP,
        }
    }

    /// Each item of an arrow hangs together with the next.
    fn connect(&mut self) {
        let mut of_item = vec![0; self.items.all.len()];
        for (at, piece) in self.all.iter().enumerate() {
            if let Piece::Item(item) = piece {
                of_item[*item] = at;
            }
        }
        for pair in self.items.chains.iter().flat_map(|chain| chain.windows(2)) {
            let (one, other) = (of_item[pair[0]], of_item[pair[1]]);
            self.near[one].push(other);
            self.near[other].push(one);
        }
    }

    /// The upper end of each.
    fn places(&self, order: &Order) -> Vec<f64> {
        let count = self.all.len();
        let mut least = vec![0.0_f64; count];
        for at in 0..count {
            least[at] = self.above[at].iter().map(|(other, by)| least[*other] + by).fold(0.0, f64::max);
        }
        let height = (0..count).map(|at| least[at] + self.heights[at]).fold(0.0, f64::max);
        let mut most = vec![0.0_f64; count];
        for at in (0..count).rev() {
            let end = height - self.heights[at];
            most[at] = self.below[at].iter().map(|(other, by)| most[*other] - by).fold(end, f64::min);
        }
        let mut places = most.clone();
        for at in 0..count {
            let from = self.above[at].iter().map(|(other, by)| places[*other] + by).fold(0.0, f64::max);
            // The order's middle is that of the whole.
            let wish = match self.all[at] {
                Piece::Item(item) => order.items[item] + (height - self.heights[at]) / 2.0,
                Piece::Top(_) | Piece::Bottom(_) => from,
            };
            places[at] = wish.min(most[at]).max(from);
        }
        for sweep in 0..SWEEPS {
            for step in 0..count {
                let at = if sweep % 2 == 0 { step } else { count - 1 - step };
                let from = self.above[at].iter().map(|(other, by)| places[*other] + by).fold(0.0, f64::max);
                let end = height - self.heights[at];
                let to = self.below[at].iter().map(|(other, by)| places[*other] - by).fold(end, f64::min);
                let wish = match self.all[at] {
                    Piece::Top(_) => to,
                    Piece::Bottom(_) => from,
                    Piece::Item(_) => self.middle(at, &places) - self.heights[at] / 2.0,
                };
                places[at] = wish.min(to).max(from);
            }
        }
        places
    }

    /// The middle of what a piece hangs together with, or its own.
    fn middle(&self, at: usize, places: &[f64]) -> f64 {
        let middle = |at: usize| places[at] + self.heights[at] / 2.0;
        let mut middles: Vec<f64> = self.near[at].iter().map(|near| middle(*near)).collect();
        middles.sort_by(f64::total_cmp);
        let half = middles.len() / 2;
        match middles.len() {
            0 => middle(at),
            odd if odd % 2 == 1 => middles[half],
            _ => (middles[half - 1] + middles[half]) / 2.0,
        }
    }
}
