//! To which groups somebody is kept.

use maud::{Markup, html};

use crate::console::data::{Group, Listed};
use crate::console::failure::Failure;
use crate::console::form::Form;
use crate::console::parts::Typed;
use crate::console::text;
use crate::console::visit::{Visit, path};

/// Groups that can be ticked; the names of others can be typed.
const TICKED: &str = "100";

/// What can be ticked.
pub struct Offered {
    names: Vec<String>,
    are_all: bool,
}

impl Offered {
    /// The groups there are.
    ///
    /// # Errors
    /// As the API.
    pub async fn read(visit: &Visit) -> Result<Self, Failure> {
        if !visit.may("GET", "/groups") {
            return Ok(Self { names: Vec::new(), are_all: false });
        }
        let found: Listed<Group> = visit.read(&path(&["groups"], &[("limit", TICKED)])).await?;
        let names = found.items.into_iter().map(|group| group.name).collect();
        Ok(Self { names, are_all: found.next.is_none() })
    }

    /// The fields with which somebody is kept to groups.
    pub fn fields(&self, typed: &Typed<'_>, form: &Form) -> Markup {
        let is_some = form.get("reach") == Some("groups");
        let ticked: Vec<&str> = form.all("group").collect();
        let further = typed.field("further", "Further groups", "Names, one a line.");
        let faults = typed.field("groups", "", "").faults;
        html! {
            fieldset #groups aria-describedby=[(!faults.is_empty()).then_some("groups-fault")] {
                legend { "Which devices" }
                label.tick { input type="radio" name="reach" value="all" checked[!is_some]; "All devices" }
                label.tick { input type="radio" name="reach" value="groups" checked[is_some]; "Only those of these groups:" }
                div.ticks {
                    @for name in &self.names {
                        label.tick { input type="checkbox" name="group" value=(name) checked[ticked.contains(&name.as_str())]; (text::shown(name)) }
                    }
                    @if self.names.is_empty() && self.are_all { span.quiet { "There are no groups yet; a filter of devices can be saved as one." } }
                }
                @if !self.are_all { (further.area(3)) }
                @if !faults.is_empty() { div.fault #groups-fault { @for fault in &faults { p { (text::shown_long(fault)) } } } }
            }
        }
    }

    /// A form that holds what somebody has; groups that cannot be ticked are typed.
    pub fn fill(&self, groups: Option<&Vec<String>>) -> Form {
        let Some(groups) = groups else { return Form::default() };
        let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let (ticked, others): (Vec<_>, Vec<_>) = groups.iter().partition(|name| self.names.contains(name));
        let further: Vec<&str> = others.into_iter().map(String::as_str).collect();
        let ticked = ticked.into_iter().map(|name| field("group", name));
        Form(
            [field("reach", "groups"), field("further", &further.join("\n"))]
                .into_iter()
                .chain(ticked)
                .collect(),
        )
    }
}

/// The groups that a form names; none for all devices.
pub fn of(form: &Form) -> Option<Vec<String>> {
    let further =
        form.get("further").unwrap_or_default().lines().map(str::trim).filter(|name| !name.is_empty());
    let named = form.all("group").chain(further).map(str::to_owned).collect();
    (form.get("reach") == Some("groups")).then_some(named)
}

/// Groups in words.
pub fn in_words(groups: Option<&Vec<String>>) -> Markup {
    match groups {
        None => html! { "all devices" },
        Some(groups) => html! {
            @for (place, name) in groups.iter().enumerate() { @if place > 0 { ", " } (text::shown(name)) }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_comes_back_as_it_was_filled() {
        let offered = Offered { names: vec!["a".into(), "b".into()], are_all: false };
        let groups = Some(vec!["b".to_owned(), "later".to_owned()]);
        assert_eq!(of(&offered.fill(groups.as_ref())), groups);
        assert_eq!(of(&offered.fill(None)), None);
        let none = Form(vec![("reach".into(), "groups".into())]);
        assert_eq!(of(&none), Some(Vec::new()), "the API refuses it");
        let all = Form(vec![("reach".into(), "all".into()), ("group".into(), "a".into())]);
        assert_eq!(of(&all), None);
    }
}
