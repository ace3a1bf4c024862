//! `switchboard template`: the approved templates of a number, and sending one on the business's own account. The list
//! comes from the provider itself; what is sent goes through the running server, like everything that leaves.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::Subcommand;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::Exit;
use super::channel::no_channel;
use super::numbers::Numbers;
use super::opened::{Format, Missing};
use crate::channel::template::{Head, NotListed, Template};
use crate::server::channels;
use crate::server::config::{ChannelConfig, Config, Scope};
use crate::server::door;

/// The server may have to ask the provider first.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
    /// The configuration that names the channels
    #[arg(long, value_name = "FILE", default_value = "switchboard.toml", global = true)]
    config: PathBuf,
    #[arg(long, value_enum, default_value_t, global = true)]
    format: Format,
}

#[derive(Debug, Subcommand)]
enum What {
    /// The templates of a channel, with their state and their blanks, as the provider has them now
    List {
        /// One channel; without it all of them
        channel: Option<String>,
    },
    /// Send one to a customer, through the running server
    Send {
        name: String,
        /// The customer's number with its country, such as +6281100000011
        #[arg(long, value_name = "NUMBER")]
        to: String,
        /// Needed where the template is there in several
        #[arg(long)]
        language: Option<String>,
        /// A value of a blank, in their order; or NAME=VALUE where blanks have names
        #[arg(long = "value", value_name = "VALUE")]
        values: Vec<String>,
        /// Needed where there are several
        #[arg(long)]
        channel: Option<String>,
        /// The same key for the same customer is the same message, however often this is run
        #[arg(long)]
        key: Option<String>,
        /// Ask the server here, instead of where the configuration says that it listens
        #[arg(long, value_name = "ADDRESS:PORT")]
        at: Option<SocketAddr>,
    },
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Runtime::new().context("the runtime can't be started")?;
    let config = runtime.block_on(async {
        let numbers = Numbers::open(&args.config, Missing::Refuse).await?;
        let config = numbers.all().await?;
        numbers.close().await?;
        anyhow::Ok(config)
    })?;
    match &args.what {
        What::List { channel } => runtime.block_on(list(&config, channel.as_deref(), args.format)),
        What::Send {
            name,
            to,
            language,
            values,
            channel,
            key,
            at,
        } => {
            let body = json!({ "channel": channel, "to": to, "key": key,
                "template": { "name": name, "language": language, "parameters": parameters(values) } });
            let at = at.unwrap_or_else(|| door::reached(config.bind));
            runtime.block_on(send(&config, at, &body, args.format))
        }
    }
}

async fn list(config: &Config, id: Option<&str>, format: Format) -> anyhow::Result<Exit> {
    let wanted: Vec<&ChannelConfig> = config
        .channels
        .iter()
        .filter(|channel| id.is_none_or(|id| channel.id == id))
        .collect();
    if wanted.is_empty() {
        return Err(no_channel(config, id));
    }
    let (mut exit, mut all) = (Exit::Good, Vec::new());
    for channel in wanted {
        let listed = channels::templates(channel).await;
        if matches!(listed, Err(NotListed::Refused(_) | NotListed::Unreachable(_))) {
            exit = Exit::Remote;
        }
        match format {
            Format::Text => print!("{}", in_words(&channel.id, &listed)),
            Format::Json => all.push(match listed {
                Ok(templates) => json!({ "channel": channel.id, "templates": templates }),
                Err(why) => json!({ "channel": channel.id, "error": why.to_string() }),
            }),
        }
    }
    if format == Format::Json {
        println!("{}", serde_json::to_string_pretty(&all)?);
    }
    Ok(exit)
}

fn in_words(channel: &str, listed: &Result<Vec<Template>, NotListed>) -> String {
    let mut text = format!("{channel}\n");
    let mut line = |says: String| text.push_str(&format!("  {says}\n"));
    match listed {
        Err(why) => line(why.to_string()),
        Ok(templates) if templates.is_empty() => line("there are no templates yet".to_owned()),
        Ok(templates) => {
            for template in templates {
                let label = template.label.as_ref().map(|label| format!(" {label:?}"));
                let category = template.category.as_deref().unwrap_or_default().to_lowercase();
                line(
                    format!(
                        "{}{} ({})  {}  {category}",
                        template.name,
                        label.unwrap_or_default(),
                        template.language,
                        template.status.to_lowercase()
                    )
                    .trim_end()
                    .to_owned(),
                );
                match &template.header {
                    None => {}
                    Some(Head::Text(text)) => line(format!("  header  {text}")),
                    Some(Head::File(media)) => line(format!("  header  a file ({media:?})").to_lowercase()),
                    Some(Head::Other(what)) => line(format!("  header  {}", what.to_lowercase())),
                }
                line(format!(
                    "  body    {}",
                    template.body.replace('\n', "\n          ")
                ));
                for (index, button) in template.buttons.iter().enumerate() {
                    let wants = if button.wants.is_some() {
                        ", takes a value"
                    } else {
                        ""
                    };
                    line(format!("  button  {index} {:?}{wants}", button.text));
                }
            }
        }
    }
    text
}

/// Values by name if all of them have one.
fn parameters(values: &[String]) -> Value {
    let named = values.iter().map(|value| value.split_once('='));
    let named: Option<Vec<(&str, &str)>> = named.collect();
    let name = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    match named {
        Some(named) if !named.is_empty() && named.iter().all(|(key, _)| name(key)) => Value::Object(
            named
                .iter()
                .map(|(key, value)| ((*key).to_owned(), json!(value)))
                .collect(),
        ),
        Some(_) | None => json!(values),
    }
}

/// Any token that opens it.
fn token(config: &Config) -> Option<&SecretString> {
    let of_a_system = config
        .tokens
        .iter()
        .find(|token| token.may.contains(&Scope::Notify));
    config
        .admin_token
        .as_ref()
        .or(of_a_system.map(|token| &token.secret))
}

async fn send(config: &Config, at: SocketAddr, body: &Value, format: Format) -> anyhow::Result<Exit> {
    let Some(token) = token(config) else {
        return Err(Exit::Environment.because(
            "nobody may send: the configuration has neither admin_token nor a [[token]] that may notify; add one, and \
             start the server anew",
        ));
    };
    let client = door::client(ANSWER_WITHIN).context("TLS can't be started")?;
    let request = client
        .post(format!("http://{at}/api/notify"))
        .bearer_auth(token.expose_secret());
    let answer = request
        .header("content-type", "application/json")
        .body(body.to_string())
        .send()
        .await
        .map_err(|why| {
            let why = why.without_url();
            Exit::Remote.because(format!(
                "no server answers at http://{at}: {why}. Is it running with this configuration? --at names another place"
            ))
        })?;
    let good = answer.status().is_success();
    let said: Value = answer.json().await.unwrap_or_default();
    if good {
        match format {
            Format::Json => println!("{}", serde_json::to_string_pretty(&said)?),
            Format::Text => {
                let text = |name: &str| said[name].as_str().unwrap_or_default();
                let before = if said["repeated"] == true {
                    " (it was taken before)"
                } else {
                    ""
                };
                println!("{}{before}: GET /api/notify/{}", text("state"), text("id"));
            }
        }
        return Ok(Exit::Good);
    }
    let why = said["error"].as_str().unwrap_or("the server refuses the token");
    Err(Exit::Remote.because(why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_in_order_unless_all_of_them_have_a_name() {
        let of = |values: &[&str]| {
            let values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
            parameters(&values)
        };
        assert_eq!(of(&["Sari", "A-1"]), json!(["Sari", "A-1"]));
        assert_eq!(
            of(&["name=Sari", "day=1=2"]),
            json!({ "name": "Sari", "day": "1=2" })
        );
        assert_eq!(of(&["name=Sari", "Monday"]), json!(["name=Sari", "Monday"]));
        assert_eq!(of(&["a b=c"]), json!(["a b=c"]));
        assert_eq!(of(&[]), json!([]));
    }
}
