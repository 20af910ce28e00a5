//! Data of DM 1.x alerts in alerts of DM 2.0 (`DM 2.0 §13.1`).

use omadm_codec::dm2::alert::AlertData;
use serde_json::json;

const OPEN: &str = "<![CDATA[";
const CLOSE: &str = "]]>";

/// The content of the Data element of a DM 1.x alert, as the `DM1x` member of Data with the media type `data_type` (such as
/// `text/xml`). CDATA marking and white space around the whole are removed; the Correlator of DM 1.x has no place in DM 2.0: there
/// a server finds the command by SourceURI.
#[must_use]
pub fn dm1x_data(content: &str, data_type: &str) -> AlertData {
    AlertData {
        data_type: Some(data_type.to_owned()),
        data: json!({ "DM1x": without_cdata(content).trim() }),
    }
}

fn without_cdata(content: &str) -> String {
    let mut plain = String::with_capacity(content.len());
    let mut rest = content;
    while let Some((before, marked)) = rest.split_once(OPEN) {
        plain.push_str(before);
        // A section without its end takes everything.
        let (inside, after) = marked.split_once(CLOSE).unwrap_or((marked, ""));
        plain.push_str(inside);
        rest = after;
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_marking_goes_and_the_content_stays() {
        for (content, plain) in [
            ("<![CDATA[<a>1</a>]]>", "<a>1</a>"),
            ("\n <![CDATA[ <a>1</a> ]]>\n", "<a>1</a>"),
            ("x<![CDATA[y]]>z<![CDATA[]]>", "xyz"),
            ("<![CDATA[open", "open"),
            ("]]> plain", "]]> plain"),
            ("", ""),
        ] {
            assert_eq!(dm1x_data(content, "text/xml").data, json!({ "DM1x": plain }), "{content:?}");
        }
    }
}
