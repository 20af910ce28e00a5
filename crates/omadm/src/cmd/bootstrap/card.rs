//! Bootstraps on smartcards: the octets of their files (`DM 2.0 §G.4`), and cards written with them.

use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args};
use omadm_client::Body;
use omadm_client::smartcard::CardFile;
use omadm_codec::smartcard::pkcs15::{DataObject, Directory, Location, ObjectValue, encode_dodf, encode_odf};
use omadm_codec::smartcard::{FileId, Path as CardPath};
use serde_json::json;
use zeroize::Zeroizing;

use super::write_private;
use crate::cli::Global;
use crate::cmd::input;
use crate::failure::Failure;
use crate::screen::{self, Format};

/// UTF-8 with a byte order mark, which must not stand before the JSON (`DM 2.0 §8.1`).
const MARK: &[u8] = b"\xEF\xBB\xBF";

/// A bootstrap for a smartcard.
#[derive(Debug, Args)]
#[command(
    group(ArgGroup::new("content").required(true)),
    group(ArgGroup::new("to").required(true).multiple(true).args(["output_dir", "write"]))
)]
pub struct Card {
    /// File with a bootstrap, of DM 2.0 in JSON or of DM 1.x in WBXML, as `omadm bootstrap factory` writes it; `-` is standard input.
    #[arg(group = "content")]
    file: Option<PathBuf>,
    /// An https address of a bootstrap in its place, for devices of DM 1.3.
    #[arg(long, group = "content")]
    url: Option<String>,
    /// Write the files EF_ODF, EF_DODF-bootstrap and EF_DM_Bootstrap to this directory, readable by their owner only.
    #[arg(long, value_name = "DIR")]
    output_dir: Option<PathBuf>,
    /// What the device may call the bootstrap.
    #[arg(long, default_value = "DM Bootstrap")]
    label: String,
    /// The cardholder has to show the PIN before the bootstrap is read. The card has to keep its file closed without.
    #[arg(long)]
    private: bool,
    /// File identifier of EF(DODF-bootstrap), in hexadecimal digits.
    #[arg(long, value_name = "ID", default_value = "6420", value_parser = file_id)]
    dodf: FileId,
    /// File identifier of EF(DM_Bootstrap).
    #[arg(long, value_name = "ID", default_value = "6421", value_parser = file_id)]
    bootstrap: FileId,
    #[command(flatten)]
    writing: Writing,
}

/// How a card is written.
#[derive(Debug, Args)]
#[command(next_help_heading = "Writing a card")]
struct Writing {
    /// Write the card in a reader, whose PKCS#15 application has to have the files already, through its secure channel.
    #[arg(long, requires_all = ["key_enc_file", "key_mac_file", "key_dek_file"])]
    write: bool,
    /// Only a reader with this in its name.
    #[arg(long, value_name = "NAME", requires = "write")]
    reader: Option<String>,
    /// File with KEY_ENC of the card in hexadecimal digits.
    #[arg(long, value_name = "FILE", requires = "write")]
    key_enc_file: Option<PathBuf>,
    /// File with KEY_MAC.
    #[arg(long, value_name = "FILE", requires = "write")]
    key_mac_file: Option<PathBuf>,
    /// File with KEY_DEK.
    #[arg(long, value_name = "FILE", requires = "write")]
    key_dek_file: Option<PathBuf>,
    /// Version of the keys on the card; 0 is whichever comes first.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=127))]
    key_version: u8,
}

fn file_id(text: &str) -> Result<FileId, String> {
    let is_one = text.len() == 4 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
    let id = u16::from_str_radix(text, 16).ok().filter(|_| is_one);
    id.map(FileId).ok_or_else(|| "a file identifier has four hexadecimal digits".to_owned())
}

impl Card {
    /// Does it.
    ///
    /// # Errors
    /// When there is nothing to be written, a file or the card cannot be, or the card refuses.
    pub fn run(self, global: &Global) -> Result<(), Failure> {
        let files = self.files()?;
        if let Some(directory) = &self.output_dir {
            save(directory, &files)?;
        }
        let octets: Vec<_> = files.iter().map(|file| (file.name, file.octets.len())).collect();
        if self.writing.write {
            self.writing.write(files)?;
        }
        if global.output == Format::Json {
            let files: Vec<_> =
                octets.iter().map(|(name, octets)| json!({ "file": name, "octets": octets })).collect();
            return screen::json(&json!({
                "files": files,
                "directory": self.output_dir,
                "written": self.writing.write,
            }));
        }
        for (name, octets) in octets {
            screen::line(&format!("{name}: {octets} octets"))?;
        }
        if self.writing.write { screen::line("The card is written.") } else { Ok(()) }
    }

    /// The files of the card, in the order in which they are written: what is pointed at first.
    fn files(&self) -> Result<Vec<CardFile>, Failure> {
        let file =
            |name, id, octets: Vec<u8>| CardFile { name, path: CardPath::of(id), octets: Body::from(octets) };
        let mut files = Vec::new();
        let value = match (&self.file, &self.url) {
            (Some(path), _) => {
                let content = Zeroizing::new(input::read(path)?);
                files.push(file("EF_DM_Bootstrap", self.bootstrap, usable(&content)?.to_vec()));
                ObjectValue::At(Location::of(CardPath::of(self.bootstrap)))
            }
            (None, Some(url)) if url.starts_with("https://") => ObjectValue::Url(url.clone()),
            (None, _) => return Err(Failure::Usage("the address of a bootstrap has to be https".to_owned())),
        };
        let mut object = DataObject::bootstrap(&self.label, value);
        object.private = self.private;
        let refused = |error| Failure::Failed(format!("cannot make the files of the card: {error}"));
        files.push(file("EF_DODF-bootstrap", self.dodf, encode_dodf(&[object]).map_err(refused)?));
        let directory = Directory::of_data_objects(Location::of(CardPath::of(self.dodf)));
        files.push(file("EF_ODF", FileId::ODF, encode_odf(&[directory]).map_err(refused)?));
        Ok(files)
    }
}

/// What a device takes from a card: JSON without a byte order mark, or WBXML.
fn usable(content: &[u8]) -> Result<&[u8], Failure> {
    let content = content.strip_prefix(MARK).unwrap_or(content);
    match content.trim_ascii_start() {
        [b'[' | b'{', ..] => Ok(content.trim_ascii()),
        [1..=3, ..] => Ok(content),
        _ => Err(Failure::Failed(
            "the bootstrap is neither JSON nor a message in WBXML without a head; one for a card is not secured otherwise (no --sec)"
                .to_owned(),
        )),
    }
}

fn save(directory: &Path, files: &[CardFile]) -> Result<(), Failure> {
    std::fs::create_dir_all(directory).map_err(|error| Failure::of_file("make", directory, &error))?;
    for file in files {
        let path = directory.join(file.name);
        write_private(&path, &file.octets).map_err(|error| Failure::of_file("write", &path, &error))?;
    }
    Ok(())
}

#[cfg(feature = "smartcard")]
impl Writing {
    fn write(&self, files: Vec<CardFile>) -> Result<(), Failure> {
        use omadm_client::smartcard::{CardKeys, CardSettings, SecureChannel, write_card};
        let [enc, mac, dek] = [&self.key_enc_file, &self.key_mac_file, &self.key_dek_file].map(|file| {
            file.as_deref().map_or_else(|| Err(Failure::Usage("a key file is missing".to_owned())), key)
        });
        let refused = |error| Failure::Failed(format!("the card is not written: {error}"));
        let keys = CardKeys::new(&enc?, &mac?, dek?, self.key_version).map_err(refused)?;
        let secure = SecureChannel::Required;
        let settings = CardSettings { keys: Some(keys), secure, ..CardSettings::default() };
        write_card(self.reader.as_deref(), &settings, files).map_err(refused)
    }
}

#[cfg(not(feature = "smartcard"))]
impl Writing {
    fn write(&self, _files: Vec<CardFile>) -> Result<(), Failure> {
        Err(Failure::Failed(
            "this omadm was built without smartcards; the files can be made all the same".to_owned(),
        ))
    }
}

/// A key in hexadecimal digits.
#[cfg(feature = "smartcard")]
fn key(path: &Path) -> Result<omadm_client::Secret, Failure> {
    let text = Zeroizing::new(input::read(path)?);
    let refused = || Failure::Failed(format!("{}: a key is written in hexadecimal digits", path.display()));
    let pairs = text.trim_ascii().chunks(2).map(|pair| {
        let digits = std::str::from_utf8(pair)
            .ok()
            .filter(|_| pair.len() == 2 && pair.iter().all(u8::is_ascii_hexdigit))?;
        u8::from_str_radix(digits, 16).ok()
    });
    pairs.collect::<Option<Vec<u8>>>().map(omadm_client::Secret::new).ok_or_else(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(content: &[u8]) -> (tempfile::TempDir, Card) {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("bootstrap");
        std::fs::write(&file, content).unwrap();
        let writing = Writing {
            write: false,
            reader: None,
            key_enc_file: None,
            key_mac_file: None,
            key_dek_file: None,
            key_version: 0,
        };
        let card = Card {
            file: Some(file),
            url: None,
            output_dir: Some(directory.path().join("out")),
            label: "DM Bootstrap".to_owned(),
            private: false,
            dodf: FileId(0x6420),
            bootstrap: FileId(0x6421),
            writing,
        };
        (directory, card)
    }

    #[test]
    fn the_files_are_those_of_the_standard() {
        let (_directory, card) = card(b"\xEF\xBB\xBF [{}]\n");
        let files = card.files().unwrap();
        let octets: Vec<&[u8]> = files.iter().map(|file| &*file.octets).collect();
        let dodf = b"\x30\x20\x30\x0E\x0C\x0CDM Bootstrap\x30\x06\x06\x04\x67\x2B\x07\x01\xA1\x06\x30\x04\x04\x02\x64\x21";
        assert_eq!(octets, [&b"[{}]"[..], dodf, b"\xA7\x06\x30\x04\x04\x02\x64\x20"]);
    }

    #[test]
    fn what_no_device_would_take_is_not_made() {
        for content in [&b""[..], b"rubbish", b"Content-Type: a/b; SEC=1\r\n\r\n\x03"] {
            assert!(card(content).1.files().is_err(), "{content:?}");
        }
        assert!(card(b"\x02\xA4\x01\x6A\x00").1.files().is_ok());
        for text in ["64", "642", "64200", "642g", "+642"] {
            assert!(file_id(text).is_err(), "{text}");
        }
        assert_eq!(file_id("6f20"), Ok(FileId(0x6F20)));
    }

    #[test]
    fn files_are_for_their_owner_only() {
        use std::os::unix::fs::PermissionsExt as _;
        let (directory, card) = card(b"[]");
        save(&directory.path().join("out"), &card.files().unwrap()).unwrap();
        let file = directory.path().join("out/EF_DM_Bootstrap");
        assert_eq!(std::fs::read(&file).unwrap(), b"[]");
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
