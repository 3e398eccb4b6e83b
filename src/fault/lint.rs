//! The names of the warnings about policies: by its name each of them is known, and can be allowed.

/// A kind of warning. Operators allow one by its [`name`](Lint::name), so a name never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lint {
    /// A permit that lets strangers in.
    PermitEveryone,
    /// The same for every action on every resource.
    PermitAll,
    /// A policy that matches no request.
    ImpossiblePolicy,
    /// A forbid that an argument in another form gets around.
    EvadableForbid,
    /// A forbid that computes with arguments.
    ArithmeticInForbid,
    /// `like` on scopes.
    LikeOnScope,
    /// `like` on a URI as the client wrote it.
    LikeOnUri,
    /// An argument that no tool has.
    UnknownArgument,
    /// An argument that is read as another type than the tool declares.
    ArgumentType,
    /// An argument that may have a fraction and is read as an integer.
    ArgumentFraction,
    /// A resource of the configuration that there is not.
    UnknownServer,
    /// A group of resources that has no members.
    UnknownServerGroup,
    /// Something that a resource of the other kind would have.
    WrongResourceKind,
    /// A tool that the catalogue does not list.
    UnknownTool,
    /// A tool group that has no members.
    UnknownToolGroup,
    /// A route that its resource does not have.
    UnknownRoute,
    /// A role that nothing lists.
    UnknownRole,
    /// A group of callers that nothing lists.
    UnknownGroup,
    /// A scope that nothing lists.
    UnknownScope,
    /// A text that cannot be a scope.
    InvalidScope,
    /// An issuer that no authenticator has.
    UnknownIssuer,
    /// A user for whom no static token stands.
    UnknownUser,
    /// A client that `dev_tokens` does not have.
    UnknownClient,
    /// An API key that the configuration does not have.
    UnknownApiKey,
    /// An id that is not of the form of its type.
    InvalidId,
    /// An `inputSchema` that cannot be used.
    InvalidInputSchema,
    /// An annotation that looks like one with a meaning.
    UnknownAnnotation,
    /// Letters of several scripts in one word.
    MixedScript,
    /// Characters that turn the direction of text.
    BidiCharacters,
    /// A name that looks like another one.
    ConfusableIdentifier,
}

impl Lint {
    /// Every one, in the order of the documentation.
    pub const ALL: [Self; 30] = [
        Self::PermitEveryone,
        Self::PermitAll,
        Self::ImpossiblePolicy,
        Self::EvadableForbid,
        Self::ArithmeticInForbid,
        Self::LikeOnScope,
        Self::LikeOnUri,
        Self::UnknownArgument,
        Self::ArgumentType,
        Self::ArgumentFraction,
        Self::UnknownServer,
        Self::UnknownServerGroup,
        Self::WrongResourceKind,
        Self::UnknownTool,
        Self::UnknownToolGroup,
        Self::UnknownRoute,
        Self::UnknownRole,
        Self::UnknownGroup,
        Self::UnknownScope,
        Self::InvalidScope,
        Self::UnknownIssuer,
        Self::UnknownUser,
        Self::UnknownClient,
        Self::UnknownApiKey,
        Self::InvalidId,
        Self::InvalidInputSchema,
        Self::UnknownAnnotation,
        Self::MixedScript,
        Self::BidiCharacters,
        Self::ConfusableIdentifier,
    ];

    /// The name by which reports show it and operators allow it.
    pub fn name(self) -> &'static str {
        match self {
            Self::PermitEveryone => "permit-everyone",
            Self::PermitAll => "permit-all",
            Self::ImpossiblePolicy => "impossible-policy",
            Self::EvadableForbid => "evadable-forbid",
            Self::ArithmeticInForbid => "arithmetic-in-forbid",
            Self::LikeOnScope => "like-on-scope",
            Self::LikeOnUri => "like-on-uri",
            Self::UnknownArgument => "unknown-argument",
            Self::ArgumentType => "argument-type",
            Self::ArgumentFraction => "argument-fraction",
            Self::UnknownServer => "unknown-server",
            Self::UnknownServerGroup => "unknown-server-group",
            Self::WrongResourceKind => "wrong-resource-kind",
            Self::UnknownTool => "unknown-tool",
            Self::UnknownToolGroup => "unknown-tool-group",
            Self::UnknownRoute => "unknown-route",
            Self::UnknownRole => "unknown-role",
            Self::UnknownGroup => "unknown-group",
            Self::UnknownScope => "unknown-scope",
            Self::InvalidScope => "invalid-scope",
            Self::UnknownIssuer => "unknown-issuer",
            Self::UnknownUser => "unknown-user",
            Self::UnknownClient => "unknown-client",
            Self::UnknownApiKey => "unknown-api-key",
            Self::InvalidId => "invalid-id",
            Self::InvalidInputSchema => "invalid-input-schema",
            Self::UnknownAnnotation => "unknown-annotation",
            Self::MixedScript => "mixed-script",
            Self::BidiCharacters => "bidi-characters",
            Self::ConfusableIdentifier => "confusable-identifier",
        }
    }

    /// Every name, in the same order.
    pub fn names() -> Vec<&'static str> {
        Self::ALL.into_iter().map(Self::name).collect()
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|lint| lint.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_kebab_case_and_lead_back() {
        let kebab = |name: &str| {
            name.split('-')
                .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase()))
        };
        for lint in Lint::ALL {
            assert!(kebab(lint.name()), "{}", lint.name());
            assert_eq!(Lint::named(lint.name()), Some(lint));
        }
        let distinct: BTreeSet<_> = Lint::names().into_iter().collect();
        assert_eq!(distinct.len(), Lint::ALL.len());
        assert_eq!(Lint::named("Permit-All"), None);
    }
}
