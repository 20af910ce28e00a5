//! Small messages: a value is delivered whole, or somebody is told why not.

use omadm_auth::dm1::Scheme;
use omadm_codec::dm1::Version;
use omadm_mo::Value;
use omadm_session::dm1::server::{Data, NodeContent, Task, Verdict};
use proptest::prelude::*;

use crate::host::{get, set};
use crate::scene::{Manner, Scene};

const SETTING: &str = "./box/one/Setting";

/// So few octets of a value are in the smallest part of it.
const LEAST: usize = 16;

/// The first message of the device, which does not know yet what the server takes.
const FIRST: u32 = 1_300;

fn limit() -> impl Strategy<Value = u32> {
    prop_oneof![3 => Just(1_024_u32), 4 => 1_024_u32..3_000, 1 => 3_000_u32..=64 << 10]
}

fn manner() -> impl Strategy<Value = Manner> {
    let schemes = vec![None, Some(Scheme::Sha256), Some(Scheme::MacSha256)];
    let scheme = move || prop::sample::select(schemes.clone());
    let version = prop::sample::select(vec![Version::Dm12, Version::Dm13]);
    (any::<bool>(), version, scheme(), scheme(), limit(), limit().prop_map(|most| most.max(FIRST)), limit())
        .prop_map(|(wbxml, version, client, server, device_max, server_max, max_reply)| Manner {
            wbxml,
            version,
            client,
            server,
            device_max,
            server_max,
            max_reply,
        })
}

/// Text of characters that take one octet, several, or several more as markup.
fn text() -> impl Strategy<Value = String> {
    let character = prop::sample::select(vec!["x", "<", "&", "]]>", "ü", "𝄞", "ab "]);
    (character, 0_usize..12_000).prop_map(|(character, length)| character.repeat(length / character.len()))
}

fn stored(scene: &Scene) -> String {
    let tree = scene.disk.boot();
    let path = ["box", "one", "Setting"];
    let node = path.iter().try_fold(tree.root(), |node, name| node.child(name)).unwrap();
    node.value().unwrap().to_text()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    #[test]
    fn a_value_arrives_whole_or_fails_with_a_reason(manner in manner(), value in text()) {
        let mut scene = Scene::new(vec![set(SETTING, &value), get(SETTING)], Vec::new(), Vec::new(), manner);
        scene.session();
        // The value goes there and comes back.
        let most = 20 + 2 * value.len() / LEAST;
        prop_assert!(scene.messages <= most, "{} messages for {} octets", scene.messages, value.len());
        prop_assert!(scene.host.queue.is_empty(), "{:?} {:?}", scene.host.queue, scene.outcomes);
        let set = scene.host.result(1);
        match &set.verdict {
            Verdict::Done(200) => prop_assert!(stored(&scene) == value),
            Verdict::Failed(413) => {
                let told = set.sentence.clone().unwrap_or_default();
                prop_assert!(told.contains("message"), "{told}");
                prop_assert_eq!(stored(&scene), "first");
            }
            other => prop_assert!(false, "{other:?}: {:?}", set.sentence),
        }
        let get = scene.host.result(2);
        match (&get.verdict, &get.data) {
            (Verdict::Done(200), Some(Data::Nodes(nodes))) => {
                let NodeContent::Value(Value::Text(read)) = &nodes[0].content else { panic!("{:?}", nodes[0]) };
                prop_assert!(*read == stored(&scene));
            }
            (Verdict::Failed(_), _) => prop_assert!(get.sentence.is_some()),
            other => prop_assert!(false, "{other:?}: {:?}", get.sentence),
        }
    }
}

fn narrow(tasks: Vec<Task>, max_reply: u32) -> Scene {
    let mut scene = Scene::new(tasks, Vec::new(), Vec::new(), Manner { max_reply, ..Manner::default() });
    scene.session();
    assert!(scene.host.queue.is_empty(), "{:?} {:?}", scene.host.queue, scene.outcomes);
    scene
}

/// It goes in parts of fewer octets than are worth a message if there is more room.
#[test]
fn what_is_long_as_markup_arrives_in_the_smallest_messages() {
    let value = "&".repeat(5_000);
    let scene = narrow(vec![set(SETTING, &value)], 1_024);
    assert_eq!((scene.verdict(1), stored(&scene)), (&Verdict::Done(200), value));
}

#[test]
fn what_has_no_room_beside_its_address_fails_with_the_bound_in_its_way() {
    let long = format!("{SETTING}/{}", "x".repeat(900));
    for value in ["", "short", &"long ".repeat(1_000)] {
        let scene = narrow(vec![set(&long, value), set(SETTING, "next")], 1_024);
        assert_eq!((scene.verdict(1), scene.verdict(2)), (&Verdict::Failed(413), &Verdict::Done(200)));
        let told = scene.host.result(1).sentence.clone().unwrap();
        assert!(told.contains("1024 octets at most") && told.contains("max_reply"), "{told}");
    }
}

/// More parts than the server takes answers of the device in one package would break off after many messages.
#[test]
fn what_takes_too_many_messages_is_not_begun() {
    let (few, many) = ("x".repeat(50_000), "x".repeat(500_000));
    let scene = narrow(vec![set(SETTING, &many), set(SETTING, &few)], 1_024);
    assert_eq!((scene.verdict(1), scene.verdict(2)), (&Verdict::Failed(413), &Verdict::Done(200)));
    assert_eq!(stored(&scene), few);
    assert!(scene.messages < 250, "{}", scene.messages);
}
