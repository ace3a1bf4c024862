//! What publishing and going back share: whom it touches is shown first, and asked about where it touches somebody.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, IsTerminal, Write};
use std::path::Path;

use anyhow::Context;
use serde_json::json;

use super::Exit;
use super::opened::Format;
use crate::engine::Machine;
use crate::server::config::{ChannelConfig, Config, Runs};
use crate::server::door::{Door, DoorError};
use crate::server::impact::{self, Earlier, How, Impact, Moved};
use crate::server::stored::Written;
use crate::server::tally::Held;
use crate::server::versions::{self, Candidate, Published, Said, VersionError};

/// Whether somebody is asked before it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    /// If it touches anybody.
    Them,
    /// It is done.
    Nobody,
    /// It is only shown.
    Show,
}

impl Ask {
    pub fn of(dry_run: bool, yes: bool) -> Ask {
        match (dry_run, yes) {
            (true, _) => Ask::Show,
            (false, true) => Ask::Nobody,
            (false, false) => Ask::Them,
        }
    }
}

/// Opens the way to the store of a configuration, works, and closes it.
pub(super) fn with_door(
    config: &Path,
    work: impl AsyncFnOnce(&Written, &Door) -> anyhow::Result<Exit>,
) -> anyhow::Result<Exit> {
    let written = Written {
        config: Config::load(config)?,
        path: config.to_owned(),
    };
    let runtime = tokio::runtime::Runtime::new().context("the runtime can't be started")?;
    runtime.block_on(async {
        let door = Door::open(&written.config).await.map_err(coded)?;
        let done = work(&written, &door).await;
        door.close().await.map_err(coded)?;
        done
    })
}

pub(super) fn coded(why: DoorError) -> anyhow::Error {
    match &why {
        DoorError::Silent { .. } | DoorError::Refused { .. } => Exit::Remote.because(why.to_string()),
        DoorError::Store(_) | DoorError::NoToken | DoorError::Contended(_) => why.into(),
    }
}

pub(super) fn explained(why: VersionError) -> anyhow::Error {
    match why {
        VersionError::Door(why) => coded(why),
        VersionError::Flows(why) => Exit::Findings.because(why.to_string()),
        VersionError::Unknown { .. } => Exit::Usage.because(why.to_string()),
        VersionError::Unreadable { .. } => why.into(),
    }
}

/// Who works here, as the machine knows them.
pub(super) fn whoever() -> String {
    let named = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    named("USER").or_else(|| named("LOGNAME")).unwrap_or_default()
}

/// Who publishes and why, for the list of versions.
pub(super) fn said(by: Option<&String>, note: &str) -> Said {
    Said {
        by: by.cloned().unwrap_or_else(whoever),
        note: note.to_owned(),
        chats: None,
    }
}

/// Shows what publishing means, asks where it touches somebody, and does it.
pub(super) async fn publish(
    candidate: Candidate,
    said: &Said,
    written: &Written,
    door: &Door,
    ask: Ask,
    format: Format,
) -> anyhow::Result<Exit> {
    let would = candidate.would(door, said);
    if !would.new {
        return show(&would, &Impact::default(), &BTreeSet::new(), false, format);
    }
    let channels = published_channels(written, door).await;
    let impact = impact_of(&candidate, &channels, door).await?;
    if ask == Ask::Show {
        if format == Format::Text && impact != Impact::default() {
            print!("{}", told_impact(&impact, &would));
        }
        return show(&would, &impact, &channels, false, format);
    }
    if impact.is_worth_asking() || !impact.settled.is_empty() {
        // Machines read the impact in the answer.
        if format == Format::Text {
            print!("{}", told_impact(&impact, &would));
        }
    }
    if impact.is_worth_asking() && ask == Ask::Them && !is_agreed(&impact, &would)? {
        println!("Nothing is published.");
        return Ok(Exit::Findings);
    }
    let done = candidate.publish(door, said).await.map_err(explained)?;
    show(&done, &impact, &channels, true, format)
}

/// The numbers that run what is published: of the configuration, and of the store.
async fn published_channels(written: &Written, door: &Door) -> BTreeSet<String> {
    let whole = written.with_stored(door).await;
    // Without the key of stored numbers those of the configuration are what is known.
    let config = whole.as_ref().map_or(&written.config, |(whole, _)| whole);
    let runs = |channel: &&ChannelConfig| channel.runs() == Runs::Published;
    let channels = config.channels.iter().filter(runs);
    channels.map(|channel| channel.id.clone()).collect()
}

async fn impact_of(
    candidate: &Candidate,
    channels: &BTreeSet<String>,
    door: &Door,
) -> anyhow::Result<Impact> {
    let live = candidate.seen().published().map(|version| version.hash.clone());
    let mut programs = versions::programs(door, &live).await.map_err(explained)?;
    let kinds = programs
        .values()
        .next()
        .map(|live| impact::retyped_kinds(live, &candidate.program))
        .unwrap_or_default();
    let watched = std::io::stderr().is_terminal();
    let tally = door.tally(&kinds, |chats| {
        if watched && chats > crate::server::tally::STEP {
            eprint!("\rLooking at who is where: {chats} chats …");
        }
    });
    let tally = tally.await.map_err(coded)?;
    if watched && tally.chats > crate::server::tally::STEP {
        eprintln!();
    }
    let waited_in = tally.waiting.iter().map(|one| &one.program);
    let others: BTreeSet<&String> = waited_in.filter(|hash| !programs.contains_key(*hash)).collect();
    programs.extend(versions::programs(door, others).await.map_err(explained)?);
    let machines: BTreeMap<String, Machine> = programs
        .into_iter()
        .map(|(hash, program)| (hash, Machine::load(program)))
        .collect();
    let earlier = machines.iter().map(|(hash, machine)| {
        let number = candidate.seen().number_of(hash);
        (hash.clone(), Earlier { machine, number })
    });
    let live = live.and_then(|hash| machines.get(&hash)).map(Machine::program);
    let new = Machine::load(candidate.program.clone());
    Ok(impact::of(&tally, channels, &earlier.collect(), live, &new))
}

/// Asks at a terminal. Elsewhere somebody has to have said yes.
fn is_agreed(impact: &Impact, would: &Published) -> anyhow::Result<bool> {
    let (input, output) = (std::io::stdin(), std::io::stdout());
    if !input.is_terminal() || !output.is_terminal() {
        let what = would.version.number;
        return Err(Exit::Usage.because(format!(
            "version {what} touches people who are in the middle of something, and nobody is here to ask: look at it with --dry-run, and say --yes to publish it all the same"
        )));
    }
    answered(&mut input.lock(), &mut output.lock(), impact)
}

fn answered(input: &mut impl BufRead, output: &mut impl Write, impact: &Impact) -> anyhow::Result<bool> {
    let moved: usize = impact.steps.iter().map(|one| one.people).sum();
    let list = match moved {
        0 => String::new(),
        1 => "[l]ist the one   ".to_owned(),
        moved => format!("[l]ist the {moved}   "),
    };
    loop {
        write!(output, "  [p]ublish   {list}[c]ancel  ")?;
        output.flush()?;
        let mut line = String::new();
        if input.read_line(&mut line)? == 0 {
            return Ok(false);
        }
        match line.trim().to_lowercase().as_str() {
            "p" | "publish" | "y" | "yes" => return Ok(true),
            "c" | "cancel" | "n" | "no" => return Ok(false),
            "l" | "list" if moved > 0 => {
                for one in &impact.steps {
                    writeln!(output, "  \"{} / {}\"", one.flow, one.step)?;
                    for contact in &one.contacts {
                        writeln!(output, "    {contact}")?;
                    }
                    if one.contacts.len() < one.people {
                        writeln!(output, "    and {} more", one.people - one.contacts.len())?;
                    }
                }
            }
            _ => writeln!(output, "  p, l or c")?,
        }
    }
}

fn show(
    published: &Published,
    impact: &Impact,
    channels: &BTreeSet<String>,
    done: bool,
    format: Format,
) -> anyhow::Result<Exit> {
    match format {
        Format::Json => {
            let mut all = serde_json::to_value(published)?;
            all["impact"] = json!(impact);
            println!("{}", serde_json::to_string_pretty(&all)?);
        }
        Format::Text => print!("{}", told(published, channels, done)),
    }
    Ok(Exit::Good)
}

fn told(published: &Published, channels: &BTreeSet<String>, done: bool) -> String {
    let version = &published.version;
    let mut text = match (published.new, done) {
        (false, _) => {
            return format!(
                "Nothing to do: version {} ({}) is these flows, and it is published.\n",
                version.number, version.hash
            );
        }
        (true, true) => format!("Version {} ({}) is published", version.number, version.hash),
        (true, false) => {
            format!("Version {} ({}) would be published", version.number, version.hash)
        }
    };
    match published.before {
        0 => text.push_str("; none was before.\n"),
        before => text.push_str(&format!("; before it was version {before}.\n")),
    }
    for line in &published.changed {
        text.push_str(&format!("  {line}\n"));
    }
    for path in &published.left {
        text.push_str(&format!(
            "  {path} is too large to be kept with it, and is sent as it is in the folder\n"
        ));
    }
    let numbers: Vec<&str> = channels.iter().map(String::as_str).collect();
    text.push_str(&match (numbers.is_empty(), done) {
        (true, _) => "No number runs it: only the published number of an [[agent]] does.\n".to_owned(),
        (false, true) => {
            format!(
                "It answers on {}; a running server takes it over within a second or two.\n",
                numbers.join(", ")
            )
        }
        (false, false) => format!("It would answer on {}.\n", numbers.join(", ")),
    });
    text
}

/// The lines that stand above the question.
fn told_impact(impact: &Impact, would: &Published) -> String {
    let number = would.version.number;
    let short: String = would
        .version
        .hash
        .trim_start_matches("b3:")
        .chars()
        .take(4)
        .collect();
    let over = match would.before {
        0 => String::new(),
        before => format!(" over {before}"),
    };
    let flows = would.changed.iter().filter(|line| line.contains(".flow")).count();
    let flows = match flows {
        1 => "1 flow changed".to_owned(),
        flows => format!("{flows} flows changed"),
    };
    let mut text = format!("Publish version {number}{over}?   draft {short} · {flows}\n\n");
    let is = |people: usize| if people == 1 { "is" } else { "are" };
    let persons = |people: usize| if people == 1 { "person" } else { "people" };
    let waiting = impact.waiting;
    if waiting > 0 {
        let says = format!(
            "{} {} waiting for an answer in these flows.",
            persons(waiting),
            is(waiting)
        );
        row(&mut text, waiting, &says, "");
    }
    match impact.carry_on {
        0 => {}
        1 => {
            let says = format!("carries on in version {number} – the question means the same.");
            row(&mut text, 1, &says, "");
        }
        people => {
            let says = format!("carry on in version {number} – their question means the same.");
            row(&mut text, people, &says, "");
        }
    }
    for moved in &impact.steps {
        let place = format!("{} / {}", moved.flow, moved.step);
        let what = match moved.how {
            How::Gone => "which is gone",
            How::Changed => "where an answer means something else now",
            How::Lacking => "and were never asked for what is said after it now",
            How::Lost => "in a version that is not kept any more",
        };
        let says = format!("{} in \"{place}\", {what}", is(moved.people));
        row(&mut text, moved.people, &says, moved.code);
        for further in goes_on(moved, number) {
            text.push_str(&format!("       {further}\n"));
        }
    }
    for option in &impact.options {
        let says = format!(
            "{} [{}] of \"{} / {}\" on the screen, which is gone",
            if option.people == 1 { "has" } else { "have" },
            option.option,
            option.flow,
            option.step
        );
        row(&mut text, option.people, &says, option.code);
    }
    for field in &impact.fields {
        let retyped = format!("{} was {} and is {}", field.field, field.before, field.now);
        let all = match field.held {
            None => "what can't be read so is unknown",
            Some(Held { people: 0, .. }) => "nobody has one yet",
            Some(Held { unfit: 0, .. }) => "every value can be read so",
            Some(Held { people, unfit }) => {
                let (has, it) = match unfit {
                    1 => ("has", "it counts"),
                    _ => ("have", "they count"),
                };
                let says = format!("of {people} {has} a {} that is no {}", field.field, field.now);
                row(&mut text, unfit, &says, field.code);
                text.push_str(&format!(
                    "       It was {}; {it} as unknown from then on.\n",
                    field.before
                ));
                continue;
            }
        };
        let says = format!("     {retyped}: {all}");
        text.push_str(&format!("{says:<71} {}\n", field.code));
    }
    for plan in &impact.plans {
        let place = match &plan.step {
            Some(step) => format!("{} / {step}", plan.flow),
            None => plan.flow.clone(),
        };
        let becomes = match plan.unchanged {
            true => "unchanged",
            false => "it is gone, so the version that planned it carries it out",
        };
        let (plans, are) = match plan.people {
            1 => ("plan", "is"),
            _ => ("plans", "are"),
        };
        text.push_str(&format!(
            "{:>4} {plans} \"{}\" {are} due for \"{place}\": {becomes}.\n",
            plan.people, plan.plan
        ));
    }
    for settled in &impact.settled {
        text.push_str(&format!(
            "     hint: nobody waits under the old name of \"{} / {}\": (was {}) can go.\n",
            settled.flow, settled.step, settled.was
        ));
    }
    text.push('\n');
    text
}

/// How many, what of them, and the code at the right.
fn row(text: &mut String, people: usize, says: &str, code: &str) {
    let one = format!("{people:>4} {says}");
    text.push_str(&match code {
        "" => format!("{one}\n"),
        code => format!("{one:<71} {code}\n"),
    });
}

/// What becomes of people whose question is not the same any more.
fn goes_on(moved: &Moved, number: u32) -> Vec<String> {
    let old = match moved.version {
        Some(version) => format!("version {version}"),
        None => "their version".to_owned(),
    };
    let (they, finish, join) = match moved.people {
        1 => ("The person", "finishes", "joins"),
        _ => ("They", "finish", "join"),
    };
    let mut rows = match (moved.how, moved.joins.as_slice()) {
        (How::Lost, _) => vec![format!(
            "{they} {} from the flow's first step.",
            if moved.people == 1 { "starts" } else { "start" }
        )],
        (How::Lacking, _) => vec![format!(
            "{they} {} in {old} until nothing of it is missing.",
            if moved.people == 1 { "goes on" } else { "go on" }
        )],
        (How::Gone | How::Changed, []) => vec![format!("{they} {finish} this flow in {old}.")],
        (How::Gone | How::Changed, joins) => {
            let joins: Vec<String> = joins.iter().take(3).map(|step| format!("\"{step}\"")).collect();
            vec![
                format!("{they} {finish} this one question in {old}, then {join} {number}"),
                format!("at {}.", joins.join(" or ")),
            ]
        }
    };
    if let Some(renamed) = &moved.renamed {
        rows.push(format!("Renamed it? Write  step {renamed} (was {})", moved.step));
        rows.push(format!(
            "and {} at once.",
            if moved.people == 1 {
                "the person joins"
            } else {
                "they join"
            }
        ));
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::impact::{Follow, Retyped, Settled, Withdrawn};
    use crate::server::versions::Version;

    fn would() -> Published {
        Published {
            version: Version {
                number: 13,
                hash: "b3:9c1e77aa".to_owned(),
                at: jiff::Timestamp::UNIX_EPOCH,
                by: String::new(),
                note: String::new(),
                chats: Some(4),
                media: BTreeMap::new(),
                again: Vec::new(),
            },
            new: true,
            before: 12,
            changed: [
                "a.flow is changed",
                "b.flow is new",
                "c.flow is gone",
                "x.png is changed",
            ]
            .map(str::to_owned)
            .to_vec(),
            left: Vec::new(),
        }
    }

    fn moved(people: usize, how: How) -> Moved {
        Moved {
            code: "F801",
            flow: "order tracking".to_owned(),
            step: "ask for the number".to_owned(),
            people,
            how,
            version: Some(12),
            joins: vec!["look it up".to_owned()],
            renamed: (how == How::Gone).then(|| "which order".to_owned()),
            contacts: vec!["0123".to_owned()],
        }
    }

    #[test]
    fn whom_it_touches_is_said_in_words_before_it_is_asked() {
        let impact = Impact {
            waiting: 31,
            carry_on: 17,
            steps: vec![moved(14, How::Gone)],
            plans: vec![Follow {
                plan: "reminder".to_owned(),
                flow: "fitting".to_owned(),
                step: Some("remind".to_owned()),
                people: 2,
                unchanged: true,
            }],
            ..Impact::default()
        };
        let expected = "\
Publish version 13 over 12?   draft 9c1e · 3 flows changed

  31 people are waiting for an answer in these flows.
  17 carry on in version 13 – their question means the same.
  14 are in \"order tracking / ask for the number\", which is gone        F801
       They finish this one question in version 12, then join 13
       at \"look it up\".
       Renamed it? Write  step which order (was ask for the number)
       and they join at once.
   2 plans \"reminder\" are due for \"fitting / remind\": unchanged.

";
        assert_eq!(told_impact(&impact, &would()), expected);
    }

    #[test]
    fn one_person_is_one_and_every_code_is_named() {
        let impact = Impact {
            waiting: 1,
            steps: vec![moved(1, How::Changed)],
            options: vec![Withdrawn {
                code: "F803",
                flow: "desk".to_owned(),
                step: "ask".to_owned(),
                option: "No".to_owned(),
                people: 1,
            }],
            fields: [
                None,
                Some(Held { people: 12, unfit: 3 }),
                Some(Held { people: 2, unfit: 1 }),
                Some(Held { people: 5, unfit: 0 }),
                Some(Held::default()),
            ]
            .map(|held| Retyped {
                code: "F804",
                field: "contact.size".to_owned(),
                before: "text".to_owned(),
                now: "number".to_owned(),
                held,
            })
            .to_vec(),
            settled: vec![Settled {
                flow: "desk".to_owned(),
                step: "which order".to_owned(),
                was: "ask".to_owned(),
            }],
            ..Impact::default()
        };
        let text = told_impact(&impact, &would());
        for line in [
            "   1 person is waiting for an answer in these flows.",
            "       The person finishes this one question in version 12, then joins 13",
            "   1 has [No] of \"desk / ask\" on the screen, which is gone",
            "     contact.size was text and is number: what can't be read so is unknown",
            "   3 of 12 have a contact.size that is no number                        F804\n       It was text; they count as unknown from then on.\n",
            "   1 of 2 has a contact.size that is no number                          F804\n       It was text; it counts as unknown from then on.\n",
            "     contact.size was text and is number: every value can be read so",
            "     contact.size was text and is number: nobody has one yet",
            "     hint: nobody waits under the old name of \"desk / which order\": (was ask) can go.",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
        for code in ["F801", "F803", "F804"] {
            assert!(text.contains(code), "{text}");
        }
    }

    #[test]
    fn who_is_asked_may_look_at_the_list_first_and_nothing_is_no_yes() {
        let impact = Impact {
            waiting: 14,
            steps: vec![moved(14, How::Gone)],
            ..Impact::default()
        };
        let ask = |typed: &str| {
            let mut said = Vec::new();
            let agreed = answered(&mut typed.as_bytes(), &mut said, &impact).unwrap();
            (agreed, String::from_utf8(said).unwrap())
        };
        let (agreed, said) = ask("l\nhm\np\n");
        assert!(agreed && said.contains("[l]ist the 14   [c]ancel"), "{said}");
        assert!(
            said.contains("    0123\n    and 13 more\n") && said.contains("  p, l or c\n"),
            "{said}"
        );
        assert!(!ask("c\n").0 && !ask("").0 && !ask("No\n").0 && ask("y\n").0);
    }
}
