//! Graphviz.

use super::{Covered, Graph, Node, NodeKind, SHADES, Shade, WAYS};

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
        out += &format!(
            "  {} -> {} [label={}{}];\n",
            quoted(&edge.from),
            quoted(&edge.to),
            quoted(&edge.label),
            line(edge.call, edge.taken)
        );
    }
    if graph.is_covered() {
        out += &legend();
    }
    out += "}\n";
    out
}

/// Calls are dashed in every picture, what no test takes in those of coverage, which tell them apart by the colour.
fn line(call: bool, taken: Option<bool>) -> String {
    let dashed = if call || taken == Some(false) {
        ", style=dashed"
    } else {
        ""
    };
    let colour = taken.map_or_else(String::new, |taken| {
        let (_, colour) = Shade::of_way(taken).colours();
        format!(", color=\"{colour}\", fontcolor=\"{colour}\"")
    });
    format!("{dashed}{colour}")
}

fn legend() -> String {
    let mut out = String::from("  subgraph cluster_legend {\n    label=\"What conversation tests take\";\n");
    for (shade, name, words) in SHADES {
        out += &format!(
            "    \"(legend {name})\" [label={}{}];\n",
            quoted(words),
            filled(shade)
        );
    }
    for ((taken, words), pair) in WAYS.iter().zip(SHADES.windows(2)) {
        out += &format!(
            "    \"(legend {})\" -> \"(legend {})\" [label={}{}];\n",
            pair[0].1,
            pair[1].1,
            quoted(words),
            line(false, Some(*taken))
        );
    }
    out + "  }\n"
}

fn shape(kind: NodeKind) -> &'static str {
    match kind {
        NodeKind::Step => "",
        NodeKind::On | NodeKind::Defaults => ", shape=hexagon",
        NodeKind::End => ", shape=oval",
    }
}

fn fill(covered: Option<Covered>) -> String {
    covered.map_or_else(String::new, |covered| filled(covered.shade()))
}

fn filled(shade: Shade) -> String {
    let (fill, _) = shade.colours();
    format!(", style=\"rounded,filled\", fillcolor=\"{fill}\"")
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
