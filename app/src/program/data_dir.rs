//! Where the data lives: one program at a time.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use directories::ProjectDirs;

use super::failure::Failure;

/// Held for as long as the program runs; says in it who that is.
const LOCK_FILE: &str = "brokerscope.lock";

/// A data directory that is ours. Dropping it gives it back; a temporary one is removed.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    /// Closed before the directory is removed: fields are dropped in their order.
    _lock: File,
    _temporary: Option<tempfile::TempDir>,
}

impl DataDir {
    /// A temporary one.
    pub fn ephemeral() -> Result<DataDir, Failure> {
        let failed = |error| {
            Failure::failed(format!(
                "no temporary directory could be made: {error}; set TMPDIR to one that can be written"
            ))
        };
        let temporary = tempfile::Builder::new().prefix("brokerscope-").tempdir().map_err(failed)?;
        let path = temporary.path().to_path_buf();
        Ok(DataDir { _lock: lock(&path)?, path, _temporary: Some(temporary) })
    }

    /// The given one, or the platform's.
    pub fn lasting(given: Option<&Path>) -> Result<DataDir, Failure> {
        let path = match given {
            Some(path) => path.to_path_buf(),
            None => platform()?,
        };
        std::fs::create_dir_all(&path).map_err(|error| unusable(&path, &error.to_string()))?;
        // Logs of an absolute path stay where they are if somebody changes the working directory.
        let path = path.canonicalize().map_err(|error| unusable(&path, &error.to_string()))?;
        Ok(DataDir { _lock: lock(&path)?, path, _temporary: None })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn platform() -> Result<PathBuf, Failure> {
    let dirs = ProjectDirs::from("", "", "brokerscope");
    let missing = || Failure::failed("there is no home directory to keep data in; give --data-dir DIR or --ephemeral");
    Ok(dirs.ok_or_else(missing)?.data_dir().join("cluster"))
}

fn unusable(path: &Path, why: &str) -> Failure {
    Failure::failed(format!(
        "the data directory {} cannot be used: {why}; choose another with --data-dir, or use --ephemeral",
        path.display()
    ))
}

fn lock(dir: &Path) -> Result<File, Failure> {
    let path = dir.join(LOCK_FILE);
    let failed = |error: std::io::Error| unusable(dir, &error.to_string());
    let mut file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(in_use(dir, &mut file)),
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }
    let write = |file: &mut File| -> std::io::Result<()> {
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", std::process::id())
    };
    write(&mut file).map_err(failed)?;
    Ok(file)
}

fn in_use(dir: &Path, file: &mut File) -> Failure {
    let mut holder = String::new();
    // Who holds it is a courtesy; that it is held is certain.
    let _ = file.take(32).read_to_string(&mut holder);
    let holder = match holder.trim().parse::<u32>() {
        Ok(pid) => format!("process {pid}"),
        Err(_) => "another process".into(),
    };
    Failure::failed(format!(
        "{holder} (brokerscope) is using the data directory {}; stop it, or choose another with --data-dir or --ephemeral",
        dir.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_program_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/data");
        let held = DataDir::lasting(Some(&path)).unwrap();
        let refused = DataDir::lasting(Some(&path)).unwrap_err().to_string();
        assert!(refused.starts_with(&format!("process {} (brokerscope) is using", std::process::id())), "{refused}");
        drop(held);
        DataDir::lasting(Some(&path)).unwrap();
    }

    #[test]
    fn a_temporary_one_is_removed() {
        let dir = DataDir::ephemeral().unwrap();
        let path = dir.path().to_path_buf();
        std::fs::write(path.join("data"), b"x").unwrap();
        drop(dir);
        assert!(!path.exists());
    }

    #[test]
    fn a_file_is_no_directory() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let refused = DataDir::lasting(Some(file.path())).unwrap_err().to_string();
        assert!(refused.contains("cannot be used") && !refused.contains('\n'), "{refused}");
    }
}
