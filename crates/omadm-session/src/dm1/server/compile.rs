//! From a task to the command that says it.

use std::borrow::Cow;

use omadm_codec::dm1::{
    Alert, Command, Container, ContainerKind, Data, Item, Meta, Operation, OperationKind, Version,
};
use omadm_mo::{Format, Value};

use super::state::{Progress, Stage};
use super::task::{Content, Existence, Question, RawItem, Task};
use crate::dm1::question::Options;
use crate::dm1::status::code;

/// Nodes that are asked for in one command of a walk.
pub(super) const WALK: usize = 16;

/// What the way to say something depends on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Speech {
    pub(super) version: Version,
    pub(super) wbxml: bool,
    pub(super) windows: bool,
}

/// Numbers commands of one message from 1.
#[derive(Clone, Debug, Default)]
pub(super) struct Ids(u32);

impl Ids {
    pub(super) fn next(&mut self) -> u32 {
        self.0 = self.0.saturating_add(1);
        self.0
    }
    pub(super) fn next_text<'t>(&mut self) -> Cow<'t, str> {
        Cow::Owned(self.next().to_string())
    }
}

/// The command that says a task at its stage, numbered from `ids`.
///
/// # Errors
/// Status and sentence, when it cannot be said to this device.
pub(super) fn command<'t>(
    task: &'t Task,
    progress: &Progress,
    speech: Speech,
    ids: &mut Ids,
) -> Result<Command<'t>, (u16, String)> {
    let kind = kind(task, progress.stage);
    Ok(match task {
        Task::Get { uris } => get(uris.iter().map(|uri| Cow::Borrowed(uri.as_str())), ids),
        Task::List { uri, .. } => match listing(progress.stage) {
            Some(list) => get(std::iter::once(Cow::Owned(format!("{uri}?list={list}"))), ids),
            None if progress.ahead.is_empty() => get(std::iter::once(Cow::Borrowed(uri.as_str())), ids),
            None => get(progress.ahead.iter().take(WALK).map(|uri| Cow::Owned(uri.clone())), ids),
        },
        Task::Set { uri, content, .. } => operation(kind, vec![target(uri, Some(content), speech)], ids),
        Task::Delete { uri } => operation(kind, vec![target(uri, None, speech)], ids),
        Task::Exec { uri, content, correlator } => {
            let mut exec = numbered(kind, vec![target(uri, content.as_ref(), speech)], ids);
            let knows = speech.version > Version::Dm11 && !speech.windows;
            exec.correlator = correlator.as_deref().filter(|_| knows).map(Cow::Borrowed);
            Command::Operation(exec)
        }
        Task::Copy { source, target } => {
            let item = Item {
                source: Some(source.as_str().into()),
                target: Some(target.as_str().into()),
                ..Item::default()
            };
            operation(kind, vec![item], ids)
        }
        Task::Ask(question) => Command::Alert(alert(question, ids)),
        Task::Atomic(tasks) => container(ContainerKind::Atomic, tasks, speech, ids)?,
        Task::Sequence(tasks) => container(ContainerKind::Sequence, tasks, speech, ids)?,
        Task::Raw { items, .. } => operation(kind, items.iter().map(|item| raw(item, speech)).collect(), ids),
    })
}

/// Which command says a task at a stage.
pub(super) fn kind(task: &Task, stage: Stage) -> OperationKind {
    match task {
        Task::Set { existence, .. } => match (existence, stage == Stage::Other) {
            (Existence::Absent, false) | (Existence::Present | Existence::Unknown, true) => {
                OperationKind::Add
            }
            (Existence::Absent, true) | (Existence::Present | Existence::Unknown, false) => {
                OperationKind::Replace
            }
        },
        Task::Delete { .. } => OperationKind::Delete,
        Task::Exec { .. } => OperationKind::Exec,
        Task::Copy { .. } => OperationKind::Copy,
        Task::Raw { kind, .. } => *kind,
        Task::Get { .. } | Task::List { .. } | Task::Ask(_) | Task::Atomic(_) | Task::Sequence(_) => {
            OperationKind::Get
        }
    }
}

/// The name of the element that says a task.
pub(super) fn name(task: &Task, stage: Stage) -> &'static str {
    match task {
        Task::Ask(_) => "Alert",
        Task::Atomic(_) => ContainerKind::Atomic.as_str(),
        Task::Sequence(_) => ContainerKind::Sequence.as_str(),
        _ => kind(task, stage).as_str(),
    }
}

/// What a task is about, for a sentence.
pub(super) fn about(task: &Task) -> String {
    match task {
        Task::Get { uris } => uris.join(", "),
        Task::List { uri, .. } | Task::Set { uri, .. } | Task::Delete { uri } | Task::Exec { uri, .. } => {
            uri.clone()
        }
        Task::Copy { source, target } => format!("{source} to {target}"),
        Task::Ask(_) => "to the user".into(),
        Task::Atomic(tasks) | Task::Sequence(tasks) => format!("of {} commands", tasks.len()),
        Task::Raw { items, .. } => {
            let uris = items.iter().filter_map(|item| item.target.as_deref().or(item.source.as_deref()));
            uris.collect::<Vec<_>>().join(", ")
        }
    }
}

/// The value of `list` at a stage.
fn listing(stage: Stage) -> Option<&'static str> {
    match stage {
        Stage::Tnds => Some("TNDS"),
        Stage::StructData => Some("StructData"),
        Stage::Struct => Some("Struct"),
        Stage::MoRoot => Some("MORoot"),
        Stage::MoRootData => Some("MORootData"),
        Stage::First | Stage::Other | Stage::Walk => None,
    }
}

pub(super) fn get<'t>(uris: impl Iterator<Item = Cow<'t, str>>, ids: &mut Ids) -> Command<'t> {
    let items = uris.map(|uri| Item { target: Some(uri), ..Item::default() }).collect();
    operation(OperationKind::Get, items, ids)
}

fn operation<'t>(kind: OperationKind, items: Vec<Item<'t>>, ids: &mut Ids) -> Command<'t> {
    Command::Operation(numbered(kind, items, ids))
}

fn numbered<'t>(kind: OperationKind, items: Vec<Item<'t>>, ids: &mut Ids) -> Operation<'t> {
    let id = ids.next_text();
    Operation { kind, id, no_response: false, meta: Meta::default(), correlator: None, items }
}

fn container<'t>(
    kind: ContainerKind,
    tasks: &'t [Task],
    speech: Speech,
    ids: &mut Ids,
) -> Result<Command<'t>, (u16, String)> {
    if tasks.is_empty() {
        return Err((code::INCOMPLETE, format!("an {} without any command", kind.as_str())));
    }
    let id = ids.next_text();
    let first = Progress::first(None);
    let said = tasks.iter().map(|task| {
        if !may_be_in(kind, task, speech) {
            let reason =
                format!("{} {} cannot be in {}", name(task, first.stage), about(task), kind.as_str());
            return Err((code::COMMAND_FAILED, reason));
        }
        command(task, &first, speech, ids)
    });
    let commands = said.collect::<Result<_, _>>()?;
    Ok(Command::Container(Container { kind, id, no_response: false, meta: Meta::default(), commands }))
}

/// `DM 1.3 REPPRO §7.6.3, §7.6.15`.
fn may_be_in(kind: ContainerKind, task: &Task, speech: Speech) -> bool {
    match task {
        Task::Set { .. } | Task::Delete { .. } | Task::Copy { .. } | Task::Ask(_) => true,
        Task::Exec { .. } => kind == ContainerKind::Sequence || speech.windows,
        Task::Get { .. } => kind == ContainerKind::Sequence,
        Task::Raw { kind: raw, .. } => match raw {
            OperationKind::Get => kind == ContainerKind::Sequence,
            OperationKind::Exec => kind == ContainerKind::Sequence || speech.windows,
            OperationKind::Add | OperationKind::Replace | OperationKind::Delete | OperationKind::Copy => true,
        },
        Task::List { .. } | Task::Atomic(_) | Task::Sequence(_) => false,
    }
}

fn target<'t>(uri: &'t str, content: Option<&'t Content>, speech: Speech) -> Item<'t> {
    filled(Item { target: Some(uri.into()), ..Item::default() }, content, speech)
}

fn raw(item: &RawItem, speech: Speech) -> Item<'_> {
    let place = Item {
        target: item.target.as_deref().map(Cow::Borrowed),
        source: item.source.as_deref().map(Cow::Borrowed),
        ..Item::default()
    };
    filled(place, item.content.as_ref(), speech)
}

fn filled<'t>(mut item: Item<'t>, content: Option<&'t Content>, speech: Speech) -> Item<'t> {
    if let Some(content) = content {
        let (format, data) = carried(content, speech);
        item.meta.format = Some(format.into());
        item.meta.media_type = content.media_type.as_deref().map(Cow::Borrowed);
        item.data = data;
    }
    item
}

/// How content is carried: binary values as base64 in XML and as they are in WBXML (`DM 1.3 TND`); formats that 1.1 lacks as text.
pub(super) fn carried(content: &Content, speech: Speech) -> (&'static str, Option<Data<'_>>) {
    let old = speech.version == Version::Dm11;
    match (content.format, &content.value) {
        (Format::Node, _) => ("node", None),
        (Format::Null, _) => ("null", None),
        // An encoder of XML makes base64 of octets.
        (Format::Bin, Value::Bytes(octets)) => {
            let format = if speech.wbxml { Format::Bin } else { Format::B64 };
            (format.as_str(), Some(Data::Opaque(Cow::Borrowed(octets))))
        }
        (Format::Bin, value) => (Format::B64.as_str(), Some(text(value))),
        (Format::Date | Format::Time | Format::Float, value) if old => ("chr", Some(text(value))),
        (format, value) => (format.as_str(), Some(text(value))),
    }
}

fn text(value: &Value) -> Data<'_> {
    match value {
        Value::Text(text) => Data::Text(Cow::Borrowed(text)),
        other => Data::Text(Cow::Owned(other.to_text())),
    }
}

/// A question as an alert: options, text, choices.
fn alert<'t>(question: &'t Question, ids: &mut Ids) -> Alert<'t> {
    let Question { kind, text, min_display, max_display } = question;
    let options = Options::of(kind, *min_display, *max_display).write();
    let texts = std::iter::once(text).chain(kind.choices()).map(|text| Cow::Borrowed(text.as_str()));
    let item = |text| Item { data: Some(Data::Text(text)), ..Item::default() };
    Alert {
        id: ids.next_text(),
        no_response: false,
        code: kind.alert().number().to_string().into(),
        correlator: None,
        items: std::iter::once(Cow::Owned(options)).chain(texts).map(item).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dm1::QuestionKind;

    const XML: Speech = Speech { version: Version::Dm12, wbxml: false, windows: false };

    fn say(task: &Task, speech: Speech) -> Result<Command<'_>, (u16, String)> {
        command(task, &Progress::first(None), speech, &mut Ids::default())
    }

    fn set(uri: &str, format: Format, value: Value) -> Task {
        let content = Content { format, media_type: None, value };
        Task::Set { uri: uri.into(), content, existence: Existence::Unknown }
    }

    fn only_item(command: Command<'_>) -> Item<'_> {
        let Command::Operation(operation) = command else { panic!("{command:?}") };
        let [item] = operation.items.try_into().unwrap();
        item
    }

    #[test]
    fn binary_values_are_base64_in_xml_and_octets_in_wbxml() {
        let task = set("./A", Format::Bin, Value::Bytes(vec![0, 1, 2]));
        let item = only_item(say(&task, XML).unwrap());
        assert_eq!(item.meta.format.as_deref(), Some("b64"));
        assert_eq!(item.data, Some(Data::Opaque(vec![0, 1, 2].into())));
        let item = only_item(say(&task, Speech { wbxml: true, ..XML }).unwrap());
        assert_eq!(item.meta.format.as_deref(), Some("bin"));
        assert_eq!(item.data, Some(Data::Opaque(vec![0, 1, 2].into())));
        let text = set("./A", Format::B64, Value::Bytes(vec![0, 1, 2]));
        let item = only_item(say(&text, Speech { wbxml: true, ..XML }).unwrap());
        assert_eq!((item.meta.format.as_deref(), item.data), (Some("b64"), Some(Data::Text("AAEC".into()))));
    }

    #[test]
    fn interior_nodes_have_no_data_and_older_devices_no_newer_formats() {
        let node = set("./A", Format::Node, Value::Null);
        let item = only_item(say(&node, XML).unwrap());
        assert_eq!((item.meta.format.as_deref(), item.data), (Some("node"), None));
        let date = set("./A", Format::Date, Value::Text("20260102".into()));
        let format = |version| {
            only_item(say(&date, Speech { version, ..XML }).unwrap()).meta.format.unwrap().into_owned()
        };
        assert_eq!((format(Version::Dm11), format(Version::Dm12)), ("chr".into(), "date".into()));
    }

    #[test]
    fn a_set_is_said_the_other_way_at_its_other_stage() {
        for (existence, first, other) in [
            (Existence::Present, OperationKind::Replace, OperationKind::Add),
            (Existence::Unknown, OperationKind::Replace, OperationKind::Add),
            (Existence::Absent, OperationKind::Add, OperationKind::Replace),
        ] {
            let content = Content { format: Format::Chr, media_type: None, value: Value::Text("x".into()) };
            let task = Task::Set { uri: "./A".into(), content, existence };
            assert_eq!((kind(&task, Stage::First), kind(&task, Stage::Other)), (first, other));
        }
    }

    #[test]
    fn correlators_go_to_those_who_know_them() {
        let exec = Task::Exec { uri: "./Run".into(), content: None, correlator: Some("c1".into()) };
        for (speech, expected) in [
            (XML, Some("c1")),
            (Speech { version: Version::Dm11, ..XML }, None),
            (Speech { windows: true, ..XML }, None),
        ] {
            let Ok(Command::Operation(operation)) = say(&exec, speech) else { panic!() };
            assert_eq!(operation.correlator.as_deref(), expected);
        }
    }

    #[test]
    fn containers_hold_what_they_may_with_numbers_of_one_message() {
        let delete = Task::Delete { uri: "./A".into() };
        let get = Task::Get { uris: vec!["./A".into()] };
        let exec = Task::Exec { uri: "./A".into(), content: None, correlator: None };
        let atomic = Task::Atomic(vec![delete.clone(), set("./B", Format::Chr, Value::Text("x".into()))]);
        let Ok(Command::Container(container)) = say(&atomic, XML) else { panic!() };
        let ids: Vec<_> = container
            .commands
            .iter()
            .map(|command| match command {
                Command::Operation(operation) => operation.id.as_ref(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!((container.id.as_ref(), ids), ("1", vec!["2", "3"]));
        assert!(say(&Task::Atomic(vec![get.clone()]), XML).is_err());
        assert!(say(&Task::Atomic(vec![exec.clone()]), XML).is_err());
        assert!(say(&Task::Atomic(vec![exec.clone()]), Speech { windows: true, ..XML }).is_ok());
        assert!(say(&Task::Sequence(vec![get, exec, delete]), XML).is_ok());
        assert!(say(&Task::Sequence(vec![]), XML).is_err());
        assert!(say(&Task::Sequence(vec![Task::Atomic(vec![])]), XML).is_err());
    }

    #[test]
    fn questions_are_alerts_with_options_text_and_choices() {
        let choices = vec!["one".to_owned(), "two".to_owned()];
        let single = QuestionKind::Single { choices, default: Some(1) };
        for (kind, number, expected, items) in
            [(QuestionKind::Display, "1100", "MINDT=5", 2), (single, "1103", "MINDT=5&DR=1", 4)]
        {
            let min_display = Some(core::time::Duration::from_secs(5));
            let question = Question { kind, text: "Now?".into(), min_display, max_display: None };
            let alert = alert(&question, &mut Ids::default());
            assert_eq!((alert.code.as_ref(), alert.items.len()), (number, items));
            assert_eq!(alert.items[0].data, Some(Data::Text(expected.into())));
            assert_eq!(alert.items[1].data, Some(Data::Text("Now?".into())));
        }
        let bare = Question {
            kind: QuestionKind::Display,
            text: String::new(),
            min_display: None,
            max_display: None,
        };
        let alert = alert(&bare, &mut Ids::default());
        let options = &alert.items[0].data;
        assert_eq!(options, &Some(Data::Text("".into())), "the options stand there even when empty");
    }
}
