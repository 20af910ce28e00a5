//! QR codes of bootstraps: for devices that read one when they are set up.

use std::path::{Path, PathBuf};

use clap::Args;
use omadm_server::bootstrap_file;
use qrcode::QrCode;
use qrcode::render::{svg, unicode};
use zeroize::Zeroizing;

use super::write_private;
use crate::cmd::input;
use crate::failure::Failure;
use crate::screen;

/// Pixels of the side of a picture, at least.
const SIDE: u32 = 600;

/// Where the QR code of a bootstrap goes.
#[derive(Debug, Args)]
#[command(next_help_heading = "QR code")]
pub struct Qr {
    /// Write the bootstrap as the picture of a QR code to this file (SVG), readable by its owner only.
    #[arg(long, value_name = "FILE")]
    qr: Option<PathBuf>,
    /// Show the bootstrap as a QR code in the terminal.
    #[arg(long)]
    qr_terminal: bool,
}

impl Qr {
    /// Whether there is to be one.
    pub fn is_wanted(&self) -> bool {
        self.qr.is_some() || self.qr_terminal
    }

    /// Makes it of a bootstrap.
    ///
    /// # Errors
    /// When it does not fit, or the file cannot be written.
    pub fn of_bootstrap(&self, content: &[u8]) -> Result<(), Failure> {
        if !self.is_wanted() {
            return Ok(());
        }
        let code = bootstrap_file::qr(content).map_err(too_long)?;
        self.qr.as_deref().map_or(Ok(()), |file| picture(&code, file))?;
        if self.qr_terminal { show(&code) } else { Ok(()) }
    }
}

/// A QR code of the URL from which a device fetches its bootstrap, or of a bootstrap in a file.
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("content").required(true)))]
pub struct Make {
    /// An https URL, such as that of the server's `/bootstrap`.
    #[arg(long, group = "content")]
    url: Option<String>,
    /// A file with a bootstrap; `-` is standard input.
    #[arg(long, value_name = "FILE", group = "content")]
    file: Option<PathBuf>,
    /// Write a picture (SVG) to this file; else the code is shown in the terminal.
    #[arg(long, value_name = "FILE")]
    output_file: Option<PathBuf>,
}

impl Make {
    /// Does it.
    ///
    /// # Errors
    /// When there is nothing that fits, or a file cannot be read or written.
    pub fn run(self) -> Result<(), Failure> {
        let to = Qr { qr_terminal: self.output_file.is_none(), qr: self.output_file };
        match (self.url, self.file) {
            (Some(url), _) => {
                let is_url = url.parse::<http::Uri>().is_ok_and(|uri| uri.scheme_str() == Some("https"));
                if !is_url {
                    return Err(Failure::Failed(format!(
                        "{url:?} is no https URL; a bootstrap goes over TLS only"
                    )));
                }
                let code = bootstrap_file::qr_of(&url).map_err(Failure::Failed)?;
                match to.qr.as_deref() {
                    Some(file) => picture(&code, file),
                    None => show(&code),
                }
            }
            (None, Some(file)) => to.of_bootstrap(&Zeroizing::new(input::read(&file)?)),
            (None, None) => Ok(()),
        }
    }
}

/// What would do in place of a bootstrap that does not fit.
fn too_long(reason: String) -> Failure {
    Failure::Failed(format!("{reason}: omadm bootstrap qr --url https://HOST:PORT/bootstrap"))
}

fn picture(code: &QrCode, file: &Path) -> Result<(), Failure> {
    let svg = Zeroizing::new(code.render::<svg::Color<'_>>().min_dimensions(SIDE, SIDE).build());
    write_private(file, svg.as_bytes()).map_err(|error| Failure::of_file("write", file, &error))
}

/// Black modules on white ground, whatever the colours of the terminal.
fn show(code: &QrCode) -> Result<(), Failure> {
    const COLOURS: &str = "\x1b[38;5;16;48;5;231m";
    const NO_COLOURS: &str = "\x1b[0m";
    let image = Zeroizing::new(code.render::<unicode::Dense1x2>().build());
    let mut out = Zeroizing::new(String::new());
    image.lines().for_each(|line| out.extend([COLOURS, line, NO_COLOURS, "\n"]));
    screen::raw(out.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_says_what_would() {
        let to = Qr { qr: None, qr_terminal: true };
        let refused = to.of_bootstrap(&[b'm'; bootstrap_file::MAX_QR]).unwrap_err().to_string();
        assert!(refused.contains("3954 characters") && refused.contains("--url"), "{refused}");
    }

    #[test]
    fn a_picture_is_for_its_owner_only() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("code.svg");
        Qr { qr: Some(file.clone()), qr_terminal: false }.of_bootstrap(b"octets").unwrap();
        let svg = std::fs::read_to_string(&file).unwrap();
        assert!(svg.contains("<svg") && svg.contains("</svg>"), "{svg}");
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
