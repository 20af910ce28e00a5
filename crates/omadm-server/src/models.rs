//! What the stored DDF files say about the nodes of devices, kept in memory (`DM 2.0 §6.3, §6.4`).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use omadm_mo::ddf::{Catalogue, DdfNode, Definition};
use omadm_mo::{ClientUri, Time};
use omadm_store::{DdfFile, Store, StoreError};

use crate::address::Inventory;
use crate::ddfs;

/// For so long what another process has stored may be unknown to [`Models::lately`].
const LATELY: Duration = Duration::from_secs(1);

/// The DDF files of the store, read once for each time one was stored.
#[derive(Default)]
pub struct Models(Mutex<Option<(Instant, Arc<Files>)>>);

/// The DDF files as they were at one time.
#[derive(Default)]
pub struct Files(BTreeMap<String, Arc<Model>>);

struct Model {
    stored: Time,
    catalogue: Catalogue,
}

/// The definition of a management object, and the file that has it.
#[derive(Clone, Copy)]
pub struct Found<'f> {
    /// Name of the file.
    pub file: &'f str,
    /// The definition.
    pub definition: &'f Definition,
}

impl Models {
    /// The files as they are now. Only those are read that were stored since the last call, by whichever process.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn now(&self, store: &dyn Store) -> Result<Arc<Files>, StoreError> {
        let listed = store.ddfs().await?;
        let at = Instant::now();
        let known = self.known().map(|(_, files)| files).unwrap_or_default();
        if known.are(&listed) {
            self.keep(at, &known);
            return Ok(known);
        }
        let mut files = BTreeMap::new();
        for file in listed {
            let unchanged = known.0.get(&file.name).filter(|model| model.stored == file.stored);
            let model = match unchanged {
                Some(model) => model.clone(),
                None => match store.ddf(&file.name).await? {
                    Some(file) => Arc::new(read(&file)),
                    None => continue,
                },
            };
            files.insert(file.name, model);
        }
        let files = Arc::new(Files(files));
        self.keep(at, &files);
        Ok(files)
    }

    /// As [`Models::now`], or as they were a moment ago: for what is asked with every message.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn lately(&self, store: &dyn Store) -> Result<Arc<Files>, StoreError> {
        match self.known() {
            Some((at, files)) if at.elapsed() < LATELY => Ok(files),
            _ => self.now(store).await,
        }
    }

    fn known(&self) -> Option<(Instant, Arc<Files>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keep(&self, at: Instant, files: &Arc<Files>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((at, files.clone()));
    }
}

/// A file that this version cannot read says nothing.
fn read(file: &DdfFile) -> Model {
    let mut catalogue = Catalogue::new();
    match ddfs::decode(file.text.as_bytes()) {
        Ok(decoded) => drop(catalogue.add(&decoded.ddf, &file.name)),
        Err(problem) => {
            tracing::warn!(file = file.name, problem, "a stored DDF file cannot be read; put it again")
        }
    }
    Model { stored: file.stored, catalogue }
}

impl Files {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    fn are(&self, listed: &[DdfFile]) -> bool {
        let known = |file: &DdfFile| self.0.get(&file.name).is_some_and(|model| model.stored == file.stored);
        self.0.len() == listed.len() && listed.iter().all(known)
    }

    /// The definition of a management object of a device: from the file behind the link that the device gives, else from the file
    /// that has its MOID. Of several the newest counts, and those that came by a link of some device count least.
    pub fn find(&self, moid: &str, inventory: &Inventory, public_url: &str) -> Option<Found<'_>> {
        let by_name = |name: &str| {
            let (file, model) = self.0.get_key_value(name)?;
            Some(Found { file, definition: model.catalogue.get(moid)? })
        };
        let linked = inventory.link(moid).and_then(|link| {
            let own = link.strip_prefix(public_url).and_then(|path| path.strip_prefix("/ddf/"));
            own.and_then(by_name).or_else(|| by_name(&ddfs::name_of_link(link)))
        });
        linked.or_else(|| {
            let models = self.0.iter().filter_map(|(file, model)| {
                Some((model.stored, Found { file, definition: model.catalogue.get(moid)? }))
            });
            let best = models.max_by_key(|(stored, found)| (!ddfs::is_of_link(found.file), *stored));
            best.map(|(_, found)| found)
        })
    }

    /// Whether a node of a device is a leaf, if its definition says so.
    pub fn is_leaf(&self, uri: &ClientUri, inventory: &Inventory, public_url: &str) -> Option<bool> {
        let found = self.find(uri.moid.as_str(), inventory, public_url)?;
        let nodes = found.definition.nodes_at(&uri.path)?;
        let leaves = nodes.iter().filter(|node| node.format.is_leaf()).count();
        match (leaves, nodes.len() - leaves) {
            (_, 1) => Some(false),
            (1, _) => Some(true),
            (_, _) => None,
        }
    }

    /// The one node of the definition that a node of a device is; `leaf` tells un-named ones apart.
    pub fn node(
        &self,
        uri: &ClientUri,
        leaf: bool,
        inventory: &Inventory,
        public_url: &str,
    ) -> Option<&DdfNode> {
        let found = self.find(uri.moid.as_str(), inventory, public_url)?;
        let nodes = found.definition.nodes_at(&uri.path)?;
        let mut fitting = nodes.into_iter().filter(|node| node.format.is_leaf() == leaf);
        fitting.next().filter(|_| fitting.next().is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::SupportedMo;

    const URL: &str = "https://dm.example.org";
    const MOID: &str = "urn:x:1.0";

    fn files(stored: &[(&str, i64)]) -> Files {
        let text = format!(
            "<MgmtTree><VerDTD>1.2</VerDTD><Node><DFProperties><AccessType><Get/></AccessType><DFFormat><node/></DFFormat>\
             <DFType><DDFName>{MOID}</DDFName></DFType></DFProperties></Node></MgmtTree>"
        );
        let file = |(name, at): &(&str, i64)| {
            let file =
                DdfFile { name: (*name).into(), moids: Vec::new(), text: text.clone(), stored: Time(*at) };
            (file.name.clone(), Arc::new(read(&file)))
        };
        Files(stored.iter().map(file).collect())
    }

    fn found(files: &Files, link: Option<&str>) -> Option<String> {
        let mo = SupportedMo {
            moid: MOID.into(),
            miids: Vec::new(),
            ddf: link.map(str::to_owned),
            roots: Vec::new(),
        };
        files.find(MOID, &Inventory(vec![mo]), URL).map(|found| found.file.to_owned())
    }

    #[test]
    fn the_file_of_the_link_counts_then_the_newest_that_an_operator_stored() {
        let link = "https://vendor.example/x.ddf";
        let linked = ddfs::name_of_link(link);
        let all = files(&[("a.ddf", 2), ("b.ddf", 1), (&linked, 3)]);
        assert_eq!(found(&all, Some(link)), Some(linked.clone()));
        assert_eq!(found(&all, Some("https://dm.example.org/ddf/b.ddf")).as_deref(), Some("b.ddf"));
        assert_eq!(found(&all, Some("https://other.example/x.ddf")).as_deref(), Some("a.ddf"));
        assert_eq!(found(&all, None).as_deref(), Some("a.ddf"));
        assert_eq!(found(&files(&[(&linked, 3)]), None), Some(linked), "better than nothing");
        assert_eq!(found(&files(&[]), Some(link)), None);
        assert!(all.find("urn:y:1.0", &Inventory::default(), URL).is_none());
    }

    #[test]
    fn a_file_that_cannot_be_read_says_nothing() {
        let file = DdfFile { name: "x".into(), moids: vec![MOID.into()], text: "<".into(), stored: Time(0) };
        assert!(read(&file).catalogue.get(MOID).is_none());
    }
}
