//! The stand-in as a program, to try a test build of the companion by hand: it prints where it listens, does what the
//! lines of its input say, and prints what customers hear.

use std::time::Duration;

use linked_fake::StandIn;
use tokio::io::{AsyncBufReadExt as _, BufReader};

const HELP: &str = "scan CODE · say NUMBER WORDS · drop · replace · unlink · ban SECONDS · deaf";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let server = StandIn::start().await?;
    println!("listening on {}", server.url());
    println!("{HELP}");
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    loop {
        tokio::select! {
            line = lines.next_line() => match line? {
                Some(line) => if let Err(why) = obey(&server, line.trim()).await {
                    println!("! {why:#}");
                },
                None => return Ok(()),
            },
            heard = server.hears_anything(Duration::from_secs(3600)) => if let Ok((number, heard)) = heard {
                println!("{number} hears: {}", heard.text);
            }
        }
    }
}

async fn obey(server: &StandIn, line: &str) -> anyhow::Result<()> {
    let (order, rest) = line.split_once(' ').unwrap_or((line, ""));
    match order {
        "" => {}
        "scan" => server.phone().scan(rest).await?,
        "say" => {
            let (number, words) = rest.split_once(' ').unwrap_or((rest, ""));
            server.customer(number, "A customer").await?.says(words).await?;
        }
        "drop" => server.drop_connection().await,
        "replace" => server.replace().await,
        "unlink" => server.phone().unlink().await,
        "deaf" => server.go_deaf().await,
        "ban" => {
            let seconds = rest.parse()?;
            server
                .answer_logins(linked_fake::LoginAnswer::BannedFor { seconds, code: 101 })
                .await;
            server.drop_connection().await;
        }
        _ => println!("{HELP}"),
    }
    Ok(())
}
