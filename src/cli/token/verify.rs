//! `cedargate token verify`

mod issuer;
mod report;

use std::sync::Arc;

use thiserror::Error;

use self::issuer::NoAnswer;
use self::report::Report;
use crate::cli::ConfigFlag;
use crate::cli::Exit;
use crate::cli::output::Output;
use crate::cli::printable;
use crate::cli::token::inspect;
use crate::config;
use crate::config::Authenticator;
use crate::config::AuthenticatorKind;
use crate::config::Config;
use crate::config::IntrospectionRules;
use crate::config::JwtRules;
use crate::config::Resource;
use crate::config::TokenRules;
use crate::identity::credential::Authorization;
use crate::identity::credential::BearerToken;
use crate::identity::crypto;
use crate::identity::gate;
use crate::identity::gate::UnverifiedToken;
use crate::identity::introspection;
use crate::identity::introspection::IntrospectionFault;
use crate::identity::revocation::Revocations;
use crate::identity::static_token::StaticToken;
use crate::identity::step::Step;
use crate::identity::token_fault::TokenFault;
use crate::identity::verifier;
use crate::identity::verifier::VerifiedToken;
use crate::source::Clock as _;
use crate::source::clock::SystemClock;
use crate::source::revocation_file;

/// Say whether this configuration accepts a token, and why not
///
/// Goes through the checks that the sidecar makes, in its order, and says of each that it passed, up
/// to the first that fails. The issuer's keys are fetched, or the issuer is asked about the token, as
/// the configuration says. Policies play no part: `check` shows what they decide.
///
/// Give the token on standard input where you can: an argument stays in the history of the shell,
/// and other users of the machine can see it. `Bearer` in front of it is passed over.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cedargate token verify --config cedargate.yaml < token.txt
  cedargate token verify --resource weather --json < token.txt | jq -r .failed

Exit codes: 0 accepted; 1 the issuer does not answer, or the token could not be read; 2 wrong usage;
            3 invalid configuration; 5 not accepted.")]
pub(in crate::cli) struct Verify {
    /// The token; `-` or nothing reads standard input
    #[arg(value_name = "TOKEN", hide_default_value = true, default_value = "-")]
    token: String,
    /// The resource that the token is for; needed where there are several
    #[arg(long, value_name = "NAME")]
    resource: Option<String>,
    /// As a JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    file: ConfigFlag,
}

#[derive(Debug, Error)]
enum VerifyFault {
    #[error("several resources are configured: {0}; say which with `--resource`")]
    Several(String),
    #[error("no resource is named `{name}`; configured: {known}")]
    Unknown { name: String, known: String },
    #[error(transparent)]
    Issuer(#[from] NoAnswer),
    #[error("this is not a token: one word of visible characters is wanted")]
    NoToken,
}

impl Verify {
    pub(super) fn run(self, output: Output) -> Exit {
        let text = match inspect::sent(&self.token, output) {
            Ok(text) => text,
            Err(error) => return output.failure(&error),
        };
        let config = match config::load(&self.file.config) {
            Ok(loaded) => loaded.config,
            Err(faults) => return output.faults(&faults),
        };
        let revocations = match config.revocations.as_deref().map(revocation_file::load) {
            Some(Ok((list, _))) => list,
            Some(Err(faults)) => return output.faults(&faults),
            None => Revocations::default(),
        };
        let resource = match self.resource(&config) {
            Ok(resource) => resource,
            Err(fault) => return output.usage(&fault),
        };
        let token = match token(&text) {
            Ok(token) => token,
            Err(fault) => return output.failure(&fault),
        };
        if let Err(error) = crypto::install() {
            return output.failure(&error);
        }
        let case = Case {
            config: &config,
            resource,
            revocations,
            now_s: SystemClock::new().now_ms().div_euclid(1000),
            output,
        };
        let mut report = Report::new(&resource.name);
        if let Err(fault) = case.judge(&token, &mut report) {
            return output.failure(&fault);
        }
        let shown = if self.json {
            report.as_json()
        } else {
            report.in_words()
        };
        match (output.data(&printable::lines(&shown)), report.is_accepted()) {
            (Exit::Done, false) => Exit::Denied,
            (exit, _) => exit,
        }
    }

    fn resource<'a>(&self, config: &'a Config) -> Result<&'a Resource, VerifyFault> {
        let known = || {
            let names: Vec<&str> = config.resources.iter().map(|one| &*one.name).collect();
            names.join(", ")
        };
        match (&self.resource, config.resources.as_slice()) {
            (None, [only]) => Ok(only),
            (None, _) => Err(VerifyFault::Several(known())),
            (Some(name), all) => all
                .iter()
                .find(|one| *one.name == **name)
                .map(|one| &**one)
                .ok_or_else(|| VerifyFault::Unknown {
                    name: name.clone(),
                    known: known(),
                }),
        }
    }
}

/// The token as a header would carry it.
fn token(text: &str) -> Result<BearerToken, VerifyFault> {
    let text = text.trim();
    let (scheme, rest) = text.split_once(' ').unwrap_or(("", text));
    let bare = match scheme.to_ascii_lowercase().as_str() {
        "" | "bearer" | "dpop" => rest.trim_start(),
        _ => return Err(VerifyFault::NoToken),
    };
    match Authorization::from_authorization(Some(&format!("Bearer {bare}"))) {
        Ok(Authorization::Bearer(token)) => Ok(token),
        Ok(Authorization::Absent | Authorization::Dpop(_)) | Err(_) => Err(VerifyFault::NoToken),
    }
}

/// How a token is judged.
#[derive(Clone, Copy)]
enum Shape {
    /// By its signature.
    Signed,
    /// By what its issuer says of it.
    Opaque,
}

/// What a token is judged by.
struct Case<'a> {
    config: &'a Config,
    resource: &'a Resource,
    revocations: Revocations,
    now_s: i64,
    output: Output,
}

impl Case<'_> {
    fn judge(&self, token: &BearerToken, report: &mut Report) -> Result<(), VerifyFault> {
        let (length, bound) = (token.as_str().len(), self.config.limits.token);
        if length > bound {
            let fault = TokenFault::TooLong { length, bound };
            report.fail(fault.step(), fault.to_string());
            Ok(())
        } else if gate::looks_like_jws(token.as_str()) {
            self.signed(token, report)
        } else {
            self.opaque(token, report)
        }
    }

    fn accepted(&self) -> impl Iterator<Item = &Arc<Authenticator>> {
        let all = &self.config.authenticators;
        let indices = self.resource.authenticators.iter();
        indices.filter_map(|index| all.get(*index))
    }

    fn signed(&self, token: &BearerToken, report: &mut Report) -> Result<(), VerifyFault> {
        let unverified = match UnverifiedToken::parse(token.as_str(), self.config.limits.token) {
            Ok(unverified) => unverified,
            Err(fault) => {
                report.fail(fault.step(), fault.to_string());
                return Ok(());
            }
        };
        let issuer = unverified.issuer();
        let by_issuer = self.accepted().find(|one| {
            let introspected = one.kind.introspection();
            issuer_of(one) == Some(issuer)
                && introspected.is_none_or(|rules| rules.issuer_is_configured)
        });
        let found = by_issuer.or_else(|| self.lenient(issuer));
        match found.map(|one| (one, &one.kind)) {
            Some((one, AuthenticatorKind::Jwt(rules))) => {
                report.chose(&one.name);
                self.verify(&unverified, one, rules, report)
            }
            Some((one, AuthenticatorKind::Introspection(rules))) => {
                report.chose(&one.name);
                self.introspect(token, one, rules, report)
            }
            Some(_) | None => {
                let known = self.accepted().filter_map(|one| issuer_of(one));
                let known: Vec<&str> = known.collect();
                report.fail(
                    Step::Issuer,
                    format!(
                        "no authenticator of this resource has the issuer `{issuer}`, byte for byte; \
                         accepted: {}",
                        known.join(", ")
                    ),
                );
                Ok(())
            }
        }
    }

    /// The authenticator that takes any issuer that no other one has.
    fn lenient(&self, issuer: &str) -> Option<&Arc<Authenticator>> {
        let everywhere = &self.config.authenticators;
        if everywhere.iter().any(|one| one.vouches_as(issuer)) {
            return None;
        }
        self.accepted().find(
            |one| matches!(&one.kind, AuthenticatorKind::Jwt(rules) if rules.insecure_skip_issuer),
        )
    }

    fn verify(
        &self,
        token: &UnverifiedToken<'_>,
        one: &Arc<Authenticator>,
        rules: &JwtRules,
        report: &mut Report,
    ) -> Result<(), VerifyFault> {
        let keys = issuer::keys(&one.name, rules, self.output)?;
        match verifier::verify(token, &keys, rules, &one.name, self.now_s) {
            Ok(verified) => self.admit(&verified, &rules.tokens, Shape::Signed, report),
            Err(fault) => report.fail(fault.step(), fault.to_string()),
        }
        Ok(())
    }

    fn opaque(&self, token: &BearerToken, report: &mut Report) -> Result<(), VerifyFault> {
        for one in self.accepted() {
            if let AuthenticatorKind::StaticToken(rules) = &one.kind {
                let known = StaticToken::new(rules, &one.name);
                if known.matches(token) {
                    report.chose(&one.name);
                    report.passed("it is the token that the configuration names");
                    let holder = VerifiedToken::standing(Arc::clone(known.principal()));
                    self.finish(&holder, report);
                    return Ok(());
                }
            }
        }
        let asked = self
            .accepted()
            .find_map(|one| Some((one, one.kind.introspection()?)));
        if let Some((one, rules)) = asked {
            report.chose(&one.name);
            return self.introspect(token, one, rules, report);
        }
        let text = "it is no JWT and none of the static tokens, and this resource has no introspection \
                    to ask";
        report.refuse(text.to_owned());
        Ok(())
    }

    fn introspect(
        &self,
        token: &BearerToken,
        one: &Arc<Authenticator>,
        rules: &IntrospectionRules,
        report: &mut Report,
    ) -> Result<(), VerifyFault> {
        let answer = issuer::answer(&one.name, rules, token, self.output)?;
        match introspection::read(&answer, rules, &one.name, self.now_s) {
            Ok(verified) => {
                report.passed("its issuer answers, and says that it is active");
                report.passed("what the issuer says of it is well-formed and names a caller");
                self.admit(&verified, &rules.tokens, Shape::Opaque, report);
            }
            Err(fault @ (IntrospectionFault::Inactive | IntrospectionFault::Malformed(_))) => {
                report.refuse(fault.to_string());
            }
            Err(fault @ IntrospectionFault::Refused(_)) => {
                report.passed("its issuer answers, and says that it is active");
                report.refuse(fault.to_string());
            }
        }
        Ok(())
    }

    /// What is checked again on every request.
    fn admit(&self, token: &VerifiedToken, rules: &TokenRules, shape: Shape, report: &mut Report) {
        if let Err(fault) = token.admits(rules, &self.resource.audiences, self.now_s) {
            let accepted = if rules.audiences.is_empty() {
                &self.resource.audiences
            } else {
                &rules.audiences
            };
            let named: Vec<&str> = token
                .principal
                .audience
                .iter()
                .map(String::as_str)
                .collect();
            let text = format!(
                "{fault}; it is for [{}], accepted here: [{}]",
                named.join(", "),
                accepted.join(", ")
            );
            return match shape {
                Shape::Signed => report.fail(fault.step(), text),
                Shape::Opaque => report.refuse(text),
            };
        }
        match shape {
            Shape::Signed => report.passed_all(),
            Shape::Opaque => report.passed("it is valid now, and meant for this resource"),
        }
        self.finish(token, report);
    }

    fn finish(&self, token: &VerifiedToken, report: &mut Report) {
        if self.revocations.revokes(token) {
            return report.refuse("it, its subject or its client has been revoked".to_owned());
        }
        if token.binding.jkt.is_some() {
            report.note("it is bound to a key: every request needs a DPoP proof beside it");
        }
        if token.binding.x5t_s256.is_some() {
            report
                .note("it is bound to a client certificate: every request needs that certificate");
        }
        report.accept(&token.principal);
    }
}

fn issuer_of(one: &Authenticator) -> Option<&str> {
    one.kind.tokens().map(|rules| &*rules.issuer)
}
