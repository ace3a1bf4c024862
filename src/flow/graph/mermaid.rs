//! Mermaid flowcharts.

use std::collections::HashMap;
use std::fmt::Write;

use super::{Graph, Node, NodeKind, SHADES, Shade, WAYS};

pub(super) fn write(graph: &Graph) -> String {
    let mut out = String::from("flowchart TD\n");
    let mut ids: HashMap<&str, String> = HashMap::new();
    for (at, group) in graph.groups.iter().enumerate() {
        out += &format!("  subgraph g{at}[\"{}\"]\n", escaped(&group.title));
        for node in &group.nodes {
            let id = format!("n{}", ids.len());
            out += &format!("    {id}{}\n", shape(node));
            ids.insert(&node.name, id);
        }
        out += "  end\n";
    }
    // Lines have no names: they are styled by their place among those written.
    let mut lines: Vec<Option<bool>> = Vec::new();
    for edge in &graph.edges {
        let (Some(from), Some(to)) = (ids.get(edge.from.as_str()), ids.get(edge.to.as_str())) else {
            continue;
        };
        let arrow = if edge.call { "-.->" } else { "-->" };
        let label = match edge.label.as_str() {
            "" => String::new(),
            label => format!("|\"{}\"|", escaped(label)),
        };
        out += &format!("  {from} {arrow}{label} {to}\n");
        lines.push(edge.taken);
    }
    if !graph.is_covered() {
        return out;
    }
    out += "  subgraph legend[\"What conversation tests take\"]\n";
    for (_, name, words) in SHADES {
        out += &format!("    legend_{name}[\"{}\"]\n", escaped(words));
    }
    for ((taken, words), pair) in WAYS.iter().zip(SHADES.windows(2)) {
        out += &format!("    legend_{} -->|\"{words}\"| legend_{}\n", pair[0].1, pair[1].1);
        lines.push(Some(*taken));
    }
    out += "  end\n";
    for (shade, class, _) in SHADES {
        let nodes = graph.groups.iter().flat_map(|group| &group.nodes);
        let mut shaded: Vec<&str> = nodes
            .filter(|node| node.covered.is_some_and(|covered| covered.shade() == shade))
            .filter_map(|node| Some(ids.get(node.name.as_str())?.as_str()))
            .collect();
        let legend = format!("legend_{class}");
        shaded.push(&legend);
        let (fill, stroke) = shade.colours();
        out += &format!("  classDef {class} fill:{fill},stroke:{stroke},color:#1b1b1b\n");
        out += &format!("  class {} {class}\n", shaded.join(","));
    }
    for (way, _) in WAYS {
        let places = (0..).zip(&lines).filter(|(_, taken)| **taken == Some(way));
        let places: Vec<String> = places.map(|(at, _): (usize, _)| at.to_string()).collect();
        let (_, stroke) = Shade::of_way(way).colours();
        let dashed = if way { "" } else { ",stroke-dasharray:6 4" };
        out += &format!(
            "  linkStyle {} stroke:{stroke},color:{stroke}{dashed}\n",
            places.join(",")
        );
    }
    out
}

fn shape(node: &Node) -> String {
    let mut words = escaped(&node.title);
    for wait in &node.waits {
        words += "<br/>";
        words += &escaped(wait);
    }
    if let Some(count) = node
        .covered
        .map(super::Covered::words)
        .filter(|count| !count.is_empty())
    {
        words += &format!("<br/>{count}");
    }
    match node.kind {
        NodeKind::Step => format!("[\"{words}\"]"),
        NodeKind::On | NodeKind::Defaults => format!("{{{{\"{words}\"}}}}"),
        NodeKind::End => format!("([\"{words}\"])"),
    }
}

/// Text between quotes. Mermaid has entities instead of escapes; a number or dash at the beginning would become a
/// Markdown list.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let list = list_marker(text);
    for (at, c) in text.char_indices() {
        match c {
            '"' | '#' | '<' | '>' | '&' | '%' | '`' | '\\' | '*' | '_' | '~' => entity(&mut out, c),
            _ if Some(at) == list => entity(&mut out, c),
            _ if c.is_control() => out.push(' '),
            _ => out.push(c),
        }
    }
    out
}

fn entity(out: &mut String, c: char) {
    let _ = write!(out, "#{};", u32::from(c));
}

/// Where the marker of a list stands, if the text begins with one: `1. `, `- `, `+ `.
fn list_marker(text: &str) -> Option<usize> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let rest = &text[digits..];
    let numbered = digits > 0 && (rest.starts_with(". ") || rest.starts_with(") "));
    let dashed = digits == 0 && (rest.starts_with("- ") || rest.starts_with("+ "));
    (numbered || dashed).then_some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_people_write_ends_the_quotes_or_means_something() {
        assert_eq!(escaped("Say \"hi\" & <b>"), "Say #34;hi#34; #38; #60;b#62;");
        assert_eq!(escaped("100 % #1"), "100 #37; #35;1");
        assert_eq!(escaped("1. First"), "1#46; First");
        assert_eq!(escaped("- dash - dash"), "#45; dash - dash");
        assert_eq!(escaped("a\nb {{ x }} | y"), "a b {{ x }} | y");
    }
}
