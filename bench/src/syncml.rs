//! SyncML messages of DM 1.x. The ceilings are libwbxml, which converts the same message between WBXML and XML, and the bare event loop
//! of quick-xml, which looks at nothing.

use std::borrow::Cow;
use std::path::Path;
use std::process::Command as Process;

use omadm_codec::dm1::{
    self, Command, Credentials, Data, Encoding, Form, Header, Item, Location, Message, Meta, Operation,
    OperationKind, Results, Status, WbxmlVersion,
};
use omadm_codec::{Leniency, Limits};
use quick_xml::Reader;
use quick_xml::events::Event;

use crate::figure::{Figure, Target};
use crate::measure::{Effort, median};
use crate::{Error, Result};

const SCENARIO: &str = "syncml";
/// Least speed beside libwbxml.
const BESIDE_LIBWBXML: f64 = 8.0;
/// Least speed beside quick-xml.
const BESIDE_QUICK_XML: f64 = 0.5;
/// Rounds of four commands in a message of 4 KB and in one of 100 KB.
const ROUNDS: [usize; 2] = [5, 150];
/// Nanoseconds that libwbxml needs for an octet of XML, roughly.
const LIBWBXML_PACE: usize = 20;

/// Messages of two sizes, in both encodings.
pub fn run(effort: &Effort) -> Result<Vec<Figure>> {
    let dir = tempfile::tempdir()?;
    let libwbxml = Libwbxml::build(dir.path())?;
    let mut figures = Vec::new();
    for rounds in ROUNDS {
        let message = message(rounds);
        figures.extend(xml(effort, &message)?);
        figures.extend(wbxml(effort, &message, libwbxml.as_ref())?);
    }
    Ok(figures)
}

fn decode(octets: &[u8], encoding: Encoding) -> Result<Message<'_>> {
    let mut leniency = Leniency::lenient();
    Ok(dm1::decode(octets, encoding, &Limits::default(), &mut leniency)?.message)
}

/// Times of decoding and encoding, and the octets.
fn times(effort: &Effort, message: &Message<'_>, form: Form) -> Result<(f64, f64, Vec<u8>)> {
    let octets = dm1::encode(message, form);
    if decode(&octets, form.encoding())? != *message {
        return Err("a message does not come back".into());
    }
    let decoding = effort.nanoseconds(|| decode(&octets, form.encoding()).is_ok());
    let encoding = effort.nanoseconds(|| dm1::encode(message, form));
    Ok((decoding, encoding, octets))
}

fn xml(effort: &Effort, message: &Message<'_>) -> Result<[Figure; 2]> {
    let (decoding, encoding, octets) = times(effort, message, Form::Xml)?;
    let text = std::str::from_utf8(&octets)?;
    let bare = effort.nanoseconds(|| {
        let mut reader = Reader::from_str(text);
        let mut events = 0_usize;
        while !matches!(reader.read_event(), Ok(Event::Eof) | Err(_)) {
            events += 1;
        }
        events
    });
    let figure =
        |what, value| Figure::new(SCENARIO, format!("{what} XML ({} bytes)", octets.len()), value, "ns");
    Ok([
        figure("decode", decoding)
            .beside_time("quick-xml, events only", bare)
            .with_target(Target::RatioAtLeast(BESIDE_QUICK_XML)),
        figure("encode", encoding),
    ])
}

fn wbxml(effort: &Effort, message: &Message<'_>, libwbxml: Option<&Libwbxml<'_>>) -> Result<[Figure; 2]> {
    let (decoding, encoding, octets) = times(effort, message, Form::Wbxml(WbxmlVersion::V1_2))?;
    let ceiling = libwbxml.map(|libwbxml| libwbxml.times(effort, message)).transpose()?;
    let figure = |what, value, name, ceiling: Option<f64>| {
        let figure = Figure::new(SCENARIO, format!("{what} WBXML ({} bytes)", octets.len()), value, "ns");
        match ceiling {
            Some(ceiling) => {
                figure.beside_time(name, ceiling).with_target(Target::RatioAtLeast(BESIDE_LIBWBXML))
            }
            None => figure,
        }
    };
    Ok([
        figure("decode", decoding, "libwbxml to XML", ceiling.map(|(_, to_xml)| to_xml)),
        figure("encode", encoding, "libwbxml from XML", ceiling.map(|(from_xml, _)| from_xml)),
    ])
}

/// A program around libwbxml that measures itself, so that no process is started within the time.
struct Libwbxml<'d> {
    dir: &'d Path,
}

impl<'d> Libwbxml<'d> {
    /// Compiles it; `None` where libwbxml is missing.
    fn build(dir: &'d Path) -> Result<Option<Self>> {
        let source = dir.join("libwbxml.c");
        std::fs::write(&source, include_str!("libwbxml.c"))?;
        let flags = Process::new("pkg-config").args(["--cflags", "--libs", "libwbxml2"]).output()?;
        if !flags.status.success() {
            eprintln!(
                "libwbxml is not here, so there is nothing to hold WBXML against: apt-get install libwbxml2-dev"
            );
            return Ok(None);
        }
        let flags = String::from_utf8(flags.stdout)?;
        let mut compiler = Process::new("cc");
        compiler.args(["-O2", "-o"]).arg(dir.join("libwbxml")).arg(&source).args(flags.split_whitespace());
        match compiler.status()?.success() {
            true => Ok(Some(Self { dir })),
            false => Err("cc does not compile the program around libwbxml".into()),
        }
    }

    /// Median nanoseconds of a conversion from XML and of one to XML.
    fn times(&self, effort: &Effort, message: &Message<'_>) -> Result<(f64, f64)> {
        let document = self.dir.join("message.xml");
        let xml = dm1::encode(message, Form::Xml);
        std::fs::write(&document, &xml)?;
        let run = usize::try_from(effort.run.as_nanos())?;
        let calls = (run / (xml.len() * LIBWBXML_PACE)).max(10).to_string();
        let once = || -> Result<(f64, f64)> {
            let output = Process::new(self.dir.join("libwbxml")).arg(&calls).arg(&document).output()?;
            let text = String::from_utf8(output.stdout)?;
            let mut words = text.split_whitespace().map(str::parse::<f64>);
            let mut next = || words.next().transpose()?.ok_or_else(|| Error::from("libwbxml says nothing"));
            Ok((next()?, next()?))
        };
        let (from_xml, to_xml): (Vec<f64>, Vec<f64>) =
            std::iter::repeat_with(once).take(effort.runs).collect::<Result<Vec<_>>>()?.into_iter().unzip();
        Ok((median(from_xml), median(to_xml)))
    }
}

/// What a device sends in the middle of a session: statuses, results, and settings with their `Meta`.
fn message(rounds: usize) -> Message<'static> {
    let commands = (0..rounds).flat_map(round).collect();
    let meta = |format: &'static str, media_type: &'static str| Meta {
        format: Some(format.into()),
        media_type: Some(media_type.into()),
        ..Meta::default()
    };
    let header = Header {
        ver_dtd: "1.2".into(),
        ver_proto: "DM/1.2".into(),
        session_id: "2A".into(),
        message_id: "3".into(),
        target: Location { uri: "https://dm.example.net:8443/dm".into(), name: None },
        source: Location { uri: "urn:uuid:6f0f8d0e-0001".into(), name: Some("dev-1".into()) },
        resp_uri: None,
        no_response: false,
        credentials: Some(Credentials {
            meta: meta("b64", "syncml:auth-md5"),
            data: "RyEHbgLtLV8epxbMPEuCvQ==".into(),
        }),
        meta: Meta { max_message_size: Some(65_536), max_object_size: Some(1 << 20), ..Meta::default() },
    };
    Message { header, commands, is_final: true }
}

fn round(number: usize) -> [Command<'static>; 4] {
    let id = |offset: usize| Cow::Owned((number * 4 + offset).to_string());
    let uri = |name: &str| Some(Cow::Owned(format!("./Vendor/Example/Settings/{name}{number}")));
    let meta = Meta { format: Some("chr".into()), media_type: Some("text/plain".into()), ..Meta::default() };
    let text = |text: String| Some(Data::Text(text.into()));
    let operation = |kind, id, item| {
        let items = vec![item];
        Command::Operation(Operation {
            kind,
            id,
            no_response: false,
            meta: Meta::default(),
            correlator: None,
            items,
        })
    };
    [
        Command::Status(Status {
            id: id(1),
            msg_ref: "2".into(),
            cmd_ref: id(1),
            cmd: "Replace".into(),
            target_refs: uri("Level").into_iter().collect(),
            source_refs: Vec::new(),
            credentials: None,
            challenge: None,
            code: "200".into(),
            code_attributes: Vec::new(),
            items: Vec::new(),
        }),
        Command::Results(Results {
            id: id(2),
            msg_ref: "2".into(),
            cmd_ref: id(2),
            meta: Meta::default(),
            target_ref: None,
            source_ref: None,
            items: vec![Item {
                source: uri("Name"),
                meta: meta.clone(),
                data: text(format!("the value of setting number {number} & no other")),
                ..Item::default()
            }],
        }),
        operation(
            OperationKind::Replace,
            id(3),
            Item {
                target: uri("Note"),
                meta,
                data: text("a <note> for the user".to_owned()),
                ..Item::default()
            },
        ),
        operation(OperationKind::Get, id(4), Item { target: uri("Level"), ..Item::default() }),
    ]
}
