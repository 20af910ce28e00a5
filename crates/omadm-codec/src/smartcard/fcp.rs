//! What a UICC says of a selected file: the file control parameters (`TS 102 221 §11.1.1.3`).

use super::{Aid, FileId, KeyReference, Structure, ber};
use crate::{DecodeError, Limits, Problem};

const FCP: ber::Tag = ber::Tag(0x62);
const SIZE: ber::Tag = ber::Tag(0x80);
const DESCRIPTOR: ber::Tag = ber::Tag(0x82);
const FILE_ID: ber::Tag = ber::Tag(0x83);
const DF_NAME: ber::Tag = ber::Tag(0x84);
const LIFE_CYCLE: ber::Tag = ber::Tag(0x8a);
const REFERENCED: ber::Tag = ber::Tag(0x8b);
const COMPACT: ber::Tag = ber::Tag(0x8c);
const EXPANDED: ber::Tag = ber::Tag(0xab);
const PIN_STATUS: ber::Tag = ber::Tag(0xc6);
/// The bitmap in a PIN status template.
const ENABLED: ber::Tag = ber::Tag(0x90);
const KEY_REFERENCE: ber::Tag = ber::Tag(0x83);
const ACCESS_MODE: ber::Tag = ber::Tag(0x80);
const ALWAYS: ber::Tag = ber::Tag(0x90);
const NEVER: ber::Tag = ber::Tag(0x97);
const CONTROL_REFERENCE: ber::Tag = ber::Tag(0xa4);
const ANY_OF: ber::Tag = ber::Tag(0xa0);
const ALL_OF: ber::Tag = ber::Tag(0xaf);
/// READ in the access mode of an elementary file.
pub const READ: u8 = 0x01;
/// UPDATE in the access mode of an elementary file.
pub const UPDATE: u8 = 0x02;

/// File control parameters, as far as reading a bootstrap has to know them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileControl {
    /// What the file consists of.
    pub structure: Structure,
    /// Its identifier; an ADF may have none.
    pub file_id: Option<FileId>,
    /// Octets in it, of an elementary file.
    pub size: Option<u32>,
    /// The application, of an ADF.
    pub aid: Option<Aid>,
    /// The life cycle status; 5 and 7 are operational and activated.
    pub life_cycle: Option<u8>,
    /// The PINs of its directory.
    pub pins: Vec<PinStatus>,
    /// Who may do what.
    pub security: Security,
}

/// A PIN in the PIN status template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PinStatus {
    /// Which PIN.
    pub reference: KeyReference,
    /// Whether it has to be verified at all.
    pub enabled: bool,
}

/// Security attributes of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Security {
    /// None are given.
    #[default]
    Unsaid,
    /// Here.
    Rules(Vec<AccessRule>),
    /// In a record of EF(ARR).
    Record(RuleReference),
}

/// Which record of which EF(ARR) holds the rules for a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleReference {
    /// The file with the rules; absent for the one of the directory.
    pub file: Option<FileId>,
    /// Its record.
    pub record: RuleRecord,
}

/// A record of EF(ARR).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleRecord {
    /// Whatever the security environment.
    Always(u8),
    /// Security environments by their numbers, and the record for each (`TS 102 221 §G.2`).
    ByEnvironment(Vec<(u8, u8)>),
}

impl RuleRecord {
    /// The security environment of an application whose PIN is switched off.
    pub const PIN_SWITCHED_OFF: u8 = 0;
    /// The one of an application whose PIN is in use.
    pub const PIN_IN_USE: u8 = 1;

    /// The record that counts in a security environment: the first one where that is not named.
    #[must_use]
    pub fn within(&self, environment: u8) -> Option<u8> {
        match self {
            Self::Always(record) => Some(*record),
            Self::ByEnvironment(records) => {
                let named = records.iter().find(|(number, _)| *number == environment);
                named.or(records.first()).map(|(_, record)| *record)
            }
        }
    }

    fn octets(&self) -> Vec<u8> {
        match self {
            Self::Always(record) => vec![*record],
            Self::ByEnvironment(records) => {
                records.iter().flat_map(|(number, record)| [*number, *record]).collect()
            }
        }
    }
}

/// What has to be so before a file is read or changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessRule {
    /// The bits of the access mode, such as [`READ`].
    pub modes: u8,
    /// The condition.
    pub condition: Condition,
}

/// A condition of access.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// No condition.
    Always,
    /// Nobody.
    Never,
    /// One of these was verified.
    AnyOf(Vec<KeyReference>),
    /// All of these were verified.
    AllOf(Vec<KeyReference>),
    /// A PIN of those in the PIN status template.
    Cardholder,
    /// Something else.
    Other,
}

impl FileControl {
    /// Reads the answer to SELECT.
    ///
    /// # Errors
    /// When it is no FCP, or one without a file descriptor, or malformed.
    pub fn decode(input: &[u8], limits: &Limits) -> Result<Self, DecodeError> {
        let mut outer = ber::Objects::new(input, limits)?;
        let template = outer.next_object("FCP")?.filter(|object| object.tag == FCP);
        let template = template.ok_or(DecodeError { at: 0, field: "FCP", problem: Problem::Missing })?;
        outer.end("FCP")?;
        let mut structure = None;
        let mut control = Self {
            structure: Structure::Other(0),
            file_id: None,
            size: None,
            aid: None,
            life_cycle: None,
            pins: Vec::new(),
            security: Security::Unsaid,
        };
        let mut objects = template.objects(limits);
        while let Some(object) = objects.next_object("FCP")? {
            match object.tag {
                SIZE => control.size = Some(object.number("file size")?),
                DESCRIPTOR => structure = Some(descriptor(&object)?),
                FILE_ID => control.file_id = Some(file_id(&object, object.value, "file identifier")?),
                DF_NAME => control.aid = Some(Aid::decode(object.value, object.value_at, "DF name")?),
                LIFE_CYCLE => control.life_cycle = object.value.first().copied(),
                PIN_STATUS => control.pins = pins(&object, limits)?,
                REFERENCED => control.security = referenced(&object)?,
                COMPACT => control.security = Security::Rules(compact(&object)?),
                EXPANDED => control.security = Security::Rules(rules(object.objects(limits), limits)?),
                _ => {}
            }
        }
        objects.end("FCP")?;
        control.structure = structure.ok_or_else(|| template.error("file descriptor", Problem::Missing))?;
        Ok(control)
    }

    /// What has to be so before the file is read, as far as the FCP itself says.
    #[must_use]
    pub fn read_condition(&self) -> Option<&Condition> {
        match &self.security {
            Security::Rules(rules) => condition(rules, READ),
            Security::Unsaid | Security::Record(_) => None,
        }
    }

    /// The PINs of the cardholder that are enabled, in the order of the template.
    pub fn enabled_pins(&self) -> impl Iterator<Item = KeyReference> {
        self.pins
            .iter()
            .filter(|pin| pin.enabled && pin.reference.is_of_cardholder())
            .map(|pin| pin.reference)
    }

    /// The octets. Access rules are written in the expanded form.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut content = Vec::new();
        ber::write(&mut content, DESCRIPTOR, &descriptor_octets(self.structure));
        if let Some(file) = self.file_id {
            ber::write(&mut content, FILE_ID, &file.0.to_be_bytes());
        }
        if let Some(aid) = &self.aid {
            ber::write(&mut content, DF_NAME, aid.as_bytes());
        }
        if let Some(status) = self.life_cycle {
            ber::write(&mut content, LIFE_CYCLE, &[status]);
        }
        match &self.security {
            Security::Unsaid => {}
            Security::Rules(rules) => ber::write(&mut content, EXPANDED, &encode_rules(rules)),
            Security::Record(RuleReference { file, record }) => {
                let file = file.map(|file| file.0.to_be_bytes().to_vec()).unwrap_or_default();
                ber::write(&mut content, REFERENCED, &[file, record.octets()].concat());
            }
        }
        if !self.pins.is_empty() {
            ber::write(&mut content, PIN_STATUS, &encode_pins(&self.pins));
        }
        if let Some(size) = self.size {
            let octets = size.to_be_bytes();
            let leading = octets.iter().take_while(|octet| **octet == 0).count().min(2);
            ber::write(&mut content, SIZE, octets.get(leading..).unwrap_or_default());
        }
        let mut out = Vec::new();
        ber::write(&mut out, FCP, &content);
        out
    }
}

/// The rules in a record of EF(ARR).
///
/// # Errors
/// When they are malformed.
pub fn access_rules(record: &[u8], limits: &Limits) -> Result<Vec<AccessRule>, DecodeError> {
    rules(ber::Objects::new(record, limits)?, limits)
}

/// The condition for an access mode such as [`READ`]: that of the first rule with it.
#[must_use]
pub fn condition(rules: &[AccessRule], mode: u8) -> Option<&Condition> {
    rules.iter().find(|rule| rule.modes & mode != 0).map(|rule| &rule.condition)
}

fn file_id(object: &ber::Object<'_>, value: &[u8], field: &'static str) -> Result<FileId, DecodeError> {
    let octets = value.try_into();
    let octets = octets
        .map_err(|_| object.error(field, Problem::Schema("a file identifier has two octets".into())))?;
    Ok(FileId(u16::from_be_bytes(octets)))
}

/// File descriptor (`TS 102 221 §11.1.1.4.3`).
fn descriptor(object: &ber::Object<'_>) -> Result<Structure, DecodeError> {
    let short = || object.error("file descriptor", Problem::Short);
    let (&first, rest) = object.value.split_first().ok_or_else(short)?;
    let records = || match *rest {
        [_, high, low, ref count @ ..] => Ok((u16::from_be_bytes([high, low]), count.first().copied())),
        _ => Err(short()),
    };
    // Without the bit that says whether the file can be selected on several channels.
    Ok(match first & 0xbf {
        0x38 => Structure::Directory,
        0x01 | 0x09 => Structure::Transparent,
        0x02 | 0x0a => records().map(|(record, count)| Structure::LinearFixed { record, count })?,
        0x06 | 0x0e => records().map(|(record, count)| Structure::Cyclic { record, count })?,
        0x39 => Structure::DataObjects,
        _ => Structure::Other(first),
    })
}

fn descriptor_octets(structure: Structure) -> Vec<u8> {
    const CODING: u8 = 0x21;
    let with_records = |first: u8, record: u16, count: Option<u8>| {
        let [high, low] = record.to_be_bytes();
        [first, CODING, high, low].into_iter().chain(count).collect()
    };
    match structure {
        Structure::Directory => vec![0x78, CODING],
        Structure::Transparent => vec![0x41, CODING],
        Structure::LinearFixed { record, count } => with_records(0x42, record, count),
        Structure::Cyclic { record, count } => with_records(0x46, record, count),
        Structure::DataObjects => vec![0x79, CODING],
        Structure::Other(first) => vec![first, CODING],
    }
}

/// PIN status template (`TS 102 221 §11.1.1.4.10`): a bitmap, its first bit for the first key reference.
fn pins(template: &ber::Object<'_>, limits: &Limits) -> Result<Vec<PinStatus>, DecodeError> {
    const FIELD: &str = "PIN status template";
    let mut enabled: &[u8] = &[];
    let mut pins: Vec<PinStatus> = Vec::new();
    let mut objects = template.objects(limits);
    while let Some(object) = objects.next_object(FIELD)? {
        match (object.tag, object.value) {
            (ENABLED, bits) => enabled = bits,
            (KEY_REFERENCE, [reference]) => {
                let bit = |octet: &u8| octet & (0x80 >> (pins.len() % 8)) != 0;
                let enabled = enabled.get(pins.len() / 8).is_some_and(bit);
                pins.push(PinStatus { reference: KeyReference(*reference), enabled });
            }
            (KEY_REFERENCE, _) => {
                return Err(object.error(FIELD, Problem::Schema("a key reference has one octet".into())));
            }
            _ => {}
        }
    }
    objects.end(FIELD)?;
    Ok(pins)
}

fn encode_pins(pins: &[PinStatus]) -> Vec<u8> {
    let octet = |pins: &[PinStatus]| {
        pins.iter().zip(0..8).fold(0, |bits, (pin, at)| if pin.enabled { bits | 0x80 >> at } else { bits })
    };
    let bits: Vec<u8> = pins.chunks(8).map(octet).collect();
    let mut out = Vec::new();
    ber::write(&mut out, ENABLED, &bits);
    for pin in pins {
        ber::write(&mut out, KEY_REFERENCE, &[pin.reference.0]);
    }
    out
}

/// Security attributes by reference (`TS 102 221 §11.1.1.4.7.3`): the record alone, file and record, or file and a record for each
/// security environment.
fn referenced(object: &ber::Object<'_>) -> Result<Security, DecodeError> {
    let (file, record) = match object.value {
        [record] => (None, RuleRecord::Always(*record)),
        [high, low, records @ ..] => {
            let (pairs, rest) = records.as_chunks();
            let record = match (pairs, rest) {
                ([], [record]) => RuleRecord::Always(*record),
                ([_, ..], []) => RuleRecord::ByEnvironment(
                    pairs.iter().map(|[number, record]| (*number, *record)).collect(),
                ),
                _ => return Err(object.error("security attributes", Problem::Short)),
            };
            (Some(FileId(u16::from_be_bytes([*high, *low]))), record)
        }
        [] => return Err(object.error("security attributes", Problem::Short)),
    };
    Ok(Security::Record(RuleReference { file, record }))
}

/// Compact format (`ISO/IEC 7816-4 §5.4.3.1`): an access mode, then a condition for each of its bits, the highest first.
fn compact(object: &ber::Object<'_>) -> Result<Vec<AccessRule>, DecodeError> {
    let short = || object.error("security attributes", Problem::Short);
    let (modes, conditions) = object.value.split_first().ok_or_else(short)?;
    let mut conditions = conditions.iter();
    let mut rules = Vec::new();
    for mode in (0..7).rev().map(|bit| 1 << bit).filter(|mode| modes & mode != 0) {
        let condition = match *conditions.next().ok_or_else(short)? {
            0x00 => Condition::Always,
            0xff => Condition::Never,
            octet if octet & 0x10 != 0 => Condition::Cardholder,
            _ => Condition::Other,
        };
        rules.push(AccessRule { modes: mode, condition });
    }
    Ok(rules)
}

/// Expanded format (`ISO/IEC 7816-4 §5.4.3.2`): access modes, each with the conditions behind it, of which all have to be so.
fn rules(mut objects: ber::Objects<'_>, limits: &Limits) -> Result<Vec<AccessRule>, DecodeError> {
    const FIELD: &str = "access rules";
    let mut rules: Vec<AccessRule> = Vec::new();
    let mut fresh = false;
    while let Some(object) = objects.next_object(FIELD)? {
        if object.tag == ACCESS_MODE {
            let modes = object.value.first().copied().ok_or_else(|| object.error(FIELD, Problem::Short))?;
            rules.push(AccessRule { modes, condition: Condition::Other });
            fresh = true;
            continue;
        }
        let next = security_condition(&object, limits)?;
        // What stands before the first access mode, such as a rule for commands, is for nobody.
        if let Some(rule) = rules.last_mut() {
            rule.condition = if fresh { next } else { both(&rule.condition, &next) };
            fresh = false;
        }
    }
    objects.end(FIELD)?;
    Ok(rules)
}

/// Two conditions that both have to be so.
fn both(one: &Condition, other: &Condition) -> Condition {
    match (one, other) {
        (Condition::Never, _) | (_, Condition::Never) => Condition::Never,
        (Condition::Always, condition) | (condition, Condition::Always) => condition.clone(),
        (Condition::AllOf(one), Condition::AllOf(other)) => Condition::AllOf([&one[..], other].concat()),
        _ => Condition::Other,
    }
}

fn security_condition(object: &ber::Object<'_>, limits: &Limits) -> Result<Condition, DecodeError> {
    Ok(match object.tag {
        ALWAYS => Condition::Always,
        NEVER => Condition::Never,
        CONTROL_REFERENCE => key(object, limits)?.map_or(Condition::Other, |key| Condition::AllOf(vec![key])),
        ANY_OF => keys(object, limits)?.map_or(Condition::Other, Condition::AnyOf),
        ALL_OF => keys(object, limits)?.map_or(Condition::Other, Condition::AllOf),
        _ => Condition::Other,
    })
}

/// The keys of a template; `None` if it holds anything else, or nothing, which must not pass for no condition.
fn keys(template: &ber::Object<'_>, limits: &Limits) -> Result<Option<Vec<KeyReference>>, DecodeError> {
    let mut objects = template.objects(limits);
    let mut keys = Vec::new();
    while let Some(object) = objects.next_object("access rules")? {
        let key = if object.tag == CONTROL_REFERENCE { key(&object, limits)? } else { None };
        let Some(key) = key else { return Ok(None) };
        keys.push(key);
    }
    objects.end("access rules")?;
    Ok((!keys.is_empty()).then_some(keys))
}

fn key(template: &ber::Object<'_>, limits: &Limits) -> Result<Option<KeyReference>, DecodeError> {
    let mut objects = template.objects(limits);
    while let Some(object) = objects.next_object("access rules")? {
        if let (KEY_REFERENCE, [reference]) = (object.tag, object.value) {
            return Ok(Some(KeyReference(*reference)));
        }
    }
    Ok(None)
}

/// Access rules in the expanded form, as a record of EF(ARR) has them.
#[must_use]
pub fn encode_rules(rules: &[AccessRule]) -> Vec<u8> {
    /// A control reference template: the key, and that it is one of verification.
    fn template(out: &mut Vec<u8>, key: KeyReference) {
        ber::write(out, CONTROL_REFERENCE, &[0x83, 0x01, key.0, 0x95, 0x01, 0x08]);
    }
    let templates = |keys: &[KeyReference]| {
        keys.iter().fold(Vec::new(), |mut out, key| {
            template(&mut out, *key);
            out
        })
    };
    let mut out = Vec::new();
    for rule in rules {
        ber::write(&mut out, ACCESS_MODE, &[rule.modes]);
        match &rule.condition {
            Condition::Always => ber::write(&mut out, ALWAYS, &[]),
            Condition::Never => ber::write(&mut out, NEVER, &[]),
            Condition::AllOf(keys) => match keys.as_slice() {
                [key] => template(&mut out, *key),
                keys => ber::write(&mut out, ALL_OF, &templates(keys)),
            },
            Condition::AnyOf(keys) => ber::write(&mut out, ANY_OF, &templates(keys)),
            // What has no expanded form is closed.
            Condition::Cardholder | Condition::Other => ber::write(&mut out, NEVER, &[]),
        }
    }
    out
}
