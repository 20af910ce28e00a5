//! XML for people: an element a line, indented, and text where it stands.

/// Deepest indentation that is shown.
const DEEPEST: usize = 40;

/// A piece of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece<'x> {
    Open(&'x str),
    Close(&'x str),
    /// An element without content, or a declaration, comment or instruction.
    Alone(&'x str),
    /// Characters, CDATA too.
    Text(&'x str),
}

/// The document in lines; `None` if it is none, or not well-formed enough to be told apart.
pub fn indented(xml: &str) -> Option<String> {
    let mut out = String::with_capacity(xml.len().saturating_mul(2));
    let mut depth = 0_usize;
    let mut last = None;
    let mut rest = xml.trim_start_matches('\u{feff}').trim();
    if !rest.starts_with('<') {
        return None;
    }
    while !rest.is_empty() {
        let (piece, behind) = next(rest)?;
        rest = behind;
        match piece {
            Piece::Open(tag) => {
                begin_line(&mut out, depth);
                out.push_str(tag);
                depth = depth.checked_add(1)?;
            }
            Piece::Close(tag) => {
                depth = depth.checked_sub(1)?;
                if matches!(last, Some(Piece::Close(_) | Piece::Alone(_))) {
                    begin_line(&mut out, depth);
                }
                out.push_str(tag);
            }
            Piece::Alone(tag) => {
                begin_line(&mut out, depth);
                out.push_str(tag);
            }
            // White space between elements is that of another layout.
            Piece::Text(text) if text.trim().is_empty() => continue,
            Piece::Text(text) => out.push_str(text),
        }
        last = Some(piece);
    }
    (depth == 0).then_some(out)
}

fn begin_line(out: &mut String, depth: usize) {
    if !out.is_empty() {
        out.push('\n');
    }
    out.extend(std::iter::repeat_n("  ", depth.min(DEEPEST)));
}

/// The first piece and what is behind it.
fn next(xml: &str) -> Option<(Piece<'_>, &str)> {
    let until = |end: &str| Some(xml.split_at(xml.find(end)?.checked_add(end.len())?));
    if xml.starts_with("<![CDATA[") {
        return until("]]>").map(|(text, rest)| (Piece::Text(text), rest));
    }
    if xml.starts_with("<!--") {
        return until("-->").map(|(comment, rest)| (Piece::Alone(comment), rest));
    }
    if !xml.starts_with('<') {
        let (text, rest) = xml.split_at(xml.find('<').unwrap_or(xml.len()));
        return Some((Piece::Text(text), rest));
    }
    let mut quote = None;
    let end = xml.char_indices().find_map(|(at, letter)| {
        match (quote, letter) {
            (None, '>') => return Some(at),
            (None, '"' | '\'') => quote = Some(letter),
            (Some(open), letter) if open == letter => quote = None,
            _ => {}
        }
        None
    })?;
    let (tag, rest) = xml.split_at(end.checked_add(1)?);
    let piece = match tag {
        _ if tag.starts_with("</") => Piece::Close(tag),
        _ if tag.starts_with("<?") || tag.starts_with("<!") || tag.ends_with("/>") => Piece::Alone(tag),
        _ => Piece::Open(tag),
    };
    Some((piece, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_have_lines_and_text_stays_where_it_is() {
        let xml = "<?xml version=\"1.0\"?><A x=\"a>b\"><B>1</B><C/>\n <D><E>two words</E></D><F><![CDATA[<x>]]></F><G></G></A>";
        let expected = "<?xml version=\"1.0\"?>\n<A x=\"a>b\">\n  <B>1</B>\n  <C/>\n  <D>\n    <E>two words</E>\n  </D>\n  \
                        <F><![CDATA[<x>]]></F>\n  <G></G>\n</A>";
        assert_eq!(indented(xml).as_deref(), Some(expected));
        assert_eq!(indented(expected).as_deref(), Some(expected), "again is the same");
    }

    #[test]
    fn what_is_no_document_is_left_alone() {
        for text in ["{\"a\":1}", "", "<A>", "</A>", "<A", "<A><!-- </A>", "<A x=\"></A>", "text <A/>"] {
            assert_eq!(indented(text), None, "{text}");
        }
    }
}
