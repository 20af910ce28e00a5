//! What servers said they accept: the `OMADM-Accept` header (`DM 2.0 §5.5`), remembered until the session ends.

use std::collections::BTreeMap;

use omadm_codec::AcceptList;
use omadm_codec::media_type::DMMO_JSON;

use super::HttpReply;
use super::policy::authority;

/// Most Data Repositories whose header is remembered; a session that uses more falls back to the list of the DM Server.
const MAX_REPOSITORIES: usize = 64;

/// Lists by who sent them.
#[derive(Debug, Default)]
pub(super) struct Accepts {
    server: Option<AcceptList>,
    repositories: BTreeMap<String, AcceptList>,
}

/// The form in which data goes to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// The value of the one leaf as it is.
    Direct,
    /// `application/dmmo+json`.
    MoData,
}

impl Accepts {
    /// Learns from a reply that carried a Package#2; a header that does not parse is ignored.
    pub(super) fn learn_from_server(&mut self, reply: &HttpReply) {
        if let Some(list) = list_of(reply) {
            self.server = Some(list);
        }
    }

    /// Learns from a reply of a Data Repository.
    pub(super) fn learn_from_repository(&mut self, uri: &str, reply: &HttpReply) {
        let authority = authority(uri);
        if self.repositories.len() >= MAX_REPOSITORIES && !self.repositories.contains_key(&authority) {
            return;
        }
        if let Some(list) = list_of(reply) {
            self.repositories.insert(authority, list);
        }
    }

    /// The form for data of a GET: MO data, unless the server names the type of the one leaf.
    pub(super) fn form_for_server(&self, direct: Option<&str>) -> Form {
        match (&self.server, direct) {
            (Some(list), Some(direct)) if prefers(list, direct) => Form::Direct,
            _ => Form::MoData,
        }
    }

    /// The form for an upload; `None` when the list names nothing that we can send.
    pub(super) fn form_for_upload(&self, uri: &str, direct: Option<&str>) -> Option<Form> {
        form(self.repositories.get(&authority(uri)).or(self.server.as_ref()), direct)
    }
}

/// The form for a receiver with this list: MO data, unless it names the type of the one leaf; `None` when the list names nothing that
/// we can send.
pub(super) fn form(list: Option<&AcceptList>, direct: Option<&str>) -> Option<Form> {
    match (list, direct) {
        (None, _) => Some(Form::MoData),
        (Some(list), Some(direct)) if prefers(list, direct) => Some(Form::Direct),
        (Some(list), _) => (list.quality(DMMO_JSON) > 0).then_some(Form::MoData),
    }
}

fn list_of(reply: &HttpReply) -> Option<AcceptList> {
    reply.omadm_accept.as_deref().and_then(|text| AcceptList::parse(text).ok())
}

/// Whether the list names this type itself (`*/*` names nothing) and likes it no less than MO data.
fn prefers(list: &AcceptList, essence: &str) -> bool {
    let named = list.ranges.iter().any(|(range, _)| range.eq_ignore_ascii_case(essence));
    let quality = list.quality(essence);
    named && quality > 0 && quality >= list.quality(DMMO_JSON)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(accept: &str) -> HttpReply {
        HttpReply { status: 200, omadm_accept: Some(accept.into()), ..HttpReply::default() }
    }

    #[test]
    fn without_a_header_everything_is_mo_data() {
        let accepts = Accepts::default();
        assert_eq!(accepts.form_for_server(Some("text/plain")), Form::MoData);
        assert_eq!(accepts.form_for_upload("https://a/", Some("text/plain")), Some(Form::MoData));
    }

    #[test]
    fn a_named_type_is_sent_directly_and_a_wild_one_is_not() {
        let mut accepts = Accepts::default();
        accepts.learn_from_server(&reply("application/dmmo+json, text/plain"));
        assert_eq!(accepts.form_for_server(Some("text/plain")), Form::Direct);
        assert_eq!(accepts.form_for_server(Some("image/png")), Form::MoData);
        assert_eq!(accepts.form_for_server(None), Form::MoData);
        accepts.learn_from_server(&reply("*/*"));
        assert_eq!(accepts.form_for_server(Some("text/plain")), Form::MoData);
    }

    #[test]
    fn a_list_of_unknown_types_leaves_no_form() {
        let mut accepts = Accepts::default();
        accepts.learn_from_server(&reply("application/x-foo"));
        assert_eq!(accepts.form_for_upload("https://a/", Some("text/plain")), None);
        accepts.learn_from_server(&reply(";;"));
        assert_eq!(accepts.form_for_upload("https://a/", None), None, "a broken header changes nothing");
    }

    #[test]
    fn so_many_repositories_are_remembered() {
        let mut accepts = Accepts::default();
        accepts.learn_from_server(&reply("application/x-foo"));
        for number in 0..=MAX_REPOSITORIES {
            accepts.learn_from_repository(&format!("https://r{number}/x"), &reply("application/dmmo+json"));
        }
        let form = |number: usize| accepts.form_for_upload(&format!("https://r{number}/y"), None);
        assert_eq!(form(MAX_REPOSITORIES - 1), Some(Form::MoData));
        assert_eq!(form(MAX_REPOSITORIES), None, "the server's list counts for the one beyond");
    }

    #[test]
    fn a_repository_speaks_for_itself() {
        let mut accepts = Accepts::default();
        accepts.learn_from_server(&reply("application/x-foo"));
        accepts.learn_from_repository("https://Data.example/x", &reply("application/dmmo+json"));
        assert_eq!(accepts.form_for_upload("https://data.example/y", None), Some(Form::MoData));
        assert_eq!(accepts.form_for_upload("https://other.example/y", None), None);
    }
}
