//! The record that is looked at, decoded: at once if it is short, else on a thread of its own, so that no value keeps a frame waiting.

use std::sync::Arc;

use crossbeam_channel::{Receiver, TryRecvError, bounded};
use egui::Context;

use crate::monitor::messages::decode::{Codecs, Decoded};
use crate::monitor::messages::read::Seen;

/// Longer ones are decoded elsewhere, bytes.
pub const AT_ONCE_MAX: usize = 32 << 10;

/// Key and value.
pub type Both = Arc<(Option<Decoded>, Option<Decoded>)>;

/// Which record, decoded how.
type Which = (i32, i64, usize);

/// How far it is.
#[derive(Clone, Debug, Default)]
pub enum Progress {
    /// It is being decoded.
    #[default]
    Under,
    /// Key and value.
    Done(Both),
    /// It will not be decoded; the bytes are there all the same.
    Failed,
}

/// What was decoded last, or is being decoded.
#[derive(Debug, Default)]
pub struct Decoding {
    which: Option<Which>,
    progress: Progress,
    coming: Option<Receiver<Both>>,
}

impl Decoding {
    /// Key and value of a record. Whether it is another record than before.
    pub fn of(&mut self, ctx: &Context, seen: &Arc<Seen>, codecs: &Arc<Codecs>) -> (Progress, bool) {
        let which = (seen.partition, seen.offset, Arc::as_ptr(codecs) as usize);
        let is_other = self.which != Some(which);
        if is_other {
            *self = Decoding { which: Some(which), ..Decoding::default() };
            if seen.size_bytes() <= AT_ONCE_MAX {
                self.progress = Progress::Done(decode(seen, codecs));
            } else {
                self.begin(ctx, seen, codecs);
            }
        }
        match self.coming.as_ref().map(Receiver::try_recv) {
            Some(Ok(done)) => self.come(Progress::Done(done)),
            // There is no thread, or it ended without an answer.
            Some(Err(TryRecvError::Disconnected)) => self.come(Progress::Failed),
            Some(Err(TryRecvError::Empty)) | None => {}
        }
        (self.progress.clone(), is_other)
    }

    fn come(&mut self, progress: Progress) {
        self.progress = progress;
        self.coming = None;
    }

    fn begin(&mut self, ctx: &Context, seen: &Arc<Seen>, codecs: &Arc<Codecs>) {
        let (sender, coming) = bounded(1);
        self.coming = Some(coming);
        let (repaint, seen, codecs) = (Repaint(ctx.clone()), seen.clone(), codecs.clone());
        let run = move || {
            // Dropped after the sender, however this ends.
            let _repaint = repaint;
            let sender = sender;
            // Somebody may look at another one by now.
            let _ = sender.send(decode(&seen, &codecs));
        };
        // Without a thread the sender is gone, which tells it.
        let _ = std::thread::Builder::new().name("decode".into()).spawn(run);
    }
}

/// Has the window painted once more when it is dropped.
struct Repaint(Context);

impl Drop for Repaint {
    fn drop(&mut self) {
        self.0.request_repaint();
    }
}

fn decode(seen: &Seen, codecs: &Codecs) -> Both {
    Arc::new(codecs.read(&seen.topic, seen.key.as_deref(), seen.value.as_deref()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::messages::decode::Decoders;
    use crate::monitor::messages::test_message;

    #[test]
    fn what_ends_without_an_answer_is_said_to_have_failed() {
        let ctx = Context::default();
        let codecs = Arc::new(Codecs::open(&Decoders::default()).unwrap());
        let long = format!("{{\"a\": \"{}\"}}", "x".repeat(AT_ONCE_MAX));
        let seen = Arc::new(Seen::new(test_message(long.as_bytes()), &codecs));
        let mut decoding = Decoding::default();
        assert!(decoding.of(&ctx, &seen, &codecs).1);
        let (sender, coming) = bounded(1);
        decoding.come(Progress::Under);
        decoding.coming = Some(coming);
        assert!(matches!(decoding.of(&ctx, &seen, &codecs), (Progress::Under, false)));
        drop(sender);
        assert!(matches!(decoding.of(&ctx, &seen, &codecs), (Progress::Failed, false)));
    }
}
