//! PINs, of bootstraps of DM 1.x and of smartcards: typed at the terminal, or given by the command that answers for the user.

use omadm_client::dm1::bootstrap::{BootstrapUser, PinAnswer, PinRequest};
use omadm_client::smartcard::PinQuestion;
use omadm_client::{BootstrapRequest, Consent, Refusal};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::config::{Config, Dm1Section, UserMode};
use crate::consent::Asking;
use crate::terminal::{self, plain};
use crate::user::{self, Printed, Unseen};

/// Whoever has the PIN and agrees, as the configuration says.
pub struct DeviceUser<'c> {
    config: &'c Config,
    /// A PIN that is known already, tried once.
    pin: Option<Zeroizing<String>>,
}

impl<'c> DeviceUser<'c> {
    pub fn new(config: &'c Config, pin: Option<Zeroizing<String>>) -> Self {
        Self { config, pin }
    }
}

impl Consent for DeviceUser<'_> {
    async fn decide(&mut self, request: &BootstrapRequest) -> Result<(), Refusal> {
        Asking::new(&self.config.bootstrap).decide(request).await
    }
}

impl BootstrapUser for DeviceUser<'_> {
    async fn pin(&mut self, request: &PinRequest) -> PinAnswer {
        match self.pin.take() {
            Some(pin) => PinAnswer::Pin(pin),
            None => ask(&self.config.dm1, request).await,
        }
    }
}

/// What a user is asked, for people and for programs.
struct Asked {
    sentence: String,
    described: Value,
}

/// Asks for the PIN of a bootstrap, for as long as the configuration gives the user.
pub async fn ask(settings: &Dm1Section, request: &PinRequest) -> PinAnswer {
    answer(settings, of_bootstrap(request)).await
}

/// The same for the PIN of a smartcard.
#[cfg_attr(not(feature = "smartcard"), allow(dead_code, reason = "cards are read with the feature only"))]
pub async fn ask_for_card(settings: &Dm1Section, question: &PinQuestion) -> PinAnswer {
    answer(settings, of_card(question)).await
}

async fn answer(settings: &Dm1Section, asked: Asked) -> PinAnswer {
    let answer = async {
        match settings.user {
            UserMode::None => PinAnswer::Nobody,
            UserMode::Terminal => at_terminal(asked.sentence).await,
            UserMode::Command => by_command(&settings.user_command, &asked.described).await,
        }
    };
    tokio::time::timeout(settings.user_timeout.0, answer).await.unwrap_or(PinAnswer::Nobody)
}

fn of_bootstrap(request: &PinRequest) -> Asked {
    let PinRequest { origin, attempt, attempts } = request;
    let sentence = format!(
        "The bootstrap {} needs the PIN that its operator gave you (try {attempt} of {attempts}; c to cancel).\n",
        plain(&origin.to_string())
    );
    let described = json!({
        "kind": "pin",
        "bootstrap": origin.to_string(),
        "attempt": attempt,
        "attempts": attempts,
    });
    Asked { sentence, described }
}

fn of_card(question: &PinQuestion) -> Asked {
    let PinQuestion { pin, label, tries_left, attempt, .. } = question;
    let of = label.as_ref().map(|label| format!(" for {:?}", plain(label))).unwrap_or_default();
    let left = tries_left.map(|tries| format!("tries left: {tries}; ")).unwrap_or_default();
    let sentence = format!("The smartcard needs {pin}{of} ({left}c to cancel).\n");
    let described = json!({
        "kind": "card-pin",
        "pin": pin,
        "label": label,
        "tries_left": tries_left,
        "attempt": attempt,
    });
    Asked { sentence, described }
}

async fn at_terminal(shown: String) -> PinAnswer {
    let unseen = Unseen::begin().await;
    let typed = terminal::talk(move |reader, writer| {
        write!(writer, "{shown}PIN: ")?;
        writer.flush()?;
        let mut line = Zeroizing::new(String::with_capacity(128));
        reader.read_line(&mut line)?;
        Ok(line)
    })
    .await;
    drop(unseen);
    match typed {
        Ok(line) => of_line(&line),
        Err(reason) => {
            tracing::warn!("nobody can be asked for a PIN: {reason}");
            PinAnswer::Nobody
        }
    }
}

async fn by_command(words: &[String], described: &Value) -> PinAnswer {
    match user::printed(words, described).await {
        Ok(Printed::Text(line)) => of_line(&line),
        Ok(Printed::Cancelled) => PinAnswer::Refused,
        Ok(Printed::NotDisplayable) => PinAnswer::Nobody,
        Err(error) => {
            tracing::warn!("the command for the user's answers: {error}");
            PinAnswer::Nobody
        }
    }
}

/// What a line means: nothing typed is nobody there.
fn of_line(line: &str) -> PinAnswer {
    match line.trim() {
        "" => PinAnswer::Nobody,
        "c" | "cancel" => PinAnswer::Refused,
        pin => PinAnswer::Pin(Zeroizing::new(pin.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use omadm_client::Origin;

    use super::*;

    async fn answered(script: &str) -> PinAnswer {
        let settings = Dm1Section {
            user: UserMode::Command,
            user_command: ["sh", "-c", script].map(str::to_owned).to_vec(),
            ..Dm1Section::default()
        };
        let origin = Origin::Pushed { by: "a WAP push\u{1b}".to_owned(), secured: false };
        ask(&settings, &PinRequest { origin, attempt: 2, attempts: 3 }).await
    }

    #[tokio::test]
    async fn a_command_gives_the_pin() {
        let asked = r#"grep -q '"attempt":2,"attempts":3,"bootstrap":"sent by a WAP push.*"kind":"pin"' && echo 1234"#;
        assert!(matches!(answered(asked).await, PinAnswer::Pin(pin) if *pin == "1234"));
        for (script, refused) in [("exit 1", true), ("echo c", true), ("exit 2", false), ("exit 0", false)] {
            let answer = answered(script).await;
            assert!(matches!(answer, PinAnswer::Refused) == refused, "{script}: {answer:?}");
            assert!(matches!(answer, PinAnswer::Nobody) != refused, "{script}: {answer:?}");
        }
    }

    #[tokio::test]
    async fn nobody_has_a_pin_where_there_is_no_user() {
        let request = PinRequest { origin: Origin::Local, attempt: 1, attempts: 3 };
        assert!(matches!(ask(&Dm1Section::default(), &request).await, PinAnswer::Nobody));
        let hostile =
            PinRequest { origin: Origin::Pushed { by: "\u{1b}[2J".to_owned(), secured: false }, ..request };
        assert!(!of_bootstrap(&hostile).sentence.contains('\u{1b}'));
    }

    #[tokio::test]
    async fn the_pin_of_a_card_is_asked_for_with_the_tries_that_are_left() {
        let question = PinQuestion {
            pin: "CHV1".to_owned(),
            reference: omadm_client::smartcard::KeyReference::CHV1,
            label: Some("Operator\u{1b}[2J".to_owned()),
            tries_left: Some(2),
            attempt: 1,
        };
        let asked = of_card(&question).sentence;
        assert!(
            asked.contains("CHV1") && asked.contains("tries left: 2") && !asked.contains('\u{1b}'),
            "{asked}"
        );
        let script = r#"grep -q '"kind":"card-pin".*"pin":"CHV1","tries_left":2' && echo 2468"#;
        let settings = Dm1Section {
            user: UserMode::Command,
            user_command: ["sh", "-c", script].map(str::to_owned).to_vec(),
            ..Dm1Section::default()
        };
        let answer = ask_for_card(&settings, &question).await;
        assert!(matches!(&answer, PinAnswer::Pin(pin) if **pin == "2468"), "{answer:?}");
        assert!(matches!(ask_for_card(&Dm1Section::default(), &question).await, PinAnswer::Nobody));
    }
}
