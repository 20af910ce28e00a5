//! Data objects one below the other, each with its offset in the file.

use omadm_codec::DecodeError;
use omadm_codec::smartcard::ber::{Objects, Tag};

use super::super::hex::digits;
use super::super::{Outline, limits};
use super::words::octets;

/// Longest value that is shown in full, in octets.
const SHOWN: usize = 64;

/// How a tag is called.
pub type Names = fn(Tag) -> Option<&'static str>;

/// Adds a line an object: offset, tag, name, length, and the value of one that holds no others.
pub fn add_tree(outline: &mut Outline, file: &[u8], names: Names) -> Result<(), DecodeError> {
    outline.push(0, "by offset:");
    add(outline, Objects::new(file, &limits())?, names, 1)
}

fn add(
    outline: &mut Outline,
    mut objects: Objects<'_>,
    names: Names,
    depth: usize,
) -> Result<(), DecodeError> {
    // What is deeper is shown as octets.
    let goes_deeper = depth < limits().depth;
    while let Some(object) = objects.next_object("data object")? {
        let name = names(object.tag).map(|name| format!(" {name}")).unwrap_or_default();
        let head = format!("{:>4}  {}{name}, {}", object.at, object.tag, octets(object.value.len()));
        if object.tag.is_constructed() && goes_deeper {
            outline.push(depth, &head);
            add(outline, object.objects(&limits()), names, depth.saturating_add(1))?;
        } else {
            outline.push(depth, &format!("{head}: {}", shown(object.value)));
        }
    }
    match objects.rest().len() {
        0 => {}
        rest => outline.push(depth, &format!("{:>4}  the rest, {}", objects.at(), octets(rest))),
    }
    Ok(())
}

/// Octets as digits, and as text where they are one; long ones are cut off.
pub fn shown(octets: &[u8]) -> String {
    let (front, rest) = octets.split_at(octets.len().min(SHOWN));
    let more = if rest.is_empty() { String::new() } else { format!("… and {} more", rest.len()) };
    let is_text = front.len() > 2 && front.iter().all(|octet| matches!(octet, b' '..=b'~'));
    let text = if is_text { format!(" \"{}\"", String::from_utf8_lossy(front)) } else { String::new() };
    format!("{}{more}{text}", digits(front))
}
