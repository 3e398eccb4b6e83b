//! Whose the MCP session is that a request names: a session belongs to the principal who first used it.
//!
//! The owner is compared before the policies are asked, and a session is bound once they have allowed
//! the request: who is refused binds nothing. The header counts whatever version is stated, because the
//! client states it.

use std::time::Duration;

use crate::authorizer::Authorizer;
use crate::authorizer::caller::RESERVE;
use crate::authorizer::known::Known;
use crate::authorizer::pending::Pending;
use crate::config::Resource;
use crate::config::ResourceKind;
use crate::config::SessionRule;
use crate::decision::Decision;
use crate::decision::Denial;
use crate::decision::Reason;
use crate::identity::session::SessionKey;
use crate::identity::session::SessionOwner;
use crate::request::incoming::Incoming;
use crate::source::Held;
use crate::source::SessionStoreFault;
use crate::telemetry::metrics::SessionOutcome;

/// What is left to do for the session of a request, once it is allowed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Visit {
    /// The request names none, or a stranger uses one that is nobody's.
    None,
    /// It is the caller's, and that was noted lately.
    Known,
    /// It is nobody's yet, or its use must be noted.
    Hold(SessionKey, SessionOwner),
}

impl Authorizer {
    /// Refuses a session that is somebody else's.
    pub(super) async fn visit(
        &self,
        pending: &Pending,
        incoming: &Incoming,
        resource: &Resource,
        known: &Known,
    ) -> Result<Visit, Denial> {
        let binds = match &resource.kind {
            ResourceKind::Mcp(rules) => rules.sessions == SessionRule::Bind,
            ResourceKind::Http { .. } => false,
        };
        let (true, Some(id)) = (binds, &incoming.head.session) else {
            return Ok(Visit::None);
        };
        let key = SessionKey::of(&resource.name, id)
            .map_err(|fault| Denial::new(Reason::MalformedRequest, fault.to_string()))?;
        let found = self.parts.sessions.find(key, self.in_time(pending));
        let holding = found.get().await.map_err(unknown)?;
        match (holding, known.owner) {
            (None, None) => Ok(Visit::None),
            (None, Some(owner)) => Ok(Visit::Hold(key, owner)),
            (Some(_), None) => Err(self.mismatch("a stranger used the session of a principal")),
            (Some(holding), Some(owner)) if holding.owner != owner => {
                Err(self.mismatch("the session is bound to another principal"))
            }
            (Some(holding), Some(owner)) if holding.due => Ok(Visit::Hold(key, owner)),
            (Some(_), Some(_)) => Ok(Visit::Known),
        }
    }

    /// Binds the session of a request that is allowed, or notes its use. Where somebody else was
    /// quicker, the request is refused after all.
    pub(super) async fn keep(
        &self,
        pending: &Pending,
        visit: Visit,
        decision: Decision,
    ) -> Decision {
        let (key, owner) = match (&decision, visit) {
            (Decision::Deny(_), _) | (_, Visit::None) => return decision,
            (Decision::Allow(_), Visit::Known) => {
                self.parts.metrics.session(SessionOutcome::Known);
                return decision;
            }
            (Decision::Allow(_), Visit::Hold(key, owner)) => (key, owner),
        };
        let held = self.parts.sessions.hold(key, owner, self.in_time(pending));
        let metrics = &self.parts.metrics;
        match held.get().await {
            Ok(Held::Known) => metrics.session(SessionOutcome::Known),
            Ok(Held::Bound { evicted }) => {
                metrics.session(SessionOutcome::Bound);
                metrics.sessions_evicted(evicted);
            }
            Ok(Held::Mismatch) => {
                let why = "another principal was the first to use the session";
                return Decision::Deny(self.mismatch(why));
            }
            Err(fault) => return Decision::Deny(unknown(fault)),
        }
        decision
    }

    fn mismatch(&self, why: &str) -> Denial {
        self.parts.metrics.session(SessionOutcome::Mismatch);
        Denial::plain(Reason::SessionMismatch).because(&why)
    }

    fn in_time(&self, pending: &Pending) -> Duration {
        pending.left(&*self.parts.clock).saturating_sub(RESERVE)
    }
}

/// Without an answer of the store nobody is let in: it might be somebody else's session.
fn unknown(fault: SessionStoreFault) -> Denial {
    Denial::plain(Reason::InternalError).because(&fault)
}
