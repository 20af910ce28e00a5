//! What servers of DM 1.x tell and ask the user (`DM 1.3 PROTO §10`): at the terminal, or through a command.

use std::io::{self, BufRead, Write};
use std::process::Stdio;

use omadm_client::dm1::{Answer, InputType, Question, QuestionKind, UserAnswer, UserInterface};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use zeroize::Zeroizing;

use crate::config::{Dm1Section, UserMode};
use crate::terminal::{self, TERMINAL, plain};

/// Exit status of a command that cannot show a question.
const NOT_DISPLAYABLE: i32 = 2;
/// Longest answer of a command in octets.
const MAX_ANSWER: usize = 64 << 10;

/// The user as the configuration says; `None` when there is none.
pub fn interface(settings: &Dm1Section) -> Option<Box<dyn UserInterface>> {
    match settings.user {
        UserMode::None => None,
        UserMode::Terminal => Some(Box::new(Person)),
        UserMode::Command => Some(Box::new(Program(settings.user_command.clone()))),
    }
}

/// The person at the terminal.
struct Person;

impl UserInterface for Person {
    fn ask<'a>(&'a mut self, question: &'a Question) -> Answer<'a> {
        Box::pin(async move {
            let (shown, kind) = (text(question), question.kind.clone());
            let hidden = matches!(kind, QuestionKind::Text { hidden: true, .. });
            let unseen = if hidden { Some(Unseen::begin().await) } else { None };
            let answer = terminal::talk(move |reader, writer| converse(reader, writer, &shown, &kind)).await;
            drop(unseen);
            if let (Ok(UserAnswer::Shown), Some(least)) = (&answer, question.min_display) {
                tokio::time::sleep(least).await;
            }
            answer.unwrap_or_else(|reason| {
                tracing::warn!(server = %question.server, "the user cannot be asked: {reason}");
                UserAnswer::NotDisplayable
            })
        })
    }
}

/// While it lives the terminal does not show what is typed; one that cannot hide it shows it. A question that is given up while it waits
/// drops it too.
pub struct Unseen {
    hidden: bool,
}

impl Unseen {
    pub async fn begin() -> Self {
        // From the beginning, for this may be given up at any point.
        let mut unseen = Self { hidden: true };
        let stty = Command::new("stty").args(["-F", TERMINAL, "-echo"]).status().await;
        if !stty.is_ok_and(|status| status.success()) {
            tracing::warn!("the terminal does not let what is typed be hidden");
            unseen.hidden = false;
        }
        unseen
    }
}

impl Drop for Unseen {
    fn drop(&mut self) {
        if !self.hidden {
            return;
        }
        let stty = std::process::Command::new("stty").args(["-F", TERMINAL, "echo"]).status();
        if !stty.is_ok_and(|status| status.success()) {
            tracing::warn!("the terminal does not show again what is typed");
        }
    }
}

/// Who asks, what, and what can be chosen.
fn text(question: &Question) -> String {
    let mut lines = vec![format!("{} says: {}", plain(question.server.as_str()), plain(&question.text))];
    let (QuestionKind::Single { choices, .. } | QuestionKind::Multiple { choices, .. }) = &question.kind
    else {
        return lines.join("\n") + "\n";
    };
    lines.extend(choices.iter().zip(1..).map(|(choice, number)| format!("  {number}  {}", plain(choice))));
    lines.join("\n") + "\n"
}

/// Shows a question and reads until there is an answer; the end of input cancels.
fn converse(
    reader: &mut dyn BufRead,
    writer: &mut dyn Write,
    shown: &str,
    kind: &QuestionKind,
) -> io::Result<UserAnswer> {
    writer.write_all(shown.as_bytes())?;
    loop {
        let prompt = match kind {
            QuestionKind::Display => return writer.flush().map(|()| UserAnswer::Shown),
            QuestionKind::Confirm { default: Some(true) } => "[Y/n/c] ",
            QuestionKind::Confirm { .. } => "[y/n/c] ",
            QuestionKind::Text { input, .. } => hint(*input),
            QuestionKind::Single { .. } => "number, or c: ",
            QuestionKind::Multiple { .. } => "numbers, or c: ",
        };
        writer.write_all(prompt.as_bytes())?;
        writer.flush()?;
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(UserAnswer::Cancelled);
        }
        if let Some(answer) = understand(kind, line.trim_end_matches(['\r', '\n'])) {
            return Ok(answer);
        }
    }
}

fn hint(input: InputType) -> &'static str {
    match input {
        InputType::Alphanumeric => "> ",
        InputType::Numeric => "number> ",
        InputType::Date => "DDMMYYYY> ",
        InputType::Time => "hhmmss> ",
        InputType::Phone => "phone number> ",
        InputType::Ipv4 => "IPv4 address> ",
    }
}

/// What a line means; `None` when it is no answer. An empty line is the default.
fn understand(kind: &QuestionKind, line: &str) -> Option<UserAnswer> {
    let word = line.trim().to_ascii_lowercase();
    let number = |word: &str, choices: &[String]| {
        word.parse::<usize>().ok().filter(|number| (1..=choices.len()).contains(number))
    };
    match kind {
        QuestionKind::Display => Some(UserAnswer::Shown),
        QuestionKind::Text { default, max_length, .. } => {
            let typed = if line.is_empty() { default.as_str() } else { line };
            let fits = max_length.is_none_or(|most| typed.chars().count() <= most);
            fits.then(|| UserAnswer::Text(typed.to_owned()))
        }
        _ if matches!(word.as_str(), "c" | "cancel") => Some(UserAnswer::Cancelled),
        QuestionKind::Confirm { default } => match (word.as_str(), default) {
            ("y" | "yes", _) | ("", Some(true)) => Some(UserAnswer::Accepted),
            ("n" | "no", _) | ("", Some(false)) => Some(UserAnswer::Rejected),
            _ => None,
        },
        QuestionKind::Single { choices, default } => {
            let chosen = if word.is_empty() { *default } else { number(&word, choices) };
            chosen.map(|number| UserAnswer::Chosen(vec![number]))
        }
        QuestionKind::Multiple { choices, defaults } if word.is_empty() && !choices.is_empty() => {
            Some(UserAnswer::Chosen(defaults.clone()))
        }
        QuestionKind::Multiple { choices, .. } => {
            let words = word.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty());
            words.map(|word| number(word, choices)).collect::<Option<Vec<_>>>().map(UserAnswer::Chosen)
        }
    }
}

/// A command that shows and asks: it gets the question as JSON, and prints the answer (`yes` or `no`, the text, or numbers). The exit
/// status is 0; 2 when it cannot show the question, and any other is a user who cancels.
struct Program(Vec<String>);

impl UserInterface for Program {
    fn ask<'a>(&'a mut self, question: &'a Question) -> Answer<'a> {
        Box::pin(async move {
            run(&self.0, question).await.unwrap_or_else(|error| {
                tracing::warn!(server = %question.server, "the command for the user's answers: {error}");
                UserAnswer::NotDisplayable
            })
        })
    }
}

/// What a command that answers for the user has printed.
pub enum Printed {
    /// A line without its end.
    Text(Zeroizing<String>),
    /// The user cancels.
    Cancelled,
    /// The command cannot show the question.
    NotDisplayable,
}

/// Gives a question to a command, and reads what it prints.
pub async fn printed(words: &[String], question: &Value) -> io::Result<Printed> {
    let [program, arguments @ ..] = words else { return Ok(Printed::NotDisplayable) };
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(mut input) = child.stdin.take() {
        // A command that answers without reading is free to.
        let _ = input.write_all(question.to_string().as_bytes()).await;
    }
    let output = child.wait_with_output().await?;
    let stdout = Zeroizing::new(output.stdout);
    match output.status.code() {
        Some(0) => {}
        Some(NOT_DISPLAYABLE) => return Ok(Printed::NotDisplayable),
        _ => return Ok(Printed::Cancelled),
    }
    let printed = stdout.get(..MAX_ANSWER).unwrap_or(&stdout);
    let printed = Zeroizing::new(String::from_utf8_lossy(printed).into_owned());
    let line = printed.strip_suffix('\n').unwrap_or(&printed);
    Ok(Printed::Text(Zeroizing::new(line.to_owned())))
}

async fn run(words: &[String], question: &Question) -> io::Result<UserAnswer> {
    let line = match printed(words, &describe(question)).await? {
        Printed::Text(line) => line,
        Printed::Cancelled => return Ok(UserAnswer::Cancelled),
        Printed::NotDisplayable => return Ok(UserAnswer::NotDisplayable),
    };
    Ok(understand(&question.kind, &line).unwrap_or_else(|| {
        tracing::warn!(server = %question.server, "the command printed no answer that fits the question");
        UserAnswer::NotDisplayable
    }))
}

fn describe(question: &Question) -> Value {
    let seconds = |time: Option<std::time::Duration>| time.map(|time| time.as_secs());
    let mut described = json!({
        "server": question.server.as_str(),
        "text": question.text,
        "min_seconds": seconds(question.min_display),
        "max_seconds": seconds(question.max_display),
    });
    let particular = match &question.kind {
        QuestionKind::Display => json!({ "kind": "display" }),
        QuestionKind::Confirm { default } => json!({ "kind": "confirm", "default": default }),
        QuestionKind::Text { default, max_length, input, hidden } => json!({
            "kind": "text",
            "default": default,
            "max_length": max_length,
            "input": input_name(*input),
            "hidden": hidden,
        }),
        QuestionKind::Single { choices, default } => {
            json!({ "kind": "single", "choices": choices, "default": default })
        }
        QuestionKind::Multiple { choices, defaults } => {
            json!({ "kind": "multiple", "choices": choices, "default": defaults })
        }
    };
    if let (Value::Object(described), Value::Object(particular)) = (&mut described, particular) {
        described.extend(particular);
    }
    described
}

fn input_name(input: InputType) -> &'static str {
    match input {
        InputType::Alphanumeric => "text",
        InputType::Numeric => "number",
        InputType::Date => "date",
        InputType::Time => "time",
        InputType::Phone => "phone",
        InputType::Ipv4 => "ip",
    }
}

#[cfg(test)]
mod tests {
    use omadm_mo::ServerId;

    use super::*;

    fn choices() -> Vec<String> {
        vec!["red".to_owned(), "gr\u{1b}een".to_owned()]
    }

    fn kinds() -> [QuestionKind; 5] {
        let text = QuestionKind::Text {
            default: "dflt".to_owned(),
            max_length: Some(4),
            input: InputType::Numeric,
            hidden: false,
        };
        [
            QuestionKind::Display,
            QuestionKind::Confirm { default: None },
            text,
            QuestionKind::Single { choices: choices(), default: Some(2) },
            QuestionKind::Multiple { choices: choices(), defaults: vec![1] },
        ]
    }

    fn question(kind: QuestionKind) -> Question {
        Question {
            server: ServerId::parse("dm.example").unwrap(),
            kind,
            text: "What \u{202e}colour?".to_owned(),
            min_display: None,
            max_display: Some(std::time::Duration::from_secs(9)),
        }
    }

    fn said(kind: &QuestionKind, typed: &str) -> (UserAnswer, String) {
        let mut shown = Vec::new();
        let answer =
            converse(&mut typed.as_bytes(), &mut shown, &text(&question(kind.clone())), kind).unwrap();
        (answer, String::from_utf8(shown).unwrap())
    }

    #[test]
    fn a_person_answers_in_words_and_numbers() {
        let [display, confirm, text, single, multiple] = kinds();
        let chosen = |numbers: &[usize]| UserAnswer::Chosen(numbers.to_vec());
        for (kind, typed, expected) in [
            (&display, "", UserAnswer::Shown),
            (&confirm, "maybe\n\nYES\n", UserAnswer::Accepted),
            (&confirm, "n\n", UserAnswer::Rejected),
            (&confirm, "c\n", UserAnswer::Cancelled),
            (&confirm, "", UserAnswer::Cancelled),
            (&text, "12345\n1234\r\n", UserAnswer::Text("1234".to_owned())),
            (&text, "\n", UserAnswer::Text("dflt".to_owned())),
            (&text, "c\n", UserAnswer::Text("c".to_owned())),
            (&single, "0\n3\nx\n1\n", chosen(&[1])),
            (&single, "\n", chosen(&[2])),
            (&multiple, "2, 1\n", chosen(&[2, 1])),
            (&multiple, "\n", chosen(&[1])),
            (&multiple, "cancel\n", UserAnswer::Cancelled),
        ] {
            assert_eq!(said(kind, typed).0, expected, "{kind:?} {typed:?}");
        }
        let shown = said(&single, "1\n").1;
        let expected = "dm.example says: What \u{fffd}colour?\n  1  red\n  2  gr\u{fffd}een\nnumber, or c: ";
        assert_eq!(shown, expected);
    }

    async fn answered(kind: QuestionKind, script: &str) -> UserAnswer {
        let words = ["sh", "-c", script].map(str::to_owned).to_vec();
        Program(words).ask(&question(kind)).await
    }

    #[tokio::test]
    async fn a_command_answers_by_what_it_prints() {
        let [display, confirm, text, single, multiple] = kinds();
        assert_eq!(answered(display, "exit 0").await, UserAnswer::Shown);
        assert_eq!(answered(confirm.clone(), "echo yes").await, UserAnswer::Accepted);
        assert_eq!(answered(confirm.clone(), "exit 1").await, UserAnswer::Cancelled);
        assert_eq!(answered(confirm.clone(), "exit 2").await, UserAnswer::NotDisplayable);
        assert_eq!(answered(confirm, "echo perhaps").await, UserAnswer::NotDisplayable);
        assert_eq!(answered(text, "printf 12").await, UserAnswer::Text("12".to_owned()));
        let finds = r#"grep -q '"choices":\["red",.*"kind":"single","max_seconds":9' && echo 1"#;
        assert_eq!(answered(single, finds).await, UserAnswer::Chosen(vec![1]));
        assert_eq!(answered(multiple, "echo 1 2").await, UserAnswer::Chosen(vec![1, 2]));
        let nobody = Program(vec!["/none/such".to_owned()]).ask(&question(QuestionKind::Display)).await;
        assert_eq!(nobody, UserAnswer::NotDisplayable);
    }
}
