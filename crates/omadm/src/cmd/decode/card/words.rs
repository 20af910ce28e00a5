//! Files of cards and what they demand, in words.

use omadm_codec::smartcard::fcp::{Condition, FileControl, RuleRecord, RuleReference, Security};
use omadm_codec::smartcard::sim::{Access, Directory, File, Selected};
use omadm_codec::smartcard::{KeyReference, Structure};

/// A number of octets.
pub fn octets(count: usize) -> String {
    if count == 1 { "1 octet".to_owned() } else { format!("{count} octets") }
}

/// What a SIM says of a file.
pub fn of_sim(selected: &Selected) -> String {
    match selected {
        Selected::Directory(Directory { id, chv1_enabled, chv1_tries }) => {
            let tries = chv1_tries.map(|tries| format!(", tries left: {tries}")).unwrap_or_default();
            let state = if *chv1_enabled { "enabled" } else { "disabled" };
            format!("directory {id}, CHV1 {state}{tries}")
        }
        Selected::File(File { id, size, structure: kind, read, update, valid }) => {
            let valid = if *valid { "" } else { ", invalidated" };
            let (kind, size) = (structure(*kind), octets(usize::from(*size)));
            format!("file {id}, {kind}, {size}, READ {}, UPDATE {}{valid}", access(*read), access(*update))
        }
    }
}

fn access(access: Access) -> String {
    match access {
        Access::Always => "ALW".to_owned(),
        Access::Chv1 => "CHV1".to_owned(),
        Access::Chv2 => "CHV2".to_owned(),
        Access::Issuer(number) => format!("ADM {number}"),
        Access::Never => "NEV".to_owned(),
        Access::Unknown => "unknown".to_owned(),
    }
}

/// What a UICC says of a file.
pub fn of_uicc(control: &FileControl) -> String {
    let name = control.file_id.map(|file| format!(" {file}"));
    let name = name.or_else(|| control.aid.as_ref().map(|aid| format!(" {aid}"))).unwrap_or_default();
    let size = control.size.and_then(|size| usize::try_from(size).ok());
    let size = size.map(|size| format!(", {}", octets(size))).unwrap_or_default();
    let read = match &control.security {
        Security::Record(reference) => Some(rule(reference)),
        Security::Unsaid | Security::Rules(_) => {
            control.read_condition().map(|read| format!(", READ {}", condition(read)))
        }
    };
    let pins: Vec<KeyReference> = control.enabled_pins().collect();
    let pins = if pins.is_empty() { String::new() } else { format!(", PINs in use: {}", keys(&pins, ", ")) };
    format!("file{name}, {}{size}{}{pins}", structure(control.structure), read.unwrap_or_default())
}

fn rule(RuleReference { file, record }: &RuleReference) -> String {
    let file = file.map(|file| format!(" {file}")).unwrap_or_default();
    let record = match record {
        RuleRecord::Always(record) => record.to_string(),
        RuleRecord::ByEnvironment(records) => {
            let each = records.iter().map(|(number, record)| format!("{record} in environment {number}"));
            each.collect::<Vec<_>>().join(" or ")
        }
    };
    format!(", access as record {record} of EF(ARR){file} says")
}

fn condition(condition: &Condition) -> String {
    match condition {
        Condition::Always => "always".to_owned(),
        Condition::Never => "never".to_owned(),
        Condition::AnyOf(any) => format!("after {}", keys(any, " or ")),
        Condition::AllOf(all) => format!("after {}", keys(all, " and ")),
        Condition::Cardholder => "after a PIN".to_owned(),
        Condition::Other => "on another condition".to_owned(),
    }
}

fn keys(keys: &[KeyReference], between: &str) -> String {
    keys.iter().map(|key| key.name()).collect::<Vec<_>>().join(between)
}

fn structure(structure: Structure) -> String {
    let records = |kind, record: u16, count: Option<u8>| {
        let count = count.map(|count| format!(", records: {count}")).unwrap_or_default();
        format!("{kind}, {} a record{count}", octets(usize::from(record)))
    };
    match structure {
        Structure::Directory => "directory".to_owned(),
        Structure::Transparent => "transparent".to_owned(),
        Structure::LinearFixed { record, count } => records("linear fixed", record, count),
        Structure::Cyclic { record, count } => records("cyclic", record, count),
        Structure::DataObjects => "of data objects".to_owned(),
        Structure::Other(descriptor) => format!("structure {descriptor:02X}"),
    }
}

#[cfg(test)]
mod tests {
    use omadm_codec::Limits;

    use super::*;

    #[test]
    fn files_are_put_into_words() {
        let selected = |octets: &[u8]| of_sim(&Selected::decode(octets, &Limits::default()).unwrap());
        let directory = [0, 0, 0, 0, 0x3f, 0, 1, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0x83];
        assert_eq!(selected(&directory), "directory 3F00, CHV1 enabled, tries left: 3");
        let file = [0, 0, 0, 40, 0x2f, 0, 4, 0, 0x0f, 0xff, 0xff, 0, 2, 1, 20];
        let words = "file 2F00, linear fixed, 20 octets a record, records: 2, 40 octets, READ ALW, UPDATE NEV, invalidated";
        assert_eq!(selected(&file), words);
        let control = FileControl::decode(
            &[
                0x62, 20, 0x82, 2, 0x41, 0x21, 0x83, 2, 0x64, 0x21, 0x80, 2, 0, 1, 0xab, 8, 0x80, 1, 1, 0xa4,
                3, 0x83,
            ],
            &Limits::default(),
        );
        assert!(control.is_err(), "cut off");
        let control = [
            &[0x62, 22, 0x82, 2, 0x41, 0x21, 0x83, 2, 0x64, 0x21, 0x80, 2, 0, 1][..],
            &[0xab, 8, 0x80, 1, 1, 0xa4, 3, 0x83, 1, 0x81],
        ];
        let control = FileControl::decode(&control.concat(), &Limits::default()).unwrap();
        assert_eq!(
            of_uicc(&control),
            "file 6421, transparent, 1 octet, READ after local PIN of application 1"
        );
        let referenced = [0x62, 12, 0x82, 2, 0x41, 0x21, 0x8b, 6, 0x6f, 6, 1, 2, 0, 11];
        let control = FileControl::decode(&referenced, &Limits::default()).unwrap();
        assert_eq!(
            of_uicc(&control),
            "file, transparent, access as record 2 in environment 1 or 11 in environment 0 of EF(ARR) 6F06 says"
        );
    }
}
