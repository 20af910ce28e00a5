//! What the wizard has been told so far. All of it is in the address of the page, and nothing of it is a secret.

use serde::Deserialize;

use crate::console::form::Form;
use crate::console::visit::path;

/// For which protocol a bootstrap is, and in which form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// MO data for DM 2.0.
    Dm2,
    /// A provisioning document for DM 1.x.
    Cp,
    /// A message for DM 1.x.
    Dm,
}

impl Kind {
    /// As the API writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dm2 => "dm2",
            Self::Cp => "cp",
            Self::Dm => "dm",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Dm2, Self::Cp, Self::Dm].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// How a bootstrap comes to its device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// As a file.
    File,
    /// As a picture.
    Picture,
    /// It is sent.
    Send,
    /// The device fetches it.
    Fetch,
}

impl Way {
    /// As the address of the page has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Picture => "qr",
            Self::Send => "send",
            Self::Fetch => "fetch",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::File, Self::Picture, Self::Send, Self::Fetch].into_iter().find(|way| way.as_str() == text)
    }
}

/// The steps of the wizard, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// What devices?
    What,
    /// How does it come to them?
    How,
    /// How is it secured?
    Secured,
    /// Which devices?
    Which,
}

/// What was answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// The form of the bootstrap.
    pub kind: Option<Kind>,
    /// Whether there are several devices.
    pub many: Option<bool>,
    /// How it goes.
    pub way: Option<Way>,
    /// How it is secured, as the API names it; empty if not at all.
    pub sec: Option<String>,
    /// The device, if it is known before.
    pub id: String,
}

impl Answers {
    /// Those in a query or a form.
    pub fn of(form: &Form) -> Self {
        Self {
            kind: form.get("kind").and_then(Kind::parse),
            many: form.get("many").and_then(|many| many.parse().ok()),
            way: form.get("way").and_then(Way::parse),
            sec: form.get("sec").map(|sec| if sec == "none" { String::new() } else { sec.to_owned() }),
            id: form.filled("id").unwrap_or_default().to_owned(),
        }
    }

    /// The first step that has not been gone.
    pub fn step(&self) -> Step {
        match self {
            Self { kind: None, .. } | Self { many: None, .. } => Step::What,
            Self { way: None, .. } => Step::How,
            // One device has one picture, and is sent one bootstrap.
            Self { many: Some(true), way: Some(Way::Picture | Way::Send), .. } => Step::How,
            Self { kind: Some(Kind::Cp | Kind::Dm), sec: None, way, .. } if *way != Some(Way::Fetch) => {
                Step::Secured
            }
            _ => Step::Which,
        }
    }

    /// The answers before a step, for its form and for the way back to it.
    pub fn before(&self, step: Step) -> Vec<(&'static str, &str)> {
        let mut pairs = vec![("id", self.id.as_str())];
        if step > Step::What {
            pairs.extend(self.kind.map(|kind| ("kind", kind.as_str())));
            pairs.extend(self.many.map(|many| ("many", if many { "true" } else { "false" })));
        }
        if step > Step::How {
            pairs.extend(self.way.map(|way| ("way", way.as_str())));
        }
        if step > Step::Secured {
            pairs.extend(self.sec.as_deref().map(|sec| ("sec", if sec.is_empty() { "none" } else { sec })));
        }
        pairs.retain(|(_, value)| !value.is_empty());
        pairs
    }

    /// The address of a step.
    pub fn href(&self, step: Step) -> String {
        path(&["bootstraps", "new"], &self.before(step))
    }

    /// Whether it is secured with a PIN.
    pub fn needs_pin(&self) -> bool {
        self.sec.as_deref().is_some_and(|sec| sec.contains("USER"))
    }

    /// Whether it is secured with what the network knows.
    pub fn needs_network(&self) -> bool {
        self.sec.as_deref().is_some_and(|sec| sec.contains("NET"))
    }

    /// Whether the keys of GBA Push can, or have to, protect it.
    pub fn takes_gba(&self) -> bool {
        self.sec.as_deref().is_some_and(|sec| sec.contains("GBA"))
            || (self.kind, self.way) == (Some(Kind::Dm2), Some(Way::Send))
    }
}

/// What the bootstraps of this server can say.
#[derive(Debug, Deserialize)]
pub struct Offer {
    /// Name of the server.
    pub name: String,
    /// Management objects that the server may use.
    pub moids: Vec<String>,
    /// Where devices fetch bootstraps.
    pub fetched_at: String,
    /// Whether those of DM 2.0 can.
    pub dm2_fetched: bool,
    /// Whether those of DM 1.3 can.
    pub dm1_fetched: bool,
    /// Of DM 1.x.
    pub dm1: Option<Dm1Offer>,
}

/// What those of DM 1.x can say.
#[derive(Debug, Deserialize)]
pub struct Dm1Offer {
    /// Versions that the server speaks.
    pub versions: Vec<String>,
    /// How both sides can prove themselves.
    pub schemes: Vec<String>,
    /// As whom devices can know the server.
    pub server_ids: Vec<String>,
    /// How a provisioning document can be secured.
    pub cp: Vec<String>,
    /// How a message can be.
    pub dm: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(fields: &[(&str, &str)]) -> Answers {
        Answers::of(&Form(
            fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        ))
    }

    #[test]
    fn a_step_follows_the_other() {
        let mut fields = vec![("id", "IMEI:1")];
        let mut steps = vec![answers(&fields).step()];
        for answer in [("kind", "cp"), ("many", "false"), ("way", "send"), ("sec", "USERPIN")] {
            fields.push(answer);
            steps.push(answers(&fields).step());
        }
        assert_eq!(steps, [Step::What, Step::What, Step::How, Step::Secured, Step::Which]);
        let all = answers(&fields);
        assert_eq!(all.href(Step::How), "/bootstraps/new?id=IMEI%3A1&kind=cp&many=false");
        assert_eq!(answers(&[("kind", "x"), ("many", "1")]), Answers::default(), "what is no answer is none");
    }

    #[test]
    fn what_does_not_go_together_is_asked_again() {
        let of = |kind, many, way| answers(&[("kind", kind), ("many", many), ("way", way)]).step();
        assert_eq!(of("dm2", "true", "send"), Step::How);
        assert_eq!(of("dm2", "false", "send"), Step::Which, "DM 2.0 has its own protection");
        assert_eq!(of("dm", "false", "fetch"), Step::Which, "nor is what is fetched secured");
    }

    #[test]
    fn secrets_are_asked_for_that_secure_it() {
        let of = |sec| answers(&[("kind", "cp"), ("sec", sec)]);
        assert!(of("USERPINMAC").needs_pin() && !of("USERPINMAC").needs_network());
        assert!(of("USERNETWPIN").needs_pin() && of("USERNETWPIN").needs_network());
        assert!(!of("none").needs_pin() && of("none").sec == Some(String::new()));
        assert!(of("3GPP_GBA").takes_gba() && !of("NETWPIN").takes_gba());
    }
}
