//! What `docs/reloading.md` shows is what the program obeys.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use crate::blocks::Block;
use crate::blocks::blocks;
use crate::config;
use crate::support::envoy::poll;
use crate::support::process::READY;
use crate::support::sidecar::PROGRAM;
use crate::support::sidecar::Sidecar;

const GUIDE: &str = include_str!("../../docs/reloading.md");

/// A directory behind a link, and what is to replace two of its files.
fn arrange(policies: &Path) {
    let folder = policies.parent().expect("it is in a folder");
    for name in ["releases", "next"] {
        fs::create_dir(folder.join(name)).expect("a folder");
    }
    fs::rename(policies, folder.join("releases/1")).expect("it is there");
    symlink("releases/1", policies).expect("a link");
    fs::write(folder.join("revoked.yaml"), "jti: [a]\n").expect("a file");
}

/// Puts the shipped files into `next`, each with one more policy, each time another.
fn prepare(sidecar: &Sidecar, number: usize) {
    for (name, shipped) in [
        (
            "10-roles.cedar",
            include_str!("../../policies/10-roles.cedar"),
        ),
        (
            "90-forbid.cedar",
            include_str!("../../policies/90-forbid.cedar"),
        ),
    ] {
        let rule = "forbid(principal in Mcp::Role::\"viewer\", action, resource);";
        let text = format!("{shipped}\n@id(\"{name}-{number}\")\n{rule}\n");
        fs::write(sidecar.folder().join("next").join(name), text).expect("a file");
    }
}

fn run(sidecar: &Sidecar, block: &Block) {
    let mut shell = Command::new("sh");
    let script = format!("set -e\n{}", block.text);
    shell.args(["-c", &script]).current_dir(sidecar.folder());
    let ran = shell.output().expect("there is a shell");
    assert!(ran.status.success(), "line {}: {ran:?}", block.line);
}

#[test]
fn what_the_guide_shows_is_obeyed() {
    let config = config().replace("reload_interval: 24h", "reload_interval: 200ms");
    let mut sidecar = Sidecar::launch_in(&config, arrange).until_ready();
    let pid = sidecar.process().id().to_string();
    fs::write(sidecar.folder().join("cedargate.pid"), pid).expect("a file");
    let all = blocks(GUIDE);
    let commands: Vec<&Block> = all.iter().filter(|block| block.language == "sh").collect();
    assert_eq!(commands.len(), 4);
    for (number, block) in commands.into_iter().enumerate() {
        // Where there are hashes already, they are those of another state.
        drop(fs::remove_file(sidecar.policies().join("SHA256SUMS")));
        prepare(&sidecar, number);
        let digest = |sidecar: &Sidecar| sidecar.status()["policies"]["digest"].clone();
        let before = digest(&sidecar);
        run(&sidecar, block);
        let is_in_force = || {
            let id = format!("10-roles.cedar-{number}");
            digest(&sidecar) != before && sidecar.ask_admin("/v1/policies").text().contains(&id)
        };
        assert!(
            poll(READY, is_in_force),
            "line {}: {}",
            block.line,
            sidecar.printed()
        );
        let faults = sidecar.status()["policies"]["faults"].clone();
        assert_eq!(
            faults.as_array().map(Vec::len),
            Some(0),
            "line {}",
            block.line
        );
    }
    assert!(fs::symlink_metadata(sidecar.policies()).is_ok_and(|link| link.is_symlink()));
}

#[test]
fn the_configuration_of_the_guide_is_one() {
    let all = blocks(GUIDE);
    let of_ours = |block: &&Block| block.text.starts_with("policies:");
    let shown = all.iter().find(of_ours).expect("a block of configuration");
    let line = config()
        .lines()
        .find(|line| line.starts_with("policies:"))
        .map(str::to_owned);
    let config = config().replace(&line.expect("a line"), shown.text.trim_end());
    let mut sidecar = crate::start(&config);
    let missing = "SHA256SUMS: error: the file is missing";
    let _ = poll(READY, || !sidecar.process().is_running());
    assert!(sidecar.printed().contains(missing), "{}", sidecar.printed());
    let help = Command::new(PROGRAM)
        .args(["validate", "--help"])
        .output()
        .expect("it runs");
    assert!(String::from_utf8_lossy(&help.stdout).contains("--policies-dir"));
}
