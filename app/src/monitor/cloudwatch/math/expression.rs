//! Metric math's language: from an expression's text to its tree. Pure.
//!
//! Source: the CloudWatch user guide, "Using math expressions with CloudWatch metrics". There are numbers, texts in quotes, ids of other queries,
//! lists in brackets, calls, `-` `+ - * / ^`, comparisons, `AND` and `OR`. An expression has at most 2,048 characters (of the caller's bound)
//! and nests at most [`DEPTH_MAX`] deep.

use super::{Senseless, senseless};

/// How deep expressions may nest.
const DEPTH_MAX: usize = 32;

/// An operator between two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `^`
    Power,
    /// `==`
    Equal,
    /// `!=`
    Unequal,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `AND`, `&&`
    And,
    /// `OR`, `||`
    Or,
}

impl Operator {
    /// Of two numbers; what is compared gives 1 or 0.
    pub fn of(self, one: f64, other: f64) -> f64 {
        let truth = |is: bool| f64::from(u8::from(is));
        match self {
            Operator::Add => one + other,
            Operator::Subtract => one - other,
            Operator::Multiply => one * other,
            Operator::Divide => one / other,
            Operator::Power => one.powf(other),
            Operator::Equal => truth(one == other),
            Operator::Unequal => truth(one != other),
            Operator::Less => truth(one < other),
            Operator::LessOrEqual => truth(one <= other),
            Operator::Greater => truth(one > other),
            Operator::GreaterOrEqual => truth(one >= other),
            Operator::And => truth(one != 0.0 && other != 0.0),
            Operator::Or => truth(one != 0.0 || other != 0.0),
        }
    }
}

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Expression {
    /// `100`
    Number(f64),
    /// `'Average'`
    Text(String),
    /// `m1`; also words that some functions take, as `REPEAT`.
    Name(String),
    /// `[m1, m2]`
    List(Vec<Expression>),
    /// `RATE(m1)`
    Call(String, Vec<Expression>),
    /// `-m1`
    Minus(Box<Expression>),
    /// `m1 + m2`
    Binary(Operator, Box<Expression>, Box<Expression>),
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Number(f64),
    Text(String),
    Word(String),
    Operator(Operator),
    Sign(char),
}

/// Signs of operators, longer ones first.
const OPERATORS: [(&str, Operator); 13] = [
    ("==", Operator::Equal),
    ("!=", Operator::Unequal),
    ("<=", Operator::LessOrEqual),
    (">=", Operator::GreaterOrEqual),
    ("&&", Operator::And),
    ("||", Operator::Or),
    ("<", Operator::Less),
    (">", Operator::Greater),
    ("+", Operator::Add),
    ("-", Operator::Subtract),
    ("*", Operator::Multiply),
    ("/", Operator::Divide),
    ("^", Operator::Power),
];

fn tokens(text: &str) -> Result<Vec<Token>, Senseless> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '\'' | '"' => {
                let end = closing(rest, first).ok_or_else(|| senseless("a quotation mark is not closed"))?;
                tokens.push(Token::Text(rest[1..end].replace(&format!("\\{first}"), &first.to_string())));
                end + 1
            }
            '0'..='9' | '.' => {
                let length = number_length(rest);
                let number: f64 = rest[..length]
                    .parse()
                    .map_err(|_| senseless(format_args!("{:?} is no number", &rest[..length])))?;
                tokens.push(Token::Number(number));
                length
            }
            'a'..='z' | 'A'..='Z' | '_' => {
                let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
                let length = rest.find(|c: char| !is_part(c)).unwrap_or(rest.len());
                tokens.push(match &rest[..length] {
                    "AND" => Token::Operator(Operator::And),
                    "OR" => Token::Operator(Operator::Or),
                    word => Token::Word(word.to_owned()),
                });
                length
            }
            '(' | ')' | '[' | ']' | ',' => {
                tokens.push(Token::Sign(first));
                1
            }
            _ => {
                let (sign, operator) = OPERATORS
                    .into_iter()
                    .find(|(sign, _)| rest.starts_with(sign))
                    .ok_or_else(|| senseless(format_args!("{first:?} is not expected")))?;
                tokens.push(Token::Operator(operator));
                sign.len()
            }
        };
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

/// Where the text ends that begins with this mark; one after a backslash belongs to it.
fn closing(text: &str, mark: char) -> Option<usize> {
    let mut is_escaped = true;
    text.char_indices().find_map(|(at, c)| {
        let ends = c == mark && !is_escaped;
        is_escaped = at == 0 && is_escaped && c != mark || c == '\\' && !is_escaped;
        ends.then_some(at)
    })
}

/// Digits, a point, an exponent.
fn number_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut length = 0;
    while let Some(byte) = bytes.get(length) {
        let after_e = length > 0 && matches!(bytes[length - 1], b'e' | b'E');
        match byte {
            b'0'..=b'9' | b'.' | b'e' | b'E' => length += 1,
            b'+' | b'-' if after_e => length += 1,
            _ => break,
        }
    }
    length
}

impl Expression {
    /// Reads one.
    ///
    /// # Errors
    /// It is not well formed, or nests too deep.
    pub fn parse(text: &str) -> Result<Expression, Senseless> {
        let mut parser = Parser { tokens: tokens(text)?, next: 0, depth: 0 };
        let expression = parser.expression(0)?;
        match parser.peek() {
            None => Ok(expression),
            Some(_) => Err(senseless("something follows its end")),
        }
    }
}

/// How strongly an operator binds.
fn strength(operator: Operator) -> u8 {
    match operator {
        Operator::Or => 1,
        Operator::And => 2,
        Operator::Add | Operator::Subtract => 4,
        Operator::Multiply | Operator::Divide => 5,
        Operator::Power => 7,
        _ => 3,
    }
}

/// Minus before a value binds stronger than what is between two, but for `^`.
const MINUS: u8 = 6;

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

    fn takes(&mut self, sign: char) -> bool {
        let is_there = self.peek() == Some(&Token::Sign(sign));
        self.next += usize::from(is_there);
        is_there
    }

    /// An expression of operators that bind at least so strongly.
    fn expression(&mut self, least: u8) -> Result<Expression, Senseless> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(senseless(format_args!("it nests deeper than {DEPTH_MAX}")));
        }
        let mut left = self.value()?;
        while let Some(Token::Operator(operator)) = self.peek() {
            let (operator, strength) = (*operator, strength(*operator));
            if strength < least {
                break;
            }
            self.next += 1;
            // Powers are taken from the right, all else from the left.
            let right = self.expression(if operator == Operator::Power { strength } else { strength + 1 })?;
            left = Expression::Binary(operator, Box::new(left), Box::new(right));
        }
        self.depth -= 1;
        Ok(left)
    }

    fn value(&mut self) -> Result<Expression, Senseless> {
        match self.take() {
            Some(Token::Number(number)) => Ok(Expression::Number(number)),
            Some(Token::Text(text)) => Ok(Expression::Text(text)),
            Some(Token::Word(name)) if self.takes('(') => Ok(Expression::Call(name, self.list(')')?)),
            Some(Token::Word(name)) => Ok(Expression::Name(name)),
            Some(Token::Operator(Operator::Subtract)) => Ok(Expression::Minus(Box::new(self.expression(MINUS)?))),
            Some(Token::Sign('[')) => Ok(Expression::List(self.list(']')?)),
            Some(Token::Sign('(')) => {
                let inner = self.expression(0)?;
                if self.takes(')') { Ok(inner) } else { Err(senseless("a parenthesis is not closed")) }
            }
            Some(token) => Err(senseless(format_args!("a value is expected, and not {}", shown(&token)))),
            None => Err(senseless("a value is expected at its end")),
        }
    }

    fn list(&mut self, end: char) -> Result<Vec<Expression>, Senseless> {
        let mut items = Vec::new();
        if self.takes(end) {
            return Ok(items);
        }
        loop {
            items.push(self.expression(0)?);
            if self.takes(end) {
                return Ok(items);
            }
            if !self.takes(',') {
                return Err(senseless(format_args!("a comma or {end:?} is expected")));
            }
        }
    }
}

/// How an operator is written.
fn sign_of(operator: Operator) -> &'static str {
    OPERATORS.iter().find(|(_, one)| *one == operator).map_or("", |(sign, _)| sign)
}

fn shown(token: &Token) -> String {
    match token {
        Token::Operator(operator) => format!("{:?}", sign_of(*operator)),
        Token::Sign(sign) => format!("{sign:?}"),
        Token::Number(number) => number.to_string(),
        Token::Text(text) | Token::Word(text) => format!("{text:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An expression with all its parentheses.
    fn written(expression: &Expression) -> String {
        let list = |items: &[Expression]| items.iter().map(written).collect::<Vec<_>>().join(",");
        match expression {
            Expression::Number(number) => number.to_string(),
            Expression::Text(text) => format!("'{text}'"),
            Expression::Name(name) => name.clone(),
            Expression::List(items) => format!("[{}]", list(items)),
            Expression::Call(name, arguments) => format!("{name}({})", list(arguments)),
            Expression::Minus(inner) => format!("(-{})", written(inner)),
            Expression::Binary(operator, one, other) => {
                let sign = sign_of(*operator);
                format!("({}{sign}{})", written(one), written(other))
            }
        }
    }

    #[test]
    fn operators_bind_as_in_arithmetic() {
        for (text, expected) in [
            ("m1", "m1"),
            (" 1.5e3 ", "1500"),
            ("2e-3*m1", "(0.002*m1)"),
            ("m1+m2*m3", "(m1+(m2*m3))"),
            ("(m1+m2)*m3", "((m1+m2)*m3)"),
            ("m1-m2-m3", "((m1-m2)-m3)"),
            ("m1/m2*100", "((m1/m2)*100)"),
            ("2^3^2", "(2^(3^2))"),
            ("-m1^2", "(-(m1^2))"),
            ("-m1*2", "((-m1)*2)"),
            ("m1 * -2", "(m1*(-2))"),
            ("m1 > 5 AND m2 <= 3 || m3 != 0", "(((m1>5)&&(m2<=3))||(m3!=0))"),
            ("SUM(METRICS())", "SUM(METRICS())"),
            ("MAX([m1, m2])", "MAX([m1,m2])"),
            ("IF(m1>3, m1, 0) / 2", "(IF((m1>3),m1,0)/2)"),
            ("FILL(m1, REPEAT)", "FILL(m1,REPEAT)"),
            (r#"SEARCH('M="it\'s" N="a\"b"', 'Sum', 60)"#, r#"SEARCH('M="it's" N="a\"b"','Sum',60)"#),
            (r#"SEARCH('{A,"B C"} M="x"', "Sum", 60)"#, r#"SEARCH('{A,"B C"} M="x"','Sum',60)"#),
        ] {
            assert_eq!(Expression::parse(text).map(|one| written(&one)), Ok(expected.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_not_well_formed_is_said_in_one_sentence() {
        let deep = format!("{}1{}", "(".repeat(40), ")".repeat(40));
        let minus = format!("{}1", "-".repeat(2_000));
        for text in [
            "",
            "m1 +",
            "* m1",
            "m1 m2",
            "(m1",
            "SUM(m1",
            "SUM(m1 m2)",
            "[m1",
            "'x",
            "m1 ? m2",
            "1.2.3",
            "é",
            "m1,",
            "=",
            &deep,
            &minus,
        ] {
            let fault = Expression::parse(text).unwrap_err();
            let said = fault.to_string();
            assert!(said.ends_with('.') && !said.contains('\n'), "{text}: {said}");
        }
    }

    #[test]
    fn comparisons_give_one_or_nothing() {
        for (operator, one, other, expected) in [
            (Operator::Less, 1.0, 2.0, 1.0),
            (Operator::GreaterOrEqual, 1.0, 2.0, 0.0),
            (Operator::Equal, 2.0, 2.0, 1.0),
            (Operator::Unequal, 2.0, 2.0, 0.0),
            (Operator::And, 3.0, 0.0, 0.0),
            (Operator::Or, 3.0, 0.0, 1.0),
            (Operator::Power, 2.0, 10.0, 1024.0),
        ] {
            assert_eq!(operator.of(one, other), expected, "{operator:?}");
        }
    }
}
