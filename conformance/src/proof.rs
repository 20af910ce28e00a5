//! Writes down which rows of the matrix a passing test proves.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

/// The variable that names the directory to write to; `cargo xtask conformance` sets it.
pub const DIRECTORY: &str = "OMADM_CONFORMANCE_DIR";

/// Names the rows that the test around it proves. Stands at the top of the test.
#[macro_export]
macro_rules! proves {
    ($($row:literal),+ $(,)?) => {
        let _proof = {
            fn here() {}
            $crate::Proof::of_test(&[$($row),+], ::std::any::type_name_of_val(&here))
        };
    };
}

/// Lives as long as the test; counts when it ends without a panic.
#[derive(Debug)]
#[must_use = "the proof has to live as long as the test"]
pub struct Proof {
    rows: &'static [&'static str],
    test: &'static str,
}

impl Proof {
    /// Begins a proof. `inside` is the type name of an item inside the test function.
    pub fn of_test(rows: &'static [&'static str], inside: &'static str) -> Self {
        let mut test = inside.trim_end_matches("::here");
        while let Some(outer) = test.strip_suffix("::{{closure}}") {
            test = outer;
        }
        Self { rows, test }
    }

    fn lines(&self) -> String {
        let line = |row| serde_json::json!({ "row": row, "test": self.test }).to_string() + "\n";
        self.rows.iter().map(line).collect()
    }

    fn write(&self, directory: &Path) -> std::io::Result<()> {
        let file = directory.join(format!("{}.jsonl", std::process::id()));
        // One write at the end of the file, so that tests of one process do not mix their lines.
        OpenOptions::new().create(true).append(true).open(file)?.write_all(self.lines().as_bytes())
    }
}

impl Drop for Proof {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let Some(directory) = std::env::var_os(DIRECTORY) else { return };
        if let Err(error) = self.write(Path::new(&directory)) {
            eprintln!("{}: cannot write the proof: {error}", self.test);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_names_its_test_also_inside_async() {
        let proof = Proof::of_test(&["R-1"], "sec_5_3::get::known::{{closure}}::here");
        assert_eq!(proof.test, "sec_5_3::get::known");
        assert_eq!(proof.lines(), "{\"row\":\"R-1\",\"test\":\"sec_5_3::get::known\"}\n");
    }

    #[test]
    fn every_row_is_written() {
        let directory = tempfile::tempdir().unwrap();
        Proof::of_test(&["R-1", "R-2"], "a::b::here").write(directory.path()).unwrap();
        let file = std::fs::read_dir(directory.path()).unwrap().next().unwrap().unwrap();
        assert_eq!(std::fs::read_to_string(file.path()).unwrap().lines().count(), 2);
    }
}
