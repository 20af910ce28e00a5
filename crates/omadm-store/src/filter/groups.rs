//! Groups within filters.

use std::collections::{BTreeMap, BTreeSet};

use super::{Filter, FilterError, Node, Test};

/// Most groups whose filters name each other, from the first to the last.
const MAX_NESTING: usize = 8;
/// Most comparisons and values in a filter whose groups are replaced by their own filters.
const MAX_TERMS: usize = 4_096;

/// The filters of groups, by name.
#[derive(Clone, Debug, Default)]
pub struct GroupFilters(BTreeMap<String, Filter>);

impl GroupFilters {
    /// With a group more, or another filter for one.
    pub fn insert(&mut self, name: String, filter: Filter) {
        self.0.insert(name, filter);
    }

    /// Whether the filter of a group is here.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// A filter in which each group is replaced by its own filter, to the last.
    ///
    /// # Errors
    /// At a group that does not exist, that is in its own filter, or that makes the filter too large.
    pub fn expand(&self, filter: &Filter) -> Result<Filter, FilterError> {
        let mut expansion = Expansion { groups: self, within: BTreeSet::new(), terms: 0 };
        expansion.node(&filter.0, 0).map(Filter)
    }
}

struct Expansion<'g> {
    groups: &'g GroupFilters,
    within: BTreeSet<String>,
    terms: usize,
}

impl Expansion<'_> {
    fn node(&mut self, node: &Node, at: usize) -> Result<Node, FilterError> {
        let mut nodes =
            |nodes: &[Node]| nodes.iter().map(|node| self.node(node, at)).collect::<Result<_, _>>();
        Ok(match node {
            Node::All(all) => Node::All(nodes(all)?),
            Node::Any(any) => Node::Any(nodes(any)?),
            Node::Not(node) => Node::Not(Box::new(self.node(node, at)?)),
            Node::Term(term) => {
                self.terms += if let Test::Is(values) = &term.test { values.len() } else { 1 };
                if self.terms > MAX_TERMS {
                    return Err(too_large(at));
                }
                Node::Term(term.clone())
            }
            // What is wrong within a group is shown where the group is named first.
            Node::Group(name, own) => self.group(name, if self.within.is_empty() { *own } else { at })?,
        })
    }

    fn group(&mut self, name: &str, at: usize) -> Result<Node, FilterError> {
        let Some(filter) = self.groups.0.get(name) else {
            let what = format!("there is no group {name}");
            return Err(FilterError {
                at,
                what,
                expected: "`omadm group ls` shows those that are".to_owned(),
            });
        };
        if self.within.len() >= MAX_NESTING {
            return Err(too_large(at));
        }
        if !self.within.insert(name.to_owned()) {
            let what = format!("the group {name} is in its own filter");
            return Err(FilterError { at, what, expected: "take it out of there".to_owned() });
        }
        let node = self.node(&filter.0, at)?;
        self.within.remove(name);
        Ok(node)
    }
}

fn too_large(at: usize) -> FilterError {
    FilterError {
        at,
        what: "with the filters of its groups the filter is too large".to_owned(),
        expected: format!(
            "at most {MAX_TERMS} comparisons and values in all, and {MAX_NESTING} groups within each other"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::FilterLimits;

    fn filter(text: &str) -> Filter {
        Filter::parse(text, &FilterLimits::default()).unwrap()
    }

    fn groups(of: &[(&str, &str)]) -> GroupFilters {
        let mut groups = GroupFilters::default();
        of.iter().for_each(|(name, text)| groups.insert((*name).to_owned(), filter(text)));
        groups
    }

    #[test]
    fn groups_are_replaced_to_the_last() {
        let groups = groups(&[("a", "group:b and model = X"), ("b", "not fw < 2")]);
        let expanded = groups.expand(&filter("group:a or id = Y")).unwrap();
        assert_eq!(expanded.groups(), []);
        assert_eq!(expanded, filter("(not fw < 2 and model = X) or id = Y"));
    }

    #[test]
    fn one_group_may_stand_twice_but_not_in_itself() {
        let groups = groups(&[
            ("a", "group:b and not group:b"),
            ("b", "model = X"),
            ("c", "group:d"),
            ("d", "group:c"),
        ]);
        assert!(groups.expand(&filter("group:a and group:b")).is_ok());
        let error = groups.expand(&filter("model = X and group:c")).unwrap_err();
        assert_eq!(error.at, 14);
        assert!(error.what.contains("own filter"), "{error}");
        let error = groups.expand(&filter("id = Z or group:\"not there\"")).unwrap_err();
        assert_eq!((error.at, error.what.as_str()), (10, "there is no group not there"));
    }

    #[test]
    fn nesting_and_size_have_ends() {
        let chain = |length: usize| {
            let mut groups = GroupFilters::default();
            (1..length).for_each(|n| groups.insert(format!("g{n}"), filter(&format!("group:g{}", n + 1))));
            groups.insert(format!("g{length}"), filter("model = X"));
            groups.expand(&filter("group:g1"))
        };
        assert!(chain(MAX_NESTING).is_ok());
        assert!(chain(MAX_NESTING + 1).is_err());
        let list = vec!["x"; 128].join(",");
        let large = |times: usize| {
            let text = vec!["group:a"; times].join(" or ");
            groups(&[("a", &format!("model in ({list})"))]).expand(&filter(&text))
        };
        assert!(large(32).is_ok());
        assert!(large(33).is_err());
    }
}
