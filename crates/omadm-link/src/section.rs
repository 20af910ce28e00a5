//! `[dm1.obex]`: DM 1.x over local links, the same for the programs of both sides.

use std::io;
use std::path::PathBuf;

use omadm_auth::{BasicCredentials, Secret};
use omadm_config::{Fault, Size, Span};
use omadm_session::dm1::obex::Settings;
use serde::{Deserialize, Serialize};

use crate::ListenAddress;

/// Longest password of `dm1.obex.user` in octets.
const MAX_PASSWORD: usize = 4_096;

/// `[dm1.obex]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ObexSection {
    /// Where the other side connects by OBEX: an address and a port, of which 650 is that of OBEX, or `rfcomm:CHANNEL`. Default nowhere.
    /// What comes and goes there is not encrypted: it is for local links.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<ListenAddress>,
    /// Connect to addresses that are `obex:` or `obex+rfcomm:`.
    pub call: bool,
    /// Use the scheme `basic` also over OBEX, where everyone on the way reads the password. It has to stand in `dm1.schemes`, too.
    pub basic: bool,
    /// User whose password those who connect have to know (OBEX authentication, which is weak). Default: DM asks for its own credentials,
    /// and OBEX for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// File with the password of `user`, 4096 octets at most; white space at its end does not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    /// Most links at a time, in and out. 1 to 10000.
    pub max_connections: usize,
    /// Largest packet. 255 to 65535 octets.
    pub max_packet: Size,
    /// How long the other side may be silent.
    pub silence: Span,
    /// How long the other side is left waiting for the answer to a Get.
    pub hold: Span,
    /// How often a message is asked for again that the other side has not ready. 0 to 100.
    pub retries: u32,
    /// Pause before it is.
    pub retry_pause: Span,
    /// How long it may take to connect.
    pub connect_timeout: Span,
}

impl Default for ObexSection {
    fn default() -> Self {
        Self {
            listen: None,
            call: false,
            basic: false,
            user: None,
            password_file: None,
            max_connections: 64,
            max_packet: Size(usize::from(u16::MAX)),
            silence: Span::secs(120),
            hold: Span::secs(60),
            retries: 5,
            retry_pause: Span::secs(1),
            connect_timeout: Span::secs(10),
        }
    }
}

impl ObexSection {
    /// Finds the first fault.
    ///
    /// # Errors
    /// With its key.
    pub fn check(&self) -> Result<(), Fault> {
        let spans = [
            ("dm1.obex.silence", self.silence),
            ("dm1.obex.hold", self.hold),
            ("dm1.obex.connect_timeout", self.connect_timeout),
        ];
        if let Some((key, _)) = spans.into_iter().find(|(_, span)| *span < Span::secs(1)) {
            return Err(Fault::new(key, "has to be one second or more"));
        }
        if !(255..=usize::from(u16::MAX)).contains(&self.max_packet.0) {
            return Err(Fault::new("dm1.obex.max_packet", "has to be 255 to 65535"));
        }
        if self.retries > 100 {
            return Err(Fault::new("dm1.obex.retries", "has to be 0 to 100"));
        }
        if !(1..=10_000).contains(&self.max_connections) {
            return Err(Fault::new("dm1.obex.max_connections", "has to be 1 to 10000"));
        }
        match (&self.user, &self.password_file) {
            (Some(_), None) => Err(Fault::new("dm1.obex.password_file", "is needed beside dm1.obex.user")),
            (None, Some(_)) => Err(Fault::new("dm1.obex.user", "is needed beside dm1.obex.password_file")),
            (Some(_), Some(_)) | (None, None) => Ok(()),
        }
    }

    /// What is spoken, without credentials.
    #[must_use]
    pub fn settings(&self, max_object: usize, strict: bool) -> Settings {
        Settings {
            max_packet: u16::try_from(self.max_packet.0).unwrap_or(u16::MAX),
            max_object,
            silence: self.silence.0,
            hold: self.hold.0,
            retries: self.retries,
            pause: self.retry_pause.0,
            strict,
            ..Settings::default()
        }
    }

    /// What those who connect are asked for.
    ///
    /// # Errors
    /// When the file cannot be read, or the password in it is too long.
    pub fn credentials(&self) -> io::Result<Option<BasicCredentials>> {
        let (Some(user), Some(path)) = (&self.user, &self.password_file) else { return Ok(None) };
        let octets = Secret::new(std::fs::read(path)?);
        let password = octets.expose().trim_ascii_end();
        if password.len() > MAX_PASSWORD {
            return Err(io::Error::other(format!("the password has more than {MAX_PASSWORD} octets")));
        }
        Ok(Some(BasicCredentials { user: user.clone(), password: Secret::new(password.to_vec()) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(section: ObexSection) -> Option<String> {
        section.check().err().map(|fault| fault.key.to_string())
    }

    #[test]
    fn values_are_taken_up_to_their_bounds() {
        let with = ObexSection::default;
        assert_eq!(fault(with()), None);
        let second = Span::secs(1);
        for good in [
            ObexSection { max_packet: Size(255), ..with() },
            ObexSection { max_packet: Size(65_535), ..with() },
            ObexSection { max_connections: 1, ..with() },
            ObexSection { max_connections: 10_000, ..with() },
            ObexSection { retries: 100, retry_pause: Span::secs(0), ..with() },
            ObexSection { silence: second, hold: second, connect_timeout: second, ..with() },
        ] {
            assert_eq!(fault(good), None);
        }
        let short = Span(std::time::Duration::from_millis(999));
        for (key, bad) in [
            ("dm1.obex.max_packet", ObexSection { max_packet: Size(254), ..with() }),
            ("dm1.obex.max_packet", ObexSection { max_packet: Size(65_536), ..with() }),
            ("dm1.obex.max_connections", ObexSection { max_connections: 0, ..with() }),
            ("dm1.obex.max_connections", ObexSection { max_connections: 10_001, ..with() }),
            ("dm1.obex.retries", ObexSection { retries: 101, ..with() }),
            ("dm1.obex.silence", ObexSection { silence: short, ..with() }),
            ("dm1.obex.hold", ObexSection { hold: short, ..with() }),
            ("dm1.obex.connect_timeout", ObexSection { connect_timeout: short, ..with() }),
            ("dm1.obex.password_file", ObexSection { user: Some("u".to_owned()), ..with() }),
            ("dm1.obex.user", ObexSection { password_file: Some("/p".into()), ..with() }),
        ] {
            assert_eq!(fault(bad).as_deref(), Some(key));
        }
    }

    #[test]
    fn a_password_has_a_length() {
        let path = std::env::temp_dir().join(format!("omadm-link-{}", std::process::id()));
        let section = ObexSection {
            user: Some("u".to_owned()),
            password_file: Some(path.clone()),
            ..ObexSection::default()
        };
        std::fs::write(&path, [&[b'p'; MAX_PASSWORD][..], b"\n"].concat()).unwrap();
        assert_eq!(section.credentials().unwrap().unwrap().password.expose().len(), MAX_PASSWORD);
        std::fs::write(&path, [b'p'; MAX_PASSWORD + 1]).unwrap();
        assert!(section.credentials().is_err());
        std::fs::remove_file(&path).unwrap();
        assert!(section.credentials().is_err());
    }
}
