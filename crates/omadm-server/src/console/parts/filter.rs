//! The field in which devices are asked for, with what is wrong under its character.

use maud::{Markup, html};

use crate::console::text;
use crate::operator::problem::Problem;

/// A field for a filter of devices; completion and judgement come while it is typed, and with the page.
pub fn field(value: &str, problem: Option<&Problem>) -> Markup {
    html! {
        div.filter {
            label for="filter" { "Filter" }
            input #filter name="filter" value=(value) list="filter-words" autocomplete="off" autocapitalize="none" spellcheck="false"
                placeholder=r#"model = "X" and fw < 2.1 and label:site = A"# aria-describedby="filter-fault"
                aria-invalid=[problem.map(|_| "true")]
                hx-get="/devices/filter" hx-trigger="input changed delay:250ms" hx-target="#filter-help" hx-swap="outerHTML";
            (help(value, problem, &[]))
        }
    }
}

/// What is said under the field, and what it offers to go on with.
pub fn help(value: &str, problem: Option<&Problem>, offers: &[String]) -> Markup {
    html! {
        div #filter-help {
            datalist #filter-words { @for offer in offers { option value=(offer) {} } }
            div #filter-fault {
                @if let Some(problem) = problem { (fault(value, problem)) }
            }
        }
    }
}

/// The filter with a mark under the character at which it goes wrong.
fn fault(value: &str, problem: &Problem) -> Markup {
    let shown: Vec<char> = value.chars().map(|c| if c.is_control() { '␣' } else { c }).collect();
    let at = problem.at().map(|at| at.min(shown.len()));
    let before = |at: usize| shown.iter().take(at).skip(at.saturating_sub(60)).collect::<String>();
    html! {
        div.fault role="alert" {
            @if let Some(at) = at {
                pre { code {
                    bdi { (before(at)) mark { (shown.get(at).copied().unwrap_or(' ')) } (shown.iter().skip(at + 1).take(60).collect::<String>()) }
                } }
            }
            p { (text::shown_long(problem.detail())) }
        }
    }
}
