//! A broker or a controller as a thread.
