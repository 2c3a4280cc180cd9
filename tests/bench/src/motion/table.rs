//! The result scene by scene, as a Markdown table.

use super::film::Stream;
use super::{METHODS, Row, kinds, total};

/// One line for each kind of scene and stream; both rates together.
pub fn by_scene(rows: &[Row]) -> String {
    let mut text = String::from("| scene | stream |");
    METHODS.iter().for_each(|method| text.push_str(&format!(" {method}: caught | false/h | onset | CPU |")));
    text.push_str("\n|---|---|");
    METHODS.iter().for_each(|_| text.push_str("---|---|---|---|"));
    for kind in kinds(rows) {
        for (stream, name) in [(Stream::Sub, "sub"), (Stream::Main, "main")] {
            let these = || rows.iter().filter(|row| row.kind == kind && row.stream == stream);
            let seconds: f64 = these().map(Row::film_s).sum();
            if these().next().is_none() {
                continue;
            }
            text.push_str(&format!("\n| {kind} | {name} |"));
            for score in total(these()) {
                let onset = score.onset_s().map_or(String::new(), |onset| format!("{onset:.2} s"));
                let caught =
                    if score.events == 0 { String::new() } else { format!("{}/{}", score.caught, score.events) };
                let (false_per_hour, cpu) = (score.false_per_hour(), score.cpu_s / seconds * 1_000.0);
                text.push_str(&format!(" {caught} | {false_per_hour:.0} | {onset} | {cpu:.1} ms |"));
            }
        }
    }
    text
}
