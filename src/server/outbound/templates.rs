//! The templates of a number as its provider lists them, kept for a while, and the one that somebody means. Before
//! anything is queued it is known to exist, to be approved, and to be filled rightly.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::Mutex;

use crate::channel::template::{Filling, Misfit, NotListed, Template, Values};
use crate::flow::names::nearest;
use crate::message::OutboundBody;
use crate::server::parts::{Number, Shared};

/// A list is good for so long, unless the provider has news.
const GOOD_FOR: Duration = Duration::from_secs(600);
/// For a template that is not on it, it is read again if it is older than this: somebody may just have made it.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// What is known of a number's templates.
#[derive(Debug, Default)]
pub(in crate::server) struct Templates {
    held: Mutex<Option<Held>>,
    old: AtomicBool,
}

#[derive(Debug, Clone)]
struct Held {
    list: Arc<Vec<Template>>,
    since: Instant,
    read_at: Timestamp,
}

/// A list with its age.
#[derive(Debug, Clone)]
pub(in crate::server) struct Listed {
    pub list: Arc<Vec<Template>>,
    pub read_at: Timestamp,
    pub age: Duration,
    /// Why it could not be read anew, although it is old.
    pub stale: Option<String>,
}

impl Templates {
    /// The provider has news of a template.
    pub fn are_old(&self) {
        self.old.store(true, Ordering::SeqCst);
    }

    /// The list, at most so old; an older one if the provider does not give it now.
    pub async fn list(
        &self,
        shared: &Shared,
        number: &Number,
        at_most: Duration,
    ) -> Result<Listed, NotListed> {
        // One asks, the others wait for its answer.
        let mut held = self.held.lock().await;
        let old = self.old.swap(false, Ordering::SeqCst);
        if let Some(known) = held
            .as_ref()
            .filter(|known| !old && known.since.elapsed() <= at_most)
        {
            return Ok(known.listed(None));
        }
        match number.channel.templates().await {
            Ok(list) => {
                let fresh = Held {
                    list: Arc::new(list),
                    since: Instant::now(),
                    read_at: shared.store.now(),
                };
                let listed = fresh.listed(None);
                *held = Some(fresh);
                Ok(listed)
            }
            Err(why) => {
                if old {
                    self.are_old();
                }
                match held.as_ref() {
                    Some(known) => Ok(known.listed(Some(why.to_string()))),
                    None => Err(why),
                }
            }
        }
    }

    /// Why a queued template can't leave any more, as far as is known without asking.
    pub fn refuses(&self, name: &str, language: &str) -> Option<String> {
        let held = self.held.try_lock().ok()?;
        let listed = held.as_ref()?.list.iter().find(|template| {
            template.is_called(name) && (language.is_empty() || template.language == language)
        })?;
        let status = listed.status.to_lowercase();
        (!listed.is_approved()).then(|| format!("the template {name} is {status} by now"))
    }
}

impl Held {
    fn listed(&self, stale: Option<String>) -> Listed {
        Listed {
            list: self.list.clone(),
            read_at: self.read_at,
            age: self.since.elapsed(),
            stale,
        }
    }
}

/// Why a template can't be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    #[error("there is no template {name:?}{}", near.as_ref().map_or_else(String::new, |near| format!("; did you mean {near}?")))]
    Unknown { name: String, near: Option<String> },
    #[error("the template {name} is not there in {wanted}; it is in {there}")]
    NoLanguage {
        name: String,
        wanted: String,
        there: String,
    },
    #[error("the template {name} is there in {there}: say which `language`")]
    WhichLanguage { name: String, there: String },
    #[error("{why}. So give the template's language and its values in their order")]
    Unlisted { why: String },
    #[error(transparent)]
    Misfit(#[from] Misfit),
    #[error("the list of templates can't be had: {0}")]
    NoList(String),
}

/// What somebody wants to send.
#[derive(Debug, Clone)]
pub(in crate::server) struct Wanted<'a> {
    pub name: &'a str,
    pub language: Option<&'a str>,
    pub filling: Filling,
}

/// The message of a template that was found and fits; `false`: nobody could check it, and the provider will.
pub(in crate::server) async fn message(
    shared: &Shared,
    number: &Number,
    wanted: &Wanted<'_>,
) -> Result<(OutboundBody, bool), Unfit> {
    let listed = match number.templates.list(shared, number, GOOD_FOR).await {
        Ok(listed) => listed,
        Err(NotListed::NoList(why)) => return declared(shared, number, wanted, why),
        Err(why @ (NotListed::Refused(_) | NotListed::Unreachable(_))) => {
            return Err(Unfit::NoList(why.to_string()));
        }
    };
    let found = match find(&listed.list, wanted) {
        Err(Unfit::Unknown { .. } | Unfit::NoLanguage { .. }) if listed.age > LOOK_AGAIN => {
            let again = number.templates.list(shared, number, LOOK_AGAIN).await;
            let again = again.map_err(|why| Unfit::NoList(why.to_string()))?;
            find(&again.list, wanted)?.clone()
        }
        found => found?.clone(),
    };
    Ok((found.filled(&wanted.filling)?, true))
}

fn find<'a>(list: &'a [Template], wanted: &Wanted<'_>) -> Result<&'a Template, Unfit> {
    let name = || wanted.name.to_owned();
    let named: Vec<&Template> = list
        .iter()
        .filter(|template| template.is_called(wanted.name))
        .collect();
    let there = || {
        let languages: Vec<&str> = named.iter().map(|template| template.language.as_str()).collect();
        languages.join(", ")
    };
    match (named.as_slice(), wanted.language) {
        ([], _) => Err(Unfit::Unknown {
            name: name(),
            near: nearest(wanted.name, list.iter().map(|template| template.name.as_str())).map(str::to_owned),
        }),
        ([one], None) => Ok(one),
        (_, None) => Err(Unfit::WhichLanguage {
            name: name(),
            there: there(),
        }),
        (several, Some(language)) => several
            .iter()
            .copied()
            .find(|template| template.language.eq_ignore_ascii_case(language))
            .ok_or_else(|| Unfit::NoLanguage {
                name: name(),
                wanted: language.to_owned(),
                there: there(),
            }),
    }
}

/// Where the provider has no list: as the business file declares it, or as it is given.
fn declared(
    shared: &Shared,
    number: &Number,
    wanted: &Wanted<'_>,
    why: &str,
) -> Result<(OutboundBody, bool), Unfit> {
    let machine = shared.flows.machine(number.config.runs());
    let declared = &machine.program().business.templates;
    let list: Vec<Template> = declared
        .iter()
        .filter(|template| template.name == wanted.name)
        .flat_map(|template| {
            let texts = template.texts.iter().zip(&template.blanks);
            texts.map(|((language, body), blanks)| Template {
                name: template.name.clone(),
                id: None,
                label: None,
                language: language.clone(),
                status: "APPROVED".to_owned(),
                category: None,
                header: None,
                body: body.clone(),
                blanks: blanks.clone(),
                footer: None,
                buttons: Vec::new(),
            })
        })
        .collect();
    if !list.is_empty() {
        let mut body = find(&list, wanted)?.filled(&wanted.filling)?;
        if let OutboundBody::Template { parts, .. } = &mut body {
            // WhatsApp knows them by number: the names are the flows' own.
            parts.names.clear();
        }
        return Ok((body, true));
    }
    let (Some(language), Values::InOrder(params)) = (wanted.language, &wanted.filling.values) else {
        return Err(Unfit::Unlisted { why: why.to_owned() });
    };
    let extras = wanted.filling.header.is_some() || !wanted.filling.buttons.is_empty();
    if extras {
        let why = format!("{why}, and header and buttons can't be filled without it");
        return Err(Unfit::Unlisted { why });
    }
    let body = OutboundBody::Template {
        name: wanted.name.to_owned(),
        language: language.to_owned(),
        params: params.clone(),
        text: format!("{{template {}}} {}", wanted.name, params.join(", "))
            .trim_end()
            .to_owned(),
        parts: Box::default(),
    };
    Ok((body, false))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(name: &str, language: &str) -> Template {
        Template {
            name: name.to_owned(),
            id: Some(format!("id-{name}-{language}")),
            label: None,
            language: language.to_owned(),
            status: "APPROVED".to_owned(),
            category: None,
            header: None,
            body: "Hi".to_owned(),
            blanks: Vec::new(),
            footer: None,
            buttons: Vec::new(),
        }
    }

    fn wanted<'a>(name: &'a str, language: Option<&'a str>) -> Wanted<'a> {
        Wanted {
            name,
            language,
            filling: Filling::default(),
        }
    }

    #[test]
    fn a_template_is_found_by_name_and_language_or_the_nearest_is_named() {
        let list = [
            template("shipped", "en"),
            template("shipped", "pt_BR"),
            template("welcome", "en"),
        ];
        let says = |name, language| match find(&list, &wanted(name, language)) {
            Ok(found) => found.id.clone().unwrap(),
            Err(why) => why.to_string(),
        };
        assert_eq!(says("shipped", Some("pt_br")), "id-shipped-pt_BR");
        assert_eq!(says("welcome", None), "id-welcome-en", "there is only one");
        assert_eq!(says("id-shipped-en", None), "id-shipped-en");
        assert_eq!(
            says("shipped", None),
            "the template shipped is there in en, pt_BR: say which `language`"
        );
        assert!(says("shipped", Some("id")).ends_with("it is in en, pt_BR"));
        assert_eq!(
            says("shiped", None),
            "there is no template \"shiped\"; did you mean shipped?"
        );
        assert_eq!(says("xyzzy", None), "there is no template \"xyzzy\"");
    }
}
