//! Named tolerances: where we accept what the text does not allow but peers send.

use std::collections::BTreeSet;
use std::fmt;

use omadm_mo::Departure;
use omadm_mo::dm1::UriDeparture;

/// One way of being liberal towards a peer. Off in strict mode, visible in the trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Tolerance {
    /// `Status` entries that are bare numbers (examples of `DM 2.0 §F, §I`).
    BareStatus,
    /// A string, or array of strings, after a status entry as its `URI` (`DM 2.0 §I.2`).
    StatusUriAfterEntry,
    /// MO data that is one object instead of an array (`DM 2.0 §F`).
    BareMoObject,
    /// `Alert` nested in an object, as the `$ref` of the schema reads literally.
    NestedAlert,
    /// Alert `Data` that is not an object, or whose `DataType` is missing or no media type (`DM 2.0 §7.2.1.3`).
    LooseAlertData,
    /// A leaf given as a string that converts to the format of the DDF (`DM 2.0 §I.2`).
    TextForTyped,
    /// Octets in base64 with white space in it, or without its padding.
    LooseBase64,
    /// A number or bool that is the whole body, with white space around it, or a bool as `1`, `0` or in capitals.
    LooseText,
    /// `MOS` items without a `DDF` link.
    MosWithoutDdf,
    /// A session start without any alert (`DM 2.0 §I.1`).
    NoStartAlert,
    /// Lines of a multipart body that end in LF alone.
    BareLineFeed,
    /// A byte order mark before JSON.
    ByteOrderMark,
    /// The first part of a multipart body has a name.
    NamedFirstPart,
    /// An alias such as `oma:mo:` for `urn:oma:mo:`, or an older MOID version.
    MoidAlias,
    /// An alias of a node name such as `ServerID` for `SrvID`.
    NodeAlias,
    /// An access right entry that names a server without the prefix `serverid:` (`DM 2.0 figure 17`).
    BareAuthority,
    /// An alert `Mark` outside the seven values, taken as informational.
    UnknownMark,
    /// A list of preferred connections that is empty, or has unknown or repeated ones or some after `ANY_AVAILABLE`.
    LooseConnections,
    /// A DM 1.x trigger of version 1.0, as DM 1.1.2 sends it.
    OlderTrigger,
    /// A digest or MAC over the base64 text of a nonce in place of its octets (`DM 1.3 SEC §5.4`).
    NonceText,
    /// Two commands of a DM 1.x message with one `CmdID` (Windows).
    DuplicateCmdId,
    /// A command of a DM 1.x message without `CmdID`, or with `0`.
    MissingCmdId,
    /// A DM 1.x `Status` or `Results` that does not say in full what it answers.
    LooseReference,
    /// A DM 1.x session that begins without DevInfo.
    NoDevInfo,
    /// A DM 1.x `MsgID` that leaves numbers out.
    SkippedMsgId,
    /// An element without the namespace that it belongs to (`DM 1.3 REPPRO §5.3`).
    MissingNamespace,
    /// A namespace with a slip in it, such as `syncml:metinfo`.
    MisspeltNamespace,
    /// `Type` next to `Meta` in an `Item`, not in it (Windows).
    TypeBesideMeta,
    /// `TargetRef` or `SourceRef` that holds a `LocURI`.
    NestedReference,
    /// WBXML 1.0.
    OldWbxml,
    /// Public id 0x0F21, which is not that of SyncML 1.1.
    OldPublicId,
    /// A WBXML document that leaves its charset open: UTF-8, or ISO-8859-1 where it is not that.
    MissingCharset,
    /// A DDF or TNDS document in WBXML that does not switch to page 2.
    MissingPageSwitch,
    /// A string that ends with the string table, not with a zero octet.
    UnterminatedString,
    /// LITERAL 0 as the name of an attribute although there is no string table (Nokia).
    StrayLiteral,
    /// Octets after the end of a WBXML document.
    Padding,
    /// A TNDS node without `RTProperties`, or without `Type` in them (`DM 1.3 TNDS §5`, also an example there).
    MissingProperties,
    /// White space around a name, a path, a type or a property in TNDS (an example there).
    LooseWhiteSpace,
    /// A TNDS `Path` written from the root, with `./` at its beginning.
    AbsoluteTndsPath,
    /// An element of DDF that has no place in TNDS, such as `DFProperties`, `Name` or `Size`.
    StrayTndsElement,
    /// A TNDS document in XML whose media type says WBXML (libwbxml rewrites the type, and leaves CDATA as it is).
    XmlAsWbxml,
    /// A DM 1.x message under a media type that is not of DM, or not of its encoding.
    LooseMediaType,
    /// A DM 1.x address that begins with `/` where `./` or nothing has to be.
    LeadingSlash,
    /// `?prop=` or `?list=` with a keyword in other letter case (`DM 1.3 TND §7.4, §9.1`).
    KeywordCase,
    /// A character in a DM 1.x address that has to be percent-encoded and is not.
    RawUriCharacter,
    /// An OBEX connection that names no service: Connect without Target, or its answer without Who and Connection Id.
    UndirectedObex,
    /// An OBEX object without Length.
    MissingObexLength,
    /// An OBEX object without Type, which its first octet then says.
    MissingObexType,
    /// An OBEX Type that does not end in a zero octet.
    BareObexType,
    /// Success as answer to a packet of an OBEX Put that is not the last.
    EarlyObexSuccess,
    /// Octets after the filler at the end of a file of a card.
    CardResidue,
    /// A path in PKCS#15 whose length lacks its tag, or stands without an index.
    LooseCardPath,
}

impl Tolerance {
    /// Every tolerance, in the order of their definition.
    pub const ALL: &[Self] = &[
        Self::BareStatus,
        Self::StatusUriAfterEntry,
        Self::BareMoObject,
        Self::NestedAlert,
        Self::LooseAlertData,
        Self::TextForTyped,
        Self::LooseBase64,
        Self::LooseText,
        Self::MosWithoutDdf,
        Self::NoStartAlert,
        Self::BareLineFeed,
        Self::ByteOrderMark,
        Self::NamedFirstPart,
        Self::MoidAlias,
        Self::NodeAlias,
        Self::BareAuthority,
        Self::UnknownMark,
        Self::LooseConnections,
        Self::OlderTrigger,
        Self::NonceText,
        Self::DuplicateCmdId,
        Self::MissingCmdId,
        Self::LooseReference,
        Self::NoDevInfo,
        Self::SkippedMsgId,
        Self::MissingNamespace,
        Self::MisspeltNamespace,
        Self::TypeBesideMeta,
        Self::NestedReference,
        Self::OldWbxml,
        Self::OldPublicId,
        Self::MissingCharset,
        Self::MissingPageSwitch,
        Self::UnterminatedString,
        Self::StrayLiteral,
        Self::Padding,
        Self::MissingProperties,
        Self::LooseWhiteSpace,
        Self::AbsoluteTndsPath,
        Self::StrayTndsElement,
        Self::XmlAsWbxml,
        Self::LooseMediaType,
        Self::LeadingSlash,
        Self::KeywordCase,
        Self::RawUriCharacter,
        Self::UndirectedObex,
        Self::MissingObexLength,
        Self::MissingObexType,
        Self::BareObexType,
        Self::EarlyObexSuccess,
        Self::CardResidue,
        Self::LooseCardPath,
    ];

    /// The name in configuration and traces, such as `bare-status`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BareStatus => "bare-status",
            Self::StatusUriAfterEntry => "status-uri-after-entry",
            Self::BareMoObject => "bare-mo-object",
            Self::NestedAlert => "nested-alert",
            Self::LooseAlertData => "loose-alert-data",
            Self::TextForTyped => "text-for-typed",
            Self::LooseBase64 => "loose-base64",
            Self::LooseText => "loose-text",
            Self::MosWithoutDdf => "mos-without-ddf",
            Self::NoStartAlert => "no-start-alert",
            Self::BareLineFeed => "bare-line-feed",
            Self::ByteOrderMark => "byte-order-mark",
            Self::NamedFirstPart => "named-first-part",
            Self::MoidAlias => "moid-alias",
            Self::NodeAlias => "node-alias",
            Self::BareAuthority => "bare-authority",
            Self::UnknownMark => "unknown-mark",
            Self::LooseConnections => "loose-connections",
            Self::MissingNamespace => "missing-namespace",
            Self::MisspeltNamespace => "misspelt-namespace",
            Self::TypeBesideMeta => "type-beside-meta",
            Self::NestedReference => "nested-reference",
            Self::OldWbxml => "old-wbxml",
            Self::OldPublicId => "old-public-id",
            Self::MissingCharset => "missing-charset",
            Self::MissingPageSwitch => "missing-page-switch",
            Self::UnterminatedString => "unterminated-string",
            Self::StrayLiteral => "stray-literal",
            Self::Padding => "padding",
            Self::OlderTrigger => "older-trigger",
            Self::NonceText => "nonce-text",
            Self::DuplicateCmdId => "duplicate-cmd-id",
            Self::MissingCmdId => "missing-cmd-id",
            Self::LooseReference => "loose-reference",
            Self::NoDevInfo => "no-dev-info",
            Self::SkippedMsgId => "skipped-msg-id",
            Self::MissingProperties => "missing-properties",
            Self::LooseWhiteSpace => "loose-white-space",
            Self::AbsoluteTndsPath => "absolute-tnds-path",
            Self::StrayTndsElement => "stray-tnds-element",
            Self::XmlAsWbxml => "xml-as-wbxml",
            Self::LooseMediaType => "loose-media-type",
            Self::LeadingSlash => "leading-slash",
            Self::KeywordCase => "keyword-case",
            Self::RawUriCharacter => "raw-uri-character",
            Self::UndirectedObex => "undirected-obex",
            Self::MissingObexLength => "missing-obex-length",
            Self::MissingObexType => "missing-obex-type",
            Self::BareObexType => "bare-obex-type",
            Self::EarlyObexSuccess => "early-obex-success",
            Self::CardResidue => "card-residue",
            Self::LooseCardPath => "loose-card-path",
        }
    }
}

impl fmt::Display for Tolerance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<Departure> for Tolerance {
    fn from(departure: Departure) -> Self {
        match departure {
            Departure::MoidAlias => Self::MoidAlias,
            Departure::BareAuthority => Self::BareAuthority,
            Departure::TextForTyped => Self::TextForTyped,
            Departure::LooseBase64 => Self::LooseBase64,
            Departure::LooseText => Self::LooseText,
        }
    }
}

impl From<UriDeparture> for Tolerance {
    fn from(departure: UriDeparture) -> Self {
        match departure {
            UriDeparture::LeadingSlash => Self::LeadingSlash,
            UriDeparture::KeywordCase => Self::KeywordCase,
            UriDeparture::RawCharacter => Self::RawUriCharacter,
        }
    }
}

/// Which tolerances are on, and which were used while decoding one message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leniency {
    /// No tolerance at all.
    pub strict: bool,
    /// What was made use of so far.
    pub used: BTreeSet<Tolerance>,
}

impl Leniency {
    /// Everything tolerated, nothing used yet.
    #[must_use]
    pub fn lenient() -> Self {
        Self::default()
    }
    /// Nothing tolerated.
    #[must_use]
    pub fn strict() -> Self {
        Self { strict: true, used: BTreeSet::new() }
    }
    /// Asks for a tolerance: notes it and says yes, or says no in strict mode.
    pub fn allow(&mut self, tolerance: Tolerance) -> bool {
        if !self.strict {
            self.used.insert(tolerance);
        }
        !self.strict
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct_and_in_kebab_case() {
        let names: BTreeSet<_> = Tolerance::ALL.iter().map(|t| t.as_str()).collect();
        assert_eq!(names.len(), Tolerance::ALL.len());
        assert!(
            names
                .iter()
                .all(|name| name.bytes().all(|b| b == b'-' || b.is_ascii_lowercase() || b.is_ascii_digit()))
        );
    }

    #[test]
    fn strict_allows_nothing_and_lenient_notes_what_it_allows() {
        for tolerance in Tolerance::ALL.iter().copied() {
            let mut strict = Leniency::strict();
            assert!(!strict.allow(tolerance));
            assert!(strict.used.is_empty());
            let mut lenient = Leniency::lenient();
            assert!(lenient.allow(tolerance));
            assert_eq!(lenient.used, BTreeSet::from([tolerance]));
        }
    }
}
