//! Ends of executions that a device reports later, by a Generic Alert (`DM 1.3 PROTO §6.7`).

use omadm_codec::dm1::AlertCode;
use omadm_mo::Value;

use super::task::Task;
use super::{CommandResult, Data, Pending, ReceivedAlert, Verdict};
use crate::dm1::explain::sentence;
use crate::dm1::status::is_success;
use crate::result_code;

/// Adds to `results` the ends that `alerts` report: by their correlator, or of the oldest execution of the node that they name. A device
/// that `began` a session with the end of an execution whose acceptance was lost has carried it out: it is not sent again.
pub(super) fn settle(
    alerts: &[ReceivedAlert],
    queue: &[Pending],
    began: bool,
    results: &mut Vec<CommandResult>,
) {
    let accepted_now: Vec<i64> = results.iter().filter(|result| is_accepted(result)).map(|r| r.seq).collect();
    let mut running: Vec<Running<'_>> = queue
        .iter()
        .filter(|pending| pending.accepted || accepted_now.contains(&pending.seq) || (began && pending.sent))
        .filter_map(Running::of)
        .collect();
    running.sort_by_key(|running| running.seq);
    for alert in alerts.iter().filter(|alert| alert.code == AlertCode::GenericAlert) {
        let by_correlator = |running: &Running<'_>| {
            alert.correlator.is_some() && running.correlator == alert.correlator.as_deref()
        };
        let by_node = |running: &Running<'_>| {
            alert.correlator.is_none()
                && alert
                    .items
                    .iter()
                    .any(|item| item.source.as_deref().is_some_and(|source| is_of(source, running.uri)))
        };
        let found = running.iter().position(by_correlator).or_else(|| running.iter().position(by_node));
        let Some(index) = found else { continue };
        let ended = running.remove(index);
        results.retain(|result| result.seq != ended.seq || is_accepted(result));
        results.push(ended.end(alert));
    }
}

fn is_accepted(result: &CommandResult) -> bool {
    result.verdict == Verdict::Accepted
}

/// Whether an alert about a node may be about the execution of another: it is that one, or its management object.
fn is_of(source: &str, executed: &str) -> bool {
    let plain = |uri: &str| uri.strip_prefix("./").unwrap_or(uri).trim_end_matches('/').to_owned();
    let (source, executed) = (plain(source), plain(executed));
    executed == source || executed.strip_prefix(&source).is_some_and(|rest| rest.starts_with('/'))
}

/// An execution under way.
struct Running<'r> {
    seq: i64,
    uri: &'r str,
    correlator: Option<&'r str>,
}

impl<'r> Running<'r> {
    fn of(pending: &'r Pending) -> Option<Self> {
        match &pending.task {
            Ok(Task::Exec { uri, correlator, .. }) => {
                Some(Self { seq: pending.seq, uri, correlator: correlator.as_deref() })
            }
            Ok(_) | Err(_) => None,
        }
    }

    fn end(&self, alert: &ReceivedAlert) -> CommandResult {
        let code = alert.items.iter().find_map(|item| code_of(item.data.as_ref()?)).unwrap_or(200);
        let (verdict, sentence) = if is_success(code) {
            (Verdict::Done(code), None)
        } else {
            let mut types = alert.items.iter().filter_map(|item| item.alert_type.as_deref());
            let told = types.find_map(|alert_type| result_code::sentence(alert_type, "Exec", self.uri, code));
            (Verdict::Failed(code), told.or_else(|| Some(sentence("Exec", self.uri, code))))
        };
        let data = Some(Data::Reported(alert.clone()));
        CommandResult { seq: self.seq, verdict, data, detail: None, sentence }
    }
}

/// The result in the data of an alert: the number alone, `ResultCode=` among others, or an element of XML. Management objects write it in
/// each of these ways.
fn code_of(data: &Value) -> Option<u16> {
    let text = data.to_text();
    if let Some(code) = result_code::in_xml(&text) {
        return Some(code);
    }
    let named = text.split(['&', ';', '\n']).find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("ResultCode").then_some(value)
    });
    let code = named.unwrap_or(&text).trim().parse().ok()?;
    (200..2000).contains(&code).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::super::AlertItem;
    use super::*;
    use omadm_codec::dm1::Mark;

    fn pending(seq: i64, uri: &str, correlator: Option<&str>, accepted: bool) -> Pending {
        let task = Task::Exec { uri: uri.into(), content: None, correlator: correlator.map(str::to_owned) };
        Pending { seq, task: Ok(task), attempts: 1, sent: true, accepted }
    }

    fn alert(source: &str, correlator: Option<&str>, data: &str) -> ReceivedAlert {
        let item = AlertItem {
            source: Some(source.into()),
            target: None,
            alert_type: Some("urn:oma:at:x:1.0:done".into()),
            format: Some("chr".into()),
            mark: Mark::Informational,
            data: Some(Value::Text(data.into())),
        };
        let correlator = correlator.map(str::to_owned);
        ReceivedAlert { code: AlertCode::GenericAlert, correlator, items: vec![item] }
    }

    fn verdicts(alerts: &[ReceivedAlert], queue: &[Pending], began: bool) -> Vec<(i64, Verdict)> {
        let mut results = Vec::new();
        settle(alerts, queue, began, &mut results);
        results.into_iter().map(|result| (result.seq, result.verdict)).collect()
    }

    #[test]
    fn results_are_read_in_every_way_they_are_written() {
        for (text, expected) in [
            ("200", Some(200)),
            (" 1200 ", Some(1200)),
            ("ResultCode=410", Some(410)),
            ("a=1&resultcode=250", Some(250)),
            ("", None),
            ("done", None),
            ("7", None),
            ("2000", None),
        ] {
            assert_eq!(code_of(&Value::Text(text.into())), expected, "{text}");
        }
    }

    #[test]
    fn a_correlator_tells_executions_of_one_node_apart() {
        let queue = [pending(1, "./F/Run", Some("a"), true), pending(2, "./F/Run", Some("b"), true)];
        let told = verdicts(&[alert("./F", Some("b"), "200"), alert("./F", Some("c"), "200")], &queue, false);
        assert_eq!(told, [(2, Verdict::Done(200))]);
    }

    #[test]
    fn without_one_it_is_the_oldest_execution_of_the_node() {
        let queue = [
            pending(3, "./F/P1/Run", None, true),
            pending(1, "./F/P1/Run", None, true),
            pending(2, "./G/Run", None, true),
            pending(4, "./H/Run", None, false),
        ];
        let ends =
            [alert("./F/P1", None, "500"), alert("F/P1/Run", None, "200"), alert("./H/Run", None, "200")];
        assert_eq!(verdicts(&ends, &queue, false), [(1, Verdict::Failed(500)), (3, Verdict::Done(200))]);
        assert_eq!(verdicts(&[alert("./F/P", None, "200")], &queue, false), []);
        assert_eq!(verdicts(&ends[2..], &queue, true), [(4, Verdict::Done(200))], "its acceptance was lost");
    }
}
