//! The terms of the enabler: `docs/src/terms.md` says how they are spelt, and chapters and doc comments have to follow.

use std::path::{Path, PathBuf};

use omadm_conformance::proves;

const GLOSSARY: &str = include_str!("../../../docs/src/terms.md");

/// A row of the glossary.
struct Term {
    names: Vec<&'static str>,
    source: &'static str,
    wrong: Vec<&'static str>,
}

fn terms() -> Vec<Term> {
    let rows = GLOSSARY.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    let fields = rows.map(|row| row.split(" | ").collect::<Vec<_>>());
    fields
        .filter(|fields| fields[0] != "term")
        .map(|fields| {
            let [names, meaning, source, wrong] = fields[..] else { panic!("{fields:?}") };
            assert!(meaning.ends_with('.'), "{names} is not explained");
            let wrong = wrong.split(", ").map(|of| of.trim_matches('`'));
            Term { names: names.split(", ").collect(), source, wrong: wrong.collect() }
        })
        .collect()
}

/// Prose without its code: fenced blocks, code spans, and where links lead.
fn prose<'t>(lines: impl Iterator<Item = &'t str>) -> String {
    let mut fenced = false;
    let outside = lines.filter(|line| {
        let is_fence = line.trim_start().starts_with("```");
        fenced ^= is_fence;
        !fenced && !is_fence
    });
    let joined = outside.map(str::trim).collect::<Vec<_>>().join(" ");
    let without_code: String = joined.split('`').step_by(2).collect::<Vec<_>>().join("`");
    let mut links = without_code.split("](");
    let first = links.next().unwrap_or_default().to_owned();
    let rest = links.map(|link| link.split_once(')').map_or("", |(_, text)| text));
    rest.fold(first, |text, more| text + "]" + more)
}

/// What stands around a word where it is used, also in the plural.
fn uses<'t>(text: &'t str, word: &str) -> Option<&'t str> {
    let is_part = |character: Option<char>| character.is_some_and(char::is_alphanumeric);
    text.match_indices(word).find_map(|(at, _)| {
        let (before, after) = (&text[..at], &text[at + word.len()..]);
        let after = after.strip_prefix('s').unwrap_or(after);
        let is_word = !is_part(before.chars().next_back()) && !is_part(after.chars().next());
        is_word.then(|| {
            let start = before.char_indices().rev().take(30).last().map_or(at, |(start, _)| start);
            &text[start..at + word.len()]
        })
    })
}

/// The files below a directory with this ending.
fn files(directory: &Path, ending: &str) -> Vec<PathBuf> {
    let entries =
        std::fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| if path.is_dir() { files(&path, ending) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|found| found == ending))
        .collect()
}

/// Everything that is to follow: chapters, and the doc comments of the crates, by their files.
fn texts() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let read = |path: &Path| std::fs::read_to_string(path).unwrap();
    let mut chapters = files(&root.join("docs/src"), "md");
    chapters.extend(["README.md", "ARCHITECTURE.md"].map(|name| root.join(name)));
    assert!(chapters.len() > 10, "{chapters:?}");
    let chapters = chapters.into_iter().map(|path| {
        let text = prose(read(&path).lines());
        (path, text)
    });
    let mut sources = Vec::new();
    for member in std::fs::read_dir(root.join("crates")).unwrap() {
        sources.extend(files(&member.unwrap().path().join("src"), "rs"));
    }
    assert!(sources.len() > 100, "{}", sources.len());
    let comments = sources.into_iter().map(|path| {
        let source = read(&path);
        let lines = source.lines().map(str::trim_start);
        let text =
            prose(lines.filter_map(|line| line.strip_prefix("///").or_else(|| line.strip_prefix("//!"))));
        (path, text)
    });
    chapters.chain(comments).collect()
}

#[test]
fn chapters_and_doc_comments_spell_the_terms_as_the_glossary_does() {
    proves!("E13-DMDICT");
    let (terms, texts) = (terms(), texts());
    let mut found = Vec::new();
    for (path, text) in &texts {
        for term in &terms {
            for wrong in &term.wrong {
                if let Some(around) = uses(text, wrong) {
                    found.push(format!("{}: {around:?}, which is {}", path.display(), term.names.join(", ")));
                }
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_glossary_explains_what_is_used_and_says_where_it_is_from() {
    let (terms, texts) = (terms(), texts());
    assert!(terms.len() >= 30, "{}", terms.len());
    let is_used = |name: &str| {
        texts.iter().any(|(path, text)| !path.ends_with("terms.md") && uses(text, name).is_some())
    };
    for Term { names, source, wrong } in &terms {
        assert!(!source.is_empty() && !wrong.is_empty(), "{names:?}");
        assert!(!names.iter().any(|name| wrong.contains(name)), "{names:?}");
    }
    let unused: Vec<_> = terms.iter().flat_map(|term| &term.names).filter(|name| !is_used(name)).collect();
    assert!(unused.is_empty(), "{unused:?}");
}

#[test]
fn a_wrong_word_is_found_wherever_it_stands_and_not_in_code() {
    let page = "# The Server URI\n\nIts DM\nservers.\n\n```\nClientUri\n```\nOf `ClientUri` and [this](MO-ID.md), MOIDs.";
    let text = prose(page.lines());
    for wrong in ["Server URI", "DM server"] {
        assert!(uses(&text, wrong).is_some(), "{wrong} in {text:?}");
    }
    for right in ["ClientUri", "MO-ID", "OID", "MO ID"] {
        assert!(uses(&text, right).is_none(), "{right} in {text:?}");
    }
}
