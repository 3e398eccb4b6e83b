//! The counters of MCP sessions.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use crate::telemetry::metrics::Metrics;
use crate::telemetry::metrics::OutcomeLabels;

/// What became of a session that a request named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionOutcome {
    /// It is the caller's from now on.
    Bound,
    /// It was the caller's before.
    Known,
    /// It is somebody else's.
    Mismatch,
}

pub(super) struct SessionCounters {
    bound: Counter,
    known: Counter,
    mismatch: Counter,
    evicted: Counter,
    store: Family<OutcomeLabels, Counter>,
}

impl SessionCounters {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let bindings = Family::<OutcomeLabels, Counter>::default();
        registry.register(
            "session_bindings",
            "MCP sessions that were named, and bindings that had to go for others",
            bindings.clone(),
        );
        let store = Family::default();
        registry.register(
            "session_store",
            "Questions to the session store on another machine",
            store.clone(),
        );
        let of = |outcome| bindings.get_or_create_owned(&OutcomeLabels { outcome });
        Self {
            bound: of("bound"),
            known: of("known"),
            mismatch: of("mismatch"),
            evicted: of("evicted"),
            store,
        }
    }
}

impl Metrics {
    /// Counts a session that a request named.
    pub fn session(&self, outcome: SessionOutcome) {
        let counters = &self.sessions;
        match outcome {
            SessionOutcome::Bound => counters.bound.inc(),
            SessionOutcome::Known => counters.known.inc(),
            SessionOutcome::Mismatch => counters.mismatch.inc(),
        };
    }

    /// Counts bindings that had to go for want of room.
    pub fn sessions_evicted(&self, count: u64) {
        self.sessions.evicted.inc_by(count);
    }

    /// Counts a question to a session store on another machine: `ok`, `error` or `timeout`.
    pub fn session_store(&self, outcome: &'static str) {
        let labels = OutcomeLabels { outcome };
        self.sessions.store.get_or_create(&labels).inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_those_of_the_documentation() {
        let metrics = Metrics::new(&[]);
        metrics.session(SessionOutcome::Bound);
        metrics.session(SessionOutcome::Known);
        metrics.session(SessionOutcome::Known);
        metrics.sessions_evicted(3);
        metrics.session_store("timeout");
        let text = metrics.text().unwrap();
        for line in [
            "cedargate_session_bindings_total{outcome=\"bound\"} 1",
            "cedargate_session_bindings_total{outcome=\"known\"} 2",
            "cedargate_session_bindings_total{outcome=\"mismatch\"} 0",
            "cedargate_session_bindings_total{outcome=\"evicted\"} 3",
            "cedargate_session_store_total{outcome=\"timeout\"} 1",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }
}
