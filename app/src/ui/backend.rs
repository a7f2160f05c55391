//! What stands behind the window.

use super::news::Shown;
use crate::monitor::command::{Command, Notice};
use crate::monitor::order::Orders;
use crate::monitor::slot::ViewSlot;
use crate::monitor::view::View;

/// Where views come from and commands go to. The implementation wakes the window (`egui::Context::request_repaint`) when there is news,
/// at most some ten times a second: the window itself never polls.
pub trait Backend {
    /// The newest view. Never blocks: it clones a few `Arc`s and drains the notices that arrived since the last call.
    fn view(&mut self) -> View;

    /// Sends a command on its way. Never blocks; if it cannot be sent, that comes back as a notice.
    fn send(&mut self, command: Command);

    /// This is painted now: until there is news for it, nobody needs to wake the window. Never blocks.
    fn shows(&mut self, shown: Shown) {
        drop(shown);
    }
}

/// The monitor's slot and desk as a backend. Whoever makes it also calls [`ViewSlot::on_change`] to wake the window.
pub struct Live {
    slot: ViewSlot,
    orders: Orders,
    refused: Vec<Notice>,
}

impl Live {
    /// Views come from `slot`, commands go to `orders`.
    pub fn new(slot: ViewSlot, orders: Orders) -> Live {
        Live { slot, orders, refused: Vec::new() }
    }
}

impl Backend for Live {
    fn view(&mut self) -> View {
        let mut view = self.slot.take();
        view.notices.append(&mut self.refused);
        view
    }

    fn send(&mut self, command: Command) {
        if !self.orders.send(command) {
            let text = "Too many commands are waiting; try again in a moment.".to_owned();
            self.refused.push(Notice { ok: false, text });
        }
    }
}
