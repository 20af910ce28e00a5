//! Windows in the time zone of each device.

use std::collections::BTreeMap;

use omadm_store::{Annotation, FleetStore as _};

use super::*;

/// Devices that have begun, by number.
async fn begun(scene: &Scene) -> Vec<usize> {
    let mut begun = Vec::new();
    for number in 0..3 {
        let commands = scene.store.commands(&device(number), None, 10).await.unwrap();
        begun.extend((!commands.is_empty()).then_some(number));
    }
    begun
}

#[tokio::test]
async fn each_device_begins_when_the_window_opens_where_it_is() {
    let window = json!({ "from": "22:00", "to": "04:00", "zone": "UTC", "zone_label": "tz" });
    let scene = Scene::new(3, json!({ "window": window })).await;
    // The third one says nothing that is a zone: it has that of the campaign.
    for (number, zone) in ["Asia/Tokyo", "America/New_York", "Mars"].into_iter().enumerate() {
        let labels = BTreeMap::from([("tz".to_owned(), Some(zone.to_owned()))]);
        let annotation = Annotation { labels, ..Annotation::default() };
        assert!(scene.store.annotate(&device(number), annotation, 10, Vec::new(), BEGIN).await.unwrap());
    }
    // 22:00 is at 13:00 UTC in Tokyo, at 22:00 UTC by the campaign, and at 03:00 UTC in New York.
    let noon = Time("2027-01-15T12:00:00Z".parse::<jiff::Timestamp>().unwrap().as_microsecond());
    let hour = |hours: i64| noon.plus_micros(hours * 3_600 * SECOND);
    let opens = scene.go_on(noon).await;
    assert!(begun(&scene).await.is_empty());
    assert!(opens <= hour(1), "it looks again when the first window opens");
    for (time, all) in [(hour(1), vec![0]), (hour(10), vec![0, 2]), (hour(15), vec![0, 1, 2])] {
        scene.go_on(time).await;
        assert_eq!(begun(&scene).await, all);
    }
    let expires = scene.store.commands(&device(0), None, 1).await.unwrap()[0].expires;
    assert_eq!(expires, hour(7), "04:00 in Tokyo");
}
