//! Decision ids: UUID version 7 (RFC 9562, section 5.7), so that they sort by time.

use uuid::Builder;

/// A new id at this time. Ids need to be distinct, not secret.
pub fn decision_id(now_ms: i64) -> String {
    let mut random = [0; 10];
    fastrand::fill(&mut random);
    let millis = u64::try_from(now_ms).unwrap_or(0);
    Builder::from_unix_timestamp_millis(millis, &random)
        .into_uuid()
        .simple()
        .to_string()
}

/// The trace id of a `traceparent` header (W3C Trace Context, section 3.2.2), or empty.
pub fn trace_id(traceparent: Option<&str>) -> &str {
    let Some(value) = traceparent else { return "" };
    let mut parts = value.split('-');
    let (Some(version), Some(trace), Some(parent), Some(flags)) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return "";
    };
    let hex = |text: &str, length| {
        text.len() == length && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    let well_formed = hex(version, 2) && hex(trace, 32) && hex(parent, 16) && hex(flags, 2);
    let extra = version == "00" && parts.next().is_some();
    let void = trace.bytes().all(|b| b == b'0') || version == "ff";
    if well_formed && !extra && !void {
        trace
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_distinct_and_sort_by_time() {
        let (a, b) = (decision_id(1_000), decision_id(2_000));
        assert!(a < b);
        assert_eq!(a.len(), 32);
        assert_ne!(decision_id(5), decision_id(5));
    }

    #[test]
    fn only_a_well_formed_traceparent_is_honoured() {
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        let good = format!("00-{id}-00f067aa0ba902b7-01");
        assert_eq!(trace_id(Some(&good)), id);
        for bad in [
            "",
            "00",
            "00-zz-00f067aa0ba902b7-01",
            &format!("{good}-x"),
            &good.to_uppercase(),
        ] {
            assert_eq!(trace_id(Some(bad)), "", "{bad}");
        }
    }
}
