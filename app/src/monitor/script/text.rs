//! Scripts as YAML and JSON. Both are hostile until parsed: their parsers have bounds of their own, and what they give is checked.

use super::Script;

/// Longest script as text.
pub const TEXT_BYTES_MAX: usize = 1024 * 1024;

/// Why a text is no script, in one sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ScriptError(String);

impl Script {
    /// Reads YAML.
    ///
    /// # Errors
    /// It is too long, no YAML, or no script; with the line where that is known.
    pub fn from_yaml(text: &str) -> Result<Script, ScriptError> {
        check_length(text.len())?;
        let script: Script = serde_saphyr::from_str(text).map_err(|error| ScriptError(yaml_sentence(text, &error)))?;
        script.check().map_err(ScriptError)?;
        Ok(script)
    }

    /// Reads JSON.
    ///
    /// # Errors
    /// It is too long, no JSON, or no script.
    pub fn from_json(text: &[u8]) -> Result<Script, ScriptError> {
        check_length(text.len())?;
        let script: Script = serde_json::from_slice(text).map_err(|error| ScriptError(error.to_string()))?;
        script.check().map_err(ScriptError)?;
        Ok(script)
    }

    /// As YAML.
    ///
    /// # Errors
    /// Never, of a script that was checked.
    pub fn to_yaml(&self) -> Result<String, ScriptError> {
        serde_saphyr::to_string(self).map_err(|error| ScriptError(error.to_string()))
    }
}

fn check_length(bytes: usize) -> Result<(), ScriptError> {
    match bytes > TEXT_BYTES_MAX {
        true => Err(ScriptError(format!("a script has at most {TEXT_BYTES_MAX} bytes, not {bytes}"))),
        false => Ok(()),
    }
}

/// How much of a line is told.
const SHOWN_CHARS: usize = 60;

/// `line 4, column 3 (fault: {kin: kill}): unknown field …`: the parser's first line, with the place in front of it and not behind.
fn yaml_sentence(text: &str, error: &serde_saphyr::Error) -> String {
    let told = error.without_snippet().to_string();
    let first = told.lines().next().unwrap_or_default();
    let said = first.strip_prefix("error: ").unwrap_or(first);
    let Some(location) = error.location() else { return said.to_owned() };
    let place = format!("line {}, column {}", location.line(), location.column());
    let said = said.strip_prefix(&format!("{place}: ")).unwrap_or(said);
    let said = said.split(&format!(" at {place}")).next().unwrap_or(said);
    let index = usize::try_from(location.line()).unwrap_or(0).saturating_sub(1);
    let line: String = text.lines().nth(index).unwrap_or_default().trim().chars().take(SHOWN_CHARS).collect();
    format!("{place} ({line}): {said}")
}

#[cfg(test)]
mod tests {
    use super::super::storm::Storm;
    use super::super::{Expectation, Steady, Step};
    use super::*;
    use crate::monitor::fault::{End, FaultKind, FaultRequest};
    use crate::monitor::workload::WorkloadSpec;

    const SCRIPT: &str = r#"
# A leader dies, and a client loses sight of broker 2.
name: Two things at once
hypothesis: Producers go on, and nothing is lost.
workloads:
  - topic: orders
    rate_per_s: 500
steady:
  - leaders_everywhere: true
  - writes_per_s_at_least: 100
steps:
  - at_ms: 1000
    fault: {kind: kill, broker: 1, duration_ms: 5000}
  - at_ms: 2500
    fault:
      kind: cut
      from: clients
      to: 2
      both_ways: true
      duration_ms: 3000
storm:
  seed: 7
  kinds: [pause, delay]
expect:
  - writes_resume_within_ms: 2000
  - nothing_lost: true
"#;

    #[test]
    fn a_script_is_read_and_written_and_is_the_same() {
        let script = Script::from_yaml(SCRIPT).unwrap();
        assert_eq!(script.name, "Two things at once");
        assert_eq!(
            script.workloads,
            [WorkloadSpec { topic: "orders".into(), rate_per_s: 500, ..WorkloadSpec::default() }]
        );
        assert_eq!(script.steady, [Steady::LeadersEverywhere(true), Steady::WritesPerSAtLeast(100.0)]);
        let cut = FaultRequest {
            from: Some(End::Clients),
            to: Some(End::Node(2)),
            both_ways: Some(true),
            duration_ms: Some(3000),
            ..FaultRequest::new(FaultKind::Cut)
        };
        assert_eq!(script.steps[1], Step { at_ms: 2500, fault: cut });
        let storm = script.storm.clone().unwrap();
        assert_eq!(storm, Storm { seed: 7, kinds: vec![FaultKind::Pause, FaultKind::Delay], ..Storm::default() });
        assert_eq!(script.expect, [Expectation::WritesResumeWithinMs(2000), Expectation::NothingLost(true)]);
        let yaml = script.to_yaml().unwrap();
        assert_eq!(Script::from_yaml(&yaml).unwrap(), script, "{yaml}");
        let json = serde_json::to_vec(&script).unwrap();
        assert_eq!(Script::from_json(&json).unwrap(), script);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line_and_its_field() {
        for (text, expected) in [
            ("steps:\n  - at_ms: 5\n    fault: {kind: explode}\n", ["line 3", "explode"]),
            ("steps:\n  - at_ms: 5\n    fault: {kind: kill, brokr: 1}\n", ["line 3", "brokr"]),
            ("steps:\n  - at_ms: soon\n    fault: {kind: kill, broker: 1}\n", ["line 2", "soon"]),
            ("name: x\nstps: []\n", ["line 2", "stps"]),
            ("steps: [\n", ["line", ""]),
            ("name: nothing\n", ["steps", "storm"]),
            ("steps:\n- {at_ms: 999999999999, fault: {kind: kill, broker: 1}}\n", ["steps[0].at_ms", "86400000"]),
            ("storm: {seed: 1, rate_per_min: 0}\n", ["storm.rate_per_min", "0"]),
            ("storm: {seed: 1}\nexpect: [{writes_resume_within_ms: 0}]\n", ["expect[0]", "limit"]),
            ("storm: {seed: 1}\nsteady: [{lag_at_most: -1}]\n", ["steady[0].lag_at_most", "0"]),
        ] {
            let error = Script::from_yaml(text).unwrap_err().to_string();
            assert!(expected.iter().all(|part| error.contains(part)) && !error.contains('\n'), "{text}: {error}");
        }
        assert!(Script::from_yaml(&"#".repeat(TEXT_BYTES_MAX + 1)).unwrap_err().to_string().contains("at most"));
        assert!(Script::from_json(b"[]").is_err());
    }
}
