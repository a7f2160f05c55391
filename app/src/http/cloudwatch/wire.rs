//! The three protocols: from the bytes of a request to its parameters, and from an answer to bytes.

use axum::body::Bytes;
use axum::http::header::{CONTENT_TYPE, HeaderName};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use minicbor::Decoder;
use minicbor::data::Type;
use serde_json::{Map, Value};

use super::fault::Fault;
use super::tree::{Tree, escape, text};

/// Structures within structures; CloudWatch's own go five deep.
const DEPTH_MAX: usize = 16;

/// Parameters of a form.
const PARAMETERS_MAX: usize = 20_000;

/// How a caller speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// AWS JSON 1.0.
    Json,
    /// Smithy RPC v2 CBOR.
    Cbor,
    /// A form, answered in XML.
    Query,
}

/// What was asked.
#[derive(Debug)]
pub struct Question {
    /// `ListMetrics`.
    pub operation: String,
    /// A structure.
    pub params: Value,
}

impl Protocol {
    /// By the content type; what is not known is taken for JSON, whose errors people can read.
    pub fn of(headers: &HeaderMap) -> Protocol {
        let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        match value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            "application/x-www-form-urlencoded" => Protocol::Query,
            "application/cbor" => Protocol::Cbor,
            _ => Protocol::Json,
        }
    }

    /// Reads a request; `operation` is the one of its path, if there is one.
    ///
    /// # Errors
    /// It cannot be read, or names no operation.
    pub fn read(self, operation: Option<String>, headers: &HeaderMap, body: &Bytes) -> Result<Question, Fault> {
        let malformed = |error: String| Fault::malformed(format!("The body cannot be read: {error}."));
        let target = headers.get("x-amz-target").and_then(|value| value.to_str().ok());
        let target = target.and_then(|target| target.rsplit_once('.')).map(|(_, operation)| operation.to_owned());
        let unnamed =
            || Fault::malformed("No operation is named: it stands in X-Amz-Target, in Action, or in the path.");
        match self {
            Protocol::Query => {
                let mut params = form(body)?;
                let action = params.as_object_mut().and_then(|params| params.remove("Action"));
                let operation = action.and_then(|action| action.as_str().map(str::to_owned)).ok_or_else(unnamed)?;
                Ok(Question { operation, params })
            }
            Protocol::Json => {
                let body: &[u8] = if body.is_empty() { b"{}" } else { body };
                let params = serde_json::from_slice(body).map_err(|error| malformed(error.to_string()))?;
                Ok(Question { operation: operation.or(target).ok_or_else(unnamed)?, params })
            }
            Protocol::Cbor => {
                let params = if body.is_empty() {
                    Value::Object(Map::new())
                } else {
                    plain(&mut Decoder::new(body), DEPTH_MAX).map_err(|error| malformed(error.to_string()))?
                };
                Ok(Question { operation: operation.or(target).ok_or_else(unnamed)?, params })
            }
        }
    }

    /// Writes an answer.
    pub fn write(self, operation: &str, answer: Result<Option<Tree>, Fault>) -> Response {
        let request_id = uuid::Uuid::new_v4().to_string();
        let mut response = match (self, &answer) {
            (Protocol::Query, _) => xml(operation, &request_id, &answer),
            (_, Ok(tree)) => self.body(StatusCode::OK, tree.as_ref().unwrap_or(&Tree::Struct(Vec::new()))),
            (_, Err(fault)) => {
                let message = fault.message.clone();
                let tree = Tree::Struct(vec![("__type", text(fault.shape)), ("message", text(message))]);
                self.body(fault.status, &tree)
            }
        };
        let headers = response.headers_mut();
        let mut set = |name: &'static str, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        };
        set("x-amzn-requestid", &request_id);
        if self == Protocol::Cbor {
            set("smithy-protocol", "rpc-v2-cbor");
        }
        if let Err(fault) = &answer {
            // Clients of the query protocol's time know errors by its codes.
            let blame = if fault.status.is_server_error() { "Receiver" } else { "Sender" };
            set("x-amzn-query-error", &format!("{};{blame}", fault.code));
        }
        response
    }

    fn body(self, status: StatusCode, tree: &Tree) -> Response {
        if self == Protocol::Cbor {
            return (status, [(CONTENT_TYPE, "application/cbor")], tree.cbor()).into_response();
        }
        (status, [(CONTENT_TYPE, "application/x-amz-json-1.0")], tree.json().to_string()).into_response()
    }
}

fn xml(operation: &str, request_id: &str, answer: &Result<Option<Tree>, Fault>) -> Response {
    const NAMESPACE: &str = "http://monitoring.amazonaws.com/doc/2010-08-01/";
    let mut body = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let status = match answer {
        Ok(tree) => {
            body.push_str(&format!("<{operation}Response xmlns=\"{NAMESPACE}\">"));
            if let Some(tree) = tree {
                body.push_str(&format!("<{operation}Result>"));
                tree.write_xml(&mut body);
                body.push_str(&format!("</{operation}Result>"));
            }
            body.push_str(&format!(
                "<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{operation}Response>"
            ));
            StatusCode::OK
        }
        Err(fault) => {
            let blame = if fault.status.is_server_error() { "Receiver" } else { "Sender" };
            body.push_str(&format!(
                "<ErrorResponse xmlns=\"{NAMESPACE}\"><Error><Type>{blame}</Type><Code>{}</Code><Message>",
                fault.code
            ));
            escape(&mut body, &fault.message);
            body.push_str(&format!("</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"));
            fault.status
        }
    };
    (status, [(CONTENT_TYPE, "text/xml")], body).into_response()
}

/// CBOR without what JSON does not have: tags fall away (1 marks a time in seconds), undefined is null.
fn plain(read: &mut Decoder<'_>, depth: usize) -> Result<Value, minicbor::decode::Error> {
    use minicbor::decode::Error;
    let depth = depth.checked_sub(1).ok_or_else(|| Error::message("structures stand too deep in each other"))?;
    Ok(match read.datatype()? {
        Type::Null => read.null().map(|()| Value::Null)?,
        Type::Undefined => read.undefined().map(|()| Value::Null)?,
        Type::Bool => Value::Bool(read.bool()?),
        Type::F32 => Value::from(f64::from(read.f32()?)),
        Type::F64 => Value::from(read.f64()?),
        Type::F16 => Value::from(half(read)?),
        Type::String => Value::String(read.str()?.to_owned()),
        Type::StringIndef => Value::String(read.str_iter()?.collect::<Result<String, _>>()?),
        Type::Tag => {
            read.tag()?;
            plain(read, depth)?
        }
        Type::Array | Type::ArrayIndef => {
            let mut left = read.array()?;
            let mut items = Vec::new();
            while has_next(read, &mut left)? {
                items.push(plain(read, depth)?);
            }
            Value::Array(items)
        }
        Type::Map | Type::MapIndef => {
            let mut left = read.map()?;
            let mut members = Map::new();
            while has_next(read, &mut left)? {
                let key = read.str()?.to_owned();
                members.insert(key, plain(read, depth)?);
            }
            Value::Object(members)
        }
        Type::Bytes | Type::BytesIndef | Type::Simple | Type::Break | Type::Unknown(_) => {
            return Err(Error::message("a value is of a kind that is not expected"));
        }
        // All that is left are whole numbers.
        _ => Value::from(read.i64()?),
    })
}

/// Whether an array or map goes on: by its length, or until it is broken off.
fn has_next(read: &mut Decoder<'_>, left: &mut Option<u64>) -> Result<bool, minicbor::decode::Error> {
    match left {
        Some(left) => {
            let has_next = *left > 0;
            *left = left.saturating_sub(1);
            Ok(has_next)
        }
        None if read.datatype()? == Type::Break => {
            read.skip()?;
            Ok(false)
        }
        None => Ok(true),
    }
}

/// A number of 16 bits, as RFC 8949, appendix D reads it.
fn half(read: &mut Decoder<'_>) -> Result<f64, minicbor::decode::Error> {
    let at = read.position();
    let bytes = read.input().get(at + 1..at + 3).ok_or_else(minicbor::decode::Error::end_of_input)?;
    let bits = u16::from_be_bytes([bytes[0], bytes[1]]);
    read.set_position(at + 3);
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f64::from(bits & 0x3ff));
    let size = match exponent {
        0 => fraction * 2f64.powi(-24),
        31 => return Err(minicbor::decode::Error::message("a number is not finite")),
        _ => (fraction + 1024.0) * 2f64.powi(exponent - 25),
    };
    Ok(if bits >> 15 == 1 { -size } else { size })
}

/// `Dimensions.member.1.Name=a` and its like, as structures and lists.
fn form(body: &[u8]) -> Result<Value, Fault> {
    let mut root = Value::Object(Map::new());
    for (index, (path, value)) in form_urlencoded::parse(body).enumerate() {
        if index >= PARAMETERS_MAX {
            return Err(Fault::malformed("The form has too many parameters."));
        }
        insert(&mut root, &path, value.into_owned())?;
    }
    lists(&mut root);
    Ok(root)
}

fn insert(root: &mut Value, path: &str, value: String) -> Result<(), Fault> {
    let clash = || {
        Fault::malformed(format!(
            "The parameter {:?} does not go with another.",
            path.chars().take(100).collect::<String>()
        ))
    };
    let parts: Vec<&str> = path.split('.').collect();
    if parts.len() > 2 * DEPTH_MAX {
        return Err(Fault::malformed("Structures stand too deep in each other."));
    }
    let mut at = root;
    for part in parts {
        let members = at.as_object_mut().ok_or_else(clash)?;
        at = members.entry(part).or_insert_with(|| Value::Object(Map::new()));
    }
    if at.as_object().is_none_or(|members| !members.is_empty()) {
        return Err(clash());
    }
    *at = Value::String(value);
    Ok(())
}

/// Makes lists of `{"member": {"1": …, "2": …}}`.
fn lists(value: &mut Value) {
    let Some(members) = value.as_object_mut() else { return };
    members.values_mut().for_each(lists);
    if members.len() != 1 {
        return;
    }
    let Some(Value::Object(items)) = members.get_mut("member") else { return };
    let mut numbered: Vec<(u32, Value)> =
        std::mem::take(items).into_iter().filter_map(|(number, item)| Some((number.parse().ok()?, item))).collect();
    numbered.sort_by_key(|(number, _)| *number);
    *value = Value::Array(numbered.into_iter().map(|(_, item)| item).collect());
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn forms_are_structures() {
        let body = "Action=GetMetricData&Version=2010-08-01&MetricDataQueries.member.2.Id=b&MetricDataQueries.member.1.Id=a\
                    &MetricDataQueries.member.1.MetricStat.Metric.Dimensions.member.1.Name=Broker%20ID\
                    &MetricDataQueries.member.10.Id=c&Empty=";
        let expected = json!({
            "Action": "GetMetricData",
            "Version": "2010-08-01",
            "Empty": "",
            "MetricDataQueries": [
                { "Id": "a", "MetricStat": { "Metric": { "Dimensions": [{ "Name": "Broker ID" }] } } },
                { "Id": "b" },
                { "Id": "c" },
            ],
        });
        assert_eq!(form(body.as_bytes()).unwrap(), expected);
        for clash in ["A=1&A.B=2", "A.B=2&A=1", "A=1&A=2"] {
            assert!(form(clash.as_bytes()).is_err(), "{clash}");
        }
        let deep = vec!["a"; 100].join(".");
        assert!(form(format!("{deep}=1").as_bytes()).is_err());
        let many = "a=1&".repeat(PARAMETERS_MAX + 1);
        assert!(form(many.as_bytes()).is_err());
    }

    #[test]
    fn cbor_is_read_and_garbage_is_refused() {
        // {"At": 1(1.5), "Many": [1, null, half 1.5, {_ "a": _"bc"}]}
        let mut bytes = vec![
            0xa2, 0x62, b'A', b't', 0xc1, 0xfb, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0, 0x64, b'M', b'a', b'n', b'y', 0x84, 0x01,
            0xf6,
        ];
        bytes.extend([0xf9, 0x3e, 0x00, 0xbf, 0x61, b'a', 0x7f, 0x61, b'b', 0x61, b'c', 0xff, 0xff]);
        let read = |bytes: Vec<u8>| Protocol::Cbor.read(Some("X".into()), &HeaderMap::new(), &bytes.into());
        assert_eq!(read(bytes).unwrap().params, json!({ "At": 1.5, "Many": [1, null, 1.5, { "a": "bc" }] }));
        let deep = [vec![0x81; 1_000], vec![0x00]].concat();
        for garbage in [
            vec![0xff],
            vec![0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            deep,
            vec![0xa1, 0x01, 0x02],
            vec![0x41, 0x00],
            vec![0xf9, 0x7c, 0],
            vec![0xf9, 0x7c],
        ] {
            assert!(read(garbage).is_err());
        }
    }

    #[test]
    fn json_names_its_operation_in_a_header() {
        let mut headers = HeaderMap::new();
        assert!(Protocol::Json.read(None, &headers, &Bytes::new()).is_err());
        headers.insert("x-amz-target", HeaderValue::from_static("GraniteServiceVersion20100801.ListMetrics"));
        assert_eq!(Protocol::Json.read(None, &headers, &Bytes::new()).unwrap().operation, "ListMetrics");
        assert!(Protocol::Json.read(None, &headers, &Bytes::from_static(b"{")).is_err());
    }
}
