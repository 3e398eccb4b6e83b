//! The Redis store against a Redis that is slow, down, or lies.

#![expect(clippy::arithmetic_side_effects, reason = "small numbers in tests")]

mod endless;

use std::sync::Mutex;

use secrecy::SecretString;
use tokio::io::AsyncBufReadExt as _;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::io::BufReader;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::*;
use crate::config::SessionStoreKind;
use crate::source::testing::HandClock;

/// From the key of the session to what is sent back; nothing: it hangs.
type Script = Box<dyn Fn(&str) -> Option<Vec<u8>> + Send>;

/// A server that knows how questions are sent, and answers by script.
struct FakeRedis {
    port: u16,
    script: Arc<Mutex<Script>>,
    asked: Arc<Mutex<Vec<Vec<String>>>>,
    task: JoinHandle<()>,
}

impl FakeRedis {
    async fn start(script: impl Fn(&str) -> Option<Vec<u8>> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let script: Arc<Mutex<Script>> = Arc::new(Mutex::new(Box::new(script)));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (scripts, questions) = (Arc::clone(&script), Arc::clone(&asked));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&scripts), Arc::clone(&questions)));
            }
        });
        Self {
            port,
            script,
            asked,
            task,
        }
    }

    fn answer(&self, script: impl Fn(&str) -> Option<Vec<u8>> + Send + 'static) {
        *self.script.lock().unwrap() = Box::new(script);
    }

    fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    fn last(&self) -> Vec<String> {
        self.asked.lock().unwrap().last().unwrap().clone()
    }
}

impl Drop for FakeRedis {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(stream: TcpStream, script: Arc<Mutex<Script>>, asked: Arc<Mutex<Vec<Vec<String>>>>) {
    let mut stream = BufReader::new(stream);
    while let Some(words) = question(&mut stream).await {
        let answer = if words[0] == "EVAL" {
            let answer = (script.lock().unwrap())(&words[3]);
            asked.lock().unwrap().push(words);
            answer
        } else {
            Some(b"+OK\r\n".to_vec())
        };
        if let Some(answer) = answer
            && stream.write_all(&answer).await.is_err()
        {
            return;
        }
    }
}

/// A command: an array of bulk strings.
async fn question(stream: &mut BufReader<TcpStream>) -> Option<Vec<String>> {
    async fn number(stream: &mut BufReader<TcpStream>) -> Option<usize> {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        line.get(1..)?.trim_end().parse().ok()
    }
    let mut words = Vec::new();
    for _ in 0..number(stream).await? {
        let mut bytes = vec![0; number(stream).await? + 2];
        stream.read_exact(&mut bytes).await.ok()?;
        bytes.truncate(bytes.len() - 2);
        words.push(String::from_utf8(bytes).unwrap());
    }
    Some(words)
}

#[derive(Debug, Default)]
struct Seen(Mutex<Vec<&'static str>>);

impl SessionObserver for Seen {
    fn asked(&self, outcome: &'static str) {
        self.0.lock().unwrap().push(outcome);
    }
}

struct Stage {
    clock: Arc<HandClock>,
    seen: Arc<Seen>,
    store: RedisSessions,
}

fn stage(port: u16) -> Stage {
    let clock = Arc::new(HandClock::default());
    let seen = Arc::new(Seen::default());
    let rules = RedisRules {
        url: SecretString::from(format!("redis://127.0.0.1:{port}")),
        shown: String::new(),
        prefix: "p:".to_owned(),
        ca_pem: None,
        insecure_allow_plaintext: false,
    };
    let config = Sessions {
        store: SessionStoreKind::Memory,
        idle: Duration::from_secs(160),
        per_principal: 7,
    };
    let told: Arc<dyn Clock> = Arc::<HandClock>::clone(&clock);
    let observer: Arc<dyn SessionObserver> = Arc::<Seen>::clone(&seen);
    let store = RedisSessions::open(&config, &rules, told, observer);
    Stage {
        clock,
        seen,
        store: store.unwrap(),
    }
}

const LONG: Duration = Duration::from_secs(5);
const SHORT: Duration = Duration::from_millis(50);

fn session(n: usize) -> SessionKey {
    SessionKey::of("weather", &format!("s{n}")).unwrap()
}

fn owner(n: u8) -> SessionOwner {
    SessionOwner::from_bytes([n; 32])
}

fn bulk(text: &str) -> String {
    format!("${}\r\n{text}\r\n", text.len())
}

/// An answer in the form of the scripts.
fn answer(session: &str, owner: Option<SessionOwner>, numbers: &[i64]) -> Vec<u8> {
    let owner = owner.map_or_else(String::new, |owner| text_of(owner.as_bytes()));
    let numbers: Vec<String> = numbers.iter().map(|n| format!(":{n}\r\n")).collect();
    let count = numbers.len() + 2;
    let text = format!("*{count}\r\n{}{}", bulk(session), bulk(&owner));
    (text + &numbers.concat()).into_bytes()
}

impl Stage {
    async fn find(&self, n: usize) -> Result<Option<Holding>, SessionStoreFault> {
        self.store.find(session(n), LONG).get().await
    }

    async fn hold(&self, n: usize) -> Result<Held, SessionStoreFault> {
        self.store.hold(session(n), owner(1), LONG).get().await
    }

    fn outcomes(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.seen.0.lock().unwrap())
    }
}

#[tokio::test]
async fn what_redis_says_is_believed_for_a_while() {
    let redis = FakeRedis::start(|key| Some(answer(key, Some(owner(1)), &[160_000]))).await;
    let stage = stage(redis.port);
    let mine = |due| {
        Ok(Some(Holding {
            owner: owner(1),
            due,
        }))
    };
    assert_eq!(stage.find(1).await, mine(false));
    assert_eq!(stage.find(1).await, mine(false));
    assert_eq!(redis.asked(), 1, "the second time it was at hand");
    assert!(matches!(stage.store.find(session(1), LONG), Told::Now(_)));
    stage.clock.pass(REMEMBERED);
    redis.answer(|key| Some(answer(key, None, &[-2])));
    assert_eq!(stage.find(1).await, Ok(None));
    assert_eq!(stage.find(1).await, Ok(None));
    assert_eq!(redis.asked(), 3, "what is nobody's is asked for each time");
    assert_eq!(stage.outcomes(), ["ok"; 3]);
    let asked = redis.last();
    let key = format!("p:session:{}", text_of(session(1).as_bytes()));
    assert_eq!(asked[2..], ["1", &key]);
}

#[tokio::test]
async fn a_use_is_due_by_the_time_that_is_left() {
    let redis = FakeRedis::start(|_| None).await;
    let stage = stage(redis.port);
    for (n, left, due) in [
        (0, 160_000, false),
        (1, 150_001, false),
        (2, 150_000, true),
        (3, 1, true),
        (4, -1, true),
        (5, 900_000_000, false),
    ] {
        redis.answer(move |key| Some(answer(key, Some(owner(1)), &[left])));
        let found = stage.find(n).await.unwrap().unwrap();
        assert_eq!(found.due, due, "{left}");
    }
    redis.answer(move |key| Some(answer(key, Some(owner(1)), &[152_000])));
    assert!(!stage.find(6).await.unwrap().unwrap().due);
    stage.clock.pass(Duration::from_secs(2));
    let found = stage.find(6).await.unwrap().unwrap();
    assert!(found.due, "also of what is remembered");
}

#[tokio::test]
async fn who_holds_a_session_afterwards_has_it() {
    let redis = FakeRedis::start(|key| Some(answer(key, Some(owner(1)), &[1, 3]))).await;
    let stage = stage(redis.port);
    assert_eq!(stage.hold(1).await, Ok(Held::Bound { evicted: 3 }));
    let asked = redis.last();
    let own = format!("p:sessions-of:{}", text_of(owner(1).as_bytes()));
    assert_eq!(asked[2], "2");
    assert_eq!(asked[4], own);
    assert_eq!(asked[5..], [&text_of(owner(1).as_bytes()), "160000", "7"]);
    let found = stage.find(1).await.unwrap().unwrap();
    assert_eq!((found.owner, found.due), (owner(1), false));
    assert_eq!(redis.asked(), 1, "it is remembered");
    redis.answer(|key| Some(answer(key, Some(owner(1)), &[0, 0])));
    assert_eq!(stage.hold(1).await, Ok(Held::Known));
    redis.answer(|key| Some(answer(key, Some(owner(2)), &[1, 0])));
    assert_eq!(stage.hold(2).await, Ok(Held::Mismatch));
}

/// Answers that are none: each is a fault, and the next good answer is understood again.
#[tokio::test]
async fn a_lie_lets_nobody_in_and_lasts_no_longer_than_itself() {
    let redis = FakeRedis::start(|_| None).await;
    let stage = stage(redis.port);
    let text = |text: &'static str| -> Script { Box::new(move |_| Some(text.into())) };
    let other = text_of(session(99).as_bytes());
    let (other, own) = (format!("p:session:{other}"), text_of(owner(1).as_bytes()));
    let slipped = answer(&other, Some(owner(1)), &[160_000]);
    let slipped_hold = answer(&other, Some(owner(1)), &[1, 0]);
    let with = move |holder: String| -> Script {
        Box::new(move |key| {
            let key = bulk(key);
            Some(format!("*3\r\n{key}{holder}:160000\r\n").into_bytes())
        })
    };
    let lies: Vec<Script> = vec![
        text("$-1\r\n"),
        text("*-1\r\n"),
        text("*0\r\n"),
        text("+OK\r\n"),
        text(":1\r\n"),
        text("$0\r\n\r\n"),
        text("-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
        text("-ERR \r\n"),
        text("-\r\n"),
        text("-READONLY You can't write against a read only replica.\r\n"),
        text("-LOADING Redis is loading the dataset in memory\r\n"),
        text("-NOAUTH Authentication required.\r\n"),
        text("-MOVED 1 127.0.0.1:1\r\n"),
        text("HTTP/1.1 400 Bad Request\r\n\r\n"),
        text("\0\0\0\0\r\n"),
        text("*x\r\n"),
        text("$x\r\n"),
        text("%1\r\n+a\r\n+b\r\n"),
        text("#t\r\n"),
        Box::new(move |_| Some(slipped.clone())),
        Box::new(move |_| Some(slipped_hold.clone())),
        Box::new(|key| Some(answer(key, Some(owner(1)), &[]))),
        Box::new(|key| Some(answer(key, Some(owner(1)), &[1, 2, 3]))),
        Box::new(|key| Some(answer(key, None, &[0, 0, 0]))),
        with(bulk("alice")),
        with(bulk(own.trim_start_matches('A'))),
        with(bulk(&format!("{own}A"))),
        with(bulk(&own.replace('A', "!"))),
        with("$-1\r\n".to_owned()),
        with(":1\r\n".to_owned()),
        with("-ERR\r\n".to_owned()),
        with("*0\r\n".to_owned()),
    ];
    for (n, lie) in lies.into_iter().enumerate() {
        *redis.script.lock().unwrap() = lie;
        let found = stage.find(n).await;
        assert!(found.is_err(), "{n}: {found:?}");
        let held = stage.hold(n).await;
        assert!(held.is_err(), "{n}: {held:?}");
        assert_eq!(stage.outcomes(), ["error"; 2], "{n}");
        redis.answer(|key| Some(answer(key, Some(owner(1)), &[0, 0])));
        assert_eq!(stage.hold(n).await, Ok(Held::Known), "{n}");
        stage.outcomes();
        stage.store.remembered.invalidate_all();
    }
}

/// Lengths that announce more than ever comes: waited for no longer than the check lasts, and not
/// made room for.
#[tokio::test]
async fn what_never_comes_whole_is_not_waited_for() {
    for lie in [
        "*3\r\n",
        "*2147483647\r\n",
        "*9223372036854775807\r\n",
        "$2147483647\r\n",
        "$9223372036854775807\r\n",
        "%4611686018427387904\r\n",
        "~9223372036854775807\r\n",
        ">9223372036854775807\r\n",
        "*1\r\n",
        "$5\r\nab",
        "+",
    ] {
        let redis = FakeRedis::start(move |_| Some(lie.into())).await;
        let stage = stage(redis.port);
        let found = stage.store.find(session(1), SHORT).get().await;
        assert!(found.is_err(), "{lie:?}: {found:?}");
    }
}

#[tokio::test]
async fn a_redis_that_hangs_costs_the_time_that_is_allowed() {
    let redis = FakeRedis::start(|_| None).await;
    let stage = stage(redis.port);
    let found = timeout(LONG, stage.store.find(session(1), SHORT).get()).await;
    assert_eq!(found, Ok(Err(SessionStoreFault::TimedOut)));
    redis.answer(|key| Some(answer(key, None, &[-2])));
    let late = stage.store.find(session(1), SHORT).get().await;
    let slipped = "the answer on the old connection would be to the question before";
    assert_eq!(late, Err(SessionStoreFault::TimedOut), "{slipped}");
    stage.clock.pass(Duration::from_secs(1));
    let given_up = stage.store.find(session(1), SHORT).get().await;
    assert_eq!(given_up, Err(SessionStoreFault::TimedOut));
    assert_eq!(stage.find(1).await, Ok(None), "on a new connection");
    assert_eq!(stage.outcomes(), ["timeout", "timeout", "timeout", "ok"]);
}

#[tokio::test]
async fn a_redis_that_is_down_is_tried_now_and_then() {
    let redis = FakeRedis::start(|key| Some(answer(key, None, &[-2]))).await;
    let port = redis.port;
    drop(redis);
    tokio::task::yield_now().await;
    let stage = stage(port);
    assert_eq!(stage.find(1).await, Err(SessionStoreFault::Unreachable));
    let listener = loop {
        match TcpListener::bind(("127.0.0.1", port)).await {
            Ok(listener) => break listener,
            Err(_) => tokio::time::sleep(SHORT).await,
        }
    };
    let script: Script = Box::new(|key| Some(answer(key, None, &[-2])));
    let script = Arc::new(Mutex::new(script));
    let task = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, Arc::clone(&script), Arc::default()));
        }
    });
    let at_once = stage.find(1).await;
    assert_eq!(at_once, Err(SessionStoreFault::Unreachable), "not tried");
    stage.clock.pass(link::PAUSE);
    assert_eq!(stage.find(1).await, Ok(None), "it is back");
    task.abort();
}

#[test]
fn a_store_prints_nothing_of_its_connection() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _entered = runtime.enter();
    let shown = format!("{:?}", stage(1).store);
    assert_eq!(shown, "RedisSessions { .. }");
}
