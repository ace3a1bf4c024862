//! Opt-out words. They are handled before anything else, in every mode and whatever question is open.
//!
//! Platform rules and consumer law want them to work always, so the list is shipped and can only be extended.
//! A word counts only if it is the whole message. The words of all languages count for everybody: someone who
//! writes "stop" in a Portuguese chat means it.

use crate::flow::fold::fold;

/// Folded.
const OPT_OUT: [&str; 17] = [
    "stop",
    "stop all",
    "stopall",
    "unsubscribe",
    "opt out",
    "optout",
    "opt-out",
    "parar",
    "pare",
    "descadastrar",
    "cancelar inscricao",
    "cancelar subscricao",
    "berhenti",
    "berhenti berlangganan",
    "baja",
    "darme de baja",
    "cancelar suscripcion",
];

/// Understood only while opted out, because they are ordinary words otherwise.
const RESUME: [&str; 12] = [
    "start",
    "unstop",
    "resume",
    "subscribe",
    "opt in",
    "voltar",
    "retomar",
    "mulai",
    "lanjut",
    "lanjutkan",
    "alta",
    "reanudar",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LegalWord {
    OptOut,
    Resume,
}

/// Whether a message is an opt-out word and nothing else.
pub fn is_opt_out(text: &str) -> bool {
    legal_word(&fold(text), false) == Some(LegalWord::OptOut)
}

/// `folded` is the whole message.
pub(super) fn legal_word(folded: &str, opted_out: bool) -> Option<LegalWord> {
    if folded.len() > 24 {
        return None;
    }
    if OPT_OUT.contains(&folded) {
        Some(LegalWord::OptOut)
    } else if opted_out && RESUME.contains(&folded) {
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
            assert_eq!(legal_word(&fold(word), false), Some(LegalWord::OptOut), "{word}");
        }
        assert_eq!(legal_word(&fold("don't stop"), false), None);
        assert!(is_opt_out("Stop!") && !is_opt_out("start") && !is_opt_out("Hi\nstop"));
    }

    #[test]
    fn resume_words_count_only_after_opting_out() {
        assert_eq!(legal_word("start", false), None);
        assert_eq!(legal_word("start", true), Some(LegalWord::Resume));
    }
}
