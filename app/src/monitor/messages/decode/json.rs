//! JSON (RFC 8259) into a tree, with numbers as they were written and without recursion.

use super::tree::{Builder, Enough, Tree, What};
use super::{Fault, fault};

/// Reads a value that fills `bytes`.
pub fn read(bytes: &[u8], nodes_max: usize) -> Result<Tree, Fault> {
    let mut reader = Reader { bytes, at: 0, out: Builder::new(nodes_max), open: Vec::new() };
    match reader.value() {
        Ok(()) => {
            reader.space();
            if reader.at < bytes.len() {
                return Err(fault("JSON", reader.at, "something follows the value"));
            }
        }
        Err(Stop::Enough) => {}
        Err(Stop::Fault(fault)) => return Err(fault),
    }
    Ok(reader.out.finish())
}

enum Stop {
    Enough,
    Fault(Fault),
}

impl From<Enough> for Stop {
    fn from(_: Enough) -> Stop {
        Stop::Enough
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    out: Builder,
    /// Whether each open bracket is an object's.
    open: Vec<bool>,
}

impl Reader<'_> {
    fn wrong<T>(&self, why: &'static str) -> Result<T, Stop> {
        Err(Stop::Fault(fault("JSON", self.at, why)))
    }

    fn space(&mut self) {
        while self.bytes.get(self.at).is_some_and(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn next(&mut self) -> Option<u8> {
        self.space();
        self.bytes.get(self.at).copied()
    }

    fn value(&mut self) -> Result<(), Stop> {
        loop {
            match self.next() {
                Some(b'{') => {
                    self.at += 1;
                    self.out.object()?;
                    self.open.push(true);
                    if self.next() != Some(b'}') {
                        self.field()?;
                        continue;
                    }
                }
                Some(b'[') => {
                    self.at += 1;
                    self.out.list()?;
                    self.open.push(false);
                    if self.next() != Some(b']') {
                        continue;
                    }
                }
                Some(_) => self.leaf()?,
                None => return self.wrong("it ends too early"),
            }
            if self.after()? {
                return Ok(());
            }
        }
    }

    /// Closes what is complete, and goes to the next value. True: that was the whole.
    fn after(&mut self) -> Result<bool, Stop> {
        while let Some(is_object) = self.open.last().copied() {
            match (self.next(), is_object) {
                (Some(b','), true) => {
                    self.at += 1;
                    self.field()?;
                    return Ok(false);
                }
                (Some(b','), false) => {
                    self.at += 1;
                    return Ok(false);
                }
                (Some(b'}'), true) | (Some(b']'), false) => {
                    self.at += 1;
                    self.open.pop();
                    self.out.end();
                }
                (None, _) => return self.wrong("it ends too early"),
                _ => return self.wrong("a comma or a bracket is missing"),
            }
        }
        Ok(true)
    }

    fn field(&mut self) -> Result<(), Stop> {
        if self.next() != Some(b'"') {
            return self.wrong("a field needs a name in quotes");
        }
        let name = self.string()?;
        if self.next() != Some(b':') {
            return self.wrong("a colon is missing");
        }
        self.at += 1;
        self.out.name(&name);
        Ok(())
    }

    fn leaf(&mut self) -> Result<(), Stop> {
        let rest = &self.bytes[self.at..];
        if rest[0] == b'"' {
            let text = self.string()?;
            self.out.text(&text)?;
            return Ok(());
        }
        for (word, what) in [("true", What::Bool(true)), ("false", What::Bool(false)), ("null", What::Null)] {
            if rest.starts_with(word.as_bytes()) {
                self.at += word.len();
                self.out.leaf(what)?;
                return Ok(());
            }
        }
        let len = rest.iter().take_while(|byte| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')).count();
        let number = std::str::from_utf8(&rest[..len]).unwrap_or_default();
        // The library knows exactly what a number is.
        if len == 0 || serde_json::from_str::<serde_json::Number>(number).is_err() {
            return self.wrong("there is no value");
        }
        self.at += len;
        self.out.number(number)?;
        Ok(())
    }

    fn string(&mut self) -> Result<String, Stop> {
        let start = self.at;
        let mut end = start + 1;
        loop {
            match self.bytes.get(end) {
                Some(b'"') => break,
                Some(b'\\') => end += 2,
                Some(_) => end += 1,
                None => return self.wrong("a text does not end"),
            }
        }
        let quoted = &self.bytes[start..=end];
        match serde_json::from_slice::<String>(quoted) {
            Ok(text) => {
                self.at = end + 1;
                Ok(text)
            }
            Err(_) => self.wrong("a text is broken"),
        }
    }
}
