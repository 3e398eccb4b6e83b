//! Every metric, under the prefix `cedargate_`. Labels come from the configuration and the
//! policies, never from a request.

mod caches;
mod checks;
mod policies;
mod sessions;
mod shadow;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::decision::Reason;
pub use crate::telemetry::metrics::caches::CacheOutcome;
pub use crate::telemetry::metrics::sessions::SessionOutcome;

/// Upper bounds of the duration buckets, in seconds: 25 us to 1 s.
const DURATION_BUCKETS: [f64; 15] = [
    0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1,
    0.25, 0.5, 1.0,
];

/// Where a check came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// Envoy `ext_authz`.
    Grpc,
    /// A dialect of the HTTP endpoint.
    Http,
}

impl Transport {
    /// The label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::Http => "http",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TransportLabels {
    transport: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AuthenticatorLabels {
    authenticator: Arc<str>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AuthenticatorOutcomeLabels {
    authenticator: Arc<str>,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PolicyLabels {
    policy: Arc<str>,
}

/// The registry and handles to everything in it.
pub struct Metrics {
    registry: Registry,
    checks: Vec<Counter>,
    resources: usize,
    durations: [Histogram; 2],
    caches: caches::CacheCounters,
    verify: Family<AuthenticatorOutcomeLabels, Counter>,
    introspection: Family<AuthenticatorOutcomeLabels, Counter>,
    introspection_circuit: Family<AuthenticatorLabels, Gauge>,
    revocation_reload: Family<OutcomeLabels, Counter>,
    jwks_refresh: Family<AuthenticatorOutcomeLabels, Counter>,
    jwks_age: Family<AuthenticatorLabels, Gauge<f64, AtomicU64>>,
    policy_reload: Family<OutcomeLabels, Counter>,
    policy_generation: Gauge,
    policy_errors: Family<PolicyLabels, Counter>,
    decision_log_dropped: Counter,
    sessions: sessions::SessionCounters,
    shadow: shadow::ShadowCounters,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    /// Registers everything. `resources` are the configured names, in their order.
    pub fn new(resources: &[Arc<str>]) -> Self {
        let mut registry = Registry::with_prefix("cedargate");
        let checks = Family::<checks::CheckLabels, Counter>::default();
        registry.register("checks", "Checks answered", checks.clone());
        let durations = Family::<TransportLabels, Histogram>::new_with_constructor(|| {
            Histogram::new(DURATION_BUCKETS)
        });
        registry.register(
            "check_duration_seconds",
            "Time from reading a check to its answer",
            durations.clone(),
        );
        let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The running version", build);
        let of = |transport: Transport| {
            durations.get_or_create_owned(&TransportLabels {
                transport: transport.as_str(),
            })
        };
        let mut metrics = Self {
            checks: checks::counters(&checks, resources),
            resources: resources.len(),
            durations: [of(Transport::Grpc), of(Transport::Http)],
            caches: caches::CacheCounters::register(&mut registry),
            verify: Family::default(),
            introspection: Family::default(),
            introspection_circuit: Family::default(),
            revocation_reload: policies::reloads(),
            jwks_refresh: Family::default(),
            jwks_age: Family::default(),
            policy_reload: policies::reloads(),
            policy_generation: Gauge::default(),
            policy_errors: Family::default(),
            decision_log_dropped: Counter::default(),
            sessions: sessions::SessionCounters::register(&mut registry),
            shadow: shadow::ShadowCounters::register(&mut registry),
            registry,
        };
        metrics.register_rest();
        metrics
    }

    fn register_rest(&mut self) {
        let registry = &mut self.registry;
        registry.register("verify", "Credentials verified", self.verify.clone());
        registry.register(
            "introspection",
            "Questions to introspection endpoints",
            self.introspection.clone(),
        );
        registry.register(
            "introspection_circuit_open",
            "Whether an introspection endpoint is left alone after failures: 1 if so",
            self.introspection_circuit.clone(),
        );
        registry.register(
            "revocation_reload",
            "Revocation files read",
            self.revocation_reload.clone(),
        );
        registry.register(
            "jwks_refresh",
            "Key sets fetched",
            self.jwks_refresh.clone(),
        );
        registry.register(
            "jwks_age_seconds",
            "Age of the key set in use",
            self.jwks_age.clone(),
        );
        registry.register(
            "policy_reload",
            "Policy directories read",
            self.policy_reload.clone(),
        );
        registry.register(
            "policy_generation",
            "Generation of the policies in use",
            self.policy_generation.clone(),
        );
        registry.register(
            "policy_errors",
            "Policies that failed to evaluate",
            self.policy_errors.clone(),
        );
        registry.register(
            "decision_log_dropped",
            "Decision records that could not be written",
            self.decision_log_dropped.clone(),
        );
    }

    /// Counts one check. `resource` is the index of its configuration; absent: none was found.
    pub fn check(
        &self,
        transport: Transport,
        resource: Option<usize>,
        reason: Reason,
        seconds: f64,
    ) {
        let index = checks::index(transport, resource, self.resources, reason);
        if let Some(counter) = self.checks.get(index) {
            counter.inc();
        }
        self.duration(transport, seconds);
    }

    /// Notes the duration of an answer that was no decision.
    pub fn duration(&self, transport: Transport, seconds: f64) {
        let [grpc, http] = &self.durations;
        match transport {
            Transport::Grpc => grpc.observe(seconds),
            Transport::Http => http.observe(seconds),
        }
    }

    /// Counts a verification: `ok`, or the kind of its failure.
    pub fn verify(&self, authenticator: &Arc<str>, outcome: &'static str) {
        let authenticator = Arc::clone(authenticator);
        self.verify
            .get_or_create(&AuthenticatorOutcomeLabels {
                authenticator,
                outcome,
            })
            .inc();
    }

    /// Counts a question to an introspection endpoint: `ok`, or why there was no answer.
    pub fn introspection(&self, authenticator: &Arc<str>, outcome: &'static str) {
        let authenticator = Arc::clone(authenticator);
        let labels = AuthenticatorOutcomeLabels {
            authenticator,
            outcome,
        };
        self.introspection.get_or_create(&labels).inc();
    }

    /// Notes whether an introspection endpoint is left alone.
    pub fn introspection_circuit(&self, authenticator: &Arc<str>, open: bool) {
        let labels = AuthenticatorLabels {
            authenticator: Arc::clone(authenticator),
        };
        let open = i64::from(open);
        self.introspection_circuit.get_or_create(&labels).set(open);
    }

    /// Counts a look at the file of what has been revoked: `ok` or `failed`.
    pub fn revocation_reload(&self, outcome: &'static str) {
        self.revocation_reload
            .get_or_create(&OutcomeLabels { outcome })
            .inc();
    }

    /// Counts an attempt to fetch a key set.
    pub fn jwks_refresh(&self, authenticator: &Arc<str>, outcome: &'static str) {
        let authenticator = Arc::clone(authenticator);
        let labels = AuthenticatorOutcomeLabels {
            authenticator,
            outcome,
        };
        self.jwks_refresh.get_or_create(&labels).inc();
    }

    /// Notes the age of a key set.
    pub fn jwks_age(&self, authenticator: &Arc<str>, seconds: f64) {
        let labels = AuthenticatorLabels {
            authenticator: Arc::clone(authenticator),
        };
        self.jwks_age.get_or_create(&labels).set(seconds);
    }

    /// The counter of lost decision records.
    pub fn decision_log_dropped(&self) -> Counter {
        self.decision_log_dropped.clone()
    }

    /// The text that a scraper reads (`OpenMetrics` 1.0).
    pub fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_check_is_counted_under_its_own_labels() {
        let metrics = Metrics::new(&["a".into(), "b".into()]);
        metrics.check(Transport::Http, Some(1), Reason::NotPermitted, 0.001);
        metrics.check(Transport::Grpc, None, Reason::InternalError, 0.001);
        let text = metrics.text().unwrap();
        for line in [
            r#"cedargate_checks_total{transport="http",resource="b",decision="deny",reason="not_permitted"} 1"#,
            r#"cedargate_checks_total{transport="grpc",resource="",decision="deny",reason="internal_error"} 1"#,
            r#"cedargate_checks_total{transport="grpc",resource="a",decision="allow",reason="allowed"} 0"#,
            r#"cedargate_check_duration_seconds_count{transport="grpc"} 1"#,
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
        let counted: u64 = metrics.checks.iter().map(Counter::get).sum();
        assert_eq!(counted, 2);
    }

    #[test]
    fn the_names_are_those_of_the_documentation() {
        let metrics = Metrics::new(&[]);
        metrics.verify(&"corp".into(), "ok");
        metrics.introspection(&"corp".into(), "ok");
        metrics.revocation_reload("ok");
        metrics.jwks_refresh(&"corp".into(), "ok");
        metrics.jwks_age(&"corp".into(), 1.5);
        metrics.policy_reload("ok");
        metrics.policy_generation(3);
        metrics.policy_error(&"p".into());
        let text = metrics.text().unwrap();
        for name in [
            "cedargate_verify_total{authenticator=\"corp\",outcome=\"ok\"} 1",
            "cedargate_jwks_refresh_total{authenticator=\"corp\",outcome=\"ok\"} 1",
            "cedargate_jwks_age_seconds{authenticator=\"corp\"} 1.5",
            "cedargate_policy_reload_total{outcome=\"ok\"} 1",
            "cedargate_policy_generation 3",
            "cedargate_policy_errors_total{policy=\"p\"} 1",
            "cedargate_build_info{version=",
            "cedargate_decision_log_dropped_total 0",
        ] {
            assert!(text.contains(name), "{name}\n{text}");
        }
    }
}
