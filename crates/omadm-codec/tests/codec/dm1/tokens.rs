//! Names, tokens, and documents as streams of events.

use omadm_codec::dm1::element::{Ddf, Element, MetInf, Page, SyncMl};
use omadm_codec::dm1::event::{
    Event, PublicId, Pull, Push, Tag, WbxmlReader, WbxmlVersion, WbxmlWriter, XmlReader, XmlWriter,
};
use omadm_codec::{Leniency, Limits, Tolerance};

use crate::common;

/// Every element with a child: opened, its text, closed.
fn write(sink: &mut impl Push, elements: &[Element]) {
    for element in elements {
        sink.leaf(*element, "x");
    }
}

fn read<'a>(source: &mut impl Pull<'a>) -> Vec<Element> {
    let mut found = Vec::new();
    while let Some(tag) = source.child().unwrap() {
        match tag {
            Tag::Known(element) => found.push(element),
            Tag::Unknown(name) | Tag::Token(name) => panic!("{name}"),
        }
        assert_eq!(source.text().unwrap(), "x");
    }
    source.finish().unwrap();
    found
}

#[test]
fn every_row_of_the_tables_is_read_as_it_is_written() {
    let all: Vec<Element> = (SyncMl::ALL.iter().map(|element| Element::from(*element)))
        .chain(MetInf::ALL.iter().map(|element| Element::from(*element)))
        .chain(Ddf::ALL.iter().map(|element| Element::from(*element)))
        .collect();
    assert_eq!(all.len(), 55 + 18 + 56);
    let mut wbxml = WbxmlWriter::new(WbxmlVersion::V1_3, PublicId::SyncMl12);
    wbxml.within(SyncMl::SyncMl, |sink| write(sink, &all));
    let mut xml = XmlWriter::new("1.2");
    xml.within(SyncMl::SyncMl, |sink| write(sink, &all));

    let (wbxml, xml) = (wbxml.into_bytes(), xml.into_bytes());
    let (mut one, mut other) = (Leniency::strict(), Leniency::strict());
    let mut source = WbxmlReader::new(&wbxml, &Limits::default(), &mut one, Page::SyncMl).unwrap();
    source.root(SyncMl::SyncMl).unwrap();
    assert_eq!(read(&mut source), all);
    let mut source = XmlReader::new(&xml, &Limits::default(), &mut other).unwrap();
    source.root(SyncMl::SyncMl).unwrap();
    assert_eq!(read(&mut source), all);
}

/// V1: a TNDS document of its own.
#[test]
fn a_document_of_page_2() {
    let hex = "03 01 6A 00 00 02 60 77 03 31 2E 32 00 01 64 66 03 43 61 6D 00 01 6F 5C 25 01 75 51 03 63 6F 6D 2E 65 78 61 6D 70 6C 65
        2F 31 2E 30 2F 43 61 6D 00 01 01 01 64 66 03 5A 6F 6F 6D 00 01 6F 5C 1E 01 75 61 03 74 65 78 74 2F 70 6C 61 69 6E 00 01 01 01
        76 03 34 00 01 01 01 01";
    let bytes = common::octets(hex);
    let mut leniency = Leniency::strict();
    let mut source = WbxmlReader::new(&bytes, &Limits::default(), &mut leniency, Page::Ddf).unwrap();
    let mut shown = String::new();
    let mut depth = 0;
    loop {
        match source.next().unwrap() {
            Event::Start(Tag::Known(element)) => {
                shown += &format!("<{}>", element.name());
                depth += 1;
            }
            Event::Text(text) => shown += &text,
            Event::End => {
                shown += "/";
                depth -= 1;
            }
            other => panic!("{other:?}"),
        }
        if depth == 0 {
            break;
        }
    }
    source.finish().unwrap();
    let expected = "<MgmtTree><VerDTD>1.2/<Node><NodeName>Cam/<RTProperties><Format><node>//<Type><DDFName>com.example/1.0/Cam///\
        <Node><NodeName>Zoom/<RTProperties><Format><int>//<Type><MIME>text/plain///<Value>4////";
    assert_eq!(shown, expected);
}

#[test]
fn a_document_of_page_2_that_does_not_switch_to_it() {
    let bytes = common::octets("03 01 6A 00 60 01");
    let mut leniency = Leniency::lenient();
    let mut source = WbxmlReader::new(&bytes, &Limits::default(), &mut leniency, Page::Ddf).unwrap();
    source.root(Ddf::MgmtTree).unwrap();
    assert_eq!(source.child().unwrap(), None);
    source.finish().unwrap();
    assert!(leniency.used.contains(&Tolerance::MissingPageSwitch));
    assert!(WbxmlReader::new(&bytes, &Limits::default(), &mut Leniency::strict(), Page::Ddf).is_err());
}
