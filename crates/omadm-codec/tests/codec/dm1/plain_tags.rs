//! A tag with nothing but its name is read past the parser of XML: a document says the same with white space in its tags, which the parser
//! reads.

use omadm_codec::dm1::Data;
use omadm_codec::dm1::element::SyncMl;
use omadm_codec::dm1::event::{Event, Pull as _, XmlReader};
use omadm_codec::{DecodeError, Leniency, Limits, Problem};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// Pieces of documents; in a tag `~` is white space or nothing.
const PIECES: [&str; 33] = [
    "<Add~>",
    "</Add~>",
    "<Item~>",
    "</Item~>",
    "<Data~>",
    "</Data~>",
    "<Meta~>",
    "</Meta~>",
    "<Format xmlns='syncml:metinf'>",
    "<Type xmlns=\"syncml:metinf\">",
    "</Format~>",
    "</Type~>",
    "<Unknown~>",
    "</Unknown~>",
    "<n:a~>",
    "</n:a~>",
    "<n-1~>",
    "</n-1~>",
    "<Final/>",
    "<Data a='>'>",
    "text",
    " \n",
    "\r\n",
    "&lt;",
    "&nothing;",
    "]]>",
    "<![CDATA[</Data>]]>",
    "<!--</Data>-->",
    "<?p </Data>?>",
    "<!DOCTYPE a>",
    "<",
    "\u{1}",
    "\u{ffff}é",
];

/// What is read, without places; the first error ends it. `take` says what is made of each element that begins.
fn read(document: &str, take: &[u8]) -> Vec<String> {
    let (mut leniency, limits) = (Leniency::lenient(), Limits { depth: 8, items: 20, ..Limits::default() });
    let mut reader = XmlReader::new(document.as_bytes(), &limits, &mut leniency).unwrap();
    let mut said = Vec::new();
    let error = |error: DecodeError| match error.problem {
        // Some sentences hold a place.
        Problem::Syntax(_) => "broken syntax".to_owned(),
        problem => format!("{problem:?}"),
    };
    let mut take = take.iter().cycle();
    let mut depth = 1;
    let end = reader.root(SyncMl::SyncMl).and_then(|()| {
        while depth > 0 {
            match reader.next()? {
                Event::End => {
                    depth -= 1;
                    said.push("end".to_owned());
                }
                Event::Start(tag) => {
                    let content = match take.next().unwrap_or(&0) % 3 {
                        0 => match reader.data()? {
                            Data::Text(text) => text.into_owned(),
                            Data::Opaque(octets) => format!("{octets:?}"),
                        },
                        1 => reader.text()?.into_owned(),
                        _ => {
                            depth += 1;
                            "begins".to_owned()
                        }
                    };
                    said.push(format!("{tag:?} {content}"));
                }
                other => said.push(format!("{other:?}")),
            }
        }
        reader.finish()
    });
    said.extend(end.err().map(error));
    said
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, ..ProptestConfig::default() })]

    #[test]
    fn white_space_in_tags_says_nothing(
        pieces in vec(select(PIECES.to_vec()), 0..12), take in vec(any::<u8>(), 1..6), end in any::<bool>(),
    ) {
        let inner = pieces.concat();
        let document = format!("<SyncML xmlns='SYNCML:SYNCML1.2'>{inner}{}", if end { "</SyncML~>" } else { "" });
        let spaced: Vec<String> =
            read(&document.replace('~', " "), &take).iter().map(|said| said.replace(" >", ">")).collect();
        prop_assert_eq!(read(&document.replace('~', ""), &take), spaced, "{}", document);
    }
}
