//! How a conversation gets its language, where nothing told it: by words that only one of the business's languages has.

use super::*;

const BUSINESS: &str =
    "business \"Pedal & Co\"\ntimezone \"Europe/Lisbon\"\nlanguages en, pt, es\nstarts with shop\n";
const SHOP: &str = r#"flow shop
starts on "hello", "hotel"
step a
  menu what "How can we help?"
    "Track it" also "parcel" -> b
    "No" -> c
    "Opening hours" -> c
  end
step b
  say "On its way."
  done
step c
  say "Fine."
  done
on "help me"
  say "We are here."
  resume
"#;
const PORTUGUESE: &str = r#"start#words.1 877a59de  "olá", "boas", "hotel"
a#ask.1 0c2d483c  "Em que posso ajudar?"
a#menu.1 ce1987e3  "Seguir" also "encomenda"
a#menu.2 382788f3  "Não"
a#menu.3 bccce4a7  "Horário"
b#say.1 6f6cfadd  "A caminho."
c#say.1 1a7528ea  "Está bem."
on_help_me#words.1 ed0bf3ad  "socorro"
on_help_me#say.1 09adb91e  "Estamos aqui."
"#;
const SPANISH: &str = r#"start#words.1 877a59de  "hola", "boas"
a#ask.1 0c2d483c  "¿Cómo podemos ayudar?"
a#menu.1 ce1987e3  "Seguir" also "pedido"
a#menu.2 382788f3  "Horário"
a#menu.3 bccce4a7  "Horario de tienda"
b#say.1 6f6cfadd  "En camino."
c#say.1 1a7528ea  "Vale."
on_help_me#words.1 ed0bf3ad  "auxilio"
on_help_me#say.1 09adb91e  "Aquí estamos."
"#;
const ENGLISH_MENU: &str = "How can we help? [Track it] [No] [Opening hours]";
const PORTUGUESE_MENU: &str = "Em que posso ajudar? [Seguir] [Não] [Horário]";

fn talk() -> Talk {
    let business = &BUSINESS.replace(
        "starts with shop\n",
        "starts with shop\nmemory\n  contact.language: text\nend\n",
    );
    Talk::with(&[
        ("business.flow", business),
        ("shop.flow", SHOP),
        ("shop.pt.strings", PORTUGUESE),
        ("shop.es.strings", SPANISH),
    ])
}

#[test]
fn a_word_that_only_one_language_has_tells_how_the_customer_is_spoken_to() {
    for (said, menu, code) in [
        ("Olá!", PORTUGUESE_MENU, "pt"),
        ("olá, bom dia", PORTUGUESE_MENU, "pt"),
        (
            "hola",
            "¿Cómo podemos ayudar? [Seguir] [Horário] [Horario de tienda]",
            "es",
        ),
    ] {
        let mut talk = talk();
        talk.says(said).sees(&[menu]);
        assert_eq!(talk.memory.language.as_deref(), Some(code), "{said}");
    }
    // And from then on, whatever they write.
    talk().says("olá").skips().says("1").sees(&["A caminho."]);
}

#[test]
fn a_word_of_the_first_language_or_of_two_tells_nothing() {
    for said in ["hello", "hotel", "boas", "good evening"] {
        let mut talk = talk();
        talk.says(said).sees(&[ENGLISH_MENU]);
        assert_eq!(talk.memory.language, None, "{said}");
    }
    // What comes later may still tell.
    let mut talk = talk();
    talk.says("hello").skips().says("socorro");
    talk.sees(&["Estamos aqui.", PORTUGUESE_MENU]);
}

#[test]
fn an_option_is_understood_in_a_language_that_nobody_has_shown_yet_and_tells_it() {
    talk()
        .says("hello")
        .skips()
        .says("encomenda")
        .sees(&["A caminho."]);
    talk().says("hello").skips().says("pedido").sees(&["En camino."]);
    // The same option by the same word in two languages: taken, and nothing told.
    let mut both = talk();
    both.says("hello").skips().says("seguir").sees(&["On its way."]);
    assert_eq!(both.memory.language, None);
    // Two options by the same word: not understood.
    let mut neither = talk();
    neither.says("hello").skips().says("horário");
    neither.rests_at("shop/a.what");
    assert_eq!(neither.memory.language, None);
}

#[test]
fn what_a_flow_remembered_or_the_customer_told_before_is_not_told_anew() {
    let mut known = talk();
    known.memory.language = Some("es".to_owned());
    known
        .says("olá")
        .sees(&["¿Cómo podemos ayudar? [Seguir] [Horário] [Horario de tienda]"]);
    assert_eq!(known.memory.language.as_deref(), Some("es"));

    let mut remembered = talk();
    remembered.memory.fields.insert(
        "language".to_owned(),
        Remembered {
            value: Value::text("en"),
            forget_at: None,
        },
    );
    remembered.says("olá").sees(&[ENGLISH_MENU]);
    assert_eq!(remembered.memory.language, None);
}
