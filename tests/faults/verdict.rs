//! What must hold after every scenario, counted, printed and asserted.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;
use std::io::Write as _;
use std::time::{Duration, Instant};

use super::business::NUDGE;
use super::fleet::Fleet;
use super::heard::{Heard, Reply, greets};

/// Webhooks are answered within two seconds whatever happens; a busy machine may add this much to what the client sees.
const SLACK: Duration = Duration::from_secs(3);
const ANSWERED_WITHIN: Duration = Duration::from_secs(2);

/// What a scenario allows.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bounds {
    /// Messages that may reach a customer twice besides those accepted when they could not be written down.
    pub duplicated: usize,
    /// Events that may have been put aside, because three workers died one after the other while they had them.
    pub put_aside: usize,
    /// Answers that may have been twice in doubt: they are not sent a third time.
    pub given_up: usize,
}

/// What the store says is not to be expected, by contact.
#[derive(Debug, Default)]
pub struct Excused {
    /// Numbers of messages that were put aside.
    pub aside: BTreeSet<(usize, u32)>,
    /// Of each answer that was given up, which messages it answers, in order.
    pub given_up: BTreeMap<usize, VecDeque<Vec<u32>>>,
}

impl Bounds {
    /// Hundreds of deaths, of workers or of the store below them, may come to three in a row for somebody's message; a few do
    /// not.
    pub fn after_deaths(times: usize) -> Bounds {
        Bounds {
            put_aside: times / 10,
            ..Bounds::default()
        }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct Verdict {
    pub name: String,
    pub seed: u64,
    /// Webhook messages answered with 2xx.
    pub messages_in: usize,
    /// Messages the provider accepted.
    pub replies_out: usize,
    /// Taken and never answered.
    pub lost: usize,
    /// Events that met the deaths of three workers, and are kept for a person to look at.
    pub put_aside: usize,
    /// Answers that were twice in doubt and are not sent a third time; the team has a note of each.
    pub given_up: usize,
    /// Sent again, word for word, under the same id.
    pub duplicated: usize,
    /// Those of them that no fault explains, each with the place to look for it in the logs.
    pub unexplained: Vec<String>,
    /// The contacts with a message that was never answered.
    pub unanswered: BTreeSet<usize>,
    pub out_of_order: usize,
    /// Answers that no right conversation has: a message applied twice, a count that is wrong.
    pub wrong: usize,
    /// Questions whether a silent customer is still there.
    pub nudges: usize,
    pub kills: usize,
    /// From the last fault until all that was taken before it was answered.
    pub recovery: Duration,
    /// The longest time from a message's acceptance to its answer.
    pub slowest: Duration,
    pub fenced: usize,
    pub p99: Duration,
    /// Webhooks answered with something else than 2xx, and the slowest of those answers.
    pub refused: usize,
    pub slowest_refusal: Duration,
    /// A scenario's own figures.
    pub more: Vec<(&'static str, String)>,
    /// Every promise that was broken, in words.
    pub findings: Vec<String>,
}

impl Verdict {
    /// Reads the conversations. `taken` says by contact when each of its messages was taken.
    pub fn of(
        name: &str,
        seed: u64,
        taken: &[Vec<Instant>],
        excused: Excused,
        heard: &Heard,
        fleet: &Fleet,
    ) -> Verdict {
        let mut verdict = Verdict {
            name: name.to_owned(),
            seed,
            messages_in: taken.iter().map(Vec::len).sum(),
            replies_out: heard.count(),
            given_up: excused.given_up.values().map(VecDeque::len).sum(),
            ..Verdict::default()
        };
        let Excused { aside, mut given_up } = excused;
        for (contact, taken) in taken.iter().enumerate() {
            let given_up = given_up.remove(&contact).unwrap_or_default();
            let aside = aside.iter().filter(|(whose, _)| *whose == contact);
            let aside = aside.map(|(_, number)| *number);
            let not_expected = aside.chain(given_up.iter().flatten().copied()).collect();
            verdict.read(contact, taken, &not_expected, given_up, heard.of(contact), fleet);
        }
        verdict
    }

    fn finds(&mut self, what: String) {
        // A thousand lines of the same kind help nobody.
        if self.findings.len() < 40 {
            self.findings.push(what);
        }
    }

    fn read(
        &mut self,
        contact: usize,
        taken: &[Instant],
        not_expected: &BTreeSet<u32>,
        mut given_up: VecDeque<Vec<u32>>,
        replies: &[Reply],
        fleet: &Fleet,
    ) {
        let mut by_id: BTreeMap<&str, (&str, Instant)> = BTreeMap::new();
        // By number; 0 is the greeting.
        let mut answered: BTreeMap<u32, Instant> = BTreeMap::new();
        let (mut last, mut turns) = (0, 0);
        for reply in replies {
            if let Some(&(first, at)) = by_id.get(&*reply.ours) {
                if first == reply.text {
                    self.duplicated += 1;
                    let explains = |&(from, to): &(Instant, Instant)| from <= at && at <= to;
                    if !fleet.unwritten.iter().any(explains) {
                        let (first, again) = (clock(at), clock(reply.at));
                        self.unexplained.push(format!(
                            "contact {contact}: {} was accepted at {first} and again at {again}",
                            reply.ours
                        ));
                    }
                } else {
                    self.wrong += 1;
                    let again = &reply.text;
                    self.finds(format!(
                        "contact {contact}: one id was sent as {first:?} and as {again:?}"
                    ));
                }
                continue;
            }
            by_id.insert(&reply.ours, (&reply.text, reply.at));
            if reply.text == NUDGE {
                self.nudges += 1;
                continue;
            }
            let Some(answer) = &reply.answer else {
                self.wrong += 1;
                self.finds(format!("contact {contact}: nobody asked for {:?}", reply.text));
                continue;
            };
            if greets(reply) {
                if answered.insert(0, reply.at).is_some() {
                    self.wrong += 1;
                    self.finds(format!("contact {contact}: greeted twice"));
                }
                continue;
            }
            turns += 1;
            // It may have arrived all the same.
            given_up.retain(|missed| *missed != answer.numbers);
            // An answer that was not sent counted, too.
            while given_up.front().is_some_and(|missed| missed < &answer.numbers) {
                given_up.pop_front();
                turns += 1;
            }
            if answer.session != turns || answer.memory != turns {
                self.wrong += 1;
                self.finds(format!(
                    "contact {contact}: answer {turns} counts {} in the session and {} in the memory",
                    answer.session, answer.memory
                ));
                turns = answer.session;
            }
            for number in &answer.numbers {
                if answered.insert(*number, reply.at).is_some() {
                    self.wrong += 1;
                    self.finds(format!("contact {contact}: message {number} was answered twice"));
                } else if *number < last {
                    self.out_of_order += 1;
                    self.finds(format!(
                        "contact {contact}: message {number} was answered after {last}"
                    ));
                }
                last = last.max(*number);
            }
        }
        for (number, taken) in taken.iter().enumerate() {
            let Some(at) = answered.get(&(number as u32)) else {
                if not_expected.contains(&(number as u32)) {
                    continue;
                }
                self.lost += 1;
                self.unanswered.insert(contact);
                self.finds(format!(
                    "contact {contact}: message {number} was taken and never answered"
                ));
                continue;
            };
            // A webhook that was stored, whose 200 got lost, is answered before it is taken.
            self.slowest = self.slowest.max(at.saturating_duration_since(*taken));
            if *taken <= fleet.last_fault {
                self.recovery = self.recovery.max(at.saturating_duration_since(fleet.last_fault));
            }
        }
        let known: BTreeSet<u32> = (0..taken.len() as u32).collect();
        for number in answered.keys().filter(|number| !known.contains(number)) {
            self.wrong += 1;
            self.finds(format!("contact {contact}: message {number} was never sent"));
        }
    }

    /// What must have happened, or the scenario showed nothing.
    pub fn needs(&mut self, what: &str, happened: bool) {
        if !happened {
            self.findings.push(format!("the scenario needs {what}"));
        }
    }

    /// Adds what the scenario's bounds say.
    pub fn judge(&mut self, bounds: Bounds) {
        let unexplained = std::mem::take(&mut self.unexplained);
        if unexplained.len() > bounds.duplicated {
            self.finds(format!(
                "{} messages were sent again though no fault explains it, {} at most may be",
                unexplained.len(),
                bounds.duplicated
            ));
            unexplained.into_iter().for_each(|one| self.finds(one));
        }
        if self.put_aside > bounds.put_aside {
            self.finds(format!(
                "{} events were put aside, {} at most may be",
                self.put_aside, bounds.put_aside
            ));
        }
        if self.given_up > bounds.given_up {
            self.finds(format!(
                "{} answers were given up, {} at most may be",
                self.given_up, bounds.given_up
            ));
        }
        if self.slowest_refusal > ANSWERED_WITHIN + SLACK {
            self.finds(format!(
                "a webhook was refused only after {:?}",
                self.slowest_refusal
            ));
        }
    }

    pub fn is_good(&self) -> bool {
        self.findings.is_empty()
    }

    /// The line of the table.
    pub fn line(&self) -> String {
        let mut line = format!(
            "{:<42} in {:>5} · out {:>5} · lost {} · duplicated {} · out of order {} · wrong {} · kills {} · fenced {} · \
             recovery {:.1} s · slowest answer {:.1} s · p99 ack {} ms · refused {} (slowest {} ms)",
            self.name,
            self.messages_in,
            self.replies_out,
            self.lost,
            self.duplicated,
            self.out_of_order,
            self.wrong,
            self.kills,
            self.fenced,
            self.recovery.as_secs_f64(),
            self.slowest.as_secs_f64(),
            self.p99.as_millis(),
            self.refused,
            self.slowest_refusal.as_millis(),
        );
        if self.put_aside > 0 {
            let _ = write!(line, " · put aside {}", self.put_aside);
        }
        if self.given_up > 0 {
            let _ = write!(line, " · given up and told to the team {}", self.given_up);
        }
        for (name, value) in &self.more {
            let _ = write!(line, " · {name} {value}");
        }
        let _ = write!(line, " · seed {}", self.seed);
        line
    }

    fn json(&self) -> serde_json::Value {
        let more: serde_json::Map<_, _> = self
            .more
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone().into()))
            .collect();
        serde_json::json!({
            "scenario": self.name, "seed": self.seed, "messages_in": self.messages_in, "replies_out": self.replies_out,
            "lost": self.lost, "put_aside": self.put_aside, "given_up": self.given_up, "duplicated": self.duplicated, "out_of_order": self.out_of_order, "wrong": self.wrong,
            "kills": self.kills, "fenced_commits": self.fenced, "recovery_ms": self.recovery.as_millis() as u64,
            "slowest_answer_ms": self.slowest.as_millis() as u64, "p99_ack_ms": self.p99.as_millis() as u64,
            "refused": self.refused, "slowest_refusal_ms": self.slowest_refusal.as_millis() as u64, "more": more,
            "findings": self.findings,
        })
    }

    /// Prints the line, and adds it to the file that `FAULTS_REPORT` names.
    pub fn print(&self) {
        eprintln!("{}", self.line());
        if let Some(path) = std::env::var_os("FAULTS_REPORT") {
            let file = std::fs::File::options().create(true).append(true).open(&path);
            let written = file.and_then(|mut file| {
                writeln!(
                    file,
                    "{}",
                    serde_json::json!({ "line": self.line(), "verdict": self.json() })
                )
            });
            written.unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        }
    }

    /// Prints it and fails if a promise was broken.
    #[track_caller]
    pub fn holds(self) {
        self.print();
        assert!(self.is_good(), "{}\n{}", self.line(), self.findings.join("\n"));
    }
}

/// When that was, as the workers' logs write it.
fn clock(at: Instant) -> String {
    let ago = jiff::SignedDuration::try_from(at.elapsed()).unwrap_or_default();
    (jiff::Timestamp::now() - ago)
        .strftime("%H:%M:%S%.3f")
        .to_string()
}
