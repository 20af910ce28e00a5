//! From characters to words, texts and signs.

use super::FilterError;

/// A piece of a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// Letters, digits, `_`, `.`, `-` and `+`, without quotes.
    Word(String),
    /// What stood in quotes.
    Text(String),
    /// `=`, `!=`, `<`, `<=`, `>`, `>=`, `~`, `(`, `)`, `,` or `:`.
    Sign(&'static str),
    /// There is nothing more.
    End,
}

/// Signs, those first that begin as others do.
const SIGNS: [&str; 11] = ["!=", "<=", ">=", "=", "<", ">", "~", "(", ")", ",", ":"];

/// A piece, and the character at which it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub token: Token,
    pub at: usize,
}

/// Cuts a text into pieces, of which the last is [`Token::End`].
pub(super) fn pieces(text: &str) -> Result<Vec<Piece>, FilterError> {
    let mut lexer = Lexer { rest: text, at: 0 };
    let mut pieces = Vec::new();
    loop {
        let piece = lexer.next()?;
        let end = piece.token == Token::End;
        pieces.push(piece);
        if end {
            return Ok(pieces);
        }
    }
}

struct Lexer<'t> {
    rest: &'t str,
    at: usize,
}

impl Lexer<'_> {
    fn next(&mut self) -> Result<Piece, FilterError> {
        while self.rest.starts_with(char::is_whitespace) {
            self.take();
        }
        let at = self.at;
        let Some(first) = self.rest.chars().next() else { return Ok(Piece { token: Token::End, at }) };
        let token = if let Some(sign) = SIGNS.into_iter().find(|sign| self.rest.starts_with(sign)) {
            (0..sign.len()).for_each(|_| {
                self.take();
            });
            Token::Sign(sign)
        } else if first == '"' || first == '\'' {
            self.take();
            Token::Text(self.quoted(first, at)?)
        } else if is_word(first) {
            let mut word = String::new();
            while self.rest.starts_with(is_word) {
                word.extend(self.take());
            }
            Token::Word(word)
        } else {
            return Err(FilterError {
                at,
                what: format!("{first:?} has no meaning here"),
                expected: "put values in quotes, such as model = \"X 1\"".to_owned(),
            });
        };
        Ok(Piece { token, at })
    }

    /// What is left up to the closing quote; `\` takes the next character as it is.
    fn quoted(&mut self, quote: char, began: usize) -> Result<String, FilterError> {
        let mut text = String::new();
        loop {
            let next = match self.take() {
                Some(end) if end == quote => return Ok(text),
                Some('\\') => self.take(),
                next => next,
            };
            text.push(next.ok_or_else(|| FilterError {
                at: began,
                what: "the text that begins here has no end".to_owned(),
                expected: format!("close it with {quote}"),
            })?);
        }
    }

    fn take(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let taken = chars.next()?;
        self.rest = chars.as_str();
        self.at += 1;
        Some(taken)
    }
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || "_.-+".contains(character)
}
