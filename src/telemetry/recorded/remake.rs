//! From a record back to the request that it was made of, and what of that is not known.

use std::collections::BTreeSet;

use crate::config::Config;
use crate::config::ResourceKind;
use crate::policy::Gaps;
use crate::policy::KnownArguments;
use crate::policy::Part;
use crate::request::AccessRequest;
use crate::request::Action;
use crate::request::Arguments;
use crate::request::Operation;
use crate::request::Operations;
use crate::request::RequestContext;
use crate::request::Target;
use crate::request::methods::METHODS;
use crate::request::methods::Method;
use crate::telemetry::record::may_be_cut;
use crate::telemetry::recorded::LineFault;
use crate::telemetry::recorded::Record;
use crate::telemetry::recorded::arguments::Known;
use crate::telemetry::recorded::target;

/// A request, made again.
#[derive(Debug)]
pub struct Remade {
    /// As far as it is known.
    pub request: AccessRequest,
    /// For each operation, what is not known.
    gaps: Vec<Gaps>,
    /// How many operations are missing at the end.
    pub missing: u64,
}

impl Remade {
    /// Every operation that is recorded, with what is not known of it.
    pub fn operations(&self) -> impl Iterator<Item = (&Operation, &Gaps)> {
        let operations = &self.request.operations;
        let all = std::iter::once(&operations.first).chain(&operations.rest);
        all.zip(&self.gaps)
    }

    /// Whether the request performs one operation only.
    pub fn is_single(&self) -> bool {
        self.missing == 0 && self.request.operations.rest.is_empty()
    }

    /// The request with this operation alone.
    pub fn only(&self, operation: &Operation) -> AccessRequest {
        AccessRequest {
            operations: Operations {
                first: operation.clone(),
                rest: Vec::new(),
            },
            context: self.request.context.clone(),
        }
    }
}

/// The request of a record, or why it cannot be made again.
pub fn request(record: &Record<'_>, config: &Config) -> Result<Result<Remade, String>, LineFault> {
    let now_ms = record.now_ms()?;
    Ok(remake(record, config, now_ms))
}

fn remake(record: &Record<'_>, config: &Config, now_ms: i64) -> Result<Remade, String> {
    let mut first = operation(&record.action, &record.target, config)?;
    let rest: Vec<Operation> = record
        .more_operations
        .iter()
        .map(|another| operation(&another.action, &another.target, config))
        .collect::<Result<_, _>>()?;
    let known = u64::try_from(rest.len()).unwrap_or(u64::MAX);
    let missing = record
        .operations
        .unwrap_or_default()
        .saturating_sub(known.saturating_add(1));
    let Known { arguments, which } = record
        .context
        .arguments()
        .ok_or("the arguments are not recorded as this version does")?;
    first.arguments = arguments;
    let context = context(record, first.action, now_ms);
    let parts = [
        (Part::Method, &context.method),
        (Part::Host, &context.host),
        (Part::Path, &context.path),
        (Part::Origin, &context.origin),
        (Part::ProtocolVersion, &context.protocol_version),
        (Part::RequestId, &context.request_id),
    ];
    let cut = parts.into_iter().filter(|(_, text)| may_be_cut(text));
    // A session id is as good as a credential, and never recorded.
    let parts: BTreeSet<Part> = cut.map(|(part, _)| part).chain([Part::Session]).collect();
    let gaps = |arguments| Gaps {
        parts: parts.clone(),
        arguments,
    };
    let others = rest.iter().map(|other| gaps(arguments_of(other.action)));
    Ok(Remade {
        gaps: std::iter::once(gaps(which)).chain(others).collect(),
        request: AccessRequest {
            operations: Operations { first, rest },
            context,
        },
        missing,
    })
}

/// What is known of the arguments of an operation after the first: they are never recorded.
fn arguments_of(action: Action) -> KnownArguments {
    let takes = |method: &Method| method.action == action && method.arguments;
    if METHODS.iter().any(takes) {
        KnownArguments::None
    } else {
        KnownArguments::All
    }
}

fn operation(action: &str, target: &str, config: &Config) -> Result<Operation, String> {
    let action = Action::ALL
        .into_iter()
        .find(|known| known.as_str() == action)
        .ok_or("the action is not one that this version knows")?;
    let target = target::parse(target).ok_or(if may_be_cut(target) {
        "the target was too long to be recorded whole"
    } else {
        "the target is not one that this version knows"
    })?;
    is_configured(&target, action, config)?;
    Ok(Operation {
        action,
        target,
        arguments: Arguments::None,
    })
}

fn is_configured(target: &Target, action: Action, config: &Config) -> Result<(), String> {
    let name = &target.server;
    let resource = config.resources.iter().find(|one| one.name == *name);
    let resource = resource.ok_or_else(|| format!("the configuration has no resource `{name}`"))?;
    if matches!(resource.kind, ResourceKind::Http { .. }) == action.is_http() {
        Ok(())
    } else {
        Err(format!(
            "in the configuration, `{name}` is another kind of resource"
        ))
    }
}

fn context(record: &Record<'_>, action: Action, now_ms: i64) -> RequestContext {
    let said = &record.context;
    RequestContext {
        method: said.method.to_string(),
        host: said.host.to_string(),
        path: said.path.to_string(),
        origin: said.origin.to_string(),
        client_ip: said.client_ip,
        now_ms,
        // Recorded in any case, and given to policies for MCP only.
        protocol_version: if action.is_http() {
            String::new()
        } else {
            said.protocol_version.to_string()
        },
        session: String::new(),
        request_id: record.request_id.to_string(),
    }
}
