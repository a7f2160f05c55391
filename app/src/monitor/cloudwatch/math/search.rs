//! What `SEARCH(' {AWS/Kafka,"Cluster Name","Broker ID"} MetricName="BytesInPerSec" "Broker ID"=("1" OR "2") ', 'Average', 60)` looks for: what
//! Grafana sends where a dimension may have several values.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::catalog::NAMESPACE;
use super::super::store::{Dimension, Key, Store};
use super::{Senseless, senseless};

/// Series that a search may find; CloudWatch's own bound.
const FOUND_MAX: usize = 500;

/// What to look for.
#[derive(Debug, PartialEq)]
pub struct Search {
    /// `None`: a schema that nothing here has.
    dimensions: Option<BTreeSet<Dimension>>,
    /// Property (`MetricName`, or a dimension) and what it may be.
    terms: Vec<(String, Vec<String>)>,
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Sign(char),
}

/// Words, quoted words and signs.
fn tokens(text: &str) -> Result<Vec<Token>, Senseless> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        if first == '"' {
            let end = rest[1..].find('"').ok_or_else(|| wrong("a quotation mark is not closed"))?;
            tokens.push(Token::Word(rest[1..=end].to_owned()));
            rest = &rest[end + 2..];
        } else if "{}(),=".contains(first) {
            tokens.push(Token::Sign(first));
            rest = &rest[1..];
        } else {
            let end = rest.find(|c: char| c.is_whitespace() || "{}(),=\"".contains(c)).unwrap_or(rest.len());
            tokens.push(Token::Word(rest[..end].to_owned()));
            rest = &rest[end..];
        }
        rest = rest.trim_start();
    }
    Ok(tokens)
}

fn wrong(why: &str) -> Senseless {
    senseless(format_args!(
        "{why}; SEARCH looks for '{{AWS/Kafka,DIMENSION,…}} MetricName=\"NAME\" DIMENSION=\"VALUE\"'"
    ))
}

impl Search {
    /// Reads what to look for.
    ///
    /// # Errors
    /// It is not well formed.
    pub fn parse(text: &str) -> Result<Search, Senseless> {
        let tokens = tokens(text)?;
        let mut tokens = tokens.into_iter().peekable();
        if tokens.next() != Some(Token::Sign('{')) {
            return Err(wrong("it must begin with namespace and dimensions in braces"));
        }
        let mut schema = Vec::new();
        loop {
            match tokens.next() {
                Some(Token::Word(name)) => schema.push(name),
                Some(Token::Sign(',')) => {}
                Some(Token::Sign('}')) => break,
                _ => return Err(wrong("the braces hold names and commas only")),
            }
        }
        let mut names = schema.iter();
        let is_ours = names.next().is_some_and(|namespace| namespace == NAMESPACE);
        let dimensions: Option<BTreeSet<Dimension>> = names.map(|name| Dimension::named(name)).collect();
        let mut terms = Vec::new();
        while let Some(token) = tokens.next() {
            let Token::Word(name) = token else { return Err(wrong("a property's name is expected")) };
            if name == "AND" {
                continue;
            }
            if tokens.next() != Some(Token::Sign('=')) {
                return Err(wrong("only PROPERTY=\"VALUE\" is understood"));
            }
            terms.push((name, Search::values(&mut tokens)?));
        }
        Ok(Search { dimensions: dimensions.filter(|_| is_ours), terms })
    }

    fn values(tokens: &mut impl Iterator<Item = Token>) -> Result<Vec<String>, Senseless> {
        match tokens.next() {
            Some(Token::Word(value)) => return Ok(vec![value]),
            Some(Token::Sign('(')) => {}
            _ => return Err(wrong("a value is expected")),
        }
        let mut values = Vec::new();
        loop {
            match tokens.next() {
                Some(Token::Word(or)) if or == "OR" => {}
                Some(Token::Word(value)) => values.push(value),
                Some(Token::Sign(')')) => return Ok(values),
                _ => return Err(wrong("parentheses hold values and OR only")),
            }
        }
    }

    fn fits(&self, key: &Key) -> bool {
        let own = key.dimensions.iter().map(|(dimension, _)| *dimension);
        if self.dimensions.as_ref().is_none_or(|dimensions| !own.eq(dimensions.iter().copied())) {
            return false;
        }
        self.terms.iter().all(|(property, values)| {
            let value: Option<&str> = match property.as_str() {
                "MetricName" => Some(&key.metric),
                "Namespace" => Some(NAMESPACE),
                name => Dimension::named(name).and_then(|dimension| key.dimension(dimension)).map(|value| &**value),
            };
            value.is_some_and(|value| values.iter().any(|one| one == value))
        })
    }

    /// The series that it finds, by name and dimensions.
    pub fn find(&self, store: &Store) -> Vec<Arc<Key>> {
        store.iter().map(|(key, _)| key).filter(|key| self.fits(key)).take(FOUND_MAX).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::store::Datum;
    use super::*;

    fn key(metric: &str, broker: &str) -> Key {
        Key::new(metric, vec![(Dimension::ClusterName, "c".into()), (Dimension::BrokerId, broker.into())])
    }

    #[test]
    fn what_is_found() {
        let mut store = Store::default();
        let keys = [
            key("A", "1"),
            key("A", "2"),
            key("A", "3"),
            key("B", "1"),
            Key::new("A", vec![(Dimension::ClusterName, "c".into())]),
        ];
        store.put(1, keys.map(|key| Datum { key, value: 1.0 }));
        for (query, expected) in [
            (r#"{AWS/Kafka,"Cluster Name","Broker ID"} MetricName="A""#, 3),
            (r#" {"AWS/Kafka", "Broker ID", "Cluster Name"} MetricName="A" AND "Broker ID"=("1" OR "3")"#, 2),
            (r#"{AWS/Kafka,"Cluster Name","Broker ID"} "Broker ID"=1"#, 2),
            (r#"{AWS/Kafka,"Cluster Name"}"#, 1),
            (r#"{AWS/EC2,"Cluster Name"} MetricName="A""#, 0),
            (r#"{AWS/Kafka,InstanceId} MetricName="A""#, 0),
        ] {
            assert_eq!(Search::parse(query).unwrap().find(&store).len(), expected, "{query}");
        }
    }

    #[test]
    fn what_is_not_understood_is_said() {
        for query in [
            "",
            "{AWS/Kafka} x",
            "{AWS/Kafka",
            "AWS/Kafka",
            "{AWS/Kafka} a=",
            "{AWS/Kafka} a=(b",
            "{AWS/Kafka} \"a",
            "é",
        ] {
            assert!(Search::parse(query).is_err(), "{query}");
        }
    }
}
