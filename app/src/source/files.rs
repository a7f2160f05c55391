//! Files that a person named, written and read. Everything here blocks, so it runs on threads of its own.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;

use crate::monitor::files::{Content, Save, TEXT_BYTES_MAX};
use crate::monitor::order::{Answer, Done, Refusal};
use crate::monitor::writing::{Writing, must_be_a_file};

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
        must_be_a_file(Some(&fs::metadata(path)?))?;
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
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        save(&Save { path: link.clone(), content: Content::Text("through".into()) }).unwrap();
        assert!(
            link.is_symlink() && &*text(&path).unwrap() == "through",
            "what a link leads to is replaced, not the link"
        );
        fs::remove_file(&link).unwrap();
        fs::write(&path, "a\r\n1\r\n").unwrap();
        let mut begun = Writing::begin(&path).unwrap();
        begun.write_all(b"half").unwrap();
        drop(begun);
        assert_eq!(&*text(&path).unwrap(), "a\r\n1\r\n", "what was not finished changes nothing");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_cannot_be_is_told_in_a_sentence() {
        let dir = tempfile::tempdir().unwrap();
        let device = save(&Save { path: "/dev/null".into(), content: Content::Text("x".into()) }).unwrap_err().text;
        assert!(device.ends_with("it is no regular file."), "{device}");
        assert!(text(Path::new("/dev/zero")).unwrap_err().ends_with("it is no regular file."));
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
