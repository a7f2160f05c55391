//! Java's properties syntax, and `KEY=VALUE` as on a command line.
//!
//! Source: `java.util.Properties.load`.

use std::collections::BTreeMap;

use super::ConfigError;

/// Reads a `.properties` file. Later lines win, as in Java.
pub fn parse_properties(text: &str) -> Result<BTreeMap<String, String>, ConfigError> {
    let mut entries = BTreeMap::new();
    let text = text.replace("\r\n", "\n");
    let mut lines = text.split(['\n', '\r']).enumerate();
    while let Some((number, line)) = lines.next() {
        let line = line.trim_start_matches(BLANKS);
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        let mut logical = line.to_owned();
        while ends_in_continuation(&logical) {
            logical.pop();
            let Some((_, next)) = lines.next() else { break };
            logical.push_str(next.trim_start_matches(BLANKS));
        }
        let (key, value) = split_entry(&logical);
        let unescaped = |part| unescape(part).map_err(|why| ConfigError::Syntax(format!("Line {}: {why}", number + 1)));
        entries.insert(unescaped(key)?, unescaped(value)?);
    }
    Ok(entries)
}

/// Reads `KEY=VALUE`.
pub fn parse_assignment(text: &str) -> Result<(String, String), ConfigError> {
    let error = || ConfigError::Syntax(format!("'{text}' is not KEY=VALUE"));
    let (key, value) = text.split_once('=').ok_or_else(error)?;
    let key = key.trim();
    if key.is_empty() {
        return Err(error());
    }
    Ok((key.to_owned(), value.trim().to_owned()))
}

const BLANKS: [char; 3] = [' ', '\t', '\x0c'];

fn ends_in_continuation(line: &str) -> bool {
    line.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

/// The key ends at the first unescaped `=`, `:` or blank; blanks and one `=` or `:` after it do not count.
fn split_entry(line: &str) -> (&str, &str) {
    let mut escaped = false;
    let end = line.find(|c: char| {
        let ends = !escaped && (c == '=' || c == ':' || BLANKS.contains(&c));
        escaped = !escaped && c == '\\';
        ends
    });
    let Some(end) = end else { return (line, "") };
    let (key, rest) = line.split_at(end);
    let rest = rest.trim_start_matches(BLANKS);
    let rest = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    (key, rest.trim_start_matches(BLANKS))
}

fn unescape(text: &str) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    // Java writes what lies beyond 16 bits as two \u escapes.
    let mut units: Vec<u16> = Vec::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let escape = if c == '\\' { chars.next() } else { None };
        if escape == Some('u') {
            let digits: String = chars.by_ref().take(4).collect();
            let valid = digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_hexdigit());
            let unit = u16::from_str_radix(&digits, 16).ok().filter(|_| valid);
            units.push(unit.ok_or_else(|| format!("'\\u{digits}' is not an escape of four hexadecimal digits"))?);
            continue;
        }
        flush_units(&mut units, &mut out)?;
        match (c, escape) {
            ('\\', None) => {}
            ('\\', Some('t')) => out.push('\t'),
            ('\\', Some('n')) => out.push('\n'),
            ('\\', Some('r')) => out.push('\r'),
            ('\\', Some('f')) => out.push('\x0c'),
            ('\\', Some(other)) => out.push(other),
            (plain, _) => out.push(plain),
        }
    }
    flush_units(&mut units, &mut out)?;
    Ok(out)
}

fn flush_units(units: &mut Vec<u16>, out: &mut String) -> Result<(), String> {
    if !units.is_empty() {
        out.push_str(&String::from_utf16(units).map_err(|_| "half a surrogate pair in \\u escapes".to_owned())?);
        units.clear();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_java_reads() {
        let text = "# comment\n! another\n\nlog.segment.bytes=1048576\r\n  num.partitions : 4\nkey value with blanks \n\
                    long = a,\\\n    b,\\\n    c\nescaped\\=key\\:\\ x=\\u00e9\\t\\\\\nempty\nlast=1\nlast=2\npair=\\ud83d\\ude00\nodd=x\\\\\\\n  y";
        let expected = [
            ("log.segment.bytes", "1048576"),
            ("num.partitions", "4"),
            ("key", "value with blanks "),
            ("long", "a,b,c"),
            ("escaped=key: x", "é\t\\"),
            ("empty", ""),
            ("last", "2"),
            ("pair", "😀"),
            ("odd", "x\\y"),
        ];
        let expected: BTreeMap<String, String> = expected.map(|(k, v)| (k.into(), v.into())).into();
        assert_eq!(parse_properties(text), Ok(expected));
    }

    #[test]
    fn says_what_is_wrong() {
        assert_eq!(
            parse_properties("a=1\nb=\\u12").unwrap_err().to_string(),
            "Line 2: '\\u12' is not an escape of four hexadecimal digits"
        );
        assert_eq!(parse_assignment("novalue").unwrap_err().to_string(), "'novalue' is not KEY=VALUE");
        assert_eq!(parse_assignment(" a = b=c "), Ok(("a".into(), "b=c".into())));
        assert!(parse_assignment("=x").is_err());
    }

    #[test]
    fn survives_anything() {
        for text in ["\\", "=\\", "\\u", "a\\ud83d", "\\\n\\\n\\", ":::", " \t", "\\u+123"] {
            let _ = parse_properties(text);
        }
    }
}
