//! The identity of the device: `DevInfo/DevID` (`DM 2.0 §12.1`).

use std::path::Path;

use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;
use uuid::Uuid;

use crate::error::AgentError;
use crate::machine::Machine;

/// Names this program when an identity is derived from the machine's, which itself must not be given away (`machine-id(5)`).
const APPLICATION: Uuid = Uuid::from_u128(0x8f1b_6a52_c0de_4d1c_9a3e_5b7f_2041_6b9d);

/// File with the identity of a machine that has none.
const FILE: &str = "device-id";

/// Checks a DevID: the four forms of the standard, or another URI.
pub fn check(text: &str) -> Result<(), &'static str> {
    let Some((scheme, value)) = text.split_once(':') else {
        return Err("is no URI such as IMEI:493005100592800");
    };
    let digits = |count| value.len() == count && value.bytes().all(|octet| octet.is_ascii_digit());
    let hexadecimal = |count| value.len() == count && value.bytes().all(|octet| octet.is_ascii_hexdigit());
    match scheme {
        "IMEI" if !digits(15) => Err("an IMEI has 15 digits"),
        "ESN" if !hexadecimal(8) => Err("an ESN has 8 digits"),
        "MEID" if !hexadecimal(14) => Err("a MEID has 14 digits"),
        "UUID" if value.len() != 36 || Uuid::try_parse(value).is_err() => {
            Err("a UUID has 8-4-4-4-12 hexadecimal digits")
        }
        "IMEI" | "ESN" | "MEID" | "UUID" => Ok(()),
        _ if !is_scheme(scheme) || value.is_empty() => Err("is no URI such as IMEI:493005100592800"),
        _ if !value.bytes().all(|octet| octet.is_ascii_graphic()) => {
            Err("has characters that do not belong in a URI")
        }
        _ => Ok(()),
    }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

/// What is shown as the identity of a device that has none yet: the nil UUID.
pub const NONE: &str = "UUID:00000000-0000-0000-0000-000000000000";

/// The identity: the configured one, else derived from the machine's, else made up once and kept in `data_dir`.
pub fn find(configured: Option<&str>, machine: &Machine, data_dir: &Path) -> Result<String, AgentError> {
    match look(configured, machine, data_dir)? {
        Some(id) => Ok(id),
        None => make_up(data_dir).map(uri),
    }
}

/// [`find`] without making one up: `None` when there is none yet.
pub fn look(
    configured: Option<&str>,
    machine: &Machine,
    data_dir: &Path,
) -> Result<Option<String>, AgentError> {
    if let Some(id) = configured {
        return Ok(Some(id.to_owned()));
    }
    let uuid = match machine.machine_id() {
        Some(machine_id) => Some(derive(&machine_id)?),
        None => kept(data_dir)?,
    };
    Ok(uuid.map(uri))
}

fn uri(uuid: Uuid) -> String {
    format!("UUID:{}", uuid.hyphenated())
}

/// HMAC-SHA256 of the application keyed by the machine's identity, shaped as a version 4 UUID; what
/// `systemd-id128 machine-id --app-specific` gives.
fn derive(machine_id: &Uuid) -> Result<Uuid, AgentError> {
    let mac = || {
        let key = PKey::hmac(machine_id.as_bytes())?;
        Signer::new(MessageDigest::sha256(), &key)?.sign_oneshot_to_vec(APPLICATION.as_bytes())
    };
    let failed = |reason: String| AgentError::Refused(format!("the DevID cannot be derived: {reason}"));
    let mac = mac().map_err(|error| failed(error.to_string()))?;
    let octets = mac.first_chunk::<16>().ok_or_else(|| failed("the digest is too short".to_owned()))?;
    Ok(uuid::Builder::from_random_bytes(*octets).into_uuid())
}

fn kept(data_dir: &Path) -> Result<Option<Uuid>, AgentError> {
    let path = data_dir.join(FILE);
    match std::fs::read_to_string(&path) {
        Ok(text) => Uuid::try_parse(text.trim())
            .map(Some)
            .map_err(|_| AgentError::Refused(format!("{} holds no UUID; remove it", path.display()))),
        Err(missing) if missing.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(AgentError::File { action: "read", path, source }),
    }
}

fn make_up(data_dir: &Path) -> Result<Uuid, AgentError> {
    use std::os::unix::fs::DirBuilderExt as _;
    let path = data_dir.join(FILE);
    let error = |action, source| AgentError::File { action, path: path.clone(), source };
    let uuid = Uuid::new_v4();
    // As the journal makes it: nobody else may enter.
    let mut directory = std::fs::DirBuilder::new();
    directory.recursive(true).mode(0o700);
    directory.create(data_dir).map_err(|source| error("create the directory of", source))?;
    write(&path, &format!("{uuid}\n")).map_err(|source| error("write", source))?;
    Ok(uuid)
}

/// Puts a file in place whole: the identity must neither be half there nor change when the power fails.
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    let new = path.with_extension("new");
    let mut file = std::fs::File::create(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&new, path)?;
    path.parent().map_or(Ok(()), |directory| std::fs::File::open(directory)?.sync_all())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_the_forms_of_the_standard() {
        for good in [
            "IMEI:493005100592800",
            "ESN:12ab34CD",
            "MEID:a1000000000000",
            "UUID:3d1219c7-c4c5-404a-aa1f-6d2a48adfda4",
            "urn:dev:mac:0024befffe804ff1",
            "https://vendor.example/device/7",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "IMEI:12",
            "IMEI:49300510059280x",
            "ESN:123456789",
            "MEID:1",
            "UUID:3d1219c7c4c5404aaa1f6d2a48adfda4",
            "UUID:3d1219c7-c4c5-404a-aa1f-6d2a48adfdaz",
            "device 7",
            "no-colon",
            "urn:",
            "urn:two words",
            "7urn:x",
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn derives_what_systemd_derives() {
        // systemd-id128 machine-id --app-specific=8f1b6a52c0de4d1c9a3e5b7f20416b9d
        let machine = Uuid::from_u128(0x3d12_19c7_c4c5_404a_aa1f_6d2a_48ad_fda4);
        let expected = Uuid::from_u128(0x8c7a_6ef6_0dbe_4f5a_9108_6816_b952_7a8f);
        assert_eq!(derive(&machine).unwrap(), expected);
    }

    #[test]
    fn a_machine_without_identity_keeps_the_one_it_made_up() {
        let root = tempfile::tempdir().unwrap();
        let data = root.path().join("data");
        let machine = Machine::at(root.path(), []);
        assert_eq!(look(None, &machine, &data).unwrap(), None);
        assert!(!data.exists(), "looking makes nothing");
        let id = find(None, &machine, &data).unwrap();
        assert_eq!(look(None, &machine, &data).unwrap().as_deref(), Some(id.as_str()));
        assert_eq!(check(&id), Ok(()));
        assert_eq!(find(None, &machine, &data).unwrap(), id);
        assert_eq!(find(Some("IMEI:493005100592800"), &machine, &data).unwrap(), "IMEI:493005100592800");
        std::fs::write(data.join(FILE), "nonsense").unwrap();
        assert!(find(None, &machine, &data).is_err());
    }
}
