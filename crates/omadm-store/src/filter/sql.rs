//! A filter as SQL over the inventory.
//!
//! Which index leads is decided here and not by the engine: the column that leads stands bare in the statement, and all others
//! stand in expressions, over which there is no index. So a plan is the same with and without statistics, and pages are cut by key.

use omadm_mo::Time;

use super::field::{Compare, Field};
use super::{Filter, Node, Term, Test};

/// Most rows of an index that are read for each page. What has fewer leads; if all has more, devices are gone through in
/// the order of their ids, where so many are found soon.
pub(crate) const FEW: u32 = 5_000;
/// Most indexes that are asked how many rows they have.
const PROBES: usize = 32;
/// So few that no other index needs to be asked.
const VERY_FEW: u32 = 64;
/// Devices with commands that are not final. The bound on `device`, which all have, makes the partial index the one to take.
const QUEUED: &str = "SELECT device FROM command WHERE finished IS NULL AND device > ''";
/// Devices whose bootstrap was revoked.
const REVOKED: &str = "SELECT device FROM device WHERE revoked IS NOT NULL AND device > ''";
/// Devices that were called and did not come.
const UNANSWERED: &str = "SELECT device FROM push WHERE attempts > 0 AND device > ''";
/// `fleet.contact` of a device that was never seen.
pub(crate) const NEVER: i64 = -1;

/// The day of a time, counted from 1970: `fleet.contact` is as exact as that, so that it is written once a day.
pub(crate) fn day(time: Time) -> i64 {
    time.0.div_euclid(86_400_000_000).max(0)
}

/// A parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Text(String),
    Number(i64),
}

/// A statement that is being written.
#[derive(Debug, Default)]
pub(crate) struct Statement {
    pub sql: String,
    pub values: Vec<Value>,
}

impl Statement {
    fn push(&mut self, sql: &str) -> &mut Self {
        self.sql.push_str(sql);
        self
    }

    fn bind(&mut self, value: Value) -> &mut Self {
        self.values.push(value);
        self.sql.push_str(&format!("?{}", self.values.len()));
        self
    }

    fn text(&mut self, text: &str) -> &mut Self {
        self.bind(Value::Text(text.to_owned()))
    }

    fn number(&mut self, number: i64) -> &mut Self {
        self.bind(Value::Number(number))
    }

    /// ` IN (…)`
    fn one_of(&mut self, values: &[String]) -> &mut Self {
        self.push(" IN (");
        for (at, value) in values.iter().enumerate() {
            self.push(if at == 0 { "" } else { ", " }).text(value);
        }
        self.push(")")
    }
}

/// Rows of an index that have among them all devices that are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Lead {
    /// Devices with one of these values in a column of `fleet`.
    Column(&'static str, Vec<String>),
    /// Devices whose version is before or after one.
    Version(&'static str, Compare, String),
    /// Devices with a number before or after one.
    Number(&'static str, Compare, i64),
    /// Devices with a label of this key, and one of these values or any.
    Label(String, Option<Vec<String>>),
    /// Devices that a partial index of another table has.
    Marked(&'static str),
    /// Any of these.
    Any(Vec<Lead>),
}

/// How devices are found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Path {
    /// By a few rows of an index.
    Few(Lead),
    /// By all rows of one value in an index, in the order of ids.
    Along(Lead),
    /// By going through all devices in the order of ids.
    All,
}

/// Chooses the path; `rows` says how many rows a lead has, counting to [`FEW`] + 1 at most.
pub(crate) fn path<E>(
    filter: &Filter,
    now: Time,
    mut rows: impl FnMut(&Statement) -> Result<u32, E>,
) -> Result<Path, E> {
    let mut chooser = Chooser { now, probes: 0, rows: &mut rows };
    if let Some((lead, _)) = chooser.best(&filter.0)? {
        return Ok(Path::Few(lead));
    }
    Ok(along(&filter.0).map_or(Path::All, Path::Along))
}

struct Chooser<'r, E> {
    now: Time,
    probes: usize,
    rows: &'r mut dyn FnMut(&Statement) -> Result<u32, E>,
}

impl<E> Chooser<'_, E> {
    /// The lead of a condition that has the fewest rows, if they are few.
    fn best(&mut self, node: &Node) -> Result<Option<(Lead, u32)>, E> {
        match node {
            Node::Term(term) => self.of_term(term),
            Node::All(nodes) => {
                let mut best: Option<(Lead, u32)> = None;
                for node in nodes {
                    if best.as_ref().is_some_and(|(_, rows)| *rows <= VERY_FEW) {
                        break;
                    }
                    let found = self.best(node)?;
                    best = [best, found].into_iter().flatten().min_by_key(|(_, rows)| *rows);
                }
                Ok(best)
            }
            Node::Any(nodes) => {
                let (mut leads, mut sum) = (Vec::new(), 0);
                for node in nodes {
                    let Some((lead, rows)) = self.best(node)? else { return Ok(None) };
                    sum += rows;
                    if sum > FEW {
                        return Ok(None);
                    }
                    leads.push(lead);
                }
                Ok(Some((Lead::Any(leads), sum)).filter(|_| !nodes.is_empty()))
            }
            Node::Not(_) | Node::Group(..) => Ok(None),
        }
    }

    fn of_term(&mut self, term: &Term) -> Result<Option<(Lead, u32)>, E> {
        let Some(lead) = lead(term, self.now) else { return Ok(None) };
        if self.probes == PROBES {
            return Ok(None);
        }
        self.probes += 1;
        let rows = (self.rows)(&probe(&lead))?;
        Ok((rows <= FEW).then_some((lead, rows)))
    }
}

/// The index that a comparison can be found by.
fn lead(term: &Term, now: Time) -> Option<Lead> {
    let cutoff = |age: i64| now.0.saturating_sub(age);
    Some(match (&term.field, &term.test) {
        (Field::Label(key), Test::Is(values)) => Lead::Label(key.clone(), Some(values.clone())),
        (Field::Label(key), Test::Present) => Lead::Label(key.clone(), None),
        (Field::Seen, Test::Never) => Lead::Number("contact", Compare::Equal, NEVER),
        (Field::Seen, Test::Age(compare, age)) => {
            let whole_day = match compare.turned() {
                Compare::Less | Compare::AtMost => Compare::AtMost,
                Compare::Equal | Compare::AtLeast | Compare::More => Compare::AtLeast,
            };
            Lead::Number("contact", whole_day, day(Time(cutoff(*age))))
        }
        (Field::Enrolled, Test::Age(compare, age)) => {
            Lead::Number("enrolled", compare.turned(), cutoff(*age))
        }
        (Field::Queued, Test::Number(compare, number)) if !compare.takes(0.cmp(number)) => {
            Lead::Marked(QUEUED)
        }
        (Field::State, Test::Is(values)) if *values == ["revoked"] => Lead::Marked(REVOKED),
        (Field::Reach, Test::Is(values)) if *values == ["unanswered"] => Lead::Marked(UNANSWERED),
        (field, Test::Is(values)) => Lead::Column(indexed(field)?, values.clone()),
        (field, Test::Version(compare, key)) => Lead::Version(indexed(field)?, *compare, key.clone()),
        _ => return None,
    })
}

/// The column of `fleet` that has an index for a field.
fn indexed(field: &Field) -> Option<&'static str> {
    Some(match field {
        Field::Id => "device",
        Field::Model => "model",
        Field::Manufacturer => "manufacturer",
        Field::Firmware => "fw_key",
        Field::Software => "sw_key",
        Field::Hardware => "hw_key",
        Field::Protocol => "protocol",
        Field::Bearer => "bearer",
        _ => return None,
    })
}

/// A lead with one value whose rows are in the order of ids, if all of a condition's devices have it.
fn along(node: &Node) -> Option<Lead> {
    match node {
        Node::All(nodes) => nodes.iter().find_map(along),
        Node::Term(term) => match &term.test {
            Test::Is(values) if values.len() == 1 => match &term.field {
                Field::Label(key) => Some(Lead::Label(key.clone(), Some(values.clone()))),
                field => indexed(field).map(|column| Lead::Column(column, values.clone())),
            },
            _ => None,
        },
        Node::Any(_) | Node::Not(_) | Node::Group(..) => None,
    }
}

impl Lead {
    /// The devices of its rows.
    fn write(&self, to: &mut Statement) {
        match self {
            Self::Column(column, values) => {
                to.push("SELECT device FROM fleet WHERE ").push(column).one_of(values);
            }
            Self::Version(column, compare, key) => {
                to.push("SELECT device FROM fleet WHERE ").push(column).push(" > '' AND ");
                to.push(column).push(" ").push(compare.as_str()).push(" ").text(key);
            }
            Self::Number(column, compare, number) => {
                to.push("SELECT device FROM fleet WHERE ").push(column).push(" ");
                to.push(compare.as_str()).push(" ").number(*number);
            }
            Self::Label(key, values) => {
                to.push("SELECT device FROM label WHERE name = ").text(key);
                if let Some(values) = values {
                    to.push(" AND value").one_of(values);
                }
            }
            Self::Marked(devices) => {
                to.push(devices);
            }
            Self::Any(leads) => {
                for (at, lead) in leads.iter().enumerate() {
                    to.push(if at == 0 { "" } else { " UNION ALL " });
                    lead.write(to);
                }
            }
        }
    }
}

/// Counts the rows of a lead.
fn probe(lead: &Lead) -> Statement {
    let mut statement = Statement::default();
    statement.push("SELECT COUNT(*) FROM (");
    lead.write(&mut statement);
    statement.push(" LIMIT ").number(i64::from(FEW) + 1).push(") AS probe");
    statement
}

/// The ids of the devices that a filter means, after one, in their order.
pub(crate) fn page(filter: Option<&Filter>, path: &Path, after: &str, limit: u32, now: Time) -> Statement {
    let mut statement = Statement::default();
    let to = &mut statement;
    match path {
        Path::Along(Lead::Label(key, Some(values))) => {
            to.push(
                "SELECT f.device FROM label l CROSS JOIN fleet f WHERE f.device = l.device AND l.name = ",
            );
            to.text(key).push(" AND l.value").one_of(values).push(" AND l.device > ").text(after);
        }
        Path::Along(Lead::Column(column, values)) => {
            to.push("SELECT f.device FROM fleet f WHERE f.").push(column).one_of(values);
            to.push(" AND f.device > ").text(after);
        }
        Path::Few(lead) | Path::Along(lead) => {
            to.push("SELECT f.device FROM fleet f WHERE f.device IN (");
            lead.write(to);
            to.push(") AND (f.device || '') > ").text(after);
        }
        Path::All => {
            to.push("SELECT f.device FROM fleet f WHERE f.device > ").text(after);
        }
    }
    if let Some(filter) = filter {
        to.push(" AND ");
        filter.0.write(to, now);
    }
    let key = if matches!(path, Path::Along(Lead::Label(..))) { "l.device" } else { "f.device" };
    to.push(" ORDER BY ").push(key).push(" LIMIT ").number(i64::from(limit));
    statement
}

/// Counts the devices that a filter means.
pub(crate) fn count(filter: Option<&Filter>, path: &Path, at_most: u32, now: Time) -> Statement {
    let Statement { sql, values } = page(filter, path, "", at_most, now);
    Statement { sql: format!("SELECT COUNT(*) FROM ({sql}) AS counted"), values }
}

impl Node {
    /// The condition, in parentheses, on a row `f` of `fleet`.
    fn write(&self, to: &mut Statement, now: Time) {
        match self {
            Self::Any(nodes) if nodes.is_empty() => {
                to.push("(1 = 0)");
            }
            Self::All(nodes) => join(nodes, " AND ", to, now),
            Self::Any(nodes) => join(nodes, " OR ", to, now),
            Self::Not(node) => {
                to.push("(NOT ");
                node.write(to, now);
                to.push(")");
            }
            Self::Term(term) => {
                to.push("(");
                term.write(to, now);
                to.push(")");
            }
            Self::Group(..) => {
                to.push("(1 = 0)");
            }
        }
    }
}

/// Joins conditions by halves: engines limit how deep expressions are, and a long chain is as deep as it is long.
fn join(nodes: &[Node], word: &str, to: &mut Statement, now: Time) {
    match nodes {
        [] => {
            to.push("(1 = 1)");
        }
        [node] => node.write(to, now),
        nodes => {
            let (first, second) = nodes.split_at(nodes.len() / 2);
            to.push("(");
            join(first, word, to, now);
            to.push(word);
            join(second, word, to, now);
            to.push(")");
        }
    }
}

/// The device's own row, for what the inventory has no column for.
const DEVICE: &str = "EXISTS (SELECT 1 FROM device d WHERE d.device = f.device AND d.";

impl Term {
    fn write(&self, to: &mut Statement, now: Time) {
        match &self.field {
            Field::Id => self.test.write_text("f.device", to),
            Field::Note => self.test.write_text("f.note", to),
            Field::Model => self.test.write_text("f.model", to),
            Field::Manufacturer => self.test.write_text("f.manufacturer", to),
            Field::Protocol => self.test.write_text("f.protocol", to),
            Field::Firmware => self.test.write_version("f.fw", "f.fw_key", to),
            Field::Software => self.test.write_version("f.sw", "f.sw_key", to),
            Field::Hardware => self.test.write_version("f.hw", "f.hw_key", to),
            Field::Name => self.within(
                "EXISTS (SELECT 1 FROM device d WHERE d.device = f.device AND ",
                "d.label",
                to,
            ),
            Field::Label(key) => {
                to.push("EXISTS (SELECT 1 FROM label l WHERE l.device = f.device AND l.name = ").text(key);
                if self.test != Test::Present {
                    to.push(" AND ");
                    self.test.write_text("l.value", to);
                }
                to.push(")");
            }
            Field::State => self.test.write_text(
                "CASE WHEN EXISTS (SELECT 1 FROM device d WHERE d.device = f.device AND d.revoked IS NOT NULL)
                 THEN 'revoked' ELSE 'active' END",
                to,
            ),
            Field::Reach => self.test.write_text(
                "COALESCE((SELECT CASE WHEN p.addresses = '[]' AND p.registration IS NULL THEN 'none'
                   WHEN p.attempts > 0 THEN 'unanswered' ELSE 'known' END FROM push p
                 WHERE p.device = f.device), 'none')",
                to,
            ),
            Field::Bearer => self.test.write_text("f.bearer", to),
            Field::Way => self.test.write_way(to),
            Field::Seen => self.test.write_seen(to, now),
            Field::Enrolled => {
                if let Test::Age(compare, age) = self.test {
                    to.push("f.enrolled + 0 ").push(compare.turned().as_str()).push(" ");
                    to.number(now.0.saturating_sub(age));
                }
            }
            Field::Queued => {
                if let Test::Number(compare, number) = self.test {
                    to.push(DEVICE).push("open_commands ").push(compare.as_str()).push(" ").number(number).push(")");
                }
            }
        }
    }

    /// A test on a column of another table.
    fn within(&self, begin: &str, column: &str, to: &mut Statement) {
        to.push(begin);
        self.test.write_text(column, to);
        to.push(")");
    }
}

impl Test {
    /// On a column or an expression of text, of which no index is to be used.
    fn write_text(&self, column: &str, to: &mut Statement) {
        match self {
            Self::Is(values) => {
                to.push("(").push(column).push(" || '')").one_of(values);
            }
            Self::Like(pattern) => {
                to.push("LOWER(").push(column).push(") LIKE ").text(&like(pattern)).push(" ESCAPE '\\'");
            }
            Self::Present => {
                to.push("1 = 1");
            }
            Self::Version(..) | Self::Age(..) | Self::Never | Self::Number(..) => {
                to.push("1 = 0");
            }
        }
    }

    fn write_version(&self, column: &str, key: &str, to: &mut Statement) {
        match self {
            Self::Is(_) => self.write_text(key, to),
            Self::Version(compare, version) => {
                to.push("(").push(key).push(" || '') > '' AND (").push(key).push(" || '') ");
                to.push(compare.as_str()).push(" ").text(version);
            }
            _ => self.write_text(column, to),
        }
    }

    fn write_way(&self, to: &mut Statement) {
        let Self::Is(ways) = self else {
            to.push("1 = 0");
            return;
        };
        to.push("EXISTS (SELECT 1 FROM push p WHERE p.device = f.device AND (");
        for (at, way) in ways.iter().enumerate() {
            // Addresses are kept as a JSON array.
            to.push(if at == 0 { "" } else { " OR " });
            to.push("p.addresses LIKE ").text(&format!("%\"{way}:%"));
            if way == CLOUD {
                to.push(" OR p.registration IS NOT NULL");
            }
        }
        to.push("))");
    }

    fn write_seen(&self, to: &mut Statement, now: Time) {
        match self {
            Self::Never => {
                to.push("f.contact + 0 = ").number(NEVER);
            }
            Self::Age(compare, age) => {
                let (compare, cutoff) = (compare.turned(), Time(now.0.saturating_sub(*age)));
                let days = if compare.takes(std::cmp::Ordering::Less) { "<" } else { ">" };
                to.push("f.contact + 0 ").push(days).push(" ").number(day(cutoff));
                // Only on the day of the cutoff does the hour decide.
                to.push(" OR (f.contact + 0 = ").number(day(cutoff)).push(" AND ");
                to.push(DEVICE)
                    .push("last_contact ")
                    .push(compare.as_str())
                    .push(" ")
                    .number(cutoff.0)
                    .push("))");
            }
            _ => {
                to.push("1 = 0");
            }
        }
    }
}

/// The way to devices that registered with a cloud service.
pub(crate) const CLOUD: &str = "cloud";

/// A pattern as `LIKE` takes it.
fn like(pattern: &str) -> String {
    let mut like = String::with_capacity(pattern.len() + 8);
    for character in pattern.chars() {
        match character {
            '*' => like.push('%'),
            '?' => like.push('_'),
            '%' | '_' | '\\' => {
                like.push('\\');
                like.push(character);
            }
            other => like.push(other.to_ascii_lowercase()),
        }
    }
    like
}
