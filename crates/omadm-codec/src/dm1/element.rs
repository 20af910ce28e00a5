//! Elements of SyncML, MetInf, and DM DDF with TNDS: the one table of names and tokens (`SyncML RepPro §8`, `MetaInfo §7`, `DM TND 1.2 §8.6`).

/// A code page of WBXML; each belongs to one XML namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Page {
    /// The Representation Protocol, `SYNCML:SYNCML1.1` or `SYNCML:SYNCML1.2`.
    SyncMl = 0,
    /// Meta Information, `syncml:metinf`.
    MetInf = 1,
    /// DDF and TNDS, `syncml:dmddf1.2`. It is page 2 in documents of its own as well.
    Ddf = 2,
}

impl Page {
    /// The number after SWITCH_PAGE.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }
    /// The page of a number.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::SyncMl),
            1 => Some(Self::MetInf),
            2 => Some(Self::Ddf),
            _ => None,
        }
    }
}

/// An element that one of the three tables has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the pages are documented")]
pub enum Element {
    SyncMl(SyncMl),
    MetInf(MetInf),
    Ddf(Ddf),
}

impl Element {
    /// Where its token stands.
    #[must_use]
    pub const fn page(self) -> Page {
        match self {
            Self::SyncMl(_) => Page::SyncMl,
            Self::MetInf(_) => Page::MetInf,
            Self::Ddf(_) => Page::Ddf,
        }
    }
    /// Its identity in the page, 0x05 to 0x3F.
    #[must_use]
    pub const fn token(self) -> u8 {
        match self {
            Self::SyncMl(element) => element as u8,
            Self::MetInf(element) => element as u8,
            Self::Ddf(element) => element as u8,
        }
    }
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SyncMl(element) => element.name(),
            Self::MetInf(element) => element.name(),
            Self::Ddf(element) => element.name(),
        }
    }
    /// The element with this token.
    #[must_use]
    pub fn from_token(page: Page, token: u8) -> Option<Self> {
        match page {
            Page::SyncMl => SyncMl::from_token(token).map(Self::SyncMl),
            Page::MetInf => MetInf::from_token(token).map(Self::MetInf),
            Page::Ddf => Ddf::from_token(token).map(Self::Ddf),
        }
    }
    /// The element with this name; case counts.
    #[must_use]
    pub fn parse(page: Page, name: &str) -> Option<Self> {
        match page {
            Page::SyncMl => SyncMl::parse(name).map(Self::SyncMl),
            Page::MetInf => MetInf::parse(name).map(Self::MetInf),
            Page::Ddf => Ddf::parse(name).map(Self::Ddf),
        }
    }
}

/// Where the table of names keeps a name. Chosen so that no two names of a page share a place, which the compiler checks.
const fn slot(name: &[u8]) -> u8 {
    let (_, second_half) = name.split_at(name.len() / 2);
    let [length, ..] = name.len().to_le_bytes();
    match (name.first(), second_half.first(), name.last()) {
        (Some(first), Some(middle), Some(last)) => length
            .wrapping_mul(176)
            .wrapping_add(first.wrapping_mul(119))
            .wrapping_add(last.wrapping_mul(172))
            .wrapping_add(middle.wrapping_mul(233)),
        _ => 0,
    }
}

/// Tokens by the slots of their names; 0 where there is none.
#[allow(clippy::indexing_slicing, reason = "only the compiler runs it, and every index is an octet")]
const fn by_slot(rows: &[(u8, &str)]) -> [u8; 256] {
    let mut table = [0; 256];
    let mut row = 0;
    while row < rows.len() {
        let (token, name) = rows[row];
        let slot = slot(name.as_bytes()) as usize;
        assert!(table[slot] == 0, "two names share a slot");
        table[slot] = token;
        row += 1;
    }
    table
}

macro_rules! page {
    ($(#[$doc:meta])* $page:ident { $($element:ident = $token:literal $name:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        #[allow(missing_docs, reason = "the names are those of the standard")]
        pub enum $page {
            $($element = $token,)+
        }

        impl $page {
            /// Every element of the page, in the order of the tokens.
            pub const ALL: &[Self] = &[$(Self::$element,)+];

            /// Its name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$element => $name,)+
                }
            }
            /// The element with this token.
            #[must_use]
            pub const fn from_token(token: u8) -> Option<Self> {
                match token {
                    $($token => Some(Self::$element),)+
                    _ => None,
                }
            }
            /// The element with this name; case counts.
            #[must_use]
            pub fn parse(name: &str) -> Option<Self> {
                static TOKENS: [u8; 256] = by_slot(&[$(($token, $name),)+]);
                let token = *TOKENS.get(usize::from(slot(name.as_bytes())))?;
                Self::from_token(token).filter(|element| element.name() == name)
            }
        }

        impl From<$page> for Element {
            fn from(element: $page) -> Self {
                Self::$page(element)
            }
        }
    };
}

page! {
    /// Elements of the Representation Protocol, code page 0. DM uses a part of them.
    SyncMl {
        Add = 0x05 "Add",
        Alert = 0x06 "Alert",
        Archive = 0x07 "Archive",
        Atomic = 0x08 "Atomic",
        Chal = 0x09 "Chal",
        Cmd = 0x0A "Cmd",
        CmdId = 0x0B "CmdID",
        CmdRef = 0x0C "CmdRef",
        Copy = 0x0D "Copy",
        Cred = 0x0E "Cred",
        Data = 0x0F "Data",
        Delete = 0x10 "Delete",
        Exec = 0x11 "Exec",
        Final = 0x12 "Final",
        Get = 0x13 "Get",
        Item = 0x14 "Item",
        Lang = 0x15 "Lang",
        LocName = 0x16 "LocName",
        LocUri = 0x17 "LocURI",
        Map = 0x18 "Map",
        MapItem = 0x19 "MapItem",
        Meta = 0x1A "Meta",
        MsgId = 0x1B "MsgID",
        MsgRef = 0x1C "MsgRef",
        NoResp = 0x1D "NoResp",
        NoResults = 0x1E "NoResults",
        Put = 0x1F "Put",
        Replace = 0x20 "Replace",
        RespUri = 0x21 "RespURI",
        Results = 0x22 "Results",
        Search = 0x23 "Search",
        Sequence = 0x24 "Sequence",
        SessionId = 0x25 "SessionID",
        SftDel = 0x26 "SftDel",
        Source = 0x27 "Source",
        SourceRef = 0x28 "SourceRef",
        Status = 0x29 "Status",
        Sync = 0x2A "Sync",
        SyncBody = 0x2B "SyncBody",
        SyncHdr = 0x2C "SyncHdr",
        SyncMl = 0x2D "SyncML",
        Target = 0x2E "Target",
        TargetRef = 0x2F "TargetRef",
        VerDtd = 0x31 "VerDTD",
        VerProto = 0x32 "VerProto",
        NumberOfChanges = 0x33 "NumberOfChanges",
        MoreData = 0x34 "MoreData",
        Field = 0x35 "Field",
        Filter = 0x36 "Filter",
        Record = 0x37 "Record",
        FilterType = 0x38 "FilterType",
        SourceParent = 0x39 "SourceParent",
        TargetParent = 0x3A "TargetParent",
        Move = 0x3B "Move",
        Correlator = 0x3C "Correlator",
    }
}

page! {
    /// Elements of Meta Information, code page 1.
    MetInf {
        Anchor = 0x05 "Anchor",
        Emi = 0x06 "EMI",
        Format = 0x07 "Format",
        FreeId = 0x08 "FreeID",
        FreeMem = 0x09 "FreeMem",
        Last = 0x0A "Last",
        Mark = 0x0B "Mark",
        MaxMsgSize = 0x0C "MaxMsgSize",
        Mem = 0x0D "Mem",
        MetInf = 0x0E "MetInf",
        Next = 0x0F "Next",
        NextNonce = 0x10 "NextNonce",
        SharedMem = 0x11 "SharedMem",
        Size = 0x12 "Size",
        Type = 0x13 "Type",
        Version = 0x14 "Version",
        MaxObjSize = 0x15 "MaxObjSize",
        FieldLevel = 0x16 "FieldLevel",
    }
}

page! {
    /// Elements of DDF and TNDS, code page 2. Those that name a format begin with `Format` here: `Node` and `node` are two elements.
    Ddf {
        AccessType = 0x05 "AccessType",
        Acl = 0x06 "ACL",
        Add = 0x07 "Add",
        FormatB64 = 0x08 "b64",
        FormatBin = 0x09 "bin",
        FormatBool = 0x0A "bool",
        FormatChr = 0x0B "chr",
        CaseSense = 0x0C "CaseSense",
        Cis = 0x0D "CIS",
        Copy = 0x0E "Copy",
        Cs = 0x0F "CS",
        FormatDate = 0x10 "date",
        DdfName = 0x11 "DDFName",
        DefaultValue = 0x12 "DefaultValue",
        Delete = 0x13 "Delete",
        Description = 0x14 "Description",
        DfFormat = 0x15 "DFFormat",
        DfProperties = 0x16 "DFProperties",
        DfTitle = 0x17 "DFTitle",
        DfType = 0x18 "DFType",
        Dynamic = 0x19 "Dynamic",
        Exec = 0x1A "Exec",
        FormatFloat = 0x1B "float",
        Format = 0x1C "Format",
        Get = 0x1D "Get",
        FormatInt = 0x1E "int",
        Man = 0x1F "Man",
        MgmtTree = 0x20 "MgmtTree",
        Mime = 0x21 "MIME",
        Mod = 0x22 "Mod",
        Name = 0x23 "Name",
        Node = 0x24 "Node",
        FormatNode = 0x25 "node",
        NodeName = 0x26 "NodeName",
        FormatNull = 0x27 "null",
        Occurrence = 0x28 "Occurrence",
        One = 0x29 "One",
        OneOrMore = 0x2A "OneOrMore",
        OneOrN = 0x2B "OneOrN",
        Path = 0x2C "Path",
        Permanent = 0x2D "Permanent",
        Replace = 0x2E "Replace",
        RtProperties = 0x2F "RTProperties",
        Scope = 0x30 "Scope",
        Size = 0x31 "Size",
        FormatTime = 0x32 "time",
        Title = 0x33 "Title",
        TStamp = 0x34 "TStamp",
        Type = 0x35 "Type",
        Value = 0x36 "Value",
        VerDtd = 0x37 "VerDTD",
        VerNo = 0x38 "VerNo",
        FormatXml = 0x39 "xml",
        ZeroOrMore = 0x3A "ZeroOrMore",
        ZeroOrN = 0x3B "ZeroOrN",
        ZeroOrOne = 0x3C "ZeroOrOne",
    }
}
