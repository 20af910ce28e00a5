//! What a user has answered, out of a form as browsers send it (`application/x-www-form-urlencoded`).

use std::collections::BTreeMap;

use jiff::civil::Date;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use super::page::{Choice, Field, FieldKind, Kind, Page};
use super::words::Words;

/// Names and values that a browser sent.
#[derive(Debug, Default)]
pub struct Sent(BTreeMap<String, String>);

impl Sent {
    /// Reads a body; of two values of one name the first counts. `None` for what no browser sends.
    pub fn read(body: &[u8]) -> Option<Self> {
        let decoded = |text: &str| {
            let spaced = text.replace('+', " ");
            percent_decode_str(&spaced).decode_utf8().ok().map(|text| text.replace("\r\n", "\n"))
        };
        let mut sent = BTreeMap::new();
        for pair in std::str::from_utf8(body).ok()?.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            sent.entry(decoded(name)?).or_insert(decoded(value)?);
        }
        Some(Self(sent))
    }

    /// Whether anything was sent for a name.
    fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// What was sent for a name; empty if nothing was.
    pub fn value(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }
}

/// What a user has to correct: a sentence for each field, by its name.
pub type Faults = BTreeMap<String, String>;

/// Name of the input where the page is no form.
pub const ANSWER: &str = "answer";
/// Names of the buttons of a consent.
pub const YES: &str = "yes";
pub const NO: &str = "no";

/// The answer to a page.
///
/// # Errors
/// What the user has to correct, in the language of the page.
pub fn read(page: &Page, sent: &Sent) -> Result<Value, Faults> {
    let words = Words::of(&page.language);
    let given = sent.value(ANSWER);
    let fault = |text: &str| Faults::from([(ANSWER.to_owned(), text.to_owned())]);
    match page.kind {
        Kind::Notice => Ok(json!({ "seen": true })),
        Kind::Consent => match (given == YES || sent.has(YES), given == NO || sent.has(NO)) {
            (true, false) => Ok(json!({ "consent": true })),
            (false, true) => Ok(json!({ "consent": false })),
            _ => Err(fault(words.choose_button)),
        },
        Kind::Choice if is_option(&page.options, given) => Ok(json!({ "choice": given })),
        Kind::Choice => Err(fault(words.choose)),
        Kind::Form => form(words, &page.fields, sent),
    }
}

fn form(words: &Words, fields: &[Field], sent: &Sent) -> Result<Value, Faults> {
    let mut values = Map::new();
    let mut faults = Faults::new();
    for field in fields {
        match value(words, field, sent.value(&field.name)) {
            Ok(value) => {
                values.insert(field.name.clone(), value);
            }
            Err(fault) => {
                faults.insert(field.name.clone(), fault);
            }
        }
    }
    if faults.is_empty() { Ok(json!({ "values": values })) } else { Err(faults) }
}

fn is_option(options: &[Choice], value: &str) -> bool {
    options.iter().any(|option| option.value == value)
}

/// The value of one field; null where nothing was given.
fn value(words: &Words, field: &Field, given: &str) -> Result<Value, String> {
    let trimmed = given.trim();
    if field.kind == FieldKind::Checkbox {
        let checked = !trimmed.is_empty();
        let missing = field.required && !checked;
        return if missing { Err(words.check.to_owned()) } else { Ok(json!(checked)) };
    }
    if trimmed.is_empty() {
        return if field.required { Err(words.needed.to_owned()) } else { Ok(Value::Null) };
    }
    match field.kind {
        FieldKind::Text => text(words, field, trimmed),
        FieldKind::Paragraph => text(words, field, given),
        FieldKind::Integer => integer(words, field, trimmed),
        FieldKind::Date => {
            trimmed.parse::<Date>().map(|date| json!(date.to_string())).map_err(|_| words.day.to_owned())
        }
        FieldKind::Choice if is_option(&field.options, given) => Ok(json!(given)),
        FieldKind::Choice => Err(words.choose.to_owned()),
        FieldKind::Checkbox => Ok(Value::Null),
    }
}

/// A sentence with a number in it.
fn with(sentence: &str, number: impl ToString) -> String {
    sentence.replace("{}", &number.to_string())
}

fn text(words: &Words, field: &Field, given: &str) -> Result<Value, String> {
    let length = given.chars().count();
    let least = field.min.and_then(|min| usize::try_from(min).ok()).unwrap_or_default();
    if length < least {
        return Err(with(words.shortest, least));
    }
    if length > field.longest() {
        return Err(with(words.longest, field.longest()));
    }
    if field.kind == FieldKind::Text && given.contains('\n') {
        return Err(words.one_line.to_owned());
    }
    Ok(json!(given))
}

fn integer(words: &Words, field: &Field, given: &str) -> Result<Value, String> {
    let number: i64 = given.parse().map_err(|_| words.number.to_owned())?;
    match (field.min, field.max) {
        (Some(min), _) if number < min => Err(with(words.least, min)),
        (_, Some(max)) if number > max => Err(with(words.most, max)),
        _ => Ok(json!(number)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::check;
    use super::super::page::MAX_WRITTEN;
    use super::*;

    fn answer(page: &Value, body: &str) -> Result<Value, Faults> {
        let page: Page = serde_json::from_value(page.clone()).unwrap();
        check(&page).unwrap();
        read(&page, &Sent::read(body.as_bytes()).unwrap())
    }

    fn field(more: &Value, body: &str) -> Result<Value, ()> {
        let mut field = json!({ "name": "a", "label": "l" });
        field.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let page = json!({ "kind": "form", "title": "t", "fields": [field] });
        answer(&page, body).map(|answer| answer["values"]["a"].clone()).map_err(drop)
    }

    #[test]
    fn bodies_are_read_as_browsers_write_them() {
        let sent = Sent::read(b"a=x+y%C3%A4&b=1%0D%0A2&a=second&c").unwrap();
        assert_eq!(
            [sent.value("a"), sent.value("b"), sent.value("c"), sent.value("d")],
            ["x yä", "1\n2", "", ""]
        );
        assert!(Sent::read(b"a=%FF").is_none() && Sent::read(&[0xff]).is_none());
    }

    #[test]
    fn simple_pages_have_simple_answers() {
        let notice = json!({ "kind": "notice", "title": "t" });
        assert_eq!(answer(&notice, ""), Ok(json!({ "seen": true })));
        let consent = json!({ "kind": "consent", "title": "t" });
        assert_eq!(answer(&consent, "answer=yes"), Ok(json!({ "consent": true })));
        assert_eq!(answer(&consent, "answer=no"), Ok(json!({ "consent": false })));
        // Of two buttons a browser sends the name of the one that was pressed.
        assert_eq!(answer(&consent, "yes=Agreed"), Ok(json!({ "consent": true })));
        assert_eq!(answer(&consent, "no=Not+now"), Ok(json!({ "consent": false })));
        assert!(answer(&consent, "yes=a&no=b").is_err());
        assert!(answer(&consent, "").is_err() && answer(&consent, "answer=maybe").is_err());
        let choice = json!({ "kind": "choice", "title": "t", "options": [{ "value": "a b", "label": "l" }] });
        assert_eq!(answer(&choice, "answer=a+b"), Ok(json!({ "choice": "a b" })));
        assert!(answer(&choice, "answer=c").is_err());
    }

    #[test]
    fn what_is_to_be_corrected_is_said_in_the_language_of_the_page() {
        let number = json!({ "name": "a", "label": "l", "type": "integer", "max": 5 });
        let page = json!({ "kind": "form", "title": "t", "language": "de-AT", "fields": [number] });
        let faults = answer(&page, "a=6").unwrap_err();
        assert_eq!(faults["a"], "Bitte schreiben Sie 5 oder weniger.");
    }

    #[test]
    fn fields_have_values_of_their_type() {
        let integer = json!({ "type": "integer", "min": -1, "max": 5, "required": true });
        assert_eq!(field(&integer, "a=+5"), Ok(json!(5)));
        assert_eq!(field(&integer, "a=-1"), Ok(json!(-1)));
        for bad in ["a=6", "a=-2", "a=1.5", "a=", "b=1"] {
            assert_eq!(field(&integer, bad), Err(()), "{bad}");
        }
        assert_eq!(field(&json!({ "type": "date" }), "a=2026-02-28"), Ok(json!("2026-02-28")));
        assert_eq!(field(&json!({ "type": "date" }), "a=2026-02-30"), Err(()));
        assert_eq!(field(&json!({ "type": "date" }), "a="), Ok(Value::Null));
        assert_eq!(field(&json!({ "type": "checkbox" }), ""), Ok(json!(false)));
        assert_eq!(field(&json!({ "type": "checkbox", "required": true }), ""), Err(()));
        assert_eq!(field(&json!({ "type": "checkbox", "required": true }), "a=on"), Ok(json!(true)));
        assert_eq!(field(&json!({ "type": "text" }), "a=1%0A2"), Err(()));
        assert_eq!(field(&json!({ "type": "paragraph" }), "a=1%0A2"), Ok(json!("1\n2")));
        assert_eq!(field(&json!({ "type": "text", "min": 2, "max": 3 }), "a=%C3%A4"), Err(()));
        assert!(field(&json!({ "type": "text", "min": 2, "max": 3 }), "a=%C3%A4%C3%A4%C3%A4").is_ok());
        assert_eq!(field(&json!({ "type": "text", "min": 2, "max": 3 }), "a=1234"), Err(()));
        let longest = format!("a={}", "x".repeat(MAX_WRITTEN));
        assert!(field(&json!({ "type": "text" }), &longest).is_ok());
        assert_eq!(field(&json!({ "type": "text" }), &format!("{longest}x")), Err(()));
    }
}
