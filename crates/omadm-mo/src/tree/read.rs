//! Reading sub-trees, at a cost in proportion to what is read.

use alloc::vec::Vec;

use super::Tree;
use crate::access::{Actor, View};
use crate::content::Content;
use crate::ddf::Rule;
use crate::node::{Body, NodeId};

impl Tree {
    /// What `actor` sees at and below a node; `level` as the lv field (`None` is all): interior nodes at the last level are
    /// given without children. Nodes without Get are left out, and so are MO instances nested inside. `None` if the node
    /// itself cannot be seen. Rights are not looked at: [`Tree::authorise`] does that.
    #[must_use]
    pub fn content(&self, actor: &Actor, id: NodeId, level: Option<u32>) -> Option<Content> {
        let rule = self.rule_of(id);
        let Some(instance) = self.instance_of_node(id) else {
            // Outside any MO instance there is nothing that a server of DM 2.0 could address.
            return if matches!(actor, Actor::Server(_)) { None } else { self.whole(id, rule, None, level) };
        };
        self.whole(id, rule, Some(&View::new(self, actor, instance)), level)
    }

    fn whole(
        &self,
        id: NodeId,
        rule: Option<Rule<'_>>,
        view: Option<&View<'_>>,
        level: Option<u32>,
    ) -> Option<Content> {
        let node = self.arena.get(id)?;
        if view.is_some_and(|view| !view.shows(id, node, rule) || !view.reads(rule)) {
            return None;
        }
        let children = match &node.body {
            Body::Leaf(_, value) => return Some(Content::Leaf(value.clone())),
            Body::Interior(_) if level == Some(0) => return Some(Content::empty()),
            Body::Interior(children) => children,
        };
        let level = level.map(|level| level - 1);
        let mut content = Vec::with_capacity(children.len());
        for id in children.iter() {
            let Some(child) = self.arena.get(id).filter(|child| child.instance.is_none()) else { continue };
            let rule = rule.and_then(|rule| rule.child(child.name.as_str(), child.is_leaf()));
            if let Some(below) = self.whole(id, rule, view, level) {
                content.push((child.name.clone(), below));
            }
        }
        Some(Content::Interior(content))
    }
}
