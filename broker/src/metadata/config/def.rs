//! What one config key is: its type, default, and which values it takes. Messages are Kafka's own, since clients show them.
//!
//! Source: `org.apache.kafka.common.config.ConfigDef`.

use std::fmt;

use super::ConfigError;

/// Type of a config's value.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Kind {
    /// `true` or `false`.
    Boolean,
    /// Text.
    String,
    /// 32 bits.
    Int,
    /// 16 bits.
    Short,
    /// 64 bits.
    Long,
    /// Floating point.
    Double,
    /// Texts separated by commas.
    List,
    /// Name of a Java class; for us a text.
    Class,
    /// A text that is never shown.
    Password,
}

impl Kind {
    /// Number of this type in DescribeConfigs (`DescribeConfigsResponse.ConfigType`).
    pub fn wire_id(self) -> i8 {
        match self {
            Kind::Boolean => 1,
            Kind::String => 2,
            Kind::Int => 3,
            Kind::Short => 4,
            Kind::Long => 5,
            Kind::Double => 6,
            Kind::List => 7,
            Kind::Class => 8,
            Kind::Password => 9,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Boolean => "BOOLEAN",
            Kind::String => "STRING",
            Kind::Int => "INT",
            Kind::Short => "SHORT",
            Kind::Long => "LONG",
            Kind::Double => "DOUBLE",
            Kind::List => "LIST",
            Kind::Class => "CLASS",
            Kind::Password => "PASSWORD",
        })
    }
}

/// How much a config matters to its reader.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Importance {
    /// Worth knowing.
    High,
    /// For tuning.
    Medium,
    /// For experts.
    Low,
}

/// How a config can change while the cluster runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Update {
    /// Only by a restart.
    ReadOnly,
    /// For all brokers alike, or for one.
    ClusterWide,
    /// For brokers, and only while the cluster runs: not by a file.
    DynamicOnly,
    /// For one broker.
    PerBroker,
    /// For one topic.
    PerTopic,
    /// For one group.
    PerGroup,
    /// For one client metrics subscription.
    PerSubscription,
}

/// Which values a config takes.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Check {
    /// All of its type.
    Any,
    /// Not less than this.
    AtLeast(i64),
    /// Both bounds included.
    Between(i64, i64),
    /// Both bounds included.
    BetweenFloat(f64, f64),
    /// One of these.
    OneOf(&'static [&'static str]),
    /// One of these in any case.
    OneOfIgnoringCase(&'static [&'static str]),
    /// A list of these.
    ListOf(&'static [&'static str]),
    /// A list; duplicates are dropped.
    Distinct,
    /// A list with one element at least.
    DistinctNonEmpty,
    /// A text with one character at least.
    NonEmpty,
    /// A text, perhaps empty.
    NonNull,
    /// 1 to 9, or -1.
    GzipLevel,
    /// `latest`, `earliest` or `by_duration:` and an ISO-8601 duration.
    OffsetReset,
    /// `*`, or a list of `partition:broker`.
    ThrottledReplicas,
}

/// One config key.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ConfigDef {
    /// Key.
    pub name: &'static str,
    /// Type.
    pub kind: Kind,
    /// Default as text; none where Kafka says null.
    pub default: Option<&'static str>,
    /// How much it matters.
    pub importance: Importance,
    /// How it can change.
    pub update: Update,
    /// Which values it takes.
    pub check: Check,
    /// Not shown to clients.
    pub internal: bool,
    /// Of a topic or group config: the broker configs that give its default, the decisive one first.
    pub broker_synonyms: &'static [&'static str],
}

pub(super) const fn def(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    importance: Importance,
    update: Update,
    check: Check,
) -> ConfigDef {
    let default = Some(default);
    ConfigDef { name, kind, default, importance, update, check, internal: false, broker_synonyms: &[] }
}

pub(super) const fn unset(
    name: &'static str,
    kind: Kind,
    importance: Importance,
    update: Update,
    check: Check,
) -> ConfigDef {
    ConfigDef { name, kind, default: None, importance, update, check, internal: false, broker_synonyms: &[] }
}

impl ConfigDef {
    pub(super) const fn internal(mut self) -> ConfigDef {
        self.internal = true;
        self
    }

    pub(super) const fn broker(mut self, synonyms: &'static [&'static str]) -> ConfigDef {
        self.broker_synonyms = synonyms;
        self
    }

    /// True for values that are never shown.
    pub fn sensitive(&self) -> bool {
        self.kind == Kind::Password
    }

    /// Whether this broker config can be set while the cluster runs: for one broker, or for all at once.
    pub fn is_dynamic(&self, for_one_broker: bool) -> bool {
        match self.update {
            Update::ClusterWide | Update::DynamicOnly => true,
            Update::PerBroker => for_one_broker,
            _ => false,
        }
    }

    /// The default as a value.
    pub fn default_value(&self) -> Value {
        self.default.and_then(|text| self.parse(text).ok()).unwrap_or(Value::Null)
    }

    /// Reads and checks a value. Blanks around it do not count, as in Kafka.
    pub fn parse(&self, text: &str) -> Result<Value, ConfigError> {
        let trimmed = text.trim();
        let value = match self.kind {
            Kind::Boolean if trimmed.eq_ignore_ascii_case("true") => Value::Bool(true),
            Kind::Boolean if trimmed.eq_ignore_ascii_case("false") => Value::Bool(false),
            Kind::Boolean => return Err(self.invalid(text, "Expected value to be either true or false".into())),
            Kind::Int => Value::Int(trimmed.parse::<i32>().map_err(|_| self.not_a_number(text))?.into()),
            Kind::Short => Value::Int(trimmed.parse::<i16>().map_err(|_| self.not_a_number(text))?.into()),
            Kind::Long => Value::Int(trimmed.parse::<i64>().map_err(|_| self.not_a_number(text))?),
            // Java reads "NaN", and finds it neither too small nor too large.
            Kind::Double => Value::Float(
                trimmed
                    .parse::<f64>()
                    .ok()
                    .filter(|v| v.is_finite() || trimmed == "NaN")
                    .ok_or_else(|| self.not_a_number(text))?,
            ),
            Kind::List => Value::List(split_list(trimmed)),
            Kind::String | Kind::Class => Value::Text(trimmed.to_owned()),
            Kind::Password => Value::Text(text.to_owned()),
        };
        self.check_value(text, value)
    }

    fn check_value(&self, text: &str, value: Value) -> Result<Value, ConfigError> {
        match (self.check, &value) {
            (Check::AtLeast(min), Value::Int(v)) => self.at_least(*v, min)?,
            (Check::Between(min, max), Value::Int(v)) => {
                self.at_least(*v, min)?;
                if *v > max {
                    return Err(self.invalid(&v.to_string(), format!("Value must be no more than {max}")));
                }
            }
            (Check::BetweenFloat(min, max), Value::Float(v)) => {
                if *v < min {
                    return Err(self.invalid(&format!("{v:?}"), format!("Value must be at least {min}")));
                }
                if *v > max {
                    return Err(self.invalid(&format!("{v:?}"), format!("Value must be no more than {max}")));
                }
            }
            (Check::GzipLevel, Value::Int(v)) if *v != -1 && !(1..=9).contains(v) => {
                return Err(self.invalid(&v.to_string(), "Value must be between 1 and 9 or equal to -1".to_owned()));
            }
            (Check::OneOf(names), Value::Text(v)) if !names.contains(&v.as_str()) => {
                return Err(self.invalid(v, format!("String must be one of: {}", names.join(", "))));
            }
            (Check::OneOfIgnoringCase(names), Value::Text(v))
                if !names.iter().any(|name| name.eq_ignore_ascii_case(v)) =>
            {
                let names = names.join(", ");
                return Err(self.invalid(v, format!("String must be one of (case insensitive): {names}")));
            }
            (Check::ListOf(names), Value::List(list)) => {
                if list.iter().any(String::is_empty) {
                    return Err(ConfigError::Conflict(format!(
                        "Configuration '{}' values must not be empty.",
                        self.name
                    )));
                }
                if let Some(other) = list.iter().find(|item| !names.contains(&item.as_str())) {
                    return Err(self.invalid(other, format!("String must be one of: {}", names.join(", "))));
                }
            }
            (Check::DistinctNonEmpty, Value::List(list)) if list.is_empty() => {
                return Err(self.invalid("[]", "must not be empty".to_owned()));
            }
            (Check::NonEmpty, Value::Text(v)) if v.is_empty() => {
                return Err(self.invalid(v, "String must be non-empty".to_owned()));
            }
            (Check::OffsetReset, Value::Text(v)) if !is_offset_reset(v) => {
                let why = format!(
                    "Invalid value `{v}` for configuration {}. The value must be either 'earliest', 'latest' or of the \
                     format 'by_duration:<PnDTnHnMn.nS>'.",
                    self.name
                );
                return Err(self.invalid(v, why));
            }
            (Check::ThrottledReplicas, Value::List(list)) if !is_throttled_replicas(list) => {
                let why = format!(
                    "{} must be the literal '*' or a list of replicas in the following format: \
                     [partitionId]:[brokerId],[partitionId]:[brokerId],...",
                    self.name
                );
                return Err(self.invalid(&format!("[{text}]"), why));
            }
            _ => {}
        }
        Ok(value)
    }

    fn at_least(&self, value: i64, min: i64) -> Result<(), ConfigError> {
        if value < min {
            return Err(self.invalid(&value.to_string(), format!("Value must be at least {min}")));
        }
        Ok(())
    }

    fn not_a_number(&self, text: &str) -> ConfigError {
        self.invalid(text, format!("Not a number of type {}", self.kind))
    }

    fn invalid(&self, text: &str, why: String) -> ConfigError {
        let value = if self.sensitive() { "[hidden]".to_owned() } else { text.chars().take(200).collect() };
        ConfigError::Invalid { key: self.name.to_owned(), value, why }
    }
}

/// A config's value, read and checked.
#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    /// Not set, and no default.
    Null,
    /// Boolean.
    Bool(bool),
    /// Short, int and long.
    Int(i64),
    /// Double.
    Float(f64),
    /// String, class and password.
    Text(String),
    /// List.
    List(Vec<String>),
}

impl Value {
    /// The value as Kafka prints it (`ConfigDef.convertToString`).
    pub fn to_text(&self) -> Option<String> {
        Some(match self {
            Value::Null => return None,
            Value::Bool(v) => v.to_string(),
            Value::Int(v) => v.to_string(),
            Value::Float(v) => format!("{v:?}").replace('e', "E"),
            Value::Text(v) => v.clone(),
            Value::List(v) => v.join(","),
        })
    }
}

fn split_list(text: &str) -> Vec<String> {
    let mut list: Vec<String> = Vec::new();
    if !text.is_empty() {
        for item in text.split(',').map(str::trim) {
            if !list.iter().any(|seen| seen == item) {
                list.push(item.to_owned());
            }
        }
    }
    list
}

fn is_offset_reset(text: &str) -> bool {
    text == "latest" || text == "earliest" || text.strip_prefix("by_duration:").is_some_and(|d| d.starts_with('P'))
}

fn is_throttled_replicas(list: &[String]) -> bool {
    if list.len() == 1 && list[0] == "*" {
        return true;
    }
    let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    list.iter().all(|item| item.split_once(':').is_some_and(|(p, b)| number(p) && number(b)))
}
