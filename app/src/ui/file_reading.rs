//! A text file that is read when somebody asks for it: what was known of it before does not count.

use std::path::PathBuf;
use std::sync::Arc;

use super::app::{Action, Scene};
use crate::monitor::command::Command;
use crate::monitor::inquiry::{Findings, Query};

/// The file that is being read, if any.
#[derive(Debug, Default)]
pub struct FileReading(Option<(PathBuf, Option<i64>)>);

impl FileReading {
    /// Reads it, anew if it was read before.
    pub fn ask(&mut self, scene: &Scene<'_>, path: PathBuf, actions: &mut Vec<Action>) {
        let query = Query::File(path.clone());
        let known = scene.model.inquiry(&query).and_then(|known| known.answer.as_ref());
        self.0 = Some((path, known.map(|(at_ms, _)| *at_ms)));
        actions.push(Action::Send(Command::Inquire(query)));
    }

    /// What stands in it, once, as soon as that is known; an error is a sentence.
    pub fn take(&mut self, scene: &Scene<'_>) -> Option<Result<Arc<str>, String>> {
        let (path, before) = self.0.as_ref()?;
        let (at_ms, answer) = scene.model.inquiry(&Query::File(path.clone()))?.answer.as_ref()?;
        if Some(*at_ms) == *before {
            return None;
        }
        self.0 = None;
        Some(match answer {
            Ok(findings) => match &**findings {
                Findings::File(text) => Ok(text.clone()),
                _ => Err("The file could not be read.".into()),
            },
            Err(why) => Err(why.clone()),
        })
    }
}
