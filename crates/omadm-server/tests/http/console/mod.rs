//! The operator console as a browser without script sees it.

mod audit;
mod bootstraps;
mod bounds;
mod campaigns;
mod ddfs;
mod delegations;
mod events;
mod forms;
mod imports;
mod login;
mod packages;
mod pages;
mod people;
mod profiles;
mod settings;
mod show;
mod webhooks;

use http::Request;
use http_body_util::Full;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::harness::{Answer, Connection, TestServer};

/// Somebody with a browser.
pub struct Browser<'s> {
    server: &'s TestServer,
    /// The cookie of the session.
    pub cookie: String,
}

impl<'s> Browser<'s> {
    /// With nothing but an address.
    pub fn new(server: &'s TestServer) -> Self {
        Self { server, cookie: String::new() }
    }

    /// Logged in with a token.
    pub async fn with_token(server: &'s TestServer, token: &str) -> Self {
        let mut browser = Self::new(server);
        let answer = browser.send("/login", &[("token", token), ("to", "/")]).await;
        assert_eq!(answer.status, 303, "{}", answer.text());
        browser.keep_cookie(&answer);
        browser
    }

    /// Logged in with the first token.
    pub async fn admin(server: &'s TestServer) -> Self {
        Self::with_token(server, &server.token).await
    }

    /// Keeps the session that an answer begins.
    pub fn keep_cookie(&mut self, answer: &Answer) {
        let cookies = answer.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap());
        let session = cookies.into_iter().find(|cookie| cookie.starts_with("omadm_session="));
        self.cookie = session.unwrap().split(';').next().unwrap().to_owned();
    }

    async fn request(&self, method: &str, path: &str, body: Option<(&str, Vec<u8>)>) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header("host", "localhost");
        if !self.cookie.is_empty() {
            request = request.header("cookie", &self.cookie);
        }
        if let Some((media_type, _)) = &body {
            request = request.header("content-type", *media_type);
        }
        let body = body.map(|(_, octets)| octets).unwrap_or_default();
        let request = request.body(Full::from(body)).unwrap();
        Connection::plain(self.server.running.operator_addr).await.send(request).await
    }

    /// Opens a page.
    pub async fn get(&self, path: &str) -> Answer {
        self.request("GET", path, None).await
    }

    /// Opens a page that is there.
    pub async fn page(&self, path: &str) -> String {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.text().to_owned()
    }

    /// Sends a form as it is.
    pub async fn send(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let part = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let pairs: Vec<String> =
            fields.iter().map(|(name, value)| format!("{}={}", part(name), part(value))).collect();
        self.request("POST", path, Some(("application/x-www-form-urlencoded", pairs.join("&").into()))).await
    }

    /// Sends a form with a file as it is.
    pub async fn multipart(&self, path: &str, boundary: &str, body: &[u8]) -> Answer {
        let media_type = format!("multipart/form-data; boundary={boundary}");
        self.request("POST", path, Some((&media_type, body.to_vec()))).await
    }

    /// Sends a form with the marks that a page has, some fields, and a file.
    pub async fn upload(&self, page: &str, to: &str, fields: &[(&str, &str)], file: &[u8]) -> Answer {
        let marks = [("_mark", hidden(page, "_mark")), ("_once", hidden(page, "_once"))];
        let fields = fields.iter().map(|(name, value)| (*name, (*value).to_owned()));
        let mut body = String::new();
        for (name, value) in marks.into_iter().chain(fields) {
            body.push_str(&format!(
                "--x-x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
            ));
        }
        let filename = if file.is_empty() { "" } else { "table \u{fc}.csv" };
        body.push_str(&format!(
            "--x-x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{filename}\"\r\nContent-Type: application/vnd.ms-excel\r\n\r\n"
        ));
        self.multipart(to, "x-x", &[body.as_bytes(), file, b"\r\n--x-x--\r\n"].concat()).await
    }

    /// Sends a form with the marks that a page has.
    pub async fn submit(&self, page: &str, to: &str, fields: &[(&str, &str)]) -> Answer {
        let marks = [("_mark", hidden(page, "_mark")), ("_once", hidden(page, "_once"))];
        let marks = marks.iter().map(|(name, value)| (*name, value.as_str()));
        let fields: Vec<(&str, &str)> = marks.chain(fields.iter().copied()).collect();
        self.send(to, &fields).await
    }
}

/// The value of the first hidden field of a name.
pub fn hidden(page: &str, name: &str) -> String {
    let field = format!(r#"type="hidden" name="{name}" value=""#);
    let (_, rest) = page.split_once(&field).unwrap_or_else(|| panic!("no {name} in {page}"));
    unescaped(rest.split('"').next().unwrap())
}

fn unescaped(text: &str) -> String {
    text.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

/// A token of a role, kept to groups.
pub async fn token(server: &TestServer, role: &str, groups: Option<&[&str]>) -> String {
    let body =
        serde_json::json!({ "name": format!("{role}-{}", groups.is_some()), "role": role, "groups": groups });
    let answer = server.api("POST", "/tokens", Some(body)).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()["token"].as_str().unwrap().to_owned()
}
