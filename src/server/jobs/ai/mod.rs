//! Replies of a model for `answer`, drafts for people, and topics recognised in what customers write.
//!
//! A job asks, as jobs call services: outside the lease, with a limit of time, and with one result whatever happens. What
//! the model is given is the author's rules and, as data, what was said and the sections of the knowledge that fit. What
//! it gives back is read here and trusted nowhere: the machine checks it against the lines of the `answer`.

mod draft;
mod endpoint;
mod knowledge;
mod prompt;
mod reply;
mod topics;

use std::sync::Arc;

use async_trait::async_trait;

use crate::engine::{Asked, Reply, Says};
use crate::server::config::{AiConfig, Runs};
use crate::server::flows::Flows;

pub(in crate::server) use draft::Proposed;
pub(in crate::server) use prompt::Prompt;

/// Where a model doesn't count.
const BYTES_OF_A_TOKEN: usize = 4;
/// So often a model may write a draft until it is within its fence.
const TRIES: usize = 2;

/// Somebody who completes prompts.
#[async_trait]
pub(in crate::server) trait Model: std::fmt::Debug + Send + Sync {
    /// Gives what was written, as it came.
    async fn complete(&self, prompt: &Prompt) -> Result<Completion, Silent>;
}

/// What a model wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::server) struct Completion {
    pub text: String,
    /// Of the prompt and the reply together, if it says so.
    pub tokens: Option<u64>,
}

/// What came of asking a model, and how many tokens that took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::server) struct Costed<T> {
    pub came: T,
    pub tokens: u64,
}

impl<T> Costed<T> {
    /// Nobody was asked.
    pub fn free(came: T) -> Costed<T> {
        Costed { came, tokens: 0 }
    }
}

/// Why there is no reply, in words for the team.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::server) enum Silent {
    #[error("it did not answer in time")]
    TimedOut,
    #[error("{0}")]
    Down(String),
}

/// Asks the model of the configuration. Cheap to share.
#[derive(Debug, Clone)]
pub(in crate::server) struct Mind {
    model: Arc<dyn Model>,
}

impl Mind {
    /// # Errors
    /// If the TLS back end cannot be started.
    pub fn new(config: &AiConfig) -> Result<Mind, reqwest::Error> {
        let model = Arc::new(endpoint::Endpoint::new(config)?);
        Ok(Mind { model })
    }

    /// What a model writes to this. A request that fails may cost as much as one that doesn't: its prompt is counted.
    async fn complete(&self, prompt: &Prompt) -> Costed<Result<String, Silent>> {
        let estimate = |bytes: usize| bytes.div_ceil(BYTES_OF_A_TOKEN) as u64;
        let asked = prompt.rules.len() + prompt.data.len();
        match self.model.complete(prompt).await {
            Ok(Completion { text, tokens }) => Costed {
                tokens: tokens.unwrap_or_else(|| estimate(asked + text.len())),
                came: Ok(text),
            },
            Err(why) => Costed {
                tokens: estimate(asked),
                came: Err(why),
            },
        }
    }

    /// A reply to what the machine asks. Every failure is a reply, too.
    pub async fn reply(&self, flows: &Flows, runs: Runs, asked: &Asked) -> Costed<Reply> {
        let texts = match flows.knowledge(runs, &asked.knowledge).await {
            Ok(texts) => texts,
            Err(why) => {
                return Costed::free(Says::Problem { why }.into());
            }
        };
        let chosen = knowledge::choose(&texts, &prompt::question_of(&asked.talk));
        let prompt = prompt::of(asked, &chosen);
        let Costed { came, tokens } = self.complete(&prompt).await;
        let written = match came {
            Ok(written) => written,
            Err(why) => {
                let came = Says::Problem { why: why.to_string() }.into();
                return Costed { came, tokens };
            }
        };
        // What a reply may repeat.
        let known = &prompt.data;
        // What can't be read is no reply: better a person than a guess.
        let mut reply = reply::read(&written).unwrap_or_else(|| Says::NotSure.into());
        if let Says::Text(text) | Says::Finished(Some(text)) = &reply.says {
            let nothing_to_go_by = chosen.is_empty() && asked.found.is_empty();
            let answers = matches!(reply.says, Says::Text(_));
            if (nothing_to_go_by && answers) || reply::invents_numbers(text, known) {
                reply.says = Says::NotSure;
            }
        }
        Costed { came: reply, tokens }
    }

    /// What people might answer; `None`: the model has nothing useful, twice nothing that may be shown, or there is nothing
    /// to go by. `note` is what the flow wrote for them.
    ///
    /// The error is that the knowledge or the model can't be asked, in words for the team.
    pub async fn draft(
        &self,
        flows: &Flows,
        runs: Runs,
        mut asked: Asked,
        note: Option<&str>,
    ) -> Costed<Result<Option<Proposed>, String>> {
        let mut tokens = 0;
        let came = self.proposed(flows, runs, &mut asked, note, &mut tokens).await;
        Costed { came, tokens }
    }

    async fn proposed(
        &self,
        flows: &Flows,
        runs: Runs,
        asked: &mut Asked,
        note: Option<&str>,
        tokens: &mut u64,
    ) -> Result<Option<Proposed>, String> {
        let texts = flows.knowledge(runs, &asked.knowledge).await?;
        let chosen = knowledge::choose(&texts, &prompt::question_of(&asked.talk));
        if chosen.is_empty() {
            return Ok(None);
        }
        for _ in 0..TRIES {
            let prompt = draft::prompt(asked, &chosen, note);
            let written = self.complete(&prompt).await;
            *tokens += written.tokens;
            let written = written
                .came
                .map_err(|why| format!("the model gave none: {why}"))?;
            // What can't be read is no draft.
            let Some(proposed) = draft::read(&written, &chosen) else {
                return Ok(None);
            };
            match asked.refusal(&proposed.text) {
                Some(why) => asked.refused = Some(why),
                None if reply::invents_numbers(&proposed.text, &prompt.data) => return Ok(None),
                None => return Ok(Some(proposed)),
            }
        }
        Ok(None)
    }

    /// Which of these topics a text is about; `None`: none of them, or the model doesn't say.
    pub async fn topic(
        &self,
        text: &str,
        topics: &[(String, String)],
    ) -> Costed<Result<Option<String>, Silent>> {
        if topics.is_empty() {
            return Costed::free(Ok(None));
        }
        let Costed { came, tokens } = self.complete(&topics::prompt(text, topics)).await;
        let came = came.map(|written| topics::read(&written, topics));
        Costed { came, tokens }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Says what a test wants.
    #[derive(Debug)]
    struct Parrot(Mutex<Vec<String>>);

    #[async_trait]
    impl Model for Parrot {
        async fn complete(&self, _: &Prompt) -> Result<Completion, Silent> {
            let text = self.0.lock().unwrap().pop().ok_or(Silent::TimedOut)?;
            Ok(Completion { text, tokens: None })
        }
    }

    fn mind(says: &str) -> Mind {
        Mind {
            model: Arc::new(Parrot(Mutex::new(vec![says.to_owned()]))),
        }
    }

    fn topics() -> Vec<(String, String)> {
        vec![("returns".to_owned(), "Sending something back".to_owned())]
    }

    #[tokio::test]
    async fn a_topic_counts_only_if_it_is_one_of_those_named() {
        let known = mind(r#"{"topic":"returns"}"#);
        assert_eq!(
            known.topic("money back", &topics()).await.came,
            Ok(Some("returns".to_owned()))
        );
        for nonsense in [
            r#"{"topic":"banking"}"#,
            "returns",
            r#"{"topic":null}"#,
            "[]",
            "{",
        ] {
            assert_eq!(
                mind(nonsense).topic("money back", &topics()).await.came,
                Ok(None),
                "{nonsense}"
            );
        }
        let silent = Mind {
            model: Arc::new(Parrot(Mutex::new(Vec::new()))),
        };
        let failed = silent.topic("money back", &topics()).await;
        assert_eq!(failed.came, Err(Silent::TimedOut));
        assert!(failed.tokens > 0, "what was asked may cost, whatever came back");
        let nobody = silent.topic("money back", &[]).await;
        assert_eq!((nobody.came, nobody.tokens), (Ok(None), 0), "nobody is asked");
    }
}
