//! The provider double as a program, for clients and tests in other processes. See the module `double`.

#[path = "mod.rs"]
mod double;

use std::io::Write as _;
use std::time::Duration;

use clap::Parser;

/// A server that behaves as Meta's WhatsApp Cloud API does, on loopback.
#[derive(Debug, Parser)]
#[command(name = "cloud-double")]
struct Flags {
    /// Whose manners it has: meta, 360dialog or coster
    #[arg(long, default_value = "meta", value_parser = face_of)]
    face: double::Face,
    /// Port on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Where webhooks are posted.
    #[arg(long)]
    webhook: Option<String>,
    /// Check the webhook's address by Meta's handshake before the first webhook.
    #[arg(long)]
    handshake: bool,
    #[arg(long)]
    app_secret: Option<String>,
    #[arg(long)]
    verify_token: Option<String>,
    /// An access token that is accepted; may be given several times.
    #[arg(long = "token")]
    tokens: Vec<String>,
    #[arg(long)]
    phone_number_id: Option<String>,
    #[arg(long)]
    business_account_id: Option<String>,
    #[arg(long)]
    app_id: Option<String>,
    /// The same seed gives the same ids and the same order of statuses.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Milliseconds until a message is delivered, and again until it is read.
    #[arg(long, default_value_t = 800)]
    delivered_after: u64,
    /// Send no statuses.
    #[arg(long)]
    no_statuses: bool,
    /// Let every customer be written to at any time.
    #[arg(long)]
    open_windows: bool,
    /// Take any number of messages in any time.
    #[arg(long)]
    no_rate_limits: bool,
    /// Deliver every webhook this often.
    #[arg(long, default_value_t = 1)]
    copies: u32,
    /// A fault, in the words of `POST /double/fault`; may be given several times.
    #[arg(long = "fault")]
    faults: Vec<String>,
    /// The number is not registered.
    #[arg(long)]
    unregistered: bool,
}

fn face_of(written: &str) -> Result<double::Face, String> {
    match written {
        "meta" => Ok(double::Face::Meta),
        "360dialog" => Ok(double::Face::Dialog360),
        "coster" => Ok(double::Face::Coster),
        _ => Err("write meta, 360dialog or coster".to_owned()),
    }
}

#[tokio::main]
async fn main() {
    let flags = Flags::parse();
    let mut setup = double::Setup {
        port: flags.port,
        webhook_url: flags.webhook.clone(),
        seed: flags.seed,
        delivered_after: Duration::from_millis(flags.delivered_after),
        statuses: !flags.no_statuses && flags.face != double::Face::Coster,
        open_windows: flags.open_windows,
        ..double::Setup::of(flags.face)
    };
    for (given, kept) in [
        (flags.app_secret, &mut setup.app_secret),
        (flags.verify_token, &mut setup.verify_token),
        (flags.phone_number_id, &mut setup.phone_number_id),
        (flags.business_account_id, &mut setup.business_account_id),
        (flags.app_id, &mut setup.app_id),
    ] {
        if let Some(given) = given {
            *kept = given;
        }
    }
    if !flags.tokens.is_empty() {
        setup.access_tokens = flags.tokens;
    }
    if flags.no_rate_limits {
        (setup.pair_burst, setup.per_second) = (None, None);
    }
    let double = double::Double::with(setup).await;
    double.deliver_copies(flags.copies);
    double.set_registered(!flags.unregistered);
    for fault in &flags.faults {
        if let Err(why) = double.fault_in_words(fault) {
            eprintln!("--fault {fault}: {why}");
            std::process::exit(2);
        }
    }
    println!("cloud-double listens on {}", double.base_url());
    let _ = std::io::stdout().flush();
    if let Some(webhook) = flags.webhook.filter(|_| flags.handshake)
        && let Err(why) = double.shake_hands(&webhook).await
    {
        eprintln!("{why}");
        std::process::exit(1);
    }
    let _ = tokio::signal::ctrl_c().await;
}
