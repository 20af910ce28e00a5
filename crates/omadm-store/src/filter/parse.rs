//! From words and signs to conditions. The grammar is in `docs/src/fleet.md`.

use super::field::{Compare, Field, Kind};
use super::lex::{Piece, Token, pieces};
use super::version::version_key;
use super::{FilterError, FilterLimits, Node, Term, Test};

/// Operators for those who wrote another sign.
const OPERATORS: &str = "one of = != < <= > >= ~ in";

/// Longest key of a label, and longest value and text, in characters.
const MAX_TEXT: usize = 256;

/// Most stars in a pattern: each multiplies the work of comparing.
const MAX_STARS: usize = 8;

pub(super) fn parse(text: &str, limits: &FilterLimits) -> Result<Node, FilterError> {
    let length = text.chars().count();
    if length > limits.length {
        return Err(error(
            limits.length,
            format!("the filter has {length} characters"),
            format!("at most {} are taken (fleet.filter_max_length)", limits.length),
        ));
    }
    let pieces = pieces(text)?;
    let mut parser = Parser { pieces: pieces.into_iter().peekable(), limits, depth: 0, terms: 0 };
    let node = parser.any()?;
    let rest = parser.next();
    match rest.token {
        Token::End => Ok(node),
        _ => Err(error(rest.at, "the filter goes on where it is complete", "join conditions with and, or")),
    }
}

struct Parser<'l> {
    pieces: std::iter::Peekable<std::vec::IntoIter<Piece>>,
    limits: &'l FilterLimits,
    depth: usize,
    terms: usize,
}

impl Parser<'_> {
    fn any(&mut self) -> Result<Node, FilterError> {
        self.joined("or", Self::all, Node::Any)
    }

    fn all(&mut self) -> Result<Node, FilterError> {
        self.joined("and", Self::not, Node::All)
    }

    /// One or more conditions with a word between them.
    fn joined(
        &mut self,
        word: &str,
        part: fn(&mut Self) -> Result<Node, FilterError>,
        join: fn(Vec<Node>) -> Node,
    ) -> Result<Node, FilterError> {
        let first = part(self)?;
        if !self.takes_word(word) {
            return Ok(first);
        }
        let mut nodes = vec![first, part(self)?];
        while self.takes_word(word) {
            nodes.push(part(self)?);
        }
        Ok(join(nodes))
    }

    fn not(&mut self) -> Result<Node, FilterError> {
        let at = self.at();
        if self.takes_word("not") {
            self.deeper(at)?;
            let node = self.not()?;
            self.depth -= 1;
            return Ok(Node::Not(Box::new(node)));
        }
        if self.takes("(") {
            self.deeper(at)?;
            let node = self.any()?;
            self.expect(")", "a parenthesis is open")?;
            self.depth -= 1;
            return Ok(node);
        }
        self.condition()
    }

    fn condition(&mut self) -> Result<Node, FilterError> {
        let Piece { token, at } = self.next();
        let Token::Word(name) = token else {
            return Err(error(at, "here should be a field", format!("the fields are {}", Field::names())));
        };
        let name = name.to_lowercase();
        if name == "group" {
            self.expect(":", "after group stands its name")?;
            self.count(at)?;
            let (_, group) = self.text("the name of a group, such as group:\"Site A\"")?;
            return Ok(Node::Group(group, at));
        }
        if name == "label" {
            self.expect(":", "after label stands its key")?;
            let (_, key) = self.text("the key of a label, such as label:site")?;
            return self.comparison(Field::Label(key), at);
        }
        let Some(field) = Field::named(&name) else {
            let known = format!("the fields are {}", Field::names());
            return Err(error(at, format!("there is no field {name}"), known));
        };
        self.comparison(field, at)
    }

    /// What stands behind a field.
    fn comparison(&mut self, field: Field, began: usize) -> Result<Node, FilterError> {
        let at = self.at();
        if self.takes_word("in") {
            return self.list(field, at).map(Node::Term);
        }
        if self.takes_word("not") {
            let at = self.at();
            if !self.takes_word("in") {
                return Err(error(at, "here should be in", "write not in (…), or not before the field"));
            }
            return Ok(not(self.list(field, at)?));
        }
        let sign = match self.pieces.peek() {
            Some(Piece { token: Token::Sign(sign), .. }) if !matches!(*sign, ")" | "(" | "," | ":") => *sign,
            _ if matches!(field, Field::Label(_)) => {
                self.count(began)?;
                return Ok(Node::Term(Term { field, test: Test::Present }));
            }
            _ => return Err(error(at, "here should be a comparison", OPERATORS)),
        };
        self.next();
        self.count(began)?;
        let test = match (field.kind(), sign) {
            (Kind::Age, _) => return self.age(field, sign, at),
            (Kind::Number, _) => return self.number(field, sign, at),
            (Kind::Text | Kind::Version, "~") => Test::Like(self.pattern()?),
            (_, "=" | "!=") => Test::Is(vec![self.value(&field)?]),
            (Kind::Version, _) => {
                let compare = order(sign).ok_or_else(|| error(at, "no comparison", OPERATORS))?;
                Test::Version(compare, self.value(&field)?)
            }
            _ => {
                return Err(error(
                    at,
                    format!("{sign} does not go with this field"),
                    "compare it by =, != or in",
                ));
            }
        };
        let term = Term { field, test };
        Ok(if sign == "!=" { not(term) } else { Node::Term(term) })
    }

    fn list(&mut self, field: Field, at: usize) -> Result<Term, FilterError> {
        if matches!(field.kind(), Kind::Age | Kind::Number) {
            return Err(error(at, "in does not go with this field", "compare it by < or >"));
        }
        self.expect("(", "after in stands a list")?;
        let mut values = Vec::new();
        loop {
            let at = self.at();
            self.count(at)?;
            values.push(self.value(&field)?);
            if !self.takes(",") {
                break;
            }
        }
        self.expect(")", "a list is open")?;
        Ok(Term { field, test: Test::Is(values) })
    }

    /// A value of a field of text, as it is compared.
    fn value(&mut self, field: &Field) -> Result<String, FilterError> {
        let (at, text) = self.text("a value, in quotes unless it is one word")?;
        match field.kind() {
            Kind::Version => Ok(version_key(&text)),
            Kind::Word(known) if !known.contains(&text.as_str()) => Err(error(
                at,
                format!("{text} is no value of this field"),
                format!("it is one of {}", known.join(", ")),
            )),
            Kind::Scheme if !is_scheme(&text) => {
                Err(error(at, format!("{text} is no bearer"), "bearers are such as sms, udp, cloud, obex"))
            }
            _ => Ok(text),
        }
    }

    fn pattern(&mut self) -> Result<String, FilterError> {
        let (at, pattern) = self.text("a pattern in quotes")?;
        if pattern.matches('*').count() <= MAX_STARS {
            return Ok(pattern);
        }
        Err(error(at, "the pattern has too many *", format!("at most {MAX_STARS} are taken")))
    }

    fn age(&mut self, field: Field, sign: &str, at: usize) -> Result<Node, FilterError> {
        let ages = "an age is a number with s, m, h, d or w, such as 90s, 2d or 1d12h";
        let (value_at, text) = self.text(ages)?;
        if text == "never" && field == Field::Seen {
            let term = Term { field, test: Test::Never };
            return match sign {
                "=" => Ok(Node::Term(term)),
                "!=" => Ok(not(term)),
                _ => Err(error(at, format!("{sign} does not go with never"), "write = or !=")),
            };
        }
        let compare = order(sign).filter(|compare| *compare != Compare::Equal);
        let compare = compare
            .ok_or_else(|| error(at, format!("{sign} does not go with an age"), "write <, <=, > or >="))?;
        let age = micros(&text).ok_or_else(|| error(value_at, format!("{text} is no age"), ages))?;
        Ok(Node::Term(Term { field, test: Test::Age(compare, age) }))
    }

    fn number(&mut self, field: Field, sign: &str, at: usize) -> Result<Node, FilterError> {
        let (value_at, text) = self.text("a number")?;
        let number = text.parse().ok().filter(|number| *number >= 0);
        let number =
            number.ok_or_else(|| error(value_at, format!("{text} is no number"), "a number from 0"))?;
        if sign == "!=" {
            return Ok(not(Term { field, test: Test::Number(Compare::Equal, number) }));
        }
        let compare = order(sign)
            .ok_or_else(|| error(at, format!("{sign} does not go with a number"), "one of = != < <= > >="))?;
        Ok(Node::Term(Term { field, test: Test::Number(compare, number) }))
    }

    /// A word, or what stands in quotes, with the character at which it begins.
    fn text(&mut self, expected: &str) -> Result<(usize, String), FilterError> {
        let Piece { token, at } = self.next();
        let text = match token {
            Token::Word(text) | Token::Text(text) => text,
            Token::End => {
                return Err(error(at, "the filter ends too early", format!("here goes {expected}")));
            }
            Token::Sign(sign) => {
                return Err(error(at, format!("{sign} has no place here"), format!("here goes {expected}")));
            }
        };
        if text.chars().count() > MAX_TEXT || text.contains('\0') {
            return Err(error(
                at,
                "no device has such a value",
                format!("at most {MAX_TEXT} characters, no NUL"),
            ));
        }
        Ok((at, text))
    }

    /// Counts a comparison or a value of a list.
    fn count(&mut self, at: usize) -> Result<(), FilterError> {
        self.terms += 1;
        if self.terms <= self.limits.terms {
            return Ok(());
        }
        let most = format!("at most {} are taken (fleet.filter_max_terms)", self.limits.terms);
        Err(error(at, "here is one comparison or value too many", most))
    }

    fn deeper(&mut self, at: usize) -> Result<(), FilterError> {
        self.depth += 1;
        if self.depth <= self.limits.depth {
            return Ok(());
        }
        let most = format!("at most {} may be within each other (fleet.filter_max_depth)", self.limits.depth);
        Err(error(at, "here is one parenthesis or not too many", most))
    }

    fn next(&mut self) -> Piece {
        let at = self.at();
        self.pieces.next().unwrap_or(Piece { token: Token::End, at })
    }

    fn at(&mut self) -> usize {
        self.pieces.peek().map_or(0, |piece| piece.at)
    }

    fn takes(&mut self, sign: &str) -> bool {
        self.pieces.next_if(|piece| matches!(piece.token, Token::Sign(found) if found == sign)).is_some()
    }

    fn takes_word(&mut self, word: &str) -> bool {
        let is_it =
            |piece: &Piece| matches!(&piece.token, Token::Word(found) if found.eq_ignore_ascii_case(word));
        self.pieces.next_if(is_it).is_some()
    }

    fn expect(&mut self, sign: &str, why: &str) -> Result<(), FilterError> {
        let at = self.at();
        if self.takes(sign) { Ok(()) } else { Err(error(at, why, format!("here goes {sign}"))) }
    }
}

fn not(term: Term) -> Node {
    Node::Not(Box::new(Node::Term(term)))
}

fn error(at: usize, what: impl Into<String>, expected: impl Into<String>) -> FilterError {
    FilterError { at, what: what.into(), expected: expected.into() }
}

fn order(sign: &str) -> Option<Compare> {
    let all = [Compare::Less, Compare::AtMost, Compare::Equal, Compare::AtLeast, Compare::More];
    all.into_iter().find(|compare| compare.as_str() == sign)
}

fn is_scheme(text: &str) -> bool {
    (1..=32).contains(&text.len())
        && text.bytes().all(|octet| octet.is_ascii_lowercase() || octet.is_ascii_digit() || octet == b'+')
}

/// An age such as `2d` or `1d12h` in microseconds.
fn micros(text: &str) -> Option<i64> {
    let mut rest = text;
    let mut sum: i64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|character: char| !character.is_ascii_digit())?;
        let (number, behind) = rest.split_at_checked(digits)?;
        let mut behind = behind.chars();
        let seconds = match behind.next()? {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            'w' => 604_800,
            _ => return None,
        };
        let part = number.parse::<i64>().ok()?.checked_mul(seconds)?.checked_mul(1_000_000)?;
        sum = sum.checked_add(part)?;
        rest = behind.as_str();
    }
    (!text.is_empty()).then_some(sum)
}
