//! Where an issuer keeps its keys, as its metadata says (RFC 8414; `OpenID` Connect Discovery 1.0).

use url::Url;

use crate::json;
use crate::json::StrictValue;
use crate::source::fetch::FetchFault;
use crate::source::fetch::Fetcher;

const MAX_DEPTH: usize = 16;

/// Reads `jwks_uri` from the issuer's metadata.
///
/// # Errors
///
/// [`FetchFault`], as [`find_metadata`]; `jwks_uri` must be there and be fit to be asked.
pub async fn find_jwks_uri(fetcher: &Fetcher, issuer: &str) -> Result<Url, FetchFault> {
    let uri = jwks_uri(&find_metadata(fetcher, issuer).await?)?;
    fetcher.check(&uri)?;
    Ok(uri)
}

/// Reads the issuer's metadata. The `OpenID` Connect place is asked first; where it answers with
/// another status than 200 or with something else than JSON, the place of RFC 8414 is, and then the
/// one that puts the `OpenID` Connect segment where RFC 8414 puts its own.
///
/// # Errors
///
/// [`FetchFault`]; a document that names another issuer, byte for byte, is refused (RFC 8414,
/// section 3.3). Of several places without a document, the fault is that of the last.
pub async fn find_metadata(fetcher: &Fetcher, issuer: &str) -> Result<StrictValue, FetchFault> {
    let mut found = Err(FetchFault::Url(issuer.to_owned()));
    for place in places(issuer)? {
        found = fetcher.get(&place).await;
        if !matches!(found, Err(FetchFault::Status(_) | FetchFault::ContentType)) {
            break;
        }
    }
    read(&found?.body, issuer)
}

/// Reads the body of a document that must be of this issuer.
///
/// # Errors
///
/// [`FetchFault::Discovery`]: it is not strict JSON, or it does not name the issuer, byte for byte.
pub fn read(body: &[u8], issuer: &str) -> Result<StrictValue, FetchFault> {
    let document = json::parse(body, MAX_DEPTH).map_err(|fault| refused(&fault.to_string()))?;
    if document.get("issuer").and_then(StrictValue::as_text) != Some(issuer) {
        return Err(refused("it names another issuer"));
    }
    Ok(document)
}

/// Where the document says that the keys are. Whether that is fit to be asked is for
/// [`Fetcher::check`].
///
/// # Errors
///
/// [`FetchFault::Discovery`]: it says nothing, or no URL.
pub fn jwks_uri(document: &StrictValue) -> Result<Url, FetchFault> {
    let uri = document.get("jwks_uri").and_then(StrictValue::as_text);
    let uri = uri.ok_or_else(|| refused("it has no `jwks_uri`"))?;
    let uri = Url::parse(uri).map_err(|_| refused("`jwks_uri` is not a URL"))?;
    if uri.fragment().is_some() {
        return Err(refused("`jwks_uri` has a fragment, which is never sent"));
    }
    Ok(uri)
}

/// `<issuer>/.well-known/openid-configuration`; RFC 8414, section 3.1, which puts its segment between
/// host and path; and the first segment put there. Without a path the last is the first.
fn places(issuer: &str) -> Result<Vec<Url>, FetchFault> {
    let refused = || FetchFault::Url(issuer.to_owned());
    let base = Url::parse(issuer).map_err(|_| refused())?;
    if base.cannot_be_a_base() || base.query().is_some() || base.fragment().is_some() {
        return Err(refused());
    }
    let path = base.path().trim_end_matches('/');
    let at = |path: &str| {
        let mut url = base.clone();
        url.set_path(path);
        url
    };
    let mut places = vec![
        at(&format!("{path}/.well-known/openid-configuration")),
        at(&format!("/.well-known/oauth-authorization-server{path}")),
        at(&format!("/.well-known/openid-configuration{path}")),
    ];
    if path.is_empty() {
        places.pop();
    }
    Ok(places)
}

fn refused(why: &str) -> FetchFault {
    FetchFault::Discovery(why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_places_or_two() {
        for (issuer, expected) in [
            (
                "https://a.example",
                &[
                    "https://a.example/.well-known/openid-configuration",
                    "https://a.example/.well-known/oauth-authorization-server",
                ][..],
            ),
            (
                "https://a.example/realms/x",
                &[
                    "https://a.example/realms/x/.well-known/openid-configuration",
                    "https://a.example/.well-known/oauth-authorization-server/realms/x",
                    "https://a.example/.well-known/openid-configuration/realms/x",
                ],
            ),
            (
                "https://a.example:8443/t/",
                &[
                    "https://a.example:8443/t/.well-known/openid-configuration",
                    "https://a.example:8443/.well-known/oauth-authorization-server/t",
                    "https://a.example:8443/.well-known/openid-configuration/t",
                ],
            ),
        ] {
            let found: Vec<String> = places(issuer)
                .unwrap()
                .iter()
                .map(ToString::to_string)
                .collect();
            assert_eq!(found, expected);
        }
        for issuer in [
            "ci",
            "urn:x",
            "https://a.example?x",
            "https://a.example#x",
            "",
        ] {
            assert!(places(issuer).is_err(), "{issuer}");
        }
    }

    #[test]
    fn the_document_is_of_this_issuer() {
        let judge = |body: &str| {
            let document = read(body.as_bytes(), "https://a")?;
            jwks_uri(&document).map(|url| url.to_string())
        };
        assert_eq!(
            judge(r#"{"issuer":"https://a","jwks_uri":"https://b/k"}"#).unwrap(),
            "https://b/k"
        );
        for body in [
            r#"{"issuer":"https://a/","jwks_uri":"https://b/k"}"#,
            r#"{"issuer":"https://A","jwks_uri":"https://b/k"}"#,
            r#"{"issuer":["https://a"],"jwks_uri":"https://b/k"}"#,
            r#"{"jwks_uri":"https://b/k"}"#,
            r#"{"issuer":"https://a"}"#,
            r#"{"issuer":"https://a","jwks_uri":1}"#,
            r#"{"issuer":"https://a","jwks_uri":"/k"}"#,
            r#"{"issuer":"https://a","jwks_uri":"https://b/k#x"}"#,
            r#"{"issuer":"x","issuer":"https://a","jwks_uri":"https://b/k"}"#,
            "<html>",
            "[]",
        ] {
            assert!(
                matches!(judge(body), Err(FetchFault::Discovery(_))),
                "{body}"
            );
        }
    }
}
