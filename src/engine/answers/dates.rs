//! Days and times of day in words and figures.

use jiff::ToSpan;
use jiff::civil::{Date, Time};

use super::Reader;
use crate::flow::fold::plain;
use crate::flow::locale::{Language, days_between, index};
use crate::flow::tree::When;

/// A date in words (`tomorrow`, `friday`, `12 march`) or figures (`12/03`, `2026-03-12`), and whether it could have
/// been read in another way. Without a year it is the next such day, or the last one if a past date was asked for.
pub(super) fn date(said: &str, when: When, reader: &Reader) -> Option<(Date, bool)> {
    let today = reader.today;
    let fits = |date: Date| match when {
        When::Any => true,
        When::Future => date > today,
        When::Past => date < today,
    };
    let sure = |date: Date| fits(date).then_some((date, false));
    let languages = [reader.language, Language::of("en")];
    for language in languages {
        for (words, days) in [
            (language.today, 0),
            (language.tomorrow, 1),
            (language.day_after_tomorrow, 2),
            (language.yesterday, -1),
        ] {
            if words.contains(&said) {
                return sure(today.checked_add(days.days()).ok()?);
            }
        }
    }
    if let Ok(date) = said.parse::<Date>() {
        return sure(date);
    }
    if let Some(numbers) = figures(said) {
        return in_figures(&numbers, when, reader).filter(|(date, _)| fits(*date));
    }
    languages
        .into_iter()
        .find_map(|language| sure(in_words(said, language, when, today)?))
}

/// `12/03`, `12.3.2026`, `12-03-26`.
fn figures(said: &str) -> Option<Vec<i32>> {
    let parts: Vec<&str> = said
        .split(['/', '.', '-'])
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect();
    if !(2..=3).contains(&parts.len()) {
        return None;
    }
    parts
        .iter()
        .map(|part| (part.len() <= 4).then(|| part.parse().ok()).flatten())
        .collect()
}

fn in_figures(numbers: &[i32], when: When, reader: &Reader) -> Option<(Date, bool)> {
    let (first, second) = (*numbers.first()?, *numbers.get(1)?);
    if first > 31 {
        // Year first.
        return make(*numbers.get(2)?, second, Some(first), when, reader.today).map(|date| (date, false));
    }
    let year = numbers
        .get(2)
        .map(|year| if *year < 100 { 2000 + year } else { *year });
    let (day, month) = if reader.day_first {
        (first, second)
    } else {
        (second, first)
    };
    let both_ways = first <= 12 && second <= 12 && first != second;
    match make(day, month, year, when, reader.today) {
        Some(date) => Some((date, both_ways)),
        // The 25th month is a day after all.
        None => make(month, day, year, when, reader.today).map(|date| (date, false)),
    }
}

fn in_words(said: &str, language: &'static Language, when: When, today: Date) -> Option<Date> {
    let words: Vec<&str> = said
        .split([' ', ','])
        .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()))
        .filter(|word| !word.is_empty() && !language.date_fillers.contains(word))
        .collect();
    let (mut weekday, mut day, mut month, mut year) = (None, None, None, None);
    for word in &words {
        let figure = word.trim_end_matches(|c: char| c.is_alphabetic());
        let ordinal = &word[figure.len()..];
        if let Ok(number) = figure.parse::<i32>()
            && matches!(ordinal, "" | "st" | "nd" | "rd" | "th" | "o" | "º")
        {
            let slot = if number > 31 { &mut year } else { &mut day };
            if slot.replace(number).is_some() {
                return None;
            }
        } else if let Some(found) = weekday_named(word, language) {
            weekday.replace(found).is_none().then_some(())?;
        } else if let Some(found) = month_named(word, language) {
            month.replace(found).is_none().then_some(())?;
        } else {
            return None;
        }
    }
    match (weekday, day, month) {
        (_, Some(day), Some(month)) => make(day, month, year, when, today),
        (Some(weekday), None, None) if year.is_none() => Some(nearest_weekday(weekday, when, today)),
        _ => None,
    }
}

/// Monday is 0.
fn weekday_named(word: &str, language: &'static Language) -> Option<i32> {
    (0..7_usize)
        .find(|day| {
            let full = plain(language.weekdays[*day]);
            word == full
                || word == plain(language.short_weekdays[*day])
                || full.split('-').next() == Some(word)
                || language.weekday_words[*day].contains(&word)
        })
        .map(|day| day as i32)
}

fn month_named(word: &str, language: &'static Language) -> Option<i32> {
    let months = language.months.iter().map(|month| plain(month));
    // Three letters or more are enough: "mar", "sept".
    months
        .enumerate()
        .find(|(_, month)| month == word || (word.chars().count() >= 3 && month.starts_with(word)))
        .map(|(at, _)| at as i32 + 1)
}

fn nearest_weekday(weekday: i32, when: When, today: Date) -> Date {
    let ahead = (weekday - index(today.weekday()) as i32).rem_euclid(7);
    let days = match (when, ahead) {
        (When::Future, 0) => 7,
        (When::Past, 0) => -7,
        (When::Past, ahead) => ahead - 7,
        (When::Any | When::Future, ahead) => ahead,
    };
    today.checked_add(days.days()).unwrap_or(today)
}

fn make(day: i32, month: i32, year: Option<i32>, when: When, today: Date) -> Option<Date> {
    let day = i8::try_from(day).ok()?;
    let month = i8::try_from(month).ok()?;
    let in_year = |year: i16| Date::new(year, month, day).ok();
    if let Some(year) = year {
        return in_year(i16::try_from(year).ok()?);
    }
    let this = today.year();
    // Up to eight years, for the 29th of February.
    let years = 0..=8_i16;
    match when {
        When::Future => years.filter_map(|n| in_year(this + n)).find(|date| *date > today),
        When::Past => years.filter_map(|n| in_year(this - n)).find(|date| *date < today),
        When::Any => [this - 1, this, this + 1]
            .into_iter()
            .filter_map(in_year)
            .min_by_key(|date| days_between(today, *date).abs())
            .or_else(|| years.filter_map(|n| in_year(this + n)).next()),
    }
}

/// `14:30`, `14.30`, `2pm`, `2:30 pm`, `14h`, `14h30`, `9`, `noon`.
pub(super) fn time(said: &str, language: &'static Language) -> Option<Time> {
    for language in [language, Language::of("en")] {
        if language.noon.contains(&said) {
            return Some(Time::constant(12, 0, 0, 0));
        }
        if language.midnight.contains(&said) {
            return Some(Time::midnight());
        }
    }
    const BEFORE: [&str; 8] = ["at ", "as ", "a las ", "a la ", "pukul ", "jam ", "pkl ", "by "];
    let said = BEFORE
        .iter()
        .find_map(|word| said.strip_prefix(word))
        .unwrap_or(said);
    let compact: String = said.chars().filter(|c| !c.is_whitespace()).collect();
    let (clock, half) = match compact.replace("a.m", "am").replace("p.m", "pm") {
        text if text.ends_with("am") => (text[..text.len() - 2].to_owned(), Some(0)),
        text if text.ends_with("pm") => (text[..text.len() - 2].to_owned(), Some(12)),
        text => (text, None),
    };
    let clock = clock
        .trim_end_matches("hs")
        .trim_end_matches('h')
        .trim_end_matches("oclock")
        .trim_end_matches("o'clock");
    let (hour, minute) = clock.split_once([':', '.', 'h']).unwrap_or((clock, "0"));
    if hour.is_empty() || hour.len() > 2 || minute.len() > 2 {
        return None;
    }
    let (mut hour, minute): (i8, i8) = (hour.parse().ok()?, minute.parse().ok()?);
    if let Some(half) = half {
        if !(1..=12).contains(&hour) {
            return None;
        }
        hour = hour % 12 + half;
    }
    Time::new(if hour == 24 && minute == 0 { 0 } else { hour }, minute, 0, 0).ok()
}
