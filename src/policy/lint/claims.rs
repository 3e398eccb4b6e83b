//! What a policy demands of one request, and whether it can all be so.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "Cedar's syntax tree is open-ended: what is not known here contradicts nothing"
)]

use std::sync::Arc;

use cedar_policy::pst;
use cedar_policy::pst::BinaryOp;
use cedar_policy::pst::Expr;
use cedar_policy::pst::Literal;

use super::domain::Domain;
use super::stranger::Looks;
use super::stranger::Stranger;

const ANONYMOUS: &str = "Mcp::Anonymous";
const CALLERS: [&str; 4] = ["Mcp::User", "Mcp::Client", "Mcp::ApiKey", ANONYMOUS];
const SERVER: &str = "Mcp::Server";
/// What has nothing below it, and `<server>/<name>` for an id, with the attribute that is the name.
const THINGS: [(&str, Option<&str>); 5] = [
    ("Mcp::Tool", Some("name")),
    ("Mcp::Resource", Some("uri")),
    ("Mcp::Prompt", Some("name")),
    ("Mcp::Task", Some("taskId")),
    ("Mcp::Route", None),
];

/// Everything that is demanded so far.
pub(super) struct Claims {
    /// Types that the caller may still be of.
    callers: Vec<&'static str>,
    domains: Vec<(Subject, Domain)>,
    /// Conditions as they are written, with what they must come to.
    outcomes: Vec<(Arc<Expr>, bool)>,
    contradict: bool,
}

/// What has a value.
#[derive(PartialEq, Eq)]
enum Subject {
    Of(Expr),
    /// The server that the target belongs to, or is.
    Server,
}

impl Default for Claims {
    fn default() -> Self {
        Self {
            callers: CALLERS.to_vec(),
            domains: Vec::new(),
            outcomes: Vec::new(),
            contradict: false,
        }
    }
}

impl Claims {
    /// Demands that the expression comes to `wanted`.
    pub(super) fn add(&mut self, expression: &Arc<Expr>, wanted: bool) {
        if let Some(parts) = parts(expression, wanted) {
            for part in &parts {
                self.add(part, wanted);
            }
            return;
        }
        let opposite = (Arc::clone(expression), !wanted);
        self.contradict |= self.outcomes.contains(&opposite);
        self.outcomes.push((Arc::clone(expression), wanted));
        match &**expression {
            Expr::BinaryOp { op, left, right } => self.binary(*op, (left, right), wanted),
            Expr::Is {
                expr,
                entity_type,
                in_expr,
            } => {
                if is_var(expr, &pst::Var::Principal) && (wanted || in_expr.is_none()) {
                    let kind = entity_type.to_string();
                    self.callers.retain(|one| (**one == *kind) == wanted);
                }
                if let Some(group) = in_expr.as_ref().filter(|_| wanted) {
                    self.within(expr, group, true);
                }
            }
            _ => {}
        }
    }

    /// Whether no request can meet them all.
    pub(super) fn contradict(&self) -> bool {
        self.contradict
            || self.callers.is_empty()
            || self.domains.iter().any(|(_, domain)| domain.is_empty())
    }

    /// Whether some are known not to be met: what looks at nothing is known, and of a stranger
    /// everything is.
    pub(super) fn contradict_of_strangers(
        &self,
        all: &[(&Arc<Expr>, bool)],
        stranger: &Stranger<'_>,
    ) -> bool {
        let only_strangers = self.callers == [ANONYMOUS];
        all.iter().any(|(expression, wanted)| {
            let looks = Looks::of(expression);
            let is_known = !looks.elsewhere && (only_strangers || !looks.at_caller);
            is_known
                && stranger
                    .answer(expression)
                    .is_some_and(|value| value != *wanted)
        })
    }

    fn binary(&mut self, op: BinaryOp, (left, right): (&Expr, &Expr), wanted: bool) {
        match op {
            BinaryOp::Eq | BinaryOp::NotEq => {
                let wanted = wanted == (op == BinaryOp::Eq);
                match (left, right) {
                    (Expr::Literal(_), Expr::Literal(_)) => {}
                    (subject, Expr::Literal(value)) | (Expr::Literal(value), subject) => {
                        self.one_of(subject, &[value], wanted);
                    }
                    _ => {}
                }
            }
            BinaryOp::Contains => {
                if let (Some(values), false) = (literals(left), matches!(right, Expr::Literal(_))) {
                    self.one_of(right, &values, wanted);
                }
            }
            BinaryOp::In => self.within(left, right, wanted),
            BinaryOp::Less | BinaryOp::LessEq | BinaryOp::Greater | BinaryOp::GreaterEq => {
                self.ordered(op, (left, right), wanted);
            }
            _ => {}
        }
    }

    fn ordered(&mut self, op: BinaryOp, (left, right): (&Expr, &Expr), wanted: bool) {
        let (subject, value, is_left) = match (left, right) {
            (Expr::Literal(_), Expr::Literal(_)) => return,
            (subject, Expr::Literal(Literal::Long(value))) => (subject, *value, true),
            (Expr::Literal(Literal::Long(value)), subject) => (subject, *value, false),
            _ => return,
        };
        // `5 < x` is `x > 5`, and what is not less is at least as great.
        let is_below = matches!(op, BinaryOp::Less | BinaryOp::LessEq) == is_left;
        let is_strict = matches!(op, BinaryOp::Less | BinaryOp::Greater);
        let (is_below, is_strict) = if wanted {
            (is_below, is_strict)
        } else {
            (!is_below, !is_strict)
        };
        self.learn(Subject::Of(subject.clone()), |domain| {
            domain.order(value, is_below, is_strict);
        });
    }

    /// `subject` is, or is not, one of the values.
    fn one_of(&mut self, subject: &Expr, values: &[&Literal], wanted: bool) {
        self.learn(Subject::Of(subject.clone()), |domain| {
            domain.one_of(values.iter().copied().cloned().collect(), wanted);
        });
        let entities: Option<Vec<_>> = values.iter().map(|value| entity(value)).collect();
        let Some(entities) = entities else { return };
        if is_server_of_resource(subject) {
            let names = entities.iter().map(|(_, id)| text(id)).collect();
            self.learn(Subject::Server, |server| server.one_of(names, wanted));
        } else if is_var(subject, &pst::Var::Resource) && wanted {
            self.target(&entities);
        } else if is_var(subject, &pst::Var::Principal) && wanted {
            self.callers
                .retain(|kind| entities.iter().any(|(of, _)| of == kind));
            self.caller(&entities);
        }
    }

    /// `subject in group`; only what has no members but itself, and servers, are understood.
    fn within(&mut self, subject: &Expr, group: &Expr, wanted: bool) {
        let Some(values) = literals(group) else {
            return;
        };
        let is_leaf = |value: &Literal| {
            entity(value).is_some_and(|(kind, _)| {
                CALLERS.contains(&&*kind) || THINGS.iter().any(|(thing, _)| *thing == kind)
            })
        };
        let is_target = is_var(subject, &pst::Var::Resource);
        if !is_target && !is_var(subject, &pst::Var::Principal) && !is_server_of_resource(subject) {
            return;
        }
        if wanted {
            if values.iter().all(|value| is_leaf(value)) {
                self.one_of(subject, &values, true);
            } else if !is_var(subject, &pst::Var::Principal) {
                let names: Option<Vec<_>> = values.iter().map(|value| server(value)).collect();
                if let Some(names) = names {
                    self.learn(Subject::Server, |server| server.one_of(names, true));
                }
            }
            return;
        }
        for value in values {
            let is_server = entity(value).is_some_and(|(kind, _)| kind == SERVER);
            if is_leaf(value) {
                self.one_of(subject, &[value], false);
            } else if let (true, Some(name)) = (is_server, server(value)) {
                self.learn(Subject::Server, |server| server.one_of(vec![name], false));
            }
        }
    }

    /// What follows from the target's being one of these.
    fn target(&mut self, entities: &[(String, String)]) {
        let servers: Option<Vec<_>> = entities
            .iter()
            .map(|(kind, id)| server_of(kind, id))
            .collect();
        if let Some(servers) = servers {
            self.learn(Subject::Server, |server| server.one_of(servers, true));
        }
        for attribute in ["name", "uri", "taskId"] {
            let name = |(kind, id): &(String, String)| {
                let is_named = THINGS.contains(&(&**kind, Some(attribute)));
                is_named.then(|| id.split_once('/').map(|(_, name)| text(name)))?
            };
            let names: Option<Vec<_>> = entities.iter().map(name).collect();
            if let Some(names) = names {
                self.learn(attribute_of(pst::Var::Resource, attribute), |domain| {
                    domain.one_of(names, true);
                });
            }
        }
    }

    /// What follows from the caller's being one of these: an id is `<issuer>#<subject>`, or
    /// `<issuer>#<client id>` where a client is known by its subject if it has no id.
    fn caller(&mut self, entities: &[(String, String)]) {
        let mut issuers = Vec::new();
        let mut subjects = Vec::new();
        let mut clients = Vec::new();
        for (kind, id) in entities {
            let Some((issuer, name)) = id.split_once('#').filter(|(_, name)| !name.contains('#'))
            else {
                return;
            };
            issuers.push(text(issuer));
            match &**kind {
                "Mcp::User" => subjects.push(text(name)),
                "Mcp::Client" => clients.extend([text(name), text("")]),
                _ => return,
            }
        }
        let mut learn = |attribute, values: Vec<Literal>| {
            self.learn(attribute_of(pst::Var::Principal, attribute), |domain| {
                domain.one_of(values, true);
            });
        };
        learn("issuer", issuers);
        if clients.is_empty() {
            learn("subject", subjects);
        } else if subjects.is_empty() {
            learn("clientId", clients);
        }
    }

    fn learn(&mut self, subject: Subject, about: impl FnOnce(&mut Domain)) {
        let known = self.domains.iter_mut().find(|(one, _)| *one == subject);
        if let Some((_, domain)) = known {
            about(domain);
        } else {
            let mut domain = Domain::default();
            about(&mut domain);
            self.domains.push((subject, domain));
        }
    }
}

/// What a test against a set asks of each member, where all of that is demanded: none of `x in [a, b]`
/// if it must not hold, and each of `containsAll([a, b])` if it must.
fn parts(expression: &Arc<Expr>, wanted: bool) -> Option<Vec<Arc<Expr>>> {
    let Expr::BinaryOp { op, left, right } = &**expression else {
        return None;
    };
    let Expr::Set(items) = &**right else {
        return None;
    };
    let (part, is_all) = match op {
        BinaryOp::In => (BinaryOp::In, !wanted),
        BinaryOp::ContainsAny => (BinaryOp::Contains, !wanted),
        BinaryOp::ContainsAll => (BinaryOp::Contains, wanted),
        _ => return None,
    };
    let of = |item: &Arc<Expr>| {
        Arc::new(Expr::BinaryOp {
            op: part,
            left: Arc::clone(left),
            right: Arc::clone(item),
        })
    };
    (is_all || items.len() == 1).then(|| items.iter().map(of).collect())
}

fn is_var(expression: &Expr, var: &pst::Var) -> bool {
    matches!(expression, Expr::Var(one) if one == var)
}

/// `resource.server`
fn is_server_of_resource(expression: &Expr) -> bool {
    matches!(expression, Expr::GetAttr { expr, attr }
        if attr == "server" && is_var(expr, &pst::Var::Resource))
}

fn attribute_of(var: pst::Var, name: &str) -> Subject {
    Subject::Of(Expr::GetAttr {
        expr: Arc::new(Expr::Var(var)),
        attr: name.into(),
    })
}

fn literal(expression: &Expr) -> Option<&Literal> {
    match expression {
        Expr::Literal(value) => Some(value),
        _ => None,
    }
}

/// A literal, or a set of them.
fn literals(expression: &Expr) -> Option<Vec<&Literal>> {
    match expression {
        Expr::Set(items) => items.iter().map(|item| literal(item)).collect(),
        one => Some(vec![literal(one)?]),
    }
}

/// Type and id of an entity.
fn entity(literal: &Literal) -> Option<(String, String)> {
    match literal {
        Literal::EntityUID(uid) => Some((uid.ty.to_string(), uid.eid.to_string())),
        _ => None,
    }
}

fn server(literal: &Literal) -> Option<Literal> {
    let (kind, id) = entity(literal)?;
    server_of(&kind, &id)
}

/// The name of the server that an entity is, or belongs to.
fn server_of(kind: &str, id: &str) -> Option<Literal> {
    if kind == SERVER {
        return Some(text(id));
    }
    let is_thing = THINGS.iter().any(|(thing, _)| *thing == kind);
    let (server, _) = id.split_once('/').filter(|_| is_thing)?;
    Some(text(server))
}

fn text(text: &str) -> Literal {
    Literal::String(text.into())
}
