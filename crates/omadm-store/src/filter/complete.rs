//! How a filter that is being typed may go on.

use super::field::{Field, Kind};
use super::lex::{Piece, Token, pieces};

/// Words that can stand where a condition begins, beside the fields.
const BEGINNINGS: [&str; 4] = ["not", "label:", "group:", "("];

/// Filters that begin with `text` and have one word more, or its last word whole; none where any value may follow.
#[must_use]
pub fn complete(text: &str) -> Vec<String> {
    let Ok(pieces) = pieces(text) else { return Vec::new() };
    let mut tokens: Vec<(&Token, usize)> = pieces.iter().map(|Piece { token, at }| (token, *at)).collect();
    tokens.pop();
    // A word at the very end is not whole yet.
    let begun = match tokens.last() {
        Some((Token::Word(word), at)) if !text.ends_with(char::is_whitespace) => {
            let begun = (word.to_lowercase(), *at);
            tokens.pop();
            Some(begun)
        }
        _ => None,
    };
    let before: Vec<&Token> = tokens.into_iter().map(|(token, _)| token).collect();
    let (word, kept) = match &begun {
        Some((word, at)) => (word.as_str(), text.chars().take(*at).collect::<String>()),
        None if text.is_empty() || text.ends_with([' ', '(', ':']) => ("", text.to_owned()),
        None => ("", format!("{text} ")),
    };
    let fitting = following(&before).into_iter().filter(|next| next.starts_with(word) && *next != word);
    fitting.map(|next| format!("{kept}{next}")).collect()
}

/// What may stand after these.
fn following(before: &[&Token]) -> Vec<&'static str> {
    let field = |token: &Token| match token {
        Token::Word(name) => Field::named(&name.to_lowercase()),
        _ => None,
    };
    match before {
        [] | [.., Token::Sign("(")] => beginnings(),
        [.., Token::Word(word)] if ["and", "or", "not"].contains(&word.to_lowercase().as_str()) => {
            beginnings()
        }
        [.., name, Token::Sign("=" | "!=")] => field(name).map(|field| values(&field)).unwrap_or_default(),
        [.., Token::Sign(")")] => vec!["and", "or"],
        [.., Token::Sign(_)] => Vec::new(),
        [.., Token::Sign(":"), _] => vec!["=", "!=", "~", "and", "or"],
        [.., Token::Sign(_), _] => vec!["and", "or"],
        [.., last] => field(last).map(|field| operators(&field)).unwrap_or_default(),
    }
}

fn beginnings() -> Vec<&'static str> {
    Field::all_names().chain(BEGINNINGS).collect()
}

fn operators(field: &Field) -> Vec<&'static str> {
    match field.kind() {
        Kind::Text => vec!["=", "!=", "~", "in (", "not in ("],
        Kind::Word(_) | Kind::Scheme => vec!["=", "!=", "in (", "not in ("],
        Kind::Version => vec!["=", "!=", "<", "<=", ">", ">=", "~", "in ("],
        Kind::Age => vec!["<", "<=", ">", ">=", "="],
        Kind::Number => vec!["=", "!=", "<", "<=", ">", ">="],
    }
}

fn values(field: &Field) -> Vec<&'static str> {
    match (field, field.kind()) {
        (_, Kind::Word(words)) => words.to_vec(),
        (_, Kind::Age) => vec!["never"],
        (Field::Protocol, _) => vec!["dm1.1", "dm1.2", "dm1.3", "dm2.0"],
        (Field::Bearer, _) => vec!["https", "http", "wap", "obex", "bluetooth"],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_goes_on_as_the_language_has_it() {
        assert_eq!(complete("mo"), ["model"]);
        assert_eq!(complete("model"), Vec::<String>::new());
        assert_eq!(complete("model "), ["model =", "model !=", "model ~", "model in (", "model not in ("]);
        assert_eq!(complete("state = a"), ["state = active"]);
        assert_eq!(complete("state ="), ["state = active", "state = revoked"]);
        assert_eq!(complete("protocol = dm2"), ["protocol = dm2.0"]);
        assert_eq!(complete("seen < 2d "), ["seen < 2d and", "seen < 2d or"]);
        assert_eq!(complete("seen < 2d and qu"), ["seen < 2d and queued"]);
        assert_eq!(
            complete("label:site "),
            ["=", "!=", "~", "and", "or"].map(|sign| format!("label:site {sign}"))
        );
        assert!(
            complete("").contains(&"label:".to_owned())
                && complete("(fw").contains(&"(fw".to_owned()).eq(&false)
        );
    }

    #[test]
    fn nothing_is_offered_where_anything_may_stand() {
        for text in ["model = ", "model = \"X", "name ~ ", "model ?", "model = X 7"] {
            assert_eq!(complete(text), Vec::<String>::new(), "{text}");
        }
    }
}
