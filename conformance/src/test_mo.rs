//! Management objects for the device under test: every format, occurrence and access type, with a plug-in whose behaviour
//! the test sets.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use omadm_client::plugin::Changed;
use omadm_client::{
    Alert, AlertData, Execution, Finished, ManagementObject, PluginError, Refusal, StatusCode,
};
use omadm_mo::{Change, ClientUri, Content, Miid, Moid, NodeName, Value};
use serde_json::{Value as Json, json};

/// MOID of the object with instances `alpha` and `beta`.
pub const MOID: &str = "urn:oma:mo:ext-conformance:1.0";
/// MOID of the object with a named root and one instance, `only`.
pub const SINGLE_MOID: &str = "urn:oma:mo:ext-conformance-single:1.0";

/// MOID of the object whose instances servers make; there is none at the start.
pub const PLAIN_MOID: &str = "urn:oma:mo:ext-conformance-plain:1.0";

/// MOID of the example of `DM 2.0 §6.1.3` with instances `left` and `right`.
pub const EXAMPLE_MOID: &str = "urn:oma:mo:moid:1.0";

/// AlertType of the end of an execution of the test objects.
pub const EXECUTION_ALERT: &str = "urn:oma:at:ext-conformance:1.0:OperationComplete";

/// Address of a path in instance `alpha`; empty is its root.
#[must_use]
pub fn address(path: &str) -> String {
    format!("{MOID}/alpha/{path}")
}

/// Address of a path in the only instance of [`SINGLE_MOID`].
#[must_use]
pub fn single(path: &str) -> String {
    format!("{SINGLE_MOID}//{path}")
}

/// What the instance `name` holds at the start.
pub(crate) fn initial(name: &str) -> Json {
    json!({
        "Id": name, "Text": format!("text of {name}"), "Count": 42, "Ratio": 2.5, "Flag": true,
        "Blob": "AAEC/w==", "Base": "b21hZG0=", "Doc": "<a>b</a>", "Day": "2015-01-22", "Clock": "10:20:30", "Nil": null,
        "Empty": "", "Maybe": "here", "ReadOnly": "fixed", "Secret": "hush", "Hidden": "unseen", "Run": null, "Walk": null,
        "List": {
            "one": { "ID": "GPS", "Value": "12.2", "Data": {
                "1": { "Date": "12.1", "Value": "near" }, "2": { "Date": "12.2", "Value": "far" } } },
            "two": { "ID": "Temperature", "Value": "21" },
        },
        "Pair": { "a": "first" }, "Some": { "x": "some" }, "Few": { "f": "few" },
        "Fixed": { "Version": "1.0", "Setting": "as shipped" },
    })
}

/// The two instances of figure 5.
fn examples() -> [(&'static str, Json); 2] {
    let instance = |id: &str, setting: &str| {
        json!({ "ID": id, "Setting": setting, "Data": {
            "1": { "Date": "12.1", "Value": format!("{id} 1") }, "2": { "Date": "12.2", "Value": format!("{id} 2") } } })
    };
    [("left", instance("GPS", "0xA1")), ("right", instance("Temperature", "0xB2"))]
}

/// JSON as content of the tree.
pub(crate) fn content(json: &Json) -> Content {
    match json {
        Json::Object(members) => Content::Interior(
            members
                .iter()
                .map(|(name, value)| (NodeName::parse(name).expect("a legal node name"), content(value)))
                .collect(),
        ),
        Json::Null => Content::Leaf(Value::Null),
        Json::Bool(value) => Content::Leaf(Value::Bool(*value)),
        Json::Number(number) => Content::Leaf(match number.as_i64() {
            Some(whole) => Value::Int(whole),
            None => Value::Float(number.as_f64().expect("a number")),
        }),
        Json::String(text) => Content::Leaf(Value::Text(text.clone())),
        Json::Array(_) => panic!("no node is a JSON array"),
    }
}

/// The test's hand on the plug-in.
#[derive(Clone, Default)]
pub struct Plug(Arc<Mutex<PlugState>>);

#[derive(Default)]
struct PlugState {
    executed: Vec<String>,
    executing: BTreeMap<String, u16>,
    checking: Option<u16>,
    reading: bool,
    applied: usize,
    alerts: Vec<Alert>,
    /// Alerts that are out, to be asked for.
    raised: Vec<Alert>,
    running: BTreeSet<String>,
    ended: Vec<Finished>,
    /// What ends when another node is executed: which node, and the end.
    chained: BTreeMap<String, Finished>,
    survives: bool,
}

impl PlugState {
    /// The plug-in is called.
    fn called(&mut self) {
        let raised = std::mem::take(&mut self.alerts);
        self.raised.extend(raised);
    }
}

impl Plug {
    fn state(&self) -> MutexGuard<'_, PlugState> {
        self.0.lock().expect("no test panics with the lock")
    }

    /// The executable node at `path` ends with this status from now on; 200 is success.
    pub fn execution_ends(&self, path: &str, status: u16) {
        self.state().executing.insert(address(path), status);
    }

    /// The executable node at `path` goes on after the command from now on, until [`Plug::end`].
    pub fn execution_goes_on(&self, path: &str) {
        self.state().running.insert(address(path));
    }

    /// An execution that goes on ends with this status.
    pub fn end(&self, path: &str, status: u16) {
        self.end_with(path, status, None);
    }

    /// An execution that goes on ends with this status and these data of its own.
    pub fn end_with(&self, path: &str, status: u16, data: Option<AlertData>) {
        let address = ClientUri::parse(&address(path)).expect("an address");
        self.state().ended.push(Finished { address, status: StatusCode(status), data });
    }

    /// When `path` is executed next, the execution of `other` that goes on ends with this status.
    pub fn execution_ends_another(&self, path: &str, other: &str, status: u16) {
        let end = Finished {
            address: ClientUri::parse(&address(other)).expect("an address"),
            status: StatusCode(status),
            data: None,
        };
        self.state().chained.insert(address(path), end);
    }

    /// Whether executions outlive a restart of the device.
    pub fn executions_survive(&self, survive: bool) {
        self.state().survives = survive;
    }

    /// Every change is refused with this status from now on.
    pub fn changes_end(&self, status: u16) {
        self.state().checking = Some(status);
    }

    /// Changes are agreed to again.
    pub fn changes_pass(&self) {
        self.state().checking = None;
    }

    /// Whether every read fails because the value cannot be had from the machine.
    pub fn reads_fail(&self, fail: bool) {
        self.state().reading = fail;
    }

    /// The plug-in raises an alert when it is called next.
    pub fn raise(&self, alert: Alert) {
        self.state().alerts.push(alert);
    }

    /// Addresses that were executed, in order.
    #[must_use]
    pub fn executed(&self) -> Vec<String> {
        self.state().executed.clone()
    }

    /// How many changes of servers were carried out.
    #[must_use]
    pub fn applied(&self) -> usize {
        self.state().applied
    }
}

/// The plug-in of these MOs.
pub(crate) struct TestMo {
    pub(crate) plug: Plug,
    pub(crate) link: String,
}

/// DDF file of these MOs.
pub(crate) const DDF: &str = include_str!("../ddf/conformance-v1_0.ddf");

impl ManagementObject for TestMo {
    fn ddf(&self) -> &str {
        DDF
    }

    fn link(&self) -> &str {
        &self.link
    }

    fn start(&mut self, tree: &mut Change<'_>) -> Result<(), PluginError> {
        let single = Moid::parse(SINGLE_MOID)?;
        if tree.tree().instances_of(&single).next().is_some() {
            return Ok(());
        }
        let data = json!({ "Name": "single", "Count": 1, "Note": "a note" });
        tree.create_instance(&single, &Miid::parse("only")?, content(&data))?;
        for name in ["alpha", "beta"] {
            tree.create_instance(&Moid::parse(MOID)?, &Miid::parse(name)?, content(&initial(name)))?;
        }
        for (name, data) in examples() {
            tree.create_instance(&Moid::parse(EXAMPLE_MOID)?, &Miid::parse(name)?, content(&data))?;
        }
        Ok(())
    }

    fn refresh(&mut self, instance: &Miid, _tree: &mut Change<'_>) -> Result<(), PluginError> {
        self.plug.state().called();
        if self.plug.state().reading {
            return Err(PluginError::Other(format!("the test lets reads of {instance} fail")));
        }
        Ok(())
    }

    fn check(&mut self, _changed: &Changed<'_>) -> Result<(), Refusal> {
        self.plug.state().called();
        match self.plug.state().checking {
            Some(status) => Err(Refusal::new(StatusCode(status), "the test says so")),
            None => Ok(()),
        }
    }

    fn applied(&mut self, _changed: &Changed<'_>) {
        self.plug.state().applied += 1;
    }

    fn execute(&mut self, address: &ClientUri) -> Result<Execution, Refusal> {
        let address = address.to_string();
        let mut state = self.plug.state();
        state.called();
        let status = state.executing.get(&address).copied().unwrap_or(200);
        let running = state.running.contains(&address);
        let chained = state.chained.remove(&address);
        state.ended.extend(chained);
        state.executed.push(address);
        match status {
            200 if running => Ok(Execution::Running),
            200 => Ok(Execution::Done),
            status => Err(Refusal::new(StatusCode(status), "the test says so")),
        }
    }

    fn resume(&mut self, address: &ClientUri) -> Result<Execution, Refusal> {
        if self.plug.state().survives {
            return Ok(Execution::Running);
        }
        Err(Refusal::new(StatusCode::INTERNAL_ERROR, format!("{address} did not survive, the test says")))
    }

    fn finished(&mut self) -> Vec<Finished> {
        std::mem::take(&mut self.plug.state().ended)
    }

    fn report_type(&self, _address: &ClientUri) -> String {
        EXECUTION_ALERT.to_owned()
    }

    fn alerts(&mut self) -> Vec<Alert> {
        std::mem::take(&mut self.plug.state().raised)
    }
}

/// A management object that holds fixed values in one instance.
pub(crate) struct FixedMo {
    pub(crate) ddf: &'static str,
    pub(crate) link: String,
    pub(crate) moid: &'static str,
    pub(crate) miid: &'static str,
    pub(crate) values: Json,
}

impl ManagementObject for FixedMo {
    fn ddf(&self) -> &str {
        self.ddf
    }

    fn link(&self) -> &str {
        &self.link
    }

    fn start(&mut self, tree: &mut Change<'_>) -> Result<(), PluginError> {
        let moid = Moid::parse(self.moid)?;
        if tree.tree().instances_of(&moid).next().is_none() {
            tree.create_instance(&moid, &Miid::parse(self.miid)?, content(&self.values))?;
        }
        Ok(())
    }
}
