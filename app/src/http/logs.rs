//! The nodes' logs: lines, levels of loggers, and where they are delivered to.

use std::path::PathBuf;

use axum::Json;
use axum::extract::{RawQuery, Request, State};
use axum::response::{IntoResponse, Response};
use broker::logging::{Level, Logger};
use broker::types::NodeId;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::json;

use super::changes::{carry_out, json_of, shown};
use super::problem::Problem;
use super::server::Sources;
use crate::monitor::command::Command;
use crate::monitor::logs::Wish;
use crate::monitor::logs::levels::NodeLevels;
use crate::monitor::logs::ring::LogLines;
use crate::monitor::logs::search::{Filter, Search};

/// Lines in an answer, where nothing else is asked for.
const LIMIT: usize = 1_000;

/// More lines are not given at once.
const LIMIT_MAX: usize = 10_000;

/// What is asked for, one value each.
#[derive(Debug)]
struct Asked {
    after: Option<u64>,
    filter: Filter,
    limit: usize,
}

fn number<T: std::str::FromStr>(text: &str, otherwise: &str) -> Result<T, Problem> {
    text.parse().map_err(|_| Problem::bad_request(otherwise))
}

fn level_of(text: &str) -> Result<Level, Problem> {
    let names = Level::ALL.map(Level::name).join(", ");
    Level::of(text)
        .ok_or_else(|| Problem::bad_request(format!("There is no level {}: there are {names}.", shown(text))))
}

/// The pairs of a query; what is empty is as if it were not there.
fn pairs(query: Option<&str>) -> Vec<(String, String)> {
    let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned();
    pairs.filter(|(_, value)| !value.is_empty()).collect()
}

fn unknown(name: &str, known: &str) -> Problem {
    Problem::bad_request(format!("There is no parameter {}: there are {known}.", shown(name)))
}

impl Asked {
    fn read(query: Option<&str>) -> Result<Asked, Problem> {
        let (mut after, mut node, mut least, mut logger) = (None, None, Level::Trace, None);
        let (mut search, mut limit) = (Search::default(), LIMIT);
        for (name, value) in pairs(query) {
            match name.as_str() {
                "after" => after = Some(number(&value, "after is the number of a line: a number from 0.")?),
                "node" => node = Some(number::<NodeId>(&value, "node is the id of a broker or a controller.")?),
                "level" => least = level_of(&value)?,
                "logger" => {
                    let known = Logger::of(&value);
                    let missing = || Problem::bad_request(format!("There is no logger {}.", shown(&value)));
                    logger = Some(known.ok_or_else(missing)?);
                }
                "contains" => search = Search::phrase(&value).map_err(Problem::bad_request)?,
                "limit" => {
                    let otherwise = format!("limit is a number from 1 to {LIMIT_MAX}.");
                    limit = number(&value, &otherwise)?;
                    if !(1..=LIMIT_MAX).contains(&limit) {
                        return Err(Problem::bad_request(otherwise));
                    }
                }
                other => return Err(unknown(other, "after, node, level, logger, contains and limit")),
            }
        }
        Ok(Asked { after, filter: Filter::new(node, least, logger, search), limit })
    }

    fn answer(&self, lines: &LogLines) -> Response {
        match self.after {
            Some(after) => {
                let from = lines.from(after.saturating_add(1));
                let found: Vec<_> = from.filter(|entry| self.filter.matches(entry)).take(self.limit).collect();
                Json(found).into_response()
            }
            None => {
                let newest = lines.before(u64::MAX).filter(|entry| self.filter.matches(entry));
                let mut found: Vec<_> = newest.take(self.limit).collect();
                found.reverse();
                Json(found).into_response()
            }
        }
    }
}

/// `GET /api/logs`: lines after a number, or else the newest; the oldest first.
pub async fn lines(State(sources): State<Sources>, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    Ok(Asked::read(query.as_deref())?.answer(&sources.slot.latest().logs.lines))
}

#[derive(Serialize)]
struct OfNode {
    node: NodeId,
    loggers: Vec<OneLogger>,
}

#[derive(Serialize)]
struct OneLogger {
    logger: &'static str,
    level: Level,
    is_own: bool,
    file: &'static str,
    what: &'static str,
}

fn of_node(node: NodeId, levels: &NodeLevels) -> OfNode {
    let loggers = Logger::ALL.iter().zip(levels.iter()).map(|(logger, level)| OneLogger {
        logger: logger.name(),
        level: level.level,
        is_own: level.is_own,
        file: logger.file().name(),
        what: logger.what(),
    });
    OfNode { node, loggers: loggers.collect() }
}

/// `GET /api/loggers`: of all nodes that run, or of one.
pub async fn loggers(State(sources): State<Sources>, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let mut wanted = None;
    for (name, value) in pairs(query.as_deref()) {
        match name.as_str() {
            "node" => wanted = Some(number::<NodeId>(&value, "node is the id of a broker or a controller.")?),
            other => return Err(unknown(other, "node")),
        }
    }
    let levels = sources.slot.latest().logs.levels;
    if let Some(id) = wanted.filter(|id| !levels.contains_key(id)) {
        return Err(Problem::not_found(format!("There is no node {id} that runs.")));
    }
    let chosen = levels.iter().filter(|(id, _)| wanted.is_none_or(|wanted| wanted == **id));
    Ok(Json(chosen.map(|(id, levels)| of_node(*id, levels)).collect::<Vec<_>>()).into_response())
}

/// A value that must be said, if only as null.
fn said<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    Option::deserialize(deserializer)
}

/// `{"node":1,"logger":"kafka","level":"DEBUG"}`; without a node, of all; null: as the next logger above.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LevelWish {
    #[serde(default)]
    node: Option<NodeId>,
    logger: String,
    #[serde(deserialize_with = "said")]
    level: Option<String>,
}

/// `PUT /api/loggers`.
pub async fn set_level(State(sources): State<Sources>, request: Request) -> Result<Response, Problem> {
    let LevelWish { node, logger, level } = json_of(request).await?;
    let level = level.as_deref().map(level_of).transpose()?;
    let done = carry_out(&sources, Command::Logs(Wish::SetLevel { node, logger, level })).await?;
    Ok(Json(json!({ "message": done.text })).into_response())
}

/// `GET /api/log-delivery`.
pub async fn delivery(State(sources): State<Sources>) -> Response {
    Json(&sources.slot.latest().logs.status.delivery).into_response()
}

/// `{"folder":"/somewhere"}`, or null.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeliveryWish {
    #[serde(deserialize_with = "said")]
    folder: Option<PathBuf>,
}

/// `PUT /api/log-delivery`.
pub async fn deliver(State(sources): State<Sources>, request: Request) -> Result<Response, Problem> {
    let DeliveryWish { folder } = json_of(request).await?;
    carry_out(&sources, Command::Logs(Wish::Deliver(folder))).await?;
    Ok(delivery(State(sources)).await)
}
