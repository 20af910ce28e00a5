//! Ends of executions that a device reports later, by an alert (`DM 2.0 §5.4.1`).
//!
//! No identifier relates the two: an alert ends the oldest execution under way of the node that its SourceURI names.

use omadm_codec::dm2::{Alert, Command, StatusCode};
use omadm_mo::{ClientUri, MoInst, Segment};
use serde_json::Value;

use super::results::target;
use super::{CommandResult, Data, Pending, Verdict};
use crate::dm2::explain::sentence;
use crate::result_code;

/// Adds to `results` the ends that `alerts` report. A device that `began` a session with the end of an execution whose acceptance
/// was lost has carried it out: it is not sent again.
pub(super) fn settle(alerts: &[Alert], queue: &[Pending], began: bool, results: &mut Vec<CommandResult>) {
    let accepted_now: Vec<i64> = results.iter().filter(|result| is_accepted(result)).map(|r| r.seq).collect();
    let mut running: Vec<(&Pending, &ClientUri)> = queue
        .iter()
        .filter(|pending| pending.accepted || accepted_now.contains(&pending.seq) || (began && pending.sent))
        .filter_map(|pending| Some((pending, executed(pending)?)))
        .collect();
    running.sort_by_key(|(pending, _)| pending.seq);
    for alert in alerts {
        let Some(code) = status(alert) else { continue };
        let Some(source) = alert.source.as_deref().and_then(|source| ClientUri::parse(source).ok()) else {
            continue;
        };
        let exact = running.iter().position(|(_, node)| **node == source);
        let Some(index) = exact.or_else(|| running.iter().position(|(_, node)| may_be_one(node, &source)))
        else {
            continue;
        };
        let (pending, _) = running.remove(index);
        results.retain(|result| result.seq != pending.seq || is_accepted(result));
        results.push(end(pending, code, alert));
    }
}

fn is_accepted(result: &CommandResult) -> bool {
    result.verdict == Verdict::Accepted
}

/// The node that a command executes.
pub(super) fn executed(pending: &Pending) -> Option<&ClientUri> {
    match &pending.command {
        Ok(Command::Exec { client, .. }) => Some(client),
        Ok(_) | Err(_) => None,
    }
}

/// Whether two addresses may be of one node; what is not said, such as the only instance, may be anything.
fn may_be_one(one: &ClientUri, other: &ClientUri) -> bool {
    let instances = match (&one.inst, &other.inst) {
        (MoInst::Miid(one), MoInst::Miid(other)) => one == other,
        _ => true,
    };
    let names = |(one, other): (&Segment, &Segment)| match (one, other) {
        (Segment::Name(one), Segment::Name(other)) => one == other,
        _ => true,
    };
    one.moid == other.moid
        && instances
        && one.path.len() == other.path.len()
        && one.path.iter().zip(&other.path).all(names)
}

/// The final status in an alert: the data itself, its member `sc`, its only number, or a ResultCode in the XML that DM 1.x would have.
/// Specifications of management objects write it in each of these ways.
fn status(alert: &Alert) -> Option<StatusCode> {
    let data = &alert.data.as_ref()?.data;
    let number = match data {
        Value::Object(members) => match members.get("sc") {
            Some(code) => number(code),
            None => {
                let mut numbers = members.values().filter(|value| value.is_number());
                let only = numbers.next().filter(|_| numbers.next().is_none()).and_then(number);
                only.or_else(|| result_code::in_xml(members.get("DM1x")?.as_str()?))
            }
        },
        value => number(value),
    };
    let code = number.filter(|code| (200..2000).contains(code)).map(StatusCode)?;
    (code != StatusCode::ACCEPTED).then_some(code)
}

fn number(value: &Value) -> Option<u16> {
    match value {
        Value::Number(number) => u16::try_from(number.as_u64()?).ok(),
        Value::String(text) => text.parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn end(pending: &Pending, code: StatusCode, alert: &Alert) -> CommandResult {
    let (verdict, sentence) = if code.is_success() {
        (Verdict::Done(code.0), None)
    } else {
        let about = pending.command.as_ref().map(target).unwrap_or_default();
        let told = result_code::sentence(&alert.alert_type, "EXEC", &about, code.0);
        (Verdict::Failed(code.0), told.or_else(|| Some(sentence("EXEC", &about, code.0))))
    };
    let data = Some(Data::Reported(alert.clone()));
    CommandResult { seq: pending.seq, verdict, uris: Vec::new(), data, sentence }
}

#[cfg(test)]
mod tests {
    use omadm_codec::dm2::alert::AlertData;
    use serde_json::json;

    use super::*;

    fn uri(text: &str) -> ClientUri {
        ClientUri::parse(text).unwrap()
    }

    fn pending(seq: i64, node: &str, accepted: bool) -> Pending {
        let command = Ok(Command::Exec { client: uri(node), server: None });
        Pending { seq, command, attempts: 1, sent: true, accepted }
    }

    fn alert(source: &str, data: Value) -> Alert {
        let data = Some(AlertData { data_type: None, data });
        Alert { source: Some(source.into()), data, ..Alert::new("urn:x:done") }
    }

    fn verdicts(alerts: &[Alert], queue: &[Pending], began: bool) -> Vec<(i64, Verdict)> {
        let mut results = Vec::new();
        settle(alerts, queue, began, &mut results);
        results.into_iter().map(|result| (result.seq, result.verdict)).collect()
    }

    #[test]
    fn statuses_are_read_in_every_way_they_are_written() {
        let status = |data| status(&alert("urn:x:mo:1.0//Run", data)).map(|code| code.0);
        assert_eq!(status(json!({ "sc": 200, "other": 7 })), Some(200));
        assert_eq!(
            status(json!({ "DM1x": "<ResultCode>1405</ResultCode><Identifier>1</Identifier>" })),
            Some(1405)
        );
        assert_eq!(status(json!({ "ResultCode": 1401, "Identifier": "c" })), Some(1401));
        assert_eq!(status(json!(200)), Some(200));
        assert_eq!(status(json!("1200")), Some(1200));
        for other in [json!({ "sc": 202 }), json!({ "a": 200, "b": 1 }), json!({}), json!(7), json!(2000)] {
            assert_eq!(status(other.clone()), None, "{other}");
        }
    }

    #[test]
    fn an_alert_ends_the_oldest_execution_of_its_node() {
        let queue = [
            pending(3, "urn:x:mo:1.0//Run", true),
            pending(1, "urn:x:mo:1.0//Run", true),
            pending(2, "urn:x:mo:1.0/b/Walk", true),
            pending(4, "urn:x:mo:1.0//Late", false),
        ];
        let run = alert("urn:x:mo:1.0/a/Run", json!({ "sc": 200 }));
        let failed = alert("urn:x:mo:1.0/b/Walk", json!({ "sc": 500 }));
        let told = verdicts(&[run.clone(), failed, run.clone(), run], &queue, false);
        assert_eq!(told, [(1, Verdict::Done(200)), (2, Verdict::Failed(500)), (3, Verdict::Done(200))]);
        let others = [
            alert("urn:x:mo:1.0/a/Walk", json!(200)),
            alert("urn:x:mo:1.0//Late", json!(200)),
            alert("urn:x:mo:2.0//Run", json!(200)),
            alert("no address", json!(200)),
            Alert::new("urn:x:done"),
        ];
        assert_eq!(verdicts(&others, &queue, false), []);
    }

    #[test]
    fn an_end_whose_acceptance_was_lost_is_no_reason_to_execute_again() {
        let queue = [pending(1, "urn:x:mo:1.0//Run", false)];
        let alerts = [alert("urn:x:mo:1.0//Run", json!({ "sc": 200 }))];
        let unanswered = super::super::results::unanswered(&super::super::Config::default(), &queue);
        let mut results = unanswered;
        settle(&alerts, &queue, true, &mut results);
        let verdicts: Vec<_> = results.iter().map(|result| &result.verdict).collect();
        assert_eq!(verdicts, [&Verdict::Done(200)]);
    }
}
