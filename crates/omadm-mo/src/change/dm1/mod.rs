//! Commands of DM 1.x that change the tree.
