//! `switchboard lsp` as an editor drives it: the real binary, its standard input and output.

use std::io::{BufReader, BufWriter};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use lsp_server::{Message, Notification, Request, RequestId, Response};
use serde_json::{Value as Json, json};
use tempfile::TempDir;

const BUSINESS: &str = "\
business \"Corner Shop\"
timezone \"Europe/Lisbon\"
starts with front
team people \"People\"

memory
  contact.first_name: text
end

service shop \"https://shop.example\"
  action get_order needs number
    get \"/orders/{{ number }}\"
    gives status: text
end

defaults
  otherwise \"Please say that again.\" up to 2 times, then -> handoff to people
  problem \"Something went wrong.\" -> handoff to people
end

on \"agent\" -> handoff to people
";

const FRONT: &str = "\
flow front \"Front door\"
starts on \"hi\"

step hello
  say \"Olá {{ contact.first_name | default('there') }}! 👟\"
  menu \"How can we help?\"
    \"Track my order\" -> ask for the number
    \"A person\" -> handoff to people
  end

step ask for the number
  ask number \"Which order?\"
  -> look it up

step look it up
  fetch order from shop.get_order with number = number
    not found -> ask for the number
  end
  say \"It is {{ order.status }}.\"
  done
";

/// An editor with a project open.
struct Editor {
    server: Child,
    to: BufWriter<ChildStdin>,
    from: Receiver<Message>,
    folder: TempDir,
    next: i32,
    version: i32,
}

impl Editor {
    fn open(files: &[(&str, &str)]) -> Editor {
        let mut editor = Editor::start(files);
        editor.begin(json!(["utf-8"]));
        editor
    }

    fn start(files: &[(&str, &str)]) -> Editor {
        let folder = TempDir::new().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let mut server = Command::new(env!("CARGO_BIN_EXE_switchboard"))
            .args(["lsp", "--stdio"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let to = BufWriter::new(server.stdin.take().unwrap());
        let mut out = BufReader::new(server.stdout.take().unwrap());
        let (send, from) = mpsc::channel();
        std::thread::spawn(move || {
            while let Ok(Some(message)) = Message::read(&mut out) {
                if send.send(message).is_err() {
                    break;
                }
            }
        });
        Editor {
            server,
            to,
            from,
            folder,
            next: 0,
            version: 0,
        }
    }

    fn begin(&mut self, encodings: Json) -> Json {
        let root = uri(self.folder.path());
        let capabilities = json!({ "general": { "positionEncodings": encodings } });
        let result = self.ask(
            "initialize",
            json!({ "processId": null, "rootUri": root, "capabilities": capabilities }),
        );
        self.tell("initialized", json!({}));
        result
    }

    fn uri(&self, path: &str) -> String {
        uri(&self.folder.path().join(path))
    }

    fn tell(&mut self, method: &str, params: Json) {
        Message::Notification(Notification::new(method.to_owned(), params))
            .write(&mut self.to)
            .unwrap();
    }

    fn send(&mut self, method: &str, params: Json) -> RequestId {
        self.next += 1;
        let id = RequestId::from(self.next);
        Message::Request(Request::new(id.clone(), method.to_owned(), params))
            .write(&mut self.to)
            .unwrap();
        id
    }

    #[track_caller]
    fn hear(&self) -> Message {
        self.from
            .recv_timeout(Duration::from_secs(120))
            .expect("the server says something")
    }

    /// The answer to a request; what else is said meanwhile is passed over.
    #[track_caller]
    fn response(&self, id: &RequestId) -> Response {
        loop {
            if let Message::Response(response) = self.hear()
                && response.id == *id
            {
                return response;
            }
        }
    }

    #[track_caller]
    fn ask(&mut self, method: &str, params: Json) -> Json {
        let id = self.send(method, params);
        let response = self.response(&id);
        match response.response_result {
            Ok(result) => result,
            Err(error) => panic!("{method}: {error:?}"),
        }
    }

    /// The sentence with which a request is refused.
    #[track_caller]
    fn refused(&mut self, method: &str, params: Json) -> String {
        let id = self.send(method, params);
        match self.response(&id).response_result {
            Err(error) => error.message,
            Ok(result) => panic!("{method}: {result}"),
        }
    }

    fn did_open(&mut self, path: &str, text: &str) {
        let document = json!({ "uri": self.uri(path), "languageId": "flow", "version": 1, "text": text });
        self.tell("textDocument/didOpen", json!({ "textDocument": document }));
    }

    fn did_change(&mut self, path: &str, text: &str) {
        self.version += 1;
        let document = json!({ "uri": self.uri(path), "version": self.version });
        self.tell(
            "textDocument/didChange",
            json!({ "textDocument": document, "contentChanges": [{ "text": text }] }),
        );
    }

    /// What is said next about a file.
    #[track_caller]
    fn mistakes(&self, path: &str) -> Vec<Json> {
        loop {
            if let Message::Notification(note) = self.hear()
                && note.method == "textDocument/publishDiagnostics"
                && note.params["uri"] == self.uri(path)
            {
                return note.params["diagnostics"].as_array().unwrap().clone();
            }
        }
    }

    /// A place in a file: the words around it, the last `|` of which is the cursor.
    fn at(&self, path: &str, text: &str, words: &str) -> Json {
        let (before, after) = words.rsplit_once('|').expect("a | for the cursor");
        let offset = text.find(&format!("{before}{after}")).expect("the words") + before.len();
        let line = text[..offset].matches('\n').count();
        let start = text[..offset].rfind('\n').map_or(0, |at| at + 1);
        json!({
            "textDocument": { "uri": self.uri(path) },
            "position": { "line": line, "character": offset - start },
        })
    }

    fn goodbye(mut self) -> i32 {
        let id = self.send("shutdown", Json::Null);
        self.response(&id);
        self.tell("exit", Json::Null);
        self.server.wait().unwrap().code().unwrap()
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn uri(path: &Path) -> String {
    url::Url::from_file_path(path).unwrap().to_string()
}

fn shop() -> Editor {
    let mut editor = Editor::open(&[("flows/business.flow", BUSINESS), ("flows/front.flow", FRONT)]);
    editor.did_open("flows/front.flow", FRONT);
    editor
}

/// A text after the edits of an answer, columns counted in bytes.
fn edited(text: &str, edits: &Json) -> String {
    let offset = |place: &Json| {
        let line = place["line"].as_u64().unwrap() as usize;
        let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
        start + place["character"].as_u64().unwrap() as usize
    };
    let mut edits: Vec<(usize, usize, &str)> = edits
        .as_array()
        .unwrap()
        .iter()
        .map(|edit| {
            let range = &edit["range"];
            (
                offset(&range["start"]),
                offset(&range["end"]),
                edit["newText"].as_str().unwrap(),
            )
        })
        .collect();
    edits.sort_unstable();
    let mut out = text.to_owned();
    for (start, end, new) in edits.into_iter().rev() {
        out.replace_range(start..end, new);
    }
    out
}

fn labels(items: &Json) -> Vec<&str> {
    let items = items.as_array().unwrap().iter();
    items.map(|item| item["label"].as_str().unwrap()).collect()
}

#[test]
fn an_editor_is_greeted_and_let_go_as_the_protocol_asks() {
    let mut editor = Editor::start(&[]);
    let result = editor.begin(json!(["utf-16"]));
    assert_eq!(result["serverInfo"]["name"], "switchboard");
    assert_eq!(result["capabilities"]["positionEncoding"], "utf-16");
    let why = editor.refused("textDocument/inlayHint", json!({}));
    assert!(why.contains("has no textDocument/inlayHint"), "{why}");
    let why = editor.refused("textDocument/hover", json!({ "position": 7 }));
    assert!(!why.is_empty());
    assert_eq!(editor.goodbye(), 0);

    let mut editor = Editor::open(&[]);
    editor.tell("exit", Json::Null);
    assert_eq!(
        editor.server.wait().unwrap().code(),
        Some(1),
        "gone without shutdown"
    );
}

#[test]
fn mistakes_are_told_while_typing_and_taken_back() {
    let mut editor = shop();
    assert_eq!(editor.mistakes("flows/front.flow"), Vec::<Json>::new());
    editor.did_change(
        "flows/front.flow",
        &FRONT.replace("-> look it up", "-> look up it"),
    );
    let found = editor.mistakes("flows/front.flow");
    assert_eq!(found[0]["code"], "F101", "{found:?}");
    assert_eq!(found[0]["range"]["start"], json!({ "line": 12, "character": 5 }));
    assert_eq!(found[0]["source"], "switchboard");
    // Half a file is read as far as it goes.
    let half = &FRONT[..FRONT.find("    not found").unwrap()];
    editor.did_change("flows/front.flow", half);
    let found = editor.mistakes("flows/front.flow");
    assert!(found.iter().any(|found| found["code"] == "F201"), "{found:?}");
    editor.did_change("flows/front.flow", FRONT);
    assert_eq!(editor.mistakes("flows/front.flow"), Vec::<Json>::new());
    // A change of one file is a mistake in another one, which is not open.
    editor.did_open(
        "flows/business.flow",
        &BUSINESS.replace("team people", "team persons"),
    );
    let found = editor.mistakes("flows/front.flow");
    assert!(found.iter().any(|found| found["code"] == "F103"), "{found:?}");
    assert_eq!(editor.goodbye(), 0);
}

#[test]
fn a_name_leads_to_its_declaration_and_to_all_its_mentions() {
    let mut editor = shop();
    let step = editor.at("flows/front.flow", FRONT, "order\" -> ask for |the number");
    let found = editor.ask("textDocument/definition", step.clone());
    assert_eq!(
        found[0]["range"]["start"],
        json!({ "line": 10, "character": 5 }),
        "{found}"
    );
    let mut all = step;
    all["context"] = json!({ "includeDeclaration": true });
    let found = editor.ask("textDocument/references", all.clone());
    let lines: Vec<u64> = found
        .as_array()
        .unwrap()
        .iter()
        .map(|at| at["range"]["start"]["line"].as_u64().unwrap())
        .collect();
    assert_eq!(lines, [6, 10, 16]);
    all["context"] = json!({ "includeDeclaration": false });
    assert_eq!(
        editor
            .ask("textDocument/references", all)
            .as_array()
            .unwrap()
            .len(),
        2
    );

    for (words, line) in [
        ("handoff to peo|ple", 3),
        ("{{ contact.fir|st_name", 6),
        ("from sh|op.get", 9),
        ("shop.get_|order", 10),
    ] {
        let at = editor.at("flows/front.flow", FRONT, words);
        let found = editor.ask("textDocument/definition", at);
        assert_eq!(
            found[0]["uri"],
            editor.uri("flows/business.flow"),
            "{words}: {found}"
        );
        assert_eq!(found[0]["range"]["start"]["line"], line, "{words}: {found}");
    }
    // A value, in a blank behind a character of several bytes, to the line that learns it.
    let at = editor.at("flows/front.flow", FRONT, "{{ ord|er.status");
    let found = editor.ask("textDocument/definition", at);
    assert_eq!(
        found[0]["range"]["start"],
        json!({ "line": 15, "character": 8 }),
        "{found}"
    );
    let at = editor.at("flows/front.flow", FRONT, "\"Which| order");
    assert_eq!(editor.ask("textDocument/definition", at), json!([]));
}

#[test]
fn renaming_a_step_changes_every_arrow_and_keeps_its_customers() {
    let mut editor = shop();
    let at = editor.at("flows/front.flow", FRONT, "step ask| for the number");
    let range = editor.ask("textDocument/prepareRename", at.clone());
    assert_eq!(range["start"]["character"], 5, "{range}");
    let mut rename = at.clone();
    rename["newName"] = json!("which order");
    let edit = editor.ask("textDocument/rename", rename.clone());
    let renamed = edited(FRONT, &edit["changes"][editor.uri("flows/front.flow")]);
    assert!(
        renamed.contains("step which order (was ask for the number)\n"),
        "{renamed}"
    );
    assert_eq!(renamed.matches("-> which order\n").count(), 2, "{renamed}");
    editor.did_change("flows/front.flow", &renamed);
    assert_eq!(editor.mistakes("flows/front.flow"), Vec::<Json>::new());
    // Renamed again before it was published: people still wait under the first name.
    let mut again = editor.at("flows/front.flow", &renamed, "step which| order");
    again["newName"] = json!("ask");
    let edit = editor.ask("textDocument/rename", again);
    let renamed = edited(&renamed, &edit["changes"][editor.uri("flows/front.flow")]);
    assert!(
        renamed.contains("step ask (was ask for the number)\n"),
        "{renamed}"
    );

    editor.did_change("flows/front.flow", FRONT);
    for (name, why) in [
        ("done", "another place"),
        ("hello", "already"),
        ("a \"b\"", "can't be the name"),
        ("", "can't be the name"),
    ] {
        rename["newName"] = json!(name);
        let said = editor.refused("textDocument/rename", rename.clone());
        assert!(said.contains(why), "{name}: {said}");
    }
    let mut other = editor.at("flows/front.flow", FRONT, "handoff to peo|ple");
    assert_eq!(
        editor.ask("textDocument/prepareRename", other.clone()),
        Json::Null
    );
    other["newName"] = json!("persons");
    assert!(
        editor
            .refused("textDocument/rename", other)
            .contains("only steps")
    );
}

/// A flow that the front door leads to, with its translation.
const ORDERS: &str = "\
flow orders
starts on \"orders\"

step ask
  ask first_name \"Who are you?\"
  remember first_name
  if contact.first_name is known -> flow front
  say \"Thanks, {{ contact.first_name }}.\"
  do front
  done
";
const PORTUGUESE: &str = "ask#say.1 00000000  \"Obrigado, {{ contact.first_name }}.\"\n";

#[test]
fn renaming_a_field_of_memory_changes_it_everywhere_and_keeps_what_is_remembered_by_its_name() {
    let mut editor = shop();
    editor.did_open("flows/orders.flow", ORDERS);
    editor.did_open("flows/orders.pt.strings", PORTUGUESE);
    let at = editor.at("flows/front.flow", FRONT, "{{ contact.fir|st_name");
    let range = editor.ask("textDocument/prepareRename", at.clone());
    let column = |end: &str| range[end]["character"].as_u64().unwrap();
    assert_eq!(
        column("end") - column("start"),
        "contact.first_name".len() as u64,
        "{range}"
    );
    let mut rename = at;
    for name in ["called", "contact.called"] {
        rename["newName"] = json!(name);
        let edit = editor.ask("textDocument/rename", rename.clone());
        let of = |text: &str, path: &str| edited(text, &edit["changes"][editor.uri(path)]);
        let business = of(BUSINESS, "flows/business.flow");
        assert!(business.contains("  contact.called: text\n"), "{business}");
        let front = of(FRONT, "flows/front.flow");
        assert!(
            front.contains("{{ contact.called | default('there') }}"),
            "{front}"
        );
        let orders = of(ORDERS, "flows/orders.flow");
        assert!(
            orders.contains("  remember first_name as contact.called\n  if contact.called is known")
                && orders.contains("Thanks, {{ contact.called }}."),
            "{orders}"
        );
        let texts = of(PORTUGUESE, "flows/orders.pt.strings");
        assert!(texts.contains("{{ contact.called }}"), "{texts}");
    }
    for (name, why) in [
        ("name", "everybody"),
        ("first name", "letters"),
        ("a.b", "letters"),
        ("", "letters"),
    ] {
        rename["newName"] = json!(name);
        let said = editor.refused("textDocument/rename", rename.clone());
        assert!(said.contains(why), "{name}: {said}");
    }
}

#[test]
fn renaming_a_flow_changes_every_way_into_it() {
    let mut editor = shop();
    editor.did_open("flows/orders.flow", ORDERS);
    let mut rename = editor.at("flows/orders.flow", ORDERS, "-> flow fro|nt");
    rename["newName"] = json!("front door");
    let edit = editor.ask("textDocument/rename", rename.clone());
    let of = |text: &str, path: &str| edited(text, &edit["changes"][editor.uri(path)]);
    let business = of(BUSINESS, "flows/business.flow");
    assert!(business.contains("starts with front door\n"), "{business}");
    let front = of(FRONT, "flows/front.flow");
    assert!(front.starts_with("flow front door \"Front door\"\n"), "{front}");
    let orders = of(ORDERS, "flows/orders.flow");
    assert!(
        orders.contains("-> flow front door\n") && orders.contains("  do front door\n"),
        "{orders}"
    );
    for (name, why) in [
        ("orders", "already"),
        ("go with me", "can't be the name"),
        ("", "can't be the name"),
    ] {
        rename["newName"] = json!(name);
        let said = editor.refused("textDocument/rename", rename.clone());
        assert!(said.contains(why), "{name}: {said}");
    }
}

#[test]
fn hovering_shows_the_text_as_the_customer_reads_it_and_its_count() {
    let mut editor = shop();
    let mut told = |words: &str| {
        let at = editor.at("flows/front.flow", FRONT, words);
        editor.ask("textDocument/hover", at)["contents"]["value"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    let greeting = told("say \"Ol|á");
    assert!(greeting.contains("> Olá Maria! 👟"), "{greeting}");
    assert!(greeting.contains("a message: 12/4096 characters"), "{greeting}");
    assert!(told("\"Track| my order").contains("a button: 14/20 characters"));
    assert!(told("-> look it| up").contains("**step look it up** of flow front"));
    let action = told("shop.get|_order");
    assert!(
        action.contains("`GET /orders/{{ number }}`") && action.contains("gives status: text"),
        "{action}"
    );
    assert!(told("contact.fir|st_name").contains("**contact.first_name: text**"));
    assert!(told("flow fr|ont").contains("starts on \"hi\""));
    assert!(
        told("with num|ber = number").is_empty(),
        "an argument's name is no value"
    );
    assert!(told("number = num|ber").contains("a value of flow front"));
}

#[test]
fn hovering_a_sentence_of_the_defaults_shows_the_room_that_check_gives_it() {
    let business = BUSINESS.replace("defaults\n", "defaults\n  closed \"We are closed.\"\n");
    let mut editor = Editor::open(&[("flows/business.flow", &business), ("flows/front.flow", FRONT)]);
    editor.did_open("flows/business.flow", &business);
    for (words, shown) in [
        // It goes out with the options of whatever was asked.
        ("\"Please| say", "a question: 22/1024 characters"),
        ("\"Something| went", "a message: 21/4096 characters"),
        ("\"We are| closed", "a message: 14/4096 characters"),
    ] {
        let at = editor.at("flows/business.flow", &business, words);
        let told = editor.ask("textDocument/hover", at);
        let told = told["contents"]["value"].as_str().unwrap_or_default();
        assert!(told.contains(shown), "{words}: {told}");
    }
}

#[test]
fn completion_offers_what_fits_at_the_place() {
    let mut editor = shop();
    let mut offered = |text: &str, cursor: &str| -> Vec<String> {
        editor.did_change("flows/front.flow", text);
        let at = editor.at("flows/front.flow", text, cursor);
        let items = editor.ask("textDocument/completion", at);
        labels(&items).into_iter().map(str::to_owned).collect()
    };
    let has = |offered: &[String], word: &str| offered.iter().any(|label| label == word);
    let arrow = offered(&FRONT.replace("-> look it up", "-> lo"), "-> lo|");
    assert!(
        has(&arrow, "look it up") && has(&arrow, "done") && has(&arrow, "handoff to"),
        "{arrow:?}"
    );
    let line = offered(&FRONT.replace("  -> look it up", "  no"), "\n  no|\n");
    assert!(has(&line, "notify") && has(&line, "say"), "{line:?}");
    let under = offered(
        &FRONT.replace("    not found -> ask", "    x -> ask"),
        "\n    |x ->",
    );
    assert!(
        has(&under, "not found") && has(&under, "problem") && has(&under, "end"),
        "{under:?}"
    );
    assert_eq!(
        offered(&FRONT.replace("shop.get_order", "shop."), "from shop.|"),
        ["shop.get_order"]
    );
    assert_eq!(offered(FRONT, "with |number"), ["number = "]);
    let blank = offered(&FRONT.replace("{{ order.status }}", "{{ "), "It is {{ |");
    assert!(
        has(&blank, "order") && has(&blank, "number") && has(&blank, "contact.first_name"),
        "{blank:?}"
    );
    let filter = offered(
        &FRONT.replace("order.status }}", "order.status | }}"),
        "status | |",
    );
    assert!(has(&filter, "default") && has(&filter, "short"), "{filter:?}");
    assert_eq!(offered(FRONT, "handoff to peo|ple"), ["people"]);
    let flows = offered(&FRONT.replace("-> look it up", "-> flow "), "-> flow |");
    assert_eq!(flows, ["front"]);
    assert_eq!(offered(FRONT, "\"Which| order"), Vec::<String>::new());
}

#[test]
fn an_offer_replaces_what_is_written_of_it() {
    let mut editor = shop();
    let text = FRONT.replace("-> look it up", "-> look it");
    editor.did_change("flows/front.flow", &text);
    let at = editor.at("flows/front.flow", &text, "-> look it|");
    let items = editor.ask("textDocument/completion", at);
    let item = items
        .as_array()
        .unwrap()
        .iter()
        .find(|item| item["label"] == "look it up")
        .unwrap();
    let edits = json!([item["textEdit"]]);
    assert_eq!(edited(&text, &edits), FRONT);
}

#[test]
fn formatting_moves_only_the_lines_that_are_crooked() {
    let mut editor = shop();
    let crooked = FRONT
        .replace("  say \"Olá", "      say “Olá")
        .replace("👟\"", "👟”")
        .replace("  done", "done");
    editor.did_change("flows/front.flow", &crooked);
    let request = json!({
        "textDocument": { "uri": editor.uri("flows/front.flow") },
        "options": { "tabSize": 4, "insertSpaces": true },
    });
    let edits = editor.ask("textDocument/formatting", request.clone());
    assert_eq!(edits.as_array().unwrap().len(), 2, "{edits}");
    assert_eq!(edited(&crooked, &edits), FRONT);
    editor.did_change("flows/front.flow", FRONT);
    assert_eq!(editor.ask("textDocument/formatting", request.clone()), json!([]));
    // What can't be read is left as it is.
    editor.did_change("flows/front.flow", &FRONT.replace("  end\n", ""));
    assert_eq!(editor.ask("textDocument/formatting", request), Json::Null);
}

#[test]
fn every_fix_of_check_is_a_code_action() {
    let mut editor = shop();
    let wrong = FRONT
        .replace("-> look it up", "-> look it upp")
        .replace("handoff to people", "handoff to poeple")
        .replace("  say \"It is", "  saay \"It is");
    editor.did_change("flows/front.flow", &wrong);
    let mut at = editor.at("flows/front.flow", &wrong, "-> look it| upp");
    let place = at["position"].clone();
    at["range"] = json!({ "start": place, "end": place });
    at["context"] = json!({ "diagnostics": [] });
    let actions = editor.ask("textDocument/codeAction", at.clone());
    let quick: Vec<&Json> = actions
        .as_array()
        .unwrap()
        .iter()
        .filter(|action| action["kind"] == "quickfix")
        .collect();
    assert_eq!(quick.len(), 1, "{actions}");
    assert_eq!(quick[0]["diagnostics"][0]["code"], "F101");
    assert_eq!(quick[0]["isPreferred"], true);
    let uri = editor.uri("flows/front.flow");
    let mended = edited(&wrong, &quick[0]["edit"]["changes"][&uri]);
    assert!(mended.contains("-> look it up\n"), "{mended}");

    at["context"] = json!({ "diagnostics": [], "only": ["source.fixAll"] });
    let actions = editor.ask("textDocument/codeAction", at);
    assert_eq!(actions.as_array().unwrap().len(), 1, "{actions}");
    assert_eq!(edited(&wrong, &actions[0]["edit"]["changes"][&uri]), FRONT);
}

#[test]
fn the_outline_names_the_steps_of_a_flow() {
    let mut editor = shop();
    let request = json!({ "textDocument": { "uri": editor.uri("flows/front.flow") } });
    let symbols = editor.ask("textDocument/documentSymbol", request);
    assert_eq!(symbols[0]["name"], "front");
    let steps = symbols[0]["children"].as_array().unwrap().iter();
    let steps: Vec<&str> = steps.map(|step| step["name"].as_str().unwrap()).collect();
    assert_eq!(steps, ["hello", "ask for the number", "look it up"]);
}

#[test]
fn columns_are_counted_as_the_editor_counts_them() {
    let mut editor = Editor::start(&[("flows/business.flow", BUSINESS), ("flows/front.flow", FRONT)]);
    editor.begin(json!(["utf-16"]));
    let text = FRONT.replace("there') }}! 👟\"", "there') }} 👟 {{ nobody }}\"");
    editor.did_open("flows/front.flow", &text);
    let found = editor.mistakes("flows/front.flow");
    assert_eq!(found[0]["code"], "F401", "{found:?}");
    let line = text.lines().nth(4).unwrap();
    let column = line[..line.find("nobody").unwrap()].encode_utf16().count();
    assert_eq!(
        found[0]["range"]["start"],
        json!({ "line": 4, "character": column })
    );
}

/// The sample business and the shop above.
fn samples() -> Vec<(String, String)> {
    let mut samples = vec![
        ("business.flow".to_owned(), BUSINESS.to_owned()),
        ("front.flow".to_owned(), FRONT.to_owned()),
    ];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("flows");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "flow") {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            samples.push((name, std::fs::read_to_string(path).unwrap()));
        }
    }
    assert!(samples.len() > 6, "the sample business is there");
    samples
}

#[test]
fn every_beginning_of_a_file_gets_an_answer() {
    let mut editor = Editor::open(&[]);
    let mut answered = 0;
    for (number, (name, text)) in samples().iter().enumerate() {
        // Each in a folder of its own: what counts is the file that is typed.
        let path = format!("{number}/{name}");
        editor.did_open(&path, "");
        let mut asked = Vec::new();
        for (end, _) in text.char_indices().chain([(text.len(), ' ')]) {
            let typed = &text[..end];
            editor.did_change(&path, typed);
            let line = typed.matches('\n').count();
            let start = typed.rfind('\n').map_or(0, |at| at + 1);
            let at = json!({
                "textDocument": { "uri": editor.uri(&path) },
                "position": { "line": line, "character": end - start },
            });
            asked.push(editor.send("textDocument/completion", at.clone()));
            // The checks of all of it take longer; at the ends of lines they are done, too.
            if typed.ends_with('\n') {
                let mut fix = at.clone();
                fix["range"] = json!({ "start": { "line": 0, "character": 0 }, "end": at["position"] });
                fix["context"] = json!({ "diagnostics": [] });
                asked.push(editor.send("textDocument/codeAction", fix));
                asked.push(editor.send("textDocument/hover", at));
            }
            if asked.len() > 64 {
                answered += hear_all(&mut editor, &mut asked, &path);
            }
        }
        answered += hear_all(&mut editor, &mut asked, &path);
        let closed = json!({ "textDocument": { "uri": editor.uri(&path) } });
        editor.tell("textDocument/didClose", closed);
    }
    assert!(answered > 5_000, "only {answered} answers");
    assert_eq!(editor.goodbye(), 0);
}

#[track_caller]
fn hear_all(editor: &mut Editor, asked: &mut Vec<RequestId>, path: &str) -> usize {
    let count = asked.len();
    while !asked.is_empty() {
        if let Message::Response(response) = editor.hear() {
            if let Err(error) = &response.response_result {
                panic!("{path}, request {}: {error:?}", response.id);
            }
            asked.retain(|id| *id != response.id);
        }
    }
    count
}
