//! The columns of the table of devices.

use maud::{Markup, html};
use omadm_mo::Time;

use crate::console::data::Device;
use crate::console::visit::path;
use crate::console::{parts, text};

/// A column.
pub struct Column {
    /// In the address of the page.
    key: &'static str,
    /// In the head of the table.
    pub name: &'static str,
    /// Whether it is shown unless asked otherwise.
    usual: bool,
    /// What it shows of a device.
    pub cell: fn(Time, &Device) -> Markup,
}

const fn column(
    key: &'static str,
    name: &'static str,
    usual: bool,
    cell: fn(Time, &Device) -> Markup,
) -> Column {
    Column { key, name, usual, cell }
}

/// All of them; the first is always shown.
const COLUMNS: &[Column] = &[
    column("device", "Device", true, |_, device| named(device)),
    column("model", "Model", true, |_, device| model(device)),
    column("firmware", "Firmware", true, |_, device| parts::known(device.firmware.as_deref())),
    column("software", "Software", false, |_, device| parts::known(device.software.as_deref())),
    column("hardware", "Hardware", false, |_, device| parts::known(device.hardware.as_deref())),
    column("protocol", "Protocol", true, |_, device| protocol(device)),
    column("state", "State", true, |_, device| parts::state(&device.state)),
    column("reach", "Reach", true, |_, device| html! { (parts::reach(&device.reach)) }),
    column("bearer", "Bearer", false, |_, device| parts::known(device.bearer.as_deref())),
    column("ways", "Ways to it", false, |_, device| parts::known(Some(&device.ways.join(", ")))),
    column("seen", "Last contact", true, |now, device| {
        parts::age_or(now, device.last_contact.as_deref(), "never")
    }),
    column(
        "waiting",
        "Waiting",
        true,
        |_, device| html! { span.number { (text::number(device.open_commands)) } },
    ),
    column("labels", "Labels", false, |_, device| labels(device)),
    column("note", "Note", false, |_, device| parts::known(Some(&device.note))),
    column("enrolled", "Enrolled", false, |now, device| parts::age(now, &device.enrolled)),
];

/// The columns that are wanted, separated by commas; the usual ones if none is.
pub fn chosen(wanted: &str) -> Vec<&'static Column> {
    let wanted: Vec<&str> = wanted.split(',').filter(|key| !key.is_empty()).collect();
    let is_wanted = |column: &&Column| match wanted.is_empty() {
        true => column.usual,
        false => column.key == "device" || wanted.contains(&column.key),
    };
    COLUMNS.iter().filter(is_wanted).collect()
}

/// The choice of columns.
pub fn choice(filter: &str, shown: &[&Column]) -> Markup {
    html! {
        details {
            summary { "Columns" }
            form.row method="get" action="/devices" {
                input type="hidden" name="filter" value=(filter);
                @for column in COLUMNS.iter().skip(1) {
                    label.tick {
                        input type="checkbox" name="columns" value=(column.key) checked[shown.iter().any(|one| one.key == column.key)];
                        (column.name)
                    }
                }
                button.small type="submit" { "Show these" }
            }
        }
    }
}

/// A device by what people call it, over what it calls itself.
pub fn named(device: &Device) -> Markup {
    let href = path(&["devices", &device.id], &[]);
    html! {
        @if device.label.is_empty() {
            a href=(href) { (text::shown(&device.id)) }
        } @else {
            a href=(href) { (text::shown(&device.label)) }
            div.quiet.mono { (text::shown(&device.id)) }
        }
    }
}

fn model(device: &Device) -> Markup {
    html! {
        (parts::known(device.model.as_deref()))
        @if let Some(manufacturer) = &device.manufacturer { div.quiet { (text::shown(manufacturer)) } }
    }
}

fn protocol(device: &Device) -> Markup {
    match &device.protocol {
        Some(protocol) => parts::word(protocol),
        None => parts::known(None),
    }
}

fn labels(device: &Device) -> Markup {
    html! { @for (key, value) in &device.labels { (parts::word(&format!("{key}={value}"))) " " } }
}
