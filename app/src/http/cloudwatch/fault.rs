//! Errors as CloudWatch has them.

use axum::http::StatusCode;

use crate::monitor::cloudwatch::math::Senseless;
use crate::monitor::order::{Refusal, RefusalKind};

/// What went wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// Name of the exception in the service model.
    pub shape: &'static str,
    /// Its code in the query protocol.
    pub code: &'static str,
    /// 4xx: the caller's fault.
    pub status: StatusCode,
    /// One sentence.
    pub message: String,
}

impl Fault {
    fn new(shape: &'static str, code: &'static str, message: impl Into<String>) -> Fault {
        Fault { shape, code, status: StatusCode::BAD_REQUEST, message: message.into() }
    }

    /// A parameter has no such value.
    pub fn value(message: impl Into<String>) -> Fault {
        Fault::new("InvalidParameterValueException", "InvalidParameterValue", message)
    }

    /// A parameter is not there.
    pub fn missing(name: &str) -> Fault {
        let message = format!("The parameter {name} is required.");
        Fault::new("MissingRequiredParameterException", "MissingParameter", message)
    }

    /// Parameters do not go together.
    pub fn combination(message: impl Into<String>) -> Fault {
        Fault::new("InvalidParameterCombinationException", "InvalidParameterCombination", message)
    }

    /// What was asked for makes no sense, or is not there in this program.
    pub fn validation(message: impl Into<String>) -> Fault {
        Fault::new("ValidationError", "ValidationError", message)
    }

    /// Text that should be JSON.
    pub fn format(message: &str) -> Fault {
        Fault::new("InvalidFormatFault", "InvalidFormat", message)
    }

    /// A token that no answer gave.
    pub fn token() -> Fault {
        Fault::new("InvalidNextToken", "InvalidNextToken", "The next token is not one that was given.")
    }

    /// An operation that is not there.
    pub fn operation(name: &str) -> Fault {
        let name: String = name.chars().take(60).collect();
        let there = super::call::OPERATIONS.join(", ");
        Fault::new("InvalidAction", "InvalidAction", format!("There is no operation {name:?} here; there are {there}."))
    }

    /// A body that cannot be read.
    pub fn malformed(message: impl Into<String>) -> Fault {
        Fault::new("SerializationException", "MalformedInput", message)
    }

    /// A body that is too long or too late.
    pub fn body(status: StatusCode, message: impl Into<String>) -> Fault {
        Fault { status, ..Fault::malformed(message) }
    }

    /// What was named is not there.
    pub fn not_found(message: impl Into<String>) -> Fault {
        let fault = Fault::new("ResourceNotFoundException", "ResourceNotFoundException", message);
        Fault { status: StatusCode::NOT_FOUND, ..fault }
    }

    /// Our own fault.
    pub fn internal(message: impl Into<String>) -> Fault {
        let fault = Fault::new("InternalServiceFault", "InternalServiceError", message);
        Fault { status: StatusCode::INTERNAL_SERVER_ERROR, ..fault }
    }
}

impl From<Senseless> for Fault {
    fn from(senseless: Senseless) -> Fault {
        match senseless {
            Senseless::Expression(_) => Fault::validation(senseless.to_string()),
            Senseless::Missing(name) => Fault::missing(name),
        }
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Fault {
        match refusal.kind {
            RefusalKind::Invalid => Fault::validation(refusal.text),
            RefusalKind::NotFound => {
                let fault = Fault::new("ResourceNotFound", "ResourceNotFound", refusal.text);
                Fault { status: StatusCode::NOT_FOUND, ..fault }
            }
            RefusalKind::Conflict => Fault::new("LimitExceededFault", "LimitExceeded", refusal.text),
            RefusalKind::Failed => Fault::internal(refusal.text),
        }
    }
}
