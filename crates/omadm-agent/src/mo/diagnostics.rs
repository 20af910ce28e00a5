//! Diagnostics and monitoring, `urn:oma:mo:oma-diagmon:1.0` (`DiagMon 1.0`): an instance for each of load, memory, disks and log.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use omadm_client::{
    Changed, Execution, Finished, ManagementObject, PluginError, Refusal, StatusCode, dm1x_code,
};
use omadm_mo::{Change, ClientUri, Miid, MoInst, NodeName, Value};

use crate::config::{DiagnosticsSection, DiskEntry};

/// Its MOID.
pub const MOID: &str = "urn:oma:mo:oma-diagmon:1.0";
const REPORT: &str = "urn:oma:at:diagmon:1.0:OperationComplete";

/// Result codes of `OperationComplete`.
const SUCCESS: u16 = 1200;
const FAILED: u16 = 1400;

/// `Status`.
const IDLE: i64 = 10;
const HAS_DATA: i64 = 20;
const FAULTY: i64 = 30;

/// Most lines of an excerpt, and how many there are unless a server says otherwise.
const MAX_LINES: i64 = 1_000;
const LINES: i64 = 50;
/// The value does not fit its node; one of the codes that a device may define (`DM 2.0 Appendix C`).
const BAD_VALUE: StatusCode = StatusCode(1_400);

/// Words that stand beside secrets.
const TELLTALES: [&str; 9] = [
    "password",
    "passwd",
    "secret",
    "token",
    "authorization",
    "credential",
    "private key",
    "api_key",
    "apikey",
];
/// What stands in the place of a line with one.
const LEFT_OUT: &str = "[left out]";

/// Names and values.
type Data = Vec<(String, String)>;

/// A function of diagnostics: MIID, and what it tells.
const FUNCTIONS: [(&str, &str); 4] = [
    (
        "Load",
        "How busy the machine is: averages over 1, 5 and 15 minutes, processes, and seconds since its start.",
    ),
    ("Memory", "Octets of memory and of swap space: how many there are, and how many are free."),
    ("Disk", "Octets of each disk: how many there are, and how many are free."),
    ("Log", "The end of the log of this device, when Start was executed."),
];

/// Diagnostics as a management object.
pub struct Diagnostics {
    link: String,
    settings: DiagnosticsSection,
    lines: i64,
    /// The excerpt of the log, or why there is none.
    excerpt: Option<Result<String, String>>,
    ended: Vec<Finished>,
}

impl Diagnostics {
    pub fn new(link: String, settings: &DiagnosticsSection) -> Self {
        Self { link, settings: settings.clone(), lines: LINES, excerpt: None, ended: Vec::new() }
    }

    fn functions(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let has_log = self.settings.log_file.is_some();
        FUNCTIONS.into_iter().filter(move |(name, _)| *name != "Log" || has_log)
    }

    /// What a function finds now; `None` is nothing yet.
    fn look(&self, function: &str) -> Option<Result<Data, String>> {
        match function {
            "Load" => Some(load()),
            "Memory" => Some(memory()),
            "Disk" => Some(self.settings.disks.iter().try_fold(Data::new(), |mut data, disk| {
                data.extend(space(disk)?);
                Ok(data)
            })),
            "Log" => self.excerpt.clone().map(|excerpt| Ok(vec![("Excerpt".to_owned(), excerpt?)])),
            _ => None,
        }
    }

    fn show(&self, function: &str, tree: &mut Change<'_>) -> Result<(), PluginError> {
        let (status, data) = match self.look(function) {
            None => (IDLE, Data::new()),
            Some(Ok(data)) => (HAS_DATA, data),
            Some(Err(reason)) => {
                tracing::warn!(function, "diagnostics: {reason}");
                (FAULTY, Data::new())
            }
        };
        let kept = |name: &str| data.iter().any(|(path, _)| path.split('/').next() == Some(name));
        super::prune(tree, MOID, function, "DiagMonData", kept)?;
        let leaves =
            data.into_iter().map(|(name, value)| (format!("DiagMonData/{name}"), Value::Text(value)));
        let leaves: Vec<(String, Value)> =
            leaves.chain([("Status".to_owned(), Value::Int(status))]).collect();
        super::put(tree, MOID, function, leaves.iter().map(|(path, value)| (path.as_str(), value.clone())))
    }

    fn execute_now(
        &mut self,
        function: &str,
        operation: &str,
        address: &ClientUri,
    ) -> Result<Execution, Refusal> {
        let code = match (function, operation) {
            ("Log", "Operations/Start") => {
                let excerpt = self.settings.log_file.as_deref().map(|file| self.excerpt_of(file));
                let failed = matches!(excerpt, Some(Err(_)) | None);
                self.excerpt = excerpt;
                if failed { FAILED } else { SUCCESS }
            }
            ("Log", "Operations/Stop") => {
                self.excerpt = None;
                SUCCESS
            }
            // The others look whenever they are read.
            (_, "Operations/Start") => match self.look(function) {
                Some(Ok(_)) => SUCCESS,
                Some(Err(_)) | None => FAILED,
            },
            (_, "Operations/Stop") => SUCCESS,
            _ => {
                let reason = format!("{address} is no operation");
                return Err(Refusal::new(StatusCode::NOT_IMPLEMENTED, reason));
            }
        };
        let ended = Finished::new(address.clone(), StatusCode(code));
        self.ended.push(Finished { data: Some(dm1x_code(code)), ..ended });
        Ok(Execution::Running)
    }

    fn excerpt_of(&self, file: &Path) -> Result<String, String> {
        let limit = self.settings.log_bytes.0 as u64;
        let octets = tail(file, limit).map_err(|error| format!("{}: {error}", file.display()))?;
        Ok(excerpt(&octets, usize::try_from(self.lines).unwrap_or_default()))
    }
}

impl ManagementObject for Diagnostics {
    fn ddf(&self) -> &str {
        include_str!("../../../../ddf/oma_diagmon-v1_0.ddf")
    }

    fn link(&self) -> &str {
        &self.link
    }

    fn start(&mut self, tree: &mut Change<'_>) -> Result<(), PluginError> {
        if let Some(Value::Int(lines)) = super::get(tree, MOID, "Log", "DiagMonConfig/ConfigParms/Lines") {
            self.lines = lines.clamp(1, MAX_LINES);
        }
        for (name, description) in self.functions() {
            let text = |text: &str| Value::Text(text.to_owned());
            let leaves = [
                ("Name", text(name)),
                ("Description", text(description)),
                ("Operations/Start", Value::Null),
                ("Operations/Stop", Value::Null),
            ];
            super::put(tree, MOID, name, leaves)?;
            if name == "Log" {
                let lines = ("DiagMonConfig/ConfigParms/Lines", Value::Int(self.lines));
                super::put(tree, MOID, name, [lines])?;
            }
            self.show(name, tree)?;
        }
        Ok(())
    }

    fn refresh(&mut self, instance: &Miid, tree: &mut Change<'_>) -> Result<(), PluginError> {
        if self.functions().any(|(name, _)| name == instance.as_str()) {
            return self.show(instance.as_str(), tree);
        }
        Ok(())
    }

    fn check(&mut self, changed: &Changed<'_>) -> Result<(), Refusal> {
        match lines(changed) {
            Some(lines) if !(1..=MAX_LINES).contains(&lines) => {
                Err(Refusal::new(BAD_VALUE, format!("Lines has to be 1 to {MAX_LINES}")))
            }
            _ => Ok(()),
        }
    }

    fn applied(&mut self, changed: &Changed<'_>) {
        self.lines = lines(changed).unwrap_or(self.lines);
    }

    fn execute(&mut self, address: &ClientUri) -> Result<Execution, Refusal> {
        let function = match &address.inst {
            MoInst::Miid(miid) => miid.as_str().to_owned(),
            _ => String::new(),
        };
        let operation = super::path(address).unwrap_or_default();
        self.execute_now(&function, &operation, address)
    }

    fn finished(&mut self) -> Vec<Finished> {
        std::mem::take(&mut self.ended)
    }

    fn report_type(&self, _address: &ClientUri) -> String {
        REPORT.to_owned()
    }
}

fn lines(changed: &Changed<'_>) -> Option<i64> {
    let at = ["DiagMonConfig", "ConfigParms", "Lines"];
    let mut nodes = changed.nodes.iter();
    let node = nodes.find(|node| node.path.iter().map(NodeName::as_str).eq(at))?;
    match node.record?.value.as_ref()? {
        Value::Int(lines) => Some(*lines),
        _ => None,
    }
}

fn read(path: &str) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))
}

/// `proc(5)`: `0.20 0.18 0.12 1/80 11206`.
fn load() -> Result<Data, String> {
    let text = read("/proc/loadavg")?;
    let mut words = text.split_whitespace();
    let mut next = || words.next().unwrap_or_default().to_owned();
    let (one, five, fifteen, processes) = (next(), next(), next(), next());
    let processes = processes.split_once('/').map_or(String::new(), |(_, all)| all.to_owned());
    let uptime = read("/proc/uptime")?;
    let uptime = uptime.split(['.', ' ']).next().unwrap_or_default().to_owned();
    let names = ["Load1", "Load5", "Load15", "Processes", "Uptime"].map(str::to_owned);
    Ok(names.into_iter().zip([one, five, fifteen, processes, uptime]).collect())
}

/// `proc(5)`: lines such as `MemTotal:  16384 kB`.
fn memory() -> Result<Data, String> {
    let text = read("/proc/meminfo")?;
    let octets = |key: &str| -> Result<String, String> {
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
        let number = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
        let octets = number.and_then(|number| number.checked_mul(1_024));
        octets.map(|octets| octets.to_string()).ok_or_else(|| format!("/proc/meminfo has no {key}"))
    };
    let names = [
        ("RAMTotal", "MemTotal"),
        ("RAMAvailable", "MemAvailable"),
        ("SwapTotal", "SwapTotal"),
        ("SwapFree", "SwapFree"),
    ];
    names.into_iter().map(|(name, key)| Ok((name.to_owned(), octets(key)?))).collect()
}

fn space(DiskEntry { name, path }: &DiskEntry) -> Result<Data, String> {
    let found = rustix::fs::statvfs(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let octets = |blocks: u64| blocks.saturating_mul(found.f_frsize).to_string();
    Ok(vec![
        (format!("{name}/Path"), path.display().to_string()),
        (format!("{name}/Total"), octets(found.f_blocks)),
        (format!("{name}/Available"), octets(found.f_bavail)),
    ])
}

/// The end of a file.
fn tail(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(limit)))?;
    let mut octets = Vec::new();
    file.take(limit).read_to_end(&mut octets)?;
    if length > limit {
        // The first line is a piece of one.
        let end = octets.iter().position(|octet| *octet == b'\n').map_or(octets.len(), |at| at + 1);
        octets.drain(..end);
    }
    Ok(octets)
}

/// The last lines, those apart that may hold a secret.
fn excerpt(octets: &[u8], lines: usize) -> String {
    let text = String::from_utf8_lossy(octets);
    let all: Vec<&str> = text.lines().collect();
    let last = all.get(all.len().saturating_sub(lines)..).unwrap_or_default();
    last.iter().map(|line| if may_be_secret(line) { LEFT_OUT } else { line }).collect::<Vec<_>>().join("\n")
}

/// Whether a line has a word that stands beside secrets, credentials in an address, or a long run of letters and digits, which may be a
/// key.
fn may_be_secret(line: &str) -> bool {
    let lower = line.to_ascii_lowercase();
    let named = TELLTALES.iter().any(|word| lower.contains(word));
    let in_address = lower
        .split("://")
        .skip(1)
        .any(|rest| rest.split(['/', ' ', '"']).next().is_some_and(|authority| authority.contains('@')));
    let is_of_key = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=' | '_' | '-');
    let long = line.split(|c| !is_of_key(c)).any(|word| {
        word.len() >= 32 && word.bytes().any(|octet| octet.is_ascii_digit()) && !word.starts_with('/')
    });
    named || in_address || long
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_excerpt_is_bounded_and_holds_no_secret() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "one\ntwo password=hunter2\nthree\nfour\n").unwrap();
        let octets = tail(file.path(), 1 << 20).unwrap();
        assert_eq!(excerpt(&octets, 3), "[left out]\nthree\nfour");
        assert_eq!(excerpt(&octets, 9), "one\n[left out]\nthree\nfour");
        assert_eq!(tail(file.path(), 12).unwrap(), b"three\nfour\n", "no piece of a line");
        assert_eq!(tail(file.path(), 5).unwrap(), b"", "not even of the last one");
    }

    #[test]
    fn lines_that_may_hold_a_secret_are_known() {
        for line in [
            "Authorization: Basic aGk=",
            "the TOKEN is 7",
            "connect to https://user:word@host.example/",
            "key 0123456789abcdef0123456789abcdef",
            "-----BEGIN PRIVATE KEY-----",
        ] {
            assert!(may_be_secret(line), "{line}");
        }
        for line in [
            "session ended commands=3",
            "GET https://a.example/x@y",
            "see /usr/lib/x86_64-linux-gnu/libx.so.1.2.3",
        ] {
            assert!(!may_be_secret(line), "{line}");
        }
    }

    #[test]
    fn this_machine_can_be_looked_at() {
        let names = |data: Data| data.into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(names(load().unwrap()), ["Load1", "Load5", "Load15", "Processes", "Uptime"]);
        assert!(memory().unwrap().iter().all(|(_, value)| value.parse::<u64>().is_ok()));
        let root = DiskEntry { name: "root".to_owned(), path: "/".into() };
        assert_eq!(names(space(&root).unwrap()), ["root/Path", "root/Total", "root/Available"]);
        assert!(space(&DiskEntry { name: "x".to_owned(), path: "/nonexistent".into() }).is_err());
    }
}
