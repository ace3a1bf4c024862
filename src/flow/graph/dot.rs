//! Graphviz.

use super::{Covered, Graph, Node, NodeKind, Shade};

pub(super) fn write(graph: &Graph) -> String {
    let mut out = String::from("digraph flows {\n  node [shape=box, style=rounded];\n");
    for (at, group) in graph.groups.iter().enumerate() {
        out += &format!(
            "  subgraph cluster_{at} {{\n    label={};\n",
            quoted(&group.title)
        );
        for node in &group.nodes {
            out += &format!(
                "    {} [label={}{}{}];\n",
                quoted(&node.name),
                label(node),
                shape(node.kind),
                fill(node.covered)
            );
        }
        out += "  }\n";
    }
    for edge in &graph.edges {
        let style = if edge.call { ", style=dashed" } else { "" };
        out += &format!(
            "  {} -> {} [label={}{style}];\n",
            quoted(&edge.from),
            quoted(&edge.to),
            quoted(&edge.label)
        );
    }
    out += "}\n";
    out
}

fn shape(kind: NodeKind) -> &'static str {
    match kind {
        NodeKind::Step => "",
        NodeKind::On | NodeKind::Defaults => ", shape=hexagon",
        NodeKind::End => ", shape=oval",
    }
}

fn fill(covered: Option<Covered>) -> &'static str {
    match covered.map(Covered::shade) {
        None => "",
        Some(Shade::Whole) => ", style=\"rounded,filled\", fillcolor=\"#cdeccd\"",
        Some(Shade::Part) => ", style=\"rounded,filled\", fillcolor=\"#fff1c1\"",
        Some(Shade::Never) => ", style=\"rounded,filled\", fillcolor=\"#f8cccc\"",
    }
}

fn label(node: &Node) -> String {
    let mut words = node.title.clone();
    for wait in &node.waits {
        words.push('\n');
        words += wait;
    }
    if let Some(count) = node.covered.map(Covered::words).filter(|count| !count.is_empty()) {
        words.push('\n');
        words += &count;
    }
    quoted(&words)
}

/// A quoted string. A backslash begins an escape in labels, so the author's own are doubled.
fn quoted(text: &str) -> String {
    let escaped = text
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n");
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_backslashes_and_line_breaks_stay_inside_the_string() {
        assert_eq!(quoted("a \"b\" \\c\nd"), r#""a \"b\" \\c\nd""#);
    }
}
