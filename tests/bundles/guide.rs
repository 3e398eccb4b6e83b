//! Every command and every configuration of `docs/bundles.md`, in its order.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use super::blocks::blocks;
use super::support::folder::Folder;
use super::support::folder::copy_policies;
use super::support::sidecar::PROGRAM;

const GUIDE: &str = include_str!("../../docs/bundles.md");
const CONFIG: &str = "deploy/envoy/cedargate.yaml";

#[test]
fn the_guide_to_bundles_is_what_the_program_does() {
    let folder = Folder::new();
    copy_policies(&folder.path("policies"));
    let shipped = fs::read_to_string(CONFIG).expect("a configuration ships");
    let (mut commands, mut configurations) = (0, 0);
    for block in blocks(GUIDE) {
        match &*block.language {
            "sh" => {
                shell(&folder, block.line, &block.text);
                commands += 1;
            }
            "yaml" => {
                let section = shipped.split("policies:\n").next().unwrap_or_default();
                folder.write("cedargate.yaml", &format!("{section}{}", block.text));
                let ran = folder.run(&["validate"]);
                let fetched = block.text.contains("url:");
                let expected = if fetched { 3 } else { 0 };
                assert_eq!(ran.code, expected, "line {}: {}", block.line, ran.err);
                let refused = ran.err.contains("commands fetch nothing");
                assert_eq!(refused, fetched, "line {}: {}", block.line, ran.err);
                configurations += 1;
            }
            "json" => {}
            other => panic!("line {}: what is `{other}`?", block.line),
        }
    }
    assert!(
        commands >= 4 && configurations >= 3,
        "the guide is all there"
    );
}

/// Runs the lines as a user would, each of which must do what it is for.
fn shell(folder: &Folder, line: usize, text: &str) {
    let programs = Path::new(PROGRAM).parent().expect("a folder");
    let path = env::var("PATH").expect("there are programs");
    let done = Command::new("sh")
        .args(["-e", "-c", text])
        .current_dir(folder.path("."))
        .env("PATH", format!("{}:{path}", programs.display()))
        .output()
        .expect("a shell");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "line {line}: {said}");
}
