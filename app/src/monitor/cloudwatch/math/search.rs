//! What `SEARCH(' {AWS/Kafka,"Cluster Name","Broker ID"} MetricName="BytesInPerSec" "Broker ID"=("1" OR "2") ', 'Average', 60)` looks for: what
//! Grafana sends where a dimension may have several values; and `Namespace="AWS/Kafka" MetricName="BytesInPerSec" "Topic"`, what it sends where a
//! series may have more dimensions than those that are named.
//!
//! Source: the CloudWatch user guide, "CloudWatch search expression syntax". Terms next to each other must all fit; `AND`, `OR`, `NOT` and parentheses
//! join them. A term without `=` fits a namespace, a metric, a dimension or a value of this name (in quotes), or that has it in it (without).

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::catalog::{ACCOUNT, NAMESPACE};
use super::super::store::{Dimension, Key, Store};
use super::{Senseless, senseless};

/// Series that a search may find; CloudWatch's own bound.
const FOUND_MAX: usize = 500;

/// How deep terms may nest.
const DEPTH_MAX: usize = 16;

/// What to look for.
#[derive(Debug, PartialEq)]
pub struct Search {
    schema: Schema,
    term: Term,
}

/// Which dimensions a series must have.
#[derive(Debug, PartialEq)]
enum Schema {
    /// Any.
    Any,
    /// These, and no others.
    Only(BTreeSet<Dimension>),
    /// Such as nothing here has.
    Other,
}

/// What a series must say.
#[derive(Debug, PartialEq)]
enum Term {
    /// A property (`MetricName`, or a dimension) is this.
    Is(String, String),
    /// Something is called so.
    Called(String),
    /// Something has this in its name.
    Like(String),
    Not(Box<Term>),
    All(Vec<Term>),
    Any(Vec<Term>),
}

impl Term {
    fn fits(&self, key: &Key) -> bool {
        match self {
            Term::Is(property, value) => value_of(key, property) == Some(value),
            Term::Called(name) => words_of(key).any(|word| word == name),
            Term::Like(part) => words_of(key).any(|word| word.to_lowercase().contains(part)),
            Term::Not(inner) => !inner.fits(key),
            Term::All(terms) => terms.iter().all(|term| term.fits(key)),
            Term::Any(terms) => terms.iter().any(|term| term.fits(key)),
        }
    }
}

fn value_of<'k>(key: &'k Key, property: &str) -> Option<&'k str> {
    match property {
        "MetricName" => Some(&key.metric),
        "Namespace" => Some(NAMESPACE),
        ":aws.AccountId" => Some(ACCOUNT),
        name => Dimension::named(name).and_then(|dimension| key.dimension(dimension)).map(|value| &**value),
    }
}

fn words_of(key: &Key) -> impl Iterator<Item = &str> {
    let own = key.dimensions.iter().flat_map(|(dimension, value)| [dimension.name(), value]);
    [NAMESPACE, &*key.metric].into_iter().chain(own)
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Quoted(String),
    Sign(char),
}

/// Words, quoted words (with `\\"` for a quotation mark) and signs.
fn tokens(text: &str) -> Result<Vec<Token>, Senseless> {
    let mut tokens = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(first) = chars.next() {
        if first.is_whitespace() {
            continue;
        }
        if "{}(),=".contains(first) {
            tokens.push(Token::Sign(first));
            continue;
        }
        let mut word = String::new();
        if first != '"' {
            word.push(first);
            while let Some(next) = chars.next_if(|c| !c.is_whitespace() && !"{}(),=\"".contains(*c)) {
                word.push(next);
            }
            tokens.push(Token::Word(word));
            continue;
        }
        loop {
            match chars.next() {
                Some('"') => break,
                Some('\\') => word.extend(chars.next()),
                Some(c) => word.push(c),
                None => return Err(wrong("a quotation mark is not closed")),
            }
        }
        tokens.push(Token::Quoted(word));
    }
    Ok(tokens)
}

fn wrong(why: &str) -> Senseless {
    senseless(format_args!(
        "{why}; SEARCH looks for '{{AWS/Kafka,DIMENSION,…}} MetricName=\"NAME\" DIMENSION=\"VALUE\"'"
    ))
}

struct Parser {
    tokens: Vec<Token>,
    next: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next)
    }

    fn take(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.next).cloned();
        self.next += 1;
        token
    }

    fn takes(&mut self, token: &Token) -> bool {
        let is_there = self.peek() == Some(token);
        self.next += usize::from(is_there);
        is_there
    }

    fn takes_word(&mut self, word: &str) -> bool {
        self.takes(&Token::Word(word.to_owned()))
    }

    fn schema(&mut self) -> Result<Schema, Senseless> {
        if !self.takes(&Token::Sign('{')) {
            return Ok(Schema::Any);
        }
        let mut names = Vec::new();
        loop {
            match self.take() {
                Some(Token::Word(name) | Token::Quoted(name)) => names.push(name),
                Some(Token::Sign(',')) => {}
                Some(Token::Sign('}')) => break,
                _ => return Err(wrong("the braces hold names and commas only")),
            }
        }
        let mut names = names.iter();
        let is_ours = names.next().is_some_and(|namespace| namespace == NAMESPACE);
        let dimensions: Option<BTreeSet<Dimension>> = names.map(|name| Dimension::named(name)).collect();
        Ok(dimensions.filter(|_| is_ours).map_or(Schema::Other, Schema::Only))
    }

    fn any(&mut self) -> Result<Term, Senseless> {
        let mut terms = vec![self.all()?];
        while self.takes_word("OR") {
            terms.push(self.all()?);
        }
        Ok(Term::Any(terms))
    }

    fn all(&mut self) -> Result<Term, Senseless> {
        let mut terms = Vec::new();
        loop {
            match self.peek() {
                None | Some(Token::Sign(')')) => break,
                Some(Token::Word(or)) if or == "OR" => break,
                Some(Token::Word(and)) if and == "AND" => self.next += 1,
                Some(_) => terms.push(self.one()?),
            }
        }
        Ok(Term::All(terms))
    }

    fn one(&mut self) -> Result<Term, Senseless> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(wrong("terms nest too deep"));
        }
        let term = match self.take() {
            Some(Token::Word(not)) if not == "NOT" => Term::Not(Box::new(self.one()?)),
            Some(Token::Sign('(')) => {
                let inner = self.any()?;
                if !self.takes(&Token::Sign(')')) {
                    return Err(wrong("a parenthesis is not closed"));
                }
                inner
            }
            Some(Token::Word(name) | Token::Quoted(name)) if self.takes(&Token::Sign('=')) => {
                let values = self.values()?;
                Term::Any(values.into_iter().map(|value| Term::Is(name.clone(), value)).collect())
            }
            Some(Token::Quoted(name)) => Term::Called(name),
            Some(Token::Word(part)) => Term::Like(part.to_lowercase()),
            _ => return Err(wrong("a property's name is expected")),
        };
        self.depth -= 1;
        Ok(term)
    }

    fn values(&mut self) -> Result<Vec<String>, Senseless> {
        match self.take() {
            Some(Token::Word(value) | Token::Quoted(value)) => return Ok(vec![value]),
            Some(Token::Sign('(')) => {}
            _ => return Err(wrong("a value is expected")),
        }
        let mut values = Vec::new();
        loop {
            match self.take() {
                Some(Token::Word(or)) if or == "OR" => {}
                Some(Token::Word(value) | Token::Quoted(value)) => values.push(value),
                Some(Token::Sign(')')) => return Ok(values),
                _ => return Err(wrong("parentheses hold values and OR only")),
            }
        }
    }
}

impl Search {
    /// Reads what to look for.
    ///
    /// # Errors
    /// It is not well formed.
    pub fn parse(text: &str) -> Result<Search, Senseless> {
        let mut parser = Parser { tokens: tokens(text)?, next: 0, depth: 0 };
        if parser.tokens.is_empty() {
            return Err(wrong("nothing is said"));
        }
        let search = Search { schema: parser.schema()?, term: parser.any()? };
        match parser.peek() {
            None => Ok(search),
            Some(_) => Err(wrong("a parenthesis is not opened")),
        }
    }

    fn fits(&self, key: &Key) -> bool {
        let own = key.dimensions.iter().map(|(dimension, _)| *dimension);
        let of_schema = match &self.schema {
            Schema::Any => true,
            Schema::Only(dimensions) => own.eq(dimensions.iter().copied()),
            Schema::Other => false,
        };
        of_schema && self.term.fits(key)
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
            (r#"Namespace="AWS/Kafka" MetricName="A" "Broker ID""#, 3),
            (r#"Namespace="AWS/Kafka" MetricName="A" "Cluster Name"="c""#, 4),
            (r#"Namespace="AWS/Kafka" MetricName="A" "Broker ID" :aws.AccountId="000000000000""#, 3),
            (r#"Namespace="AWS/EC2" MetricName="A""#, 0),
            (r#"MetricName="A" NOT "Broker ID""#, 1),
            (r#"MetricName="A" "Broker ID"="2" OR MetricName="B""#, 2),
            (r#"MetricName="A" ("Broker ID"="2" OR "Broker ID"="3")"#, 2),
            ("broker \"1\"", 2),
            ("A", 5),
            (r#"MetricName="A\"" "#, 0),
        ] {
            assert_eq!(Search::parse(query).unwrap().find(&store).len(), expected, "{query}");
        }
    }

    #[test]
    fn what_is_not_understood_is_said() {
        for query in [
            "",
            "{AWS/Kafka",
            "x = ",
            "(x",
            "x)",
            "x, y",
            &"(".repeat(100),
            &"NOT ".repeat(1_000),
            "{AWS/Kafka} a=",
            "{AWS/Kafka} a=(b",
            "{AWS/Kafka} \"a",
        ] {
            assert!(Search::parse(query).is_err(), "{query}");
        }
    }
}
