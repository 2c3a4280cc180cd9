#![allow(clippy::unwrap_used, clippy::expect_used)]
use std::path::Path;

use crate::config::{Config, ConfigError};
use crate::motion::{MotionSettings, Sensitivity};

const HEAD: &str =
    "[relay]\nhost = \"r\"\nwebpki = true\n\n[[camera]]\nname = \"Garden\"\nurl = \"rtsp://192.0.2.1/x\"\n";

fn settings(tail: &str) -> MotionSettings {
    let config = Config::parse(Path::new("hub.toml"), &format!("{HEAD}{tail}")).unwrap();
    config.cameras[0].motion_settings().unwrap()
}

/// Line (counted from the camera's table), key, what stands there, what may.
fn refused(tail: &str) -> (usize, String, String, String) {
    let text = format!("{HEAD}{tail}");
    match Config::parse(Path::new("hub.toml"), &text).unwrap_err() {
        ConfigError::NotAllowed { line, key, found, allowed, .. } => (line - 7, key, found, allowed),
        e => panic!("{e}"),
    }
}

#[test]
fn without_a_word_it_is_the_whole_frame_and_medium() {
    assert_eq!(settings(""), MotionSettings::default());
    assert_eq!(settings("sensitivity = \"high\"\n").sensitivity, Sensitivity::High);
}

#[test]
fn a_number_of_old_is_refused_with_the_word_to_take() {
    let (line, key, found, allowed) = refused("sensitivity = 7\n");
    assert_eq!((line, key.as_str(), found.as_str()), (1, "camera.sensitivity", "7"));
    assert!(allowed.contains("4 to 7 \"medium\""), "{allowed}");
    assert_eq!(refused("sensitivity = \"very\"\n").1, "camera.sensitivity");
}

#[test]
fn zones_and_masks_reach_the_detector_by_name() {
    let settings = settings(
        "[camera.zones.path]\npoints = [[0, 0.5], [1, 0.5], [1, 1], [0, 1]]\n\
         [camera.zones.\"front door\"]\npoints = [[0.1, 0.1], [0.2, 0.1], [0.2, 0.4]]\n\
         [camera.masks.tree]\npoints = [[0, 0], [0.3, 0], [0, 0.3]]\n\
         [camera.detector]\nthreshold = 12\nonset = 3\n",
    );
    let names: Vec<_> = settings.zones.iter().map(|zone| zone.name.as_str()).collect();
    assert_eq!(names, ["front door", "path"]);
    assert_eq!((settings.masks[0].name.as_str(), settings.masks[0].outline.points().len()), ("tree", 3));
    assert_eq!((settings.expert.threshold, settings.expert.onset), (Some(12.0), Some(3)));
}

#[test]
fn outlines_that_are_none_are_refused_with_line_and_reason() {
    let of = |points: &str| refused(&format!("[camera.zones.door]\npoints = {points}\n"));
    for (points, reason) in [
        ("[[0, 0], [1, 1], [1, 0], [0, 1]]", "crosses itself"),
        ("[[0, 0], [1, 1.2], [1, 0]]", "point 2, [1, 1.2], which lies outside"),
        ("[[0, 0], [1, 1]]", "2 points"),
        ("[[0.1, 0.1], [0.101, 0.1], [0.1, 0.101]]", "without area"),
    ] {
        let (line, key, found, allowed) = of(points);
        assert_eq!((line, key.as_str()), (2, "camera.zones.door.points"), "{points}: {found}");
        assert!(found.contains(reason), "{found}");
        assert!(allowed.starts_with("3 to 32 points"), "{allowed}");
    }
    assert_eq!(of("\"left\"").1, "camera.zones.door.points");
    assert_eq!(of("[[0, 0], [nan, 0], [1, 1]]").1, "camera.zones.door.points");
}

#[test]
fn too_many_zones_and_bad_names_are_refused() {
    let zone = |name: &str| format!("[camera.zones.{name}]\npoints = [[0, 0], [1, 0], [0, 1]]\n");
    let many: String = (0..17).map(|i| zone(&format!("z{i}"))).collect();
    assert_eq!(refused(&many).2, "there 17 times");
    assert!(refused(&zone(&"x".repeat(33))).2.contains("33 characters"));
    assert!(
        refused(&zone(&format!("\"{}\"", "門".repeat(22)))).2.contains("66 bytes"),
        "more than a message to phones takes"
    );
    assert!(refused(&zone("\"a.b\"")).2.contains("a.b"));
}

#[test]
fn unknown_and_impossible_expert_keys_are_refused_with_what_there_is() {
    let (line, key, found, allowed) = refused("[camera.detector]\nthreshhold = 5\n");
    assert_eq!((line, key.as_str(), found.as_str()), (2, "camera.detector.threshhold", "not a key"));
    assert!(allowed.contains("noise_factor"), "{allowed}");
    let (_, key, _, allowed) = refused("[camera.zones.door]\npoint = [[0, 0], [1, 0], [0, 1]]\n");
    assert_eq!((key.as_str(), allowed.as_str()), ("camera.zones.door.point", "points"));
    for (line, value) in
        [("threshold", "3"), ("area", "0.6"), ("hold_ms", "100"), ("onset", "4"), ("noise_factor", "1.5")]
    {
        let (_, key, found, _) = refused(&format!("[camera.detector]\n{line} = {value}\n"));
        assert_eq!((key, found.as_str()), (format!("camera.detector.{line}"), value));
    }
}
