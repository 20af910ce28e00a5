//! The last words of the demo: what happened, and where to look next.

use super::{Ending, NOTE, Place, Seen, dm1};

/// Values of DevInfo that say most about a machine.
const SHOWN: [(&str, &str); 5] = [
    ("Man", "manufacturer"),
    ("Mod", "model"),
    ("SwV", "software"),
    ("FwV", "firmware"),
    ("Lang", "language"),
];

pub(super) fn print(
    place: &Place,
    device: &str,
    seen: &Seen,
    by_dm1: &dm1::Seen,
    updated: &str,
    ending: Ending,
) {
    println!("\n════ What happened\n");
    println!(
        "A DM server and two DM clients ran on this machine and held management sessions over TLS, by OMA DM 2.0 and by OMA DM 1.3."
    );
    println!("  appeared     {device}");
    for (name, meaning) in SHOWN {
        if let Some((_, value)) = seen.devinfo.iter().find(|(known, _)| known == name) {
            println!("  {meaning:<12} {value}");
        }
    }
    println!("  written      {NOTE:?}, and read back");
    println!("  called       by notifications to {}, for each command", place.push_address());
    println!("  executed     Operations/PollNow of the agent");
    println!("  refused      {}", seen.failure);
    println!("  asked        the user on a page; the operator sees: {}", seen.answer);
    println!(
        "               (the agent opens pages with user.sh: curl, in the place of a browser and a person)"
    );
    println!(
        "  by DM 1.3    {}, with the same words: its manufacturer is {}",
        dm1::DEVICE,
        by_dm1.manufacturer
    );
    println!("               called by notifications of DM 1.3, one by hand: {}", by_dm1.notified);
    println!("               managed by OBEX, too, over the link {}", by_dm1.link);
    println!("               its user was asked; the operator sees: {}", by_dm1.answer);
    println!("  updated      {updated}");
    println!("\n════ Where to look next\n");
    let path = |name: &str| place.path(name).display().to_string();
    println!("  export PATH={}:$PATH", place.programs.display());
    println!(
        "  export OMADM_SERVER={} OMADM_TOKEN_FILE={}",
        place.operator_url(),
        place.token_file().display()
    );
    if ending == Ending::Stop {
        println!(
            "  omadm serve --config {} --data {} &       # all were stopped, and go on where",
            path("omadm.toml"),
            path("server")
        );
        println!(
            "  omadm-agent --config {} run &             # they were (cargo xtask demo --keep leaves them running)",
            path("agent.toml")
        );
        println!("  omadm-agent --config {} run &", path("dm1-agent.toml"));
    }
    println!("  omadm device tree {device}    # what the server knows of this machine");
    println!("  omadm command ls {device}     # what was asked of it, and what came of it");
    println!("  omadm session ls {device}     # its sessions, down to the messages");
    println!("  omadm run {device} --wait get urn:oma:mo:oma-sessioninfomo:1.0//");
    println!();
    println!("  console       {}/, where the token logs in", place.operator_url());
    println!("  REST API      {}/api/v1, described by {0}/api/v1/openapi.json", place.operator_url());
    println!("  token         {}", place.token_file().display());
    println!("  logs          {}, agent.log and dm1-agent.log beside it", path("server.log"));
    if ending == Ending::Keep {
        println!("\nThe programs are running; Ctrl-C ends them.");
    }
}
