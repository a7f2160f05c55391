//! Where the newest [`View`] lies for whoever wants to read it. Writing swaps a pointer; nobody waits for a reader.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use super::command::Notice;
use super::inquiry::{Findings, Query};
use super::ledger::LedgerView;
use super::logs::LogsView;
use super::messages::export::ExportView;
use super::messages::read::{MessagesView, ReadState};
use super::view::View;

/// Notices that wait for the window; older ones fall out, as there may be no window to read them.
const NOTICES_KEPT: usize = 64;

type Wake = Box<dyn Fn() + Send>;

/// A shared place for the newest view. Clones share it.
#[derive(Clone, Default)]
pub struct ViewSlot {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    view: RwLock<View>,
    notices: Mutex<VecDeque<Notice>>,
    wake: Mutex<Option<Wake>>,
    /// 0: there is no window, or it has painted nothing yet.
    frames: AtomicU64,
}

impl ViewSlot {
    /// The newest view, without notices.
    pub fn latest(&self) -> View {
        self.inner.view.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The newest view with the notices that arrived since the last call. For the window: there is one reader of notices.
    pub fn take(&self) -> View {
        let mut view = self.latest();
        view.notices = locked(&self.inner.notices).drain(..).collect();
        view
    }

    /// The newest view with copies of the notices that wait for the window.
    pub fn awaited(&self) -> View {
        let mut view = self.latest();
        view.notices = locked(&self.inner.notices).iter().cloned().collect();
        view
    }

    /// Called, from the threads of the monitor and of the logs, whenever there is something new. It must be quick.
    pub fn on_change(&self, wake: impl Fn() + Send + 'static) {
        *locked(&self.inner.wake) = Some(Box::new(wake));
    }

    /// Puts a new view in place, but for what has threads of its own, and wakes the reader.
    pub fn publish(&self, view: View) {
        let mut known = self.inner.view.write().unwrap_or_else(PoisonError::into_inner);
        let (logs, inquiries) = (std::mem::take(&mut known.logs), std::mem::take(&mut known.inquiries));
        let messages = std::mem::take(&mut known.messages);
        let export = std::mem::take(&mut known.export);
        let ledger = std::mem::take(&mut known.ledger);
        *known = View { logs, inquiries, messages, export, ledger, ..view };
        drop(known);
        self.wake();
    }

    /// Puts new logs into the view, whose other parts have a thread of their own, and wakes the reader.
    pub fn publish_logs(&self, logs: LogsView) {
        self.inner.view.write().unwrap_or_else(PoisonError::into_inner).logs = logs;
        self.wake();
    }

    /// Puts what was read of a topic into the view, and wakes the reader.
    pub fn publish_messages(&self, messages: MessagesView) {
        let mut known = self.inner.view.write().unwrap_or_else(PoisonError::into_inner);
        let generation = known.messages.generation + 1;
        known.messages = MessagesView { generation, ..messages };
        drop(known);
        self.wake();
    }

    /// Puts what the ledger says into the view, and wakes the reader.
    pub fn publish_ledger(&self, ledger: LedgerView) {
        let mut known = self.inner.view.write().unwrap_or_else(PoisonError::into_inner);
        let generation = known.ledger.generation + 1;
        known.ledger = LedgerView { generation, ..ledger };
        drop(known);
        self.wake();
    }

    /// Tells how far a file of records is.
    pub fn publish_export(&self, export: ExportView) {
        let mut known = self.inner.view.write().unwrap_or_else(PoisonError::into_inner);
        let generation = known.export.generation + 1;
        known.export = ExportView { generation, ..export };
        drop(known);
        self.wake();
    }

    /// Nobody reads a topic any more.
    pub fn end_messages(&self) {
        let mut known = self.inner.view.write().unwrap_or_else(PoisonError::into_inner);
        if known.messages.is_under_way() {
            known.messages.state = ReadState::Done;
            known.messages.generation += 1;
        }
        drop(known);
        self.wake();
    }

    /// Notes that somebody asks. False: the answer is on its way already.
    pub fn ask(&self, query: &Query) -> bool {
        let is_news = self.inner.view.write().unwrap_or_else(PoisonError::into_inner).inquiries.ask(query);
        self.wake();
        is_news
    }

    /// Puts an answer to a question into the view, and wakes the reader.
    pub fn answer(&self, query: &Query, at_ms: i64, answer: Result<Arc<Findings>, String>) {
        self.inner.view.write().unwrap_or_else(PoisonError::into_inner).inquiries.answer(query, at_ms, answer);
        self.wake();
    }

    /// Adds an answer for the window and wakes it.
    pub fn notify(&self, notice: Notice) {
        let mut notices = locked(&self.inner.notices);
        if notices.len() == NOTICES_KEPT {
            notices.pop_front();
        }
        notices.push_back(notice);
        drop(notices);
        self.wake();
    }

    /// The window has painted so many frames.
    pub fn tell_frames(&self, frames: u64) {
        self.inner.frames.store(frames, Ordering::Relaxed);
    }

    /// Frames that the window has painted; `None`: there is no window, or it has painted nothing yet.
    pub fn frames(&self) -> Option<u64> {
        Some(self.inner.frames.load(Ordering::Relaxed)).filter(|frames| *frames > 0)
    }

    fn wake(&self) {
        if let Some(wake) = locked(&self.inner.wake).as_ref() {
            wake();
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    #[test]
    fn logs_and_the_rest_are_published_apart() {
        let slot = ViewSlot::default();
        let logs = LogsView::default();
        slot.publish_logs(logs.clone());
        slot.publish(View::default());
        assert!(slot.latest().logs.is_same(&logs));
    }

    #[test]
    fn notices_are_taken_once_and_bounded() {
        let slot = ViewSlot::default();
        let woken = Arc::new(AtomicUsize::new(0));
        let counter = woken.clone();
        slot.on_change(move || {
            counter.fetch_add(1, Ordering::Relaxed);
        });
        for number in 0..100 {
            slot.notify(Notice { ok: true, text: number.to_string() });
        }
        assert_eq!(woken.load(Ordering::Relaxed), 100);
        assert!(slot.latest().notices.is_empty());
        assert_eq!(slot.awaited().notices.len(), NOTICES_KEPT);
        let taken = slot.take().notices;
        assert_eq!(taken.len(), NOTICES_KEPT);
        assert_eq!(taken[NOTICES_KEPT - 1].text, "99");
        assert!(slot.take().notices.is_empty());
    }
}
