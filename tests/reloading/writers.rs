//! Files that are still being written, under the eyes of the running program.

use std::fs;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use crate::NEVER;
use crate::RELOADED;
use crate::config;
use crate::hang_up;
use crate::support::envoy::poll;
use crate::support::process::READY;
use crate::support::sidecar::Sidecar;
use crate::write;

/// The first line is a set of policies by itself.
fn whole(number: usize) -> String {
    format!(
        "@id(\"one-{number}\") permit(principal in Mcp::Role::\"viewer\", action, resource);\n\
         @id(\"two-{number}\") forbid(principal in Mcp::Role::\"viewer\", action, resource);\n"
    )
}

/// Shorter than the pause between two looks that someone has asked for.
const SHORT: Duration = Duration::from_millis(90);

/// Writes byte by byte, and asks for a look now and then. Says whether nobody has kept the writer from
/// writing for so long that he could be taken for one who has finished.
fn write_slowly(sidecar: &Sidecar, path: &Path, text: &str) -> bool {
    let mut file = File::create(path).expect("a file");
    let mut longest = Duration::ZERO;
    #[expect(clippy::disallowed_methods, reason = "measures its own pauses")]
    let mut last = Instant::now();
    for (number, byte) in text.bytes().enumerate() {
        if number % 10 == 0 {
            sidecar.signal("HUP");
        }
        thread::sleep(Duration::from_millis(2));
        file.write_all(&[byte]).expect("a byte");
        longest = longest.max(last.elapsed());
        #[expect(clippy::disallowed_methods, reason = "measures its own pauses")]
        let now = Instant::now();
        last = now;
    }
    longest < SHORT
}

fn policies(sidecar: &Sidecar) -> (u64, u64) {
    let status = sidecar.status();
    let number = |name: &str| status["policies"][name].as_u64().expect("a number");
    (number("generation"), number("count"))
}

/// Whether a writer is fast enough is for the machine to say: those who were not do not count.
#[test]
fn a_file_goes_live_when_it_is_whole_however_often_it_is_looked_at_before() {
    let config = config().replace("reload_interval: 24h", "reload_interval: 100ms");
    let sidecar = crate::start(&config).until_ready();
    let path = sidecar.policies().join("new.cedar");
    let (_, count) = policies(&sidecar);
    let mut rounds = 0;
    for number in 0..60 {
        drop(fs::remove_file(&path));
        let mut before = (0, 0);
        let is_at_rest = || {
            let last = before;
            before = policies(&sidecar);
            before == last && before.1 == count
        };
        assert!(poll(READY, is_at_rest), "{before:?}: {}", sidecar.printed());
        let counts = write_slowly(&sidecar, &path, &whole(number));
        let is_whole = || policies(&sidecar).1 == count + 2;
        assert!(poll(READY, is_whole), "{}", sidecar.printed());
        if counts {
            let (generation, _) = policies(&sidecar);
            assert_eq!(
                generation,
                before.0 + 1,
                "one change: {}",
                sidecar.printed()
            );
            rounds += 1;
        }
        if rounds == 3 {
            return;
        }
    }
    assert_eq!(rounds, 3, "the machine is too busy for this test");
}

fn list_hashes(dir: &Path) {
    let script = "find . -type f ! -name '.*' -exec sha256sum {} + > .sums && mv .sums SHA256SUMS";
    let done = Command::new("sh")
        .args(["-c", script])
        .current_dir(dir)
        .status();
    assert!(done.expect("there is a shell").success());
}

#[test]
fn with_a_manifest_a_beginning_may_rest_for_ever_and_is_not_in_force() {
    let with_manifest = NEVER.replace("24h}", "24h, require_manifest: true}");
    let config = config().replace(NEVER, &with_manifest);
    let mut sidecar = Sidecar::launch_in(&config, |dir| {
        fs::write(dir.with_file_name("revoked.yaml"), "jti: [a]\n").expect("a file");
        list_hashes(dir);
    })
    .until_ready();
    let (_, count) = policies(&sidecar);
    let text = whole(0);
    let (beginning, _) = text.split_once('\n').expect("two lines");
    let unlisted = "new.cedar: error: the file is not listed in `SHA256SUMS`";
    write(&sidecar, "new.cedar", beginning);
    hang_up(&mut sidecar, unlisted, 1);
    write(&sidecar, "new.cedar", &text);
    hang_up(&mut sidecar, unlisted, 2);
    assert_eq!(policies(&sidecar), (1, count));
    list_hashes(&sidecar.policies());
    hang_up(&mut sidecar, RELOADED, 1);
    assert_eq!(policies(&sidecar), (2, count + 2));
    // The hashes of another state.
    let other = "new.cedar: error: the file is not the one that `SHA256SUMS` lists";
    write(&sidecar, "new.cedar", beginning);
    hang_up(&mut sidecar, other, 1);
    let status = sidecar.status();
    let first = status["policies"]["faults"][0].as_str();
    assert!(
        first.is_some_and(|fault| fault.starts_with(other)),
        "{status}"
    );
    // Without the list, where it has to be.
    let list = sidecar.policies().join("SHA256SUMS");
    fs::rename(&list, list.with_file_name(".SHA256SUMS")).expect("it is there");
    hang_up(&mut sidecar, "SHA256SUMS: error: the file is missing", 1);
    assert_eq!(policies(&sidecar), (2, count + 2));
    fs::rename(list.with_file_name(".SHA256SUMS"), &list).expect("it is there");
    write(&sidecar, "new.cedar", &text);
    hang_up(&mut sidecar, RELOADED, 2);
    let status = sidecar.status();
    let faults = status["policies"]["faults"].as_array();
    assert_eq!(faults.map(Vec::len), Some(0), "{status}");
}
