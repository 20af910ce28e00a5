//! The terminal of this process, wherever its standard input comes from.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};

use tokio::sync::oneshot;

/// Its name.
pub const TERMINAL: &str = "/dev/tty";

/// Lets `talk` read from and write to the terminal.
///
/// # Errors
/// A sentence that says what is wrong with the terminal.
pub async fn talk<T: Send + 'static>(
    talk: impl FnOnce(&mut dyn BufRead, &mut dyn Write) -> io::Result<T> + Send + 'static,
) -> Result<T, String> {
    let (tell, told) = oneshot::channel();
    // A thread that nobody waits for: a read from the terminal cannot be called off.
    std::thread::spawn(move || tell.send(open(talk)));
    match told.await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(format!("there is no terminal to ask on ({TERMINAL}: {error})")),
        Err(_) => Err("the terminal gave no answer".to_owned()),
    }
}

fn open<T>(talk: impl FnOnce(&mut dyn BufRead, &mut dyn Write) -> io::Result<T>) -> io::Result<T> {
    let mut terminal = OpenOptions::new().read(true).write(true).open(TERMINAL)?;
    talk(&mut BufReader::new(File::open(TERMINAL)?), &mut terminal)
}

/// Text from elsewhere: control characters, and those that turn round or hide text, are shown as a replacement character.
pub fn plain(text: &str) -> String {
    let deceives = |c: char| {
        c.is_control()
            || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    text.replace(deceives, "\u{fffd}")
}
