//! A catalogue written as text, trees over it, and short ways to say things.

use std::sync::Arc;

use omadm_mo::ddf::{AccessType, CaseSense, Catalogue, Ddf, DdfName, DdfNode, DfType, Occurrence, Scope};
use omadm_mo::{
    Actor, Authority, ClientUri, Content, Format, Miid, Moid, NodeName, OperationError, Quota, Rights,
    ServerId, Time, Tree, Value,
};

/// One node a line, indented by two blanks a level: name (`<x>` is un-named), occurrence (`1 ? * +`, `0-N`, `1-N`),
/// format, access types (`ACDEGR` or `-`), then any of `permanent`, `cis`, `cs`, `=default`, `mime:type`, `moid:MOID`,
/// `path:Path`.
const MOS: &str = "\
<x> * node AGD moid:urn:oma:mo:moid:1.0
  ID 1 chr GR
  Setting 1 chr GR
  Data 1 node G
    <x> * node AGD
      Date 1 chr GR
      Value ? int AGRD
DevInfo 1 node G permanent path:. moid:urn:oma:mo:oma-dm-devinfo:1.2
  DevID 1 chr G permanent
  Man 1 chr G permanent
  Lang 1 chr G permanent =en
  Ext ? node G permanent
<x> * node G path:./DMAcc moid:urn:oma:mo:oma-dm-dmacc:1.2
  SrvID 1 chr G
  SrvURI 1 chr G
  Name 1 chr G
  Perm 1 node -
    <x> + node -
      MOID 1 chr -
  Auth ? node G
    Bootstrap ? node G
      ServerURI 1 chr G
      ClientSecretKey 1 bin R
    Noti ? node G
      Type 1 int G
      Data 1 bin GR
      Secret 1 bin GR
  Ext ? node AG
DacMO 1 node G path:. moid:urn:oma:mo:oma-dm-dacmo:1.0
  <MOID> * node G
    <MIID> * node G
      <x> + node G
        Path ? chr G
        Permissions 1 node G
          <x> + node G
            MAID 1 chr G
            AR 1 int G
<x> * node ADG moid:urn:test:lab:2.0
  Name 1 chr GR =unnamed
  Serial 1 chr G permanent =S0
  Flag ? bool AGRD
  Count ? int AGRD
  Ratio ? float AGRD
  Nothing ? null AGRD
  Day ? date AGRD
  Clock ? time AGRD
  Blob ? bin AGRD mime:image/png
  Encoded ? b64 AGRD
  Page ? xml AGRD mime:text/html
  Start ? null EG permanent
  Secret ? chr AR
  Hidden ? chr -
  Folded ? node AGD cis
    <x> * chr AGRD
  Jobs 1 node AGR permanent
    <x> + node AGD
      What 1 chr GR
  Slots ? node AGD
    <x> 0-2 chr AGRD
  Ext ? node AGRD
";

pub const FIGURE_5: &str = "urn:oma:mo:moid:1.0";
pub const DEVINFO: &str = "urn:oma:mo:oma-dm-devinfo:1.2";
pub const DMACC: &str = "urn:oma:mo:oma-dm-dmacc:1.2";
pub const DACMO: &str = "urn:oma:mo:oma-dm-dacmo:1.0";
pub const LAB: &str = "urn:test:lab:2.0";

pub fn ddf() -> Ddf {
    ddf_of(MOS)
}

pub fn ddf_of(text: &str) -> Ddf {
    let mut lines = text.lines().peekable();
    let mut nodes = Vec::new();
    while lines.peek().is_some() {
        nodes.push(node(&mut lines, 0));
    }
    Ddf { ver_dtd: "1.2".into(), man: None, model: None, nodes }
}

pub fn catalogue() -> Arc<Catalogue> {
    let mut catalogue = Catalogue::new();
    assert_eq!(catalogue.add(&ddf(), "https://ddf.example/all.ddf").len(), 5);
    Arc::new(catalogue)
}

/// The same without the Delegation Access Control MO.
pub fn catalogue_without_control() -> Arc<Catalogue> {
    let mut catalogue = Catalogue::new();
    let mut ddf = ddf();
    ddf.nodes.retain(|node| node.df_type != Some(DfType::DdfName(DACMO.into())));
    catalogue.add(&ddf, "https://ddf.example/some.ddf");
    Arc::new(catalogue)
}

fn node<'a>(lines: &mut std::iter::Peekable<impl Iterator<Item = &'a str>>, depth: usize) -> DdfNode {
    let line = lines.next().unwrap();
    let mut words = line.split_whitespace();
    let mut word = || words.next().unwrap();
    let (name, occurrence, format, access) = (word(), word(), word(), word());
    let mut node = DdfNode {
        name: match name.strip_prefix('<') {
            Some(logical) => DdfName::Unnamed(logical.trim_end_matches('>').into()),
            None => DdfName::Named(self::name(name)),
        },
        path: None,
        value: None,
        rt_properties: None,
        access: AccessType {
            add: access.contains('A'),
            copy: access.contains('C'),
            delete: access.contains('D'),
            exec: access.contains('E'),
            get: access.contains('G'),
            replace: access.contains('R'),
        },
        default_value: None,
        description: None,
        format: Format::parse(format).unwrap(),
        occurrence: match occurrence.split_once('-') {
            Some(("0", limit)) => Occurrence::ZeroOrN(limit.parse().unwrap()),
            Some((_, limit)) => Occurrence::OneOrN(limit.parse().unwrap()),
            None => match occurrence {
                "1" => Occurrence::One,
                "?" => Occurrence::ZeroOrOne,
                "*" => Occurrence::ZeroOrMore,
                _ => Occurrence::OneOrMore,
            },
        },
        scope: Scope::Dynamic,
        title: None,
        df_type: None,
        case_sense: None,
        children: Vec::new(),
    };
    for word in words {
        match word.split_once(':') {
            _ if word == "permanent" => node.scope = Scope::Permanent,
            _ if word == "cis" => node.case_sense = Some(CaseSense::Insensitive),
            _ if word == "cs" => node.case_sense = Some(CaseSense::Sensitive),
            _ if word.starts_with('=') => node.default_value = Some(word[1..].into()),
            Some(("mime", mime)) => node.df_type = Some(DfType::Mime(vec![mime.into()])),
            Some(("moid", moid)) => node.df_type = Some(DfType::DdfName(moid.into())),
            Some(("path", path)) => node.path = Some(path.into()),
            _ => panic!("{word} in {line}"),
        }
    }
    let indent = |line: &str| line.len() - line.trim_start().len();
    while lines.peek().is_some_and(|line| indent(line) > depth) {
        let below = node_below(lines, depth + 2);
        node.children.push(below);
    }
    node
}

/// Breaks the recursion of the iterator type.
fn node_below<'a>(lines: &mut std::iter::Peekable<impl Iterator<Item = &'a str>>, depth: usize) -> DdfNode {
    node(lines, depth)
}

pub fn name(text: &str) -> NodeName {
    NodeName::parse(text).unwrap()
}
pub fn moid(text: &str) -> Moid {
    Moid::parse(text).unwrap()
}
pub fn miid(text: &str) -> Miid {
    Miid::parse(text).unwrap()
}
pub fn uri(text: &str) -> ClientUri {
    ClientUri::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}
pub fn server(text: &str) -> ServerId {
    ServerId::parse(text).unwrap()
}
pub fn as_server(text: &str) -> Actor {
    Actor::Server(server(text))
}
pub fn authority(text: &str) -> Authority {
    Authority::parse(text, true).unwrap()
}
pub fn rights(ar: i64) -> Rights {
    Rights::from_ar(ar).unwrap()
}
pub fn now() -> Time {
    Time::from_secs(1_700_000_000)
}

/// A leaf of the JSON type that the text looks like: `7`, `1.5`, `true`, `null`, else text.
pub fn leaf(text: &str) -> Content {
    Content::Leaf(value(text))
}
pub fn text(text: &str) -> Content {
    Content::Leaf(Value::Text(text.into()))
}
pub fn value(text: &str) -> Value {
    match text {
        "null" => Value::Null,
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ => match (text.parse::<i64>(), text.parse::<f64>()) {
            (Ok(number), _) => Value::Int(number),
            (_, Ok(number)) => Value::Float(number),
            _ => Value::Text(text.into()),
        },
    }
}
pub fn node_of<'a>(children: impl IntoIterator<Item = (&'a str, Content)>) -> Content {
    Content::Interior(children.into_iter().map(|(child, content)| (name(child), content)).collect())
}

pub fn tree() -> Tree {
    Tree::new(catalogue(), Quota::default())
}

/// Figure 5: two instances, `left` and `right`, each with two data nodes.
pub fn figure_5() -> Tree {
    let mut tree = tree();
    let mut change = tree.begin(Actor::Device, now());
    for (instance, id, setting, dates) in
        [("left", "GPS", "0xA1", ["12.1", "12.2"]), ("right", "Temperature", "0xB2", ["12.1", "12.3"])]
    {
        let data = |at: usize, value| {
            node_of([("Date", text(dates[at])), ("Value", Content::Leaf(Value::Int(value)))])
        };
        let content = node_of([
            ("ID", text(id)),
            ("Setting", text(setting)),
            ("Data", node_of([("1", data(0, 10)), ("2", data(1, 20))])),
        ]);
        change.create_instance(&moid(FIGURE_5), &miid(instance), content).unwrap();
    }
    change.commit();
    tree
}

/// An account as a bootstrap brings it.
pub fn account<'a>(srv_id: &str, moids: impl IntoIterator<Item = &'a str>) -> Content {
    let groups: Vec<(String, Content)> = moids
        .into_iter()
        .enumerate()
        .map(|(at, moid)| (format!("{}", at + 1), node_of([("MOID", text(moid))])))
        .collect();
    node_of([
        ("SrvID", text(srv_id)),
        ("SrvURI", text("https://dm.example/dm/2.0")),
        ("Name", text("Example")),
        ("Perm", node_of(groups.iter().map(|(name, content)| (name.as_str(), content.clone())))),
    ])
}

pub fn bootstrap(tree: &mut Tree, srv_id: &str, moids: &[&str]) -> ClientUri {
    let mut change = tree.begin(Actor::Bootstrap(server(srv_id)), now());
    let content = account(srv_id, moids.iter().copied());
    let address = change.store_item(&uri(&format!("{DMACC}//")), &srv_id.to_lowercase(), content).unwrap();
    change.commit();
    address
}

pub fn grant(tree: &mut Tree, instance: &str, path: &str, to: &str, ar: i64) {
    let address = uri(instance);
    let omadm_mo::MoInst::Miid(miid) = address.inst else { panic!("{instance} names no instance") };
    let mut change = tree.begin(Actor::Device, now());
    change.grant(&address.moid, &miid, path, &authority(to), rights(ar)).unwrap();
    change.commit();
}

/// Figure 5, a server DMS1 with all rights on both instances, and a lab instance `bench` of DMS1.
pub fn managed() -> Tree {
    let mut tree = figure_5();
    bootstrap(&mut tree, "DMS1", &["*"]);
    for instance in ["left", "right"] {
        grant(&mut tree, &format!("{FIGURE_5}/{instance}/"), "/", "DMS1", 15);
    }
    let mut change = tree.begin(as_server("DMS1"), now());
    let jobs = node_of([("1", node_of([("What", text("wash"))]))]);
    change.store_item(&uri(&format!("{LAB}//")), "bench", node_of([("Jobs", jobs)])).unwrap();
    change.commit();
    tree
}

/// Concrete addresses of what an address matches for the device.
pub fn matches(tree: &Tree, address: &str) -> Result<Vec<String>, OperationError> {
    matches_as(tree, &Actor::Device, address)
}
pub fn matches_as(tree: &Tree, actor: &Actor, address: &str) -> Result<Vec<String>, OperationError> {
    let found = tree.resolve(actor, &uri(address))?;
    Ok(found.iter().map(|found| tree.address_of(found.node).unwrap().to_string()).collect())
}

/// The value at an address, as the device sees it.
pub fn at(tree: &Tree, address: &str) -> Option<Content> {
    let found = tree.resolve(&Actor::Device, &uri(address)).ok()?;
    assert_eq!(found.len(), 1, "{address}");
    tree.content(&Actor::Device, found[0].node, None)
}

/// Everything that is kept durably, for comparison of whole trees.
pub fn snapshot(tree: &Tree) -> Vec<(omadm_mo::NodePath, omadm_mo::NodeRecord)> {
    tree.records().collect()
}

/// Runs one write by an actor and keeps it; a refused one has to leave no trace.
pub fn write<T>(
    tree: &mut Tree,
    actor: Actor,
    operation: impl FnOnce(&mut omadm_mo::Change<'_>) -> Result<T, OperationError>,
) -> Result<T, OperationError> {
    let before = snapshot(tree);
    let mut change = tree.begin(actor, now());
    let outcome = operation(&mut change);
    if outcome.is_err() {
        assert!(change.changes().entries.is_empty(), "a refused operation left changes");
        change.commit();
        assert_eq!(snapshot(tree), before, "a refused operation changed the tree");
    } else {
        change.commit();
    }
    outcome
}
