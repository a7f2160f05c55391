//! The levels of this broker's loggers, as configs of the resource BROKER_LOGGER: described, checked and set by the broker alone. They end
//! with it, as in Kafka.
//!
//! KIP-412. Source: `kafka.server.logger.RuntimeLoggerManager`, `kafka.server.ConfigHelper`; errors and messages as there.

use super::config_changes::{Change, Refusal, Resource, invalid};
use super::endpoints::text;
use crate::controller::AlterOp;
use crate::logging::{Level, LevelError, Logger, NodeLog};
use crate::metadata::config::{NodeConfig, RESOURCE_BROKER_LOGGER};
use crate::protocol::ErrorCode;
use crate::protocol::messages::describe_configs_response::DescribeConfigsResourceResult;

/// `DescribeConfigsResponse.ConfigSource.DYNAMIC_BROKER_LOGGER_CONFIG`.
const SOURCE: i8 = 6;

/// All loggers with the levels in force; none of a node that is silent.
pub(super) fn describe(log: &NodeLog) -> Vec<DescribeConfigsResourceResult> {
    let Some(levels) = log.levels() else { return Vec::new() };
    let described = Logger::ALL.iter().map(|logger| {
        DescribeConfigsResourceResult::default()
            .with_name(text(logger.name()))
            .with_value(Some(text(levels.of(*logger).name())))
            .with_config_source(SOURCE)
            .with_documentation(Some(text("")))
    });
    described.collect()
}

/// What this broker refuses to do with its loggers.
pub(super) fn check(config: &NodeConfig, resource: &Resource<'_>) -> Result<(), Refusal> {
    let name = resource.name.as_str();
    let not_a_number = |_| invalid(format!("Node id must be an integer, but it is: {name}"));
    let id: i32 = name.parse().map_err(not_a_number)?;
    if id != config.node_id {
        return Err(invalid(format!("Unexpected node id. Expected {}, but received {id}", config.node_id)));
    }
    resource.changes.iter().try_for_each(|change| asked(&config.log, change).map(|_| ()))
}

/// Does what was checked.
pub(super) fn apply(config: &NodeConfig, resources: &[Resource<'_>], is_refused: impl Fn(usize) -> bool) {
    let accepted = resources.iter().enumerate().filter(|(index, _)| !is_refused(*index));
    let loggers = accepted.filter(|(_, resource)| resource.kind == RESOURCE_BROKER_LOGGER);
    for change in loggers.flat_map(|(_, resource)| &resource.changes) {
        let (Some(levels), Ok((logger, level))) = (config.log.levels(), asked(&config.log, change)) else { continue };
        if levels.set(logger, level).is_ok() {
            let name = logger.name();
            config.log.warn(Logger::RuntimeLoggerManager, || match level {
                Some(level) => format!("The level of {name} is {level} now."),
                None => format!("{name} has no level of its own any more."),
            });
        }
    }
}

fn asked(log: &NodeLog, change: &Change<'_>) -> Result<(Logger, Option<Level>), Refusal> {
    let name = change.key;
    let number = change.operation.unwrap_or(-1);
    let existing = || {
        let logger = Logger::of(name).filter(|_| log.levels().is_some());
        logger.ok_or_else(|| (ErrorCode::InvalidConfig, LevelError::UnknownLogger(name.into()).to_string()))
    };
    match AlterOp::of(number) {
        Some(AlterOp::Set) => {
            let (logger, given) = (existing()?, change.value.unwrap_or(""));
            let level = Level::of(given).ok_or_else(|| {
                let known = "DEBUG, ERROR, FATAL, INFO, TRACE, WARN";
                let message = format!(
                    "Cannot set the log level of {name} to {given} as it is not a supported log level. Valid log levels are {known}"
                );
                (ErrorCode::InvalidConfig, message)
            })?;
            Ok((logger, Some(level)))
        }
        Some(AlterOp::Delete) => match existing()? {
            Logger::Root => Err(invalid(LevelError::Root.to_string())),
            logger => Ok((logger, None)),
        },
        Some(op) => Err(invalid(format!("{} operation is not allowed for the BROKER_LOGGER resource", op.name()))),
        // Kafka looks up what it does not know and fails inside, before it could say so.
        None => Err((ErrorCode::UnknownServerError, String::new())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> (NodeConfig, crossbeam_channel::Receiver<crate::logging::LogLine>) {
        let (taker, lines) = crossbeam_channel::bounded(16);
        let config = NodeConfig::new(1, "c", std::collections::BTreeMap::new()).unwrap();
        (config.with_log(NodeLog::new(1, taker, || 0)), lines)
    }

    fn altered(config: &NodeConfig, changes: &[(&str, i8, Option<&str>)]) -> Result<(), Refusal> {
        let changes =
            changes.iter().map(|(key, operation, value)| Change { key, operation: Some(*operation), value: *value });
        let name = text("1");
        let resource = Resource { kind: RESOURCE_BROKER_LOGGER, name: &name, changes: changes.collect() };
        check(config, &resource)?;
        apply(config, &[resource], |_| false);
        Ok(())
    }

    fn level(config: &NodeConfig, name: &str) -> String {
        let described = describe(&config.log);
        let one = described.iter().find(|one| one.name.as_str() == name).unwrap();
        assert_eq!((one.config_source, one.read_only, one.is_sensitive), (6, false, false));
        one.value.as_ref().unwrap().as_str().to_owned()
    }

    #[test]
    fn levels_are_set_and_taken_away() {
        let (config, lines) = config();
        assert_eq!(level(&config, "kafka.server.KafkaApis"), "INFO");
        altered(&config, &[("kafka", 0, Some("DEBUG")), ("state.change.logger", 0, Some("FATAL"))]).unwrap();
        assert_eq!(level(&config, "kafka.server.KafkaApis"), "DEBUG");
        assert_eq!(level(&config, "kafka.request.logger"), "WARN");
        altered(&config, &[("kafka", 1, None)]).unwrap();
        assert_eq!(level(&config, "kafka"), "INFO");
        assert_eq!(level(&config, "state.change.logger"), "FATAL");
        assert_eq!(lines.try_iter().count(), 3);
    }

    #[test]
    fn what_is_refused_changes_nothing() {
        let (config, _lines) = config();
        for (changes, error, message) in [
            (
                &[("kafka", 0, Some("DEBUG")), ("no.such", 0, Some("INFO"))][..],
                ErrorCode::InvalidConfig,
                "Logger no.such does not exist!",
            ),
            (&[("no.such", 1, None)], ErrorCode::InvalidConfig, "Logger no.such does not exist!"),
            (
                &[("kafka", 0, Some("debug"))],
                ErrorCode::InvalidConfig,
                "Cannot set the log level of kafka to debug as it is not a supported log level. Valid log levels are DEBUG, ERROR, FATAL, INFO, TRACE, WARN",
            ),
            (
                &[("root", 1, None)],
                ErrorCode::InvalidRequest,
                "Removing the log level of the root logger is not allowed",
            ),
            (
                &[("kafka", 2, Some("INFO"))],
                ErrorCode::InvalidRequest,
                "APPEND operation is not allowed for the BROKER_LOGGER resource",
            ),
            (&[("kafka", 9, Some("INFO"))], ErrorCode::UnknownServerError, ""),
        ] {
            assert_eq!(altered(&config, changes), Err((error, message.to_owned())));
            assert_eq!(level(&config, "kafka"), "INFO");
        }
    }
}
