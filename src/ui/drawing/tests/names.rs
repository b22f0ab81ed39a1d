//! Names as bad as a stack can have them, in every language of drawings.

use std::collections::BTreeSet;

use s3stack_engine::address::{Address, ModulePath, ModuleStep, Parts, Path};
use s3stack_engine::graph::Graph;
use s3stack_engine::value::Value;

use super::*;

/// Keys of `for_each`: pieces that mean something in some language, and whatever else there is.
fn keys() -> impl Strategy<Value = String> {
    let pieces = [
        "\"",
        "\\",
        "]",
        "[",
        "<",
        ">",
        "&",
        "&amp;",
        "#quot;",
        "'",
        "`",
        "\n",
        "\r\n",
        "\t",
        "\u{0}",
        "\u{7}",
        "\u{1b}",
        "\u{202e}",
        "\u{feff}",
        "\u{fffe}",
        "\u{ffff}",
        "漢字",
        "ü",
        "e\u{301}",
        "👩\u{200d}🚀",
        " end ",
        "subgraph",
        "-->",
        "--",
        "|",
        ";",
        "{",
        "}",
        "(",
        ")",
        "%%",
        "$",
        "]]>",
        "<!--",
        "<br/>",
        "</text>",
        "a",
        "eu-west-1",
    ];
    let piece = prop_oneof![4 => prop::sample::select(pieces.to_vec()).prop_map(str::to_owned), 1 => ".{1,3}"];
    let short = prop::collection::vec(piece, 1..8).prop_map(|pieces| pieces.concat());
    prop_oneof![8 => short.clone(), 1 => short.prop_map(|short| short.repeat(40))]
}

/// Stacks of resources with such keys, some of them in modules with such keys.
fn graphs(most: usize) -> impl Strategy<Value = Graph> {
    let (sample, _) = testing::graph("[s3.bucket.a]", "");
    let kinds = ["s3.bucket", "iam.role", "iam.policy", "logs.group"];
    let one = (0..kinds.len(), 0..12_usize, prop::option::of(keys()), prop::option::of(0..2_usize), keys());
    let all = prop::collection::vec(one, 1..most);
    (all, prop::collection::vec(keys(), 2), prop::collection::vec((any::<u16>(), any::<u16>(), any::<bool>()), 0..most))
        .prop_map(move |(all, modules, edges)| {
            let sample = sample.nodes.values().next().unwrap();
            let mut graph = Graph { nodes: BTreeMap::new(), ..sample_graph() };
            for (kind, name, key, module, id) in all {
                let step = |at: usize| ModuleStep { name: "m".into(), key: modules.get(at).cloned() };
                let module = ModulePath(module.map(step).into_iter().collect());
                let root = Address::root(kinds[kind], format!("n{name}"));
                let address = Address::new(Parts { key, module, ..Parts::clone(&root) });
                let mut node = sample.clone();
                node.physical_id = Value::String(id);
                graph.nodes.insert(address, node);
            }
            let addresses: Vec<Address> = graph.nodes.keys().cloned().collect();
            for (from, to, waits) in edges {
                let at = |index: u16| addresses[usize::from(index) % addresses.len()].clone();
                let (from, to) = (at(from), at(to));
                let path = Path::of(to.key.clone().unwrap_or_else(|| "policies".into()));
                let Some(node) = graph.nodes.get_mut(&from) else { continue };
                if waits { &mut node.waits_for } else { &mut node.names }.insert(to, path);
            }
            graph
        })
}

fn sample_graph() -> Graph {
    testing::graph("[s3.bucket.a]", "").0
}

/// A DOT text's strings, and the text with a sign for each; fails where a string has no end.
fn strings_of_dot(text: &str) -> (Vec<String>, String) {
    let (mut strings, mut rest) = (Vec::new(), String::new());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '"' {
            rest.push(c);
            continue;
        }
        let mut string = String::new();
        loop {
            match chars.next().expect("a string ends") {
                '"' => break,
                '\\' => match chars.next().expect("a string ends") {
                    'n' => string.push('\n'),
                    c => string.push(c),
                },
                '\n' => panic!("a string goes on in the next line: {string}"),
                c => string.push(c),
            }
        }
        strings.push(string);
        rest.push('§');
    }
    (strings, rest)
}

fn check_dot(drawing: &Drawing) {
    let text = render_dot(drawing);
    let (strings, rest) = strings_of_dot(&text);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || " \n§[]{}=,;_->.".contains(c);
    assert!(rest.chars().all(is_plain), "outside of strings: {rest}");
    let ends: Vec<&str> = rest.lines().filter(|line| line.contains("->")).collect();
    assert_eq!(ends.len(), drawing.edges.len());
    assert!(ends.iter().all(|line| line.trim_start().starts_with("§ -> § [label=§")), "{ends:?}");
    // In the order in which they stand: an identifier is the address to the letter.
    let ids: Vec<&str> = drawing.nodes.iter().map(|node| node.id.as_str()).collect();
    assert!(ids.iter().all(|id| strings.iter().any(|string| string == id)), "{strings:?}");
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "an identifier stands for one resource");
}

fn check_mermaid(drawing: &Drawing) {
    let text = render_mermaid(drawing);
    let is_safe = |text: &str| {
        let text = text.replace("<br/>", "");
        !text.contains(['"', '<', '>', '&', '`', '\\', '%', '{', '}', '|', '\u{0}'])
            && text
                .split('#')
                .skip(1)
                .all(|rest| rest.split_once(';').is_some_and(|(code, _)| code.parse::<u32>().is_ok()))
    };
    let (mut nodes, mut edges, mut depth) = (0, 0, 0_i32);
    for line in text.lines().skip(1).map(str::trim) {
        let label = |before: &str, after: &str| {
            let inner = line.split_once(before).and_then(|(_, rest)| rest.split_once(after)).map(|(inner, _)| inner);
            assert!(inner.is_some_and(is_safe), "{line}");
        };
        match line {
            "end" => depth -= 1,
            _ if line.starts_with("subgraph ") => {
                label("[\"", "\"]");
                assert!(line.ends_with("\"]"), "{line}");
                depth += 1;
            }
            _ if line.starts_with("class") => {}
            _ if line.contains("> n") || line.contains("|\"") => {
                if line.contains('|') {
                    label("|\"", "\"|");
                }
                edges += 1;
            }
            _ => {
                label("[\"", "\"]");
                assert!(line.ends_with("\"]"), "{line}");
                nodes += 1;
            }
        }
    }
    assert_eq!((nodes, edges, depth), (drawing.nodes.len(), drawing.edges.len(), 0), "{text}");
}

/// The texts of a picture, each with the place that it covers; and the boxes.
fn check_svg(drawing: &Drawing) {
    let svg = render_svg(drawing).unwrap();
    well_formed(&svg);
    let number = |text: &str, name: &str| {
        let (_, rest) = text.split_once(&format!(" {name}=\"")).unwrap();
        rest.split_once('"').unwrap().0.parse::<f64>().unwrap()
    };
    let sizes = [("address", 12.0), ("name", 11.0), ("says", 10.0), ("group", 10.0)];
    let mut texts = Vec::new();
    for text in svg.split("<text ").skip(1) {
        let (tag, rest) = text.split_once('>').unwrap();
        let (content, _) = rest.split_once("</text>").unwrap();
        let Some((class, size)) = sizes.iter().find(|(class, _)| tag.contains(&format!("class=\"{class}\""))) else {
            continue;
        };
        let plain = ["amp;", "lt;", "gt;", "quot;", "#39;"]
            .iter()
            .fold(content.to_owned(), |content, entity| content.replace(&format!("&{entity}"), "&"));
        let tag = format!(" {tag}");
        let width = match tag.contains("textLength") {
            true => number(&tag, "textLength"),
            false => plain.chars().count() as f64 * size * 0.6,
        };
        let (x, y) = (number(&tag, "x"), number(&tag, "y"));
        let x = if *class == "says" { x - width / 2.0 } else { x };
        texts.push((content.to_owned(), Rect { x, y: y - size * 0.75, width, height: *size }));
    }
    for (at, (one, rect)) in texts.iter().enumerate() {
        for (other, place) in texts.iter().skip(at + 1) {
            assert!(!rect.overlaps(place), "{one:?} at {rect:?} and {other:?} at {place:?}");
        }
    }
    let named = texts.len();
    assert!(named >= 2 * drawing.nodes.len(), "{named} texts of {} resources", drawing.nodes.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn names_end_no_string_and_cover_no_other(graph in graphs(40)) {
        let drawing = draw("a\"<b>\\", &graph, None, None);
        check_dot(&drawing);
        check_mermaid(&drawing);
        check_svg(&drawing);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4))]

    #[test]
    fn hundreds_of_bad_names_are_drawn(graph in graphs(300)) {
        let drawing = draw("large", &graph, None, None);
        check_dot(&drawing);
        check_mermaid(&drawing);
        check_svg(&drawing);
        check(&drawing, &sizes(&drawing, false));
    }
}
