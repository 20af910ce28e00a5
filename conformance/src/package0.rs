//! Package#0 as an independent server writes it (`DM 2.0 §7.1.1`).

use openssl::sha::sha256;

/// A package of these options, by their numbers in ascending order.
#[must_use]
pub fn package0(options: &[(u16, &[u8])]) -> Vec<u8> {
    let count = u16::try_from(options.len()).expect("at most 31 options");
    let mut out = (0x2000 | count << 7).to_be_bytes().to_vec();
    let mut last = 0;
    for (number, value) in options {
        let length = u16::try_from(value.len()).expect("at most 4095 octets");
        out.extend(((number - last) << 12 | length).to_be_bytes());
        out.extend(*value);
        last = *number;
    }
    out
}

/// A package of a server with this number and digest; its time is now.
#[must_use]
pub fn signed_package0(server: &str, number: u16, secret: &[u8], data: &[u8]) -> Vec<u8> {
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("a clock that goes").as_secs().to_be_bytes();
    let package = |digest: &[u8]| {
        package0(&[(1, server.as_bytes()), (3, &number.to_be_bytes()), (4, digest), (5, &now)])
    };
    package(&sha256(&[secret, &package(&[0; 32]), data].concat()))
}
