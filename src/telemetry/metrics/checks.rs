//! The counters of answered checks, made before the first one.

use std::sync::Arc;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

use crate::decision::Reason;
use crate::telemetry::metrics::Transport;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct CheckLabels {
    transport: &'static str,
    resource: Arc<str>,
    decision: &'static str,
    reason: &'static str,
}

const TRANSPORTS: [Transport; 2] = [Transport::Grpc, Transport::Http];

/// One counter for each transport, resource (and none) and reason, so that counting a check looks
/// nothing up.
pub(super) fn counters(
    family: &Family<CheckLabels, Counter>,
    resources: &[Arc<str>],
) -> Vec<Counter> {
    let none: Arc<str> = Arc::from("");
    let mut counters = Vec::new();
    for transport in TRANSPORTS {
        for resource in resources.iter().chain([&none]) {
            for reason in Reason::ALL {
                let decision = if reason == Reason::Allowed {
                    "allow"
                } else {
                    "deny"
                };
                counters.push(family.get_or_create_owned(&CheckLabels {
                    transport: transport.as_str(),
                    resource: Arc::clone(resource),
                    decision,
                    reason: reason.as_str(),
                }));
            }
        }
    }
    counters
}

/// The place of a counter in the list that [`counters`] makes.
pub(super) fn index(
    transport: Transport,
    resource: Option<usize>,
    resources: usize,
    reason: Reason,
) -> usize {
    let transport = TRANSPORTS
        .iter()
        .position(|other| *other == transport)
        .unwrap_or(0);
    let reason = Reason::ALL
        .iter()
        .position(|other| *other == reason)
        .unwrap_or(0);
    let rows = resources.saturating_add(1);
    let row = transport
        .saturating_mul(rows)
        .saturating_add(resource.unwrap_or(resources));
    row.saturating_mul(Reason::ALL.len()).saturating_add(reason)
}
