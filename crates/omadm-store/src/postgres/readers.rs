//! Threads that read, each with a connection, fed from one queue.

use std::sync::Arc;

use super::connector::{Connector, Link};
use super::session::Trouble;
use crate::StoreError;
use crate::sql::queue::{Crew, Queue};

/// Starts `count` threads, at least one.
pub(super) fn start(connector: &Arc<Connector>, count: usize) -> Result<Crew, StoreError> {
    let mut crew = Crew::default();
    for _ in 0..count.max(1) {
        let link = Link::to_read(Arc::clone(connector));
        crew.hire(move |queue| serve(link, queue))?;
    }
    Ok(crew)
}

fn serve(mut link: Link, queue: &Queue) {
    while let Some(job) = queue.next() {
        let (conn, session) = match link.get() {
            Ok(found) => found,
            Err(error) => {
                job(Err(error));
                continue;
            }
        };
        job(Ok(conn));
        if session.take_trouble() == Some(Trouble::Lost) {
            link.lose();
        }
    }
}
