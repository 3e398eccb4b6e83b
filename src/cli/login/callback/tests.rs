//! Only an answer to the attempt counts.

use http::HeaderValue;
use proptest::prelude::*;

use super::*;

const STATE: &str = "0123456789012345678901234567890123456789012";

fn expected(must_name_issuer: bool) -> Expected {
    Expected {
        port: 4711,
        state: STATE.to_owned().into(),
        issuer: "https://i.example".to_owned(),
        must_name_issuer,
    }
}

fn ask(method: &Method, uri: &str, hosts: &[&str], must_name_issuer: bool) -> Verdict {
    let mut headers = HeaderMap::new();
    for host in hosts {
        headers.append(header::HOST, HeaderValue::from_str(host).unwrap());
    }
    let uri: Uri = uri.parse().unwrap();
    judge(method, &uri, &headers, &expected(must_name_issuer))
}

fn get(query: &str) -> Verdict {
    ask(
        &Method::GET,
        &format!("/callback?{query}"),
        &["127.0.0.1:4711"],
        false,
    )
}

fn page(verdict: &Verdict) -> Option<Page> {
    match verdict {
        Verdict::Ignored(page) => Some(*page),
        Verdict::Final(_) => None,
    }
}

fn ended(verdict: Verdict) -> Result<String, Refused> {
    match verdict {
        Verdict::Ignored(page) => panic!("{page:?}"),
        Verdict::Final(outcome) => outcome.map(|code| code.expose_secret().to_owned()),
    }
}

#[test]
fn a_good_answer_carries_the_code() {
    for query in [
        format!("code=abc&state={STATE}"),
        format!("state={STATE}&code=abc&session_state=x"),
        format!("code=abc&state={STATE}&iss=https%3A%2F%2Fi.example"),
        format!("code=%61bc&state={STATE}"),
    ] {
        assert_eq!(ended(get(&query)).as_deref(), Ok("abc"), "{query}");
    }
}

#[test]
fn what_does_not_know_the_state_changes_nothing() {
    let longer = format!("code=abc&state={STATE}0");
    let twice = format!("code=abc&state=x&state={STATE}");
    let both = format!("code=abc&code=abd&state={STATE}");
    for (query, expected) in [
        ("", Page::State),
        ("code=abc", Page::State),
        ("code=abc&state=", Page::State),
        ("code=abc&state=x", Page::State),
        ("error=access_denied&state=x", Page::State),
        (&longer, Page::State),
        (&twice, Page::Repeated),
        (&both, Page::Repeated),
    ] {
        assert_eq!(page(&get(query)), Some(expected), "{query}");
    }
}

#[test]
fn only_this_address_is_answered() {
    let good = format!("/callback?code=abc&state={STATE}");
    let absolute = format!("http://127.0.0.1:4711{good}");
    let elsewhere = format!("http://evil.example{good}");
    let ours = &["127.0.0.1:4711"][..];
    let cases: [(&Method, &str, &[&str], Option<Page>); 15] = [
        (&Method::GET, &good, ours, None),
        (&Method::GET, &absolute, ours, None),
        (&Method::GET, &elsewhere, ours, Some(Page::Host)),
        (&Method::GET, &good, &[], Some(Page::Host)),
        (&Method::GET, &good, &["evil.example"], Some(Page::Host)),
        (
            &Method::GET,
            &good,
            &["evil.example:4711"],
            Some(Page::Host),
        ),
        (&Method::GET, &good, &["127.0.0.1"], Some(Page::Host)),
        (&Method::GET, &good, &["127.0.0.1:4712"], Some(Page::Host)),
        (&Method::GET, &good, &["127.0.0.1:04711"], Some(Page::Host)),
        (&Method::GET, &good, &["localhost:4711"], Some(Page::Host)),
        (
            &Method::GET,
            &good,
            &["127.0.0.1:4711", "evil.example"],
            Some(Page::Host),
        ),
        (&Method::POST, &good, ours, Some(Page::Method)),
        (&Method::HEAD, &good, ours, Some(Page::Method)),
        (&Method::GET, "/favicon.ico", ours, Some(Page::Path)),
        (&Method::GET, "/callback/", ours, Some(Page::Path)),
    ];
    for (method, uri, hosts, expected) in cases {
        assert_eq!(
            page(&ask(method, uri, hosts, false)),
            expected,
            "{uri} {hosts:?}"
        );
    }
}

#[test]
fn another_issuer_is_never_believed() {
    let ask = |query: &str, must: bool| {
        let uri = format!("/callback?state={STATE}&{query}");
        ended(ask(&Method::GET, &uri, &["127.0.0.1:4711"], must))
    };
    for (query, must, expected) in [
        (
            "code=c&iss=https://evil.example",
            false,
            Refused::OtherIssuer,
        ),
        ("code=c&iss=https://i.example/", true, Refused::OtherIssuer),
        ("code=c&iss=", false, Refused::OtherIssuer),
        (
            "error=access_denied&iss=https://e",
            false,
            Refused::OtherIssuer,
        ),
        ("code=c", true, Refused::NoIssuer),
        ("error=access_denied", true, Refused::NoIssuer),
        ("", false, Refused::NoCode),
        ("code=", false, Refused::NoCode),
    ] {
        assert_eq!(ask(query, must), Err(expected), "{query}");
    }
    assert!(ask("code=c&iss=https://i.example", true).is_ok());
    let long = format!("code={}", "c".repeat(LONGEST_CODE + 1));
    assert_eq!(ask(&long, false), Err(Refused::NoCode));
}

#[test]
fn an_error_of_the_server_is_told_and_cannot_write_to_the_terminal() {
    let query = format!("error=access_denied&error_description=No%1b[2J%0A&state={STATE}");
    let told = ended(get(&query)).unwrap_err().to_string();
    assert_eq!(
        told,
        "the authorization server refused: `access_denied`: No\\u001b[2J\\u000a"
    );
    let query = format!("error=invalid_target&state={STATE}");
    let told = ended(get(&query)).unwrap_err().to_string();
    assert!(told.ends_with("does not know the resource of `--resource`"));
    let long = format!("error={}&state={STATE}", "x".repeat(5_000));
    assert!(ended(get(&long)).unwrap_err().to_string().len() < 500);
}

#[test]
fn secrets_do_not_show() {
    assert!(!format!("{:?}", expected(true)).contains(STATE));
    let code = format!("{:?}", get(&format!("code=s3cr3t&state={STATE}")));
    assert!(!code.contains("s3cr3t"), "{code}");
}

proptest! {
    #[test]
    fn nobody_guesses_their_way_in(query in "[a-z0-9=&%+.]{0,80}") {
        let uri = format!("/callback?{query}");
        if let Ok(uri) = uri.parse::<Uri>() {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static("127.0.0.1:4711"));
            let verdict = judge(&Method::GET, &uri, &headers, &expected(false));
            prop_assert!(matches!(verdict, Verdict::Ignored(_)));
        }
    }
}
