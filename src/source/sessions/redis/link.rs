//! One connection to a Redis for all questions, made again when it breaks or goes silent.

use std::fmt;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use redis::AsyncConnectionConfig;
use redis::Client;
use redis::Cmd;
use redis::ErrorKind;
use redis::RedisError;
use redis::ServerErrorKind;
use redis::Value;
use redis::aio::MultiplexedConnection;
use tokio::sync::watch;

use crate::source::Clock;
use crate::source::SessionObserver;
use crate::source::SessionStoreFault;
use crate::source::quiet::Quiet;

/// Longest time that making a connection may take.
pub(super) const CONNECT: Duration = Duration::from_secs(1);

/// After a connection could not be made, none is tried for so long: whoever asks is refused at once.
pub(super) const PAUSE: Duration = Duration::from_millis(500);

/// A connection on which questions have timed out for so long, and none was answered, is given up.
const SILENCE: Duration = Duration::from_secs(1);

/// Questions that may wait to be sent.
const WAITING: usize = 1_024;

/// Most of an error's text that is logged, in characters: the other side wrote it.
const LOGGED: usize = 200;

/// The connection, and how it does.
pub(super) struct Link {
    client: Client,
    clock: Arc<dyn Clock>,
    observer: Arc<dyn SessionObserver>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    stage: Stage,
    /// How many connections there were.
    number: u64,
    /// Since when nothing has been answered, where something has timed out; monotonic.
    silent_since: Option<Duration>,
    failing: bool,
    failures: Quiet,
}

#[derive(Default)]
enum Stage {
    #[default]
    New,
    /// No connection is tried before then; monotonic.
    Down(Duration),
    /// Closes when it is known how it went.
    Connecting(watch::Receiver<()>),
    Up(MultiplexedConnection),
}

impl Link {
    /// Begins to connect, and does not wait.
    pub(super) fn open(
        client: Client,
        clock: Arc<dyn Clock>,
        observer: Arc<dyn SessionObserver>,
    ) -> Arc<Self> {
        let link = Arc::new(Self {
            client,
            clock,
            observer,
            state: Mutex::default(),
        });
        drop(link.begin(&mut link.lock()));
        link
    }

    /// Sends one command, and waits for its answer at most `within`.
    pub(super) async fn ask(
        self: &Arc<Self>,
        command: &Cmd,
        within: Duration,
    ) -> Result<Value, SessionStoreFault> {
        let asked = tokio::time::timeout(within, self.send(command)).await;
        let answer = asked.unwrap_or_else(|_| {
            self.timed_out();
            Err(SessionStoreFault::TimedOut)
        });
        if let Err(fault) = &answer {
            self.observer.asked(fault.label());
        }
        answer
    }

    /// The answer of a command was an answer to it.
    pub(super) fn understood(&self) {
        self.observer.asked("ok");
        let mut state = self.lock();
        state.silent_since = None;
        if std::mem::take(&mut state.failing) {
            tracing::info!("the session store answers again");
        }
    }

    /// An answer was not one to what was asked: the next ones would be no better.
    pub(super) fn misunderstood(&self) -> SessionStoreFault {
        self.observer.asked(SessionStoreFault::Unreadable.label());
        let mut state = self.lock();
        self.tell(&mut state, &"an answer to something else");
        if matches!(state.stage, Stage::Up(_)) {
            state.stage = Stage::New;
        }
        SessionStoreFault::Unreadable
    }

    async fn send(self: &Arc<Self>, command: &Cmd) -> Result<Value, SessionStoreFault> {
        let (mut connection, number) = self.connection().await?;
        let sent = connection.send_packed_command(command).await;
        sent.and_then(Value::extract_error)
            .map_err(|error| self.failed(&error, number))
    }

    async fn connection(
        self: &Arc<Self>,
    ) -> Result<(MultiplexedConnection, u64), SessionStoreFault> {
        let connecting = {
            let mut state = self.lock();
            match &state.stage {
                Stage::Up(connection) => return Ok((connection.clone(), state.number)),
                Stage::Down(until) if self.clock.monotonic() < *until => {
                    return Err(SessionStoreFault::Unreachable);
                }
                Stage::Connecting(connecting) if connecting.has_changed().is_ok() => {
                    connecting.clone()
                }
                Stage::New | Stage::Down(_) | Stage::Connecting(_) => self.begin(&mut state),
            }
        };
        let mut connecting = connecting;
        // Nothing is ever sent: it ends when the sender goes.
        drop(connecting.changed().await);
        let state = self.lock();
        match &state.stage {
            Stage::Up(connection) => Ok((connection.clone(), state.number)),
            Stage::New | Stage::Down(_) | Stage::Connecting(_) => {
                Err(SessionStoreFault::Unreachable)
            }
        }
    }

    /// A task of its own: whoever asked may go before it ends.
    fn begin(self: &Arc<Self>, state: &mut State) -> watch::Receiver<()> {
        let (done, connecting) = watch::channel(());
        state.stage = Stage::Connecting(connecting.clone());
        let link = Arc::clone(self);
        tokio::spawn(async move {
            let config = AsyncConnectionConfig::new()
                .set_connection_timeout(Some(CONNECT))
                .set_response_timeout(None)
                .set_pipeline_buffer_size(WAITING);
            let made = link
                .client
                .get_multiplexed_async_connection_with_config(&config);
            let made = tokio::time::timeout(CONNECT, made).await;
            link.connected(made.map_err(|_| "no connection in time"));
            drop(done);
        });
        connecting
    }

    fn connected(&self, made: Result<Result<MultiplexedConnection, RedisError>, &'static str>) {
        let mut state = self.lock();
        let error = match made {
            Ok(Ok(connection)) => {
                state.stage = Stage::Up(connection);
                state.number = state.number.saturating_add(1);
                state.silent_since = None;
                return;
            }
            Ok(Err(error)) => short(&error),
            Err(why) => why.to_owned(),
        };
        state.stage = Stage::Down(self.clock.monotonic().saturating_add(PAUSE));
        self.tell(&mut state, &error);
    }

    fn failed(&self, error: &RedisError, number: u64) -> SessionStoreFault {
        let mut state = self.lock();
        self.tell(&mut state, &short(error));
        let demoted = matches!(
            error.kind(),
            ErrorKind::Server(ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown)
        );
        let broken = error.is_unrecoverable_error() || demoted;
        if broken && state.number == number && matches!(state.stage, Stage::Up(_)) {
            state.stage = Stage::New;
        }
        if matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension) {
            SessionStoreFault::Refused
        } else if error.kind() == ErrorKind::Parse {
            SessionStoreFault::Unreadable
        } else {
            SessionStoreFault::Unreachable
        }
    }

    fn timed_out(self: &Arc<Self>) {
        let now = self.clock.monotonic();
        let mut state = self.lock();
        self.tell(&mut state, &SessionStoreFault::TimedOut);
        if !matches!(state.stage, Stage::Up(_)) {
            return;
        }
        let Some(since) = state.silent_since else {
            state.silent_since = Some(now);
            self.give_up_later(state.number, now);
            return;
        };
        if now.saturating_sub(since) >= SILENCE {
            state.stage = Stage::New;
            state.silent_since = None;
        }
    }

    /// An answer without an end is read into memory for as long as the connection is kept, and nobody
    /// may ever ask again.
    fn give_up_later(self: &Arc<Self>, number: u64, since: Duration) {
        let link = Arc::downgrade(self);
        tokio::spawn(async move {
            tokio::time::sleep(SILENCE).await;
            let Some(link) = link.upgrade() else {
                return;
            };
            let mut state = link.lock();
            let silent = state.number == number && state.silent_since == Some(since);
            if silent && matches!(state.stage, Stage::Up(_)) {
                state.stage = Stage::New;
                state.silent_since = None;
            }
        });
    }

    fn tell(&self, state: &mut State, error: &dyn fmt::Display) {
        state.failing = true;
        if let Some(unlogged) = state.failures.tell(self.clock.monotonic()) {
            tracing::warn!(
                %error,
                unlogged,
                "the session store fails; requests with a session are refused"
            );
        }
    }

    /// No holder of the lock can panic half-way, so a poisoned one is as good.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn short(error: &RedisError) -> String {
    error.to_string().chars().take(LOGGED).collect()
}
