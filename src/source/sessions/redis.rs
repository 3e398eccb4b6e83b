//! Bindings of sessions in a Redis that replicas share, each for the idle time.
//!
//! A binding is one key: the digest of the session, and in it the digest of its owner. Beside it there
//! is a sorted set for each owner, by the time of use, that bounds how many he has. Scripts look and
//! change in one step; what they answer names the session again, so that an answer that slipped
//! to another question is noticed. Redis 5 and its successors, one server; not a cluster.

mod link;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use moka::sync::Cache;
use redis::Client;
use redis::Cmd;
use redis::RedisError;
use redis::TlsCertificates;
use redis::Value;
use secrecy::ExposeSecret as _;
use thiserror::Error;

use self::link::Link;
use crate::config::RedisRules;
use crate::config::Sessions;
use crate::identity::session::SessionKey;
use crate::identity::session::SessionOwner;
use crate::source::Clock;
use crate::source::Held;
use crate::source::Holding;
use crate::source::SessionObserver;
use crate::source::SessionStore;
use crate::source::SessionStoreFault;
use crate::source::Told;
use crate::source::fetch;
use crate::source::sessions::refresh_after;

/// For so long a replica believes what Redis said of a session. A binding that Redis has lost, and that
/// somebody else has taken meanwhile, is good here for its former owner until then.
pub const REMEMBERED: Duration = Duration::from_secs(5);

/// Most sessions that are remembered so.
const MOST_REMEMBERED: u64 = 20_000;

/// Answers the session, its owner or nothing, and the milliseconds that are left.
const FIND: &str = "\
local owner = redis.call('GET', KEYS[1])
return {KEYS[1], owner or '', redis.call('PTTL', KEYS[1])}";

/// Answers the session, who holds it now, whether that is new, and how many had to go for it. The
/// books come first: what cannot be entered is not bound.
const HOLD: &str = "\
local session, own, owner = KEYS[1], KEYS[2], ARGV[1]
local idle, most = tonumber(ARGV[2]), tonumber(ARGV[3])
local held = redis.call('GET', session)
if held and held ~= owner then return {session, held, 0, 0} end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
redis.call('ZADD', own, string.format('%.0f', now), session)
redis.call('PEXPIRE', own, idle)
redis.call('SET', session, owner, 'PX', idle)
if held then return {session, owner, 0, 0} end
redis.call('ZREMRANGEBYSCORE', own, '-inf', string.format('(%.0f', now - idle * 1000))
local evicted, beyond = 0, math.min(redis.call('ZCARD', own) - most, 1000)
if beyond > 0 then
  for _, old in ipairs(redis.call('ZRANGE', own, 0, beyond - 1)) do
    redis.call('ZREM', own, old)
    if redis.call('GET', old) == owner then
      redis.call('DEL', old)
      evicted = evicted + 1
    end
  end
end
return {session, owner, 1, evicted}";

/// A Redis cannot be used at all.
#[derive(Debug, Error)]
pub enum OpenFault {
    /// The TLS library is not usable, or the certificates are not.
    #[error("the connection to Redis cannot be set up")]
    Client(#[from] RedisError),
}

/// Bindings that replicas share.
pub(super) struct RedisSessions {
    link: Arc<Link>,
    clock: Arc<dyn Clock>,
    idle: Duration,
    refresh: Duration,
    per_principal: usize,
    prefix: String,
    remembered: Cache<SessionKey, Remembered>,
}

/// What Redis said of a session. Times are monotonic.
#[derive(Clone, Copy)]
struct Remembered {
    owner: SessionOwner,
    until: Duration,
    due_at: Duration,
}

impl RedisSessions {
    /// Begins to connect, and does not wait.
    pub(super) fn open(
        config: &Sessions,
        rules: &RedisRules,
        clock: Arc<dyn Clock>,
        observer: Arc<dyn SessionObserver>,
    ) -> Result<Self, OpenFault> {
        let url = rules.url.expose_secret();
        let client = if url.starts_with("rediss:") {
            fetch::install_tls();
            let certificates = TlsCertificates {
                client_tls: None,
                root_cert: rules.ca_pem.clone(),
            };
            Client::build_with_tls(url, certificates)?
        } else {
            Client::open(url)?
        };
        Ok(Self {
            link: Link::open(client, Arc::clone(&clock), observer),
            clock,
            idle: config.idle,
            refresh: refresh_after(config.idle),
            per_principal: config.per_principal,
            prefix: rules.prefix.clone(),
            remembered: Cache::builder()
                .max_capacity(MOST_REMEMBERED)
                .time_to_live(REMEMBERED)
                .build(),
        })
    }

    fn recall(&self, session: &SessionKey) -> Option<Holding> {
        let found = self.remembered.get(session)?;
        let now = self.clock.monotonic();
        (now < found.until).then_some(Holding {
            owner: found.owner,
            due: now >= found.due_at,
        })
    }

    /// `due_in`: when the next use should be noted.
    fn remember(&self, session: SessionKey, owner: SessionOwner, due_in: Duration) {
        let now = self.clock.monotonic();
        let remembered = Remembered {
            owner,
            until: now.saturating_add(REMEMBERED),
            due_at: now.saturating_add(due_in),
        };
        self.remembered.insert(session, remembered);
    }

    async fn look(
        &self,
        session: SessionKey,
        within: Duration,
    ) -> Result<Option<Holding>, SessionStoreFault> {
        let key = self.key("session", session.as_bytes());
        let answer = self.link.ask(&eval(FIND, &[&key]), within).await?;
        let Some((holder, [left])) = read(&answer, &key) else {
            return Err(self.link.misunderstood());
        };
        self.link.understood();
        let Some(owner) = holder else {
            return Ok(None);
        };
        // Without an end, or with one further off than ours, it was written by other rules.
        let left = u64::try_from(left).map_or(Duration::ZERO, Duration::from_millis);
        let noted = self.idle.saturating_sub(left);
        let due_in = self.refresh.saturating_sub(noted);
        self.remember(session, owner, due_in);
        Ok(Some(Holding {
            owner,
            due: due_in.is_zero(),
        }))
    }

    async fn take(
        &self,
        session: SessionKey,
        owner: SessionOwner,
        within: Duration,
    ) -> Result<Held, SessionStoreFault> {
        let key = self.key("session", session.as_bytes());
        let own = self.key("sessions-of", owner.as_bytes());
        let mut command = eval(HOLD, &[&key, &own]);
        command
            .arg(text_of(owner.as_bytes()))
            .arg(u64::try_from(self.idle.as_millis()).unwrap_or(u64::MAX))
            .arg(self.per_principal);
        let answer = self.link.ask(&command, within).await?;
        let Some((Some(holder), [new, evicted])) = read(&answer, &key) else {
            return Err(self.link.misunderstood());
        };
        self.link.understood();
        if holder != owner {
            return Ok(Held::Mismatch);
        }
        self.remember(session, owner, self.refresh);
        Ok(if new == 0 {
            Held::Known
        } else {
            Held::Bound {
                evicted: u64::try_from(evicted).unwrap_or(0),
            }
        })
    }

    fn key(&self, kind: &str, digest: &[u8; 32]) -> String {
        format!("{}{kind}:{}", self.prefix, text_of(digest))
    }
}

impl SessionStore for RedisSessions {
    fn find(&self, session: SessionKey, within: Duration) -> Told<'_, Option<Holding>> {
        match self.recall(&session) {
            Some(holding) => Told::Now(Some(holding)),
            None => Told::Later(Box::pin(self.look(session, within))),
        }
    }

    fn hold(&self, session: SessionKey, owner: SessionOwner, within: Duration) -> Told<'_, Held> {
        Told::Later(Box::pin(self.take(session, owner, within)))
    }
}

impl fmt::Debug for RedisSessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisSessions").finish_non_exhaustive()
    }
}

/// The script itself each time: Redis knows it again, and no server has to be told of it before.
fn eval(script: &str, keys: &[&str]) -> Cmd {
    let mut command = redis::cmd("EVAL");
    command.arg(script).arg(keys.len());
    for key in keys {
        command.arg(*key);
    }
    command
}

/// The holder, if there is one, and the numbers of an answer that names `session`.
fn read<const N: usize>(answer: &Value, session: &str) -> Option<(Option<SessionOwner>, [i64; N])> {
    let Value::Array(items) = answer else {
        return None;
    };
    let [
        Value::BulkString(named),
        Value::BulkString(holder),
        numbers @ ..,
    ] = &**items
    else {
        return None;
    };
    if named != session.as_bytes() || numbers.len() != N {
        return None;
    }
    let mut read = [0; N];
    for (to, from) in read.iter_mut().zip(numbers) {
        let Value::Int(number) = from else {
            return None;
        };
        *to = *number;
    }
    if holder.is_empty() {
        return Some((None, read));
    }
    let digest = URL_SAFE_NO_PAD.decode(holder).ok()?;
    let digest = digest.try_into().ok()?;
    Some((Some(SessionOwner::from_bytes(digest)), read))
}

fn text_of(digest: &[u8; 32]) -> String {
    URL_SAFE_NO_PAD.encode(digest)
}

#[cfg(test)]
mod tests;
