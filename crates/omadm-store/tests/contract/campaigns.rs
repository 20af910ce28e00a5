//! Commands that come from somewhere, and campaigns.

use omadm_store::{NewCommand, Origin, Store, StoreError};

use crate::support::*;

pub async fn many_commands_are_queued_or_none(store: &dyn Store) {
    let (a, b) = (enrolled(store, "a").await, enrolled(store, "b").await);
    let origin = Some(Origin::Profile { name: "base".to_owned(), version: 2 });
    let new = |device, number| NewCommand { origin: origin.clone(), ..new_command(device, number) };
    let queued = store.enqueue_many(vec![new(&a, 1), new(&b, 2), new(&a, 3)], 2, at(10)).await.unwrap();
    let order: Vec<_> = queued.iter().map(|command| (command.device.as_str(), command.seq)).collect();
    assert_eq!(order, [("a", 1), ("b", 1), ("a", 2)]);
    assert_eq!(store.command(id(3)).await.unwrap().unwrap().origin, origin);

    let error = store.enqueue_many(vec![new(&b, 4), new(&a, 5)], 2, at(11)).await.unwrap_err();
    assert!(matches!(&error, StoreError::QueueFull { device, limit: 2 } if device == "a"), "{error}");
    assert!(store.command(id(4)).await.unwrap().is_none(), "the first goes with the second");
    let error = store.enqueue_many(vec![new(&b, 4), new(&device("c"), 5)], 2, at(12)).await.unwrap_err();
    assert!(matches!(&error, StoreError::DeviceUnknown(name) if name == "c"), "{error}");
    assert_eq!(store.device(&b).await.unwrap().unwrap().open_commands, 1);
}
