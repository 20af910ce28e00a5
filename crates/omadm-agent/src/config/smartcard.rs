//! Bootstraps on smartcards.

use std::path::PathBuf;

use omadm_client::smartcard::{CardSettings, Mode, SecureChannel};
use omadm_config::{Fault, Size, Span};
use serde::{Deserialize, Serialize};

/// `[smartcard]`
///
/// Cards through PC/SC, and what they may do (`DM 2.0 §8.1`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SmartcardSection {
    /// Read the card at the start and whenever one is put in, and apply the bootstrap on it. Off by default.
    pub enabled: bool,
    /// Only readers with this in their name. Default: the first one with a card.
    pub reader: Option<String>,
    /// How cards are spoken to: `auto` (default), `sim` (as a SIM, or a UICC in 2G mode), or `uicc`.
    pub mode: CardMode,
    /// When a secure channel (SCP03) is demanded: `with-keys` (default: where there are keys), `required` (a card is not read without),
    /// or `off`.
    pub secure_channel: Channel,
    /// Files with the keys of the secure channel in hexadecimal digits, 16, 24 or 32 octets each: KEY_ENC.
    pub key_enc_file: Option<PathBuf>,
    /// KEY_MAC.
    pub key_mac_file: Option<PathBuf>,
    /// KEY_DEK.
    pub key_dek_file: Option<PathBuf>,
    /// Version of the keys on the card, 0 to 127; 0 is whichever comes first.
    pub key_version: u8,
    /// File with the PIN of the card. Without it, the default, whoever `dm1.user` says is asked. It is shown once in the life of the agent,
    /// and only to a card that has three tries or more.
    pub pin_file: Option<PathBuf>,
    /// Use the last try of a PIN, too, after which the card would be blocked.
    pub last_try: bool,
    /// Keep the accounts that came from a card when the agent starts and there is none. Those that another card does not hold go all the
    /// same.
    pub keep_without_card: bool,
    /// Let a card take the place of an account that came in another way.
    pub replace: bool,
    /// How long readers may take at the start to say that they have a card.
    pub settle: Span,
    /// Largest file of a card, 1 KiB to 16 MiB.
    pub max_file: Size,
}

/// How cards are spoken to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "they speak for themselves")]
pub enum CardMode {
    #[default]
    Auto,
    Sim,
    Uicc,
}

/// When a secure channel is demanded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "they speak for themselves")]
pub enum Channel {
    Off,
    #[default]
    WithKeys,
    Required,
}

impl Default for SmartcardSection {
    fn default() -> Self {
        Self {
            enabled: false,
            reader: None,
            mode: CardMode::Auto,
            secure_channel: Channel::WithKeys,
            key_enc_file: None,
            key_mac_file: None,
            key_dek_file: None,
            key_version: 0,
            pin_file: None,
            last_try: false,
            keep_without_card: false,
            replace: false,
            settle: Span::secs(3),
            max_file: Size(CardSettings::default().max_file),
        }
    }
}

impl SmartcardSection {
    pub(super) fn check(&self) -> Result<(), Fault> {
        let keys = [&self.key_enc_file, &self.key_mac_file, &self.key_dek_file];
        let given = keys.iter().filter(|key| key.is_some()).count();
        if ![0, keys.len()].contains(&given) {
            let reason = "needs smartcard.key_mac_file and smartcard.key_dek_file, and they need it";
            return Err(Fault::new("smartcard.key_enc_file", reason));
        }
        if self.key_version > 127 {
            return Err(Fault::new("smartcard.key_version", "has to be 0 to 127"));
        }
        if !(1 << 10..=16 << 20).contains(&self.max_file.0) {
            return Err(Fault::new("smartcard.max_file", "has to be 1 KiB to 16 MiB"));
        }
        if self.settle > Span::secs(60) {
            return Err(Fault::new("smartcard.settle", "has to be one minute or less"));
        }
        if self.enabled && !cfg!(feature = "smartcard") {
            return Err(Fault::new(
                "smartcard.enabled",
                "is not possible: this agent was built without smartcards",
            ));
        }
        Ok(())
    }

    /// The settings as the library has them, the keys left out.
    #[cfg_attr(not(feature = "smartcard"), allow(dead_code, reason = "cards are read with the feature only"))]
    pub fn to_card(&self, strict: bool) -> CardSettings {
        CardSettings {
            mode: match self.mode {
                CardMode::Auto => Mode::Auto,
                CardMode::Sim => Mode::Sim,
                CardMode::Uicc => Mode::Uicc,
            },
            secure: match self.secure_channel {
                Channel::Off => SecureChannel::Off,
                Channel::WithKeys => SecureChannel::WithKeys,
                Channel::Required => SecureChannel::Required,
            },
            last_try: self.last_try,
            max_file: self.max_file.0,
            strict,
            ..CardSettings::default()
        }
    }
}
