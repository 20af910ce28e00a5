//! EF(DIR): the applications of a card (`DM 2.0 §G.1`, `TS 102 221 §13.1`, `PKCS #15 §5.4`).

use super::{Aid, Path, ber, only_filler, padded};
use crate::{DecodeError, Leniency, Limits, Problem};

const TEMPLATE: ber::Tag = ber::Tag(0x61);
const AID: ber::Tag = ber::Tag(0x4f);
const LABEL: ber::Tag = ber::Tag(0x50);
const PATH: ber::Tag = ber::Tag(0x51);
const FIELD: &str = "application template";
/// The most octets of a record in a linear fixed file.
pub const MAX_RECORD: usize = 0xff;

/// An application template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplicationTemplate {
    /// What the application is.
    pub aid: Aid,
    /// Its name for people: UTF-8, where the issuer follows the standard.
    pub label: Option<Vec<u8>>,
    /// Its directory; an application of a UICC in 3G mode needs none.
    pub path: Option<Path>,
}

impl ApplicationTemplate {
    /// The one of a card with a bootstrap: PKCS#15 under this directory.
    #[must_use]
    pub fn pkcs15(label: Option<&str>, path: Path) -> Self {
        Self { aid: Aid::pkcs15(), label: label.map(|label| label.as_bytes().to_vec()), path: Some(path) }
    }

    /// The label as text, as far as it is text.
    #[must_use]
    pub fn label_text(&self) -> Option<String> {
        self.label.as_deref().map(|label| String::from_utf8_lossy(label).into_owned())
    }

    /// The data object.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut content = Vec::new();
        ber::write(&mut content, AID, self.aid.as_bytes());
        if let Some(label) = &self.label {
            ber::write(&mut content, LABEL, label);
        }
        if let Some(path) = &self.path {
            ber::write(&mut content, PATH, &path.to_octets());
        }
        let mut out = Vec::new();
        ber::write(&mut out, TEMPLATE, &content);
        out
    }

    /// A record of that many octets; `None` if it does not fit.
    #[must_use]
    pub fn to_record(&self, size: usize) -> Option<Vec<u8>> {
        padded(self.encode(), size)
    }
}

/// The applications in the octets of a record, or of a whole EF(DIR) that is transparent. A record without one is empty; other data
/// objects are passed over.
///
/// # Errors
/// A template that is malformed or without an application identifier.
pub fn decode(
    input: &[u8],
    limits: &Limits,
    leniency: &mut Leniency,
) -> Result<Vec<ApplicationTemplate>, DecodeError> {
    let mut objects = ber::Objects::new(input, limits)?;
    let mut templates = Vec::new();
    while let Some(object) = objects.next_object(FIELD)? {
        if object.tag == TEMPLATE {
            templates.push(template(&object, limits)?);
        }
    }
    only_filler(objects.rest(), objects.at(), FIELD, leniency)?;
    Ok(templates)
}

fn template(object: &ber::Object<'_>, limits: &Limits) -> Result<ApplicationTemplate, DecodeError> {
    let (mut aid, mut label, mut path) = (None, None, None);
    let mut objects = object.objects(limits);
    while let Some(part) = objects.next_object(FIELD)? {
        let duplicate = |field| DecodeError { at: part.at, field, problem: Problem::Duplicate };
        match part.tag {
            AID if aid.is_some() => return Err(duplicate("AID")),
            AID => aid = Some(Aid::decode(part.value, part.value_at, "AID")?),
            LABEL if label.is_some() => return Err(duplicate("label")),
            LABEL => label = Some(part.value.to_vec()),
            PATH if path.is_some() => return Err(duplicate("path")),
            PATH => path = Some(Path::decode(part.value, part.value_at, "path")?),
            _ => {}
        }
    }
    objects.end(FIELD)?;
    let aid = aid.ok_or_else(|| object.error("AID", Problem::Missing))?;
    Ok(ApplicationTemplate { aid, label, path })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::smartcard::FileId;

    /// The template of the standard: identifier and path, then filler.
    const RECORD: &[u8] =
        b"\x61\x14\x4f\x0c\xa0\x00\x00\x00\x63PKCS-15\x51\x04\x3f\x00\x7f\x50\xff\xff\xff\xff";

    fn read(input: &[u8]) -> Result<Vec<ApplicationTemplate>, DecodeError> {
        decode(input, &Limits::default(), &mut Leniency::strict())
    }

    #[test]
    fn a_record_names_the_application_and_its_directory() {
        let path = Path::new(vec![FileId::MF, FileId::PKCS15]).unwrap();
        let template = ApplicationTemplate::pkcs15(None, path);
        assert_eq!(read(RECORD), Ok(vec![template.clone()]));
        assert_eq!(template.to_record(RECORD.len()).as_deref(), Some(RECORD));
        assert_eq!(template.to_record(21), None);
    }

    #[test]
    fn an_empty_record_names_none() {
        assert_eq!(read(&[0xff; 30]), Ok(Vec::new()));
        assert_eq!(read(&[0x00; 30]), Ok(Vec::new()));
        assert_eq!(read(&[]), Ok(Vec::new()));
    }

    #[test]
    fn a_transparent_file_has_templates_side_by_side() {
        // A USIM with a label, something of the issuer, and PKCS#15.
        let usim = b"\x61\x12\x4f\x07\xa0\x00\x00\x00\x87\x10\x02\x50\x04USIM\x53\x01\x00";
        let file = [&usim[..], &[0x42, 0x01, 0x07], &RECORD[..22], &[0xff; 9]].concat();
        let templates = read(&file).unwrap();
        assert_eq!(templates.len(), 2);
        assert_eq!(templates[0].label_text().as_deref(), Some("USIM"));
        assert_eq!(templates[0].path, None);
        assert!(templates[1].aid.is_pkcs15());
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let error =
            |input: &[u8]| read(input).map_err(|error| (error.at, error.field, error.problem)).unwrap_err();
        assert_eq!(error(&[0x61, 0x00]), (2, "AID", Problem::Missing));
        assert_eq!(error(&[0x61, 0x7f, 0x4f]), (2, FIELD, Problem::Short));
        assert_eq!(error(&[0x61, 0x05, 0x4f, 0x03, 1, 2, 3]).0, 4);
        assert_eq!(error(&[0x61, 0x09, 0x4f, 5, 1, 2, 3, 4, 5, 0x51, 0]).1, "path");
        let twice = [0x61, 0x0e, 0x4f, 5, 1, 2, 3, 4, 5, 0x4f, 5, 1, 2, 3, 4, 5];
        assert_eq!(error(&twice), (9, "AID", Problem::Duplicate));
        assert_eq!(error(&[0xff, 0xff, 0x61]).2, Problem::Trailing);
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(
            aid in proptest::collection::vec(any::<u8>(), 5..=16),
            label in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..40)),
            path in proptest::option::of(proptest::collection::vec(any::<u16>(), 1..=8)),
        ) {
            let template = ApplicationTemplate {
                aid: Aid::new(aid).unwrap(),
                label,
                path: path.and_then(|path| Path::new(path.into_iter().map(FileId).collect())),
            };
            let record = template.to_record(MAX_RECORD).unwrap();
            prop_assert_eq!(read(&record), Ok(vec![template]));
        }
    }
}
