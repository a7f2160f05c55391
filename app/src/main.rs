//! The program.

use std::process::ExitCode;

/// Buffers cross threads here (a connection's to a follower's): glibc's allocator takes forty times as long for that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    brokerscope::program::main()
}
