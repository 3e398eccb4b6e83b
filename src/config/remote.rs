//! What is fetched from, or asked of, an issuer: at which URL, and how it is reached.

use std::path::Path;

use url::Url;

use crate::config::authenticator::Remote;
use crate::config::danger;
use crate::config::keys;
use crate::config::reader::Faults;
use crate::config::reader::Mapping;
use crate::config::reader::shown;
use crate::config::scalar;
use crate::config::yaml::Node;

/// `ca_file` and `insecure_allow_http`. Relative paths start at `base`.
pub(super) fn read(map: &mut Mapping<'_>, base: &Path, faults: &mut Faults<'_>) -> Remote {
    Remote {
        ca_pem: map
            .optional("ca_file")
            .and_then(|node| keys::read_authorities(node, base, faults)),
        insecure_allow_http: danger::read(map, "insecure_allow_http", faults),
    }
}

/// A URL without credentials and fragment, over https unless `allow_http`; `over_http` says what
/// would happen otherwise.
pub(super) fn read_url(
    node: &Node,
    allow_http: bool,
    over_http: &'static str,
    faults: &mut Faults<'_>,
) -> Option<Url> {
    let text = scalar::filled(node, faults)?;
    let url = match Url::parse(text) {
        Ok(url) if url.has_host() && matches!(url.scheme(), "http" | "https") => url,
        Ok(_) | Err(_) => {
            let message = format!("{} is not an absolute URL", shown(node, text));
            faults.error_help(&node.place, message, "as in `https://auth.example.com`");
            return None;
        }
    };
    if !url.username().is_empty() || url.password().is_some() {
        faults.hide_lines(node.place.span());
        faults.error(&node.place, "credentials in a URL");
        return None;
    }
    if url.fragment().is_some() {
        faults.error(&node.place, "a URL with a fragment");
        return None;
    }
    if url.scheme() == "http" && !allow_http {
        faults.error_help(
            &node.place,
            over_http,
            "use https; for experiments only, `insecure_allow_http: true`",
        );
        return None;
    }
    Some(url)
}
