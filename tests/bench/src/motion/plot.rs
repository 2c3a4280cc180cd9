//! The result as a picture: SVG written here, PNG by ffmpeg, which the tests need anyway.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::time::Duration;

use privet_demo::Trouble;
use privet_demo::process::run;

use super::film::Stream;
use super::score::Score;
use super::{METHODS, Row, kinds, total};

const COLOURS: [&str; 3] = ["#0072b2", "#e69f00", "#7a7a7a"];
const WIDTH: f64 = 1_040.0;
const TOP: f64 = 178.0;
/// Height of one kind of scene, and of one of its three bars.
const LINE: f64 = 34.0;
const BAR: f64 = 8.0;
/// Where the two panels begin, and how wide they are.
const CAUGHT: f64 = 210.0;
const FALSE: f64 = 640.0;
const PANEL: f64 = 340.0;

/// Writes `motion.svg` and `motion.png` into the folder.
///
/// # Errors
/// [`Trouble`] when they can't be written, or ffmpeg knows no SVG.
pub fn draw(rows: &[Row], folder: &Path) -> Result<(), Trouble> {
    let (svg, png) = (folder.join("motion.svg"), folder.join("motion.png"));
    fs::write(&svg, picture(rows)).map_err(|e| Trouble::new(format!("{}: {e}", svg.display())))?;
    let (from, to) = (svg.to_string_lossy(), png.to_string_lossy());
    let words = ["-v", "error", "-y", "-i", &from, "-frames:v", "1", &to];
    run(Path::new("ffmpeg"), &words, Duration::from_secs(60))?.ok().map(|_| ()).map_err(|e| e.during("ffmpeg"))
}

fn picture(rows: &[Row]) -> String {
    let kinds = kinds(rows);
    let most = kinds.iter().flat_map(|kind| total(of(rows, kind)).map(|score| score.false_per_hour()));
    let most = nice(most.fold(1.0, f64::max));
    let bottom = TOP + LINE * kinds.len() as f64;
    let height = bottom + 46.0;
    let mut svg = String::new();
    let _ = write!(
        svg,
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" font-family="DejaVu Sans, Helvetica, Arial, sans-serif" font-size="13" fill="#222">
<rect width="{WIDTH}" height="{height}" fill="#fff"/>
"##
    );
    text(&mut svg, 24.0, 34.0, r#"font-size="19" font-weight="bold""#, "What is caught, and what is cried for nothing");
    legend(&mut svg, rows);
    let events = total(rows)[0].events;
    text(&mut svg, CAUGHT, TOP - 26.0, r#"font-weight="bold""#, &format!("events caught, of {events} in all"));
    text(&mut svg, FALSE, TOP - 26.0, r#"font-weight="bold""#, "false events per hour of such scenes");
    for step in 0..=4 {
        let part = f64::from(step) / 4.0;
        for (left, label) in [(CAUGHT, format!("{:.0} %", part * 100.0)), (FALSE, format!("{:.0}", part * most))] {
            let x = left + part * PANEL;
            let _ = writeln!(svg, r##"<path d="M{x} {TOP}V{bottom}" stroke="#ddd"/>"##);
            text(&mut svg, x, bottom + 20.0, r##"text-anchor="middle" fill="#555""##, &label);
        }
    }
    for (n, kind) in kinds.iter().enumerate() {
        let (top, scores) = (TOP + LINE * n as f64, total(of(rows, kind)));
        let _ = writeln!(svg, r##"<path d="M24 {top}H{}" stroke="#eee"/>"##, WIDTH - 24.0);
        text(&mut svg, 24.0, top + LINE / 2.0 + 4.5, "", kind);
        for (method, score) in scores.iter().enumerate() {
            let y = top + 4.0 + (BAR + 1.0) * method as f64;
            if score.events > 0 {
                bar(&mut svg, CAUGHT, y, score.recall(), method);
            }
            bar(&mut svg, FALSE, y, score.false_per_hour() / most, method);
        }
        if scores[0].events == 0 {
            text(&mut svg, CAUGHT + 8.0, top + LINE / 2.0 + 4.5, r##"fill="#999""##, "nothing to catch");
        }
    }
    svg.push_str("</svg>\n");
    svg
}

/// Names, colours, and the figures of the whole set.
fn legend(svg: &mut String, rows: &[Row]) {
    let columns = [(210.0, "recall"), (300.0, "precision"), (410.0, "onset, substream"), (570.0, "onset, main stream")];
    for (x, title) in columns {
        text(svg, x, 64.0, r##"fill="#555""##, title);
    }
    let onset = |score: &Score| score.onset_s().map_or("-".into(), |onset| format!("{onset:.2} s"));
    let streams = [Stream::Sub, Stream::Main].map(|stream| total(rows.iter().filter(|row| row.stream == stream)));
    for (n, score) in total(rows).iter().enumerate() {
        let y = 86.0 + 20.0 * n as f64;
        let _ = writeln!(svg, r#"<rect x="24" y="{}" width="12" height="12" fill="{}"/>"#, y - 11.0, COLOURS[n]);
        text(svg, 44.0, y, "", METHODS[n]);
        let told = [
            format!("{:.3}", score.recall()),
            format!("{:.3}", score.precision()),
            onset(&streams[0][n]),
            onset(&streams[1][n]),
        ];
        for ((x, _), told) in columns.iter().zip(&told) {
            text(svg, *x, y, "", told);
        }
    }
}

/// A bar; where there is nothing a thin line, so that it is seen that there is nothing.
fn bar(svg: &mut String, left: f64, y: f64, part: f64, method: usize) {
    let wide = (part * PANEL).max(2.0);
    let _ = writeln!(svg, r#"<rect x="{left}" y="{y}" width="{wide:.1}" height="{BAR}" fill="{}"/>"#, COLOURS[method]);
}

fn text(svg: &mut String, x: f64, y: f64, style: &str, words: &str) {
    let _ = writeln!(svg, r#"<text x="{x}" y="{y}" {style}>{words}</text>"#);
}

fn of<'a>(rows: &'a [Row], kind: &'a str) -> impl Iterator<Item = &'a Row> {
    rows.iter().filter(move |row| row.kind == kind)
}

/// The next number that is easy to divide by four.
fn nice(most: f64) -> f64 {
    [40.0, 80.0, 120.0, 200.0, 400.0, 600.0, 800.0, 1_200.0].into_iter().find(|&nice| nice >= most).unwrap_or(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_and_method_is_in_the_picture() {
        let score = Score { events: 2, caught: 1, false_alarms: 1, seconds: 16.0, ..Score::default() };
        let row = |kind, stream| Row { kind, stream, scores: [score.clone(), Score::default(), Score::default()] };
        let svg = picture(&[row("wind", Stream::Sub), row("wind", Stream::Main), row("rain", Stream::Sub)]);
        for word in METHODS.iter().chain(&["wind", "rain", "0.500"]) {
            assert!(svg.contains(word), "{word}");
        }
        assert_eq!(svg.matches(">wind<").count(), 1);
        assert!(svg.contains(r#"width="170.0""#), "half of the events, half of the panel");
    }
}
