//! Plans of other days: `later reminder 1 day before visit.day -> remind`.
//!
//! A plan waits in the position, outlives the session, and is carried out only while nothing runs: an open question or
//! a person in the chat holds it up for at most twelve hours, then it lapses. Nobody who opted out is written to.

use std::collections::BTreeMap;

use jiff::civil::{DateTime, Time};
use jiff::{SignedDuration, Timestamp};

use super::faults::Failed;
use super::position::{Mode, Planned};
use super::run::{Next, Run};
use super::silence::later;
use super::turn::Log;
use crate::flow::program::{Due, Jump, Plan};
use crate::flow::template::kind_of;
use crate::flow::value::{Record, Value};

/// Beginning of a plan's timer.
pub(super) const TIMER: &str = "later/";

/// Whether this timer is a flow's plan: what it leads to nobody asked for just now.
pub fn is_plan(timer: &str) -> bool {
    timer.starts_with(TIMER)
}
/// How long a plan waits for a chat that is busy.
const PATIENCE: u64 = 12 * 3600;
/// Plans of one contact; a further one lapses at once.
pub(super) const PLANS: usize = 20;
/// A date without a time means this one.
const MORNING: Time = Time::constant(9, 0, 0, 0);

/// What waits because of an event has a number behind its name, so that each of several waits.
fn name_of(plan: &str) -> &str {
    plan.split_once('#').map_or(plan, |(name, _)| name)
}

impl Run<'_> {
    pub(super) fn plan(&mut self, plan: &Plan) -> Result<(), Failed> {
        let due = self.due(&plan.due)?;
        self.p.later.retain(|planned| planned.name != plan.name);
        if due <= self.at || self.p.later.len() >= PLANS {
            // What should have been said yesterday is not said today.
            self.log.push(Log::Lapsed {
                plan: plan.name.clone(),
            });
            return Ok(());
        }
        let program = &self.m.program;
        let (flow, step, values) = match &plan.to {
            Jump::Step(step) => {
                let step = &program.steps[*step as usize];
                let flow = &program.flows[step.flow as usize].name;
                (flow.clone(), Some(step.name.clone()), self.values_to_keep(flow))
            }
            Jump::Flow { flow, args } => {
                let values = self.args(args)?;
                (program.flows[*flow as usize].name.clone(), None, values)
            }
            Jump::To(_) | Jump::Again | Jump::Back | Jump::Start => {
                return Err(self.failed("a plan that leads to no step"));
            }
        };
        self.p.later.push(Planned {
            name: plan.name.clone(),
            due,
            flow,
            step,
            program: program.hash.clone(),
            values,
        });
        Ok(())
    }

    fn values_to_keep(&self, flow: &str) -> Record {
        let mut values = self
            .p
            .frames
            .last()
            .filter(|frame| frame.flow == flow)
            .map(|frame| frame.locals.clone())
            .unwrap_or_default();
        for private in self.m.private.get(flow).into_iter().flatten() {
            values.remove(private);
        }
        values
    }

    fn due(&self, due: &Due) -> Result<Timestamp, Failed> {
        let (when, seconds) = match due {
            Due::In(seconds) => return Ok(later(self.at, *seconds)),
            Due::At(when) => (*when, 0),
            Due::From(seconds, when) => (*when, *seconds),
        };
        let value = self.eval(when)?;
        let at = match &value {
            Some(Value::Date(date)) => date.to_datetime(MORNING),
            Some(Value::Time(time)) => {
                let now = self.moment().0;
                let today = now.date().to_datetime(*time);
                if today > now {
                    today
                } else {
                    today.saturating_add(jiff::Span::new().days(1))
                }
            }
            Some(other) => {
                let what = kind_of(other);
                return Err(self.failed(format!("a plan needs a date, and this is {what}")));
            }
            None => return Err(self.failed("the date of a plan is not known")),
        };
        Ok(self.timestamp(at, seconds))
    }

    /// Whole days keep the time of day, whatever the clocks do in between.
    fn timestamp(&self, at: DateTime, seconds: i64) -> Timestamp {
        let (days, rest) = (seconds / 86_400, seconds % 86_400);
        let at = at.saturating_add(jiff::Span::new().days(days.clamp(-36_500, 36_500)));
        let zoned = self.m.zone.to_ambiguous_timestamp(at).compatible();
        let base = zoned.unwrap_or(if days < 0 { Timestamp::MIN } else { Timestamp::MAX });
        base.checked_add(SignedDuration::from_secs(rest)).unwrap_or(base)
    }

    /// Whether a plan could be carried out now.
    pub(super) fn is_free(&self) -> bool {
        self.p.frames.is_empty() && self.p.mode == Mode::Autopilot
    }

    /// When each plan's timer fires next: in time; as soon as the chat is free; or to lapse.
    pub(super) fn plan_timers(&self, timers: &mut BTreeMap<String, Timestamp>) {
        for planned in &self.p.later {
            let fires = if planned.due > self.at {
                planned.due
            } else if self.is_free() {
                self.at
            } else {
                later(planned.due, PATIENCE)
            };
            timers.insert(format!("{TIMER}{}", planned.name), fires);
        }
    }

    pub(super) fn planned_timer(&mut self, name: &str) {
        let due = |planned: &Planned| planned.name == name && planned.due <= self.at;
        let Some(at) = self.p.later.iter().position(due) else {
            return;
        };
        if !self.is_free() && later(self.p.later[at].due, PATIENCE) > self.at {
            return;
        }
        let planned = self.p.later.remove(at);
        let place = self.settle_plan(&planned);
        match place {
            Some((flow, step)) if self.is_free() && !self.memory.opted_out => {
                let plan = name_of(&planned.name).to_owned();
                self.log.push(Log::Followed { plan });
                self.open_uninvited();
                self.idle();
                self.push_frame(&self.m.program.flows[flow as usize].name, planned.values);
                self.log.push(Log::Started { flow: planned.flow });
                let pc = self.enter(step);
                self.finish_with(Ok(Next::At(pc)));
            }
            _ => self.log.push(Log::Lapsed {
                plan: name_of(&planned.name).to_owned(),
            }),
        }
    }
}
