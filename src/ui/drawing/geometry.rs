//! Places, sizes, and what has been placed.

/// How much wider than high a drawing shall be.
pub const ASPECT: f64 = 1.6;
/// Between boxes of a layer.
pub const GAP: f64 = 16.0;
/// Between a frame and what stands in it.
pub const PADDING: f64 = 14.0;
/// Between layers where few arrows are, and where many are.
const LAYERS: (f64, f64) = (52.0, 200.0);

/// The room between layers: the more arrows turn there, the more they need to be told apart.
pub fn between_layers(arrows: usize) -> f64 {
    (2.0 * arrows as f64).clamp(LAYERS.0, LAYERS.1)
}

/// A place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// From the left.
    pub x: f64,
    /// From above.
    pub y: f64,
}

impl Point {
    /// The same place with its axes exchanged.
    pub fn transposed(self) -> Self {
        Self { x: self.y, y: self.x }
    }
}

/// A place with a size; `x` and `y` are its upper left corner.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rect {
    /// From the left.
    pub x: f64,
    /// From above.
    pub y: f64,
    /// To the right.
    pub width: f64,
    /// Downwards.
    pub height: f64,
}

impl Rect {
    /// Its centre.
    pub fn middle(&self) -> Point {
        Point { x: self.x + self.width / 2.0, y: self.y + self.height / 2.0 }
    }

    /// Its right end.
    pub fn right(&self) -> f64 {
        self.x + self.width
    }

    /// Its lower end.
    pub fn bottom(&self) -> f64 {
        self.y + self.height
    }

    /// Whether the other is inside.
    #[cfg(test)]
    pub fn contains(&self, inner: &Self) -> bool {
        let slack = 0.01;
        inner.x >= self.x - slack
            && inner.y >= self.y - slack
            && inner.right() <= self.right() + slack
            && inner.bottom() <= self.bottom() + slack
    }

    /// Whether both cover some place; touching is not enough.
    pub fn overlaps(&self, other: &Self) -> bool {
        let slack = 0.01;
        self.x + slack < other.right()
            && other.x + slack < self.right()
            && self.y + slack < other.bottom()
            && other.y + slack < self.bottom()
    }

    /// The same with its axes exchanged.
    pub fn transposed(self) -> Self {
        Self { x: self.y, y: self.x, width: self.height, height: self.width }
    }
}

/// Where the layers of a drawing follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// From left to right, which suits many resources that name few.
    Right,
    /// From above to below, which suits long chains.
    Down,
}

/// How large things are.
#[derive(Debug, Clone)]
pub struct Sizes {
    /// Every box.
    pub node: (f64, f64),
    /// What each arrow says, by its index; nothing where nothing is shown.
    pub labels: Vec<Option<(f64, f64)>>,
}

/// An arrow's way.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    /// The arrows that it stands for, by index: more than one where many resources stand in a block.
    pub edges: Vec<usize>,
    /// Where it runs to at each of its points.
    pub flow: Flow,
    /// From the box or block that names to the one that is named.
    pub points: Vec<Point>,
    /// The place of what it says.
    pub label: Option<Rect>,
}

/// Things with places: a drawing, or a part of it before it is put among others. It begins at (0, 0).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Placed {
    /// How wide it is.
    pub width: f64,
    /// How high it is.
    pub height: f64,
    /// The boxes by the resource's index.
    pub nodes: Vec<(usize, Rect)>,
    /// Round boxes that are alike and have one arrow.
    pub blocks: Vec<Rect>,
    /// The frames by the group's index, outer ones first.
    pub frames: Vec<(usize, Rect)>,
    /// The arrows.
    pub routes: Vec<Route>,
    /// Whether modules are without their frames, as the layout failed with them.
    pub is_unframed: bool,
    /// The arrows that are missing, by index, as the layout failed altogether.
    pub unplaced: Vec<usize>,
}

impl Placed {
    /// Adds a part whose beginning comes to stand at a point.
    pub fn put(&mut self, part: Self, at: Point) {
        let shift = |point: Point| Point { x: point.x + at.x, y: point.y + at.y };
        let moved = |rect: Rect| Rect { x: rect.x + at.x, y: rect.y + at.y, ..rect };
        self.width = self.width.max(at.x + part.width);
        self.height = self.height.max(at.y + part.height);
        self.nodes.extend(part.nodes.into_iter().map(|(index, rect)| (index, moved(rect))));
        self.is_unframed |= part.is_unframed;
        self.unplaced.extend(part.unplaced);
        self.blocks.extend(part.blocks.into_iter().map(moved));
        self.frames.extend(part.frames.into_iter().map(|(index, rect)| (index, moved(rect))));
        self.routes.extend(part.routes.into_iter().map(|route| Route {
            points: route.points.into_iter().map(shift).collect(),
            label: route.label.map(moved),
            ..route
        }));
    }

    /// The same, moved so that it begins at (0, 0) and is as large as what is in it.
    pub fn trimmed(self) -> Self {
        let rects = self.nodes.iter().chain(&self.frames).map(|(_, rect)| rect).chain(&self.blocks);
        let rects = rects.chain(self.routes.iter().flat_map(|route| &route.label));
        let corners = rects.flat_map(|rect| [(rect.x, rect.y), (rect.right(), rect.bottom())]);
        let points = self.routes.iter().flat_map(|route| &route.points).map(|point| (point.x, point.y));
        let whole = corners.chain(points).fold(None, |whole, (x, y)| {
            let (left, top, right, bottom) = whole.unwrap_or((x, y, x, y));
            Some((x.min(left), y.min(top), x.max(right), y.max(bottom)))
        });
        let Some((left, top, right, bottom)) = whole else { return Self::default() };
        let mut trimmed = Self::default();
        trimmed.put(self, Point { x: -left, y: -top });
        Self { width: right - left, height: bottom - top, ..trimmed }
    }
}

/// Widths to try, as parts of the one that would suit if nothing were left free.
const WIDTHS: [f64; 5] = [0.5, 0.7, 0.85, 1.0, 1.2];

/// Parts side by side and below each other, so that much of it fits on a screen.
pub fn packed(mut parts: Vec<Placed>, gap: f64) -> Placed {
    // High ones first. Stable: what is equally high stays in the order of addresses.
    parts.sort_by(|one, other| other.height.total_cmp(&one.height));
    let area: f64 = parts.iter().map(|part| (part.width + gap) * (part.height + gap)).sum();
    let widest = parts.iter().map(|part| part.width).fold(0.0, f64::max);
    let mut best: Option<(f64, Vec<Point>)> = None;
    for width in WIDTHS {
        let end = ((area * ASPECT).sqrt() * width).max(widest + gap);
        let places = places(&parts, gap, end);
        let ends = |(part, at): (&Placed, &Point)| ((at.x + part.width) / ASPECT).max(at.y + part.height);
        let extent = parts.iter().zip(&places).map(ends).fold(0.0, f64::max);
        if best.as_ref().is_none_or(|(least, _)| extent < *least - 0.5) {
            best = Some((extent, places));
        }
    }
    let mut whole = Placed::default();
    for (part, at) in parts.into_iter().zip(best.map(|(_, places)| places).unwrap_or_default()) {
        whole.put(part, at);
    }
    whole
}

/// A place for each part, one after the other: as far up as there is room, then as far left.
fn places(parts: &[Placed], gap: f64, end: f64) -> Vec<Point> {
    let mut places = Vec::with_capacity(parts.len());
    // How far down each stretch is taken: where it begins, and from where on it is free.
    let mut skyline: Vec<(f64, f64)> = vec![(0.0, 0.0)];
    for part in parts {
        let (width, height) = (part.width + gap, part.height + gap);
        let candidates = skyline.iter().enumerate().map(|(at, (x, _))| {
            let under = skyline.iter().skip(at).take_while(|(begin, _)| *begin < x + width);
            Point { x: *x, y: under.map(|(_, y)| *y).fold(0.0, f64::max) }
        });
        let best = candidates
            .filter(|at| at.x == 0.0 || at.x + width <= end + 0.01)
            .min_by(|one, other| one.y.total_cmp(&other.y).then(one.x.total_cmp(&other.x)));
        let at = best.unwrap_or(Point { x: 0.0, y: 0.0 });
        // What is covered goes; the rest of the last stretch that is covered in part begins later.
        let rest = skyline.iter().rfind(|(begin, _)| *begin <= at.x + width).map(|(_, y)| (at.x + width, *y));
        skyline.retain(|(begin, _)| *begin < at.x || *begin > at.x + width);
        skyline.extend(rest);
        skyline.push((at.x, at.y + height));
        skyline.sort_by(|one, other| one.0.total_cmp(&other.0));
        places.push(at);
    }
    places
}
