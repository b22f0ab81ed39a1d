//! A drawing as an SVG that needs nothing else: its style sheet, for light and dark grounds, is in it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::super::text::{count, cut_middle};
use super::geometry::{Flow, Placed, Point, Rect, Route, Sizes};
use super::layout::{TooLarge, place};
use super::model::{Drawing, Edge, Node, Tone};

/// Round the drawing.
const MARGIN: f64 = 24.0;
/// Above it, for the title.
const HEAD: f64 = 76.0;
/// Between the lines of the legend.
const LINE: f64 = 20.0;
/// The height of a box.
const BOX: f64 = 44.0;
/// Left and right of the texts in a box.
const INSET: f64 = 12.0;
/// The place of a plan's sign in a box.
const SIGN: f64 = 20.0;
/// The width of a character as a part of the size of its font: that of common monospaced fonts, or a little more.
const ADVANCE: f64 = 0.61;
/// The size of an address.
const ADDRESS: f64 = 12.0;
/// The size of a name.
const NAME: f64 = 11.0;
/// The size of what arrows and frames say.
const SMALL: f64 = 10.0;
/// Most characters of an address; what is longer is whole in the tooltip, as names are.
const ADDRESS_CHARS: usize = 32;
/// Most characters of a name.
const NAME_CHARS: usize = 35;
/// Most arrows that say which property they come from; of more, only the tooltips do.
const LABELLED: usize = 40;
/// Most arrows that a tooltip tells of where many are drawn as one.
const TOLD: usize = 20;

const STYLE: &str = "\
text{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:#1f2328}\
.title{font-size:16px;font-weight:600}.faint,.name,.says,.group{fill:#57606a}\
.faint{font-size:11px}.address{font-size:12px;font-weight:600}.name{font-size:11px}\
.sign{font-size:15px;font-weight:700;text-anchor:middle}\
.says{font-size:10px;text-anchor:middle}.group{font-size:10px;font-weight:600}\
.ground,.back{fill:#fff}.frame{fill:none;stroke:#d0d7de}.block{fill:#f6f8fa;stroke:#8c959f}.box{fill:#fff;stroke:#8c959f}\
.line{fill:none;stroke:#57606a;stroke-width:1.3}.names{stroke-dasharray:5 3}\
.hit{fill:none;stroke:#000;stroke-opacity:0;stroke-width:9}.tip{fill:#57606a}\
.edge:hover .line{stroke-width:2.6}.node:hover .box{stroke-width:2}";

const DARK: &str = "\
text{fill:#e6edf3}.faint,.name,.says,.group{fill:#9ea7b3}.ground,.back{fill:#0d1117}.frame{stroke:#30363d}.block{fill:#11161d;stroke:#6e7681}\
.box{fill:#161b22;stroke:#6e7681}.line{stroke:#9ea7b3}.tip{fill:#9ea7b3}";

/// The drawing as SVG.
pub fn render_svg(drawing: &Drawing) -> Result<String, TooLarge> {
    let sign = if drawing.nodes.iter().any(|node| node.status.is_some()) { SIGN } else { 0.0 };
    let texts = drawing.nodes.iter().map(|node| length(&address(node), ADDRESS).max(length(&name(node), NAME)));
    let widest = texts.fold(120.0, f64::max);
    let is_labelled = drawing.edges.len() <= LABELLED;
    let label = |says: &String| (is_labelled && !says.is_empty()).then(|| (length(says, SMALL) + 8.0, SMALL + 4.0));
    let sizes = Sizes {
        node: (widest + 2.0 * INSET + sign, BOX),
        labels: drawing.edges.iter().map(|edge| label(&edge.label)).collect(),
    };
    let mut placed = Placed::default();
    placed.put(place(drawing, &sizes)?, Point { x: MARGIN, y: HEAD });
    Ok(written(drawing, &placed, sign))
}

/// A drawing with its places; boxes leave room of a width for signs.
pub fn written(drawing: &Drawing, placed: &Placed, sign: f64) -> String {
    let mut svg = Svg::default();
    for (group, frame) in &placed.frames {
        svg.frame(drawing, *group, frame);
    }
    for block in &placed.blocks {
        let _ = writeln!(svg.0, "<rect class=\"block\" {} rx=\"8\"/>", area(block));
    }
    for route in &placed.routes {
        svg.route(drawing, route);
    }
    for (index, rect) in &placed.nodes {
        if let Some(node) = drawing.nodes.get(*index) {
            svg.node(node, rect, sign);
        }
    }
    // Above all lines, so that none crosses a word.
    for route in &placed.routes {
        svg.label(drawing, route);
    }
    let (width, height) = svg.legend(drawing, placed, placed.height + MARGIN + LINE);
    let (width, height) = (placed.width.max(width) + MARGIN, height + MARGIN);
    document(drawing, &svg.0, width, height)
}

fn document(drawing: &Drawing, body: &str, width: f64, height: f64) -> String {
    let (w, h, title) = (number(width), number(height), escaped(&drawing.title));
    let tones = |colours: fn(Tone) -> (&'static str, &'static str)| -> String {
        let used = Tone::ALL.iter().filter(|tone| drawing.nodes.iter().any(|node| node.tone() == Some(**tone)));
        used.map(|tone| {
            let ((line, area), class) = (colours(*tone), tone.class());
            format!(".{class} .box{{stroke:{line};fill:{area}}}.{class} .sign{{fill:{line}}}")
        })
        .collect()
    };
    let (light, dark) = (tones(Tone::light), tones(Tone::dark));
    let resources = count(drawing.nodes.len(), "resource", "resources");
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\" viewBox=\"0 0 {w} {h}\" role=\"img\">\n\
         <title>{title}</title>\n\
         <style>{STYLE}.unplanned .box{{stroke-dasharray:4 3}}{light}\
         @media (prefers-color-scheme:dark){{{DARK}{dark}}}</style>\n\
         <defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7.5\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" \
         markerUnits=\"userSpaceOnUse\" orient=\"auto\"><path class=\"tip\" d=\"M0 0.5L8 4L0 7.5Z\"/></marker></defs>\n\
         <rect class=\"ground\" width=\"{w}\" height=\"{h}\"/>\n\
         <text class=\"title\" x=\"{MARGIN}\" y=\"34\">{title}</text>\n\
         <text class=\"faint\" x=\"{MARGIN}\" y=\"52\">{resources}</text>\n\
         {body}</svg>\n"
    )
}

impl Node {
    fn tone(&self) -> Option<Tone> {
        self.status.map(|status| status.tone())
    }
}

fn address(node: &Node) -> Cow<'_, str> {
    cut_middle(&node.short, ADDRESS_CHARS)
}

fn name(node: &Node) -> Cow<'_, str> {
    cut_middle(node.name(), NAME_CHARS)
}

/// The body of a drawing as it is written.
#[derive(Default)]
struct Svg(String);

impl Svg {
    fn frame(&mut self, drawing: &Drawing, group: usize, rect: &Rect) {
        let title = drawing.groups.get(group).map(|group| group.title.as_str()).unwrap_or_default();
        // Wide characters count twice, so the number of those that fit is only known by trying.
        let room = rect.width - 20.0;
        let most = (room / (SMALL * ADVANCE)).max(2.0) as usize;
        let cuts = (2..=most).rev().map(|most| cut_middle(title, most));
        let title = cuts.into_iter().find(|title| length(title, SMALL) <= room).unwrap_or_default();
        let back = length(&title, SMALL) + 8.0;
        let (x, y) = (rect.x + 10.0, rect.y);
        let _ = writeln!(self.0, "<rect class=\"frame\" {} rx=\"8\"/>", area(rect));
        let behind = Rect { x: x - 4.0, y: y - 6.0, width: back, height: 12.0 };
        let _ = write!(self.0, "<rect class=\"back\" {}/>", area(&behind));
        self.text("group", Point { x, y: y + 3.5 }, &title, SMALL);
        self.0.push('\n');
    }

    fn route(&mut self, drawing: &Drawing, route: &Route) {
        let edges: Vec<&Edge> = route.edges.iter().filter_map(|at| drawing.edges.get(*at)).collect();
        let Some(first) = edges.first() else { return };
        let d = curve(route);
        let kind = if first.delays { "waits" } else { "names" };
        let mut sentences: Vec<String> = edges.iter().take(TOLD).map(|edge| drawing.sentence(edge)).collect();
        if edges.len() > TOLD {
            sentences.push(format!("and {} more", edges.len() - TOLD));
        }
        let title = escaped(&sentences.join("\n")).into_owned();
        let _ = writeln!(
            self.0,
            "<g class=\"edge\"><title>{title}</title><path class=\"hit\" d=\"{d}\"/>\
             <path class=\"line {kind}\" d=\"{d}\" marker-end=\"url(#tip)\"/></g>"
        );
    }

    fn node(&mut self, node: &Node, rect: &Rect, sign: f64) {
        let class = node.tone().map(|tone| format!(" {}", tone.class())).unwrap_or_default();
        let title = escaped(&node.lines().join("\n")).into_owned();
        let _ = write!(
            self.0,
            "<g class=\"node{class}\"><title>{title}</title><rect class=\"box\" {} rx=\"6\"/>",
            area(rect)
        );
        if let Some(status) = node.status {
            let at = Point { x: rect.x + INSET + 4.0, y: rect.y + BOX / 2.0 + 5.0 };
            self.text("sign", at, status.sign(), 0.0);
        }
        let x = rect.x + INSET + sign;
        self.text("address", Point { x, y: rect.y + 18.0 }, &address(node), ADDRESS);
        self.text("name", Point { x, y: rect.y + 34.0 }, &name(node), NAME);
        self.0.push_str("</g>\n");
    }

    fn label(&mut self, drawing: &Drawing, route: &Route) {
        let edge = route.edges.first().and_then(|at| drawing.edges.get(*at));
        let (Some(place), Some(edge)) = (route.label, edge) else { return };
        let middle = place.middle();
        let _ = write!(self.0, "<rect class=\"back\" {}/>", area(&place));
        self.text("says", Point { x: middle.x, y: middle.y + 3.5 }, &edge.label, SMALL);
        self.0.push('\n');
    }

    /// What arrows and signs mean. Answers the right and lower end of it.
    fn legend(&mut self, drawing: &Drawing, placed: &Placed, top: f64) -> (f64, f64) {
        let mut at = Point { x: MARGIN, y: top };
        let mut right = at.x;
        for (kind, delays, says) in [("waits", true, "waits for"), ("names", false, "names, without waiting")] {
            let n = drawing.edges.iter().filter(|edge| edge.delays == delays).count();
            if n > 0 {
                let (x, y) = (number(at.x), number(at.y - 4.0));
                let _ = write!(self.0, "<path class=\"line {kind}\" d=\"M{x} {y}h32\" marker-end=\"url(#tip)\"/>");
                right = right.max(self.entry(Point { x: at.x + 42.0, y: at.y }, &format!("{says} ({n})")));
                at.y += LINE;
            }
        }
        let mut statuses: BTreeMap<(Tone, &str, &str), usize> = BTreeMap::new();
        for status in drawing.nodes.iter().filter_map(|node| node.status) {
            *statuses.entry((status.tone(), status.sign(), status.word())).or_default() += 1;
        }
        for ((tone, sign, word), n) in statuses {
            let _ = write!(self.0, "<g class=\"{}\">", tone.class());
            self.text("sign", Point { x: at.x + 16.0, y: at.y + 1.0 }, sign, 0.0);
            self.0.push_str("</g>");
            right = right.max(self.entry(Point { x: at.x + 42.0, y: at.y }, &format!("{word} ({n})")));
            at.y += LINE;
        }
        let missing = placed.unplaced.len();
        let unplaced = (missing > 0).then(|| {
            let arrows = count(missing, "arrow is", "arrows are");
            format!("{arrows} missing: this layout failed, --format dot has all")
        });
        let unframed =
            placed.is_unframed.then(|| "the layout found no place for the frames of some modules".to_owned());
        for note in unplaced.into_iter().chain(unframed) {
            right = right.max(self.entry(at, &note));
            at.y += LINE;
        }
        (right, at.y - LINE)
    }

    /// A line of the legend. Answers its right end.
    fn entry(&mut self, at: Point, says: &str) -> f64 {
        self.text("faint", at, says, NAME);
        self.0.push('\n');
        at.x + length(says, NAME)
    }

    /// A line of text. What is not ASCII is made to fit: fonts differ in how wide they draw it.
    fn text(&mut self, class: &str, at: Point, content: &str, size: f64) {
        let fit = match content.is_ascii() || size == 0.0 {
            true => String::new(),
            false => {
                format!(" textLength=\"{}\" lengthAdjust=\"spacingAndGlyphs\"", number(length(content, size)))
            }
        };
        let (x, y, content) = (number(at.x), number(at.y), escaped(content));
        let _ = write!(self.0, "<text class=\"{class}\" x=\"{x}\" y=\"{y}\"{fit}>{content}</text>");
    }
}

/// How long a text is drawn in a font of a size.
fn length(text: &str, size: f64) -> f64 {
    let columns: f64 = text.chars().map(|c| if u32::from(c) < 0x1100 || c == '…' { 1.0 } else { 2.0 }).sum();
    columns * size * ADVANCE
}

fn area(rect: &Rect) -> String {
    let [x, y, width, height] = [rect.x, rect.y, rect.width, rect.height].map(number);
    format!("x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"")
}

/// A smooth way through an arrow's points that runs in its direction at each of them, so that it stays between any two.
fn curve(route: &Route) -> String {
    let mut d = String::new();
    let mut before: Option<&Point> = None;
    for point in &route.points {
        let (x, y) = (number(point.x), number(point.y));
        let _ = match (before, route.flow) {
            (None, _) => write!(d, "M{x} {y}"),
            (Some(from), Flow::Right) if number(from.y) == y => write!(d, "H{x}"),
            (Some(from), Flow::Down) if number(from.x) == x => write!(d, "V{y}"),
            (Some(from), Flow::Right) => {
                let middle = number((from.x + point.x) / 2.0);
                write!(d, "C{middle} {} {middle} {y} {x} {y}", number(from.y))
            }
            (Some(from), Flow::Down) => {
                let middle = number((from.y + point.y) / 2.0);
                write!(d, "C{} {middle} {x} {middle} {x} {y}", number(from.x))
            }
        };
        before = Some(point);
    }
    d
}

/// A length, to a tenth.
fn number(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").unwrap_or(&text).to_owned()
}

/// A text as XML. Controls have been made visible; what XML knows no way to write becomes a sign for that.
fn escaped(text: &str) -> Cow<'_, str> {
    let special =
        |c: char| matches!(c, '&' | '<' | '>' | '"' | '\'' | '\u{fffe}' | '\u{ffff}') || (c < ' ' && c != '\n');
    if !text.contains(special) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c if special(c) => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    Cow::Owned(safe)
}
