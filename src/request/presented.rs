//! What a request presents as credentials, moved out of its headers.

use crate::identity::credential::Authorization;
use crate::identity::credential::CredentialFault;
use crate::identity::credential::DpopProof;
use crate::identity::credential::HeaderKey;
use crate::identity::credential::KeyText;
use crate::request::headers::HeaderBag;
use crate::request::headers::ValueFault;
use crate::request::incoming::RequestError;

/// `Authorization`. A value that cannot be read is a bad credential, but two of them are a bad
/// request (RFC 6750, section 3.1).
pub(super) fn authorization(
    headers: &mut HeaderBag,
) -> Result<Result<Authorization, CredentialFault>, RequestError> {
    match headers.take_named("authorization") {
        Ok(value) => match Authorization::from_authorization(value.as_deref()) {
            Err(CredentialFault::Several) => Err(RequestError::TwoCredentials),
            read => Ok(read),
        },
        Err(ValueFault::Repeated) => Err(RequestError::TwoCredentials),
        Err(ValueFault::Value) => Ok(Err(CredentialFault::Malformed)),
    }
}

/// The keys in the headers called `names`, those that were sent. None is a reason to refuse the
/// request yet: a header means nothing where no authenticator of the resource names it.
pub(super) fn keys(headers: &mut HeaderBag, names: &[String]) -> Vec<HeaderKey> {
    let sent = names.iter().filter_map(|name| {
        let key = secret(headers, name, KeyText::new).transpose()?;
        let header = name.clone();
        Some(HeaderKey { header, key })
    });
    sent.collect()
}

/// The one `DPoP` header (RFC 9449, section 4.3, rule 1). Without a token that needs it, it means
/// nothing.
pub(super) fn proof(headers: &mut HeaderBag) -> Result<Option<DpopProof>, CredentialFault> {
    secret(headers, "dpop", DpopProof::new)
}

fn secret<T>(
    headers: &mut HeaderBag,
    name: &str,
    read: fn(String) -> Result<T, CredentialFault>,
) -> Result<Option<T>, CredentialFault> {
    match headers.take_named(name) {
        Ok(value) => value.map(read).transpose(),
        Err(ValueFault::Repeated) => Err(CredentialFault::Several),
        Err(ValueFault::Value) => Err(CredentialFault::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::identity::credential::MAX_CREDENTIAL_BYTES;
    use crate::request::headers::HeaderText;

    fn separate(entries: &[(&str, &str)]) -> HeaderBag {
        let text = |value: &&str| HeaderText::Raw(value.as_bytes().to_vec());
        HeaderBag::separate(entries.iter().map(|(k, v)| ((*k).to_owned(), text(v)))).unwrap()
    }

    fn joined(entries: &[(&str, &str)]) -> HeaderBag {
        let entries = entries.iter();
        HeaderBag::joined(entries.map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))).unwrap()
    }

    fn names() -> Vec<String> {
        ["x-api-key", "x-team-key"].map(ToOwned::to_owned).to_vec()
    }

    type Read = Vec<(String, Result<String, CredentialFault>)>;

    fn read(mut bag: HeaderBag) -> Read {
        let found = keys(&mut bag, &names());
        let text = |key: HeaderKey| (key.header, key.key.map(|k| k.as_str().to_owned()));
        found.into_iter().map(text).collect()
    }

    #[test]
    fn each_named_header_gives_one_key_or_a_fault() {
        let long = "k".repeat(MAX_CREDENTIAL_BYTES + 1);
        let key = |value: Result<&str, CredentialFault>| {
            vec![("x-api-key".to_owned(), value.map(str::to_owned))]
        };
        for (headers, expected) in [
            (&[][..], vec![]),
            (&[("x-api-key", "cg_1!,2")], key(Ok("cg_1!,2"))),
            (&[("X-API-Key", " cg_1 ")], key(Ok("cg_1"))),
            (&[("x-api-key", "")], key(Err(CredentialFault::Malformed))),
            (
                &[("x-api-key", "a b")],
                key(Err(CredentialFault::Malformed)),
            ),
            (
                &[("x-api-key", "\u{e9}")],
                key(Err(CredentialFault::Malformed)),
            ),
            (&[("x-api-key", &long)], key(Err(CredentialFault::TooLong))),
            (
                &[("x-api-key", "a"), ("x-api-key", "a")],
                key(Err(CredentialFault::Several)),
            ),
            (&[("x_api_key", "a"), ("x-api-key2", "b")], vec![]),
        ] {
            assert_eq!(read(separate(headers)), expected, "{headers:.60?}");
        }
    }

    #[test]
    fn what_was_read_is_gone_from_the_headers() {
        let mut bag = separate(&[
            ("X-Api-Key", "a"),
            ("DPoP", "b"),
            ("Authorization", "Bearer c"),
        ]);
        assert_eq!(keys(&mut bag, &names()).len(), 1);
        assert!(proof(&mut bag).unwrap().is_some() && authorization(&mut bag).is_ok());
        for name in ["x-api-key", "dpop", "authorization"] {
            assert_eq!(bag.values(name).count(), 0, "{name}");
        }
    }

    #[test]
    fn keys_come_in_the_order_of_the_configuration() {
        let found = read(separate(&[("x-team-key", "t"), ("x-api-key", "a")]));
        let found: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(found, ["x-api-key", "x-team-key"]);
    }

    #[test]
    fn in_a_joined_bag_a_key_that_could_be_two_is_none() {
        for (value, fault) in [
            ("a,b", CredentialFault::Several),
            ("a!", CredentialFault::Malformed),
        ] {
            let found = read(joined(&[("x-api-key", value), ("x-team-key", "t")]));
            assert_eq!(found[0].1, Err(fault), "{value}");
            assert_eq!(found[1].1.as_deref(), Ok("t"), "the other one stands");
        }
    }

    #[test]
    fn exactly_one_proof_is_taken() {
        let proof = |mut bag: HeaderBag| {
            proof(&mut bag).map(|proof| proof.map(|proof| proof.as_str().to_owned()))
        };
        assert_eq!(proof(separate(&[])), Ok(None));
        let one = proof(separate(&[("DPoP", "a.b.c")]));
        assert_eq!(one, Ok(Some("a.b.c".to_owned())));
        let two = [("dpop", "a.b.c"), ("DPoP", "d.e.f")];
        assert_eq!(proof(separate(&two)), Err(CredentialFault::Several));
        let one = [("dpop", "a.b.c,d.e.f")];
        assert_eq!(proof(joined(&one)), Err(CredentialFault::Several));
        let empty = [("dpop", "")];
        assert_eq!(proof(separate(&empty)), Err(CredentialFault::Malformed));
    }

    proptest! {
        #[test]
        fn nothing_panics_and_no_secret_is_shown(
            entries in proptest::collection::vec(
                ("(dpop|x-api-key|X-Team-Key|authorization)", "s3cr3t[a-z\u{e9},! ]{0,12}"), 0..4),
            join: bool,
        ) {
            let entries: Vec<_> = entries.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
            let mut bag = if join { joined(&entries) } else { separate(&entries) };
            let authorization = authorization(&mut bag);
            let (keys, proof) = (keys(&mut bag, &names()), proof(&mut bag));
            let shown = format!("{authorization:?}{keys:?}{proof:?}");
            prop_assert!(!shown.contains("s3cr3t"));
        }
    }
}
