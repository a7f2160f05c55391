//! Whether a window can open here, and if not, why.

use std::path::{Path, PathBuf};

/// What X11 windows need at run time (they are opened by name, so that the program starts without them).
const X11_LIBRARIES: [&str; 5] =
    ["libX11.so.6", "libX11-xcb.so.1", "libXcursor.so.1", "libXi.so.6", "libxkbcommon-x11.so.0"];

/// What Wayland windows need.
const WAYLAND_LIBRARIES: [&str; 2] = ["libwayland-client.so.0", "libxkbcommon.so.0"];

/// Debian's packages of all of them, for the one line that says what to do.
const PACKAGES: &str = "libx11-6 libx11-xcb1 libxcursor1 libxi6 libxkbcommon-x11-0 libgl1";

/// Why no window can open; `None`: nothing speaks against it.
pub fn obstacle() -> Option<String> {
    if !cfg!(all(unix, not(target_vendor = "apple"))) {
        return None;
    }
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let (x11, wayland) = (set("DISPLAY"), set("WAYLAND_DISPLAY") || set("WAYLAND_SOCKET"));
    if !x11 && !wayland {
        return Some("there is no display (neither DISPLAY nor WAYLAND_DISPLAY is set)".into());
    }
    missing_libraries(x11, wayland, &Known::here()?)
}

/// One sentence that names what is missing for the window.
fn missing_libraries(x11: bool, wayland: bool, known: &Known) -> Option<String> {
    let missing = |names: &[&'static str]| -> Vec<&'static str> {
        names.iter().copied().filter(|name| !known.has(name)).collect()
    };
    let of_x11 = missing(&X11_LIBRARIES);
    let of_wayland = missing(&WAYLAND_LIBRARIES);
    let mut lacking = match (x11, wayland) {
        // Either will do.
        (true, true) if of_x11.is_empty() || of_wayland.is_empty() => Vec::new(),
        (true, _) => of_x11,
        (false, _) => of_wayland,
    };
    if !known.has("libGL.so.1") && !known.has("libEGL.so.1") {
        lacking.push("libGL.so.1");
    }
    (!lacking.is_empty()).then(|| {
        format!(
            "the window needs libraries that are not installed: {} (Debian, Ubuntu: apt install {PACKAGES})",
            lacking.join(", ")
        )
    })
}

/// Where the dynamic linker would look.
struct Known {
    cache: Vec<u8>,
    dirs: Vec<PathBuf>,
}

impl Known {
    /// `None` where the linker keeps no cache (NixOS, musl): then nothing is known, and trying is the only way.
    fn here() -> Option<Known> {
        let cache = std::fs::read("/etc/ld.so.cache").ok()?;
        let mut dirs: Vec<PathBuf> =
            std::env::var_os("LD_LIBRARY_PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default();
        dirs.extend(["/lib", "/usr/lib", "/lib64", "/usr/lib64"].map(PathBuf::from));
        Some(Known { cache, dirs })
    }

    fn has(&self, name: &str) -> bool {
        // The cache holds names as strings that end with a zero; a name also ends the path after it, so that a slash may come before.
        let wanted = [name.as_bytes(), b"\0"].concat();
        let in_cache = || self.cache.windows(wanted.len()).any(|window| window == wanted);
        self.dirs.iter().any(|dir: &PathBuf| Path::new(dir).join(name).exists()) || in_cache()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(names: &[&str]) -> Known {
        let cache = names.iter().flat_map(|name| format!("{name}\0/usr/lib/{name}\0").into_bytes()).collect();
        Known { cache, dirs: Vec::new() }
    }

    #[test]
    fn missing_libraries_are_named() {
        let all: Vec<&str> = X11_LIBRARIES.into_iter().chain(WAYLAND_LIBRARIES).chain(["libGL.so.1"]).collect();
        assert_eq!(missing_libraries(true, true, &known(&all)), None);
        let only_x11: Vec<&str> = X11_LIBRARIES.into_iter().chain(["libEGL.so.1"]).collect();
        assert_eq!(missing_libraries(true, true, &known(&only_x11)), None);
        assert!(missing_libraries(false, true, &known(&only_x11)).unwrap().contains("libwayland-client.so.0"));
        let without = |missing: &str| known(&all.iter().copied().filter(|name| *name != missing).collect::<Vec<_>>());
        for missing in ["libXcursor.so.1", "libGL.so.1"] {
            let sentence = missing_libraries(true, false, &without(missing)).unwrap();
            assert!(sentence.contains(&format!("installed: {missing} (")), "{sentence}");
        }
    }
}
