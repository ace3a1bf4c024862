//! The command line: parses, hands over to one command, and turns its outcome into an exit code.

use std::process::ExitCode;

use clap::Parser;
use switchboard::cli::{doctor, serve};

/// A chat-native WhatsApp bot server.
#[derive(Debug, Parser)]
#[command(name = "switchboard", version)]
enum Command {
    Serve(serve::Args),
    Doctor(doctor::Args),
}

fn main() -> ExitCode {
    let outcome = match Command::parse() {
        Command::Serve(args) => serve::run(args),
        Command::Doctor(args) => doctor::run(args),
    };
    outcome.unwrap_or_else(|why| {
        eprintln!("error: {why:#}");
        ExitCode::from(70)
    })
}
