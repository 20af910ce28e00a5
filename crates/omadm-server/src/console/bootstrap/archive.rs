//! Several files as one: a ZIP archive (APPNOTE 6.3) whose members are stored as they are.

/// A day that every archive is of: 1 January 1980, the first that the format knows.
const DATE: u16 = 0x21;
/// Version 2.0 of the format.
const VERSION: u16 = 20;

/// A member: its name in ASCII, and its octets.
pub struct Member<'a> {
    /// Name.
    pub name: String,
    /// Octets.
    pub content: &'a [u8],
}

/// Makes an archive; none if it would need what the format only has with extensions: more than 65,535 members, or 4 GiB.
pub fn of(members: &[Member<'_>]) -> Option<Vec<u8>> {
    let (mut archive, mut directory) = (Vec::new(), Vec::new());
    for member in members {
        let at = u32::try_from(archive.len()).ok()?;
        let entry = entry(member)?;
        archive.extend(b"PK\x03\x04");
        archive.extend(&entry);
        archive.extend(member.name.as_bytes());
        archive.extend(member.content);
        directory.extend(b"PK\x01\x02");
        directory.extend(VERSION.to_le_bytes());
        directory.extend(&entry);
        // No comment, the first disk, and no attributes.
        directory.extend([0; 10]);
        directory.extend(at.to_le_bytes());
        directory.extend(member.name.as_bytes());
    }
    let count = u16::try_from(members.len()).ok()?.to_le_bytes();
    let at = u32::try_from(archive.len()).ok()?;
    let length = u32::try_from(directory.len()).ok()?;
    archive.extend(directory);
    archive.extend(b"PK\x05\x06\0\0\0\0");
    archive.extend([count, count].concat());
    archive.extend(length.to_le_bytes());
    archive.extend(at.to_le_bytes());
    archive.extend([0, 0]);
    Some(archive)
}

/// What a member and its entry in the directory say alike.
fn entry(member: &Member<'_>) -> Option<Vec<u8>> {
    let length = u32::try_from(member.content.len()).ok()?.to_le_bytes();
    let mut entry = Vec::new();
    // No flags, stored, at midnight.
    for number in [VERSION, 0, 0, 0, DATE] {
        entry.extend(number.to_le_bytes());
    }
    entry.extend(crc32fast::hash(member.content).to_le_bytes());
    entry.extend([length, length].concat());
    entry.extend(u16::try_from(member.name.len()).ok()?.to_le_bytes());
    entry.extend([0, 0]);
    Some(entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_has_its_members_and_a_directory_of_them() {
        let member = |name: &str, content: &'static [u8]| Member { name: name.to_owned(), content };
        let archive = of(&[member("a.json", b"[]"), member("IMEI%3A1.cp", b"\x03\x0b")]).unwrap();
        assert!(archive.starts_with(b"PK\x03\x04\x14\0\0\0\0\0\0\0\x21\0"));
        assert_eq!(archive[14..18], crc32fast::hash(b"[]").to_le_bytes());
        assert!(
            archive[18..].starts_with(b"\x02\0\0\0\x02\0\0\0\x06\0\0\0a.json[]PK\x03\x04"),
            "{archive:?}"
        );
        let end = &archive[archive.len() - 22..];
        assert!(end.starts_with(b"PK\x05\x06") && end[8] == 2 && end[10] == 2);
        let at = u32::from_le_bytes(end[16..20].try_into().unwrap()) as usize;
        assert!(archive[at..].starts_with(b"PK\x01\x02"), "the directory is where it is said to be");
        let length = u32::from_le_bytes(end[12..16].try_into().unwrap()) as usize;
        assert_eq!(at + length + 22, archive.len());
    }
}
