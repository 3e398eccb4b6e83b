//! A sidecar with users who have a right to be there, so that nothing but the session is in their way.

use serde_json::Value;
use serde_json::json;

use crate::support::ask::Ask;
use crate::support::ask::Asker;
use crate::support::sidecar::Sidecar;
use crate::support::tokens::Key;

pub(crate) const RESOURCE: &str = "https://mcp.example.com/mcp";

/// Of a caller with the role `admin`.
pub(crate) const API_KEY: &str = "0123456789abcdef0123456789abcdef";

/// Strangers may open sessions, and whoever comes to the site may see it.
const POLICY: &str = "\
@id(\"strangers-open\") permit (principal is Mcp::Anonymous, action == Mcp::Action::\"initialize\", \
resource);\n\
@id(\"site\") @allow(\"permit-everyone\") permit (principal, action, resource is Mcp::Route);\n";

pub(crate) struct Scene {
    key: Key,
    pub(crate) sidecar: Sidecar,
    pub(crate) asker: Asker,
}

impl Scene {
    /// Starts a sidecar with more in its configuration.
    pub(crate) fn start(more: &str) -> Self {
        Self::with(Key::new(), more)
    }

    /// Another sidecar for the same people, which knows nothing of this one.
    pub(crate) fn restarted(self, more: &str) -> Self {
        drop(self.sidecar);
        Self::with(self.key, more)
    }

    fn with(key: Key, more: &str) -> Self {
        let sidecar = sidecar(&key, more);
        let asker = sidecar.asker();
        Self {
            key,
            sidecar,
            asker,
        }
    }

    /// One more beside it.
    pub(crate) fn replica(&self, more: &str) -> Sidecar {
        sidecar(&self.key, more)
    }

    pub(crate) fn token(&self, claims: &Value) -> String {
        let mut all = json!({"aud": [RESOURCE, "https://mcp.example.com/other",
            "https://mcp.example.com/loose", "https://mcp.example.com/site"]});
        let members = all.as_object_mut().expect("an object");
        members.extend(claims.as_object().expect("an object").clone());
        self.key.token(RESOURCE, &all)
    }

    /// A token of a viewer.
    pub(crate) fn user(&self, subject: &str, client: &str) -> String {
        self.token(&json!({"sub": subject, "client_id": client, "roles": ["viewer"]}))
    }

    /// A call in a session.
    #[expect(clippy::unused_self, reason = "reads as what happens in the scene")]
    pub(crate) fn call(&self, session: &str, token: &str) -> Ask {
        let call = Ask::call("get_forecast").bearer(token);
        call.header("mcp-session-id", session)
    }

    /// What is said to a call in a session, in both dialects.
    pub(crate) fn reason(&self, session: &str, token: &str) -> String {
        self.asker.both(&self.call(session, token)).reason
    }
}

fn sidecar(key: &Key, more: &str) -> Sidecar {
    let deadline = if more.contains("deadline") {
        ""
    } else {
        "limits: {deadline: 2s}\n"
    };
    let config = format!(
        "authenticators:\n{}\
         - {{name: keys, type: api_key, header: x-api-key, \
         keys: [{{id: app, secret: {API_KEY}, roles: [admin]}}]}}\n\
         - {{name: strangers, type: anonymous}}\n\
         resources:\n\
         - {{name: weather, url: \"{RESOURCE}\", kind: mcp, authenticators: [corp, keys, strangers]}}\n\
         - {{name: other, url: \"https://mcp.example.com/other\", kind: mcp}}\n\
         - {{name: loose, url: \"https://mcp.example.com/loose\", kind: mcp, mcp: {{sessions: ignore}}}}\n\
         - {{name: site, url: \"https://mcp.example.com/site\", kind: http}}\n\
         {deadline}{more}",
        key.authenticator()
    );
    Sidecar::start_with(&config, &[("50-more.cedar", POLICY)])
}

/// A thousand questions at once, alternately of two principals: one of them gets every answer that he
/// wants, and the other none.
pub(crate) fn one_owner(askers: &[&Asker], ask: impl Fn(usize) -> Ask) {
    let asks: Vec<Ask> = (0..1_000).map(ask).collect();
    let verdicts: Vec<_> = std::thread::scope(|scope| {
        let share = asks.len().div_ceil(askers.len());
        let waiting: Vec<_> = asks
            .chunks(share)
            .zip(askers)
            .map(|(share, asker)| scope.spawn(move || asker.all(share)))
            .collect();
        let answered = waiting.into_iter().map(|one| one.join().expect("no panic"));
        answered.flatten().collect()
    });
    let of = |principal: usize| -> Vec<&str> {
        let his = verdicts.iter().skip(principal).step_by(2);
        his.map(|verdict| verdict.reason.as_str()).collect()
    };
    let (winner, loser) = if of(0).contains(&"allowed") {
        (of(0), of(1))
    } else {
        (of(1), of(0))
    };
    assert_eq!(winner, ["allowed"; 500]);
    assert_eq!(loser, ["session_mismatch"; 500]);
}
