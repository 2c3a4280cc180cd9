//! One measured figure and the goal it is held against, as a table row for people and a JSON line for machines.

use serde::Serialize;

/// What a figure should be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Goal {
    /// At least this.
    AtLeast(f64),
    /// At most this.
    AtMost(f64),
    /// Nothing is asked; it is there to compare with.
    Known,
}

/// One measured figure.
#[derive(Clone, Debug)]
pub struct Figure {
    /// The benchmark: `seal`, `latency`, `hub`, `motion`, `live`, `relay`, `hostile`, `observer`, `live-start`, `pairing`.
    pub bench: &'static str,
    /// What was done: "seal, 1 MiB", "camera 2 of 3".
    pub case: String,
    /// What was measured: "rate", "p99".
    pub metric: &'static str,
    /// The figure.
    pub value: f64,
    /// Its unit: "GB/s", "ms", "% of a core", "MiB", "x" for ratios.
    pub unit: &'static str,
    /// What it should be.
    pub goal: Goal,
}

#[derive(Serialize)]
struct Line<'a> {
    bench: &'a str,
    case: &'a str,
    metric: &'a str,
    value: f64,
    unit: &'a str,
    goal: Option<String>,
    met: Option<bool>,
}

impl Figure {
    /// A figure without a goal.
    pub fn known(
        bench: &'static str,
        case: impl Into<String>,
        metric: &'static str,
        value: f64,
        unit: &'static str,
    ) -> Self {
        Self { bench, case: case.into(), metric, value, unit, goal: Goal::Known }
    }

    /// The same figure with a goal.
    pub fn with_goal(mut self, goal: Goal) -> Self {
        self.goal = goal;
        self
    }

    /// Whether the goal is met; nothing where none was asked.
    pub fn met(&self) -> Option<bool> {
        match self.goal {
            Goal::AtLeast(least) => Some(self.value >= least),
            Goal::AtMost(most) => Some(self.value <= most),
            Goal::Known => None,
        }
    }

    /// Whether it is a number: one that is not says that there was nothing to measure, and must not pass for a figure without a goal.
    pub fn is_measured(&self) -> bool {
        self.value.is_finite()
    }

    /// The figure as one line of JSON.
    pub fn json(&self) -> String {
        let line = Line {
            bench: self.bench,
            case: &self.case,
            metric: self.metric,
            value: round(self.value),
            unit: self.unit,
            goal: self.goal_text(),
            met: self.met(),
        };
        serde_json::to_string(&line).unwrap_or_default()
    }

    /// The figure as a row of a Markdown table.
    pub fn row(&self) -> String {
        let met = match self.met() {
            Some(true) => "yes",
            Some(false) => "**no**",
            None => "",
        };
        let goal = self.goal_text().unwrap_or_default();
        format!(
            "| {} | {} | {} | {} {} | {goal} | {met} |",
            self.bench,
            self.case,
            self.metric,
            round(self.value),
            self.unit
        )
    }

    /// The heading of a table of [`Figure::row`]s.
    pub fn heading() -> &'static str {
        "| bench | case | metric | value | goal | met |\n|---|---|---|---|---|---|"
    }

    fn goal_text(&self) -> Option<String> {
        match self.goal {
            Goal::AtLeast(least) => Some(format!(">= {least}")),
            Goal::AtMost(most) => Some(format!("<= {most}")),
            Goal::Known => None,
        }
    }
}

/// Four significant digits: more would claim more than was measured.
fn round(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let scale = 10_f64.powf(3.0 - value.abs().log10().floor());
    (value * scale).round() / scale
}
