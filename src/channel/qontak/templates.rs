//! The organisation's templates. Qontak sends them by id; they are shown under the names of the configuration where it
//! has one for the id, and can be asked for by either.

use http::Method;
use serde_json::Value;

use super::{Qontak, endpoint};
use crate::channel::NotRegistered;
use crate::channel::template::{NotListed, Template, blanks_of, head_of, knob_of};

/// So many are asked for at once, and so many pages are turned.
const ON_A_PAGE: usize = 100;
const PAGES: usize = 50;

pub(super) async fn list(qontak: &Qontak) -> Result<Vec<Template>, NotListed> {
    let mut all: Vec<Template> = Vec::new();
    for page in 0..PAGES {
        let path = format!(
            "templates/whatsapp?limit={ON_A_PAGE}&offset={}",
            page * ON_A_PAGE + 1
        );
        let answer = endpoint::ask(qontak, Method::GET, &path, None)
            .await
            .map_err(|why| match why {
                NotRegistered::Unreachable(says) => NotListed::Unreachable(says),
                NotRegistered::Unauthorised(says) | NotRegistered::Refused(says) => NotListed::Refused(says),
                NotRegistered::ByHand | NotRegistered::NoAddress => NotListed::Refused(why.to_string()),
            })?;
        let Some(listed) = answer.get("data").and_then(Value::as_array) else {
            let says = "Qontak answered with something that is no list of templates";
            return Err(NotListed::Unreachable(says.to_owned()));
        };
        let known = all.len();
        for template in listed.iter().filter_map(|listed| of(qontak, listed)) {
            if !all.iter().any(|other| other.id == template.id) {
                all.push(template);
            }
        }
        // A server that knows no offsets gives the same page again.
        if listed.len() < ON_A_PAGE || all.len() == known {
            break;
        }
    }
    Ok(all)
}

fn of(qontak: &Qontak, listed: &Value) -> Option<Template> {
    let text = |name: &str| listed.get(name).and_then(Value::as_str);
    let id = text("id")?;
    let ours = qontak.settings.templates.iter().find(|(_, known)| *known == id);
    let body = text("body").unwrap_or_default();
    let header = listed.get("header");
    let head = match header {
        Some(Value::String(said)) if !said.is_empty() => Some(head_of("TEXT", said)),
        Some(Value::Object(header)) => {
            let of = |name: &str| header.get(name).and_then(Value::as_str);
            of("format").map(|format| head_of(format, of("text").unwrap_or_default()))
        }
        Some(_) | None => None,
    };
    let buttons = listed.get("buttons").and_then(Value::as_array);
    Some(Template {
        // What is sent, and what people read, must be one thing: a name of the configuration leads to its id.
        name: ours.map_or(id, |(name, _)| name).to_owned(),
        id: Some(id.to_owned()),
        label: text("name").map(str::to_owned),
        language: text("language").unwrap_or_default().to_owned(),
        status: text("status").unwrap_or_default().to_uppercase(),
        category: text("category").map(str::to_owned),
        header: head,
        body: body.to_owned(),
        blanks: blanks_of(body),
        footer: text("footer")
            .filter(|footer| !footer.is_empty())
            .map(str::to_owned),
        buttons: buttons.into_iter().flatten().map(knob_of).collect(),
    })
}
