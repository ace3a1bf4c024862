//! A business of any size, as flow text, for benches: the mix of lines that real flows have.
//!
//! The text is the same in every run. It compiles without a mistake, and each flow has start words of its own, so
//! that a conversation can be led anywhere in it.

/// One file of the business.
#[derive(Debug, Clone)]
pub struct File {
    pub path: String,
    pub text: String,
}

const BUSINESS: &str = r#"business "Generated & Co"
timezone "Europe/Lisbon"
languages en
starts with desk 1

team support "Customer care"
  hours mon to fri 09:00 to 18:00
end

memory
  contact.first_name: text
  contact.last_order: text, forget after 90 days
end

service shop "https://api.generated.example"
  key SHOP_TOKEN
  action get_order needs number
    get "/orders/{{ number }}"
    gives status: text, eta: date
  action book needs day, name
    post "/visits" with day = day, name = name
    gives code: text
end

defaults
  otherwise "Sorry, I didn't get that." up to 2 times, then -> handoff to support
  no reply in 30 minutes "Are you still there?"
  no reply in 2 hours -> close
  problem "Something went wrong on our side." -> handoff to support
end

on "agent", "a person" -> handoff to support
"#;

/// Rounds of steps in one flow.
const ROUNDS: usize = 3;

/// A business of exactly this many lines, at least 100, in files as people would cut it. What doesn't make a whole
/// round of steps is filled up with comments.
pub fn business(lines: usize) -> Vec<File> {
    let mut files = vec![File {
        path: "business.flow".to_owned(),
        text: BUSINESS.to_owned(),
    }];
    let (heading_lines, round_lines) = (count(&heading(1)), count(&round(1, 1, 1)));
    let mut left = lines.saturating_sub(count(BUSINESS));
    for number in 1.. {
        let rounds = ROUNDS.min(left.saturating_sub(heading_lines) / round_lines);
        if rounds == 0 {
            break;
        }
        let mut text = heading(number);
        (1..=rounds).for_each(|at| text += &round(number, at, rounds));
        left -= count(&text);
        files.push(File {
            path: format!("desk_{number}.flow"),
            text,
        });
    }
    if let Some(last) = files.last_mut() {
        (0..left).for_each(|_| last.text.push_str("# Kept for later.\n"));
    }
    files
}

/// What opens a flow of the business; they are numbered from 1.
pub fn start_words(flow: usize) -> String {
    format!("desk {flow}")
}

fn count(text: &str) -> usize {
    text.lines().count()
}

fn heading(flow: usize) -> String {
    format!(
        "flow desk {flow} \"Desk {flow}\"\nstarts on \"{}\"\n\n",
        start_words(flow)
    )
}

/// Steps that lead from one to the next; those of the last round lead back to the first.
fn round(flow: usize, round: usize, rounds: usize) -> String {
    let step = |name: &str| format!("{name} {round}");
    let (hello, number, visit, more) = (step("hello"), step("number"), step("visit"), step("more"));
    let onwards = round % rounds + 1;
    format!(
        r#"step {hello}
  say "Hi {{{{ contact.first_name | default('there') }}}}! This is desk {flow}, counter {round}."
  menu "What can I do for you?"
    "Track my order" also "parcel", "delivery" -> {number}
    "Book a visit" also "appointment" -> {visit}
    "Something else" -> {more}
  end

step {number}
  ask number "What's your order number? It looks like *A-12345*."
    as text like "A-#####"
    again "So, what's the order number?"
    otherwise "That's not an order number yet. It looks like A-12345." up to 3 times, then -> handoff to support
    "I can't find it" -> handoff to support
    no reply in 10 minutes -> {more}
  end
  fetch order from shop.get_order with number = number
    not found "I can't find {{{{ number }}}}. Let's check it together." -> {number}
    problem -> {more}
  end
  remember number as contact.last_order
  # What the customer hears depends on where the parcel is.
  if order.status is "delivered"
    say "Order {{{{ number }}}} was delivered."
  else if order.status in ["packed", "shipped"]
    say "Order {{{{ number }}}} is *{{{{ order.status }}}}*, expected {{{{ order.eta | day }}}}."
  else
    say "Order {{{{ number }}}} is being prepared at desk {flow}."
  end
  -> {more}

step {visit}
  ask day "Which day suits you? For example *Friday* or *12 March*."
    as date in the future
    check day - today <= 30 days else "We only plan 30 days ahead."
  end
  ask name "What name shall I put it under?"
  fetch booked from shop.book with day = day, name = name
    refused "That day is full at desk {flow}." -> {visit}
  end
  say """
    Booked for {{{{ day | day }}}}.
    Your code is *{{{{ booked.code }}}}*, {{{{ name }}}}.
    """
  -> {more}

step {more}
  list "Anything else?"
    open "See topics"
    "Opening hours" hint "When we are here"
      say "Desk {flow} is open from nine to six."
      done
    "Next counter" hint "From the beginning" -> hello {onwards}
    "Talk to a person" hint "Customer care" -> handoff to support
  end

"#
    )
}
