//! Texts with a shape: `like` patterns, e-mail addresses, phone numbers, web addresses.

/// `#` digit, `@` letter, `*` anything, other characters themselves in any case. The result takes the pattern's case.
///
/// The whole message fits, or one word of it does and the pattern has a digit in it: "it's a-12345" answers
/// `A-#####`.
pub(super) fn like(pattern: &str, text: &str) -> Option<String> {
    let pattern: Vec<char> = pattern.chars().collect();
    if let Some(fitted) = fitted(&pattern, text) {
        return Some(fitted);
    }
    let by_word = pattern.contains(&'#') && !pattern.contains(&'*') && !pattern.contains(&' ');
    if !by_word {
        return None;
    }
    let mut found = text
        .split_whitespace()
        .map(|word| {
            word.trim_matches(|c: char| {
                matches!(c, '.' | ',' | ';' | ':' | '!' | '?' | '"' | '(' | ')' | '*')
            })
        })
        .filter_map(|word| fitted(&pattern, word));
    let first = found.next()?;
    found.all(|other| other == first).then_some(first)
}

/// A pattern spoken aloud: "it is order a 1 2 3 4 5" answers `A-#####`. Only letters and digits count, and the run of
/// whole words that fits must be the only one.
pub(super) fn spoken(pattern: &str, text: &str) -> Option<String> {
    if !pattern.contains('#') || pattern.contains('*') {
        return None;
    }
    let written: Vec<char> = pattern.chars().collect();
    let heard = |part: &char| part.is_alphanumeric() || matches!(part, '#' | '@');
    let said: Vec<char> = written.iter().copied().filter(heard).collect();
    let words: Vec<String> = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(|word| digit(word).map_or_else(|| word.to_owned(), |digit| digit.to_string()))
        .collect();
    let mut found = (0..words.len()).filter_map(|first| {
        let mut run: Vec<char> = Vec::with_capacity(said.len());
        let mut behind = first;
        while run.len() < said.len()
            && let Some(word) = words.get(behind)
        {
            run.extend(word.chars());
            behind += 1;
        }
        // A number that goes on is another number.
        let goes_on = |part: Option<&char>, word: Option<&String>| {
            part == Some(&'#') && word.is_some_and(|word| word.chars().all(|c| c.is_ascii_digit()))
        };
        let before = first.checked_sub(1).and_then(|before| words.get(before));
        let fits = run.len() == said.len()
            && said.iter().zip(&run).all(|(part, c)| fits(*part, *c))
            && !goes_on(said.last(), words.get(behind))
            && !goes_on(said.first(), before);
        let mut run = run.into_iter();
        fits.then(|| {
            let put = |part: &char| match part {
                '#' | '@' => run.next().unwrap_or(*part),
                part if heard(part) => {
                    run.next();
                    *part
                }
                part => *part,
            };
            written.iter().map(put).collect::<String>()
        })
    });
    let first = found.next()?;
    found.all(|other| other == first).then_some(first)
}

/// Digits as they are said in English, which speech recognition sometimes writes out.
fn digit(word: &str) -> Option<usize> {
    let words = [
        "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine",
    ];
    let word = word.to_lowercase();
    words
        .iter()
        .position(|digit| *digit == word)
        .or_else(|| (word == "oh").then_some(0))
}

fn fitted(pattern: &[char], text: &str) -> Option<String> {
    let text: Vec<char> = text.trim().chars().collect();
    // Long texts against patterns with several `*` would take their product; no pattern needs more than this.
    if text.len() > 1_000 {
        return None;
    }
    // `reach[i]`: the pattern up to here fits the first `i` characters. Walked back afterwards for the case.
    let mut rows = vec![vec![false; text.len() + 1]];
    rows[0][0] = true;
    for part in pattern {
        let last = &rows[rows.len() - 1];
        let mut row = vec![false; text.len() + 1];
        let mut open = false;
        for at in 0..=text.len() {
            row[at] = if *part == '*' {
                open |= last[at];
                open
            } else {
                at > 0 && last[at - 1] && fits(*part, text[at - 1])
            };
        }
        rows.push(row);
    }
    if !rows[pattern.len()][text.len()] {
        return None;
    }
    let mut fitted: Vec<char> = Vec::with_capacity(text.len());
    let mut at = text.len();
    for (row, part) in pattern.iter().enumerate().rev() {
        if *part == '*' {
            while !rows[row][at] {
                at -= 1;
                fitted.push(text[at]);
            }
        } else {
            at -= 1;
            fitted.push(if matches!(part, '#' | '@') {
                text[at]
            } else {
                *part
            });
        }
    }
    Some(fitted.into_iter().rev().collect())
}

fn fits(part: char, typed: char) -> bool {
    match part {
        '#' => typed.is_ascii_digit(),
        '@' => typed.is_alphabetic(),
        // Phones like to write long dashes and curly quotes.
        '-' => matches!(typed, '-' | '–' | '—' | '‑'),
        '\'' => matches!(typed, '\'' | '’'),
        own => own == typed || own.to_lowercase().eq(typed.to_lowercase()),
    }
}

/// The one e-mail address in a message.
pub(super) fn email(text: &str) -> Option<String> {
    let mut found = text.split_whitespace().map(trimmed).filter(|word| is_email(word));
    let first = found.next()?;
    found.all(|other| other == first).then(|| first.to_owned())
}

fn is_email(word: &str) -> bool {
    let Some((user, host)) = word.split_once('@') else {
        return false;
    };
    let user_ok = !user.is_empty()
        && user.len() <= 64
        && !user.starts_with('.')
        && !user.ends_with('.')
        && user
            .chars()
            .all(|c| c.is_alphanumeric() || "!#$%&'*+/=?^_`{|}~.-".contains(c));
    user_ok && is_host(host)
}

fn is_host(host: &str) -> bool {
    let labels: Vec<&str> = host.split('.').collect();
    let label_ok = |label: &&str| -> bool {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
    };
    host.len() <= 253
        && labels.len() >= 2
        && labels.iter().all(label_ok)
        && labels
            .last()
            .is_some_and(|last| last.chars().count() >= 2 && last.chars().all(char::is_alphabetic))
}

/// A phone number: 7 to 15 digits, kept as `+351910000001` or as the digits given.
pub(super) fn phone(text: &str) -> Option<String> {
    let text = text.trim();
    let allowed =
        |c: char| c.is_ascii_digit() || matches!(c, '+' | ' ' | '-' | '–' | '.' | '(' | ')' | '/' | '\u{A0}');
    if !text.chars().all(allowed) || text.rfind('+').is_some_and(|at| at > 0) {
        return None;
    }
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let (plus, digits) = match (text.starts_with('+'), digits.strip_prefix("00")) {
        (true, _) => ("+", digits.as_str()),
        (false, Some(international)) => ("+", international),
        (false, None) => ("", digits.as_str()),
    };
    (7..=15)
        .contains(&digits.len())
        .then(|| format!("{plus}{digits}"))
}

/// The one web address in a message; `https://` is put before a bare host.
pub(super) fn web_address(text: &str) -> Option<String> {
    let mut found = text.split_whitespace().map(trimmed).filter_map(|word| {
        let lower = word.to_lowercase();
        let (scheme, rest) = match (lower.strip_prefix("https://"), lower.strip_prefix("http://")) {
            (Some(_), _) => ("", &word[8..]),
            (None, Some(_)) => ("", &word[7..]),
            (None, None) => ("https://", word),
        };
        let host = rest.split(['/', '?', '#']).next()?;
        let host = host.split(':').next()?;
        (is_host(host) && !rest.contains('@')).then(|| format!("{scheme}{word}"))
    });
    let first = found.next()?;
    found.all(|other| other == first).then_some(first)
}

fn trimmed(word: &str) -> &str {
    word.trim_matches(|c: char| matches!(c, ',' | ';' | ':' | '!' | '?' | '"' | '(' | ')' | '<' | '>'))
        .trim_end_matches('.')
}
