//! What an expression comes to for a stranger, of whom everything is known.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "Cedar's syntax tree is open-ended: what is not known here is as its parts are"
)]

use std::cell::OnceCell;
use std::sync::Arc;

use cedar_policy::Authorizer;
use cedar_policy::Context;
use cedar_policy::Decision;
use cedar_policy::Entities;
use cedar_policy::Request;
use cedar_policy::pst;
use cedar_policy::pst::Expr;

use crate::policy::facts;
use crate::policy::shape;
use crate::policy::vocabulary;
use crate::policy::vocabulary::Vocabulary;
use crate::request::Action;

/// A stranger who asks for something.
pub(super) struct Stranger<'a> {
    vocabulary: &'a Vocabulary,
    /// Made when it is first asked; absent where Cedar refuses it.
    asks: OnceCell<Option<(Request, Entities)>>,
}

/// What an expression looks at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Looks {
    /// The caller.
    pub(super) at_caller: bool,
    /// Action, resource or context.
    pub(super) elsewhere: bool,
}

impl Looks {
    pub(super) fn of(expression: &Expr) -> Self {
        let here = |one: &Expr| match one {
            Expr::Var(pst::Var::Principal) => Some(Self {
                at_caller: true,
                elsewhere: false,
            }),
            Expr::Var(_) => Some(Self {
                at_caller: false,
                elsewhere: true,
            }),
            _ => None,
        };
        let both = |a: Self, b: Self| Self {
            at_caller: a.at_caller || b.at_caller,
            elsewhere: a.elsewhere || b.elsewhere,
        };
        expression.reduce(&here, &both, Self::default())
    }
}

impl<'a> Stranger<'a> {
    pub(super) fn new(vocabulary: &'a Vocabulary) -> Self {
        Self {
            vocabulary,
            asks: OnceCell::new(),
        }
    }

    /// The value of an expression that looks at nothing but the caller; absent where it fails.
    pub(super) fn answer(&self, expression: &Arc<Expr>) -> Option<bool> {
        let (request, entities) = self.asks.get_or_init(|| self.ask()).as_ref()?;
        let asked = shape::asked(expression)?;
        let response = Authorizer::new().is_authorized(request, &asked, entities);
        let failed = response.diagnostics().errors().next().is_some();
        (!failed).then(|| response.decision() == Decision::Allow)
    }

    fn ask(&self) -> Option<(Request, Entities)> {
        let entity = facts::stranger(self.vocabulary)?;
        let server = vocabulary::uid(&self.vocabulary.server, "any");
        let action = self.vocabulary.action(Action::Ping)?;
        let request = Request::new(
            entity.uid(),
            action.uid.clone(),
            server,
            Context::empty(),
            None,
        );
        let entities = Entities::from_entities([entity], None);
        request.ok().zip(entities.ok())
    }
}
