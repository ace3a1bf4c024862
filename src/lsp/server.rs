//! The conversation with the editor: who may speak when, and which question goes where.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use lsp_server::{Connection, ErrorCode, Message, Notification, Request, Response};
use lsp_types::{
    CodeActionKind, CodeActionOptions, CodeActionParams, CodeActionProviderCapability, CompletionOptions,
    CompletionParams, DiagnosticRelatedInformation, DiagnosticSeverity, DidChangeTextDocumentParams,
    DidCloseTextDocumentParams, DidOpenTextDocumentParams, DocumentFormattingParams, DocumentSymbol,
    DocumentSymbolParams, GotoDefinitionParams, Hover, HoverContents, HoverParams, HoverProviderCapability,
    InitializeParams, InitializeResult, Location, MarkupContent, MarkupKind, NumberOrString, OneOf, Position,
    PositionEncodingKind, PublishDiagnosticsParams, ReferenceParams, RenameOptions, RenameParams,
    ServerCapabilities, ServerInfo, SymbolKind, TextDocumentPositionParams, TextDocumentSyncCapability,
    TextDocumentSyncKind, TextEdit, Uri,
};
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use super::documents::{Documents, Reading, path_of};
use super::places::Encoding;
use super::{actions, completion, hover, mentions, rename};
use crate::flow::diagnostic::{Diagnostic, Severity};
use crate::flow::format;
use crate::flow::source::{FileId, Span};
use crate::flow::strings;

/// Mistakes are told when typing pauses this long, and at the latest after [`AT_LATEST`].
const PAUSE: Duration = Duration::from_millis(150);
const AT_LATEST: Duration = Duration::from_secs(1);

/// How the editor left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It said goodbye as the protocol asks for.
    Good,
    /// It was gone without `shutdown`.
    Abrupt,
}

#[derive(Debug, thiserror::Error)]
pub enum LspError {
    #[error("the editor does not keep to the protocol: {0}")]
    Protocol(#[from] lsp_server::ProtocolError),
    #[error("the editor went away")]
    Gone,
}

/// Why a request gets no result.
#[derive(Debug)]
enum Refusal {
    /// Not what the protocol has there.
    Malformed(String),
    NoSuchRequest(String),
    /// A sentence for the person.
    Refused(String),
}

/// Serves one editor until it leaves.
pub fn serve(connection: &Connection) -> Result<Ended, LspError> {
    let (id, params) = connection.initialize_start()?;
    let params: InitializeParams = serde_json::from_value(params).unwrap_or_default();
    let encoding = encoding(&params);
    let capabilities = InitializeResult {
        capabilities: capabilities(encoding),
        server_info: Some(ServerInfo {
            name: "switchboard".to_owned(),
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        }),
    };
    connection.initialize_finish(id, json(&capabilities))?;
    let mut server = Server {
        documents: Documents::new(root(&params)),
        encoding,
        told: Vec::new(),
        changed: None,
    };
    loop {
        let message = match server.changed {
            None => connection.receiver.recv().map_err(|_| LspError::Gone),
            Some(since) => {
                let now = Instant::now();
                let due = (now + PAUSE).min(since + AT_LATEST);
                match connection
                    .receiver
                    .recv_timeout(due.saturating_duration_since(now))
                {
                    Ok(message) => Ok(message),
                    Err(error) if error.is_timeout() => {
                        server.tell(connection)?;
                        continue;
                    }
                    Err(_) => Err(LspError::Gone),
                }
            }
        };
        match message {
            Err(_) => return Ok(Ended::Abrupt),
            Ok(Message::Request(request)) => {
                if connection.handle_shutdown(&request)? {
                    return Ok(Ended::Good);
                }
                send(connection, Message::Response(server.answer(request)))?;
            }
            Ok(Message::Notification(note)) if note.method == "exit" => return Ok(Ended::Abrupt),
            Ok(Message::Notification(note)) => server.note(note),
            Ok(Message::Response(_)) => {}
        }
    }
}

fn send(connection: &Connection, message: Message) -> Result<(), LspError> {
    connection.sender.send(message).map_err(|_| LspError::Gone)
}

/// UTF-8 columns where the editor knows them: then nothing is counted twice.
fn encoding(params: &InitializeParams) -> Encoding {
    let offered = params
        .capabilities
        .general
        .as_ref()
        .and_then(|general| general.position_encodings.as_ref());
    if offered.is_some_and(|offered| offered.contains(&PositionEncodingKind::UTF8)) {
        Encoding::Utf8
    } else {
        Encoding::Utf16
    }
}

/// The folder of the project.
// Older editors know only the one root.
#[allow(deprecated)]
fn root(params: &InitializeParams) -> Option<std::path::PathBuf> {
    let folders = params.workspace_folders.iter().flatten();
    folders
        .filter_map(|folder| path_of(&folder.uri))
        .next()
        .or_else(|| params.root_uri.as_ref().and_then(path_of))
}

fn capabilities(encoding: Encoding) -> ServerCapabilities {
    ServerCapabilities {
        position_encoding: Some(encoding.kind()),
        text_document_sync: Some(TextDocumentSyncCapability::Kind(TextDocumentSyncKind::FULL)),
        completion_provider: Some(CompletionOptions {
            trigger_characters: Some([" ", ".", "{", "|", ">"].map(str::to_owned).to_vec()),
            ..CompletionOptions::default()
        }),
        definition_provider: Some(OneOf::Left(true)),
        references_provider: Some(OneOf::Left(true)),
        hover_provider: Some(HoverProviderCapability::Simple(true)),
        document_symbol_provider: Some(OneOf::Left(true)),
        document_formatting_provider: Some(OneOf::Left(true)),
        rename_provider: Some(OneOf::Right(RenameOptions {
            prepare_provider: Some(true),
            work_done_progress_options: Default::default(),
        })),
        code_action_provider: Some(CodeActionProviderCapability::Options(CodeActionOptions {
            code_action_kinds: Some(vec![CodeActionKind::QUICKFIX, CodeActionKind::SOURCE_FIX_ALL]),
            ..CodeActionOptions::default()
        })),
        ..ServerCapabilities::default()
    }
}

struct Server {
    documents: Documents,
    encoding: Encoding,
    /// Files about which something was told, so that it can be taken back.
    told: Vec<Uri>,
    /// Since when there is a change whose mistakes have not been told.
    changed: Option<Instant>,
}

impl Server {
    fn note(&mut self, note: Notification) {
        match note.method.as_str() {
            "textDocument/didOpen" => {
                if let Ok(params) = serde_json::from_value::<DidOpenTextDocumentParams>(note.params) {
                    self.documents
                        .set(params.text_document.uri, params.text_document.text);
                }
            }
            "textDocument/didChange" => {
                // Whole texts: the last one counts.
                if let Ok(mut params) = serde_json::from_value::<DidChangeTextDocumentParams>(note.params)
                    && let Some(change) = params.content_changes.pop()
                {
                    self.documents.set(params.text_document.uri, change.text);
                }
            }
            "textDocument/didClose" => {
                if let Ok(params) = serde_json::from_value::<DidCloseTextDocumentParams>(note.params) {
                    self.documents.close(&params.text_document.uri);
                }
            }
            "textDocument/didSave" | "workspace/didChangeWatchedFiles" => self.documents.forget(),
            _ => return,
        }
        self.changed.get_or_insert_with(Instant::now);
    }

    fn answer(&mut self, request: Request) -> Response {
        let id = request.id.clone();
        // A fault in one answer must not take the editor's language server away.
        let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| self.result(request)));
        match outcome {
            Ok(Ok(result)) => Response::new_ok(id, result),
            Ok(Err(Refusal::Malformed(why))) => Response::new_err(id, ErrorCode::InvalidParams as i32, why),
            Ok(Err(Refusal::NoSuchRequest(method))) => Response::new_err(
                id,
                ErrorCode::MethodNotFound as i32,
                format!("this language server has no {method}"),
            ),
            Ok(Err(Refusal::Refused(why))) => Response::new_err(id, ErrorCode::RequestFailed as i32, why),
            Err(_) => {
                // What was half read is read again.
                self.documents.forget();
                let why = "this is a fault of Switchboard itself; please report it with the file you edited";
                Response::new_err(id, ErrorCode::InternalError as i32, why.to_owned())
            }
        }
    }

    fn result(&mut self, request: Request) -> Result<Json, Refusal> {
        let method = request.method.clone();
        Ok(match method.as_str() {
            "textDocument/completion" => {
                let at = read::<CompletionParams>(request)?.text_document_position;
                json(&self.at(&at, |encoding, reading, file, offset| {
                    let translated = strings::is_strings(&reading.sources.file(file).path);
                    (!translated).then(|| completion::completion(reading, encoding, file, offset))
                }))
            }
            "textDocument/definition" => {
                let at = read::<GotoDefinitionParams>(request)?.text_document_position_params;
                json(&self.at(&at, |encoding, reading, file, offset| {
                    places(reading, encoding, file, offset, |mention| mention.declares)
                }))
            }
            "textDocument/references" => {
                let params = read::<ReferenceParams>(request)?;
                let all = params.context.include_declaration;
                let at = params.text_document_position;
                json(&self.at(&at, |encoding, reading, file, offset| {
                    places(reading, encoding, file, offset, |mention| {
                        all || !mention.declares
                    })
                }))
            }
            "textDocument/hover" => {
                let at = read::<HoverParams>(request)?.text_document_position_params;
                json(&self.at(&at, |encoding, reading, file, offset| {
                    hover::hover(reading, file, offset).map(|(value, span)| Hover {
                        contents: HoverContents::Markup(MarkupContent {
                            kind: MarkupKind::Markdown,
                            value,
                        }),
                        range: Some(encoding.range(reading.text(span.file), span.range())),
                    })
                }))
            }
            "textDocument/documentSymbol" => {
                let params = read::<DocumentSymbolParams>(request)?;
                let at = TextDocumentPositionParams::new(params.text_document, Position::default());
                json(&self.at(&at, |encoding, reading, file, _| symbols(reading, encoding, file)))
            }
            "textDocument/formatting" => {
                let params = read::<DocumentFormattingParams>(request)?;
                let at = TextDocumentPositionParams::new(params.text_document, Position::default());
                json(&self.at(&at, |encoding, reading, file, _| {
                    formatting(reading, encoding, file)
                }))
            }
            "textDocument/prepareRename" => {
                let at = read::<TextDocumentPositionParams>(request)?;
                json(&self.at(&at, |encoding, reading, file, offset| {
                    let mention = rename::renamable(reading, file, offset);
                    mention.map(|mention| encoding.range(reading.text(file), mention.span.range()))
                }))
            }
            "textDocument/rename" => {
                let params = read::<RenameParams>(request)?;
                let at = params.text_document_position;
                let renamed = self.at(&at, |encoding, reading, file, offset| {
                    rename::rename(reading, file, offset, &params.new_name)
                        .map(|edits| actions::workspace_edit(reading, encoding, edits))
                });
                match renamed {
                    Some(Ok(edit)) => json(&edit),
                    Some(Err(why)) => return Err(Refusal::Refused(why)),
                    None => return Err(Refusal::Refused("this file is not open".to_owned())),
                }
            }
            "textDocument/codeAction" => {
                let params = read::<CodeActionParams>(request)?;
                let at = TextDocumentPositionParams::new(params.text_document, params.range.start);
                let (range, only) = (params.range, params.context.only);
                json(&self.at(&at, |encoding, reading, file, offset| {
                    let end = encoding.offset(reading.text(file), range.end);
                    let wanted = |kind: &CodeActionKind| {
                        let within = |only: &CodeActionKind| kind.as_str().starts_with(only.as_str());
                        only.as_ref().is_none_or(|only| only.iter().any(within))
                    };
                    actions::actions(reading, encoding, file, offset..end.max(offset), &wanted)
                }))
            }
            _ => return Err(Refusal::NoSuchRequest(method)),
        })
    }

    /// What is found at a place; `None` if the file can't be found.
    fn at<R>(
        &mut self,
        at: &TextDocumentPositionParams,
        find: impl FnOnce(Encoding, &Reading, FileId, usize) -> R,
    ) -> Option<R> {
        let encoding = self.encoding;
        let uri = &at.text_document.uri;
        let reading = self.documents.reading(uri)?;
        let file = reading.file(uri)?;
        let offset = encoding.offset(reading.text(file), at.position);
        Some(find(encoding, reading, file, offset))
    }

    /// Tells the mistakes of every business that has a file open, and takes back those that are gone.
    fn tell(&mut self, connection: &Connection) -> Result<(), LspError> {
        self.changed = None;
        let mut about: Vec<(Uri, Vec<lsp_types::Diagnostic>)> = Vec::new();
        for uri in self.documents.open() {
            if about.iter().any(|(told, _)| *told == uri) {
                continue;
            }
            let encoding = self.encoding;
            let Some(reading) = self.documents.reading(&uri) else {
                continue;
            };
            let read = AssertUnwindSafe(|| mistakes(reading, encoding));
            // The same fault would come again; the next change may not have it.
            let Ok(found) = std::panic::catch_unwind(read) else {
                continue;
            };
            about.extend(found);
        }
        let gone = |uri: &&Uri| {
            !about
                .iter()
                .any(|(told, found)| told == *uri && !found.is_empty())
        };
        let mut news: Vec<(Uri, Vec<lsp_types::Diagnostic>)> = self
            .told
            .iter()
            .filter(gone)
            .map(|uri| (uri.clone(), Vec::new()))
            .collect();
        self.told = about
            .iter()
            .filter(|(_, found)| !found.is_empty())
            .map(|(uri, _)| uri.clone())
            .collect();
        let open = self.documents.open();
        let worth = |(uri, found): &(Uri, Vec<_>)| !found.is_empty() || open.contains(uri);
        for one in about.into_iter().filter(worth) {
            if !news.iter().any(|(uri, _)| *uri == one.0) {
                news.push(one);
            }
        }
        for (uri, diagnostics) in news {
            let params = PublishDiagnosticsParams::new(uri, diagnostics, None);
            let note = Notification::new("textDocument/publishDiagnostics".to_owned(), params);
            send(connection, Message::Notification(note))?;
        }
        Ok(())
    }
}

fn read<P: DeserializeOwned>(request: Request) -> Result<P, Refusal> {
    serde_json::from_value(request.params).map_err(|error| Refusal::Malformed(error.to_string()))
}

/// The protocol's types are strings, numbers and lists of them: they always have a JSON form.
fn json(value: &impl serde::Serialize) -> Json {
    serde_json::to_value(value).unwrap_or(Json::Null)
}

/// The mistakes of each file of a business, of clean files none.
fn mistakes(reading: &Reading, encoding: Encoding) -> Vec<(Uri, Vec<lsp_types::Diagnostic>)> {
    let files = reading.uris.iter().enumerate().map(|(index, uri)| {
        let of_file = reading
            .diagnostics()
            .iter()
            .filter(|found| found.span().file.0 as usize == index)
            .map(|found| diagnostic(reading, encoding, found));
        (uri.clone(), of_file.collect())
    });
    files.collect()
}

/// A mistake as the protocol has it.
pub(super) fn diagnostic(reading: &Reading, encoding: Encoding, found: &Diagnostic) -> lsp_types::Diagnostic {
    let location = |span: Span| Location::new(reading.uri(span.file).clone(), range(reading, encoding, span));
    let mut message = found.message.clone();
    let label = found.labels.first().map(|label| label.text.as_str());
    for line in label.into_iter().chain(found.notes.iter().map(String::as_str)) {
        if !line.is_empty() {
            message.push('\n');
            message.push_str(line);
        }
    }
    let related: Vec<DiagnosticRelatedInformation> = found
        .labels
        .iter()
        .skip(1)
        .map(|label| DiagnosticRelatedInformation {
            location: location(label.span),
            message: label.text.clone(),
        })
        .collect();
    lsp_types::Diagnostic {
        range: range(reading, encoding, found.span()),
        severity: Some(match found.severity {
            Severity::Error => DiagnosticSeverity::ERROR,
            Severity::Warning => DiagnosticSeverity::WARNING,
            Severity::Hint => DiagnosticSeverity::HINT,
        }),
        code: Some(NumberOrString::String(found.code.to_string())),
        source: Some("switchboard".to_owned()),
        message,
        related_information: (!related.is_empty()).then_some(related),
        ..lsp_types::Diagnostic::default()
    }
}

fn range(reading: &Reading, encoding: Encoding, span: Span) -> lsp_types::Range {
    encoding.range(reading.text(span.file), span.range())
}

/// Where the name at a place is mentioned, as far as `wanted`.
fn places(
    reading: &Reading,
    encoding: Encoding,
    file: FileId,
    offset: usize,
    wanted: impl Fn(&mentions::Mention) -> bool,
) -> Vec<Location> {
    let Some(here) = mentions::at(reading.mentions(), file, offset) else {
        return Vec::new();
    };
    let mut spans: Vec<Span> = reading
        .mentions()
        .iter()
        .filter(|mention| mention.symbol == here.symbol && wanted(mention))
        .map(|mention| mention.span)
        .collect();
    spans.sort_unstable();
    spans.dedup();
    let location = |span: Span| Location::new(reading.uri(span.file).clone(), range(reading, encoding, span));
    spans.into_iter().map(location).collect()
}

/// The steps of each flow of a file, for the editor's outline.
// The field is deprecated, and there is no way to leave it out.
#[allow(deprecated)]
fn symbols(reading: &Reading, encoding: Encoding, file: FileId) -> Vec<DocumentSymbol> {
    let symbol = |name: &str, kind, whole: Span, of: Span, children| DocumentSymbol {
        name: name.to_owned(),
        detail: None,
        kind,
        tags: None,
        deprecated: None,
        range: range(reading, encoding, whole),
        selection_range: range(reading, encoding, of),
        children,
    };
    let end = reading.text(file).len();
    let flows = reading.tree.flows.iter().filter(|flow| flow.file == file);
    flows
        .map(|flow| {
            let steps = flow.steps.iter().enumerate().map(|(index, step)| {
                let next = flow
                    .steps
                    .get(index + 1)
                    .map_or(end, |next| next.span.start as usize);
                let whole = Span::new(file, step.span.start as usize, next.max(step.span.end as usize));
                symbol(
                    &step.name.words,
                    SymbolKind::FUNCTION,
                    whole,
                    step.name.span,
                    None,
                )
            });
            let whole = Span::new(file, flow.name.span.start as usize, end);
            let steps = Some(steps.collect());
            symbol(&flow.name.words, SymbolKind::MODULE, whole, flow.name.span, steps)
        })
        .collect()
}

/// The changes that bring a file into the one layout; none if it can't be read whole (its mistakes are told).
fn formatting(reading: &Reading, encoding: Encoding, file: FileId) -> Option<Vec<TextEdit>> {
    let text = reading.text(file);
    let formatted = format::format(&reading.sources.file(file).path, text).ok()?;
    let diff = similar::TextDiff::from_lines(text, formatted.as_str());
    let starts = |text: &str| -> Vec<usize> {
        let mut starts = vec![0];
        starts.extend(text.split_inclusive('\n').scan(0, |at, line| {
            *at += line.len();
            Some(*at)
        }));
        starts
    };
    let (old, new) = (starts(text), starts(&formatted));
    let edits = diff.ops().iter().filter(|op| op.tag() != similar::DiffTag::Equal);
    let edit = |op: &similar::DiffOp| {
        let (from, to) = (op.old_range(), op.new_range());
        TextEdit {
            range: encoding.range(text, old[from.start]..old[from.end]),
            new_text: formatted[new[to.start]..new[to.end]].to_owned(),
        }
    };
    Some(edits.map(edit).collect())
}
