//! Result codes in the alerts of management objects: where their specifications write them, and what they mean.

/// The code in `<ResultCode>…</ResultCode>`, as SCOMO has it beside the identifier of a component (`SCOMO 1.0 §8`).
#[must_use]
pub fn in_xml(text: &str) -> Option<u16> {
    let (_, rest) = text.split_once("<ResultCode>")?;
    let (code, _) = rest.split_once("</ResultCode>")?;
    code.trim().parse().ok().filter(|code| (200..2000).contains(code))
}

/// What a code means in an alert of this type, where that is not what the same number means as the status of a command.
#[must_use]
pub fn meaning(alert_type: &str, code: u16) -> Option<&'static str> {
    match alert_type.to_ascii_lowercase() {
        firmware if firmware.starts_with("org.openmobilealliance.dm.firmwareupdate.") => of_firmware(code),
        software if software.starts_with("urn:oma:at:scomo:") => of_software(code),
        lock if lock.starts_with("urn:oma:at:lawmo:") => of_lock(code),
        _ => None,
    }
}

/// The sentence that explains a failure told by an alert; `None` where the code has the meaning of a status.
#[must_use]
pub fn sentence(alert_type: &str, command: &str, address: &str, code: u16) -> Option<String> {
    let meaning = meaning(alert_type, code)?;
    Some(format!("{command} {address} ended with result code {code}: {meaning}."))
}

/// `FUMO 1.0 §6.2.4`.
fn of_firmware(code: u16) -> Option<&'static str> {
    Some(match code {
        400 => "the device could not do it",
        401 => "the user did not agree",
        402 => "the package did not come as it was sent, or is damaged",
        403 => "the package is not for this device",
        404 => "the package is not signed by whom the device trusts",
        405 => "the device does not take the package",
        406 => "the download server wants credentials",
        407 => "the download took too long",
        408 => "the device does not support the operation",
        409 => "it failed, and no other code fits",
        410 => "the update failed on the device",
        411 => "the URL of the package is not good, or nothing is there",
        450..=499 => "it failed for a reason of the maker's own",
        500 => {
            "the update failed on the device, or the new firmware was not confirmed and the old one is back"
        }
        501 => "the device has no room to download the package",
        502 => "the device has no room to install the package",
        503 => "the network failed during the download",
        550..=599 => "the download server failed for a reason of the maker's own",
        _ => return None,
    })
}

/// `SCOMO 1.0 §8.7`.
fn of_software(code: u16) -> Option<&'static str> {
    Some(match code {
        1400 => "the device could not do it",
        1401 => "the user did not agree",
        1402 => "the download failed",
        1403 => "the download server wants credentials",
        1404 => "the device has no room to download the package",
        1405 => "the installation failed",
        1406 => "the device has no room to install the package",
        1407 => "the package is damaged or not signed by whom the device trusts",
        1408 => "the component could not be removed",
        1409 => "the component could not be activated",
        1410 => "the component could not be deactivated",
        1411 => "the device does not support the operation",
        1412 => "it failed, and no other code fits",
        1413 => "the device has no such environment for software",
        1450..=1499 => "it failed for a reason of the maker's own",
        1500 => "the download server failed",
        1501 => "the download server does not answer",
        1550..=1599 => "the download server failed for a reason of the maker's own",
        _ => return None,
    })
}

/// `LAWMO 1.0 §7`.
fn of_lock(code: u16) -> Option<&'static str> {
    Some(match code {
        1400 => "the device could not do it",
        1401 => "the user did not agree",
        1402 => "the device could not be locked",
        1403 => "the device could not be locked in part",
        1404 => "the device could not be unlocked",
        1405 => "not all could be wiped",
        1406 => "nothing was wiped",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_found_in_xml() {
        let told = "<ResultCode> 1405 </ResultCode><Identifier>hello</Identifier>";
        assert_eq!(in_xml(told), Some(1405));
        for other in ["", "1200", "<ResultCode>", "<ResultCode>x</ResultCode>", "<ResultCode>99</ResultCode>"]
        {
            assert_eq!(in_xml(other), None, "{other}");
        }
    }

    #[test]
    fn numbers_mean_what_their_object_says() {
        let firmware = "org.openmobilealliance.dm.firmwareupdate.downloadandupdate";
        let sentence = sentence(firmware, "EXEC", "x//Update", 404).unwrap();
        assert_eq!(
            sentence,
            "EXEC x//Update ended with result code 404: the package is not signed by whom the device trusts."
        );
        assert!(meaning("urn:oma:at:scomo:1.0:OperationComplete", 1408).is_some());
        assert!(meaning("urn:oma:at:lawmo:1.0:OperationComplete", 1405).is_some());
        for (of, code) in [("urn:x", 404), (firmware, 200), (firmware, 700), ("urn:oma:at:scomo:1.0:x", 404)]
        {
            assert_eq!(meaning(of, code), None, "{of} {code}");
        }
    }
}
