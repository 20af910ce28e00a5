//! A failure as a sentence: what a status means for a command, its likely cause, and what to do.

use omadm_codec::dm2::StatusCode;

/// The parts of the sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// What the status means (`DM 2.0 Appendix C`).
    pub meaning: &'static str,
    /// The likely cause.
    pub cause: &'static str,
    /// What to do.
    pub remedy: &'static str,
}

const fn because(meaning: &'static str, cause: &'static str, remedy: &'static str) -> Explanation {
    Explanation { meaning, cause, remedy }
}

/// Explains a status for a command name (`GET`, `HGET`, …); unknown codes are explained by their class.
#[must_use]
pub fn explain(command: &str, status: u16) -> Explanation {
    match status {
        200 => because("the device did it", "nothing went wrong", "nothing"),
        202 => because(
            "the device accepted it and reports the result later",
            "the operation takes longer than a session",
            "wait for the alert that brings the result",
        ),
        204 => because(
            "the node is there but has no content",
            "the leaf is empty",
            "nothing, or set a value first",
        ),
        304 => because(
            "the management object has not changed since it was last read",
            "the cache validator sent with the command is still current",
            "use the value that was read last",
        ),
        400 => bad_request(command),
        403 => forbidden(command),
        404 => not_found(command),
        405 => not_allowed(command),
        406 => because(
            "the device cannot send data in any form that the server accepts",
            "OMADM-Accept of the server lacks application/dmmo+json",
            "let the server accept application/dmmo+json",
        ),
        415 => because(
            "the device fetched the data but could not use it",
            "the value has the wrong format for the node, or the structure does not fit its definition",
            "compare the value with the DDF of the management object and send it again",
        ),
        419 => server_uri(command),
        500 => because(
            "something unexpected went wrong on the device",
            "a fault in the device's software or in the plug-in behind the node",
            "try again; if it stays, look into the log of the device",
        ),
        501 => not_implemented(command),
        503 => because(
            "the device was too busy just then",
            "it is overloaded, or under maintenance by someone else",
            "nothing: the command is sent again in the device's next session",
        ),
        506 => because(
            "the device has no room for the data",
            "its storage is full, or the body is over its limit",
            "free space on the device, or send less",
        ),
        507 => because(
            "the user of the device said no",
            "the device asked for consent and did not get it",
            "talk to the user, then send the command again",
        ),
        _ => by_class(status),
    }
}

fn not_implemented(command: &str) -> Explanation {
    let meaning = "the device does not implement this";
    match command {
        "SHOW" => because(meaning, "it has no browser", "ask its user in another way"),
        "SUB" | "UNSUB" => because(
            meaning,
            "subscriptions are optional in the standard",
            "read the address from time to time instead",
        ),
        "DEFAULT" => because(
            meaning,
            "defaults are optional in the standard",
            "set the management object at once instead",
        ),
        _ => because(
            meaning,
            "the command is optional, or its address uses a wildcard, x-name or query that the device lacks",
            "use another command, or write the address without these",
        ),
    }
}

fn bad_request(command: &str) -> Explanation {
    let meaning = "the device finds the command malformed";
    match command {
        "HGET" | "EXEC" => because(
            meaning,
            "an address that does not parse, or a wildcard where one node is meant",
            "correct the address and name one node",
        ),
        "CONT" => because(
            meaning,
            "a URI that does not parse, or that the device's policy forbids (it wants https)",
            "give an https URI of this server",
        ),
        _ => because(
            meaning,
            "a parameter is missing or too much, or an address does not parse",
            "correct the command; the address has the form MOID/MIID/path",
        ),
    }
}

fn forbidden(command: &str) -> Explanation {
    let meaning = "this server may not do that on the device";
    let remedy =
        "ask for the right in the Delegation Access Control MO, or have the MOID provisioned at bootstrap";
    let cause = match command {
        "GET" | "HPUT" | "HPOST" | "SUB" | "UNSUB" => {
            "no Read right on the node or on one below it, or its definition does not list Get"
        }
        "HGET" => {
            "no Write right (Delegate for access rights), or the definition does not list Add or Replace"
        }
        "DELETE" => "no Write right on the node or on one below it",
        "EXEC" => "no Execute right on the node",
        "DEFAULT" => "the MOID was not provisioned for this server at bootstrap",
        _ => "a right is missing",
    };
    because(meaning, cause, remedy)
}

fn not_found(command: &str) -> Explanation {
    match command {
        "HPUT" | "HPOST" => because(
            "the device has nothing at any of the addresses",
            "misspelt addresses, or nodes that exist on other devices only",
            "look at the device's tree and correct the addresses",
        ),
        "HGET" => because(
            "the device has no place for the data",
            "the parent of the address does not exist, or several instances match",
            "create the parent first, or name the instance",
        ),
        "DEFAULT" => because(
            "the device does not know the management object",
            "the MOID is misspelt, or not supported by this device",
            "look at the device's inventory and correct the MOID",
        ),
        "UNSUB" => because(
            "there is no subscription with that address",
            "it was subscribed with another spelling of the address, or never",
            "use the very address of the subscription",
        ),
        _ => because(
            "the device has nothing at that address",
            "a misspelt name, a node that was deleted, or an address that matches several instances",
            "look at the device's tree, correct the address, and name the instance if there are several",
        ),
    }
}

fn not_allowed(command: &str) -> Explanation {
    match command {
        "EXEC" => because(
            "the node cannot be executed",
            "its definition does not list Exec; the address may be that of its parent or of a leaf",
            "address the executable node",
        ),
        "HGET" => because(
            "a permanent node cannot be renamed",
            "the label of the data is not the name of the node",
            "label the data with the node's own name",
        ),
        _ => because(
            "the node cannot be deleted",
            "it is permanent, the last that has to exist, or its definition does not list Delete",
            "delete its dynamic parent, or change its value instead",
        ),
    }
}

fn server_uri(command: &str) -> Explanation {
    match command {
        "HGET" => because(
            "the device could not fetch the data",
            "the Data Repository did not answer, answered with an error, or its URI is not https",
            "check that the URI can be reached from the device and is served with 200",
        ),
        _ => because(
            "the device had the data ready but could not deliver it",
            "the Data Repository did not answer, answered with an error, or its URI is not https",
            "check that the URI can be reached from the device and takes the upload",
        ),
    }
}

/// `DM 2.0 Appendix C`: application codes follow the same grouping.
fn by_class(status: u16) -> Explanation {
    let cause = if (1000..2000).contains(&status) {
        "a status of the management object itself"
    } else {
        "a status that the standard does not define"
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

/// The whole sentence: address, command, status, meaning, likely cause, remedy.
#[must_use]
pub fn sentence(command: &str, address: &str, status: u16) -> String {
    let Explanation { meaning, cause, remedy } = explain(command, status);
    let code = StatusCode(status);
    let label = code.label().map(|label| format!(" {label}")).unwrap_or_default();
    if code.is_success() || code == StatusCode::NOT_MODIFIED {
        return format!("{command} {address} came back with {status}{label}: {meaning}.");
    }
    format!(
        "{command} {address} failed with {status}{label}: {meaning}. Likely cause: {cause}. What to do: {remedy}."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Appendix C, column by column.
    const LISTED: [(&str, &[u16]); 11] = [
        ("HGET", &[200, 400, 403, 404, 405, 415, 419, 500, 501, 503, 506, 507]),
        ("HPUT", &[200, 304, 400, 403, 404, 406, 419, 500, 501, 503, 507]),
        ("HPOST", &[200, 304, 400, 403, 404, 406, 419, 500, 501, 503, 507]),
        ("DELETE", &[200, 400, 403, 404, 405, 500, 501, 503, 507]),
        ("EXEC", &[200, 202, 400, 403, 404, 405, 500, 501, 503, 507]),
        ("GET", &[200, 204, 304, 400, 403, 404, 500, 501, 503, 507]),
        ("SHOW", &[200, 400, 500, 501, 503, 507]),
        ("CONT", &[200, 400, 500, 501, 503, 507]),
        ("DEFAULT", &[200, 400, 403, 404, 500, 501, 503, 507]),
        ("SUB", &[200, 400, 403, 404, 500, 501, 503, 507]),
        ("UNSUB", &[200, 400, 403, 404, 500, 501, 503, 507]),
    ];

    #[test]
    fn every_status_of_every_command_is_a_whole_sentence() {
        for (command, statuses) in LISTED {
            for status in statuses {
                let sentence = sentence(command, "urn:x:mo:1.0//A", *status);
                let label = StatusCode(*status).label().unwrap();
                assert!(sentence.starts_with(&format!("{command} urn:x:mo:1.0//A ")), "{sentence}");
                assert!(sentence.contains(&format!("{status} {label}: ")), "{sentence}");
                assert_eq!(sentence.contains("failed"), *status >= 400, "{sentence}");
                assert!(!explain(command, *status).cause.contains("does not define"), "{sentence}");
            }
        }
    }

    #[test]
    fn a_failed_read_reads_as_one_would_say_it() {
        assert_eq!(
            sentence("GET", "urn:oma:mo:oma-dm-devinfo:1.2//DevID", 404),
            "GET urn:oma:mo:oma-dm-devinfo:1.2//DevID failed with 404 Not Found: the device has nothing at that address. \
             Likely cause: a misspelt name, a node that was deleted, or an address that matches several instances. \
             What to do: look at the device's tree, correct the address, and name the instance if there are several."
        );
    }

    #[test]
    fn unknown_codes_are_explained_by_their_class() {
        assert_eq!(explain("GET", 299).meaning, "the device did it");
        assert_eq!(explain("EXEC", 1401).meaning, "the device finds fault with the command");
        assert_eq!(explain("EXEC", 1599).meaning, "the device could not do it");
        assert_eq!(explain("EXEC", 777).meaning, "the device answered with a code that has no meaning");
        assert!(sentence("EXEC", "a", 777).starts_with("EXEC a failed with 777: "));
    }

    #[test]
    fn the_cause_follows_the_command() {
        assert_ne!(explain("GET", 403).cause, explain("EXEC", 403).cause);
        assert_ne!(explain("DELETE", 405).meaning, explain("EXEC", 405).meaning);
        assert_ne!(explain("HGET", 419).meaning, explain("HPUT", 419).meaning);
        assert_ne!(explain("SHOW", 501).remedy, explain("SUB", 501).remedy);
        assert_ne!(explain("UNSUB", 404).meaning, explain("GET", 404).meaning);
    }
}
