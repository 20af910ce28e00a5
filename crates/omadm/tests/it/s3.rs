//! Packages in a bucket of an S3 server that is not ours, and that checks signatures.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::judges::python;
use crate::server::Server;

/// Three pieces of an upload, of which the last is short.
const LENGTH: usize = 12_000_000;

/// The S3 server.
struct Bucket {
    child: Child,
    said: Value,
}

impl Bucket {
    fn start() -> Self {
        let mut child = python("s3.py")
            .arg("serve")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let said = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
        Self { child, said }
    }

    fn text(&self, name: &str) -> &str {
        self.said[name].as_str().unwrap()
    }

    /// A server of ours over this bucket, which waits so many seconds for it.
    fn server(&self, bucket: &str, secret: &str, seconds: &str) -> Server {
        Server::with(&[
            ("OMADM_PACKAGE__BUCKET", &format!("s3://{bucket}/fleet/one")),
            ("OMADM_PACKAGE__BUCKET_TIMEOUT", seconds),
            ("AWS_ENDPOINT", self.text("url")),
            ("AWS_ALLOW_HTTP", "true"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", self.text("key")),
            ("AWS_SECRET_ACCESS_KEY", secret),
        ])
    }

    /// What another client finds in it.
    fn listed(&self) -> Value {
        let place = ["url", "key", "secret", "bucket"].map(|name| self.text(name));
        let output = python("s3.py").arg("list").args(place).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status();
        assert!(sent.unwrap().success());
    }
}

impl Drop for Bucket {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Octets that differ from place to place.
fn content() -> Vec<u8> {
    (0..LENGTH).map(|at| u8::try_from((at % 251) ^ (at / 251 % 241)).unwrap()).collect()
}

/// The arguments that store a file as a package.
fn add<'a>(file: &'a Path, version: &'a str) -> [&'a str; 9] {
    let place = file.to_str().unwrap();
    ["package", "add", place, "--kind", "firmware", "--name", "router", "--package-version", version]
}

/// A device that fetches packages.
struct Device<'a> {
    server: &'a Server,
    credentials: String,
}

impl<'a> Device<'a> {
    fn enrol(server: &'a Server) -> Self {
        let enrolled = server.json(&["device", "add", "IMEI:1"]);
        let text = |name: &str| enrolled[name].as_str().unwrap().to_owned();
        let credentials = STANDARD.encode(format!("{}:{}", text("user"), text("secret")));
        Self { server, credentials }
    }

    /// Fetches with these arguments; standard output ends with the status.
    fn fetch(&self, id: &str, arguments: &[&str]) -> Output {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--cacert", self.server.text("ca_file")]);
        curl.args(["--header", "omadm-devid: IMEI:1", "--write-out", "%{http_code}"]);
        curl.args(["--header", &format!("authorization: Basic {}", self.credentials)]);
        let origin = self.server.text("device_url").splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
        curl.args(arguments).arg(format!("{origin}/data/package/{id}"));
        curl.output().unwrap()
    }

    /// The status, where nothing else is of interest.
    fn status(&self, id: &str) -> String {
        String::from_utf8(self.fetch(id, &["--output", "/dev/null"]).stdout).unwrap()
    }
}

#[test]
fn packages_are_in_the_bucket_and_go_to_devices_in_ranges() {
    let bucket = Bucket::start();
    let server = bucket.server(bucket.text("bucket"), bucket.text("secret"), "30");
    let (file, octets) = (server.path("router.img"), content());
    std::fs::write(&file, &octets).unwrap();
    let stored = server.json(&add(&file, "2.1"));
    let (id, digest) = (stored["id"].as_str().unwrap(), stored["sha256"].as_str().unwrap());
    let object = json!({ "key": format!("fleet/one/packages/{id}"), "size": LENGTH, "sha256": digest });
    assert_eq!(bucket.listed(), json!([object]));

    let device = Device::enrol(&server);
    let fetched = server.path("fetched");
    let into = fetched.to_str().unwrap();
    let part = device.fetch(id, &["--range", "7000000-7000099", "--output", into]);
    assert_eq!(part.stdout, b"206");
    assert_eq!(std::fs::read(&fetched).unwrap(), &octets[7_000_000..7_000_100]);
    // Broken off in the middle of a piece, and gone on with.
    std::fs::write(&fetched, &octets[..6_000_001]).unwrap();
    assert_eq!(device.fetch(id, &["--continue-at", "-", "--output", into]).stdout, b"206");
    assert!(std::fs::read(&fetched).unwrap() == octets, "what was resumed is the package");
    assert_eq!(device.fetch(id, &["--output", into]).stdout, b"200");
    assert!(std::fs::read(&fetched).unwrap() == octets, "what was fetched is the package");
    assert_eq!(device.fetch(id, &["--range", "12000000-", "--output", into]).stdout, b"416");

    // What is not as it was said leaves nothing.
    let wrong = "0".repeat(64);
    let refused = server.run(&[&add(&file, "2.2")[..], &["--sha256", &wrong]].concat());
    assert!(refused.code == Some(1) && refused.stderr.contains("SHA-256"), "{refused:?}");
    assert_eq!(bucket.listed(), json!([object]));
    server.good(&["package", "rm", id]);
    assert_eq!((bucket.listed(), device.status(id).as_str()), (json!([]), "404"));
}

#[test]
fn a_bucket_that_refuses_us_keeps_nothing_else_from_work() {
    let bucket = Bucket::start();
    for (name, secret) in [(bucket.text("bucket"), "no such secret"), ("elsewhere", bucket.text("secret"))] {
        let server = bucket.server(name, secret, "30");
        let file = server.path("router.img");
        std::fs::write(&file, b"octets").unwrap();
        let refused = server.run(&add(&file, "2.1"));
        assert_eq!(refused.code, Some(1), "{refused:?}");
        assert!(refused.stderr.contains("the object store failed; the server's log says why"), "{refused:?}");
        assert!(server.good(&["package", "ls"]).contains("There is no package"));
    }
    assert_eq!(bucket.listed(), json!([]));
}

#[test]
fn a_bucket_that_goes_away_is_there_again_later() {
    let bucket = Bucket::start();
    let server = bucket.server(bucket.text("bucket"), bucket.text("secret"), "1");
    let file = server.path("router.img");
    std::fs::write(&file, content()).unwrap();
    let stored = server.json(&add(&file, "2.1"));
    let (id, device) = (stored["id"].as_str().unwrap(), Device::enrol(&server));
    assert_eq!(device.status(id), "200");

    // It takes connections, and answers none.
    bucket.signal("STOP");
    let refused = server.run(&add(&file, "2.2"));
    assert!(refused.code == Some(1) && refused.stderr.contains("cannot be reached"), "{refused:?}");
    assert_eq!(device.status(id), "503");
    bucket.signal("CONT");
    assert_eq!(device.status(id), "200");
    server.good(&add(&file, "2.2"));

    // It is gone.
    bucket.signal("KILL");
    let refused = server.run(&add(&file, "2.3"));
    assert!(refused.code == Some(1) && refused.stderr.contains("cannot be reached"), "{refused:?}");
    assert_eq!(device.status(id), "503");
    // What is known of a package goes, and its octets later.
    server.good(&["package", "rm", id]);
    assert_eq!(device.status(id), "404");
    let listed = server.json(&["package", "ls"]);
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed}");
}
