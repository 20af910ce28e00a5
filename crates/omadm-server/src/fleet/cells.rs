//! Texts in the cells of a CSV table (`RFC 4180`), such that no spreadsheet takes one for a formula.
//!
//! A cell that begins with `=`, `+`, `-`, `@`, a tab or a carriage return, after any number of `'`, gets a `'` before it; reading takes
//! that one away again. So every text comes back as it was, whatever a spreadsheet made of it on the way.

/// Writes a row.
pub fn write<'c>(cells: impl IntoIterator<Item = &'c str>, to: &mut String) {
    for (at, cell) in cells.into_iter().enumerate() {
        if at > 0 {
            to.push(',');
        }
        let guard = if is_guarded(cell) { "'" } else { "" };
        if cell.contains([',', '"', '\n', '\r']) {
            to.push('"');
            to.push_str(guard);
            to.push_str(&cell.replace('"', "\"\""));
            to.push('"');
        } else {
            to.push_str(guard);
            to.push_str(cell);
        }
    }
    to.push_str("\r\n");
}

/// The text of a cell that was read.
pub fn read(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|rest| is_guarded(rest)).unwrap_or(cell)
}

/// Whether the first character that is no `'` begins a formula.
fn is_guarded(cell: &str) -> bool {
    cell.trim_start_matches('\'').starts_with(['=', '+', '-', '@', '\t', '\r'])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn formulas_are_texts() {
        let mut row = String::new();
        write(["=1+1", "a,b", "-5", "'=x", "it's", "say \"@\"", "@\n"], &mut row);
        assert_eq!(row, "'=1+1,\"a,b\",'-5,''=x,it's,\"say \"\"@\"\"\",\"'@\n\"\r\n");
    }

    proptest! {
        #[test]
        fn every_text_comes_back(cells in proptest::collection::vec("['=+@,\"\r\n\ta-]{0,6}", 1..5)) {
            let mut row = String::new();
            write(cells.iter().map(String::as_str), &mut row);
            let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(row.as_bytes());
            let mut record = csv::StringRecord::new();
            let only_an_empty_cell = cells.len() == 1 && cells[0].is_empty();
            prop_assert_eq!(reader.read_record(&mut record).unwrap(), !only_an_empty_cell);
            let again: Vec<_> = record.iter().map(|cell| read(cell).to_owned()).collect();
            if !only_an_empty_cell {
                prop_assert_eq!(again, cells);
            }
        }
    }
}
