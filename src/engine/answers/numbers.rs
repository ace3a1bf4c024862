//! Numbers, amounts and ratings as people write them.

use rust_decimal::Decimal;

use crate::flow::locale::Language;

/// `1.234,50` or `1,234.50`, by language; with one mark only, its place decides what it is.
pub(super) fn number(text: &str, language: &'static Language) -> Option<Decimal> {
    let text: String = text
        .chars()
        .filter(|c| !matches!(c, ' ' | '\u{A0}' | '\u{202F}' | '\''))
        .collect();
    let (negative, digits) = match text.strip_prefix(['-', '−']) {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(&text)),
    };
    let valid = |c: char| c.is_ascii_digit() || matches!(c, '.' | ',');
    if digits.is_empty()
        || digits.len() > 30
        || !digits.chars().all(valid)
        || !digits.ends_with(|c: char| c.is_ascii_digit())
    {
        return None;
    }
    let point = decimal_mark(digits, language)?;
    let plain: String = digits
        .chars()
        .filter_map(|c| match c {
            '.' | ',' if Some(c) == point => Some('.'),
            '.' | ',' => None,
            digit => Some(digit),
        })
        .collect();
    let number: Decimal = plain.parse().ok()?;
    Some(if negative { -number } else { number })
}

/// Which mark is the decimal one. Outer `None`: the marks make no sense.
fn decimal_mark(digits: &str, language: &'static Language) -> Option<Option<char>> {
    let count = |mark| digits.matches(mark).count();
    let mut groups = digits.split(['.', ',']).skip(1).map(str::len);
    match (count('.'), count(',')) {
        (0, 0) => Some(None),
        (1, 1) => {
            let point = if digits.rfind('.') > digits.rfind(',') {
                '.'
            } else {
                ','
            };
            groups.next().is_some_and(|size| size == 3).then_some(Some(point))
        }
        (1, 0) | (0, 1) => {
            let mark = if count('.') == 1 { '.' } else { ',' };
            let own = if language.decimal_comma { ',' } else { '.' };
            // Three digits behind the mark that groups in this language: thousands.
            let grouped = groups.next() == Some(3) && mark != own && !digits.starts_with('0');
            Some((!grouped).then_some(mark))
        }
        (many, 0) | (0, many) if many > 1 => groups.all(|size| size == 3).then_some(None),
        (dots, commas) => {
            let (point, all) = if dots == 1 {
                ('.', commas)
            } else if commas == 1 {
                (',', dots)
            } else {
                return None;
            };
            let last = digits.rfind(point) > digits.rfind(if point == '.' { ',' } else { '.' });
            (last && groups.take(all).all(|size| size == 3)).then_some(Some(point))
        }
    }
}

pub(super) fn within(number: Decimal, from: Option<Decimal>, to: Option<Decimal>) -> bool {
    from.is_none_or(|from| number >= from) && to.is_none_or(|to| number <= to)
}

/// A number with or without a currency: `€12.50`, `Rp 12.000`, `12 euros`.
pub(super) fn money(text: &str, language: &'static Language) -> Option<Decimal> {
    const WORDS: [&str; 22] = [
        "€", "$", "£", "r$", "rp", "rp.", "eur", "euro", "euros", "usd", "dollar", "dollars", "gbp",
        "pounds", "brl", "reais", "real", "idr", "rupiah", "us$", "¥", "jpy",
    ];
    let lower = text.trim().to_lowercase();
    let amount = WORDS
        .iter()
        .filter_map(|word| lower.strip_prefix(word).or_else(|| lower.strip_suffix(word)))
        .min_by_key(|rest| rest.len())
        .unwrap_or(&lower);
    number(amount.trim(), language)
}

/// A number, or as many stars.
pub(super) fn rating(text: &str, language: &'static Language) -> Option<u64> {
    let stars = text.chars().filter(|c| matches!(c, '⭐' | '🌟' | '★')).count();
    if stars > 0
        && text
            .chars()
            .all(|c| matches!(c, '⭐' | '🌟' | '★' | '☆' | '\u{FE0F}' | ' '))
    {
        return Some(stars as u64);
    }
    let bare = text.split_once('/').map_or(text, |(rated, _)| rated.trim());
    let number = number(bare, language)?;
    number.is_integer().then(|| u64::try_from(number).ok()).flatten()
}
