//! A measured figure, and how figures are shown.

use comfy_table::{Table, presets};
use serde::Serialize;

/// What was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    /// Scenario.
    pub scenario: &'static str,
    /// What it is.
    pub name: String,
    /// The median.
    pub value: f64,
    /// Its unit.
    pub unit: &'static str,
    /// What it is held against, measured in the same run.
    pub ceiling: Option<Ceiling>,
    /// What it should be.
    pub target: Option<Target>,
}

/// What a figure is held against.
#[derive(Clone, Debug, Serialize)]
pub struct Ceiling {
    /// What it is.
    pub name: String,
    /// Its median, in the unit of the figure.
    pub value: f64,
    /// The figure's speed as a part of the ceiling's: 1 is as fast.
    pub ratio: f64,
}

/// What a figure should be.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// The value is at most this.
    AtMost(f64),
    /// The ratio to the ceiling is at least this.
    RatioAtLeast(f64),
}

impl Figure {
    /// A figure on its own.
    pub fn new(scenario: &'static str, name: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self { scenario, name: name.into(), value, unit, ceiling: None, target: None }
    }

    /// Beside a time that is shorter when better.
    pub fn beside_time(self, name: &str, value: f64) -> Self {
        let ratio = value / self.value;
        self.beside(name, value, ratio)
    }

    /// Beside a rate that is larger when better.
    pub fn beside_rate(self, name: &str, value: f64) -> Self {
        let ratio = self.value / value;
        self.beside(name, value, ratio)
    }

    fn beside(mut self, name: &str, value: f64, ratio: f64) -> Self {
        self.ceiling = Some(Ceiling { name: name.to_owned(), value, ratio });
        self
    }

    /// With a target.
    pub fn with_target(mut self, target: Target) -> Self {
        self.target = Some(target);
        self
    }

    fn target_text(&self) -> String {
        match (self.target, &self.ceiling) {
            (Some(Target::AtMost(most)), _) => {
                format!("\u{2264} {most} {}: {}", self.unit, verdict(self.value <= most))
            }
            (Some(Target::RatioAtLeast(least)), Some(ceiling)) => {
                format!("\u{2265} {:.0} %: {}", least * 100.0, verdict(ceiling.ratio >= least))
            }
            (Some(Target::RatioAtLeast(_)) | None, _) => String::new(),
        }
    }
}

fn verdict(met: bool) -> &'static str {
    if met { "met" } else { "MISSED" }
}

/// All figures as a table.
pub fn table(figures: &[Figure]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["SCENARIO", "FIGURE", "MEDIAN", "CEILING", "RATIO", "TARGET"]);
    for figure in figures {
        let (ceiling, ratio) = match &figure.ceiling {
            Some(ceiling) => (
                format!("{} {} ({})", number(ceiling.value), figure.unit, ceiling.name),
                format!("{:.0} %", ceiling.ratio * 100.0),
            ),
            None => (String::new(), String::new()),
        };
        table.add_row([
            figure.scenario.to_owned(),
            figure.name.clone(),
            format!("{} {}", number(figure.value), figure.unit),
            ceiling,
            ratio,
            figure.target_text(),
        ]);
    }
    table.trim_fmt()
}

/// Three significant digits or all before the point.
fn number(value: f64) -> String {
    match value.abs() {
        0.0..1.0 => format!("{value:.3}"),
        1.0..10.0 => format!("{value:.2}"),
        10.0..100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_of_speed_for_times_and_rates_alike() {
        let time = Figure::new("s", "slower", 200.0, "ns").beside_time("fast", 100.0);
        assert_eq!(time.ceiling.as_ref().map(|ceiling| ceiling.ratio), Some(0.5));
        let rate = Figure::new("s", "slower", 100.0, "/s").beside_rate("fast", 200.0);
        assert_eq!(rate.ceiling.as_ref().map(|ceiling| ceiling.ratio), Some(0.5));
        assert!(rate.with_target(Target::RatioAtLeast(0.6)).target_text().ends_with("MISSED"));
        assert!(time.with_target(Target::AtMost(200.0)).target_text().ends_with("met"));
    }
}
