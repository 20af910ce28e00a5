//! Downloads over real sockets from a server that cuts connections, lies, and changes its mind.
#![cfg(feature = "download")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use omadm_client::download::{
    Digest, DownloadConfig, DownloadError, Package, Place, Wanted, digest_of, fetch,
};
use omadm_client::{HttpsConfig, HttpsTransport};

/// What the server does with one request.
#[derive(Clone, Debug)]
enum Turn {
    /// Obeys the range, and closes the connection after so many octets of the body.
    Cut(usize),
    /// Obeys the range to the end.
    Serve,
    /// As `Serve`, of other octets with another tag.
    Other,
    /// The whole, whatever the range.
    Whole,
    /// The head as it is, and no body.
    Head(&'static str),
    /// Closes the connection at once.
    Nothing,
}

struct Server {
    address: SocketAddr,
    /// The `Range` of each request.
    ranges: Arc<Mutex<Vec<Option<usize>>>>,
}

fn content() -> Vec<u8> {
    (0..100_000_u32).flat_map(u32::to_be_bytes).collect()
}

fn other() -> Vec<u8> {
    content().into_iter().rev().collect()
}

fn digest(octets: &[u8]) -> Digest {
    openssl::sha::sha256(octets)
}

impl Server {
    fn start(turns: Vec<Turn>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let ranges = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&ranges);
        std::thread::spawn(move || {
            let mut turns = VecDeque::from(turns);
            while let Some(turn) = turns.pop_front() {
                let (mut stream, _) = listener.accept().unwrap();
                let mut range = None;
                let mut conditional = None;
                for line in BufReader::new(stream.try_clone().unwrap()).lines() {
                    let line = line.unwrap().to_ascii_lowercase();
                    if line.is_empty() {
                        break;
                    }
                    if let Some(first) = line.strip_prefix("range: bytes=") {
                        range = Some(first.trim_end_matches('-').parse::<usize>().unwrap());
                    }
                    conditional = conditional.or(line.strip_prefix("if-range: ").map(str::to_owned));
                }
                seen.lock().unwrap().push(range);
                let (octets, tag) = match turn {
                    Turn::Other => (other(), "\"other\""),
                    _ => (content(), "\"one\""),
                };
                let fresh = conditional.is_none_or(|known| known == tag);
                let first = match (&turn, range) {
                    (Turn::Whole, _) | (_, None) => None,
                    (_, Some(first)) => Some(first).filter(|_| fresh),
                };
                let body = octets.get(first.unwrap_or(0)..).unwrap_or_default();
                let (total, length) = (octets.len(), body.len());
                let head = match first {
                    Some(first) => {
                        let last = total - 1;
                        format!(
                            "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {first}-{last}/{total}\r\n"
                        )
                    }
                    None => "HTTP/1.1 200 OK\r\n".to_owned(),
                };
                let head =
                    format!("{head}ETag: {tag}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
                let sent = match turn {
                    Turn::Nothing => continue,
                    Turn::Head(head) => {
                        let _ = stream.write_all(format!("{head}\r\nConnection: close\r\n\r\n").as_bytes());
                        continue;
                    }
                    Turn::Cut(after) => body.get(..after).unwrap_or(body),
                    Turn::Serve | Turn::Other | Turn::Whole => body,
                };
                // The client may have gone already.
                let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(sent));
            }
        });
        Self { address, ranges }
    }

    fn wanted(&self) -> Wanted {
        let url = format!("http://{}/package", self.address);
        Wanted { url, digest: Some(digest(&content())), size: Some(content().len() as u64) }
    }

    fn ranges(&self) -> Vec<Option<usize>> {
        self.ranges.lock().unwrap().clone()
    }
}

fn config() -> DownloadConfig {
    DownloadConfig {
        plain_http: true,
        pause: Duration::from_millis(1),
        longest_pause: Duration::from_millis(2),
        attempts: 3,
        reserve: 0,
        sync_every: 10_000,
        ..DownloadConfig::default()
    }
}

async fn get(wanted: &Wanted, config: &DownloadConfig, at: &Path) -> Result<Package, DownloadError> {
    let transport = HttpsTransport::new(&HttpsConfig::default()).unwrap();
    fetch(&transport, config, wanted, &Place::new(at, "p"), |_| {}).await
}

async fn serve(turns: Vec<Turn>) -> (Result<Package, DownloadError>, Vec<Option<usize>>) {
    let (server, directory) = (Server::start(turns), tempfile::tempdir().unwrap());
    let result = get(&server.wanted(), &config(), directory.path()).await;
    if let Ok(package) = &result {
        assert_eq!(digest_of(&package.path).unwrap(), (digest(&content()), content().len() as u64));
        let left: Vec<_> = std::fs::read_dir(directory.path()).unwrap().collect();
        assert_eq!(left.len(), 1, "nothing is left beside the package");
    }
    (result, server.ranges())
}

#[tokio::test]
async fn a_bad_link_is_gone_on_with_where_it_broke() {
    let turns = vec![
        Turn::Nothing,
        Turn::Cut(0),
        Turn::Cut(70_000),
        Turn::Head("HTTP/1.1 503 Busy\r\nContent-Length: 0"),
        Turn::Cut(50_000),
        Turn::Serve,
    ];
    let (result, ranges) = serve(turns).await;
    result.unwrap();
    assert_eq!(ranges, [None, None, None, Some(70_000), Some(70_000), Some(120_000)]);
}

#[tokio::test]
async fn attempts_that_bring_nothing_come_to_an_end() {
    let (result, ranges) = serve(vec![Turn::Nothing, Turn::Nothing, Turn::Nothing, Turn::Serve]).await;
    assert!(matches!(result, Err(DownloadError::Network { attempts: 3, .. })), "{result:?}");
    assert_eq!(ranges.len(), 3);
}

#[tokio::test]
async fn a_package_that_changed_is_begun_anew() {
    // With its tag the server answers the whole; a server without conditions is found out by the digest.
    let (result, ranges) = serve(vec![Turn::Cut(50_000), Turn::Other, Turn::Serve]).await;
    result.unwrap();
    assert_eq!(ranges, [None, Some(50_000), None]);
    let (result, ranges) = serve(vec![Turn::Cut(50_000), Turn::Whole]).await;
    result.unwrap();
    assert_eq!(ranges, [None, Some(50_000)]);
}

#[tokio::test]
async fn another_package_than_the_wanted_one_is_not_kept() {
    let (result, _) = serve(vec![Turn::Other]).await;
    assert!(matches!(result, Err(DownloadError::Different { what: "SHA-256", .. })), "{result:?}");
    let server = Server::start(vec![Turn::Serve]);
    let directory = tempfile::tempdir().unwrap();
    let wanted = Wanted { size: Some(5), ..server.wanted() };
    let result = get(&wanted, &config(), directory.path()).await;
    assert!(matches!(result, Err(DownloadError::Different { what: "size", .. })), "{result:?}");
}

#[tokio::test]
async fn limits_hold() {
    let directory = tempfile::tempdir().unwrap();
    let size = content().len() as u64;
    for (config, turns) in [
        (DownloadConfig { max_size: size - 1, ..config() }, vec![Turn::Serve]),
        (DownloadConfig { reserve: u64::MAX, ..config() }, vec![Turn::Serve]),
        (DownloadConfig { time_limit: Duration::ZERO, ..config() }, vec![Turn::Nothing]),
        (DownloadConfig { plain_http: false, ..config() }, vec![]),
        (config(), vec![Turn::Head("HTTP/1.1 404 Not Found\r\nContent-Length: 0")]),
        (config(), vec![Turn::Head("HTTP/1.1 401 No\r\nContent-Length: 0")]),
        (config(), vec![Turn::Head("HTTP/1.1 302 Found\r\nLocation: ftp://a.example/\r\nContent-Length: 0")]),
    ] {
        let server = Server::start(turns.clone());
        let result = get(&server.wanted(), &config, directory.path()).await;
        let error = result.expect_err("it must not come");
        let expected = match turns.as_slice() {
            _ if config.max_size < size => {
                matches!(error, DownloadError::TooLarge { limit, .. } if limit == size - 1)
            }
            _ if config.reserve > 0 => matches!(error, DownloadError::NoRoom { .. }),
            _ if !config.plain_http => matches!(error, DownloadError::Url { .. }),
            [Turn::Nothing] => matches!(error, DownloadError::Timeout { .. }),
            [Turn::Head(head)] if head.contains("404") => {
                matches!(error, DownloadError::Gone { status: 404 })
            }
            [Turn::Head(head)] if head.contains("401") => {
                matches!(error, DownloadError::Unauthorized { status: 401 })
            }
            _ => matches!(error, DownloadError::Redirect { .. }),
        };
        assert!(expected, "{turns:?}: {error}");
    }
    let server = Server::start(vec![Turn::Serve]);
    let exact = DownloadConfig { max_size: size, ..config() };
    get(&server.wanted(), &exact, directory.path()).await.unwrap();
}

#[tokio::test]
async fn a_restart_goes_on_with_what_is_good_on_disk() {
    let directory = tempfile::tempdir().unwrap();
    let part = directory.path().join("p.part");
    // (what happens to the part while the process is away, where the next request begins)
    type Accident = fn(&Path);
    let accidents: [(Accident, Option<usize>); 4] = [
        (|_| {}, Some(70_000)),
        // More than the record says: written, but not durable before the power went.
        (
            |part| {
                let mut file = std::fs::OpenOptions::new().append(true).open(part).unwrap();
                file.write_all(b"loose ends").unwrap();
            },
            Some(70_000),
        ),
        (|part| std::fs::write(part, vec![0; 70_000]).unwrap(), None),
        (|part| std::fs::remove_file(part).unwrap(), None),
    ];
    for (accident, expected) in accidents {
        let server = Server::start(vec![Turn::Cut(70_000), Turn::Nothing, Turn::Nothing, Turn::Serve]);
        let result = get(&server.wanted(), &config(), directory.path()).await;
        assert!(matches!(result, Err(DownloadError::Network { .. })), "{result:?}");
        assert_eq!(std::fs::metadata(&part).unwrap().len(), 70_000);
        accident(&part);
        // Another process: nothing but the files is known.
        let package = get(&server.wanted(), &config(), directory.path()).await.unwrap();
        assert_eq!(package.digest, digest(&content()));
        assert_eq!(server.ranges().last().unwrap(), &expected);
        // What is there is not asked for again.
        assert_eq!(get(&server.wanted(), &config(), directory.path()).await.unwrap(), package);
        Place::new(directory.path(), "p").clear().unwrap();
    }
}

#[tokio::test]
async fn a_part_of_one_package_is_not_joined_to_another() {
    let directory = tempfile::tempdir().unwrap();
    let first = Server::start(vec![Turn::Cut(70_000), Turn::Nothing, Turn::Nothing]);
    get(&first.wanted(), &config(), directory.path()).await.unwrap_err();
    let second = Server::start(vec![Turn::Serve]);
    get(&second.wanted(), &config(), directory.path()).await.unwrap();
    assert_eq!(second.ranges(), [None]);
}
