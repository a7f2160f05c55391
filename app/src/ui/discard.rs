//! Where old views go: freeing all that is in one (tens of thousands of partitions, series and readings) takes longer than a frame may, so that
//! a thread of its own does it.

use crossbeam_channel::{Sender, bounded};

use crate::monitor::view::View;

/// What comes in one or two seconds: where more waits, this machine is out of breath.
const WAITING_MAX: usize = 16;

/// Takes what is no longer wanted. Its thread ends with it.
#[derive(Debug, Default)]
pub struct Discard {
    thread: Option<Sender<View>>,
}

impl Discard {
    /// Lets a view go, at some time, elsewhere; here and now only where the thread does not keep up or there is none.
    pub fn put(&mut self, view: View) {
        let sender = self.thread.get_or_insert_with(|| {
            let (sender, views) = bounded(WAITING_MAX);
            let builder = std::thread::Builder::new().name("discard".into());
            // Without a thread nobody receives, and what is sent comes back at once.
            let _ = builder.spawn(move || views.into_iter().for_each(drop));
            sender
        });
        drop(sender.try_send(view));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn what_is_put_there_is_let_go() {
        let mut discard = Discard::default();
        let view = View::default();
        let snapshot = Arc::downgrade(&view.snapshot);
        discard.put(view);
        // Whatever still waits goes before the thread ends.
        drop(discard);
        while snapshot.strong_count() > 0 {
            std::thread::yield_now();
        }
    }
}
