//! The files of a card.

/// Who may read a file. Writing needs a secure channel, always.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Access {
    /// Everybody (ALW).
    #[default]
    Always,
    /// Who has shown the PIN: CHV1 of a SIM, the application PIN of a UICC.
    Pin,
    /// Who reads through a secure channel.
    Secure,
    /// Nobody (NEV).
    Never,
}

/// What is in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// MF, DF or ADF, which is known by its AID.
    Directory {
        /// Of an application.
        aid: Option<Vec<u8>>,
        /// The files in it.
        files: Vec<File>,
    },
    /// Octets.
    Transparent(Vec<u8>),
    /// Records of one length.
    Linear(Vec<Vec<u8>>),
}

/// A file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// File identifier.
    pub id: u16,
    /// Who may read it.
    pub read: Access,
    /// In which record of which EF(ARR) a UICC says so: the value of tag 8B. Empty is nowhere.
    pub rule: Vec<u8>,
    /// What is in it.
    pub content: Content,
}

impl File {
    /// A file of octets.
    #[must_use]
    pub fn transparent(id: u16, read: Access, octets: Vec<u8>) -> Self {
        Self { id, read, rule: Vec::new(), content: Content::Transparent(octets) }
    }

    /// A file of records, which everybody may read.
    #[must_use]
    pub fn linear(id: u16, records: Vec<Vec<u8>>) -> Self {
        Self { id, read: Access::Always, rule: Vec::new(), content: Content::Linear(records) }
    }

    /// A directory.
    #[must_use]
    pub fn directory(id: u16, files: Vec<Self>) -> Self {
        let content = Content::Directory { aid: None, files };
        Self { id, read: Access::Always, rule: Vec::new(), content }
    }

    /// The files in it.
    #[must_use]
    pub fn files(&self) -> &[Self] {
        match &self.content {
            Content::Directory { files, .. } => files,
            Content::Transparent(_) | Content::Linear(_) => &[],
        }
    }

    /// Whether it is a directory.
    #[must_use]
    pub fn is_directory(&self) -> bool {
        matches!(self.content, Content::Directory { .. })
    }

    /// Octets of its content.
    #[must_use]
    pub fn size(&self) -> usize {
        match &self.content {
            Content::Directory { .. } => 0,
            Content::Transparent(octets) => octets.len(),
            Content::Linear(records) => records.iter().map(Vec::len).sum(),
        }
    }

    /// The file at the end of a path of places below this one.
    #[must_use]
    pub fn at(&self, path: &[usize]) -> &Self {
        path.iter().fold(self, |file, place| &file.files()[*place])
    }

    /// The same, to change.
    pub fn at_mut(&mut self, path: &[usize]) -> &mut Self {
        path.iter().fold(self, |file, place| match &mut file.content {
            Content::Directory { files, .. } => &mut files[*place],
            Content::Transparent(_) | Content::Linear(_) => panic!("a path leads through directories"),
        })
    }
}
