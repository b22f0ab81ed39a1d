//! A drawing in the language of Graphviz.

use std::fmt::Write as _;

use super::model::{Drawing, Edge, Node, Tone};

/// The drawing as DOT.
pub fn render_dot(drawing: &Drawing) -> String {
    let mut text = format!("digraph {} {{\n", quoted(&drawing.title));
    text.push_str("  graph [rankdir=LR, ranksep=0.8, fontname=\"sans-serif\"]\n");
    text.push_str(
        "  node [shape=box, style=\"rounded,filled\", fillcolor=white, fontname=\"monospace\", fontsize=11]\n",
    );
    text.push_str("  edge [fontname=\"sans-serif\", fontsize=9, color=\"#57606a\"]\n");
    group(drawing, None, 1, &mut text);
    for edge in &drawing.edges {
        edge_line(drawing, edge, &mut text);
    }
    text.push_str("}\n");
    text
}

fn group(drawing: &Drawing, parent: Option<usize>, depth: usize, text: &mut String) {
    let indent = "  ".repeat(depth);
    for (index, inner) in drawing.groups_in(parent) {
        let _ = writeln!(text, "{indent}subgraph cluster_{index} {{");
        let _ = writeln!(text, "{indent}  label={}; color=\"#d0d7de\"; style=rounded", label(&[&inner.title]));
        group(drawing, Some(index), depth + 1, text);
        for (_, node) in drawing.nodes_in(index) {
            let _ = writeln!(text, "{indent}  {}", node_line(node));
        }
        let _ = writeln!(text, "{indent}}}");
    }
}

fn node_line(node: &Node) -> String {
    let lines = node.lines();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let colours = node.status.map(|status| {
        let (line, area) = status.tone().light();
        let style = if matches!(status.tone(), Tone::Unplanned) { ", style=\"rounded,filled,dashed\"" } else { "" };
        format!(", color=\"{line}\", fillcolor=\"{area}\"{style}")
    });
    format!("{} [label={}{}]", quoted(&node.id), label(&lines), colours.unwrap_or_default())
}

fn edge_line(drawing: &Drawing, edge: &Edge, text: &mut String) {
    let (Some(from), Some(to)) = (drawing.nodes.get(edge.from), drawing.nodes.get(edge.to)) else { return };
    let style = if edge.delays { "" } else { ", style=dashed" };
    let tip = label(&[&drawing.sentence(edge)]);
    let (from, to, shown) = (quoted(&from.id), quoted(&to.id), label(&[&edge.label]));
    let _ = writeln!(text, "  {from} -> {to} [label={shown}{style}, tooltip={tip}]");
}

/// A text as an identifier. Backslashes are doubled, or one at the end would swallow the quote.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Lines as a label, where backslashes and character entities mean something.
fn label(lines: &[&str]) -> String {
    let lines: Vec<String> =
        lines.iter().map(|line| line.replace('&', "&amp;").replace('\\', "\\\\").replace('"', "\\\"")).collect();
    format!("\"{}\"", lines.join("\\n"))
}
