//! When a team is there: opening hours over time zones, daylight saving and midnight.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::sentences::sentences;
use crate::flow::locale::{Language, days_between};
use crate::flow::program::{Hours, Team};

/// How far ahead an opening is looked for.
const HORIZON_DAYS: i32 = 400;

pub(super) fn is_open(team: &Team, at: Timestamp, zone: &TimeZone) -> bool {
    if team.hours.is_empty() && team.closed_on.is_empty() {
        return true;
    }
    let today = zone.to_datetime(at).date();
    // Hours that began yesterday may run over midnight.
    [yesterday(today), Some(today)]
        .into_iter()
        .flatten()
        .flat_map(|day| spans(team, day))
        .any(|(from, to)| {
            instant(from, zone).is_some_and(|from| from <= at) && instant(to, zone).is_some_and(|to| at < to)
        })
}

/// The next moment at which a closed team opens. `None` if it never does.
pub(super) fn opens(team: &Team, at: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    let today = zone.to_datetime(at).date();
    let mut day = today;
    for _ in 0..HORIZON_DAYS {
        let next = spans(team, day)
            .filter_map(|(from, _)| instant(from, zone))
            .filter(|from| *from > at)
            .min();
        if next.is_some() {
            return next;
        }
        day = day.tomorrow().ok()?;
    }
    None
}

/// "today at 14:00", "tomorrow at 09:00", "on Monday at 09:00", in the customer's language.
pub(super) fn opens_in_words(
    team: &Team,
    at: Timestamp,
    zone: &TimeZone,
    language: &'static Language,
) -> Option<String> {
    let words = sentences(language);
    if is_open(team, at, zone) {
        return Some(words.opens_now.to_owned());
    }
    let opening = zone.to_datetime(opens(team, at, zone)?);
    let today = zone.to_datetime(at).date();
    let time = language.time(opening.time());
    Some(match days_between(today, opening.date()) {
        0 => words.opens_today.replace("{}", &time),
        1 => words.opens_tomorrow.replace("{}", &time),
        days => {
            let day = if days < 7 {
                language.weekday(opening.weekday()).to_owned()
            } else {
                language.day(opening.date(), today)
            };
            words.opens_on.replace("{day}", &day).replace("{}", &time)
        }
    })
}

/// The team's hours that begin on a day, as local times.
fn spans(team: &Team, day: Date) -> impl Iterator<Item = (DateTime, DateTime)> + '_ {
    let weekday = day.weekday().to_monday_one_offset();
    let always = team.hours.is_empty().then(|| {
        // No hours, only closed days: open from midnight to midnight.
        (Time::midnight(), Time::midnight())
    });
    let closed = team.closed_on.contains(&day);
    let written = team
        .hours
        .iter()
        .filter(move |hours| covers(hours, weekday))
        .map(|hours| (hours.from, hours.to));
    written
        .chain(always)
        .filter(move |_| !closed)
        .filter_map(move |(from, to)| {
            let until = if to <= from { day.tomorrow().ok()? } else { day };
            Some((day.to_datetime(from), until.to_datetime(to)))
        })
}

/// `fri to mon` runs over the end of the week.
fn covers(hours: &Hours, weekday: i8) -> bool {
    if hours.first <= hours.last {
        (hours.first..=hours.last).contains(&weekday)
    } else {
        weekday >= hours.first || weekday <= hours.last
    }
}

/// A local time that the clock skips in spring is the moment of the change; one that comes twice is the first.
fn instant(local: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    zone.to_ambiguous_timestamp(local).compatible().ok()
}

fn yesterday(day: Date) -> Option<Date> {
    day.checked_sub(1.day()).ok()
}

#[cfg(test)]
mod tests {
    use jiff::civil::{date, time};

    use super::*;

    fn team(hours: &[(i8, i8, Time, Time)]) -> Team {
        Team {
            name: "support".to_owned(),
            title: "Customer care".to_owned(),
            hours: hours
                .iter()
                .map(|(first, last, from, to)| Hours {
                    first: *first,
                    last: *last,
                    from: *from,
                    to: *to,
                })
                .collect(),
            closed_on: vec![date(2026, 12, 25)],
        }
    }

    fn care() -> Team {
        team(&[
            (1, 5, time(9, 0, 0, 0), time(18, 0, 0, 0)),
            (6, 6, time(10, 0, 0, 0), time(14, 0, 0, 0)),
        ])
    }

    fn lisbon() -> TimeZone {
        TimeZone::get("Europe/Lisbon").unwrap()
    }

    #[track_caller]
    fn at(text: &str) -> Timestamp {
        text.parse::<DateTime>()
            .unwrap()
            .to_zoned(lisbon())
            .unwrap()
            .timestamp()
    }

    #[track_caller]
    fn says(team: &Team, now: &str, expected: &str) {
        let words = opens_in_words(team, at(now), &lisbon(), Language::of("en"));
        assert_eq!(words.as_deref(), Some(expected), "{now}");
    }

    #[test]
    fn a_team_is_open_from_its_first_minute_to_before_its_last() {
        let (team, zone) = (care(), lisbon());
        for (now, open) in [
            ("2026-03-02 08:59:59", false),
            ("2026-03-02 09:00", true),
            ("2026-03-02 17:59:59", true),
            ("2026-03-02 18:00", false),
            ("2026-03-07 13:00", true),
            ("2026-03-08 12:00", false),
            ("2026-12-25 12:00", false),
        ] {
            assert_eq!(is_open(&team, at(now), &zone), open, "{now}");
        }
    }

    #[test]
    fn the_next_opening_is_said_in_words() {
        let team = care();
        says(&team, "2026-03-02 07:00", "today at 09:00");
        says(&team, "2026-03-02 19:00", "tomorrow at 09:00");
        says(&team, "2026-03-07 15:00", "on Monday at 09:00");
        says(&team, "2026-03-02 10:00", "now");
        says(&team, "2026-12-24 20:00", "on Saturday at 10:00");
    }

    #[test]
    fn hours_may_run_over_midnight() {
        let bar = team(&[(5, 6, time(20, 0, 0, 0), time(2, 0, 0, 0))]);
        let zone = lisbon();
        assert!(is_open(&bar, at("2026-03-07 01:30"), &zone));
        assert!(is_open(&bar, at("2026-03-08 01:30"), &zone));
        assert!(!is_open(&bar, at("2026-03-08 02:00"), &zone));
        assert!(!is_open(&bar, at("2026-03-06 01:30"), &zone));
    }

    #[test]
    fn days_that_run_over_the_end_of_the_week_count() {
        let weekend = team(&[(6, 1, time(9, 0, 0, 0), time(12, 0, 0, 0))]);
        let zone = lisbon();
        assert!(is_open(&weekend, at("2026-03-02 10:00"), &zone));
        assert!(is_open(&weekend, at("2026-03-08 10:00"), &zone));
        assert!(!is_open(&weekend, at("2026-03-03 10:00"), &zone));
    }

    #[test]
    fn daylight_saving_moves_the_instant_not_the_clock_on_the_wall() {
        // Lisbon went to summer time on 29 March 2026.
        let (team, zone) = (care(), lisbon());
        let before = opens(&team, at("2026-03-27 19:00"), &zone).unwrap();
        assert_eq!(before.to_string(), "2026-03-28T10:00:00Z");
        let after = opens(&team, at("2026-03-28 15:00"), &zone).unwrap();
        assert_eq!(after.to_string(), "2026-03-30T08:00:00Z");
        // A shop that opens at 01:30 opens at the moment of the change, and is open right after.
        let night = self::team(&[(7, 7, time(1, 30, 0, 0), time(5, 0, 0, 0))]);
        assert!(is_open(&night, "2026-03-29T02:00:00Z".parse().unwrap(), &zone));
    }

    #[test]
    fn a_team_without_hours_is_always_there() {
        assert!(is_open(
            &Team {
                closed_on: vec![],
                ..team(&[])
            },
            at("2026-03-08 03:00"),
            &lisbon()
        ));
        assert!(!is_open(&team(&[]), at("2026-12-25 12:00"), &lisbon()));
    }
}
