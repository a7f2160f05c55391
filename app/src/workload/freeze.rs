//! Whether a producer is to stand still with its transaction open, as in a long pause of its garbage collector; and that another has taken its
//! place meanwhile.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A stop is noticed within this time.
const STOP_CHECK: Duration = Duration::from_millis(100);

/// What is wanted of one producer, and how it is.
#[derive(Debug, Default)]
pub struct Freeze {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    is_wanted: bool,
    is_frozen: bool,
    /// Another producer of its transactional id was given an epoch of its own.
    is_fenced: bool,
    is_woken: bool,
}

impl Freeze {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It is to stand still as soon as it has a transaction open.
    pub fn want(&self) {
        self.lock().is_wanted = true;
    }

    /// Whether it is to.
    pub fn is_wanted(&self) -> bool {
        self.lock().is_wanted
    }

    /// Whether it stands still, or did.
    pub fn is_frozen(&self) -> bool {
        self.lock().is_frozen
    }

    /// Another has taken its place, and whatever it tries from now on is to be refused.
    pub fn fence(&self) {
        self.lock().is_fenced = true;
        self.changed.notify_all();
    }

    /// It is to go on; one that does not stand still yet no longer has to.
    pub fn wake(&self) {
        let mut state = self.lock();
        state.is_wanted &= state.is_frozen;
        state.is_woken = state.is_frozen;
        self.changed.notify_all();
    }

    /// The producer's own thread stands still from now on, if that is still wanted.
    pub fn begin(&self) -> bool {
        let mut state = self.lock();
        state.is_frozen |= state.is_wanted;
        state.is_frozen
    }

    /// Stands still until it is woken, and no shorter than until another has its place; false: it is to end.
    pub fn wait(&self, is_stopped: impl Fn() -> bool) -> bool {
        let mut state = self.lock();
        while !(state.is_woken && state.is_fenced) {
            if is_stopped() {
                return false;
            }
            let waited = self.changed.wait_timeout(state, STOP_CHECK);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_wakes_only_when_it_may_and_another_has_its_place() {
        let freeze = Freeze::default();
        assert!(!freeze.begin(), "nobody wants it");
        freeze.want();
        freeze.wake();
        assert!(!freeze.is_wanted() && !freeze.begin(), "it was taken back in time");
        freeze.want();
        assert!(freeze.begin() && freeze.is_frozen());
        freeze.wake();
        assert!(!freeze.wait(|| true), "nobody has its place");
        freeze.fence();
        assert!(freeze.wait(|| true));
        let stays = Freeze::default();
        stays.want();
        assert!(stays.begin());
        stays.fence();
        assert!(!stays.wait(|| true), "nobody woke it");
    }
}
