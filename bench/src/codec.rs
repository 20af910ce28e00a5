//! Decoding and encoding packages. The ceiling is serde_json with untyped values, which checks and converts nothing.

use omadm_codec::dm2::{
    Alert, Command, CommandEntry, Initiation, MoItem, Request, Response, StatusCode, StatusEntry,
    SupportedMo, alert, mo_data,
};
use omadm_codec::{Leniency, Limits};
use omadm_mo::{Content, NodeName, Value, well_known};

use crate::figure::{Figure, Target};
use crate::measure::Effort;
use crate::{Error, Result};

const SCENARIO: &str = "codec";
/// Least speed of decoding a Package#3, as a part of serde_json's.
const LEAST: f64 = 0.6;

/// Packages 1 to 3 and MO data.
pub fn run(effort: &Effort) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    let package3 = package3();
    let encoded = pair(
        effort,
        "Package#3, 20 statuses",
        |out| package3.encode(out),
        |input| {
            let _ = Response::decode(input, &Limits::default(), &mut Leniency::lenient())?;
            Ok(())
        },
    )?;
    figures.extend(encoded.into_iter().map(|figure| figure.with_target(Target::RatioAtLeast(LEAST))));

    let package1 = package1();
    figures.extend(pair(
        effort,
        "Package#1, 4 MOs",
        |out| package1.encode(out),
        |input| {
            let _ = Initiation::decode(input, &Limits::default(), &mut Leniency::lenient())?;
            Ok(())
        },
    )?);

    let package2 = package2()?;
    figures.extend(pair(
        effort,
        "Package#2, 20 commands",
        |out| Request::encode(&package2, out),
        |input| {
            let _ = Request::decode(input, &Limits::default(), &mut Leniency::lenient(), &|_| false)?;
            Ok(())
        },
    )?);

    let items = items()?;
    figures.extend(pair(
        effort,
        "MO data, 50 leaves",
        |out| mo_data::encode(&items, out),
        |input| {
            let _ = mo_data::decode(input, &Limits::default(), &mut Leniency::lenient())?;
            Ok(())
        },
    )?);
    Ok(figures)
}

/// Decoding and encoding of one kind of message, beside the same octets and value through serde_json.
fn pair(
    effort: &Effort,
    name: &str,
    encode: impl Fn(&mut Vec<u8>),
    decode: impl Fn(&[u8]) -> Result<()>,
) -> Result<[Figure; 2]> {
    let mut octets = Vec::new();
    encode(&mut octets);
    decode(&octets)?;
    let untyped: serde_json::Value = serde_json::from_slice(&octets)?;

    let decoding = effort.nanoseconds(|| decode(&octets).is_ok());
    let untyped_decoding = effort.nanoseconds(|| serde_json::from_slice::<serde_json::Value>(&octets));
    let mut out = Vec::with_capacity(octets.len());
    let encoding = effort.nanoseconds(|| {
        out.clear();
        encode(&mut out);
    });
    let untyped_encoding = effort.nanoseconds(|| {
        out.clear();
        serde_json::to_writer(&mut out, &untyped)
    });
    let figure = |what: &str, value: f64, ceiling: f64| {
        Figure::new(SCENARIO, format!("{what} {name} ({} bytes)", octets.len()), value, "ns")
            .beside_time("serde_json, untyped", ceiling)
    };
    Ok([figure("decode", decoding, untyped_decoding), figure("encode", encoding, untyped_encoding)])
}

fn package1() -> Initiation {
    let moids = [well_known::DEVINFO, well_known::DMACC, well_known::DACMO, well_known::SESSION_INFO];
    let mo = |moid: &str| SupportedMo {
        ddf: "http://www.openmobilealliance.org/tech/omna/dm_mo/dm_devinfo-v1_2.ddf".to_owned(),
        moid: moid.to_owned(),
        miids: vec!["1".to_owned()],
    };
    Initiation { mos: Some(moids.map(mo).to_vec()), alerts: vec![Alert::new(alert::CLIENT_INITIATED)] }
}

fn package2() -> Result<Vec<Command>> {
    let words: [&[&str]; 4] = [
        &["GET", "urn:oma:mo:oma-dm-devinfo:1.2//DevID"],
        &["GET", "urn:oma:mo:oma-dm-dmacc:1.2/(x)/Auth/Trsp?nv=(x)/SrvID:omadm"],
        &[
            "HGET",
            "https://dm.example.org:8443/data/c/0190aa00-0000-7000-8000-000000000000",
            "urn:example:mo:thing:1.0//Settings/Level",
        ],
        &["EXEC", "urn:example:mo:thing:1.0/main/Operations/Restart"],
    ];
    let command = |words: &&[&str]| match Command::from_words(words, &|_| false) {
        CommandEntry::Valid(command) => Ok(command),
        CommandEntry::Unknown { name } | CommandEntry::Malformed { name, .. } => {
            Err(format!("{name} is no command"))
        }
    };
    words.iter().cycle().take(20).map(command).collect::<std::result::Result<_, _>>().map_err(Error::from)
}

/// Statuses as a session brings them: most are plain, some say where an HGET stored.
fn package3() -> Response {
    let status = |index: usize| StatusEntry {
        code: if index % 7 == 3 { StatusCode::NOT_FOUND } else { StatusCode::OK },
        uris: if index.is_multiple_of(5) {
            vec![format!("urn:example:mo:thing:1.0/main/Settings/{index}")]
        } else {
            Vec::new()
        },
    };
    Response { statuses: (0..20).map(status).collect(), alerts: Vec::new() }
}

fn items() -> Result<Vec<MoItem>> {
    let leaves = (0..50).map(|index| {
        let value = match index % 3 {
            0 => Value::Int(index),
            1 => Value::Bool(true),
            _ => Value::Text(format!("value of leaf number {index}")),
        };
        Ok((NodeName::parse(&format!("Leaf{index}"))?, Content::Leaf(value)))
    });
    Ok(vec![MoItem {
        ddf: Some("http://dm.example.org/ddf/thing.ddf".to_owned()),
        client_uri: "urn:example:mo:thing:1.0/main/".to_owned(),
        cv: None,
        label: "main".to_owned(),
        content: Content::Interior(leaves.collect::<Result<_>>()?),
    }])
}
