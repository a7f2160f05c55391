//! What stands behind the window.

use crate::monitor::command::Command;
use crate::monitor::view::View;

/// Where views come from and commands go to. The implementation wakes the window (`egui::Context::request_repaint`) when there is news,
/// at most some ten times a second: the window itself never polls.
pub trait Backend {
    /// The newest view. Never blocks: it clones a few `Arc`s and drains the notices that arrived since the last call.
    fn view(&mut self) -> View;

    /// Sends a command on its way. Never blocks; if it cannot be sent, that comes back as a notice.
    fn send(&mut self, command: Command);
}
