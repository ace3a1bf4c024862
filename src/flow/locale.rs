//! How people of a language write days, times, yes and no. Texts print with these tables, answers are read with them.
//!
//! A language without a table is shown in English. Adding one is adding a [`Language`] here and its sentences in the
//! engine.

use jiff::civil::{Date, Time, Weekday};

/// One language's table.
#[derive(Debug, PartialEq, Eq)]
pub struct Language {
    /// ISO 639-1.
    pub code: &'static str,
    /// January first.
    pub months: [&'static str; 12],
    /// Monday first, as messages show them.
    pub weekdays: [&'static str; 7],
    pub short_weekdays: [&'static str; 7],
    /// Further words for weekdays in answers, Monday first; folded (small letters, no accents).
    pub weekday_words: [&'static [&'static str]; 7],
    /// Folded.
    pub today: &'static [&'static str],
    pub tomorrow: &'static [&'static str],
    pub day_after_tomorrow: &'static [&'static str],
    pub yesterday: &'static [&'static str],
    /// Small words inside a date, as in "4 de março"; folded.
    pub date_fillers: &'static [&'static str],
    /// Folded.
    pub yes: &'static [&'static str],
    pub no: &'static [&'static str],
    /// How a yes and a no print.
    pub yes_no: (&'static str, &'static str),
    /// Folded; noon and midnight.
    pub noon: &'static [&'static str],
    pub midnight: &'static [&'static str],
    /// `1.234,50` rather than `1,234.50`.
    pub decimal_comma: bool,
    /// `12/03` is the 12th of March.
    pub day_first: bool,
    /// Between the day and the month: "4 de março".
    between: &'static str,
    ago: Ago,
}

/// Words around distances in time; `{}` is the count with its unit.
#[derive(Debug, PartialEq, Eq)]
struct Ago {
    past: &'static str,
    future: &'static str,
    just_now: &'static str,
    today: &'static str,
    yesterday: &'static str,
    tomorrow: &'static str,
    minute: (&'static str, &'static str),
    hour: (&'static str, &'static str),
    day: (&'static str, &'static str),
}

static ENGLISH: Language = Language {
    code: "en",
    months: [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ],
    weekdays: [
        "Monday",
        "Tuesday",
        "Wednesday",
        "Thursday",
        "Friday",
        "Saturday",
        "Sunday",
    ],
    short_weekdays: ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"],
    weekday_words: [&[], &["tues"], &["weds"], &["thur", "thurs"], &[], &[], &[]],
    today: &["today"],
    tomorrow: &["tomorrow", "tmrw", "tomorow"],
    day_after_tomorrow: &["day after tomorrow", "the day after tomorrow"],
    yesterday: &["yesterday"],
    date_fillers: &["of", "the", "on", "next", "this", "coming"],
    yes: &[
        "yes",
        "y",
        "yep",
        "yeah",
        "yup",
        "sure",
        "ok",
        "okay",
        "yes please",
        "correct",
        "right",
        "true",
        "👍",
    ],
    no: &[
        "no",
        "n",
        "nope",
        "nah",
        "no thanks",
        "no thank you",
        "wrong",
        "false",
        "👎",
    ],
    yes_no: ("yes", "no"),
    noon: &["noon", "midday"],
    midnight: &["midnight"],
    decimal_comma: false,
    day_first: true,
    between: " ",
    ago: Ago {
        past: "{} ago",
        future: "in {}",
        just_now: "just now",
        today: "today",
        yesterday: "yesterday",
        tomorrow: "tomorrow",
        minute: ("1 minute", "{} minutes"),
        hour: ("1 hour", "{} hours"),
        day: ("1 day", "{} days"),
    },
};

static PORTUGUESE: Language = Language {
    code: "pt",
    months: [
        "janeiro",
        "fevereiro",
        "março",
        "abril",
        "maio",
        "junho",
        "julho",
        "agosto",
        "setembro",
        "outubro",
        "novembro",
        "dezembro",
    ],
    weekdays: [
        "segunda-feira",
        "terça-feira",
        "quarta-feira",
        "quinta-feira",
        "sexta-feira",
        "sábado",
        "domingo",
    ],
    short_weekdays: ["seg", "ter", "qua", "qui", "sex", "sáb", "dom"],
    weekday_words: [
        &["segunda"],
        &["terca"],
        &["quarta"],
        &["quinta"],
        &["sexta"],
        &[],
        &[],
    ],
    today: &["hoje"],
    tomorrow: &["amanha"],
    day_after_tomorrow: &["depois de amanha"],
    yesterday: &["ontem"],
    date_fillers: &["de", "dia", "no", "na", "proxima", "proximo", "esta", "este"],
    yes: &["sim", "s", "claro", "ok", "certo", "pode ser", "isso", "👍"],
    no: &["nao", "n", "nao obrigado", "nao obrigada", "errado", "👎"],
    yes_no: ("sim", "não"),
    noon: &["meio dia"],
    midnight: &["meia noite"],
    decimal_comma: true,
    day_first: true,
    between: " de ",
    ago: Ago {
        past: "há {}",
        future: "daqui a {}",
        just_now: "agora mesmo",
        today: "hoje",
        yesterday: "ontem",
        tomorrow: "amanhã",
        minute: ("1 minuto", "{} minutos"),
        hour: ("1 hora", "{} horas"),
        day: ("1 dia", "{} dias"),
    },
};

static INDONESIAN: Language = Language {
    code: "id",
    months: [
        "Januari",
        "Februari",
        "Maret",
        "April",
        "Mei",
        "Juni",
        "Juli",
        "Agustus",
        "September",
        "Oktober",
        "November",
        "Desember",
    ],
    weekdays: ["Senin", "Selasa", "Rabu", "Kamis", "Jumat", "Sabtu", "Minggu"],
    short_weekdays: ["Sen", "Sel", "Rab", "Kam", "Jum", "Sab", "Min"],
    weekday_words: [&[], &[], &[], &[], &["jum'at"], &[], &["ahad"]],
    today: &["hari ini"],
    tomorrow: &["besok"],
    day_after_tomorrow: &["lusa"],
    yesterday: &["kemarin"],
    date_fillers: &["tanggal", "tgl", "hari", "depan"],
    yes: &[
        "ya", "y", "iya", "yoi", "betul", "benar", "oke", "ok", "boleh", "siap", "👍",
    ],
    no: &[
        "tidak", "t", "gak", "nggak", "enggak", "ga", "bukan", "jangan", "salah", "👎",
    ],
    yes_no: ("ya", "tidak"),
    noon: &["tengah hari"],
    midnight: &["tengah malam"],
    decimal_comma: true,
    day_first: true,
    between: " ",
    ago: Ago {
        past: "{} yang lalu",
        future: "{} lagi",
        just_now: "baru saja",
        today: "hari ini",
        yesterday: "kemarin",
        tomorrow: "besok",
        minute: ("1 menit", "{} menit"),
        hour: ("1 jam", "{} jam"),
        day: ("1 hari", "{} hari"),
    },
};

static SPANISH: Language = Language {
    code: "es",
    months: [
        "enero",
        "febrero",
        "marzo",
        "abril",
        "mayo",
        "junio",
        "julio",
        "agosto",
        "septiembre",
        "octubre",
        "noviembre",
        "diciembre",
    ],
    weekdays: [
        "lunes",
        "martes",
        "miércoles",
        "jueves",
        "viernes",
        "sábado",
        "domingo",
    ],
    short_weekdays: ["lun", "mar", "mié", "jue", "vie", "sáb", "dom"],
    weekday_words: [&[], &[], &[], &[], &[], &[], &[]],
    today: &["hoy"],
    tomorrow: &["manana"],
    day_after_tomorrow: &["pasado manana"],
    yesterday: &["ayer"],
    date_fillers: &["de", "el", "dia", "proximo", "este"],
    yes: &["si", "s", "claro", "vale", "ok", "correcto", "👍"],
    no: &["no", "n", "no gracias", "incorrecto", "👎"],
    yes_no: ("sí", "no"),
    noon: &["mediodia"],
    midnight: &["medianoche"],
    decimal_comma: true,
    day_first: true,
    between: " de ",
    ago: Ago {
        past: "hace {}",
        future: "dentro de {}",
        just_now: "ahora mismo",
        today: "hoy",
        yesterday: "ayer",
        tomorrow: "mañana",
        minute: ("1 minuto", "{} minutos"),
        hour: ("1 hora", "{} horas"),
        day: ("1 día", "{} días"),
    },
};

impl Language {
    pub const ALL: [&'static Language; 4] = [&ENGLISH, &PORTUGUESE, &INDONESIAN, &SPANISH];

    /// The table for a code such as `pt`, `pt_BR` or `PT-br`; English if there is none.
    pub fn of(code: &str) -> &'static Language {
        let stem = code.split(['_', '-']).next().unwrap_or_default();
        Language::ALL
            .into_iter()
            .find(|language| language.code.eq_ignore_ascii_case(stem))
            .unwrap_or(&ENGLISH)
    }

    /// "Wed 4 March". The year is added if the date is more than half a year from `today`.
    pub fn day(&self, date: Date, today: Date) -> String {
        let weekday = self.short_weekdays[index(date.weekday())];
        let far = (days_between(today, date)).abs() > 183;
        let rest = if far {
            self.date(date)
        } else {
            self.day_and_month(date)
        };
        format!("{weekday} {rest}")
    }

    /// "4 March 2026".
    pub fn date(&self, date: Date) -> String {
        format!("{}{}{}", self.day_and_month(date), self.between, date.year())
    }

    fn day_and_month(&self, date: Date) -> String {
        let month = self.months[date.month() as usize - 1];
        format!("{}{}{month}", date.day(), self.between)
    }

    pub fn weekday(&self, weekday: Weekday) -> &'static str {
        self.weekdays[index(weekday)]
    }

    /// "11:30".
    pub fn time(&self, time: Time) -> String {
        time.strftime("%H:%M").to_string()
    }

    /// "3 days ago", "tomorrow".
    pub fn days_ago(&self, date: Date, today: Date) -> String {
        match days_between(today, date) {
            0 => self.ago.today.to_owned(),
            -1 => self.ago.yesterday.to_owned(),
            1 => self.ago.tomorrow.to_owned(),
            days => self.distance(i64::from(days), &self.ago.day),
        }
    }

    /// "10 minutes ago", "in 2 hours", both on the same day.
    pub fn time_ago(&self, time: Time, now: Time) -> String {
        let seconds = seconds_of(time) - seconds_of(now);
        match seconds.abs() {
            0..60 => self.ago.just_now.to_owned(),
            60..3600 => self.distance(seconds / 60, &self.ago.minute),
            _ => self.distance(seconds / 3600, &self.ago.hour),
        }
    }

    fn distance(&self, count: i64, unit: &(&str, &str)) -> String {
        let many = count.unsigned_abs();
        let words = if many == 1 {
            unit.0.to_owned()
        } else {
            unit.1.replace("{}", &many.to_string())
        };
        let around = if count < 0 { self.ago.past } else { self.ago.future };
        around.replace("{}", &words)
    }
}

/// A language's English name: `Portuguese` for `pt`, `Portuguese (BR)` for `pt_BR`; a code that is not known is its
/// own name.
pub fn name_of(code: &str) -> String {
    const NAMES: [(&str, &str); 36] = [
        ("af", "Afrikaans"),
        ("ar", "Arabic"),
        ("bg", "Bulgarian"),
        ("bn", "Bengali"),
        ("ca", "Catalan"),
        ("cs", "Czech"),
        ("da", "Danish"),
        ("de", "German"),
        ("el", "Greek"),
        ("en", "English"),
        ("es", "Spanish"),
        ("fi", "Finnish"),
        ("fil", "Filipino"),
        ("fr", "French"),
        ("he", "Hebrew"),
        ("hi", "Hindi"),
        ("hu", "Hungarian"),
        ("id", "Indonesian"),
        ("it", "Italian"),
        ("ja", "Japanese"),
        ("ko", "Korean"),
        ("ms", "Malay"),
        ("nl", "Dutch"),
        ("no", "Norwegian"),
        ("pl", "Polish"),
        ("pt", "Portuguese"),
        ("ro", "Romanian"),
        ("ru", "Russian"),
        ("sv", "Swedish"),
        ("sw", "Swahili"),
        ("th", "Thai"),
        ("tr", "Turkish"),
        ("uk", "Ukrainian"),
        ("ur", "Urdu"),
        ("vi", "Vietnamese"),
        ("zh", "Chinese"),
    ];
    let (stem, rest) = code
        .find(['_', '-'])
        .map_or((code, ""), |at| (&code[..at], &code[at + 1..]));
    match NAMES.iter().find(|(own, _)| own.eq_ignore_ascii_case(stem)) {
        Some((_, name)) if rest.is_empty() => (*name).to_owned(),
        Some((_, name)) => format!("{name} ({rest})"),
        None => code.to_owned(),
    }
}

/// Monday is 0.
pub fn index(weekday: Weekday) -> usize {
    weekday.to_monday_zero_offset() as usize
}

/// Whole days from `from` to `to`.
pub fn days_between(from: Date, to: Date) -> i32 {
    to.duration_since(from).as_hours() as i32 / 24
}

fn seconds_of(time: Time) -> i64 {
    i64::from(time.hour()) * 3600 + i64::from(time.minute()) * 60 + i64::from(time.second())
}

#[cfg(test)]
mod tests {
    use jiff::civil::{date, time};

    use super::*;

    #[test]
    fn days_print_in_the_customers_language() {
        let (wednesday, today) = (date(2026, 3, 4), date(2026, 3, 2));
        assert_eq!(Language::of("en").day(wednesday, today), "Wed 4 March");
        assert_eq!(Language::of("pt_BR").day(wednesday, today), "qua 4 de março");
        assert_eq!(Language::of("id").day(wednesday, today), "Rab 4 Maret");
        assert_eq!(Language::of("sv").day(wednesday, today), "Wed 4 March");
        assert_eq!(Language::of("pt").date(wednesday), "4 de março de 2026");
    }

    #[test]
    fn a_day_far_away_shows_its_year() {
        assert_eq!(
            Language::of("en").day(date(2027, 3, 4), date(2026, 3, 2)),
            "Thu 4 March 2027"
        );
    }

    #[test]
    fn distances_have_words() {
        let language = Language::of("en");
        let today = date(2026, 3, 2);
        assert_eq!(language.days_ago(date(2026, 2, 27), today), "3 days ago");
        assert_eq!(language.days_ago(date(2026, 3, 3), today), "tomorrow");
        assert_eq!(
            language.time_ago(time(9, 50, 0, 0), time(10, 0, 0, 0)),
            "10 minutes ago"
        );
        assert_eq!(
            Language::of("pt").time_ago(time(8, 0, 0, 0), time(10, 0, 0, 0)),
            "há 2 horas"
        );
    }
}
