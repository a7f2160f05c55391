//! Wakes the window when there is something new for what it shows, and lets it rest otherwise.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::monitor::slot::ViewSlot;
use crate::monitor::view::View;
use crate::ui::news::{News, Shown, Watch};

/// News is painted at most this often.
const FRAME_EVERY: Duration = Duration::from_millis(100);

/// Where nothing but time goes on, this often: ages are told in steps of it.
const TIME_EVERY: Duration = Duration::from_secs(8);

/// A frame that takes longer is none: the window is hidden, and is asked to paint as before, should it be there again.
const HIDDEN_AFTER: Duration = Duration::from_secs(1);

/// Shared by the window and by whoever publishes views.
#[derive(Clone)]
pub struct Waker {
    slot: ViewSlot,
    ctx: egui::Context,
    seen: Arc<Mutex<Seen>>,
}

/// What the window shows, and when the last frame began.
struct Seen {
    watch: Watch,
    began: Instant,
}

impl Waker {
    /// Wakes `ctx` for what appears in `slot`.
    pub fn new(slot: ViewSlot, ctx: &egui::Context) -> Waker {
        let seen = Arc::new(Mutex::new(Seen { watch: Watch::default(), began: Instant::now() }));
        let waker = Waker { slot, ctx: ctx.clone(), seen };
        let woken = waker.clone();
        waker.slot.on_change(move || woken.wake());
        waker
    }

    /// A frame is being made of `view`.
    pub fn begin(&self, view: &View) {
        let mut seen = self.lock();
        seen.watch.begin(view);
        seen.began = Instant::now();
    }

    /// It was made. What came meanwhile woke nobody.
    pub fn show(&self, shown: Shown) {
        self.lock().watch.show(shown);
        self.wake();
    }

    fn wake(&self) {
        let view = self.slot.awaited();
        let (watch, passed) = {
            let seen = self.lock();
            (seen.watch.clone(), seen.began.elapsed())
        };
        // Views are compared, and let go, without the lock: the window never waits for that.
        if let Some(wait) = wait(watch.news(&view), passed) {
            if wait.is_zero() { self.ctx.request_repaint() } else { self.ctx.request_repaint_after(wait) }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        // Each change leaves it whole.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long the window waits for its next frame, which is the last one's time after it began; `None`: until there is more.
fn wait(news: Option<News>, passed: Duration) -> Option<Duration> {
    // What is asked for at once is painted twice, so that sizes settle; values that only change need no second frame.
    const SOON: Duration = Duration::from_millis(1);
    match news {
        Some(News::None) => None,
        Some(News::Happened) => Some(FRAME_EVERY.saturating_sub(passed)),
        Some(News::Measured) => Some(FRAME_EVERY.saturating_sub(passed).max(SOON)),
        Some(News::Time) => Some(TIME_EVERY.saturating_sub(passed).max(SOON)),
        None => (passed > HIDDEN_AFTER).then_some(SOON),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::command::Notice;
    use crate::ui::Screen;
    use crate::ui::fixture;
    use crate::ui::news::Pace;

    #[test]
    fn the_window_waits_for_as_long_as_its_news_may() {
        let ms = Duration::from_millis;
        for (news, passed, expected) in [
            (Some(News::None), ms(60_000), None),
            (Some(News::Happened), ms(30), Some(ms(70))),
            (Some(News::Happened), ms(300), Some(ms(0))),
            (Some(News::Measured), ms(30), Some(ms(70))),
            (Some(News::Measured), ms(300), Some(ms(1))),
            (Some(News::Time), ms(300), Some(ms(7_700))),
            (Some(News::Time), ms(60_000), Some(ms(1))),
            (None, ms(20), None),
            (None, ms(2_000), Some(ms(1))),
        ] {
            assert_eq!(wait(news, passed), expected, "{news:?} after {passed:?}");
        }
    }

    #[test]
    fn an_equal_view_asks_for_no_frame_and_a_notice_does() {
        let (slot, ctx) = (ViewSlot::default(), egui::Context::default());
        let asked = Arc::new(Mutex::new(0));
        let count = asked.clone();
        ctx.set_request_repaint_callback(move |_| *count.lock().unwrap() += 1);
        let asked = move || std::mem::take(&mut *asked.lock().unwrap());
        let view = fixture::healthy();
        slot.publish(view.clone());
        let waker = Waker::new(slot.clone(), &ctx);
        let taken = slot.take();
        waker.begin(&taken);
        waker.show(Shown { screen: Screen::Start, view: taken, pace: Pace::Screen });
        slot.publish(view);
        assert_eq!(asked(), 0, "it is the same");
        slot.notify(Notice { ok: true, text: "Done.".into() });
        assert_eq!(asked(), 1);
    }
}
