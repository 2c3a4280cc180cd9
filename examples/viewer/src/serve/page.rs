//! The page itself: the files of `examples/viewer/page/dist`, compiled into the program.
//!
//! Vite puts a hash of its contents into the name of everything under `assets/`: that never changes and may be kept.

use axum::http::{HeaderValue, Uri, header};
use axum::response::{IntoResponse, Response};

use super::answers::Refusal;

#[derive(rust_embed::Embed)]
#[folder = "page/dist/"]
struct Dist;

const INDEX: &str = "index.html";
const FOR_A_YEAR: &str = "private, max-age=31536000, immutable";

/// A file of the page, or its door.
pub async fn file(uri: Uri) -> Response {
    let path = uri.path().trim_start_matches('/');
    let path = if path.is_empty() { INDEX } else { path };
    let Some(file) = Dist::get(path) else {
        return Refusal::not_found(format!("/{path}")).into_response();
    };
    let mut response = ([(header::CONTENT_TYPE, content_type(path))], file.data).into_response();
    if is_hashed(path) {
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(FOR_A_YEAR));
    }
    response
}

fn is_hashed(path: &str) -> bool {
    path.starts_with("assets/")
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        // With `nosniff` a browser does nothing with it.
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    async fn get(path: &str) -> Response {
        file(path.parse().unwrap()).await
    }

    #[tokio::test]
    async fn the_page_is_there_and_nothing_beside_it() {
        for door in ["/", "/index.html"] {
            let page = get(door).await;
            assert_eq!(page.status().as_u16(), 200);
            assert_eq!(page.headers()[header::CONTENT_TYPE], "text/html; charset=utf-8");
            assert!(!page.headers().contains_key(header::CACHE_CONTROL), "the door's word is no-store");
        }
        for nothing in ["/nothing", "/../package.json", "/assets/..%2findex.html", "//etc/passwd", "/api/nothing"] {
            assert_eq!(get(nothing).await.status().as_u16(), 404, "{nothing}");
        }
    }

    #[tokio::test]
    async fn every_file_has_a_type_that_browsers_use() {
        for path in Dist::iter() {
            assert_ne!(content_type(&path), "application/octet-stream", "{path}");
            let kept = get(&format!("/{path}")).await.headers().contains_key(header::CACHE_CONTROL);
            assert_eq!(kept, is_hashed(&path), "{path}");
        }
    }
}
