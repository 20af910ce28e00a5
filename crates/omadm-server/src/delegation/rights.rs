//! Rights of the delegation protocol as the bits of either protocol towards devices, and ACLs as statements.

use omadm_codec::delegation::Rights;
use omadm_mo::access::Acl;
use omadm_mo::{Authority, Operation, ServerId};

use super::grants::{EVERYBODY, Statement};

/// Each command of an ACL, and its bit in statements on nodes of DM 1.x.
const COMMANDS: [(Rights, Operation, u8); 5] = [
    (Rights::ADD, Operation::Add, 1),
    (Rights::GET, Operation::Get, 2),
    (Rights::REPLACE, Operation::Replace, 4),
    (Rights::DELETE, Operation::Delete, 8),
    (Rights::EXEC, Operation::Exec, 16),
];
/// The bit of Replace, by which an ACL may be changed.
pub const REPLACE: u8 = 4;
/// The AR of Delegate, by which entries of the Delegation Access Control MO may be changed.
pub const DELEGATE: u8 = 8;

/// The bits in statements of DM 1.x.
pub fn of_acl(rights: Rights) -> u8 {
    let bits = COMMANDS.iter().filter(|(right, ..)| rights.contains(*right));
    bits.fold(0, |sum, (_, _, bit)| sum | bit)
}

/// The AR that gives at least these rights: Add, Replace and Delete are one there (`DM 2.0 §12.3`). Who may pass them on and gets
/// Replace also gets Delegate, as Replace on an interior node would let him change its ACL.
pub fn of_dac(rights: Rights, redelegable: bool) -> u8 {
    let read = u8::from(rights.contains(Rights::GET));
    let writes = [Rights::ADD, Rights::REPLACE, Rights::DELETE];
    let write = 2 * u8::from(writes.iter().any(|right| rights.contains(*right)));
    let execute = 4 * u8::from(rights.contains(Rights::EXEC));
    let delegate = if redelegable && rights.contains(Rights::REPLACE) { DELEGATE } else { 0 };
    read | write | execute | delegate
}

/// Reads an ACL.
///
/// # Errors
/// One sentence on what is wrong with it.
pub fn read_acl(text: &str) -> Result<Statement, String> {
    let acl = Acl::parse(text).map_err(|problem| format!("its ACL cannot be read: {problem}"))?;
    let pairs = acl.authorities().filter_map(|holder| {
        let name = match holder {
            Authority::Server(server) => server.as_str(),
            Authority::Everyone => EVERYBODY,
            Authority::Application(_) => return None,
        };
        let bits = COMMANDS.iter().filter(|(_, operation, _)| acl.names(holder, *operation));
        Some((name.to_owned(), bits.fold(0, |sum, (_, _, bit)| sum | bit)))
    });
    Ok(pairs.collect())
}

/// The ACL that says it.
///
/// # Errors
/// One sentence, if a server has an identifier that an ACL cannot hold.
pub fn write_acl(statement: &Statement) -> Result<String, String> {
    let mut acl = Acl::default();
    for (name, rights) in statement.holders() {
        let holder = match name {
            EVERYBODY => Authority::Everyone,
            _ => Authority::Server(ServerId::parse(name).map_err(|error| error.to_string())?),
        };
        for (_, operation, _) in COMMANDS.iter().filter(|(_, _, bit)| rights & bit != 0) {
            if !acl.allow(&holder, *operation) {
                return Err(format!("an ACL cannot name the server {name:?}"));
            }
        }
    }
    Ok(acl.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acls_and_statements_are_one() {
        for acl in ["", "Get=*", "Add=*&Get=a.example+b.example&Replace=a.example", "Delete=a&Exec=*"] {
            assert_eq!(write_acl(&read_acl(acl).unwrap()).as_deref(), Ok(acl));
        }
        assert!(read_acl("Get=").is_err());
        let mut statement = Statement::default();
        statement.give("a+b", 2);
        assert!(write_acl(&statement).is_err());
    }

    #[test]
    fn rights_have_bits_in_both_protocols() {
        let (get, replace) = (Rights::GET, Rights::REPLACE);
        assert_eq!((of_acl(get.union(replace)), of_acl(Rights::NONE)), (2 | REPLACE, 0));
        for (rights, redelegable, ar) in [
            (get, true, 1),
            (Rights::ADD, true, 2),
            (get.union(replace), false, 3),
            (get.union(replace), true, 11),
            (Rights::DELETE.union(Rights::EXEC), false, 6),
        ] {
            assert_eq!(of_dac(rights, redelegable), ar, "{rights}");
        }
    }
}
