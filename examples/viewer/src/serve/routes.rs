//! What can be asked: each route does one thing with app-core and gives its answer as JSON.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest, FromRequestParts, Path, Query, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use privet_app_core::{PairingOffer, Profile, Trust};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::answers::{self, Answer, ProfileShape, Refusal, SettingsShape};
use super::door::{self, Door};
use super::{Server, clip, happenings, live, page};
use crate::run::Failure;

/// What a request may say at most.
const MAX_BODY: usize = 64 * 1024;
/// How large a picture of a pairing code may be.
const MAX_PICTURE: usize = 8 * 1024 * 1024;
/// How many events or clips are told when it was not said.
const PAGE: u32 = 50;

/// Everything, behind the door.
pub fn router(server: Arc<Server>, door: Arc<Door>) -> Router {
    Router::new()
        .route("/api/state", get(state))
        .route("/api/offer", post(offer))
        .route("/api/offer/picture", post(offer_picture).layer(DefaultBodyLimit::max(MAX_PICTURE)))
        .route("/api/pair", post(pair))
        .route("/api/cameras", get(cameras))
        .route("/api/devices", get(devices))
        .route("/api/devices/{id}/remove", post(remove))
        .route("/api/devices/{id}/rename", post(rename))
        .route("/api/events", get(events))
        .route("/api/clips", get(clips))
        .route("/api/clips/{id}", get(one_clip))
        .route("/api/clips/{id}/thumbnail", get(thumbnail))
        .route("/api/clips/{id}/video.mp4", get(clip::video))
        .route("/api/clips/{id}/report", get(clip::report))
        .route("/api/clips/{id}/export.mp4", get(clip::export))
        .route("/api/clips/{id}/pin", post(pin))
        .route("/api/settings", get(settings).put(set_settings))
        .route("/api/snooze", post(snooze))
        .route("/api/profile", post(profile))
        .route("/api/happenings", get(happenings::happenings))
        .route("/api/live/{camera}", get(live::live))
        .fallback(other)
        .method_not_allowed_fallback(not_so)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::from_fn_with_state(door, door::keep))
        .with_state(server)
}

/// A body of JSON.
struct Told<T>(T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Told<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        is_of(request.headers(), &["application/json"])?;
        let body = whole(request, state).await?;
        serde_json::from_slice(&body)
            .map(Self)
            .map_err(|error| Refusal::wrong(StatusCode::BAD_REQUEST, format!("the body: {error}")))
    }
}

/// A PNG or a JPEG.
struct Picture(Bytes);

impl<S: Send + Sync> FromRequest<S> for Picture {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        is_of(request.headers(), &["image/png", "image/jpeg"])?;
        whole(request, state).await.map(Self)
    }
}

/// What follows the question mark.
pub struct Asked<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let asked = Query::try_from_uri(&parts.uri);
        asked
            .map(|Query(asked)| Self(asked))
            .map_err(|error| Refusal::wrong(StatusCode::BAD_REQUEST, error.body_text()))
    }
}

/// Demands one of these types.
fn is_of(headers: &HeaderMap, types: &[&str]) -> Result<(), Refusal> {
    let said = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = said.split(';').next().unwrap_or_default().trim();
    if types.iter().any(|known| known.eq_ignore_ascii_case(essence)) {
        return Ok(());
    }
    let why = format!("the content-type has to be {}", types.join(" or "));
    Err(Refusal::wrong(StatusCode::UNSUPPORTED_MEDIA_TYPE, why))
}

/// The whole body, within the route's limit.
async fn whole<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Refusal> {
    Bytes::from_request(request, state).await.map_err(|error| {
        let why = match error.status() {
            StatusCode::PAYLOAD_TOO_LARGE => "the body is too large".into(),
            _ => error.body_text(),
        };
        Refusal::wrong(error.status(), why)
    })
}

async fn other(request: Request) -> Response {
    if request.uri().path().starts_with("/api/") {
        return Refusal::not_found(request.uri().path()).into_response();
    }
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return not_so().await.into_response();
    }
    page::file(request.uri().clone()).await
}

async fn not_so() -> Refusal {
    Refusal::wrong(StatusCode::METHOD_NOT_ALLOWED, "not with this method")
}

async fn state(State(server): State<Arc<Server>>) -> Answer {
    let client = &server.client;
    let status = client.status().await?;
    if !status.paired {
        return Ok(Json(answers::state(&status, &server.device_name, None)));
    }
    let (devices, number) = (client.devices().await?, client.safety_number().await?);
    let name = devices.iter().find(|device| device.this_device).map_or(&server.device_name, |device| &device.name);
    Ok(Json(answers::state(&status, name, Some(&number))))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Code {
    code: String,
}

async fn offer(Told(Code { code }): Told<Code>) -> Answer {
    Ok(Json(answers::offer(&PairingOffer::parse(&code)?)))
}

async fn offer_picture(State(server): State<Arc<Server>>, Picture(picture): Picture) -> Answer {
    // One after the other: what one may take is bounded, and so is what all of them may.
    let only = server.picture.clone().lock_owned().await;
    let found = tokio::task::spawn_blocking(move || {
        let _only = only;
        crate::code::in_picture(&picture)
    })
    .await;
    let code = found.map_err(|error| Failure::Other(error.to_string()))?.map_err(Failure::Pairing)?;
    let mut answer = answers::offer(&PairingOffer::parse(&code)?);
    answer["code"] = code.into();
    Ok(Json(answer))
}

async fn pair(State(server): State<Arc<Server>>, Told(Code { code }): Told<Code>) -> Answer {
    server.client.pair(&PairingOffer::parse(&code)?).await?;
    Ok(Json(json!({"safety_number": server.client.safety_number().await?})))
}

async fn cameras(State(server): State<Arc<Server>>) -> Answer {
    let cameras = server.client.cameras().await?;
    Ok(Json(cameras.iter().map(answers::camera).collect()))
}

async fn devices(State(server): State<Arc<Server>>) -> Answer {
    let devices = server.client.devices().await?;
    Ok(Json(devices.iter().map(answers::device).collect()))
}

async fn remove(State(server): State<Arc<Server>>, Path(id): Path<String>) -> Answer {
    server.client.remove_device(&id).await?;
    Ok(answers::done())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Name {
    name: String,
}

async fn rename(State(server): State<Arc<Server>>, Path(id): Path<String>, Told(Name { name }): Told<Name>) -> Answer {
    server.client.rename_device(&id, &name).await?;
    Ok(answers::done())
}

/// Which events or clips.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    camera: Option<String>,
    from: Option<i64>,
    to: Option<i64>,
    page: Option<String>,
    limit: Option<u32>,
}

impl Which {
    fn from(&self) -> i64 {
        self.from.unwrap_or(i64::MIN)
    }

    fn to(&self) -> i64 {
        self.to.unwrap_or(i64::MAX)
    }

    fn limit(&self) -> u32 {
        self.limit.unwrap_or(PAGE)
    }
}

async fn events(State(server): State<Arc<Server>>, Asked(which): Asked<Which>) -> Answer {
    let (camera, page) = (which.camera.as_deref(), which.page.as_deref());
    let found = server.client.events(camera, which.from(), which.to(), page, which.limit()).await?;
    let events: Vec<Value> = found.events.iter().map(answers::event).collect();
    Ok(Json(json!({"events": events, "next": found.next})))
}

async fn clips(State(server): State<Arc<Server>>, Asked(which): Asked<Which>) -> Answer {
    let (camera, page) = (which.camera.as_deref(), which.page.as_deref());
    let found = server.client.clips(camera, which.from(), which.to(), page, which.limit()).await?;
    let clips: Vec<Value> = found.clips.iter().map(answers::clip).collect();
    Ok(Json(json!({"clips": clips, "next": found.next})))
}

async fn one_clip(State(server): State<Arc<Server>>, Path(id): Path<String>) -> Answer {
    Ok(Json(answers::clip(&server.client.clip(&id).await?)))
}

async fn thumbnail(State(server): State<Arc<Server>>, Path(id): Path<String>) -> Result<Response, Refusal> {
    let found = server.client.thumbnail(&id).await?;
    let thumbnail = found.ok_or_else(|| Refusal::not_found(format!("a thumbnail of clip {id}")))?;
    if let Trust::Broken { why } = &thumbnail.trust {
        return Err(Failure::NotVerified(format!("the thumbnail of clip {id}: {why}")).into());
    }
    // The hub names the type; it is not to make a page of it.
    if thumbnail.mime != "image/jpeg" {
        return Err(Refusal::not_found(format!(
            "a thumbnail of clip {id} that can be shown: it is {}",
            thumbnail.mime
        )));
    }
    let trust = HeaderValue::from_str(&ascii(&answers::trust(&thumbnail.trust)))
        .map_err(|error| Failure::Other(error.to_string()))?;
    let mut response = ([(header::CONTENT_TYPE, "image/jpeg")], thumbnail.bytes).into_response();
    response.headers_mut().insert("x-privet-trust", trust);
    Ok(response)
}

/// JSON for a header: what is not ASCII is escaped.
fn ascii(value: &Value) -> String {
    let mut out = String::new();
    for c in value.to_string().chars() {
        if c.is_ascii() && !c.is_ascii_control() {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    out
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pin {
    pinned: bool,
}

async fn pin(State(server): State<Arc<Server>>, Path(id): Path<String>, Told(Pin { pinned }): Told<Pin>) -> Answer {
    server.client.pin(&id, pinned).await?;
    Ok(answers::done())
}

async fn settings(State(server): State<Arc<Server>>) -> Answer {
    Ok(Json(answers::settings(&server.client.settings().await?)))
}

async fn set_settings(State(server): State<Arc<Server>>, Told(wanted): Told<SettingsShape>) -> Answer {
    server.client.set_settings(wanted.into()).await?;
    settings(State(server)).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Snooze {
    camera_id: Option<String>,
    until_ms: Option<i64>,
}

async fn snooze(State(server): State<Arc<Server>>, Told(wanted): Told<Snooze>) -> Answer {
    server.client.snooze(wanted.camera_id.as_deref(), wanted.until_ms).await?;
    Ok(answers::done())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProfileWish {
    profile: ProfileShape,
}

async fn profile(State(server): State<Arc<Server>>, Told(wanted): Told<ProfileWish>) -> Answer {
    server.client.set_profile(Profile::from(wanted.profile)).await?;
    Ok(answers::done())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_header_of_json_is_ascii_and_the_same_json() {
        let value = json!({"why": "Tür \"zu\"\u{7f}\n📷"});
        let text = ascii(&value);
        assert!(text.bytes().all(|b| (32..127).contains(&b)), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }

    #[test]
    fn only_the_types_that_are_meant_are_read() {
        let of = |said: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            if let Some(said) = said {
                headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(said));
            }
            is_of(&headers, &["application/json"]).is_ok()
        };
        assert!(of(Some("application/json")) && of(Some("Application/JSON; charset=utf-8")));
        for wrong in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", "x; application/json", ""]
        {
            assert!(!of(Some(wrong)), "{wrong}");
        }
        assert!(!of(None));
    }

    #[test]
    fn what_is_asked_for_is_all_of_it_when_nothing_is_said() {
        let asked = |uri: &str| {
            let uri: axum::http::Uri = uri.parse().unwrap();
            Query::<Which>::try_from_uri(&uri).map(|Query(which)| which)
        };
        let which = asked("/api/clips").unwrap();
        assert_eq!((which.from(), which.to(), which.limit(), which.page), (i64::MIN, i64::MAX, PAGE, None));
        let which = asked("/api/clips?camera=aa&from=-5&to=7&limit=3&page=9%3Abb").unwrap();
        assert_eq!((which.from(), which.to(), which.limit()), (-5, 7, 3));
        assert_eq!((which.camera.as_deref(), which.page.as_deref()), (Some("aa"), Some("9:bb")));
        assert!(asked("/api/clips?form=5").is_err() && asked("/api/clips?from=now").is_err());
    }
}
