//! The one table: what each reason means on the wire.

use super::Reason;

/// A gRPC status code of a refusal. There is no variant for 0: the proxy would let the request
/// pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DenyCode {
    /// `INVALID_ARGUMENT`
    InvalidArgument,
    /// `NOT_FOUND`
    NotFound,
    /// `PERMISSION_DENIED`
    PermissionDenied,
    /// `UNAVAILABLE`
    Unavailable,
    /// `UNAUTHENTICATED`
    Unauthenticated,
}

impl DenyCode {
    /// The number of `google.rpc.Code`.
    pub fn number(self) -> i32 {
        match self {
            Self::InvalidArgument => 3,
            Self::NotFound => 5,
            Self::PermissionDenied => 7,
            Self::Unavailable => 14,
            Self::Unauthenticated => 16,
        }
    }
}

/// The HTTP status of a refusal (RFC 9110, section 15).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DenyStatus {
    /// 400
    BadRequest,
    /// 401
    Unauthorized,
    /// 403
    Forbidden,
    /// 404
    NotFound,
    /// 503
    ServiceUnavailable,
}

impl DenyStatus {
    /// The number.
    pub fn number(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::Unauthorized => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::ServiceUnavailable => 503,
        }
    }
}

/// What the `WWW-Authenticate` line of a refusal says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChallengeForm {
    /// There is none.
    None,
    /// There is none, unless the credential was presented wrongly: then `invalid_request`.
    CredentialFaultOnly,
    /// Where to get a token, and no `error` (RFC 6750, section 3.1).
    Invitation,
    /// `error="invalid_token"` with a description.
    InvalidToken,
    /// `error="insufficient_scope"` with every scope that the operation needs.
    InsufficientScope,
}

/// One row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The HTTP status.
    pub http: DenyStatus,
    /// The gRPC code.
    pub grpc: DenyCode,
    /// The code of the JSON-RPC error object.
    pub rpc: i32,
    /// The challenge.
    pub challenge: ChallengeForm,
    /// What the client is told when nothing better is known.
    pub text: &'static str,
}

/// What `reason` means on the wire. [`Reason::Allowed`] has no refusal of its own: asked for one,
/// the table answers with an internal error.
pub fn row(reason: Reason) -> Row {
    use ChallengeForm as C;
    use DenyCode as G;
    use DenyStatus as H;
    let (http, grpc, rpc, challenge) = match reason {
        Reason::MissingCredential => (H::Unauthorized, G::Unauthenticated, 40100, C::Invitation),
        Reason::InvalidCredential => (H::Unauthorized, G::Unauthenticated, 40100, C::InvalidToken),
        Reason::InsufficientScope => (
            H::Forbidden,
            G::PermissionDenied,
            40300,
            C::InsufficientScope,
        ),
        Reason::NotPermitted
        | Reason::OriginNotAllowed
        | Reason::SessionMismatch
        | Reason::PolicyError => (H::Forbidden, G::PermissionDenied, 40300, C::None),
        Reason::MalformedRequest => (
            H::BadRequest,
            G::InvalidArgument,
            -32602,
            C::CredentialFaultOnly,
        ),
        Reason::HeaderMismatch => (H::BadRequest, G::InvalidArgument, -32020, C::None),
        Reason::UnsupportedVersion => (H::BadRequest, G::InvalidArgument, -32022, C::None),
        Reason::UnknownResource => (H::NotFound, G::NotFound, 40400, C::None),
        Reason::Allowed | Reason::IssuerUnavailable | Reason::InternalError => {
            (H::ServiceUnavailable, G::Unavailable, 50300, C::None)
        }
    };
    Row {
        http,
        grpc,
        rpc,
        challenge,
        text: text(reason),
    }
}

fn text(reason: Reason) -> &'static str {
    match reason {
        Reason::MissingCredential => "this needs an access token",
        Reason::InvalidCredential => "the credential is not valid",
        Reason::InsufficientScope => "the token lacks a scope that this needs",
        Reason::NotPermitted => "no policy allows this",
        Reason::MalformedRequest => "the request cannot be read in exactly one way",
        Reason::HeaderMismatch => "a protocol header does not match the body",
        Reason::UnsupportedVersion => "the protocol version is not supported",
        Reason::OriginNotAllowed => "the origin is not allowed",
        Reason::SessionMismatch => {
            "the session belongs to another caller; start a new one with initialize"
        }
        Reason::UnknownResource => "nothing is configured for this host and path",
        Reason::PolicyError => "a policy that might forbid this failed to evaluate",
        Reason::IssuerUnavailable => {
            "the token cannot be checked at the moment; keep it and try again"
        }
        Reason::Allowed | Reason::InternalError => "the check failed; try again",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_refusal_can_pass_for_an_allow() {
        for reason in Reason::ALL {
            let row = row(reason);
            assert_ne!(row.grpc.number(), 0, "{reason:?}");
            assert!(row.http.number() >= 400, "{reason:?}");
        }
    }

    #[test]
    fn a_401_always_challenges_and_only_a_503_asks_to_keep_the_token() {
        for reason in Reason::ALL {
            let row = row(reason);
            let challenges = matches!(
                row.challenge,
                ChallengeForm::Invitation | ChallengeForm::InvalidToken
            );
            assert_eq!(
                row.http == DenyStatus::Unauthorized,
                challenges,
                "{reason:?}"
            );
        }
        assert_eq!(row(Reason::IssuerUnavailable).http.number(), 503);
    }

    #[test]
    fn texts_are_fit_for_a_quoted_string() {
        for reason in Reason::ALL {
            assert!(!row(reason).text.contains(['"', '\\', '=']), "{reason:?}");
        }
    }
}
