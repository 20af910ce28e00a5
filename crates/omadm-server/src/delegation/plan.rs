//! What is to be written on a device so that a delegation holds there, or no longer.

use super::grants::{Changed, Grant, Statement};
use super::record::{NodeRecord, digest};
use super::rights;
use super::view::{Lack, View, allows};

/// Who gives what to whom.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The server that gets the rights.
    pub to: String,
    /// The identifiers of this server on devices; the first is the one that it uses.
    pub ours: Vec<String>,
    /// The rights, as bits of the protocol of the device.
    pub rights: u8,
    /// The right by which this server can take them back.
    pub control: u8,
    /// Whether nobody else keeps them.
    pub exclusive: bool,
    /// Whether the rights may be passed on.
    pub redelegable: bool,
}

/// Nodes with what is to be said of them from now on; `None` leaves it to what is above.
pub type Writes = Vec<(String, Option<Statement>)>;

/// What gives the rights at these nodes, which are targets with their addresses. `claimed` says what other delegations give to the same
/// server at a node.
///
/// # Errors
/// [`Lack`] for the first node at which it cannot be done; then nothing is done at all.
pub fn give(
    view: &View,
    nodes: &[NodeRecord],
    ask: &Ask,
    claimed: &dyn Fn(&str) -> u8,
) -> Result<(Vec<NodeRecord>, Writes), Lack> {
    let (mut records, mut writes) = (Vec::new(), Writes::new());
    for NodeRecord { target, node, .. } in nodes {
        let own = view.own(node)?;
        let before = own.clone().map_or_else(|| view.above(node), Ok)?;
        let held = allows(&before, &ask.ours);
        if held & ask.rights != ask.rights {
            let lacking = format!("this server does not have all of the rights itself at {node}");
            return Err(Lack::said(403, lacking));
        }
        if !view.may_change(node, held, &ask.ours) {
            return Err(Lack::said(403, format!("this server may not change who may do what with {node}")));
        }
        if !ask.redelegable && ask.rights & rights::REPLACE != 0 && view.replace_is_control(node) {
            let reason = format!(
                "Replace on the interior node {node} is the right to change its ACL, which only servers with allow_redelegation get; \
                 name leaves"
            );
            return Err(Lack::said(403, reason));
        }
        let by = ask.ours.iter().find(|id| before.of(id) != 0).or(ask.ours.first());
        let by = by.map(String::as_str).unwrap_or_default();
        let grant =
            Grant { to: &ask.to, rights: ask.rights, exclusive: ask.exclusive, by, kept: ask.control };
        let (next, changed) = before.granted(grant, claimed(node));
        if next != before {
            writes.push((node.clone(), Some(next.clone())));
        }
        records.push(NodeRecord {
            target: target.clone(),
            node: node.clone(),
            inherited: own.is_none(),
            changed,
            before: digest(&before),
            after: digest(&next),
            written: next,
        });
    }
    Ok((records, writes))
}

/// What takes back what was changed at these nodes. A node that is gone, or of which nothing is said any more, needs nothing.
///
/// # Errors
/// [`Lack`] if the device has not told enough; then nothing is done at all.
pub fn take(
    view: &View,
    nodes: &[NodeRecord],
    ask: &Ask,
    claimed: &dyn Fn(&str) -> u8,
) -> Result<(Vec<NodeRecord>, Writes), Lack> {
    let (mut records, mut writes) = (Vec::new(), Writes::new());
    for record in nodes {
        let own = match view.own(&record.node) {
            Ok(own) => own,
            Err(Lack { status: Some(404), .. }) => None,
            // Who keeps nothing but the right to take back does not see what is there; nobody else could change it either.
            Err(Lack { status: Some(403 | 425), .. }) if ask.exclusive => Some(record.written.clone()),
            Err(lack) => return Err(lack),
        };
        let Some(own) = own else { continue };
        let next = own.revoked(&record.changed, &ask.to, claimed(&record.node));
        let above = view.above(&record.node).ok();
        // What went by its parent before does so again, if that comes to the same.
        let inherits = record.inherited && above.is_some_and(|above| above == next);
        if next != own || inherits {
            writes.push((record.node.clone(), Some(next.clone()).filter(|_| !inherits)));
        }
        records.push(NodeRecord {
            before: digest(&own),
            after: digest(&next),
            changed: Changed::default(),
            written: next,
            ..record.clone()
        });
    }
    Ok((records, writes))
}

/// Whether what is there is what was written.
pub fn is_written(view: &View, record: &NodeRecord, exclusive: bool) -> bool {
    match view.effective(&record.node) {
        Ok(now) => now == record.written,
        Err(Lack { status: Some(403 | 425), .. }) => exclusive,
        Err(_) => false,
    }
}

/// Whether what is there is what was written when rights were taken back. What this server may not read any more it cannot compare.
pub fn is_taken(view: &View, record: &NodeRecord) -> bool {
    match view.own(&record.node) {
        Ok(own) => own.is_none_or(|own| own == record.written),
        Err(lack) => lack.status.is_some(),
    }
}

#[cfg(test)]
mod tests {
    use omadm_mo::DeviceId;
    use omadm_store::{Command, CommandState};
    use serde_json::{Value as Json, json};
    use uuid::Uuid;

    use super::super::entries::Entries;
    use super::super::grants::Statement;
    use super::super::view::{Acls, View};
    use super::*;
    use omadm_mo::Time;

    /// A command that was carried out, or refused with a status.
    fn answer(address: &str, outcome: Result<Json, u16>) -> Command {
        let state = if outcome.is_ok() { CommandState::Done } else { CommandState::Failed };
        Command {
            id: Uuid::nil(),
            device: DeviceId::parse("A:1").unwrap(),
            generation: 1,
            seq: 1,
            verb: "get".into(),
            address: address.into(),
            args: "{}".into(),
            payload: None,
            state,
            status: Some(outcome.as_ref().err().copied().unwrap_or(200)),
            reason: None,
            result: outcome.ok().map(|items| json!({ "items": items }).to_string()),
            attempts: 1,
            created: Time(0),
            sent: Some(Time(0)),
            finished: Some(Time(0)),
            expires: Time(0),
            created_by: "test".into(),
            origin: None,
        }
    }

    /// A device of DM 1.x: `./A` is interior, `./A/n` a leaf; ACLs by node, a status where they cannot be read.
    fn acls(own: &[(&str, Result<&str, u16>)]) -> View {
        let acl = |(node, acl): &(&str, Result<&str, u16>)| {
            let address = format!("{node}?prop=ACL");
            let value = acl.map(|acl| json!([{ "address": address, "value": acl }]));
            answer(&address, value)
        };
        let format = |node: &str, format: &str| {
            let address = format!("{node}?prop=Format");
            answer(&address, Ok(json!([{ "address": address, "value": format }])))
        };
        let formats = [format("./A", "node"), format("./A/n", "chr")];
        let commands: Vec<Command> = own.iter().map(acl).chain(formats).collect();
        View::Acls(Acls::read(commands.iter()))
    }

    fn ask(rights: u8) -> Ask {
        Ask {
            to: "b".into(),
            ours: vec!["a".into()],
            rights,
            control: rights::REPLACE,
            exclusive: false,
            redelegable: false,
        }
    }

    fn node(node: &str) -> Vec<NodeRecord> {
        vec![NodeRecord { target: "t".into(), node: node.into(), ..NodeRecord::default() }]
    }

    fn said(view: &View, writes: &Writes) -> String {
        let (operation, body) = view.write(writes).unwrap();
        body.map_or_else(|| operation.args(), |body| String::from_utf8(body.octets).unwrap())
    }

    const GET: u8 = 2;
    const NOBODY: fn(&str) -> u8 = |_| 0;

    #[test]
    fn an_inherited_acl_is_where_the_new_one_begins_and_what_it_ends_as() {
        let view = acls(&[("./A/n", Ok("")), ("./A", Ok("Get=a+c&Replace=a")), (".", Ok("Add=*&Get=*"))]);
        let (records, writes) = give(&view, &node("./A/n"), &ask(GET), &NOBODY).unwrap();
        assert!(said(&view, &writes).contains("Get=a+b+c&Replace=a"), "{writes:?}");
        assert!(records[0].inherited);
        let there = acls(&[
            ("./A/n", Ok("Get=a+b+c&Replace=a")),
            ("./A", Ok("Get=a+c&Replace=a")),
            (".", Ok("Get=*")),
        ]);
        assert!(is_written(&there, &records[0], false));
        let (taken, writes) = take(&there, &records, &ask(GET), &NOBODY).unwrap();
        assert_eq!(writes, [("./A/n".to_owned(), None)], "it goes by its parent again");
        assert!(is_taken(&view, &taken[0]));
        // The parent was changed meanwhile: then the node keeps what it has, without B.
        let changed =
            acls(&[("./A/n", Ok("Get=a+b+c&Replace=a")), ("./A", Ok("Get=a&Replace=a")), (".", Ok("Get=*"))]);
        let (_, writes) = take(&changed, &records, &ask(GET), &NOBODY).unwrap();
        assert!(said(&changed, &writes).contains("Get=a+c&Replace=a"), "{writes:?}");
    }

    #[test]
    fn nobody_gives_what_he_does_not_have() {
        let leaf = [("./A/n", Ok("Get=a&Replace=a")), ("./A", Ok("Get=a")), (".", Ok("Add=*&Get=*"))];
        for (own, at, rights, status, why) in [
            (leaf.to_vec(), "./A/n", GET, Some(403), "Replace of the parent is missing"),
            (leaf.to_vec(), "./A", 16, Some(403), "Exec is missing"),
            (vec![("./A", Err(425)), (".", Ok("Get=*"))], "./A", GET, Some(425), "its ACL cannot be read"),
            (vec![("./A", Err(404)), (".", Ok("Get=*"))], "./A", GET, Some(404), "it is not there"),
            (
                vec![("./A", Ok("Get=a&Replace=a")), (".", Ok(""))],
                "./A",
                GET | rights::REPLACE,
                Some(403),
                "control",
            ),
        ] {
            let outcome = give(&acls(&own), &node(at), &ask(rights), &NOBODY);
            assert_eq!(outcome.map(drop).map_err(|lack| lack.status), Err(status), "{why}");
        }
        let control = Ask { redelegable: true, ..ask(GET | rights::REPLACE) };
        let own = acls(&[("./A", Ok("Get=a&Replace=a")), (".", Ok(""))]);
        assert!(give(&own, &node("./A"), &control, &NOBODY).is_ok());
        let by_all = acls(&[("./A", Ok("Get=*&Replace=a")), (".", Ok(""))]);
        assert!(give(&by_all, &node("./A"), &ask(GET), &NOBODY).is_ok_and(|(_, writes)| writes.is_empty()));
    }

    #[test]
    fn what_is_gone_or_out_of_sight_needs_nothing_or_what_was_written() {
        let view = acls(&[("./A", Ok("Get=a&Replace=a")), (".", Ok(""))]);
        let exclusive = Ask { exclusive: true, ..ask(GET) };
        let (records, writes) = give(&view, &node("./A"), &exclusive, &NOBODY).unwrap();
        assert!(said(&view, &writes).contains("Get=b&Replace=a"));
        let unseen = acls(&[("./A", Err(425)), (".", Err(425))]);
        assert!(is_written(&unseen, &records[0], true) && !is_written(&unseen, &records[0], false));
        let (_, writes) = take(&unseen, &records, &exclusive, &NOBODY).unwrap();
        assert!(said(&unseen, &writes).contains("Get=a&Replace=a"));
        assert!(take(&unseen, &records, &ask(GET), &NOBODY).is_err(), "a shared one is not guessed");
        let gone = acls(&[("./A", Err(404))]);
        assert_eq!(take(&gone, &records, &exclusive, &NOBODY).map(|(_, writes)| writes), Ok(Vec::new()));
    }

    const MOID: &str = "urn:x-test:mo:1.0";
    const DAC: &str = "urn:oma:mo:oma-dm-dacmo:1.0/dac/urn:x-test:mo:1.0";

    /// A device of DM 2.0 with one instance; each group has a Path and its entries.
    fn entries(groups: &[(&str, &[(&str, u8)])]) -> View {
        let mut items = vec![json!({ "address": DAC, "interior": true })];
        for (number, (path, holders)) in groups.iter().enumerate() {
            let group = format!("{DAC}/i/{}", number + 1);
            if !path.is_empty() {
                items.push(json!({ "address": format!("{group}/Path"), "value": path }));
            }
            for (place, (maid, rights)) in holders.iter().enumerate() {
                let entry = format!("{group}/Permissions/{place}");
                items.push(json!({ "address": format!("{entry}/MAID"), "value": maid }));
                items.push(json!({ "address": format!("{entry}/AR"), "value": rights }));
            }
        }
        let address = "urn:oma:mo:oma-dm-dacmo:1.0//urn:x-test:mo:1.0";
        View::Entries(Entries::read([answer(address, Ok(json!(items)))].iter()))
    }

    #[test]
    fn access_rights_of_dm_2_are_given_by_whole_groups() {
        let view = entries(&[("", &[("serverid:a", 15), ("*", 1), ("appid:x", 2)])]);
        let ask = |rights| Ask { control: rights::DELEGATE, ..ask(rights) };
        let (records, writes) = give(&view, &node(&format!("{MOID}/i/P/n")), &ask(3), &NOBODY).unwrap();
        let told: Json = serde_json::from_str(&said(&view, &writes)).unwrap();
        assert_eq!(
            told[0]["ClientURI"], "urn:oma:mo:oma-dm-dacmo:1.0//urn:x-test:mo:1.0/i/2",
            "a group of its own"
        );
        let group = &told[0]["MOData"]["2"];
        assert_eq!(group["Path"], "/P/n");
        let entries_of = |group: &Json| -> Vec<(String, u64)> {
            let entries = group["Permissions"].as_object().unwrap().values();
            let entry = |it: &Json| (it["MAID"].as_str().unwrap().to_owned(), it["AR"].as_u64().unwrap());
            entries.map(entry).collect()
        };
        let all = |b: u64| {
            let of = |maid: &str, rights| (maid.to_owned(), rights);
            let b = (b > 0).then(|| of("serverid:b", b));
            [of("*", 1), of("serverid:a", 15), of("appid:x", 2)].into_iter().chain(b).collect::<Vec<_>>()
        };
        assert_eq!(entries_of(group), all(2), "Read is everybody's");
        let there = entries(&[
            ("", &[("serverid:a", 15), ("*", 1), ("appid:x", 2)]),
            ("/P/n", &[("serverid:a", 15), ("*", 1), ("appid:x", 2), ("b", 2)]),
        ]);
        assert!(is_written(&there, &records[0], false));
        let (_, writes) = take(&there, &records, &ask(3), &NOBODY).unwrap();
        let told: Json = serde_json::from_str(&said(&there, &writes)).unwrap();
        assert_eq!(entries_of(&told[0]["MOData"]["2"]), all(0));
        let weak = entries(&[("", &[("serverid:a", 7)])]);
        let refused = give(&weak, &node(&format!("{MOID}/i/")), &ask(1), &NOBODY);
        assert_eq!(refused.map(drop).map_err(|lack| lack.status), Err(Some(403)), "Delegate is missing");
    }

    #[test]
    fn groups_of_one_path_add_up_and_lose_together() {
        let view = entries(&[("", &[("a", 8)]), ("", &[("a", 7), ("b", 1)])]);
        let ask = Ask { control: rights::DELEGATE, ..ask(4) };
        let (records, writes) = give(&view, &node(&format!("{MOID}/i/")), &ask, &NOBODY).unwrap();
        assert_eq!(
            records[0].written,
            [("a".to_owned(), 15), ("b".to_owned(), 5)].into_iter().collect::<Statement>()
        );
        let told: Json = serde_json::from_str(&said(&view, &writes)).unwrap();
        assert_eq!(told.as_array().unwrap().len(), 2);
    }
}
