//! What Meta refuses in an interactive message: too many, too long, twice the same.

use std::collections::HashSet;

use serde_json::Value;

use super::error::Refusal;
use super::refuse::{Checked, Object, by_id_or_link, web_address};

pub fn interactive(part: &Object) -> Checked {
    part.only(&["type", "header", "body", "footer", "action"])?;
    let kinds = [
        "button",
        "list",
        "cta_url",
        "location_request_message",
        "flow",
        "product",
        "product_list",
        "catalog_message",
        "address_message",
        "call_permission_request",
        "voice_call",
        "carousel",
        "order_details",
        "order_status",
        "request_contact_info",
    ];
    part.one_of("type", &kinds)?;
    let kind = part.members["type"].as_str().unwrap_or_default().to_lowercase();
    match kind.as_str() {
        "button" | "list" | "cta_url" | "location_request_message" | "flow" | "address_message" => {
            body(part)?
        }
        _ if part.has("body") => body(part)?,
        _ => {}
    }
    if part.has("footer") {
        let footer = part.child("footer")?;
        footer.only(&["text"])?;
        sized(&footer, "text", 1, 60, "Footer text")?;
    }
    if part.has("header") {
        header(&kind, &part.child("header")?)?;
    }
    if kind == "location_request_message" && (part.has("header") || part.has("footer")) {
        return Err(Refusal::new(
            131009,
            "A location request takes no header and no footer.",
        ));
    }
    let action = part.child("action")?;
    match kind.as_str() {
        "button" => buttons(&action),
        "list" => list(&action),
        "cta_url" => link(&action),
        "location_request_message" => {
            action.only(&["name"])?;
            action.one_of("name", &["send_location"])
        }
        "flow" => flow(&action),
        _ => Ok(()),
    }
}

fn body(part: &Object) -> Checked {
    let body = part.child("body")?;
    body.only(&["text"])?;
    sized(&body, "text", 1, 1024, "Body text")
}

/// Lists take a text only, the others media as well.
fn header(kind: &str, header: &Object) -> Checked {
    if kind == "list" || kind == "product_list" {
        header.one_of("type", &["text"])?;
    }
    header.one_of("type", &["text", "image", "video", "document", "gif"])?;
    let of = header.members["type"].as_str().unwrap_or_default().to_lowercase();
    header.only(&["type", &of, "sub_text"])?;
    if of == "text" {
        return sized(header, "text", 1, 60, "Header text");
    }
    by_id_or_link(&header.child(&of)?)
}

fn buttons(action: &Object) -> Checked {
    action.only(&["buttons"])?;
    let buttons = action.list("buttons")?;
    if !(1..=3).contains(&buttons.len()) {
        return Err(Refusal::new(
            131009,
            "Invalid buttons count. Min allowed buttons: 1, Max allowed buttons: 3",
        ));
    }
    let mut ids = HashSet::new();
    for (at, button) in buttons.iter().enumerate() {
        let button = Object::of(format!("interactive['action']['buttons'][{at}]"), button)?;
        button.only(&["type", "reply"])?;
        button.one_of("type", &["reply"])?;
        let reply = button.child("reply")?;
        reply.only(&["id", "title"])?;
        sized(&reply, "title", 1, 20, "Button title")?;
        sized(&reply, "id", 1, 256, "Button id")?;
        unique(&reply, &mut ids)?;
    }
    Ok(())
}

fn list(action: &Object) -> Checked {
    action.only(&["button", "sections"])?;
    sized(action, "button", 1, 20, "Button text")?;
    let sections = action.list("sections")?;
    if !(1..=10).contains(&sections.len()) {
        return Err(Refusal::new(
            131009,
            "Invalid sections count. Min allowed sections: 1, Max allowed sections: 10",
        ));
    }
    let mut ids = HashSet::new();
    let mut rows = 0;
    for (at, section) in sections.iter().enumerate() {
        let section = Object::of(format!("interactive['action']['sections'][{at}]"), section)?;
        section.only(&["title", "rows"])?;
        if sections.len() > 1 || section.has("title") {
            sized(
                &section,
                "title",
                if sections.len() > 1 { 1 } else { 0 },
                24,
                "Section title",
            )?;
        }
        let these = section.list("rows")?;
        if these.is_empty() {
            return Err(Refusal::new(131009, "Section rows can not be empty"));
        }
        for (row_at, row) in these.iter().enumerate() {
            let row = Object::of(format!("{}['rows'][{row_at}]", section.path), row)?;
            row.only(&["id", "title", "description"])?;
            sized(&row, "title", 1, 24, "Row title")?;
            sized(&row, "id", 1, 200, "Row id")?;
            if row.has("description") {
                sized(&row, "description", 0, 72, "Row description")?;
            }
            unique(&row, &mut ids)?;
        }
        rows += these.len();
    }
    if rows > 10 {
        return Err(Refusal::new(
            131009,
            "Total row count exceed max allowed count: 10",
        ));
    }
    Ok(())
}

fn link(action: &Object) -> Checked {
    action.only(&["name", "parameters"])?;
    action.one_of("name", &["cta_url"])?;
    let parameters = action.child("parameters")?;
    parameters.only(&["display_text", "url"])?;
    sized(&parameters, "display_text", 1, 20, "Display text")?;
    parameters.text("url", 1, 2000)?;
    web_address(&parameters, "url")
}

fn flow(action: &Object) -> Checked {
    action.one_of("name", &["flow"])?;
    let parameters = action.child("parameters")?;
    parameters.text("flow_message_version", 1, 8)?;
    sized(&parameters, "flow_cta", 1, 30, "Flow button text")?;
    if parameters.has("flow_id") == parameters.has("flow_name") {
        return Err(Refusal::new(
            131009,
            "Exactly one of flow_id and flow_name is required.",
        ));
    }
    Ok(())
}

fn unique<'a>(option: &Object<'a>, ids: &mut HashSet<&'a str>) -> Checked {
    let id = option
        .members
        .get("id")
        .and_then(Value::as_str)
        .unwrap_or_default();
    if ids.insert(id) {
        Ok(())
    } else {
        Err(Refusal::new(131009, format!("Duplicated id {id:?}")))
    }
}

/// As [`Object::text`], with the wording and the code that labels get.
fn sized(part: &Object, name: &str, least: usize, most: usize, what: &str) -> Checked {
    let Some(text) = part.members.get(name).map(|value| value.as_str()) else {
        return Err(Refusal::required(&part.at(name)));
    };
    let text =
        text.ok_or_else(|| Refusal::parameter(format_args!("Param {} must be a string.", part.at(name))))?;
    let length = text.chars().count();
    if length > most || length < least || (least > 0 && text.trim().is_empty()) {
        let details = format!("{what} length invalid. Min length: {least}, Max length: {most}");
        return Err(Refusal::new(131009, details));
    }
    Ok(())
}
