use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use s3stack_engine::address::{Address, ModulePath, ModuleStep};
use xmlparser::{ElementEnd, Token, Tokenizer};

use super::super::plan::Kind;
use super::arranged::{NotArranged, guarded};
use super::blocks::Blocks;
use super::geometry::{Placed, Point, Rect, Sizes};
use super::layered::scattered;
use super::layout::{Component, TooLarge, place};
use super::model::{Edge, Group, Node, Status};
use super::*;
use crate::resources::testing;

mod names;

const STACK: &str = r#"
    [s3.bucket.data]
    logging = { bucket = "s3.bucket.logs", prefix = "s3/" }
    [s3.bucket.logs]
    [iam.policy.read]
    grants = [{ to = "s3.bucket.data", access = "read" }]
    [iam.user.app]
    policies = ["iam.policy.read"]
    [iam.access_key.app]
    user = "iam.user.app"
    [iam.access_key.app.env_file]
    path = ".env"
    set.ID = "${self.id}"
    set.SECRET = "${self.secret}"
    set.BUCKET = "${s3.bucket.data.name}"
"#;

fn stack() -> Drawing {
    let (graph, diagnostics) = testing::graph(STACK, "");
    assert!(!diagnostics.has_errors(), "{diagnostics:#?}");
    draw("t", &graph, None, Some("123456789012"))
}

#[test]
fn a_stack_in_the_language_of_graphviz() {
    insta::assert_snapshot!(render_dot(&stack()), @r##"
    digraph "t" {
      graph [rankdir=LR, ranksep=0.8, fontname="sans-serif"]
      node [shape=box, style="rounded,filled", fillcolor=white, fontname="monospace", fontsize=11]
      edge [fontname="sans-serif", fontsize=9, color="#57606a"]
      subgraph cluster_0 {
        label="iam"; color="#d0d7de"; style=rounded
        "iam.access_key.app" [label="iam.access_key.app\n(named by AWS)"]
        "iam.policy.read" [label="iam.policy.read\nt-read"]
        "iam.user.app" [label="iam.user.app\nt-app"]
      }
      subgraph cluster_1 {
        label="s3"; color="#d0d7de"; style=rounded
        "s3.bucket.data" [label="s3.bucket.data\nt-data-ACCOUNT"]
        "s3.bucket.logs" [label="s3.bucket.logs\nt-logs-ACCOUNT"]
      }
      "iam.access_key.app" -> "iam.user.app" [label="user", tooltip="iam.access_key.app waits for iam.user.app: user"]
      "iam.access_key.app" -> "s3.bucket.data" [label="env_file", style=dashed, tooltip="iam.access_key.app names s3.bucket.data: env_file.set.BUCKET"]
      "iam.policy.read" -> "s3.bucket.data" [label="grants", style=dashed, tooltip="iam.policy.read names s3.bucket.data: grants[0].to"]
      "iam.user.app" -> "iam.policy.read" [label="policies", tooltip="iam.user.app waits for iam.policy.read: policies[0]"]
      "s3.bucket.data" -> "s3.bucket.logs" [label="logging.bucket", tooltip="s3.bucket.data waits for s3.bucket.logs: logging.bucket"]
    }
    "##);
}

#[test]
fn a_stack_in_the_language_of_mermaid() {
    insta::assert_snapshot!(render_mermaid(&stack()), @r##"
    flowchart LR
      subgraph g0["iam"]
        n0["iam.access_key.app<br/>(named by AWS)"]
        n1["iam.policy.read<br/>t-read"]
        n2["iam.user.app<br/>t-app"]
      end
      subgraph g1["s3"]
        n3["s3.bucket.data<br/>t-data-ACCOUNT"]
        n4["s3.bucket.logs<br/>t-logs-ACCOUNT"]
      end
      n0 -->|"user"| n2
      n0 -.->|"env_file"| n3
      n1 -.->|"grants"| n3
      n2 -->|"policies"| n1
      n3 -->|"logging.bucket"| n4
    "##);
}

fn node(id: &str, group: usize) -> Node {
    let (id, short) = (id.to_owned(), id.to_owned());
    Node { id, short, name: Some("a name".into()), physical_id: None, group, status: None, moved_from: None }
}

fn edge(from: usize, to: usize) -> Edge {
    Edge { from, to, property: "policies[0]".into(), label: "policies".into(), delays: !(from + to).is_multiple_of(3) }
}

fn group(title: &str, parent: Option<usize>) -> Group {
    Group { title: title.into(), parent }
}

/// Names as bad as a stack can have them.
fn hostile() -> Drawing {
    let key = "a\"]; <b>&amp;\\ #quot; `x` %% end \u{202e}\u{7}";
    let title = format!("module.m[\"{key}\"]");
    let mut nodes = vec![node(&format!("s3.bucket.a[\"{key}\"]\\"), 0), node("s3.bucket.ü漢字", 0)];
    nodes[1].name = Some("a'b<c>\u{ffff}\"".into());
    nodes[0].status = Some(Status::Planned(Kind::Replace));
    nodes[0].moved_from = Some("<old>".into());
    Drawing { title: key.into(), groups: vec![group(&title, None)], nodes, edges: vec![edge(0, 1)] }
}

#[test]
fn names_end_no_string() {
    let drawing = hostile();
    // Between the quotes of a string, an odd number of backslashes stands before no quote but its last one.
    for line in render_dot(&drawing).lines() {
        let mut quotes = 0;
        let mut escaped = false;
        for c in line.chars() {
            quotes += usize::from(c == '"' && !escaped);
            escaped = c == '\\' && !escaped;
        }
        assert!(quotes % 2 == 0 && !escaped, "{line}");
    }
    for line in render_mermaid(&drawing).lines().filter(|line| line.contains('"')) {
        let (_, inside) = line.split_once('"').unwrap();
        let inside = inside.trim_end_matches(['|', ']']).rsplit_once('"').unwrap().0;
        let inside = inside.split("\"|").next().unwrap().replace("<br/>", "");
        assert!(!inside.contains(['"', '<', '>', '&', '`', '\\', '%']), "{line}");
    }
    well_formed(&render_svg(&drawing).unwrap());
}

#[test]
fn what_a_plan_does_is_said_without_colours_in_each_format() {
    let mut drawing = stack();
    drawing.nodes[0].status = Some(Status::Planned(Kind::Create));
    drawing.nodes[1].status = Some(Status::Unplanned);
    for text in [render_dot(&drawing), render_mermaid(&drawing).replace("#43;", "+"), render_svg(&drawing).unwrap()] {
        assert!(text.contains("+ create") && text.contains("? not planned"), "{text}");
    }
    assert_eq!(drawing.document()["nodes"][0]["change"], "create");
}

/// The elements of an XML text with their attributes; fails if it is not well-formed.
fn well_formed(text: &str) -> Vec<(String, BTreeMap<String, String>)> {
    let mut elements: Vec<(String, BTreeMap<String, String>)> = Vec::new();
    let mut open: Vec<String> = Vec::new();
    let references = |text: &str| {
        for rest in text.split('&').skip(1) {
            assert!(["amp;", "lt;", "gt;", "quot;", "#39;"].iter().any(|name| rest.starts_with(name)), "{rest}");
        }
    };
    for token in Tokenizer::from(text) {
        match token.unwrap() {
            Token::ElementStart { local, .. } => {
                elements.push((local.to_string(), BTreeMap::new()));
                open.push(local.to_string());
            }
            Token::Attribute { local, value, .. } => {
                references(&value);
                let (_, attributes) = elements.last_mut().unwrap();
                assert_eq!(attributes.insert(local.to_string(), value.to_string()), None, "{local} twice");
            }
            Token::ElementEnd { end: ElementEnd::Empty, .. } => drop(open.pop()),
            Token::ElementEnd { end: ElementEnd::Close(_, local), .. } => {
                assert_eq!(open.pop().as_deref(), Some(local.as_str()));
            }
            Token::Text { text } => references(&text),
            _ => {}
        }
    }
    assert!(open.is_empty(), "{open:?}");
    elements
}

fn on_border(point: &Point, rect: &Rect) -> bool {
    let near = |a: f64, b: f64| (a - b).abs() < 0.01;
    let side = near(point.x, rect.x) || near(point.x, rect.right());
    let end = near(point.y, rect.y) || near(point.y, rect.bottom());
    (side && (rect.y..=rect.bottom()).contains(&point.y)) || (end && (rect.x..=rect.right()).contains(&point.x))
}

/// The box of a resource, or the block that it stands in.
fn home(placed: &Placed, rect: &Rect) -> Rect {
    placed.blocks.iter().find(|block| block.contains(rect)).copied().unwrap_or(*rect)
}

fn check(drawing: &Drawing, sizes: &Sizes) {
    let placed = place(drawing, sizes).unwrap();
    let rects: BTreeMap<usize, Rect> = placed.nodes.iter().copied().collect();
    assert_eq!((placed.nodes.len(), rects.len()), (drawing.nodes.len(), drawing.nodes.len()), "each is there once");
    let whole = Rect { x: 0.0, y: 0.0, width: placed.width, height: placed.height };
    for rect in rects.values().chain(&placed.blocks).chain(placed.frames.iter().map(|(_, rect)| rect)) {
        assert!(whole.contains(rect), "{rect:?} leaves {whole:?}");
    }
    for (at, one) in rects.values().enumerate() {
        assert!(!rects.values().skip(at + 1).any(|other| one.overlaps(other)), "{one:?} is not alone");
    }
    for (at, (group, frame)) in placed.frames.iter().enumerate() {
        for (node, rect) in rects.iter().filter(|(_, rect)| frame.overlaps(rect)) {
            let lineage = drawing.lineage(drawing.nodes[*node].group);
            assert!(frame.contains(rect) && lineage.contains(group), "{node} is in the frame of {group}: {lineage:?}");
        }
        for (other, inner) in placed.frames.iter().skip(at + 1).filter(|(_, inner)| frame.overlaps(inner)) {
            let is_within = frame.contains(inner) && drawing.lineage(*other).contains(group);
            assert!(is_within, "{group} at {frame:?} and {other} at {inner:?}");
        }
    }
    let mut drawn = BTreeSet::new();
    for route in &placed.routes {
        let (Some(start), Some(end)) = (route.points.first(), route.points.last()) else { panic!("no way: {route:?}") };
        let mut ends = Vec::new();
        for at in &route.edges {
            assert!(drawn.insert(*at), "an arrow is drawn twice");
            let edge = &drawing.edges[*at];
            let (from, to) = (home(&placed, &rects[&edge.from]), home(&placed, &rects[&edge.to]));
            assert!(on_border(start, &from), "{start:?} is not at {from:?}");
            assert!(on_border(end, &to), "{end:?} is not at {to:?}");
            ends.extend([from, to]);
        }
        for pair in route.points.windows(2) {
            let (x, y) = (pair[0].x.min(pair[1].x), pair[0].y.min(pair[1].y));
            let (width, height) = ((pair[0].x - pair[1].x).abs(), (pair[0].y - pair[1].y).abs());
            let swept = Rect { x, y, width, height };
            let crossed = rects.values().find(|rect| rect.overlaps(&swept) && !ends.contains(&home(&placed, rect)));
            assert_eq!(crossed, None, "an arrow crosses a box: {route:?}");
        }
    }
    assert_eq!(drawn.len(), drawing.edges.len(), "each arrow is drawn");
}

fn sizes(drawing: &Drawing, labelled: bool) -> Sizes {
    Sizes { node: (200.0, 44.0), labels: vec![labelled.then_some((60.0, 14.0)); drawing.edges.len()] }
}

/// Drawings of any shape: groups in groups, stars, cycles, and what hangs together with nothing.
fn drawings() -> impl Strategy<Value = Drawing> {
    (1..40_usize, 1..8_usize).prop_flat_map(|(nodes, groups)| {
        let parents = prop::collection::vec(any::<prop::sample::Index>(), groups);
        let homes = prop::collection::vec(0..groups, nodes);
        let ends = prop::collection::vec((0..nodes, 0..nodes), 0..nodes * 2);
        let hub = prop::option::of(0..nodes);
        (parents, homes, ends, hub).prop_map(|(parents, homes, ends, hub)| {
            let parent =
                |at: usize, index: &prop::sample::Index| (at > 0).then(|| index.index(at * 2)).filter(|to| *to < at);
            let ends: BTreeSet<(usize, usize)> = match hub {
                Some(hub) => ends.iter().flat_map(|(from, _)| [(*from, hub)]).collect(),
                None => ends.into_iter().collect(),
            };
            Drawing {
                title: "any".into(),
                groups: parents.iter().enumerate().map(|(at, index)| group("g", parent(at, index))).collect(),
                nodes: homes.iter().enumerate().map(|(at, home)| node(&format!("s3.bucket.b{at}"), *home)).collect(),
                edges: ends.into_iter().filter(|(from, to)| from != to).map(|(from, to)| edge(from, to)).collect(),
            }
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn boxes_are_apart_and_arrows_end_at_theirs_and_cross_no_other(drawing in drawings(), labelled: bool) {
        check(&drawing, &sizes(&drawing, labelled));
        let svg = render_svg(&drawing).unwrap();
        let elements = well_formed(&svg);
        let number = |(_, attributes): &(String, BTreeMap<String, String>), name: &str| attributes[name].parse::<f64>().unwrap();
        let (width, height) = (number(&elements[0], "width"), number(&elements[0], "height"));
        let is_box = |(name, attributes): &&(String, BTreeMap<String, String>)| {
            name == "rect" && attributes["class"] != "ground"
        };
        for element in elements.iter().filter(is_box) {
            prop_assert!(number(element, "x") >= 0.0 && number(element, "x") + number(element, "width") <= width);
            prop_assert!(number(element, "y") >= 0.0 && number(element, "y") + number(element, "height") <= height);
        }
    }
}

#[test]
fn odd_drawings_are_drawn() {
    well_formed(&render_svg(&Drawing::default()).unwrap());
    let one = Drawing { groups: vec![group("s3", None)], nodes: vec![node("s3.bucket.a", 0)], ..Drawing::default() };
    check(&one, &sizes(&one, false));
    let two = Drawing { nodes: vec![node("a", 0), node("b", 0)], edges: vec![edge(0, 1), edge(1, 0)], ..one };
    check(&two, &sizes(&two, true));
}

#[test]
fn size_and_shape_make_no_picture_fail() {
    let nodes = |count: usize| (0..count).map(|at| node(&format!("s3.bucket.b{at}"), 0)).collect::<Vec<_>>();
    let drawing = |count: usize, edges: Vec<Edge>| {
        let groups = vec![group("s3", None)];
        Drawing { title: "large".into(), groups, nodes: nodes(count), edges }
    };
    let chain = drawing(2_000, (1..2_000).map(|at| edge(at - 1, at)).collect());
    let circle = drawing(500, (0..500).map(|at| edge(at, (at + 1) % 500)).collect());
    let dense = drawing(
        30,
        (0..30).flat_map(|from| (0..30).map(move |to| edge(from, to))).filter(|one| one.from != one.to).collect(),
    );
    for drawing in [chain, circle, dense] {
        well_formed(&render_svg(&drawing).unwrap());
    }
    // Each arrow would pass up to a thousand layers.
    let lines = (0..2_000).flat_map(|at| [at + 1, at + 1_000].map(|to| edge(at, to))).filter(|one| one.to < 2_000);
    assert_eq!(render_svg(&drawing(2_000, lines.collect())), Err(TooLarge));
}

#[test]
fn two_hundred_resources_are_no_ribbon() {
    let alone = Drawing {
        groups: vec![group("s3", None)],
        nodes: (0..200).map(|at| node(&format!("s3.bucket.b{at}"), 0)).collect(),
        ..Drawing::default()
    };
    let star = Drawing { edges: (1..200).map(|at| Edge { delays: true, ..edge(at, 0) }).collect(), ..alone.clone() };
    let chains =
        Drawing { edges: (0..200).filter(|at| at % 4 < 3).map(|at| edge(at, at + 1)).collect(), ..alone.clone() };
    for drawing in [alone, star, chains] {
        check(&drawing, &sizes(&drawing, false));
        let svg = render_svg(&drawing).unwrap();
        assert!(svg.len() < 200_000, "{} bytes", svg.len());
        let (_, attributes) = &well_formed(&svg)[0];
        let [width, height] = ["width", "height"].map(|name| attributes[name].parse::<f64>().unwrap());
        assert!(width < 3000.0 && height < 3000.0, "{width} × {height}");
    }
}

#[test]
fn modules_hold_their_services() {
    let at = |module: &[(&str, Option<&str>)], type_name: &str, name: &str| {
        let mut address = Address::root(type_name, name);
        let step =
            |(name, key): &(&str, Option<&str>)| ModuleStep { name: (*name).into(), key: key.map(str::to_owned) };
        address.module = ModulePath(module.iter().map(step).collect());
        address
    };
    let (graph, _) = testing::graph("[s3.bucket.a]", "");
    let sample = graph.nodes.values().next().unwrap();
    let mut graph = graph.clone();
    for address in
        [at(&[("core", Some("eu"))], "s3.bucket", "a"), at(&[("core", Some("eu")), ("in", None)], "iam.role", "b")]
    {
        graph.nodes.insert(address, sample.clone());
    }
    let drawing = draw("t", &graph, None, None);
    let titles = |node: &Node| {
        drawing.lineage(node.group).iter().map(|at| drawing.groups[*at].title.clone()).collect::<Vec<_>>()
    };
    let all: Vec<_> = drawing.nodes.iter().map(|node| (node.short.as_str(), titles(node).join(" / "))).collect();
    assert_eq!(
        all,
        [
            ("s3.bucket.a", "s3".to_owned()),
            ("s3.bucket.a", "module.core[\"eu\"] / s3".to_owned()),
            ("iam.role.b", "module.core[\"eu\"] / module.in / iam".to_owned()),
        ]
    );
    assert_eq!(render_dot(&drawing).matches("subgraph").count(), 5);
}

#[test]
fn a_panic_of_the_library_is_a_failure_that_a_picture_tells_of() {
    assert_eq!(guarded(|| -> usize { panic!("in the library") }), Err(NotArranged::Failed));
    assert_eq!(guarded(|| 1), Ok(1));
    let two =
        Drawing { groups: vec![group("s3", None)], nodes: vec![node("a", 0), node("b", 0)], ..Drawing::default() };
    let drawing = Drawing { edges: vec![edge(0, 1)], ..two };
    let component = Component { nodes: vec![0, 1], edges: vec![0] };
    let placed = scattered(&Blocks::of(&drawing, &component), &sizes(&drawing, false));
    assert_eq!((placed.nodes.len(), placed.unplaced.as_slice()), (2, [0].as_slice()));
    assert!(!placed.nodes[0].1.overlaps(&placed.nodes[1].1));
    let svg = svg::written(&drawing, &placed, 0.0);
    well_formed(&svg);
    assert!(svg.contains("1 arrow is missing"), "{svg}");
}
