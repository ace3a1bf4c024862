//! Switchboard's own sentences: said where neither flow nor business file wrote one. One place a language.

use crate::flow::locale::Language;

#[derive(Debug)]
pub(super) struct Sentences {
    /// A message that no option or answer fits.
    pub not_understood: &'static str,
    /// A voice note without words.
    pub unheard: &'static str,
    /// A fault of ours; a person takes over.
    pub problem: &'static str,
    /// A fault of ours in a business without a team.
    pub problem_alone: &'static str,
    /// `{}`: when the team opens.
    pub closed: &'static str,
    /// The team's hours never come.
    pub closed_for_now: &'static str,
    pub opted_out: &'static str,
    pub opted_in: &'static str,
    /// Before a model answers, where the customer hasn't asked anything yet.
    pub ask_away: &'static str,
    /// The same after an interruption.
    pub ask_on: &'static str,
    /// A model is not sure, and there are no people.
    pub not_sure: &'static str,
    /// `{}`: a date that could be read in two ways.
    pub read_as: &'static str,
    pub opens_now: &'static str,
    /// `{}`: a time; `{day}`: a day.
    pub opens_today: &'static str,
    pub opens_tomorrow: &'static str,
    pub opens_on: &'static str,
}

static ENGLISH: Sentences = Sentences {
    not_understood: "Sorry, I didn't get that.",
    unheard: "I couldn't hear anything in that voice note. Could you type it or try again?",
    problem: "Something went wrong on our side. A colleague will help you here.",
    problem_alone: "Something went wrong on our side. Please try again in a little while.",
    closed: "We're closed right now and back {}. Your message is waiting for us.",
    closed_for_now: "We're closed right now. Your message is waiting for us.",
    opted_out: "You won't get any more messages from us unless you write first. To hear from us again, send START.",
    opted_in: "Welcome back! You'll hear from us again.",
    ask_away: "What would you like to know?",
    ask_on: "What else would you like to know?",
    not_sure: "I'm not sure about that, sorry.",
    read_as: "I've read that as *{}*.",
    opens_now: "now",
    opens_today: "today at {}",
    opens_tomorrow: "tomorrow at {}",
    opens_on: "on {day} at {}",
};

static PORTUGUESE: Sentences = Sentences {
    not_understood: "Desculpe, não percebi.",
    unheard: "Não consegui ouvir nada nessa mensagem de voz. Pode escrever ou tentar de novo?",
    problem: "Algo correu mal do nosso lado. Um colega vai ajudar aqui.",
    problem_alone: "Algo correu mal do nosso lado. Tente de novo daqui a pouco, por favor.",
    closed: "Estamos fechados e voltamos {}. A sua mensagem fica à nossa espera.",
    closed_for_now: "Estamos fechados. A sua mensagem fica à nossa espera.",
    opted_out: "Não vai receber mais mensagens nossas, a não ser que escreva primeiro. Para voltar a receber, envie VOLTAR.",
    opted_in: "Que bom ter você de volta! Vai receber novamente as nossas mensagens.",
    ask_away: "O que gostaria de saber?",
    ask_on: "O que mais gostaria de saber?",
    not_sure: "Não tenho a certeza, desculpe.",
    read_as: "Entendi *{}*.",
    opens_now: "agora",
    opens_today: "hoje às {}",
    opens_tomorrow: "amanhã às {}",
    opens_on: "{day} às {}",
};

static INDONESIAN: Sentences = Sentences {
    not_understood: "Maaf, saya belum mengerti.",
    unheard: "Saya tidak mendengar apa pun di pesan suara itu. Bisa diketik atau dicoba lagi?",
    problem: "Ada kendala di pihak kami. Rekan kami akan membantu di sini.",
    problem_alone: "Ada kendala di pihak kami. Silakan coba lagi sebentar lagi.",
    closed: "Kami sedang tutup dan buka lagi {}. Pesan Anda menunggu kami.",
    closed_for_now: "Kami sedang tutup. Pesan Anda menunggu kami.",
    opted_out: "Anda tidak akan menerima pesan lagi dari kami kecuali Anda menulis lebih dulu. Kirim MULAI untuk menerima lagi.",
    opted_in: "Selamat datang kembali! Anda akan menerima pesan kami lagi.",
    ask_away: "Apa yang ingin Anda ketahui?",
    ask_on: "Apa lagi yang ingin Anda ketahui?",
    not_sure: "Maaf, saya kurang yakin soal itu.",
    read_as: "Saya baca sebagai *{}*.",
    opens_now: "sekarang",
    opens_today: "hari ini pukul {}",
    opens_tomorrow: "besok pukul {}",
    opens_on: "{day} pukul {}",
};

static SPANISH: Sentences = Sentences {
    not_understood: "Perdón, no lo he entendido.",
    unheard: "No he podido oír nada en esa nota de voz. ¿Puede escribirlo o intentarlo de nuevo?",
    problem: "Algo ha ido mal por nuestra parte. Un compañero le ayudará aquí.",
    problem_alone: "Algo ha ido mal por nuestra parte. Inténtelo de nuevo dentro de un rato, por favor.",
    closed: "Ahora estamos cerrados y volvemos {}. Su mensaje nos espera.",
    closed_for_now: "Ahora estamos cerrados. Su mensaje nos espera.",
    opted_out: "No recibirá más mensajes nuestros, salvo que usted escriba primero. Para volver a recibirlos, envíe ALTA.",
    opted_in: "¡Bienvenido de nuevo! Volverá a recibir nuestros mensajes.",
    ask_away: "¿Qué le gustaría saber?",
    ask_on: "¿Qué más le gustaría saber?",
    not_sure: "No estoy seguro de eso, perdón.",
    read_as: "Lo he leído como *{}*.",
    opens_now: "ahora",
    opens_today: "hoy a las {}",
    opens_tomorrow: "mañana a las {}",
    opens_on: "el {day} a las {}",
};

pub(super) fn sentences(language: &'static Language) -> &'static Sentences {
    match language.code {
        "pt" => &PORTUGUESE,
        "id" => &INDONESIAN,
        "es" => &SPANISH,
        _ => &ENGLISH,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_has_its_own_sentences() {
        for language in Language::ALL.into_iter().filter(|language| language.code != "en") {
            assert!(
                !std::ptr::eq(sentences(language), &raw const ENGLISH),
                "{}",
                language.code
            );
        }
    }
}
