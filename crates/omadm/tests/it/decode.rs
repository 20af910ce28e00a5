//! `omadm decode` over the vectors of the repository.

use std::path::{Path, PathBuf};

use crate::{repository, run, run_with_input};

/// Folder of vectors, and what its messages are.
const KINDS: [(&str, &str); 14] = [
    ("dm2/notification", "notification"),
    ("dm2/wsp", "wsp"),
    ("dm2/sms", "sms"),
    ("dm2/cloud", "cloud"),
    ("dm2/initiation", "package1"),
    ("dm2/request", "package2"),
    ("dm2/response", "package3"),
    ("dm2/mo_data", "dmmo"),
    ("dm2/multipart", "multipart"),
    ("dm1/trigger", "trigger"),
    ("dm1/notification", "notification"),
    ("dm1/tnds", "tnds"),
    ("dm1/message", "syncml"),
    ("ddf", "ddf"),
];

/// The messages of a folder whose judgement has this extension.
pub fn messages(folder: &str, judgement: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(repository("vectors").join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            let extensions = ["json", "txt", "hex", "xml", "ddf"];
            path.extension().is_some_and(|extension| extensions.iter().any(|known| extension == *known))
        })
        .filter(|path| path.with_extension(judgement).exists())
        .collect();
    found.sort();
    assert!(!found.is_empty(), "{folder} has no {judgement} vectors: an empty folder proves nothing");
    found
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn good_messages_are_described() {
    for (folder, kind) in KINDS {
        for message in messages(folder, "expected") {
            let ran = run(&["decode", "--as", kind, text(&message)]);
            assert_eq!(ran.code, Some(0), "{}: {ran:?}", message.display());
            assert!(ran.stdout.contains(" bytes\n"), "{}: {ran:?}", message.display());
            let json = run(&["decode", "--as", kind, "--output", "json", text(&message)]).json();
            assert_eq!(json["kind"], kind, "{}: {json}", message.display());
        }
    }
}

#[test]
fn bad_messages_are_refused_with_their_place() {
    for (folder, kind) in KINDS {
        for message in messages(folder, "error") {
            let ran = run(&["decode", "--as", kind, text(&message)]);
            // What is wrong inside a part, the multipart reader does not see.
            assert_eq!(ran.code, Some(1), "{}: {ran:?}", message.display());
            assert!(
                ran.stderr.contains(&format!("{}:", message.display())),
                "{}: {ran:?}",
                message.display()
            );
            assert!(ran.stderr.contains("(byte "), "{}: {ran:?}", message.display());
        }
    }
}

#[test]
fn kinds_are_guessed() {
    for (file, kind) in [
        ("dm2/initiation/7.2.1.1.json", "package1"),
        ("dm2/request/7.2.1.2.json", "package2"),
        ("dm2/response/7.2.1.3.json", "package3"),
        ("dm2/mo_data/7.2.1.4.json", "dmmo"),
        ("dm2/multipart/F.txt", "multipart"),
        ("dm2/notification/all-options.hex", "notification"),
        ("dm2/wsp/E.1.hex", "wsp"),
        ("dm2/sms/deliver.hex", "sms"),
        ("dm1/trigger/user-interaction-by-server.hex", "trigger"),
        ("dm1/trigger/vendor-specific.hex", "trigger"),
        ("dm1/notification/all-options.hex", "notification"),
        ("dm1/notification/digest-sha256.hex", "notification"),
        ("dm2/cloud/fcm.json", "cloud"),
        ("dm1/tnds/account.xml", "tnds"),
        ("dm1/tnds/camera.hex", "tnds"),
        ("dm1/message/package-1.xml", "syncml"),
        ("dm1/message/doctype-and-prefixes.xml", "syncml"),
        ("dm1/message/tnds-opaque.hex", "syncml"),
        ("dm1/message/fpi-in-table.hex", "syncml"),
        ("dm1/message/unknown-tokens.hex", "syncml"),
        ("ddf/windows-v2.ddf", "ddf"),
        ("ddf/every-element-libwbxml.hex", "ddf"),
    ] {
        let message = repository("vectors").join(file);
        let json = run(&["decode", "--output", "json", text(&message)]).json();
        assert_eq!(json["kind"], kind, "{file}: {json}");
    }
    let json = run(&["decode", "--output", "json", text(&repository("ddf/dm_dmacc-v1_2.ddf"))]).json();
    assert_eq!(json["kind"], "ddf");
    assert_eq!(json["content"]["nodes"][0]["type"]["ddf_name"], "urn:oma:mo:oma-dm-dmacc:1.2");
}

#[test]
fn the_facts_of_a_message_are_told() {
    let ran = run_with_input(&["decode"], br#"{"CMD":[["GET","urn:x:mo:a:1.0//B"],["FROB"],["GET"]]}"#);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for fact in ["CMD: 3 commands", "0: GET  urn:x:mo:a:1.0//B", "command 1 with 501", "command 2 with 400"] {
        assert!(ran.stdout.contains(fact), "{fact}: {ran:?}");
    }
    let input = br#"{"Status":[{"sc":404},{"sc":200,"URI":["urn:x:mo:a:1.0/1/"]}]}"#;
    let json = run_with_input(&["decode", "-", "--output", "json"], input).json();
    assert_eq!(json["content"]["statuses"][0]["label"], "Not Found", "{json}");
    assert_eq!(json["content"]["statuses"][1]["uris"][0], "urn:x:mo:a:1.0/1/", "{json}");
    assert_eq!(json["tolerances"], serde_json::json!([]), "{json}");
}

#[test]
fn a_notification_is_told_through_all_that_carries_it() {
    let message = repository("vectors/dm2/notification/all-options.hex");
    let ran = run(&["decode", text(&message)]);
    for fact in [
        "Package#0 (application/vnd.syncml.dm.notification), 70 bytes",
        "SERVER-ID com.example.dm2",
        "PREFERRED-CON-TYPE WLAN, CELLULAR, ANY_AVAILABLE",
        "NOTIFICATION-ID 4660",
        "SHA256-DIGEST 276d6a7d",
        "TIMESTAMP 1700000000 (2023-11-14T22:13:20Z)",
        "REQ-MOS",
    ] {
        assert!(ran.stdout.contains(fact), "{fact}: {ran:?}");
    }
    let older = run(&["decode", text(&repository("vectors/dm2/sms/deliver-notification-1.2.hex"))]);
    assert!(
        older.stdout.contains("\n    version 1.1, ui-mode background, initiator user\n    sessionid 1234"),
        "{older:?}"
    );
    let sms = run(&["decode", text(&repository("vectors/dm2/sms/deliver.hex"))]);
    assert!(sms.stdout.contains("\n    REQ-MOS"), "{sms:?}");
    let json = run(&["decode", "--output", "json", text(&repository("vectors/dm2/sms/deliver.hex"))]).json();
    assert_eq!(json["content"]["push"]["notification"]["request_mos"], true, "{json}");
    assert_eq!(json["content"]["message"]["originator"], "+46708251358", "{json}");
    assert_eq!(json["media_type"], serde_json::Value::Null, "{json}");
    let octets =
        run_with_input(&["decode", "--output", "json"], b"\x21\x00\x30\x02\x01\x02\x60\x01\xff").json();
    assert_eq!(octets["content"]["notification_id"], 258, "{octets}");
    assert_eq!(octets["content"]["ignored"][0]["number"], 9, "{octets}");
}

#[test]
fn a_tree_is_told_node_by_node() {
    let ran = run(&["decode", text(&repository("vectors/dm1/tnds/camera.hex"))]);
    assert_eq!(
        ran.stdout,
        "TNDS document (application/vnd.syncml.dmtnds+wbxml), 90 bytes\n\
         Cam/  node  com.example/1.0/Cam\n  Zoom = \"4\"  int  text/plain\n",
        "{ran:?}"
    );
    let ran = run(&["decode", text(&repository("vectors/dm1/tnds/account.xml"))]);
    let root = "Acc1/  node  urn:oma:mo:oma-dm-dmacc:1.0  ACL Get=dm.ex&Replace=dm.ex&Delete=dm.ex\n";
    assert!(ran.stdout.contains(root), "{ran:?}");
    let every = repository("vectors/dm1/tnds/every-element.xml");
    let json = run(&["decode", "--output", "json", text(&every)]).json();
    assert_eq!(json["content"]["nodes"][0]["path"], "A/B", "{json}");
    assert_eq!(json["content"]["nodes"][0]["children"][1]["value"], "AAH/", "{json}");
    assert_eq!(json["media_type"], "application/vnd.syncml.dmtnds+xml", "{json}");
}

#[test]
fn a_message_is_told_command_by_command() {
    let ran = run(&["decode", text(&repository("vectors/dm1/message/tnds-opaque.hex"))]);
    assert_eq!(
        ran.stdout,
        "SyncML message (application/vnd.syncml.dm+wbxml), 249 bytes\n\
         in WBXML 1.2\n\
         DM/1.2 (VerDTD 1.2), session 1, message 1\n  Target IMEI:490000000000001\n  Source https://dm.ex/dm\n\
         Add 1\n  .  bin  application/vnd.syncml.dmtnds+wbxml\n    Cam/  node  com.example/1.0/Cam\n\
         \x20     Zoom = \"4\"  int  text/plain\n\
         Final\n",
        "{ran:?}"
    );
    let ran = run(&["decode", text(&repository("vectors/dm1/message/every-command.xml"))]);
    let facts = [
        "Atomic 7\n  chr\n  Add 8\n    ./X\n  Sequence 9\n    Alert 10 1101 (ConfirmOrReject)\n",
        "Exec 6, Correlator job-0042\n",
        "  ./A/E -> ./A/D\n",
        "  ./A/B?prop=ACL = \"Get=*&Replace=a+b\"\n",
    ];
    for fact in facts {
        assert!(ran.stdout.contains(fact), "{fact}: {ran:?}");
    }
    let windows = repository("vectors/dm1/message/windows-results.xml");
    let json = run(&["decode", "--output", "json", text(&windows)]).json();
    assert_eq!(json["content"]["commands"][0]["attributes"][0][1], "0x86000002", "{json}");
    assert_eq!(json["tolerances"], serde_json::json!(["missing-namespace", "nested-reference"]), "{json}");
    let ran = run(&["decode", "--as", "syncml", text(&repository("vectors/dm1/message/cmdid-twice.xml"))]);
    assert!(ran.stderr.contains("cmdid-twice.xml:6:23 (byte 319): CmdID of SyncML message"), "{ran:?}");
}

#[test]
fn binary_documents_that_are_wrong_have_their_offset_and_no_line() {
    let cut = repository("vectors/dm1/tnds/wbxml-cut.hex");
    let ran = run(&["decode", "--as", "tnds", text(&cut)]);
    assert!(ran.stderr.contains("wbxml-cut.hex: (byte 60): document of TNDS document: the input"), "{ran:?}");
    let json = run(&["decode", "--as", "tnds", "--output", "json", text(&cut)]).json();
    assert_eq!(json["error"]["line"], serde_json::Value::Null, "{json}");
    let twice = repository("vectors/dm1/tnds/version-twice.xml");
    let ran = run(&["decode", "--as", "tnds", text(&twice)]);
    assert!(ran.stderr.contains("version-twice.xml:1:55 (byte 54): VerDTD"), "{ran:?}");
}

/// Offsets count from the start of the whole message, whatever carries the notification.
#[test]
fn a_notification_that_is_wrong_inside_has_its_offset() {
    let at = |kind: &str, input: &str| {
        let ran = run_with_input(&["decode", "--as", kind, "--output", "json"], input.as_bytes());
        assert_eq!(ran.code, Some(1), "{ran:?}");
        let error = ran.json()["error"].clone();
        assert_eq!(error["field"], "NOTIFICATION-ID", "{error}");
        error["at"].as_u64().unwrap()
    };
    let (wrong, push) = ("2080 3001 07", "01 06 03 d8 af87");
    assert_eq!(at("notification", wrong), 4);
    assert_eq!(at("wsp", &format!("{push} {wrong}")), 10);
    let sms = format!("44 00 91 00 04 00000000000000 12 06 05040b8423f0 {push} {wrong}");
    assert_eq!(at("sms", &sms), 30);
    assert_eq!(at("cloud", r#"{"SMS":"IIAwAQc="}"#), 4);
    let ran = run_with_input(&["decode", "--as", "notification"], wrong.as_bytes());
    assert!(
        ran.stderr.contains("standard input: (byte 4): NOTIFICATION-ID of Package#0: not 2 octets long"),
        "{ran:?}"
    );
    let odd = run_with_input(&["decode", "--as", "notification"], b"2080 6");
    assert!(odd.stderr.contains("hexadecimal digits at byte 2"), "{odd:?}");
}

#[test]
fn tolerances_are_named_and_strict_refuses_them() {
    let message = br#"{"Status":[200]}"#;
    let ran = run_with_input(&["decode"], message);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stdout.contains("bare-status"), "{ran:?}");
    let ran = run_with_input(&["decode", "--strict"], message);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("standard input:1:"), "{ran:?}");
}

#[test]
fn a_part_that_is_wrong_is_named() {
    let body = b"--b\r\nContent-Type: application/vnd.oma.dm.response+json\r\n\r\n{\"Status\":[{\"sc\":200}]}\r\n\
        --b\r\nContent-Disposition: form-data; name=\"0\"\r\nContent-Type: application/dmmo+json\r\n\r\n[{\"ClientURI\":5}]\r\n--b--\r\n";
    let ran = run_with_input(&["decode"], body);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("part 2, line 1") && ran.stderr.contains("ClientURI"), "{ran:?}");
    let json = run_with_input(&["decode", "--output", "json"], body).json();
    assert_eq!(json["error"]["part"], 2, "{json}");
}

#[test]
fn control_characters_do_not_reach_the_terminal() {
    let ran = run_with_input(&["decode"], br#"{"Alert":[{"AlertType":"\u001b[2J"}]}"#);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(!ran.stdout.contains('\u{1b}') && ran.stdout.contains("\\u{1b}[2J"), "{ran:?}");
}

#[test]
fn what_is_no_message_is_refused() {
    for input in [&b""[..], b"hello", br#"{"Foo":1}"#, b"\xff\xfe"] {
        let ran = run_with_input(&["decode"], input);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(ran.stderr.contains("--as"), "{ran:?}");
    }
}

#[test]
fn a_message_has_a_largest_size() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("message");
    let largest: u64 = 64 << 20;
    for (length, told) in [(largest, "--as"), (largest + 1, "is larger than 67108864 bytes")] {
        std::fs::File::create(&file).unwrap().set_len(length).unwrap();
        let ran = run(&["decode", text(&file)]);
        assert_eq!(ran.code, Some(1));
        assert!(ran.stderr.contains(told), "{length}: {}", ran.stderr);
    }
}

#[test]
fn datagrams_to_and_from_wap_gateways_are_described_with_what_they_carry() {
    let message = "<SyncML><SyncHdr><VerDTD>1.2</VerDTD><VerProto>DM/1.2</VerProto><SessionID>1</SessionID><MsgID>1</MsgID>\
                   <Target><LocURI>a</LocURI></Target><Source><LocURI>b</LocURI></Source></SyncHdr><SyncBody><Final/></SyncBody></SyncML>";
    let message: String = message.bytes().map(|octet| format!("{octet:02x}")).collect();
    let post = format!("601401687474703a2f2f646d2e6578616d706c652f646dc3{message}");
    let ran = run_with_input(&["decode", "--as", "wtp"], format!("0a010212{post}").as_bytes());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for line in [
        "Invoke, TID 258, from the initiator, class 2, last of the message",
        "  POST http://dm.example/dm",
        "    Content-Type application/vnd.syncml.dm+xml",
        "DM/1.2",
    ] {
        assert!(ran.stdout.contains(line), "{line}: {}", ran.stdout);
    }
    let alone = run_with_input(&["decode"], format!("07{post}").as_bytes());
    assert!(alone.stdout.contains("TID 7\nPOST http://dm.example/dm\n"), "{alone:?}");
    let several = ["00 03 188102 04 20810308", "38 8102 02 01 03", "9c 8102 1904", "21 8102 e1"];
    let facts = [
        "Ack, TID 258, from the responder\nAbort, TID 259, from the responder, by WTP, reason 8\n",
        "Nack, TID 258, from the responder, missing packets [1, 3]",
        "Ack, TID 258, from the responder, TID verification, up to packet 4",
        "by WSP: the session is disconnected",
    ];
    for (digits, fact) in several.into_iter().zip(facts) {
        let ran = run_with_input(&["decode", "--as", "wtp"], digits.as_bytes());
        assert!(ran.stdout.contains(fact), "{ran:?}");
    }
    let session = [
        ("0a 0001 02 0110 04 00 03 80 8b 78", "Client-SDU-Size 1528"),
        ("12 8001 02 05 00 00", "ConnectReply, session 5"),
        ("0a 0001 00 0505", "Disconnect, session 5"),
        ("12 8001 04 41 01 c2", "Reply 401"),
        ("12 8001 03 00 44 23f1 0a000001", "Redirect to"),
        ("28 0001 01 ff", "a segment says nothing alone"),
    ];
    for (digits, fact) in session {
        let ran = run_with_input(&["decode", "--as", "wtp"], digits.as_bytes());
        assert!(ran.stdout.contains(fact), "{digits}: {ran:?}");
    }
    let json = run_with_input(&["decode", "--as", "wtp", "--output", "json"], b"12 8001 04 41 01 c2").json();
    assert_eq!(json["content"]["pdus"][0]["message"]["status"], "401", "{json}");
    let wrong = run_with_input(&["decode", "--as", "wtp"], b"12 8001 04 41 05 c2");
    assert!(wrong.code == Some(1) && wrong.stderr.contains("byte 6"), "{wrong:?}");
}

#[test]
fn what_carries_a_push_is_told_with_the_notification_in_it() {
    let corpus = repository("fuzz/corpus");
    let ran = run(&["decode", text(&corpus.join("sip/message-compact"))]);
    for fact in
        ["SIP message", "MESSAGE sip:john@192.0.2.7", "Accept-Contact: *;+g.oma.pusheventapp", "  VER 2"]
    {
        assert!(ran.stdout.contains(fact), "{fact}: {ran:?}");
    }
    let json = run(&["decode", "--output", "json", text(&corpus.join("ota_http/notification"))]).json();
    assert_eq!((&json["kind"], &json["content"]["status"]), (&"http-push".into(), &200.into()), "{json}");
    assert_eq!(json["content"]["notification"]["request_mos"], false, "{json}");
    let ran = run(&["decode", text(&corpus.join("pap/result"))]);
    for fact in ["resultnotification-message", "code 1000, accepted", "message-state delivered"] {
        assert!(ran.stdout.contains(fact), "{fact}: {ran:?}");
    }
    let broken = run_with_input(&["decode"], b"SIP/2.0 200 OK\r\nVia: x\r\n\r\n");
    assert_eq!(broken.code, Some(1), "{broken:?}");
    assert!(broken.stderr.contains("From"), "{broken:?}");
}

#[test]
fn what_is_said_to_a_card_is_told_without_its_pin() {
    let trace = "# of pcscd\n00000012 APDU: 00 70 00 00 01\n00000020 SW: 01 90 00\n\
        APDU: 01 A4 04 04 0C A0 00 00 00 63 50 4B 43 53 2D 31 35 00\n\
        SW: 62 1D 82 02 78 21 84 0C A0 00 00 00 63 50 4B 43 53 2D 31 35 8A 01 05 C6 06 90 01 80 83 01 01 90 00\n\
        > 01200001083132333435363738\n< 63c2\n> 01b0000000\n< 5b7b7d5d9000\n\
        > 85823300100011223344556677 8899aabbccddeeff\n< 6300\n> a0a40000022f00\n< 9f0f\n> a0c000000f\n\
        < 0000002c2f00040000ffff01020116 9000\n";
    let ran = run_with_input(&["decode"], trace.as_bytes());
    for fact in [
        "APDU trace",
        "MANAGE CHANNEL: open a channel",
        "SELECT of application A000000063504B43532D3135 (PKCS#15), channel 1, expects 256",
        "directory, PINs in use: PIN of application 1",
        "the PIN is not shown",
        "tries left: 2",
        "READ BINARY from 0",
        "data, 4 octets: 5b7b7d5d \"[{}]\"",
        "EXTERNAL AUTHENTICATE, security level 33",
        "6300 authentication failed",
        "SELECT of file 2F00 (EF(DIR))",
        "done, 15 octets wait for GET RESPONSE",
        "file 2F00, linear fixed, 22 octets a record, records: 2, 44 octets, READ ALW",
    ] {
        assert!(ran.stdout.contains(fact), "{fact}: {ran:?}");
    }
    let json = run_with_input(&["decode", "--output", "json"], trace.as_bytes());
    assert!(!ran.stdout.contains("31323334") && !json.stdout.contains("31323334"), "{json:?}");
    let json = json.json();
    let apdus = json["content"]["apdus"].as_array().unwrap();
    assert_eq!((apdus.len(), &apdus[2]["at"]), (14, &69.into()), "{json}");
    assert_eq!(
        apdus[3]["file"],
        "file A000000063504B43532D3135, directory, PINs in use: PIN of application 1"
    );

    // What is wrong has the place of its octet in the text.
    let wrong = run_with_input(&["decode"], b"> 00a40004022f00\n< 9000\n> 00 a4 00 04 05 50 31\n");
    assert!(wrong.code == Some(1) && wrong.stderr.contains(":3:"), "{wrong:?}");
    let odd = run_with_input(&["decode"], b"> 00a40004022f0");
    assert!(odd.stderr.contains("hexadecimal digits"), "{odd:?}");
    // Without marks they take turns.
    let turns = run_with_input(&["decode", "--as", "apdu"], b"00a40004022f00\n9000\n");
    assert!(turns.stdout.contains("> 00a40004") && turns.stdout.contains("< 9000"), "{turns:?}");
}

#[test]
fn files_of_a_card_are_told_by_meaning_and_by_offset() {
    let corpus = repository("fuzz/corpus");
    let decode = |name: &str| run(&["decode", text(&corpus.join(name))]);
    let cases: [(&str, &[&str]); 5] = [
        (
            "ef_dir/record",
            &["EF(DIR)", "A000000063504B43532D3135, PKCS#15", "path 3F00/7F50", "    16  51 path"],
        ),
        ("pkcs15/odf", &["dataObjects: 6420", "     8  the rest, 2 octets"]),
        ("pkcs15/dodf", &["bootstrap \"DM Bootstrap\"", "2.23.43.7.1", "at 6421", "30  04 OCTET STRING"]),
        ("pkcs15/dodf-private-part", &["private: ", "modifiable: ", "256 octets from octet 16 on"]),
        ("pkcs15/token-info", &["serial number 89490123", "login required"]),
    ];
    for (name, facts) in cases {
        let ran = decode(name);
        for fact in facts {
            assert!(ran.stdout.contains(fact), "{name}: {fact}: {ran:?}");
        }
    }
    let two = decode("pkcs15/dodf-url-oid-direct-external");
    assert!(two.stdout.contains("Note: several objects are bootstraps"), "{two:?}");
    let strict = run(&["decode", "--strict", text(&corpus.join("pkcs15/odf-residue"))]);
    assert!(strict.code == Some(1) && strict.stderr.contains("byte 9"), "{strict:?}");
    let json = run(&["decode", "--output", "json", text(&corpus.join("pkcs15/dodf"))]).json();
    assert_eq!(
        (&json["kind"], &json["content"]["objects"][0]["bootstrap"]),
        (&"pkcs15".into(), &true.into())
    );
}
