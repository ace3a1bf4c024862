//! Files that the business file names beside the flows: whether they are there.

use std::path::{Component, Path};

use crate::flow::blocks;
use crate::flow::diagnostic::{Code, Diagnostic};
use crate::flow::source::Sources;

/// A mistake for each piece of knowledge whose file can't be read (F105).
pub(super) fn missing_knowledge(sources: &Sources) -> Vec<Diagnostic> {
    let (tree, _) = blocks::parse(sources);
    let Some(business) = &tree.business else {
        return Vec::new();
    };
    let folder = Path::new(&sources.file(business.file).path)
        .parent()
        .unwrap_or(Path::new(""));
    let mut found = Vec::new();
    for knowledge in &business.knowledge {
        let path = Path::new(&knowledge.path.source);
        let plain = |part| matches!(part, Component::Normal(_) | Component::CurDir);
        let what = if !path.components().all(plain) {
            "this path leads out of the folder of the flows".to_owned()
        } else {
            match std::fs::read(folder.join(path)) {
                Ok(bytes) if std::str::from_utf8(&bytes).is_ok() => continue,
                Ok(_) => "this file is no text in UTF-8".to_owned(),
                Err(why) => format!("this file can't be read: {why}"),
            }
        };
        found.push(
            Diagnostic::new(
                Code::F105,
                knowledge.path.span,
                format!("the knowledge {} has no file", knowledge.name.text),
                what,
            )
            .note("The path counts from the folder of the business file, for example  knowledge faq \"knowledge/faq.md\""),
        );
    }
    found
}
