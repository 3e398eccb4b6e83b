//! What the program tells about itself: its log, its metrics, and one record a decision.

pub mod decision_log;
pub mod logging;
pub mod metrics;
pub mod policy_failures;
pub mod record;
pub mod recorded;
