//! The command line as a whole: global options and the list of subcommands.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::api::Api;
use crate::cmd;
use crate::failure::Failure;
use crate::screen::Format;

/// OMA Device Management: the server, its operator's commands, and tools for protocol engineers.
///
/// Exit status: 0 done, 1 refused or failed, 2 wrong usage.
#[derive(Debug, Parser)]
#[command(name = "omadm", version, max_term_width = 110)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Options that every subcommand takes.
#[derive(Debug, Args)]
pub struct Global {
    /// Operator address of the server.
    #[arg(
        long,
        global = true,
        env = "OMADM_SERVER",
        value_name = "URL",
        default_value = "http://127.0.0.1:8080"
    )]
    pub server: String,
    /// File with the operator token; the token itself can be given in the environment as OMADM_TOKEN.
    #[arg(
        long,
        global = true,
        env = "OMADM_TOKEN_FILE",
        value_name = "FILE",
        default_value = "omadm-data/operator.token"
    )]
    pub token_file: PathBuf,
    /// Tables for people, JSON for programs.
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: Format,
}

impl Global {
    /// A client of the server that the options name.
    pub fn api(&self) -> Result<Api, Failure> {
        Api::new(&self.server, &self.token_file).map_err(Failure::from)
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server: both listeners, the embedded store, certificates for a trial.
    Serve(cmd::serve::Serve),
    /// Check, upgrade, back up and restore the store of a server.
    Store(cmd::store::Store),
    /// Look at devices, enrol and remove them.
    #[command(subcommand)]
    Device(cmd::device::Device),
    /// Groups of devices, by filter.
    #[command(subcommand)]
    Group(cmd::group::Group),
    /// Import devices, credentials and labels from a table.
    Import(cmd::import::Import),
    /// Export the inventory as a table.
    Export(cmd::export::Export),
    /// Firmware and software for devices.
    #[command(subcommand)]
    Package(cmd::package::Package),
    /// A change over many devices, in stages.
    #[command(subcommand)]
    Campaign(cmd::campaign::Campaign),
    /// Queue a command for a device, and wait for its result if wished.
    Run(cmd::run::Run),
    /// Notify a device now, so that it begins a session.
    Notify(cmd::notify::Notify),
    /// Look at queued and finished commands, and cancel them.
    #[command(subcommand)]
    Command(cmd::command::Command),
    /// What should be true of devices.
    #[command(subcommand)]
    Profile(cmd::profile::Profile),
    /// Pages that devices show to their users.
    #[command(subcommand)]
    Page(cmd::page::Page),
    /// Look at management sessions and what went over the wire in them.
    #[command(subcommand)]
    Session(cmd::session::Session),
    /// Print what happened, device by device.
    Events(cmd::events::Events),
    /// People who use the server.
    #[command(subcommand)]
    User(cmd::user::User),
    /// Operator tokens.
    #[command(subcommand)]
    Token(cmd::token::Token),
    /// Who changed what.
    #[command(subcommand)]
    Audit(cmd::audit::Audit),
    /// Programs elsewhere that are told of events.
    #[command(subcommand)]
    Webhook(cmd::webhook::Webhook),
    /// Device description files.
    #[command(subcommand)]
    Ddf(cmd::ddf::Ddf),
    /// Make what a device needs to know its server.
    #[command(subcommand)]
    Bootstrap(cmd::bootstrap::Bootstrap),
    /// Give other servers rights on devices, and get rights from them.
    #[command(subcommand)]
    Delegation(cmd::delegation::Delegation),
    /// Read a DM message and say what is in it.
    Decode(cmd::decode::Decode),
    /// Write a document of DM 1.x in another encoding.
    Encode(cmd::encode::Encode),
    /// Put load on a server: many virtual devices, each with the real client engine.
    Sim(cmd::sim::Sim),
}

impl Cli {
    /// Does what the command line asks.
    pub fn run(self) -> Result<(), Failure> {
        let Self { global, command } = self;
        match command {
            Command::Serve(serve) => many_threads(serve.run(&global)),
            Command::Store(store) => one_thread(store.run(&global)),
            Command::Device(device) => one_thread(device.run(&global)),
            Command::Group(group) => one_thread(group.run(&global)),
            Command::Import(import) => one_thread(import.run(&global)),
            Command::Export(export) => one_thread(export.run(&global)),
            Command::Package(package) => one_thread(package.run(&global)),
            Command::Campaign(campaign) => one_thread(campaign.run(&global)),
            Command::Run(run) => one_thread(run.run(&global)),
            Command::Notify(notify) => one_thread(notify.run(&global)),
            Command::Command(command) => one_thread(command.run(&global)),
            Command::Profile(profile) => one_thread(profile.run(&global)),
            Command::Page(page) => one_thread(page.run(&global)),
            Command::Session(session) => one_thread(session.run(&global)),
            Command::Events(events) => one_thread(events.run(&global)),
            Command::User(user) => one_thread(user.run(&global)),
            Command::Token(token) => one_thread(token.run(&global)),
            Command::Audit(audit) => one_thread(audit.run(&global)),
            Command::Webhook(webhook) => one_thread(webhook.run(&global)),
            Command::Ddf(ddf) => one_thread(ddf.run(&global)),
            Command::Bootstrap(bootstrap) => one_thread(bootstrap.run(&global)),
            Command::Delegation(delegation) => one_thread(delegation.run(&global)),
            Command::Decode(decode) => decode.run(&global),
            Command::Encode(encode) => encode.run(),
            Command::Sim(sim) => many_threads(sim.run(&global)),
        }
    }
}

/// One request at a time needs no second thread.
fn one_thread(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    block_on(tokio::runtime::Builder::new_current_thread().enable_all().build(), work)
}

fn many_threads(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    block_on(tokio::runtime::Builder::new_multi_thread().enable_all().build(), work)
}

fn block_on(
    runtime: std::io::Result<tokio::runtime::Runtime>,
    work: impl Future<Output = Result<(), Failure>>,
) -> Result<(), Failure> {
    runtime.map_err(|error| Failure::Failed(format!("cannot start the runtime: {error}")))?.block_on(work)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_holds_together() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }
}
