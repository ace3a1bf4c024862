//! What Qontak does not take. Its own limits are not public; those of WhatsApp behind it are.

use std::collections::HashSet;

use serde_json::{Value, json};

fn text<'a>(of: &'a Value, name: &str, most: usize) -> Result<&'a str, String> {
    let text = of[name].as_str().ok_or_else(|| format!("{name} is missing"))?;
    let count = text.chars().count();
    if text.trim().is_empty() || count > most {
        return Err(format!("{name} has {count} characters, 1 to {most} are allowed"));
    }
    Ok(text)
}

/// Whether there is nothing but these members.
pub fn only(of: &Value, names: &[&str]) -> Result<(), String> {
    let members = of.as_object().ok_or("not an object")?;
    match members.keys().find(|name| !names.contains(&name.as_str())) {
        Some(odd) => Err(format!("{odd} is not known")),
        None => Ok(()),
    }
}

/// A message to `messages/whatsapp/bot`; gives its kind.
pub fn plain(body: &Value) -> Result<String, String> {
    only(body, &["room_id", "type", "text", "file"])?;
    let kind = text(body, "type", 20)?;
    match kind {
        "text" => {
            text(body, "text", 4096)?;
        }
        "audio" | "contact" | "document" | "image" | "location" | "video" | "voice" => {
            let bytes = body
                .pointer("/file/bytes")
                .and_then(Value::as_u64)
                .unwrap_or_default();
            if bytes == 0 {
                return Err("file is missing".to_owned());
            }
        }
        other => return Err(format!("type {other} is not known")),
    }
    Ok(kind.to_owned())
}

/// A message with buttons or a list; gives its kind.
pub fn interactive(body: &Value) -> Result<String, String> {
    only(body, &["room_id", "type", "interactive"])?;
    let kind = text(body, "type", 20)?;
    let interactive = &body["interactive"];
    text(interactive, "body", 1024)?;
    match kind {
        "button" => {
            only(interactive, &["body", "buttons"])?;
            options(&interactive["buttons"], 3, 20, &["id", "title"])?;
        }
        "list" => {
            only(interactive, &["body", "lists"])?;
            let lists = &interactive["lists"];
            only(lists, &["button", "sections"])?;
            text(lists, "button", 20)?;
            let sections = lists["sections"].as_array().ok_or("sections is missing")?;
            let mut rows = Vec::new();
            for section in sections {
                only(section, &["title", "rows"])?;
                if sections.len() > 1 {
                    text(section, "title", 24)?;
                }
                rows.extend(
                    section["rows"]
                        .as_array()
                        .ok_or("rows is missing")?
                        .iter()
                        .cloned(),
                );
            }
            options(&json!(rows), 10, 24, &["id", "title", "description"])?;
        }
        other => return Err(format!("type {other} is not known")),
    }
    Ok(kind.to_owned())
}

fn options(all: &Value, most: usize, longest: usize, names: &[&str]) -> Result<(), String> {
    let all = all.as_array().ok_or("no options")?;
    if all.is_empty() || all.len() > most {
        return Err(format!("{} options, 1 to {most} are allowed", all.len()));
    }
    let mut seen = HashSet::new();
    for option in all {
        only(option, names)?;
        let (id, title) = (text(option, "id", 200)?, text(option, "title", longest)?);
        if !seen.insert(("id", id)) || !seen.insert(("title", title)) {
            return Err("an id or title stands twice".to_owned());
        }
    }
    Ok(())
}

/// A template to a number; gives how many values it has.
pub fn broadcast(body: &Value) -> Result<usize, String> {
    let names = [
        "to_name",
        "to_number",
        "message_template_id",
        "channel_integration_id",
        "language",
        "parameters",
    ];
    only(body, &names)?;
    text(body, "to_name", 100)?;
    let number = text(body, "to_number", 20)?;
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("to_number is not digits alone".to_owned());
    }
    text(&body["language"], "code", 10)?;
    let values = body["parameters"]["body"]
        .as_array()
        .ok_or("parameters.body is missing")?;
    for (at, value) in values.iter().enumerate() {
        if value["key"] != json!((at + 1).to_string()) {
            return Err("the keys of the values are not 1, 2, …".to_owned());
        }
        text(value, "value", 100)?;
        text(value, "value_text", 1024)?;
    }
    Ok(values.len())
}

/// The parts of a multipart form: texts as they are, a file as its name and the number of its bytes.
pub fn form(raw: &[u8], boundary: &str) -> Result<Value, String> {
    let mut fields = json!({});
    let marker = format!("--{boundary}");
    let raw = String::from_utf8_lossy(raw);
    for part in raw.split(marker.as_str()).skip(1) {
        let Some((head, rest)) = part.split_once("\r\n\r\n") else {
            continue;
        };
        let value = rest.strip_suffix("\r\n").unwrap_or(rest);
        let of = |name: &str| {
            let (_, rest) = head.split_once(&format!(" {name}=\""))?;
            Some(rest.split('"').next().unwrap_or_default().to_owned())
        };
        let name = of("name").ok_or("a part without a name")?;
        fields[name.as_str()] = match of("filename") {
            Some(filename) => json!({ "filename": filename, "bytes": value.len() }),
            None => json!(value),
        };
    }
    Ok(fields)
}
