//! N nodes in one process.
