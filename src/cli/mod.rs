//! The command line: one file a command, texts to standard output, notes to standard error.

mod beside;
mod channel;
mod chat;
mod check;
mod code;
mod contact;
mod dead;
mod demo;
mod desk;
mod doctor;
mod exit;
mod explain;
mod explore;
mod files;
mod fmt;
mod graph;
mod launch;
mod lsp;
mod notify;
mod numbers;
mod opened;
mod pair;
mod publish;
mod publishing;
mod record;
mod register;
mod serve;
mod status;
mod store;
mod strings;
mod template;
mod test;
mod transcribe;
mod versions;
mod voice;
mod watch;

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use exit::Exit;

/// A WhatsApp bot server whose replies, menus and hand-overs are written in .flow files.
#[derive(Debug, Parser)]
#[command(name = "switchboard", version, propagate_version = true, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "\
Exit codes: 0 good · 1 findings (mistakes, failed tests, unformatted files) · 2 wrong usage · 3 something of this machine
or its configuration must be fixed · 4 the other side refused or could not be reached · 70 a fault of Switchboard";

#[derive(Debug, Subcommand)]
enum Command {
    /// Find every mistake in the flows
    Check(check::Args),
    /// Write flows in their one layout
    Fmt(fmt::Args),
    /// Write the files in which the flows are translated into a language
    Strings(strings::Args),
    /// The story of one diagnostic, with a wrong and a right example
    Explain(explain::Args),
    /// Talk to the flows in this terminal
    Chat(chat::Args),
    /// Replay the conversations in .chat files
    Test(test::Args),
    /// Make a .chat test of a stored conversation, without the customer's data
    Record(record::Args),
    /// Let random customers talk to the flows, and look what goes wrong
    Explore(explore::Args),
    /// Draw the flows
    Graph(graph::Args),
    /// Answer an editor: mistakes while typing, completion, renaming
    Lsp(lsp::Args),
    /// Run the server: webhooks in, answers out
    Serve(serve::Args),
    /// Make the flows those that published numbers answer with
    Publish(publish::Args),
    /// Versions of the flows: what was published, what is different, and back to an earlier one
    Versions(versions::Args),
    /// Look at everything that must be right before a customer writes
    Doctor(doctor::Args),
    /// The numbers: what to hand to their providers, and how they are
    Channel(channel::Args),
    /// What has to be so before flows answer on a number, and your name under it
    Launch(launch::Args),
    /// Approved templates: what there is, and sending one on your own account
    Template(template::Args),
    /// One look at a running worker: health, queues, numbers, promises
    Status(status::Args),
    /// All records of a store out to a file, and in again
    Store(store::Args),
    /// Look at contacts, hand one's data out, erase or merge them
    Contact(contact::Args),
    /// What was put aside: messages that could not be answered or read
    Dead(dead::Args),
    /// Write down the words of a voice note
    Transcribe(transcribe::Args),
    /// Get a speech model
    Voice(voice::Args),
}

/// Runs the command of this process and says how it went.
pub fn main() -> ExitCode {
    std::panic::set_hook(Box::new(report_fault));
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() {
                Exit::Usage.into()
            } else {
                Exit::Good.into()
            };
        }
    };
    let outcome = std::panic::catch_unwind(|| match cli.command {
        Command::Check(args) => check::run(&args),
        Command::Fmt(args) => fmt::run(&args),
        Command::Strings(args) => strings::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Chat(args) => chat::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Record(args) => record::run(&args),
        Command::Explore(args) => explore::run(&args),
        Command::Graph(args) => graph::run(&args),
        Command::Lsp(args) => lsp::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::Publish(args) => publish::run(&args),
        Command::Versions(args) => versions::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Channel(args) => channel::run(&args),
        Command::Launch(args) => launch::run(&args),
        Command::Template(args) => template::run(&args),
        Command::Status(args) => status::run(&args),
        Command::Store(args) => store::run(&args),
        Command::Contact(args) => contact::run(&args),
        Command::Dead(args) => dead::run(&args),
        Command::Transcribe(args) => transcribe::run(&args),
        Command::Voice(args) => voice::run(&args),
    });
    match outcome {
        Ok(Ok(exit)) => exit.into(),
        Ok(Err(error)) => {
            // A reader that went away (`… | head`) is no mistake.
            if is_broken_pipe(&error) {
                return Exit::Good.into();
            }
            eprintln!("switchboard: {error:#}");
            Exit::of(&error).into()
        }
        Err(_) => Exit::OurFault.into(),
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
    })
}

fn report_fault(fault: &std::panic::PanicHookInfo<'_>) {
    let place = fault
        .location()
        .map(|at| format!("{}:{}", at.file(), at.line()))
        .unwrap_or_default();
    let _ = writeln!(
        std::io::stderr(),
        "switchboard: this is a fault of Switchboard itself, at {place} (version {}). Please report it with the command \
         you ran; nothing of your customers is in this message.",
        env!("CARGO_PKG_VERSION")
    );
}
