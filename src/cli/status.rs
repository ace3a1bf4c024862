//! `switchboard status`: one look at a running worker and its store, for people and for container engines.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};

use super::Exit;
use super::doctor::Format;
use crate::server::config::Config;
use crate::server::door;
use crate::server::overview::Overview;
use crate::store::AtWork;

/// The page itself waits a second for the store, up to three times.
const ANSWER_WITHIN: Duration = Duration::from_secs(4);

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The configuration of the worker, which says where it shows its metrics
    #[arg(long, value_name = "FILE", default_value = "switchboard.toml")]
    config: PathBuf,
    /// Ask the worker here instead: the address of [metrics]
    #[arg(long, value_name = "ADDRESS:PORT")]
    at: Option<SocketAddr>,
    /// Only say whether it can take webhooks
    #[arg(long)]
    ready: bool,
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let at = match args.at {
        Some(at) => at,
        None => configured(&Config::load(&args.config)?)?,
    };
    let runtime = tokio::runtime::Runtime::new().context("the runtime can't be started")?;
    if args.ready {
        return runtime.block_on(ready(at, args.format));
    }
    let overview: Overview = runtime
        .block_on(async { ask(at, "status").await?.json().await })
        .map_err(|why: reqwest::Error| silent(at, &why))?;
    match args.format {
        Format::Text => print!("{}", in_words(&overview)),
        Format::Json => println!("{}", serde_json::to_string_pretty(&overview)?),
    }
    Ok(if overview.readiness == "ready" {
        Exit::Good
    } else {
        Exit::Environment
    })
}

/// Where a worker with this configuration can be asked from this machine.
fn configured(config: &Config) -> anyhow::Result<SocketAddr> {
    let Some(at) = config.metrics else {
        bail!(
            "the configuration has no [metrics] table, which is where a worker can be asked; add one, and start anew"
        );
    };
    if at.port() == 0 {
        bail!("the system chose the port of [metrics]; name what the worker printed with --at");
    }
    Ok(door::reached(at))
}

/// Nobody answers there.
fn silent(at: SocketAddr, why: &reqwest::Error) -> anyhow::Error {
    let why = if why.is_connect() {
        "the connection is refused".to_owned()
    } else if why.is_timeout() {
        "it took too long".to_owned()
    } else {
        why.to_string()
    };
    Exit::Remote.because(format!(
        "no worker answers at http://{at}: {why}. Is it running, with this [metrics] address?"
    ))
}

async fn ask(at: SocketAddr, page: &str) -> Result<reqwest::Response, reqwest::Error> {
    let client = reqwest::Client::builder()
        .timeout(ANSWER_WITHIN)
        .no_proxy()
        .build()?;
    client
        .get(format!("http://{at}/{page}"))
        .header("accept", "application/json")
        .send()
        .await
}

async fn ready(at: SocketAddr, format: Format) -> anyhow::Result<Exit> {
    let answer = ask(at, "readyz").await.map_err(|why| silent(at, &why))?;
    let good = answer.status().is_success();
    let said: serde_json::Value = answer.json().await.map_err(|why| silent(at, &why))?;
    match format {
        Format::Text => println!("{}", said["says"].as_str().unwrap_or("not ready")),
        Format::Json => println!("{said}"),
    }
    Ok(if good { Exit::Good } else { Exit::Environment })
}

fn in_words(overview: &Overview) -> String {
    let mut text = String::new();
    let mut line = |name: &str, says: String| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{name:<9} {says}");
    };
    let up = for_people(overview.uptime_seconds as f64);
    line(
        "worker",
        format!("switchboard {}, up {up}, {}", overview.version, overview.says),
    );
    let promises = &overview.promises;
    let survives = match (promises.process_crash, promises.power_loss) {
        (_, true) => "process crash and loss of power",
        (true, false) => "process crash",
        (false, false) => "nothing",
    };
    let shared = if promises.shared {
        "many workers"
    } else {
        "one worker"
    };
    line(
        "store",
        format!(
            "{}, for {shared}; what is answered with 200 survives {survives}",
            promises.store
        ),
    );
    match &overview.store {
        None => line("queues", "the store does not say".to_owned()),
        Some(depths) => {
            for waiting in &depths.queues {
                let oldest = if waiting.oldest_seconds > 0.0 {
                    format!("the oldest is due for {}", for_people(waiting.oldest_seconds))
                } else {
                    "nothing is due".to_owned()
                };
                line(&waiting.queue, format!("{} wait, {oldest}", waiting.waiting));
            }
            let aside = (depths.parked, depths.quarantined);
            line(
                "aside",
                format!("{} could not be answered, {} could not be read", aside.0, aside.1),
            );
            if depths.unreadable > 0 {
                let next = "mend it or start the version that reads it; then `switchboard dead unpark`";
                line(
                    "unread",
                    format!("records of {} contacts can't be read: {next}", depths.unreadable),
                );
            }
            for why in &depths.unreadable_records {
                line("", why.clone());
            }
            let size = depths.bytes.map(|bytes| match depths.bytes_limit {
                Some(limit) => format!(", {} of {} MiB", bytes >> 20, limit >> 20),
                None => format!(", {} MiB", bytes >> 20),
            });
            line(
                "holds",
                format!("{} contacts{}", depths.contacts, size.unwrap_or_default()),
            );
            for worker in &depths.workers {
                line("at work", at_work(worker));
            }
            if let Some(format) = depths.format {
                line("format", format!("records are written in format {format}"));
            }
        }
    }
    for number in &overview.numbers {
        let autopilot = match (number.autopilot, number.waits_for_launch) {
            (true, _) => "flows answer",
            (false, true) => "people answer until it is launched (`switchboard launch`)",
            (false, false) => "people answer",
        };
        let sends = match &number.stopped {
            None => "it sends".to_owned(),
            Some(why) => format!("nothing leaves it: {why}"),
        };
        line(
            "number",
            format!("{} ({}): {autopilot}, {sends}", number.id, number.provider),
        );
        if let Some(link) = &number.link {
            line("link", link.clone());
        }
    }
    text
}

fn at_work(worker: &AtWork) -> String {
    let reads = match worker.reads {
        (lowest, highest) if lowest == highest => format!("format {highest}"),
        (lowest, highest) => format!("formats {lowest} to {highest}"),
    };
    format!(
        "{} since {}, {} of 256 partitions, switchboard {}, reads {reads}",
        worker.name,
        worker.since.strftime("%Y-%m-%d %H:%M:%SZ"),
        worker.partitions,
        worker.version
    )
}

/// A time in the largest unit that fits.
fn for_people(seconds: f64) -> String {
    match seconds {
        s if s < 1.0 => "less than a second".to_owned(),
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7200.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.1} h", s / 3600.0),
        s => format!("{:.1} days", s / 86_400.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_that_listens_everywhere_is_asked_on_this_machine() {
        let config = |bind: &str| {
            let text = format!("[metrics]\nbind = \"{bind}\"\n");
            Config::parse(&text, std::path::Path::new("x.toml"), &|_| None).expect("valid")
        };
        let asked = |bind| {
            configured(&config(bind))
                .map(|at| at.to_string())
                .map_err(|why| why.to_string())
        };
        assert_eq!(asked("0.0.0.0:9464"), Ok("127.0.0.1:9464".to_owned()));
        assert_eq!(asked("[::]:9464"), Ok("[::1]:9464".to_owned()));
        assert_eq!(asked("10.0.0.7:1"), Ok("10.0.0.7:1".to_owned()));
        assert!(asked("127.0.0.1:0").is_err());
    }

    #[test]
    fn times_are_told_in_the_largest_unit_that_fits() {
        let told = [0.2, 4.0, 119.0, 600.0, 9000.0, 200_000.0].map(for_people);
        assert_eq!(
            told,
            [
                "less than a second",
                "4 s",
                "119 s",
                "10 min",
                "2.5 h",
                "2.3 days"
            ]
        );
    }
}
