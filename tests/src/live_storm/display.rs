//! A display without a screen (Xvfb), so that the window can be there while nobody looks.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// A display; one that was started here ends with it.
#[derive(Debug)]
pub struct Display {
    /// As `DISPLAY` has it.
    pub name: String,
    server: Option<Child>,
}

impl Display {
    /// The one that there is, or one of its own by Xvfb; `None`: there is neither.
    pub fn find() -> Option<Display> {
        if let Some(name) = std::env::var("DISPLAY").ok().filter(|name| !name.is_empty()) {
            return Some(Display { name, server: None });
        }
        let mut server = Command::new("Xvfb")
            .args(["-displayfd", "1", "-screen", "0", "1600x1000x24", "-nolisten", "tcp"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let mut number = String::new();
        // It writes the number of its display once it takes clients.
        let told = server.stdout.take().map(|stdout| BufReader::new(stdout).read_line(&mut number));
        let display = Display { name: format!(":{}", number.trim()), server: Some(server) };
        (matches!(told, Some(Ok(1..))) && !number.trim().is_empty()).then_some(display)
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        if let Some(server) = &mut self.server {
            // It may have ended already.
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}
