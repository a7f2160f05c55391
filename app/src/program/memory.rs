//! Memory that C libraries take (librdkafka, the graphics driver). Ours is mimalloc's, which gives back what is free; glibc keeps what each of
//! its arenas once needed: after an hour of faults, in which consumers caught up again and again, that was 450 MB.

use std::io;
use std::time::Duration;

/// Arenas that threads share: each keeps its own largest size.
const ARENAS_MAX: i32 = 2;

/// How often what is free is given back.
const GIVE_BACK_EVERY: Duration = Duration::from_secs(30);

/// Bounds it from now on, as long as the program runs. Elsewhere than on glibc nothing is to be done.
///
/// # Errors
/// There can be no more threads.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn bound() -> io::Result<()> {
    // SAFETY: both calls may be made by any thread at any time.
    #[expect(unsafe_code, reason = "the C library's own settings")]
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, ARENAS_MAX);
    }
    let give_back = || {
        loop {
            std::thread::park_timeout(GIVE_BACK_EVERY);
            #[expect(unsafe_code, reason = "the C library's own settings")]
            unsafe {
                libc::malloc_trim(0);
            }
        }
    };
    std::thread::Builder::new().name("memory".into()).spawn(give_back).map(drop)
}

/// Nothing is to be done.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn bound() -> io::Result<()> {
    Ok(())
}
