//! The file that says that the cluster takes writes. It appears whole or not at all.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::failure::Failure;

/// A ready file; removed when the program ends.
#[derive(Debug)]
pub struct ReadyFile {
    path: PathBuf,
    /// What was written, once it was.
    written: Option<String>,
}

impl ReadyFile {
    /// Removes what an earlier run left, so that nobody takes it for ours.
    pub fn prepare(path: &Path) -> Result<ReadyFile, Failure> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(unwritable(path, &error)),
            _ => Ok(ReadyFile { path: path.to_path_buf(), written: None }),
        }
    }

    /// Writes it.
    pub fn write(&mut self, bootstrap_servers: &str, http: &str) -> Result<(), Failure> {
        let content = json!({ "bootstrap_servers": bootstrap_servers, "http": http, "pid": std::process::id() });
        let content = format!("{content}\n");
        let dir = self.path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let write = || -> std::io::Result<()> {
            let mut file = tempfile::NamedTempFile::new_in(dir)?;
            file.write_all(content.as_bytes())?;
            file.persist(&self.path)?;
            Ok(())
        };
        write().map_err(|error| unwritable(&self.path, &error))?;
        self.written = Some(content);
        Ok(())
    }
}

impl Drop for ReadyFile {
    fn drop(&mut self) {
        let is_ours = |content: &String| std::fs::read_to_string(&self.path).is_ok_and(|found| found == *content);
        // The next run may have written its own already.
        if self.written.as_ref().is_some_and(is_ours) {
            // It may have been removed by whoever waited for it.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::failed(format!("--ready-file {} cannot be written: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_lives_as_long_as_the_cluster() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ready.json");
        std::fs::write(&path, "stale").unwrap();
        let mut file = ReadyFile::prepare(&path).unwrap();
        assert!(!path.exists());
        file.write("127.0.0.1:9092", "http://127.0.0.1:11001").unwrap();
        let content: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let expected = json!({ "bootstrap_servers": "127.0.0.1:9092", "http": "http://127.0.0.1:11001", "pid": std::process::id() });
        assert_eq!(content, expected);
        drop(file);
        assert!(!path.exists());
        let mut file = ReadyFile::prepare(&path).unwrap();
        file.write("a", "b").unwrap();
        std::fs::write(&path, "of the next run").unwrap();
        drop(file);
        assert!(path.exists());
    }

    #[test]
    fn a_missing_directory_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = ReadyFile::prepare(&dir.path().join("missing/ready.json")).unwrap();
        let error = file.write("a", "b").unwrap_err().to_string();
        assert!(error.contains("missing/ready.json") && !error.contains('\n'), "{error}");
    }
}
