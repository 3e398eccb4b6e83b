//! Requests that real servers read in more than one way, or otherwise than they look, sent to the
//! servers themselves and through the front door: nothing forbidden runs, and nothing honest is refused.
//!
//! `cargo test --test differentials -- --nocapture` prints what each server made of each row.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::too_many_lines,
    reason = "tables of requests, in which a wrong assumption fails the test"
)]

mod support;

#[path = "differentials/bodies.rs"]
mod bodies;
#[path = "differentials/encodings.rs"]
mod encodings;
#[path = "differentials/headers.rs"]
mod headers;
#[path = "differentials/paths.rs"]
mod paths;
#[path = "differentials/transfer.rs"]
mod transfer;
#[path = "differentials/values.rs"]
mod values;
#[path = "differentials/world.rs"]
mod world;

use std::sync::LazyLock;
use std::sync::Mutex;
use std::sync::PoisonError;

use self::world::Row;
use self::world::World;

/// One set of servers for all tables; each table has it to itself while it looks at what ran.
fn replay(rows: &[Row]) {
    static WORLD: LazyLock<Mutex<World>> = LazyLock::new(|| Mutex::new(World::start()));
    let world = WORLD.lock().unwrap_or_else(PoisonError::into_inner);
    let (faults, table) = world.replay(rows);
    drop(world);
    println!("{table}");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_body_with_two_readings_runs_nothing() {
    replay(&bodies::rows());
}

#[test]
fn a_value_that_not_every_reader_takes_runs_nothing() {
    replay(&values::rows());
}

#[test]
fn an_encoding_that_only_the_server_undoes_hides_nothing() {
    replay(&encodings::rows());
}

#[test]
fn a_way_of_sending_hides_nothing() {
    replay(&transfer::rows());
}

#[test]
fn a_near_spelling_of_the_path_runs_nothing() {
    replay(&paths::rows());
}

#[test]
fn headers_do_not_speak_for_the_body() {
    replay(&headers::rows());
}
