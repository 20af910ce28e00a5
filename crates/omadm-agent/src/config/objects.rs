//! Sections of the management objects that act on the machine: packages, firmware, software, diagnostics, lock and wipe. All of them are
//! off unless they are configured.

use std::path::PathBuf;

use omadm_client::download::DownloadConfig;
use omadm_config::{Fault, Size, Span};
use serde::{Deserialize, Serialize};

/// `[packages]`
///
/// Packages of firmware and software: where they come from, and which are taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PackagesSection {
    /// Public keys (PEM: RSA of 2048 bits or more, elliptic curves, Ed25519), one of which has to have signed what is installed.
    pub keys: Vec<PathBuf>,
    /// Names of packages that need no signature; `*` stands for anything. A signature that is there has to be good all the same.
    pub unsigned: Vec<String>,
    /// Where packages are kept. Default: `packages` in the data directory.
    pub directory: Option<PathBuf>,
    /// Allow `http`: who is on the way can see packages and keep them away, and change those that need no signature.
    pub plain_http: bool,
    /// Largest package.
    pub max_size: Size,
    /// Longest time for the download of one package, pauses and restarts of the agent included, one second or more.
    pub time_limit: Span,
    /// Most attempts in a row that bring nothing, 1 or more.
    pub attempts: u32,
    /// Pause after the first of them, twice as long after each further one.
    pub pause: Span,
    /// Longest pause.
    pub longest_pause: Span,
    /// How long a connection may bring nothing before it is given up, one second or more.
    pub stall: Span,
    /// What stays free on the disk.
    pub reserve: Size,
}

impl Default for PackagesSection {
    fn default() -> Self {
        let DownloadConfig {
            plain_http,
            max_size,
            time_limit,
            attempts,
            pause,
            longest_pause,
            stall,
            reserve,
            ..
        } = DownloadConfig::default();
        let size = |octets| Size(usize::try_from(octets).unwrap_or(usize::MAX));
        Self {
            keys: Vec::new(),
            unsigned: Vec::new(),
            directory: None,
            plain_http,
            max_size: size(max_size),
            time_limit: Span(time_limit),
            attempts,
            pause: Span(pause),
            longest_pause: Span(longest_pause),
            stall: Span(stall),
            reserve: size(reserve),
        }
    }
}

impl PackagesSection {
    /// The settings as the library has them.
    pub fn to_downloads(&self) -> DownloadConfig {
        DownloadConfig {
            plain_http: self.plain_http,
            max_size: self.max_size.0 as u64,
            time_limit: self.time_limit.0,
            attempts: self.attempts,
            pause: self.pause.0,
            longest_pause: self.longest_pause.0,
            stall: self.stall.0,
            reserve: self.reserve.0 as u64,
            ..DownloadConfig::default()
        }
    }

    fn check(&self) -> Result<(), Fault> {
        for (key, span) in [("packages.time_limit", self.time_limit), ("packages.stall", self.stall)] {
            at_least_a_second(key, span)?;
        }
        if self.attempts == 0 {
            return Err(Fault::new("packages.attempts", "has to be 1 or more"));
        }
        Ok(())
    }
}

/// How firmware is installed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "they speak for themselves")]
pub enum FirmwareMethod {
    #[default]
    None,
    Hook,
    Slots,
}

/// Who says that new firmware in a slot is good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "they speak for themselves")]
pub enum Confirmation {
    #[default]
    Session,
    Command,
}

/// One of `firmware.exit_codes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExitCode {
    /// Exit status of the command.
    pub exit: u8,
    /// Result code of FUMO.
    pub result: u16,
}

/// `[firmware]`
///
/// Firmware update (FUMO 1.0).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FirmwareSection {
    /// `none` (default: there is no such object), `hook`, a command that installs, or `slots`, two of which one is in use.
    pub method: FirmwareMethod,
    /// With `hook`: the command, with `{package}`, `{name}`, `{version}` and `{run}` as whole arguments and in variables such as
    /// `OMADM_PACKAGE`. It has to end with 0, and is run again (`{run}` 2 and 3) after a power cut in the middle.
    pub install: Vec<String>,
    /// How long a command may take, one second or more.
    pub timeout: Span,
    /// What other exit statuses mean to servers, such as `[{ exit = 3, result = 403 }]`. Default: 410 for all.
    pub exit_codes: Vec<ExitCode>,
    /// With `slots`: the two of them, each a file, a partition, or with `unpack` a directory.
    pub slots: Vec<PathBuf>,
    /// With `slots`: the symbolic link to the one in use. It is switched to the other by one rename.
    pub pointer: Option<PathBuf>,
    /// With `slots`: command that unpacks `{package}` into the empty directory `{slot}`, such as `["tar", "--extract", "--file",
    /// "{package}", "--directory", "{slot}"]`. Empty: the package is the content of a file or a partition.
    pub unpack: Vec<String>,
    /// With `slots`: command after each switch, such as `["systemctl", "reboot"]`. Empty: nothing has to be done.
    pub restart: Vec<String>,
    /// Whether `restart` ends the agent, too: then new firmware cannot be good before the agent has started anew.
    pub reboots: bool,
    /// With `slots`: new firmware is good after a first `session` that ended well (default), or by the `command` `omadm-agent confirm`.
    pub confirm: Confirmation,
    /// Most starts of the agent until then, 1 or more; at the next one the old slot is back in use.
    pub starts: u32,
    /// File with the version of the firmware in use, which is FwV for servers, too.
    pub version_file: Option<PathBuf>,
}

impl Default for FirmwareSection {
    fn default() -> Self {
        Self {
            method: FirmwareMethod::None,
            install: Vec::new(),
            timeout: Span::secs(3_600),
            exit_codes: Vec::new(),
            slots: Vec::new(),
            pointer: None,
            unpack: Vec::new(),
            restart: Vec::new(),
            reboots: false,
            confirm: Confirmation::default(),
            starts: 3,
            version_file: None,
        }
    }
}

impl FirmwareSection {
    fn check(&self) -> Result<(), Fault> {
        match self.method {
            FirmwareMethod::None => return Ok(()),
            FirmwareMethod::Hook => program("firmware.install", &self.install, true)?,
            FirmwareMethod::Slots => {
                let [one, other] = self.slots.as_slice() else {
                    return Err(Fault::new("firmware.slots", "has to name two"));
                };
                if one == other || !one.is_absolute() || !other.is_absolute() {
                    return Err(Fault::new("firmware.slots", "have to be two absolute paths"));
                }
                if self.pointer.as_ref().is_none_or(|pointer| !pointer.is_absolute()) {
                    return Err(Fault::new(
                        "firmware.pointer",
                        "has to be an absolute path beside firmware.slots",
                    ));
                }
            }
        }
        program("firmware.unpack", &self.unpack, false)?;
        program("firmware.restart", &self.restart, false)?;
        at_least_a_second("firmware.timeout", self.timeout)?;
        if self.starts == 0 {
            return Err(Fault::new("firmware.starts", "has to be 1 or more"));
        }
        if self.exit_codes.iter().any(|code| !(200..600).contains(&code.result)) {
            return Err(Fault::new("firmware.exit_codes", "a result is 200 to 599"));
        }
        Ok(())
    }
}

/// Whose list of software is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "they speak for themselves")]
pub enum Inventory {
    #[default]
    None,
    Dpkg,
}

/// `[software]`
///
/// Software components (SCOMO 1.0).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SoftwareSection {
    /// Have the object.
    pub enabled: bool,
    /// `dpkg`: the packages of Debian that are installed. `none` (default): only what came by this object.
    pub inventory: Inventory,
    /// Of the packages of Debian those with these names; `*` stands for anything.
    pub show: Vec<String>,
    /// Most components that are shown, 1 to 100000.
    pub max_components: usize,
    /// Names of components that servers may install, activate, deactivate and remove; `*` stands for anything.
    pub manage: Vec<String>,
    /// Command that installs `{package}`, such as `["dpkg", "--install", "{package}"]`; `{component}`, `{version}` and `{run}` are known,
    /// too. It is run again (`{run}` 2 and 3) after a power cut in the middle.
    pub install: Vec<String>,
    /// Command that removes `{component}`, such as `["dpkg", "--remove", "{component}"]`.
    pub remove: Vec<String>,
    /// Command that activates `{component}`. Empty: what is installed is active.
    pub activate: Vec<String>,
    /// Command that deactivates `{component}`.
    pub deactivate: Vec<String>,
    /// How long a command may take, one second or more.
    pub timeout: Span,
    /// Most operations that wait, 1 to 1000; one more is answered 503.
    pub waiting: usize,
    /// Most packages that servers may have in Download and Delivered each, 1 to 1000.
    pub max_packages: usize,
}

impl Default for SoftwareSection {
    fn default() -> Self {
        Self {
            enabled: false,
            inventory: Inventory::default(),
            show: vec!["*".to_owned()],
            max_components: 4_096,
            manage: Vec::new(),
            install: Vec::new(),
            remove: Vec::new(),
            activate: Vec::new(),
            deactivate: Vec::new(),
            timeout: Span::secs(3_600),
            waiting: 16,
            max_packages: 16,
        }
    }
}

impl SoftwareSection {
    fn check(&self) -> Result<(), Fault> {
        for (key, command) in [
            ("software.install", &self.install),
            ("software.remove", &self.remove),
            ("software.activate", &self.activate),
            ("software.deactivate", &self.deactivate),
        ] {
            program(key, command, false)?;
        }
        at_least_a_second("software.timeout", self.timeout)?;
        if !(1..=100_000).contains(&self.max_components) {
            return Err(Fault::new("software.max_components", "has to be 1 to 100000"));
        }
        for (key, bound) in [("software.waiting", self.waiting), ("software.max_packages", self.max_packages)]
        {
            if !(1..=1_000).contains(&bound) {
                return Err(Fault::new(key, "has to be 1 to 1000"));
            }
        }
        Ok(())
    }
}

/// One of `diagnostics.disks`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiskEntry {
    /// Name of its node.
    pub name: String,
    /// A path on it.
    pub path: PathBuf,
}

/// `[diagnostics]`
///
/// Diagnostics and monitoring (DiagMon 1.0).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DiagnosticsSection {
    /// Have the object: load, memory and disks of the machine.
    pub enabled: bool,
    /// The disks, such as `[{ name = "root", path = "/" }]`, which is the default. 64 at most.
    pub disks: Vec<DiskEntry>,
    /// Log file of which servers may have an excerpt. Default: none. Lines that look as if they hold a secret are left out.
    pub log_file: Option<PathBuf>,
    /// Most octets of the excerpt.
    pub log_bytes: Size,
}

impl Default for DiagnosticsSection {
    fn default() -> Self {
        Self {
            enabled: false,
            disks: vec![DiskEntry { name: "root".to_owned(), path: PathBuf::from("/") }],
            log_file: None,
            log_bytes: Size(16 << 10),
        }
    }
}

impl DiagnosticsSection {
    fn check(&self) -> Result<(), Fault> {
        if self.disks.len() > 64 {
            return Err(Fault::new("diagnostics.disks", "has to hold 64 at most"));
        }
        let legal = |name: &str| omadm_mo::NodeName::parse(name).is_ok();
        if let Some(disk) = self.disks.iter().find(|disk| !legal(&disk.name)) {
            return Err(Fault::new("diagnostics.disks", format!("{:?} is no name of a node", disk.name)));
        }
        if !(1..=1 << 20).contains(&self.log_bytes.0) {
            return Err(Fault::new("diagnostics.log_bytes", "has to be 1 octet to 1 MiB"));
        }
        Ok(())
    }
}

/// One of `lock.wipe_items`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WipeItem {
    /// What it is, for servers and people.
    pub name: String,
    /// Command that wipes it.
    pub command: Vec<String>,
}

/// `[lock]`
///
/// Lock and wipe (LAWMO 1.0). Each operation is there only if its command is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LockSection {
    /// Have the object.
    pub enabled: bool,
    /// Command that locks the machine.
    pub full: Vec<String>,
    /// Command that locks a part of it.
    pub partial: Vec<String>,
    /// Command that unlocks it.
    pub unlock: Vec<String>,
    /// Command that puts it back into the state in which it left the factory. It needs `allow_wipe`.
    pub factory_reset: Vec<String>,
    /// What can be wiped, such as `[{ name = "user data", command = ["/usr/lib/vendor/wipe-data"] }]`. It needs `allow_wipe`.
    pub wipe_items: Vec<WipeItem>,
    /// Yes, servers with the right to execute it may have data of this machine destroyed.
    pub allow_wipe: bool,
    /// How long a command may take, one second or more.
    pub timeout: Span,
}

impl Default for LockSection {
    fn default() -> Self {
        Self {
            enabled: false,
            full: Vec::new(),
            partial: Vec::new(),
            unlock: Vec::new(),
            factory_reset: Vec::new(),
            wipe_items: Vec::new(),
            allow_wipe: false,
            timeout: Span::secs(600),
        }
    }
}

impl LockSection {
    fn check(&self) -> Result<(), Fault> {
        for (key, command) in [
            ("lock.full", &self.full),
            ("lock.partial", &self.partial),
            ("lock.unlock", &self.unlock),
            ("lock.factory_reset", &self.factory_reset),
        ] {
            program(key, command, false)?;
        }
        self.wipe_items.iter().try_for_each(|item| program("lock.wipe_items", &item.command, true))?;
        if self.wipe_items.len() > 64 {
            return Err(Fault::new("lock.wipe_items", "has to hold 64 at most"));
        }
        let destroys = !self.wipe_items.is_empty() || !self.factory_reset.is_empty();
        if destroys && !self.allow_wipe {
            return Err(Fault::new(
                "lock.allow_wipe",
                "has to be true beside lock.wipe_items or lock.factory_reset",
            ));
        }
        at_least_a_second("lock.timeout", self.timeout)
    }
}

/// Finds the first fault in the sections of this file.
pub(super) fn check(config: &super::Config) -> Result<(), Fault> {
    config.packages.check()?;
    config.firmware.check()?;
    config.software.check()?;
    config.diagnostics.check()?;
    config.lock.check()
}

fn program(key: &'static str, command: &[String], needed: bool) -> Result<(), Fault> {
    match command.first() {
        Some(program) if program.is_empty() => Err(Fault::new(key, "has to begin with a program")),
        None if needed => Err(Fault::new(key, "has to name a command")),
        _ => Ok(()),
    }
}

fn at_least_a_second(key: &'static str, span: Span) -> Result<(), Fault> {
    if span < Span::secs(1) { Err(Fault::new(key, "has to be one second or more")) } else { Ok(()) }
}
