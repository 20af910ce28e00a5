//! Charts, drawn by the server as SVG. Each says its numbers as text, too.

use maud::{Markup, html};

use crate::console::text;

/// A row of bars.
pub struct Bar {
    /// What it counts.
    pub name: String,
    /// How much.
    pub value: u64,
    /// Where the name leads.
    pub href: Option<String>,
}

/// Bars beside their names and numbers.
pub fn bars(bars: &[Bar]) -> Markup {
    let most = bars.iter().map(|bar| bar.value).max().unwrap_or(0).max(1);
    html! {
        ul.bars {
            @for bar in bars {
                li {
                    span.name {
                        @match &bar.href {
                            Some(href) => a href=(href) { (text::shown(&bar.name)) },
                            None => (text::shown(&bar.name)),
                        }
                    }
                    svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true" focusable="false" {
                        rect.track width="100" height="8" rx="1" {}
                        rect.bar width=(share(bar.value, most)) height="8" rx="1" {}
                    }
                    span.number { (text::number(bar.value)) }
                }
            }
        }
    }
}

/// Columns over time, the newest at the right.
pub fn columns(name: &str, values: &[u64]) -> Markup {
    let most = values.iter().copied().max().unwrap_or(0).max(1);
    let newest = values.last().copied().unwrap_or(0);
    let label = format!("{name}: now {newest}, at most {most}");
    html! {
        svg.columns viewBox={ "0 0 " (values.len() * 4) " 40" } preserveAspectRatio="none" role="img" aria-label=(label) {
            rect.track y="39" width=(values.len() * 4) height="1" {}
            @for (place, value) in values.iter().enumerate() {
                @let height = value * 40 / most;
                rect.bar x=(place * 4) y=(40 - height.max(u64::from(*value > 0))) width="3" height=(height.max(u64::from(*value > 0))) {}
            }
        }
    }
}

/// A share of a whole that is shown as one bar.
pub struct Part {
    /// What it is.
    pub name: &'static str,
    /// How much.
    pub value: u64,
    /// The class of its colour.
    pub class: &'static str,
}

/// One bar of several parts, with a legend.
pub fn stacked(name: &str, parts: &[Part]) -> Markup {
    html! {
        div.stacked {
            (bar(name, parts))
            ul.legend {
                @for part in parts { li { span class={ "dot " (part.class) } {} (part.name) " " b { (text::number(part.value)) } } }
            }
        }
    }
}

/// One bar of several parts, by itself.
pub fn bar(name: &str, parts: &[Part]) -> Markup {
    let whole = parts.iter().map(|part| part.value).sum::<u64>().max(1);
    let mut left = 0_u64;
    let placed: Vec<_> = parts
        .iter()
        .filter(|part| part.value > 0)
        .map(|part| {
            let x = left;
            left += part.value;
            (x, part)
        })
        .collect();
    let said: Vec<String> = parts.iter().map(|part| format!("{} {}", part.name, part.value)).collect();
    html! {
        svg.whole viewBox="0 0 100 6" preserveAspectRatio="none" role="img" aria-label=(format!("{name}: {}", said.join(", "))) {
            rect.track width="100" height="6" {}
            @for (x, part) in &placed { rect class=(part.class) x=(share(*x, whole)) width=(share(part.value, whole)) height="6" {} }
        }
    }
}

/// A share of a whole in percent, with two digits after the point.
fn share(value: u64, whole: u64) -> String {
    let hundredths = u128::from(value) * 10_000 / u128::from(whole.max(1));
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_the_whole() {
        assert_eq!(
            (share(1, 3), share(0, 0), share(u64::MAX, u64::MAX)),
            ("33.33".into(), "0.00".into(), "100.00".into())
        );
    }

    #[test]
    fn a_chart_says_its_numbers() {
        let chart = stacked(
            "Devices",
            &[
                Part { name: "done", value: 3, class: "good" },
                Part { name: "failed", value: 1, class: "bad" },
            ],
        );
        let chart = chart.into_string();
        assert!(
            chart.contains("Devices: done 3, failed 1") && chart.contains(r#"x="75.00" width="25.00""#),
            "{chart}"
        );
        assert!(columns("Contacts", &[0, 4, 2]).into_string().contains("now 2, at most 4"));
        assert!(columns("Contacts", &[]).into_string().contains("now 0"));
    }
}
