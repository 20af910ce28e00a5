//! Reads every statement of the store and every migration, and refuses what one of SQLite, PostgreSQL, CockroachDB, YugabyteDB or Citus
//! does not take, or what would have it ask all machines for what is of one device. The rules stand in `docs/src/storage.md`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

/// What no statement has in it, and why.
const REFUSED: &[(&str, &str)] = &[
    ("rowid", "only SQLite has row numbers"),
    ("autoincrement", "the program gives numbers"),
    ("serial", "a sequence is one place that all nodes wait for"),
    ("nextval", "a sequence is one place that all nodes wait for"),
    ("insert or", "only SQLite has it; ON CONFLICT is for all"),
    ("replace into", "only SQLite has it; ON CONFLICT is for all"),
    ("ifnull(", "COALESCE is for all"),
    ("glob", "only SQLite has it"),
    ("json_", "engines differ; JSON is text here"),
    ("strftime(", "times are parameters"),
    ("datetime(", "times are parameters"),
    ("julianday(", "times are parameters"),
    ("now()", "times are parameters"),
    ("random", "the program makes what is random"),
    ("zeroblob(", "only SQLite has it"),
    ("total(", "only SQLite has it"),
    ("group_concat(", "only SQLite has it"),
    ("indexed by", "only SQLite has it"),
    ("is not ?", "IS DISTINCT FROM is for all"),
    ("pg_advisory", "CockroachDB and poolers do not take it"),
    ("listen ", "CockroachDB and poolers do not take it"),
    ("notify ", "CockroachDB and poolers do not take it"),
    ("trigger", "distributed engines do not take it"),
    ("references ", "no keys across devices"),
    ("foreign key", "no keys across devices"),
    ("deferrable", "CockroachDB does not take it"),
    ("unnest(", "only PostgreSQL has it"),
    ("::", "CAST is for all"),
    ("ilike", "only PostgreSQL has it"),
    ("for share", "engines differ"),
    ("create temp", "a pooler gives the next transaction another connection"),
    ("prepare ", "a pooler gives the next transaction another connection"),
    ("declare ", "a pooler gives the next transaction another connection"),
];

/// Tables of which every message of a device reads or writes rows. Their statements name the device, but for these.
const HOT: &[&str] =
    &["device", "command", "push", "payload", "tree", "validator", "standing", "session_log", "trace"];

/// Statements on hot tables that are not on the path of a message, each by a part of it.
const COLD: &[&str] = &[
    // By identifiers, for operators and downloads; listings over everything; what a lease gives to one node at a time.
    "c.id = ?1",
    "p.id = ?1",
    "s.id = ?1",
    "{condition}",
    "count(*)",
    "min(created)",
    "c.expires <= ?1",
    "finished < ?1",
    "finished > ?1",
    "stored < ?1",
    "stored > ?1",
    "started < ?1",
    "started > ?1",
    "order by finished limit 1",
    "order by started limit 1",
    "order by stored limit 1",
    // The condition of a range of a tree is a macro, which begins with the device.
    "from tree where",
];

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The string literals of a source, without those of its tests.
fn literals(source: &str) -> Vec<String> {
    let source = source.split("#[cfg(test)]").next().unwrap();
    let mut found = Vec::new();
    let mut rest = source.chars().peekable();
    while let Some(letter) = rest.next() {
        match letter {
            '/' if rest.peek() == Some(&'/') => {
                rest.by_ref().find(|letter| *letter == '\n');
            }
            // A quote as a letter opens no string.
            '\'' if rest.peek() == Some(&'"') => {
                rest.next();
            }
            '"' => {
                let mut literal = String::new();
                while let Some(letter) = rest.next().filter(|letter| *letter != '"') {
                    match letter {
                        '\\' => literal.extend(rest.next().filter(|next| !next.is_whitespace())),
                        letter => literal.push(letter),
                    }
                }
                found.push(literal);
            }
            _ => {}
        }
    }
    found
}

fn is_statement(text: &str) -> bool {
    ["SELECT ", "INSERT ", "UPDATE ", "DELETE ", "WITH ", "CREATE ", "ALTER "]
        .iter()
        .any(|verb| text.trim_start().starts_with(verb))
}

/// In lower case, with one space between words.
fn plain(text: &str) -> String {
    text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Every statement with the file it stands in.
fn statements() -> Vec<(String, String)> {
    let mut files = Vec::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    sources(&root.join("src/sql"), &mut files);
    sources(&root.join("src/filter"), &mut files);
    let mut found = Vec::new();
    for file in files {
        let name = file.strip_prefix(root).unwrap().display().to_string();
        let source = std::fs::read_to_string(&file).unwrap();
        let all = literals(&source).into_iter().filter(|text| is_statement(text));
        found.extend(all.map(|text| (name.clone(), plain(&text))));
    }
    found
}

/// The steps of the schema without comments.
fn migrations() -> Vec<(String, String)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let read = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let lines = text.lines().map(|line| line.split("--").next().unwrap());
        (path.file_name().unwrap().to_str().unwrap().to_owned(), plain(&lines.collect::<Vec<_>>().join("\n")))
    };
    std::fs::read_dir(dir).unwrap().map(read).collect()
}

fn faults(sql: &str) -> Vec<&'static str> {
    REFUSED.iter().filter(|(word, _)| sql.contains(word)).map(|(_, why)| *why).collect()
}

#[test]
fn every_statement_is_for_every_engine() {
    let all = statements();
    assert!(all.len() > 120, "only {} statements were found", all.len());
    for (file, sql) in &all {
        assert_eq!(faults(sql), [""; 0], "{file}: {sql}");
    }
}

#[test]
fn every_migration_is_for_every_engine() {
    for (file, sql) in migrations() {
        // Translated for other engines, in `migrations.rs`.
        let sql = sql.replace("integer primary key autoincrement", "").replace("without rowid", "");
        assert_eq!(faults(&sql), [""; 0], "{file}");
        for word in
            ["varchar", "timestamp", "jsonb", "boolean", "uuid", "real", "double", "numeric", "check ("]
        {
            assert!(
                !sql.split([' ', '(', ',']).any(|part| part == word),
                "{file}: {word} is no type of all engines"
            );
        }
    }
}

/// Whether a statement says of which device it is wherever it reads or changes a hot table.
fn names_the_device(sql: &str) -> bool {
    let condition = sql.split_once(" where ").map_or("", |(_, condition)| condition);
    sql.starts_with("insert ") || condition.contains("device") || COLD.iter().any(|cold| sql.contains(cold))
}

fn is_hot(sql: &str) -> bool {
    let words: Vec<&str> = sql.split([' ', '(', ')', ',']).collect();
    words.windows(2).any(|pair| ["from", "update", "into"].contains(&pair[0]) && HOT.contains(&pair[1]))
}

#[test]
fn every_statement_on_the_path_of_a_message_names_its_device() {
    let hot: Vec<_> = statements().into_iter().filter(|(_, sql)| is_hot(sql)).collect();
    assert!(hot.len() > 40, "only {} were found", hot.len());
    let found: Vec<_> = hot.iter().filter(|(_, sql)| !names_the_device(sql)).collect();
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn keys_of_hot_tables_begin_with_the_device() {
    let (_, initial) = migrations().into_iter().find(|(name, _)| name.starts_with("0001")).unwrap();
    for table in HOT.iter().filter(|table| !["session_log", "trace"].contains(table)) {
        let (_, after) = initial.split_once(&format!("create table {table} (")).unwrap();
        let columns = after.split(';').next().unwrap();
        assert!(
            columns.contains("primary key (device, generation")
                || columns.starts_with(" device text not null primary key"),
            "{table}"
        );
    }
}

#[test]
fn what_is_refused_is_found() {
    for (_, sql) in [("", "select rowid from t"), ("", "insert or ignore into t"), ("", "select now()")] {
        assert!(!faults(sql).is_empty(), "{sql}");
    }
    let source = "fn f() { // \"SELECT no\"\n let a = '\"'; q(\"SELECT x \\\n   FROM t WHERE y = 'z'\"); }";
    assert_eq!(literals(source), ["SELECT x    FROM t WHERE y = 'z'"]);
    assert!(is_hot("select x from command c where c.finished is null"));
    assert!(!names_the_device("select x from command c where c.finished is null"));
    assert!(!is_hot("select x from event"));
}
