//! Mistakes as SARIF 2.1.0, the form that code-scanning pages of code hosts read.
//!
//! One run, one rule a code that was found, one result a mistake: its other labels are related locations, its fixes
//! are fixes. Lines and columns count from 1, columns in Unicode scalars, ends are exclusive.

use serde_json::{Value as Json, json};

use super::diagnostic::{Code, Diagnostic, Fix, Severity};
use super::explain;
use super::source::{Sources, Span};

/// Where the schema of the form stands.
const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// The whole log, as one document.
pub fn sarif(sources: &Sources, diagnostics: &[Diagnostic]) -> String {
    let mut codes: Vec<Code> = diagnostics.iter().map(|found| found.code).collect();
    codes.sort_unstable();
    codes.dedup();
    let rules: Vec<Json> = codes.iter().map(|code| rule(*code)).collect();
    let results: Vec<Json> = diagnostics
        .iter()
        .map(|found| {
            result(
                sources,
                found,
                codes.binary_search(&found.code).unwrap_or_default(),
            )
        })
        .collect();
    let log = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "switchboard",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    format!("{log:#}\n")
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Hint => "note",
    }
}

fn rule(code: Code) -> Json {
    json!({
        "id": code.as_str(),
        "shortDescription": { "text": code.title() },
        "fullDescription": { "text": explain::page(code) },
        "defaultConfiguration": { "level": level(code.severity()) },
    })
}

fn result(sources: &Sources, found: &Diagnostic, rule: usize) -> Json {
    let mut message = found.message.clone();
    for line in found
        .labels
        .first()
        .map(|label| label.text.as_str())
        .into_iter()
        .chain(found.notes.iter().map(String::as_str))
    {
        if !line.is_empty() {
            message.push('\n');
            message.push_str(line);
        }
    }
    let related: Vec<Json> = found
        .labels
        .iter()
        .skip(1)
        .map(|label| {
            let mut place = location(sources, label.span);
            if !label.text.is_empty() {
                place["message"] = json!({ "text": label.text });
            }
            place
        })
        .collect();
    let fixes: Vec<Json> = found
        .fixes
        .iter()
        .filter(|fix| !fix.edits.is_empty())
        .map(|fix| mending(sources, fix))
        .collect();
    let mut result = json!({
        "ruleId": found.code.as_str(),
        "ruleIndex": rule,
        "level": level(found.severity),
        "message": { "text": message },
        "locations": [location(sources, found.span())],
    });
    if !related.is_empty() {
        result["relatedLocations"] = Json::Array(related);
    }
    if !fixes.is_empty() {
        result["fixes"] = Json::Array(fixes);
    }
    result
}

fn location(sources: &Sources, span: Span) -> Json {
    json!({ "physicalLocation": {
        "artifactLocation": artifact(sources, span),
        "region": region(sources, span),
    }})
}

fn artifact(sources: &Sources, span: Span) -> Json {
    json!({ "uri": reference(&sources.file(span.file).path) })
}

fn region(sources: &Sources, span: Span) -> Json {
    let file = sources.file(span.file);
    json!({
        "startLine": file.line(span.start),
        "startColumn": file.column(span.start),
        "endLine": file.line(span.end),
        "endColumn": file.column(span.end),
    })
}

fn mending(sources: &Sources, fix: &Fix) -> Json {
    let changes: Vec<Json> = fix
        .edits
        .iter()
        .map(|edit| {
            json!({
                "artifactLocation": artifact(sources, edit.span),
                "replacements": [{
                    "deletedRegion": region(sources, edit.span),
                    "insertedContent": { "text": edit.replacement },
                }],
            })
        })
        .collect();
    json!({ "description": { "text": fix.title.trim_end() }, "artifactChanges": changes })
}

/// A path as a relative reference: `/` between folders, everything else that is not plain escaped.
fn reference(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.replace('\\', "/").bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                out.push(byte as char)
            }
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_is_one_result_with_its_rule_its_evidence_and_its_fix() {
        let mut sources = Sources::default();
        let file = sources.add("my flows/olá.flow", "flow shop\nstep hello\n  say \"Olá\"\n");
        let at = Span::new(file, 23, 33);
        let found = Diagnostic::new(
            Code::F201,
            at,
            "the conversation just stops here",
            "after this line",
        )
        .label(Span::new(file, 10, 20), "in this step")
        .note("Add one of: done")
        .fix("done", Span::new(file, 34, 34), "  done\n");
        let log: Json = serde_json::from_str(&sarif(&sources, &[found])).unwrap();
        assert_eq!(log["version"], "2.1.0");
        let run = &log["runs"][0];
        assert_eq!(run["tool"]["driver"]["rules"][0]["id"], "F201");
        let result = &run["results"][0];
        assert_eq!(
            (&result["ruleId"], &result["ruleIndex"], &result["level"]),
            (&json!("F201"), &json!(0), &json!("error"))
        );
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "my%20flows/ol%C3%A1.flow");
        assert_eq!(
            place["region"],
            json!({ "startLine": 3, "startColumn": 3, "endLine": 3, "endColumn": 12 })
        );
        assert_eq!(result["relatedLocations"][0]["message"]["text"], "in this step");
        assert_eq!(
            result["fixes"][0]["artifactChanges"][0]["replacements"][0]["insertedContent"]["text"],
            "  done\n"
        );
    }
}
