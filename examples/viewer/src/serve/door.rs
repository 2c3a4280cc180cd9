//! The door of the page: who may ask, decided before anything else looks at a request. Reasons: `docs/design/0019-viewer-page.md`.
//!
//! 1. The request is to this server by its own name, or it is a foreign name that resolves to this machine (421).
//! 2. `/start` with the one-time token gives the session's cookie and leads to the page; everything else needs the cookie (403).
//! 3. What changes something, and every WebSocket, comes from this server's own page (403).
//!
//! Every answer, whoever made it, leaves with the same security headers.

use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::run::Failure;

/// Where the session begins.
const START: &str = "/start";
const SECURITY: [(&str, &str); 5] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self' blob:; \
         connect-src 'self'; font-src 'self'; manifest-src 'self'; form-action 'none'; base-uri 'none'; \
         frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
];

const NO_SESSION: &str =
    "This browser has no session here: open the address that `privet-viewer serve` printed when it started.\n";
const TOKEN_VOID: &str = "This address was used already, or is not the one that `privet-viewer serve` printed. \
                          For another browser, end it and start it again.\n";
const WRONG_HOST: &str = "This server answers as 127.0.0.1 and localhost only.\n";
const FOREIGN: &str = "Only the page of this server itself may ask for this.\n";

/// Who may ask this server.
pub struct Door {
    port: u16,
    /// Gone when it was used.
    token: Mutex<Option<Secret>>,
    session: Secret,
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// It is answered.
    Pass,
    /// It brought the token: it gets the session's cookie.
    Welcome,
    /// It brought a token, but has a session already.
    Return,
    /// It is not answered.
    Refuse(StatusCode, &'static str),
}

impl Door {
    /// A door with a token that nobody knows yet, for the server at this port.
    pub fn new(port: u16) -> Result<Self, Failure> {
        Ok(Self { port, token: Mutex::new(Some(Secret::new()?)), session: Secret::new()? })
    }

    /// The address that lets one browser in. A secret until it is used.
    pub fn address(&self) -> String {
        let token = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        let token = token.as_ref().map_or("", |token| token.0.as_str());
        format!("http://127.0.0.1:{}{START}?token={token}", self.port)
    }

    fn judge(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Verdict {
        let Some(host) = only(headers, &header::HOST).filter(|host| self.is_ours(host)) else {
            return Verdict::Refuse(StatusCode::MISDIRECTED_REQUEST, WRONG_HOST);
        };
        // A request can name its server a second time, in its first line.
        if uri.authority().is_some_and(|named| !self.is_ours(named.as_str())) {
            return Verdict::Refuse(StatusCode::MISDIRECTED_REQUEST, WRONG_HOST);
        }
        let session = self.has_session(headers);
        if uri.path() == START && method == Method::GET {
            return if session {
                Verdict::Return
            } else if self.takes(uri.query().unwrap_or_default()) {
                Verdict::Welcome
            } else {
                Verdict::Refuse(StatusCode::FORBIDDEN, TOKEN_VOID)
            };
        }
        if !session {
            return Verdict::Refuse(StatusCode::FORBIDDEN, NO_SESSION);
        }
        let changes = method != Method::GET && method != Method::HEAD;
        let needs_origin = changes || headers.contains_key(header::UPGRADE);
        // One that is there and foreign is refused whatever is asked.
        if (needs_origin || headers.contains_key(header::ORIGIN)) && !is_from(headers, host) {
            return Verdict::Refuse(StatusCode::FORBIDDEN, FOREIGN);
        }
        Verdict::Pass
    }

    fn is_ours(&self, host: &str) -> bool {
        host.rsplit_once(':').is_some_and(|(name, port)| {
            (name == "127.0.0.1" || name.eq_ignore_ascii_case("localhost")) && port == self.port.to_string()
        })
    }

    /// Whether `query` holds the token. It is void from then on.
    fn takes(&self, query: &str) -> bool {
        let given = query.split('&').find_map(|pair| pair.strip_prefix("token=")).unwrap_or_default();
        let mut token = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        token.take_if(|token| token.is(given)).is_some()
    }

    fn has_session(&self, headers: &HeaderMap) -> bool {
        let name = self.cookie_name();
        headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|cookies| cookies.split(';'))
            .filter_map(|cookie| cookie.trim().split_once('='))
            .any(|(key, value)| key == name && self.session.is(value))
    }

    /// Cookies do not know ports: another server on this machine gets it too, and must not take it for its own.
    fn cookie_name(&self) -> String {
        format!("privet_{}", self.port)
    }

    fn cookie(&self) -> Option<HeaderValue> {
        let text = format!("{}={}; HttpOnly; SameSite=Strict; Path=/", self.cookie_name(), self.session.0);
        let mut value = HeaderValue::from_str(&text).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

/// Stands before every route: answers what may not pass itself, and puts the security headers on whatever leaves.
pub async fn keep(State(door): State<Arc<Door>>, request: Request, next: Next) -> Response {
    let mut response = match door.judge(request.method(), request.uri(), request.headers()) {
        Verdict::Pass => next.run(request).await,
        Verdict::Welcome => {
            let mut response = to_the_page();
            if let Some(cookie) = door.cookie() {
                response.headers_mut().insert(header::SET_COOKIE, cookie);
            }
            response
        }
        Verdict::Return => to_the_page(),
        Verdict::Refuse(status, why) => (status, why).into_response(),
    };
    dress(response.headers_mut());
    response
}

fn to_the_page() -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, "/")]).into_response()
}

fn dress(headers: &mut HeaderMap) {
    for (name, value) in SECURITY {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

/// Whether the page at `host` asked.
fn is_from(headers: &HeaderMap, host: &str) -> bool {
    only(headers, &header::ORIGIN)
        .and_then(|origin| origin.strip_prefix("http://"))
        .is_some_and(|origin| origin.eq_ignore_ascii_case(host))
}

/// The value of a header that is there once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

/// 32 random bytes as 64 digits. Has no `Debug`, so that no log gets it.
struct Secret(String);

impl Secret {
    fn new() -> Result<Self, Failure> {
        let mut bytes = [0; 32];
        aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Failure::Other("the system gives no random bytes".into()))?;
        Ok(Self(data_encoding::HEXLOWER.encode(&bytes)))
    }

    /// In constant time.
    fn is(&self, text: &str) -> bool {
        verify_slices_are_equal(self.0.as_bytes(), text.as_bytes()).is_ok()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const PORT: u16 = 43_210;
    const HOST: (&str, &str) = ("host", "127.0.0.1:43210");

    fn door() -> Door {
        Door::new(PORT).unwrap()
    }

    fn ask(door: &Door, method: &Method, uri: &str, headers: &[(&str, &str)]) -> Verdict {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap());
        }
        door.judge(method, &uri.parse().unwrap(), &map)
    }

    fn status(verdict: Verdict) -> u16 {
        match verdict {
            Verdict::Refuse(status, _) => status.as_u16(),
            _ => 200,
        }
    }

    fn start(door: &Door) -> String {
        door.address().strip_prefix("http://127.0.0.1:43210").unwrap().to_owned()
    }

    fn session(door: &Door) -> String {
        format!("privet_43210={}", door.session.0)
    }

    #[test]
    fn only_this_servers_own_names_are_answered() {
        let door = door();
        let cookie = session(&door);
        let asked = |hosts: &[&str]| {
            let mut headers = vec![("cookie", cookie.as_str())];
            headers.extend(hosts.iter().map(|host| ("host", *host)));
            status(ask(&door, &Method::GET, "/", &headers))
        };
        for host in ["127.0.0.1:43210", "localhost:43210", "LocalHost:43210"] {
            assert_eq!(asked(&[host]), 200, "{host}");
        }
        for host in [
            "",
            "127.0.0.1",
            "127.0.0.1:43211",
            "127.0.0.1:043210",
            "localhost.:43210",
            "evil.example:43210",
            "127.0.0.1:43210.evil.example:43210",
            "evil@127.0.0.1:43210",
            "[::1]:43210",
            "0.0.0.0:43210",
        ] {
            assert_eq!(asked(&[host]), 421, "{host}");
        }
        assert_eq!(asked(&[]), 421);
        assert_eq!(asked(&["127.0.0.1:43210", "evil.example"]), 421);
        let headers = [HOST, ("cookie", &*cookie)];
        assert_eq!(status(ask(&door, &Method::GET, "http://evil.example:43210/", &headers)), 421);
        assert_eq!(status(ask(&door, &Method::GET, "http://127.0.0.1:43210/", &headers)), 200);
    }

    #[test]
    fn the_token_lets_one_browser_in_once() {
        let door = door();
        let path = start(&door);
        assert_eq!(status(ask(&door, &Method::GET, "/start", &[HOST])), 403);
        assert_eq!(status(ask(&door, &Method::GET, "/start?token=", &[HOST])), 403);
        let wrong = format!("/start?token={}", "0".repeat(64));
        assert_eq!(status(ask(&door, &Method::GET, &wrong, &[HOST])), 403);
        // Neither a foreign name nor another method uses it up.
        assert_eq!(status(ask(&door, &Method::GET, &path, &[("host", "evil.example:43210")])), 421);
        assert_eq!(status(ask(&door, &Method::POST, &path, &[HOST])), 403);
        assert_eq!(ask(&door, &Method::GET, &path, &[HOST]), Verdict::Welcome);
        assert_eq!(status(ask(&door, &Method::GET, &path, &[HOST])), 403);
        assert_eq!(ask(&door, &Method::GET, &path, &[HOST, ("cookie", &session(&door))]), Verdict::Return);
        assert!(door.address().ends_with("?token="), "it is void");
        assert_eq!(status(ask(&door, &Method::GET, "/start?token=", &[HOST])), 403);
    }

    #[test]
    fn nothing_is_answered_without_the_cookie() {
        let door = door();
        let right = session(&door);
        let asked = |cookies: &[&str]| {
            let mut headers = vec![HOST];
            headers.extend(cookies.iter().map(|cookie| ("cookie", *cookie)));
            status(ask(&door, &Method::GET, "/api/state", &headers))
        };
        assert_eq!(asked(&[]), 403);
        assert_eq!(asked(&[&right]), 200);
        assert_eq!(asked(&[&format!("other=1; {right}; more=2")]), 200);
        assert_eq!(asked(&["other=1", &right]), 200);
        for wrong in [
            "privet_43210=".to_owned(),
            "privet_43210".to_owned(),
            format!("privet_43210={}", "0".repeat(64)),
            format!("privet_43211={}", door.session.0),
            format!("PRIVET_43210={}", door.session.0),
            format!("{right}0"),
            right[..right.len() - 1].to_owned(),
            format!("x={right}"),
        ] {
            assert_eq!(asked(&[&wrong]), 403, "{wrong}");
        }
    }

    #[test]
    fn what_changes_something_and_every_websocket_comes_from_the_page() {
        let door = door();
        let cookie = session(&door);
        let asked = |method: Method, more: &[(&str, &str)]| {
            let headers = [&[HOST, ("cookie", cookie.as_str())][..], more].concat();
            status(ask(&door, &method, "/api/pair", &headers))
        };
        let own = ("origin", "http://127.0.0.1:43210");
        let upgrade = ("upgrade", "websocket");
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
            assert_eq!(asked(method.clone(), &[own]), 200);
            assert_eq!(asked(method, &[]), 403);
        }
        assert_eq!(asked(Method::GET, &[]), 200);
        assert_eq!(asked(Method::HEAD, &[]), 200);
        assert_eq!(asked(Method::GET, &[upgrade]), 403);
        assert_eq!(asked(Method::GET, &[upgrade, own]), 200);
        for foreign in [
            "http://localhost:43210",
            "http://127.0.0.1:3000",
            "http://127.0.0.1",
            "https://127.0.0.1:43210",
            "http://127.0.0.1:43210.evil.example",
            "http://evil.example",
            "null",
            "",
        ] {
            let foreign = ("origin", foreign);
            assert_eq!(asked(Method::POST, &[foreign]), 403, "{foreign:?}");
            assert_eq!(asked(Method::GET, &[upgrade, foreign]), 403, "{foreign:?}");
            assert_eq!(asked(Method::GET, &[foreign]), 403, "{foreign:?}");
            assert_eq!(asked(Method::POST, &[own, foreign]), 403, "{foreign:?}");
        }
    }

    #[test]
    fn the_cookie_is_the_browsers_alone_and_the_headers_are_on_everything() {
        let door = door();
        let cookie = door.cookie().unwrap();
        assert!(cookie.to_str().unwrap().ends_with("; HttpOnly; SameSite=Strict; Path=/"));
        assert!(!format!("{cookie:?}").contains(&door.session.0));
        let mut headers = HeaderMap::new();
        dress(&mut headers);
        assert_eq!((headers.len(), headers[header::CACHE_CONTROL].as_bytes()), (6, &b"no-store"[..]));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private"));
        dress(&mut headers);
        assert_eq!((headers.len(), headers[header::CACHE_CONTROL].as_bytes()), (6, &b"private"[..]));
    }
}
