//! What decoding alone costs on the machine that the benchmark runs on, with the hub's decoder and its scaling and nothing else: what
//! the hub's figures are held against, because a slower processor is slower at both.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use privet_demo::Trouble;
use privet_hub::motion::scale::{Small, shrink};
use privet_raw_camera::clip::{Clip, Picture};

use crate::motion::decoder::{Decoder, cpu_s};
use crate::motion::film::Unit;

/// Which pictures of a film are decoded.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// All.
    Every,
    /// Where a decoder can start.
    Key,
    /// The same without the loop filter, as the hub has them decoded on trial.
    KeyUnfiltered,
}

/// How fast they come.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// One after the other; the film three times.
    Bulk,
    /// As a camera sends them, for as long as the film is: after each pause the decoder begins with cold caches.
    AsTheyCome,
}

/// The share of a core that it takes to decode these pictures of the film and to scale them down.
///
/// # Errors
/// [`Trouble`] when the film can't be decoded.
pub fn decoding_alone(film: &Path, fps: u32, which: Which, pace: Pace) -> Result<f64, Trouble> {
    gstreamer::init().map_err(|e| Trouble::new(format!("GStreamer: {e}")))?;
    let clip = Clip::open(film, fps).map_err(|e| Trouble::new(e.to_string()))?;
    let wanted: Vec<_> = (0..).zip(&clip.pictures).filter(|(_, p)| p.key || which == Which::Every).collect();
    let rounds = if pace == Pace::Bulk { 3 } else { 1 };
    let (mut decoder, mut small) = (Decoder::open()?, Small::default());
    let (mut used_s, began) = (0.0, Instant::now());
    for _ in 0..rounds {
        for (number, picture) in &wanted {
            if pace == Pace::AsTheyCome {
                let due = Duration::from_secs(1) * *number / fps;
                thread::sleep(due.saturating_sub(began.elapsed()));
            }
            let mut unit = Unit { key: picture.key, data: annex_b(&clip, picture) };
            if which == Which::KeyUnfiltered {
                let before = decoder.cpu_s;
                unit = decoder.unfiltered(&unit);
                used_s += decoder.cpu_s - before;
            }
            let before = cpu_s();
            decoder.show(*number as usize, &unit, |plane| shrink(plane, &mut small))?;
            used_s += cpu_s() - before;
        }
    }
    let seconds = f64::from(rounds) * clip.pictures.len() as f64 / f64::from(fps);
    Ok(used_s / seconds)
}

fn annex_b(clip: &Clip, picture: &Picture) -> Vec<u8> {
    let parameters: &[_] = if picture.key { &[&clip.sps, &clip.pps] } else { &[] };
    let mut unit = Vec::new();
    for nal in parameters.iter().copied().chain(&picture.nals) {
        unit.extend_from_slice(&[0, 0, 0, 1]);
        unit.extend_from_slice(nal);
    }
    unit
}
