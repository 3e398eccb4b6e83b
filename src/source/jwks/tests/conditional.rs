//! Sets that are asked for only if they have changed.

use super::*;

const ETAG: &str = "etag: \"one\"";
const JSON: &str = "content-type: application/json";

fn unchanged(headers: &[&str]) -> Answer {
    Answer::Bytes(response("304 Not Modified", headers, b""))
}

fn tagged(body: &str, headers: &[&str]) -> Answer {
    let headers = [&[JSON][..], headers].concat();
    Answer::Bytes(response("200 OK", &headers, body.as_bytes()))
}

fn asked_with(server: &Server) -> String {
    server.heads().last().unwrap().to_ascii_lowercase()
}

#[tokio::test]
async fn a_set_that_has_not_changed_is_not_sent_again() {
    let server = Server::start(|_| tagged(&first(), &[ETAG, "last-modified: then"])).await;
    let (source, seen) = loaded(&server, eager()).await;
    assert!(!asked_with(&server).contains("if-none-match"));
    server.answer(|_| unchanged(&[ETAG]));
    assert_eq!(source.refresh(LONG).await, Refresh::Fetched);
    let head = asked_with(&server);
    assert!(head.contains("if-none-match: \"one\"\r\n"), "{head}");
    assert!(head.contains("if-modified-since: then\r\n"), "{head}");
    assert_eq!(source.status(), KeyStatus::Fresh);
    // Another state, of the same keys, and then of others.
    server.answer(|_| tagged(&first(), &["etag: \"two\""]));
    assert_eq!(source.refresh(LONG).await, Refresh::Fetched);
    server.answer(|_| tagged(&second(), &[]));
    assert_eq!(source.refresh(LONG).await, Refresh::Fetched);
    assert!(asked_with(&server).contains("if-none-match: \"two\"\r\n"));
    assert_eq!(source.refresh(LONG).await, Refresh::Fetched);
    assert!(!asked_with(&server).contains("if-"), "nothing names it");
    let outcomes = seen.outcomes.lock().unwrap().clone();
    let expected = ["changed", "unchanged", "unchanged", "changed", "unchanged"];
    assert_eq!(outcomes, expected);
    assert_eq!(seen.sets(), [(1, 1), (2, 2)]);
}

#[tokio::test]
async fn not_modified_without_having_asked_is_a_failure() {
    let server = Server::start(|_| unchanged(&[ETAG])).await;
    let (source, seen) = start(&rules(&server), eager());
    until(|| !seen.outcomes.lock().unwrap().is_empty()).await;
    assert_eq!(source.status(), KeyStatus::Loading);
    assert_eq!(seen.outcomes.lock().unwrap()[0], "status");
}

#[tokio::test]
async fn a_set_that_was_refused_names_nothing() {
    let server = Server::start(|_| tagged(&first(), &[ETAG])).await;
    let timing = Timing {
        backoff: LONG,
        ..eager()
    };
    let (source, _) = loaded(&server, timing).await;
    server.answer(|_| tagged("{}", &["etag: \"bad\""]));
    assert_eq!(source.refresh(LONG).await, Refresh::Failed);
    server.answer(|_| unchanged(&[]));
    assert_eq!(source.refresh(LONG).await, Refresh::Fetched);
    let head = asked_with(&server);
    assert!(head.contains("if-none-match: \"one\"\r\n"), "{head}");
}

#[tokio::test]
async fn not_modified_renews_the_lifetime() {
    let second = Duration::from_secs(1);
    let timing = Timing {
        lifetime_bounds: (second, second),
        stale: Duration::ZERO,
        ..eager()
    };
    let server = Server::start(|_| tagged(&first(), &[ETAG])).await;
    let (source, seen) = loaded(&server, timing).await;
    server.answer(|_| unchanged(&[]));
    for _ in 0..5 {
        tokio::time::sleep(second * 3 / 10).await;
        assert_eq!(source.refresh(LONG).await, Refresh::Fetched);
    }
    assert_eq!(source.status(), KeyStatus::Fresh);
    assert_eq!(seen.sets(), [(1, 1)], "never withdrawn");
}

#[tokio::test]
async fn withdrawn_keys_are_asked_for_without_a_condition() {
    let short = Duration::from_millis(100);
    let timing = Timing {
        lifetime_bounds: (short, short),
        stale: short,
        ..eager()
    };
    let server = Server::start(|_| tagged(&first(), &[ETAG])).await;
    let (source, seen) = loaded(&server, timing).await;
    server.answer(|_| Answer::Bytes(Vec::new()));
    until(|| seen.sets().len() == 2).await;
    server.answer(|_| tagged(&first(), &[ETAG]));
    until(|| source.status() == KeyStatus::Fresh).await;
    assert_eq!(seen.sets(), [(1, 1), (2, 0), (3, 1)]);
}
