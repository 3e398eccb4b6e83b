//! The Redis store against a Redis that never stops.

use super::*;

/// Of an answer without an end, no more is read than comes in a second, even if nobody asks again.
#[tokio::test]
async fn an_answer_without_an_end_is_not_read_for_ever() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stage = stage(listener.local_addr().unwrap().port());
    let endless = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = BufReader::new(stream);
        while let Some(words) = question(&mut stream).await {
            if words[0] == "EVAL" {
                break;
            }
            stream.write_all(b"+OK\r\n").await.unwrap();
        }
        stream.write_all(b"$9000000000000000000\r\n").await.unwrap();
        while stream.write_all(&[0; 1_024]).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    let found = stage.store.find(session(1), SHORT).get().await;
    assert_eq!(found, Err(SessionStoreFault::TimedOut));
    timeout(LONG, endless).await.unwrap().unwrap();
}
