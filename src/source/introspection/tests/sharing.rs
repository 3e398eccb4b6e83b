//! Many questions at once: which share a call, which are turned away, and what is left of them.

use super::*;

#[tokio::test]
async fn those_who_ask_about_one_token_share_one_call() {
    let rig = Arc::new(Rig::new(|_| later(100)).await);
    let askers: Vec<_> = (0..50)
        .map(|_| {
            let rig = Arc::clone(&rig);
            tokio::spawn(async move { rig.ask("same").await })
        })
        .collect();
    for asker in askers {
        assert_eq!(asker.await.unwrap(), answered(ACTIVE));
    }
    assert_eq!(rig.calls(), 1);
    assert_eq!(rig.ask("same").await, answered(ACTIVE));
    assert_eq!(rig.calls(), 2, "nothing is remembered");
    let (one, other) = tokio::join!(rig.ask("one"), rig.ask("other"));
    assert_eq!((one, other), (answered(ACTIVE), answered(ACTIVE)));
    assert_eq!(rig.calls(), 4);
}

#[tokio::test]
async fn a_call_goes_on_for_those_who_still_wait() {
    let rig = Rig::new(|_| later(200)).await;
    let (short, long) = tokio::join!(
        rig.ask_within("t", Duration::from_millis(50)),
        rig.ask_within("t", LONG)
    );
    assert_eq!(short, Asked::Unavailable("timeout"));
    assert_eq!(long, answered(ACTIVE));
    assert_eq!(rig.calls(), 1);
    assert_eq!(rig.seen.calls(), ["ok"]);
    assert!(rig.is_idle().await);
}

#[tokio::test]
async fn nothing_is_left_of_a_caller_who_hangs_up() {
    let rig = Rig::new(|_| Answer::Hang).await;
    for round in 0..200 {
        let token = format!("t{}", round % 7);
        let left = tokio::time::timeout(Duration::from_millis(1), rig.ask(&token)).await;
        assert!(left.is_err());
    }
    assert!(rig.is_idle().await, "no entry and no permit");
    rig.server.answer(|_| ok(ACTIVE));
    assert_eq!(rig.ask("t0").await, answered(ACTIVE));
    assert_eq!(rig.seen.calls(), ["ok"], "who hangs up says nothing");
}

/// Anybody can send tokens without end. Those who have one go on being asked about.
#[tokio::test]
async fn whoever_invents_tokens_does_not_keep_out_those_who_have_one() {
    let rig = Rig::new(|_| ok(ACTIVE)).await;
    assert_eq!(rig.ask("honest").await, answered(ACTIVE));
    rig.server.answer(|_| ok(r#"{"active":false}"#));
    let mut turned_away = 0;
    for n in 0..500 {
        if rig.ask(&format!("t{n}")).await == Asked::Unavailable("overload") {
            turned_away += 1;
        }
    }
    assert_eq!(turned_away, 101, "the budget is spent");
    rig.server.answer(|_| ok(ACTIVE));
    assert_eq!(rig.ask("new").await, Asked::Unavailable("overload"));
    assert_eq!(rig.ask("honest").await, answered(ACTIVE));
    rig.server.answer(|_| ok(r#"{"active":false}"#));
    assert_eq!(rig.ask("honest").await, answered(r#"{"active":false}"#));
    assert_eq!(
        rig.ask("honest").await,
        Asked::Unavailable("overload"),
        "revoked"
    );
}

#[tokio::test]
async fn whoever_holds_every_call_does_not_hold_those_of_others() {
    let rig = Arc::new(Rig::new(|_| ok(ACTIVE)).await);
    assert_eq!(rig.ask("honest").await, answered(ACTIVE));
    rig.server.answer(|_| Answer::Hang);
    let strangers: Vec<_> = (0..MAX_CALLS)
        .map(|n| {
            let rig = Arc::clone(&rig);
            tokio::spawn(async move { rig.ask(&format!("t{n}")).await })
        })
        .collect();
    while rig.calls() <= MAX_CALLS {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    rig.server.answer(|_| ok(ACTIVE));
    assert_eq!(rig.ask("new").await, Asked::Unavailable("overload"));
    assert_eq!(rig.ask("honest").await, answered(ACTIVE));
    for stranger in strangers {
        stranger.abort();
    }
}

#[tokio::test]
async fn an_unpolled_question_is_no_question() {
    let rig = Rig::new(|_| Answer::Hang).await;
    let token = bearer("t");
    drop(rig.oracle.ask(&token, LONG));
    assert!(rig.is_idle().await);
    assert_eq!(rig.calls(), 0);
}

#[tokio::test]
async fn there_are_sixty_four_calls_at_once() {
    let rig = Arc::new(Rig::new(|_| Answer::Hang).await);
    let askers: Vec<_> = (0..MAX_CALLS)
        .map(|n| {
            let rig = Arc::clone(&rig);
            tokio::spawn(async move { rig.ask(&format!("t{n}")).await })
        })
        .collect();
    while rig.calls() < MAX_CALLS {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(rig.ask("one-more").await, Asked::Unavailable("overload"));
    let joined = rig.ask_within("t0", Duration::from_millis(10)).await;
    assert_eq!(joined, Asked::Unavailable("timeout"), "joined a call");
    for asker in askers {
        asker.abort();
    }
    assert!(rig.is_idle().await);
    rig.server.answer(|_| ok(ACTIVE));
    assert_eq!(rig.ask("one-more").await, answered(ACTIVE));
}

#[tokio::test]
async fn calls_begin_at_a_bounded_rate() {
    let rig = Rig::new(|_| ok(ACTIVE)).await;
    let mut granted = 0;
    for n in 0..450 {
        match rig.ask(&format!("t{n}")).await {
            Asked::Answer(_) => granted += 1,
            Asked::Unavailable(why) => assert_eq!(why, "overload"),
        }
    }
    assert_eq!(granted, 400);
    rig.clock.pass(Duration::from_millis(10));
    for (n, expected) in [(0, answered(ACTIVE)), (1, answered(ACTIVE))] {
        assert_eq!(rig.ask(&format!("u{n}")).await, expected);
    }
    assert_eq!(rig.ask("u2").await, Asked::Unavailable("overload"));
    assert!(rig.seen.circuit().is_empty());
}
