//! Why the program ends, and with which code.

use std::fmt;
use std::process::ExitCode;

use broker::cluster::ClusterError;

/// One line for people, and the exit code for scripts.
#[derive(Debug)]
pub struct Failure {
    code: u8,
    text: String,
}

impl Failure {
    /// It did not work: exit code 1.
    pub fn failed(text: impl Into<String>) -> Failure {
        Failure { code: 1, text: text.into() }
    }

    /// It was called wrongly: exit code 2.
    pub fn usage(text: impl Into<String>) -> Failure {
        Failure { code: 2, text: text.into() }
    }

    /// The exit code.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<ClusterError> for Failure {
    fn from(error: ClusterError) -> Failure {
        match error {
            ClusterError::OutOfRange { .. } | ClusterError::Config(_) => Failure::usage(error.to_string()),
            _ => Failure::failed(error.to_string()),
        }
    }
}
