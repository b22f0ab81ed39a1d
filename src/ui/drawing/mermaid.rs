//! A drawing in the language of Mermaid.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::model::{Drawing, Tone};

/// The drawing as a Mermaid flowchart.
pub fn render_mermaid(drawing: &Drawing) -> String {
    let mut text = String::from("flowchart LR\n");
    group(drawing, None, 1, &mut text);
    for edge in &drawing.edges {
        let arrow = if edge.delays { "-->" } else { "-.->" };
        let label = if edge.label.is_empty() { String::new() } else { format!("|\"{}\"|", escaped(&edge.label)) };
        let _ = writeln!(text, "  n{} {arrow}{label} n{}", edge.from, edge.to);
    }
    let mut by_tone: BTreeMap<Tone, Vec<String>> = BTreeMap::new();
    for (index, node) in drawing.nodes.iter().enumerate() {
        if let Some(status) = node.status {
            by_tone.entry(status.tone()).or_default().push(format!("n{index}"));
        }
    }
    for (tone, nodes) in &by_tone {
        let (line, area) = tone.light();
        let dashes = if matches!(tone, Tone::Unplanned) { ",stroke-dasharray:4 3" } else { "" };
        let class = tone.class();
        let _ = writeln!(text, "  classDef {class} fill:{area},stroke:{line},color:#1f2328{dashes}");
        let _ = writeln!(text, "  class {} {class}", nodes.join(","));
    }
    text
}

fn group(drawing: &Drawing, parent: Option<usize>, depth: usize, text: &mut String) {
    let indent = "  ".repeat(depth);
    for (index, inner) in drawing.groups_in(parent) {
        let _ = writeln!(text, "{indent}subgraph g{index}[\"{}\"]", escaped(&inner.title));
        group(drawing, Some(index), depth + 1, text);
        for (at, node) in drawing.nodes_in(index) {
            let lines: Vec<String> = node.lines().iter().map(|line| escaped(line)).collect();
            let _ = writeln!(text, "{indent}  n{at}[\"{}\"]", lines.join("<br/>"));
        }
        let _ = writeln!(text, "{indent}end");
    }
}

/// The text with every character that Mermaid, Markdown or HTML may take for something else as its number.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        let is_safe = !c.is_ascii() || c.is_ascii_alphanumeric() || " ./:-_,()[]+@=?".contains(c);
        match is_safe {
            true => safe.push(c),
            false => drop(write!(safe, "#{};", u32::from(c))),
        }
    }
    safe
}
