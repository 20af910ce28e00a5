//! The browser of the machine, which shows the pages of SHOW: a command of the configuration (`DM 2.0 §5.3.7`).

use std::collections::VecDeque;
use std::process::Stdio;
use std::time::{Duration, Instant};

use omadm_client::{Browser, Refusal, Shown, StatusCode};
use tokio::process::Command;

/// A command that ends badly within this time has not started a browser.
const SETTLE: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// Shows a page by running a command with its address as last argument; no shell is involved.
#[derive(Debug)]
pub struct CommandBrowser {
    program: String,
    arguments: Vec<String>,
    per_minute: usize,
    /// When pages were shown, within the last minute.
    shown: VecDeque<Instant>,
}

impl CommandBrowser {
    /// `None` when the command is empty: there is no browser then.
    pub fn new(command: &[String], per_minute: usize) -> Option<Self> {
        let (program, arguments) = command.split_first()?;
        let (program, arguments) = (program.clone(), arguments.to_vec());
        Some(Self { program, arguments, per_minute, shown: VecDeque::new() })
    }

    /// No server shall be able to bury the user in windows.
    fn admit(&mut self) -> Result<(), Refusal> {
        while self.shown.front().is_some_and(|at| at.elapsed() >= MINUTE) {
            self.shown.pop_front();
        }
        if self.shown.len() >= self.per_minute {
            let reason = format!("{} pages were shown within a minute, which is the limit", self.per_minute);
            return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, reason));
        }
        self.shown.push_back(Instant::now());
        Ok(())
    }

    async fn start(&self, uri: &str) -> Result<(), Refusal> {
        let failed = |reason: String| Refusal::new(StatusCode::INTERNAL_ERROR, reason);
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).arg(uri);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // A signal that ends the agent at a terminal is not for the browser.
        command.process_group(0);
        let mut browser =
            command.spawn().map_err(|error| failed(format!("{} does not start: {error}", self.program)))?;
        match tokio::time::timeout(SETTLE, browser.wait()).await {
            Ok(Ok(status)) if !status.success() => Err(failed(format!("{} ended: {status}", self.program))),
            Ok(Err(error)) => Err(failed(format!("{} is lost: {error}", self.program))),
            Ok(Ok(_)) | Err(_) => Ok(()),
        }
    }
}

impl Browser for CommandBrowser {
    fn show<'a>(&'a mut self, uri: &'a str) -> Shown<'a> {
        Box::pin(async move {
            self.admit()?;
            self.start(uri).await
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn browser(command: &[&str], per_minute: usize) -> Option<CommandBrowser> {
        let command: Vec<String> = command.iter().map(|word| (*word).to_owned()).collect();
        CommandBrowser::new(&command, per_minute)
    }

    #[tokio::test]
    async fn the_address_is_one_argument_and_no_shell_reads_it() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("shown");
        let script = format!("printf '%s\\n' \"$#\" \"$@\" > {}", file.display());
        let mut browser = browser(&["/bin/sh", "-c", &script, "sh", "--new-window"], 10).unwrap();
        let uri = "https://dms.example/ui?a=$(reboot)&b=;c";
        browser.show(uri).await.unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), format!("2\n--new-window\n{uri}\n"));
    }

    #[tokio::test]
    async fn a_browser_that_does_not_start_is_500() {
        for command in [&["/no/such/browser"][..], &["/bin/false"]] {
            let refusal = browser(command, 10).unwrap().show("https://dms.example/").await.unwrap_err();
            assert_eq!(refusal.status, StatusCode::INTERNAL_ERROR, "{command:?}");
        }
        assert!(browser(&[], 10).is_none());
    }

    #[tokio::test]
    async fn beyond_the_limit_of_a_minute_it_is_503() {
        let mut browser = browser(&["/bin/true"], 2).unwrap();
        for _ in 0..2 {
            browser.show("https://dms.example/").await.unwrap();
        }
        let refusal = browser.show("https://dms.example/").await.unwrap_err();
        assert_eq!(refusal.status, StatusCode::SERVICE_UNAVAILABLE);
        browser.shown.clear();
        browser.show("https://dms.example/").await.unwrap();
    }
}
