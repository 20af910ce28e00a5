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
                Err(error(at, format!("{text} is no way"), "ways are such as sms, udp, cloud, obex"))
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

#[cfg(test)]
mod tests {
    use super::super::{Filter, FilterError, FilterLimits};
    use super::micros;

    fn fault(text: &str) -> FilterError {
        Filter::parse(text, &FilterLimits::default()).unwrap_err()
    }

    #[test]
    fn faults_are_shown_at_their_character() {
        for (text, at, said) in [
            ("", 0, "field"),
            ("model", 5, "comparison"),
            ("model =", 7, "too early"),
            ("colour = red", 0, "no field colour"),
            ("model = X and fw", 16, "comparison"),
            ("\"é\" = X", 0, "field"),
            ("model = \"é\" fw < 2", 12, "complete"),
            ("model = \"X", 8, "no end"),
            ("model < X", 6, "does not go"),
            ("(model = X", 10, "open"),
            ("model = X)", 9, "complete"),
            ("model in X", 9, "list"),
            ("model in (X Y)", 12, "open"),
            ("model not X", 10, "in"),
            ("seen < 2y", 7, "no age"),
            ("seen = 2d", 5, "does not go"),
            ("seen < never", 5, "never"),
            ("seen in (1d)", 5, "in does not go"),
            ("state = broken", 8, "no value"),
            ("way = 'S M S'", 6, "no way"),
            ("queued > many", 9, "no number"),
            ("queued ~ 5", 7, "number"),
            ("label = X", 6, "key"),
            ("label:", 6, "too early"),
            ("group = X", 6, "name"),
            ("model = ;", 8, "no meaning"),
            ("model = X and and fw < 2", 14, "no field and"),
        ] {
            let error = fault(text);
            assert_eq!(error.at, at, "{text}: {error}");
            assert!(error.to_string().contains(said), "{text}: {error}");
        }
    }

    #[test]
    fn limits_hold_at_their_edges() {
        let limits = FilterLimits { length: 40, depth: 3, terms: 4 };
        let takes = |text: &str| Filter::parse(text, &limits).map(drop).map_err(|error| error.expected);
        let padded = |length: usize| format!("{:<length$}", "fw = 1");
        assert!(takes(&padded(40)).is_ok());
        assert!(takes(&padded(41)).unwrap_err().contains("fleet.filter_max_length"));
        assert!(takes("((not fw = 1))").is_ok());
        assert!(takes("((not (fw = 1)))").unwrap_err().contains("fleet.filter_max_depth"));
        assert!(takes("(fw = 1) and (fw = 1) and ((fw = 1))").is_ok(), "beside each other is not within");
        assert!(takes("fw in (1, 2) and label:a or group:b").is_ok());
        assert!(
            takes("fw in (1, 2, 3) and label:a or group:b").unwrap_err().contains("fleet.filter_max_terms")
        );
        let stars =
            |stars: usize| Filter::parse(&format!("id ~ '{}'", "*".repeat(stars)), &FilterLimits::default());
        assert!(stars(8).is_ok() && stars(9).is_err());
        let value =
            |length: usize| Filter::parse(&format!("id = {}", "x".repeat(length)), &FilterLimits::default());
        assert!(value(256).is_ok() && value(257).is_err());
    }

    #[test]
    fn and_binds_closer_than_or() {
        let read = |text: &str| Filter::parse(text, &FilterLimits::default()).unwrap();
        assert_eq!(read("fw=1 or sw=1 AND hw=1"), read("fw = '1' or (sw = \"1\" and hw = 1)"));
        assert_ne!(read("fw=1 or sw=1 and hw=1"), read("(fw=1 or sw=1) and hw=1"));
        assert_eq!(read("not fw=1 and sw=1"), read("(not fw=1) and sw=1"));
        assert_eq!(read("not not label:a"), read("not (not label:a)"));
    }

    #[test]
    fn ages_are_sums() {
        for (text, seconds) in
            [("90s", 90), ("2d", 172_800), ("1d12h", 129_600), ("1w0s", 604_800), ("5m", 300)]
        {
            assert_eq!(micros(text), Some(seconds * 1_000_000), "{text}");
        }
        for text in ["", "d", "2", "2D", "1.5d", "99999999999999999999s", "9223372036854775807w", "-1d"] {
            assert_eq!(micros(text), None, "{text}");
        }
    }
}
