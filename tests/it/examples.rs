//! What we show works: every folder of `examples/` and every manifest in
//! `docs/guides/` is admitted, and the commands there print what the page says.
//!
//! In a guide, a fenced block's info string says what it is:
//! - `yaml` is a manifest without errors, `yaml wrong` one with errors; `file=NAME`
//!   names it for the commands of that page.
//! - `console` shows commands and what they print; `$ agentkube lint`, `explain` and
//!   `crds` are run and compared. A line `…` stands for any lines, a line that ends
//!   with `…` for any end.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

/// Commands that end by themselves and touch nothing.
const RUN: [&str; 3] = ["lint", "explain", "crds"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn agentkube(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_agentkube"));
    command.current_dir(folder).args(arguments);
    command
}

/// The exit code of `lint` and its errors.
fn lint(folder: &Path, arguments: &[&str]) -> (Option<i32>, Vec<Value>) {
    let arguments = [&["lint", "-o", "json"], arguments].concat();
    let output = agentkube(folder, &arguments).output().unwrap();
    let mut findings: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    findings.retain(|finding| finding["severity"] == "error");
    (output.status.code(), findings)
}

fn entries(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(folder)).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "{folder} is empty");
    paths
}

#[test]
fn every_example_is_admitted() {
    for example in entries("examples") {
        let name = example.to_str().unwrap();
        assert_eq!(lint(root(), &["--local", name]), (Some(0), vec![]));
        // The quickstart's demo listens on loopback; all others are for a cluster.
        if !name.ends_with("quickstart") {
            assert_eq!(lint(root(), &[name]), (Some(0), vec![]));
        }
    }
}

/// A fenced block of a page.
#[derive(Debug)]
struct Block {
    info: String,
    line: usize,
    text: String,
}

/// A page of the guides, and a folder with its files.
struct Page {
    path: PathBuf,
    text: String,
    blocks: Vec<Block>,
    folder: TempDir,
}

impl Page {
    fn open(path: PathBuf) -> Self {
        let text = fs::read_to_string(&path).unwrap();
        let folder = TempDir::new().unwrap();
        let examples = folder.path().join("examples");
        std::os::unix::fs::symlink(root().join("examples"), examples).unwrap();
        let blocks = blocks(&text);
        for (index, block) in blocks.iter().enumerate() {
            if block.is("yaml") {
                fs::write(folder.path().join(block.file(index)), &block.text).unwrap();
            }
        }
        Self {
            path,
            text,
            blocks,
            folder,
        }
    }

    fn all() -> Vec<Self> {
        let mut paths = entries("docs/guides");
        paths.retain(|path| path.extension().is_some_and(|end| end == "md"));
        paths.into_iter().map(Self::open).collect()
    }

    fn at(&self, block: &Block) -> String {
        format!("{}:{}", self.path.display(), block.line)
    }
}

impl Block {
    fn is(&self, word: &str) -> bool {
        self.info.split_whitespace().any(|it| it == word)
    }

    fn file(&self, index: usize) -> String {
        let mut words = self.info.split_whitespace();
        let named = words.find_map(|word| word.strip_prefix("file="));
        named.map_or(format!("block-{index}.yaml"), str::to_owned)
    }
}

fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (index, line) in page.lines().enumerate() {
        match (line.trim_start().strip_prefix("```"), open.as_mut()) {
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(info), None) => {
                let (info, text) = (info.to_owned(), String::new());
                let line = index + 1;
                open = Some(Block { info, line, text });
            }
            (None, Some(block)) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a fence is not closed: {open:?}");
    blocks
}

#[test]
fn manifests_of_the_guides_are_admitted_or_refused_as_they_say() {
    let mut seen = 0;
    for page in Page::all() {
        for (index, block) in page.blocks.iter().enumerate() {
            if !block.is("yaml") {
                continue;
            }
            seen += 1;
            let (code, errors) = lint(page.folder.path(), &["--local", &block.file(index)]);
            let wanted = Some(i32::from(block.is("wrong")));
            assert_eq!(code, wanted, "{}: {errors:#?}", page.at(block));
        }
    }
    assert!(seen >= 10, "only {seen} manifests were found");
}

#[test]
fn commands_of_the_guides_print_what_they_say() {
    let mut seen = 0;
    for page in Page::all() {
        for block in page.blocks.iter().filter(|block| block.is("console")) {
            for (arguments, shown) in commands(&block.text) {
                if arguments.first().is_some_and(|verb| RUN.contains(verb)) {
                    seen += 1;
                    let printed = printed(page.folder.path(), &arguments);
                    let lines: Vec<&str> = printed.lines().collect();
                    let at = page.at(block);
                    assert!(matches(&shown, &lines), "{at}: {arguments:?}\n{printed}");
                }
            }
        }
    }
    assert!(seen >= 6, "only {seen} commands were found");
}

/// The arguments of each `$ agentkube …`, and the lines below it.
fn commands(block: &str) -> Vec<(Vec<&str>, Vec<&str>)> {
    let mut commands: Vec<(Vec<&str>, Vec<&str>)> = Vec::new();
    for line in block.lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            let words = command.strip_prefix("agentkube ").unwrap_or_default();
            commands.push((words.split_whitespace().collect(), Vec::new()));
        } else if let Some((_, shown)) = commands.last_mut() {
            shown.push(line);
        }
    }
    commands
}

/// What a terminal would show: both streams, in order.
fn printed(folder: &Path, arguments: &[&str]) -> String {
    let path = folder.join("printed");
    let file = File::create(&path).unwrap();
    let mut command = agentkube(folder, arguments);
    command.stdout(file.try_clone().unwrap()).stderr(file);
    command.status().unwrap();
    fs::read_to_string(path).unwrap()
}

/// Whether the lines shown, where `…` leaves something out, are those printed.
fn matches(shown: &[&str], printed: &[&str]) -> bool {
    match (shown.split_first(), printed.split_first()) {
        (None, None) => true,
        (Some((&"…", rest)), None) => matches(rest, printed),
        (Some((&"…", rest)), Some((_, later))) => matches(rest, printed) || matches(shown, later),
        (Some((line, rest)), Some((real, later))) => {
            let same = match line.strip_suffix('…') {
                Some(begin) => real.starts_with(begin),
                None => line == real,
            };
            same && matches(rest, later)
        }
        (Some(_), None) | (None, Some(_)) => false,
    }
}

#[test]
fn an_ellipsis_leaves_out_lines_or_the_end_of_one() {
    assert!(matches(&["a", "…", "d"], &["a", "b", "c", "d"]));
    assert!(matches(&["a", "…"], &["a"]));
    assert!(matches(&["beg…"], &["beginning"]));
    assert!(!matches(&["a", "…", "d"], &["a", "b"]));
    assert!(!matches(&["a"], &["a", "b"]));
    assert!(!matches(&["a", "b"], &["a"]));
}

#[test]
fn every_guide_is_short_and_in_the_index_and_its_links_lead_somewhere() {
    let pages = Page::all();
    let index = fs::read_to_string(root().join("docs/guides/README.md")).unwrap();
    for page in &pages {
        let name = page.path.file_name().unwrap().to_str().unwrap();
        assert!(page.text.lines().count() <= 150, "{name} is too long");
        assert!(name == "README.md" || index.contains(&format!("({name})")));
        for link in links(&page.text) {
            let file = link.split('#').next().unwrap_or_default();
            let target = root().join("docs/guides").join(file);
            assert!(target.exists(), "{name}: {link} leads nowhere");
        }
    }
}

/// Targets of the links to files of ours.
fn links(page: &str) -> Vec<&str> {
    let ends = page.split("](").skip(1);
    let targets = ends.filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.contains("://")).collect()
}
