//! The templates of an account, page by page. Meta turns pages by a cursor, 360dialog by an offset; an address that an
//! answer names is never followed, since the key would go there.

use serde_json::Value;

use super::Meta;
use super::health::{Answer, ask};
use crate::channel::template::{NotListed, Template, of_meta};

/// An account may have 6,000 templates.
const PAGES: usize = 100;

pub(super) async fn list(meta: &Meta) -> Result<Vec<Template>, NotListed> {
    let Some(first) = meta.route.templates() else {
        return Err(NotListed::NoList(
            "the account whose templates these are is not known; write waba_id, and templates are checked before they \
             are sent",
        ));
    };
    let mut all = Vec::new();
    let mut next = Some(first.clone());
    for _ in 0..PAGES {
        let Some(address) = next.take() else { break };
        let page = match ask(meta, address).await {
            Ok(Answer::Json(page)) => page,
            Ok(Answer::Nothing) => {
                return Err(NotListed::NoList(
                    "the provider has no list of templates at templates_path",
                ));
            }
            Err(broken) if broken.name == "reach" => return Err(NotListed::Unreachable(broken.says)),
            Err(broken) => {
                let says = format!(
                    "{}. Templates belong to the account: is waba_id right?",
                    broken.says
                );
                return Err(NotListed::Refused(says));
            }
        };
        let Some(listed) = listed(&page) else {
            let says = format!(
                "{} answered with something that is no list of templates",
                meta.name
            );
            return Err(NotListed::Unreachable(says));
        };
        all.extend(listed.iter().filter_map(of_meta));
        next = following(&page, listed.len()).map(|turn| format!("{first}&{turn}"));
    }
    Ok(all)
}

fn listed(page: &Value) -> Option<&Vec<Value>> {
    ["data", "waba_templates"]
        .iter()
        .find_map(|name| page.get(name))?
        .as_array()
}

/// What asks for the page after this one.
fn following(page: &Value, on_it: usize) -> Option<String> {
    if page.pointer("/paging/next").is_some() {
        let after = page.pointer("/paging/cursors/after")?.as_str()?;
        let escaped: String = url::form_urlencoded::byte_serialize(after.as_bytes()).collect();
        return Some(format!("after={escaped}"));
    }
    let number = |name: &str| page.get(name).and_then(Value::as_u64);
    let seen = number("offset")? + u64::try_from(on_it).ok()?;
    (on_it > 0 && seen < number("total")?).then(|| format!("offset={seen}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn pages_are_turned_by_cursor_or_offset_and_end() {
        let cursor = json!({ "data": [], "paging": { "cursors": { "after": "a b&c" }, "next": "https://else.example" } });
        assert_eq!(following(&cursor, 0).as_deref(), Some("after=a+b%26c"));
        assert_eq!(
            following(
                &json!({ "data": [], "paging": { "cursors": { "after": "x" } } }),
                9
            ),
            None
        );
        let offset = |offset, total| json!({ "waba_templates": [], "offset": offset, "total": total });
        assert_eq!(following(&offset(0, 700), 500).as_deref(), Some("offset=500"));
        assert_eq!(following(&offset(500, 700), 200), None);
        assert_eq!(following(&offset(0, 700), 0), None, "an empty page is the last");
    }
}
