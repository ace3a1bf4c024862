//! Mermaid flowcharts.

use std::collections::HashMap;
use std::fmt::Write;

use super::{Graph, Node, NodeKind, Shade};

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
    }
    for (shade, class) in [
        (Shade::Whole, "whole fill:#cdeccd,stroke:#2e7d32,color:#1b1b1b"),
        (Shade::Part, "part fill:#fff1c1,stroke:#b58900,color:#1b1b1b"),
        (Shade::Never, "never fill:#f8cccc,stroke:#b71c1c,color:#1b1b1b"),
    ] {
        let nodes = graph.groups.iter().flat_map(|group| &group.nodes);
        let shaded: Vec<&str> = nodes
            .filter(|node| node.covered.is_some_and(|covered| covered.shade() == shade))
            .filter_map(|node| Some(ids.get(node.name.as_str())?.as_str()))
            .collect();
        if !shaded.is_empty() {
            let name = class.split(' ').next().unwrap_or_default();
            out += &format!("  classDef {class}\n  class {} {name}\n", shaded.join(","));
        }
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
