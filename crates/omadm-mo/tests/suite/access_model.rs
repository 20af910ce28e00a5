//! The decision function (`DM 2.0 §6.3.1.1, §10, §12.3`) against a model that looks at every node by itself: random definitions, trees,
//! access entries, bootstraps, and commands.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use omadm_mo::ddf::{AccessType, Catalogue, Ddf, DdfName, DdfNode, DfType, Occurrence, Scope};
use omadm_mo::{Actor, Content, Format, Operation, OperationError, Quota, Tree};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::support::*;

const MOIDS: [&str; 2] = ["urn:test:a:1.0", "urn:test:b:1.0"];
/// MOID and MIID of each instance.
const INSTANCES: [(usize, &str); 3] = [(0, "one"), (0, "two"), (1, "only")];
/// Two servers with an account, one without.
const SERVERS: [&str; 3] = ["S1", "S2", "S3"];

type Path = Vec<String>;

/// A node of a definition; its children are named `a`, `b`, `c`.
#[derive(Clone, Debug)]
struct Def {
    get: bool,
    delete: bool,
    exec: bool,
    replace: bool,
    permanent: bool,
    required: bool,
    children: Vec<Def>,
}

/// Entries for a sub-tree.
#[derive(Clone, Debug)]
struct Group {
    path: Path,
    /// MAID and AR.
    entries: Vec<(&'static str, u8)>,
}

#[derive(Clone, Debug)]
struct World {
    /// By MOID.
    defs: [Def; 2],
    /// Optional nodes that instance `two` lacks.
    lacking: BTreeSet<Path>,
    /// By instance.
    groups: [Vec<Group>; 3],
    /// By server: the MOIDs of its bootstrap.
    provisioned: [Vec<&'static str>; 2],
}

#[derive(Clone, Debug)]
struct Command {
    operation: Operation,
    moid: &'static str,
    /// MIID, `*`, or nothing.
    inst: &'static str,
    /// Names, or `*`.
    path: Path,
    level: Option<u32>,
}

/// A root has to be an interior node.
fn any_root(depth: u32) -> BoxedStrategy<Def> {
    any_def_with(vec(any_def(depth - 1), 1..=3).boxed())
}

fn any_def(depth: u32) -> BoxedStrategy<Def> {
    any_def_with(if depth == 0 { Just(Vec::new()).boxed() } else { vec(any_def(depth - 1), 0..=3).boxed() })
}

fn any_def_with(children: BoxedStrategy<Vec<Def>>) -> BoxedStrategy<Def> {
    // Get more often than not, else little is ever read.
    let access = (prop::bool::weighted(0.8), any::<bool>(), any::<bool>(), any::<bool>());
    let rest = (prop::bool::weighted(0.2), prop::bool::weighted(0.2), children);
    (access, rest)
        .prop_map(|((get, delete, exec, replace), (permanent, required, children))| {
            // One in a few has no access type at all.
            let exposed = get || delete;
            let (exec, replace) = (exec && exposed, replace && exposed);
            Def { get, delete, exec, replace, permanent, required, children }
        })
        .boxed()
}

fn any_group() -> impl Strategy<Value = Group> {
    let maid = prop::sample::select(vec!["serverid:S1", "serverid:S2", "serverid:S3", "S1", "appid:S1", "*"]);
    let ar = prop_oneof![0u8..16, Just(15), Just(15)];
    (vec("[abc]", 0..3), vec((maid, ar), 1..4)).prop_map(|(path, entries)| Group { path, entries })
}

fn any_world() -> impl Strategy<Value = World> {
    let moids = || {
        let some = vec(prop::sample::select(vec![MOIDS[0], MOIDS[1]]), 0..3);
        prop_oneof![2 => Just(vec!["*"]), 3 => some]
    };
    // Half of the instances are open to all at their root, so that what is closed below decides.
    let open = || prop::option::of(Just(Group { path: Path::new(), entries: vec![("*", 15)] }));
    let groups = || {
        (vec(any_group(), 0..4), open()).prop_map(|(groups, open)| groups.into_iter().chain(open).collect())
    };
    let lacking = prop::collection::btree_set(vec("[abc]", 1..3), 0..3);
    ([any_root(3), any_root(2)], lacking, [groups(), groups(), groups()], [moids(), moids()])
        .prop_map(|(defs, lacking, groups, provisioned)| World { defs, lacking, groups, provisioned })
}

fn any_command() -> impl Strategy<Value = Command> {
    let operation = prop_oneof![
        4 => Just(Operation::Get),
        3 => Just(Operation::Delete),
        1 => Just(Operation::Exec),
        2 => Just(Operation::Replace),
    ];
    let moid = prop_oneof![12 => Just(MOIDS[0]), 6 => Just(MOIDS[1]), 1 => Just("urn:test:none:1.0")];
    let inst = prop::sample::select(vec!["one", "one", "two", "two", "only", "*", "*", "none", ""]);
    let segment = prop_oneof![4 => Just("a".to_owned()), 3 => "[bc]", 1 => Just("*".to_owned())];
    (operation, moid, inst, vec(segment, 0..3), prop::option::weighted(0.4, 1u32..4)).prop_map(
        |(operation, moid, inst, path, level)| {
            let level = level.filter(|_| operation == Operation::Get);
            Command { operation, moid, inst, path, level }
        },
    )
}

impl Command {
    fn address(&self) -> String {
        let level = self.level.map_or_else(String::new, |level| format!("?lv={level}"));
        format!("{}/{}/{}{level}", self.moid, self.inst, self.path.join("/"))
    }
}

/// What the model says of nodes.
impl World {
    /// The definition of a node, if instance `instance` has the node.
    fn def(&self, instance: usize, path: &[String]) -> Option<&Def> {
        let (moid, miid) = INSTANCES[instance];
        let mut def = &self.defs[moid];
        for (at, name) in path.iter().enumerate() {
            def = def.children.get(usize::from(name.as_bytes()[0] - b'a'))?;
            if miid == "two" && !def.required && self.lacking.contains(&path[..=at]) {
                return None;
            }
        }
        Some(def)
    }

    fn children(&self, instance: usize, path: &[String]) -> Vec<Path> {
        let child = |name: &str| [path, &[name.to_owned()]].concat();
        let all = ["a", "b", "c"].map(child);
        all.into_iter().filter(|child| self.def(instance, child).is_some()).collect()
    }

    /// The node and all below it, with their distance from it.
    fn subtree(&self, instance: usize, path: &[String]) -> Vec<(Path, u32)> {
        let below =
            self.children(instance, path).into_iter().flat_map(|child| self.subtree(instance, &child));
        let below = below.map(|(path, distance)| (path, distance + 1));
        std::iter::once((path.to_vec(), 0)).chain(below).collect()
    }

    /// AR of a server on one node: of the groups whose Path leads to the node or above it, those with the longest Path decide.
    fn ar(&self, instance: usize, server: usize, node: &[String]) -> u8 {
        let groups = self.groups[instance].iter();
        let holding: Vec<&Group> = groups
            .filter(|group| node.starts_with(&group.path) && self.def(instance, &group.path).is_some())
            .collect();
        let deepest = holding.iter().map(|group| group.path.len()).max();
        let deciding = holding.iter().filter(|group| Some(group.path.len()) == deepest);
        let own = [format!("serverid:{}", SERVERS[server]), SERVERS[server].to_owned(), "*".to_owned()];
        let entries =
            deciding.flat_map(|group| &group.entries).filter(|(maid, _)| own.iter().any(|own| own == maid));
        entries.fold(0, |sum, (_, ar)| sum | ar)
    }

    fn has_any_right(&self, instance: usize, server: usize) -> bool {
        self.subtree(instance, &[]).iter().any(|(node, _)| self.ar(instance, server, node) != 0)
    }

    fn is_exposed(def: &Def) -> bool {
        def.get || def.delete || def.exec || def.replace
    }

    fn may_use(&self, server: usize, moid: &str) -> bool {
        self.provisioned
            .get(server)
            .is_some_and(|moids| moids.iter().any(|given| *given == "*" || *given == moid))
    }

    /// Nodes that an address matches for a server, or why none.
    fn resolve(&self, server: usize, command: &Command) -> Result<Vec<(usize, Path)>, &'static str> {
        if !MOIDS.contains(&command.moid) {
            return Err("unknown");
        }
        if !self.may_use(server, command.moid) {
            return Err("not provisioned");
        }
        let mut instances: Vec<usize> = (0..INSTANCES.len())
            .filter(|at| MOIDS[INSTANCES[*at].0] == command.moid)
            .filter(|at| Self::is_exposed(&self.defs[INSTANCES[*at].0]))
            .collect();
        match command.inst {
            "*" => instances.retain(|at| self.has_any_right(*at, server)),
            "" if instances.len() > 1 => return Err("several"),
            "" => {}
            miid => instances.retain(|at| INSTANCES[*at].1 == miid),
        }
        let mut found: Vec<(usize, Path)> = instances.into_iter().map(|at| (at, Path::new())).collect();
        for segment in &command.path {
            let next = found
                .into_iter()
                .flat_map(|(at, path)| self.children(at, &path).into_iter().map(move |child| (at, child)));
            found = next
                .filter(|(_, child)| segment == "*" || child.last() == Some(segment))
                .filter(|(at, child)| self.def(*at, child).is_some_and(Self::is_exposed))
                .collect();
        }
        if found.is_empty() { Err("not found") } else { Ok(found) }
    }

    fn decide(&self, server: usize, command: &Command) -> Result<Vec<(usize, Path)>, &'static str> {
        let operation = command.operation;
        let takes_wildcards = matches!(operation, Operation::Get | Operation::Delete);
        if !takes_wildcards && (command.inst == "*" || command.path.iter().any(|segment| segment == "*")) {
            return Err("wildcard");
        }
        let found = self.resolve(server, command)?;
        let defs = || found.iter().filter_map(|(at, path)| Some((*at, path, self.def(*at, path)?)));
        if operation == Operation::Delete
            && defs().any(|(at, _, def)| (def.permanent || !def.delete) && self.has_any_right(at, server))
        {
            return Err("not allowed");
        }
        let bit = match operation {
            Operation::Get => 1,
            Operation::Exec => 4,
            _ => 2,
        };
        let involved = found.iter().flat_map(|(at, path)| self.involved(*at, path, command));
        if involved.into_iter().any(|(at, node)| self.ar(at, server, &node) & bit == 0) {
            return Err("no right");
        }
        let lets = |def: &Def| match operation {
            Operation::Get => def.get,
            Operation::Exec => def.exec,
            Operation::Delete => def.delete && !def.permanent,
            _ => def.replace,
        };
        if defs().any(|(_, _, def)| !lets(def)) {
            return Err(if matches!(operation, Operation::Exec | Operation::Delete) {
                "not allowed"
            } else {
                "not in definition"
            });
        }
        if operation == Operation::Delete && defs().any(|(_, path, def)| def.required && !path.is_empty()) {
            return Err("not allowed");
        }
        Ok(found)
    }

    /// The nodes on which a command needs its right.
    fn involved(&self, at: usize, path: &[String], command: &Command) -> Vec<(usize, Path)> {
        let all = self.subtree(at, path).into_iter();
        let nodes = all.filter(|(node, distance)| match command.operation {
            Operation::Exec => *distance == 0,
            Operation::Get => {
                let on_the_way = (path.len() + 1..=node.len()).map(|length| &node[..length]);
                *distance <= command.level.unwrap_or(u32::MAX)
                    && on_the_way.into_iter().all(|node| self.def(at, node).is_some_and(|def| def.get))
            }
            _ => true,
        });
        nodes.map(|(node, _)| (at, node)).collect()
    }

    /// What a server reads: no node without Get, nothing below `level`.
    fn content(&self, at: usize, path: &[String], level: Option<u32>) -> Content {
        if self.def(at, path).is_some_and(|def| def.children.is_empty()) {
            return text(&path.join("-"));
        }
        let rest = level.map(|level| level.saturating_sub(1));
        let shown = self
            .children(at, path)
            .into_iter()
            .filter(|child| level != Some(0) && self.def(at, child).is_some_and(|def| def.get));
        let shown = shown.map(|child| (name(&child[child.len() - 1]), self.content(at, &child, rest)));
        Content::Interior(shown.collect())
    }
}

/// A server sets the first entry of a group: instance, group, MAID and AR.
type Delegation = (usize, usize, &'static str, u8);

fn any_delegation() -> impl Strategy<Value = Delegation> {
    let maid = prop::sample::select(vec!["serverid:S1", "serverid:S2", "S3", "appid:S1", "*"]);
    (0..INSTANCES.len(), 0usize..4, maid, 0u8..16)
}

impl World {
    /// Whether a server may do so, and the world after it.
    fn delegate(&self, server: usize, (at, group, maid, ar): Delegation) -> Result<Self, &'static str> {
        let Some(old) = self.groups[at].get(group) else { return Err("not found") };
        if server == 2 {
            return Err("not provisioned");
        }
        if !self.has_any_right(at, server) {
            return Err("not found");
        }
        let mut after = self.clone();
        after.groups[at][group].entries[0] = (maid, ar);
        let full =
            |maid: &str| if maid.starts_with('S') { format!("serverid:{maid}") } else { maid.to_owned() };
        let sum = |world: &Self, maid: &str| {
            let groups = world.groups[at].iter().filter(|other| other.path == old.path);
            let entries =
                groups.flat_map(|group| &group.entries).filter(|(other, _)| full(other) == full(maid));
            entries.fold(None, |sum, (_, ar)| Some(sum.unwrap_or(0) | ar))
        };
        // What changes nothing takes no right.
        if [maid, old.entries[0].0].into_iter().all(|maid| sum(&after, maid) == sum(self, maid)) {
            return Ok(after);
        }
        // The entries are about the node at Path, or the last one on the way that is there.
        let mut place = old.path.clone();
        while self.def(at, &place).is_none() {
            place.pop();
        }
        if self.ar(at, server, &place) & 8 == 0 {
            return Err("no right");
        }
        let gains = sum(&after, maid).unwrap_or(0) & !sum(self, maid).unwrap_or(0) != 0;
        let asked_for = match full(maid).strip_prefix("serverid:") {
            Some(id) => {
                let index = SERVERS.iter().position(|known| *known == id).unwrap();
                self.may_use(index, MOIDS[INSTANCES[at].0])
            }
            None => true,
        };
        if gains && !asked_for { Err("no right") } else { Ok(after) }
    }
}

/// The tree of the product.
impl World {
    fn build(&self) -> Tree {
        let mut ddf: Ddf = ddf();
        ddf.nodes.extend(self.defs.iter().zip(MOIDS).map(|(def, moid)| DdfNode {
            df_type: Some(DfType::DdfName(moid.into())),
            occurrence: Occurrence::ZeroOrMore,
            ..definition(DdfName::Unnamed("x".into()), def)
        }));
        let mut catalogue = Catalogue::new();
        catalogue.add(&ddf, "https://ddf.example/world.ddf");
        let mut tree = Tree::new(Arc::new(catalogue), Quota::default());
        for (moids, server) in self.provisioned.iter().zip(SERVERS) {
            bootstrap(&mut tree, server, &[&[DMACC], moids.as_slice()].concat());
        }
        for (at, (moid, miid)) in INSTANCES.into_iter().enumerate() {
            write(&mut tree, Actor::Device, |change| {
                change.create_instance(&self::moid(MOIDS[moid]), &self::miid(miid), self.whole(at, &[]))
            })
            .unwrap();
            self.enter(&mut tree, at);
        }
        tree
    }

    fn whole(&self, at: usize, path: &[String]) -> Content {
        if self.def(at, path).is_some_and(|def| def.children.is_empty()) {
            return text(&path.join("-"));
        }
        let children = self.children(at, path).into_iter();
        Content::Interior(
            children.map(|child| (name(&child[child.len() - 1]), self.whole(at, &child))).collect(),
        )
    }

    /// Writes the access entries of an instance as they are, one node each.
    fn enter(&self, tree: &mut Tree, at: usize) {
        let (moid, miid) = INSTANCES[at];
        let groups = self.groups[at].iter().map(|group| {
            let entries = group.entries.iter().enumerate().map(|(at, (maid, ar))| {
                (name(&at.to_string()), node_of([("MAID", text(maid)), ("AR", leaf(&ar.to_string()))]))
            });
            let permissions = ("Permissions", Content::Interior(entries.collect()));
            let path =
                (!group.path.is_empty()).then(|| ("Path", text(&format!("/{}", group.path.join("/")))));
            node_of(path.into_iter().chain([permissions]))
        });
        for (at, content) in groups.enumerate() {
            // The first makes the nodes that lead there.
            grant(tree, &format!("{}/{miid}/", MOIDS[moid]), "/", "appid:nobody", 0);
            let place = uri(&format!("{DACMO}/dac/{}/{miid}/g{at}", MOIDS[moid]));
            write(tree, Actor::Device, |change| change.store_at(&place, None, content)).unwrap();
        }
    }
}

fn definition(name: DdfName, def: &Def) -> DdfNode {
    let children = def.children.iter().zip(["a", "b", "c"]);
    let access = AccessType {
        add: false,
        copy: false,
        delete: def.delete,
        exec: def.exec,
        get: def.get,
        replace: def.replace,
    };
    DdfNode {
        name,
        path: None,
        value: None,
        rt_properties: None,
        access,
        default_value: None,
        description: None,
        format: if def.children.is_empty() { Format::Chr } else { Format::Node },
        occurrence: if def.required { Occurrence::One } else { Occurrence::ZeroOrOne },
        scope: if def.permanent { Scope::Permanent } else { Scope::Dynamic },
        title: None,
        df_type: None,
        case_sense: None,
        children: children.map(|(def, child)| definition(DdfName::Named(self::name(child)), def)).collect(),
    }
}

fn place(at: usize, path: &[String]) -> String {
    let (moid, miid) = INSTANCES[at];
    format!("{}/{miid}/{}", MOIDS[moid], path.join("/"))
}

fn class(error: &OperationError) -> &'static str {
    match error {
        OperationError::UnknownMoid { .. } => "unknown",
        OperationError::NotProvisioned { .. } => "not provisioned",
        OperationError::NotFound { .. } => "not found",
        OperationError::Several { .. } => "several",
        OperationError::WildcardNotAllowed { .. } => "wildcard",
        OperationError::NoRight { .. } => "no right",
        OperationError::NotInDefinition { .. } => "not in definition",
        OperationError::NotAllowed { .. } => "not allowed",
        error => panic!("{error}"),
    }
}

fn sorted(content: Content) -> Content {
    match content {
        Content::Interior(children) => {
            let sorted: BTreeMap<_, _> =
                children.into_iter().map(|(name, content)| (name, self::sorted(content))).collect();
            Content::Interior(sorted.into_iter().collect())
        }
        leaf => leaf,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn decides_as_the_model(world in any_world(), commands in vec(any_command(), 1..24)) {
        let tree = world.build();
        for command in &commands {
            for (at, server) in SERVERS.into_iter().enumerate() {
                let address = uri(&command.address());
                let actor = as_server(server);
                let decided = tree.authorise(&actor, &address, command.operation);
                let expected = world.decide(at, command);
                let addresses = decided.map(|found| {
                    let all = found.iter().map(|found| tree.address_of(found.node).unwrap().to_string());
                    all.collect::<BTreeSet<_>>()
                });
                let all = |found: &Vec<(usize, Path)>| found.iter().map(|(at, path)| place(*at, path)).collect();
                prop_assert_eq!(
                    addresses.map_err(|error| class(&error)), expected.as_ref().map(all).map_err(|error| *error),
                    "{} {} by {}", command.operation, address, server
                );
                let (Operation::Get, Ok(expected)) = (command.operation, expected) else { continue };
                for (at, path) in expected {
                    let found = tree.resolve(&Actor::Device, &uri(&place(at, &path))).unwrap();
                    let content = tree.content(&actor, found[0].node, command.level).map(sorted);
                    prop_assert_eq!(content, Some(world.content(at, &path, command.level)), "{} by {}", address, server);
                }
            }
        }
    }

    #[test]
    fn delegates_as_the_model(world in any_world(), delegations in vec(any_delegation(), 1..12)) {
        let mut world = world;
        let mut tree = world.build();
        for (delegation, server) in delegations.into_iter().zip((0..SERVERS.len()).cycle()) {
            let (at, group, maid, ar) = delegation;
            let (moid, miid) = INSTANCES[at];
            let place = format!("{DACMO}/dac/{}/{miid}/g{group}/Permissions/0", MOIDS[moid]);
            let entry = node_of([("MAID", text(maid)), ("AR", leaf(&ar.to_string()))]);
            let expected = world.delegate(server, delegation);
            // Without such a group the entry would be a new one, which has other rules.
            if expected.as_ref().err() == Some(&"not found") && world.groups[at].len() <= group {
                continue;
            }
            let done = write(&mut tree, as_server(SERVERS[server]), |change| {
                change.store_at(&uri(&place), None, entry)
            });
            let said = done.as_ref().map(|_| ()).map_err(class);
            prop_assert_eq!(said, expected.as_ref().map(|_| ()).map_err(|error| *error), "{} {:?}", server, delegation);
            world = expected.unwrap_or(world);
            for node in world.subtree(at, &[]).into_iter().map(|(node, _)| node) {
                let found = tree.resolve(&Actor::Device, &uri(&self::place(at, &node))).unwrap();
                for (index, server) in SERVERS.into_iter().enumerate() {
                    let rights = tree.rights(&authority(server), found[0].node).ar();
                    prop_assert_eq!(rights, world.ar(at, index, &node), "{} at {:?}", server, node);
                }
            }
        }
    }

    #[test]
    fn lists_as_the_model(world in any_world()) {
        let tree = world.build();
        for (at, server) in SERVERS.into_iter().enumerate() {
            let listed: BTreeMap<String, BTreeSet<String>> = tree.supported(&self::server(server)).into_iter()
                .map(|(moid, miids)| (moid.to_string(), miids.iter().map(ToString::to_string).collect()))
                .collect();
            for (index, moid) in MOIDS.into_iter().enumerate() {
                let seen = (0..INSTANCES.len())
                    .filter(|instance| INSTANCES[*instance].0 == index && world.has_any_right(*instance, at))
                    .map(|instance| INSTANCES[instance].1.to_owned());
                let expected = world.may_use(at, moid).then(|| seen.collect());
                prop_assert_eq!(listed.get(moid), expected.as_ref(), "{} by {}", moid, server);
            }
        }
    }
}
