//! Opt-out words. They are handled before anything else, in every mode and whatever question is open.
//!
//! Platform rules and consumer law want them to work always, so the list is shipped, and a business can only extend it
//! (`opt out also "…"`).
//! A word counts only if it is the whole message. The words of all languages count for everybody: someone who
//! writes "stop" in a Portuguese chat means it.

use crate::flow::fold::fold;

/// The words of one language.
struct Words {
    /// Folded.
    opt_out: &'static [&'static str],
    /// Understood only while opted out, because they are ordinary words otherwise.
    resume: &'static [&'static str],
}

const WORDS: [Words; 8] = [
    // English.
    Words {
        opt_out: &[
            "stop",
            "stop all",
            "stopall",
            "unsubscribe",
            "opt out",
            "optout",
            "opt-out",
        ],
        resume: &["start", "unstop", "resume", "subscribe", "opt in"],
    },
    // Portuguese.
    Words {
        opt_out: &[
            "parar",
            "pare",
            "descadastrar",
            "cancelar inscricao",
            "cancelar subscricao",
        ],
        resume: &["voltar", "retomar"],
    },
    // Spanish.
    Words {
        opt_out: &["baja", "darme de baja", "darse de baja", "cancelar suscripcion"],
        resume: &["alta", "reanudar"],
    },
    // Indonesian.
    Words {
        opt_out: &[
            "berhenti",
            "berhenti berlangganan",
            "berhenti langganan",
            "stop langganan",
        ],
        resume: &["mulai", "lanjut", "lanjutkan", "berlangganan"],
    },
    // German.
    Words {
        opt_out: &["stopp", "abmelden", "abbestellen", "austragen"],
        resume: &["anmelden", "weiter", "fortsetzen"],
    },
    // French.
    Words {
        opt_out: &[
            "arret",
            "arreter",
            "desabonner",
            "me desabonner",
            "se desabonner",
            "desinscription",
        ],
        resume: &["reprendre", "reabonner", "commencer"],
    },
    // Italian.
    Words {
        opt_out: &[
            "cancellami",
            "disiscrivimi",
            "annulla iscrizione",
            "disiscrizione",
        ],
        resume: &["riprendi", "iscrivimi", "inizia"],
    },
    // Dutch.
    Words {
        opt_out: &["stoppen", "afmelden", "uitschrijven"],
        resume: &["aanmelden", "hervatten", "starten"],
    },
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LegalWord {
    OptOut,
    Resume,
}

/// Whether a message is an opt-out word and nothing else.
/// `also`: the business's own words, folded.
pub fn is_opt_out(text: &str, also: &[String]) -> bool {
    legal_word(&fold(text), false, also) == Some(LegalWord::OptOut)
}

/// `folded` is the whole message; `also` are the business's own words.
pub(super) fn legal_word(folded: &str, opted_out: bool, also: &[String]) -> Option<LegalWord> {
    if also.iter().any(|word| word == folded) {
        return Some(LegalWord::OptOut);
    }
    if folded.len() > 24 {
        return None;
    }
    let in_any = |words: fn(&Words) -> &'static [&'static str]| {
        WORDS.iter().any(|language| words(language).contains(&folded))
    };
    if in_any(|language| language.opt_out) {
        Some(LegalWord::OptOut)
    } else if opted_out && in_any(|language| language.resume) {
        Some(LegalWord::Resume)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opt_out_words_of_every_language_count_alone() {
        for word in [
            "STOP",
            "Stop!",
            "unsubscribe",
            "PARAR",
            "Berhenti.",
            "baja",
            "Cancelar inscrição",
        ] {
            assert_eq!(
                legal_word(&fold(word), false, &[]),
                Some(LegalWord::OptOut),
                "{word}"
            );
        }
        assert_eq!(legal_word(&fold("don't stop"), false, &[]), None);
        assert!(is_opt_out("Stop!", &[]) && !is_opt_out("start", &[]) && !is_opt_out("Hi\nstop", &[]));
    }

    #[test]
    fn resume_words_count_only_after_opting_out() {
        assert_eq!(legal_word("start", false, &[]), None);
        assert_eq!(legal_word("start", true, &[]), Some(LegalWord::Resume));
    }

    #[test]
    fn every_shipped_language_has_its_words_as_they_are_compared() {
        for Words { opt_out, resume } in &WORDS {
            assert!(!opt_out.is_empty() && !resume.is_empty());
            for word in opt_out.iter().chain(*resume) {
                assert_eq!(fold(word), *word);
                assert!(word.len() <= 24, "{word}");
            }
            for word in *resume {
                assert_eq!(legal_word(word, true, &[]), Some(LegalWord::Resume), "{word}");
            }
        }
    }

    #[test]
    fn a_business_adds_words_and_takes_none_away() {
        let also = [fold("Lasst mich in Ruhe, bitte!")];
        assert_eq!(
            legal_word(&fold("lasst mich in ruhe, bitte"), false, &also),
            Some(LegalWord::OptOut)
        );
        assert_eq!(legal_word("stop", false, &also), Some(LegalWord::OptOut));
    }
}
