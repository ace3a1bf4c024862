//! The files of a business: what is open in the editor, and the rest from the disk.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use lsp_types::Uri;

use super::mentions::{self, Mention};
use crate::flow::diagnostic::Diagnostic;
use crate::flow::source::{FileId, Sources};
use crate::flow::tree::Tree;
use crate::flow::{blocks, check};

/// Entries of folders that are looked at before a search for flows ends: a server started in a home folder must not
/// read the disk.
const MOST_ENTRIES: usize = 20_000;

/// A file that is open in the editor.
#[derive(Debug)]
struct Open {
    uri: Uri,
    text: String,
}

/// Everything that is open, and where the folder of the project is.
#[derive(Debug, Default)]
pub(super) struct Documents {
    root: Option<PathBuf>,
    /// By address, as the editor writes it.
    open: BTreeMap<String, Open>,
    /// What was found out of each business since the last change, by its folder (or the address of a lone text).
    read: BTreeMap<String, Reading>,
    /// The folder of each path that was asked about since then: finding it reads the disk.
    folders: RefCell<HashMap<PathBuf, PathBuf>>,
}

/// A business, read.
#[derive(Debug)]
pub(super) struct Reading {
    pub sources: Sources,
    pub tree: Tree,
    /// Of each file, in the order of their ids.
    pub uris: Vec<Uri>,
    /// Found by the parser.
    slips: Vec<Diagnostic>,
    diagnostics: OnceCell<Vec<Diagnostic>>,
    mentions: OnceCell<Vec<Mention>>,
}

impl Reading {
    /// Every mistake of every file, as `switchboard check` tells them.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        self.diagnostics.get_or_init(|| {
            let mut found = self.slips.clone();
            found.extend(check::check_all(&self.sources, &self.tree));
            check::tidy(&self.sources, found)
        })
    }

    pub fn mentions(&self) -> &[Mention] {
        self.mentions
            .get_or_init(|| mentions::mentions(&self.sources, &self.tree))
    }

    pub fn file(&self, uri: &Uri) -> Option<FileId> {
        let at = self.uris.iter().position(|known| known == uri)?;
        Some(FileId(at as u16))
    }

    pub fn text(&self, file: FileId) -> &str {
        &self.sources.file(file).text
    }

    pub fn uri(&self, file: FileId) -> &Uri {
        &self.uris[file.0 as usize]
    }
}

impl Documents {
    pub fn new(root: Option<PathBuf>) -> Documents {
        Documents {
            root,
            ..Documents::default()
        }
    }

    pub fn set(&mut self, uri: Uri, text: String) {
        self.forget();
        self.open.insert(uri.as_str().to_owned(), Open { uri, text });
    }

    pub fn close(&mut self, uri: &Uri) {
        self.forget();
        self.open.remove(uri.as_str());
    }

    /// Something changed, here or on the disk: all is looked at again.
    pub fn forget(&mut self) {
        self.read.clear();
        self.folders.get_mut().clear();
    }

    /// Addresses of what is open.
    pub fn open(&self) -> Vec<Uri> {
        self.open.values().map(|open| open.uri.clone()).collect()
    }

    /// The business that a file belongs to, read; `None` if the file is neither open nor on the disk.
    pub fn reading(&mut self, uri: &Uri) -> Option<&Reading> {
        let folder = path_of(uri).map(|path| self.folder(&path));
        let key = folder
            .as_ref()
            .map_or_else(|| uri.as_str().to_owned(), |folder| folder.display().to_string());
        if !self.read.contains_key(&key) {
            let reading = self.read(uri, folder.as_deref());
            self.read.insert(key.clone(), reading);
        }
        self.read.get(&key).filter(|reading| reading.file(uri).is_some())
    }

    fn read(&self, uri: &Uri, folder: Option<&Path>) -> Reading {
        // Sorted by path, as the command line reads them: of two flows of one name the first counts.
        let mut files: BTreeMap<PathBuf, (Uri, String)> = BTreeMap::new();
        if let Some(folder) = folder {
            let mut left = MOST_ENTRIES;
            let mut found = Vec::new();
            flows_below(folder, &mut left, &mut found);
            for path in found {
                if let (Some(uri), Ok(text)) = (uri_of(&path), std::fs::read_to_string(&path)) {
                    files.insert(path, (uri, text));
                }
            }
        }
        for open in self.open.values() {
            match path_of(&open.uri) {
                Some(path) if folder.is_some_and(|folder| self.folder(&path) == folder) => {
                    files.insert(path, (open.uri.clone(), open.text.clone()));
                }
                None if open.uri == *uri => {
                    files.insert(PathBuf::from(uri.as_str()), (uri.clone(), open.text.clone()));
                }
                _ => {}
            }
        }
        let (mut sources, mut uris) = (Sources::default(), Vec::new());
        for (path, (uri, text)) in files.into_iter().take(usize::from(u16::MAX)) {
            let shown = self.root.as_ref().and_then(|root| path.strip_prefix(root).ok());
            sources.add(shown.unwrap_or(&path).display().to_string(), text);
            uris.push(uri);
        }
        let (tree, slips) = blocks::parse(&sources);
        Reading {
            sources,
            tree,
            uris,
            slips,
            diagnostics: OnceCell::new(),
            mentions: OnceCell::new(),
        }
    }

    /// The folder of the business that a file belongs to.
    fn folder(&self, path: &Path) -> PathBuf {
        if let Some(known) = self.folders.borrow().get(path) {
            return known.clone();
        }
        let found = self.find_folder(path);
        self.folders.borrow_mut().insert(path.to_owned(), found.clone());
        found
    }

    /// The nearest one above it with a business file, else the project's `flows`, else the project, else the file's own.
    fn find_folder(&self, path: &Path) -> PathBuf {
        let own = path.parent().unwrap_or(path);
        let root = self.root.as_deref().filter(|root| own.starts_with(root));
        let above = own
            .ancestors()
            .take_while(|folder| root.is_none_or(|root| folder.starts_with(root)));
        // Without a project only the folder itself and the one above: who knows what is further up.
        let most = if root.is_some() { usize::MAX } else { 2 };
        if let Some(folder) = above.take(most).find(|folder| self.has_business(folder)) {
            return folder.to_path_buf();
        }
        match root {
            Some(root) if own.starts_with(root.join("flows")) => root.join("flows"),
            Some(root) => root.to_path_buf(),
            None => own.to_path_buf(),
        }
    }

    fn has_business(&self, folder: &Path) -> bool {
        let opened = self.open.values().any(|open| {
            path_of(&open.uri).is_some_and(|path| path.parent() == Some(folder)) && is_business(&open.text)
        });
        opened
            || std::fs::read_dir(folder).is_ok_and(|entries| {
                entries.take(MOST_ENTRIES).flatten().any(|entry| {
                    let path = entry.path();
                    is_flow(&path) && std::fs::read_to_string(&path).is_ok_and(|text| is_business(&text))
                })
            })
    }
}

fn is_business(text: &str) -> bool {
    text.lines()
        .map(str::trim_start)
        .find(|line| !line.is_empty() && !line.starts_with('#'))
        .is_some_and(|line| line.starts_with("business"))
}

fn is_flow(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "flow")
}

fn flows_below(folder: &Path, left: &mut usize, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        if *left == 0 {
            return;
        }
        *left -= 1;
        let path = entry.path();
        let name = entry.file_name();
        let passed_over =
            name.to_string_lossy().starts_with('.') || name == "target" || name == "node_modules";
        // Links are not followed: they may lead in a circle.
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && !passed_over => flows_below(&path, left, found),
            Ok(kind) if !kind.is_dir() && (is_flow(&path) || is_translation(&path)) => found.push(path),
            _ => {}
        }
    }
}

fn is_translation(path: &Path) -> bool {
    path.extension()
        .is_some_and(|ending| ending == crate::flow::strings::ENDING)
}

pub(super) fn path_of(uri: &Uri) -> Option<PathBuf> {
    url::Url::parse(uri.as_str()).ok()?.to_file_path().ok()
}

fn uri_of(path: &Path) -> Option<Uri> {
    url::Url::from_file_path(path).ok()?.as_str().parse().ok()
}
