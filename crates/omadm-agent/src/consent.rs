//! Who agrees to a bootstrap (`DM 2.0 §12.2`): nobody has to, the person at the terminal, or a command.

use std::io::{BufRead, Write};
use std::process::Stdio;
use std::time::Duration;

use omadm_client::{BootstrapRequest, Consent, Refusal, RequestedAccount, StatusCode};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::config::{BootstrapSection, ConsentMode};
use crate::terminal::{self, plain};

/// Asks as the configuration says.
pub struct Asking<'c> {
    settings: &'c BootstrapSection,
}

impl<'c> Asking<'c> {
    pub fn new(settings: &'c BootstrapSection) -> Self {
        Self { settings }
    }

    async fn ask(&self, request: &BootstrapRequest) -> Result<(), Refusal> {
        match self.settings.consent {
            ConsentMode::None => Ok(()),
            ConsentMode::Terminal => terminal(question(request)).await,
            ConsentMode::Command => command(&self.settings.consent_command, &describe(request)).await,
        }
    }
}

impl Consent for Asking<'_> {
    async fn decide(&mut self, request: &BootstrapRequest) -> Result<(), Refusal> {
        let limit: Duration = self.settings.consent_timeout.0;
        tokio::time::timeout(limit, self.ask(request))
            .await
            .unwrap_or_else(|_| Err(rejected(format!("nobody answered within {} s", limit.as_secs()))))
    }
}

fn rejected(reason: impl Into<String>) -> Refusal {
    Refusal::new(StatusCode::USER_REJECTED, reason)
}

async fn terminal(question: String) -> Result<(), Refusal> {
    match terminal::talk(move |reader, writer| answer(reader, writer, &question)).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(rejected("the user said no")),
        Err(reason) => Err(rejected(reason)),
    }
}

fn answer(reader: &mut dyn BufRead, writer: &mut dyn Write, question: &str) -> std::io::Result<bool> {
    write!(writer, "{question}Install it? [y/N] ")?;
    writer.flush()?;
    let mut line = String::new();
    reader.read_line(&mut line)?;
    Ok(matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// Lets a command decide: it gets the request as JSON and agrees by exit status 0.
async fn command(words: &[String], request: &Value) -> Result<(), Refusal> {
    let [program, arguments @ ..] = words else { return Err(rejected("no command is configured")) };
    let failed = |error: std::io::Error| rejected(format!("{program} cannot be asked: {error}"));
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    if let Some(mut input) = child.stdin.take() {
        // A command that decides without reading is free to.
        let _ = input.write_all(request.to_string().as_bytes()).await;
    }
    let status = child.wait().await.map_err(failed)?;
    if status.success() { Ok(()) } else { Err(rejected(format!("{program} refused it ({status})"))) }
}

fn describe(request: &BootstrapRequest) -> Value {
    let account = |account: &RequestedAccount| {
        json!({
            "server": account.server.as_str(),
            "name": account.name,
            "uri": account.uri,
            "moids": account.moids,
            "replaces": account.replaces,
        })
    };
    json!({
        "bootstrap": request.origin.to_string(),
        "accounts": request.accounts.iter().map(account).collect::<Vec<_>>(),
        "objects": request.objects.iter().map(|moid| moid.as_str()).collect::<Vec<_>>(),
    })
}

/// The request for a person. What comes from the bootstrap cannot steer the terminal or hide text.
fn question(request: &BootstrapRequest) -> String {
    let mut lines = vec![format!("A bootstrap {} wants to set up:", plain(&request.origin.to_string()))];
    for account in &request.accounts {
        let instead = if account.replaces { ", in place of the account there is" } else { "" };
        let (name, uri) = (plain(&account.name), plain(&account.uri));
        lines.push(format!("  server {} ({name}) at {uri}{instead}", plain(account.server.as_str())));
        let moids = account.moids.iter().map(|moid| match moid.as_str() {
            "*" => "every management object".to_owned(),
            moid => plain(moid),
        });
        lines.extend(moids.map(|moid| format!("    may manage {moid}")));
    }
    lines.extend(request.objects.iter().map(|moid| format!("  data of {}", plain(moid.as_str()))));
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use omadm_client::Origin;
    use omadm_config::Span;
    use omadm_mo::{Moid, ServerId};

    use super::*;

    fn request() -> BootstrapRequest {
        let account = |server: &str, name: &str, moids: &[&str], replaces| RequestedAccount {
            server: ServerId::parse(server).unwrap(),
            name: name.to_owned(),
            uri: format!("https://{server}.example/"),
            moids: moids.iter().map(|moid| (*moid).to_owned()).collect(),
            replaces,
        };
        BootstrapRequest {
            origin: Origin::Fetched { uri: "https://bs.example/".to_owned() },
            accounts: vec![
                account("one", "Shiny\u{1b}[2J \u{202e}co", &["*"], true),
                account("two", "Two", &["urn:a:1.0", "urn:b:1.0"], false),
            ],
            objects: vec![Moid::parse("urn:c:1.0").unwrap()],
        }
    }

    async fn decide(words: &[&str], timeout: Span) -> Result<(), Refusal> {
        let settings = BootstrapSection {
            consent: ConsentMode::Command,
            consent_command: words.iter().map(|word| (*word).to_owned()).collect(),
            consent_timeout: timeout,
            ..BootstrapSection::default()
        };
        Asking::new(&settings).decide(&request()).await
    }

    #[test]
    fn a_person_sees_what_is_asked_for_and_nothing_that_steers_the_terminal() {
        let expected = "\
A bootstrap from https://bs.example/ wants to set up:
  server one (Shiny\u{fffd}[2J \u{fffd}co) at https://one.example/, in place of the account there is
    may manage every management object
  server two (Two) at https://two.example/
    may manage urn:a:1.0
    may manage urn:b:1.0
  data of urn:c:1.0
";
        assert_eq!(question(&request()), expected);
    }

    #[test]
    fn only_yes_is_yes() {
        for (typed, expected) in [
            ("y\n", true),
            ("YES\n", true),
            ("\n", false),
            ("n\n", false),
            ("yesterday\n", false),
            ("", false),
        ] {
            let mut shown = Vec::new();
            assert_eq!(answer(&mut typed.as_bytes(), &mut shown, "Q\n").unwrap(), expected, "{typed:?}");
            assert_eq!(shown, b"Q\nInstall it? [y/N] ");
        }
    }

    #[tokio::test]
    async fn a_command_reads_the_request_and_decides_by_its_status() {
        let long = Span::secs(60);
        let finds =
            r#"grep -q '"moids":\["urn:a:1.0","urn:b:1.0"\],"name":"Two","replaces":false,"server":"two"'"#;
        assert_eq!(decide(&["sh", "-c", finds], long).await, Ok(()));
        assert_eq!(decide(&["true"], long).await, Ok(()), "it need not read");
        for words in [&["false"][..], &["/none/such"], &[]] {
            let refusal = decide(words, long).await.unwrap_err();
            assert_eq!(refusal.status, StatusCode::USER_REJECTED, "{words:?}");
        }
    }

    #[tokio::test]
    async fn silence_is_no() {
        let refusal = decide(&["sleep", "3600"], Span::secs(0)).await.unwrap_err();
        assert_eq!(refusal, rejected("nobody answered within 0 s"));
    }
}
