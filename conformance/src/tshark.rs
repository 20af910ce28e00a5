//! tshark as a judge of binary formats.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Who sends a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "they speak for themselves")]
pub enum Side {
    Client,
    Server,
}

/// What tshark understood of one frame.
#[derive(Debug)]
pub struct Dissection(Value);

impl Dissection {
    /// UDP datagrams from port 9200 to port 2948, which is how WAP push travels.
    pub fn of_pushes(datagrams: &[&[u8]]) -> Vec<Self> {
        dissect(datagrams, &["-u", "9200,2948"], &[])
    }

    /// UDP datagrams between a device and the port of a WAP gateway, in their order; those `to_gateway` come first.
    pub fn of_wap(to_gateway: &[&[u8]], from_gateway: &[&[u8]], port: u16) -> Vec<Self> {
        let (there, back) = (format!("40000,{port}"), format!("{port},40000"));
        let mut found = dissect(to_gateway, &["-u", &there], &[]);
        found.extend(dissect(from_gateway, &["-u", &back], &[]));
        found
    }

    /// Messages of SIP, each in a datagram.
    pub fn of_sip(messages: &[&[u8]]) -> Vec<Self> {
        dissect(messages, &["-u", "5060,5060"], &[])
    }

    /// Messages of DM 1.x in WBXML, each in an HTTP request.
    pub fn of_syncml(messages: &[&[u8]]) -> Vec<Self> {
        let request = |message: &&[u8]| {
            let head = format!(
                "POST /dm HTTP/1.1\r\nHost: dm.example.net\r\nContent-Type: application/vnd.syncml.dm+wbxml\r\n\
                 Content-Length: {}\r\n\r\n",
                message.len()
            );
            [head.as_bytes(), message].concat()
        };
        let requests: Vec<Vec<u8>> = messages.iter().map(request).collect();
        // A connection each: the frames of one would have to follow one another.
        let one = |request: &Vec<u8>| dissect(&[request], &["-T", "40000,80"], &[]);
        requests.iter().flat_map(one).collect()
    }

    /// Short messages as a device gets them, with what they carry; parts are put together in the frame of the last.
    pub fn of_short_messages(messages: &[&[u8]]) -> Vec<Self> {
        // A link layer that says nothing itself.
        let preferences = [
            "uat:user_dlts:\"User 0 (DLT=147)\",\"gsm_sms\",\"0\",\"\",\"0\",\"\"",
            "gsm_sms.reassemble:TRUE",
            "gsm_sms_ud.port_number_udh_means_wsp:TRUE",
        ];
        dissect(messages, &["-l", "147"], &preferences)
    }

    /// OBEX packets of one connection over TCP, in their order, with who has sent each.
    pub fn of_obex(packets: &[(Side, &[u8])]) -> Vec<Self> {
        let letter = |side: &Side| match side {
            Side::Client => 'O',
            Side::Server => 'I',
        };
        let dump: String =
            packets.iter().map(|(side, octets)| format!("{}\n{}", letter(side), line(octets))).collect();
        dissect_dump(&dump, packets.len(), &["-D", "-T", "40000,650"], &["-d", "tcp.port==650,obex"])
    }

    /// The first field of this name, wherever it stands; `None` if there is none.
    pub fn field(&self, name: &str) -> Option<&str> {
        find(&self.0, name).and_then(Value::as_str)
    }

    /// The octets of the first field of this name.
    pub fn octets(&self, name: &str) -> Option<Vec<u8>> {
        self.field(name)?.split(':').map(|digits| u8::from_str_radix(digits, 16).ok()).collect()
    }

    /// Whether tshark found a fault anywhere.
    pub fn is_malformed(&self) -> bool {
        find(&self.0, "_ws.malformed").is_some()
    }
}

fn find<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    match value {
        Value::Object(members) => {
            members.get(name).or_else(|| members.values().find_map(|value| find(value, name)))
        }
        Value::Array(values) => values.iter().find_map(|value| find(value, name)),
        _ => None,
    }
}

fn dissect(frames: &[&[u8]], carrier: &[&str], preferences: &[&str]) -> Vec<Dissection> {
    let dump: String = frames.iter().map(|frame| line(frame)).collect();
    let options: Vec<&str> = preferences.iter().flat_map(|preference| ["-o", preference]).collect();
    dissect_dump(&dump, frames.len(), carrier, &options)
}

/// A frame as text2pcap reads it.
fn line(frame: &[u8]) -> String {
    let octets: String = frame.iter().map(|octet| format!(" {octet:02x}")).collect();
    format!("0000{octets}\n")
}

fn dissect_dump(dump: &str, frames: usize, carrier: &[&str], options: &[&str]) -> Vec<Dissection> {
    let directory = tempfile::tempdir().unwrap();
    let (file, capture) = (directory.path().join("dump"), directory.path().join("capture"));
    std::fs::write(&file, dump).unwrap();
    run(directory.path(), Command::new("text2pcap").arg("-q").args(carrier).args([&file, &capture]));
    let mut tshark = Command::new("tshark");
    tshark.arg("-r").arg(&capture).args(["-T", "json", "--no-duplicate-keys"]).args(options);
    let Value::Array(found) = serde_json::from_slice(&run(directory.path(), &mut tshark)).unwrap() else {
        panic!("tshark gives an array of frames");
    };
    assert_eq!(found.len(), frames, "a frame for each");
    found.into_iter().map(|mut frame| Dissection(frame["_source"]["layers"].take())).collect()
}

/// Standard output of a tool, run away from the settings of whoever runs the tests.
fn run(home: &Path, command: &mut Command) -> Vec<u8> {
    let output = command.env("HOME", home).env_remove("XDG_CONFIG_HOME").output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}; run: cargo xtask install"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}
