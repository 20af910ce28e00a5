//! A card of software in a virtual reader (vpcd), until it is stopped: `omadm-softcard [--sim] [--private] [--port N] FILE`.

use std::process::ExitCode;

use omadm_softcard::{Card, Image, Inserted, Kind, Setup};

/// Where vpcd waits for its first card.
const PORT: u16 = 0x8C7B;

fn main() -> ExitCode {
    match run(std::env::args().skip(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("omadm-softcard: {error}; usage: omadm-softcard [--sim] [--private] [--port N] FILE");
            ExitCode::FAILURE
        }
    }
}

fn run(mut words: impl Iterator<Item = String>) -> Result<(), Box<dyn std::error::Error>> {
    let (mut kind, mut private, mut port, mut file) = (Kind::Uicc, false, PORT, None);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--sim" => kind = Kind::Sim,
            "--private" => private = true,
            "--port" => port = words.next().ok_or("--port needs a number")?.parse()?,
            _ => file = Some(word),
        }
    }
    let bootstrap = std::fs::read(file.ok_or("a file with a bootstrap is needed")?)?;
    let image = if private { Image::private(&bootstrap) } else { Image::of(&bootstrap) };
    Inserted::new(port, Card::new(Setup { kind, image, ..Setup::default() }))?.wait();
    Ok(())
}
