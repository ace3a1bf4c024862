//! One server, and the one connection that all share. While it is gone, calls fail at once: nothing is kept to be sent
//! later, for whoever asked has been told "no" by then. A task of its own brings it back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use redis::aio::ConnectionLike;
use redis::{Cmd, Pipeline, PushInfo, PushKind, RedisError, Value};
use tokio::sync::{Notify, watch};
use tokio::time::{timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use super::clock::ServerClock;
use super::door::{self, Door, Target};
use super::fault;
use super::sentinel::Sentinels;
use crate::store::StoreError;

/// How often a server is asked for the time, which also shows that it lives.
const BEAT: Duration = Duration::from_secs(2);
/// Pauses between attempts to connect.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// A connection that lasted for less was no success.
const LASTING: Duration = Duration::from_secs(5);

/// How the server to connect to is found.
#[derive(Debug)]
pub(super) enum Finding {
    Fixed(Target),
    /// Whom the sentinels name.
    Primary(Sentinels),
}

/// An open connection.
#[derive(Debug)]
pub(super) struct Line {
    shared: door::Shared,
    pub(super) target: Target,
    /// Differs from those before it.
    pub(super) number: u64,
    open: Arc<Closing>,
}

#[derive(Debug, Default)]
struct Closing {
    closed: AtomicBool,
    rung: Notify,
}

#[derive(Debug, Clone)]
enum State {
    /// Not tried yet.
    Opening,
    Up(Arc<Line>),
    Down(String),
}

#[derive(Debug)]
pub(super) struct Node {
    number: u64,
    finding: Finding,
    door: Door,
    answer: Duration,
    clock: Arc<ServerClock>,
    state: watch::Sender<State>,
    /// Somebody has reason to think that this line leads nowhere, or to the wrong server.
    doubted: watch::Sender<Option<(u64, String)>>,
    /// Tells the topology that a connection came or went.
    changed: Arc<Notify>,
}

/// An answer, or why there is none. A refusal of the server is an answer.
pub(super) type Answer = Result<Value, StoreError>;

impl Node {
    /// Begins to connect, and goes on until `stop`.
    pub(super) fn start(
        finding: Finding,
        door: Door,
        answer: Duration,
        clock: Arc<ServerClock>,
        changed: Arc<Notify>,
        stop: CancellationToken,
    ) -> Arc<Node> {
        let node = Arc::new(Node {
            number: unique(),
            finding,
            door,
            answer,
            clock,
            state: watch::Sender::new(State::Opening),
            doubted: watch::Sender::new(None),
            changed,
        });
        let kept = node.clone();
        tokio::spawn(async move {
            let closing = kept.clone();
            tokio::select! {
                () = kept.keep() => {}
                () = stop.cancelled() => {}
            }
            closing.state.send_replace(State::Down("it was closed".into()));
        });
        node
    }

    /// The open line, or why there is none. Waits only while the very first attempt lasts.
    pub(super) async fn line(&self) -> Result<Arc<Line>, StoreError> {
        match &*self.state.borrow() {
            State::Up(line) => return Ok(line.clone()),
            State::Down(why) => return Err(StoreError::Unavailable(why.clone())),
            State::Opening => {}
        }
        let mut state = self.state.subscribe();
        let tried = state
            .wait_for(|state| !matches!(state, State::Opening))
            .await
            .map(|state| state.clone());
        match tried {
            Ok(State::Up(line)) => Ok(line),
            Ok(State::Down(why)) => Err(StoreError::Unavailable(why)),
            Ok(State::Opening) | Err(_) => Err(StoreError::Unavailable("Redis was not reached yet".into())),
        }
    }

    /// Whether it is connected now.
    pub(super) fn is_up(&self) -> bool {
        matches!(*self.state.borrow(), State::Up(_))
    }

    /// Where it is connected to now.
    pub(super) fn target(&self) -> Option<Target> {
        match &*self.state.borrow() {
            State::Up(line) => Some(line.target.clone()),
            State::Opening | State::Down(_) => None,
        }
    }

    pub(super) fn door(&self) -> &Door {
        &self.door
    }

    /// One command, answered before `until`.
    pub(super) async fn ask(&self, command: &Cmd, until: Instant) -> Answer {
        let line = self.line().await?;
        line.still_open()?;
        let mut connection = line.shared.connection.clone();
        let asking = connection.send_packed_command(command);
        match timeout_at(until.into(), asking).await {
            Ok(answer) => line.judged(answer),
            Err(_) => Err(self.silent(&line)),
        }
    }

    /// Several commands in one go, answered before `until`.
    pub(super) async fn ask_all(
        &self,
        commands: &Pipeline,
        until: Instant,
    ) -> Result<Vec<Value>, StoreError> {
        let line = self.line().await?;
        line.still_open()?;
        let mut connection = line.shared.connection.clone();
        let asking = connection.req_packed_commands(commands, 0, commands.len());
        match timeout_at(until.into(), asking).await {
            Ok(Ok(answers)) => Ok(answers),
            Ok(Err(why)) => Err(line.judged(Err(why)).err().unwrap_or_else(|| {
                // The server refused the pipeline as a whole, which it does only to transactions.
                StoreError::Unknown("Redis refused several commands at once".into())
            })),
            Err(_) => Err(self.silent(&line)),
        }
    }

    /// No answer came in time: the server may have done it, and the next callers need not wait as long to learn that.
    fn silent(&self, line: &Line) -> StoreError {
        let why = format!(
            "{} gave no answer within {} ms",
            line.target,
            self.answer.as_millis()
        );
        self.doubt(line.number, &why);
        StoreError::Unknown(why)
    }

    /// Let the line with this number be opened anew. From now on nobody uses it.
    pub(super) fn doubt(&self, line: u64, why: &str) {
        let down = self.state.send_if_modified(|state| {
            let ours = matches!(state, State::Up(up) if up.number == line);
            if ours {
                *state = State::Down(why.to_owned());
            }
            ours
        });
        if down {
            self.doubted.send_replace(Some((line, why.to_owned())));
        }
    }

    /// Let whatever line there is be opened anew.
    pub(super) fn doubt_any(&self, why: &str) {
        let number = match &*self.state.borrow() {
            State::Up(line) => line.number,
            State::Opening | State::Down(_) => return,
        };
        self.doubt(number, why);
    }

    async fn keep(self: Arc<Node>) {
        let mut attempt = 0;
        loop {
            match self.open().await {
                Ok(line) => {
                    let line = Arc::new(line);
                    let since = Instant::now();
                    self.say(State::Up(line.clone()));
                    let why = self.watched(&line).await;
                    tracing::warn!(server = %line.target, %why, "the connection to Redis is lost; opening another");
                    self.say(State::Down(why));
                    if since.elapsed() > LASTING {
                        attempt = 0;
                        continue;
                    }
                }
                Err(why) => {
                    if attempt == 0 {
                        tracing::warn!(%why, "Redis can't be reached; trying again");
                    }
                    self.say(State::Down(why));
                }
            }
            tokio::time::sleep(pause(attempt)).await;
            attempt = attempt.saturating_add(1);
        }
    }

    fn say(&self, state: State) {
        self.state.send_replace(state);
        self.changed.notify_one();
    }

    async fn open(&self) -> Result<Line, String> {
        let target = match &self.finding {
            Finding::Fixed(target) => target.clone(),
            Finding::Primary(sentinels) => Target::Network(sentinels.primary().await?),
        };
        let open = Arc::new(Closing::default());
        let closing = open.clone();
        let heard = move |push: PushInfo| {
            if push.kind == PushKind::Disconnection {
                closing.closed.store(true, Ordering::SeqCst);
                closing.rung.notify_one();
            }
        };
        let shared = self.door.open_shared(&target, heard).await.map_err(inner)?;
        let line = Line {
            shared,
            target,
            number: unique(),
            open,
        };
        self.measure(&line).await?;
        if matches!(self.finding, Finding::Primary(_)) {
            line.is_primary(self.answer).await?;
        }
        Ok(line)
    }

    /// Returns why the line is of no more use.
    async fn watched(&self, line: &Line) -> String {
        let mut doubted = self.doubted.subscribe();
        loop {
            tokio::select! {
                () = line.open.rung.notified() => return format!("{} closed the connection", line.target),
                why = doubts(&mut doubted, line.number) => return why,
                () = tokio::time::sleep(BEAT) => {
                    if let Err(why) = self.measure(line).await {
                        return why;
                    }
                    if let Finding::Primary(sentinels) = &self.finding {
                        match sentinels.primary().await {
                            Ok(now) if Target::Network(now.clone()) != line.target => {
                                return format!("the sentinels name {now} as the primary, no more {}", line.target);
                            }
                            // Without sentinels the primary is still the primary.
                            Ok(_) | Err(_) => {}
                        }
                    }
                }
            }
        }
    }

    /// Asks for the time.
    async fn measure(&self, line: &Line) -> Result<(), String> {
        let asked = Instant::now();
        let mut connection = line.shared.connection.clone();
        let answer = timeout(self.answer, connection.req_packed_command(&redis::cmd("TIME"))).await;
        let answered = Instant::now();
        match answer {
            Err(_) => Err(format!(
                "{} gave no answer within {} ms",
                line.target,
                self.answer.as_millis()
            )),
            Ok(Err(why)) if why.code().is_none() => Err(format!("{}: {why}", line.target)),
            // A user that may not ask for the time: this machine's clock has to do.
            Ok(Err(_)) => Ok(()),
            Ok(Ok(value)) => {
                if let Ok((seconds, micros)) = redis::from_redis_value::<(i64, i64)>(value) {
                    let time = seconds.saturating_mul(1_000_000).saturating_add(micros);
                    self.clock.measured(self.number, time, asked, answered);
                }
                Ok(())
            }
        }
    }
}

/// Waits until somebody doubts the line of this number.
async fn doubts(doubted: &mut watch::Receiver<Option<(u64, String)>>, line: u64) -> String {
    let about = |doubt: &Option<(u64, String)>| doubt.as_ref().is_some_and(|(number, _)| *number == line);
    match doubted.wait_for(about).await {
        Ok(doubt) => doubt
            .as_ref()
            .map_or_else(|| "doubted".to_owned(), |(_, why)| why.clone()),
        // The sender is the node itself.
        Err(_) => "it was closed".to_owned(),
    }
}

impl Line {
    /// What is known to be closed gets nothing to send.
    fn still_open(&self) -> Result<(), StoreError> {
        if self.open.closed.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable(format!(
                "{} closed the connection",
                self.target
            )));
        }
        Ok(())
    }

    /// A broken connection leaves it open whether the command was carried out.
    fn judged(&self, answer: Result<Value, RedisError>) -> Answer {
        match answer {
            Ok(value) => Ok(value),
            Err(why) => match fault::said(why) {
                Ok(refusal) => Ok(refusal),
                Err(why) => Err(fault::broken(&self.target, &why)),
            },
        }
    }

    /// A server that the sentinels name may not know yet that it was promoted, or no more know that it was demoted.
    async fn is_primary(&self, answer: Duration) -> Result<(), String> {
        let mut connection = self.shared.connection.clone();
        let role = timeout(answer, connection.req_packed_command(&redis::cmd("ROLE"))).await;
        let role = match role {
            Ok(Ok(Value::Array(role))) => role,
            // A user that may not ask: the sentinels' word has to do.
            Ok(_) => return Ok(()),
            Err(_) => return Err(format!("{} gave no answer", self.target)),
        };
        match role.into_iter().next().map(redis::from_redis_value::<String>) {
            Some(Ok(role)) if role != "master" => Err(format!(
                "{} is a replica although the sentinels name it; waiting for them to agree",
                self.target
            )),
            Some(_) | None => Ok(()),
        }
    }
}

fn inner(why: StoreError) -> String {
    match why {
        StoreError::Unavailable(why) => why,
        other => other.to_string(),
    }
}

/// 50 ms, 100 ms … 2 s, up to a quarter shorter, so that many workers do not come at once.
pub(super) fn pause(attempt: u32) -> Duration {
    let whole = FIRST_PAUSE
        .saturating_mul(2_u32.saturating_pow(attempt.min(10)))
        .min(LONGEST_PAUSE);
    let mut byte = [0];
    // Without randomness all come at once, which is bearable.
    let _ = getrandom::fill(&mut byte);
    whole - whole.mul_f64(0.25 * f64::from(byte[0]) / 255.0)
}

fn unique() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_from_a_twentieth_of_a_second_to_two_seconds() {
        for attempt in 0..40 {
            let pause = pause(attempt);
            let whole = Duration::from_millis(50 << attempt.min(6)).min(LONGEST_PAUSE);
            assert!(
                pause <= whole && pause >= whole.mul_f64(0.74),
                "{attempt}: {pause:?}"
            );
        }
    }
}
