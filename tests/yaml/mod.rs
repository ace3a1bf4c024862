//! Reads the part of YAML that the project's own files use: maps and lists by indentation, `[…]` lists, plain and quoted
//! scalars, comments. Anything else is refused, so that no file means something else to a real reader.

// Each test binary that includes this uses a part of it.
#![allow(dead_code)]

use std::collections::BTreeMap;

#[derive(Debug, Clone, PartialEq)]
pub enum Yaml {
    Text(String),
    List(Vec<Yaml>),
    Map(BTreeMap<String, Yaml>),
}

impl Yaml {
    pub fn map(&self) -> &BTreeMap<String, Yaml> {
        match self {
            Yaml::Map(map) => map,
            other => panic!("not a map: {other:?}"),
        }
    }

    pub fn list(&self) -> &[Yaml] {
        match self {
            Yaml::List(list) => list,
            other => panic!("not a list: {other:?}"),
        }
    }

    pub fn text(&self) -> &str {
        match self {
            Yaml::Text(text) => text,
            other => panic!("not a text: {other:?}"),
        }
    }

    /// The value of a key.
    pub fn at(&self, key: &str) -> &Yaml {
        self.map()
            .get(key)
            .unwrap_or_else(|| panic!("no {key} in {self:?}"))
    }

    pub fn keys(&self) -> Vec<&str> {
        self.map().keys().map(String::as_str).collect()
    }
}

pub fn read(text: &str) -> Yaml {
    let lines: Vec<(usize, String)> = text
        .lines()
        .map(|line| {
            (
                line.len() - line.trim_start().len(),
                without_comment(line.trim()).to_owned(),
            )
        })
        .filter(|(_, line)| !line.is_empty())
        .collect();
    let mut rest = lines.as_slice();
    let whole = block(&mut rest, 0);
    assert!(rest.is_empty(), "read up to {:?}", rest.first());
    whole
}

fn without_comment(line: &str) -> &str {
    if line.starts_with('#') {
        return "";
    }
    line.split(" #").next().unwrap_or_default().trim_end()
}

fn block(rest: &mut &[(usize, String)], indent: usize) -> Yaml {
    match rest.first() {
        Some((at, line)) if *at == indent && line.starts_with("- ") => list(rest, indent),
        Some((at, _)) if *at == indent => Yaml::Map(map(rest, indent)),
        other => panic!("nothing indented by {indent}: {other:?}"),
    }
}

fn map(rest: &mut &[(usize, String)], indent: usize) -> BTreeMap<String, Yaml> {
    let mut map = BTreeMap::new();
    while let Some((at, line)) = rest.first() {
        if *at != indent || line.starts_with("- ") {
            break;
        }
        *rest = &rest[1..];
        let (key, value) = line.split_once(':').unwrap_or_else(|| panic!("no key: {line}"));
        let value = if value.is_empty() {
            nested(rest, indent)
        } else {
            scalar(
                value
                    .strip_prefix(' ')
                    .unwrap_or_else(|| panic!("no space after the colon: {line}")),
            )
        };
        assert!(map.insert(key.to_owned(), value).is_none(), "{key} stands twice");
    }
    map
}

/// What stands below a key; nothing if the next line does not belong to it.
fn nested(rest: &mut &[(usize, String)], indent: usize) -> Yaml {
    match rest.first() {
        Some((at, _)) if *at > indent => block(rest, *at),
        _ => Yaml::Text(String::new()),
    }
}

fn list(rest: &mut &[(usize, String)], indent: usize) -> Yaml {
    let mut list = Vec::new();
    while let Some((at, line)) = rest.first() {
        let Some(item) = line.strip_prefix("- ").filter(|_| *at == indent) else {
            break;
        };
        let is_map = !item.starts_with(['"', '\'', '[']) && (item.ends_with(':') || item.contains(": "));
        if !is_map {
            list.push(scalar(item));
            *rest = &rest[1..];
            continue;
        }
        // The first key stands on the line of the dash, the others below it.
        let mut whole = vec![(indent + 2, item.to_owned())];
        *rest = &rest[1..];
        while let Some(line) = rest.first().filter(|(at, _)| *at > indent) {
            whole.push(line.clone());
            *rest = &rest[1..];
        }
        let mut inner = whole.as_slice();
        list.push(block(&mut inner, indent + 2));
        assert!(inner.is_empty(), "read up to {:?}", inner.first());
    }
    Yaml::List(list)
}

fn scalar(text: &str) -> Yaml {
    if text.starts_with('[') {
        let words: Vec<String> =
            serde_json::from_str(text).unwrap_or_else(|why| panic!("write it as a JSON list: {text}: {why}"));
        return Yaml::List(words.into_iter().map(Yaml::Text).collect());
    }
    if text == "{}" {
        return Yaml::Map(BTreeMap::new());
    }
    if text.starts_with('"') {
        return Yaml::Text(serde_json::from_str(text).unwrap_or_else(|why| panic!("{text}: {why}")));
    }
    let special = ['&', '*', '!', '|', '>', '\'', '%', '@', '`', '{'];
    assert!(!text.starts_with(special), "this reader does not know {text}");
    Yaml::Text(text.to_owned())
}
