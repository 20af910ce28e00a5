//! Tokens of attributes and their values (`ProvCont 1.1 §8.3`), by code page.

/// `name=` without a value.
pub(super) const NAME: u8 = 0x05;
/// `value=` without a value.
pub(super) const VALUE: u8 = 0x06;
/// `version=` without a value.
pub(super) const VERSION: u8 = 0x45;
/// `version="1.0"`.
pub(super) const VERSION_1_0: u8 = 0x46;
/// `type=` without a value.
pub(super) const TYPE: u8 = 0x50;
/// `name="AAUTHTYPE"` of page 1: the tokens of its values were moved once.
pub(super) const AAUTHTYPE: u8 = 0x33;

/// `type="…"` of page 0.
const TYPES_0: &[(u8, &str)] = &[
    (0x51, "PXLOGICAL"),
    (0x52, "PXPHYSICAL"),
    (0x53, "PORT"),
    (0x54, "VALIDITY"),
    (0x55, "NAPDEF"),
    (0x56, "BOOTSTRAP"),
    (0x57, "VENDORCONFIG"),
    (0x58, "CLIENTIDENTITY"),
    (0x59, "PXAUTHINFO"),
    (0x5A, "NAPAUTHINFO"),
    (0x5B, "ACCESS"),
];

/// `type="…"` of page 1.
const TYPES_1: &[(u8, &str)] = &[
    (0x53, "PORT"),
    (0x55, "APPLICATION"),
    (0x56, "APPADDR"),
    (0x57, "APPAUTH"),
    (0x58, "CLIENTIDENTITY"),
    (0x59, "RESOURCE"),
];

/// `name="…"` of page 0.
const NAMES_0: &[(u8, &str)] = &[
    (0x07, "NAME"),
    (0x08, "NAP-ADDRESS"),
    (0x09, "NAP-ADDRTYPE"),
    (0x0A, "CALLTYPE"),
    (0x0B, "VALIDUNTIL"),
    (0x0C, "AUTHTYPE"),
    (0x0D, "AUTHNAME"),
    (0x0E, "AUTHSECRET"),
    (0x0F, "LINGER"),
    (0x10, "BEARER"),
    (0x11, "NAPID"),
    (0x12, "COUNTRY"),
    (0x13, "NETWORK"),
    (0x14, "INTERNET"),
    (0x15, "PROXY-ID"),
    (0x16, "PROXY-PROVIDER-ID"),
    (0x17, "DOMAIN"),
    (0x18, "PROVURL"),
    (0x19, "PXAUTH-TYPE"),
    (0x1A, "PXAUTH-ID"),
    (0x1B, "PXAUTH-PW"),
    (0x1C, "STARTPAGE"),
    (0x1D, "BASAUTH-ID"),
    (0x1E, "BASAUTH-PW"),
    (0x1F, "PUSHENABLED"),
    (0x20, "PXADDR"),
    (0x21, "PXADDRTYPE"),
    (0x22, "TO-NAPID"),
    (0x23, "PORTNBR"),
    (0x24, "SERVICE"),
    (0x25, "LINKSPEED"),
    (0x26, "DNLINKSPEED"),
    (0x27, "LOCAL-ADDR"),
    (0x28, "LOCAL-ADDRTYPE"),
    (0x29, "CONTEXT-ALLOW"),
    (0x2A, "TRUST"),
    (0x2B, "MASTER"),
    (0x2C, "SID"),
    (0x2D, "SOC"),
    (0x2E, "WSP-VERSION"),
    (0x2F, "PHYSICAL-PROXY-ID"),
    (0x30, "CLIENT-ID"),
    (0x31, "DELIVERY-ERR-SDU"),
    (0x32, "DELIVERY-ORDER"),
    (0x33, "TRAFFIC-CLASS"),
    (0x34, "MAX-SDU-SIZE"),
    (0x35, "MAX-BITRATE-UPLINK"),
    (0x36, "MAX-BITRATE-DNLINK"),
    (0x37, "RESIDUAL-BER"),
    (0x38, "SDU-ERROR-RATIO"),
    (0x39, "TRAFFIC-HANDL-PRIO"),
    (0x3A, "TRANSFER-DELAY"),
    (0x3B, "GUARANTEED-BITRATE-UPLINK"),
    (0x3C, "GUARANTEED-BITRATE-DNLINK"),
    (0x3D, "PXADDR-FQDN"),
    (0x3E, "PROXY-PW"),
    (0x3F, "PPGAUTH-TYPE"),
    (0x47, "PULLENABLED"),
    (0x48, "DNS-ADDR"),
    (0x49, "MAX-NUM-RETRY"),
    (0x4A, "FIRST-RETRY-TIMEOUT"),
    (0x4B, "REREG-THRESHOLD"),
    (0x4C, "T-BIT"),
    (0x4E, "AUTH-ENTITY"),
    (0x4F, "SPI"),
];

/// `name="…"` of page 1.
const NAMES_1: &[(u8, &str)] = &[
    (0x07, "NAME"),
    (0x14, "INTERNET"),
    (0x1C, "STARTPAGE"),
    (0x22, "TO-NAPID"),
    (0x23, "PORTNBR"),
    (0x24, "SERVICE"),
    (0x2E, "AACCEPT"),
    (0x2F, "AAUTHDATA"),
    (0x30, "AAUTHLEVEL"),
    (0x31, "AAUTHNAME"),
    (0x32, "AAUTHSECRET"),
    (AAUTHTYPE, "AAUTHTYPE"),
    (0x34, "ADDR"),
    (0x35, "ADDRTYPE"),
    (0x36, "APPID"),
    (0x37, "APROTOCOL"),
    (0x38, "PROVIDER-ID"),
    (0x39, "TO-PROXY"),
    (0x3A, "URI"),
    (0x3B, "RULE"),
];

/// Values of page 0.
const VALUES_0: &[(u8, &str)] = &[
    (0x85, "IPV4"),
    (0x86, "IPV6"),
    (0x87, "E164"),
    (0x88, "ALPHA"),
    (0x89, "APN"),
    (0x8A, "SCODE"),
    (0x8B, "TETRA-ITSI"),
    (0x8C, "MAN"),
    (0x90, "ANALOG-MODEM"),
    (0x91, "V.120"),
    (0x92, "V.110"),
    (0x93, "X.31"),
    (0x94, "BIT-TRANSPARENT"),
    (0x95, "DIRECT-ASYNCHRONOUS-DATA-SERVICE"),
    (0x9A, "PAP"),
    (0x9B, "CHAP"),
    (0x9C, "HTTP-BASIC"),
    (0x9D, "HTTP-DIGEST"),
    (0x9E, "WTLS-SS"),
    (0x9F, "MD5"),
    (0xA2, "GSM-USSD"),
    (0xA3, "GSM-SMS"),
    (0xA4, "ANSI-136-GUTS"),
    (0xA5, "IS-95-CDMA-SMS"),
    (0xA6, "IS-95-CDMA-CSD"),
    (0xA7, "IS-95-CDMA-PACKET"),
    (0xA8, "ANSI-136-CSD"),
    (0xA9, "ANSI-136-GPRS"),
    (0xAA, "GSM-CSD"),
    (0xAB, "GSM-GPRS"),
    (0xAC, "AMPS-CDPD"),
    (0xAD, "PDC-CSD"),
    (0xAE, "PDC-PACKET"),
    (0xAF, "IDEN-SMS"),
    (0xB0, "IDEN-CSD"),
    (0xB1, "IDEN-PACKET"),
    (0xB2, "FLEX/REFLEX"),
    (0xB3, "PHS-SMS"),
    (0xB4, "PHS-CSD"),
    (0xB5, "TETRA-SDS"),
    (0xB6, "TETRA-PACKET"),
    (0xB7, "ANSI-136-GHOST"),
    (0xB8, "MOBITEX-MPAK"),
    (0xB9, "CDMA2000-1X-SIMPLE-IP"),
    (0xBA, "CDMA2000-1X-MOBILE-IP"),
    (0xC5, "AUTOBAUDING"),
    (0xCA, "CL-WSP"),
    (0xCB, "CO-WSP"),
    (0xCC, "CL-SEC-WSP"),
    (0xCD, "CO-SEC-WSP"),
    (0xCE, "CL-SEC-WTA"),
    (0xCF, "CO-SEC-WTA"),
    (0xD0, "OTA-HTTP-TO"),
    (0xD1, "OTA-HTTP-TLS-TO"),
    (0xD2, "OTA-HTTP-PO"),
    (0xD3, "OTA-HTTP-TLS-PO"),
    (0xE0, "AAA"),
    (0xE1, "HA"),
];

/// Values of page 1.
const VALUES_1: &[(u8, &str)] = &[
    (0x86, "IPV6"),
    (0x87, "E164"),
    (0x88, "ALPHA"),
    (0x8D, "APPSRV"),
    (0x8E, "OBEX"),
    (0xCA, "CL-WSP"),
    (0xCB, "CO-WSP"),
    (0xCC, "CL-SEC-WSP"),
    (0xCD, "CO-SEC-WSP"),
    (0xCE, "CL-SEC-WTA"),
    (0xCF, "CO-SEC-WTA"),
];

/// Parts of values of `AAUTHTYPE`: where they stand since 2005, and where they stood before, among the tokens that mean the same
/// everywhere.
const AUTH_PARTS: &[(u8, u8, &str)] =
    &[(0x90, 0x80, ","), (0x91, 0x81, "HTTP-"), (0x92, 0x82, "BASIC"), (0x93, 0x83, "DIGEST")];

fn named(table: &'static [(u8, &'static str)], token: u8) -> Option<&'static str> {
    table.iter().find(|(known, _)| *known == token).map(|(_, name)| *name)
}

fn numbered(table: &[(u8, &str)], name: &str) -> Option<u8> {
    table.iter().find(|(_, known)| *known == name).map(|(token, _)| *token)
}

/// The type that a token of a page means.
pub(super) fn kind(page: u8, token: u8) -> Option<&'static str> {
    named(if page == 0 { TYPES_0 } else { TYPES_1 }, token)
}

/// The name that a token of a page means.
pub(super) fn name(page: u8, token: u8) -> Option<&'static str> {
    named(if page == 0 { NAMES_0 } else { NAMES_1 }, token)
}

/// The value that a token of a page means.
pub(super) fn value(page: u8, token: u8) -> Option<&'static str> {
    named(if page == 0 { VALUES_0 } else { VALUES_1 }, token)
}

/// The part of a value of `AAUTHTYPE` that a token means, and whether it is one of the older tokens.
pub(super) fn auth_part(token: u8) -> Option<(&'static str, bool)> {
    let part = AUTH_PARTS.iter().find(|(new, old, _)| *new == token || *old == token);
    part.map(|(_, old, text)| (*text, *old == token))
}

/// The page and token of a type; the page that is current is tried first.
pub(super) fn of_kind(current: u8, text: &str) -> Option<(u8, u8)> {
    on_pages(current, |page| numbered(if page == 0 { TYPES_0 } else { TYPES_1 }, text))
}

/// The token of a name on a page.
pub(super) fn of_name(page: u8, text: &str) -> Option<u8> {
    numbered(if page == 0 { NAMES_0 } else { NAMES_1 }, text)
}

/// The token of a value on a page.
pub(super) fn of_value(page: u8, text: &str) -> Option<u8> {
    numbered(if page == 0 { VALUES_0 } else { VALUES_1 }, text)
}

fn on_pages(current: u8, find: impl Fn(u8) -> Option<u8>) -> Option<(u8, u8)> {
    [current, 1 - current.min(1)].into_iter().find_map(|page| find(page).map(|token| (page, token)))
}
