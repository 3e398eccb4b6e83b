//! What an expression waits for: the parts of a request that it reads.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "Cedar's syntax tree is open-ended: what is not known here says nothing by itself"
)]

use cedar_policy::pst;
use cedar_policy::pst::BinaryOp;
use cedar_policy::pst::Expr;

use crate::policy::guard;
use crate::policy::reads;
use crate::policy::reads::Fields;

/// The attributes of a target that are its name, or follow from it.
const OF_NAME: [&str; 4] = ["uri", "scheme", "name", "taskId"];
/// The attributes of a route that every request sets anew.
const OF_PATH: [&str; 2] = ["host", "path"];

/// What an expression waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "four parts of a request, any of which may be read"
)]
pub(super) struct Waits {
    pub(super) context: bool,
    /// The target's name.
    pub(super) name: bool,
    /// A route's host or path.
    pub(super) path: bool,
    /// Not waited for, but read: caller or target.
    pub(super) entities: bool,
}

impl Waits {
    /// As its parts say.
    pub(super) fn of(expression: &Expr) -> Self {
        let either = |a: bool, b: bool| a || b;
        Self {
            context: reads::of(expression) != Fields::NONE,
            name: expression.reduce(&reads_name, &either, false),
            path: expression.reduce(&reads_path, &either, false),
            entities: expression.reduce(&reads_entities, &either, false),
        }
    }

    /// Whether no request has a part in it, whatever is left open of the target.
    pub(super) fn for_nothing(self) -> bool {
        !self.context && !self.name && !self.path
    }
}

/// Whether the target's name has a part in it; absent where its parts say.
fn reads_name(expression: &Expr) -> Option<bool> {
    match expression {
        Expr::GetAttr { expr, attr } if is_resource(expr) => Some(OF_NAME.contains(&&**attr)),
        Expr::HasAttr { expr, .. }
        | Expr::Is {
            expr,
            in_expr: None,
            ..
        } if is_resource(expr) => Some(false),
        // Only a server, a group of servers or of tools holds what has any name.
        Expr::BinaryOp {
            op: BinaryOp::In,
            left,
            right,
        } if is_resource(left) => guard::entities(right).map(|all| {
            let containers = ["Mcp::Server", "Mcp::ServerGroup", "Mcp::ToolGroup"];
            !all.iter()
                .all(|uid| containers.contains(&&*uid.type_name().to_string()))
        }),
        Expr::Var(pst::Var::Resource) => Some(true),
        _ => None,
    }
}

/// Whether caller or target have a part in it; absent where its parts say.
fn reads_entities(expression: &Expr) -> Option<bool> {
    match expression {
        Expr::Var(pst::Var::Principal | pst::Var::Resource) => Some(true),
        _ => None,
    }
}

/// Whether host or path of a route has a part in it; absent where its parts say.
fn reads_path(expression: &Expr) -> Option<bool> {
    match expression {
        Expr::GetAttr { attr, .. } if OF_PATH.contains(&&**attr) => Some(true),
        _ => None,
    }
}

fn is_resource(expression: &Expr) -> bool {
    matches!(expression, Expr::Var(pst::Var::Resource))
}
