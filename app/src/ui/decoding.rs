//! The record that is looked at, decoded: at once if it is short, else on a thread of its own, so that no value keeps a frame waiting.

use std::sync::Arc;

use crossbeam_channel::{Receiver, bounded};
use egui::Context;

use crate::monitor::messages::decode::{Codecs, Decoded};
use crate::monitor::messages::read::Seen;

/// Longer ones are decoded elsewhere, bytes.
const AT_ONCE_MAX: usize = 32 << 10;

/// Key and value.
pub type Both = Arc<(Option<Decoded>, Option<Decoded>)>;

/// Which record, decoded how.
type Which = (i32, i64, usize);

/// What was decoded last, or is being decoded.
#[derive(Debug, Default)]
pub struct Decoding {
    which: Option<Which>,
    done: Option<Both>,
    coming: Option<Receiver<Both>>,
}

impl Decoding {
    /// Key and value of a record; `None`: they are being decoded. Whether it is another record than before.
    pub fn of(&mut self, ctx: &Context, seen: &Arc<Seen>, codecs: &Arc<Codecs>) -> (Option<Both>, bool) {
        let which = (seen.partition, seen.offset, Arc::as_ptr(codecs) as usize);
        let is_other = self.which != Some(which);
        if is_other {
            *self = Decoding { which: Some(which), ..Decoding::default() };
            if seen.size_bytes() <= AT_ONCE_MAX {
                self.done = Some(decode(seen, codecs));
            } else {
                self.begin(ctx, seen, codecs);
            }
        }
        if let Some(done) = self.coming.as_ref().and_then(|coming| coming.try_recv().ok()) {
            self.done = Some(done);
            self.coming = None;
        }
        (self.done.clone(), is_other)
    }

    fn begin(&mut self, ctx: &Context, seen: &Arc<Seen>, codecs: &Arc<Codecs>) {
        let (sender, coming) = bounded(1);
        self.coming = Some(coming);
        let (ctx, seen, codecs) = (ctx.clone(), seen.clone(), codecs.clone());
        let run = move || {
            // Somebody may look at another one by now.
            let _ = sender.send(decode(&seen, &codecs));
            ctx.request_repaint();
        };
        // Without a thread the record stays as one that is being decoded.
        let _ = std::thread::Builder::new().name("decode".into()).spawn(run);
    }
}

fn decode(seen: &Seen, codecs: &Codecs) -> Both {
    Arc::new(codecs.read(&seen.topic, seen.key.as_deref(), seen.value.as_deref()))
}
