//! Who may do what on a device, in plain words: the Delegation Access Control object (`DM 2.0 §12.3`) and access control lists (`DM 1.3 TND §7.7.1`).

use std::collections::BTreeMap;

use axum::extract::Path;
use maud::{Markup, html};
use omadm_mo::access::Rights;
use omadm_mo::well_known::DACMO;
use serde_json::Value;

use super::command::Command;
use super::tree::Node;
use super::{find, page};
use crate::console::data::{Device, Listed};
use crate::console::failure::Failure;
use crate::console::frame::Page;
use crate::console::visit::{Visit, path};
use crate::console::{parts, text};

/// The property of a node that is its access control list.
pub const ACL: &str = "?prop=ACL";
/// Nodes of the object that are read.
const NODES: &str = "1000";
/// Commands in which lists are looked for.
const COMMANDS: &str = "200";

/// Shows who may do what.
pub async fn show(visit: Visit, Path(id): Path<String>) -> Result<Page, Failure> {
    let device = find(&visit, &id).await?;
    let objects = device.inventory.as_deref().unwrap_or_default();
    let mut grants = Vec::new();
    let has_object = objects.iter().any(|object| object.moid == DACMO);
    for object in objects.iter().filter(|object| object.moid == DACMO) {
        for miid in object.miids.iter().take(4) {
            let query = [("at", &*format!("{DACMO}/{miid}/")), ("limit", NODES)];
            let nodes: Listed<Node> = visit.read(&path(&["devices", &id, "tree"], &query)).await?;
            grants.extend(Grant::all(&nodes.items));
        }
    }
    let lists = match visit.may("GET", "/devices/{id}/commands") {
        true => {
            visit
                .read::<Listed<Command>>(&path(&["devices", &id, "commands"], &[("limit", COMMANDS)]))
                .await?
                .items
        }
        false => Vec::new(),
    };
    let body = html! {
        section.card {
            h2 { "Delegation Access Control" }
            @if !has_object {
                p { "The device has not reported this object. Without it, every server that it knows may do everything in DM 2.0, and access control lists decide in DM 1.x." }
            } @else if grants.is_empty() {
                p { "Nothing of it has been seen yet." }
                p { a.button href=(path(&["devices", &id, "node"], &[("address", &format!("{DACMO}//"))])) { "Read it" } }
            } @else { (table(&grants)) }
        }
        section.card { h2 { "Access control lists" } (asked(&visit, &device, &lists)) }
    };
    Ok(page(&visit, &device, "access", &parts::live(&visit, "access", &body)))
}

/// What an entry gives an authority.
#[derive(Debug, Default, PartialEq, Eq)]
struct Grant {
    /// The object and the instance that it is about.
    about: String,
    path: String,
    who: String,
    rights: i64,
}

impl Grant {
    /// The statements in the nodes of the object: below `<MOID>/<MIID>/<entry>`, `Path` and `Permissions/<authority>/{MAID,AR}`.
    fn all(nodes: &[Node]) -> Vec<Self> {
        let mut paths: BTreeMap<&str, String> = BTreeMap::new();
        let mut grants: BTreeMap<&str, Self> = BTreeMap::new();
        for node in nodes {
            let Some((parent, name)) = node.address.rsplit_once('/') else { continue };
            let value = node
                .value
                .as_ref()
                .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
            let Some(value) = value else { continue };
            match name {
                "Path" => drop(paths.insert(parent, value)),
                "MAID" => grants.entry(parent).or_default().who = value,
                "AR" => grants.entry(parent).or_default().rights = value.parse().unwrap_or_default(),
                _ => {}
            }
        }
        let complete = |(place, mut grant): (&str, Self)| {
            let entry = place.rsplit_once("/Permissions/").map_or(place, |(entry, _)| entry);
            grant.path = paths.get(entry).cloned().unwrap_or_default();
            let mut above = entry.rsplit('/').skip(1);
            let (miid, moid) = (above.next().unwrap_or_default(), above.next().unwrap_or_default());
            grant.about = format!("{moid} / {miid}");
            grant
        };
        grants.into_iter().map(complete).collect()
    }

    fn said(&self) -> String {
        let Some(rights) = Rights::from_ar(self.rights) else {
            return format!("an unknown right ({})", self.rights);
        };
        let words = [
            (Rights::READ, "read"),
            (Rights::WRITE, "write"),
            (Rights::EXECUTE, "execute"),
            (Rights::DELEGATE, "hand on its rights"),
        ];
        let may: Vec<&str> =
            words.iter().filter(|(right, _)| rights.contains(*right)).map(|(_, word)| *word).collect();
        if may.is_empty() { "may do nothing".to_owned() } else { format!("may {}", may.join(", ")) }
    }
}

/// An authority in words.
fn authority(maid: &str) -> String {
    match maid {
        "*" => "Everyone".to_owned(),
        maid => match maid.split_once(':') {
            Some(("appid", name)) => format!("The application {name}"),
            Some(("serverid", name)) => format!("The server {name}"),
            _ => format!("The server {maid}"),
        },
    }
}

fn table(grants: &[Grant]) -> Markup {
    let rows: Vec<_> = grants
        .iter()
        .take(parts::ROWS)
        .map(|grant| {
            vec![
                text::shown(&authority(&grant.who)),
                html! { (grant.said()) },
                html! { span.mono { (text::shown(&grant.about)) } },
                html! { @if grant.path.is_empty() { "all of it" } @else { "below " span.mono { (text::shown(&grant.path)) } } },
            ]
        })
        .collect();
    parts::table("Rights", &parts::head(&["Who", "What", "On which object", "Where"]), &rows)
}

/// The lists that were asked for lately, in words.
fn asked(visit: &Visit, device: &Device, commands: &[Command]) -> Markup {
    let lists: Vec<&Command> =
        commands.iter().filter(|command| command.verb == "get" && command.address.ends_with(ACL)).collect();
    let rows: Vec<_> = lists
        .iter()
        .take(parts::ROWS)
        .map(|command| {
            let node = command.address.trim_end_matches(ACL);
            let said = command.values().next().and_then(Value::as_str).map(acl_in_words);
            vec![
                html! { a.mono href=(path(&["commands", &command.id], &[])) { (text::shown(node)) } },
                said.unwrap_or_else(|| parts::state(&command.state)),
                parts::age(visit.now, &command.created),
            ]
        })
        .collect();
    html! {
        @if rows.is_empty() { p.quiet { "None was asked for lately. Nodes of DM 1.x have one, or leave it to the node above." } } @else {
            (parts::table("Access control lists", &parts::head(&["Node", "Who may do what", "Asked"]), &rows))
        }
        @if property(device, "./").is_some() && visit.may("POST", "/devices/{id}/commands") {
            form method="post" action=(path(&["devices", &device.id, "commands"], &[])) {
                (visit.marks())
                input type="hidden" name="verb" value="get";
                input type="hidden" name="address" value={ "." (ACL) };
                button type="submit" { "Ask for that of the root" }
            }
        }
    }
}

/// An access control list in words.
pub fn acl_in_words(acl: &str) -> Markup {
    if acl.trim().is_empty() {
        return html! { "Says nothing: what holds for the node above holds for it." };
    }
    let entries = acl.trim().split('&').filter_map(|entry| entry.split_once('='));
    let said = |command: &str| match command {
        "Get" => "read it",
        "Replace" => "change it",
        "Add" => "add below it",
        "Delete" => "remove it",
        "Exec" => "execute it",
        _ => "do something else with it",
    };
    html! {
        ul.plain {
            @for (command, servers) in entries.take(16) {
                @let everyone = servers.split('+').any(|server| server == "*");
                li {
                    @if everyone { "Every server" } @else { (text::shown(&servers.replace('+', ", "))) }
                    " may " (said(command))
                }
            }
        }
        span.quiet.mono { (text::shown(acl)) }
    }
}

/// The address of the list of a node, on a device of DM 1.x of which the place of the node is known.
pub fn property(device: &Device, address: &str) -> Option<String> {
    if !device.protocol.as_deref()?.starts_with("dm1") {
        return None;
    }
    if address.starts_with('.') {
        return Some(format!("{}{ACL}", address.trim_end_matches('/')));
    }
    let objects = device.inventory.as_deref().unwrap_or_default();
    objects.iter().find_map(|object| {
        let below = address.strip_prefix(object.moid.as_str())?.strip_prefix('/')?;
        let (miid, rest) = below.split_once('/').unwrap_or((below, ""));
        let place = object.miids.iter().position(|known| known == miid || miid.is_empty())?;
        let root = object.roots.get(place)?;
        let slash = if rest.is_empty() { "" } else { "/" };
        Some(format!("{root}{slash}{rest}{ACL}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(address: &str, value: Value) -> Node {
        let value = Some(value);
        let (seen, access) = (String::new(), Vec::new());
        Node {
            address: address.to_owned(),
            value,
            length: None,
            interior: false,
            seen,
            format: None,
            access,
            title: None,
            description: None,
        }
    }

    #[test]
    fn entries_become_statements() {
        let entry = "urn:oma:mo:oma-dm-dacmo:1.0/1/urn:a/7/e";
        let nodes = [
            node(&format!("{entry}/Path"), "B/C".into()),
            node(&format!("{entry}/Permissions/p/MAID"), "serverid:dm.example".into()),
            node(&format!("{entry}/Permissions/p/AR"), 5.into()),
            node(&format!("{entry}/Permissions/q/MAID"), "*".into()),
            node(&format!("{entry}/Permissions/q/AR"), "0".into()),
        ];
        let grants = Grant::all(&nodes);
        let said: Vec<_> = grants
            .iter()
            .map(|grant| {
                format!("{} {} on {} {}", authority(&grant.who), grant.said(), grant.about, grant.path)
            })
            .collect();
        assert_eq!(
            said,
            [
                "The server dm.example may read, execute on urn:a / 7 B/C",
                "Everyone may do nothing on urn:a / 7 B/C"
            ]
        );
    }

    #[test]
    fn lists_are_told_in_words() {
        let said = acl_in_words("Get=*&Replace=a+<b>").into_string();
        assert!(
            said.contains("Every server may read it") && said.contains("a, &lt;b&gt;</bdi> may change it"),
            "{said}"
        );
        assert!(acl_in_words("").into_string().contains("node above"));
    }

    #[test]
    fn a_list_is_asked_for_where_the_node_is() {
        let device = |protocol: &str| -> Device {
            serde_json::from_value(serde_json::json!({ "id": "IMEI:1", "protocol": protocol, "inventory":
                [{ "moid": "urn:a", "miids": ["x"], "roots": ["./A"] }] }))
            .unwrap()
        };
        assert_eq!(property(&device("dm1.2"), "urn:a/x/B").as_deref(), Some("./A/B?prop=ACL"));
        assert_eq!(property(&device("dm1.2"), "./C").as_deref(), Some("./C?prop=ACL"));
        assert_eq!(property(&device("dm1.2"), "urn:b/x/B"), None);
        assert_eq!(property(&device("dm2.0"), "./C"), None);
    }
}
