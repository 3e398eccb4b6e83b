//! `cedargate login`

mod browser;
mod callback;
mod exchange;
mod listener;
mod request;
mod server;

use std::error::Error;
use std::io;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::ExposeSecret as _;
use secrecy::SecretString;
use thiserror::Error as ThisError;
use tokio::net::TcpListener;
use url::Url;

use crate::cli::Exit;
use crate::cli::input;
use crate::cli::login::exchange::Exchange;
use crate::cli::login::exchange::Granted;
use crate::cli::login::request::Asked;
use crate::cli::login::request::Attempt;
use crate::cli::login::server::Server;
use crate::cli::output::Output;
use crate::cli::printable;
use crate::cli::span;
use crate::cli::token::reading;
use crate::cli::token::reading::Reading;
use crate::config::Environment as _;
use crate::config::ProcessEnvironment;
use crate::config::Remote;
use crate::json::StrictValue;
use crate::source::fetch::Fetcher;

/// The secret of a confidential client.
const SECRET_VARIABLE: &str = "CEDARGATE_CLIENT_SECRET";

/// Log in with a browser, and print the access token
///
/// OAuth 2.1 authorization code with PKCE: finds the authorization server by its metadata, prints a
/// URL to open (and opens it where there is a terminal and a browser), waits for the browser to come
/// back to a port of this machine, and exchanges the code. The access token is printed on standard
/// output and nothing else is.
///
/// The client must be registered for the redirect URI `http://127.0.0.1/callback`, with any port
/// (RFC 8252); with `--port` for exactly that one. A client with a secret has it in
/// `CEDARGATE_CLIENT_SECRET`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  TOKEN=$(cedargate login --issuer https://auth.example.com --client-id cli \\
      --resource https://mcp.example.com/mcp --scope weather:read)
  curl -H \"authorization: Bearer $TOKEN\" https://mcp.example.com/mcp ...

Exit codes: 0 printed; 1 failure, refusal or timeout; 2 wrong usage.")]
pub(super) struct Login {
    /// The authorization server, exactly as its metadata names it
    #[arg(long, value_name = "URL")]
    issuer: String,
    /// The OAuth client to log in through
    #[arg(long, value_name = "ID", value_parser = filled)]
    client_id: String,
    /// The resource that the token is for (RFC 8707), as the configuration's `url` has it
    #[arg(long, value_name = "URL", value_parser = resource)]
    resource: Option<String>,
    /// A scope to ask for; may be repeated
    #[arg(long, value_name = "SCOPE", value_parser = scope)]
    scope: Vec<String>,
    /// Print the URL only
    #[arg(long)]
    no_browser: bool,
    /// The port that the browser comes back to; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    port: u16,
    /// How long to wait for the browser
    #[arg(long, value_name = "SPAN", value_parser = span::duration, default_value = "5m")]
    timeout: Duration,
    /// More certificate authorities to trust, PEM
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Accept an authorization server without TLS: whoever is on the network path can take the token
    #[arg(long)]
    insecure_allow_http: bool,
}

#[derive(Debug, ThisError)]
enum LoginError {
    #[error(
        "cannot listen at 127.0.0.1:{port}; `--port` names another, or leave it out for a free one"
    )]
    Port { port: u16, source: io::Error },
    #[error("`{SECRET_VARIABLE}` is not UTF-8")]
    Variable,
    #[error(
        "the browser did not come back within {0}; `--timeout` waits longer, and the client must \
         be registered for `http://127.0.0.1/callback` with any port"
    )]
    Slow(String),
}

impl Login {
    pub(super) fn run(self, output: Output) -> Exit {
        let runtime = match tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
        {
            Ok(runtime) => runtime,
            Err(error) => return output.failure(&error),
        };
        match runtime.block_on(self.log_in(output)) {
            Ok(granted) => {
                self.comment(&granted, output);
                output.data(granted.access_token.expose_secret())
            }
            Err(error) => output.failure(&*error),
        }
    }

    async fn log_in(&self, output: Output) -> Result<Granted, Box<dyn Error>> {
        let secret = client_secret()?;
        let ca_pem = self.ca_file.as_deref();
        let remote = Remote {
            ca_pem: ca_pem
                .map(|path| input::file(path, input::KEY_FILE))
                .transpose()?,
            insecure_allow_http: self.insecure_allow_http,
        };
        let fetcher = Fetcher::new(&remote)?;
        let server = Server::find(&fetcher, &self.issuer).await?;
        if !server.states_pkce {
            output.notice(
                "the metadata does not say that the server supports PKCE; it is used all the same",
            );
        }
        let exchange = Exchange::new(&remote)?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)).await;
        let listener = listener.map_err(|source| LoginError::Port {
            port: self.port,
            source,
        })?;
        let port = listener.local_addr()?.port();
        let attempt = Attempt::new(
            Asked {
                client_id: self.client_id.clone(),
                resource: self.resource.clone(),
                scope: self.scope.join(" "),
            },
            port,
        )?;
        let url = attempt.authorization_url(&server);
        output.notice(&format!("Open this page in a browser:\n\n  {url}\n"));
        if !self.no_browser {
            browser::open(&url);
        }
        output.notice(&format!(
            "waiting for the browser at {} ... ^C to stop",
            attempt.redirect_uri
        ));
        let returned = listener::wait(listener, attempt.expected(&server, port));
        let code = tokio::time::timeout(self.timeout, returned).await;
        let code = code.map_err(|_| LoginError::Slow(span::words(self.timeout.as_secs())))??;
        let granted = exchange.redeem(&server, &attempt, &code, secret.as_ref());
        Ok(granted.await?)
    }

    /// Says who has logged in, and what may be a surprise about the token.
    fn comment(&self, granted: &Granted, output: Output) {
        let mut said = vec!["logged in".to_owned()];
        let read = reading::read(granted.access_token.expose_secret());
        if let Reading::Jose(token) = &read
            && let Some(subject) = token.claims.text("sub")
        {
            said = vec![format!("logged in as `{}`", printable::cut(subject, 100))];
        }
        if let Some(expires_in) = granted.expires_in {
            said.push(format!("good for {}", span::words(expires_in)));
        }
        if let Some(scope) = &granted.scope {
            said.push(format!("scope `{}`", printable::cut(scope, 300)));
        }
        output.notice(&said.join("; "));
        match &read {
            Reading::Opaque | Reading::Document { .. } => output.notice(
                "the token is opaque: a sidecar must ask its issuer about it (`type: introspection`)",
            ),
            Reading::Jose(token) => {
                let audience = token.claims.get("aud");
                if let Some(resource) = self.resource.as_deref()
                    && !token.encrypted
                    && !names(audience, resource)
                {
                    output.notice(&format!(
                        "the token does not name `{resource}` as its audience: the server may not \
                         know that resource (RFC 8707)"
                    ));
                }
            }
        }
    }
}

fn names(audience: Option<&StrictValue>, resource: &str) -> bool {
    audience.is_some_and(|audience| {
        audience.as_text() == Some(resource)
            || audience
                .as_array()
                .is_some_and(|all| all.iter().any(|one| one.as_text() == Some(resource)))
    })
}

fn client_secret() -> Result<Option<SecretString>, LoginError> {
    ProcessEnvironment
        .variable(SECRET_VARIABLE)
        .filter(|value| !value.is_empty())
        .map(|value| value.into_string().map(SecretString::from))
        .transpose()
        .map_err(|_| LoginError::Variable)
}

fn filled(text: &str) -> Result<String, String> {
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err("it is empty, or holds control characters".to_owned());
    }
    Ok(text.to_owned())
}

/// RFC 8707, section 2: an absolute URI without a fragment. It goes out as it was written.
fn resource(text: &str) -> Result<String, String> {
    match Url::parse(text) {
        Ok(url) if url.fragment().is_none() => Ok(text.to_owned()),
        Ok(_) => Err("a resource has no fragment (`#...`)".to_owned()),
        Err(_) => Err("write a whole URL, as in `https://mcp.example.com/mcp`".to_owned()),
    }
}

/// RFC 6749, section 3.3. Several in one flag, with spaces between them, are as good.
fn scope(text: &str) -> Result<String, String> {
    let sound = |c: char| c.is_ascii_graphic() && c != '"' && c != '\\';
    if text
        .split(' ')
        .all(|one| !one.is_empty() && one.chars().all(sound))
    {
        return Ok(text.to_owned());
    }
    Err("a scope is visible ASCII without quotes and backslashes".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    #[test]
    fn flags_that_cannot_be_meant_are_refused() {
        for (text, sound) in [
            ("https://mcp.example.com/mcp", true),
            ("urn:example:api", true),
            ("https://mcp.example.com/mcp#x", false),
            ("/mcp", false),
            ("mcp.example.com", false),
        ] {
            assert_eq!(resource(text).is_ok(), sound, "{text}");
        }
        for (text, sound) in [
            ("weather:read", true),
            ("a b", true),
            ("", false),
            ("a  b", false),
            ("a\"", false),
            ("a\\", false),
            ("é", false),
        ] {
            assert_eq!(scope(text).is_ok(), sound, "{text}");
        }
        assert!(filled("cli").is_ok() && filled("").is_err() && filled("a\n").is_err());
    }

    #[test]
    fn an_audience_is_one_or_several() {
        for (aud, named) in [
            (r#""r""#, true),
            (r#"["x","r"]"#, true),
            (r#""r/""#, false),
            ("[]", false),
            ("1", false),
        ] {
            let aud = json::parse(aud.as_bytes(), 4).unwrap();
            assert_eq!(names(Some(&aud), "r"), named, "{aud:?}");
        }
        assert!(!names(None, "r"));
    }
}
