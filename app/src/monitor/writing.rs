//! Writes files that a person named: whole, or not at all. Everything here blocks, so it runs on threads of their own.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// Writes a file that is whole or not there: a file of that name is replaced at the end, in one step.
pub struct Writing {
    to: PathBuf,
    /// Beside the file that is meant, under a name that nobody has; gone if it is not put in place.
    part: BufWriter<NamedTempFile>,
}

impl Writing {
    /// Begins beside the file that is meant; through a link, beside what it leads to.
    ///
    /// # Errors
    /// The folder is not there, or may not be written to; the name is that of a folder or of a device.
    pub fn begin(path: &Path) -> io::Result<Writing> {
        let to = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        must_be_a_file(fs::metadata(&to).map(Some).or_else(absent)?.as_ref())?;
        let folder = to.parent().unwrap_or(Path::new("/"));
        let mut part = tempfile::Builder::new();
        part.prefix(".brokerscope-");
        // As any program would make it: the user's umask decides.
        #[cfg(unix)]
        part.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        Ok(Writing { part: BufWriter::new(part.tempfile_in(folder)?), to })
    }

    /// Puts it in place.
    ///
    /// # Errors
    /// What was written last could not be, or the name cannot be had.
    pub fn finish(self) -> io::Result<()> {
        let part = self.part.into_inner().map_err(io::IntoInnerError::into_error)?;
        part.as_file().sync_all()?;
        part.persist(&self.to).map(drop).map_err(|error| error.error)
    }
}

/// A name that nobody has yet is as good as a file's.
fn absent(error: io::Error) -> io::Result<Option<fs::Metadata>> {
    if error.kind() == io::ErrorKind::NotFound { Ok(None) } else { Err(error) }
}

/// Devices and pipes are left alone: replacing one would break it for others, and reading one might never end.
///
/// # Errors
/// It is a folder, a device or a pipe.
pub fn must_be_a_file(metadata: Option<&fs::Metadata>) -> io::Result<()> {
    match metadata {
        Some(known) if known.is_dir() => Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder")),
        Some(known) if !known.is_file() => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file")),
        _ => Ok(()),
    }
}

impl Write for Writing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.part.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.part.flush()
    }
}
