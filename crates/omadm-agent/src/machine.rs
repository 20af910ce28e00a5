//! What the machine says about itself.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use uuid::Uuid;

/// What mainboards say when nobody filled it in.
const UNFILLED: [&str; 9] = [
    "to be filled by o.e.m.",
    "default string",
    "system manufacturer",
    "system product name",
    "system version",
    "not specified",
    "not applicable",
    "none",
    "unknown",
];

/// The files and variables of a machine; all below `root`, so that a test can make one up.
#[derive(Clone, Debug)]
pub struct Machine {
    root: PathBuf,
    environment: BTreeMap<String, String>,
    /// File with the version of the firmware, where the configuration names one.
    firmware: Option<PathBuf>,
}

impl Machine {
    /// This machine.
    pub fn this() -> Self {
        Self::at(
            Path::new("/"),
            std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
        )
    }

    /// The machine whose file system is at `root`.
    pub fn at(root: &Path, environment: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { root: root.to_owned(), environment: environment.into_iter().collect(), firmware: None }
    }

    /// The same machine, whose firmware version is in this file.
    pub fn with_firmware(self, file: Option<&Path>) -> Self {
        Self { firmware: file.map(Path::to_owned), ..self }
    }

    /// A path of the machine, given without the leading `/`.
    pub fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// The identity of the installation (`machine-id(5)`).
    pub fn machine_id(&self) -> Option<Uuid> {
        Uuid::try_parse(&self.text("etc/machine-id")?).ok().filter(|id| !id.is_nil())
    }

    /// The leaves of DevInfo but DevID (`DM 2.0 §12.1`).
    pub fn dev_info(&self) -> [(&'static str, String); 9] {
        let release = self.os_release();
        let named = |key: &str| release.get(key).cloned();
        let board = self.text("proc/device-tree/model");
        // The first of the names is the most specific: `raspberrypi,4-model-b`.
        let compatible = self.text("proc/device-tree/compatible");
        let board_vendor = compatible
            .as_deref()
            .and_then(|names| names.split_once(','))
            .map(|(vendor, _)| vendor.to_owned());
        let kernel = self.text("proc/sys/kernel/osrelease");
        let architecture = std::env::consts::ARCH.to_owned();
        let manufacturer = self.dmi("sys_vendor").or(board_vendor).or_else(|| named("NAME"));
        let model =
            self.dmi("product_name").or_else(|| board.clone()).unwrap_or_else(|| architecture.clone());
        let software = named("PRETTY_NAME").or_else(|| named("NAME")).or_else(|| kernel.clone());
        let firmware = crate::firmware::version(self.firmware.as_deref());
        let firmware = firmware.or_else(|| self.dmi("bios_version")).or(kernel);
        let hardware = self.dmi("product_version").or_else(|| self.dmi("board_version"));
        let oem = self.dmi("chassis_vendor").or_else(|| self.dmi("board_vendor"));
        [
            ("Man", manufacturer.unwrap_or_else(|| "unknown".to_owned())),
            ("Mod", model),
            ("DmV", "2.0".to_owned()),
            ("Lang", self.language()),
            ("DevType", self.device_type(board.is_some()).to_owned()),
            ("OEM", oem.unwrap_or_default()),
            ("FwV", firmware.unwrap_or_else(|| "unknown".to_owned())),
            ("SwV", software.unwrap_or_else(|| "unknown".to_owned())),
            ("HwV", hardware.unwrap_or(architecture)),
        ]
    }

    /// The language of the environment as BCP 47 tag: `de_AT.UTF-8` is `de-AT`, `C` and nothing are `en`.
    fn language(&self) -> String {
        let set = ["LC_ALL", "LC_MESSAGES", "LANG"].iter().find_map(|name| self.environment.get(*name));
        let locale = set.map_or("", |value| value.split(['.', '@']).next().unwrap_or_default());
        let mut parts = locale.split('_');
        let subtag = |part: &str, lengths: std::ops::RangeInclusive<usize>| {
            lengths.contains(&part.len()) && part.bytes().all(|octet| octet.is_ascii_alphanumeric())
        };
        match (parts.next(), parts.next()) {
            (Some(language), Some(region)) if subtag(language, 2..=3) && subtag(region, 2..=3) => {
                format!("{}-{}", language.to_ascii_lowercase(), region.to_ascii_uppercase())
            }
            (Some(language), None) if subtag(language, 2..=3) => language.to_ascii_lowercase(),
            _ => "en".to_owned(),
        }
    }

    /// From the chassis type of SMBIOS (`SMBIOS 3.7 §7.4.1`).
    fn device_type(&self, has_device_tree: bool) -> &'static str {
        let chassis = self.dmi("chassis_type").and_then(|text| text.parse::<u8>().ok());
        match chassis {
            Some(3..=7 | 13 | 15 | 16 | 24 | 35) => "desktop",
            Some(8..=10 | 14 | 31 | 32) => "laptop",
            Some(11 | 30) => "tablet",
            Some(17 | 23 | 25 | 28 | 29) => "server",
            Some(33 | 34 | 36) => "embedded",
            _ if has_device_tree => "embedded",
            _ => "computer",
        }
    }

    fn dmi(&self, name: &str) -> Option<String> {
        let text = self.text(&format!("sys/class/dmi/id/{name}"))?;
        (!UNFILLED.contains(&text.to_lowercase().as_str())).then_some(text)
    }

    fn os_release(&self) -> BTreeMap<String, String> {
        let text =
            self.text("etc/os-release").or_else(|| self.text("usr/lib/os-release")).unwrap_or_default();
        text.lines()
            .filter_map(|line| line.trim().split_once('='))
            .map(|(key, value)| (key.to_owned(), value.trim_matches(['"', '\'']).to_owned()))
            .filter(|(_, value)| !value.is_empty())
            .collect()
    }

    /// A small file as text, without surrounding white space and zero octets; `None` when there is nothing.
    fn text(&self, path: &str) -> Option<String> {
        let octets = std::fs::read(self.path(path)).ok()?;
        let text = String::from_utf8_lossy(&octets);
        let trimmed = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
        (!trimmed.is_empty()).then(|| trimmed.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(files: &[(&str, &str)], environment: &[(&str, &str)]) -> (tempfile::TempDir, Machine) {
        let root = tempfile::tempdir().unwrap();
        for (path, content) in files {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let machine = Machine::at(root.path(), environment);
        (root, machine)
    }

    fn leaf(machine: &Machine, name: &str) -> String {
        machine.dev_info().into_iter().find(|(leaf, _)| *leaf == name).unwrap().1
    }

    #[test]
    fn reads_a_pc() {
        let (_root, machine) = machine(
            &[
                ("sys/class/dmi/id/sys_vendor", "LENOVO\n"),
                ("sys/class/dmi/id/product_name", "20XW\n"),
                ("sys/class/dmi/id/product_version", "ThinkPad X1\n"),
                ("sys/class/dmi/id/bios_version", "N32ET75W\n"),
                ("sys/class/dmi/id/chassis_type", "10\n"),
                ("sys/class/dmi/id/chassis_vendor", "To Be Filled By O.E.M.\n"),
                ("sys/class/dmi/id/board_vendor", "LENOVO\n"),
                ("etc/os-release", "NAME=\"Debian\"\nPRETTY_NAME=\"Debian GNU/Linux 13 (trixie)\"\n"),
            ],
            &[("LANG", "de_AT.UTF-8")],
        );
        let expected = [
            ("Man", "LENOVO"),
            ("Mod", "20XW"),
            ("DmV", "2.0"),
            ("Lang", "de-AT"),
            ("DevType", "laptop"),
            ("OEM", "LENOVO"),
            ("FwV", "N32ET75W"),
            ("SwV", "Debian GNU/Linux 13 (trixie)"),
            ("HwV", "ThinkPad X1"),
        ];
        assert_eq!(machine.dev_info(), expected.map(|(name, value)| (name, value.to_owned())));
    }

    #[test]
    fn reads_a_board_with_a_device_tree() {
        let (_root, machine) = machine(
            &[
                ("proc/device-tree/model", "Raspberry Pi 4 Model B\0"),
                ("proc/device-tree/compatible", "raspberrypi,4-model-b\0brcm,bcm2711\0"),
                ("proc/sys/kernel/osrelease", "6.12.1\n"),
            ],
            &[],
        );
        assert_eq!(leaf(&machine, "Man"), "raspberrypi");
        assert_eq!(leaf(&machine, "Mod"), "Raspberry Pi 4 Model B");
        assert_eq!(leaf(&machine, "DevType"), "embedded");
        assert_eq!(leaf(&machine, "FwV"), "6.12.1");
        assert_eq!(leaf(&machine, "SwV"), "6.12.1");
    }

    #[test]
    fn a_machine_that_says_nothing_still_has_every_required_leaf() {
        let (_root, machine) = machine(&[], &[]);
        for (name, value) in machine.dev_info() {
            assert!(!value.is_empty() || name == "OEM", "{name}");
        }
        assert_eq!(machine.machine_id(), None);
    }

    #[test]
    fn languages_become_tags() {
        for (locale, tag) in [
            ("", "en"),
            ("C", "en"),
            ("POSIX", "en"),
            ("C.UTF-8", "en"),
            ("en_US.UTF-8", "en-US"),
            ("de", "de"),
            ("ca_ES@valencia", "ca-ES"),
            ("../etc", "en"),
        ] {
            let (_root, machine) = machine(&[], &[("LANG", locale)]);
            assert_eq!(leaf(&machine, "Lang"), tag, "{locale:?}");
        }
        let (_root, machine) = machine(&[], &[("LANG", "de_DE"), ("LC_ALL", "fr_CH.UTF-8")]);
        assert_eq!(leaf(&machine, "Lang"), "fr-CH");
    }
}
