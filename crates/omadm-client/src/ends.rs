//! Ends of executions, whichever protocol asked for them.

use omadm_mo::ClientUri;

use crate::device::Device;
use crate::plugin::Finished;

impl Device {
    /// Asks plug-ins what has ended. What was running when the device stopped is taken up first: not before anything is reported, as
    /// a view of a device reports nothing.
    pub(crate) fn ask_for_ends(&mut self) {
        if !std::mem::replace(&mut self.resumed, true) {
            #[cfg(feature = "dm2")]
            self.resume_executions();
            #[cfg(feature = "dm1")]
            self.resume_dm1_executions();
        }
        let ends: Vec<Finished> = self.plugins.iter_mut().flat_map(|plugin| plugin.finished()).collect();
        ends.into_iter().for_each(|finished| self.take_end(finished));
    }

    /// Asks plug-ins between sessions what has ended, and makes it durable; servers that wait for it are due a session.
    pub(crate) fn collect_ends(&mut self) {
        self.ask_for_ends();
        #[cfg(feature = "dm2")]
        self.save_ends(None);
        #[cfg(feature = "dm1")]
        self.save_dm1_ends(None);
    }

    /// Gives an end to the protocol by which it is waited for; each numbers executions for itself, so that of two at once that of
    /// DM 2.0 comes first.
    fn take_end(&mut self, finished: Finished) {
        #[cfg(feature = "dm2")]
        if self.is_open_execution(&finished.address) {
            return self.end_execution(finished);
        }
        #[cfg(feature = "dm1")]
        if self.is_open_dm1_execution(&finished.address) {
            return self.end_dm1_execution(finished);
        }
        let address = &finished.address;
        tracing::warn!(%address, "a plug-in tells the end of an execution that nobody waits for");
    }

    /// The plug-in that serves an address.
    pub(crate) fn owner_of(&self, address: &str) -> Option<(usize, ClientUri)> {
        let catalogue = self.tree.catalogue();
        let address = ClientUri::parse_with(address, &|moid| catalogue.get(moid).is_some()).ok()?;
        Some((self.owners.get(&address.moid).copied()?, address))
    }
}
