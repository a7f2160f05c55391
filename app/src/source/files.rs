//! Files that a person named, written and read. Everything here blocks, so it runs on threads of its own.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::monitor::files::{Content, Save, TEXT_BYTES_MAX};
use crate::monitor::order::{Answer, Done, Refusal};

/// Writes a file that is whole or not there: a file of that name is replaced at the end, in one step.
pub struct Writing {
    to: PathBuf,
    part: PathBuf,
    file: Option<BufWriter<File>>,
}

impl Writing {
    /// Begins beside the file that is meant.
    ///
    /// # Errors
    /// The folder is not there, or may not be written to.
    pub fn begin(path: &Path) -> io::Result<Writing> {
        if path.is_dir() {
            return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder"));
        }
        let mut name = path.file_name().map(OsString::from).unwrap_or_default();
        name.push(".part");
        let part = path.with_file_name(name);
        let file = BufWriter::new(File::create(&part)?);
        Ok(Writing { to: path.to_path_buf(), part, file: Some(file) })
    }

    /// Puts it in place.
    ///
    /// # Errors
    /// What was written last could not be, or the name cannot be had.
    pub fn finish(mut self) -> io::Result<()> {
        if let Some(file) = self.file.take() {
            file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        }
        fs::rename(&self.part, &self.to)
    }
}

impl Write for Writing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.as_mut().map_or(Ok(bytes.len()), |file| file.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), BufWriter::flush)
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        // Gone already where it was put in place.
        let _ = fs::remove_file(&self.part);
    }
}

/// Writes what is asked for.
pub fn save(save: &Save) -> Answer {
    let written = Writing::begin(&save.path).and_then(|mut file| {
        file.write_all(save.content.encode().as_bytes())?;
        file.finish()
    });
    let path = save.path.display();
    match written {
        Ok(()) => {
            let what = match &save.content {
                Content::Text(_) => "Written".to_owned(),
                Content::Table(sheet, _) if sheet.rows.len() == 1 => "1 row written".to_owned(),
                Content::Table(sheet, _) => format!("{} rows written", sheet.rows.len()),
            };
            Ok(Done { id: None, text: format!("{what} to {path}.") })
        }
        Err(error) => Err(Refusal::failed(not_written(&save.path, &error))),
    }
}

/// One sentence.
pub fn not_written(path: &Path, error: &io::Error) -> String {
    format!("{} could not be written: {}.", path.display(), why(error))
}

/// The text of a file; an error is a sentence.
pub fn text(path: &Path) -> Result<Arc<str>, String> {
    let shown = path.display();
    let bytes = bytes(path, TEXT_BYTES_MAX)?;
    String::from_utf8(bytes).map(Arc::from).map_err(|_| format!("{shown} is no text."))
}

/// All of a file that is not longer than `most`; an error is a sentence.
pub fn bytes(path: &Path, most: u64) -> Result<Vec<u8>, String> {
    let shown = path.display();
    let read = || {
        let mut bytes = Vec::new();
        File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().map_err(|error| format!("{shown} could not be read: {}.", why(&error)))?;
    if bytes.len() as u64 > most {
        return Err(format!("{shown} is longer than {} KiB, and not read.", most >> 10));
    }
    Ok(bytes)
}

/// Without the number that the system adds.
fn why(error: &io::Error) -> String {
    let told = error.to_string();
    let words = told.split(" (os error").next().unwrap_or_default();
    let mut chars = words.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::files::{Sheet, SheetFormat};

    #[test]
    fn a_file_is_written_whole_and_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.csv");
        fs::write(&path, "before").unwrap();
        let sheet = Sheet { columns: vec!["a".into()], rows: vec![vec!["1".into()]], ..Sheet::default() };
        let content = Content::Table(sheet.into(), SheetFormat::Csv);
        let told = save(&Save { path: path.clone(), content }).unwrap().text;
        assert_eq!(told, format!("1 row written to {}.", path.display()));
        assert_eq!(&*text(&path).unwrap(), "a\r\n1\r\n");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside it");
        let mut begun = Writing::begin(&path).unwrap();
        begun.write_all(b"half").unwrap();
        drop(begun);
        assert_eq!(&*text(&path).unwrap(), "a\r\n1\r\n", "what was not finished changes nothing");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_cannot_be_is_told_in_a_sentence() {
        let dir = tempfile::tempdir().unwrap();
        let nowhere = dir.path().join("no/such");
        let refused = save(&Save { path: nowhere.clone(), content: Content::Text("x".into()) }).unwrap_err().text;
        assert_eq!(refused, format!("{} could not be written: no such file or directory.", nowhere.display()));
        let folder = save(&Save { path: dir.path().into(), content: Content::Text("x".into()) }).unwrap_err().text;
        assert!(folder.ends_with("it is a folder."), "{folder}");
        assert!(text(&nowhere).unwrap_err().ends_with("could not be read: no such file or directory."));
        let binary = dir.path().join("b");
        fs::write(&binary, b"\xff\xfe").unwrap();
        assert!(text(&binary).unwrap_err().ends_with("b is no text."));
        assert!(bytes(&binary, 1).unwrap_err().contains("is longer than"));
    }
}
