//! What is written down about calls that fail: little, and no secret.

use std::io;

use tracing::subscriber;
use tracing_subscriber::fmt::MakeWriter;

use super::*;

/// Everything that was logged.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Written {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn a_failure_is_told_once_a_minute_and_without_secrets() {
    let written = Written::default();
    let collector = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(written.clone())
        .finish();
    // Calls run on this thread too.
    let _guard = subscriber::set_default(collector);
    let rig = Rig::new(|_| Answer::Bytes(response("401 Unauthorized", &[JSON], b"{}"))).await;
    let ask = async |count: usize, minute: u64| {
        for n in 0..count {
            rig.ask(&format!("t0ken-{minute}-{n}")).await;
        }
    };
    ask(4, 0).await;
    rig.server.answer(|_| Answer::Bytes(b"t0ken".to_vec()));
    ask(4, 1).await;
    rig.clock.pass(Duration::from_secs(60));
    rig.server
        .answer(|_| Answer::Bytes(response("400 Bad Request", &[JSON], b"t0ken")));
    ask(1, 2).await;
    let logged = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
    let told = |text: &str| logged.matches(text).count();
    assert_eq!(told("check `client_id` and `client_secret`"), 2, "{logged}");
    assert_eq!(told("with 401"), 1, "{logged}");
    assert_eq!(told("with 400"), 1, "{logged}");
    assert_eq!(told("a token could not be asked about"), 1, "{logged}");
    assert_eq!(told("it is asked only now and then"), 1, "{logged}");
    for secret in ["t0ken", "cr3t", "cnMlM0E"] {
        assert_eq!(told(secret), 0, "{logged}");
    }
}
