//! A failure of a DM 1.x command as a sentence: what the status means, its likely cause, and what to do.

use super::status::{code, is_success, label};

/// The parts of the sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// What the status means (`DM 1.3 REPPRO §10`).
    pub meaning: &'static str,
    /// The likely cause.
    pub cause: &'static str,
    /// What to do.
    pub remedy: &'static str,
}

const fn because(meaning: &'static str, cause: &'static str, remedy: &'static str) -> Explanation {
    Explanation { meaning, cause, remedy }
}

/// Explains a status for a command name (`Get`, `Replace`, …); unknown codes are explained by their class.
#[must_use]
pub fn explain(command: &str, status: u16) -> Explanation {
    match status {
        code::ACCEPTED => because(
            "the device accepted it and reports the result later",
            "the operation takes longer than a session",
            "wait for the alert that brings the result",
        ),
        code::CANCELLED | code::NOT_EXECUTED | code::NOT_MODIFIED | code::TIMEOUT | code::NOT_DISPLAYABLE => {
            user(status)
        }
        code::ROLLED_BACK | code::ATOMIC_FAILED | code::ROLL_BACK_FAILED | code::ATOMIC_TOO_LARGE => {
            atomic(status)
        }
        code::INVALID_CREDENTIALS | code::MISSING_CREDENTIALS | code::PERMISSION_DENIED => rights(status),
        code::TOO_LARGE | code::URI_TOO_LONG | code::DEVICE_FULL | code::SIZE_MISMATCH => size(status),
        code::BAD_REQUEST | code::INCOMPLETE => because(
            "the device finds the command malformed",
            "a part of it is missing, or the device does not understand an element",
            "look at the trace of the session, and correct the address and the value",
        ),
        code::FORBIDDEN => because(
            "the device refuses it, for another reason than access rights",
            "the node is in use",
            "try again when the device is idle",
        ),
        code::NOT_FOUND => because(
            "the device has nothing at that address",
            "a misspelt name, a node that was deleted, or a parent that has to be made first",
            "look at the device's tree and correct the address",
        ),
        code::NOT_ALLOWED => not_allowed(command),
        code::UNSUPPORTED_FEATURE | code::NOT_IMPLEMENTED => because(
            "the device does not have this feature",
            "the command, the way to list nodes, or the property is optional in the standard",
            "reach the same in another way: commands one by one, or the nodes one by one",
        ),
        code::UNSUPPORTED_TYPE => because(
            "the device cannot take data of this type or format",
            "the format is not that of the node's definition, or the device has no TNDS",
            "compare format and type with the DDF of the management object and send it again",
        ),
        code::ALREADY_EXISTS => because(
            "there is a node already",
            "it was made by another, or by an earlier try",
            "replace its value, or take another name",
        ),
        code::RETRY_LATER | code::UNAVAILABLE => because(
            "the device cannot do it just now",
            "it is busy or under maintenance",
            "nothing: the command is sent again in the device's next session",
        ),
        code::COMMAND_FAILED | code::PROCESSING_ERROR | code::DATA_STORE_FAILURE => because(
            "something unexpected went wrong on the device",
            "a fault in its software, or a value that it does not like",
            "try again; if it stays, look into the log of the device",
        ),
        _ => by_class(status),
    }
}

fn user(status: u16) -> Explanation {
    match status {
        code::CANCELLED => because(
            "the user of the device cancelled it",
            "the question was not welcome",
            "talk to the user, then ask again",
        ),
        code::NOT_EXECUTED => because(
            "the device did not execute it",
            "the user cancelled a question before it, or an Atomic around it failed",
            "look at the result of the command before it",
        ),
        code::NOT_MODIFIED => {
            because("the user of the device said no", "the question was answered with no", "nothing")
        }
        code::NOT_DISPLAYABLE => because(
            "the device cannot show it",
            "the text is too long, or there are too many choices",
            "shorten it",
        ),
        _ => because(
            "the user of the device did not answer in time",
            "nobody looked at the device",
            "ask again, or give more time",
        ),
    }
}

fn atomic(status: u16) -> Explanation {
    match status {
        code::ROLLED_BACK => because(
            "it was done and taken back again",
            "another command of the same Atomic failed",
            "correct the one that failed and send them again",
        ),
        code::ROLL_BACK_FAILED => because(
            "it was done and could not be taken back",
            "another command of the same Atomic failed, and the device could not restore the node",
            "read the nodes of the Atomic and repair them at once",
        ),
        code::ATOMIC_TOO_LARGE => because(
            "the device cannot answer all commands of the Atomic in one message",
            "it holds too many commands",
            "send fewer commands in one Atomic",
        ),
        _ => because(
            "a command of the Atomic failed, so none of them counts",
            "the status of that command tells",
            "correct the one that failed and send them again",
        ),
    }
}

fn rights(status: u16) -> Explanation {
    match status {
        code::PERMISSION_DENIED => because(
            "this server may not do that on the device",
            "the access control list of the node does not name the server",
            "have the server that owns the node change its ACL",
        ),
        _ => because(
            "the device does not believe that this is its server",
            "the server's credentials in the device's account are others",
            "compare the account on the device with that of the server, or bootstrap the device anew",
        ),
    }
}

fn size(status: u16) -> Explanation {
    match status {
        code::TOO_LARGE => because(
            "it is larger than the device takes",
            "the object is beyond MaxObjSize, or the device cannot take objects in several messages",
            "send a smaller value, or let the device fetch it from an address",
        ),
        code::URI_TOO_LONG => because(
            "the address is beyond the limits of the device",
            "it has too many segments, or one that is too long (DevDetail/URI)",
            "use a shorter address",
        ),
        code::SIZE_MISMATCH => because(
            "the parts of the object do not make up its size",
            "a message was lost or changed on its way",
            "send it again",
        ),
        _ => because("the device has no room for it", "its storage is full", "free space on the device"),
    }
}

fn not_allowed(command: &str) -> Explanation {
    let (cause, remedy) = match command {
        "Exec" => ("the node is not executable", "address the executable node"),
        "Delete" => (
            "the node is permanent, or its definition does not list Delete",
            "delete its dynamic parent, or change its value instead",
        ),
        "Get" => (
            "the node's definition does not list Get, as with secrets and the Inbox",
            "nothing: the value is not meant to be read",
        ),
        _ => (
            "the node's definition does not list the command, or it is a leaf where an interior node is meant",
            "compare the command with the DDF of the management object",
        ),
    };
    because("the node does not allow the command", cause, remedy)
}

fn by_class(status: u16) -> Explanation {
    let cause = if (1000..2000).contains(&status) {
        "a result code of the management object itself"
    } else {
        "a status that has no meaning of its own for this command"
    };
    let remedy = "look into the specification of the management object or ask the maker of the device";
    match status {
        200..300 | 1200..1300 => because("the device did it", cause, "nothing"),
        300..400 | 1300..1400 => because("the device points elsewhere", cause, remedy),
        400..500 | 1400..1500 => because("the device finds fault with the command", cause, remedy),
        500..600 | 1500..1600 => because("the device could not do it", cause, remedy),
        _ => because("the device answered with a code that has no meaning", cause, remedy),
    }
}

/// The whole sentence: command, address, status, meaning, likely cause, remedy.
#[must_use]
pub fn sentence(command: &str, address: &str, status: u16) -> String {
    let Explanation { meaning, cause, remedy } = explain(command, status);
    let label = label(status).map(|label| format!(" {label}")).unwrap_or_default();
    if is_success(status) && !matches!(status, code::CANCELLED..=code::ROLLED_BACK) {
        return format!("{command} {address} came back with {status}{label}: {meaning}.");
    }
    format!(
        "{command} {address} failed with {status}{label}: {meaning}. Likely cause: {cause}. What to do: {remedy}."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `DM 1.3 REPPRO`: the codes that each command lists.
    const LISTED: [(&str, &[u16]); 9] = [
        ("Add", &[213, 215, 216, 401, 404, 405, 407, 413, 414, 415, 418, 420, 424, 425, 500, 516]),
        ("Replace", &[213, 215, 401, 403, 404, 405, 407, 413, 414, 415, 418, 420, 424, 425, 500, 516]),
        ("Delete", &[215, 216, 401, 403, 404, 405, 407, 414, 425, 516]),
        ("Copy", &[215, 216, 401, 403, 405, 406, 407, 414, 418, 420, 425, 500, 510, 516]),
        ("Get", &[215, 401, 404, 406, 407, 413, 414, 415, 425, 500]),
        ("Exec", &[202, 215, 401, 403, 404, 405, 406, 407, 414, 420, 425, 500, 510]),
        ("Alert", &[214, 215, 216, 304, 401, 405, 406, 408, 412, 415, 416, 500, 516]),
        ("Atomic", &[215, 401, 406, 407, 500, 507, 517]),
        ("Sequence", &[401, 407, 500]),
    ];

    #[test]
    fn every_status_of_every_command_is_a_whole_sentence() {
        for (command, statuses) in LISTED {
            for status in statuses {
                let sentence = sentence(command, "./A", *status);
                assert!(sentence.starts_with(&format!("{command} ./A ")), "{sentence}");
                assert!(sentence.contains(&format!("{status} {}: ", label(*status).unwrap())), "{sentence}");
                assert_eq!(sentence.contains("came back"), matches!(*status, 202 | 213), "{sentence}");
                let known = !explain(command, *status).cause.contains("no meaning of its own");
                assert!(known || *status == 213, "{sentence}");
            }
        }
    }

    #[test]
    fn a_failed_write_reads_as_one_would_say_it() {
        assert_eq!(
            sentence("Replace", "./Cfg/Name", 425),
            "Replace ./Cfg/Name failed with 425 Permission denied: this server may not do that on the device. \
             Likely cause: the access control list of the node does not name the server. \
             What to do: have the server that owns the node change its ACL."
        );
    }

    #[test]
    fn unknown_codes_are_explained_by_their_class() {
        assert_eq!(explain("Get", 299).meaning, "the device did it");
        assert_eq!(explain("Exec", 1401).meaning, "the device finds fault with the command");
        assert_eq!(explain("Exec", 777).meaning, "the device answered with a code that has no meaning");
        assert_ne!(explain("Delete", 405).cause, explain("Exec", 405).cause);
        assert_ne!(explain("Get", 405).cause, explain("Add", 405).cause);
    }
}
