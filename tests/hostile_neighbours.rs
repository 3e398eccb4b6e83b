//! Neighbours that fail: the disk, the policy folder, whoever reads the records, and callers that
//! race them.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "tables of attacks, in which a wrong assumption fails the test"
)]

mod support;
use serde_json::json;
use std::fs;
use std::io::Read as _;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::net::TcpStream;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;
use support::ask::Ask;
use support::ask::Asker;
use support::envoy::poll;
use support::fake_issuer::FakeIssuer;
use support::http::Request;
use support::sidecar::Sidecar;
use support::tokens::ISSUER;
use support::tokens::Key;
use support::tokens::now;

const RESOURCE: &str = "https://mcp.example.com/mcp";

const SOON: Duration = Duration::from_secs(8);

fn config(authenticators: &str, rest: &str) -> String {
    format!(
        "authenticators:\n{authenticators}resources:\n\
         - {{name: weather, url: \"{RESOURCE}\", kind: mcp}}\n\
         policies: {{dir: policies, reload_interval: 100ms}}\n{rest}"
    )
}

fn remote(port: u16, kind: &str) -> String {
    let issuer = format!("http://127.0.0.1:{port}");
    let keys = match kind {
        "oidc" => String::new(),
        _ => format!(", jwks_uri: \"{issuer}/keys\""),
    };
    format!(
        "- {{name: far, type: {kind}, issuer: \"{issuer}\"{keys}, insecure_allow_http: true, \
         roles: {{prefix: \"p{port}:\"}}, groups: {{prefix: \"p{port}:\"}}}}\n"
    )
}

fn far_token(key: &Key, port: u16, kid: &str) -> String {
    let claims = json!({"iss": format!("http://127.0.0.1:{port}"), "sub": "alice", "aud": RESOURCE,
        "exp": now() + 300, "scope": "weather:read"});
    key.sign(
        &json!({"typ": "at+jwt", "alg": "ES256", "kid": kid}),
        &claims,
    )
}

fn forecast(asker: &Asker, token: &str) -> (String, i32, String) {
    let verdict = asker.both(&Ask::call("get_forecast").bearer(token));
    let retry = verdict.header("retry-after").to_owned();
    (verdict.reason, verdict.status, retry)
}

/// What happens to the policy folder, and whether it is an end of reloading that must be reported.
type Mischief = (&'static str, fn(&Path));

#[test]
fn whatever_becomes_of_the_policy_folder_the_last_good_policies_stay() {
    let key = Key::new();
    let mischiefs: [Mischief; 8] = [
        ("deleted", |dir| fs::remove_dir_all(dir).expect("removed")),
        ("a policy becomes a folder", |dir| {
            fs::remove_file(dir.join("90-forbid.cedar")).expect("removed");
            fs::create_dir(dir.join("90-forbid.cedar")).expect("created");
        }),
        ("the catalogue becomes a folder", |dir| {
            fs::remove_file(dir.join("tools.json")).expect("removed");
            fs::create_dir(dir.join("tools.json")).expect("created");
        }),
        ("a policy becomes a pipe", |dir| {
            fs::remove_file(dir.join("90-forbid.cedar")).expect("removed");
            let made = Command::new("mkfifo")
                .arg(dir.join("90-forbid.cedar"))
                .status();
            assert!(made.expect("mkfifo").success());
        }),
        ("a policy becomes a device", |dir| {
            fs::remove_file(dir.join("90-forbid.cedar")).expect("removed");
            symlink("/dev/zero", dir.join("90-forbid.cedar")).expect("linked");
        }),
        ("a policy becomes a loop", |dir| {
            fs::remove_file(dir.join("90-forbid.cedar")).expect("removed");
            symlink("90-forbid.cedar", dir.join("90-forbid.cedar")).expect("linked");
        }),
        ("folders in a circle", |dir| {
            for name in ["a", "b", "c", "d", "e", "f", "g", "h"] {
                symlink(".", dir.join(name)).expect("linked");
            }
        }),
        ("a huge policy", |dir| {
            let file = fs::File::create(dir.join("91-huge.cedar")).expect("created");
            file.set_len(1 << 40).expect("a sparse file");
        }),
    ];
    thread::scope(|scope| {
        for (what, mischief) in mischiefs {
            let key = &key;
            scope.spawn(move || survives(key, what, mischief));
        }
    });
}

fn survives(key: &Key, what: &str, mischief: fn(&Path)) {
    let mut sidecar = Sidecar::start(&config(&key.authenticator(), ""));
    let asker = sidecar.asker();
    let ask = |tool: &str, role: &str| {
        let token = key.token(RESOURCE, &json!({"roles": [role]}));
        asker.both(&Ask::call(tool).bearer(&token)).reason
    };
    let kept = || {
        assert_eq!(ask("get_forecast", "viewer"), "allowed", "{what}");
        assert_eq!(ask("delete_station", "viewer"), "not_permitted", "{what}");
        assert_eq!(sidecar.status()["policies"]["generation"], 1, "{what}");
    };
    kept();
    mischief(&sidecar.policies());
    let reported = poll(SOON, || {
        let status = sidecar.status();
        !status["policies"]["faults"]
            .as_array()
            .is_none_or(Vec::is_empty)
    });
    assert!(reported, "{what}: {}", sidecar.status());
    kept();
    let ended = sidecar.terminate();
    assert!(
        ended.is_some_and(|status| status.success()),
        "{what}: it does not end"
    );
}

#[test]
fn a_pipe_among_the_policies_stops_the_start_and_does_not_hang_it() {
    let key = Key::new();
    let mut sidecar = Sidecar::launch_in(&config(&key.authenticator(), ""), |dir| {
        let made = Command::new("mkfifo").arg(dir.join("95.cedar")).status();
        assert!(made.expect("mkfifo").success());
    });
    let ended = sidecar.process().wait(SOON);
    assert_eq!(
        ended.and_then(|status| status.code()),
        Some(3),
        "invalid policies"
    );
}

#[test]
fn a_decision_log_that_cannot_be_written_costs_no_check() {
    let key = Key::new();
    let log = "decision_log: {to: {file: /dev/full}}\n";
    let mut sidecar = Sidecar::start(&config(&key.authenticator(), log));
    let asker = sidecar.asker();
    let token = key.token(RESOURCE, &json!({"roles": ["viewer"]}));
    for _ in 0..50 {
        assert_eq!(forecast(&asker, &token).0, "allowed");
        assert_eq!(sidecar.ask_admin("/metrics").status, 200);
    }
    let counted = poll(SOON, || {
        let text = sidecar.ask_admin("/metrics").text();
        let dropped = text
            .lines()
            .find_map(|line| line.strip_prefix("cedargate_decision_log_dropped_total "));
        dropped.and_then(|count| count.parse().ok()).unwrap_or(0) >= 100
    });
    assert!(counted, "{}", sidecar.ask_admin("/metrics").text());
    assert!(sidecar.terminate().is_some_and(|status| status.success()));
}

#[test]
fn a_full_disk_under_both_logs_costs_no_check() {
    let key = Key::new();
    let mut sidecar = Sidecar::launch_redirected(&config(&key.authenticator(), ""), "/dev/full");
    assert!(poll(SOON, || sidecar.is_live()), "it does not start");
    let asker = sidecar.asker();
    let token = key.token(RESOURCE, &json!({"roles": ["viewer"]}));
    fs::remove_dir_all(sidecar.policies()).expect("removed");
    let kept = poll(SOON, || {
        assert_eq!(forecast(&asker, &token).0, "allowed");
        let status = sidecar.status();
        !status["policies"]["faults"]
            .as_array()
            .is_none_or(Vec::is_empty)
    });
    assert!(kept, "reloading died: {}", sidecar.status());
    sidecar.process().signal("TERM");
    let ended = poll(SOON, || !sidecar.process().is_running());
    assert!(ended, "it does not end");
}

#[test]
fn a_reader_of_the_records_that_has_stopped_does_not_hold_up_the_end() {
    let key = Key::new();
    let pipe = tempfile::tempdir().expect("a folder");
    let path = pipe.path().join("pipe");
    assert!(
        Command::new("mkfifo")
            .arg(&path)
            .status()
            .expect("mkfifo")
            .success()
    );
    // Read and write, so that opening does not wait for the other end; nobody ever reads.
    let _open = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(&path)
        .expect("opened");
    let log = format!("decision_log: {{to: {{file: \"{}\"}}}}\n", path.display());
    let mut sidecar = Sidecar::start(&config(&key.authenticator(), &log));
    let asker = sidecar.asker();
    let token = key.token(RESOURCE, &json!({"roles": ["viewer"]}));
    for _ in 0..100 {
        assert_eq!(forecast(&asker, &token).0, "allowed");
    }
    assert!(sidecar.terminate().is_some(), "it does not end");
}

#[test]
fn sixty_four_callers_see_one_policy_or_the_other() {
    let key = Key::new();
    let sidecar = Sidecar::start(&config(&key.authenticator(), "limits: {deadline: 5s}\n"));
    let flip = sidecar.policies().join("99-flip.cedar");
    let over = AtomicBool::new(false);
    let token = key.token(RESOURCE, &json!({"roles": ["viewer"]}));
    let asker = sidecar.asker();
    thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0..8 {
                let text = if round % 2 == 0 {
                    "@id(\"flip\") @reason(\"flipped\") forbid (principal, action, resource);"
                } else {
                    "@id(\"flip\") permit (principal in Mcp::Role::\"admin\", action, resource);"
                };
                fs::write(&flip, text).expect("written");
                thread::sleep(Duration::from_millis(450));
            }
            over.store(true, Ordering::SeqCst);
        });
        let (mut allowed, mut refused) = (0, 0);
        while !over.load(Ordering::SeqCst) {
            let asks: Vec<_> = (0..64)
                .map(|n| {
                    let ask = Ask::call("get_forecast").bearer(&token);
                    // Half of them come as strangers, who are refused under every policy.
                    if n % 2 == 0 {
                        ask
                    } else {
                        ask.without("authorization")
                    }
                })
                .collect();
            for (n, verdict) in asker.all(&asks).iter().enumerate() {
                match (n % 2, verdict.reason.as_str()) {
                    (0, "allowed") => allowed += 1,
                    (0, "not_permitted") => refused += 1,
                    (1, "missing_credential") => {}
                    other => panic!("{other:?} {}", verdict.body),
                }
            }
        }
        assert!(allowed > 0 && refused > 0, "{allowed} {refused}");
    });
    assert!(
        poll(SOON, || forecast(&asker, &token).0 == "allowed"),
        "the last flip: {}",
        sidecar.status()
    );
}

#[test]
fn a_check_whose_caller_has_gone_is_recorded() {
    let key = Key::new();
    let issuer = FakeIssuer::start(|_, stream| {
        thread::sleep(Duration::from_secs(4));
        drop(stream.write_all(b"HTTP/1.1 500 No\r\n\r\n"));
    });
    let sidecar = Sidecar::launch(&config(
        &remote(issuer.port(), "jwt"),
        "limits: {deadline: 2s}\n",
    ));
    assert!(poll(SOON, || sidecar.is_live()), "{}", sidecar.printed());
    let token = far_token(&key, issuer.port(), "k1");
    let wire = format!(
        "GET /check HTTP/1.1\r\nhost: x\r\nx-forwarded-method: GET\r\nx-forwarded-proto: https\r\n\
         x-forwarded-host: mcp.example.com\r\nx-forwarded-uri: /mcp\r\nx-request-id: gone-7\r\n\
         authorization: Bearer {token}\r\n\r\n"
    );
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, sidecar.http)).expect("connects");
    stream.write_all(wire.as_bytes()).expect("sent");
    thread::sleep(Duration::from_millis(30));
    drop(stream);
    let record = sidecar.record(|record| record["request_id"] == "gone-7");
    assert_eq!(record["decision"], "deny", "{record}");
    let alive = Request::new("GET", "/livez")
        .send(sidecar.admin)
        .expect("an answer");
    assert_eq!(alive.status, 200);
    let mut nothing = Vec::new();
    drop(
        TcpStream::connect((Ipv4Addr::LOCALHOST, sidecar.grpc)).map(|mut s| {
            drop(s.shutdown(std::net::Shutdown::Write));
            s.read_to_end(&mut nothing)
        }),
    );
    let claims = json!({"iss": ISSUER});
    let stranger = key.token(RESOURCE, &claims);
    assert_eq!(
        forecast(&sidecar.asker(), &stranger).0,
        "invalid_credential"
    );
}
