//! DDF files as models: what a reader of the file gets out of it (`DM 2.0 §6.4`).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use omadm_codec::ddf::Decoded;
use omadm_mo::ddf::{CaseSense, DdfName, DdfNode, DfType, Occurrence, Scope};
use omadm_store::DdfFile;
use serde::Serialize;
use utoipa::ToSchema;

use super::problem::{Path, Problem};
use crate::clock::rfc3339;
use crate::context::Context;
use crate::ddfs;

/// What a DDF file says.
#[derive(Debug, Serialize, ToSchema)]
pub struct Model {
    /// Name of the file.
    name: String,
    /// `VerDTD`
    ver_dtd: String,
    /// `Man`
    man: Option<String>,
    /// `Mod`
    #[serde(rename = "mod")]
    model: Option<String>,
    /// Its nodes.
    nodes: Vec<Node>,
    /// What was odd about it, with lines.
    warnings: Vec<String>,
    /// When an operator stored it, or a link was followed to it; null if it came with the server.
    stored: Option<String>,
}

/// A node of a DDF file.
#[derive(Debug, Serialize, ToSchema)]
struct Node {
    /// `NodeName`; null for an un-named node.
    name: Option<String>,
    /// What stands for the name of an un-named node, such as `x`; may be empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    unnamed: Option<String>,
    /// `Path`
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    /// `AccessType`: `Add`, `Copy`, `Delete`, `Exec`, `Get`, `Replace`.
    access: Vec<&'static str>,
    /// `DFFormat`
    format: &'static str,
    /// `Occurrence`, such as `One` or `ZeroOrN 4`.
    occurrence: String,
    /// `Scope`: `Permanent` or `Dynamic`.
    scope: &'static str,
    /// `DFTitle`
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    /// `Description`
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    /// `DefaultValue`
    #[serde(skip_serializing_if = "Option::is_none")]
    default_value: Option<String>,
    /// `Value`
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    /// `MIME` of `DFType`
    #[serde(skip_serializing_if = "Option::is_none")]
    mime_types: Option<Vec<String>>,
    /// `DDFName` of `DFType`: the MOID of a management object, or empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    ddf_name: Option<String>,
    /// `CaseSense`: `CS` or `CIS`; left out where it is that of the node above.
    #[serde(skip_serializing_if = "Option::is_none")]
    case_sense: Option<&'static str>,
    /// What is below.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(no_recursion)]
    children: Vec<Node>,
}

impl Model {
    fn new(file: DdfFile, decoded: Decoded) -> Self {
        let Decoded { ddf, warnings } = decoded;
        Self {
            stored: (!ddfs::is_built_in(&file)).then(|| rfc3339(file.stored)),
            name: file.name,
            ver_dtd: ddf.ver_dtd,
            man: ddf.man,
            model: ddf.model,
            nodes: ddf.nodes.into_iter().map(Node::from).collect(),
            warnings,
        }
    }
}

impl From<DdfNode> for Node {
    /// As deep as the file is, which its reader bounds.
    fn from(node: DdfNode) -> Self {
        let (name, unnamed) = match node.name {
            DdfName::Named(name) => (Some(name.as_str().to_owned()), None),
            DdfName::Unnamed(logical) => (None, Some(logical)),
        };
        let (mime_types, ddf_name) = match node.df_type {
            Some(DfType::Mime(types)) => (Some(types), None),
            Some(DfType::DdfName(name)) => (None, Some(name)),
            None => (None, None),
        };
        Self {
            name,
            unnamed,
            path: node.path,
            access: node.access.names(),
            format: node.format.as_str(),
            occurrence: occurrence(node.occurrence),
            scope: scope(node.scope),
            title: node.title,
            description: node.description,
            default_value: node.default_value,
            value: node.value,
            mime_types,
            ddf_name,
            case_sense: node.case_sense.map(|case| match case {
                CaseSense::Sensitive => "CS",
                CaseSense::Insensitive => "CIS",
            }),
            children: node.children.into_iter().map(Self::from).collect(),
        }
    }
}

/// An occurrence by the name of the standard, with its number.
fn occurrence(occurrence: Occurrence) -> String {
    match occurrence {
        Occurrence::One => "One".into(),
        Occurrence::ZeroOrOne => "ZeroOrOne".into(),
        Occurrence::ZeroOrMore => "ZeroOrMore".into(),
        Occurrence::OneOrMore => "OneOrMore".into(),
        Occurrence::ZeroOrN(limit) => format!("ZeroOrN {limit}"),
        Occurrence::OneOrN(limit) => format!("OneOrN {limit}"),
    }
}

/// A scope by the name of the standard.
fn scope(scope: Scope) -> &'static str {
    match scope {
        Scope::Permanent => "Permanent",
        Scope::Dynamic => "Dynamic",
    }
}

/// Shows what a DDF file says.
#[utoipa::path(get, path = "/ddfs/{name}/model", params(("name" = String, Path)), tag = "ddfs",
    responses((status = 200, body = Model), (status = 404, body = Problem)))]
pub async fn show(
    State(context): State<Arc<Context>>,
    Path(name): Path<String>,
) -> Result<Json<Model>, Problem> {
    let file = super::ddfs::known(&context, &name).await?;
    let unreadable = |problem| Problem::bad(format!("{name} cannot be read, put it again: {problem}"));
    let decoded = ddfs::decode(file.text.as_bytes()).map_err(unreadable)?;
    Ok(Json(Model::new(file, decoded)))
}
